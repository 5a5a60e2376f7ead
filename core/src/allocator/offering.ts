/**
 * May this client have the free rest of this agent, or which part of it? The rules in their order; round.ts decides with them, trace.ts
 * explains with them.
 */

import type { Resources } from '../resources/resources.ts'
import { isStrictSubRoleOf } from '../resources/roles.ts'
import type { Agent, Agents, View } from './agents.ts'
import { Counter, capable, emptyRow, withinAllowance } from './bag.ts'
import type { Client } from './clients.ts'
import type { ReasonCode } from './contract.ts'
import type { Filters } from './filters.ts'
import { KINDS_MAX, type Kinds } from './kinds.ts'
import { isAllocatable } from './least.ts'
import type { Quotas } from './quota.ts'

/** Reservation roles a view's key has room for; agents with more have their views made each time. */
const KEYED_ROLES_MAX = 24

/** A stage of the round: first what is guaranteed, then everything. */
export type Stage = 'guarantees' | 'all'

/** What is asked about a client and an agent. */
export interface Question {
  readonly stage: Stage
  /** The agent's shared resources have been offered in this run already. */
  readonly withoutShared: boolean
}

interface Case {
  readonly agent: Agent
  readonly client: Client
  readonly stage: Stage
}

/** What a client may have, or why not. */
export type Offering =
  | { readonly resources: Resources }
  /** `isLasting`: so it stays until the client changes, its refusal ends, or there is more free. */
  | { readonly reason: ReasonCode; readonly isLasting: boolean }

const REFUSED: Offering = { reason: 'REFUSED', isLasting: true }
const EXCLUDED: Offering = { reason: 'OFFER_CONSTRAINTS', isLasting: true }
const NOTHING: Offering = { reason: 'NOTHING_FOR_ROLE', isLasting: true }
const GIVEN: Offering = { reason: 'NOTHING_FOR_ROLE', isLasting: false }
const REFUSED_PART: Offering = { reason: 'REFUSED', isLasting: false }
const LIMITED: Offering = { reason: 'QUOTA_LIMIT', isLasting: false }
const HELD_BACK: Offering = { reason: 'QUOTA_HEADROOM', isLasting: false }

/** The rules for one client and one agent. */
export class Offerings {
  readonly #agents: Agents
  readonly #filters: Filters
  readonly #quotas: Quotas
  readonly #kinds: Kinds
  readonly #allowance = emptyRow()
  readonly #allowed = emptyRow()
  readonly #row = emptyRow()
  readonly #counter: Counter

  constructor(parts: { agents: Agents; filters: Filters; quotas: Quotas; kinds: Kinds }) {
    this.#agents = parts.agents
    this.#filters = parts.filters
    this.#quotas = parts.quotas
    this.#kinds = parts.kinds
    this.#counter = new Counter(parts.kinds)
  }

