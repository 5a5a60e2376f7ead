/** Which roles are below their guarantees, since when, and whether anybody there waits for offers. */

import { isNothing, type Milli } from './amounts.ts'

/** A role with a guarantee as it stands now. */
export interface Standing {
  readonly role: string
  readonly guarantees: Milli
  /** What is offered counts as consumed. */
  readonly consumed: Milli
  /** What is missing of the guarantee, after what is free for it. */
  readonly missing: Milli
  /** Ids of frameworks that would take offers: active, in the role or below it, not suppressed there. */
  readonly waiting: readonly string[]
  readonly priority: number
}

/** A role that waits. */
export interface Need extends Standing {
  /** Unix milliseconds. */
  readonly sinceMs: number
}

/** Whether a role needs something now. */
export function isNeedy({ missing, waiting }: Pick<Standing, 'missing' | 'waiting'>): boolean {
  return waiting.length > 0 && !isNothing(missing)
}

/** Enters which roles need something now: those that do already keep their time. */
export function keepTime(sinceMs: Map<string, number>, needyRoles: Iterable<string>, atMs: number): void {
  const needy = new Set(needyRoles)
  for (const role of sinceMs.keys()) if (!needy.has(role)) sinceMs.delete(role)
  for (const role of needy) if (!sinceMs.has(role)) sinceMs.set(role, atMs)
}

/** Who is served first: the higher priority, then who waits longer, then by name. */
export function compareNeeds(a: Pick<Need, 'priority' | 'sinceMs' | 'role'>, b: typeof a): number {
  return b.priority - a.priority || a.sinceMs - b.sinceMs || (a.role < b.role ? -1 : 1)
}
