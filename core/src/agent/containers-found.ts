/**
 * The end of a recovery: what the launcher kept meets what the records say, and every task goes on or gets its true end.
 *
 * ```
 * recorded and        running ─────► goes on: kills, their deadlines, checks and max_completion_time resume (resume.ts);
 *                                    a custom executor has a moment to subscribe again, or is destroyed
 *                     ended ───────► its own end, by its exit status; only then what it means for its group
 *                     not there ───► never started: TASK_DROPPED | TASK_LOST, REASON_AGENT_RESTARTED
 *                                    else (reboot): TASK_FAILED, REASON_EXECUTOR_TERMINATED
 * not recorded, but   running ─────► destroyed         ended ─────► forgotten
 *
 * awaitingContainers ──containersFound──► reconnecting ──nobody is waited for any more, or 2 s──► registration
 * ```
 * Source: Slave::recover, reregisterExecutorTimeout and sendExecutorTerminatedStatusUpdate of the Mesos 1.11 agent. Other than there a task
 * that was recorded but never reached its custom executor is sent again, since its TaskInfo is recorded.
 */

import { settleEnds, startReservation, tellExit } from './built-in.ts'
import { customExited, destroyCustom, endTasksOf } from './custom-executor.ts'
import { printDuration } from './environment.ts'
import type { AgentEvent, EndedContainer } from './events.ts'
import { executorEnded } from './executors.ts'
import { forgetWhenIdle } from './frameworks.ts'
import { keepCollecting } from './gc.ts'
import { scheduleRegistration } from './registration.ts'
import { resumeExecutor, resumeTask } from './resume.ts'
import { destroyEverything, drain, shutdownExecutor } from './shutdown.ts'
import {
  type AgentState,
  type AgentTask,
  type EndCause,
  type Executor,
  frameworkOf,
  hasCapability,
  liveTasks,
  lostState,
} from './state.ts'
import { updateTask } from './status-updates.ts'
import { cancelTimer, emit, note, setTimer, type Turn } from './turn.ts'

/** What a recovered agent is told of an executor whose process nobody knows; as Mesos. */
const UNKNOWN_CONTAINER = 'Abnormal executor termination: unknown container'
/** The wait status of what nobody saw end; as Mesos tells it. */
const UNKNOWN_STATUS = -1

type Found = Extract<AgentEvent, { kind: 'containersFound' }>

/** The launcher has said what runs and what has ended. */
export function containersFound(turn: Turn, { running, ended }: Found): void {
  const { state } = turn
  if (state.recovery?.phase !== 'awaitingContainers') {
    note(turn, 'warn', 'containers were found by an agent that does not recover', { runningCount: running.length })
    return
  }
  const pids = new Map(running.map(({ containerId, pid }) => [containerId, pid]))
  const ends = new Map(ended.map((end) => [end.containerId, end]))
  const frameworks = [...state.frameworks.values()]
  const executors = frameworks.flatMap((framework) => [...framework.executors.values()])
  for (const containerId of pids.keys()) {
    if (!state.containers.has(containerId)) emit(turn, { kind: 'destroyContainer', containerId })
  }
  for (const containerId of [...state.containers.keys()]) {
    if (!pids.has(containerId) || ends.has(containerId)) state.containers.delete(containerId)
  }
  for (const executor of executors) {
    if (executor.kind === 'custom') settleCustom(turn, executor, pids.get(executor.containerId), ends)
    else settleBuiltIn(turn, executor, pids, ends)
  }
  for (const { containerId } of ended) emit(turn, { kind: 'releaseContainer', containerId })
  for (const framework of frameworks) {
    if (framework.isTerminating)
      for (const executor of [...framework.executors.values()]) shutdownExecutor(turn, executor)
    forgetWhenIdle(turn, framework)
  }
  keepCollecting(turn)
  note(turn, 'info', 'containers of the last life are found', { runningCount: pids.size, endedCount: ends.size })
  beginReconnecting(turn)
}

function settleCustom(
  turn: Turn,
  executor: Executor,
  pid: number | undefined,
  ends: ReadonlyMap<string, EndedContainer>,
): void {
  const end = ends.get(executor.containerId)
  if (end !== undefined) {
    const { waitStatus, limitation } = end
    // Whoever has ended has not refused to.
    if (waitStatus !== undefined) return customExited(turn, executor, { waitStatus, limitation })
    return customVanished(turn, executor, { state: 'TASK_FAILED', reason: 'REASON_EXECUTOR_TERMINATED' })
  }
  if (pid !== undefined) return resumeExecutor(turn, executor, pid)
  customVanished(turn, executor, vanishedCause(turn.state, executor, executor.pid !== undefined))
}

