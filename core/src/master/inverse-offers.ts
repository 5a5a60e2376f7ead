/**
 * Inverse offers: the master asks a framework to give up an agent, or resources on it, from a time on. The wire is that of Mesos
 * maintenance; there are two kinds, which do not disturb each other:
 *
 * - `maintenance` (maintenance.ts): the whole agent, since its machine is scheduled to go down; `unavailability` is that of the schedule;
 * - `reclaim`: the resources named, to be given back before `unavailability.start`, to keep what another role was promised.
 *
 * ```
 *  createInverseOffers ─▶ INVERSE_OFFERS ─┬─ ACCEPT_INVERSE_OFFERS  ─▶ answer: accepted ─┐ filter: not asked again
 *                                         ├─ DECLINE_INVERSE_OFFERS ─▶ answer: declined ─┘ for refuse_seconds
 *                                         ├─ agent inactive or lost, offer_timeout, taken back ─▶ RESCIND_INVERSE_OFFER
 *                                         └─ framework failed over, disconnected, removed      ─▶ forgotten silently
 * ```
 * At most one of a kind is outstanding for a framework on an agent. What was said last is kept as the framework's {@link Negotiation}
 * until its agent or the framework is gone, or `forgetNegotiations` is called. Inverse offers hold no resources; they need nothing of the
 * allocator, so that they work with any. Nothing here is durable: a new leader asks again (as in Mesos).
 */

import type { Unavailability } from '@isthmus/proto/gen/mesos'
import type { CallAcceptInverseOffers, CallDeclineInverseOffers } from '@isthmus/proto/gen/scheduler'
import type { Resources } from '../resources/resources.ts'
import { EMPTY } from './bag.ts'
import { inverseOfferMessage } from './inverse-messages.ts'
import { refuseMs } from './offers.ts'
import type { Agent, Framework, InverseOfferKind, MasterInverseOffer, Negotiation } from './state.ts'
import { cancelTimer, note, sendEvent, setTimer, type Turn } from './turn.ts'

const KINDS: readonly InverseOfferKind[] = ['maintenance', 'reclaim']

/** What a framework shall be asked for. */
export interface InverseOfferRequest {
  readonly framework: Framework
  readonly agent: Agent
  readonly kind: InverseOfferKind
  /** From when on it is wanted (its start is the deadline of a reclaim), and for how long; no duration = for good. */
  readonly unavailability: Unavailability
  /** Absent = everything on the agent. */
  readonly resources?: Resources | undefined
  /** Why, for people; not sent with maintenance, where Mesos has no place for it. */
  readonly reason?: string | undefined
}

/**
 * Sends inverse offers, one INVERSE_OFFERS message a framework. A request for a framework or agent that is not active is passed over. One of
 * the same kind that is outstanding is rescinded first. Filters are the caller's to look at ({@link isRefused}).
 *
 * @returns what was sent, in the order of the requests
 */
export function createInverseOffers(turn: Turn, requests: readonly InverseOfferRequest[]): MasterInverseOffer[] {
  const byFramework = new Map<Framework, MasterInverseOffer[]>()
  const all: MasterInverseOffer[] = []
  for (const request of requests) {
    const { framework, agent } = request
    if (framework.streamId === undefined || !framework.active || !agent.active) continue
    const offer = createInverseOffer(turn, request)
    all.push(offer)
    const list = byFramework.get(framework)
    if (list === undefined) byFramework.set(framework, [offer])
    else list.push(offer)
  }
  for (const [framework, offers] of byFramework) {
    const inverse_offers = offers.map((offer) => {
      return inverseOfferMessage(offer, turn.state.agents.get(offer.agentId)!, framework)
    })
    sendEvent(turn, framework, { type: 'INVERSE_OFFERS', inverse_offers: { inverse_offers } })
  }
  return all
}

function createInverseOffer(turn: Turn, request: InverseOfferRequest): MasterInverseOffer {
  const { state } = turn
  const { framework, agent, kind, unavailability, resources = EMPTY, reason } = request
  const earlier = outstanding(turn, framework, agent.id, kind)
  if (earlier !== undefined) rescindInverseOffer(turn, earlier)
  const offer: MasterInverseOffer = {
    // One sequence with offers, so that an id is never both.
    id: `${state.options.masterId}-O${state.nextOffer++}`,
    frameworkId: framework.id,
    agentId: agent.id,
    kind,
    unavailability,
    resources,
    reason,
  }
  state.inverseOffers.set(offer.id, offer)
  framework.inverseOffers.add(offer.id)
  agent.inverseOffers.add(offer.id)
  negotiationFor(framework, agent.id, kind).offerId = offer.id
  const { offerTimeoutMs } = state.options
  if (offerTimeoutMs > 0 && kind === 'maintenance') {
    setTimer(turn, { kind: 'inverseOfferTimeout', inverseOfferId: offer.id }, turn.atMs + offerTimeoutMs)
  }
  return offer
}

/** What a framework said last about an agent, and whether it is being asked now; undefined = it never was. */
export function negotiation(framework: Framework, agentId: string, kind: InverseOfferKind): Negotiation | undefined {
  return framework.negotiations[kind].get(agentId)
}

