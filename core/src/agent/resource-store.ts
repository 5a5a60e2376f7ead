/**
 * The disk follows the agent's resources before anyone hears of them.
 *
 * ```
 * stored ── an operation is applied, or acknowledged ──► changed ── end of the step ⇒ storeResources ──► storing
 *    ▲                                                                                                     │
 *    └──────────── resourcesStored: outcomes are told, messages that waited are taken ◄────────────────────┘
 * ```
 * While the disk is written messages of the master wait: a task on a new volume must not start before the volume is there. A broken
 * link ends the wait of its messages; the master finds out by the next registration, which waits for the disk too.
 */

import type { MasterMessage, MasterMessageApplyOperation } from '@isthmus/proto/gen/agent-link'
import { madeByOperations } from '../resources/checkpointed.ts'
import { applyOperation, tellOperation } from './operations.ts'
import { scheduleRegistration } from './registration.ts'
import { emit, note, type Turn } from './turn.ts'

/** Messages that wait for the disk at most; at more the agent registers anew, which says all again that counts. */
export const HELD_MESSAGES_MAX = 10_000

/** Whether a message was put aside until the disk has followed. */
export function holdMessage(turn: Turn, message: MasterMessage): boolean {
  const { state } = turn
  if (state.storePhase === 'stored' || message.type === 'PING') return false
  if (state.heldMessages.length < HELD_MESSAGES_MAX) {
    state.heldMessages.push(message)
    return true
  }
  note(turn, 'warn', 'too many messages wait for the disk', { heldCount: state.heldMessages.length })
  emit(turn, { kind: 'closeLink' })
  scheduleRegistration(turn)
  return true
}

/** APPLY_OPERATION. When it fails the master counts with another result: the next registration says what there is. */
export function takeOperation(turn: Turn, operation: MasterMessageApplyOperation): void {
  if (applyOperation(turn, operation)) return
  emit(turn, { kind: 'closeLink' })
  scheduleRegistration(turn)
}

/** At the end of each step: writes what has changed. */
export function storeChanges({ state, effects }: Turn): void {
  if (state.storePhase !== 'changed') return
  state.storePhase = 'storing'
  effects.push({
    kind: 'storeResources',
    resources: madeByOperations(state.total).toProto(),
    operations: [...state.operations.values()].map(({ operation }) => operation),
  })
}

/**
 * The disk has followed: outcomes are told. Messages that wait go on until one of them makes others wait again: each operation is stored
 * by itself, since a volume that is destroyed and created again in one go would keep its data.
 */
export function resourcesStored(turn: Turn, take: (message: MasterMessage) => void): void {
  const { state } = turn
  state.storePhase = 'stored'
  for (const [key, operation] of state.operations) {
    if (operation.isStored) continue
    operation.isStored = true
    tellOperation(turn, key, operation)
  }
  while (state.storePhase === 'stored' && state.heldMessages.length > 0) take(state.heldMessages.shift()!)
}
