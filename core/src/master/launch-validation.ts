/**
 * Whether a task may be launched on what an ACCEPT holds. The checks and their order are those of Mesos 1.11, and so are the texts,
 * since they reach the framework's users as the message of TASK_ERROR.
 *
 * Parts: executor-validation.ts, ../base/process-validation.ts (commands, containers, checks), held-validation.ts (resources).
 */

import type { ContainerInfo, ExecutorInfo, TaskInfo } from '@isthmus/proto/gen/mesos'
import { idError } from '@isthmus/proto/ids'
import {
  isNegative,
  validateCheck,
  validateCommand,
  validateContainer,
  validateHealthCheck,
} from '../base/process-validation.ts'
import { type Acceptance, availableTo, isAvailable, neededBy } from './acceptance.ts'
import { bagOf, isEmpty, scalarOf, textOf } from './bag.ts'
import {
  sameExecutor,
  sharedCgroupsError,
  validateGroupExecutor,
  validateGroupNeeds,
  validateTaskExecutor,
} from './executor-validation.ts'
import { validateHeld, validateHeldByGroup, validateHeldTogether } from './held-validation.ts'

/** Checks one task of a LAUNCH. */
export function validateTask(acceptance: Acceptance, task: TaskInfo): string | undefined {
  const { executor, resources = [] } = task
  const error = validateTaskItself(acceptance, task)
  if (error !== undefined) return error
  if ((executor === undefined) === (task.command === undefined)) {
    return 'Task should have at least one (but not both) of CommandInfo or ExecutorInfo present'
  }
  if (executor !== undefined) {
    const invalid =
      validateTaskExecutor(acceptance, executor) ?? validateHeldTogether(resources, executor.resources ?? [])
    if (invalid !== undefined) return invalid
  }
  const needed = neededBy(acceptance, [task], executor)
  if (!isAvailable(acceptance, needed)) {
    return `Total resources ${textOf(needed)} required by task and its executor is more than available ${textOf(availableTo(acceptance))}`
  }
  return sharesCgroups(task.container)
    ? undefined
    : "Only tasks in a task group may have 'share_cgroups' set to 'false'"
}

/** Checks all tasks of a LAUNCH_GROUP and their executor; the first error refuses all. */
export function validateGroup(
  acceptance: Acceptance,
  executor: ExecutorInfo,
  tasks: readonly TaskInfo[],
): string | undefined {
  const error =
    validateGroupTasks(acceptance, tasks) ??
    validateGroupExecutor(acceptance, executor) ??
    otherExecutor(executor, tasks) ??
    validateGroupNeeds(executor) ??
    validateHeldByGroup(
      tasks.map(({ resources = [] }) => resources),
      executor.resources ?? [],
    )
  if (error !== undefined) return error
  const needed = neededBy(acceptance, tasks, executor)
  if (!isAvailable(acceptance, needed)) {
    return `Total resources ${textOf(needed)} required by task group and its executor are more than available ${textOf(availableTo(acceptance))}`
  }
  return sharedCgroupsError(executor) ?? mixedCgroups(acceptance, executor, tasks)
}

function validateGroupTasks(acceptance: Acceptance, tasks: readonly TaskInfo[]): string | undefined {
  const ids = tasks.map(({ task_id }) => task_id.value)
  const twice = ids.find((id, index) => ids.indexOf(id) !== index)
  if (twice !== undefined) return `Task '${twice}' is invalid: Task has duplicate ID: ${twice}`
  for (const task of tasks) {
    const error = validateTaskItself(acceptance, task) ?? validateGroupTask(task)
    if (error !== undefined) return `Task '${task.task_id.value}' is invalid: ${error}`
  }
  return undefined
}

/** What a task may not have because it runs inside the container of its executor. */
function validateGroupTask({ container, health_check, limits }: TaskInfo): string | undefined {
  const reaches = health_check?.type === 'HTTP' || health_check?.type === 'TCP'
  if (reaches && (container?.network_infos ?? []).length > 0) {
    return "HTTP and TCP health checks are not supported for nested containers not joining parent's network"
  }
  if (container?.type === 'DOCKER') return 'Docker ContainerInfo is not supported on the task'
  if (Object.keys(limits ?? {}).length === 0 || !sharesCgroups(container)) return undefined
  return "Resource limits may only be set for tasks within a task group when the 'share_cgroups' field is set to 'false'."
}

