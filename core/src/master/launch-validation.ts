/**
 * Whether a task may be launched on what an ACCEPT holds. The checks and their order are those of Mesos 1.11, and so are the texts,
 * since they reach the framework's users as the message of TASK_ERROR.
 */

import type {
  CheckInfo,
  CommandInfo,
  ContainerInfo,
  DurationInfo,
  ExecutorInfo,
  HealthCheck,
  Resource,
  TaskInfo,
} from '@isthmus/proto/gen/mesos'
import { idError } from '@isthmus/proto/ids'
import { type Acceptance, availableTo, isAvailable, neededBy } from './acceptance.ts'
import { bagOf, isEmpty, sameBag, scalarOf, textOf, validateResources } from './bag.ts'
import { sameMessage } from './same-message.ts'

/** An executor of a group needs at least this. */
const MIN_EXECUTOR_CPUS = 0.01
const MIN_EXECUTOR_MEM_MB = 32

/** Checks one task of a LAUNCH. */
export function validateTask(acceptance: Acceptance, task: TaskInfo): string | undefined {
  const error = validateTaskItself(acceptance, task)
  if (error !== undefined) return error
  if ((task.executor === undefined) === (task.command === undefined)) {
    return 'Task should have at least one (but not both) of CommandInfo or ExecutorInfo present'
  }
  if (task.executor !== undefined) {
    const executor =
      (task.executor.type === 'DEFAULT' ? "'ExecutorInfo.type' must be 'CUSTOM'" : undefined) ??
      validateExecutor(acceptance, task.executor)
    if (executor !== undefined) return executor
  }
  const needed = neededBy(acceptance, [task], task.executor)
  if (isAvailable(acceptance, needed)) return undefined
  return `Total resources ${textOf(needed)} required by task and its executor is more than available ${textOf(availableTo(acceptance))}`
}

/** Checks all tasks of a LAUNCH_GROUP and their executor; the first error refuses all. */
export function validateGroup(
  acceptance: Acceptance,
  executor: ExecutorInfo,
  tasks: readonly TaskInfo[],
): string | undefined {
  const error = validateGroupTasks(acceptance, executor, tasks) ?? validateGroupExecutor(acceptance, executor)
  if (error !== undefined) return error
  const needed = neededBy(acceptance, tasks, executor)
  if (isAvailable(acceptance, needed)) return undefined
  return `Total resources ${textOf(needed)} required by task group and its executor are more than available ${textOf(availableTo(acceptance))}`
}

function validateGroupTasks(
  acceptance: Acceptance,
  executor: ExecutorInfo,
  tasks: readonly TaskInfo[],
): string | undefined {
  const ids = tasks.map(({ task_id }) => task_id.value)
  const twice = ids.find((id, index) => ids.indexOf(id) !== index)
  if (twice !== undefined) return `Task '${twice}' is invalid: Task has duplicate ID: ${twice}`
  for (const task of tasks) {
    const error = validateTaskItself(acceptance, task) ?? validateGroupContainer(task)
    if (error !== undefined) return `Task '${task.task_id.value}' is invalid: ${error}`
    if (task.executor !== undefined && !sameExecutor(task.executor, executor)) {
      return `The \`ExecutorInfo\` of task '${task.task_id.value}' is different from executor '${executor.executor_id.value}'`
    }
  }
  return undefined
}

function validateGroupContainer({ container }: TaskInfo): string | undefined {
  if (container === undefined) return undefined
  if (container.type === 'DOCKER') return 'Docker ContainerInfo is not supported on the task'
  if ((container.network_infos ?? []).length > 0) return 'NetworkInfos must not be set on the task'
  return undefined
}

