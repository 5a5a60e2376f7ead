// Whether a Resource message makes sense by itself, in Mesos's words.

import type { Resource } from '@isthmus/proto/gen/mesos'
import { ok, type Result, reject } from '../base/result.ts'
import { reservationsOf } from './reservations.ts'
import { Resources } from './resources.ts'
import { isStrictSubRoleOf, validateRole } from './roles.ts'
import { toMilli } from './scalar.ts'

/** Checks every resource of a message: RESOURCE_INVALID with the first problem. */
export function validateResources(list: readonly Resource[]): Result<undefined> {
  for (const resource of list) {
    const problem = resourceProblem(resource)
    if (problem !== undefined) {
      return reject({
        code: 'RESOURCE_INVALID',
        message: `Resource '${printLoosely(resource)}' is invalid: ${problem}`,
        name: resource.name,
      })
    }
  }
  return ok(undefined)
}

function resourceProblem(resource: Resource): string | undefined {
  return valueProblem(resource) ?? reservationProblem(resource) ?? diskProblem(resource)
}

function valueProblem(resource: Resource): string | undefined {
  if (resource.name === '') return 'Empty resource name'
  switch (resource.type) {
    case 'SCALAR':
      if (resource.scalar === undefined || resource.ranges !== undefined || resource.set !== undefined)
        return 'Invalid scalar resource'
      // Exactly nothing passes as if it were not there; what rounds to nothing or lies below does not.
      if (resource.scalar.value !== 0 && !(toMilli(resource.scalar.value) > 0))
        return 'Invalid scalar resource: value <= 0'
      if (resource.name === 'gpus' && toMilli(resource.scalar.value) % 1000 !== 0)
        return "The 'gpus' resource must be an unsigned integer"
      return undefined
    case 'RANGES':
      return rangesProblem(resource)
    case 'SET':
      return setProblem(resource)
    default:
      return 'Unsupported resource type'
  }
}

function rangesProblem(resource: Resource): string | undefined {
  if (resource.scalar !== undefined || resource.ranges === undefined || resource.set !== undefined)
    return 'Invalid ranges resource'
  let last = -1
  for (const range of resource.ranges.range ?? []) {
    const [begin, end] = [Number(range.begin), Number(range.end)]
    if (begin > end) return 'Invalid ranges resource: begin > end'
    if (begin <= last) return 'Invalid ranges resource: overlapping ranges'
    last = end
  }
  return undefined
}

function setProblem(resource: Resource): string | undefined {
  if (resource.scalar !== undefined || resource.ranges !== undefined || resource.set === undefined)
    return 'Invalid set resource'
  const items = resource.set.item ?? []
  return new Set(items).size === items.length ? undefined : 'Invalid set resource: duplicated elements'
}

function reservationProblem(resource: Resource): string | undefined {
  if (resource.reservations !== undefined && resource.reservations.length > 0 && resource.reservation !== undefined) {
    return "Invalid resource: both 'reservation' and 'reservations' are set"
  }
  const stack = reservationsOf(resource)
  for (const [at, reservation] of stack.entries()) {
    const role = reservation.role ?? ''
    const valid = validateRole(role)
    if (!valid.ok) return `Invalid reservation: ${valid.rejection.message}`
    const outer = stack[at - 1]
    if (outer === undefined) continue
    if (reservation.type === 'STATIC') return 'Invalid refined reservation: A refined reservation cannot be STATIC'
    if (!isStrictSubRoleOf(role, outer.role ?? '')) {
      return `Invalid refined reservation: role '${role}' is not a refinement of '${outer.role ?? ''}'`
    }
  }
  return undefined
}

function diskProblem(resource: Resource): string | undefined {
  const { disk } = resource
  if (disk === undefined) return resource.shared === undefined ? undefined : 'Only persistent volumes can be shared'
  if (resource.name !== 'disk') return 'DiskInfo should not be set for a resource that is not disk'
  if (disk.persistence === undefined) return undefined
  if (reservationsOf(resource).length === 0)
    return 'Invalid DiskInfo: Persistent volumes cannot be created from unreserved resources'
  if (disk.volume === undefined) return "Invalid DiskInfo: Expecting 'volume' to be set for persistent volume"
  if (disk.volume.host_path !== undefined)
    return "Invalid DiskInfo: Expecting 'host_path' to be unset for persistent volume"
  return undefined
}

/** Also what is too small or negative to be in a bag. */
function printLoosely(resource: Resource): string {
  const value = resource.scalar?.value
  if (value === undefined) return Resources.fromProto([resource]).toString() || resource.name
  const shown = Resources.fromProto([{ ...resource, scalar: { value: 1 } }]).toString()
  return `${shown.slice(0, shown.lastIndexOf(':'))}:${value}`
}
