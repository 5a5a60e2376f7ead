/**
 * Executors that are programs of a framework's: how they are started, get their tasks, are asked to end, and what becomes of their
 * tasks when they end. What they say to the agent is executor-calls.ts.
 */

import type { KillPolicy } from '@isthmus/proto/gen/mesos'
import { limitationCause } from './built-in.ts'
import { launchExecutor, updateContainer } from './containers.ts'
import { printDuration } from './environment.ts'
import type { Limitation } from './events.ts'
import { executorEnded } from './executors.ts'
import { executorTerminatingRecord, refOf, taskEndingRecord } from './snapshot.ts'
import { type AgentTask, type EndCause, type Executor, findExecutor, frameworkOf, liveTasks } from './state.ts'
import { updateTask } from './status-updates.ts'
import { cancelTimer, emit, note, record, setTimer, type Turn } from './turn.ts'

/** As wait(2) tells of a process that was killed. */
const SIGKILLED = 9

/** Starts the executor's process and waits for its SUBSCRIBE. */
export function startCustom(turn: Turn, executor: Executor): void {
  launchExecutor(turn, executor)
  const { frameworkId, executorId } = executor
  const { executorRegistrationTimeoutMs } = turn.state.options
  setTimer(turn, { kind: 'executorRegistration', frameworkId, executorId }, executorRegistrationTimeoutMs)
}

/** Its process runs. */
export function executorStarted(turn: Turn, executor: Executor, pid: number): void {
  executor.pid = pid
  record(turn, frameworkOf(turn.state, executor), {
    kind: 'executor_started',
    value: { executor: refOf(executor), pid },
  })
}

/** Gives a subscribed executor the tasks that wait for it, in their order; groups as a whole. */
export function deliverTasks(turn: Turn, executor: Executor): void {
  const { streamId } = executor
  if (streamId === undefined || executor.phase !== 'running') return
  for (const task of executor.tasks.values()) {
    if (task.phase !== 'staging') continue
    if (task.groupId === undefined) {
      task.phase = 'running'
      const info = { ...task.info, executor: executor.info }
      emit(turn, { kind: 'sendEvent', streamId, event: { type: 'LAUNCH', launch: { task: info } } })
      continue
    }
    const mates = queuedMates(executor, task)
    for (const mate of mates) mate.phase = 'running'
    const tasks = mates.map(({ info }) => ({ ...info, executor: executor.info }))
    const event = { type: 'LAUNCH_GROUP', launch_group: { task_group: { tasks } } } as const
    emit(turn, { kind: 'sendEvent', streamId, event })
  }
}

/** Tells the executor the kills it could not be told while its stream was broken. */
export function deliverKills(turn: Turn, executor: Executor): void {
  for (const task of executor.tasks.values()) {
    if (task.untoldKill === undefined || task.phase === 'ended') continue
    sendKill(turn, executor, task, task.untoldKill.policy)
  }
}

/** Why a custom executor's task will have ended; the first cause counts. */
export function blame(turn: Turn, executor: Executor, task: AgentTask, cause: EndCause | undefined): void {
  if (cause === undefined || task.endCause !== undefined || task.phase === 'ended') return
  task.endCause = cause
  record(turn, frameworkOf(turn.state, executor), taskEndingRecord(task))
}

function queuedMates(executor: Executor, task: AgentTask): AgentTask[] {
  if (task.groupId === undefined) return [task]
  return [...executor.tasks.values()].filter(({ groupId, phase }) => groupId === task.groupId && phase === 'staging')
}

/** KILL_TASK: a task the executor was not told of ends here, with its group; else the executor is told. */
export function killCustom(turn: Turn, executor: Executor, task: AgentTask, policy: KillPolicy | undefined): void {
  if (task.phase === 'staging') {
    const message =
      task.groupId === undefined
        ? 'Killed before delivery to the executor'
        : 'A task within the task group was killed before delivery to the executor'
    for (const mate of queuedMates(executor, task)) {
      const why = { reason: 'REASON_TASK_KILLED_DURING_LAUNCH', message } as const
      updateTask(turn, executor, mate, 'TASK_KILLED', { source: 'SOURCE_AGENT', ...why })
    }
    updateContainer(turn, executor)
    // An executor that never had a task is not waited for.
    if (executor.phase === 'registering' && liveTasks(executor).length === 0) shutdownCustom(turn, executor)
    return
  }
  if (executor.phase === 'terminating') {
    const { frameworkId, executorId } = executor
    note(turn, 'info', 'kill of a task whose executor is ending', {
      frameworkId,
      executorId,
      taskId: task.info.task_id,
    })
    return
  }
  sendKill(turn, executor, task, policy)
}

