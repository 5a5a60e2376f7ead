/**
 * Executors and their tasks while they run, and how both end.
 *
 * A built-in executor lives as long as its tasks; a custom one as long as its process. Killing escalates: SIGTERM to the whole
 * tree (built in) or a KILL or SHUTDOWN event (custom), then, after the grace, everything in the container is killed.
 */

import type { AgentMessage } from '@isthmus/proto/gen/agent-link'
import type { KillPolicy } from '@isthmus/proto/gen/mesos'
import { startChecks } from './checks.ts'
import { updateContainer } from './containers.ts'
import type { Limitation } from './events.ts'
import { describeWaitStatus, isSuccess } from './signals.ts'
import {
  type AgentFramework,
  type AgentTask,
  type ContainerOwner,
  type EndCause,
  type Executor,
  findTask,
  graceMs,
} from './state.ts'
import { updateTask } from './status-updates.ts'
import { cancelTimer, emit, note, setTimer, type Turn } from './turn.ts'

/** Grace of a kill when nobody says one. */
export const KILL_GRACE_DEFAULT_MS = 3_000

const KILLED: EndCause = { state: 'TASK_KILLED', reason: undefined, message: undefined }

/** A container's first process runs. */
export function containerStarted(turn: Turn, containerId: string, pid: number): void {
  const found = ownerOf(turn, containerId)
  if (found === undefined) return
  const { executor, task } = found
  if (task === undefined) {
    executor.pid = pid
    return
  }
  task.pid = pid
  if (executor.kind === 'command') executor.pid = pid
  if (task.phase !== 'launching') return
  task.phase = 'running'
  updateTask(turn, executor, task, 'TASK_STARTING', { source: 'SOURCE_EXECUTOR' })
  updateTask(turn, executor, task, 'TASK_RUNNING', { source: 'SOURCE_EXECUTOR' })
  startChecks(turn, executor, task)
}

/** A task that runs nothing is running at once. */
export function startReservation(turn: Turn, executor: Executor, task: AgentTask): void {
  task.phase = 'running'
  updateTask(turn, executor, task, 'TASK_RUNNING', { source: 'SOURCE_EXECUTOR' })
}

/** Ends the task after its max_completion_time. */
export function scheduleCompletion(turn: Turn, task: AgentTask): void {
  const limit = task.info.max_completion_time
  if (limit === undefined) return
  setTimer(
    turn,
    { kind: 'completionTime', frameworkId: task.frameworkId, taskId: task.info.task_id.value },
    Number(limit.nanoseconds) / 1e6,
  )
}

export function completionTimeReached(turn: Turn, frameworkId: string, taskId: string): void {
  const found = findTask(turn.state, frameworkId, taskId)
  if (found === undefined) return
  const cause: EndCause = { state: 'TASK_FAILED', reason: 'REASON_MAX_COMPLETION_TIME_REACHED', message: undefined }
  endTask(turn, found.executor, found.task, cause, 0)
}

/** KILL_TASK. */
export function killTask(turn: Turn, frameworkId: string, taskId: string, policy: KillPolicy | undefined): void {
  const found = findTask(turn.state, frameworkId, taskId)
  if (found === undefined) {
    note(turn, 'warn', 'kill of a task that is not here', { frameworkId, taskId })
    return
  }
  const { executor, task } = found
  if (task.phase === 'ended') return
  if (executor.kind === 'custom' && executor.phase === 'running' && task.phase !== 'staging') {
    const streamId = executor.streamId
    if (streamId !== undefined)
      emit(turn, {
        kind: 'sendEvent',
        streamId,
        event: { type: 'KILL', kill: { task_id: task.info.task_id, kill_policy: policy } },
      })
    return
  }
  const isQueued = task.phase === 'staging' || task.phase === 'launching'
  const message = 'Killed before delivery to the executor'
  const cause: EndCause = isQueued
    ? { state: 'TASK_KILLED', reason: 'REASON_TASK_KILLED_DURING_LAUNCH', message }
    : KILLED
  endTask(turn, executor, task, cause, graceMs(policy, task.info.kill_policy, KILL_GRACE_DEFAULT_MS))
}