function validateGroupExecutor(acceptance: Acceptance, executor: ExecutorInfo): string | undefined {
  if (executor.type === undefined || executor.type === 'UNKNOWN') return "'ExecutorInfo.type' must be set"
  const error = validateExecutor(acceptance, executor)
  if (error !== undefined) return error
  const id = executor.executor_id.value
  const held = bagOf(executor.resources ?? [])
  const cpus = scalarOf(held, 'cpus')
  if (!(cpus >= MIN_EXECUTOR_CPUS)) {
    return `Executor '${id}' uses less CPUs (${cpus === 0 ? 'None' : cpus}) than the minimum required (${MIN_EXECUTOR_CPUS})`
  }
  const mem = scalarOf(held, 'mem')
  if (mem >= MIN_EXECUTOR_MEM_MB) return undefined
  return `Executor '${id}' uses less memory (${mem === 0 ? 'None' : `${mem}MB`}) than the minimum required (${MIN_EXECUTOR_MEM_MB}MB)`
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
  const resources = validateTaskResources(task.resources ?? [])
  if (resources !== undefined) return resources
  const command = task.command && validateCommand(task.command)
  if (command !== undefined) return `Task's \`CommandInfo\` is invalid: ${command}`
  const container = task.container && validateContainer(task.container)
  if (container !== undefined) return `Task's \`ContainerInfo\` is invalid: ${container}`
  return validateLimits(agent, task)
}

function validateTaskResources(resources: readonly Resource[]): string | undefined {
  if (resources.length === 0) return 'Task uses no resources'
  const error = validateResources(resources)
  if (error !== undefined) return error
  const bag = bagOf(resources)
  if (isEmpty(bag)) return 'Task uses no resources'
  return validateVolumes(resources)
}

function validateVolumes(resources: readonly Resource[]): string | undefined {
  const ids = new Set<string>()
  for (const resource of resources) {
    const id = resource.disk?.persistence?.id
    if (id === undefined) continue
    const isReserved = (resource.reservations ?? []).length > 0 || (resource.role ?? '*') !== '*'
    if (!isReserved) {
      return 'Task uses invalid resources: Invalid DiskInfo: Persistent volumes cannot be created from unreserved resources'
    }
    const key = `${resource.reservations?.at(-1)?.role ?? resource.role} ${id}`
    if (ids.has(key)) return `Task uses duplicate persistence ID ${id}`
    ids.add(key)
  }
  return undefined
}

function validateLimits(agent: Acceptance['agent'], task: TaskInfo): string | undefined {
  const limits = task.limits ?? {}
  const names = Object.keys(limits)
  if (names.length === 0) return undefined
  if (names.some((name) => name !== 'cpus' && name !== 'mem')) {
    return "Only cpus and mem may be included in a task's resource limits"
  }
  if (!agent.capabilities.some(({ type }) => type === 'TASK_RESOURCE_LIMITS')) {
    return 'Task has resource limits but the agent does not have the TASK_RESOURCE_LIMITS capability'
  }
  const held = bagOf(task.resources ?? [])
  if (limits.cpus !== undefined && !(limits.cpus.value >= scalarOf(held, 'cpus'))) {
    return 'The cpu limit must be greater than or equal to the cpu request'
  }
  if (limits.mem !== undefined && !(limits.mem.value >= scalarOf(held, 'mem'))) {
    return 'The memory limit must be greater than or equal to the memory request'
  }
  return undefined
}

function validateExecutor({ framework, agent }: Acceptance, executor: ExecutorInfo): string | undefined {
  const id = idError(executor.executor_id.value)
  if (id !== undefined) return id
  const actual = executor.framework_id?.value ?? framework.id
  if (actual !== framework.id) {
    return `ExecutorInfo has an invalid FrameworkID (Actual: ${actual} vs Expected: ${framework.id})`
  }
  const type = validateExecutorType(executor)
  if (type !== undefined) return type
  if (isNegative(executor.shutdown_grace_period)) {
    return "ExecutorInfo's 'shutdown_grace_period' must be non-negative"
  }
  const error =
    validateResources(executor.resources ?? []) ??
    validateVolumes(executor.resources ?? []) ??
    (executor.command && validateCommand(executor.command)) ??
    (executor.container && validateContainer(executor.container))
  if (error !== undefined) return `Executor uses invalid resources, command or container: ${error}`
  const running = agent.executors.get(framework.id)?.get(executor.executor_id.value)
  if (running === undefined || sameExecutor(running.info, executor)) return undefined
  return 'ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID'
}

