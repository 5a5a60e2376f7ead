// Everything of a YARN partition twice or three times: ZooKeeper ×3, masters ×3, ResourceManagers ×2, two agents, the bridge. Any of
// them may be killed and started again.

import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { bringZooKeeper, type HadoopDistribution } from '../hadoop/distribution.ts'
import { type GuardedProcess, lastLines, startGuarded } from '../hadoop/guarded-process.ts'
import { findFreePorts } from '../hadoop/ports.ts'
import { findTree } from '../hadoop/process-tree.ts'
import { type ResourceManagerPair, startResourceManagerPair } from '../hadoop/resource-manager-pair.ts'
import { startEnsemble } from '../zookeeper/ensemble.ts'

const CLI = fileURLToPath(new URL('../../../core/bin/isthmus.mjs', import.meta.url))
const HOST = '127.0.0.1'
const MASTERS = 3
const SESSION = '2secs'
const STOP_MS = 25_000
const READY_MS = 60_000
const ANSWER_MS = 2_000

export interface YarnClusterOptions {
  readonly distribution: HadoopDistribution
  /** A folder of its own; made when it does not exist. */
  readonly runDir: string
  readonly agentCount: number
  /** What each agent offers, in the text form of --resources. */
  readonly agentResources: string
  readonly bridgeFlags: readonly string[]
}

/** A process of the CLI that may be killed and started again. */
export interface Server {
  readonly name: string
  readonly port: number
  readonly start: () => void
  /** SIGKILL, with everything it started. */
  readonly kill: () => Promise<void>
  readonly stop: () => Promise<void>
  readonly output: () => string
}

/** An agent under a supervisor, which starts it again when it ends; what it launched goes on without it. */
export interface AgentServer extends Server {
  readonly host: string
  /** SIGKILL to the agent alone; resolves with its process id once the next one runs. */
  readonly crash: () => Promise<number>
}

export interface YarnCluster {
  readonly pair: ResourceManagerPair
  readonly masters: readonly Server[]
  readonly agents: readonly AgentServer[]
  readonly bridge: Server
  readonly bridgeUrl: string
  /** The master that leads. */
  readonly leader: () => Promise<Server | undefined>
  /** Process ids of the NodeManagers that run. */
  readonly nodeManagerPids: () => number[]
  readonly stop: () => Promise<void>
}

