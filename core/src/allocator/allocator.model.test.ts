/** The allocator against a plain model of the same rules, by random events. */

import test from 'ava'
import fc from 'fast-check'
import { parseResources } from '../resources/parse.ts'
import { Resources } from '../resources/resources.ts'
import { ancestorRoles } from '../resources/roles.ts'
import { Allocator, checkAllocator } from './allocator.ts'
import type { ConstrainedAgent } from './constraints.ts'
import type { Allocation, FrameworkAbilities } from './contract.ts'
import { prioritySorter } from './priority-sorter.ts'

function bagOf(text: string): Resources {
  const parsed = parseResources(text)
  if (!parsed.ok) throw new Error(parsed.rejection.message)
  return parsed.value
}

const ABILITIES: FrameworkAbilities = {
  revocableResources: true,
  gpuResources: false,
  sharedResources: false,
  multiRole: true,
  reservationRefinement: true,
  regionAware: false,
}
const AGENT_ABILITIES = { multiRole: true, hierarchicalRole: true, reservationRefinement: true }
const ROLES = ['a', 'a/x', 'a/x/y', 'b', '*']
const REVOCABLE = bagOf('cpus:2').map((template) => ({ ...template, revocable: {} }))
const TOTALS = [
  bagOf('cpus:2;mem:64'),
  bagOf('cpus:4;mem:512;ports:[1-10]'),
  bagOf('cpus:1;mem:32;cpus(a):2;mem(a):100;disk(a/x):50;mem(a/x):64'),
  bagOf('mem:100;cpus(b):1').plus(REVOCABLE),
  bagOf('cpus:4;mem:100;gpus:2'),
]
/** The higher goes first; roles by path, frameworks by name. */
const PRIORITIES: Readonly<Record<string, number>> = { a: 1, 'a/.': 2, 'a/x/y': -1, b: 1, f1: 2, f3: -1 }
const HOSTS = ['h0', 'h1', 'h2']
const PARTS = [bagOf('cpus:1;mem:32'), bagOf('cpus:0.5'), bagOf('mem:32;ports:[2-3]'), bagOf('cpus(a):1')]

interface ModelFramework {
  roles: readonly string[]
  suppressed: Set<string>
  active: boolean
  abilities: FrameworkAbilities
  /** Role → hosts its constraints exclude. */
  excluded: ReadonlyMap<string, readonly string[]>
}

interface ModelAgent {
  total: Resources
  active: boolean
  host: string
  /** `framework role` → held, without allocation info. */
  held: Map<string, Resources>
  refused: { key: string; resources: Resources; untilMs: number }[]
}

/** The rules again, slowly: everything is counted from scratch for each decision. */
class Model {
  readonly frameworks = new Map<string, ModelFramework>()
  readonly agents = new Map<string, ModelAgent>()
  readonly weights = new Map<string, number>()
  readonly counts = new Map<string, number>()
  readonly #isStrict: boolean

  constructor(isStrict: boolean) {
    this.#isStrict = isStrict
  }

  priority(node: string): number {
    const [role, framework] = node.split(' ')
    return this.#isStrict ? (PRIORITIES[framework ?? role!] ?? 0) : 0
  }

  /** Nodes above a client, top first, and itself. */
  path(key: string): string[] {
    const role = key.slice(key.indexOf(' ') + 1)
    return [...ancestorRoles(role).reverse(), role, `${role}/.`, `${role}/. ${key.slice(0, key.indexOf(' '))}`]
  }

  free(agent: ModelAgent): Resources {
    let held = Resources.empty
    for (const resources of agent.held.values()) held = held.plus(resources)
    return agent.total.minus(held)
  }

  hold(agent: ModelAgent, key: string, resources: Resources, isAllocation: boolean): void {
    agent.held.set(key, (agent.held.get(key) ?? Resources.empty).plus(resources))
    if (isAllocation) for (const node of this.path(key)) this.counts.set(node, (this.counts.get(node) ?? 0) + 1)
  }

