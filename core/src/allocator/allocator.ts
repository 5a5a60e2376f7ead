/**
 * Who gets what next: hierarchical dominant resource fairness (Ghodsi et al., NSDI 2011; the hierarchical allocator of Mesos 1.11).
 * Knows ids, roles and Resources; no offers, no messages, no clock (atMs) and no chance of its own (seed).
 *
 * The whole free rest of an agent goes to the first framework in line that may have it. In line: roles by weighted dominant share, level
 * by level of the role tree, then the frameworks of the role; equal shares: fewer allocations so far, then the name. What comes back may be
 * refused for a while by framework, role and agent. Quota holds back what is guaranteed and cuts at limits.
 *
 * Agents that were added, changed or activated are looked at by the next `allocate`, all agents when a framework was added, activated,
 * updated or revived or a weight changed. Recovered resources and ended refusals wait for `allocateAll`.
 *
 * ```
 * allocator ─┬─ clients    framework × role: in line, refusing, holding      ─┬─ role-tree ── line ── sorter   who is next
 *            ├─ agents     total, free; rows of numbers beside the bags       ├─ filters                       who does not want it
 *            ├─ holdings   who holds what: shares and quota follow            │
 *            └─ round      visits agents, gives to the first in line          ─┴─ quota ── offering             who may have how much
 * ```
 * Read next: round.ts, offering.ts, role-tree.ts, sorter.ts for other orders than DRF. trace.ts explains, check.ts checks the books.
 */

import { assert } from '../base/assert.ts'
import { createRandom, type Random, shuffle } from '../base/random.ts'
import { Resources } from '../resources/resources.ts'
import { Agenda } from './agenda.ts'
import { type Agent, Agents } from './agents.ts'
import { byRole } from './bag.ts'
import { type Client, Clients, type Framework } from './clients.ts'
import {
  type AgentChange,
  type AgentSpec,
  type Allocation,
  type AllocatorOptions,
  type Amounts,
  type Conversion,
  type FrameworkSpec,
  type OfferAllocator,
  REFUSE_MS_MAX,
  type Reason,
  type Refusal,
  type RoleFacts,
  type RoleQuota,
} from './contract.ts'
import { Filters } from './filters.ts'
import { Holdings } from './holdings.ts'
import { Kinds } from './kinds.ts'
import { leastOf } from './least.ts'
import { Offerings } from './offering.ts'
import { Quotas } from './quota.ts'
import { RoleTree } from './role-tree.ts'
import { Round } from './round.ts'
import { describeRole, explainFramework } from './trace.ts'

export { checkAllocator } from './check.ts'

/** Mesos's default for --min_allocatable_resources. */
const LEAST_DEFAULT: readonly Amounts[] = [{ cpus: 0.01 }, { mem: 32 }]

/** Mesos's default for --allocation_interval. */
const INTERVAL_MS_DEFAULT = 1000

const EMPTY = Resources.empty

/** The parts of an allocator, for trace.ts and check.ts. */
export interface Books {
  readonly kinds: Kinds
  readonly tree: RoleTree
  readonly quotas: Quotas
  readonly clients: Clients
  readonly agents: Agents
  readonly filters: Filters
  readonly offerings: Offerings
  readonly frameworks: ReadonlyMap<string, Framework>
}

interface Recovery {
  readonly agent: Agent
  readonly client: Client | undefined
  readonly refusal: Refusal | undefined
  readonly atMs: number
}

/** The allocator; one owner, changed in place. */
export class Allocator implements OfferAllocator {
  /** For reading only: explanations and checks. */
  readonly books: Books
  readonly #random: Random
  readonly #intervalMs: number
  readonly #passOn: boolean
  readonly #frameworks = new Map<string, Framework>()
  readonly #clients: Clients
  readonly #agents: Agents
  readonly #tree: RoleTree
  readonly #quotas: Quotas
  readonly #filters = new Filters()
  readonly #round: Round
  readonly #agenda: Agenda
  readonly #holdings: Holdings
  #made: Allocation[] = []