/** Starts everything and waits until the bridge listens; throws after stopping what runs. */
export async function startYarnCluster(options: YarnClusterOptions): Promise<YarnCluster> {
  const { distribution, runDir, agentCount } = options
  mkdirSync(runDir, { recursive: true })
  const ensemble = await startEnsemble({ distribution: await bringZooKeeper({ log: () => {} }), runDir, count: 3 })
  const servers: Server[] = []
  let pair: ResourceManagerPair | undefined
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.stop()))
    await pair?.stop()
    await ensemble.stop()
  }
  try {
    const zooKeeper = `zk://${ensemble.servers}/isthmus`
    const ports = await findFreePorts(HOST, MASTERS + 2)
    const [agentPort = 0, bridgePort = 0] = ports.slice(MASTERS)
    const masters = ports
      .slice(0, MASTERS)
      .map((port) => cliServer(runDir, `master-${port}`, port, masterFlags(port, zooKeeper)))
    const hosts = Array.from({ length: agentCount }, (_, at) => `127.0.0.${at + 2}`)
    const marks = hosts.map((host) => `MESOS_AGENT_ENDPOINT=${host}:${agentPort}`)
    const agents = hosts.map((host, at) =>
      agentServer({ ...options, host, port: agentPort, zooKeeper, mark: marks[at] ?? '' }),
    )
    servers.push(...masters, ...agents)
    for (const each of servers) each.start()
    const zooKeeperHosts = { distribution, runDir: join(runDir, 'resourcemanagers'), zooKeeper: ensemble.servers }
    const started = await startResourceManagerPair(zooKeeperHosts)
    pair = started
    const bridge = cliServer(
      runDir,
      'bridge',
      bridgePort,
      bridgeFlags({ ...options, pair: started, zooKeeper, port: bridgePort }),
    )
    servers.unshift(bridge)
    bridge.start()
    await whenReady(bridge)
    return {
      pair: started,
      masters,
      agents,
      bridge,
      bridgeUrl: `http://${HOST}:${bridgePort}`,
      leader: () => findLeader(masters),
      nodeManagerPids: () =>
        findTree({ roots: [], environment: marks })
          .filter((pid) => commandLine(pid).includes('nodemanager.NodeManager'))
          .sort((a, b) => a - b),
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

function masterFlags(port: number, zooKeeper: string): string[] {
  return ['master', `--ip=${HOST}`, `--port=${port}`, `--zk=${zooKeeper}`, `--zk_session_timeout=${SESSION}`]
}

interface AgentPlace extends YarnClusterOptions {
  readonly host: string
  readonly port: number
  readonly zooKeeper: string
  /** By which what it launches is known. */
  readonly mark: string
}

function agentServer(place: AgentPlace): AgentServer {
  const { host, port, runDir } = place
  const name = `agent-${host}`
  const ownMark = `ISTHMUS_TEST_AGENT=${runDir}/${host}`
  const supervised = ['-c', 'while :; do "$@"; sleep 0.2; done', 'sh', process.execPath, '--conditions=source', CLI]
  const one = server({
    folder: runDir,
    name,
    port,
    command: ['/bin/sh', ...supervised, ...agentFlags(place)],
    marks: [place.mark, ownMark],
  })
  // The program itself, not the shell, the guard, or the launcher.
  const pidOf = (): number | undefined =>
    findTree({ roots: [], environment: [ownMark] }).find((pid) => {
      const [program, ...args] = commandLine(pid).split('\0')
      return program === process.execPath && args.includes('agent') && args.includes(`--ip=${host}`)
    })
  return {
    ...one,
    host,
    crash: async () => {
      const before = pidOf()
      if (before === undefined) throw new Error(`${name} does not run`)
      process.kill(before, 'SIGKILL')
      for (const until = performance.now() + READY_MS; performance.now() < until; await delay(50)) {
        const pid = pidOf()
        if (pid !== undefined && pid !== before) return pid
      }
      throw new Error(`${name} does not run again`)
    },
  }
}

function agentFlags(place: AgentPlace): string[] {
  const { host, port, zooKeeper } = place
  return [
    'agent',
    `--ip=${host}`,
    `--hostname=${host}`,
    `--port=${port}`,
    `--master=${zooKeeper}`,
    `--zk_session_timeout=${SESSION}`,
    `--work_dir=${join(place.runDir, `agent-${host}`)}`,
    `--runtime_dir=${join(place.runDir, `run-${host}`)}`,
    `--resources=${place.agentResources}`,
    '--registration_backoff_factor=300ms',
    '--executor_shutdown_grace_period=5secs',
  ]
}

function bridgeFlags(
  where: YarnClusterOptions & { pair: ResourceManagerPair; zooKeeper: string; port: number },
): string[] {
  const { distribution, runDir, pair } = where
  const properties = Object.entries(pair.nodeProperties).map(([name, value]) => [name, String(value)])
  return [
    'yarn-bridge',
    `--master=${where.zooKeeper}`,
    `--rm=${pair.webUrls}`,
    `--ip=${HOST}`,
    `--port=${where.port}`,
    `--hadoop_classpath=${distribution.classpath}`,
    `--java_home=${distribution.javaHome}`,
    `--yarn_properties=${JSON.stringify(Object.fromEntries(properties))}`,
    '--core_properties={"fs.defaultFS":"file:///"}',
    `--state_dir=${join(runDir, 'bridge')}`,
    ...where.bridgeFlags,
  ]
}

function cliServer(folder: string, name: string, port: number, args: readonly string[]): Server {
  return server({ folder, name, port, command: [process.execPath, '--conditions=source', CLI, ...args], marks: [] })
}

function server(what: {
  readonly folder: string
  readonly name: string
  readonly port: number
  readonly command: readonly string[]
  readonly marks: readonly string[]
}): Server {
  const { folder, name, marks } = what
  const [command = '', ...args] = what.command
  // The last mark is of its own environment, which what it starts inherits.
  const [variable = '', value = ''] = marks.at(-1)?.split('=') ?? []
  const env = variable === '' ? process.env : { ...process.env, [variable]: value }
  const outputFile = join(folder, `${name}.log`)
  let process_: GuardedProcess | undefined
  return {
    name,
    port: what.port,
    start: () => {
      process_ = startGuarded({ command, args, env, cwd: folder, outputFile, marks })
    },
    kill: async () => void (await process_?.kill()),
    stop: async () => void (await process_?.stop(STOP_MS)),
    output: () => readFileSync(outputFile, 'utf8'),
  }
}

async function whenReady(one: Server): Promise<void> {
  for (const until = performance.now() + READY_MS; performance.now() < until; await delay(50)) {
    if (/^ready http/m.test(one.output())) return
  }
  throw new Error(`${one.name} is not ready:\n${one.output().split('\n').slice(-15).join('\n')}`)
}

async function findLeader(masters: readonly Server[]): Promise<Server | undefined> {
  for (const master of masters) {
    const page = await fetch(`http://${HOST}:${master.port}/metrics/snapshot`, {
      signal: AbortSignal.timeout(ANSWER_MS),
    })
      .then((answer) => answer.json() as Promise<Readonly<Record<string, number>>>)
      .catch(() => undefined)
    if (page?.['master/elected'] === 1) return master
  }
  return undefined
}

function commandLine(pid: number): string {
  return lastLines(`/proc/${pid}/cmdline`, 1)
}
