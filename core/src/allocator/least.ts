/** What an offer holds at least: one of some alternatives, each a set of amounts of which all are needed. */

import type { Amounts } from './contract.ts'
import { KINDS_MAX, type Kinds } from './kinds.ts'

/** One alternative. */
export type Least = readonly { readonly kind: number; readonly milli: number }[]

/** The alternatives in milli-units by kind. */
export function leastOf(alternatives: readonly Amounts[], kinds: Kinds): Least[] {
  return alternatives.map((amounts) => {
    const row = kinds.row(amounts)
    const least: { kind: number; milli: number }[] = []
    for (let kind = 0; kind < KINDS_MAX; kind++) if (row[kind]! > 0) least.push({ kind, milli: row[kind]! })
    return least
  })
}

/** Whether a row of amounts, from `offset` on, holds at least one of the alternatives; no alternatives = always. */
export function isAllocatable(amounts: Float64Array, offset: number, alternatives: readonly Least[]): boolean {
  if (alternatives.length === 0) return true
  for (const least of alternatives) {
    let isEnough = true
    for (const { kind, milli } of least) if (amounts[offset + kind]! < milli) isEnough = false
    if (isEnough) return true
  }
  return false
}
