/** Amounts by kind in thousandths (milli-units): what guarantees count. Kinds that are not named are 0. */

/** Thousandths by kind of resource: `{ cpus: 500, mem: 64_000 }`. */
export type Milli = Readonly<Record<string, number>>

/** Nothing. */
export const NOTHING: Milli = {}

/** The sum. */
export function sum(one: Milli, other: Milli): Milli {
  if (other === NOTHING) return one
  if (one === NOTHING) return other
  const all: Record<string, number> = { ...one }
  for (const kind in other) all[kind] = (all[kind] ?? 0) + other[kind]!
  return all
}

/** What is left; never less than nothing, kinds of which nothing is left are not named. */
export function rest(whole: Milli, part: Milli): Milli {
  const left: Record<string, number> = {}
  for (const kind in whole) {
    const more = whole[kind]! - (part[kind] ?? 0)
    if (more > 0) left[kind] = more
  }
  return left
}

/** What both have. */
export function common(one: Milli, other: Milli): Milli {
  const both: Record<string, number> = {}
  for (const kind in one) {
    const least = Math.min(one[kind]!, other[kind] ?? 0)
    if (least > 0) both[kind] = least
  }
  return both
}

/** Whether nothing is in it. */
export function isNothing(amounts: Milli): boolean {
  for (const kind in amounts) if (amounts[kind]! > 0) return false
  return true
}

/** Whether it is an offer: it holds at least one of the alternatives. No alternatives: always. */
export function isUsable(amounts: Milli, least: readonly Milli[]): boolean {
  if (least.length === 0) return true
  return least.some((one) => Object.entries(one).every(([kind, amount]) => (amounts[kind] ?? 0) >= amount))
}

/** In whole units, as people and JSON see amounts. */
export function inUnits(amounts: Milli): Record<string, number> {
  return Object.fromEntries(Object.entries(amounts).map(([kind, amount]) => [kind, amount / 1000]))
}

/** In thousandths, of whole units. */
export function inMilli(amounts: Readonly<Record<string, number>>): Milli {
  return Object.fromEntries(Object.entries(amounts).map(([kind, amount]) => [kind, Math.round(amount * 1000)]))
}

/** `cpus:4; mem:512`, or `nothing`. */
export function written(amounts: Milli): string {
  const parts = Object.entries(inUnits(amounts)).filter(([, amount]) => amount !== 0)
  return parts.length === 0 ? 'nothing' : parts.map(([kind, amount]) => `${kind}:${amount}`).join('; ')
}
