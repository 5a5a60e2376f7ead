/**
 * What a master asks of the world, in order. The shell in core/src/io performs them; it decides nothing.
 *
 * Order: effects of one step are performed in the order given. What reveals a change that must survive a crash is emitted only after
 * `registryCommitted` of the `commitRegistry` that holds it.
 */

import type { MasterMessage } from '@isthmus/proto/gen/agent-link'
import type { Event as OperatorEvent, Response as OperatorResponse } from '@isthmus/proto/gen/master'
import type { Event as SchedulerEvent } from '@isthmus/proto/gen/scheduler'
import type { MasterTimer } from './events.ts'
import type { RegistryRecord } from './registry.ts'

/** Answers a request with a status and a plain text (no text: an empty body). */
export interface Respond {
  readonly kind: 'respond'
  readonly requestId: string
  readonly status: number
  readonly text?: string | undefined
}

/** Answers an operator call with 200 and a message in the negotiated encoding. */
export interface RespondMessage {
  readonly kind: 'respondMessage'
  readonly requestId: string
  readonly response: OperatorResponse
}

/** Answers a SUBSCRIBE: 200 with an endless RecordIO stream; scheduler streams carry the header Mesos-Stream-Id: `streamId`. */
export interface OpenStream {
  readonly kind: 'openStream'
  readonly requestId: string
  readonly streamId: string
  readonly of: 'scheduler' | 'operator'
}

/** Sends an event on a scheduler stream. Streams that are gone are ignored. */
export interface SendEvent {
  readonly kind: 'sendEvent'
  readonly streamId: string
  readonly event: SchedulerEvent
}

/** Sends one event to each of these operator streams (encode it once). */
export interface SendOperatorEvent {
  readonly kind: 'sendOperatorEvent'
  readonly streamIds: readonly string[]
  readonly event: OperatorEvent
}

/** Ends a stream after what was sent; no `streamClosed` event follows. */
export interface CloseStream {
  readonly kind: 'closeStream'
  readonly streamId: string
}

/** Answers an agent's first message: 200 with an endless RecordIO stream of MasterMessage and the header Isthmus-Link-Id. */
export interface OpenLink {
  readonly kind: 'openLink'
  readonly requestId: string
  readonly linkId: string
}

/** Sends a message to an agent. Links that are gone are ignored. */
export interface SendToAgent {
  readonly kind: 'sendToAgent'
  readonly linkId: string
  readonly message: MasterMessage
}

/** Ends an agent's link after what was sent; no `agentLinkClosed` event follows. */
export interface CloseLink {
  readonly kind: 'closeLink'
  readonly linkId: string
}

/** Stores the records in one write, after all earlier ones; answered by `registryCommitted` or `registryFailed`. */
export interface CommitRegistry {
  readonly kind: 'commitRegistry'
  readonly records: readonly RegistryRecord[]
  readonly token: number
}

/** Fires `timerFired` with this timer at `atMs` or later; the same key replaces an earlier one. */
export interface SetTimer {
  readonly kind: 'setTimer'
  readonly key: string
  readonly timer: MasterTimer
  readonly atMs: number
}

/** Forgets a timer; unknown keys are ignored. */
export interface CancelTimer {
  readonly kind: 'cancelTimer'
  readonly key: string
}

/** A line for the log. */
export interface Note {
  readonly kind: 'note'
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** The master must stop leading: the registry cannot be written any more. The process ends or contends again. */
export interface Abdicate {
  readonly kind: 'abdicate'
  readonly reason: string
}

/** Any effect of the master machine. */
export type MasterEffect =
  | Respond
  | RespondMessage
  | OpenStream
  | SendEvent
  | SendOperatorEvent
  | CloseStream
  | OpenLink
  | SendToAgent
  | CloseLink
  | CommitRegistry
  | SetTimer
  | CancelTimer
  | Note
  | Abdicate
