/**
 * Whether an operation may be done at all, before it is known whether the resources it needs are there. The checks, their order and their
 * texts are those of Mesos 1.11 (master/validation.cpp, namespace operation), since they reach frameworks and operators.
 */

import type { OfferOperation, Resource } from '@isthmus/proto/gen/mesos'
import { idError } from '@isthmus/proto/ids'
import { reservationRole, reservationsOf } from '../resources/reservations.ts'
import { toMilli } from '../resources/scalar.ts'
import { diskInfoProblem, diskOfVolume, isPersistentVolume, volumeId, volumeKey } from '../resources/volumes.ts'
import { type Bag, bagOf, textOf, validateResources } from './bag.ts'
import type { Agent, Framework } from './state.ts'

/** An operation and who wants it. */
export interface OperationCase {
  readonly operation: OfferOperation
  readonly agent: Agent
  /** What tasks and executors hold on the agent. */
  readonly inUse: Bag
  /** Absent for an operator. */
  readonly framework: Framework | undefined
  readonly principal: string | undefined
}

/** What is wrong, or undefined. The resources of the operation carry their allocation when a framework wants it. */
export function operationError(given: OperationCase): string | undefined {
  const { type, reserve, unreserve, create, destroy, grow_volume: grow, shrink_volume: shrink } = given.operation
  switch (type) {
    case 'RESERVE':
      return reserve && reserveError(given, reserve.resources ?? [], reserve.source ?? [])
    case 'UNRESERVE':
      return unreserve && unreserveError(unreserve.resources ?? [])
    case 'CREATE':
      return create && createError(given, create.volumes ?? [])
    case 'DESTROY':
      return destroy && destroyError(given, destroy.volumes ?? [])
    case 'GROW_VOLUME':
      return grow && growError(given, grow.volume, grow.addition)
    case 'SHRINK_VOLUME':
      return shrink && shrinkError(given, shrink.volume, shrink.subtract.value)
    case 'CREATE_DISK':
      return given.operation.create_disk && providerError(given.operation.create_disk.source)
    case 'DESTROY_DISK':
      return given.operation.destroy_disk && providerError(given.operation.destroy_disk.source)
    default:
      return undefined
  }
}

function print(resource: Resource): string {
  return textOf(bagOf([resource]))
}

function has(agent: Agent, capability: 'HIERARCHICAL_ROLE' | 'RESERVATION_REFINEMENT' | 'RESIZE_VOLUME'): boolean {
  return agent.capabilities.some(({ type }) => type === capability)
}

/** What is wrong with a list of resources by itself. */
function resourcesError(resources: readonly Resource[]): string | undefined {
  const error = validateResources(resources)
  if (error !== undefined) return `Invalid resources: ${error}`
  for (const resource of resources) {
    const problem = diskInfoProblem(resource) ?? persistenceIdProblem(resource)
    if (problem !== undefined) return `Invalid resources: Invalid DiskInfo: ${problem}`
    if (resource.revocable !== undefined && reservationsOf(resource).at(-1)?.type === 'DYNAMIC')
      return `Invalid resources: Invalid ReservationInfo: Dynamically reserved resource ${print(resource)} cannot be created from revocable resources`
  }
  const problem = providersProblem(resources)
  return problem && `Invalid resources: ${problem}`
}

function persistenceIdProblem(resource: Resource): string | undefined {
  const id = volumeId(resource)
  const error = id === undefined ? undefined : idError(id)
  return error && `Invalid persistence ID for persistent volume: ${error}`
}

function providersProblem(resources: readonly Resource[]): string | undefined {
  const providers = new Set(resources.map(({ provider_id }) => provider_id?.value))
  if (providers.size === 1) return undefined
  if (providers.has(undefined)) return 'Some resources have a resource provider and some do not'
  return `The resources have multiple resource providers: ${[...providers].join(', ')}`
}

function reserveError(
  given: OperationCase,
  resources: readonly Resource[],
  source: readonly Resource[],
): string | undefined {
  const error = resourcesError(resources) ?? (source.length === 0 ? undefined : sourceError(resources, source))
  if (error !== undefined) return error
  for (const resource of resources) {
    const problem = reservedResourceError(given, resource)
    if (problem !== undefined) return problem
  }
  return undefined
}

/** Resources that are reserved already and are to be reserved otherwise. */
function sourceError(resources: readonly Resource[], source: readonly Resource[]): string | undefined {
  const error = resourcesError(source)
  if (error !== undefined) return `Invalid source: ${error}`
  for (const [name, list] of [
    ['source', source],
    ['resources', resources],
  ] as const) {
    const first = JSON.stringify(reservationsOf(list[0]!))
    if (list.some((one) => JSON.stringify(reservationsOf(one)) !== first))
      return `Invalid ${name}: Mixed reservations are not supported${textOf(bagOf(list))}`
  }
  const [from, to] = [bagOf(source).toUnreserved(), bagOf(resources).toUnreserved()]
  if (from.equals(to)) return undefined
  return `Source and target resources should refer to identical resource quantities: ${from} vs. ${to}`
}

