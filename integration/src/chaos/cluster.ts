// The cluster that chaos is made in: three ZooKeeper servers, three masters, agents, the framework with the ledger; each in a
// network namespace of its own where that is possible, else all on loopback.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bringZooKeeper } from '../hadoop/distribution.ts'
import { type Ensemble, startEnsemble } from '../zookeeper/ensemble.ts'
import type { LedgerFrameworkOrder } from './ledger.ts'
import type { Network } from './network.ts'
import { Part } from './part.ts'
import { loopbackPlace, type Place } from './place.ts'

const CLI = fileURLToPath(new URL('../../../core/bin/isthmus.mjs', import.meta.url))
const FRAMEWORK = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './ledger-framework.ts' : './ledger-framework.js', import.meta.url),
)
const SERVERS = 3
const MASTERS = 3
/** --zk_session_timeout of masters and agents. */
export const SESSION_MS = 2_000
/** What each agent has: four tasks fit. */
const RESOURCES = 'cpus:2;mem:512;disk:100'
const PAGE_MS = 1_000

/** A part that serves pages. */
export interface Server {
  readonly part: Part
  readonly port: number
}

/** An agent, and where what outlives it is found. */
export interface AgentServer extends Server {
  /** The argument that its launcher was started with begins like this. */
  readonly launcherMark: string
}

/** Everything that runs. */
export interface ChaosCluster {
  /** Undefined = all on loopback, nothing can be cut. */
  readonly network: Network | undefined
  readonly ensemble: Ensemble
  /** Names of the ZooKeeper servers, by index. */
  readonly zookeepers: readonly string[]
  readonly masters: readonly Server[]
  readonly agents: readonly AgentServer[]
  readonly framework: Part
  /** Every part that is to run. */
  readonly parts: readonly Part[]
  /** The master that leads, or undefined. */
  readonly leader: () => Promise<Server | undefined>
  readonly stop: () => Promise<void>
}

/** What to start. */
export interface ClusterOptions {
  readonly runDir: string
  readonly seed: number
  readonly agentCount: number
  readonly network: Network | undefined
}

/** Starts the cluster below runDir. */
export async function startChaosCluster({ runDir, seed, agentCount, network }: ClusterOptions): Promise<ChaosCluster> {
  const distribution = await bringZooKeeper({ log: () => {} })
  const placed = (name: string): Place | Promise<Place> => network?.add(name) ?? loopbackPlace(name)
  const placedAll = async (kind: string, count: number): Promise<Place[]> => {
    const places: Place[] = []
    for (let at = 0; at < count; at += 1) places.push(await placed(`${kind}-${at + 1}`))
    return places
  }
  const zookeepers = await placedAll('zookeeper', SERVERS)
  const ensemble = await startEnsemble({ distribution, runDir, count: SERVERS, places: zookeepers })
  const address = `zk://${ensemble.servers}/chaos`
  const masters = (await serversAt(await placedAll('master', MASTERS), 5050)).map(({ place, port }) => {
    return { part: new Part({ place, command: masterCommand(place, port, address), folder: runDir }), port }
  })
  const agents = (await serversAt(await placedAll('agent', agentCount), 5051)).map(({ place, port }) => {
    const workDir = join(runDir, place.name)
    mkdirSync(runtimeDir(workDir), { recursive: true })
    const part = new Part({ place, command: agentCommand({ place, port, address, workDir }), folder: runDir })
    return { part, port, launcherMark: `${runtimeDir(workDir)}/` }
  })
  const order: LedgerFrameworkOrder = { master: address, folder: runDir, seed, longTasksMax: agentCount }
  const framework = new Part({
    place: await placed('framework'),
    command: [process.execPath, '--conditions=source', FRAMEWORK, JSON.stringify(order)],
    folder: runDir,
  })
  const parts = [...masters.map(({ part }) => part), ...agents.map(({ part }) => part), framework]
  for (const part of parts) part.start()
  return {
    network,
    ensemble,
    zookeepers: zookeepers.map(({ name }) => name),
    masters,
    agents,
    framework,
    parts,
    leader: () => findLeader(masters),
    stop: async () => {
      await Promise.all(parts.map((part) => part.stop()))
      await ensemble.stop()
      network?.close()
    },
  }
}

/** A page as JSON. Throws when there is no answer within a second, or not 200. */
export async function readPage({ part, port }: Server, path: string): Promise<Readonly<Record<string, unknown>>> {
  const answer = await fetch(`http://${part.place.host}:${port}${path}`, {
    signal: AbortSignal.timeout(PAGE_MS),
    redirect: 'manual',
  })
  if (answer.status !== 200) throw new Error(`${part.name}${path}: ${answer.status}`)
  return (await answer.json()) as Record<string, unknown>
}

async function serversAt(
  places: readonly Place[],
  wanted: number,
): Promise<{ readonly place: Place; readonly port: number }[]> {
  const isLoopback = places.every(({ host }) => host === places[0]?.host)
  // Asked for together, so that two never get the same.
  const shared = isLoopback ? await places[0]?.ports(places.map(() => wanted)) : undefined
  return places.map((place, at) => ({ place, port: shared?.[at] ?? wanted }))
}

function masterCommand({ host }: Place, port: number, zk: string): string[] {
  const election = [`--zk=${zk}`, `--zk_session_timeout=${SESSION_MS}ms`]
  const pings = ['--agent_ping_timeout=1secs', '--max_agent_ping_timeouts=3', '--agent_reregister_timeout=15secs']
  return isthmus('master', `--ip=${host}`, `--port=${port}`, ...election, ...pings)
}

function agentCommand(agent: {
  readonly place: Place
  readonly port: number
  readonly address: string
  readonly workDir: string
}): string[] {
  const { place, port, address, workDir } = agent
  const master = [`--master=${address}`, `--zk_session_timeout=${SESSION_MS}ms`, '--registration_backoff_factor=300ms']
  return isthmus(
    'agent',
    `--ip=${place.host}`,
    `--port=${port}`,
    ...master,
    `--work_dir=${workDir}`,
    `--runtime_dir=${runtimeDir(workDir)}`,
    `--resources=${RESOURCES}`,
  )
}

/** Where the launcher of an agent listens: it is named in the arguments of that process. */
function runtimeDir(workDir: string): string {
  return join(workDir, 'runtime')
}

function isthmus(...args: readonly string[]): string[] {
  return [process.execPath, '--conditions=source', CLI, ...args]
}

async function findLeader(masters: readonly Server[]): Promise<Server | undefined> {
  const found = await Promise.all(
    masters.map(async (master) => {
      const metrics = await readPage(master, '/metrics/snapshot').catch(() => undefined)
      return metrics?.['master/elected'] === 1 ? master : undefined
    }),
  )
  return found.find((master) => master !== undefined)
}
