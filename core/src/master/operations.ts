/**
 * RESERVE, UNRESERVE, CREATE, DESTROY, GROW_VOLUME and SHRINK_VOLUME on agents' own resources. They are speculative, as in Mesos: the master's
 * view changes at once, later operations of the same ACCEPT build on the result, and the agent is told to follow. What an operation turns
 * into what is core/src/resources/operations.ts; here is who may do it, and whose resources change.
 */

import type { Call } from '@isthmus/proto/gen/master'
import type { OfferOperation, Operation, Resource } from '@isthmus/proto/gen/mesos'
import { nextUuidBytes } from '../base/random.ts'
import { type Acceptance, allocatedTo } from './acceptance.ts'
import { freeOf } from './agent-resources.ts'
import { add, addAll, type Bag, contains, convert, subtract, textOf, unallocated } from './bag.ts'
import type { OperatorCalled } from './events.ts'
import { rescindOffer } from './offers.ts'
import { countOperation, hex, tell } from './operation-status.ts'
import type { Agent, Framework } from './state.ts'
import { note, respond, sendToAgent, type Turn } from './turn.ts'

/** Performs an operation of an ACCEPT on what it holds. An invalid one changes nothing; with an id its framework is told. */
export function applyOperation(turn: Turn, acceptance: Acceptance, given: OfferOperation): void {
  const { framework, agent, role } = acceptance
  const operation = completedOperation(given, role)
  const conversion =
    frameworkError(acceptance, operation) ??
    convert(operation, { held: acceptance.remaining, total: agent.total, inUse: usedOn(agent) })
  if (typeof conversion === 'string') {
    dropInvalid(turn, framework, agent, { operation, error: conversion })
    return
  }
  const { from, to } = conversion
  acceptance.remaining = add(subtract(acceptance.remaining, from), to)
  agent.total = add(subtract(agent.total, unallocated(from)), unallocated(to))
  turn.state.allocator.updateAllocation(framework.id, agent.id, { from, to })
  startOperation(turn, agent, operation, framework)
}

function dropInvalid(
  turn: Turn,
  framework: Framework,
  agent: Agent,
  { operation, error }: { operation: OfferOperation; error: string },
): void {
  countOperation(turn, operation.type, 'OPERATION_ERROR')
  note(turn, 'info', 'operation refused', { frameworkId: framework.id, type: operation.type, reason: error })
  if (operation.id === undefined) return
  tell(turn, framework, {
    operation_id: operation.id,
    state: 'OPERATION_ERROR',
    message: error,
    agent_id: { value: agent.id },
  })
}

/** Answers an operation whose offers are not valid: with an id its framework is told OPERATION_DROPPED. */
export function dropOperation(turn: Turn, framework: Framework, operation: OfferOperation, message: string): void {
  countOperation(turn, operation.type, 'OPERATION_DROPPED')
  if (operation.id === undefined) return
  tell(turn, framework, { operation_id: operation.id, state: 'OPERATION_DROPPED', message })
}

/** Reservations must be for the role of the offer and by the framework's own principal. */
function frameworkError({ framework, role }: Acceptance, { type, reserve }: OfferOperation): string | undefined {
  if (type !== 'RESERVE') return undefined
  for (const { reservations } of reserve?.resources ?? []) {
    const top = reservations?.at(-1)
    if (top === undefined) continue
    if (top.role !== role)
      return `A reserve operation was attempted for role '${top.role}', but the offer is for role '${role}'`
    const { principal } = framework.info
    if (principal !== undefined && top.principal !== undefined && top.principal !== principal) {
      return `A reserve operation was attempted by framework principal '${principal}', which does not match a reserved resource with principal '${top.principal}'`
    }
  }
  return undefined
}

/** The operation with the role of the offer on resources that do not say theirs. */
function completedOperation(operation: OfferOperation, role: string): OfferOperation {
  const all = (resources: readonly Resource[] | undefined) => allocatedTo(resources, role)
  const one = (resource: Resource) => allocatedTo([resource], role)[0]!
  const { reserve, unreserve, create, destroy, grow_volume, shrink_volume } = operation
  return {
    ...operation,
    reserve: reserve && { ...reserve, resources: all(reserve.resources) },
    unreserve: unreserve && { resources: all(unreserve.resources) },
    create: create && { volumes: all(create.volumes) },
    destroy: destroy && { volumes: all(destroy.volumes) },
    grow_volume: grow_volume && { volume: one(grow_volume.volume), addition: one(grow_volume.addition) },
    shrink_volume: shrink_volume && { ...shrink_volume, volume: one(shrink_volume.volume) },
  }
}

function usedOn(agent: Agent): Bag {
  return addAll(agent.usedBy.values())
}

