/** How frameworks, agents, tasks and offers are written as Mesos v1 messages: in events, operator answers and to agents. */

import type { ResponseGetAgentsAgent, ResponseGetFrameworksFramework } from '@isthmus/proto/gen/master'
import type {
  InverseOffer,
  Offer,
  Task,
  TaskState,
  TaskStatus,
  TaskStatusReason,
  TimeInfo,
} from '@isthmus/proto/gen/mesos'
import { addAll, isEmpty, presented, toMessages, toRoleMessages } from './bag.ts'
import { agentUrl, inverseOfferMessage } from './inverse-messages.ts'
import type { Agent, Framework, MasterOffer, MasterState, MasterTask } from './state.ts'

/** Nanoseconds since 1970; a bigint, since a number would lose digits. */
export function timeInfo(atMs: number): TimeInfo {
  return { nanoseconds: BigInt(Math.round(atMs)) * 1_000_000n }
}

/** A task as GET_TASKS and TASK_ADDED show it. */
export function taskMessage(task: MasterTask): Task {
  return {
    name: task.name,
    task_id: { value: task.id },
    framework_id: { value: task.frameworkId },
    executor_id: task.executorId === '' ? undefined : { value: task.executorId },
    agent_id: { value: task.agentId },
    state: task.state,
    resources: toMessages(task.resources),
    statuses: task.statuses.length === 0 ? undefined : [...task.statuses],
    status_update_state: task.statusState,
    status_update_uuid: task.statusUuid,
    labels: task.labels,
    discovery: task.discovery,
    container: task.container,
    health_check: task.healthCheck,
    kill_policy: task.killPolicy,
    user: task.user,
    limits: task.limits,
  }
}

/** An offer as its framework sees it. */
export function offerMessage(offer: MasterOffer, agent: Agent, framework: Framework): Offer {
  return {
    id: { value: offer.id },
    framework_id: { value: offer.frameworkId },
    agent_id: { value: offer.agentId },
    hostname: agent.info.hostname,
    url: agentUrl(agent),
    domain: agent.info.domain,
    resources: presented(offer.resources, framework.capabilities),
    attributes: agent.info.attributes,
    executor_ids: executorIds(agent, framework),
    unavailability: agent.unavailability,
    allocation_info: framework.capabilities.multiRole ? { role: offer.role } : undefined,
  }
}

function executorIds(agent: Agent, framework: Framework): Offer['executor_ids'] {
  const executors = agent.executors.get(framework.id)
  if (executors === undefined || executors.size === 0) return undefined
  return [...executors.keys()].map((value) => ({ value }))
}

/** A framework without its offers, as the operator events show it. */
export function frameworkMessage(framework: Framework): ResponseGetFrameworksFramework {
  return {
    framework_info: framework.info,
    active: framework.active,
    connected: framework.streamId !== undefined,
    recovered: framework.recovered,
    registered_time: timeInfo(framework.registeredAtMs),
    reregistered_time: timeInfo(framework.reregisteredAtMs),
    unregistered_time: timeInfo(framework.unregisteredAtMs),
    offer_constraints: framework.offerConstraints,
  }
}

/** A framework with its offers and resources, as GET_FRAMEWORKS shows it. */
export function frameworkDetails(state: MasterState, framework: Framework): ResponseGetFrameworksFramework {
  const offers = [...framework.offers].map((id) => state.offers.get(id)!)
  const offered = addAll(offers.map(({ resources }) => resources))
  const allocated = addAll(framework.usedOn.values())
  return {
    ...frameworkMessage(framework),
    unregistered_time: framework.unregisteredAtMs === 0 ? undefined : timeInfo(framework.unregisteredAtMs),
    offers:
      offers.length === 0
        ? undefined
        : offers.map((offer) => ({
            ...offerMessage(offer, state.agents.get(offer.agentId)!, framework),
            resources: toMessages(offer.resources),
            allocation_info: { role: offer.role },
          })),
    inverse_offers: framework.inverseOffers.size === 0 ? undefined : inverseOffersOf(state, framework),
    allocated_resources: isEmpty(allocated) ? undefined : toRoleMessages(allocated),
    offered_resources: isEmpty(offered) ? undefined : toRoleMessages(offered),
    offer_constraints: framework.offerConstraints ?? {},
  }
}

