// Makes chaos for a time, from a seed, and then compares what a framework was told with what happened.
//
//   every few seconds something goes wrong for a while (faults.ts): processes are killed and frozen, links cut and slowed. All the
//   time a framework launches tasks and keeps a ledger, and weights are written to the registry. Then all is mended, and
//     1  the cluster comes to rest with the long tasks running: master, agents, ledger and kernel agree (picture.ts)
//     2  the long tasks are let go: nothing is left and nothing is in use
//     3  the ledger agrees with what the tasks wrote by themselves (check-history.ts), the registry with what it promised

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createRandom, nextInteger } from '@isthmus/core/base/random'
import { checkHistory, isLost, readTasks } from './check-history.ts'
import { type ChaosCluster, startChaosCluster } from './cluster.ts'
import { chooseFault } from './faults.ts'
import { isLong, Ledger } from './ledger.ts'
import type { Network } from './network.ts'
import { findUnrest } from './picture.ts'
import { RegistryWriter } from './registry-writer.ts'

/** How much chaos. */
export interface ChaosOptions {
  readonly runDir: string
  readonly seed: number
  readonly durationMs: number
  readonly agentCount: number
  /** Kill agents too. */
  readonly withAgents: boolean
  /** Undefined = no links are cut. */
  readonly network: Network | undefined
  readonly log: (line: string) => void
}

/** What came of it. */
export interface ChaosResult {
  /** Empty = everything agrees. */
  readonly problems: readonly string[]
  readonly launched: number
  readonly lost: number
  readonly faults: number
  /** Writes to the registry that were promised. */
  readonly written: number
}

interface Rest {
  readonly mayLive: (taskId: string) => boolean
  readonly log: ChaosOptions['log']
  readonly withinMs: number
}

const FAULT_EVERY_MS = 3_000
/** After the chaos everything has to come to rest in this time. */
const SETTLE_MS = 150_000
/** What did not come to rest once need not be waited for again. */
const SETTLE_AGAIN_MS = 15_000
const POLL_MS = 250
/** Rounds between two reports of what does not come to rest. */
const TOLD_EVERY = 40
/** Problems that are told; more of them say no more. */
const PROBLEMS_MAX = 20

/** Runs it; the cluster is stopped at the end, whatever happens. */
export async function makeChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { runDir, log } = options
  const ledger = new Ledger(runDir)
  const cluster = await startChaosCluster(options)
  const writer = new RegistryWriter(cluster.masters)
  try {
    await whenLaunching(cluster, ledger)
    writer.start()
    const { faults, agentsLost } = await disturb(cluster, options)
    await writer.stop()
    writeFileSync(join(runDir, 'rest'), '')
    log('all is mended; waiting until nothing but long tasks runs')
    const problems = await settle(cluster, ledger, { mayLive: isLong, log, withinMs: SETTLE_MS })
    writeFileSync(join(runDir, 'go'), '')
    log('long tasks are let go')
    const withinMs = problems.length === 0 ? SETTLE_MS : SETTLE_AGAIN_MS
    problems.push(...(await settle(cluster, ledger, { mayLive: () => false, log, withinMs })))
    const leader = await cluster.leader()
    if (leader !== undefined) problems.push(...(await writer.check(leader)))
    const history = ledger.history()
    problems.push(...checkHistory(history, { agentIds: agentsLost }))
    const tasks = [...readTasks(history.lines).tasks.values()]
    const lost = tasks.filter(isLost).length
    return { problems: shorten(problems), launched: tasks.length, lost, faults, written: writer.promised }
  } finally {
    await writer.stop()
    await cluster.stop()
  }
}

/** Chaos begins when there is something to disturb. */
async function whenLaunching(cluster: ChaosCluster, ledger: Ledger): Promise<void> {
  const endAt = performance.now() + SETTLE_MS
  while (!ledger.lines().some((line) => line.kind === 'updated')) {
    if (performance.now() > endAt) throw new Error('no task runs, before anything was disturbed')
    for (const part of cluster.parts) if (!part.isRunning) part.start()
    await delay(POLL_MS)
  }
}

async function disturb(
  cluster: ChaosCluster,
  options: ChaosOptions,
): Promise<{ readonly faults: number; readonly agentsLost: ReadonlySet<string> }> {
  const random = createRandom(options.seed)
  const pending: Promise<void>[] = []
  const busy = new Set<string>()
  const agentsLost = new Set<string>()
  const endAt = performance.now() + options.durationMs
  let faults = 0
  while (performance.now() < endAt) {
    const leader = await cluster.leader()
    const { withAgents } = options
    const fault = chooseFault({ cluster, random, withAgents, leader, agentLost: (id) => agentsLost.add(id) })
    // One fault at a time for each part; the seed goes on all the same.
    if (!busy.has(fault.victim)) {
      faults += 1
      busy.add(fault.victim)
      options.log(`${fault.title}, for ${fault.forMs} ms`)
      const done = fault.carryOut().finally(() => busy.delete(fault.victim))
      pending.push(done.then(() => options.log(`${fault.victim} is back`)))
    }
    await delay(FAULT_EVERY_MS / 2 + nextInteger(random, FAULT_EVERY_MS))
  }
  await Promise.all(pending)
  return { faults, agentsLost }
}

/** Waits until all agrees and only those tasks live that may; says what does not come to rest. */
async function settle(cluster: ChaosCluster, ledger: Ledger, { mayLive, log, withinMs }: Rest): Promise<string[]> {
  const endAt = performance.now() + withinMs
  for (let round = 1; ; round += 1) {
    for (const part of cluster.parts) if (!part.isRunning) part.start()
    const problems = await findUnrest(cluster, ledger, mayLive)
    if (problems.length === 0 || performance.now() > endAt) return problems
    if (round % TOLD_EVERY === 0) log(`not at rest: ${shorten(problems).join('; ')}`)
    await delay(POLL_MS)
  }
}

function shorten(problems: readonly string[]): string[] {
  const more = problems.length - PROBLEMS_MAX
  return more <= 0 ? [...problems] : [...problems.slice(0, PROBLEMS_MAX), `and ${more} more`]
}