/** Makes a task of a built-in executor, or one that a custom executor was not told of, end with this cause. */
export function endTask(turn: Turn, executor: Executor, task: AgentTask, cause: EndCause, afterMs: number): void {
  if (task.phase === 'ended') return
  const containerId = task.containerId
  const isRunning = task.phase === 'running' || task.phase === 'killing'
  if (containerId === undefined || task.phase === 'staging') {
    updateTask(turn, executor, task, cause.state, {
      source: isRunning ? 'SOURCE_EXECUTOR' : 'SOURCE_AGENT',
      reason: cause.reason,
      message: cause.message,
    })
    taskEnded(turn, executor, task)
    return
  }
  const wasKilling = task.phase === 'killing'
  task.endCause ??= cause
  if (!isRunning) {
    emit(turn, { kind: 'destroyContainer', containerId })
    return
  }
  task.phase = 'killing'
  if (!wasKilling && cause.state === 'TASK_KILLED' && hasCapability(turn, executor, 'TASK_KILLING_STATE')) {
    updateTask(turn, executor, task, 'TASK_KILLING', { source: 'SOURCE_EXECUTOR', reason: cause.reason })
  }
  // A second kill may shorten the grace.
  if (!wasKilling) emit(turn, { kind: 'signalContainer', containerId, signal: 'SIGTERM' })
  setTimer(turn, { kind: 'killGrace', containerId }, afterMs)
}

/** The grace is over: nothing of the container survives. */
export function killGraceOver(turn: Turn, containerId: string): void {
  if (turn.state.containers.has(containerId)) emit(turn, { kind: 'destroyContainer', containerId })
}

export function containerLaunchFailed(turn: Turn, containerId: string, message: string): void {
  const found = ownerOf(turn, containerId)
  turn.state.containers.delete(containerId)
  if (found === undefined) return
  turn.state.counters.containerLaunchErrors += 1
  const cause: EndCause = {
    state: 'TASK_FAILED',
    reason: 'REASON_CONTAINER_LAUNCH_FAILED',
    message: `Failed to launch container: ${message}`,
  }
  const { executor, task } = found
  if (task === undefined) {
    customExited(turn, executor, 9 << 8, cause)
    return
  }
  const { state, reason, message: text } = task.endCause ?? cause
  updateTask(turn, executor, task, state, { source: 'SOURCE_AGENT', reason, message: text })
  taskEnded(turn, executor, task)
}

export function containerExited(
  turn: Turn,
  containerId: string,
  waitStatus: number,
  limitation: Limitation | undefined,
): void {
  const found = ownerOf(turn, containerId)
  turn.state.containers.delete(containerId)
  if (found === undefined) return
  const { executor, task } = found
  const limited = limitation === undefined ? undefined : limitationCause(limitation)
  if (task === undefined) {
    customExited(turn, executor, waitStatus, limited)
    return
  }
  const own: EndCause = {
    state: isSuccess(waitStatus) ? 'TASK_FINISHED' : 'TASK_FAILED',
    reason: undefined,
    message: undefined,
  }
  const cause = limited ?? task.endCause ?? own
  const message = cause.message ?? `Command ${describeWaitStatus(waitStatus)}`
  const source = limited === undefined ? 'SOURCE_EXECUTOR' : 'SOURCE_AGENT'
  updateTask(turn, executor, task, cause.state, { source, reason: cause.reason, message })
  taskEnded(turn, executor, task, waitStatus)
}

function limitationCause({ kind, message }: Limitation): EndCause {
  const reason = kind === 'memory' ? 'REASON_CONTAINER_LIMITATION_MEMORY' : 'REASON_CONTAINER_LIMITATION_DISK'
  return { state: 'TASK_FAILED', reason, message }
}

/** What follows the end of a task of a built-in executor: its group ends with it, and the executor with its last task. */
function taskEnded(turn: Turn, executor: Executor, task: AgentTask, waitStatus = 0): void {
  updateContainer(turn, executor)
  if (executor.kind === 'custom') {
    const isUnused =
      executor.phase === 'registering' && [...executor.tasks.values()].every(({ phase }) => phase === 'ended')
    if (isUnused) shutdownExecutor(turn, executor)
    return
  }
  if (task.groupId !== undefined && task.state !== 'TASK_FINISHED') {
    for (const other of executor.tasks.values()) {
      if (other.groupId !== task.groupId || other.phase === 'ended') continue
      endTask(turn, executor, other, KILLED, graceMs(undefined, other.info.kill_policy, KILL_GRACE_DEFAULT_MS))
    }
  }
  if ([...executor.tasks.values()].every(({ phase }) => phase === 'ended'))
    executorEnded(turn, executor, executor.kind === 'command' ? waitStatus : 0)
}