function reservedResourceError({ agent, framework, principal }: OperationCase, resource: Resource): string | undefined {
  const reservations = reservationsOf(resource)
  const [top, role] = [reservations.at(-1), reservationRole(resource) ?? '']
  if (top?.type !== 'DYNAMIC') return `Resource ${print(resource)} is not dynamically reserved`
  if (role.includes('/') && !has(agent, 'HIERARCHICAL_ROLE'))
    return `Resource ${print(resource)} with reservation for hierarchical role '${role}' cannot be reserved on an agent without HIERARCHICAL_ROLE capability`
  if (reservations.length > 1 && !has(agent, 'RESERVATION_REFINEMENT'))
    return `Resource ${print(resource)} with reservation refinement cannot be reserved on an agent without RESERVATION_REFINEMENT capability`
  if (principal !== undefined && top.principal === undefined)
    return `A reserve operation was attempted by principal '${principal}', but there is a reserved resource in the request with no principal set`
  if (principal !== undefined && top.principal !== principal)
    return `A reserve operation was attempted by authenticated principal '${principal}', which does not match a reserved resource in the request with principal '${top.principal}'`
  const allocatedTo = resource.allocation_info?.role
  if (framework !== undefined) return reserveRoleError(framework, { role, allocatedTo })
  if (allocatedTo === undefined) return undefined
  return 'A reserve operation was attempted with an allocated resource, but the operator API only allows reservations to be made to unallocated resources'
}

function reserveRoleError(
  framework: Framework,
  { role, allocatedTo }: { readonly role: string; readonly allocatedTo: string | undefined },
): string | undefined {
  if (allocatedTo !== role)
    return `A reserve operation was attempted for a resource with role '${role}', but the resource was allocated to role '${allocatedTo}'`
  if (framework.roles.has(role)) return undefined
  return `A reserve operation was attempted for a resource allocated to role '${role}', but the framework only has roles '{ ${[...framework.roles].join(', ')} }'`
}

function unreserveError(resources: readonly Resource[]): string | undefined {
  const error = resourcesError(resources)
  if (error !== undefined) return error
  for (const resource of resources) {
    if (reservationsOf(resource).at(-1)?.type !== 'DYNAMIC')
      return `Resource ${print(resource)} is not dynamically reserved`
    if (isPersistentVolume(resource))
      return `A dynamically reserved persistent volume ${print(resource)} cannot be unreserved directly. Please destroy the persistent volume first then unreserve the resource`
  }
  return undefined
}

/** What is wrong when something else than persistent volumes is taken for them. */
function volumesError(volumes: readonly Resource[]): string | undefined {
  for (const volume of volumes) {
    const problem = volumeProblem(volume)
    if (problem !== undefined) return problem
  }
  return undefined
}

function volumeProblem(volume: Resource): string | undefined {
  if (volume.disk === undefined) return `Resource ${print(volume)} does not have DiskInfo`
  if (volume.disk.persistence === undefined) return "'persistence' is not set in DiskInfo"
  if (volume.disk.volume === undefined) return "Expecting 'volume' to be set for persistent volume"
  return volume.disk.volume.mode === 'RO' ? 'Read-only persistent volume not supported' : undefined
}

function notVolumes(volumes: readonly Resource[]): string | undefined {
  const problem = volumesError(volumes)
  return problem && `Not a persistent volume: ${problem}`
}

function createError(given: OperationCase, volumes: readonly Resource[]): string | undefined {
  const error = resourcesError(volumes) ?? notVolumes(volumes) ?? twiceError(given.agent, volumes)
  if (error !== undefined) return error
  for (const volume of volumes) {
    const problem = newVolumeError(given, volume)
    if (problem !== undefined) return problem
  }
  return undefined
}

function twiceError(agent: Agent, volumes: readonly Resource[]): string | undefined {
  const taken = new Set(agent.total.persistentVolumes().toProto().map(volumeKey))
  for (const volume of volumes) {
    const key = volumeKey(volume)
    if (taken.has(key)) return `Persistence ID '${volumeId(volume)}' is not unique`
    taken.add(key)
  }
  return undefined
}

