/**
 * RECONCILE: what the master knows of tasks, said again. The table (first match answers):
 *
 * | the task                                     | plain     | PARTITION_AWARE      |
 * |----------------------------------------------|-----------|----------------------|
 * | is known                                     | its state | its state            |
 * | its agent (or, without one, any) is awaited  | nothing   | nothing              |
 * | its agent is registered                      | TASK_LOST | TASK_GONE            |
 * | its agent is unreachable                     | TASK_LOST | TASK_UNREACHABLE     |
 * | its agent is gone                            | TASK_LOST | TASK_GONE_BY_OPERATOR|
 * | otherwise                                    | TASK_LOST | TASK_UNKNOWN         |
 *
 * Awaited: the agent is in the registry and has not come back to this leader, or its admission is being stored.
 */

import type { TaskState } from '@isthmus/proto/gen/mesos'
import type { CallReconcile, CallReconcileTask } from '@isthmus/proto/gen/scheduler'
import { count } from './counters.ts'
import { masterStatus } from './messages.ts'
import type { Framework, MasterTask } from './state.ts'
import { sendEvent, type Turn } from './turn.ts'

/** Answers a RECONCILE: the tasks asked for, or with none all tasks that have not ended. */
export function reconcile(turn: Turn, framework: Framework, call: CallReconcile): void {
  count(turn.state.counters, 'master/messages_reconcile_tasks')
  const asked = call.tasks ?? []
  for (const task of asked) reconcileTask(turn, framework, task)
  if (asked.length > 0) return
  for (const task of framework.tasks.values()) tellLatest(turn, framework, task)
  for (const task of framework.unreachableTasks.values()) tellUnknown(turn, framework, task.id, task.agentId)
}

/** Answers for one task. */
export function reconcileTask(turn: Turn, framework: Framework, asked: CallReconcileTask): void {
  const task = framework.tasks.get(asked.task_id.value)
  if (task !== undefined) {
    tellLatest(turn, framework, task)
    return
  }
  const unreachable = framework.unreachableTasks.get(asked.task_id.value)
  tellUnknown(turn, framework, asked.task_id.value, asked.agent_id?.value ?? unreachable?.agentId)
}

function tellLatest(turn: Turn, framework: Framework, task: MasterTask): void {
  const latest = task.statuses.at(-1)
  const status = masterStatus(turn.atMs, {
    taskId: task.id,
    agentId: task.agentId,
    executorId: task.executorId,
    // What the framework has been told already; its agent tells the rest.
    state: task.statusState ?? task.state,
    reason: 'REASON_RECONCILIATION',
    message: 'Reconciliation: Latest task state',
  })
  const { healthy, check_status, container_status, labels } = latest ?? {}
  sendEvent(turn, framework, {
    type: 'UPDATE',
    update: { status: { ...status, healthy, check_status, container_status, labels } },
  })
}

function tellUnknown(turn: Turn, framework: Framework, taskId: string, agentId: string | undefined): void {
  const answer = answerFor(turn, agentId)
  if (answer === undefined) return
  const state = framework.capabilities.partitionAware ? answer.state : 'TASK_LOST'
  const status = masterStatus(turn.atMs, {
    taskId,
    agentId,
    state,
    reason: 'REASON_RECONCILIATION',
    message: `Reconciliation: Task is ${answer.text}`,
    unreachableAtMs: answer.unreachableAtMs,
  })
  sendEvent(turn, framework, { type: 'UPDATE', update: { status } })
}

interface Answer {
  readonly state: TaskState
  readonly text: string
  readonly unreachableAtMs?: number | undefined
}

function answerFor(turn: Turn, agentId: string | undefined): Answer | undefined {
  const { agents, registry, recoveredAgents } = turn.state
  if (agentId === undefined) {
    return recoveredAgents.size > 0 ? undefined : { state: 'TASK_UNKNOWN', text: 'unknown' }
  }
  if (agents.has(agentId)) return { state: 'TASK_GONE', text: 'unknown to the agent' }
  if (recoveredAgents.has(agentId) || registry.admitted.has(agentId)) return undefined
  const unreachableAtMs = registry.unreachable.get(agentId)
  if (unreachableAtMs !== undefined) return { state: 'TASK_UNREACHABLE', text: 'unreachable', unreachableAtMs }
  if (registry.gone.has(agentId)) return { state: 'TASK_GONE_BY_OPERATOR', text: 'gone' }
  return { state: 'TASK_UNKNOWN', text: 'unknown' }
}
