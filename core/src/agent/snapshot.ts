/**
 * The shortest list of records that recover() makes the same state of: what a journal begins with. Completed executors with nothing left
 * to tell, completed frameworks, and completed tasks but those of custom executors that run are not in it.
 */

import type { RecordCause, RecordExecutorRef } from '@isthmus/proto/gen/checkpoint'
import type { TaskStatus } from '@isthmus/proto/gen/mesos'
import type { AgentRecord } from './records.ts'
import type { AgentFramework, AgentState, AgentTask, EndCause, Executor } from './state.ts'

/** Everything of a state that is recorded. O(tasks and pending updates of checkpointing frameworks). */
export function snapshot(state: Pick<AgentState, 'frameworks' | 'sandboxes' | 'drain'>): AgentRecord[] {
  const records: AgentRecord[] = []
  for (const framework of state.frameworks.values()) {
    if (framework.info.checkpoint === true) addFramework(records, framework)
  }
  for (const [path, dueAtMs] of state.sandboxes) {
    records.push({ kind: 'sandbox', value: { path, due_at_ms: dueAtMs } })
  }
  const { drain } = state
  if (drain !== undefined) records.push(drainRecord(drain))
  return records
}

function addFramework(records: AgentRecord[], framework: AgentFramework): void {
  const { frameworkId: framework_id, info } = framework
  records.push({ kind: 'framework', value: { framework_id, info } })
  for (const executor of framework.completedExecutors) {
    if (executor.tasks.size === 0) continue
    addExecutor(records, framework, executor)
    records.push({ kind: 'executor_ended', value: refOf(executor) })
  }
  for (const executor of framework.executors.values()) addExecutor(records, framework, executor)
  // Tasks that never were in the books.
  for (const [taskId, { pending }] of framework.updates) {
    if (framework.tasks.has(taskId)) continue
    for (const status of pending) records.push({ kind: 'update', value: { framework_id, status } })
  }
  // It forgets the updates before it, as they were forgotten then.
  if (framework.isTerminating) records.push({ kind: 'framework_terminating', value: { framework_id } })
}

function addExecutor(records: AgentRecord[], framework: AgentFramework, executor: Executor): void {
  records.push(executorRecord(executor))
  const ref = refOf(executor)
  if (executor.kind === 'custom') {
    if (executor.pid !== undefined) {
      records.push({ kind: 'executor_started', value: { executor: ref, pid: executor.pid } })
    }
    if (executor.hasSubscribed) records.push({ kind: 'executor_subscribed', value: ref })
    if (executor.phase === 'terminating') records.push(executorTerminatingRecord(executor))
  }
  // A custom executor may report again what it was not told to be known.
  const history =
    executor.kind === 'custom' && framework.executors.get(executor.executorId) === executor
      ? executor.completedTasks
      : []
  for (const task of history) {
    const taskId = task.info.task_id.value
    const isReused = framework.tasks.has(taskId) || framework.updates.has(taskId)
    if (!isReused) addTask(records, framework, executor, task, [])
  }
  for (const task of executor.tasks.values()) {
    addTask(records, framework, executor, task, framework.updates.get(task.info.task_id.value)?.pending ?? [])
  }
}

function addTask(
  records: AgentRecord[],
  framework: AgentFramework,
  executor: Executor,
  task: AgentTask,
  pending: readonly TaskStatus[],
): void {
  const { frameworkId: framework_id } = framework
  const taskId = task.info.task_id.value
  records.push(taskRecord(executor, task))
  if (task.pid !== undefined) {
    records.push({ kind: 'task_started', value: { framework_id, task_id: taskId, pid: task.pid } })
  }
  if (task.endCause !== undefined || task.killDueAtMs !== undefined || task.untoldKill !== undefined) {
    records.push(taskEndingRecord(task))
  }
  const waiting = new Set(pending.map(({ uuid }) => String(uuid)))
  for (const status of task.statuses) {
    if (status.uuid === undefined || waiting.has(String(status.uuid))) continue
    records.push(
      { kind: 'update', value: { framework_id, status } },
      { kind: 'acknowledgement', value: { framework_id, task_id: taskId, uuid: status.uuid } },
    )
  }
  for (const status of pending) records.push({ kind: 'update', value: { framework_id, status } })
}

const KINDS = { command: 'COMMAND', default: 'DEFAULT', custom: 'CUSTOM' } as const

/** An executor came. */
export function executorRecord(executor: Executor): AgentRecord {
  const { frameworkId, kind, info, containerId, sandboxPath, user, startedAtMs } = executor
  return {
    kind: 'executor',
    value: {
      framework_id: frameworkId,
      kind: KINDS[kind],
      info,
      container_id: containerId,
      sandbox_path: sandboxPath,
      user,
      started_at_ms: startedAtMs,
    },
  }
}

/** Names one run of an executor. */
export function refOf({ frameworkId, executorId, containerId }: Executor): RecordExecutorRef {
  return { framework_id: frameworkId, executor_id: executorId, container_id: containerId }
}

/** An executor is to end. */
export function executorTerminatingRecord(executor: Executor): AgentRecord {
  const { endCause, shutdownDueAtMs } = executor
  return {
    kind: 'executor_terminating',
    value: { executor: refOf(executor), cause: endCause && causeRecord(endCause), due_at_ms: shutdownDueAtMs },
  }
}

/** A task came. */
export function taskRecord(executor: Executor, { info, groupId, containerId }: AgentTask): AgentRecord {
  return {
    kind: 'task',
    value: {
      framework_id: executor.frameworkId,
      executor_id: executor.executorId,
      info,
      group_id: groupId,
      container_id: containerId,
    },
  }
}

/** A task was asked to end, and how long it may take. */
export function taskEndingRecord({ frameworkId, info, endCause, killDueAtMs, untoldKill }: AgentTask): AgentRecord {
  return {
    kind: 'task_ending',
    value: {
      framework_id: frameworkId,
      task_id: info.task_id.value,
      cause: endCause && causeRecord(endCause),
      due_at_ms: killDueAtMs,
      kill_policy: untoldKill?.policy,
      is_untold: untoldKill !== undefined,
    },
  }
}

/** The agent drains. */
export function drainRecord({ config, startedAtMs }: NonNullable<AgentState['drain']>): AgentRecord {
  return { kind: 'drain', value: { config, started_at_ms: startedAtMs } }
}

function causeRecord({ state, reason, message, healthy }: EndCause): RecordCause {
  return { state, reason, message, healthy }
}
