/**
 * One run over some agents: for each, the first client in line that may have its free rest gets it, until nobody wants more.
 *
 * A "no" that lasts (refused, not capable, nothing for the role) is remembered as a bit of agent and client, so that the next look at the
 * agent scans 32 clients a word instead of asking each one. Few clients left are put in line among themselves; many are walked in the order of
 * the tree. So a run costs what is offered and what has changed, not agents × frameworks.
 */

import type { Resources } from '../resources/resources.ts'
import type { Agent, Agents } from './agents.ts'
import { type Bits, clearBit, isSelected, membersOf, type Selection } from './bits.ts'
import type { Clients } from './clients.ts'
import { KINDS_MAX } from './kinds.ts'
import { isAllocatable } from './least.ts'
import type { Offerings, Stage } from './offering.ts'
import type { Quotas } from './quota.ts'
import type { RoleTree } from './role-tree.ts'

/** Candidates that are put in line among themselves; more of them are found by walking the tree. */
const FEW_CANDIDATES = 64

/** Candidates that are looked for one by one before the rest is sorted: mostly one of the first takes the agent. */
const LOOKED_FOR = 4

/** Gives resources of an agent to a client. */
export type Take = (agent: Agent, client: number, resources: Resources) => void

/** What a run works with. */
export interface RoundParts {
  readonly agents: Agents
  readonly clients: Clients
  readonly tree: RoleTree
  readonly quotas: Quotas
  readonly offerings: Offerings
  readonly take: Take
}