/** The process of a custom executor is gone. */
function customExited(turn: Turn, executor: Executor, waitStatus: number, given: EndCause | undefined): void {
  const framework = turn.state.frameworks.get(executor.frameworkId)
  const cause = given ?? {
    state: 'TASK_FAILED' as const,
    reason: 'REASON_EXECUTOR_TERMINATED' as const,
    message: 'Executor terminated',
  }
  for (const task of executor.tasks.values()) {
    if (task.phase === 'ended') continue
    const state =
      task.phase === 'staging' && given === undefined && framework !== undefined ? lostState(framework) : cause.state
    const end = task.endCause ?? { ...cause, state }
    updateTask(turn, executor, task, end.state, { source: 'SOURCE_AGENT', reason: end.reason, message: end.message })
  }
  executorEnded(turn, executor, waitStatus)
}

function executorEnded(turn: Turn, executor: Executor, waitStatus: number): void {
  const { state } = turn
  const { frameworkId, executorId } = executor
  state.counters.executorsTerminated += 1
  cancelTimer(turn, { kind: 'executorRegistration', frameworkId, executorId })
  cancelTimer(turn, { kind: 'executorShutdown', frameworkId, executorId })
  if (executor.streamId !== undefined) {
    emit(turn, { kind: 'closeStream', streamId: executor.streamId })
    state.streams.delete(executor.streamId)
    executor.streamId = undefined
  }
  const framework = state.frameworks.get(frameworkId)
  if (framework === undefined) return
  // Command tasks have no executor the framework knows of.
  if (executor.kind !== 'command' && !framework.isTerminating) tellExited(turn, executor, waitStatus)
  framework.executors.delete(executorId)
  framework.completedExecutors.push(executor)
  if (framework.completedExecutors.length > state.options.maxCompletedExecutors) framework.completedExecutors.shift()
  setTimer(turn, { kind: 'collectSandbox', path: executor.sandboxPath }, state.options.gcDelayMs)
  if (framework.executors.size === 0 && framework.isTerminating) forgetFramework(turn, framework)
  if (state.isTerminating) exitWhenIdle(turn)
}

function forgetFramework(turn: Turn, framework: AgentFramework): void {
  turn.state.frameworks.delete(framework.frameworkId)
  turn.state.completedFrameworks.push(framework)
  if (turn.state.completedFrameworks.length > 50) turn.state.completedFrameworks.shift()
}

/** A custom executor that runs gets tasks that were waiting for it. */
export function deliverTasks(turn: Turn, executor: Executor, tasks: readonly AgentTask[]): void {
  const streamId = executor.streamId
  if (streamId === undefined) return
  const groups = new Set<string>()
  for (const task of tasks) {
    if (task.phase !== 'staging') continue
    task.phase = 'running'
    if (task.groupId === undefined) {
      const info = { ...task.info, executor: executor.info }
      emit(turn, { kind: 'sendEvent', streamId, event: { type: 'LAUNCH', launch: { task: info } } })
    } else if (!groups.has(task.groupId)) {
      groups.add(task.groupId)
      const members = tasks.filter(({ groupId }) => groupId === task.groupId).map(({ info }) => info)
      emit(turn, {
        kind: 'sendEvent',
        streamId,
        event: { type: 'LAUNCH_GROUP', launch_group: { task_group: { tasks: members } } },
      })
    }
  }
}

/** A custom executor did not subscribe in time. */
export function registrationTimedOut(turn: Turn, frameworkId: string, executorId: string): void {
  const executor = turn.state.frameworks.get(frameworkId)?.executors.get(executorId)
  if (executor === undefined || executor.phase !== 'registering') return
  const seconds = turn.state.options.executorRegistrationTimeoutMs / 1000
  const message = `Executor did not register within ${seconds % 60 === 0 ? `${seconds / 60}mins` : `${seconds}secs`}`
  for (const task of executor.tasks.values())
    task.endCause ??= { state: 'TASK_FAILED', reason: 'REASON_EXECUTOR_REGISTRATION_TIMEOUT', message }
  executor.phase = 'terminating'
  emit(turn, { kind: 'destroyContainer', containerId: executor.containerId })
}

