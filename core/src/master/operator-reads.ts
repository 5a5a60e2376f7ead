/** The operator calls that read: GET_STATE, GET_AGENTS … Empty lists are written where Mesos writes them. */

import type {
  Call,
  Response,
  ResponseGetAgents,
  ResponseGetExecutors,
  ResponseGetFrameworks,
  ResponseGetState,
  ResponseGetTasks,
} from '@isthmus/proto/gen/master'
import type { Resource } from '@isthmus/proto/gen/mesos'
import { maintenanceSchedule, maintenanceStatus } from './maintenance.ts'
import { agentMessage, frameworkDetails, taskMessage } from './messages.ts'
import { quotaStatus } from './operator-quota.ts'
import { masterInfo } from './options.ts'
import { addSums, type Sums } from './role-sums.ts'
import type { Framework, MasterState } from './state.ts'
import { metricsSnapshot } from './views-metrics.ts'
import { rolesShown } from './views-roles.ts'

/** Answers a call that reads, or undefined when it is none (or is the shell's: files, log levels). */
export function readResponse(state: MasterState, call: Call, atMs: number): Response | undefined {
  switch (call.type) {
    case 'GET_HEALTH':
      return { type: 'GET_HEALTH', get_health: { healthy: true } }
    case 'GET_FLAGS': {
      const flags = Object.entries(state.options.shown).map(([name, value]) => ({ name, value }))
      return { type: 'GET_FLAGS', get_flags: { flags } }
    }
    case 'GET_VERSION':
      return { type: 'GET_VERSION', get_version: { version_info: versionInfo(state) } }
    case 'GET_METRICS': {
      const metrics = Object.entries(metricsSnapshot(state, atMs)).map(([name, value]) => ({ name, value }))
      return { type: 'GET_METRICS', get_metrics: { metrics } }
    }
    case 'GET_MASTER': {
      const { startAtMs, electedAtMs } = state.options
      return {
        type: 'GET_MASTER',
        get_master: {
          master_info: masterInfo(state.options),
          start_time: startAtMs / 1000,
          elected_time: electedAtMs / 1000,
        },
      }
    }
    default:
      return readPool(state, call)
  }
}

function readPool(state: MasterState, call: Call): Response | undefined {
  switch (call.type) {
    case 'GET_STATE':
      return { type: 'GET_STATE', get_state: stateResponse(state) }
    case 'GET_AGENTS':
      return { type: 'GET_AGENTS', get_agents: agentsResponse(state) }
    case 'GET_FRAMEWORKS':
      return { type: 'GET_FRAMEWORKS', get_frameworks: frameworksResponse(state) }
    case 'GET_EXECUTORS':
      return { type: 'GET_EXECUTORS', get_executors: executorsResponse(state) }
    case 'GET_TASKS':
      return { type: 'GET_TASKS', get_tasks: tasksResponse(state) }
    case 'GET_OPERATIONS': {
      const operations = [...state.operations.values()].map(({ operation }) => operation)
      return { type: 'GET_OPERATIONS', get_operations: operations.length === 0 ? {} : { operations } }
    }
    case 'GET_ROLES': {
      const roles = rolesShown(state).map(({ name, weight, frameworks, sums }) => ({
        name,
        weight,
        frameworks: frameworks.length === 0 ? undefined : frameworks.map((value) => ({ value })),
        resources: scalarMessages(addSums(sums.allocated, sums.offered)),
      }))
      return { type: 'GET_ROLES', get_roles: roles.length === 0 ? {} : { roles } }
    }
    case 'GET_WEIGHTS': {
      const weights = [...state.registry.weights].map(([role, weight]) => ({ role, weight }))
      return weights.length === 0
        ? { type: 'GET_WEIGHTS' }
        : { type: 'GET_WEIGHTS', get_weights: { weight_infos: weights } }
    }
    case 'GET_QUOTA':
      return { type: 'GET_QUOTA', get_quota: { status: quotaStatus(state) } }
    case 'GET_MAINTENANCE_STATUS':
      return { type: 'GET_MAINTENANCE_STATUS', get_maintenance_status: { status: maintenanceStatus(state) } }
    case 'GET_MAINTENANCE_SCHEDULE':
      return {
        type: 'GET_MAINTENANCE_SCHEDULE',
        get_maintenance_schedule: { schedule: maintenanceSchedule(state) },
      }
    default:
      return undefined
  }
}

/** The kinds of scalars that Mesos shows of roles. */
function scalarMessages(sums: Sums): readonly Resource[] | undefined {
  const names = Object.keys(sums).filter((name) => ['cpus', 'disk', 'gpus', 'mem'].includes(name))
  const messages = names.sort().map((name) => ({ name, type: 'SCALAR' as const, scalar: { value: sums[name]! } }))
  return messages.length === 0 ? undefined : messages
}

function versionInfo({ options }: MasterState) {
  const { version, build } = options
  return {
    version,
    build_date: build.date,
    build_time: build.timeSeconds,
    build_user: build.user,
    git_sha: build.gitSha,
    git_tag: build.gitTag,
  }
}

/** GET_STATE: tasks, executors, frameworks and agents. */
export function stateResponse(state: MasterState): ResponseGetState {
  return {
    get_tasks: tasksResponse(state),
    get_executors: executorsResponse(state),
    get_frameworks: frameworksResponse(state),
    get_agents: agentsResponse(state),
  }
}

function agentsResponse(state: MasterState): ResponseGetAgents {
  return {
    agents: [...state.agents.values()].map((agent) => agentMessage(state, agent)),
    recovered_agents: [...state.recoveredAgents.values()],
  }
}

function frameworksResponse(state: MasterState): ResponseGetFrameworks {
  return {
    frameworks: [...state.frameworks.values()].map((framework) => frameworkDetails(state, framework)),
    completed_frameworks: [...state.completedFrameworks.values()].map((framework) =>
      frameworkDetails(state, framework),
    ),
  }
}

function executorsResponse(state: MasterState): ResponseGetExecutors {
  const executors = []
  for (const { executors: byAgent } of state.frameworks.values()) {
    for (const [agentId, known] of byAgent) {
      for (const { info } of known.values()) executors.push({ executor_info: info, agent_id: { value: agentId } })
    }
  }
  return { executors }
}

function tasksResponse(state: MasterState): ResponseGetTasks {
  const all = [...state.frameworks.values(), ...state.completedFrameworks.values()]
  const gather = (of: (framework: Framework) => Iterable<Parameters<typeof taskMessage>[0]>) =>
    all.flatMap((framework) => Array.from(of(framework), taskMessage))
  return {
    tasks: gather(({ tasks }) => tasks.values()),
    unreachable_tasks: gather(({ unreachableTasks }) => unreachableTasks.values()),
    completed_tasks: gather(({ completedTasks }) => completedTasks),
  }
}
