/**
 * How far what is free, or will be, covers what a role misses.
 *
 * An agent counts only when what is there together is enough for an offer. Example: cpus 2 are missing, an offer holds at least
 * cpus 1. Agent A has 0.5 free, which counts nothing; with a task of 0.6 ended there it counts 1.1.
 */

import { common, isNothing, isUsable, type Milli, NOTHING, rest, sum } from './amounts.ts'

/** What is missing, and what of it is there by agent. */
export class Cover {
  readonly missing: Milli
  readonly #least: readonly Milli[]
  readonly #rows = new Map<string, Milli>()
  #counted: Milli = NOTHING
  #left: Milli | undefined

  /** @param least an offer holds at least one of these */
  constructor(missing: Milli, least: readonly Milli[]) {
    this.missing = missing
    this.#least = least
  }

  /** More will be free on an agent. */
  add(agentId: string, amounts: Milli): void {
    this.#change(agentId, sum(this.#rows.get(agentId) ?? NOTHING, amounts))
  }

  /** Less will be free on an agent: what was added before. */
  remove(agentId: string, amounts: Milli): void {
    this.#change(agentId, rest(this.#rows.get(agentId) ?? NOTHING, amounts))
  }

  /** What is missing still. */
  left(): Milli {
    this.#left ??= rest(this.missing, this.#counted)
    return this.#left
  }

  /** Whether nothing is missing any more. */
  get isEnough(): boolean {
    return isNothing(this.left())
  }

  /** How much of what is missing would be covered more, 0 to the number of kinds: each kind's part of what is missing. */
  gain(agentId: string, amounts: Milli): number {
    const before = this.#rows.get(agentId) ?? NOTHING
    const counted = sum(rest(this.#counted, this.#worth(before)), this.#worth(sum(before, amounts)))
    // Sums of fractions differ in their last digits; equals must be equal.
    return Math.round((this.#part(counted) - this.#part(this.#counted)) * 1e9) / 1e9
  }

  /** What of an agent's row covers something, for the books of who comes next. */
  usedOn(agentId: string, left: Milli): Milli {
    return common(this.#worth(this.#rows.get(agentId) ?? NOTHING), left)
  }

  #part(counted: Milli): number {
    let part = 0
    for (const [kind, amount] of Object.entries(this.missing)) {
      if (amount > 0) part += Math.min(amount, counted[kind] ?? 0) / amount
    }
    return part
  }

  #worth(row: Milli): Milli {
    return isUsable(row, this.#least) ? row : NOTHING
  }

  #change(agentId: string, after: Milli): void {
    const before = this.#rows.get(agentId) ?? NOTHING
    this.#counted = sum(rest(this.#counted, this.#worth(before)), this.#worth(after))
    this.#rows.set(agentId, after)
    this.#left = undefined
  }
}
