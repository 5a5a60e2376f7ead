/** What a master remembers of reclaims: who waits since when, what is being taken back, and the last that ended. */

import { Ring } from '../../base/bounded.ts'
import type { Milli } from './amounts.ts'
import type { Loss } from './floors.ts'
import type { Need } from './need.ts'
import type { ReclaimOutcome, ReclaimPhase } from './plan.ts'
import type { Spared } from './victims.ts'

/** Reclaims that ended and are remembered. */
const PAST_MAX = 100

/** Why something is taken: numbers as they were when it was chosen. */
export interface ReclaimReason {
  /** Whether the role that gives has a guarantee, which it keeps. */
  readonly code: 'BEYOND_GUARANTEE' | 'NO_GUARANTEE'
  /** A sentence for people. */
  readonly message: string
  /** The role that gives, and the one that gets. */
  readonly role: string
  readonly forRole: string
  readonly gives: Milli
  /** Of the role that gives, before. */
  readonly guarantees: Milli
  readonly consumed: Milli
  /** Of the role that gets: what it missed, and since when. */
  readonly missing: Milli
  readonly sinceMs: number
  readonly priority: number
}

/** A task or an executor that is being taken back. */
export interface Reclaim {
  readonly key: string
  readonly kind: 'task' | 'executor'
  /** Task or executor id. */
  readonly id: string
  readonly agentId: string
  readonly frameworkId: string
  /** Empty for command tasks. */
  readonly executorId: string
  readonly taskIds: readonly string[]
  readonly losses: readonly Loss[]
  readonly gives: Milli
  /** What of it is needed: an executor may hold more, and its framework knows better what to let go. */
  readonly share: Milli
  readonly reason: ReclaimReason
  readonly chosenAtMs: number
  phase: ReclaimPhase
  phaseAtMs: number
  deadlineMs: number
  /** The inverse offer it was asked for with. */
  inverseOfferId: string | undefined
}

/** A reclaim that ended, or an offer that was taken back. */
export interface PastReclaim {
  readonly kind: 'offer' | 'task' | 'executor'
  readonly id: string
  readonly agentId: string
  readonly frameworkId: string
  readonly phase: ReclaimPhase | 'rescinded'
  readonly outcome: ReclaimOutcome
  readonly reason: ReclaimReason
  readonly chosenAtMs: number
  readonly endedAtMs: number
}

/** What could not be had for a role when it was looked for last. */
export interface Unmet {
  readonly left: Milli
  readonly spared: Spared
  /** It is looked for again then. */
  readonly againAtMs: number
}

/** All of it. */
export interface ReclaimBooks {
  /** Role → since when it is below its guarantee and waits. */
  readonly sinceMs: Map<string, number>
  /** The roles that wait, as the last check saw them. */
  needs: readonly Need[]
  readonly unmet: Map<string, Unmet>
  /** By key; in the order they were chosen. */
  readonly active: Map<string, Reclaim>
  readonly past: Ring<PastReclaim>
  /** Keys of candidates that are left alone until then. */
  readonly sparedUntilMs: Map<string, number>
  nextCheckMs: number
}

/** Nothing yet. */
export function createReclaimBooks(): ReclaimBooks {
  return {
    sinceMs: new Map(),
    needs: [],
    unmet: new Map(),
    active: new Map(),
    past: new Ring(PAST_MAX),
    sparedUntilMs: new Map(),
    nextCheckMs: 0,
  }
}
