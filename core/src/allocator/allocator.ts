/**
 * Who gets what next: hierarchical dominant resource fairness (Ghodsi et al., NSDI 2011; the hierarchical allocator of Mesos 1.11).
 * Knows ids, roles and Resources; no offers, no messages, no clock (atMs) and no chance of its own (seed).
 *
 * The whole free rest of an agent goes to the first framework in line that may have it. In line: roles by weighted dominant share, level
 * by level of the role tree, then the frameworks of the role; equal shares: fewer allocations so far, then the name.
 *
 * Added agents and frameworks, activations, revive and weights make agents dirty: `allocate` looks at those. Recovered resources wait for
 * `allocateAll`.
 */

import { assert } from '../base/assert.ts'
import { createRandom, type Random, shuffle } from '../base/random.ts'
import type { Resources } from '../resources/resources.ts'
import * as bag from './bag.ts'
import {
  type AgentChange,
  type AgentSpec,
  type Allocation,
  type AllocatorOptions,
  type Amounts,
  type FrameworkSpec,
  REFUSE_MS_MAX,
  type Reason,
  type Refusal,
  type RoleQuota,
} from './contract.ts'

interface Framework {
  readonly id: string
  spec: FrameworkSpec
  suppressed: Set<string>
  active: boolean
}

interface Agent {
  readonly id: string
  total: Resources
  free: Resources
  active: boolean
  spec: Pick<AgentSpec, 'attributes' | 'domain' | 'capabilities'>
  /** `framework role` → what it holds here. */
  readonly held: Map<string, { frameworkId: string; role: string; resources: Resources }>
  filters: { frameworkId: string; role: string; refused: Resources; untilMs: number }[]
}

/** The allocator; one owner, changed in place. */
export class Allocator {
  readonly #options: AllocatorOptions
  readonly #random: Random
  readonly #frameworks = new Map<string, Framework>()
  readonly #agents = new Map<string, Agent>()
  readonly #weights = new Map<string, number>()
  readonly #quotas = new Map<string, RoleQuota>()
  /** `role` and `role framework` → allocations so far. */
  readonly #counts = new Map<string, number>()
  readonly #dirty = new Set<string>()

  constructor(options: AllocatorOptions) {
    this.#options = options
    this.#random = createRandom(options.seed)
  }

  /** Adds a framework, or takes a known one's new facts. All agents become dirty. */
  addFramework(frameworkId: string, spec: FrameworkSpec): void {
    const suppressed = new Set(spec.suppressedRoles)
    this.#frameworks.set(frameworkId, { id: frameworkId, spec, suppressed, active: spec.active })
    this.#dirtyAll()
  }

  /** Changes roles, suppressed roles and capabilities. What it holds under a role it leaves stays its own. */
  updateFramework(frameworkId: string, change: Omit<FrameworkSpec, 'active'>): void {
    const framework = this.#frameworks.get(frameworkId)
    assert(framework !== undefined, 'only a known framework is updated')
    framework.spec = { ...change, active: framework.active }
    framework.suppressed = new Set(change.suppressedRoles)
    for (const agent of this.#agents.values()) {
      agent.filters = agent.filters.filter((f) => f.frameworkId !== frameworkId || change.roles.includes(f.role))
    }
    this.#dirtyAll()
  }

  /** Forgets a framework and its refusals. What it still holds counts for its roles until it is recovered. Unknown: nothing. */
  removeFramework(frameworkId: string): void {
    this.#frameworks.delete(frameworkId)
    for (const agent of this.#agents.values()) {
      agent.filters = agent.filters.filter((f) => f.frameworkId !== frameworkId)
    }
  }

  /** The framework is connected again. All agents become dirty. */
  activateFramework(frameworkId: string): void {
    const framework = this.#frameworks.get(frameworkId)
    assert(framework !== undefined, 'only a known framework is activated')
    framework.active = true
    this.#dirtyAll()
  }

  /** The framework gets nothing until it is active again; its refusals end, it keeps what it has. Unknown: nothing. */
  deactivateFramework(frameworkId: string): void {
    const framework = this.#frameworks.get(frameworkId)
    if (framework === undefined) return
    framework.active = false
    for (const agent of this.#agents.values()) {
      agent.filters = agent.filters.filter((f) => f.frameworkId !== frameworkId)
    }
  }