  /** Roles that nobody is in any more start again from zero allocations. */
  prune(): void {
    const used = new Set<string>()
    for (const [id, { roles }] of this.frameworks) {
      for (const role of roles) for (const node of this.path(`${id} ${role}`)) used.add(node)
    }
    for (const { held } of this.agents.values()) {
      for (const key of held.keys()) for (const node of this.path(key)) used.add(node)
    }
    for (const node of this.counts.keys()) if (!used.has(node)) this.counts.delete(node)
  }

  share(node: string): number {
    const total = new Map<string, number>()
    const mine = new Map<string, number>()
    for (const agent of this.agents.values()) {
      for (const name of ['cpus', 'mem', 'disk', 'gpus']) {
        total.set(name, (total.get(name) ?? 0) + agent.total.milli(name))
        for (const [key, resources] of agent.held) {
          if (this.path(key).includes(node)) mine.set(name, (mine.get(name) ?? 0) + resources.milli(name))
        }
      }
    }
    let share = 0
    for (const [name, amount] of mine) {
      const all = total.get(name)!
      if (amount > 0 && all > 0) share = Math.max(share, amount / all)
    }
    return share / (this.weights.get(node) ?? 1)
  }

  precedes(a: string, b: string): number {
    const [left, right] = [this.path(a), this.path(b)]
    for (let at = 0; ; at++) {
      const [one, other] = [left[at]!, right[at]!]
      if (one === other) continue
      const byPriority = this.priority(other) - this.priority(one)
      if (byPriority !== 0) return byPriority
      const byShare = this.share(one) - this.share(other)
      if (byShare !== 0) return byShare
      const byCount = (this.counts.get(one) ?? 0) - (this.counts.get(other) ?? 0)
      if (byCount !== 0) return byCount
      return one < other ? -1 : 1
    }
  }

  /** Who may have what of the agent, first one first. */
  inLine(agent: ModelAgent, atMs: number): { key: string; resources: Resources }[] {
    if (!agent.active) return []
    const wanting: { key: string; resources: Resources }[] = []
    const free = this.free(agent)
    for (const [id, { roles, suppressed, active, abilities, excluded }] of this.frameworks) {
      for (const role of roles) {
        const key = `${id} ${role}`
        if (!active || suppressed.has(role) || excluded.get(role)?.includes(agent.host) === true) continue
        if (agent.total.milli('gpus') > 0 && !abilities.gpuResources) continue
        const allocatable = free.allocatableTo(role)
        const resources = abilities.revocableResources ? allocatable : allocatable.nonRevocable()
        if (resources.milli('cpus') < 10 && resources.milli('mem') < 32_000) continue
        const isRefused = agent.refused.some((refusal) => {
          return refusal.key === key && refusal.untilMs >= atMs && refusal.resources.contains(resources)
        })
        if (!isRefused) wanting.push({ key, resources })
      }
    }
    return wanting.sort((a, b) => this.precedes(a.key, b.key))
  }
}

/** Both under the same events. */
class Pair {
  readonly allocator: Allocator
  readonly model: Model
  atMs = 0

  readonly #passOn: boolean

  constructor(seed: number, { passOn, isStrict }: { passOn: boolean; isStrict: boolean }) {
    const sorter = isStrict ? prioritySorter(PRIORITIES) : undefined
    this.allocator = new Allocator({ seed, passOn, roleSorter: sorter, frameworkSorter: sorter })
    this.model = new Model(isStrict)
    this.#passOn = passOn
  }

  /** Decisions of the allocator, each compared with what the model would decide. */
  replay(made: readonly Allocation[]): void {
    for (const { frameworkId, role, agentId, resources } of made) {
      const agent = this.model.agents.get(agentId)!
      const line = this.model.inLine(agent, this.atMs)
      // With passOn it may be anybody who wants it.
      const expected = this.#passOn ? line.find((one) => one.key === `${frameworkId} ${role}`) : line[0]
      const actual = `${frameworkId} ${role}: ${resources.unallocate().toString()}`
      if (expected === undefined) throw new Error(`${agentId}: nothing to give, but gave ${actual}`)
      const key = `${frameworkId} ${role}`
      if (key !== expected.key || !expected.resources.equals(resources.unallocate())) {
        throw new Error(`${agentId}: ${expected.key}: ${expected.resources.toString()}, but gave ${actual}`)
      }
      this.model.hold(agent, key, expected.resources, true)
    }
  }

