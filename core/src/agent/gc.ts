/** Sandboxes of ended executors are kept for a while, so that people can look at them, and then removed. */

import type { FoundSandbox } from './events.ts'
import type { AgentFramework } from './state.ts'
import { cancelTimer, emit, record, setTimer, type Turn } from './turn.ts'

/** Sandboxes that wait for their removal; at the limit the oldest is removed at once. */
export const SANDBOXES_MAX = 10_000

/** An executor ended: its sandbox is removed after gc_delay. */
export function keepSandbox(turn: Turn, framework: AgentFramework, path: string): void {
  const { sandboxes, options } = turn.state
  const dueAtMs = turn.atMs + options.gcDelayMs
  sandboxes.set(path, dueAtMs)
  record(turn, framework, { kind: 'sandbox', value: { path, due_at_ms: dueAtMs } })
  setTimer(turn, { kind: 'collectSandbox', path }, options.gcDelayMs)
  if (sandboxes.size <= SANDBOXES_MAX) return
  const oldest = sandboxes.keys().next().value
  if (oldest === undefined) return
  cancelTimer(turn, { kind: 'collectSandbox', path: oldest })
  collectSandbox(turn, oldest)
}

/** After a recovery: those that were kept before are removed in their time. */
export function keepCollecting(turn: Turn): void {
  for (const [path, dueAtMs] of turn.state.sandboxes) {
    setTimer(turn, { kind: 'collectSandbox', path }, Math.max(0, dueAtMs - turn.atMs))
  }
}

/** What earlier lives left in the work_dir: what nobody uses and nothing is known of is removed a gc_delay after it was changed last. */
export function sandboxesFound(turn: Turn, found: readonly FoundSandbox[]): void {
  const { sandboxes, options, frameworks } = turn.state
  const inUse = new Set<string>()
  for (const { executors } of frameworks.values())
    for (const { sandboxPath } of executors.values()) inUse.add(sandboxPath)
  for (const { path, changedAtMs } of found) {
    if (sandboxes.size >= SANDBOXES_MAX) return
    if (sandboxes.has(path) || inUse.has(path)) continue
    const dueAtMs = Math.max(turn.atMs, changedAtMs + options.gcDelayMs)
    sandboxes.set(path, dueAtMs)
    setTimer(turn, { kind: 'collectSandbox', path }, dueAtMs - turn.atMs)
  }
}

/** A sandbox was kept long enough. After a crash it is removed again, which changes nothing. */
export function collectSandbox(turn: Turn, path: string): void {
  if (!turn.state.sandboxes.delete(path)) return
  turn.state.counters.pathRemovals += 1
  emit(turn, { kind: 'removeSandbox', path })
}
