/**
 * The default executor, built in: it runs task groups, each task in a container nested in the executor's, and ends with its last
 * task. Several groups may run on one executor; more can be added while it runs.
 *
 * A group starts together (TASK_RUNNING when all its containers run) and fails together: a task that fails or is killed takes
 * the rest of its group with it. Other groups of the executor are not touched.
 *
 * An extension of Isthmus: a task without command and container is a pure reservation. It runs nothing, is TASK_RUNNING at once,
 * and holds its resources, which the executor's other tasks may use, until it is killed. So an executor can be given more room,
 * or less, while it runs: LAUNCH_GROUP with such a task makes its containers larger, KILL makes them smaller.
 */

import type { TaskInfo } from '@isthmus/proto/gen/mesos'
import { nextUuid } from '../base/random.ts'
import type { AgentTask, Executor } from './state.ts'
import type { Turn } from './turn.ts'

/** Says whether a task of a default executor runs nothing. */
export function isReservation(info: TaskInfo): boolean {
  return info.command === undefined && info.container === undefined
}

/** The container of a task of a built-in executor; a reservation has none. */
export function containerIdFor(turn: Turn, executor: Executor, info: TaskInfo): string | undefined {
  if (executor.kind === 'custom') return undefined
  if (executor.kind === 'command') return executor.containerId
  return isReservation(info) ? undefined : `${executor.containerId}.${nextUuid(turn.state.random)}`
}

/** The task's group, as far as it has not ended; the task itself without a group. */
export function groupMates(executor: Executor, task: AgentTask): AgentTask[] {
  if (task.groupId === undefined) return task.phase === 'ended' ? [] : [task]
  return [...executor.tasks.values()].filter(({ groupId, phase }) => groupId === task.groupId && phase !== 'ended')
}

/** Says whether every container of the task's group runs, or has run. */
export function isGroupStarted(executor: Executor, task: AgentTask): boolean {
  return groupMates(executor, task).every(({ containerId, pid }) => containerId === undefined || pid !== undefined)
}