  constructor(options: AllocatorOptions) {
    const kinds = new Kinds()
    const leastDefault = leastOf(options.minAllocatable ?? LEAST_DEFAULT, kinds)
    const tree = new RoleTree(kinds, {
      excluded: options.fairSharingExcluded,
      roleSorter: options.roleSorter,
      frameworkSorter: options.frameworkSorter,
      frameworkName: (client) => this.#clients.list[client]?.framework?.spec.name ?? '',
    })
    const quotas = new Quotas(kinds, leastDefault, (role, isClosed) => tree.setClosed(role, isClosed))
    const clients = new Clients({ kinds, quotas, tree, leastDefault })
    const region = options.domain?.fault_domain?.region.name
    const agents = new Agents({ kinds, tree, quotas, region, filterGpus: options.filterGpuResources ?? true })
    const filters = this.#filters
    const offerings = new Offerings({ agents, filters, quotas, kinds })
    const take = (agent: Agent, client: number, resources: Resources) => this.#take(agent, client, resources)
    this.#random = createRandom(options.seed)
    this.#passOn = options.passOn ?? false
    this.#intervalMs = options.allocationIntervalMs ?? INTERVAL_MS_DEFAULT
    this.#round = new Round({ agents, clients, tree, quotas, offerings, take })
    this.#agenda = new Agenda(agents)
    this.#holdings = new Holdings({ kinds, tree, quotas })
    this.#clients = clients
    this.#agents = agents
    this.#tree = tree
    this.#quotas = quotas
    this.books = { kinds, tree, quotas, clients, agents, filters, offerings, frameworks: this.#frameworks }
  }

  /** Adds a framework, or takes a known one's new facts. All agents become dirty. */
  addFramework(frameworkId: string, spec: FrameworkSpec): void {
    if (!this.#frameworks.has(frameworkId)) {
      this.#frameworks.set(frameworkId, { id: frameworkId, spec, active: spec.active, suppressed: new Set() })
    }
    const framework = this.#frameworks.get(frameworkId)!
    framework.active = spec.active
    this.updateFramework(frameworkId, spec)
  }

  /**
   * Changes roles, suppressed roles, capabilities and constraints. What it holds under a role it leaves stays its own. A role that is suppressed
   * no more is revived: its refusals are forgotten. All agents become dirty.
   */
  updateFramework(frameworkId: string, change: Omit<FrameworkSpec, 'active'>): void {
    const framework = this.#known(frameworkId)
    const before = framework.spec
    framework.spec = { ...change, active: framework.active }
    if (change.name !== before.name) this.#tree.totalsChanged()
    const revived = change.roles.filter(
      (role) => framework.suppressed.has(role) && !change.suppressedRoles.includes(role),
    )
    framework.suppressed.clear()
    for (const role of change.suppressedRoles) framework.suppressed.add(role)
    for (const role of change.roles) {
      const client = this.#clients.ensure(frameworkId, role)
      this.#clients.subscribe(client, framework)
      this.#clients.updateActive(client)
      this.#forget(client)
    }
    for (const role of revived) this.#forgetRefusals(this.#clients.find(frameworkId, role)!)
    // Last, so that roles above old and new ones stay what they are.
    for (const role of before.roles) {
      const client = change.roles.includes(role) ? undefined : this.#clients.find(frameworkId, role)
      if (client !== undefined) this.#unsubscribe(client)
    }
    this.#agenda.makeAllDirty()
  }

  /** Forgets a framework and its refusals. What it still holds counts for its roles until it is recovered. Unknown: nothing. */
  removeFramework(frameworkId: string): void {
    const framework = this.#frameworks.get(frameworkId)
    if (framework === undefined) return
    this.#frameworks.delete(frameworkId)
    for (const client of this.#clientsOf(framework)) this.#unsubscribe(client)
  }

  /** The framework is connected again. All agents become dirty. */
  activateFramework(frameworkId: string): void {
    const framework = this.#known(frameworkId)
    framework.active = true
    for (const client of this.#clientsOf(framework)) this.#clients.updateActive(client)
    this.#agenda.makeAllDirty()
  }

  /** The framework gets nothing until it is active again; its refusals end, it keeps what it has. Unknown: nothing. */
  deactivateFramework(frameworkId: string): void {
    const framework = this.#frameworks.get(frameworkId)
    if (framework === undefined) return
    framework.active = false
    for (const client of this.#clientsOf(framework)) {
      this.#clients.updateActive(client)
      this.#forgetRefusals(client)
    }
  }

  /** Adds an agent with what is used on it; it becomes dirty. A known id is an assertion error. */
  addAgent(agentId: string, spec: AgentSpec): void {
    const agent = this.#agents.add(agentId, spec)
    this.#hold(agent, spec.used, 1)
    this.#agents.recount(agent)
    this.#agenda.makeDirty(agent)
  }

  /** Takes an agent's new total, attributes, domain, capabilities or what is held there; it becomes dirty. Refusals stay as long as attributes do. */
  updateAgent(agentId: string, change: AgentChange): void {
    const agent = this.#knownAgent(agentId)
    const { total, hostname, attributes, capabilities, domain } = change
    if (attributes !== undefined && JSON.stringify(attributes) !== JSON.stringify(agent.attributes)) {
      agent.attributes = attributes
      this.#filters.clearAgent(agent.index)
    }
    if (hostname !== undefined) agent.hostname = hostname
    agent.judged = undefined
    agent.excluded = undefined
    this.#agents.setAbilities(agent, { capabilities, domain })
    if (total !== undefined && total !== agent.total) this.#agents.setTotal(agent, total)
    if (change.used !== undefined) this.#replaceHeld(agent, change.used)
    if (total !== undefined || change.used !== undefined) this.#agents.recount(agent)
    agent.blocked = undefined
    this.#agenda.makeDirty(agent)
  }

  /** Forgets an agent, all that is held there and its refusals. Unknown: nothing. */
  removeAgent(agentId: string): void {
    const agent = this.#agents.find(agentId)
    if (agent === undefined) return
    for (const [index, resources] of [...agent.held]) {
      const client = this.#clients.list[index]!
      this.#holdings.takeBack(agent, client, resources)
      this.#removeIfUnused(client)
    }
    this.#filters.clearAgent(agent.index)
    this.#agents.remove(agent)
    this.#agenda.remove(agent)
  }

  /** The agent is offered again; it becomes dirty. */
  activateAgent(agentId: string): void {
    const agent = this.#knownAgent(agentId)
    this.#agents.setActive(agent, true)
    this.#agenda.makeDirty(agent)
  }

  /** The agent is not offered until it is active again. Unknown: nothing. */
  deactivateAgent(agentId: string): void {
    const agent = this.#agents.find(agentId)
    if (agent !== undefined) this.#agents.setActive(agent, false)
  }

  /**
   * Turns what a framework holds on an agent into something else, as RESERVE, CREATE … do.
   *
   * @param conversion `from` is held by the framework; both with allocation info. The agent's total changes alike,
   *   but that a shared resource is there once: `to` may hold more copies of one, for tasks that share what was offered once.
   */
  updateAllocation(frameworkId: string, agentId: string, conversion: Conversion): void {
    const agent = this.#knownAgent(agentId)
    for (const [role, resources] of byRole(conversion.from)) {
      const client = this.#clients.find(frameworkId, role)
      assert(client !== undefined, 'only what is held is converted')
      this.#holdings.takeBack(agent, client, resources)
    }
    for (const [role, resources] of byRole(conversion.to)) {
      const client = this.#clients.ensure(frameworkId, role)
      this.#holdings.give(agent, client, resources, { allocations: 0 })
    }
    for (const role of byRole(conversion.from).keys()) this.#removeIfUnused(this.#clients.find(frameworkId, role)!)
    const [from, to] = [conversion.from.unallocate(), conversion.to.unallocate()]
    const rest = agent.total.minus(from)
    this.#agents.setTotal(agent, rest.plus(to.nonShared()).plus(to.shared().withSingleCopies().minus(rest)))
    // What is converted was held before and is held after, so the rest stays as it is; shared resources are always free.
    const isRestTheSame = !agent.isOvercommitted && from.shared().isEmpty && to.shared().isEmpty
    if (!isRestTheSame) this.#agents.recount(agent)
    this.#agenda.makePending(agent)
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
    const agent = this.#agents.find(agentId)
    if (agent === undefined) return
    const { allocationRole } = resources
    if (allocationRole !== undefined) {
      const client = this.#clients.find(frameworkId, allocationRole)
      this.#recover({ agent, client, refusal, atMs }, resources)
    } else {
      for (const [role, part] of byRole(resources)) {
        this.#recover({ agent, client: this.#clients.find(frameworkId, role), refusal, atMs }, part)
      }
    }
    this.#agenda.makePending(agent)
  }

  #recover({ agent, client, refusal, atMs }: Recovery, resources: Resources): void {
    assert(client !== undefined, 'only what is held is recovered')
    const isWholeOffer = agent.lastOffer === resources
    const free = isWholeOffer ? agent.lastOfferFree! : resources.unallocate()
    this.#holdings.takeBack(agent, client, resources, isWholeOffer ? this.#agents.offeredAmounts(agent, -1) : undefined)
    this.#addFree(agent, free, isWholeOffer ? this.#agents.offeredAmounts(agent, 1) : undefined)
    if (refusal !== undefined && refusal.refuseMs > 0 && client.framework !== undefined) {
      const forMs = Math.max(Math.min(refusal.refuseMs, REFUSE_MS_MAX), this.#intervalMs)
      this.#filters.add({ agent: agent.index, client: client.index, refused: free, untilMs: atMs + forMs, atMs })
      if (free === agent.free) this.#agents.block(agent, client.index)
    } else if (this.#passOn && isWholeOffer) this.#agents.pass(agent, client.index)
    this.#removeIfUnused(client)
  }

  /** Offers no more for these roles (default all of the framework) until revive; refusals stay. */
  suppress(frameworkId: string, roles?: readonly string[]): void {
    const framework = this.#known(frameworkId)
    for (const role of roles ?? framework.spec.roles) framework.suppressed.add(role)
    for (const client of this.#clientsOf(framework)) this.#clients.updateActive(client)
  }

  /** Offers again for these roles (default all of the framework) and forgets their refusals. All agents become dirty. */
  revive(frameworkId: string, roles?: readonly string[]): void {
    const framework = this.#known(frameworkId)
    for (const role of roles ?? framework.spec.roles) {
      framework.suppressed.delete(role)
      const client = this.#clients.find(frameworkId, role)
      if (client?.framework === undefined) continue
      this.#clients.updateActive(client)
      this.#forgetRefusals(client)
    }
    this.#agenda.makeAllDirty()
  }

  /** Sets weights by role path; others stay, the default is 1. All agents become dirty. */
  updateWeights(weights: Readonly<Record<string, number>>): void {
    for (const [role, weight] of Object.entries(weights)) {
      assert(weight > 0, 'weights are positive')
      this.#tree.setWeight(role, weight)
    }
    this.#agenda.makeAllDirty()
  }

  /** Sets the quota of a top-level role; undefined takes it away. */
  setQuota(role: string, quota: RoleQuota | undefined): void {
    assert(!role.includes('/'), 'only top-level roles have quota')
    this.#quotas.set(role, quota)
    this.#agenda.makeAllPending()
  }

  /** Whether `allocate` has anything to look at. */
  get hasDirtyAgents(): boolean {
    return this.#agenda.hasDirty
  }

  /**
   * The event-driven run: decides over the dirty agents. Ends refusals whose time has passed.
   *
   * @param budget decisions at most, up to those of one agent more; the agents that are left stay dirty
   */
  allocate(atMs: number, budget = Number.POSITIVE_INFINITY): Allocation[] {
    this.expireFilters(atMs)
    return this.#run(this.#agenda.dirty(), budget)
  }

  /** The batch run: decides over all agents that may have something for somebody. Ends refusals whose time has passed. */
  allocateAll(atMs: number): Allocation[] {
    this.expireFilters(atMs)
    // What quota holds back on one agent depends on all others.
    if (this.#quotas.isUsed) this.#agenda.makeAllPending()
    return this.#run(this.#agenda.pending(), Number.POSITIVE_INFINITY)
  }

  /** Ends the refusals whose time has passed. A refusal still holds at its last millisecond. */
  expireFilters(atMs: number): void {
    this.#filters.expire(atMs, (agentIndex, client) => {
      const agent = this.#agents.list[agentIndex]!
      this.#agents.unblock(agent, client)
      this.#agenda.makePending(agent)
    })
  }

  /** Why a framework is not offered more: for each of its roles the reasons with the agents they hold for. O(roles × agents). */
  explain(frameworkId: string): Reason[] {
    return explainFramework(this.books, frameworkId)
  }

  /** What a role has and may have; also of a role that nobody is in. */
  describeRole(role: string): RoleFacts {
    return describeRole(this.books, role)
  }

  #hold(agent: Agent, used: ReadonlyMap<string, Resources>, allocations: 0 | 1): void {
    for (const [frameworkId, resources] of used) {
      for (const [role, part] of byRole(resources)) {
        this.#holdings.give(agent, this.#clients.ensure(frameworkId, role), part, { allocations })
      }
    }
  }

  #replaceHeld(agent: Agent, used: ReadonlyMap<string, Resources>): void {
    const before: Client[] = []
    for (const [index, resources] of [...agent.held]) {
      const client = this.#clients.list[index]!
      this.#holdings.takeBack(agent, client, resources)
      before.push(client)
    }
    this.#hold(agent, used, 0)
    for (const client of before) this.#removeIfUnused(client)
  }

  #run(agents: Agent[], budget: number): Allocation[] {
    this.#made = []
    shuffle(this.#random, agents)
    if (this.#quotas.isMissing) {
      for (const agent of agents) {
        if (this.#made.length >= budget || !this.#quotas.isMissing) break
        this.#round.visitForGuarantees(agent)
      }
      shuffle(this.#random, agents)
    }
    let visited = 0
    while (visited < agents.length && this.#made.length < budget) this.#round.visit(agents[visited++]!)
    this.#agenda.done(agents, visited)
    const made = this.#made
    this.#made = []
    return made
  }

  #take(agent: Agent, index: number, resources: Resources): void {
    const client = this.#clients.list[index]!
    const allocated = resources.allocate(client.role)
    const amounts = this.#agents.noteOffer(agent, { allocated, resources })
    const free = amounts === undefined ? agent.free.minus(resources.nonShared()) : EMPTY
    this.#made.push({ frameworkId: client.frameworkId, role: client.role, agentId: agent.id, resources: allocated })
    this.#holdings.give(agent, client, allocated, { allocations: 1, amounts })
    this.#agents.setFree(agent, free)
  }

  #addFree(agent: Agent, resources: Resources, amounts: Float64Array | undefined): void {
    if (agent.isOvercommitted) this.#agents.recount(agent)
    else if (agent.free.isEmpty && amounts !== undefined) this.#agents.setFree(agent, resources, amounts)
    else this.#agents.setFree(agent, agent.free.plus(resources.nonShared()))
  }

  #unsubscribe(client: Client): void {
    this.#clients.unsubscribe(client)
    this.#clients.updateActive(client)
    this.#forgetRefusals(client)
    this.#removeIfUnused(client)
  }

  #forgetRefusals(client: Client): void {
    if (this.#filters.clearClient(client.index)) this.#unblock(client)
  }

  #removeIfUnused(client: Client): void {
    if (!this.#clients.removeIfUnused(client)) return
    // Another client may get its index.
    this.#filters.clearClient(client.index)
    this.#forget(client)
  }

  #unblock(client: Client): void {
    for (const agent of this.#agents.all()) this.#agents.unblock(agent, client.index)
  }

  /** What it may have is to be decided anew on every agent. */
  #forget(client: Client): void {
    for (const agent of this.#agents.all()) {
      this.#agents.unblock(agent, client.index)
      this.#agents.forgetJudgement(agent, client.index)
    }
  }

  #clientsOf(framework: Framework): Client[] {
    const clients: Client[] = []
    for (const role of framework.spec.roles) {
      const client = this.#clients.find(framework.id, role)
      if (client !== undefined) clients.push(client)
    }
    return clients
  }

  #known(frameworkId: string): Framework {
    const framework = this.#frameworks.get(frameworkId)
    assert(framework !== undefined, 'only a known framework is changed')
    return framework
  }

  #knownAgent(agentId: string): Agent {
    const agent = this.#agents.find(agentId)
    assert(agent !== undefined, 'only a known agent is changed')
    return agent
  }
}
