/** What the launcher of an earlier life kept meets what the records say of it. */

import type { AgentEvent } from './events.ts'
import { scheduleRegistration } from './registration.ts'
import type { Turn } from './turn.ts'

/** The launcher has said what runs and what has ended. */
export function containersFound(turn: Turn, _found: Extract<AgentEvent, { kind: 'containersFound' }>): void {
  const { recovery } = turn.state
  if (recovery?.phase !== 'awaitingContainers') return
  turn.state.recovery = undefined
  if (recovery.isMasterKnown) scheduleRegistration(turn)
}
