// The scheduler side of the v1 API as a pure machine: a program that launches tasks keeps a FrameworkState, feeds it what
// its connection tells, and gets back what to send and what happened.
//
//        started                 streamOpened            SUBSCRIBED
//   idle ───────► subscribing ───────────────► subscribing ────────► subscribed ──► stopped (teardown or ERROR)
//                     ▲  streamClosed, heartbeat missed                  │
//                     └── waiting (backs off; not after masterDetected) ◄┘
//
// What it does by itself: subscribes again with the same id after a loss, capped exponential back-off; forgets offers with
// the subscription; acknowledges each update of a task or an operation after telling it; asks about every live task after each SUBSCRIBED, and again
// until the answer came (a task the master does not know is reported LOST or UNKNOWN by it) and is not that its agent is away; repeats a kill after a loss, and when a task is found again.
// What it does not do: decide. See offers.ts for matching, calls.ts for what a program asks, inverse-offers.ts for what it is asked.
//
// Sources: the Mesos scheduler HTTP API and its reconciliation guide.

import type {
  FrameworkID,
  FrameworkInfo,
  InverseOffer,
  KillPolicy,
  Offer,
  OperationStatus,
  TaskStatus,
} from '@isthmus/proto/gen/mesos'
import type { Event, OfferConstraints } from '@isthmus/proto/gen/scheduler'
import { acknowledge, acknowledgeOperation, launchedBy, reconcileLiveTasks } from './calls.ts'
import type { FrameworkEffect } from './effects.ts'
import type { FrameworkEvent, FrameworkTimer } from './events.ts'
import { inverseOfferRescinded, inverseOffersReceived } from './inverse-offers.ts'
import { isTerminal } from './task-states.ts'

/** First pause before subscribing again; doubles up to RESUBSCRIBE_MAX_MS. */
export const RESUBSCRIBE_MIN_MS = 250
export const RESUBSCRIBE_MAX_MS = 10_000
/** Heartbeats that may be missed before the stream is taken for dead. */
export const HEARTBEATS_MISSED_MAX = 5
/** Used until SUBSCRIBED tells the master's own interval. */
export const HEARTBEAT_INTERVAL_DEFAULT_MS = 15_000
/** First pause before asking again about tasks without an answer; doubles up to RECONCILE_MAX_MS. */
export const RECONCILE_MIN_MS = 2_000
export const RECONCILE_MAX_MS = 60_000

export type FrameworkPhase = 'idle' | 'subscribing' | 'waiting' | 'subscribed' | 'stopped'

/** What is known of one task the framework launched and has not seen end. */
export interface LiveTask {
  readonly taskId: string
  readonly agentId: string
  /** The last state heard; TASK_STAGING from the launch on. */
  state: NonNullable<TaskStatus['state']>
  /** A kill was asked for; it is sent again after a new subscription, under the same policy. */
  killRequested: boolean
  killPolicy?: KillPolicy | undefined
  /** The answer to the last reconciliation has not come yet, or was that nobody knows at present. */
  awaitsReconciliation: boolean
}

export interface FrameworkOptions {
  /** With an id: takes over that framework. Roles as the API asks: MULTI_ROLE with `roles`. */
  readonly info: FrameworkInfo
  readonly suppressedRoles?: readonly string[] | undefined
  readonly offerConstraints?: OfferConstraints | undefined
}

/** Changed in place by `step` and by the functions of calls.ts only. */
export interface FrameworkState {
  info: FrameworkInfo
  suppressedRoles: readonly string[]
  /** What the last SUBSCRIBE said of them; while it is under way, `suppressedRoles` may change. */
  suppressedAtSubscribe: readonly string[]
  offerConstraints: OfferConstraints | undefined
  phase: FrameworkPhase
  frameworkId: FrameworkID | undefined
  /** Offers that may still be accepted, by offer id. */
  readonly offers: Map<string, Offer>
  /** What the master asks for and was not answered yet, by id; see inverse-offers.ts. */
  readonly inverseOffers: Map<string, InverseOffer>
  /** Tasks launched and not yet ended, by task id. */
  readonly tasks: Map<string, LiveTask>
  heartbeatIntervalMs: number
  resubscribeAfterMs: number
  reconcileAfterMs: number
}

