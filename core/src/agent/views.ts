/** The agent's legacy pages as plain values: /state and /containers. Shapes and names as Mesos's agent writes them. */

import { isTerminal } from '../framework/task-states.ts'
import { printRanges } from '../resources/ranges.ts'
import type { Resources } from '../resources/resources.ts'
import { containerLimits, containerResources, usedByAll, usedByExecutor } from './resources.ts'
import {
  type AgentFramework,
  type AgentState,
  type AgentTask,
  agentIdOf,
  type Executor,
  hasCapability,
  pidOf,
} from './state.ts'

type Json = Readonly<Record<string, unknown>>

const BYTES_PER_MB = 1_048_576

/** GET /state. The shell adds version, build and flags. */
export function statePage(state: AgentState): Json {
  const { total, options, drain } = state
  const used = usedByAll(state).unallocate()
  return {
    id: agentIdOf(state),
    pid: pidOf(state),
    hostname: state.info.hostname,
    start_time: options.startedAtMs / 1000,
    master_hostname: state.masterHostname,
    capabilities: options.capabilities.map(({ type }) => type),
    resources: resourcesObject(total),
    reserved_resources: byRole(total, resourcesObject),
    reserved_resources_full: byRole(total, (bag) => bag.toPreRefinementProto()),
    reserved_resources_allocated: byRole(used, resourcesObject),
    unreserved_resources: resourcesObject(total.unreserved()),
    unreserved_resources_full: total.unreserved().toPreRefinementProto(),
    unreserved_resources_allocated: resourcesObject(used.unreserved()),
    attributes: attributesObject(state),
    ...(drain === undefined
      ? {}
      : {
          drain_config: drain.config,
          estimated_drain_start_time_seconds: drain.startedAtMs / 1000,
        }),
    frameworks: [...state.frameworks.values()].map((framework) =>
      frameworkObject(framework, framework.executors.values()),
    ),
    completed_frameworks: state.completedFrameworks.map((framework) => frameworkObject(framework, [])),
    resource_providers: [],
  }
}

function byRole(bag: Resources, show: (bag: Resources) => unknown): Json {
  return Object.fromEntries([...bag.reservations()].map(([role, reserved]) => [role, show(reserved)]))
}

/** GET /containers, without statistics: those are the shell's to add. */
export function containersPage(state: AgentState): Json[] {
  return [...state.frameworks.values()].flatMap((framework) =>
    [...framework.executors.values()].map((executor) => ({
      container_id: executor.containerId,
      executor_id: executor.executorId,
      executor_name: executor.info.name ?? '',
      framework_id: executor.frameworkId,
      source: executor.info.source ?? '',
      statistics: limitsOf(executor),
      status: { container_id: { value: executor.containerId }, executor_pid: executor.pid },
    })),
  )
}

function limitsOf(executor: Executor): Json {
  const requests = containerResources(executor)
  const limits = { ...requests, ...containerLimits(executor) }
  const { cpusMilli = requests.cpusMilli, memoryMb = requests.memoryMb } = limits
  return {
    cpus_limit: cpusMilli / 1000,
    cpus_soft_limit: requests.cpusMilli / 1000,
    mem_limit_bytes: memoryMb * BYTES_PER_MB,
    mem_soft_limit_bytes: requests.memoryMb * BYTES_PER_MB,
  }
}

function frameworkObject(framework: AgentFramework, executors: Iterable<Executor>): Json {
  const { info } = framework
  return {
    id: framework.frameworkId,
    name: info.name,
    user: info.user,
    principal: info.principal,
    failover_timeout: info.failover_timeout ?? 0,
    checkpoint: info.checkpoint ?? false,
    hostname: info.hostname ?? '',
    ...(hasCapability(framework, 'MULTI_ROLE') ? { roles: info.roles ?? [] } : { role: info.role ?? '*' }),
    executors: [...executors].map(executorObject),
    completed_executors: framework.completedExecutors.map(executorObject),
  }
}

function executorObject(executor: Executor): Json {
  const tasks = [...executor.tasks.values()]
  return {
    id: executor.executorId,
    name: executor.info.name ?? '',
    source: executor.info.source ?? '',
    container: executor.containerId,
    directory: executor.sandboxPath,
    resources: resourcesObject(usedByExecutor(executor)),
    type: executor.kind === 'default' ? 'DEFAULT' : 'CUSTOM',
    tasks: tasks
      .filter(({ state, phase }) => !isTerminal(state) && phase !== 'staging')
      .map((task) => taskObject(executor, task)),
    queued_tasks: tasks
      .filter(({ phase }) => phase === 'staging')
      .map(({ info, resources }) => ({
        id: info.task_id.value,
        name: info.name,
        resources: resourcesObject(resources),
      })),
    completed_tasks: [...tasks.filter(({ state }) => isTerminal(state)), ...executor.completedTasks].map((task) =>
      taskObject(executor, task),
    ),
  }
}

function taskObject(executor: Executor, task: AgentTask): Json {
  const { info } = task
  return {
    id: info.task_id.value,
    name: info.name,
    framework_id: task.frameworkId,
    executor_id: executor.kind === 'command' ? '' : task.executorId,
    slave_id: info.agent_id.value,
    state: task.state,
    resources: resourcesObject(task.resources),
    role:
      info.resources?.find(({ allocation_info }) => allocation_info?.role !== undefined)?.allocation_info?.role ?? '*',
    statuses: task.statuses.map(({ state, timestamp, container_status, healthy }) => ({
      state,
      timestamp,
      container_status,
      healthy,
    })),
    labels: info.labels?.labels,
    discovery: info.discovery,
    container: info.container,
  }
}

/** Always cpus, gpus, mem and disk; ports as text when there are some. */
function resourcesObject(bag: Resources): Json {
  const object: Record<string, number | string> = { cpus: 0, gpus: 0, mem: 0, disk: 0 }
  for (const { template, amount } of bag.entries()) {
    if (amount.kind === 'scalar') object[template.name] = bag.milli(template.name) / 1000
    else if (amount.kind === 'ranges') object[template.name] = printRanges(amount.ranges)
    else object[template.name] = `{${[...amount.items].join(', ')}}`
  }
  return object
}

function attributesObject(state: AgentState): Json {
  const attributes = (state.info.attributes ?? []).map((attribute) => {
    const ranges = (attribute.ranges?.range ?? []).map(({ begin, end }) => ({ begin: Number(begin), end: Number(end) }))
    return [attribute.name, attribute.scalar?.value ?? attribute.text?.value ?? printRanges(ranges)] as const
  })
  return Object.fromEntries(attributes)
}
