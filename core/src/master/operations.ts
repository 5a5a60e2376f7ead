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
import { add, addAll, type Bag, bagOf, contains, convert, subtract, textOf, unallocated } from './bag.ts'
import type { OperatorCalled } from './events.ts'
import { rescindOffer } from './offers.ts'
import { countOperation, hex, tell } from './operation-status.ts'
import { operationError } from './operation-validation.ts'
import type { Agent, Framework } from './state.ts'
import { note, respond, sendToAgent, type Turn } from './turn.ts'

/** Performs an operation of an ACCEPT on what it holds. An invalid one changes nothing; with an id its framework is told. */
export function applyOperation(turn: Turn, acceptance: Acceptance, given: OfferOperation): void {
  const { framework, agent, role } = acceptance
  const operation = completedOperation(given, role)
  const error = frameworkError(acceptance, operation)
  if (error !== undefined) return dropOperation(turn, framework, operation, error)
  if (operation.type === 'DESTROY') rescindVolumes(turn, agent, operation.destroy?.volumes ?? [])
  const conversion = convert(operation, acceptance.remaining)
  if (typeof conversion === 'string') return dropOperation(turn, framework, operation, conversion)
  const { from, to } = conversion
  acceptance.remaining = add(subtract(acceptance.remaining, from), to)
  acceptance.shared = add(subtract(acceptance.shared, from.shared()), to.shared())
  agent.total = add(subtract(agent.total, unallocated(from)), unallocated(to))
  turn.state.allocator.updateAllocation(framework.id, agent.id, { from, to })
  startOperation(turn, agent, operation, framework)
}

/** Answers an operation that is not valid, or whose offers are not: with an id its framework is told OPERATION_ERROR, as Mesos does. */
export function dropOperation(turn: Turn, framework: Framework, operation: OfferOperation, message: string): void {
  countOperation(turn, operation.type, 'OPERATION_ERROR')
  note(turn, 'info', 'operation refused', { frameworkId: framework.id, type: operation.type, reason: message })
  if (operation.id === undefined) return
  tell(turn, framework, { operation_id: operation.id, state: 'OPERATION_ERROR', message })
}

/** What a framework may not, with the agent it is about: feedback that the agent cannot give, and what makes no sense anywhere. */
function frameworkError({ framework, agent }: Acceptance, operation: OfferOperation): string | undefined {
  if ((operation.reserve?.source ?? []).length > 0)
    return 'Operation attempted with invalid resources: Reservation updates are not yet implemented for the scheduler API.'
  const givesFeedback = agent.capabilities.some(({ type }) => type === 'AGENT_OPERATION_FEEDBACK')
  if (operation.id !== undefined && !givesFeedback)
    return `Operation on agent default resources requested feedback, but agent ${agent.id} does not have the required AGENT_OPERATION_FEEDBACK and RESOURCE_PROVIDER capabilities`
  const { principal } = framework.info
  const error = operationError({ operation, agent, inUse: usedOn(agent), framework, principal })
  return error && `${error}; on agent ${placeOf(agent)}`
}

/** Other frameworks may have been offered a shared volume that is about to be destroyed. */
function rescindVolumes(turn: Turn, agent: Agent, volumes: readonly Resource[]): void {
  for (const id of [...agent.offers]) {
    const offer = turn.state.offers.get(id)!
    const offered = unallocated(offer.resources)
    if (volumes.some((volume) => contains(offered, unallocated(bagOf([volume]))))) rescindOffer(turn, offer)
  }
}

function placeOf({ id, ip, port, info }: Agent): string {
  return `${id} at slave(1)@${ip}:${port} (${info.hostname})`
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
export function applyOperatorOperation(turn: Turn, { call, requestId, principal }: OperatorCalled): void {
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
  const { operation } = asked
  const { type } = operation
  const where = type === 'UNRESERVE' || type === 'DESTROY' ? '' : ` on agent ${placeOf(agent)}`
  const prefix = `Invalid ${type} operation${where}: `
  const invalid = operationError({ operation, agent, inUse: usedOn(agent), framework: undefined, principal })
  if (invalid !== undefined) {
    respond(turn, requestId, 400, prefix + invalid)
    return
  }
  if (agent.linkId === undefined) {
    // Mesos answers 202 and the operation is lost.
    respond(turn, requestId, 409, `${prefix}Agent ${agent.id} is disconnected`)
    return
  }
  const conversion = convert(operation, agent.total)
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
  startOperation(turn, agent, operation, undefined)
  respond(turn, requestId, 202)
}

/** Rescinds offers of the agent until what is needed is free; false when even that is not enough. */
function makeRoom(turn: Turn, agent: Agent, needed: Bag): boolean {
  const reachable = subtract(agent.total, unallocated(usedOn(agent)))
  if (!contains(reachable, needed)) return false
  for (const id of [...agent.offers]) {
    if (contains(freeOf(turn, agent), needed)) return true
    const offer = turn.state.offers.get(id)!
    const isInTheWay = !subtract(needed, unallocated(offer.resources)).equals(needed)
    if (isInTheWay) rescindOffer(turn, offer)
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