/** Whether a framework asked not to be asked about this agent now. */
export function isRefused(framework: Framework, agentId: string, kind: InverseOfferKind, atMs: number): boolean {
  return (negotiation(framework, agentId, kind)?.refusedUntilMs ?? 0) > atMs
}

function negotiationFor(framework: Framework, agentId: string, kind: InverseOfferKind): Negotiation {
  const known = negotiation(framework, agentId, kind)
  if (known !== undefined) return known
  const fresh: Negotiation = { offerId: undefined, answer: undefined, refusedUntilMs: 0 }
  framework.negotiations[kind].set(agentId, fresh)
  return fresh
}

function outstanding(turn: Turn, framework: Framework, agentId: string, kind: InverseOfferKind) {
  const id = negotiation(framework, agentId, kind)?.offerId
  return id === undefined ? undefined : turn.state.inverseOffers.get(id)
}

/** ACCEPT_INVERSE_OFFERS: the framework will be gone in time. Ids that are not outstanding, or another framework's, are ignored. */
export function acceptInverseOffers(turn: Turn, framework: Framework, call: CallAcceptInverseOffers): void {
  answer(turn, framework, call, true)
}

/** DECLINE_INVERSE_OFFERS: the framework stays as long as it is let. Ids as above. */
export function declineInverseOffers(turn: Turn, framework: Framework, call: CallDeclineInverseOffers): void {
  answer(turn, framework, call, false)
}

function answer(
  turn: Turn,
  framework: Framework,
  { inverse_offer_ids = [], filters }: CallAcceptInverseOffers | CallDeclineInverseOffers,
  isAccepted: boolean,
): void {
  for (const { value } of inverse_offer_ids) {
    const offer = turn.state.inverseOffers.get(value)
    if (offer?.frameworkId !== framework.id) {
      note(turn, 'info', 'answer to an inverse offer that is not outstanding', {
        frameworkId: framework.id,
        inverseOfferId: value,
      })
      continue
    }
    takeInverseOffer(turn, offer)
    const said = negotiationFor(framework, offer.agentId, offer.kind)
    said.answer = { isAccepted, offerId: offer.id, atMs: turn.atMs }
    said.refusedUntilMs = Math.max(said.refusedUntilMs, turn.atMs + refuseMs(filters))
  }
}

/** Takes an inverse offer out of the books, silently. */
function takeInverseOffer(turn: Turn, offer: MasterInverseOffer): void {
  const { state } = turn
  state.inverseOffers.delete(offer.id)
  state.agents.get(offer.agentId)?.inverseOffers.delete(offer.id)
  const framework = state.frameworks.get(offer.frameworkId)
  if (framework !== undefined) {
    framework.inverseOffers.delete(offer.id)
    const said = negotiation(framework, offer.agentId, offer.kind)
    if (said?.offerId === offer.id) said.offerId = undefined
  }
  if (state.options.offerTimeoutMs > 0 && offer.kind === 'maintenance') {
    cancelTimer(turn, { kind: 'inverseOfferTimeout', inverseOfferId: offer.id })
  }
}

/** Takes an inverse offer back and tells the framework. */
export function rescindInverseOffer(turn: Turn, offer: MasterInverseOffer): void {
  takeInverseOffer(turn, offer)
  const framework = turn.state.frameworks.get(offer.frameworkId)
  if (framework === undefined) return
  sendEvent(turn, framework, {
    type: 'RESCIND_INVERSE_OFFER',
    rescind_inverse_offer: { inverse_offer_id: { value: offer.id } },
  })
}

/** The agent is not active any more: what is asked about it is taken back. Of one kind only, when it is named. */
export function rescindAgentInverseOffers(turn: Turn, agent: Agent, kind?: InverseOfferKind): void {
  for (const id of [...agent.inverseOffers]) {
    const offer = turn.state.inverseOffers.get(id)!
    if (kind === undefined || offer.kind === kind) rescindInverseOffer(turn, offer)
  }
}

/** The framework cannot be told, or is another now: what it was asked is forgotten. */
export function discardFrameworkInverseOffers(turn: Turn, framework: Framework): void {
  for (const id of [...framework.inverseOffers]) takeInverseOffer(turn, turn.state.inverseOffers.get(id)!)
}

/** Ends the framework's filters of inverse offers: it may be asked again at once (REVIVE, or it was away). */
export function forgetRefusals(framework: Framework): void {
  for (const kind of KINDS) for (const said of framework.negotiations[kind].values()) said.refusedUntilMs = 0
}

/** Forgets what was said about an agent: it is gone, or what is asked of it has changed. O(frameworks). */
export function forgetNegotiations(turn: Turn, agentId: string, kinds: readonly InverseOfferKind[] = KINDS): void {
  for (const { negotiations } of turn.state.frameworks.values()) {
    for (const kind of kinds) negotiations[kind].delete(agentId)
  }
}

/** Of a framework that has been asked nothing. */
export function createNegotiations(): Framework['negotiations'] {
  return { maintenance: new Map(), reclaim: new Map() }
}

/** Forgets all that was said with a framework: it is over. */
export function clearNegotiations({ negotiations }: Framework): void {
  for (const kind of KINDS) negotiations[kind].clear()
}
