/**
 * What a sorter is: it gives each sibling in line a score, and the lowest goes first. One sorter puts roles in line (level by level of the
 * role tree), another the frameworks of each role. Built in: drf (no score at all: see line.ts), priority-sorter.ts, random-sorter.ts; a
 * sorter of a user's own is a module with this contract, loaded by `--role_sorter=PACKAGE` or `--framework_sorter=PACKAGE`.
 *
 * ```ts
 * // my-sorter.mjs: whoever holds the least memory goes first, whatever else it holds
 * export const createSorter = () => ({ score: (candidate) => candidate.held('mem') })
 * ```
 */

/** A sibling in line. The same object for every call: read it during the call, do not keep it. */
export interface Candidate {
  readonly kind: 'role' | 'framework'
  /** Framework id, or role path. The frameworks of role `a` itself stand in line with its sub-roles `a/b` as `a/.`. */
  readonly id: string
  /** Framework name, or role path as above. */
  readonly name: string
  /** The role the framework is in line for, or the role path. */
  readonly role: string
  /** Of the role; 1 for frameworks. */
  readonly weight: number
  /** Weighted dominant share, 0 to 1 (more when it holds more than the pool has): what DRF compares. */
  readonly share: number
  /** Allocations made to it so far. */
  readonly allocations: number
  /** Whole units of a scalar it holds, by name (`cpus`); 0 for what it does not hold. */
  readonly held: (name: string) => number
  /** Whole units of a scalar that the pool has. */
  readonly total: (name: string) => number
}

/** Puts siblings in line. */
export interface Sorter {
  /**
   * The lower, the earlier. Equal scores: lower weighted dominant share, then fewer allocations, then the name. What is not a number comes
   * last. Must not throw.
   */
  readonly score: (candidate: Candidate) => number
  /**
   * When a score is asked for. `onChange`: when what the candidate holds, a weight or the pool has changed. `perAgent`: anew for each agent
   * that is visited, which costs O(n log n) for the n siblings of a line. Default onChange.
   */
  readonly asked?: 'onChange' | 'perAgent' | undefined
}

/** What a module's `createSorter` is told. */
export interface SorterFacts {
  /** Which line it is for. */
  readonly kind: Candidate['kind']
  /** For chance that can be repeated. */
  readonly seed: number
  /** --role_priorities or --framework_priorities. */
  readonly priorities: Readonly<Record<string, number>>
}

/** What a module with a sorter exports. */
export interface SorterModule {
  readonly createSorter: (facts: SorterFacts) => Sorter
}
