// What every Hadoop daemon of the fixture has in common: a run folder with its configuration, a JVM behind a guard, a
// question that tells when it is ready, and a bounded stop.
//
//   <runDir>/conf/        the rendered configuration, first on the class path
//   <runDir>/output.log   standard output and standard error of the daemon

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { HadoopDistribution } from './distribution.ts'
import { type Exit, type GuardedProcess, lastLines, startGuarded } from './guarded-process.ts'
import { HadoopError } from './hadoop-error.ts'
import { type Properties, renderXml } from './xml.ts'

/** A running daemon. */
export interface Daemon {
  readonly name: string
  readonly confDir: string
  readonly outputFile: string
  readonly process: GuardedProcess
  /** Resolves when the daemon is gone, by itself or stopped. Never rejects. */
  readonly exited: Promise<Exit>
  /** From the start of its process to ready, in milliseconds. */
  readonly startMs: number
  /** SIGTERM, SIGKILL to all that is left after {@link STOP_MS}; resolves when nothing of it runs. May be repeated. */
  stop(): Promise<Exit>
  /** SIGKILL at once, with everything it started. */
  kill(): Promise<Exit>
}

/** What a daemon is started from. */
export interface DaemonPlan {
  readonly name: string
  readonly distribution: HadoopDistribution
  readonly runDir: string
  readonly mainClass: string
  readonly heapMb: number
  /** Configuration files to render into conf/, by name. */
  readonly files: Readonly<Record<string, Properties>>
  /** Folders to put on the class path behind conf/. */
  readonly classpath?: readonly string[]
  readonly args?: readonly string[]
  /** See GuardedOptions.marks. */
  readonly marks?: readonly string[]
  /** Tells whether the daemon is ready. May throw while it is not. */
  isReady(): Promise<boolean>
}

/** A NodeManager takes 10 to 12 s to stop after SIGTERM, up to 19 s on a busy machine. */
export const STOP_MS = 25_000
const START_MS = 120_000
const POLL_MS = 50
const LAST_LINES = 20
const ANSWER_MS = 5_000

/** Flags that keep a small daemon small and quick to start. */
export const JVM_FLAGS: readonly string[] = [
  '-Xss512k',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  // ResourceManager and NodeManager define classes through a library that reaches into java.lang.
  '--add-opens=java.base/java.lang=ALL-UNNAMED',
]

const LOG4J = `log4j.rootLogger=INFO,console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.target=System.err
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d{ISO8601} %p %c{2}: %m%n
`

/** Writes configuration files and the logging settings into runDir/conf and returns that folder. */
export function writeConfiguration(runDir: string, files: Readonly<Record<string, Properties>>): string {
  const confDir = join(runDir, 'conf')
  mkdirSync(confDir, { recursive: true })
  writeFileSync(join(confDir, 'log4j.properties'), LOG4J)
  for (const [name, properties] of Object.entries(files)) writeFileSync(join(confDir, name), renderXml(properties))
  return confDir
}

/** The environment of everything of Hadoop: ours without what would steer Hadoop elsewhere, and JAVA_HOME. */
export function hadoopEnvironment(distribution: HadoopDistribution, confDir: string): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^(HADOOP|YARN|HDFS|SPARK|MAPRED|NODE)_/.test(name))
  return { ...Object.fromEntries(own), JAVA_HOME: distribution.javaHome, HADOOP_CONF_DIR: confDir }
}

/** The arguments of `java` for a class of Hadoop. */
export function javaArguments(plan: Pick<DaemonPlan, 'heapMb' | 'mainClass' | 'args'>, classpath: string): string[] {
  return [`-Xmx${plan.heapMb}m`, ...JVM_FLAGS, '-cp', classpath, plan.mainClass, ...(plan.args ?? [])]
}

/**
 * Starts a daemon and waits until it is ready. It ends with this process, which it does not keep alive.
 *
 * Throws HadoopError DAEMON_DIED with the last lines of its output when it ends before, NOT_READY when it takes longer
 * than {@link START_MS}; nothing is left running then.
 */
export async function startDaemon(plan: DaemonPlan): Promise<Daemon> {
  const { name } = plan
  const started = performance.now()
  const { process, confDir } = launch(plan)
  let exit: Exit | undefined
  void process.exited.then((end) => {
    exit = end
  })
  while (!(await asksReady(plan))) {
    if (exit !== undefined) throw new HadoopError('DAEMON_DIED', describe(`${name} ended (${words(exit)})`, process))
    if (performance.now() - started > START_MS) {
      await process.kill()
      throw new HadoopError('NOT_READY', describe(`${name} is not ready after ${START_MS / 1000} s`, process))
    }
    await delay(POLL_MS)
  }
  process.unref()
  return {
    name,
    confDir,
    outputFile: process.outputFile,
    process,
    exited: process.exited,
    startMs: Math.round(performance.now() - started),
    stop: () => process.stop(STOP_MS),
    kill: () => process.kill(),
  }
}

/** Runs a program of Hadoop to its end. Throws HadoopError DAEMON_DIED when it does not end with 0. */
export async function runToEnd(plan: Omit<DaemonPlan, 'isReady'>): Promise<void> {
  const { process } = launch(plan)
  const exit = await process.exited
  if (exit.code !== 0) throw new HadoopError('DAEMON_DIED', describe(`${plan.name} ended (${words(exit)})`, process))
}

/** Asks a web server of Hadoop for JSON. Throws when it does not answer 200 within {@link ANSWER_MS}. */
export async function getJson(url: string): Promise<unknown> {
  const response = await fetch(url, {
    headers: { accept: 'application/json', connection: 'close' },
    signal: AbortSignal.timeout(ANSWER_MS),
  })
  if (!response.ok) throw new Error(`GET ${url}: ${response.status}`)
  return await response.json()
}

function launch(plan: Omit<DaemonPlan, 'isReady'>): { process: GuardedProcess; confDir: string } {
  const confDir = writeConfiguration(plan.runDir, plan.files)
  const classpath = [confDir, ...(plan.classpath ?? []), plan.distribution.classpath].join(':')
  const process = startGuarded({
    command: plan.distribution.java,
    args: javaArguments(plan, classpath),
    env: hadoopEnvironment(plan.distribution, confDir),
    cwd: plan.runDir,
    outputFile: join(plan.runDir, 'output.log'),
    marks: plan.marks,
  })
  return { process, confDir }
}

async function asksReady(plan: DaemonPlan): Promise<boolean> {
  try {
    return await plan.isReady()
  } catch {
    return false
  }
}

function words(exit: Exit): string {
  return exit.failure ?? (exit.code === undefined ? `signal ${exit.signal}` : `exit code ${exit.code}`)
}

function describe(what: string, process: GuardedProcess): string {
  return `${what}; the end of ${process.outputFile}:\n${lastLines(process.outputFile, LAST_LINES)}`
}
