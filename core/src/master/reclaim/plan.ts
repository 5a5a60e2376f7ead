/**
 * The phases of a victim and their deadlines.
 *
 * ```
 *                       notice over                      grace over                 gone from the books
 *   asked ───────────────────────────────▶ killing ───────────────▶ shuttingDown ─────────────────▶ (freed)
 *     │ need gone: stopped                    │ need gone: stopped    │ not gone: told again
 *                                             └ executor is needed to keep the role's guarantee: spared
 * ```
 * An offer is rescinded at once and has no phases.
 */

/** Where a victim is. */
export type ReclaimPhase = 'asked' | 'killing' | 'shuttingDown'

/** How a reclaim ended. */
export type ReclaimOutcome =
  /** It is gone from the books: by itself, its framework, or the master. */
  | 'freed'
  /** It is not needed any more. */
  | 'stopped'
  /** Its executor cannot be ended without breaking the guarantee of its role. */
  | 'spared'
  /** Its role would have fallen below its own guarantee meanwhile. */
  | 'atGuarantee'
  /** Its agent is not active, so what it would free cannot be offered. */
  | 'agentAway'

/** How long each phase may take, in milliseconds. */
export interface ReclaimTerms {
  readonly noticeMs: number
  /** Kills have their task's own grace, at most this. */
  readonly maxGraceMs: number
}

/** Grace of a kill when a task says none: that of agents. */
export const GRACE_DEFAULT_MS = 3_000

/** What a kill may take beyond its grace: the way there, the end of a process tree, the update back. */
export const KILL_MARGIN_MS = 5_000

/** After so long an agent is told again to shut an executor down. */
export const SHUTDOWN_PATIENCE_MS = 30_000

/** What can be done about a victim now. */
export interface Situation {
  readonly phase: ReclaimPhase
  readonly deadlineMs: number
  /** Its executor may be shut down without breaking a guarantee. */
  readonly maySuffer: boolean
}

/** When a victim that is chosen now is killed: after the notice; at once when its framework is not there to be told. */
export function killAtMs({ noticeMs }: ReclaimTerms, canBeAsked: boolean, atMs: number): number {
  return canBeAsked ? atMs + noticeMs : atMs
}

/** What happens to a victim at this time; undefined = it has time. */
export function nextStep(
  { phase, deadlineMs, maySuffer }: Situation,
  atMs: number,
): 'kill' | 'shutDown' | 'spare' | undefined {
  if (atMs < deadlineMs) return undefined
  if (phase === 'asked') return 'kill'
  if (phase === 'killing' && !maySuffer) return 'spare'
  return 'shutDown'
}

/** The grace of a kill: the task's own, or the default, but not more than is allowed. */
export function graceMs(ownMs: number | undefined, { maxGraceMs }: ReclaimTerms): number {
  return Math.max(0, Math.min(ownMs ?? GRACE_DEFAULT_MS, maxGraceMs))
}
