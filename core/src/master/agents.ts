/**
 * Agents: how they connect, register, come back and speak. How they are lost is in agent-loss.ts.
 *
 * ```
 * REGISTER   ─▶ admitted in the registry ─▶ REGISTERED{agent id}, first PING
 * REREGISTER ─▶ already registered with the same facts: REREGISTERED at once, both sides' tasks compared
 *            ─▶ otherwise (unreachable, recovered after a failover, changed, unknown): registry first, then as above
 *            ─▶ gone, or another machine under the same id: SHUTDOWN, the link is closed
 * ```
 */

import type { AgentMessage, AgentMessageRegister, AgentMessageReregister } from '@isthmus/proto/gen/agent-link'
import type { AgentInfo } from '@isthmus/proto/gen/mesos'
import { idError } from '@isthmus/proto/ids'
import { LazyMap, LazySet } from '../base/lazy-collections.ts'
import { joinLink, openLink, refuseLink, registration } from './agent-links.ts'
import { disconnectAgent, leaveAgent, leavingAs, loseAgent, ping } from './agent-loss.ts'
import { adoptOperations } from './agent-operations.ts'
import { seatAgent } from './agent-resources.ts'
import { readoptAgent } from './agent-return.ts'
import { AgentTasks } from './agent-tasks.ts'
import { bagOf, validateResources } from './bag.ts'
import { count } from './counters.ts'
import type { AgentConnected, AgentMessages } from './events.ts'
import { exitedExecutor, messageFromExecutor } from './executors.ts'
import { enlist, isMachineDown, machineAt } from './maintenance.ts'
import { addressKey, agentMessage, isMastersVerdict } from './messages.ts'
import { operationFromAgent } from './operation-status.ts'
import { oversubscribed } from './oversubscription.ts'
import type { RegistryRecord } from './registry.ts'
import { cancelRemoval } from './removals.ts'
import { sameMessage } from './same-message.ts'
import type { Agent, Continuation, MasterState } from './state.ts'
import { publish } from './subscribers.ts'
import { sharedBag } from './task-record.ts'
import { updateFromAgent } from './tasks.ts'
import { commit, note, respond, sendToAgent, type Turn } from './turn.ts'

/** An agent's first message: REGISTER or REREGISTER. */
export function agentConnected(turn: Turn, event: AgentConnected): void {
  const { message, requestId } = event
  const { register, reregister } = message
  if (message.type === 'REGISTER' && register !== undefined) {
    connectNew(turn, requestId, register)
  } else if (message.type === 'REREGISTER' && reregister !== undefined) {
    connectKnown(turn, requestId, reregister)
  } else {
    respond(turn, requestId, 400, 'Expecting REGISTER or REREGISTER with its message as the first message of an agent')
  }
}

const MACHINE_DOWN = 'Machine is `DOWN`'

function connectNew(turn: Turn, requestId: string, register: AgentMessageRegister): void {
  const { state } = turn
  count(state.counters, 'master/messages_register_slave')
  const error = validateAgent(state, register.agent_info) ?? validateKept(register)
  if (error !== undefined) {
    respond(turn, requestId, 400, `Invalid agent: ${error}`)
    return
  }
  const linkId = openLink(turn, requestId)
  const { hostname } = register.agent_info
  if (isMachineDown(state, { hostname, ip: placeOf(register).ip })) {
    refuseLink(turn, linkId, MACHINE_DOWN)
    return
  }
  // Joined, so that it is one flat string: what templates make stays a pair of strings.
  const id = [state.options.masterId, '-S', state.nextAgent++].join('')
  const agentInfo: AgentInfo = { ...state.sharedFacts.infoOf(register.agent_info), id: { value: id } }
  commit(turn, admissionRecords(state, agentInfo, placeOf(register)), {
    kind: 'admitAgent',
    linkId,
    agentInfo,
    register,
    reregister: undefined,
    version: register.version,
    capabilities: state.sharedFacts.capabilitiesOf(register.capabilities),
    ...placeOf(register),
  })
}