function customVanished(turn: Turn, executor: Executor, cause: EndCause): void {
  endTasksOf(turn, executor, executor.endCause ?? cause)
  executorEnded(turn, executor, UNKNOWN_STATUS)
}

/** Ends are told before any task is killed because of another's end: nobody knows which was first. */
function settleBuiltIn(
  turn: Turn,
  executor: Executor,
  pids: ReadonlyMap<string, number>,
  ends: ReadonlyMap<string, EndedContainer>,
): void {
  const live = liveTasks(executor)
  const over: AgentTask[] = []
  for (const task of live) {
    const { containerId } = task
    const end = containerId === undefined ? undefined : ends.get(containerId)
    if (containerId === undefined || (end === undefined && pids.has(containerId))) continue
    over.push(task)
    if (end?.waitStatus === undefined) vanish(turn, executor, task)
    else {
      // It ran, although the crash came before that was recorded.
      if (task.endCause === undefined) task.pid ??= 0
      tellExit(turn, executor, task, { waitStatus: end.waitStatus, limitation: end.limitation })
    }
  }
  for (const task of live) {
    if (task.phase === 'ended') continue
    const pid = task.containerId === undefined ? undefined : pids.get(task.containerId)
    if (pid !== undefined) resumeTask(turn, executor, task, pid)
    else if (task.containerId === undefined && task.phase === 'staging') startReservation(turn, executor, task)
  }
  const last = over.at(-1)?.containerId
  const status = (last === undefined ? undefined : ends.get(last)?.waitStatus) ?? UNKNOWN_STATUS
  if (over.length > 0 || live.length === 0) settleEnds(turn, executor, over, status)
}

function vanish(turn: Turn, executor: Executor, task: AgentTask): void {
  const cause = task.endCause ?? vanishedCause(turn.state, executor, task.pid !== undefined)
  const { state, reason, message } = cause
  updateTask(turn, executor, task, state, { source: 'SOURCE_AGENT', reason, message })
}

function vanishedCause(state: AgentState, executor: Executor, hasStarted: boolean): EndCause {
  if (hasStarted || state.options.isRebooted === true) {
    return { state: 'TASK_FAILED', reason: 'REASON_EXECUTOR_TERMINATED', message: UNKNOWN_CONTAINER }
  }
  return {
    state: lostState(frameworkOf(state, executor)),
    reason: 'REASON_AGENT_RESTARTED',
    message: 'Task launched during agent restart',
  }
}

function beginReconnecting(turn: Turn): void {
  const { state } = turn
  if (state.recovery === undefined) return
  state.recovery.phase = 'reconnecting'
  if (state.options.recoverMode === 'cleanup') destroyEverything(turn)
  if (awaited(state).length === 0) return finishRecovery(turn)
  setTimer(turn, { kind: 'executorReregistration' }, state.options.executorReregistrationTimeoutMs)
}

/** Custom executors that were subscribed and are not yet back. Others had not subscribed before: they have the time of new ones. */
function awaited(state: AgentState): Executor[] {
  return [...state.frameworks.values()].flatMap(({ executors }) =>
    [...executors.values()].filter(
      ({ kind, phase, hasSubscribed }) => kind === 'custom' && phase === 'registering' && hasSubscribed,
    ),
  )
}

/** At the end of each step: nobody is waited for any more. */
export function settleRecovery(turn: Turn): void {
  const { recovery } = turn.state
  if (recovery?.phase === 'reconnecting' && awaited(turn.state).length === 0) finishRecovery(turn)
}

/** Executors that have not come back are taken for dead. */
export function reregistrationTimedOut(turn: Turn): void {
  const { state } = turn
  if (state.recovery?.phase !== 'reconnecting') return
  const message = `Executor did not reregister within ${printDuration(state.options.executorReregistrationTimeoutMs)}`
  for (const executor of awaited(state)) {
    const isAware = hasCapability(frameworkOf(state, executor), 'PARTITION_AWARE')
    executor.endCause ??= {
      state: isAware ? 'TASK_GONE' : 'TASK_LOST',
      reason: 'REASON_EXECUTOR_REREGISTRATION_TIMEOUT',
      message,
    }
    note(turn, 'warn', 'executor has not come back', { executorId: executor.executorId })
    destroyCustom(turn, executor)
  }
  finishRecovery(turn)
}

function finishRecovery(turn: Turn): void {
  const { state } = turn
  const { recovery } = state
  state.recovery = undefined
  cancelTimer(turn, { kind: 'executorReregistration' })
  note(turn, 'info', 'recovered', { frameworkCount: state.frameworks.size })
  if (state.drain !== undefined) drain(turn, state.drain.config)
  if (recovery?.isMasterKnown === true) scheduleRegistration(turn)
}
