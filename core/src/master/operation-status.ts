/** Operations (RESERVE, CREATE …) on their way: what agents report, what frameworks acknowledge and reconcile. */

import type { AgentMessageOperationStatusUpdate } from '@isthmus/proto/gen/agent-link'
import type { OperationStatus } from '@isthmus/proto/gen/mesos'
import type {
  CallAcknowledgeOperationStatus,
  CallReconcileOperations,
  CallReconcileOperationsOperation,
} from '@isthmus/proto/gen/scheduler'
import { count } from './counters.ts'
import type { Agent, Framework, MasterOperation } from './state.ts'
import { sendEvent, sendToAgent, type Turn } from './turn.ts'

/** How long after an agent's registration operations wait for a framework that nobody knows; as in Mesos. */
const ORPHAN_WAIT_MS = 300_000

/** An agent reports an operation: forwarded to the framework when it asked for feedback (an id), else settled. */
export function operationFromAgent(turn: Turn, agent: Agent, message: AgentMessageOperationStatusUpdate): void {
  const { state } = turn
  count(state.counters, 'master/messages_operation_status_update')
  const operation = state.operations.get(hex(message.operation_uuid.value))
  if (operation === undefined || operation.agentId !== agent.id) {
    count(state.counters, 'master/invalid_operation_status_updates')
    return
  }
  count(state.counters, 'master/valid_operation_status_updates')
  enterStatus(turn, operation, message.status)
  const framework = operation.frameworkId === undefined ? undefined : state.frameworks.get(operation.frameworkId)
  if (isAwaited(turn, agent, operation)) return
  const wantsFeedback = operation.operation.info.id !== undefined && framework !== undefined
  if (wantsFeedback) tell(turn, framework, { ...message.status, agent_id: { value: agent.id } })
  if (!wantsFeedback || message.status.uuid === undefined) {
    if (message.status.state !== 'OPERATION_PENDING') settle(turn, agent, operation, message.status)
  }
}

/** Said again it is entered once. */
function enterStatus(turn: Turn, operation: MasterOperation, status: OperationStatus): void {
  const { statuses = [], info } = operation.operation
  const isKnown = statuses.some(
    ({ uuid }) => uuid !== undefined && status.uuid !== undefined && sameUuid(uuid, status.uuid),
  )
  if (isKnown) return
  operation.operation = { ...operation.operation, latest_status: status, statuses: [...statuses, status] }
  countOperation(turn, info.type, status.state)
}

function sameUuid(one: { readonly value: Uint8Array }, other: { readonly value: Uint8Array }): boolean {
  return hex(one.value) === hex(other.value)
}

/** After a failover an agent may be back before the framework that has to acknowledge; the agent says it again. */
function isAwaited({ state, atMs }: Turn, agent: Agent, { frameworkId, operation }: MasterOperation): boolean {
  if (frameworkId === undefined || operation.info.id === undefined) return false
  if (state.frameworks.has(frameworkId) || state.completedFrameworks.has(frameworkId)) return false
  return atMs - Math.max(agent.registeredAtMs, agent.reregisteredAtMs) < ORPHAN_WAIT_MS
}

function settle(turn: Turn, agent: Agent, operation: MasterOperation, status: OperationStatus): void {
  turn.state.operations.delete(operation.uuid)
  if (status.uuid === undefined) return
  sendToAgent(turn, agent, {
    type: 'ACKNOWLEDGE_OPERATION',
    acknowledge_operation: { operation_uuid: operation.operation.uuid, status_uuid: status.uuid.value },
  })
}