function sendKill(turn: Turn, executor: Executor, task: AgentTask, policy: KillPolicy | undefined): void {
  const { streamId } = executor
  const framework = frameworkOf(turn.state, executor)
  if (streamId === undefined) {
    task.untoldKill = { policy }
    record(turn, framework, taskEndingRecord(task))
    return
  }
  if (task.untoldKill !== undefined) {
    task.untoldKill = undefined
    record(turn, framework, taskEndingRecord(task))
  }
  const kill = { task_id: task.info.task_id, kill_policy: policy }
  emit(turn, { kind: 'sendEvent', streamId, event: { type: 'KILL', kill } })
}

/** SHUTDOWN: one that runs is asked, and destroyed after its grace; one that never subscribed is destroyed. */
export function shutdownCustom(turn: Turn, executor: Executor): void {
  if (executor.phase === 'terminating') return
  const { frameworkId, executorId, containerId, streamId } = executor
  const wasRunning = executor.phase === 'running'
  executor.phase = 'terminating'
  if (!wasRunning) {
    executor.endCause ??= { state: 'TASK_KILLED', reason: 'REASON_EXECUTOR_TERMINATED', message: 'Executor terminated' }
    record(turn, frameworkOf(turn.state, executor), executorTerminatingRecord(executor))
    emit(turn, { kind: 'destroyContainer', containerId })
    return
  }
  const nanoseconds = executor.info.shutdown_grace_period?.nanoseconds
  const graceMs = nanoseconds === undefined ? turn.state.options.executorShutdownGraceMs : Number(nanoseconds) / 1e6
  executor.shutdownDueAtMs = turn.atMs + Math.max(0, graceMs)
  record(turn, frameworkOf(turn.state, executor), executorTerminatingRecord(executor))
  if (streamId !== undefined) emit(turn, { kind: 'sendEvent', streamId, event: { type: 'SHUTDOWN' } })
  setTimer(turn, { kind: 'executorShutdown', frameworkId, executorId }, Math.max(0, graceMs))
}

/** The grace of a SHUTDOWN is over. */
export function shutdownGraceOver(turn: Turn, frameworkId: string, executorId: string): void {
  const executor = findExecutor(turn.state, frameworkId, executorId)
  if (executor?.phase === 'terminating') emit(turn, { kind: 'destroyContainer', containerId: executor.containerId })
}

/** It did not subscribe in time. */
export function registrationTimedOut(turn: Turn, frameworkId: string, executorId: string): void {
  const executor = findExecutor(turn.state, frameworkId, executorId)
  if (executor === undefined || executor.phase !== 'registering') return
  const message = `Executor did not register within ${printDuration(turn.state.options.executorRegistrationTimeoutMs)}`
  executor.endCause = { state: 'TASK_FAILED', reason: 'REASON_EXECUTOR_REGISTRATION_TIMEOUT', message }
  destroyCustom(turn, executor)
}

/** Ends a custom executor without asking it. */
export function destroyCustom(turn: Turn, executor: Executor): void {
  executor.phase = 'terminating'
  record(turn, frameworkOf(turn.state, executor), executorTerminatingRecord(executor))
  emit(turn, { kind: 'destroyContainer', containerId: executor.containerId })
}

/** Its process never ran. */
export function customLaunchFailed(turn: Turn, executor: Executor, failure: EndCause): void {
  endTasksOf(turn, executor, executor.endCause ?? failure)
  executorEnded(turn, executor, SIGKILLED)
}

/** Its process is gone: with it all its tasks fail, also those it was never told of. */
export function customExited(
  turn: Turn,
  executor: Executor,
  { waitStatus, limitation }: { readonly waitStatus: number; readonly limitation: Limitation | undefined },
): void {
  endTasksOf(turn, executor, (limitation && limitationCause(limitation)) ?? executor.endCause)
  executorEnded(turn, executor, waitStatus)
}

/** Tells the end of all its tasks; what each of them has for a cause of its own counts more. */
export function endTasksOf(turn: Turn, executor: Executor, cause: EndCause | undefined): void {
  for (const task of liveTasks(executor)) {
    const { state, reason, message } = task.endCause ??
      cause ?? {
        state: 'TASK_FAILED' as const,
        reason: 'REASON_EXECUTOR_TERMINATED' as const,
        message: 'Executor terminated',
      }
    updateTask(turn, executor, task, state, { source: 'SOURCE_AGENT', reason, message })
  }
}

/** It subscribed. */
export function customRegistered(turn: Turn, executor: Executor): void {
  executor.phase = 'running'
  if (!executor.hasSubscribed) {
    executor.hasSubscribed = true
    record(turn, frameworkOf(turn.state, executor), { kind: 'executor_subscribed', value: refOf(executor) })
  }
  const { frameworkId, executorId } = executor
  cancelTimer(turn, { kind: 'executorRegistration', frameworkId, executorId })
}
