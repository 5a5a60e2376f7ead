/**
 * Measures the allocator: `node --conditions=source core/bench/allocator.bench.ts [agents] [filter]`.
 *
 * Expected: a full round costs some microseconds an offer (bag, books, one move in each line of the tree); a round in which everybody has
 * refused scans one word for 32 clients; one dirty agent costs the same among 1,000 and 50,000 agents.
 * One JSON line for each case: median and p99 of the rounds in milliseconds, CPU of the process, RSS, offers a round, a checksum of all
 * decisions. The workloads DeclineOffers and LargeAndSmallQuota are those of the benchmarks of Mesos 1.11.
 */

import process from 'node:process'
import { Allocator } from '../src/allocator/allocator.ts'
import type { AgentSpec, Allocation, FrameworkAbilities } from '../src/allocator/contract.ts'
import { parseResources } from '../src/resources/parse.ts'
import type { Resources } from '../src/resources/resources.ts'

const ABILITIES: FrameworkAbilities = {
  revocableResources: false,
  gpuResources: false,
  sharedResources: false,
  multiRole: true,
  reservationRefinement: true,
  regionAware: false,
}
const AGENT_ABILITIES = { multiRole: true, hierarchicalRole: true, reservationRefinement: true }
const YEAR_MS = 365 * 24 * 3_600_000

interface Measured {
  readonly name: string
  readonly agents: number
  readonly frameworks: number
  readonly times: readonly number[]
  readonly offers: number
  readonly cpuMs: number
  readonly checksum: number
  readonly more?: Readonly<Record<string, number>>
}

function bagOf(text: string): Resources {
  const parsed = parseResources(text)
  if (!parsed.ok) throw new Error(parsed.rejection.message)
  return parsed.value
}

function agentSpec(total: string, used: ReadonlyMap<string, Resources> = new Map()): AgentSpec {
  return { total: bagOf(total), capabilities: AGENT_ABILITIES, used }
}

function expect(isSo: boolean, what: string): void {
  if (!isSo) throw new Error(`the benchmark is wrong: ${what}`)
}

function checksumOf(allocations: readonly Allocation[], before: number): number {
  let sum = before
  for (const { agentId, frameworkId, role } of allocations) {
    for (const text of [agentId, frameworkId, role]) {
      for (let at = 0; at < text.length; at++) sum = (Math.imul(sum, 31) + text.charCodeAt(at)) | 0
    }
  }
  return sum
}