/** ACKNOWLEDGE_OPERATION_STATUS: the end of an operation acknowledged takes it out of the books. */
export function acknowledgeOperation(turn: Turn, framework: Framework, call: CallAcknowledgeOperationStatus): void {
  const { state } = turn
  count(state.counters, 'master/messages_operation_status_update_acknowledgement')
  const operation = operationOf(turn, framework, call.operation_id.value)
  const agent = operation && state.agents.get(operation.agentId)
  const expected = operation?.operation.latest_status.uuid?.value
  const isKnown = expected !== undefined && hex(expected) === hex(call.uuid)
  // A disconnected agent would not hear of it, and say it again.
  if (operation === undefined || !isKnown || agent?.linkId === undefined || call.agent_id?.value !== agent.id) {
    count(state.counters, 'master/invalid_operation_status_update_acknowledgements')
    return
  }
  count(state.counters, 'master/valid_operation_status_update_acknowledgements')
  settle(turn, agent, operation, operation.operation.latest_status)
}

/** RECONCILE_OPERATIONS: the operations asked for, or with none all of the framework. */
export function reconcileOperations(turn: Turn, framework: Framework, call: CallReconcileOperations): void {
  count(turn.state.counters, 'master/messages_reconcile_operations')
  const asked = call.operations ?? []
  for (const operation of asked) reconcileOperation(turn, framework, operation)
  if (asked.length > 0) return
  for (const { frameworkId, agentId, operation } of turn.state.operations.values()) {
    if (frameworkId !== framework.id || operation.info.id === undefined) continue
    tell(turn, framework, withoutUuid(operation.latest_status, agentId))
  }
}

function reconcileOperation(turn: Turn, framework: Framework, asked: CallReconcileOperationsOperation): void {
  const known = operationOf(turn, framework, asked.operation_id.value)
  if (known !== undefined) {
    tell(turn, framework, withoutUuid(known.operation.latest_status, known.agentId))
    return
  }
  const answer = answerFor(turn, asked.agent_id?.value)
  tell(turn, framework, {
    operation_id: asked.operation_id,
    state: answer.state,
    message: `Reconciliation: ${answer.text}`,
    agent_id: asked.agent_id,
    resource_provider_id: asked.resource_provider_id,
  })
}

function answerFor(turn: Turn, agentId: string | undefined): { state: OperationStatus['state']; text: string } {
  const { agents, recoveredAgents, registry } = turn.state
  if (agentId === undefined) {
    return { state: 'OPERATION_UNKNOWN', text: "Operation is unknown and no 'agent_id' was provided" }
  }
  if (agents.has(agentId)) return { state: 'OPERATION_UNKNOWN', text: 'Operation is unknown' }
  if (recoveredAgents.has(agentId))
    return { state: 'OPERATION_RECOVERING', text: 'Agent is recovered but has not re-registered' }
  if (registry.unreachable.has(agentId)) return { state: 'OPERATION_UNREACHABLE', text: 'Agent is unreachable' }
  if (registry.gone.has(agentId)) return { state: 'OPERATION_GONE_BY_OPERATOR', text: 'Agent marked gone by operator' }
  return { state: 'OPERATION_UNKNOWN', text: 'Both operation and agent are unknown' }
}

function withoutUuid(status: OperationStatus, agentId: string): OperationStatus {
  return { ...status, uuid: undefined, agent_id: { value: agentId } }
}

function operationOf(turn: Turn, framework: Framework, id: string): MasterOperation | undefined {
  for (const operation of turn.state.operations.values()) {
    if (operation.frameworkId === framework.id && operation.operation.info.id?.value === id) return operation
  }
  return undefined
}

/** Tells a framework an operation's state. */
export function tell(turn: Turn, framework: Framework, status: OperationStatus): void {
  sendEvent(turn, framework, { type: 'UPDATE_OPERATION_STATUS', update_operation_status: { status } })
}

/** Counts the end of an operation by its type. */
export function countOperation(turn: Turn, type: string | undefined, state: OperationStatus['state']): void {
  const name = state.toLowerCase().replace('operation_', '')
  count(turn.state.counters, `master/operations/${name}`)
  count(turn.state.counters, `master/operations/${(type ?? 'UNKNOWN').toLowerCase()}/${name}`)
}

/** Bytes as lower-case hexadecimal text. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
