// Whether a Resource message makes sense by itself, in Mesos's words: first any resource (validateResources), then what disks say about
// volumes (validateDiskInfos). Whether resources fit an offer, a role or each other is looked at elsewhere.
//
// Source: Resources::validate and validateDiskInfo of Mesos 1.11.

import type { Resource, ResourceReservationInfo } from '@isthmus/proto/gen/mesos'
import { ok, type Result, reject } from '../base/result.ts'
import { printResource } from './print.ts'
import { reservationsOf } from './reservations.ts'
import { ANY_ROLE, isStrictSubRoleOf, validateRole } from './roles.ts'
import { MILLI, SCALAR_MAX, toMilli } from './scalar.ts'
import { readValue } from './value.ts'
import { diskInfoProblem } from './volumes.ts'

/** Checks every resource of a message: RESOURCE_INVALID with the first problem, its place in the list and its name. */
export function validateResources(list: readonly Resource[]): Result<undefined> {
  for (const [position, resource] of list.entries()) {
    const problem = resourceProblem(resource)
    if (problem !== undefined) {
      return reject({
        code: 'RESOURCE_INVALID',
        message: `Resource '${printAnyResource(resource)}' is invalid: ${problem}`,
        name: resource.name,
        position,
        problem,
      })
    }
  }
  return ok(undefined)
}

/** Checks what the resources of a message say about volumes: DISK_INFO_INVALID with the first problem. */
export function validateDiskInfos(list: readonly Resource[]): Result<undefined> {
  for (const [position, resource] of list.entries()) {
    const problem = diskInfoProblem(resource)
    if (problem !== undefined) {
      return reject({ code: 'DISK_INFO_INVALID', message: `Invalid DiskInfo: ${problem}`, position, problem })
    }
  }
  return ok(undefined)
}

/** What is wrong with a resource, or undefined. */
export function resourceProblem(resource: Resource): string | undefined {
  if (resource.name === '') return 'Empty resource name'
  return valueProblem(resource) ?? diskProblem(resource) ?? reservationProblem(resource) ?? sharedProblem(resource)
}

function valueProblem(resource: Resource): string | undefined {
  switch (resource.type) {
    case 'SCALAR':
      return scalarProblem(resource)
    case 'RANGES':
      return rangesProblem(resource)
    case 'SET':
      return setProblem(resource)
    default:
      return 'Unsupported resource type'
  }
}

function scalarProblem({ name, scalar, ranges, set }: Resource): string | undefined {
  if (scalar === undefined || ranges !== undefined || set !== undefined) return 'Invalid scalar resource'
  const { value } = scalar
  // Exactly nothing passes as if it were not there; what rounds to nothing or lies below does not.
  if (value !== 0 && !(toMilli(value) > 0)) return 'Invalid scalar resource: value <= 0'
  if (value > SCALAR_MAX) return `Invalid scalar resource: value > ${SCALAR_MAX}`
  if (name === 'gpus' && toMilli(value) % MILLI !== 0) return "The 'gpus' resource must be an unsigned integer"
  return undefined
}

function rangesProblem({ scalar, ranges, set }: Resource): string | undefined {
  if (scalar !== undefined || ranges === undefined || set !== undefined) return 'Invalid ranges resource'
  const list = (ranges.range ?? []).map(({ begin, end }) => ({ begin: Number(begin), end: Number(end) }))
  for (const { begin, end } of list) {
    if (begin > end) return 'Invalid ranges resource: begin > end'
    if (!Number.isSafeInteger(begin) || !Number.isSafeInteger(end) || begin < 0)
      return 'Invalid ranges resource: not whole numbers below 2^53'
  }
  list.sort((a, b) => a.begin - b.begin)
  for (let at = 1; at < list.length; at++) {
    if (list[at]!.begin <= list[at - 1]!.end) return 'Invalid ranges resource: overlapping ranges'
  }
  return undefined
}

function setProblem({ scalar, ranges, set }: Resource): string | undefined {
  if (scalar !== undefined || ranges !== undefined || set === undefined) return 'Invalid set resource'
  const items = set.item ?? []
  return new Set(items).size === items.length ? undefined : 'Invalid set resource: duplicated elements'
}

