/**
 * Agents: what each has, what is free there, who holds what. The amounts that every decision looks at are rows of numbers beside the bags;
 * a bag is made only of what is offered.
 */

import type { Attribute, DomainInfo } from '@isthmus/proto/gen/mesos'
import { assert } from '../base/assert.ts'
import { LazyMap } from '../base/lazy-collections.ts'
import { Resources } from '../resources/resources.ts'
import { Counter, emptyRow, isSpecial } from './bag.ts'
import { type Bits, clearBit, hasBit, setBit } from './bits.ts'
import { type Client, GPU_RESOURCES, HIERARCHICAL_ROLE, MULTI_ROLE, REGION_AWARE } from './clients.ts'
import type { AgentChange, AgentSpec } from './contract.ts'
import { KINDS_MAX, type Kinds } from './kinds.ts'
import type { Quotas, RoleBooks } from './quota.ts'
import type { RoleTree } from './role-tree.ts'

const NO_ROLES: readonly string[] = []

/** What the free rest of an agent is for clients of the same kind; valid as long as the free rest is. */
export interface View {
  readonly resources: Resources
  /** All its scalars, and those that quota counts. */
  readonly scalars: Float64Array
}

/** An agent as the allocator keeps it. */
export interface Agent {
  readonly index: number
  readonly id: string
  total: Resources
  /** Total - what is held; shared resources are always free. Never change it but by `setFree`. */
  free: Resources
  isActive: boolean
  hostname: string | undefined
  domain: DomainInfo | undefined
  attributes: readonly Attribute[] | undefined
  /** What it supports: bits for Client.needs. */
  supports: number
  /** What its clients must know: bits for Client.has. */
  demands: number
  /** Client index → what it holds here, with allocation info. */
  readonly held: Map<number, Resources>
  /** More is held than there is: the free rest is counted anew when something is recovered. */
  isOvercommitted: boolean
  /** Reserved amounts of the total by top-level role. */
  reserved: { readonly books: RoleBooks; readonly amounts: Float64Array }[]
  /** Free resources hold something that is reserved, revocable or shared. */
  isSpecial: boolean
  /** Roles that something free is reserved for. */
  reservedRoles: readonly string[]
  readonly views: Map<number, View>
  /** Clients that cannot or do not want to have anything of `blockedUpTo`, and so not of less either. */
  blocked: Bits | undefined
  blockedUpTo: Resources
  /** Clients whose constraints were looked at, and those of them that do not want the agent, as long as client and agent are the same. */
  judged: Bits | undefined
  excluded: Bits | undefined
  /** Clients that gave back a whole offer of the agent unused, when at most `passedUpTo` was free. */
  passed: Bits | undefined
  passedUpTo: Resources
  /** The newest offer and the same without allocation info, as it often comes back as it went. */
  lastOffer: Resources | undefined
  lastOfferFree: Resources | undefined
  /** It was all that was free, and nothing of it was reserved, revocable or shared: its amounts are known. */
  lastOfferIsPlain: boolean
}

/** All agents by small integers. */
export class Agents {
  readonly list: (Agent | undefined)[] = []
  /** Free amounts that quota counts (unreserved, not revocable), in rows by agent. */
  free = new Float64Array(64 * KINDS_MAX)
  /** What was free when it was offered whole, as long as `lastOfferIsPlain`; rows as above. */
  #offered = new Float64Array(64 * KINDS_MAX)
  readonly #byId = new Map<string, Agent>()
  readonly #freeIndexes: number[] = []
  readonly #kinds: Kinds
  readonly #tree: RoleTree
  readonly #quotas: Quotas
  readonly #region: string | undefined
  readonly #filterGpus: boolean
  readonly #row = emptyRow()
  readonly #counter: Counter

  constructor(parts: {
    kinds: Kinds
    tree: RoleTree
    quotas: Quotas
    region: string | undefined
    filterGpus: boolean
  }) {
    this.#kinds = parts.kinds
    this.#counter = new Counter(parts.kinds)
    this.#tree = parts.tree
    this.#quotas = parts.quotas
    this.#region = parts.region
    this.#filterGpus = parts.filterGpus
  }

  get count(): number {
    return this.#byId.size
  }

  find(id: string): Agent | undefined {
    return this.#byId.get(id)
  }

  /** Every agent there is. */
  all(): IterableIterator<Agent> {
    return this.#byId.values()
  }

