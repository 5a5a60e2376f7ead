/** The allocator's questions to bags of resources that the resource algebra does not answer itself. */

import type { Resource } from '@isthmus/proto/gen/mesos'
import { reservationsOf } from '../resources/reservations.ts'
import type { Resources } from '../resources/resources.ts'
import { ANY_ROLE } from '../resources/roles.ts'
import type { FrameworkAbilities } from './contract.ts'
import { KINDS_MAX, type Kinds } from './kinds.ts'

/** The parts of a bag by the role they are allocated to; without allocation info: `*`. */
export function byRole(bag: Resources): ReadonlyMap<string, Resources> {
  let only: string | undefined
  for (const { template } of bag.entries()) {
    const role = template.allocation_info?.role ?? ANY_ROLE
    if (only === undefined) only = role
    else if (only !== role) return splitByRole(bag)
  }
  return only === undefined ? new Map() : new Map([[only, bag]])
}

function splitByRole(bag: Resources): ReadonlyMap<string, Resources> {
  const roles = new Set<string>()
  for (const { template } of bag.entries()) roles.add(template.allocation_info?.role ?? ANY_ROLE)
  const parts = new Map<string, Resources>()
  for (const role of roles) {
    parts.set(
      role,
      bag.filter((template) => (template.allocation_info?.role ?? ANY_ROLE) === role),
    )
  }
  return parts
}

/** Whether quota counts this kind when it is allocated: unreserved and not revocable. */
export function isPlain(template: Resource): boolean {
  return template.revocable === undefined && reservationsOf(template).length === 0
}

/** Whether only some frameworks may have this kind, or only of some roles. */
export function isSpecial(template: Resource): boolean {
  return template.revocable !== undefined || template.shared !== undefined || reservationsOf(template).length > 0
}

/** Without what a framework of these capabilities does not understand. */
export function capable(bag: Resources, abilities: FrameworkAbilities): Resources {
  const { revocableResources, sharedResources, reservationRefinement } = abilities
  return bag.filter(
    (template) =>
      (revocableResources || template.revocable === undefined) &&
      (sharedResources || template.shared === undefined) &&
      (reservationRefinement || reservationsOf(template).length < 2),
  )
}

/** Writes the milli-units of all scalars by kind into `row`; shared resources count once. */
export function scalarsInto(row: Float64Array, bag: Resources, kinds: Kinds): void {
  row.fill(0)
  for (const { template, amount } of bag.entries()) {
    if (amount.kind !== 'scalar') continue
    const kind = kinds.idOf(template.name)
    if (kind >= 0) row[kind]! += amount.milli
  }
}

/** Like `scalarsInto`, of what quota counts only. */
export function plainInto(row: Float64Array, bag: Resources, kinds: Kinds): void {
  row.fill(0)
  for (const { template, amount } of bag.entries()) {
    if (amount.kind !== 'scalar' || !isPlain(template)) continue
    const kind = kinds.idOf(template.name)
    if (kind >= 0) row[kind]! += amount.milli
  }
}

/** The same number for equal bags; different bags rarely share one. */
export function fingerprint(bag: Resources): number {
  let sum = 0
  for (const { template, amount, key } of bag.entries()) {
    const size =
      amount.kind === 'scalar' ? amount.milli : amount.kind === 'ranges' ? amount.ranges.length : amount.items.size
    sum += (size + 1) * (key.length * 31 + template.name.charCodeAt(0))
  }
  return sum
}

/** An empty row of amounts. */
export function emptyRow(): Float64Array<ArrayBuffer> {
  return new Float64Array(KINDS_MAX)
}