/** Makes a framework that has not subscribed yet. */
export function createFramework(options: FrameworkOptions): FrameworkState {
  return {
    info: options.info,
    suppressedRoles: options.suppressedRoles ?? [],
    suppressedAtSubscribe: [],
    offerConstraints: options.offerConstraints,
    phase: 'idle',
    frameworkId: options.info.id,
    offers: new Map(),
    inverseOffers: new Map(),
    tasks: new Map(),
    heartbeatIntervalMs: HEARTBEAT_INTERVAL_DEFAULT_MS,
    resubscribeAfterMs: RESUBSCRIBE_MIN_MS,
    reconcileAfterMs: RECONCILE_MIN_MS,
  }
}

/** Applies one event. Changes `state` in place; returns what to send and what happened, in order. Never throws on input. */
export function step(state: FrameworkState, event: FrameworkEvent): FrameworkEffect[] {
  if (state.phase === 'stopped') return []
  switch (event.kind) {
    case 'started':
      return state.phase === 'idle' ? subscribe(state) : []
    case 'masterDetected':
      return masterDetected(state)
    case 'streamOpened':
      return hasStream(state) ? [heartbeatTimer(state, event.atMs)] : []
    case 'eventReceived':
      if (!hasStream(state)) return []
      return [heartbeatTimer(state, event.atMs), ...received(state, event.event, event.atMs)]
    case 'streamClosed':
      return streamClosed(state, event.reason, event.atMs)
    case 'callRefused':
      return callRefused(state, event)
    case 'timerFired':
      return timerFired(state, event.timer, event.atMs)
    default:
      return event satisfies never
  }
}

/**
 * A call that got no answer may have been done or not, and another way to learn it than a new subscription is there for launches only: offers
 * of a lost DECLINE or ACCEPT would stay ours for ever. So the stream is given up, as if it had broken too.
 * Whether the tasks of a launch that was refused were launched nobody knows: the master is asked.
 */
function callRefused(
  state: FrameworkState,
  event: Extract<FrameworkEvent, { kind: 'callRefused' }>,
): FrameworkEffect[] {
  const { call, status, text, atMs } = event
  const failed: FrameworkEffect = { kind: 'callFailed', call, status, text }
  const launched = call.type === 'ACCEPT' ? launchedBy(call) : []
  for (const taskId of launched) {
    const task = state.tasks.get(taskId)
    if (task?.state === 'TASK_STAGING') task.awaitsReconciliation = true
  }
  if (status === 0 && state.phase === 'subscribed') {
    return [failed, { kind: 'closeStream' }, ...streamClosed(state, `${call.type} got no answer: ${text}`, atMs)]
  }
  if (launched.length === 0 || state.phase !== 'subscribed') return [failed]
  return [failed, ...reconcileAgain(state, atMs)]
}

/** A pause before subscribing again is over at once. */
function masterDetected(state: FrameworkState): FrameworkEffect[] {
  state.resubscribeAfterMs = RESUBSCRIBE_MIN_MS
  return state.phase === 'waiting' ? [{ kind: 'cancelTimer', key: 'resubscribe' }, ...subscribe(state)] : []
}

/** Says whether news can be of a stream of ours: what a stream given up still brings is about offers that are void. */
function hasStream(state: FrameworkState): boolean {
  return state.phase === 'subscribing' || state.phase === 'subscribed'
}

function subscribe(state: FrameworkState): FrameworkEffect[] {
  state.phase = 'subscribing'
  state.suppressedAtSubscribe = state.suppressedRoles
  const id = state.frameworkId
  const info: FrameworkInfo = id === undefined ? state.info : { ...state.info, id }
  return [
    {
      kind: 'openStream',
      call: {
        type: 'SUBSCRIBE',
        framework_id: id,
        subscribe: {
          framework_info: info,
          suppressed_roles: state.suppressedRoles,
          offer_constraints: state.offerConstraints,
        },
      },
    },
  ]
}

function streamClosed(state: FrameworkState, reason: string, atMs: number): FrameworkEffect[] {
  if (state.phase === 'waiting' || state.phase === 'idle') return []
  const wasSubscribed = state.phase === 'subscribed'
  state.phase = 'waiting'
  state.offers.clear()
  state.inverseOffers.clear()
  const waitMs = state.resubscribeAfterMs
  state.resubscribeAfterMs = Math.min(waitMs * 2, RESUBSCRIBE_MAX_MS)
  const effects: FrameworkEffect[] = [
    { kind: 'cancelTimer', key: 'heartbeat' },
    { kind: 'cancelTimer', key: 'reconcile' },
    { kind: 'setTimer', key: 'resubscribe', timer: { kind: 'resubscribe' }, atMs: atMs + waitMs },
  ]
  if (wasSubscribed) effects.push({ kind: 'disconnected', reason })
  return effects
}

