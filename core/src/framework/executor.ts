// The executor side of the v1 API as a pure machine: a program that runs tasks keeps an ExecutorState, feeds it what its connection to
// the agent tells, and gets back what to send and what it is asked to do.
//
//   idle ──started──► subscribing ──SUBSCRIBED──► subscribed ──SHUTDOWN, ERROR──► ended
//                        ▲    ▲                       │ streamClosed               ▲
//                        │    └── pause (random) ── waiting                        │
//                        └────────────────────────────┴── no agent for too long ───┘
//
// An agent may end and come back while its executors run on (docs/agent-recovery.md). Until it is there again the machine tries to
// subscribe; then it names the updates that were not acknowledged and the tasks of which the agent may not have heard, so that nothing
// is lost and nothing is told twice. Without checkpointing (MESOS_CHECKPOINT=0) an executor ends with its agent, as in Mesos.
//
// Source: the Mesos executor HTTP API.

import type { Call, Event } from '@isthmus/proto/gen/executor'
import type { KillPolicy, TaskInfo, TaskState, TaskStatus } from '@isthmus/proto/gen/mesos'
import { createRandom, nextFraction, nextUuidBytes, type Random } from '../base/random.ts'
import { isTerminal } from './task-states.ts'

/** An executor is not disconnected for longer, when its agent says nothing else (MESOS_RECOVERY_TIMEOUT). */
export const RECOVERY_TIMEOUT_DEFAULT_MS = 15 * 60_000
/** The longest pause before subscribing again, when its agent says nothing else (MESOS_SUBSCRIPTION_BACKOFF_MAX). */
export const SUBSCRIPTION_BACKOFF_DEFAULT_MS = 2_000

/** Who the executor is; its agent says it by environment variables (see readExecutorEnvironment in io/runtime). */
export interface ExecutorOptions {
  readonly frameworkId: string
  readonly executorId: string
  /** It outlives its agent. */
  readonly isCheckpointing: boolean
  readonly recoveryTimeoutMs: number
  readonly subscriptionBackoffMaxMs: number
  readonly seed: number
}

export type ExecutorPhase = 'idle' | 'subscribing' | 'waiting' | 'subscribed' | 'ended'

/** Changed in place by `stepExecutor` and `update` only. */
export interface ExecutorState {
  readonly options: ExecutorOptions
  readonly random: Random
  phase: ExecutorPhase
  /** Tasks told by the agent, until their end is acknowledged. */
  readonly tasks: Map<string, TaskInfo>
  /** Those of them of which no update was acknowledged: a returning agent may not know that they arrived. */
  readonly unacknowledgedTasks: Set<string>
  /** Oldest first. */
  unacknowledgedUpdates: TaskStatus[]
}

export type ExecutorTimer = { readonly kind: 'subscribe' } | { readonly kind: 'recovery' }

/** One thing that happened. */
export type ExecutorMachineEvent =
  | { readonly kind: 'started'; readonly atMs: number }
  | { readonly kind: 'eventReceived'; readonly atMs: number; readonly event: Event }
  /** The stream ended, or could not be opened. */
  | { readonly kind: 'streamClosed'; readonly atMs: number; readonly reason: string }
  /** `status` 0: no answer. */
  | {
      readonly kind: 'callRefused'
      readonly atMs: number
      readonly call: Call
      readonly status: number
      readonly text: string
    }
  | { readonly kind: 'timerFired'; readonly atMs: number; readonly timer: ExecutorTimer }

/** What the program is told, or asked to do. */
export type ExecutorNotice =
  | { readonly kind: 'subscribed'; readonly subscribed: NonNullable<Event['subscribed']> }
  /** The agent is away; the machine looks for it. Tasks run on. */
  | { readonly kind: 'disconnected'; readonly reason: string }
  /** Run these; more than one are a group. Each is told once. */
  | { readonly kind: 'launch'; readonly tasks: readonly TaskInfo[] }
  | { readonly kind: 'kill'; readonly taskId: string; readonly policy: KillPolicy | undefined }
  | { readonly kind: 'messageReceived'; readonly data: Uint8Array }
  | { readonly kind: 'callFailed'; readonly call: Call; readonly status: number; readonly text: string }
  /** End everything, then the process: nothing is taken any more. */
  | { readonly kind: 'shutdown'; readonly reason: string }

