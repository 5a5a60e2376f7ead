/** One task on a page. */

import type { TaskStatus } from '@isthmus/proto/gen/mesos'
import type { Json, JsonObject } from './json.ts'
import type { MasterTask } from './state.ts'
import { resourcesObject } from './views-resources.ts'

/** One task. */
export function taskObject(task: MasterTask): JsonObject {
  return {
    id: task.id,
    name: task.name,
    framework_id: task.frameworkId,
    executor_id: task.executorId,
    slave_id: task.agentId,
    state: task.state,
    role: task.role,
    resources: resourcesObject(task.resources),
    statuses: task.statuses.map(statusObject),
    user: task.user,
    labels: labelList(task.labels),
    discovery: task.discovery as JsonObject | undefined,
    container: task.container as JsonObject | undefined,
    health_check: task.healthCheck as JsonObject | undefined,
  }
}

function statusObject(status: TaskStatus): JsonObject {
  const container = status.container_status
  return {
    state: status.state,
    timestamp: status.timestamp ?? 0,
    labels: labelList(status.labels),
    container_status:
      container === undefined ? undefined : ({ ...container, executor_pid: undefined } as unknown as JsonObject),
    healthy: status.healthy,
  }
}

/** Labels as a list of pairs. */
export function labelList(labels: MasterTask['labels']): readonly Json[] | undefined {
  return labels?.labels?.map(({ key, value }) => ({ key, value }))
}
