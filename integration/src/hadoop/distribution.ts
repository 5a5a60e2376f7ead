// Brings real Hadoop, real Spark and real ZooKeeper from Maven, once, into integration/hadoop/target (not committed).
//
//   integration/hadoop/
//     daemons/pom.xml                  Hadoop's jars, and the web pages of HDFS
//     spark/pom.xml, spark/src/        Spark for YARN, and the jobs WordCount and Pi
//     zookeeper/pom.xml                the jars of ZooKeeper
//     target/daemons-<key>/            lib/*.jar, webapps-root/webapps/
//     target/spark-<key>/              jars/*.jar, build/spark-jobs.jar
//     target/partial-<part>/           a part being brought; renamed when whole, so what has its name is complete
//
// The key is a hash of what a part is made from: another pom brings it anew, the same one costs nothing.

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startGuarded } from './guarded-process.ts'
import { HadoopError } from './hadoop-error.ts'
import { findJava, findProgram } from './java.ts'
import { withLock } from './lock.ts'

/** Where everything of Hadoop and Spark lies; all paths absolute. */
export interface HadoopDistribution {
  readonly javaHome: string
  /** The `java` program. */
  readonly java: string
  /** The folder with Hadoop's jars. */
  readonly libDir: string
  /** Hadoop's jars as Java's class path takes them: `<libDir>/*`. */
  readonly classpath: string
  /** A folder holding `webapps/`, for the class path of NameNode and DataNode. */
  readonly webappsDir: string
  readonly sparkJarsDir: string
  /** The jar with the jobs `isthmus.WordCount` and `isthmus.Pi`. */
  readonly jobsJar: string
}

/** Tells people what happens, one line a call. */
export type Log = (line: string) => void

interface Part {
  readonly name: 'daemons' | 'spark' | 'zookeeper'
  /** Its name, and the property of its pom that holds its version. */
  readonly title: string
  readonly versionProperty: string
  /** What it takes to download, roughly. */
  readonly sizeMb: number
  /** What must be there for the part to be whole, relative to its folder. */
  readonly proof: readonly string[]
}

const HOME = fileURLToPath(new URL('../../hadoop', import.meta.url))
const TARGET = join(HOME, 'target')
const PROGRESS_MS = 3_000
const MAVEN_STOP_MS = 2_000

const DAEMONS: Part = {
  name: 'daemons',
  title: 'Hadoop',
  versionProperty: 'hadoop.version',
  sizeMb: 100,
  proof: ['lib', 'webapps-root/webapps/hdfs'],
}
const SPARK: Part = {
  name: 'spark',
  title: 'Spark',
  versionProperty: 'spark.version',
  sizeMb: 160,
  proof: ['jars', 'build/spark-jobs.jar'],
}

const ZOOKEEPER: Part = {
  name: 'zookeeper',
  title: 'ZooKeeper',
  versionProperty: 'zookeeper.version',
  sizeMb: 13,
  proof: ['lib'],
}

/** Where ZooKeeper lies. */
export interface ZooKeeperDistribution {
  /** The `java` program. */
  readonly java: string
  /** Its jars as Java's class path takes them. */
  readonly classpath: string
}

/** Makes sure ZooKeeper is there and says where; as {@link bringHadoop}. */
export async function bringZooKeeper(options: { readonly log: Log }): Promise<ZooKeeperDistribution> {
  const java = findJava()
  const folder = await bringPart(ZOOKEEPER, java.home, options.log)
  return { java: java.program, classpath: join(folder, 'lib', '*') }
}

/**
 * Makes sure Hadoop and Spark are there and says where.
 *
 * The first time it downloads from Maven Central (or what Maven's settings name instead) and logs its progress;
 * afterwards it neither needs the network nor takes noticeable time. Several processes may call it at once.
 * Throws HadoopError TOOL_MISSING or MAVEN_FAILED.
 */
