/**
 * Strict priority: a higher number goes first, and gets all it may have before a lower one is looked at. Equal numbers share by DRF.
 *
 * The numbers are the operator's (`--role_priorities=batch=-1,web=10`, `--framework_priorities=NAME=N`), as those of a priority class: what
 * a framework says of itself would be a race to the top. Not named = 0, so one number lifts a role above all others or puts it below. Who is
 * low starves as long as who is high takes everything; a guarantee (quota) protects a role from that.
 */

import type { Sorter } from './sorter.ts'

/** The sorter; priorities by role path (as `a/b`, and `a/.` for the frameworks of `a` itself) or framework name. */
export function prioritySorter(priorities: Readonly<Record<string, number>>): Sorter {
  const byName = new Map(Object.entries(priorities))
  return { score: ({ name }) => -(byName.get(name) ?? 0) }
}