function connectKnown(turn: Turn, requestId: string, reregister: AgentMessageReregister): void {
  const { state } = turn
  count(state.counters, 'master/messages_reregister_slave')
  const id = reregister.agent_info.id?.value ?? ''
  const error = idError(id) ?? validateAgent(state, reregister.agent_info) ?? validateReturn(reregister)
  if (error !== undefined) {
    respond(turn, requestId, 400, `Invalid agent: ${error}`)
    return
  }
  const linkId = openLink(turn, requestId)
  const agent = state.agents.get(id)
  const refusal = refusalOf(state, agent, reregister)
  if (refusal !== undefined) {
    refuseLink(turn, linkId, refusal)
    return
  }
  const info = state.sharedFacts.infoOf(reregister.agent_info)
  if (agent !== undefined && !agent.leaving && sameMessage(agent.info, info)) {
    readoptAgent(turn, agent, { linkId, reregister })
    return
  }
  const admitted = state.registry.admitted.get(id)
  const then: Continuation = {
    kind: 'admitAgent',
    linkId,
    agentInfo: info,
    reregister,
    version: reregister.version,
    capabilities: state.sharedFacts.capabilitiesOf(reregister.capabilities),
    wasGivenUp: givenUpAs(state, id),
    ...placeOf(reregister),
  }
  const isKept = admitted !== undefined && leavingAs(state, id) === undefined
  if (isKept && agent === undefined && sameMessage(admitted.info, info)) admit(turn, then)
  else commit(turn, admissionRecords(state, info, then), then)
}

/** How frameworks were told of an agent that comes back. One that is in the books, or awaited by a new leader, was not given up. */
function givenUpAs(state: MasterState, id: string): 'unreachable' | 'unknown' | undefined {
  const leaving = leavingAs(state, id)
  if (leaving === 'unreachable' || state.registry.unreachable.has(id)) return 'unreachable'
  const isKept = state.agents.has(id) || state.recoveredAgents.has(id) || state.registry.admitted.has(id)
  return isKept && leaving === undefined ? undefined : 'unknown'
}

/** The same address with another id: the old agent cannot come back, so it leaves the registry in the same write. */
function admissionRecords(
  state: MasterState,
  agentInfo: AgentInfo,
  place: { ip: string; port: number },
): RegistryRecord[] {
  const replaced = state.agentsByAddress.get(addressKey(agentInfo.hostname, place))
  const records: RegistryRecord[] = [{ kind: 'agentAdmitted', agentInfo }]
  if (replaced !== undefined && replaced !== agentInfo.id?.value)
    records.push({ kind: 'agentRemoved', agentId: replaced })
  return records
}

function refusalOf(
  state: MasterState,
  agent: Agent | undefined,
  reregister: AgentMessageReregister,
): string | undefined {
  const id = reregister.agent_info.id!.value
  if (state.registry.gone.has(id)) return 'Agent has been marked gone'
  const { ip } = placeOf(reregister)
  if (isMachineDown(state, { hostname: reregister.agent_info.hostname, ip })) return MACHINE_DOWN
  if (agent === undefined) return undefined
  if (agent.info.hostname === reregister.agent_info.hostname && agent.ip === ip) return undefined
  return `Agent ${id} reregistered from another machine (${reregister.agent_info.hostname}, ${ip}) than it registered from (${agent.info.hostname}, ${agent.ip})`
}

function placeOf(message: AgentMessageRegister | AgentMessageReregister): { ip: string; port: number } {
  const { address, agent_info } = message
  return { ip: address.ip ?? agent_info.hostname, port: address.port }
}

function validateAgent({ options }: MasterState, info: AgentInfo): string | undefined {
  if (info.domain !== undefined && options.domain === undefined) {
    return 'the agent has a domain, but the master has none (--domain), so it cannot tell which regions are remote'
  }
  if (info.domain === undefined && options.requireAgentDomain) return 'the agent has no domain (--require_agent_domain)'
  return validateResources(info.resources ?? [])
}