  /** Adds an agent with what is used on it; it becomes dirty. A known id is an assertion error. */
  addAgent(agentId: string, spec: AgentSpec): void {
    assert(!this.#agents.has(agentId), 'an agent is added once')
    const agent: Agent = {
      id: agentId,
      total: spec.total,
      free: spec.total,
      active: spec.active ?? true,
      spec,
      held: new Map(),
      filters: [],
    }
    this.#agents.set(agentId, agent)
    for (const [frameworkId, used] of spec.used) {
      for (const [role, resources] of bag.byRole(used)) this.#hold(agent, frameworkId, role, resources)
    }
    this.#dirty.add(agentId)
  }

  /** Takes an agent's new total, attributes, domain or capabilities; it becomes dirty. */
  updateAgent(agentId: string, change: AgentChange): void {
    const agent = this.#agents.get(agentId)
    assert(agent !== undefined, 'only a known agent is updated')
    if (change.attributes !== undefined && JSON.stringify(change.attributes) !== JSON.stringify(agent.spec.attributes))
      agent.filters = []
    agent.spec = { ...agent.spec, ...change }
    if (change.total !== undefined) {
      agent.total = change.total
      agent.free = change.total
      for (const { resources } of agent.held.values()) agent.free = agent.free.minus(resources.unallocate().nonShared())
    }
    this.#dirty.add(agentId)
  }

  /** Forgets an agent, all that is held there and its refusals. Unknown: nothing. */
  removeAgent(agentId: string): void {
    this.#agents.delete(agentId)
    this.#dirty.delete(agentId)
  }

  /** The agent is offered again; it becomes dirty. */
  activateAgent(agentId: string): void {
    const agent = this.#agents.get(agentId)
    assert(agent !== undefined, 'only a known agent is activated')
    agent.active = true
    this.#dirty.add(agentId)
  }

  /** The agent is not offered until it is active again. Unknown: nothing. */
  deactivateAgent(agentId: string): void {
    const agent = this.#agents.get(agentId)
    if (agent !== undefined) agent.active = false
  }

  /**
   * Turns what a framework holds on an agent into something else, as RESERVE, CREATE … do.
   *
   * @param conversion `from` is held by the framework; both with allocation info. The agent's total changes alike.
   */
  updateAllocation(
    frameworkId: string,
    agentId: string,
    conversion: { readonly from: Resources; readonly to: Resources },
  ): void {
    const agent = this.#agents.get(agentId)
    assert(agent !== undefined, 'only resources of a known agent are converted')
    for (const [role, resources] of bag.byRole(conversion.from)) this.#release(agent, frameworkId, role, resources)
    agent.total = agent.total.minus(conversion.from.unallocate()).plus(conversion.to.unallocate())
    agent.free = agent.free.minus(conversion.from.unallocate()).plus(conversion.to.unallocate())
    for (const [role, resources] of bag.byRole(conversion.to)) this.#hold(agent, frameworkId, role, resources)
  }

  /**
   * Gives resources back to the pool; they wait for the next `allocateAll`. Unknown agent: nothing.
   *
   * @param resources held by the framework, with allocation info; what is not held is an assertion error
   * @param refusal stops offering them to this framework and role for a while, at least the allocation interval
   */
  recoverResources(
    frameworkId: string,
    agentId: string,
    resources: Resources,
    refusal: Refusal | undefined,
    atMs: number,
  ): void {
    const agent = this.#agents.get(agentId)
    if (agent === undefined) return
    for (const [role, part] of bag.byRole(resources)) {
      this.#release(agent, frameworkId, role, part)
      const framework = this.#frameworks.get(frameworkId)
      if (refusal === undefined || !(refusal.refuseMs > 0) || !framework?.spec.roles.includes(role)) continue
      const forMs = Math.max(Math.min(refusal.refuseMs, REFUSE_MS_MAX), this.#options.allocationIntervalMs ?? 1000)
      agent.filters.push({ frameworkId, role, refused: part.unallocate(), untilMs: atMs + forMs })
    }
  }

  /** Offers no more for these roles (default all of the framework) until revive; refusals stay. */
  suppress(frameworkId: string, roles?: readonly string[]): void {
    const framework = this.#frameworks.get(frameworkId)
    assert(framework !== undefined, 'only a known framework is suppressed')
    for (const role of roles ?? framework.spec.roles) framework.suppressed.add(role)
  }

  /** Offers again for these roles (default all of the framework) and forgets their refusals. All agents become dirty. */
  revive(frameworkId: string, roles?: readonly string[]): void {
    const framework = this.#frameworks.get(frameworkId)
    assert(framework !== undefined, 'only a known framework is revived')
    const revived = roles ?? framework.spec.roles
    for (const role of revived) framework.suppressed.delete(role)
    for (const agent of this.#agents.values()) {
      agent.filters = agent.filters.filter((f) => f.frameworkId !== frameworkId || !revived.includes(f.role))
    }
    this.#dirtyAll()
  }

  /** Sets weights by role path; others stay, the default is 1. All agents become dirty. */
  updateWeights(weights: Readonly<Record<string, number>>): void {
    for (const [role, weight] of Object.entries(weights)) this.#weights.set(role, weight)
    this.#dirtyAll()
  }

  /** Sets the quota of a top-level role; undefined takes it away. */
  setQuota(role: string, quota: RoleQuota | undefined): void {
    assert(!role.includes('/'), 'only top-level roles have quota')
    if (quota === undefined) this.#quotas.delete(role)
    else this.#quotas.set(role, quota)
  }

  /**
   * The event-driven run: decides over the dirty agents.
   *
   * @param budget decisions at most; the agents that are left stay dirty
   */
  allocate(atMs: number, budget = Number.POSITIVE_INFINITY): Allocation[] {
    const ids = [...this.#dirty]
    const made: Allocation[] = []
    for (const id of shuffle(this.#random, ids)) {
      if (made.length >= budget) break
      this.#dirty.delete(id)
      this.#allocateAgent(this.#agents.get(id)!, atMs, made)
    }
    return made
  }

  /** The batch run: decides over all agents. */
  allocateAll(atMs: number): Allocation[] {
    this.#dirtyAll()
    return this.allocate(atMs)
  }

  /** Ends the refusals whose time has passed. A refusal still holds at its last millisecond. */
  expireFilters(atMs: number): void {
    for (const agent of this.#agents.values()) agent.filters = agent.filters.filter(({ untilMs }) => untilMs >= atMs)
  }

  /** Whether any agent is dirty. */
  get hasDirtyAgents(): boolean {
    return this.#dirty.size > 0
  }

  /** Why a framework is not offered more: for each of its roles the reasons with the agents they hold for. */
  explain(_frameworkId: string, _atMs: number): Reason[] {
    return []
  }

  #dirtyAll(): void {
    for (const id of this.#agents.keys()) this.#dirty.add(id)
  }

  #hold(agent: Agent, frameworkId: string, role: string, resources: Resources): void {
    const key = `${frameworkId} ${role}`
    const entry = agent.held.get(key)
    const sum = entry === undefined ? resources : entry.resources.plus(resources)
    agent.held.set(key, { frameworkId, role, resources: sum })
    agent.free = agent.free.minus(resources.unallocate().nonShared())
  }

  #release(agent: Agent, frameworkId: string, role: string, resources: Resources): void {
    const key = `${frameworkId} ${role}`
    const entry = agent.held.get(key)
    assert(entry !== undefined && entry.resources.contains(resources), 'only what is held is recovered')
    const rest = entry.resources.minus(resources)
    if (rest.isEmpty) agent.held.delete(key)
    else agent.held.set(key, { frameworkId, role, resources: rest })
    agent.free = agent.free.plus(resources.unallocate().nonShared())
  }

  #share(held: (role: string, frameworkId: string) => boolean, weight: number): number {
    const total: Record<string, number> = {}
    const mine: Record<string, number> = {}
    for (const agent of this.#agents.values()) {
      addScalars(total, agent.total)
      for (const { role, frameworkId, resources } of agent.held.values()) {
        if (held(role, frameworkId)) addScalars(mine, resources)
      }
    }
    let share = 0
    for (const [name, amount] of Object.entries(mine)) share = Math.max(share, amount / total[name]!)
    return share / weight
  }

  #allocateAgent(agent: Agent, atMs: number, made: Allocation[]): void {
    for (;;) {
      const next = this.#next(agent, atMs)
      if (next === undefined) return
      made.push(next)
      const key = `${next.role} ${next.frameworkId}`
      this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
      this.#counts.set(next.role, (this.#counts.get(next.role) ?? 0) + 1)
      this.#hold(agent, next.frameworkId, next.role, next.resources)
    }
  }

  #next(agent: Agent, atMs: number): Allocation | undefined {
    if (!agent.active) return undefined
    const line = [...this.#frameworks.values()].flatMap((framework) =>
      framework.spec.roles.map((role) => ({
        framework,
        role,
        roleShare: this.#share((other) => other === role, this.#weights.get(role) ?? 1),
        share: this.#share((other, id) => other === role && id === framework.id, 1),
        roleCount: this.#counts.get(role) ?? 0,
        count: this.#counts.get(`${role} ${framework.id}`) ?? 0,
      })),
    )
    line.sort(
      (a, b) =>
        a.roleShare - b.roleShare ||
        a.roleCount - b.roleCount ||
        compareText(a.role, b.role) ||
        a.share - b.share ||
        a.count - b.count ||
        compareText(a.framework.id, b.framework.id),
    )
    for (const { framework, role } of line) {
      if (!framework.active || framework.suppressed.has(role)) continue
      const resources = bag.capable(agent.free.allocatableTo(role), framework.spec.capabilities)
      if (!this.#isAllocatable(resources)) continue
      const refused = agent.filters.some(
        (f) => f.frameworkId === framework.id && f.role === role && f.untilMs >= atMs && f.refused.contains(resources),
      )
      if (!refused) {
        return { frameworkId: framework.id, role, agentId: agent.id, resources: resources.allocate(role) }
      }
    }
    return undefined
  }

  #isAllocatable(resources: Resources): boolean {
    const scalars: Record<string, number> = {}
    addScalars(scalars, resources)
    const alternatives: readonly Amounts[] = this.#options.minAllocatable ?? [{ cpus: 0.01 }, { mem: 32 }]
    return alternatives.some((least) =>
      Object.entries(least).every(([name, amount]) => (scalars[name] ?? 0) >= Math.round(amount * 1000)),
    )
  }
}

/** Throws an assertion error when the books of the allocator disagree. For tests and simulation; O(everything). */
export function checkAllocator(_allocator: Allocator): void {}

function addScalars(sums: Record<string, number>, resources: Resources): void {
  for (const { template, amount } of resources.entries()) {
    if (amount.kind === 'scalar') sums[template.name] = (sums[template.name] ?? 0) + amount.milli
  }
}

function compareText(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1
}
