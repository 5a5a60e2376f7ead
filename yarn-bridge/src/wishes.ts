// What operators asked for by hand: the mode, and how many NodeManagers of which profile. It outlives the bridge, so that a flexup
// that waits for room is not forgotten, and a flexdown that waits for a job is not undone.

import type { BridgeEffect } from './effects.ts'
import type { BridgeState } from './state.ts'

export interface Wishes {
  /** Absent = as the flags say. */
  readonly mode?: 'auto' | 'manual' | undefined
  /** By flexKey: a profile, or a profile and a constraint. */
  readonly wantedByProfile: Readonly<Record<string, number>>
}

/** Says whether a value read from somewhere is what `saveWishes` wrote. */
export function isWishes(value: unknown): value is Wishes {
  if (typeof value !== 'object' || value === null) return false
  const { mode, wantedByProfile: wanted } = value as Record<string, unknown>
  if (mode !== undefined && mode !== 'auto' && mode !== 'manual') return false
  if (typeof wanted !== 'object' || wanted === null || Array.isArray(wanted)) return false
  return Object.values(wanted).every((count) => Number.isSafeInteger(count) && count >= 0)
}

/** Keeps what is wanted now; goes before the answer to who asked for it. */
export function saveWishes(state: BridgeState): BridgeEffect {
  state.hasWishes = true
  const wishes = { mode: state.chosenMode, wantedByProfile: Object.fromEntries(state.wantedByProfile) }
  return { kind: 'saveWishes', wishes }
}
