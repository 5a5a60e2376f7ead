/** Sandboxes of ended executors are kept for a while, so that people can look at them, and then removed. */

import { cancelTimer, emit, setTimer, type Turn } from './turn.ts'

/** Sandboxes that wait for their removal; at the limit the oldest is removed at once. */
export const SANDBOXES_MAX = 10_000

/** An executor ended: its sandbox is removed after gc_delay. */
export function keepSandbox(turn: Turn, path: string): void {
  const { sandboxes, options } = turn.state
  sandboxes.set(path, turn.atMs + options.gcDelayMs)
  setTimer(turn, { kind: 'collectSandbox', path }, options.gcDelayMs)
  if (sandboxes.size <= SANDBOXES_MAX) return
  const oldest = sandboxes.keys().next().value
  if (oldest === undefined) return
  cancelTimer(turn, { kind: 'collectSandbox', path: oldest })
  collectSandbox(turn, oldest)
}

/** A sandbox was kept long enough. */
export function collectSandbox(turn: Turn, path: string): void {
  if (!turn.state.sandboxes.delete(path)) return
  turn.state.counters.pathRemovals += 1
  emit(turn, { kind: 'removeSandbox', path })
}
