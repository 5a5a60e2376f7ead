import type { AgentMessageReregister } from '@isthmus/proto/gen/agent-link'
import type { Resource } from '@isthmus/proto/gen/mesos'
import { isTerminal } from '../../framework/task-states.ts'
import { Resources } from '../../resources/resources.ts'

/** Resources that a task or an executor holds on an agent. */
export interface Hold {
  readonly frameworkId: string
  readonly role: string
  readonly resources: Resources
  /** Its framework survives a broken link of the agent. */
  readonly checkpoint: boolean
}

/** Resources as they are on a machine, whoever they are allocated to or reserved for. */
export function bagOf(resources: readonly Resource[] | undefined): Resources {
  return Resources.fromProto(resources).map(({ name, type }) => ({ name, type }))
}

/** Whether any of it is reserved. */
export function hasReservations(resources: readonly Resource[] | undefined): boolean {
  return resources?.some(({ reservations }) => (reservations?.length ?? 0) > 0) ?? false
}

/** The key of a task's hold. */
export function taskKey(frameworkId: string, taskId: string): string {
  return `task ${frameworkId}/${taskId}`
}

/** The key of an executor's hold. */
export function executorKey(frameworkId: string, executorId: string): string {
  return `executor ${frameworkId}/${executorId}`
}

/** What a task or an executor holds. */
export function holdOf(frameworkId: string, resources: readonly Resource[] | undefined, checkpoint: boolean): Hold {
  const role = resources?.find(({ allocation_info }) => allocation_info?.role !== undefined)?.allocation_info?.role
  return { frameworkId, role: role ?? '*', resources: bagOf(resources), checkpoint }
}

/** What an agent says that it runs; nothing of frameworks that were removed. */
export function holdsOf(
  { tasks, executors, frameworks }: AgentMessageReregister,
  removed: ReadonlySet<string>,
): Map<string, Hold> {
  const holds = new Map<string, Hold>()
  const checkpoint = (id: string): boolean => frameworks?.find((info) => info.id?.value === id)?.checkpoint === true
  for (const { framework_id, task_id, state, resources } of tasks ?? []) {
    const id = framework_id.value
    if (!isTerminal(state) && !removed.has(id))
      holds.set(taskKey(id, task_id.value), holdOf(id, resources, checkpoint(id)))
  }
  for (const { framework_id, executor_id, resources } of executors ?? []) {
    const id = framework_id?.value ?? ''
    if (!removed.has(id)) holds.set(executorKey(id, executor_id.value), holdOf(id, resources, checkpoint(id)))
  }
  return holds
}