export async function bringHadoop(options: { readonly log: Log }): Promise<HadoopDistribution> {
  const java = findJava()
  const daemons = await bringPart(DAEMONS, java.home, options.log)
  const spark = await bringPart(SPARK, java.home, options.log)
  return {
    javaHome: java.home,
    java: java.program,
    libDir: join(daemons, 'lib'),
    classpath: join(daemons, 'lib', '*'),
    webappsDir: join(daemons, 'webapps-root'),
    sparkJarsDir: join(spark, 'jars'),
    jobsJar: join(spark, 'build', 'spark-jobs.jar'),
  }
}

async function bringPart(part: Part, javaHome: string, log: Log): Promise<string> {
  const folder = join(TARGET, `${part.name}-${keyOf(join(HOME, part.name))}`)
  if (existsSync(folder)) return folder
  const waiting = (): void => log('another process is bringing Hadoop; waiting for it')
  return await withLock(TARGET, waiting, async () => {
    if (!existsSync(folder)) await build(part, folder, javaHome, log)
    return folder
  })
}

async function build(part: Part, folder: string, javaHome: string, log: Log): Promise<void> {
  const startedMs = performance.now()
  const partial = join(TARGET, `partial-${part.name}`)
  rmSync(partial, { recursive: true, force: true })
  mkdirSync(partial, { recursive: true })
  const title = `${part.title} ${versionOf(part)}`
  log(`bringing ${title} from Maven (the first time a download of about ${part.sizeMb} MB)`)
  await runMaven(part, partial, javaHome, log)
  const missing = part.proof.find((path) => !existsSync(join(partial, path)))
  if (missing !== undefined) throw new HadoopError('MAVEN_FAILED', `${title}: Maven brought no ${missing}`)
  for (const old of readdirSync(TARGET).filter((name) => name.startsWith(`${part.name}-`))) {
    rmSync(join(TARGET, old), { recursive: true, force: true })
  }
  renameSync(partial, folder)
  log(`brought ${title} in ${Math.round((performance.now() - startedMs) / 1000)} s`)
}

async function runMaven(part: Part, out: string, javaHome: string, log: Log): Promise<void> {
  const maven = findProgram('mvn')
  if (maven === undefined) throw new HadoopError('TOOL_MISSING', 'mvn is missing (Debian package: maven)')
  const outputFile = join(TARGET, `${part.name}.log`)
  rmSync(outputFile, { force: true })
  // -C: a download whose checksum is wrong fails instead of being used.
  const args = ['-B', '-C', '-Dstyle.color=never', '-f', join(HOME, part.name, 'pom.xml'), 'package', `-Dout=${out}`]
  const env = { ...process.env, JAVA_HOME: javaHome }
  const run = startGuarded({ command: maven, args, env, cwd: TARGET, outputFile })
  const progress = setInterval(() => {
    const count = readLines(outputFile).filter((line) => line.includes('Downloaded from')).length
    if (count > 0) log(`  ${count} files downloaded`)
  }, PROGRESS_MS)
  const exit = await run.exited.finally(() => clearInterval(progress))
  if (exit.code === 0) return
  await run.stop(MAVEN_STOP_MS)
  const errors = readLines(outputFile).filter((line) => line.startsWith('[ERROR]'))
  const why = exit.failure ?? errors.slice(0, 5).join('\n') ?? ''
  throw new HadoopError('MAVEN_FAILED', `Maven could not bring ${part.title} (${outputFile}):\n${why}`)
}

function versionOf(part: Part): string {
  const pom = readFileSync(join(HOME, part.name, 'pom.xml'), 'utf8')
  return new RegExp(`<${part.versionProperty}>(.*)</`).exec(pom)?.[1] ?? ''
}

function readLines(path: string): string[] {
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n') : []
}

/** A hash over the names and contents of all files of a folder. */
function keyOf(folder: string): string {
  const hash = createHash('sha256')
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
  for (const file of files)
    hash
      .update(`${relative(folder, file)}\0`)
      .update(readFileSync(file))
      .update('\0')
  return hash.digest('hex').slice(0, 12)
}
