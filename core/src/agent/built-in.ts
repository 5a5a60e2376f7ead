/**
 * Tasks of the command executor and the default executor: both are part of the agent's machine, each task is a container.
 *
 * ```
 *              containerStarted                                  own exit ─► FINISHED, FAILED
 *   launching ─────────────────► running ──────────────────────────────────┐
 *       │        TASK_RUNNING       │ kill, max_completion_time, unhealthy   ├─► ended
 *       │ kill                      ▼                                        │
 *       │                        killing: SIGTERM ──grace──► destroy ────────┘
 *       └─► destroy ─► ended
 * ```
 * What tasks of one default executor have to do with each other: default-executor.ts.
 */

import type { KillPolicy } from '@isthmus/proto/gen/mesos'
import { startChecks } from './checks.ts'
import { launchTask, updateContainer } from './containers.ts'
import { groupMates, isGroupStarted } from './default-executor.ts'
import type { Limitation } from './events.ts'
import { executorEnded } from './executors.ts'
import { describeWaitStatus, isSuccess } from './signals.ts'
import { taskEndingRecord } from './snapshot.ts'
import {
  type AgentTask,
  type EndCause,
  type Executor,
  findTask,
  frameworkOf,
  hasCapability,
  liveTasks,
} from './state.ts'
import { updateTask } from './status-updates.ts'
import { emit, record, setTimer, type Turn } from './turn.ts'

/** Grace of a kill when nobody says one. */
export const KILL_GRACE_DEFAULT_MS = 3_000

const KILLED: EndCause = { state: 'TASK_KILLED' }

/** Starts tasks that came together. One without a process runs at once. */
export function startTasks(turn: Turn, executor: Executor, tasks: readonly AgentTask[]): void {
  for (const task of tasks) {
    const { containerId } = task
    if (containerId === undefined) {
      startReservation(turn, executor, task)
      continue
    }
    task.phase = 'launching'
    // The default executor is there before its tasks are launched.
    if (executor.kind === 'default') updateTask(turn, executor, task, 'TASK_STARTING', { source: 'SOURCE_EXECUTOR' })
    launchTask(turn, executor, task, containerId)
  }
}

/** A task without a process runs at once. */
export function startReservation(turn: Turn, executor: Executor, task: AgentTask): void {
  task.phase = 'running'
  updateTask(turn, executor, task, 'TASK_RUNNING', { source: 'SOURCE_EXECUTOR' })
  limitTimeSince(turn, task, turn.atMs)
}

/** The process of a task runs. */
export function taskStarted(turn: Turn, executor: Executor, task: AgentTask, pid: number): void {
  // Killed meanwhile: its container is being destroyed.
  if (task.phase !== 'launching' || task.endCause !== undefined) return
  task.pid = pid
  if (executor.kind === 'command') executor.pid = pid
  const { frameworkId, info } = task
  record(turn, frameworkOf(turn.state, executor), {
    kind: 'task_started',
    value: { framework_id: frameworkId, task_id: info.task_id.value, pid },
  })
  if (executor.kind === 'command') updateTask(turn, executor, task, 'TASK_STARTING', { source: 'SOURCE_EXECUTOR' })
  announce(turn, executor, task)
}

/** Tasks of a group run when all of them do; nothing happens as long as one does not. */
export function announce(turn: Turn, executor: Executor, task: AgentTask): void {
  if (!isGroupStarted(executor, task)) return
  for (const one of groupMates(executor, task)) {
    if (one.phase !== 'launching') continue
    one.phase = 'running'
    updateTask(turn, executor, one, 'TASK_RUNNING', { source: 'SOURCE_EXECUTOR' })
    limitTimeSince(turn, one, turn.atMs)
    startChecks(turn, one)
  }
}

/** max_completion_time counts from when the task runs: a slow fetch is not its fault. */
export function limitTimeSince(turn: Turn, { frameworkId, info }: AgentTask, sinceMs: number): void {
  const { max_completion_time: limit, task_id } = info
  if (limit === undefined) return
  const leftMs = Math.max(0, sinceMs + Number(limit.nanoseconds) / 1e6 - turn.atMs)
  setTimer(turn, { kind: 'completionTime', frameworkId, taskId: task_id.value }, leftMs)
}

/** Kills a task with the grace of the kill's policy, else of its own, else 3 s. */
export function killBuiltIn(turn: Turn, executor: Executor, task: AgentTask, policy?: KillPolicy | undefined): void {
  endTask(turn, executor, task, KILLED, killGraceMs(policy, task.info.kill_policy))
}

/** The grace of a kill in milliseconds. */
export function killGraceMs(policy: KillPolicy | undefined, own: KillPolicy | undefined): number {
  const nanoseconds = policy?.grace_period?.nanoseconds ?? own?.grace_period?.nanoseconds
  return nanoseconds === undefined ? KILL_GRACE_DEFAULT_MS : Math.max(0, Number(nanoseconds) / 1e6)
}

/**
 * Makes a task end with this cause; the first cause counts. A task that is being killed already gets less time when `graceMs` ends
 * earlier, never more.
 */