/** SHUTDOWN: a custom executor is asked to end, a built-in one ends its tasks. */
export function shutdownExecutor(turn: Turn, executor: Executor): void {
  if (executor.kind !== 'custom') {
    executor.phase = 'terminating'
    for (const task of [...executor.tasks.values()]) {
      endTask(turn, executor, task, KILLED, graceMs(undefined, task.info.kill_policy, KILL_GRACE_DEFAULT_MS))
    }
    return
  }
  if (executor.phase === 'terminating') return
  executor.phase = 'terminating'
  const { frameworkId, executorId, containerId, streamId } = executor
  if (streamId === undefined) {
    emit(turn, { kind: 'destroyContainer', containerId })
    return
  }
  emit(turn, { kind: 'sendEvent', streamId, event: { type: 'SHUTDOWN' } })
  const nanoseconds = executor.info.shutdown_grace_period?.nanoseconds
  const graceMsOfExecutor =
    nanoseconds === undefined ? turn.state.options.executorShutdownGraceMs : Number(nanoseconds) / 1e6
  setTimer(turn, { kind: 'executorShutdown', frameworkId, executorId }, graceMsOfExecutor)
}

export function shutdownGraceOver(turn: Turn, frameworkId: string, executorId: string): void {
  const executor = turn.state.frameworks.get(frameworkId)?.executors.get(executorId)
  if (executor !== undefined) emit(turn, { kind: 'destroyContainer', containerId: executor.containerId })
}

/** SHUTDOWN_FRAMEWORK: everything it runs ends, and nobody is told. */
export function shutdownFramework(turn: Turn, frameworkId: string): void {
  const framework = turn.state.frameworks.get(frameworkId)
  if (framework === undefined) return
  framework.isTerminating = true
  for (const [key, stream] of turn.state.updates) {
    if (stream.frameworkId !== frameworkId) continue
    cancelTimer(turn, { kind: 'retryUpdate', frameworkId, taskId: stream.taskId })
    turn.state.updates.delete(key)
  }
  for (const executor of [...framework.executors.values()]) shutdownExecutor(turn, executor)
  if (framework.executors.size === 0) forgetFramework(turn, framework)
}

/** Ends the program once nothing runs any more. */
export function exitWhenIdle(turn: Turn): void {
  if (turn.state.containers.size === 0) emit(turn, { kind: 'exit', reason: 'everything is stopped' })
}

/** Everything ends; the process exits after the last container. */
export function terminate(turn: Turn): void {
  turn.state.isTerminating = true
  for (const framework of turn.state.frameworks.values()) {
    for (const executor of [...framework.executors.values()]) shutdownExecutor(turn, executor)
  }
  exitWhenIdle(turn)
}

function hasCapability(turn: Turn, executor: Executor, capability: string): boolean {
  const framework = turn.state.frameworks.get(executor.frameworkId)
  return framework?.info.capabilities?.some(({ type }) => type === capability) ?? false
}

function ownerOf(turn: Turn, containerId: string): { executor: Executor; task: AgentTask | undefined } | undefined {
  const owner: ContainerOwner | undefined = turn.state.containers.get(containerId)
  const executor = owner && turn.state.frameworks.get(owner.frameworkId)?.executors.get(owner.executorId)
  if (owner === undefined || executor === undefined) return undefined
  return { executor, task: owner.taskId === undefined ? undefined : executor.tasks.get(owner.taskId) }
}

/** What a lost task is called: partition-aware frameworks are told more exactly. */
export function lostState(framework: AgentFramework): 'TASK_LOST' | 'TASK_DROPPED' {
  const isAware = framework.info.capabilities?.some(({ type }) => type === 'PARTITION_AWARE') ?? false
  return isAware ? 'TASK_DROPPED' : 'TASK_LOST'
}

/** Tells the master that an executor ended. */
export function tellExited(turn: Turn, executor: Executor, waitStatus: number): void {
  const exited = {
    framework_id: { value: executor.frameworkId },
    executor_id: { value: executor.executorId },
    wait_status: waitStatus,
  }
  const message: AgentMessage = { type: 'EXITED_EXECUTOR', exited_executor: exited }
  if (turn.state.linkPhase === 'registered') emit(turn, { kind: 'sendToMaster', message })
}
