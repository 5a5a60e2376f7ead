// The cluster that chaos is made in: three ZooKeeper servers, three masters, agents; each part may be killed, stopped for a while
// and started again.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { bringZooKeeper } from '../hadoop/distribution.ts'
import { type GuardedProcess, startGuarded } from '../hadoop/guarded-process.ts'
import { findFreePorts } from '../hadoop/ports.ts'
import { findTree } from '../hadoop/process-tree.ts'
import { type Ensemble, startEnsemble } from '../zookeeper/ensemble.ts'

const CLI = fileURLToPath(new URL('../../../core/bin/isthmus.mjs', import.meta.url))
const HOST = '127.0.0.1'
/** --zk_session_timeout of masters and agents. */
export const SESSION_MS = 2_000
const STOP_MS = 15_000

/** A process of ours that is started again when it ends. */
export class Part {
  readonly name: string
  readonly #args: readonly string[]
  readonly #folder: string
  #process: GuardedProcess | undefined
  #starts = 0

  constructor(name: string, args: readonly string[], folder: string) {
    this.name = name
    this.#args = args
    this.#folder = folder
  }

  get isRunning(): boolean {
    return this.#process !== undefined
  }

  start(): void {
    this.#starts += 1
    const process_ = startGuarded({
      command: process.execPath,
      args: ['--conditions=source', CLI, ...this.#args],
      env: process.env,
      cwd: this.#folder,
      outputFile: join(this.#folder, `${this.name}-${this.#starts}.log`),
    })
    this.#process = process_
    void process_.exited.then(() => {
      if (this.#process === process_) this.#process = undefined
    })
  }

  /** SIGKILL, with everything it started. */
  async kill(): Promise<void> {
    await this.#process?.kill()
    this.#process = undefined
  }

  async stop(): Promise<void> {
    await this.#process?.stop(STOP_MS)
    this.#process = undefined
  }

  /** SIGSTOP for a while; it may have ended meanwhile. */
  async freeze(forMs: number): Promise<void> {
    const pid = await this.#process?.pid
    if (pid === undefined) return
    const members = findTree({ roots: [pid] })
    for (const member of members) send(member, 'SIGSTOP')
    await delay(forMs)
    for (const member of members) send(member, 'SIGCONT')
  }
}

/** Everything that runs. */
export interface ChaosCluster {
  /** zk://… */
  readonly address: string
  readonly ensemble: Ensemble
  readonly masters: readonly Part[]
  readonly agents: readonly Part[]
  /** The port of the master that leads, or undefined. */
  readonly leader: () => Promise<number | undefined>
  readonly stop: () => Promise<void>
}

/** Starts the cluster below runDir. */
export async function startChaosCluster(runDir: string, agentCount: number): Promise<ChaosCluster> {
  const distribution = await bringZooKeeper({ log: () => {} })
  const ensemble = await startEnsemble({ distribution, runDir, count: 3 })
  const address = `zk://${ensemble.servers}/chaos`
  const ports = await findFreePorts(HOST, 3 + agentCount)
  const session = `--zk_session_timeout=${SESSION_MS}ms`
  const masters = ports.slice(0, 3).map((port) => {
    const own = [
      `--port=${port}`,
      `--zk=${address}`,
      '--agent_ping_timeout=1secs',
      '--max_agent_ping_timeouts=3',
      '--agent_reregister_timeout=15secs',
    ]
    return new Part(`master-${port}`, ['master', `--ip=${HOST}`, session, ...own], runDir)
  })
  const agents = ports.slice(3).map((port, at) => {
    const folder = join(runDir, `agent-${at}`)
    mkdirSync(folder)
    const own = [
      `--port=${port}`,
      `--master=${address}`,
      `--work_dir=${folder}`,
      '--resources=cpus:4;mem:1024;disk:100',
    ]
    return new Part(
      `agent-${at}`,
      ['agent', `--ip=${HOST}`, session, '--registration_backoff_factor=300ms', ...own],
      runDir,
    )
  })
  for (const part of [...masters, ...agents]) part.start()
  return {
    address,
    ensemble,
    masters,
    agents,
    leader: () => findLeader(ports.slice(0, 3)),
    stop: async () => {
      await Promise.all([...masters, ...agents].map((part) => part.stop()))
      await ensemble.stop()
    },
  }
}

/** A page of a master as JSON. Throws when it does not answer. */
export async function readPage(port: number, path: string): Promise<Readonly<Record<string, unknown>>> {
  const answer = await fetch(`http://${HOST}:${port}${path}`, {
    signal: AbortSignal.timeout(2_000),
    redirect: 'manual',
  })
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status}`)
  return (await answer.json()) as Record<string, unknown>
}

async function findLeader(ports: readonly number[]): Promise<number | undefined> {
  for (const port of ports) {
    const metrics = await readPage(port, '/metrics/snapshot').catch(() => undefined)
    if (metrics?.['master/elected'] === 1) return port
  }
  return undefined
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended by itself.
  }
}