/** What the world must do for an executor, in order. */
export type ExecutorEffect =
  | { readonly kind: 'openStream'; readonly call: Call }
  | { readonly kind: 'closeStream' }
  | { readonly kind: 'sendCall'; readonly call: Call }
  | { readonly kind: 'setTimer'; readonly key: string; readonly timer: ExecutorTimer; readonly atMs: number }
  | { readonly kind: 'cancelTimer'; readonly key: string }
  | ExecutorNotice

/** What a program says of a task. */
export interface TaskUpdate {
  readonly taskId: string
  readonly state: TaskState
  readonly message?: string | undefined
  readonly reason?: TaskStatus['reason']
  readonly data?: Uint8Array | undefined
  readonly healthy?: boolean | undefined
}

/** Makes an executor that has not subscribed yet. */
export function createExecutorMachine(options: ExecutorOptions): ExecutorState {
  return {
    options,
    random: createRandom(options.seed),
    phase: 'idle',
    tasks: new Map(),
    unacknowledgedTasks: new Set(),
    unacknowledgedUpdates: [],
  }
}

/** Applies one event. Changes `state` in place; returns what to do, in order. Never throws on input. */
export function stepExecutor(state: ExecutorState, event: ExecutorMachineEvent): ExecutorEffect[] {
  if (state.phase === 'ended') return []
  switch (event.kind) {
    case 'started':
      return state.phase === 'idle' ? [recoveryTimer(state, event.atMs), ...subscribe(state)] : []
    case 'eventReceived':
      return state.phase === 'waiting' ? [] : received(state, event.event)
    case 'streamClosed':
      return lost(state, event.reason, event.atMs)
    case 'callRefused':
      return callRefused(state, event)
    case 'timerFired':
      return timerFired(state, event.timer)
    default:
      return event satisfies never
  }
}

/** Tells the agent of a task; kept until it is acknowledged, and told again to an agent that comes back. */
export function update(state: ExecutorState, given: TaskUpdate, atMs: number): ExecutorEffect[] {
  if (state.phase === 'ended') return []
  const { taskId, ...facts } = given
  const status: TaskStatus = {
    ...facts,
    task_id: { value: taskId },
    source: 'SOURCE_EXECUTOR',
    timestamp: atMs / 1000,
    executor_id: { value: state.options.executorId },
    uuid: nextUuidBytes(state.random),
  }
  state.unacknowledgedUpdates.push(status)
  return state.phase === 'subscribed' ? [sendCall(state, { type: 'UPDATE', update: { status } })] : []
}

/** Passes data to the framework's scheduler; lost when the agent is away, as all messages of this kind may be. */
export function sendMessage(state: ExecutorState, data: Uint8Array): ExecutorEffect[] {
  return state.phase === 'subscribed' ? [sendCall(state, { type: 'MESSAGE', message: { data } })] : []
}

function subscribe(state: ExecutorState): ExecutorEffect[] {
  state.phase = 'subscribing'
  const tasks = [...state.unacknowledgedTasks].flatMap((taskId) => state.tasks.get(taskId) ?? [])
  const call: Call = {
    ...idsOf(state),
    type: 'SUBSCRIBE',
    subscribe: {
      ...(tasks.length > 0 && { unacknowledged_tasks: tasks }),
      ...(state.unacknowledgedUpdates.length > 0 && {
        unacknowledged_updates: state.unacknowledgedUpdates.map((status) => ({ status })),
      }),
    },
  }
  return [{ kind: 'openStream', call }]
}

function received(state: ExecutorState, event: Event): ExecutorEffect[] {
  switch (event.type) {
    case 'SUBSCRIBED':
      return event.subscribed === undefined ? [] : subscribed(state, event.subscribed)
    case 'LAUNCH':
      return event.launch === undefined ? [] : launched(state, [event.launch.task])
    case 'LAUNCH_GROUP':
      return launched(state, event.launch_group?.task_group.tasks ?? [])
    case 'KILL':
      return event.kill === undefined
        ? []
        : [{ kind: 'kill', taskId: event.kill.task_id.value, policy: event.kill.kill_policy }]
    case 'ACKNOWLEDGED':
      acknowledged(state, event.acknowledged)
      return []
    case 'MESSAGE':
      return event.message === undefined ? [] : [{ kind: 'messageReceived', data: event.message.data }]
    case 'SHUTDOWN':
      return end(state, 'the agent asks for it')
    case 'ERROR':
      return end(state, event.error?.message ?? 'the agent tells an error')
    default:
      return []
  }
}

