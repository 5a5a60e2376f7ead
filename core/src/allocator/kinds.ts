/** The scalar kinds (cpus, mem …) as small integers, so that amounts are rows of numbers. */

/**
 * Kinds that count at most: the four of Mesos and twelve custom scalars. A kind beyond is offered like any other, but counts in no share
 * and no quota.
 */
export const KINDS_MAX = 16

/** Milli-units of a whole unit. */
export const MILLI = 1000

/** Interned names of scalar kinds; 0 to 3 are cpus, mem, disk, gpus. Row `r` of a table of amounts starts at `r * KINDS_MAX`. */
export class Kinds {
  readonly #ids = new Map<string, number>()
  readonly names: string[] = []

  constructor() {
    for (const name of ['cpus', 'mem', 'disk', 'gpus']) this.idOf(name)
  }

  /** Kinds known so far. */
  get count(): number {
    return this.names.length
  }

  /** The id of a kind, new or known; -1 beyond {@link KINDS_MAX}. */
  idOf(name: string): number {
    const known = this.#ids.get(name)
    if (known !== undefined) return known
    if (this.names.length === KINDS_MAX) return -1
    this.names.push(name)
    this.#ids.set(name, this.names.length - 1)
    return this.names.length - 1
  }

  /** The id of a known kind, else -1. */
  find(name: string): number {
    return this.#ids.get(name) ?? -1
  }

  /** A row of milli-units from whole units; kinds not named hold `absent`. */
  row(amounts: Readonly<Record<string, number>>, absent = 0): Float64Array {
    const row = new Float64Array(KINDS_MAX).fill(absent)
    for (const [name, amount] of Object.entries(amounts)) {
      const kind = this.idOf(name)
      if (kind >= 0) row[kind] = Math.round(amount * MILLI)
    }
    return row
  }

  /** Whole units by name from a row; zeros are left out. */
  amounts(row: Float64Array): Record<string, number> {
    const amounts: Record<string, number> = {}
    for (let kind = 0; kind < this.count; kind++) if (row[kind] !== 0) amounts[this.names[kind]!] = row[kind]! / MILLI
    return amounts
  }
}