  /** What the client may have of the agent in this stage. The client is subscribed. */
  offer(agent: Agent, client: Client, { stage, withoutShared }: Question): Offering {
    if (client.constraints !== undefined && this.#agents.isExcluded(agent, client)) return EXCLUDED
    const mismatch = mismatchOf(agent, client)
    if (mismatch !== undefined) return { reason: mismatch, isLasting: true }
    const isWhole = !agent.isSpecial
    let resources = agent.free
    if (isWhole) {
      if (!isAllocatable(this.#agents.free, agent.index * KINDS_MAX, client.least)) return NOTHING
    } else {
      const view = this.view(agent, client)
      if (!isAllocatable(view.scalars, 0, client.least)) return NOTHING
      resources = view.resources
    }
    if (this.#filters.refuses(agent.index, client.index, resources)) return REFUSED
    if (withoutShared && !isWhole) {
      resources = resources.nonShared()
      if (!this.#isEnough(resources, client)) return GIVEN
      if (this.#filters.refuses(agent.index, client.index, resources)) return REFUSED_PART
    }
    if (this.#quotas.isUsed) return this.#chop({ agent, client, stage }, resources)
    return { resources }
  }

  /** The part of a special agent's free rest that is for the client. */
  view(agent: Agent, client: Client): View {
    const { capabilities } = client.framework!.spec
    let key = 0
    for (const [at, role] of agent.reservedRoles.entries()) {
      if (at < KEYED_ROLES_MAX && (client.role === role || isStrictSubRoleOf(client.role, role))) key |= 1 << at
    }
    key =
      key * 8 +
      (capabilities.revocableResources ? 1 : 0) +
      (capabilities.sharedResources ? 2 : 0) +
      (capabilities.reservationRefinement ? 4 : 0)
    const isKeyed = agent.reservedRoles.length <= KEYED_ROLES_MAX
    const known = isKeyed ? agent.views.get(key) : undefined
    if (known !== undefined) return known
    const resources = capable(agent.free.allocatableTo(client.role), capabilities)
    const view = { resources, scalars: emptyRow() }
    this.#counter.count(view.scalars, resources)
    if (isKeyed) agent.views.set(key, view)
    return view
  }

  #isEnough(resources: Resources, client: Client): boolean {
    this.#counter.count(this.#row, resources)
    return isAllocatable(this.#row, 0, client.least)
  }

  #chop({ agent, client, stage }: Case, resources: Resources): Offering {
    const limiting = this.#allow({ agent, client, stage })
    if (limiting === undefined) return { resources }
    if (limiting === 'nothing') return HELD_BACK
    if (!this.#canBeEnough(agent, client)) return limiting
    const part = withinAllowance(resources, { allowance: this.#allowance, kinds: this.#kinds, stage })
    if (!this.#isEnough(part, client)) return limiting
    if (this.#filters.refuses(agent.index, client.index, part)) return REFUSED_PART
    return { resources: part }
  }

  /** Whether what is allowed, and with it all that quota does not count, may be an offer. */
  #canBeEnough(agent: Agent, client: Client): boolean {
    if (!agent.isSpecial) return isAllocatable(this.#allowed, 0, client.least)
    const { scalars } = this.view(agent, client)
    const row = agent.index * KINDS_MAX
    for (let kind = 0; kind < this.#kinds.count; kind++) {
      this.#row[kind] = scalars[kind]! - this.#agents.free[row + kind]! + this.#allowed[kind]!
    }
    return isAllocatable(this.#row, 0, client.least)
  }

  /**
   * Writes into #allowance how much of each kind that quota counts the client may have of the agent.
   *
   * @returns undefined when that is all there is, else what holds it back; 'nothing' when this stage is not for the client
   */
  #allow({ agent, client, stage }: Case): Offering | 'nothing' | undefined {
    const { books } = client
    const row = agent.index * KINDS_MAX
    let limiting: Offering | undefined
    let isNeeded = false
    for (let kind = 0; kind < this.#kinds.count; kind++) {
      const free = this.#agents.free[row + kind]!
      const limit = this.#quotas.limitLeft(books, kind)
      const headroom = this.#quotas.headroomFor(books, kind)
      let allowed = Math.min(limit, headroom)
      if (stage === 'guarantees' && books.guarantees[kind]! > 0) {
        allowed = Math.min(limit, books.missing[kind]!)
        if (allowed > 0 && free > 0) isNeeded = true
      }
      this.#allowance[kind] = allowed
      this.#allowed[kind] = Math.min(allowed, free)
      if (allowed < free) limiting = limit <= headroom ? LIMITED : HELD_BACK
    }
    if (stage === 'guarantees' && !isNeeded) return 'nothing'
    return stage === 'guarantees' ? (limiting ?? HELD_BACK) : limiting
  }
}

function mismatchOf(agent: Agent, client: Client): ReasonCode | undefined {
  const unsupported = client.needs & ~agent.supports
  const unknown = agent.demands & ~client.has
  if ((unsupported | unknown) === 0) return undefined
  if ((unsupported & 1) !== 0) return 'AGENT_WITHOUT_MULTI_ROLE'
  if (unsupported !== 0) return 'AGENT_WITHOUT_HIERARCHICAL_ROLE'
  return (unknown & 1) !== 0 ? 'GPU_NOT_WANTED' : 'AGENT_IN_REMOTE_REGION'
}