  /** Adds an agent with nothing held and nothing free yet: call `recount` when all is held. */
  add(id: string, spec: AgentSpec): Agent {
    assert(!this.#byId.has(id), 'an agent is added once')
    const index = this.#freeIndexes.pop() ?? this.list.length
    if ((index + 1) * KINDS_MAX > this.free.length) {
      this.free = grown(this.free)
      this.#offered = grown(this.#offered)
    }
    this.free.fill(0, index * KINDS_MAX, (index + 1) * KINDS_MAX)
    const agent: Agent = {
      index,
      id,
      total: Resources.empty,
      free: Resources.empty,
      isActive: spec.active ?? true,
      hostname: spec.hostname,
      domain: undefined,
      attributes: spec.attributes,
      supports: 0,
      demands: 0,
      held: new LazyMap(),
      isOvercommitted: false,
      reserved: [],
      isSpecial: false,
      reservedRoles: [],
      views: new LazyMap(),
      blocked: undefined,
      blockedUpTo: Resources.empty,
      judged: undefined,
      excluded: undefined,
      passed: undefined,
      passedUpTo: Resources.empty,
      lastOffer: undefined,
      lastOfferFree: undefined,
      lastOfferIsPlain: false,
    }
    this.list[index] = agent
    this.#byId.set(id, agent)
    this.setAbilities(agent, spec)
    this.setTotal(agent, spec.total)
    return agent
  }

  /** Takes an agent that nobody holds anything of out of the books. */
  remove(agent: Agent): void {
    assert(agent.held.size === 0, 'a removed agent is held by nobody')
    this.setFree(agent, Resources.empty)
    this.setTotal(agent, Resources.empty)
    this.#byId.delete(agent.id)
    this.list[agent.index] = undefined
    this.#freeIndexes.push(agent.index)
  }

  /** Notes what an agent supports and where it is; absent = as it was. */
  setAbilities(agent: Agent, change: Pick<AgentChange, 'capabilities' | 'domain'>): void {
    const { capabilities, domain } = change
    if (capabilities !== undefined) {
      const { multiRole, hierarchicalRole } = capabilities
      agent.supports = (multiRole ? MULTI_ROLE : 0) | (hierarchicalRole ? HIERARCHICAL_ROLE : 0)
    }
    if (domain !== undefined) agent.domain = domain
    this.#updateDemands(agent)
  }

  /** Gives an agent a new total; the free rest is the caller's to settle. */
  setTotal(agent: Agent, total: Resources): void {
    this.#chargeTotals(agent, -1)
    for (const { books, amounts } of agent.reserved) {
      this.#quotas.chargeReserved(books, amounts, -1)
      this.#quotas.release(books)
    }
    agent.total = total
    agent.reserved = this.#reservedOf(total)
    for (const { books, amounts } of agent.reserved) this.#quotas.chargeReserved(books, amounts, 1)
    this.#chargeTotals(agent, 1)
    this.#tree.totalsChanged()
    this.#updateDemands(agent)
  }

  /** Counts the free rest anew: total - all that is held. O(held). */
  recount(agent: Agent): void {
    let held = Resources.empty
    for (const resources of agent.held.values()) held = held.plus(resources.unallocate().nonShared())
    agent.isOvercommitted = !agent.total.contains(held)
    this.setFree(agent, agent.total.minus(held))
  }

  /** Makes an agent offered or not. */
  setActive(agent: Agent, isActive: boolean): void {
    if (agent.isActive === isActive) return
    if (agent.isActive) this.#chargeFree(agent, -1)
    agent.isActive = isActive
    if (isActive) this.#chargeFree(agent, 1)
  }

  /** Notes an offer; its amounts are remembered when it is all that is free and plain, which it is told in that case. */
  noteOffer(agent: Agent, offer: { allocated: Resources; resources: Resources }): Float64Array | undefined {
    agent.lastOffer = offer.allocated
    agent.lastOfferFree = offer.resources
    agent.lastOfferIsPlain = offer.resources === agent.free && !agent.isSpecial
    if (!agent.lastOfferIsPlain) return undefined
    const row = agent.index * KINDS_MAX
    for (let kind = 0; kind < KINDS_MAX; kind++) {
      const amount = this.free[row + kind]!
      this.#offered[row + kind] = amount
      this.#row[kind] = amount
    }
    return this.#row
  }

  /** The amounts of the newest offer, times `factor`, if they are remembered; valid until the next call of anything here. */
  offeredAmounts(agent: Agent, factor: 1 | -1): Float64Array | undefined {
    if (!agent.lastOfferIsPlain) return undefined
    const row = agent.index * KINDS_MAX
    for (let kind = 0; kind < KINDS_MAX; kind++) this.#row[kind] = this.#offered[row + kind]! * factor
    return this.#row
  }

  /**
   * Sets the free rest. When it holds what nobody has decided about yet, no client is blocked any more.
   *
   * @param amounts what quota counts of it, when that is known already
   */
  setFree(agent: Agent, free: Resources, amounts?: Float64Array): void {
    if (agent.isActive) this.#chargeFree(agent, -1)
    agent.free = free
    const row = agent.index * KINDS_MAX
    if (free.isEmpty) {
      this.free.fill(0, row, row + KINDS_MAX)
      agent.isSpecial = false
    } else {
      if (amounts === undefined) this.#counter.countPlain(this.#row, free)
      const plain = amounts ?? this.#row
      for (let kind = 0; kind < KINDS_MAX; kind++) this.free[row + kind] = plain[kind]!
      this.#updateSpecial(agent)
    }
    if (agent.views.size > 0) agent.views.clear()
    if (agent.isActive) this.#chargeFree(agent, 1)
    if (agent.blocked !== undefined && free !== agent.blockedUpTo && !agent.blockedUpTo.contains(free)) {
      agent.blocked = undefined
    }
    if (agent.passed !== undefined && free !== agent.passedUpTo && !agent.passedUpTo.contains(free)) {
      agent.passed = undefined
    }
  }

  /** Remembers that a client gave back all it was offered. */
  pass(agent: Agent, client: number): void {
    agent.passedUpTo = agent.free
    agent.passed = setBit(agent.passed, client)
  }

  /** Remembers that a client cannot or does not want to have any of the free rest. */
  block(agent: Agent, client: number): void {
    agent.blockedUpTo = agent.free
    agent.blocked = setBit(agent.blocked, client)
  }

  /** Forgets it, and that the client passed on the agent. */
  unblock(agent: Agent, client: number): void {
    clearBit(agent.blocked, client)
    clearBit(agent.passed, client)
  }

  /** Whether it is remembered. */
  isBlocked(agent: Agent, client: number): boolean {
    return hasBit(agent.blocked, client)
  }

  /** Whether the client's constraints keep it from the agent. They are looked at once. */
  isExcluded(agent: Agent, client: Client): boolean {
    if (client.constraints === undefined) return false
    if (!hasBit(agent.judged, client.index)) {
      agent.judged = setBit(agent.judged, client.index)
      if (client.constraints.excludes(agent)) agent.excluded = setBit(agent.excluded, client.index)
      else clearBit(agent.excluded, client.index)
    }
    return hasBit(agent.excluded, client.index)
  }

  /** The client has other constraints, or none, or is another. */
  forgetJudgement(agent: Agent, client: number): void {
    clearBit(agent.judged, client)
    clearBit(agent.excluded, client)
  }

  #updateSpecial(agent: Agent): void {
    agent.isSpecial = isSpecial(agent.free)
    agent.reservedRoles = agent.isSpecial ? [...agent.free.reservations().keys()] : NO_ROLES
  }