function timerFired(state: FrameworkState, timer: FrameworkTimer, atMs: number): FrameworkEffect[] {
  switch (timer.kind) {
    case 'resubscribe':
      return state.phase === 'waiting' ? subscribe(state) : []
    case 'heartbeatTimeout':
      if (!hasStream(state)) return []
      return [{ kind: 'closeStream' }, ...streamClosed(state, 'the master sent no heartbeat', atMs)]
    case 'reconcile':
      return state.phase === 'subscribed' ? reconcileAgain(state, atMs) : []
    default:
      return timer satisfies never
  }
}

function received(state: FrameworkState, event: Event, atMs: number): FrameworkEffect[] {
  const isFirst = event.type === 'SUBSCRIBED' || event.type === 'ERROR'
  // Calls that answer it could not be sent yet; the master says nothing of the kind before SUBSCRIBED.
  if (state.phase !== 'subscribed' && !isFirst) return []
  switch (event.type) {
    case 'SUBSCRIBED':
      return subscribed(state, event, atMs)
    case 'OFFERS':
      return offersReceived(state, event.offers?.offers ?? [])
    case 'RESCIND':
      return event.rescind === undefined ? [] : rescinded(state, event.rescind.offer_id.value)
    case 'INVERSE_OFFERS':
      return inverseOffersReceived(state, event.inverse_offers?.inverse_offers ?? [])
    case 'RESCIND_INVERSE_OFFER': {
      const id = event.rescind_inverse_offer?.inverse_offer_id.value
      return id === undefined ? [] : inverseOfferRescinded(state, id)
    }
    case 'UPDATE':
      return event.update === undefined ? [] : updated(state, event.update.status, atMs)
    case 'UPDATE_OPERATION_STATUS':
      return event.update_operation_status === undefined ? [] : operated(state, event.update_operation_status.status)
    case 'MESSAGE':
      return messageReceived(event)
    case 'FAILURE':
      return failureReceived(event)
    case 'ERROR':
      return refused(state, event.error?.message ?? 'the master sent an ERROR without a message')
    default:
      return []
  }
}

function subscribed(state: FrameworkState, event: Event, atMs: number): FrameworkEffect[] {
  if (event.subscribed === undefined) return []
  state.phase = 'subscribed'
  state.frameworkId = event.subscribed.framework_id
  state.resubscribeAfterMs = RESUBSCRIBE_MIN_MS
  state.reconcileAfterMs = RECONCILE_MIN_MS
  const intervalSeconds = event.subscribed.heartbeat_interval_seconds
  if (intervalSeconds !== undefined && intervalSeconds > 0) state.heartbeatIntervalMs = intervalSeconds * 1000
  for (const task of state.tasks.values()) task.awaitsReconciliation = true
  const { framework_id: frameworkId, master_info: masterInfo } = event.subscribed
  const kills = [...state.tasks.values()].filter((task) => task.killRequested)
  return [
    heartbeatTimer(state, atMs),
    { kind: 'subscribed', frameworkId, masterInfo },
    ...settleSuppression(state),
    ...reconcileAgain(state, atMs),
    ...kills.map((task) => killCall(state, task)),
  ]
}

function killCall({ frameworkId }: FrameworkState, { taskId, agentId, killPolicy }: LiveTask): FrameworkEffect {
  const kill = { task_id: { value: taskId }, agent_id: { value: agentId }, kill_policy: killPolicy }
  return { kind: 'sendCall', call: { type: 'KILL', framework_id: frameworkId, kill } }
}

/** Tells what was suppressed or revived while the SUBSCRIBE was under way. */
function settleSuppression(state: FrameworkState): FrameworkEffect[] {
  const { suppressedRoles: now, suppressedAtSubscribe: before, frameworkId: framework_id } = state
  const revived = before.filter((role) => !now.includes(role))
  const suppressed = now.filter((role) => !before.includes(role))
  const effects: FrameworkEffect[] = []
  if (revived.length > 0) {
    effects.push({ kind: 'sendCall', call: { type: 'REVIVE', framework_id, revive: { roles: revived } } })
  }
  if (suppressed.length > 0) {
    effects.push({ kind: 'sendCall', call: { type: 'SUPPRESS', framework_id, suppress: { roles: suppressed } } })
  }
  return effects
}