function otherExecutor(executor: ExecutorInfo, tasks: readonly TaskInfo[]): string | undefined {
  const task = tasks.find((one) => one.executor !== undefined && !sameExecutor(one.executor, executor))
  if (task === undefined) return undefined
  return `The \`ExecutorInfo\` of task '${task.task_id.value}' is different from executor '${executor.executor_id.value}'`
}

function sharesCgroups(container: ContainerInfo | undefined): boolean {
  return container?.linux_info?.share_cgroups ?? true
}

/** All tasks of an executor share its control groups, or none does. */
function mixedCgroups(
  { framework, agent }: Acceptance,
  executor: ExecutorInfo,
  tasks: readonly TaskInfo[],
): string | undefined {
  const id = executor.executor_id.value
  const all = tasks.map(({ container }) => sharesCgroups(container))
  if (agent.executors.get(framework.id)?.has(id) === true) {
    const known = [...(agent.tasks.get(framework.id)?.values() ?? [])]
    all.push(...known.filter(({ executorId }) => executorId === id).map(({ container }) => sharesCgroups(container)))
  }
  if (all.every((shares) => shares === all[0])) return undefined
  return "If set, the value of 'share_cgroups' must be the same for all tasks in each task group and under a single executor"
}

function validateTaskItself({ framework, agent }: Acceptance, task: TaskInfo): string | undefined {
  const id = idError(task.task_id.value)
  if (id !== undefined) return id
  if (framework.tasks.has(task.task_id.value)) return `Task has duplicate ID: ${task.task_id.value}`
  if (framework.unreachableTasks.has(task.task_id.value)) {
    return `Task reuses the ID of an unreachable task: ${task.task_id.value}`
  }
  if (task.agent_id.value !== agent.id) {
    return `Task uses invalid agent ${task.agent_id.value} while agent ${agent.id} is expected`
  }
  if (isNegative(task.kill_policy?.grace_period)) return "Task's 'kill_policy.grace_period' must be non-negative"
  if (isNegative(task.max_completion_time)) return "Task's `max_completion_time` must be non-negative"
  const check = task.check && validateCheck(task.check)
  if (check !== undefined) return `Task uses invalid check: ${check}`
  const health = task.health_check && validateHealthCheck(task.health_check)
  if (health !== undefined) return `Task uses invalid health check: ${health}`
  return validateContents(agent, task)
}

function validateContents(agent: Acceptance['agent'], task: TaskInfo): string | undefined {
  const { resources = [] } = task
  if (resources.length === 0) return 'Task uses no resources'
  const held = validateHeld('Task', resources)
  if (held !== undefined) return held
  if (isEmpty(bagOf(resources))) return 'Task uses no resources'
  const command = task.command && validateCommand(task.command)
  if (command !== undefined) return `Task's \`CommandInfo\` is invalid: ${command}`
  const container = task.container && validateContainer(task.container)
  if (container !== undefined) return `Task's \`ContainerInfo\` is invalid: ${container}`
  return validateLimits(agent, task)
}

function validateLimits(agent: Acceptance['agent'], { limits = {}, resources = [] }: TaskInfo): string | undefined {
  const names = Object.keys(limits)
  if (names.length === 0) return undefined
  if (!agent.capabilities.some(({ type }) => type === 'TASK_RESOURCE_LIMITS')) {
    return 'Agent is not capable of handling task resource limits'
  }
  if (names.some((name) => name !== 'cpus' && name !== 'mem')) {
    return "Only cpus and mem may be included in a task's resource limits"
  }
  const held = bagOf(resources)
  for (const [name, called, upper] of [
    ['cpus', 'cpu', 'CPU'],
    ['mem', 'memory', 'memory'],
  ] as const) {
    const limit = limits[name]?.value
    if (limit === undefined) continue
    const request = scalarOf(held, name)
    if (request === 0) return `When a ${upper} limit is specified, a ${upper} request must also be specified`
    if (!(limit >= request)) return `The ${called} limit must be greater than or equal to the ${called} request`
  }
  return undefined
}
