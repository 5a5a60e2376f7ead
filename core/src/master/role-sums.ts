/**
 * What each role holds, with all below it: allocated, offered, reserved, and what of it counts against quota.
 *
 * consumed = what is allocated and not revocable + what is reserved and not allocated. The allocator counts offers, too (allocator/quota.ts):
 * that is `consumed` + `offeredPlain` here.
 */

import { byRole } from '../allocator/bag.ts'
import type { Resources } from '../resources/resources.ts'
import { ancestorRoles } from '../resources/roles.ts'
import type { MasterState } from './state.ts'

/** Whole units by name; ranges and sets by their count. */
export type Sums = Readonly<Record<string, number>>

/** The sums of a role and all below it. */
export interface RoleSums {
  readonly allocated: Sums
  readonly offered: Sums
  readonly reserved: Sums
  readonly consumed: Sums
  /** What of `offered` will count against quota: unreserved and not revocable. */
  readonly offeredPlain: Sums
}

/** Thousandths by name. */
type Milli = Map<string, number>

interface Collected {
  readonly allocated: Milli
  readonly offered: Milli
  readonly reserved: Milli
  readonly consumed: Milli
  readonly offeredPlain: Milli
}

const NOTHING: RoleSums = { allocated: {}, offered: {}, reserved: {}, consumed: {}, offeredPlain: {} }

/** The sums of all roles that hold anything, and of the roles above them. O(agents × frameworks there + offers). */
export function roleSums(state: MasterState): ReadonlyMap<string, RoleSums> {
  const collected = new Map<string, Collected>()
  const of = (role: string): Collected[] => [role, ...ancestorRoles(role)].map((name) => entry(collected, name))
  for (const { total, usedBy } of state.agents.values()) {
    for (const [role, bag] of total.reservations()) {
      for (const sums of of(role)) {
        add(sums.reserved, bag, 1)
        add(sums.consumed, bag.nonRevocable(), 1)
      }
    }
    for (const used of usedBy.values()) {
      for (const [role, bag] of byRole(used)) {
        for (const sums of of(role)) {
          add(sums.allocated, bag, 1)
          add(sums.consumed, bag.nonRevocable(), 1)
        }
      }
      // They count as allocated already.
      for (const [role, bag] of used.reservations()) {
        for (const sums of of(role)) add(sums.consumed, bag.nonRevocable(), -1)
      }
    }
  }
  for (const { role, resources } of state.offers.values()) {
    for (const sums of of(role)) {
      add(sums.offered, resources, 1)
      add(sums.offeredPlain, resources.unreserved().nonRevocable(), 1)
    }
  }
  return new Map([...collected].map(([role, sums]) => [role, written(sums)]))
}

/** The sums of one role; nothing when it is not among them. */
export function sumsOf(sums: ReadonlyMap<string, RoleSums>, role: string): RoleSums {
  return sums.get(role) ?? NOTHING
}

/** The sum of both. */
export function addSums(one: Sums, other: Sums): Sums {
  const sum: Record<string, number> = { ...one }
  for (const [name, amount] of Object.entries(other)) sum[name] = rounded((sum[name] ?? 0) + amount)
  return sum
}

/** Whether no amount is above its limit; what has no limit has none. */
export function isWithin(sums: Sums, limits: Sums): boolean {
  return Object.entries(sums).every(([name, amount]) => amount <= (limits[name] ?? amount))
}

/** The quantities of a bag. */
export function sumsOfBag(bag: Resources): Sums {
  const milli: Milli = new Map()
  add(milli, bag, 1)
  return inUnits(milli)
}

/** `cpus:4; mem:32`, by name. */
export function sumsText(sums: Sums): string {
  return Object.keys(sums)
    .sort()
    .map((name) => `${name}:${sums[name]}`)
    .join('; ')
}

/** Without the last bits that adding leaves behind: thousandths are all there is. */
export function rounded(amount: number): number {
  return Math.round(amount * 1000) / 1000
}

function entry(collected: Map<string, Collected>, role: string): Collected {
  let sums = collected.get(role)
  if (sums === undefined) {
    sums = {
      allocated: new Map(),
      offered: new Map(),
      reserved: new Map(),
      consumed: new Map(),
      offeredPlain: new Map(),
    }
    collected.set(role, sums)
  }
  return sums
}

function add(into: Milli, bag: Resources, factor: 1 | -1): void {
  for (const [name, milli] of bag.quantities()) into.set(name, (into.get(name) ?? 0) + milli * factor)
}

function written(sums: Collected): RoleSums {
  return {
    allocated: inUnits(sums.allocated),
    offered: inUnits(sums.offered),
    reserved: inUnits(sums.reserved),
    consumed: inUnits(sums.consumed),
    offeredPlain: inUnits(sums.offeredPlain),
  }
}

function inUnits(milli: Milli): Sums {
  const names = [...milli.keys()].sort()
  return Object.fromEntries(names.flatMap((name) => (milli.get(name) === 0 ? [] : [[name, milli.get(name)! / 1000]])))
}
