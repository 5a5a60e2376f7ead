/**
 * What goes on after the agent was away: tasks and executors whose processes a recovered agent has found. Signals and destructions are
 * repeated, since nobody knows whether the last ones were carried out.
 */

import { announce, limitTimeSince, taskStarted } from './built-in.ts'
import { resumeChecks } from './checks.ts'
import { executorStarted } from './custom-executor.ts'
import type { AgentTask, Executor } from './state.ts'
import { updateTask } from './status-updates.ts'
import { emit, setTimer, type Turn } from './turn.ts'

/** A built-in executor's task runs. */
export function resumeTask(turn: Turn, executor: Executor, task: AgentTask, pid: number): void {
  const { containerId, endCause } = task
  if (containerId === undefined) return
  if (endCause !== undefined) return resumeKill(turn, task, containerId)
  if (task.phase === 'running') return resumeWatch(turn, task)
  if (task.pid === undefined) return taskStarted(turn, executor, task, pid)
  if (executor.kind === 'command' && task.state === 'TASK_STAGING') {
    updateTask(turn, executor, task, 'TASK_STARTING', { source: 'SOURCE_EXECUTOR' })
  }
  announce(turn, executor, task)
}

function resumeKill(turn: Turn, task: AgentTask, containerId: string): void {
  const { pid, endCause, killDueAtMs } = task
  if (pid === undefined || killDueAtMs === undefined || endCause?.reason === 'REASON_CONTAINER_PREEMPTED') {
    emit(turn, { kind: 'destroyContainer', containerId })
    return
  }
  emit(turn, { kind: 'signalContainer', containerId, signal: 'SIGTERM' })
  setTimer(turn, { kind: 'killGrace', containerId }, Math.max(0, killDueAtMs - turn.atMs))
}

function resumeWatch(turn: Turn, task: AgentTask): void {
  const sinceMs = runningSinceMs(turn, task)
  limitTimeSince(turn, task, sinceMs)
  resumeChecks(turn, task, sinceMs)
}

/** From its first TASK_RUNNING that is remembered; a clock that was set back does not give it more time. */
function runningSinceMs(turn: Turn, { statuses }: AgentTask): number {
  const seconds = statuses.find(({ state }) => state === 'TASK_RUNNING')?.timestamp
  return seconds === undefined ? turn.atMs : Math.min(turn.atMs, seconds * 1000)
}

/** A custom executor's process runs. */
export function resumeExecutor(turn: Turn, executor: Executor, pid: number): void {
  const { frameworkId, executorId, containerId, shutdownDueAtMs, hasSubscribed } = executor
  if (executor.pid === undefined) executorStarted(turn, executor, pid)
  if (executor.phase === 'terminating') {
    if (shutdownDueAtMs === undefined) emit(turn, { kind: 'destroyContainer', containerId })
    else {
      setTimer(turn, { kind: 'executorShutdown', frameworkId, executorId }, Math.max(0, shutdownDueAtMs - turn.atMs))
    }
    return
  }
  // It has to find its new agent; the time that it had before is over or not.
  if (!hasSubscribed) {
    const timer = { kind: 'executorRegistration', frameworkId, executorId } as const
    setTimer(turn, timer, turn.state.options.executorRegistrationTimeoutMs)
  }
}
