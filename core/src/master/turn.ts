/** One step in progress: the state, the time, and what has been asked of the world so far. The ways to ask are here. */

import type { MasterMessage } from '@isthmus/proto/gen/agent-link'
import type { Response as OperatorResponse } from '@isthmus/proto/gen/master'
import type { Event as SchedulerEvent } from '@isthmus/proto/gen/scheduler'
import { count } from './counters.ts'
import type { MasterEffect, Note } from './effects.ts'
import type { MasterTimer } from './events.ts'
import type { RegistryRecord } from './registry.ts'
import type { Agent, Continuation, Framework, MasterState } from './state.ts'

/** A step in progress. */
export interface Turn {
  readonly state: MasterState
  readonly atMs: number
  readonly effects: MasterEffect[]
  /** Written in one `commitRegistry` at the end of the step. */
  readonly records: RegistryRecord[]
  /** What follows when they are stored. */
  readonly continuations: Continuation[]
}

/** Answers a request with a status and a text. */
export function respond(turn: Turn, requestId: string, status: number, text?: string): void {
  turn.effects.push(
    text === undefined ? { kind: 'respond', requestId, status } : { kind: 'respond', requestId, status, text },
  )
}

/** Answers an operator call with a message. */
export function respondMessage(turn: Turn, requestId: string, response: OperatorResponse): void {
  turn.effects.push({ kind: 'respondMessage', requestId, response })
}

/** Sends an event to a framework; a disconnected one is told nothing. */
export function sendEvent(turn: Turn, framework: Framework, event: SchedulerEvent): void {
  if (framework.streamId === undefined) return
  count(framework.counters, 'events')
  count(framework.counters, `events/${(event.type ?? 'UNKNOWN').toLowerCase()}`)
  turn.effects.push({ kind: 'sendEvent', streamId: framework.streamId, event })
}

/** Sends a message to an agent; a disconnected one is told nothing. */
export function sendToAgent(turn: Turn, agent: Agent, message: MasterMessage): void {
  if (agent.linkId === undefined) return
  turn.effects.push({ kind: 'sendToAgent', linkId: agent.linkId, message })
}

/** Asks for a write; `then` happens when it is stored. */
export function commit(turn: Turn, records: readonly RegistryRecord[], then: Continuation): void {
  turn.records.push(...records)
  turn.continuations.push(then)
}

/** Asks to be woken; the same timer asked for again replaces the earlier one. */
export function setTimer(turn: Turn, timer: MasterTimer, atMs: number): void {
  turn.effects.push({ kind: 'setTimer', key: timerKey(timer), timer, atMs })
}

/** Forgets a timer. */
export function cancelTimer(turn: Turn, timer: MasterTimer): void {
  turn.effects.push({ kind: 'cancelTimer', key: timerKey(timer) })
}

/** Says something for the log. */
export function note(turn: Turn, level: Note['level'], message: string, fields: Note['fields']): void {
  turn.effects.push({ kind: 'note', level, message, fields })
}

function timerKey(timer: MasterTimer): string {
  switch (timer.kind) {
    case 'allocation':
    case 'allocationRest':
    case 'agentReregister':
    case 'agentRemoval':
    case 'registryUpkeep':
      return timer.kind
    case 'heartbeat':
      return `heartbeat ${timer.streamId}`
    case 'agentPing':
      return `agentPing ${timer.agentId}`
    case 'frameworkFailover':
      return `frameworkFailover ${timer.frameworkId}`
    case 'offerTimeout':
      return `offerTimeout ${timer.offerId}`
    case 'inverseOfferTimeout':
      return `inverseOfferTimeout ${timer.inverseOfferId}`
    default:
      return timer satisfies never
  }
}
