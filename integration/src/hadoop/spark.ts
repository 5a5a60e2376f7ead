import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { hadoopEnvironment } from './daemon.ts'
import type { HadoopDistribution } from './distribution.ts'
import { type Exit, startGuarded } from './guarded-process.ts'

/** A Spark application to submit. */
export interface SparkOptions {
  readonly distribution: HadoopDistribution
  /** A folder of its own, for its output and what it hands to YARN; made when it does not exist. */
  readonly runDir: string
  /** The configuration of the YARN cluster, such as ResourceManager.confDir. */
  readonly hadoopConfDir: string
  /** `isthmus.WordCount` or `isthmus.Pi`, or a class of another jar. */
  readonly mainClass: string
  readonly args: readonly string[]
  /** Default: the jar with the fixture's jobs. */
  readonly jar?: string
  /** Where the driver runs. Default `client`: with spark-submit itself. */
  readonly deployMode?: 'client' | 'cluster'
  /** Default 1. */
  readonly executors?: number
  /** Default 1. */
  readonly executorCores?: number
  /** Default 512; Spark refuses less than 450. A container has {@link EXECUTOR_OVERHEAD_MB} more. */
  readonly executorMemoryMb?: number
  /** The loopback address of the driver. Default 127.0.0.1. */
  readonly host?: string
  /** Further `--conf` settings; they win over the fixture's. */
  readonly conf?: Readonly<Record<string, string>>
}

/** An application on its way. */
export interface SparkSubmission {
  /** Resolves as soon as YARN has accepted the application; undefined when spark-submit ended before. */
  readonly applicationId: Promise<string | undefined>
  /** Resolves when spark-submit has ended. Never rejects. */
  readonly finished: Promise<SparkResult>
  /** Standard output and standard error of spark-submit, in client mode of the driver too. */
  readonly outputFile: string
  /** Ends spark-submit with everything it started. In client mode YARN then ends the application. */
  stop(): Promise<Exit>
}

/** How an application ended. */
export interface SparkResult {
  /** spark-submit's; undefined when a signal ended it. */
  readonly exitCode?: number
  readonly applicationId?: string
  readonly outputFile: string
  readonly wallMs: number
}

/** What YARN adds to an executor's heap. */
export const EXECUTOR_OVERHEAD_MB = 128
/** Heap and overhead of the application master in client mode: together the container's memory. */
export const MASTER_MEMORY_MB: { readonly heap: number; readonly overhead: number } = { heap: 256, overhead: 128 }

const DRIVER_HEAP_MB = 512
const STOP_MS = 5_000
const POLL_MS = 100
const LEAN_JVM = '-XX:+UseSerialGC -XX:TieredStopAtLevel=1'

/** What Spark needs of Java 17, as its own launcher opens it. */
const OPENED_PACKAGES = [
  'java.lang',
  'java.lang.invoke',
  'java.lang.reflect',
  'java.io',
  'java.net',
  'java.nio',
  'java.util',
  'java.util.concurrent',
  'java.util.concurrent.atomic',
  'jdk.internal.ref',
  'sun.nio.ch',
  'sun.nio.cs',
  'sun.security.action',
  'sun.util.calendar',
]

/** Submits an application to YARN and returns at once. It waits in YARN's queue while there is no NodeManager. */
export function submitSpark(options: SparkOptions): SparkSubmission {
  const { distribution, runDir, hadoopConfDir, host = '127.0.0.1' } = options
  mkdirSync(runDir, { recursive: true })
  const outputFile = join(runDir, 'output.log')
  const started = performance.now()
  const process = startGuarded({
    command: distribution.java,
    args: submitArguments(options),
    env: {
      ...hadoopEnvironment(distribution, hadoopConfDir),
      SPARK_LOCAL_IP: host,
      SPARK_LOCAL_HOSTNAME: host,
      // Spark wants one to look for further settings in; there are none.
      SPARK_CONF_DIR: runDir,
    },
    cwd: runDir,
    outputFile,
  })
  return {
    applicationId: followApplicationId(outputFile, process.exited),
    finished: process.exited.then((exit) => ({
      exitCode: exit.code,
      applicationId: readApplicationId(outputFile),
      outputFile,
      wallMs: Math.round(performance.now() - started),
    })),
    outputFile,
    stop: () => process.stop(STOP_MS),
  }
}

function submitArguments(options: SparkOptions): string[] {
  const { distribution, deployMode = 'client' } = options
  const opened = OPENED_PACKAGES.map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`)
  return [
    ...[`-Xmx${DRIVER_HEAP_MB}m`, '-Xss4m', ...LEAN_JVM.split(' '), ...opened],
    '-Djdk.reflect.useDirectMethodHandle=false',
    ...['-cp', `${options.hadoopConfDir}:${distribution.sparkJarsDir}/*`, 'org.apache.spark.deploy.SparkSubmit'],
    ...['--master', 'yarn', '--deploy-mode', deployMode, '--class', options.mainClass],
    ...Object.entries({ ...defaultConf(options), ...options.conf }).flatMap(([name, value]) => [
      '--conf',
      `${name}=${value}`,
    ]),
    options.jar ?? distribution.jobsJar,
    ...options.args,
  ]
}

function defaultConf(options: SparkOptions): Record<string, string> {
  return {
    // Spark's jars are on every node already: nothing is uploaded.
    'spark.yarn.jars': `local:${options.distribution.sparkJarsDir}/*`,
    'spark.yarn.populateHadoopClasspath': 'false',
    'spark.yarn.stagingDir': `file://${options.runDir}/staging`,
    'spark.yarn.am.memory': `${MASTER_MEMORY_MB.heap}m`,
    'spark.yarn.am.memoryOverhead': `${MASTER_MEMORY_MB.overhead}`,
    'spark.yarn.am.extraJavaOptions': LEAN_JVM,
    'spark.yarn.scheduler.heartbeat.interval-ms': '500',
    'spark.yarn.maxAppAttempts': '1',
    'spark.driver.memory': `${DRIVER_HEAP_MB}m`,
    'spark.driver.memoryOverhead': '128',
    'spark.driver.extraJavaOptions': LEAN_JVM,
    'spark.executor.instances': String(options.executors ?? 1),
    'spark.executor.cores': String(options.executorCores ?? 1),
    'spark.executor.memory': `${options.executorMemoryMb ?? 512}m`,
    'spark.executor.memoryOverhead': String(EXECUTOR_OVERHEAD_MB),
    'spark.executor.extraJavaOptions': LEAN_JVM,
    'spark.ui.enabled': 'false',
    'spark.dynamicAllocation.enabled': 'false',
  }
}

async function followApplicationId(outputFile: string, exited: Promise<Exit>): Promise<string | undefined> {
  let hasEnded = false
  void exited.then(() => {
    hasEnded = true
  })
  for (;;) {
    const id = readApplicationId(outputFile)
    if (id !== undefined || hasEnded) return id
    await delay(POLL_MS)
  }
}

function readApplicationId(outputFile: string): string | undefined {
  const text = existsSync(outputFile) ? readFileSync(outputFile, 'utf8') : ''
  return /Submitted application (application_\d+_\d+)/.exec(text)?.[1]
}