function diskProblem({ name, disk }: Resource): string | undefined {
  if (disk === undefined) return undefined
  if (name !== 'disk') return `DiskInfo should not be set for ${name} resource`
  const { source } = disk
  if (source === undefined || source.type === 'PATH' || source.type === 'MOUNT') return undefined
  if (source.type !== 'BLOCK' && source.type !== 'RAW')
    return `Unsupported 'DiskInfo.Source.Type' in '${source.type ?? 'UNKNOWN'}'`
  if (source.mount !== undefined) return `Mount should not be set for ${source.type} disk source`
  return source.path === undefined ? undefined : `Path should not be set for ${source.type} disk source`
}

function sharedProblem({ name, shared, disk }: Resource): string | undefined {
  if (shared === undefined) return undefined
  if (name !== 'disk') return `Resource ${name} cannot be shared`
  return disk?.persistence === undefined ? 'Only persistent volumes can be shared' : undefined
}

function reservationProblem(resource: Resource): string | undefined {
  const { reservations } = resource
  if (reservations === undefined || reservations.length === 0) return olderFormProblem(resource)
  return stackProblem(reservations) ?? bothFormsProblem(resource, reservations)
}

/** The form before reservation refinement: `role`, and `reservation` if it is dynamic. */
function olderFormProblem({ role = ANY_ROLE, reservation }: Resource): string | undefined {
  const valid = validateRole(role)
  if (!valid.ok) return valid.rejection.message
  if (reservation === undefined) return undefined
  if (reservation.type !== undefined)
    return "'Resource.ReservationInfo.type' must not be set for the 'Resource.reservation' field"
  if (reservation.role !== undefined)
    return "'Resource.ReservationInfo.role' must not be set for the 'Resource.reservation' field"
  return role === ANY_ROLE ? 'Invalid reservation: role "*" cannot be dynamically reserved' : undefined
}

function stackProblem(stack: readonly ResourceReservationInfo[]): string | undefined {
  for (const [at, { type, role }] of stack.entries()) {
    if (type === undefined) return "Invalid reservation: 'Resource.ReservationInfo.type' field must be set."
    if (role === undefined) return "Invalid reservation: 'Resource.ReservationInfo.role' field must be set."
    const valid = validateRole(role)
    if (!valid.ok) return valid.rejection.message
    if (role === ANY_ROLE) return 'Invalid reservation: role "*" cannot be reserved'
    if (type === 'UNKNOWN') return "Unsupported 'Resource.ReservationInfo.Type'"
    const outer = stack[at - 1]
    if (outer === undefined) continue
    if (type === 'STATIC') return 'Invalid refined reservation: A refined reservation cannot be STATIC'
    if (!isStrictSubRoleOf(role, outer.role ?? ''))
      return `Invalid refined reservation: role '${role}' is not a refinement of '${outer.role ?? ''}'`
  }
  return undefined
}

/** Both forms may be there at once if they say the same. */
function bothFormsProblem(
  { role, reservation }: Resource,
  stack: readonly ResourceReservationInfo[],
): string | undefined {
  const [only, second] = stack
  const format = 'Invalid resource format:'
  if (only === undefined || second !== undefined) {
    const older = role !== undefined ? 'role' : reservation !== undefined ? 'reservation' : undefined
    if (older === undefined) return undefined
    return `${format} 'Resource.${older}' must not be set if there is more than one reservation in 'Resource.reservations'`
  }
  if (role !== undefined && role !== only.role)
    return `${format} 'Resource.role' field with '${role}' does not match the role '${only.role}' in 'Resource.reservations'`
  if (only.type === 'STATIC') {
    if (reservation === undefined) return undefined
    return `${format} 'Resource.reservation' must not be set if the single reservation in 'Resource.reservations' is STATIC`
  }
  if ((role === undefined) !== (reservation === undefined))
    return `${format} 'Resource.role' and 'Resource.reservation' must either be both set or both not set if the single reservation in 'Resource.reservations' is DYNAMIC`
  if (reservation !== undefined && reservation.principal !== only.principal)
    return `${format} 'Resource.reservation.principal' field with '${reservation.principal ?? ''}' does not match the principal '${only.principal ?? ''}' in 'Resource.reservations'`
  return undefined
}

/** Also what is nothing, negative or without a value; scalars with the three decimals that count. */
function printAnyResource(resource: Resource): string {
  const stack = { ...resource, reservations: reservationsOf(resource) }
  return printResource(stack, toMilli(resource.scalar?.value ?? 0) || (readValue(resource) ?? 0), 1)
}