  #updateDemands(agent: Agent): void {
    const hasGpus = this.#filterGpus && agent.total.milli('gpus') > 0
    const region = agent.domain?.fault_domain?.region.name
    const isRemote = this.#region !== undefined && region !== undefined && region !== this.#region
    agent.demands = (hasGpus ? GPU_RESOURCES : 0) | (isRemote ? REGION_AWARE : 0)
  }

  #reservedOf(total: Resources): { books: RoleBooks; amounts: Float64Array }[] {
    const found: { books: RoleBooks; amounts: Float64Array }[] = []
    for (const [role, resources] of total.reservations()) {
      const books = this.#quotas.retain(role)
      const amounts = emptyRow()
      this.#counter.count(amounts, resources.nonRevocable())
      found.push({ books, amounts })
    }
    return found
  }

  #chargeTotals(agent: Agent, factor: number): void {
    this.#counter.count(this.#row, agent.total)
    for (let kind = 0; kind < this.#kinds.count; kind++) this.#tree.totals[kind]! += this.#row[kind]! * factor
  }

  #chargeFree(agent: Agent, factor: number): void {
    const { free } = this.#quotas
    const row = agent.index * KINDS_MAX
    for (let kind = 0; kind < this.#kinds.count; kind++) free[kind]! += this.free[row + kind]! * factor
  }
}

function grown(rows: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(Math.ceil((rows.length / KINDS_MAX) * 1.25) * KINDS_MAX)
  larger.set(rows)
  return larger
}
