// Amounts by name alone, in thousandths: no reservations, no allocation, no disks. What quota, fair shares and minimum sizes count in.
//
// A name with nothing is not in the map. Maps are never changed once made.

import type { ValueScalar } from '@isthmus/proto/gen/mesos'
import { ok, type Result, reject } from '../base/result.ts'
import { fromMilli, SCALAR_MAX, toMilli } from './scalar.ts'

/** Thousandths by name. */
export type Quantities = ReadonlyMap<string, number>

/** Nothing. */
export const NO_QUANTITIES: Quantities = new Map()

/**
 * Quantities of a message: quota guarantees and limits, minimum sizes.
 *
 * @param keepZeros a limit of 0 is a limit; a guarantee of 0 is none
 * @returns QUANTITY_INVALID with the name when a value is negative, too large or not a number
 */
export function quantitiesOf(scalars: Readonly<Record<string, ValueScalar>>, keepZeros = false): Result<Quantities> {
  const quantities = new Map<string, number>()
  for (const [name, { value }] of Object.entries(scalars)) {
    if (value < 0) return invalid(name, value, 'Negative values not supported')
    if (!(value <= SCALAR_MAX)) return invalid(name, value, `Values above ${SCALAR_MAX} not supported`)
    const milli = toMilli(value)
    if (milli > 0 || keepZeros) quantities.set(name, milli)
  }
  return ok(quantities)
}

function invalid(name: string, value: number, reason: string): Result<never> {
  return reject({ code: 'QUANTITY_INVALID', message: `{'${name}': ${value}}: ${reason}`, name, value })
}

/** The sum. */
export function addQuantities(a: Quantities, b: Quantities): Quantities {
  if (b.size === 0) return a
  if (a.size === 0) return b
  const sum = new Map(a)
  for (const [name, milli] of b) sum.set(name, (sum.get(name) ?? 0) + milli)
  return sum
}

/** What is left; what is not there is not taken. */
export function subtractQuantities(a: Quantities, b: Quantities): Quantities {
  if (b.size === 0) return a
  const left = new Map(a)
  for (const [name, milli] of b) {
    const rest = (left.get(name) ?? 0) - milli
    if (rest > 0) left.set(name, rest)
    else left.delete(name)
  }
  return left
}

/** Says whether `part` could be taken out of `whole`. */
export function containsQuantities(whole: Quantities, part: Quantities): boolean {
  for (const [name, milli] of part) if (milli > (whole.get(name) ?? 0)) return false
  return true
}

/** Says whether both are the same; a name with 0 is like none. */
export function equalQuantities(a: Quantities, b: Quantities): boolean {
  return containsQuantities(a, b) && containsQuantities(b, a)
}

/** Of each name the smaller; a name that `limits` does not have is not limited. */
export function limitQuantities(quantities: Quantities, limits: Quantities): Quantities {
  const limited = new Map<string, number>()
  for (const [name, milli] of quantities) {
    const least = Math.min(milli, limits.get(name) ?? Number.POSITIVE_INFINITY)
    if (least > 0) limited.set(name, least)
  }
  return limited
}

/** The name of which `used` has the largest share of `total`, and that share. */
export interface DominantShare {
  readonly name: string
  /** 0 to 1, if no more is used than there is. */
  readonly share: number
}

/**
 * The dominant share of dominant resource fairness; the first name in the order of `used` wins a tie. Undefined when nothing is used of what
 * there is. What `total` does not have counts nothing.
 *
 * Example: of 9 cpus and 18 mem, cpus:3; mem:1 has the share 3/9 in cpus; cpus:1; mem:4 has 4/18 in mem.
 * Source: Ghodsi et al., Dominant Resource Fairness, NSDI 2011.
 *
 * @param excluded names that do not count
 */
export function dominantShare(
  used: Quantities,
  total: Quantities,
  excluded?: ReadonlySet<string>,
): DominantShare | undefined {
  let dominant: DominantShare | undefined
  for (const [name, milli] of used) {
    const all = total.get(name) ?? 0
    if (milli <= 0 || all <= 0 || excluded?.has(name)) continue
    const share = milli / all
    if (dominant === undefined || share > dominant.share) dominant = { name, share }
  }
  return dominant
}

/** `cpus:4; disk:20000; mem:4096`, by name, as Mesos prints quantities; `{}` when there are none. */
export function printQuantities(quantities: Quantities): string {
  if (quantities.size === 0) return '{}'
  const names = [...quantities.keys()].sort((a, b) => (a < b ? -1 : 1))
  return names.map((name) => `${name}:${fromMilli(quantities.get(name)!)}`).join('; ')
}