function inverseOffersOf(state: MasterState, framework: Framework): InverseOffer[] {
  return Array.from(framework.inverseOffers, (id) => {
    const offer = state.inverseOffers.get(id)!
    return inverseOfferMessage(offer, state.agents.get(offer.agentId)!, framework)
  })
}

/** An agent as GET_AGENTS and AGENT_ADDED show it. */
export function agentMessage(state: MasterState, agent: Agent): ResponseGetAgentsAgent {
  const allocated = addAll(agent.usedBy.values())
  const offered = addAll([...agent.offers].map((id) => state.offers.get(id)!.resources))
  return {
    agent_info: agent.info,
    active: agent.active,
    deactivated: agent.deactivated,
    version: agent.version,
    pid: agentPid(agent),
    registered_time: timeInfo(agent.registeredAtMs),
    reregistered_time: agent.reregisteredAtMs === 0 ? undefined : timeInfo(agent.reregisteredAtMs),
    total_resources: toRoleMessages(agent.total),
    allocated_resources: isEmpty(allocated) ? undefined : toRoleMessages(allocated),
    offered_resources: isEmpty(offered) ? undefined : toRoleMessages(offered),
    capabilities: agent.capabilities,
    drain_info: agent.drain && { state: agent.drain.state, config: agent.drain.config },
    estimated_drain_start_time: agent.drain && timeInfo(agent.drain.sinceMs),
  }
}

/** The agent's address in the form of Mesos: `slave(1)@127.0.0.1:5051`. */
export function agentPid(agent: Agent): string {
  return `slave(1)@${agent.ip}:${agent.port}`
}

/** The key of an agent's machine and port. */
export function addressKey(hostname: string, { ip, port }: { readonly ip: string; readonly port: number }): string {
  return `${hostname} ${ip}:${port}`
}

/** What a master says of a task by itself: no uuid, so nothing to acknowledge. */
export interface MasterStatus {
  readonly taskId: string
  readonly agentId: string | undefined
  /** Of a custom or default executor; absent or empty for a command task. */
  readonly executorId?: string | undefined
  readonly state: TaskState
  readonly reason: TaskStatusReason
  readonly message: string
  /** Since when its agent is unreachable, Unix milliseconds. */
  readonly unreachableAtMs?: number | undefined
}

/** The status message of a {@link MasterStatus}. */
export function masterStatus(atMs: number, status: MasterStatus): TaskStatus {
  const { taskId, agentId, executorId, state, reason, message, unreachableAtMs } = status
  return {
    task_id: { value: taskId },
    state,
    message,
    source: 'SOURCE_MASTER',
    reason,
    agent_id: agentId === undefined ? undefined : { value: agentId },
    executor_id: executorId === undefined || executorId === '' ? undefined : { value: executorId },
    timestamp: atMs / 1000,
    unreachable_time: unreachableAtMs === undefined ? undefined : timeInfo(unreachableAtMs),
  }
}

const TERMINAL: ReadonlySet<TaskState> = new Set<TaskState>([
  'TASK_FINISHED',
  'TASK_FAILED',
  'TASK_KILLED',
  'TASK_ERROR',
  'TASK_LOST',
  'TASK_DROPPED',
  'TASK_GONE',
  'TASK_GONE_BY_OPERATOR',
])

/** Whether a task in this state has ended for good. */
export function isTerminal(state: TaskState): boolean {
  return TERMINAL.has(state)
}

/** Whether only a master can say this of a task: an agent that does is broken. */
export function isMastersVerdict(state: TaskState): boolean {
  return state === 'TASK_UNREACHABLE' || state === 'TASK_UNKNOWN'
}

/** Whether a task in this state holds resources on its agent as far as the master knows. */
export function holdsResources(state: TaskState): boolean {
  return !TERMINAL.has(state) && state !== 'TASK_UNREACHABLE'
}
