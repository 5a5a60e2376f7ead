import type { TaskState } from '@isthmus/proto/gen/mesos'

const TERMINAL: ReadonlySet<TaskState> = new Set([
  'TASK_FINISHED',
  'TASK_FAILED',
  'TASK_KILLED',
  'TASK_ERROR',
  'TASK_LOST',
  'TASK_DROPPED',
  'TASK_GONE',
  'TASK_GONE_BY_OPERATOR',
])

/** Says whether a task in this state has ended for good. UNREACHABLE and UNKNOWN have not: the task may come back. */
export function isTerminal(state: TaskState): boolean {
  return TERMINAL.has(state)
}
