/**
 * POST /api/v1: what operators ask of an agent's machine. Health, version, flags, metrics, logs and files are answered by the shell;
 * calls that launch, await, kill and remove containers in operator-containers.ts.
 */

import type { Call, Response, ResponseGetContainersContainer } from '@isthmus/proto/gen/agent'
import type { ResourceStatistics } from '@isthmus/proto/gen/mesos'
import { isTerminal } from '../framework/task-states.ts'
import { validateAgentCall } from './call-validation.ts'
import { containerCalled, readContainerId } from './operator-containers.ts'
import { toTask } from './registration.ts'
import type { AgentFramework, AgentState, AgentTask, Executor } from './state.ts'
import { emit, respond, type Turn } from './turn.ts'
import { limitsOf } from './usage.ts'

/** As Mesos says it. */
const NOT_RECOVERED = 'Agent has not finished recovery'

/** Answers one operator call. */
export function operatorCalled(turn: Turn, requestId: string, call: Call): void {
  if (turn.state.recovery !== undefined) return respond(turn, requestId, 503, NOT_RECOVERED)
  const problem = validateAgentCall(call)
  if (problem !== undefined) return respond(turn, requestId, 400, `Failed to validate agent::Call: ${problem}`)
  const response = responseTo(turn, call)
  if (response !== undefined) return emit(turn, { kind: 'respondMessage', requestId, response })
  if (containerCalled(turn, requestId, call)) return
  switch (call.type) {
    case 'PRUNE_IMAGES':
      return respond(turn, requestId, 200)
    case 'MARK_RESOURCE_PROVIDER_GONE':
      return respond(turn, requestId, 200)
    case 'ADD_RESOURCE_PROVIDER_CONFIG':
    case 'UPDATE_RESOURCE_PROVIDER_CONFIG':
    case 'REMOVE_RESOURCE_PROVIDER_CONFIG':
      return respond(turn, requestId, 500, 'Missing required flag --resource_provider_config_dir')
    default:
      return respond(turn, requestId, 501, `${call.type} is not implemented by this agent`)
  }
}

function responseTo({ state, atMs }: Turn, call: Call): Response | undefined {
  switch (call.type) {
    case 'GET_AGENT':
      return { type: 'GET_AGENT', get_agent: getAgent(state) }
    case 'GET_FRAMEWORKS':
      return { type: 'GET_FRAMEWORKS', get_frameworks: getFrameworks(state) }
    case 'GET_EXECUTORS':
      return { type: 'GET_EXECUTORS', get_executors: getExecutors(state) }
    case 'GET_TASKS':
      return { type: 'GET_TASKS', get_tasks: getTasks(state) }
    case 'GET_OPERATIONS':
      return { type: 'GET_OPERATIONS', get_operations: getOperations(state) }
    case 'GET_RESOURCE_PROVIDERS':
      return { type: 'GET_RESOURCE_PROVIDERS', get_resource_providers: {} }
    case 'GET_CONTAINERS':
      return getContainers(state, atMs, call.get_containers)
    case 'GET_STATE': {
      const get_state = {
        get_tasks: getTasks(state),
        get_executors: getExecutors(state),
        get_frameworks: getFrameworks(state),
      }
      return { type: 'GET_STATE', get_state }
    }
    default:
      return undefined
  }
}

function getAgent({ info, drain }: AgentState): NonNullable<Response['get_agent']> {
  if (drain === undefined) return { agent_info: info }
  return {
    agent_info: info,
    drain_config: drain.config,
    estimated_drain_start_time: { nanoseconds: BigInt(Math.round(drain.startedAtMs)) * 1_000_000n },
  }
}

function getFrameworks(state: AgentState): NonNullable<Response['get_frameworks']> {
  const wrap = ({ info }: AgentFramework) => ({ framework_info: info })
  return {
    frameworks: [...state.frameworks.values()].map(wrap),
    completed_frameworks: state.completedFrameworks.map(wrap),
  }
}

function getExecutors(state: AgentState): NonNullable<Response['get_executors']> {
  const wrap = ({ info }: Executor) => ({ executor_info: info })
  return {
    executors: [...state.frameworks.values()].flatMap(({ executors }) => [...executors.values()].map(wrap)),
    completed_executors: allFrameworks(state).flatMap(({ completedExecutors }) => completedExecutors.map(wrap)),
  }
}

function getTasks(state: AgentState): NonNullable<Response['get_tasks']> {
  const executors = allFrameworks(state).flatMap((framework) => [
    ...framework.executors.values(),
    ...framework.completedExecutors,
  ])
  const all = executors.flatMap((executor) => [...executor.tasks.values()].map((task) => ({ executor, task })))
  const pick = (keep: (task: AgentTask) => boolean) =>
    all.filter(({ task }) => keep(task)).map(({ executor, task }) => toTask(state, executor, task))
  const isQueued = ({ phase }: AgentTask): boolean => phase === 'staging'
  return {
    pending_tasks: [],
    queued_tasks: pick(isQueued),
    launched_tasks: pick((task) => !isQueued(task) && !isTerminal(task.state)),
    terminated_tasks: pick((task) => isTerminal(task.state)),
    completed_tasks: executors.flatMap((executor) =>
      executor.completedTasks.map((task) => toTask(state, executor, task)),
    ),
  }
}

function getOperations({ operations }: AgentState): NonNullable<Response['get_operations']> {
  return operations.size === 0 ? {} : { operations: [...operations.values()].map(({ operation }) => operation) }
}

function getContainers(state: AgentState, atMs: number, query: Call['get_containers']): Response {
  const containers = [...state.frameworks.values()].flatMap(({ executors }) =>
    [...executors.values()].flatMap((executor) => [
      ...(query?.show_nested === true ? nestedContainers(executor, atMs) : []),
      executorContainer(executor, atMs),
    ]),
  )
  for (const { containerId, executor, pid, phase } of state.operatorContainers.values()) {
    const isShown = executor === undefined ? query?.show_standalone : query?.show_nested
    if (isShown === true && phase !== 'ended')
      containers.push(nestedContainer(containerId, pid, { timestamp: atMs / 1000 }))
  }
  return containers.length === 0
    ? { type: 'GET_CONTAINERS' }
    : { type: 'GET_CONTAINERS', get_containers: { containers } }
}

function executorContainer(executor: Executor, atMs: number): ResponseGetContainersContainer {
  const container_id = { value: executor.containerId }
  return {
    framework_id: { value: executor.frameworkId },
    executor_id: { value: executor.executorId },
    executor_name: executor.info.name ?? '',
    container_id,
    container_status: { container_id, executor_pid: executor.pid },
    resource_statistics: limitsOf(executor, atMs),
  }
}

function nestedContainers(executor: Executor, atMs: number): ResponseGetContainersContainer[] {
  if (executor.kind !== 'default') return []
  return [...executor.tasks.values()].flatMap(({ containerId, phase, pid }) =>
    containerId === undefined || phase === 'ended' ? [] : [nestedContainer(containerId, pid, limitsOf(executor, atMs))],
  )
}

function nestedContainer(
  containerId: string,
  pid: number | undefined,
  statistics: ResourceStatistics,
): ResponseGetContainersContainer {
  const container_id = readContainerId(containerId)
  return { container_id, container_status: { container_id, executor_pid: pid }, resource_statistics: statistics }
}

/** Those with something here, and those that have ended. */
export function allFrameworks(state: AgentState): AgentFramework[] {
  return [...state.frameworks.values(), ...state.completedFrameworks]
}