function validateExecutorType(executor: ExecutorInfo): string | undefined {
  switch (executor.type) {
    case 'DEFAULT':
      if (executor.command !== undefined) return "'ExecutorInfo.command' must not be set for 'DEFAULT' executor"
      if (executor.container !== undefined && executor.container.type !== 'MESOS') {
        return "'ExecutorInfo.container.type' must be 'MESOS' for 'DEFAULT' executor"
      }
      if (executor.container?.mesos?.image !== undefined) {
        return "'ExecutorInfo.container.mesos.image' must not be set for 'DEFAULT' executor"
      }
      return undefined
    case 'CUSTOM':
      return executor.command === undefined ? "'ExecutorInfo.command' must be set for 'CUSTOM' executor" : undefined
    default:
      return executor.command === undefined ? "'ExecutorInfo.command' must be set" : undefined
  }
}

function validateCommand(command: CommandInfo): string | undefined {
  for (const variable of command.environment?.variables ?? []) {
    const type = variable.type ?? 'VALUE'
    if (type === 'VALUE' && variable.value === undefined) {
      return `Environment variable '${variable.name}' of type 'VALUE' must have a value set`
    }
    if (type === 'SECRET' && variable.secret === undefined) {
      return `Environment variable '${variable.name}' of type 'SECRET' must have a secret set`
    }
    if (type === 'SECRET' && variable.value !== undefined) {
      return `Environment variable '${variable.name}' of type 'SECRET' must not have a value set`
    }
    if (type === 'UNKNOWN') return "Environment variable of type 'UNKNOWN' is not allowed"
  }
  return undefined
}

function validateContainer(container: ContainerInfo): string | undefined {
  if (container.type === 'DOCKER' && container.docker === undefined) {
    return "DockerInfo 'docker' is not set for DOCKER typed ContainerInfo"
  }
  return undefined
}

function validateCheck(check: CheckInfo): string | undefined {
  if (check.type === undefined || check.type === 'UNKNOWN') return "CheckInfo must specify 'type'"
  if (check.type === 'COMMAND' && check.command === undefined) {
    return "Expecting 'command' to be set for COMMAND check"
  }
  if (check.type === 'HTTP' && check.http === undefined) return "Expecting 'http' to be set for HTTP check"
  if (check.type === 'TCP' && check.tcp === undefined) return "Expecting 'tcp' to be set for TCP check"
  const command = check.command && validateCommand(check.command.command)
  if (command !== undefined) return `Check's \`CommandInfo\` is invalid: ${command}`
  return negativeField(check, ['delay_seconds', 'interval_seconds', 'timeout_seconds'])
}

function validateHealthCheck(check: HealthCheck): string | undefined {
  const type = check.type ?? (check.command === undefined ? undefined : 'COMMAND')
  switch (type) {
    case 'COMMAND': {
      if (check.command === undefined) return "Expecting 'command' to be set for COMMAND health check"
      const command = validateCommand(check.command)
      if (command !== undefined) return `Health check's \`CommandInfo\` is invalid: ${command}`
      break
    }
    case 'HTTP':
      if (check.http === undefined) return "Expecting 'http' to be set for HTTP health check"
      break
    case 'TCP':
      if (check.tcp === undefined) return "Expecting 'tcp' to be set for TCP health check"
      break
    default:
      return "HealthCheck must specify 'type'"
  }
  return negativeField(check, ['delay_seconds', 'grace_period_seconds', 'interval_seconds', 'timeout_seconds'])
}

function negativeField<Field extends string>(
  check: Readonly<Partial<Record<Field, number | undefined>>>,
  fields: readonly Field[],
): string | undefined {
  const field = fields.find((name) => (check[name] ?? 0) < 0)
  return field === undefined ? undefined : `Expecting '${field}' to be non-negative`
}

function isNegative(duration: DurationInfo | undefined): boolean {
  return duration !== undefined && duration.nanoseconds < 0
}

/** Whether two ExecutorInfos say the same; resources are compared as sums. */
function sameExecutor(one: ExecutorInfo, other: ExecutorInfo): boolean {
  return (
    sameBag(bagOf(one.resources ?? []), bagOf(other.resources ?? [])) &&
    sameMessage({ ...one, resources: undefined }, { ...other, resources: undefined })
  )
}
