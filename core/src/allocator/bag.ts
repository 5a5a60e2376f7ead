/** The allocator's questions to bags of resources that the resource algebra does not answer itself. */

import type { Resource } from '@isthmus/proto/gen/mesos'
import type { Kind } from '../resources/kind.ts'
import { reservationsOf } from '../resources/reservations.ts'
import { Resources } from '../resources/resources.ts'
import { ANY_ROLE } from '../resources/roles.ts'
import type { FrameworkAbilities } from './contract.ts'
import { KINDS_MAX, type Kinds, MILLI } from './kinds.ts'

const NO_PARTS: ReadonlyMap<string, Resources> = new Map()

/** The parts of a bag by the role they are allocated to; without allocation info: `*`. */
export function byRole(bag: Resources): ReadonlyMap<string, Resources> {
  if (bag.isEmpty) return NO_PARTS
  const only = bag.allocationRole
  return only === undefined ? splitByRole(bag) : new Map([[only, bag]])
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

/** Whether only some frameworks may have some of it, or only of some roles: it is reserved, revocable or shared. */
export function isSpecial(bag: Resources): boolean {
  return bag.unreserved() !== bag || bag.nonRevocable() !== bag || bag.nonShared() !== bag
}

/** Without what a framework of these capabilities does not understand. */
export function capable(bag: Resources, abilities: FrameworkAbilities): Resources {
  let part = abilities.revocableResources ? bag : bag.nonRevocable()
  if (!abilities.sharedResources) part = part.nonShared()
  if (abilities.reservationRefinement || !part.hasRefinedReservations) return part
  return part.filter((template) => reservationsOf(template).length < 2)
}

/** Counts scalars into rows of milli-units by kind; makes nothing, whatever is counted. Shared resources count by copies. */
export class Counter {
  readonly #kinds: Kinds
  #row: Float64Array = emptyRow()
  #plain: Float64Array | undefined
  #factor = 1

  constructor(kinds: Kinds) {
    this.#kinds = kinds
  }

  /** Writes all scalars into `row`. */
  count(row: Float64Array, bag: Resources): void {
    this.charge({ scalars: row, plain: undefined }, bag, 1)
  }

  /** Writes what quota counts into `row`: unreserved and not revocable. */
  countPlain(row: Float64Array, bag: Resources): void {
    this.count(row, bag.unreserved().nonRevocable())
  }

  /** Writes both, times `factor`. */
  charge(
    rows: { readonly scalars: Float64Array; readonly plain: Float64Array | undefined },
    bag: Resources,
    factor: 1 | -1,
  ): void {
    this.#row = rows.scalars
    this.#plain = rows.plain
    this.#factor = factor
    this.#row.fill(0)
    this.#plain?.fill(0)
    bag.eachScalar(this.#add)
  }

  readonly #add = (of: Kind, milli: number): void => {
    const kind = this.#kinds.idOf(of.name)
    if (kind < 0) return
    this.#row[kind]! += milli * this.#factor
    if (this.#plain !== undefined && of.reservedTo === undefined && !of.isRevocable) {
      this.#plain[kind]! += milli * this.#factor
    }
  }
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
    const isPlain = template.revocable === undefined && reservationsOf(template).length === 0
    if (amount.kind !== 'scalar' || !isPlain) continue
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
  let sum = bag.size
  bag.eachScalar((kind, milli) => {
    sum += (milli + 1) * (kind.hash % 65_521)
  })
  return sum
}

/** An empty row of amounts. */
export function emptyRow(): Float64Array<ArrayBuffer> {
  return new Float64Array(KINDS_MAX)
}