/** Bounds on what one agent may bring back, so that a broken one cannot fill the master. */
const MAX_RETURNED = 1_000_000

function validateKept({ resources = [], operations = [] }: AgentMessageRegister): string | undefined {
  if (operations.length > MAX_RETURNED) return 'too many operations'
  return validateResources(resources)
}

function validateReturn(reregister: AgentMessageReregister): string | undefined {
  const id = reregister.agent_info.id!.value
  const { tasks = [], executors = [], frameworks = [], operations = [], resources } = reregister
  if (tasks.length + executors.length + frameworks.length + operations.length > MAX_RETURNED) return 'too many tasks'
  const known = new Set(frameworks.map(({ id: frameworkId }) => frameworkId?.value))
  const totals = validateResources(resources ?? [])
  if (totals !== undefined) return totals
  for (const task of tasks) {
    if (task.agent_id.value !== id) return `Task ${task.task_id.value} is of another agent`
    if (!known.has(task.framework_id.value)) return `Framework of task ${task.task_id.value} is missing`
    if (isMastersVerdict(task.state)) return `Task ${task.task_id.value} is ${task.state}, which only a master says`
    const error = idError(task.task_id.value) ?? validateResources(task.resources ?? [])
    if (error !== undefined) return `Task ${task.task_id.value}: ${error}`
  }
  for (const executor of executors) {
    if (!known.has(executor.framework_id?.value))
      return `Framework of executor ${executor.executor_id.value} is missing`
    const error = idError(executor.executor_id.value) ?? validateResources(executor.resources ?? [])
    if (error !== undefined) return `Executor ${executor.executor_id.value}: ${error}`
  }
  const nameless = frameworks.some(({ id: frameworkId }) => idError(frameworkId?.value ?? '') !== undefined)
  return nameless ? 'A framework has no valid id' : undefined
}

/** The admission is stored: the agent joins the pool. */
export function admit(turn: Turn, admission: Extract<Continuation, { kind: 'admitAgent' }>): void {
  const { state } = turn
  const { agentInfo, linkId, reregister } = admission
  const id = agentInfo.id!.value
  if (state.registry.gone.has(id)) {
    refuseLink(turn, linkId, 'Agent has been marked gone')
    return
  }
  state.recoveredAgents.delete(id)
  cancelRemoval(turn, id)
  if (isMachineDown(state, { hostname: agentInfo.hostname, ip: admission.ip })) {
    // It asked before its machine went down.
    refuseLink(turn, linkId, MACHINE_DOWN)
    commit(turn, [{ kind: 'agentRemoved', agentId: id }], { kind: 'machineLeft', agentId: id })
    return
  }
  const known = state.agents.get(id)
  if (known !== undefined && reregister !== undefined) {
    known.info = agentInfo
    // When the link is gone, what it said is old: the agent says it again on its next one.
    if (state.links.has(linkId)) readoptAgent(turn, known, { linkId, reregister })
    return
  }
  const replaced = state.agentsByAddress.get(addressKey(agentInfo.hostname, admission))
  const before = replaced === undefined ? undefined : state.agents.get(replaced)
  if (before !== undefined && before.id !== id) replace(turn, before)
  const agent = createAgent(turn, admission)
  state.agents.set(id, agent)
  enlist(turn, agent)
  state.agentsByAddress.set(addressKey(agentInfo.hostname, admission), id)
  if (reregister === undefined) {
    register(turn, agent, linkId)
    adoptOperations(turn, agent, admission.register?.operations ?? [])
    return
  }
  readoptAgent(turn, agent, { linkId, reregister, wasGivenUp: admission.wasGivenUp })
}

/** Takes out the agent that had this address; of the registry only if the admission did not do it. */
function replace(turn: Turn, agent: Agent): void {
  const agentId = agent.id
  if (turn.state.registry.admitted.has(agentId)) {
    commit(turn, [{ kind: 'agentRemoved', agentId }], { kind: 'agentLeft', agentId, reason: 'replaced' })
  }
  loseAgent(turn, agent, 'replaced')
}

