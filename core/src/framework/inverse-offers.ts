// Inverse offers, as a framework meets them: the master wants an agent, or resources there, from a time on. A framework accepts when it
// will be gone by then, or declines; either way it is asked again after `refuseSeconds` while it still has something there.
// While there is no subscription nothing is held: who subscribes again is asked again.

import type { Filters, InverseOffer, Resource } from '@isthmus/proto/gen/mesos'
import type { FrameworkEffect } from './effects.ts'
import type { FrameworkState } from './framework.ts'

/** What an inverse offer asks for, read. */
export interface Wish {
  /** Absent where a master asks for something that is on no agent (Mesos never does). */
  readonly agentId: string | undefined
  /** `maintenance`: the machine goes down. `reclaim`: another role was promised these resources; they will be taken. */
  readonly kind: 'maintenance' | 'reclaim'
  /** To be gone by then; Unix milliseconds, possibly past. */
  readonly deadlineMs: number
  /** How long it will be unavailable; absent = for good or not known. */
  readonly durationMs: number | undefined
  /** Empty = everything on the agent. */
  readonly resources: readonly Resource[]
  /** Why, for people. */
  readonly reason: string | undefined
}

/** Reads an inverse offer. One without a kind in its url's query is for maintenance, as all of Mesos are. */
export function readInverseOffer(offer: InverseOffer): Wish {
  const { start, duration } = offer.unavailability
  const query = new Map((offer.url?.query ?? []).map(({ key, value }) => [key, value]))
  return {
    agentId: offer.agent_id?.value,
    kind: query.get('kind') === 'reclaim' ? 'reclaim' : 'maintenance',
    deadlineMs: milliseconds(start.nanoseconds),
    durationMs: duration && milliseconds(duration.nanoseconds),
    resources: offer.resources ?? [],
    reason: query.get('reason'),
  }
}

function milliseconds(nanoseconds: number | bigint): number {
  return Number(nanoseconds) / 1e6
}

/** Says that the framework will be gone in time. Ids that are no longer held are left out. */
export function acceptInverseOffers(
  state: FrameworkState,
  inverseOfferIds: readonly string[],
  refuseSeconds?: number,
): FrameworkEffect[] {
  const answer = takeHeld(state, inverseOfferIds, refuseSeconds)
  if (answer === undefined) return []
  const framework_id = state.frameworkId
  return [{ kind: 'sendCall', call: { type: 'ACCEPT_INVERSE_OFFERS', framework_id, accept_inverse_offers: answer } }]
}

/** Says that the framework stays as long as it is let. Ids that are no longer held are left out. */
export function declineInverseOffers(
  state: FrameworkState,
  inverseOfferIds: readonly string[],
  refuseSeconds?: number,
): FrameworkEffect[] {
  const answer = takeHeld(state, inverseOfferIds, refuseSeconds)
  if (answer === undefined) return []
  const framework_id = state.frameworkId
  return [{ kind: 'sendCall', call: { type: 'DECLINE_INVERSE_OFFERS', framework_id, decline_inverse_offers: answer } }]
}

function takeHeld(state: FrameworkState, ids: readonly string[], refuseSeconds: number | undefined) {
  const held = ids.filter((id) => state.inverseOffers.delete(id))
  if (held.length === 0) return undefined
  const filters: Filters | undefined = refuseSeconds === undefined ? undefined : { refuse_seconds: refuseSeconds }
  return { inverse_offer_ids: held.map((value) => ({ value })), filters }
}

/** Keeps what the master asks, and tells it. */
export function inverseOffersReceived(state: FrameworkState, offers: readonly InverseOffer[]): FrameworkEffect[] {
  for (const offer of offers) state.inverseOffers.set(offer.id.value, offer)
  return offers.length === 0 ? [] : [{ kind: 'inverseOffersReceived', inverseOffers: offers }]
}

/** The master asks no more. */
export function inverseOfferRescinded(state: FrameworkState, id: string): FrameworkEffect[] {
  return state.inverseOffers.delete(id) ? [{ kind: 'inverseOfferRescinded', inverseOfferId: { value: id } }] : []
}
