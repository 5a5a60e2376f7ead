// To whom a resource is reserved: a stack, each next role strictly below the one before. The reservation that counts is the
// last. Mesos writes a single reservation in an older form too ("pre-refinement"): `role` with an optional `reservation`.

import type { Resource, ResourceReservationInfo } from '@isthmus/proto/gen/mesos'
import { ANY_ROLE } from './roles.ts'

/** The reservations of a resource, outermost first; none when it is unreserved. Both forms are understood. */
export function reservationsOf(resource: Resource): readonly ResourceReservationInfo[] {
  if (resource.reservations !== undefined && resource.reservations.length > 0) return resource.reservations
  const role = resource.role
  if (role === undefined || role === ANY_ROLE) return []
  if (resource.reservation === undefined) return [{ type: 'STATIC', role }]
  return [{ ...resource.reservation, type: 'DYNAMIC', role }]
}

/** The role a resource is reserved for, or undefined. */
export function reservationRole(resource: Resource): string | undefined {
  return reservationsOf(resource).at(-1)?.role
}

/** The same resource with its reservations as a stack and without the older fields. */
export function upgradeReservation(resource: Resource): Resource {
  if (resource.role === undefined && resource.reservation === undefined) return resource
  const { role: _role, reservation: _reservation, ...rest } = resource
  const reservations = reservationsOf(resource)
  return reservations.length === 0 ? rest : { ...rest, reservations }
}

/**
 * The same resource in the older form, for frameworks without RESERVATION_REFINEMENT: `role` is always there. One whose
 * reservation was refined has no older form and stays as it is.
 */
export function downgradeReservation(resource: Resource): Resource {
  const reservations = reservationsOf(resource)
  if (reservations.length > 1) return resource
  const { reservations: _stack, role: _role, reservation: _reservation, ...rest } = resource
  const only = reservations[0]
  if (only === undefined) return { ...rest, role: ANY_ROLE }
  if (only.type !== 'DYNAMIC') return { ...rest, role: only.role }
  const { type: _type, role, ...reservation } = only
  return { ...rest, role, reservation }
}

/** The same resource reserved once more. */
export function pushReservation(resource: Resource, reservation: ResourceReservationInfo): Resource {
  return { ...upgradeReservation(resource), reservations: [...reservationsOf(resource), reservation] }
}

/** The same resource without its innermost reservation. */
export function popReservation(resource: Resource): Resource {
  const { reservations: _stack, ...rest } = upgradeReservation(resource)
  const left = reservationsOf(resource).slice(0, -1)
  return left.length === 0 ? rest : { ...rest, reservations: left }
}