function subscribed(state: ExecutorState, facts: NonNullable<Event['subscribed']>): ExecutorEffect[] {
  state.phase = 'subscribed'
  return [
    { kind: 'cancelTimer', key: 'recovery' },
    { kind: 'subscribed', subscribed: facts },
  ]
}

/** A task that is here already was sent again by an agent that did not know that it had arrived. */
function launched(state: ExecutorState, tasks: readonly TaskInfo[]): ExecutorEffect[] {
  const fresh = tasks.filter(({ task_id }) => !state.tasks.has(task_id.value))
  for (const task of fresh) {
    state.tasks.set(task.task_id.value, task)
    state.unacknowledgedTasks.add(task.task_id.value)
  }
  return fresh.length === 0 ? [] : [{ kind: 'launch', tasks: fresh }]
}

function acknowledged(state: ExecutorState, given: Event['acknowledged']): void {
  if (given === undefined) return
  const found = state.unacknowledgedUpdates.find(({ uuid }) => isSame(uuid, given.uuid))
  if (found === undefined) return
  state.unacknowledgedUpdates = state.unacknowledgedUpdates.filter((status) => status !== found)
  const taskId = found.task_id.value
  state.unacknowledgedTasks.delete(taskId)
  if (found.state !== undefined && isTerminal(found.state)) state.tasks.delete(taskId)
}

function isSame(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && a.length === b.length && a.every((byte, at) => byte === b[at])
}

function lost(state: ExecutorState, reason: string, atMs: number): ExecutorEffect[] {
  const { isCheckpointing, subscriptionBackoffMaxMs } = state.options
  const wasSubscribed = state.phase === 'subscribed'
  if (wasSubscribed && !isCheckpointing) return end(state, `the agent is gone: ${reason}`)
  state.phase = 'waiting'
  const effects: ExecutorEffect[] = wasSubscribed ? [{ kind: 'disconnected', reason }] : []
  if (wasSubscribed) effects.push(recoveryTimer(state, atMs))
  const pauseMs = Math.floor(nextFraction(state.random) * subscriptionBackoffMaxMs)
  effects.push(timer({ kind: 'subscribe' }, atMs + pauseMs))
  return effects
}

/**
 * An update that was not taken is still unacknowledged: a new subscription tells it again. One that is no valid update (400) never will be
 * taken, and is dropped.
 */
function callRefused(
  state: ExecutorState,
  { call, status, text, atMs }: Extract<ExecutorMachineEvent, { kind: 'callRefused' }>,
): ExecutorEffect[] {
  const failed: ExecutorEffect = { kind: 'callFailed', call, status, text }
  if (call.type !== 'UPDATE') return [failed]
  if (status === 400) {
    const uuid = call.update?.status.uuid
    state.unacknowledgedUpdates = state.unacknowledgedUpdates.filter((kept) => kept.uuid !== uuid)
    return [failed]
  }
  if (state.phase !== 'subscribed') return [failed]
  return [failed, { kind: 'closeStream' }, ...lost(state, `an update was not taken: ${text}`, atMs)]
}

function timerFired(state: ExecutorState, { kind }: ExecutorTimer): ExecutorEffect[] {
  if (kind === 'subscribe') return state.phase === 'waiting' ? subscribe(state) : []
  if (state.phase === 'subscribed') return []
  return end(state, `no agent for ${state.options.recoveryTimeoutMs} ms`)
}

function end(state: ExecutorState, reason: string): ExecutorEffect[] {
  state.phase = 'ended'
  return [
    { kind: 'cancelTimer', key: 'subscribe' },
    { kind: 'cancelTimer', key: 'recovery' },
    { kind: 'shutdown', reason },
  ]
}

function recoveryTimer({ options }: ExecutorState, atMs: number): ExecutorEffect {
  return timer({ kind: 'recovery' }, atMs + options.recoveryTimeoutMs)
}

function timer(of: ExecutorTimer, atMs: number): ExecutorEffect {
  return { kind: 'setTimer', key: of.kind, timer: of, atMs }
}

function sendCall(state: ExecutorState, call: Pick<Call, 'type' | 'update' | 'message'>): ExecutorEffect {
  return { kind: 'sendCall', call: { ...idsOf(state), ...call } }
}

function idsOf({ options }: ExecutorState): Pick<Call, 'framework_id' | 'executor_id'> {
  return { framework_id: { value: options.frameworkId }, executor_id: { value: options.executorId } }
}