  allocateAll(): void {
    this.replay(this.allocator.allocateAll(this.atMs))
    for (const [id, agent] of this.model.agents) {
      const [left] = this.model.inLine(agent, this.atMs)
      if (left !== undefined) throw new Error(`${id}: ${left.key} could still have ${left.resources.toString()}`)
    }
  }
}

type Step = (pair: Pair) => void

/** A step that a failure shows by its facts. */
function shown(facts: readonly unknown[], step: Step): Step {
  return Object.assign(step, { [fc.toStringMethod]: () => facts.map(String).join(' ') })
}

const frameworkId = fc.constantFrom('f0', 'f1', 'f2', 'f3', 'f4', 'f5')
const agentId = fc.constantFrom('x0', 'x1', 'x2')
const roles = fc.subarray(ROLES, { minLength: 1 })

const excluded = fc.oneof(
  { weight: 2, arbitrary: fc.constant(new Map<string, string[]>()) },
  {
    weight: 1,
    arbitrary: fc
      .array(fc.tuple(fc.constantFrom(...ROLES), fc.subarray(HOSTS)), { maxLength: 2 })
      .map((entries) => new Map(entries)),
  },
)

const addFramework = fc
  .tuple(frameworkId, roles, fc.subarray(ROLES, { maxLength: 2 }), fc.boolean(), fc.boolean(), excluded)
  .map(([id, roles, suppressedRoles, revocableResources, gpuResources, excluded]): Step => {
    return shown(
      ['framework', id, roles, 'suppressed', suppressedRoles, revocableResources, gpuResources, [...excluded]],
      ({ allocator, model }) => {
        const capabilities = { ...ABILITIES, revocableResources, gpuResources }
        const known = model.frameworks.get(id)
        for (const agent of model.agents.values()) {
          agent.refused = agent.refused.filter(({ key }) => {
            const role = key.slice(3)
            // A role that is suppressed no more is revived.
            const isRevived = known?.suppressed.has(role) === true && !suppressedRoles.includes(role)
            return !key.startsWith(`${id} `) || (roles.includes(role) && !isRevived)
          })
        }
        const active = known?.active ?? true
        const suppressed = new Set(suppressedRoles)
        model.frameworks.set(id, { roles, suppressed, active, abilities: capabilities, excluded })
        const constraints = new Map(
          [...excluded].map(([role, hosts]) => [
            role,
            { excludes: ({ hostname }: ConstrainedAgent) => hosts.includes(hostname!) },
          ]),
        )
        const spec = { name: id, roles, suppressedRoles, capabilities, constraints }
        if (known === undefined) allocator.addFramework(id, { ...spec, active })
        else allocator.updateFramework(id, spec)
      },
    )
  })

const changeFramework = fc
  .tuple(frameworkId, fc.constantFrom('remove', 'activate', 'deactivate', 'suppress', 'revive'), roles)
  .map(([id, what, named]): Step => {
    return shown([what, id, named], ({ allocator, model }) => {
      const framework = model.frameworks.get(id)
      if (framework === undefined) return
      const touched = named.filter((role) => framework.roles.includes(role))
      const forget = (isMeant: (role: string) => boolean) => {
        for (const agent of model.agents.values()) {
          agent.refused = agent.refused.filter(({ key }) => !key.startsWith(`${id} `) || !isMeant(key.slice(3)))
        }
      }
      if (what === 'remove') {
        allocator.removeFramework(id)
        model.frameworks.delete(id)
        forget(() => true)
      } else if (what === 'activate') {
        allocator.activateFramework(id)
        framework.active = true
      } else if (what === 'deactivate') {
        allocator.deactivateFramework(id)
        framework.active = false
        forget(() => true)
      } else if (what === 'suppress') {
        allocator.suppress(id, touched)
        for (const role of touched) framework.suppressed.add(role)
      } else {
        allocator.revive(id, touched)
        for (const role of touched) framework.suppressed.delete(role)
        forget((role) => touched.includes(role))
      }
    })
  })