/** Visits agents and gives what is free there to clients in line. */
export class Round {
  readonly #parts: RoundParts
  readonly #few = new Int32Array(FEW_CANDIDATES)
  readonly #tryClient = (client: number): boolean => this.#try(client)
  readonly #selection: Selection = {
    of: new Int32Array(1),
    only: undefined,
    blocked: undefined,
    closed: undefined,
    excluded: undefined,
    passed: undefined,
  }
  #agent: Agent | undefined
  #closedRest: Bits = new Int32Array(1)
  readonly #question: { stage: Stage; withoutShared: boolean } = { stage: 'all', withoutShared: false }

  constructor(parts: RoundParts) {
    this.#parts = parts
  }

  /** Gives an agent's free rest to clients whose guarantees need it. */
  visitForGuarantees(agent: Agent): void {
    if (!agent.isActive || !this.#isNeededForGuarantees(agent)) return
    this.#visit(agent, 'guarantees')
  }

  /** Gives an agent's free rest to clients in line, until nobody may or wants to have more. */
  visit(agent: Agent): void {
    if (agent.isActive) this.#visit(agent, 'all')
  }

  #visit(agent: Agent, stage: Stage): void {
    this.#agent = agent
    this.#question.stage = stage
    this.#question.withoutShared = false
    this.#parts.tree.visitAgent()
    while (!this.#isExhausted(agent) && this.#offerToNext(agent)) {
      // One client less wants something, or the agent has less.
    }
  }

  /** Whether nobody can get anything, by a look at the agent alone. */
  #isExhausted(agent: Agent): boolean {
    if (agent.free.isEmpty) return true
    const { agents, clients } = this.#parts
    if (agent.isSpecial || clients.ownLeastCount > 0) return false
    return !isAllocatable(agents.free, agent.index * KINDS_MAX, clients.leastDefault)
  }

  #offerToNext(agent: Agent): boolean {
    this.#parts.tree.refresh()
    this.#select(agent)
    if (this.#offerToSelected(agent)) return true
    if (agent.passed === undefined) return false
    // All others have had their turn.
    agent.passed = undefined
    this.#selection.passed = undefined
    return this.#offerToSelected(agent)
  }

  #offerToSelected(agent: Agent): boolean {
    const count = membersOf(this.#selection, this.#few)
    if (count === 0) return false
    if (count > 0) return this.#tryInOrder([...this.#few.subarray(0, count)])
    if (this.#isOnlyReserved(agent)) return this.#tryInOrder(this.#clientsOfReservations(agent))
    const passesClosed = this.#selection.closed !== undefined && !this.#isReservedForClosed(agent)
    return this.#parts.tree.walk(this.#tryClient, undefined, passesClosed) >= 0
  }

  /** Those in line who may have something of the agent, as far as bits can tell. */
  #select(agent: Agent): void {
    const { clients, quotas } = this.#parts
    const selection = this.#selection
    selection.of = clients.active
    selection.blocked = agent.blocked
    selection.only = undefined
    selection.closed = undefined
    selection.excluded = agent.excluded
    selection.passed = agent.passed
    if (this.#question.stage === 'guarantees') selection.only = quotas.missing
    else if (quotas.isUsed && clients.ownLeastCount === 0) {
      selection.closed = agent.isSpecial ? this.#closedFor(agent) : quotas.closed
      if (!agent.isSpecial && !quotas.hasSurplus) selection.only = quotas.missing
    }
  }

  /** Whether clients of a closed role may have what is reserved for it. */
  #isReservedForClosed(agent: Agent): boolean {
    return agent.reservedRoles.some((role) => this.#parts.quotas.booksOf(role)?.isClosed === true)
  }

  /** Closed clients that nothing special of the agent is for, either; undefined when that takes a closer look. */
  #closedFor(agent: Agent): Bits | undefined {
    const { free } = agent
    if (!free.shared().isEmpty || !free.revocable().isEmpty) return undefined
    const { closed } = this.#parts.quotas
    if (this.#closedRest.length !== closed.length) this.#closedRest = new Int32Array(closed.length)
    this.#closedRest.set(closed)
    for (const client of this.#clientsOfReservations(agent)) clearBit(this.#closedRest, client)
    return this.#closedRest
  }

  #tryInOrder(candidates: number[]): boolean {
    const { clients, tree } = this.#parts
    const compare = (a: number, b: number) => tree.compare(clients.list[a]!.node, clients.list[b]!.node)
    for (let from = 0; from < LOOKED_FOR && from < candidates.length; from++) {
      let first = from
      for (let at = from + 1; at < candidates.length; at++) {
        if (compare(candidates[at]!, candidates[first]!) < 0) first = at
      }
      const found = candidates[first]!
      candidates[first] = candidates[from]!
      if (this.#try(found)) return true
    }
    return candidates.slice(LOOKED_FOR).sort(compare).some(this.#tryClient)
  }

  #try(index: number): boolean {
    const agent = this.#agent!
    const { agents, clients, offerings, take } = this.#parts
    if (!isSelected(this.#selection, index)) return false
    const client = clients.list[index]!
    const offering = offerings.offer(agent, client, this.#question)
    if ('reason' in offering) {
      if (offering.isLasting) {
        agents.block(agent, index)
        this.#selection.blocked = agent.blocked
      }
      return false
    }
    if (agent.isSpecial && !offering.resources.shared().isEmpty) this.#question.withoutShared = true
    take(agent, index, offering.resources)
    return true
  }

  #isNeededForGuarantees(agent: Agent): boolean {
    const { agents, quotas } = this.#parts
    const row = agent.index * KINDS_MAX
    for (let kind = 0; kind < KINDS_MAX; kind++) {
      if (quotas.required[kind]! > 0 && agents.free[row + kind]! > 0) return true
    }
    return false
  }

  /** Whether what is free beside reservations is too little for anybody. */
  #isOnlyReserved(agent: Agent): boolean {
    const { clients, agents } = this.#parts
    if (!agent.isSpecial || clients.ownLeastCount > 0) return false
    if (agent.free.unreserved().revocable().isEmpty) {
      return !isAllocatable(agents.free, agent.index * KINDS_MAX, clients.leastDefault)
    }
    return false
  }

  /** The clients in line that something free is reserved for. */
  #clientsOfReservations(agent: Agent): number[] {
    const { tree } = this.#parts
    const found = new Set<number>()
    for (const role of agent.reservedRoles) {
      const node = tree.roleNode(role)
      if (node === undefined) continue
      tree.walk((client) => {
        found.add(client)
        return false
      }, node)
    }
    return [...found]
  }
}
