/**
 * RESERVE, UNRESERVE, CREATE, DESTROY, GROW_VOLUME, SHRINK_VOLUME: the master has checked them and counts with their result; here the
 * agent's total follows. The outcome is told once it is on the disk (resource-store.ts), until the master acknowledges it.
 */

import type { MasterMessageAcknowledgeOperation, MasterMessageApplyOperation } from '@isthmus/proto/gen/agent-link'
import type { Operation, OperationStatus } from '@isthmus/proto/gen/mesos'
import { nextUuidBytes } from '../base/random.ts'
import { conversionOf } from '../resources/operations.ts'
import { type AgentOperation, type AgentState, agentIdOf, hex } from './state.ts'
import { cancelTimer, emit, note, setTimer, type Turn } from './turn.ts'
import { equalBytes, RETRY_MAX_MS, RETRY_MIN_MS } from './update-stream.ts'

/** Applies an operation. One that is known already is only told again. False when what it needs is not there. */
export function applyOperation(turn: Turn, given: MasterMessageApplyOperation): boolean {
  const { state } = turn
  const key = hex(given.operation_uuid.value)
  const known = state.operations.get(key)
  if (known !== undefined) {
    tellOperation(turn, key, known)
    return true
  }
  const status: OperationStatus = {
    operation_id: given.operation.id,
    agent_id: { value: agentIdOf(state) },
    uuid: { value: nextUuidBytes(state.random) },
    ...outcomeOf(state, given),
  }
  const operation: Operation = {
    framework_id: given.framework_id,
    agent_id: { value: agentIdOf(state) },
    info: given.operation,
    latest_status: status,
    statuses: [status],
    uuid: given.operation_uuid,
  }
  state.operations.set(key, { operation, isStored: false, retryAfterMs: RETRY_MIN_MS })
  state.storePhase = 'changed'
  if (status.state === 'OPERATION_FINISHED') return true
  note(turn, 'warn', 'operation failed', { type: given.operation.type, reason: status.message })
  return false
}

/** Changes the agent's total, unless what the operation needs is not there. */
function outcomeOf(
  state: AgentState,
  { operation }: MasterMessageApplyOperation,
): Pick<OperationStatus, 'state' | 'message'> {
  const conversion = conversionOf(operation)
  if (typeof conversion === 'string') return { state: 'OPERATION_FAILED', message: conversion }
  const consumed = conversion.consumed.unallocate()
  if (!state.total.contains(consumed)) {
    return { state: 'OPERATION_FAILED', message: `${state.total} does not contain ${consumed}` }
  }
  state.total = state.total.minus(consumed).plus(conversion.converted.unallocate())
  return { state: 'OPERATION_FINISHED' }
}

/** ACKNOWLEDGE_OPERATION. */
export function acknowledgeOperation(turn: Turn, given: MasterMessageAcknowledgeOperation): void {
  const operationUuid = hex(given.operation_uuid.value)
  const known = turn.state.operations.get(operationUuid)
  if (known === undefined || !equalBytes(known.operation.latest_status.uuid?.value, given.status_uuid)) {
    note(turn, 'debug', 'acknowledgement of an operation that is not known', { operationUuid })
    return
  }
  turn.state.operations.delete(operationUuid)
  turn.state.storePhase = 'changed'
  cancelTimer(turn, { kind: 'retryOperation', operationUuid })
}

/** The outcome of an operation was not acknowledged in time. */
export function retryOperation(turn: Turn, operationUuid: string): void {
  const known = turn.state.operations.get(operationUuid)
  if (known === undefined || turn.state.linkPhase !== 'registered') return
  known.retryAfterMs = Math.min(known.retryAfterMs * 2, RETRY_MAX_MS)
  tellOperation(turn, operationUuid, known)
}

/** Tells all outcomes again, after a new registration. */
export function resendOperations(turn: Turn): void {
  for (const [key, known] of turn.state.operations) {
    known.retryAfterMs = RETRY_MIN_MS
    tellOperation(turn, key, known)
  }
}

/** Tells an outcome, and again when it is not acknowledged; not before it is on the disk. */
export function tellOperation(
  turn: Turn,
  operationUuid: string,
  { operation, isStored, retryAfterMs }: AgentOperation,
): void {
  if (!isStored) return
  setTimer(turn, { kind: 'retryOperation', operationUuid }, retryAfterMs)
  if (turn.state.linkPhase !== 'registered') return
  const { framework_id, uuid, latest_status: status } = operation
  const operation_status = { framework_id, operation_uuid: uuid, status }
  emit(turn, { kind: 'sendToMaster', message: { type: 'OPERATION_STATUS', operation_status } })
}
