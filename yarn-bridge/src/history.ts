// The bridge's history: one line for each thing it did or left, with its reason and the partition's totals at that moment.

import type { BridgeEffect, DecisionRecord, Totals } from './effects.ts'
import { held } from './node-manager.ts'
import { NOTHING, plus } from './samples.ts'
import { type BridgeState, DECISIONS_MAX } from './state.ts'

/** Writes one line of history, with the partition's totals, and forgets lines beyond DECISIONS_MAX. */
export function record(state: BridgeState, line: Omit<DecisionRecord, 'totals'>): BridgeEffect[] {
  const full: DecisionRecord = { ...line, totals: totalsOf(state) }
  state.decisions.push(full)
  if (state.decisions.length > DECISIONS_MAX) state.decisions.shift()
  return [{ kind: 'recordDecision', record: full }]
}

/** The partition in one line, as API and timeline show it. */
export function totalsOf(state: BridgeState): Totals {
  const fleet = [...state.nodeManagers.values()]
  return {
    held: fleet.reduce((sum, nodeManager) => plus(sum, held(nodeManager)), NOTHING),
    advertised: fleet.reduce(
      (sum, { advertised, phase }) => plus(sum, phase === 'stopping' ? NOTHING : (advertised ?? NOTHING)),
      NOTHING,
    ),
    used: state.sample?.allocated ?? NOTHING,
    pending: state.sample?.pending ?? NOTHING,
    nodeManagers: fleet.length,
  }
}
