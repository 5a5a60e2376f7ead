// Makes chaos for a time, from a seed, and then compares what a framework was told with what happened.
//
//   every few seconds one of: kill -9 a master, freeze a master, kill -9 a ZooKeeper server, freeze one, kill -9 an agent,
//   freeze an agent; what was killed comes back after a while. All the time a framework launches short tasks and keeps a ledger.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createRandom, nextInteger, type Random } from '@isthmus/core/base/random'
import { acceptOffers, declineOffers } from '@isthmus/core/framework/calls'
import type { FrameworkNotice } from '@isthmus/core/framework/effects'
import { createFramework } from '@isthmus/core/framework/framework'
import { OfferPool } from '@isthmus/core/framework/offers'
import { FrameworkRunner } from '@isthmus/core/io/runtime/framework-runner'
import { parseMasterAddress } from '@isthmus/core/io/runtime/master-finder'
import type { Offer, TaskInfo } from '@isthmus/proto/gen/mesos'
import { type ChaosCluster, type Part, readPage, startChaosCluster } from './cluster.ts'
import { isLost, Ledger } from './ledger.ts'

/** How much chaos. */
export interface ChaosOptions {
  readonly runDir: string
  readonly seed: number
  readonly durationMs: number
  readonly agentCount: number
  /** Kill and freeze agents too: their tasks are lost, as an agent does not take over what ran before it. */
  readonly withAgents: boolean
  readonly log: (line: string) => void
}

/** What came of it. */
export interface ChaosResult {
  /** Empty = everything agrees. */
  readonly problems: readonly string[]
  readonly launched: number
  readonly lost: number
  readonly faults: number
}

const FAULT_EVERY_MS = 3_000
const AWAY_MAX_MS = 4_000
const AFTERMATH_MS = 3_000
const TASK_MAX_TENTHS = 40
/** After the chaos everything has to come to rest in this time. */
const SETTLE_MS = 90_000
const POLL_MS = 250
const NEEDS = { cpus: 0.5, memoryMb: 32 } as const

/** Runs it; the cluster is stopped at the end, whatever happens. */
export async function makeChaos(options: ChaosOptions): Promise<ChaosResult> {
  const cluster = await startChaosCluster(options.runDir, options.agentCount)
  const folder = join(options.runDir, 'tasks')
  mkdirSync(folder)
  const framework = new LedgerFramework(cluster.address, folder, options.seed)
  try {
    framework.start()
    const faults = await disturb(cluster, options)
    framework.rest()
    const unsettled = await settle(cluster, framework.ledger)
    const problems = [...unsettled, ...framework.ledger.check()]
    const entries = [...framework.ledger.entries.values()]
    const lost = entries.filter(({ states }) => isLost(states.at(-1)))
    if (!options.withAgents) {
      // No agent was touched: what started has to be told as it ended.
      problems.push(
        ...lost
          .filter(({ states }) => states.length > 1)
          .map(({ taskId, states }) => `${taskId}: ${states.join(' ')}, and no agent was lost`),
      )
    }
    return { problems, launched: entries.length, lost: lost.length, faults }
  } finally {
    framework.stop()
    await cluster.stop()
  }
}

async function disturb(cluster: ChaosCluster, options: ChaosOptions): Promise<number> {
  const random = createRandom(options.seed)
  const pending: Promise<void>[] = []
  const busy = new Set<string>()
  const endAt = performance.now() + options.durationMs
  let faults = 0
  for (
    await delay(FAULT_EVERY_MS);
    performance.now() < endAt;
    await delay(FAULT_EVERY_MS / 2 + nextInteger(random, FAULT_EVERY_MS))
  ) {
    const next = chooseFault(cluster, options, random)
    // One fault at a time for each part; the seed goes on all the same.
    if (busy.has(next.victim)) continue
    faults += 1
    busy.add(next.victim)
    pending.push(
      carryOut(cluster, next, options.log).finally(() => {
        busy.delete(next.victim)
      }),
    )
  }
  await Promise.all(pending)
  for (const part of [...cluster.masters, ...cluster.agents]) if (!part.isRunning) part.start()
  return faults
}

interface Fault {
  readonly kind: 'kill' | 'freeze'
  /** The name of a part, or `zookeeper N`. */
  readonly victim: string
  readonly part: Part | undefined
  readonly server: number
  readonly forMs: number
}

/** Kinds and victims come from the seed, the moment from the clock. */
function chooseFault(cluster: ChaosCluster, { withAgents }: ChaosOptions, random: Random): Fault {
  const kind = nextInteger(random, 2) === 0 ? 'kill' : 'freeze'
  const where = nextInteger(random, withAgents ? 3 : 2)
  const at = nextInteger(random, 3)
  const forMs = 200 + nextInteger(random, AWAY_MAX_MS)
  const parts = where === 2 ? cluster.agents : cluster.masters
  const part = where === 1 ? undefined : parts[at % parts.length]
  return { kind, victim: part?.name ?? `zookeeper ${at + 1}`, part, server: at, forMs }
}