export function endTask(turn: Turn, executor: Executor, task: AgentTask, cause: EndCause, graceMs: number): void {
  if (task.phase === 'ended') return
  const { containerId } = task
  const framework = frameworkOf(turn.state, executor)
  if (containerId === undefined) {
    updateTask(turn, executor, task, cause.state, { source: 'SOURCE_EXECUTOR', ...wordsOf(cause) })
    taskEnded(turn, executor, task, 0)
    return
  }
  if (task.pid === undefined) {
    if (task.endCause !== undefined) return
    task.endCause = duringLaunch(cause)
    record(turn, framework, taskEndingRecord(task))
    emit(turn, { kind: 'destroyContainer', containerId })
    return
  }
  task.endCause ??= cause
  const dueAtMs = turn.atMs + graceMs
  if (task.killDueAtMs !== undefined && task.killDueAtMs <= dueAtMs) return
  const isFirst = task.killDueAtMs === undefined
  task.killDueAtMs = dueAtMs
  record(turn, framework, taskEndingRecord(task))
  setTimer(turn, { kind: 'killGrace', containerId }, graceMs)
  if (!isFirst) return
  task.phase = 'killing'
  if (hasCapability(framework, 'TASK_KILLING_STATE'))
    updateTask(turn, executor, task, 'TASK_KILLING', { source: 'SOURCE_EXECUTOR' })
  emit(turn, { kind: 'signalContainer', containerId, signal: 'SIGTERM' })
}

function duringLaunch(cause: EndCause): EndCause {
  if (cause.state !== 'TASK_KILLED') return cause
  return {
    ...cause,
    reason: cause.reason ?? 'REASON_TASK_KILLED_DURING_LAUNCH',
    message: cause.message ?? 'Killed before delivery to the executor',
  }
}

function wordsOf({ reason, message, healthy }: EndCause): Omit<EndCause, 'state'> {
  return {
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined ? {} : { message }),
    ...(healthy === undefined ? {} : { healthy }),
  }
}

/** The grace is over: nothing of the container survives. */
export function killGraceOver(turn: Turn, containerId: string): void {
  if (turn.state.containers.has(containerId)) emit(turn, { kind: 'destroyContainer', containerId })
}

/** A task has run for its max_completion_time. */
export function completionTimeReached(turn: Turn, frameworkId: string, taskId: string): void {
  const found = findTask(turn.state, frameworkId, taskId)
  if (found === undefined) return
  const cause: EndCause = { state: 'TASK_FAILED', reason: 'REASON_MAX_COMPLETION_TIME_REACHED' }
  endTask(turn, found.executor, found.task, cause, 0)
}

/** A task's container never ran. */
export function taskLaunchFailed(turn: Turn, executor: Executor, task: AgentTask, failure: EndCause): void {
  const cause = task.endCause ?? failure
  updateTask(turn, executor, task, cause.state, { source: 'SOURCE_AGENT', ...wordsOf(cause) })
  taskEnded(turn, executor, task, SIGKILLED)
}

const SIGKILLED = 9

/** How a container ended. */
interface Exit {
  readonly waitStatus: number
  readonly limitation: Limitation | undefined
}

/** A task's process ended, and everything it started. */
export function taskExited(turn: Turn, executor: Executor, task: AgentTask, exit: Exit): void {
  tellExit(turn, executor, task, exit)
  taskEnded(turn, executor, task, exit.waitStatus)
}

/** Tells how a task's process ended; what that means for others comes after: settleEnds. */
export function tellExit(turn: Turn, executor: Executor, task: AgentTask, { waitStatus, limitation }: Exit): void {
  const own: EndCause = { state: isSuccess(waitStatus) ? 'TASK_FINISHED' : 'TASK_FAILED' }
  const limited = limitation && limitationCause(limitation)
  const cause = limited ?? task.endCause ?? own
  const isAgents = cause.reason === 'REASON_CONTAINER_PREEMPTED'
  const isOwn = limited === undefined && task.pid !== undefined && !isAgents
  updateTask(turn, executor, task, cause.state, {
    source: isOwn ? 'SOURCE_EXECUTOR' : 'SOURCE_AGENT',
    message: `Command ${describeWaitStatus(waitStatus)}`,
    ...wordsOf(cause),
  })
}

/** What a task's end is called when it used more than it may. */
export function limitationCause({ kind, message }: Limitation): EndCause {
  const reason = kind === 'memory' ? 'REASON_CONTAINER_LIMITATION_MEMORY' : 'REASON_CONTAINER_LIMITATION_DISK'
  return { state: 'TASK_FAILED', reason, message }
}

function taskEnded(turn: Turn, executor: Executor, task: AgentTask, waitStatus: number): void {
  settleEnds(turn, executor, [task], waitStatus)
}

/** A group ends with its first task that did not finish, a built-in executor with its last task. */
export function settleEnds(turn: Turn, executor: Executor, ended: readonly AgentTask[], waitStatus: number): void {
  for (const task of ended) {
    if (task.state === 'TASK_FINISHED') announce(turn, executor, task)
    else for (const other of groupMates(executor, task)) killMate(turn, executor, other)
  }
  updateContainer(turn, executor)
  if (liveTasks(executor).length === 0) executorEnded(turn, executor, executor.kind === 'command' ? waitStatus : 0)
}

function killMate(turn: Turn, executor: Executor, mate: AgentTask): void {
  if (mate.containerId === undefined) updateTask(turn, executor, mate, 'TASK_KILLED', { source: 'SOURCE_EXECUTOR' })
  else killBuiltIn(turn, executor, mate)
}

/** Ends all tasks of a built-in executor, and so the executor. */
export function shutdownBuiltIn(turn: Turn, executor: Executor): void {
  executor.phase = 'terminating'
  for (const task of liveTasks(executor)) killBuiltIn(turn, executor, task)
}
