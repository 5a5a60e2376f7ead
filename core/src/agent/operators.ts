/** POST /api/v1: what operators ask of an agent's machine. Health, version, flags, metrics, logs and files are answered by the shell. */

import type { Call, Response, ResponseGetContainersContainer } from '@isthmus/proto/gen/agent'
import type { TaskState } from '@isthmus/proto/gen/mesos'
import { isTerminal } from '../framework/task-states.ts'
import { toTask } from './registration.ts'
import type { AgentFramework, AgentState, AgentTask, Executor } from './state.ts'
import { respond, type Turn } from './turn.ts'

/** Answers one operator call. */
export function operatorCalled(turn: Turn, requestId: string, call: Call): void {
  if (call.type === undefined)
    return respond(turn, requestId, 400, "Failed to validate agent::Call: Expecting 'type' to be present")
  const response = responseTo(turn.state, call)
  if (response === undefined) return respond(turn, requestId, 501, `${call.type} is not implemented by this agent`)
  turn.effects.push({ kind: 'respondMessage', requestId, response })
}

function responseTo(state: AgentState, call: Call): Response | undefined {
  switch (call.type) {
    case 'GET_AGENT':
      return { type: 'GET_AGENT', get_agent: { agent_info: state.info } }
    case 'GET_FRAMEWORKS':
      return { type: 'GET_FRAMEWORKS', get_frameworks: getFrameworks(state) }
    case 'GET_EXECUTORS':
      return { type: 'GET_EXECUTORS', get_executors: getExecutors(state) }
    case 'GET_TASKS':
      return { type: 'GET_TASKS', get_tasks: getTasks(state) }
    case 'GET_OPERATIONS':
      return { type: 'GET_OPERATIONS', get_operations: {} }
    case 'GET_RESOURCE_PROVIDERS':
      return { type: 'GET_RESOURCE_PROVIDERS', get_resource_providers: {} }
    case 'GET_CONTAINERS':
      return { type: 'GET_CONTAINERS', get_containers: { containers: getContainers(state) } }
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

function getFrameworks(state: AgentState): NonNullable<Response['get_frameworks']> {
  const wrap = ({ info }: AgentFramework) => ({ framework_info: info })
  return {
    frameworks: [...state.frameworks.values()].map(wrap),
    completed_frameworks: state.completedFrameworks.map(wrap),
  }
}

function getExecutors(state: AgentState): NonNullable<Response['get_executors']> {
  const frameworks = [...state.frameworks.values()]
  const wrap = ({ info }: Executor) => ({ executor_info: info })
  return {
    executors: frameworks.flatMap((framework) => [...framework.executors.values()].map(wrap)),
    completed_executors: frameworks.flatMap((framework) => framework.completedExecutors.map(wrap)),
  }
}

function getTasks(state: AgentState): NonNullable<Response['get_tasks']> {
  const all = executorsOf(state).flatMap((executor) => [...executor.tasks.values()].map((task) => ({ executor, task })))
  const pick = (keep: (task: AgentTask) => boolean) =>
    all.filter(({ task }) => keep(task)).map(({ executor, task }) => toTask(executor, task))
  const isQueued = (task: AgentTask): boolean => task.phase === 'staging'
  const ended = (taskState: TaskState): boolean => isTerminal(taskState)
  return {
    queued_tasks: pick(isQueued),
    launched_tasks: pick((task) => !isQueued(task) && !ended(task.state)),
    terminated_tasks: pick((task) => ended(task.state)),
    completed_tasks: executorsOf(state).flatMap((executor) =>
      executor.completedTasks.map((task) => toTask(executor, task)),
    ),
  }
}

function getContainers(state: AgentState): ResponseGetContainersContainer[] {
  return [...state.containers].flatMap(([containerId, owner]): ResponseGetContainersContainer[] => {
    const executor = state.frameworks.get(owner.frameworkId)?.executors.get(owner.executorId)
    if (executor === undefined) return []
    const [root = '', child] = containerId.split('.')
    return [
      {
        framework_id: { value: owner.frameworkId },
        executor_id: { value: owner.executorId },
        executor_name: executor.info.name ?? '',
        container_id: child === undefined ? { value: root } : { value: child, parent: { value: root } },
        container_status: { container_id: { value: root }, executor_pid: executor.pid },
      },
    ]
  })
}

function executorsOf(state: AgentState): Executor[] {
  return [...state.frameworks.values()].flatMap((framework) => [
    ...framework.executors.values(),
    ...framework.completedExecutors,
  ])
}

/** The agent's id and process id as pages show them. */
export function pidOf(state: AgentState): string {
  const { ip, hostname, port } = state.options.address
  return `slave(1)@${ip ?? hostname ?? ''}:${port}`
}
