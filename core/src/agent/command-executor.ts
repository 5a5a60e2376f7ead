/** The command executor, built in: it bears its only task's id, and its container is the task's. */

import type { ExecutorInfo, TaskInfo } from '@isthmus/proto/gen/mesos'

/** What pages and the operator API show for it; as Mesos makes it. */
export function commandExecutorInfo(task: TaskInfo, frameworkId: string): ExecutorInfo {
  const { value = '', shell = true, arguments: argv = [] } = task.command ?? {}
  const shown = shell ? `sh -c '${value}'` : [value, ...argv.slice(1)].join(' ')
  const id = task.task_id.value
  return {
    executor_id: { value: id },
    framework_id: { value: frameworkId },
    name: `Command Executor (Task: ${id}) (Command: ${shown})`,
    source: id,
    resources: [
      { name: 'cpus', type: 'SCALAR', scalar: { value: 0.1 } },
      { name: 'mem', type: 'SCALAR', scalar: { value: 32 } },
    ],
    labels: task.labels,
    discovery: task.discovery,
  }
}