const addAgent = fc
  .tuple(
    agentId,
    fc.constantFrom(...TOTALS),
    fc.option(fc.tuple(frameworkId, fc.constantFrom(...ROLES))),
    fc.constantFrom(...HOSTS),
  )
  .map(([id, total, user, host]): Step => {
    return shown(['agent', id, total, 'used by', user, host], ({ allocator, model }) => {
      if (model.agents.has(id)) return
      const agent: ModelAgent = { total, active: true, host, held: new Map(), refused: [] }
      model.agents.set(id, agent)
      const used = new Map<string, Resources>()
      const part = bagOf('mem:16')
      if (user !== null && total.contains(part)) {
        used.set(user[0], part.allocate(user[1]))
        model.hold(agent, `${user[0]} ${user[1]}`, part, true)
      }
      allocator.addAgent(id, { total, hostname: host, capabilities: AGENT_ABILITIES, used })
    })
  })

const changeAgent = fc
  .tuple(
    agentId,
    fc.constantFrom('remove', 'activate', 'deactivate', 'total', 'host', 'return'),
    fc.constantFrom(...TOTALS),
    fc.constantFrom(...HOSTS),
  )
  .map(([id, what, total, host]): Step => {
    return shown([what, id, total, host], ({ allocator, model }) => {
      const agent = model.agents.get(id)
      if (agent === undefined) return
      if (what === 'remove') {
        allocator.removeAgent(id)
        model.agents.delete(id)
      } else if (what === 'total') {
        allocator.updateAgent(id, { total })
        agent.total = total
      } else if (what === 'host') {
        allocator.updateAgent(id, { hostname: host })
        agent.host = host
      } else if (what === 'return') {
        // It comes back with half of what was held there, and says so.
        for (const key of [...agent.held.keys()].filter((_, at) => at % 2 === 1)) agent.held.delete(key)
        const used = new Map<string, Resources>()
        for (const [key, held] of agent.held) {
          const [frameworkId, role] = [key.slice(0, 2), key.slice(3)]
          used.set(frameworkId, (used.get(frameworkId) ?? Resources.empty).plus(held.allocate(role)))
        }
        allocator.updateAgent(id, { used })
      } else {
        if (what === 'activate') allocator.activateAgent(id)
        else allocator.deactivateAgent(id)
        agent.active = what === 'activate'
      }
    })
  })

const recover = fc
  .tuple(agentId, fc.nat(5), fc.option(fc.constantFrom(...PARTS)), fc.option(fc.constantFrom(0, 500, 3000, 1e9)))
  .map(([id, which, part, refuseMs]): Step => {
    return shown(['recover', id, which, part, refuseMs], ({ allocator, model, atMs }) => {
      const agent = model.agents.get(id)
      if (agent === undefined || agent.held.size === 0) return
      const [key, held] = [...agent.held][which % agent.held.size]!
      const resources = part === null ? held : part
      if (!held.contains(resources)) return
      const rest = held.minus(resources)
      if (rest.isEmpty) agent.held.delete(key)
      else agent.held.set(key, rest)
      const [frameworkId, role] = [key.slice(0, 2), key.slice(3)]
      const isSubscribed = model.frameworks.get(frameworkId)?.roles.includes(role) === true
      if (refuseMs !== null && refuseMs > 0 && isSubscribed) {
        // A long refusal ends on a whole second.
        const untilMs = refuseMs > 60_000 ? Math.ceil((atMs + refuseMs) / 1000) * 1000 : atMs + Math.max(refuseMs, 1000)
        agent.refused.push({ key, resources, untilMs })
      }
      const refusal = refuseMs === null ? undefined : { refuseMs }
      allocator.recoverResources(frameworkId, id, resources.allocate(role), refusal, atMs)
    })
  })