/** Makes a fault, and undoes it after its time. */
async function carryOut(cluster: ChaosCluster, fault: Fault, log: ChaosOptions['log']): Promise<void> {
  const { kind, victim, part, server, forMs } = fault
  log(`${kind} ${victim}, back after ${forMs} ms`)
  if (part === undefined && kind === 'kill') {
    await cluster.ensemble.kill(server)
    await delay(forMs)
    await cluster.ensemble.restart(server)
  } else if (part === undefined) {
    const pid = await cluster.ensemble.pid(server)
    signal(pid, 'SIGSTOP')
    await delay(forMs)
    signal(pid, 'SIGCONT')
  } else if (kind === 'kill') {
    await part.kill()
    await delay(forMs)
    part.start()
  } else {
    await part.freeze(forMs)
    // A leader that was frozen for too long ends when it wakes.
    await delay(AFTERMATH_MS)
    if (!part.isRunning) part.start()
  }
}

function signal(pid: number | undefined, name: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(pid, name)
  } catch {
    // Killed by another fault meanwhile.
  }
}

/** Waits until the end of every task is told and nothing is held any more; says what does not come to rest. */
async function settle(cluster: ChaosCluster, ledger: Ledger): Promise<string[]> {
  const endAt = performance.now() + SETTLE_MS
  let problems: string[] = ['the cluster was never looked at']
  while (problems.length > 0 && performance.now() < endAt) {
    await delay(POLL_MS)
    for (const part of [...cluster.masters, ...cluster.agents]) if (!part.isRunning) part.start()
    problems = await unrest(cluster, ledger)
  }
  return problems
}

async function unrest(cluster: ChaosCluster, ledger: Ledger): Promise<string[]> {
  const open = ledger.open().map(({ taskId, states }) => `${taskId} is open: ${states.join(' ')}`)
  const port = await cluster.leader()
  if (port === undefined) return [...open, 'no master leads']
  try {
    const metrics = await readPage(port, '/metrics/snapshot')
    const rest: Readonly<Record<string, number>> = {
      'master/slaves_active': cluster.agents.length,
      'master/tasks_running': 0,
      'master/tasks_staging': 0,
      'master/cpus_used': 0,
      'master/mem_used': 0,
    }
    const odd = Object.entries(rest).filter(([name, value]) => metrics[name] !== value)
    return [...open, ...odd.map(([name, value]) => `${name} is ${String(metrics[name])}, not ${value}`)]
  } catch (error) {
    return [...open, `the leader does not answer: ${error instanceof Error ? error.message : String(error)}`]
  }
}

/** A framework that fills what it is offered with short tasks, until it rests. */
class LedgerFramework {
  readonly ledger: Ledger
  readonly #runner: FrameworkRunner
  readonly #folder: string
  readonly #random: Random
  #next = 0
  #isResting = false

  constructor(address: string, folder: string, seed: number) {
    const master = parseMasterAddress(address)
    if (!master.ok) throw new Error(master.rejection.message)
    this.ledger = new Ledger(folder)
    this.#folder = folder
    this.#random = createRandom(seed + 1)
    this.#runner = new FrameworkRunner({
      state: createFramework({
        info: {
          name: 'ledger',
          user: 'root',
          roles: ['chaos'],
          failover_timeout: 3_600,
          capabilities: [{ type: 'MULTI_ROLE' }],
        },
      }),
      master: master.value,
      noticed: (notice) => this.#noticed(notice),
      crash: (error) => this.ledger.problems.push(`the framework failed: ${String(error)}`),
    })
  }

  start(): void {
    this.#runner.start()
  }

  /** Launches nothing more. */
  rest(): void {
    this.#isResting = true
  }

  stop(): void {
    this.#runner.stop()
  }

  #noticed(notice: FrameworkNotice): void {
    if (notice.kind === 'offersReceived') for (const offer of notice.offers) this.#use(offer)
    if (notice.kind === 'taskUpdated') {
      const { task_id, state } = notice.status
      if (state !== undefined) this.ledger.updated(task_id.value, state)
    }
    if (notice.kind === 'failed') this.ledger.problems.push(`the master refuses the framework: ${notice.message}`)
  }

  #use(offer: Offer): void {
    const pool = new OfferPool([offer])
    const tasks: TaskInfo[] = []
    while (!this.#isResting) {
      const taken = pool.take(NEEDS)
      if (taken === undefined) break
      tasks.push(this.#task(offer, taken.resources))
    }
    const offerIds = [offer.id.value]
    this.#runner.act((state) => {
      if (tasks.length === 0) return declineOffers(state, offerIds, 1)
      const accepted = acceptOffers(state, {
        offerIds,
        launches: [{ kind: 'tasks', tasks }],
        filters: { refuse_seconds: 0 },
      })
      if (!accepted.ok) return []
      for (const task of tasks) this.ledger.launched(task.task_id.value, offer.agent_id.value, exitCodeOf(task))
      return accepted.value
    })
  }

  #task(offer: Offer, resources: TaskInfo['resources']): TaskInfo {
    const id = `task-${this.#next++}`
    const exitCode = nextInteger(this.#random, 5) === 0 ? 3 : 0
    const path = join(this.#folder, id)
    const seconds = nextInteger(this.#random, TASK_MAX_TENTHS) / 10
    const value = `echo $$ >> ${path}; sleep ${seconds}; echo end >> ${path}.end; exit ${exitCode}`
    return {
      name: id,
      task_id: { value: id },
      agent_id: offer.agent_id,
      resources,
      command: { value },
      labels: { labels: [{ key: 'exit', value: String(exitCode) }] },
    }
  }
}

function exitCodeOf(task: TaskInfo): number {
  return Number(task.labels?.labels?.[0]?.value ?? 0)
}
