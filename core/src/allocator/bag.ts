/** The allocator's questions to bags of resources that the resource algebra does not answer itself. */

import type { Resource } from '@isthmus/proto/gen/mesos'
import { reservationsOf } from '../resources/reservations.ts'
import { Resources } from '../resources/resources.ts'
import { ANY_ROLE } from '../resources/roles.ts'
import type { FrameworkAbilities } from './contract.ts'
import { KINDS_MAX, type Kinds, MILLI } from './kinds.ts'

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

/** Writes the milli-units of all scalars by kind into `row`; shared resources count by copies. */
export function scalarsInto(row: Float64Array, bag: Resources, kinds: Kinds): void {
  row.fill(0)
  for (const { template, amount, copies } of bag.entries()) {
    if (amount.kind !== 'scalar') continue
    const kind = kinds.idOf(template.name)
    if (kind >= 0) row[kind]! += amount.milli * copies
  }
}

/** Like `scalarsInto`, of what quota counts only. */
export function plainInto(row: Float64Array, bag: Resources, kinds: Kinds): void {
  row.fill(0)
  for (const { template, amount, copies } of bag.entries()) {
    if (amount.kind !== 'scalar' || !isPlain(template)) continue
    const kind = kinds.idOf(template.name)
    if (kind >= 0) row[kind]! += amount.milli * copies
  }
}

/** Both at once, times `factor`: what a client holds more or less, and what of it quota counts. */
export function chargesInto(
  rows: { readonly scalars: Float64Array; readonly plain: Float64Array },
  bag: Resources,
  kinds: Kinds,
  factor: 1 | -1,
): void {
  const { scalars, plain } = rows
  scalars.fill(0)
  plain.fill(0)
  for (const { template, amount, copies } of bag.entries()) {
    if (amount.kind !== 'scalar') continue
    const kind = kinds.idOf(template.name)
    if (kind < 0) continue
    const milli = amount.milli * copies * factor
    scalars[kind]! += milli
    if (isPlain(template)) plain[kind]! += milli
  }
}

/** The part that only one can have at a time: the same bag when that is all. */
export function exclusivePart(bag: Resources): Resources {
  for (const { template } of bag.entries()) if (template.shared !== undefined) return bag.nonShared()
  return bag
}

/**
 * The part of a bag that quota allows. Only what quota counts is cut: scalars that are unreserved and not revocable, except disks that are
 * used whole (MOUNT, BLOCK, RAW), which are in or out. In the stage of guarantees nothing revocable is given.
 *
 * @param allowed `allowance`: milli-units by kind, Infinity = all
 */
export function withinAllowance(
  bag: Resources,
  allowed: { readonly allowance: Float64Array; readonly kinds: Kinds; readonly stage: 'guarantees' | 'all' },
): Resources {
  const left = allowed.allowance.slice()
  const excess: Resource[] = []
  for (const { template, amount } of bag.entries()) {
    if (amount.kind !== 'scalar' || !isPlain(template)) continue
    const kind = allowed.kinds.idOf(template.name)
    if (kind < 0) continue
    const isUsedWhole = template.disk?.source !== undefined && template.disk.source.type !== 'PATH'
    const part = Math.min(amount.milli, left[kind]!)
    const given = isUsedWhole && part < amount.milli ? 0 : part
    left[kind]! -= given
    if (given < amount.milli) excess.push({ ...template, scalar: { value: (amount.milli - given) / MILLI } })
  }
  const part = excess.length === 0 ? bag : bag.minus(Resources.fromProto(excess))
  return allowed.stage === 'guarantees' ? part.nonRevocable() : part
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