function startOperation(turn: Turn, agent: Agent, info: OfferOperation, framework: Framework | undefined): void {
  const uuid = { value: nextUuidBytes(turn.state.random) }
  const frameworkId = framework && { value: framework.id }
  const operation: Operation = {
    framework_id: frameworkId,
    agent_id: { value: agent.id },
    info,
    latest_status: { operation_id: info.id, state: 'OPERATION_PENDING', agent_id: { value: agent.id } },
    uuid,
  }
  const key = hex(uuid.value)
  turn.state.operations.set(key, { uuid: key, frameworkId: framework?.id, agentId: agent.id, operation })
  sendToAgent(turn, agent, {
    type: 'APPLY_OPERATION',
    apply_operation: { framework_id: frameworkId, operation_uuid: uuid, operation: info },
  })
}

/** The operator's form of these operations: on unallocated resources of any role; offers in the way are rescinded. */
export function applyOperatorOperation(turn: Turn, { call, requestId }: OperatorCalled): void {
  const asked = operationOf(call)
  if (asked.agentId === undefined) {
    const text = "Expecting 'agent_id' to be present; only agent default resources are supported right now"
    respond(turn, requestId, 400, `Failed to validate master::Call: ${text}`)
    return
  }
  const agent = turn.state.agents.get(asked.agentId)
  if (agent === undefined) {
    respond(turn, requestId, 400, 'No agent found with specified ID')
    return
  }
  const { type } = asked.operation
  const prefix = `Invalid ${type} operation on agent ${agent.id} at slave(1)@${agent.ip}:${agent.port} (${agent.info.hostname}): `
  const invalid = operatorError(asked.operation)
  if (invalid !== undefined) {
    respond(turn, requestId, 400, prefix + invalid)
    return
  }
  const conversion = convert(asked.operation, {
    held: unallocated(agent.total),
    total: agent.total,
    inUse: usedOn(agent),
  })
  if (typeof conversion === 'string') {
    respond(turn, requestId, conversion.includes('does not contain') ? 409 : 400, prefix + conversion)
    return
  }
  if (!makeRoom(turn, agent, conversion.from)) {
    respond(turn, requestId, 409, `${prefix}${textOf(freeOf(turn, agent))} does not contain ${textOf(conversion.from)}`)
    return
  }
  agent.total = add(subtract(agent.total, conversion.from), conversion.to)
  turn.state.allocator.updateAgent(agent.id, { total: agent.total })
  turn.state.allocationDue = true
  startOperation(turn, agent, asked.operation, undefined)
  respond(turn, requestId, 202)
}

function operatorError({ type, reserve, unreserve, create, destroy }: OfferOperation): string | undefined {
  const resources = [
    ...(reserve?.resources ?? []),
    ...(unreserve?.resources ?? []),
    ...(create?.volumes ?? []),
    ...(destroy?.volumes ?? []),
  ]
  if (resources.some(({ allocation_info }) => allocation_info !== undefined)) {
    return `A ${type?.toLowerCase()} operation was attempted with an allocated resource, but the operator API only allows it for unallocated resources`
  }
  return undefined
}

/** Rescinds offers of the agent until what is needed is free; false when even that is not enough. */
function makeRoom(turn: Turn, agent: Agent, needed: Bag): boolean {
  const reachable = subtract(agent.total, unallocated(usedOn(agent)))
  if (!contains(reachable, needed)) return false
  for (const id of [...agent.offers]) {
    if (contains(freeOf(turn, agent), needed)) return true
    rescindOffer(turn, turn.state.offers.get(id)!)
  }
  return contains(freeOf(turn, agent), needed)
}

function operationOf(call: Call): { agentId: string | undefined; operation: OfferOperation } {
  const { reserve_resources, unreserve_resources, create_volumes, destroy_volumes, grow_volume, shrink_volume } = call
  switch (call.type) {
    case 'RESERVE_RESOURCES': {
      const { source, resources, agent_id } = reserve_resources!
      return { agentId: agent_id.value, operation: { type: 'RESERVE', reserve: { source, resources } } }
    }
    case 'UNRESERVE_RESOURCES': {
      const { resources, agent_id } = unreserve_resources!
      return { agentId: agent_id.value, operation: { type: 'UNRESERVE', unreserve: { resources } } }
    }
    case 'CREATE_VOLUMES': {
      const { volumes, agent_id } = create_volumes!
      return { agentId: agent_id.value, operation: { type: 'CREATE', create: { volumes } } }
    }
    case 'DESTROY_VOLUMES': {
      const { volumes, agent_id } = destroy_volumes!
      return { agentId: agent_id.value, operation: { type: 'DESTROY', destroy: { volumes } } }
    }
    case 'GROW_VOLUME': {
      const { volume, addition, agent_id } = grow_volume!
      return { agentId: agent_id?.value, operation: { type: 'GROW_VOLUME', grow_volume: { volume, addition } } }
    }
    default: {
      const { volume, subtract: amount, agent_id } = shrink_volume!
      const operation: OfferOperation = { type: 'SHRINK_VOLUME', shrink_volume: { volume, subtract: amount } }
      return { agentId: agent_id?.value, operation }
    }
  }
}
