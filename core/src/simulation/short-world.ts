import type { FaultLevel } from './faults.ts'
import { generateWorkload } from './workload.ts'
import type { WorldOptions } from './world.ts'

/** Invariants are checked after every so many steps of a short world; at the end of each everything is. */
const INVARIANTS_EVERY = 16

/**
 * The short world of a seed: up to 4 agents and 3 frameworks, two minutes of work and faults. What a thousand seeds of are checked by tests, and
 * what `isthmus sim` replays without other flags.
 */
export function shortWorld(seed: number): Omit<WorldOptions, 'checkers'> {
  const size = { agents: 1 + (seed % 4), frameworks: 1 + (seed % 3), minutes: 2 }
  return { seed, workload: generateWorkload(seed, size), faults: faultsOf(seed), invariantsEvery: INVARIANTS_EVERY }
}

/** One world of five goes without faults, one with light ones. */
function faultsOf(seed: number): FaultLevel {
  if (seed % 5 === 0) return 'none'
  return seed % 5 === 1 ? 'light' : 'heavy'
}