/** Asks about every task without a certain state, and again later while answers are missing. */
function reconcileAgain(state: FrameworkState, atMs: number): FrameworkEffect[] {
  const call = reconcileLiveTasks(state)
  if (call === undefined) return []
  const waitMs = state.reconcileAfterMs
  state.reconcileAfterMs = Math.min(waitMs * 2, RECONCILE_MAX_MS)
  return [
    { kind: 'sendCall', call },
    { kind: 'setTimer', key: 'reconcile', timer: { kind: 'reconcile' }, atMs: atMs + waitMs },
  ]
}

function offersReceived(state: FrameworkState, offers: readonly Offer[]): FrameworkEffect[] {
  for (const offer of offers) state.offers.set(offer.id.value, offer)
  return offers.length === 0 ? [] : [{ kind: 'offersReceived', offers }]
}

function rescinded(state: FrameworkState, offerId: string): FrameworkEffect[] {
  return state.offers.delete(offerId) ? [{ kind: 'offerRescinded', offerId: { value: offerId } }] : []
}

function updated(state: FrameworkState, status: TaskStatus, atMs: number): FrameworkEffect[] {
  const taskId = status.task_id.value
  const task = state.tasks.get(taskId)
  const effects: FrameworkEffect[] = [{ kind: 'taskUpdated', status }]
  if (task !== undefined) {
    const isNews = task.state !== status.state
    task.state = status.state
    task.awaitsReconciliation = isUncertain(status.state)
    if (isTerminal(status.state)) state.tasks.delete(taskId)
    if (isNews && task.awaitsReconciliation) effects.push(...askLater(state, atMs))
  }
  const call = acknowledge(state, status)
  if (call !== undefined) effects.push({ kind: 'sendCall', call })
  // A master that did not know the task dropped the kill.
  if (task?.killRequested === true && isFoundAgain(status)) effects.push(killCall(state, task))
  return effects
}

/**
 * An agent that was away may come back without a task: its launch was under way, or it ended unseen. The master says nothing of such
 * a task by itself, so it is asked until it knows.
 */
function isUncertain(state: TaskStatus['state']): boolean {
  return state === 'TASK_UNREACHABLE' || state === 'TASK_UNKNOWN'
}

function askLater(state: FrameworkState, atMs: number): FrameworkEffect[] {
  state.reconcileAfterMs = RECONCILE_MIN_MS
  return [{ kind: 'setTimer', key: 'reconcile', timer: { kind: 'reconcile' }, atMs: atMs + state.reconcileAfterMs }]
}

function operated(state: FrameworkState, status: OperationStatus): FrameworkEffect[] {
  const effects: FrameworkEffect[] = [{ kind: 'operationUpdated', status }]
  const call = acknowledgeOperation(state, status)
  if (call !== undefined) effects.push({ kind: 'sendCall', call })
  return effects
}

/** Says whether the master knows again what a task does; the answer to a kill of one that it does not know is no such news. */
function isFoundAgain({ state, reason }: TaskStatus): boolean {
  const isNews = reason === 'REASON_RECONCILIATION' || reason === 'REASON_AGENT_REREGISTERED'
  return isNews && !isTerminal(state) && state !== 'TASK_UNREACHABLE' && state !== 'TASK_UNKNOWN'
}

function messageReceived(event: Event): FrameworkEffect[] {
  if (event.message === undefined) return []
  const { agent_id: agentId, executor_id: executorId, data } = event.message
  return [{ kind: 'messageReceived', agentId, executorId, data }]
}

function failureReceived(event: Event): FrameworkEffect[] {
  const agentId = event.failure?.agent_id
  if (event.failure === undefined || agentId === undefined) return []
  const executorId = event.failure.executor_id
  if (executorId === undefined) return [{ kind: 'agentLost', agentId }]
  return [{ kind: 'executorEnded', agentId, executorId, waitStatus: event.failure.status ?? 0 }]
}

function refused(state: FrameworkState, message: string): FrameworkEffect[] {
  state.phase = 'stopped'
  state.offers.clear()
  state.inverseOffers.clear()
  return [
    { kind: 'cancelTimer', key: 'heartbeat' },
    { kind: 'cancelTimer', key: 'reconcile' },
    { kind: 'closeStream' },
    { kind: 'failed', message },
  ]
}

function heartbeatTimer(state: FrameworkState, atMs: number): FrameworkEffect {
  const waitMs = state.heartbeatIntervalMs * HEARTBEATS_MISSED_MAX
  return { kind: 'setTimer', key: 'heartbeat', timer: { kind: 'heartbeatTimeout' }, atMs: atMs + waitMs }
}