function report({ times, ...measured }: Measured): void {
  const sorted = [...times].sort((a, b) => a - b)
  const at = (part: number) => Number(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!.toFixed(4))
  const { more, cpuMs, ...facts } = measured
  const line = {
    bench: 'allocator',
    ...facts,
    rounds: times.length,
    medianMs: at(0.5),
    p99Ms: at(0.99),
    maxMs: at(1),
    cpuMsEach: Number((cpuMs / times.length).toFixed(4)),
    ...more,
    rssMb: Math.round(process.memoryUsage().rss / 2 ** 20),
    node: process.version,
  }
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

/** Runs `round` after `prepare`, the latter outside the measurement. */
function measure(rounds: number, round: (at: number) => number, prepare: (at: number) => void = () => undefined) {
  const times: number[] = []
  let cpuMs = 0
  let offers = 0
  for (let at = 0; at < rounds; at++) {
    prepare(at)
    const cpu = process.cpuUsage()
    const start = performance.now()
    offers = round(at)
    times.push(performance.now() - start)
    const used = process.cpuUsage(cpu)
    cpuMs += (used.user + used.system) / 1000
  }
  return { times, cpuMs, offers }
}

function recoverAll(allocator: Allocator, allocations: readonly Allocation[], refuseMs: number, atMs: number): void {
  for (const { frameworkId, agentId, resources } of allocations) {
    allocator.recoverResources(frameworkId, agentId, resources, refuseMs === 0 ? undefined : { refuseMs }, atMs)
  }
}

/** G1: every agent is free, each tenth has reservations; one framework a role, a tenth of the roles nested. */
function fullRound(agents: number, frameworks: number): void {
  const allocator = new Allocator({ seed: 7 })
  for (let at = 0; at < frameworks; at++) {
    const role = at % 10 === 9 ? `team-${at % 50}/role-${at}` : `role-${at}`
    allocator.addFramework(`framework-${at}`, {
      roles: [role],
      suppressedRoles: [],
      capabilities: ABILITIES,
      active: true,
    })
  }
  for (let at = 0; at < agents; at++) {
    const reserved =
      at % 10 === 0 ? `;cpus(role-${(at * 7) % frameworks}):2;mem(role-${(at * 7) % frameworks}):512` : ''
    allocator.addAgent(
      `agent-${at}`,
      agentSpec(`cpus:${8 + (at % 5)};mem:${16_384 + (at % 7) * 512};disk:100000;ports:[31000-32000]${reserved}`),
    )
  }
  let made = allocator.allocate(0)
  expect(made.length >= agents, 'every agent is offered')
  let checksum = 0
  const rounds = agents > 20_000 ? 15 : 30
  const run = (at: number) => {
    made = allocator.allocateAll(at)
    return made.length
  }
  const prepare = (at: number) => {
    recoverAll(allocator, made, 0, at)
  }
  measure(8, run, prepare)
  const result = measure(rounds, run, prepare)
  checksum = checksumOf(made, checksum)
  expect(result.offers >= agents, 'every agent is offered in every round')
  report({ name: 'full-round', agents, frameworks, ...result, checksum })
}

/** G2: everybody refuses every offer for a year, until a round makes none; then all but one have refused and the one gives back. */
function declineOffers(agents: number, frameworks: number): void {
  const allocator = new Allocator({ seed: 7 })
  for (let at = 0; at < frameworks; at++) {
    allocator.addFramework(`framework-${at}`, {
      roles: ['*'],
      suppressedRoles: [],
      capabilities: ABILITIES,
      active: true,
    })
  }
  const ranges = Array.from({ length: 16 }, (_, at) => `${31_000 + at * 60}-${31_030 + at * 60}`).join(',')
  for (let at = 0; at < agents; at++) {
    const used = new Map([
      [`framework-${at % frameworks}`, bagOf(`cpus:16;mem:2014;disk:1024;ports:[${ranges}]`).allocate('*')],
    ])
    allocator.addAgent(`agent-${at}`, agentSpec('cpus:24;mem:4096;disk:4096;ports:[31000-32000]', used))
  }
  let made: Allocation[] = []
  const run = (at: number) => {
    made = allocator.allocateAll(at)
    return made.length
  }
  const declining = measure(frameworks, run, (at) => {
    recoverAll(allocator, made, YEAR_MS, at)
    if (at > 0) expect(made.length === agents, 'every agent is offered until all have refused')
  })
  report({ name: 'decline-offers until all have refused', agents, frameworks, ...declining, checksum: 0 })
  recoverAll(allocator, made, YEAR_MS, frameworks)
  // A weight makes every agent dirty, so that each is looked at again although nothing can be had.
  const refused = measure(40, run, () => allocator.updateWeights({ '*': 1 }))
  expect(refused.offers === 0, 'nobody is offered what he refused')
  report({ name: 'decline-offers, all refused, every agent visited', agents, frameworks, ...refused, checksum: 0 })
  const settled = measure(40, run)
  report({ name: 'decline-offers, all refused, nothing changed', agents, frameworks, ...settled, checksum: 0 })
  allocator.revive('framework-0')
  const prepare = (at: number) => recoverAll(allocator, made, 0, at)
  measure(8, run, prepare)
  const one = measure(20, run, prepare)
  expect(one.offers === agents, 'the one who has not refused is offered everything')
  report({ name: 'decline-offers, all but one refused', agents, frameworks, ...one, checksum: checksumOf(made, 0) })
}

/** G3: one agent changes and is decided about at once. */
function oneAgent(agents: number, frameworks: number): void {
  const allocator = new Allocator({ seed: 7 })
  for (let at = 0; at < frameworks; at++) {
    allocator.addFramework(`framework-${at}`, {
      roles: [`role-${at}`],
      suppressedRoles: [],
      capabilities: ABILITIES,
      active: true,
    })
  }
  for (let at = 0; at < agents; at++)
    allocator.addAgent(`agent-${at}`, agentSpec('cpus:8;mem:16384;disk:100000;ports:[31000-32000]'))
  const holding = new Map(allocator.allocate(0).map((made) => [made.agentId, made]))
  const step = (at: number): number => {
    const agentId = `agent-${(at * 7919) % agents}`
    const { frameworkId, resources } = holding.get(agentId)!
    allocator.recoverResources(frameworkId, agentId, resources, undefined, at)
    allocator.activateAgent(agentId)
    return 0
  }
  const decide = (at: number): number => {
    const [made, ...others] = allocator.allocate(at)
    expect(made !== undefined && others.length === 0, 'exactly the changed agent is offered')
    holding.set(made!.agentId, made!)
    return 1
  }
  measure(20_000, decide, step)
  const result = measure(50_000, decide, step)
  report({ name: 'event-driven, one agent', agents, frameworks, ...result, checksum: 0 })
}

/** G2b: the workload LargeAndSmallQuota of Mesos. */
function largeAndSmallQuota(small: number, large: number): void {
  const agents = small / 5 + large * 5
  for (const isWarmUp of [true, true, false]) {
    const allocator = new Allocator({ seed: 7 })
    const start = performance.now()
    for (let at = 0; at < agents; at++) allocator.addAgent(`agent-${at}`, agentSpec('cpus:2;mem:2048;disk:2048'))
    const addAgentsMs = performance.now() - start
    const framework = (role: string) => ({ roles: [role], suppressedRoles: [], capabilities: ABILITIES, active: true })
    const beforeFrameworks = performance.now()
    for (let at = 0; at < small; at++) allocator.addFramework(`small-${at}`, framework(`small-${at}`))
    for (let at = 0; at < large; at++) allocator.addFramework(`large-${at}`, framework(`large-${at}`))
    const addFrameworksMs = performance.now() - beforeFrameworks
    const [little, much] = [
      { cpus: 1, mem: 1024, disk: 1024 },
      { cpus: 4, mem: 4096, disk: 4096 },
    ]
    for (let at = 0; at < small; at++) allocator.setQuota(`small-${at}`, { guarantees: little, limits: little })
    for (let at = 0; at < large; at++) allocator.setQuota(`large-${at}`, { guarantees: much, limits: much })
    const first = measure(1, () => allocator.allocateAll(0).length)
    const second = measure(1, () => allocator.allocateAll(1).length)
    expect(first.offers >= small + 2 * large && second.offers === 0, `quota is met (${first.offers}, ${second.offers})`)
    if (isWarmUp) continue
    const more = { addAgentsMs: Math.round(addAgentsMs), addFrameworksMs: Math.round(addFrameworksMs) }
    report({ name: 'large-and-small-quota, cycle 1', agents, frameworks: small + large, ...first, checksum: 0, more })
    report({ name: 'large-and-small-quota, cycle 2', agents, frameworks: small + large, ...second, checksum: 0 })
  }
}

/** G5: 200 frameworks ask for 50,000 tasks of 1 CPU and 1 GiB; of each offer one task is launched, the rest goes back at once. */
function placements(agents: number): void {
  const [frameworks, asks] = [200, 50_000]
  const run = (): number => {
    const allocator = new Allocator({ seed: 7 })
    for (let at = 0; at < frameworks; at++) {
      allocator.addFramework(`framework-${at}`, {
        roles: ['*'],
        suppressedRoles: [],
        capabilities: ABILITIES,
        active: true,
      })
    }
    for (let at = 0; at < agents; at++) allocator.addAgent(`agent-${at}`, agentSpec('cpus:16;mem:16384'))
    const task = bagOf('cpus:1;mem:1024').allocate('*')
    const wanted = new Map<string, number>()
    let placed = 0
    const start = process.cpuUsage()
    for (let round = 0; placed < asks; round++) {
      const made = allocator.allocateAll(round)
      expect(made.length > 0, 'tasks are placed in every round')
      for (const { frameworkId, agentId, resources } of made) {
        const launched = wanted.get(frameworkId) ?? 0
        if (launched === asks / frameworks) {
          allocator.recoverResources(frameworkId, agentId, resources, { refuseMs: YEAR_MS }, round)
          continue
        }
        wanted.set(frameworkId, launched + 1)
        placed++
        allocator.recoverResources(frameworkId, agentId, resources.minus(task), undefined, round)
        if (launched + 1 === asks / frameworks) allocator.suppress(frameworkId)
      }
    }
    const used = process.cpuUsage(start)
    expect(placed === asks, 'every task is placed')
    return (used.user + used.system) / 1000
  }
  run()
  const times = [run(), run(), run()]
  const cpuMs = times.reduce((sum, time) => sum + time, 0)
  const more = { placementsPerCpuSecond: Math.round((asks * times.length * 1000) / cpuMs) }
  report({ name: 'placements, one task an offer', agents, frameworks, times, offers: asks, cpuMs, checksum: 0, more })
}

/** G2c: MultiFrameworkAllocations of Mesos: who has launched all its tasks stays and gives everything back without a filter. */
function multiFramework(): void {
  const kinds = [
    { count: 4, name: 'marathon', ownRole: true, tasks: 4000, perOffer: 100, task: 'cpus:0.07;mem:400' },
    { count: 500, name: 'jenkins', ownRole: false, tasks: 5, perOffer: 1, task: 'cpus:0.1;mem:4000' },
    { count: 50, name: 'spark', ownRole: true, tasks: 20, perOffer: 5, task: 'cpus:1;mem:1000' },
  ]
  const allocator = new Allocator({ seed: 7, passOn: true })
  const left = new Map<string, { tasks: number; perOffer: number; task: Resources }>()
  for (let at = 0; at < 80; at++) allocator.addAgent(`agent-${at}`, agentSpec('cpus:64;mem:488000'))
  for (const { count, name, ownRole, tasks, perOffer, task } of kinds) {
    for (let at = 0; at < count; at++) {
      const role = ownRole ? `${name}-${at}` : name
      left.set(`${name}-${at}`, { tasks, perOffer, task: bagOf(task).allocate(role) })
      allocator.addFramework(`${name}-${at}`, {
        roles: [role],
        suppressedRoles: [],
        capabilities: ABILITIES,
        active: true,
      })
    }
  }
  let [launched, rounds] = [0, 0]
  const round = (): number => {
    const made = allocator.allocateAll(rounds * 1000)
    for (const { frameworkId, agentId, resources } of made) {
      const wanted = left.get(frameworkId)!
      let rest = resources
      for (let at = 0; at < wanted.perOffer && wanted.tasks > 0 && rest.contains(wanted.task); at++) {
        rest = rest.minus(wanted.task)
        wanted.tasks--
        launched++
      }
      allocator.recoverResources(frameworkId, agentId, rest, undefined, rounds * 1000)
    }
    return made.length
  }
  const all = [...left.values()].reduce((sum, { tasks }) => sum + tasks, 0)
  const result = measure(1, () => {
    let offers = 0
    for (; launched < all && rounds < 10_000; rounds++) offers += round()
    return offers
  })
  expect(launched === all, `all tasks are launched (${launched} of ${all})`)
  report({
    name: 'multi-framework-allocations',
    agents: 80,
    frameworks: left.size,
    ...result,
    checksum: 0,
    more: { launched, virtualSeconds: rounds },
  })
}

const cases: Readonly<Record<string, () => void>> = {
  'full-round': () => {
    for (const agents of [1000, 10_000, 50_000]) for (const frameworks of [100, 1000]) fullRound(agents, frameworks)
  },
  decline: () => {
    declineOffers(1000, 200)
    declineOffers(10_000, 50)
    declineOffers(10_000, 1000)
  },
  one: () => {
    for (const agents of [1000, 50_000]) oneAgent(agents, 1000)
  },
  placements: () => {
    for (const agents of [5000, 10_000]) placements(agents)
  },
  multi: () => multiFramework(),
  quota: () => {
    largeAndSmallQuota(250, 50)
    largeAndSmallQuota(2500, 500)
  },
}

const wanted = process.argv[2]
for (const [name, run] of Object.entries(cases)) if (wanted === undefined || wanted === name) run()
