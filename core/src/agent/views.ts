/** The agent's legacy pages as plain values: /state and /containers. Shapes and names as Mesos's agent writes them. */

import { isTerminal } from '../framework/task-states.ts'
import { printRanges } from '../resources/ranges.ts'
import { Resources } from '../resources/resources.ts'
import { COMMAND_EXECUTOR_CPUS_MILLI, COMMAND_EXECUTOR_MEMORY_MB } from './containers.ts'
import { pidOf } from './operators.ts'
import {
  type AgentFramework,
  type AgentState,
  type AgentTask,
  agentIdOf,
  type Executor,
  usedByExecutor,
} from './state.ts'

type Json = Readonly<Record<string, unknown>>

/** GET /state. The shell adds version, build and flags. */
export function statePage(state: AgentState): Json {
  return {
    id: agentIdOf(state),
    pid: pidOf(state),
    hostname: state.info.hostname,
    start_time: state.options.startedAtMs / 1000,
    master_hostname: state.masterHostname,
    resources: resourcesObject(state.total),
    reserved_resources: Object.fromEntries(
      [...state.total.reservations()].map(([role, bag]) => [role, resourcesObject(bag)]),
    ),
    unreserved_resources: resourcesObject(state.total.unreserved()),
    attributes: attributesObject(state),
    frameworks: [...state.frameworks.values()].map((framework) =>
      frameworkObject(framework, framework.executors.values()),
    ),
    completed_frameworks: state.completedFrameworks.map((framework) => frameworkObject(framework, [])),
    resource_providers: [],
  }
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
  const used = usedByExecutor(executor)
  const own = executor.kind === 'command' ? 1 : 0
  return {
    cpus_limit: (used.milli('cpus') + own * COMMAND_EXECUTOR_CPUS_MILLI) / 1000,
    mem_limit_bytes: (used.milli('mem') / 1000 + own * COMMAND_EXECUTOR_MEMORY_MB) * 1_048_576,
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
    ...(info.roles === undefined ? { role: info.role ?? '*' } : { roles: info.roles }),
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
    tasks: tasks.filter(({ state }) => !isTerminal(state)).map((task) => taskObject(executor, task)),
    queued_tasks: tasks
      .filter(({ phase }) => phase === 'staging')
      .map(({ info }) => ({ id: info.task_id.value, name: info.name })),
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
    resources: resourcesObject(Resources.fromProto(info.resources)),
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