const weigh = fc.tuple(fc.constantFrom(...ROLES), fc.constantFrom(0.5, 1, 3)).map(([role, weight]): Step => {
  return shown(['weigh', role, weight], ({ allocator, model }) => {
    allocator.updateWeights({ [role]: weight })
    model.weights.set(role, weight)
  })
})

const run = fc.tuple(fc.constantFrom(0, 1, 1000, 2500), fc.option(fc.nat(3))).map(([forMs, budget]): Step => {
  return shown(['run', forMs, budget], (pair) => {
    pair.atMs += forMs
    if (budget === null) pair.allocateAll()
    else pair.replay(pair.allocator.allocate(pair.atMs, budget))
  })
})

// More than sixteen clients of one agent are found in another way than fewer, so there are runs with many and with few frameworks.
const steps = fc
  .tuple(
    fc.array(addFramework, { minLength: 1, maxLength: 9 }),
    fc.array(addAgent, { minLength: 1, maxLength: 3 }),
    fc.array(
      fc.oneof(
        { weight: 3, arbitrary: addFramework },
        { weight: 2, arbitrary: changeFramework },
        { weight: 1, arbitrary: addAgent },
        { weight: 1, arbitrary: changeAgent },
        { weight: 12, arbitrary: recover },
        { weight: 1, arbitrary: weigh },
        { weight: 10, arbitrary: run },
      ),
      { minLength: 5, maxLength: 60, size: 'max' },
    ),
  )
  .map((parts): Step[] => parts.flat())

test('safety_ each decision is that of the plain model, the books agree, and a batch leaves nothing that somebody wants', (t) => {
  fc.assert(
    fc.property(fc.integer(), fc.record({ passOn: fc.boolean(), isStrict: fc.boolean() }), steps, (seed, by, steps) => {
      const pair = new Pair(seed, by)
      for (const step of steps) {
        step(pair)
        pair.model.prune()
        checkAllocator(pair.allocator)
        for (const [id, agent] of pair.model.agents) {
          const actual = pair.allocator.books.agents.find(id)!
          if (!actual.free.equals(pair.model.free(agent))) throw new Error(`${id} has free ${actual.free.toString()}`)
        }
      }
      pair.allocateAll()
    }),
    { numRuns: 400, includeErrorInReport: true },
  )
  t.pass()
})

test('liveness_ who wants resources and has less than his share is offered some before anybody is offered twice', (t) => {
  const given = fc.record({ count: fc.integer({ min: 1, max: 12 }), seed: fc.integer(), first: fc.nat(11) })
  fc.assert(
    fc.property(given, ({ count, seed, first }) => {
      const allocator = new Allocator({ seed })
      const capabilities = ABILITIES
      for (let at = 0; at < count; at++) {
        allocator.addFramework(`f${at}`, { roles: [`r${at % 5}`], suppressedRoles: [], capabilities, active: true })
      }
      const used = new Map([[`f${first % count}`, bagOf('cpus:1').allocate(`r${(first % count) % 5}`)]])
      allocator.addAgent('x', { total: bagOf('cpus:8;mem:512'), capabilities: AGENT_ABILITIES, used })
      const offered = new Set<string>()
      // Roles take turns, and the frameworks of each: at most as many rounds as roles × frameworks of the largest.
      const bound = Math.min(count, 5) * Math.ceil(count / 5) + 1
      for (let round = 0; round < bound; round++) {
        for (const { frameworkId, resources } of allocator.allocateAll(round)) {
          offered.add(frameworkId)
          allocator.recoverResources(frameworkId, 'x', resources, undefined, round)
        }
      }
      // Only the one who holds something, and those of his role, may wait for the others.
      for (let at = 0; at < count; at++) {
        if (at % 5 !== (first % count) % 5) t.true(offered.has(`f${at}`))
      }
    }),
    { numRuns: 100 },
  )
})
