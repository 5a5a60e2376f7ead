/** The operator event stream: who listens, and what they are told. */

import type { Event } from '@isthmus/proto/gen/master'
import { nextUuid } from '../base/random.ts'
import { stateResponse } from './operator-reads.ts'
import type { MasterState } from './state.ts'
import { cancelTimer, setTimer, type Turn } from './turn.ts'

/** Seconds between the heartbeats of scheduler and operator streams. */
export const HEARTBEAT_SECONDS = 15

/** Tells every subscriber. The event is built only when someone listens. */
export function publish(turn: Turn, event: (state: MasterState) => Event): void {
  const { subscribers } = turn.state
  if (subscribers.size === 0) return
  turn.effects.push({ kind: 'sendOperatorEvent', streamIds: [...subscribers], event: event(turn.state) })
}

/** Opens an operator stream: SUBSCRIBED with the whole state, then heartbeats. Beyond the limit the oldest subscriber is dropped. */
export function subscribeOperator(turn: Turn, requestId: string): void {
  const { state } = turn
  if (state.subscribers.size >= state.options.maxOperatorEventStreamSubscribers) dropOldest(turn)
  const streamId = nextUuid(state.random)
  state.subscribers.add(streamId)
  state.streams.set(streamId, { kind: 'operator' })
  turn.effects.push({ kind: 'openStream', requestId, streamId, of: 'operator' })
  turn.effects.push({
    kind: 'sendOperatorEvent',
    streamIds: [streamId],
    event: {
      type: 'SUBSCRIBED',
      subscribed: { get_state: stateResponse(state), heartbeat_interval_seconds: HEARTBEAT_SECONDS },
    },
  })
  beatOperator(turn, streamId)
}

/** Sends a heartbeat to one operator stream and asks for the next. */
export function beatOperator(turn: Turn, streamId: string): void {
  turn.effects.push({ kind: 'sendOperatorEvent', streamIds: [streamId], event: { type: 'HEARTBEAT' } })
  setTimer(turn, { kind: 'heartbeat', streamId }, turn.atMs + HEARTBEAT_SECONDS * 1000)
}

/** Forgets an operator stream that ended. */
export function forgetSubscriber(turn: Turn, streamId: string): void {
  turn.state.subscribers.delete(streamId)
  turn.state.streams.delete(streamId)
  cancelTimer(turn, { kind: 'heartbeat', streamId })
}

function dropOldest(turn: Turn): void {
  const oldest = turn.state.subscribers.values().next().value
  if (oldest === undefined) return
  forgetSubscriber(turn, oldest)
  turn.effects.push({ kind: 'closeStream', streamId: oldest })
}
