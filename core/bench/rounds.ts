/** The rounds of the project's own goals: everything is offered, everything but one has refused, one agent changed, tasks are placed. */

import process from 'node:process'
import type { Allocation } from '../src/allocator/contract.ts'
import { agentSpec, bagOf, Cluster, YEAR_MS } from './cluster.ts'
import type { Size } from './mesos-grid.ts'
import { expect, type Stage, timed } from './stage.ts'

const WARM_UP_ROUNDS = 8

/** Rounds in which frameworks refuse, before a full round with everything is measured. */
const REFUSING_ROUNDS = 5

/** Frameworks of which each has a role of its own; with `isNested` a tenth of the roles lies below fifty others. */
function addFrameworks(cluster: Cluster, frameworks: number, isNested: boolean): (at: number) => string {
  const roleOf = (at: number) => (isNested && at % 10 === 9 ? `team-${at % 50}/role-${at}` : `role-${at}`)
  cluster.addFrameworks(frameworks, roleOf)
  return roleOf
}

function addAgents(cluster: Cluster, { agents, frameworks }: Size): void {
  cluster.addAgents(agents, (at) => {
    const role = `role-${(at * 7) % frameworks}`
    const reserved = at % 10 === 0 ? `;cpus(${role}):2;mem(${role}):512` : ''
    const plain = `cpus:${8 + (at % 5)};mem:${16_384 + (at % 7) * 512};disk:100000;ports:[31000-32000]`
    return agentSpec(bagOf(plain + reserved))
  })
  expect(cluster.made.length >= agents, 'every new agent is offered')
}

/**
 * G1: every agent is free in every round, each tenth has reservations, a tenth of the roles is nested.
 *
 * @param size `isEverything`: a twentieth of the roles has guarantees, a twentieth limits, and each agent is refused by five frameworks
 */
export function fullRound(size: Size & { readonly isEverything?: boolean }): Stage {
  const cluster = new Cluster()
  const roleOf = addFrameworks(cluster, size.frameworks, true)
  if (size.isEverything === true) {
    const amounts = { cpus: 40, mem: 65_536 }
    for (let at = 0; at < size.frameworks; at += 20) {
      cluster.allocator.setQuota(roleOf(at), { guarantees: amounts, limits: {} })
      cluster.allocator.setQuota(roleOf(at + 10), { guarantees: {}, limits: amounts })
    }
  }
  addAgents(cluster, size)
  if (size.isEverything === true) {
    for (let at = 0; at < REFUSING_ROUNDS; at++) {
      cluster.giveBack(YEAR_MS)
      cluster.batch()
    }
  }
  const round = () => cluster.batch()
  const prepare = () => cluster.giveBack()
  timed({ stage: 'warm-up', rounds: WARM_UP_ROUNDS, round, prepare })
  const stage = size.isEverything === true ? 'full round with quota and refusals' : 'full round'
  const measured = timed({ stage, rounds: size.agents > 20_000 ? 15 : 30, round, prepare })
  expect(measured.offers >= size.agents * 0.99, `agents are offered in every round (${measured.offers})`)
  return measured
}

/** G2: everybody has refused everything for a year, then one framework takes its refusals back and gives back what it gets. */
export function refusedRounds({ agents, frameworks }: Size): Stage[] {
  const cluster = new Cluster()
  cluster.addFrameworks(frameworks, () => '*')
  const total = bagOf('cpus:8;mem:2082;disk:3072;ports:[31001-31015]')
  cluster.addAgents(agents, () => agentSpec(total))
  for (let at = 0; at < frameworks; at++) {
    expect(cluster.made.length === agents, 'every agent is offered until all have refused')
    cluster.giveBack(YEAR_MS)
    cluster.batch()
  }
  const refused = timed({
    stage: 'all have refused, every agent visited',
    rounds: 40,
    // A weight, though it stays what it is, makes every agent dirty.
    prepare: () => cluster.allocator.updateWeights({ '*': 1 }),
    round: () => cluster.batch(),
  })
  expect(refused.offers === 0, 'nobody is offered what he refused')
  cluster.allocator.revive('framework-0')
  const round = () => cluster.batch()
  const prepare = () => cluster.giveBack()
  timed({ stage: 'warm-up', rounds: WARM_UP_ROUNDS, round, prepare })
  const one = timed({ stage: 'all but one have refused', rounds: 20, round, prepare })
  expect(one.offers === agents, 'the one who has not refused is offered everything')
  return [refused, one]
}