function newVolumeError({ agent, framework, principal }: OperationCase, volume: Resource): string | undefined {
  const role = reservationRole(volume) ?? ''
  if (volume.shared !== undefined && framework?.capabilities.sharedResources === false)
    return `Create volume operation for '${print(volume)}' has been attempted by framework '${framework.id}' with no SHARED_RESOURCES capability`
  if (role.includes('/') && !has(agent, 'HIERARCHICAL_ROLE'))
    return `Volume ${print(volume)} with reservation for hierarchical role '${role}' cannot be created on an agent without HIERARCHICAL_ROLE capability`
  if (reservationsOf(volume).length > 1 && !has(agent, 'RESERVATION_REFINEMENT'))
    return `Volume ${print(volume)} with reservation refinement cannot be created on an agent without RESERVATION_REFINEMENT capability`
  // A volume lies in a folder that bears the name of its role, with blanks for slashes.
  const folderProblem = idError(role.replaceAll('/', ' '))
  if (folderProblem !== undefined) return `Role '${role}' cannot be the name of a volume's folder: ${folderProblem}`
  const owner = volume.disk?.persistence?.principal
  if (principal !== undefined && owner === undefined)
    return `Create volume operation attempted by principal '${principal}', but there is a volume in the operation with no principal set in 'disk.persistence'`
  if (principal !== undefined && owner !== principal)
    return `Create volume operation attempted by authenticated principal '${principal}', which does not match a volume in the operation with principal '${owner}' set in 'disk.persistence'`
  if (framework === undefined && volume.allocation_info !== undefined)
    return 'A create operation was attempted with an allocated resource, but the operator API only allows it for unallocated resources'
  return undefined
}

function destroyError({ agent, inUse }: OperationCase, volumes: readonly Resource[]): string | undefined {
  const error = resourcesError(volumes) ?? notVolumes(volumes)
  if (error !== undefined) return error
  const used = inUse.persistentVolumes().unallocate()
  const wanted = volumes.map((volume) => bagOf([volume]).unallocate())
  if (!wanted.every((volume) => agent.total.contains(volume))) return 'Persistent volumes not found'
  return wanted.some((volume) => used.contains(volume)) ? 'Persistent volumes in use' : undefined
}

function growError({ agent }: OperationCase, volume: Resource, addition: Resource): string | undefined {
  for (const [name, resource] of [
    ['GrowVolume.volume', volume],
    ['GrowVolume.addition', addition],
  ] as const) {
    const error = validateResources([resource])
    if (error !== undefined) return `Invalid resource in the '${name}' field: ${error}`
  }
  if (toMilli(addition.scalar?.value ?? 0) <= 0)
    return "The size of 'GrowVolume.addition' field must be greater than zero"
  if (volume.provider_id !== undefined) return 'Growing a volume from a resource provider is not supported'
  const error = volumesError([volume]) ?? resourcesError([volume])
  if (error !== undefined) return `Invalid persistent volume in the 'GrowVolume.volume' field: ${error}`
  if (volume.shared !== undefined) return 'Growing a shared persistent volume is not supported'
  if (volume.disk?.source?.type === 'MOUNT' || bagOf([diskOfVolume(volume)]).plus(bagOf([addition])).size !== 1)
    return "Incompatible resources in the 'GrowVolume.volume' and 'GrowVolume.addition' fields"
  if (has(agent, 'RESIZE_VOLUME')) return undefined
  return `Volume ${print(volume)} cannot be grown on an agent without RESIZE_VOLUME capability`
}

function shrinkError({ agent }: OperationCase, volume: Resource, byMb: number): string | undefined {
  const invalid = validateResources([volume])
  if (invalid !== undefined) return `Invalid resource in the 'ShrinkVolume.volume' field: ${invalid}`
  if (!(toMilli(byMb) > 0)) return "Value of 'ShrinkVolume.subtract' must be greater than zero"
  if (toMilli(volume.scalar?.value ?? 0) <= toMilli(byMb))
    return "Value of 'ShrinkVolume.subtract' must be smaller than the size of 'ShrinkVolume.volume'"
  if (volume.provider_id !== undefined) return 'Shrinking a volume from a resource provider is not supported'
  if (volume.disk?.source?.type === 'MOUNT') return 'Shrinking a volume on a MOUNT disk is not supported'
  const error = volumesError([volume]) ?? resourcesError([volume])
  if (error !== undefined) return `Invalid persistent volume in the 'ShrinkVolume.volume' field: ${error}`
  if (volume.shared !== undefined) return 'Shrinking a shared persistent volume is not supported'
  if (has(agent, 'RESIZE_VOLUME')) return undefined
  return `Volume ${print(volume)} cannot be shrunk on an agent without RESIZE_VOLUME capability`
}

/** Disks of resource providers: agents have none yet. */
function providerError(source: Resource): string | undefined {
  const error = validateResources([source])
  if (error !== undefined) return `Invalid resource: ${error}`
  return source.provider_id === undefined ? "'source' is not managed by a resource provider" : undefined
}