function register(turn: Turn, agent: Agent, linkId: string): void {
  const { state } = turn
  count(state.counters, 'master/slave_registrations')
  seatAgent(turn, agent)
  joinLink(turn, agent, linkId)
  sendToAgent(turn, agent, {
    type: 'REGISTERED',
    registered: { agent_id: { value: agent.id }, ...registration(state) },
  })
  ping(turn, agent)
  publish(turn, () => ({ type: 'AGENT_ADDED', agent_added: { agent: agentMessage(state, agent) } }))
  note(turn, 'info', 'agent registered', { agentId: agent.id, hostname: agent.info.hostname })
}

function createAgent(turn: Turn, admission: Extract<Continuation, { kind: 'admitAgent' }>): Agent {
  const { agentInfo, reregister, version, capabilities, ip, port } = admission
  const admitted = turn.state.registry.admitted.get(agentInfo.id!.value)
  return {
    id: agentInfo.id!.value,
    info: agentInfo,
    version,
    capabilities,
    ip,
    port,
    linkId: undefined,
    active: false,
    deactivated: admitted?.deactivated ?? false,
    drain: admitted?.drain,
    registeredAtMs: turn.atMs,
    reregisteredAtMs: 0,
    total: sharedBag(turn.state, bagOf((reregister ?? admission.register)?.resources ?? agentInfo.resources ?? [])),
    offers: new LazySet(),
    inverseOffers: new LazySet(),
    unavailability: machineAt(turn.state, { hostname: agentInfo.hostname, ip })?.unavailability,
    tasks: new AgentTasks(),
    executors: new LazyMap(),
    usedBy: new LazyMap(),
    killsPending: new LazySet(),
    strays: new LazyMap(),
    pingsMissed: 0,
    pingOutstanding: false,
    leaving: false,
    seated: false,
  }
}

/** Later messages of an agent. Those on a link that is not (or no longer) an agent's are dropped. */
export function agentMessages(turn: Turn, event: AgentMessages): void {
  const { state } = turn
  for (const message of event.messages) {
    const agentId = state.links.get(event.linkId)
    const agent = agentId === undefined ? undefined : state.agents.get(agentId)
    if (agent === undefined || agent.linkId !== event.linkId) {
      count(state.counters, 'master/dropped_messages')
      continue
    }
    agentSaid(turn, agent, message)
  }
}

function agentSaid(turn: Turn, agent: Agent, message: AgentMessage): void {
  switch (message.type) {
    case 'PONG':
      agent.pingOutstanding = false
      agent.pingsMissed = 0
      cancelRemoval(turn, agent.id)
      return
    case 'STATUS_UPDATE':
      if (message.status_update !== undefined) updateFromAgent(turn, agent, message.status_update)
      return
    case 'EXITED_EXECUTOR':
      if (message.exited_executor !== undefined) exitedExecutor(turn, agent, message.exited_executor)
      return
    case 'EXECUTOR_MESSAGE':
      if (message.executor_message !== undefined) messageFromExecutor(turn, agent, message.executor_message)
      return
    case 'OPERATION_STATUS':
      if (message.operation_status !== undefined) operationFromAgent(turn, agent, message.operation_status)
      return
    case 'UPDATE_RESOURCES':
      if (message.update_resources !== undefined) oversubscribed(turn, agent, message.update_resources)
      return
    case 'UNREGISTER':
      leaveAgent(turn, agent, message.reason ?? 'the agent unregistered')
      return
    default:
      count(turn.state.counters, 'master/dropped_messages')
  }
}

/** An agent's connection ended. */
export function agentLinkClosed(turn: Turn, linkId: string): void {
  const { state } = turn
  const agentId = state.links.get(linkId)
  state.links.delete(linkId)
  const agent = agentId === undefined ? undefined : state.agents.get(agentId)
  if (agent?.linkId === linkId) disconnectAgent(turn, agent)
}
