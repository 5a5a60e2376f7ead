/**
 * Offers: made of allocations, held until they are accepted, declined, rescinded or time out. While an offer lives its resources count
 * as the framework's in the allocator; every way out of here gives them back or hands them to a launch.
 */

import type { Offer } from '@isthmus/proto/gen/mesos'
import { type Allocation, REFUSE_MS_MAX } from '../allocator/contract.ts'
import { isEmpty } from './bag.ts'
import { count } from './counters.ts'
import { offerMessage } from './messages.ts'
import { isAllocationPaused } from './recovery-pause.ts'
import type { Agent, Framework, MasterOffer } from './state.ts'
import { cancelTimer, sendEvent, setTimer, type Turn } from './turn.ts'

/** How long unused resources are not offered to this framework again; Mesos's default. */
const REFUSE_MS_DEFAULT = 5_000

/** Allocations made in one event-driven run; the rest follows in the next turn, so that calls in between are answered. */
const ALLOCATION_BUDGET = 10_000

/** Reads Filters.refuse_seconds: absent, negative or not a number is 5 s, at most a year. Returns milliseconds. */
export function refuseMs(filters: { readonly refuse_seconds?: number | undefined } | undefined): number {
  const seconds = filters?.refuse_seconds
  if (seconds === undefined || !(seconds >= 0)) return REFUSE_MS_DEFAULT
  return Math.min(seconds * 1000, REFUSE_MS_MAX)
}

/** The batch run over all agents. */
export function allocateBatch(turn: Turn): void {
  if (isAllocationPaused(turn)) return
  const { allocator, counters } = turn.state
  allocator.expireFilters(turn.atMs)
  count(counters, 'allocator/mesos/allocation_runs')
  makeOffers(turn, allocator.allocateAll(turn.atMs))
}

/** The event-driven run over the agents that changed. */
export function allocateDirty(turn: Turn): void {
  if (isAllocationPaused(turn)) return
  const { allocator, counters } = turn.state
  count(counters, 'allocator/mesos/allocation_runs')
  const allocations = allocator.allocate(turn.atMs, ALLOCATION_BUDGET)
  makeOffers(turn, allocations)
  if (allocations.length >= ALLOCATION_BUDGET) setTimer(turn, { kind: 'allocationRest' }, turn.atMs)
}

/** With more agents than this, runs over all of them that are asked for one after the other are made one. */
const COALESCED_AGENTS = 100

/** Asks for a run over all agents: in this turn, or in a large pool after the calls that wait already, which may ask for the same. */
export function allocateSoon(turn: Turn): void {
  if (turn.state.agents.size > COALESCED_AGENTS) setTimer(turn, { kind: 'allocationRest' }, turn.atMs)
  else turn.state.allocationDue = true
}

function makeOffers(turn: Turn, allocations: readonly Allocation[]): void {
  const messages = new Map<Framework, Offer[]>()
  for (const allocation of turn.state.registry.quotas.size === 0 ? allocations : merged(allocations)) {
    const framework = turn.state.frameworks.get(allocation.frameworkId)
    const agent = turn.state.agents.get(allocation.agentId)
    if (framework?.streamId === undefined || agent === undefined || !agent.active || isEmpty(allocation.resources)) {
      const { frameworkId, agentId, resources } = allocation
      turn.state.allocator.recoverResources(frameworkId, agentId, resources, undefined, turn.atMs)
      continue
    }
    const offer = makeOffer(turn, { framework, agent, allocation })
    const list = messages.get(framework)
    if (list === undefined) messages.set(framework, [offer])
    else list.push(offer)
  }
  for (const [framework, offers] of messages) {
    count(framework.counters, 'offers/sent', offers.length)
    sendEvent(turn, framework, { type: 'OFFERS', offers: { offers } })
  }
}

/** What a guarantee gives and what is given beyond it come one after the other, and are one offer of the agent for the role. */
function merged(allocations: readonly Allocation[]): readonly Allocation[] {
  const byKey = new Map<string, Allocation>()
  for (const allocation of allocations) {
    const key = JSON.stringify([allocation.frameworkId, allocation.role, allocation.agentId])
    const before = byKey.get(key)
    const resources = before?.resources.plus(allocation.resources) ?? allocation.resources
    byKey.set(key, { ...allocation, resources })
  }
  return byKey.size === allocations.length ? allocations : [...byKey.values()]
}

function makeOffer(
  turn: Turn,
  { framework, agent, allocation }: { framework: Framework; agent: Agent; allocation: Allocation },
): Offer {
  const { state } = turn
  const offer: MasterOffer = {
    id: `${state.options.masterId}-O${state.nextOffer++}`,
    frameworkId: framework.id,
    agentId: agent.id,
    role: allocation.role,
    resources: allocation.resources,
  }
  state.offers.set(offer.id, offer)
  framework.offers.add(offer.id)
  agent.offers.add(offer.id)
  const { offerTimeoutMs } = state.options
  if (offerTimeoutMs > 0) setTimer(turn, { kind: 'offerTimeout', offerId: offer.id }, turn.atMs + offerTimeoutMs)
  return offerMessage(offer, agent, framework)
}

/** Takes an offer out of the books; its resources stay the framework's until the caller says otherwise. */
export function takeOffer(turn: Turn, offer: MasterOffer): void {
  const { state } = turn
  state.offers.delete(offer.id)
  state.frameworks.get(offer.frameworkId)?.offers.delete(offer.id)
  state.agents.get(offer.agentId)?.offers.delete(offer.id)
  if (state.options.offerTimeoutMs > 0) cancelTimer(turn, { kind: 'offerTimeout', offerId: offer.id })
}

/** Ends an offer and gives its resources back to the pool, without telling the framework. */
export function discardOffer(turn: Turn, offer: MasterOffer, refusedForMs?: number): void {
  takeOffer(turn, offer)
  const filters = refusedForMs === undefined ? undefined : { refuseMs: refusedForMs }
  turn.state.allocator.recoverResources(offer.frameworkId, offer.agentId, offer.resources, filters, turn.atMs)
}

/** Ends an offer, gives its resources back and tells the framework. */
export function rescindOffer(turn: Turn, offer: MasterOffer): void {
  discardOffer(turn, offer)
  const framework = turn.state.frameworks.get(offer.frameworkId)
  if (framework === undefined) return
  count(framework.counters, 'offers/rescinded')
  sendEvent(turn, framework, { type: 'RESCIND', rescind: { offer_id: { value: offer.id } } })
}

/** Rescinds all offers of an agent. */
export function rescindAgentOffers(turn: Turn, agent: Agent): void {
  for (const id of [...agent.offers]) rescindOffer(turn, turn.state.offers.get(id)!)
}

/** Discards all offers of a framework that cannot be told. */
export function discardFrameworkOffers(turn: Turn, framework: Framework): void {
  for (const id of [...framework.offers]) discardOffer(turn, turn.state.offers.get(id)!)
}

/** A framework's own offers among these ids; each once, unknown and foreign ones left out. */
export function ownOffers(
  turn: Turn,
  framework: Framework,
  ids: readonly { readonly value: string }[] | undefined,
): MasterOffer[] {
  const own = new Map<string, MasterOffer>()
  for (const { value } of ids ?? []) {
    const offer = turn.state.offers.get(value)
    if (offer?.frameworkId === framework.id) own.set(value, offer)
  }
  return [...own.values()]
}
