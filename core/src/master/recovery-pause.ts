/**
 * After a failover with quota nothing is offered until most of the agents known before are back: with a part of the pool, roles with quota
 * would be given more than their part of the whole, and the others nothing (as Mesos: --allocator_agent_recovery_factor,
 * --allocator_recovery_timeout).
 */

import type { AllocationPause, MasterState } from './state.ts'
import { note, type Turn } from './turn.ts'

/** Pauses allocation when this master follows another one that had quota and agents. Without quota nothing is waited for. */
export function pauseForRecovery(turn: Turn): void {
  const { state } = turn
  const { allocatorRecoveryFactor, allocatorRecoveryTimeoutMs } = state.options
  const agents = Math.floor(state.recoveredAgents.size * allocatorRecoveryFactor)
  if (state.registry.quotas.size === 0 || agents === 0) return
  state.allocationPause = { agents, untilMs: turn.atMs + allocatorRecoveryTimeoutMs }
  note(turn, 'info', 'allocation waits for agents to come back', { agents, forMs: allocatorRecoveryTimeoutMs })
}

/** Whether nothing is offered now. Ends the pause when its time has come, or nobody is left to wait for. */
export function isAllocationPaused(turn: Turn): boolean {
  const { state } = turn
  if (!isWaiting(state, turn.atMs)) {
    state.allocationPause = undefined
    return false
  }
  return true
}

/** What allocation waits for now, for views. */
export function pauseOf(state: MasterState, atMs: number): AllocationPause | undefined {
  return isWaiting(state, atMs) ? state.allocationPause : undefined
}

function isWaiting({ agents, allocationPause, recoveredAgents }: MasterState, atMs: number): boolean {
  if (allocationPause === undefined) return false
  return agents.size < allocationPause.agents && atMs < allocationPause.untilMs && recoveredAgents.size > 0
}