/** G3: one agent changes and is decided about at once, with a role for each framework. */
export function oneAgent({ agents, frameworks }: Size): Stage {
  const cluster = new Cluster()
  const { allocator } = cluster
  addFrameworks(cluster, frameworks, false)
  const total = bagOf('cpus:8;mem:16384;disk:100000;ports:[31000-32000]')
  cluster.addAgents(agents, () => agentSpec(total))
  const holding = new Map(cluster.made.map((made) => [made.agentId, made]))
  const prepare = (at: number): void => {
    const agentId = `agent-${(at * 7919) % agents}`
    const { frameworkId, resources } = holding.get(agentId)!
    allocator.recoverResources(frameworkId, agentId, resources, undefined, at)
    allocator.activateAgent(agentId)
  }
  const round = (at: number): readonly Allocation[] => {
    const made = allocator.allocate(at)
    if (made.length !== 1) expect(false, 'exactly the changed agent is offered')
    holding.set(made[0]!.agentId, made[0]!)
    return made
  }
  timed({ stage: 'warm-up', rounds: 20_000, round, prepare })
  return timed({ stage: 'one agent changed', rounds: 50_000, round, prepare })
}

/** G5: 200 frameworks ask for 50,000 tasks of 1 CPU and 1 GiB; of each offer one task is launched, the rest goes back at once. */
export function placements(agents: number): Stage {
  const [frameworks, asks] = [200, 50_000]
  const each = asks / frameworks
  const task = bagOf('cpus:1;mem:1024').allocate('*')
  const total = bagOf('cpus:16;mem:16384')
  const place = (): readonly Allocation[] => {
    const cluster = new Cluster()
    const { allocator } = cluster
    cluster.addFrameworks(frameworks, () => '*')
    for (let at = 0; at < agents; at++) allocator.addAgent(`agent-${at}`, agentSpec(total))
    const launched = new Map<string, number>()
    let placed = 0
    for (let round = 0; placed < asks; round++) {
      const made = allocator.allocateAll(round)
      expect(made.length > 0, 'tasks are placed in every round')
      for (const { frameworkId, agentId, resources } of made) {
        const before = launched.get(frameworkId) ?? 0
        if (before === each) {
          allocator.recoverResources(frameworkId, agentId, resources, { refuseMs: YEAR_MS }, round)
          continue
        }
        launched.set(frameworkId, before + 1)
        placed++
        allocator.recoverResources(frameworkId, agentId, resources.minus(task), undefined, round)
        if (before + 1 === each) allocator.suppress(frameworkId)
      }
    }
    expect(placed === asks, 'every task is placed')
    return []
  }
  timed({ stage: 'warm-up', rounds: 1, round: place })
  const measured = timed({ stage: 'placements, one task an offer', rounds: 5, round: place })
  const placementsPerCpuSecond = Math.round((asks * measured.times.length * 1000) / measured.cpuMs)
  return { ...measured, more: { placementsPerCpuSecond } }
}

/** Slope of a line through the points in doubly logarithmic paper: 1 = twice the agents cost twice. */
export function slope(points: readonly (readonly [number, number])[]): number {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const)
  const mean = (at: 0 | 1) => logs.reduce((sum, point) => sum + point[at], 0) / logs.length
  const [meanX, meanY] = [mean(0), mean(1)]
  const above = logs.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0)
  return above / logs.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0)
}

/** Milliseconds of CPU a round. */
export function cpuMsEach({ cpuMs, times }: Stage): number {
  return cpuMs / times.length
}

/** The argument that chooses what is run; everything without one. */
export function isWanted(name: string): boolean {
  return name.includes(process.argv[2] ?? '')
}
