/**
 * The books of status updates: what an update, and its acknowledgement, change in the state. The machine does this as they come
 * (status-updates.ts), and a recovered agent once more with what is recorded of them (recovery.ts).
 */

import type { TaskStatus } from '@isthmus/proto/gen/mesos'
import { isTerminal } from '../framework/task-states.ts'
import type { AgentFramework, AgentTask, Executor, UpdateStream } from './state.ts'

/** Pause before an update is sent again the first time, and the longest; as in Mesos. */
export const RETRY_MIN_MS = 10_000
/** See RETRY_MIN_MS. */
export const RETRY_MAX_MS = 600_000
/** Updates of one task that wait; beyond it the oldest but the one that is with the master are dropped. */
export const PENDING_UPDATES_MAX = 1_000
/** Statuses of a task kept for the pages. */
const STATUSES_MAX = 32
/** Ended tasks of an executor kept for the pages; as in Mesos. */
const COMPLETED_TASKS_MAX = 200

/** A task's state follows its newest update; true when that ended it. */
export function enterStatus(task: AgentTask, status: TaskStatus): boolean {
  const wasEnded = task.phase === 'ended'
  task.state = status.state
  task.statuses.push(status.data === undefined ? status : { ...status, data: undefined })
  if (task.statuses.length > STATUSES_MAX) task.statuses.shift()
  if (wasEnded || !isTerminal(status.state)) return false
  task.phase = 'ended'
  return true
}

/** Puts an update in line. */
export function enqueueUpdate(
  { frameworkId, updates }: AgentFramework,
  status: TaskStatus,
): { readonly stream: UpdateStream; readonly isOverfull: boolean } {
  const taskId = status.task_id.value
  let stream = updates.get(taskId)
  if (stream === undefined) {
    stream = { frameworkId, taskId, pending: [], retryAfterMs: RETRY_MIN_MS, latestState: status.state }
    updates.set(taskId, stream)
  }
  stream.pending.push(status)
  stream.latestState = status.state
  const isOverfull = stream.pending.length > PENDING_UPDATES_MAX
  if (isOverfull) stream.pending.splice(1, 1)
  return { stream, isOverfull }
}

/** Takes the oldest update of a task out of the line when it has this uuid; with the last of an ended task goes the task. */
export function dequeueUpdate(framework: AgentFramework, taskId: string, uuid: Uint8Array): UpdateStream | undefined {
  const stream = framework.updates.get(taskId)
  const head = stream?.pending[0]
  if (stream === undefined || head === undefined || !equalBytes(head.uuid, uuid)) return undefined
  stream.pending.shift()
  stream.retryAfterMs = RETRY_MIN_MS
  if (stream.pending.length > 0) return stream
  framework.updates.delete(taskId)
  const found = framework.tasks.get(taskId)
  if (isTerminal(head.state) && found?.task.phase === 'ended') completeTask(framework, found.executor, found.task)
  return stream
}

/** Nobody wants a framework's updates any more: they and its ended tasks leave the books. */
export function forgetUpdates(framework: AgentFramework): void {
  framework.updates.clear()
  for (const { executor, task } of [...framework.tasks.values()]) {
    if (task.phase === 'ended') completeTask(framework, executor, task)
  }
}

/** An ended task leaves the books for the history. */
export function completeTask(framework: AgentFramework | undefined, executor: Executor, task: AgentTask): void {
  const taskId = task.info.task_id.value
  framework?.tasks.delete(taskId)
  executor.tasks.delete(taskId)
  executor.completedTasks.push(task)
  if (executor.completedTasks.length > COMPLETED_TASKS_MAX) executor.completedTasks.shift()
}

/** Says whether two uuids are the same. */
export function equalBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined || a.length !== b.length) return false
  // A loop: this is asked for each status that is kept of a task, at each update.
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false
  return true
}
