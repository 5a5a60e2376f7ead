import { type Rejection, reject } from '@isthmus/core/base/result'
import { parseConstraint } from './constraints.ts'
import type { BridgeEffect } from './effects.ts'
import type { BridgeEvent } from './events.ts'
import { flexKey, flexKeyOf } from './flex-key.ts'
import { isUp } from './node-manager.ts'
import type { BridgeState } from './state.ts'
import { saveWishes } from './wishes.ts'

/** NodeManagers of one profile that may be asked for, by one call and by all together. */
export const FLEX_INSTANCES_MAX = 10_000

/**
 * Changes how many NodeManagers of a profile are wanted by hand; the next decision launches or drains them.
 *
 * Answers with a rejection, and changes nothing, for an unknown profile (PROFILE_UNKNOWN), a count that is not a whole number
 * from 1 (INSTANCES_INVALID) or a constraint that is none (CONSTRAINT_INVALID). Fewer than none is none, as in Apache Myriad, which takes flexdown of more than exists.
 */
export function flex(state: BridgeState, event: Extract<BridgeEvent, { kind: 'flexRequested' }>): BridgeEffect[] {
  const key = flexKey(event.profile, event.constraint)
  const present = [...state.nodeManagers.values()].filter(
    (nodeManager) => flexKeyOf(nodeManager) === key && isUp(nodeManager),
  ).length
  const wanted = Math.max(0, (state.wantedByProfile.get(key) ?? present) + event.delta)
  const constraint = event.constraint === undefined ? undefined : parseConstraint(event.constraint)
  const rejection =
    flexRejection(state, event.profile, event.delta, wanted) ??
    (constraint?.ok === false ? constraint.rejection : undefined)
  if (rejection !== undefined) return [{ kind: 'answer', requestId: event.requestId, rejection }]
  state.wantedByProfile.set(key, wanted)
  return [saveWishes(state), { kind: 'answer', requestId: event.requestId }]
}

function flexRejection(state: BridgeState, profile: string, delta: number, wanted: number): Rejection | undefined {
  const names = state.policy.profiles.map(({ name }) => name)
  if (!names.includes(profile)) {
    const message = `there is no profile '${profile}'; there are ${names.join(', ')}`
    return rejectionOf(reject({ code: 'PROFILE_UNKNOWN', message, profile }))
  }
  if (!Number.isInteger(delta) || delta === 0 || Math.abs(delta) > FLEX_INSTANCES_MAX) {
    const message = `instances has to be a whole number from 1 to ${FLEX_INSTANCES_MAX}`
    return rejectionOf(reject({ code: 'INSTANCES_INVALID', message, instances: delta }))
  }
  if (wanted <= FLEX_INSTANCES_MAX) return undefined
  const message = `${wanted} NodeManagers of ${profile} would be wanted, ${FLEX_INSTANCES_MAX} are allowed`
  return rejectionOf(reject({ code: 'INSTANCES_INVALID', message, instances: delta }))
}

function rejectionOf(result: { readonly ok: false; readonly rejection: Rejection }): Rejection {
  return result.rejection
}
