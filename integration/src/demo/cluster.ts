// One machine as a cluster: a real ResourceManager, `isthmus local` with three agents, and the YARN bridge. Each is behind a
// guard, so that nothing of it outlives this process, whatever way it ends.

import { mkdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { HadoopDistribution } from '../hadoop/distribution.ts'
import { type GuardedProcess, lastLines, startGuarded } from '../hadoop/guarded-process.ts'
import { type ResourceManager, startResourceManager } from '../hadoop/resource-manager.ts'

const READY_TIMEOUT_MS = 60_000
const STOP_GRACE_MS = 25_000
const CLI = fileURLToPath(new URL('../../../core/bin/isthmus.mjs', import.meta.url))

export interface ClusterOptions {
  readonly distribution: HadoopDistribution
  readonly runDir: string
  readonly agentCount: number
  /** What each agent offers, in the text form of --resources. */
  readonly agentResources: string
  /** Further flags of `isthmus local`. */
  readonly localFlags?: readonly string[]
  /** Further flags of the bridge. */
  readonly bridgeFlags: readonly string[]
  /** A Hadoop distribution folder for the NodeManagers; default: the jars of `distribution` as a class path. */
  readonly hadoopHome?: string
  /** Default ports where they are free; else, and when false, free ones. */
  readonly wantsDefaultPorts: boolean
}

export interface Cluster {
  readonly masterUrl: string
  /** host:port of the master. */
  readonly master: string
  readonly bridgeUrl: string
  readonly resourceManager: ResourceManager
  /** Starts a ResourceManager anew, on the ports of the one that was stopped. It remembers nothing. */
  readonly restartResourceManager: () => Promise<void>
  /** A command of the CLI, guarded like the rest. */
  readonly runCli: (name: string, args: readonly string[]) => GuardedProcess
  /** Starts the bridge again after it was stopped; its framework id is kept. */
  readonly restartBridge: () => Promise<void>
  readonly bridge: () => GuardedProcess
  readonly local: GuardedProcess
  /** Entries of the environment by which every process on the agents is known. */
  readonly marks: readonly string[]
  readonly stop: () => Promise<void>
}

/** Starts everything; throws with the last lines of what did not start, after stopping the rest. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { distribution, runDir } = options
  mkdirSync(runDir, { recursive: true })
  const port = await choosePort(options, 5050)
  const agentPort = await choosePort(options, 5051)
  const marks = Array.from(
    { length: options.agentCount },
    (_, at) => `MESOS_AGENT_ENDPOINT=127.0.0.${at + 1}:${agentPort}`,
  )
  const start = (name: string, args: readonly string[], ownMarks: readonly string[]): GuardedProcess =>
    startGuarded({
      command: process.execPath,
      args: [CLI, ...args],
      env: process.env,
      cwd: runDir,
      outputFile: join(runDir, `${name}.log`),
      marks: ownMarks,
    })
  const runCli: Cluster['runCli'] = (name, args) => start(name, args, [])
  const local = start(
    'local',
    [
      'local',
      '--ip=127.0.0.1',
      `--port=${port}`,
      `--agents=${options.agentCount}`,
      `--agent_port=${agentPort}`,
      `--resources=${options.agentResources}`,
      `--work_dir=${join(runDir, 'cluster')}`,
      '--executor_shutdown_grace_period=5secs',
      ...(options.localFlags ?? []),
    ],
    marks,
  )
  const started: GuardedProcess[] = [local]
  let resourceManager: ResourceManager | undefined
  const rmOptions = { distribution, runDir: join(runDir, 'resourcemanager'), nodeHeartbeatMs: 250 }
  try {
    const [masterUrl, rm] = await Promise.all([whenReady('local', local), startResourceManager(rmOptions)])
    resourceManager = rm
    const master = new URL(masterUrl).host
    const bridgePort = await choosePort(options, 8192)
    const bridgeArguments = bridgeFlags({ options, master, rm, port: bridgePort })
    let bridge = runCli('bridge', bridgeArguments)
    started.push(bridge)
    const bridgeUrl = await whenReady('bridge', bridge)
    return {
      masterUrl,
      master,
      bridgeUrl,
      resourceManager: rm,
      runCli,
      local,
      marks,
      restartResourceManager: async () => {
        resourceManager = await startResourceManager({ ...rmOptions, ports: rm.ports })
      },
      bridge: () => bridge,
      restartBridge: async () => {
        bridge = runCli('bridge-again', bridgeArguments)
        started.push(bridge)
        await whenReady('bridge', bridge)
      },
      stop: async () => {
        await Promise.all(started.map((process) => process.stop(STOP_GRACE_MS)))
        await resourceManager?.stop()
      },
    }
  } catch (reason) {
    await Promise.all(started.map((process) => process.kill()))
    await resourceManager?.kill()
    throw reason
  }
}

function bridgeFlags(where: { options: ClusterOptions; master: string; rm: ResourceManager; port: number }): string[] {
  const { distribution, runDir, hadoopHome } = where.options
  const properties = Object.fromEntries(
    Object.entries(where.rm.nodeProperties).map(([name, value]) => [name, String(value)]),
  )
  return [
    'yarn-bridge',
    `--master=${where.master}`,
    `--rm=${where.rm.webUrl}`,
    '--ip=127.0.0.1',
    `--port=${where.port}`,
    hadoopHome === undefined ? `--hadoop_classpath=${distribution.classpath}` : `--hadoop_home=${hadoopHome}`,
    `--java_home=${distribution.javaHome}`,
    `--yarn_properties=${JSON.stringify(properties)}`,
    '--core_properties={"fs.defaultFS":"file:///"}',
    `--state_dir=${join(runDir, 'bridge')}`,
    ...where.options.bridgeFlags,
  ]
}

/** Waits for the line `ready URL`. */
async function whenReady(name: string, process: GuardedProcess): Promise<string> {
  let isGone = false
  void process.exited.then(() => {
    isGone = true
  })
  for (let waitedMs = 0; waitedMs < READY_TIMEOUT_MS; waitedMs += 50) {
    const match = /^ready (http\S+)$/m.exec(readFileSync(process.outputFile, 'utf8'))
    if (match?.[1] !== undefined) return match[1]
    if (isGone) break
    await delay(50)
  }
  throw new Error(
    `${name} ${isGone ? 'ended before it was ready' : 'was not ready in time'}:\n${lastLines(process.outputFile, 15)}`,
  )
}

async function choosePort(options: ClusterOptions, wanted: number): Promise<number> {
  if (!options.wantsDefaultPorts) return freePort(0)
  return freePort(wanted).catch(() => freePort(0))
}

function freePort(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : port))
    })
  })
}
