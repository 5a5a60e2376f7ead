/**
 * The pace at which agents are given up (--agent_removal_rate_limit): a switch that fails must not cost a whole pool its tasks at once.
 *
 * ```
 * silent for too long, or not back after a failover ─▶ scheduled ─▶ its turn has come ─▶ unreachable (registry)
 *                                                          └─ a PONG, a return, another way to leave ─▶ cancelled; the others move up
 * ```
 * Without a limit the turn comes at once. The first agent after a pause goes at once too; from then on one each interval.
 */

import { count } from './counters.ts'
import type { Agent } from './state.ts'
import { cancelTimer, commit, note, setTimer, type Turn } from './turn.ts'

/** So many agents in so much time. */
export interface RemovalRate {
  readonly agents: number
  readonly perMs: number
}

/** Who waits to be given up. */
export interface Removals {
  /** Agent ids, in the order of their turns. */
  readonly waiting: Set<string>
  /** Nobody's turn comes before. */
  nextAtMs: number
}

/** Nobody waits. */
export function createRemovals(): Removals {
  return { waiting: new Set(), nextAtMs: 0 }
}

/** Gives up an agent when its turn has come. One that waits already keeps its place. */
export function scheduleRemoval(turn: Turn, agentId: string): void {
  const { removals, options, counters } = turn.state
  if (removals.waiting.has(agentId)) return
  count(counters, 'master/slave_unreachable_scheduled')
  if (options.agentRemovalRate === undefined) {
    giveUp(turn, agentId)
    return
  }
  removals.waiting.add(agentId)
  if (removals.waiting.size > 1) return
  if (turn.atMs >= removals.nextAtMs) removalDue(turn)
  else waitForTurn(turn, agentId)
}

/** An agent that waits to be given up shows that it is there, or has left in another way. */
export function cancelRemoval(turn: Turn, agentId: string): void {
  const { removals, counters } = turn.state
  if (!removals.waiting.delete(agentId)) return
  count(counters, 'master/slave_unreachable_canceled')
  note(turn, 'info', 'removal of agent cancelled', { agentId })
  if (removals.waiting.size === 0) cancelTimer(turn, { kind: 'agentRemoval' })
}

/** A write that takes an agent away is about to begin; it needs no turn any more. */
export function startLeaving(turn: Turn, agent: Agent): void {
  agent.leaving = true
  cancelRemoval(turn, agent.id)
}

/** The next turn has come. */
export function removalDue(turn: Turn): void {
  const { removals, options } = turn.state
  const [agentId, next] = removals.waiting
  if (agentId === undefined) return
  removals.waiting.delete(agentId)
  const { agents = 1, perMs = 0 } = options.agentRemovalRate ?? {}
  removals.nextAtMs = turn.atMs + perMs / agents
  giveUp(turn, agentId)
  if (next !== undefined) waitForTurn(turn, next)
}

function waitForTurn(turn: Turn, agentId: string): void {
  const { nextAtMs } = turn.state.removals
  setTimer(turn, { kind: 'agentRemoval' }, nextAtMs)
  note(turn, 'info', 'removal of agent scheduled', { agentId, inMs: nextAtMs - turn.atMs })
}

function giveUp(turn: Turn, agentId: string): void {
  const agent = turn.state.agents.get(agentId)
  if (agent !== undefined) agent.leaving = true
  commit(turn, [{ kind: 'agentUnreachable', agentId, atMs: turn.atMs }], { kind: 'agentUnreachable', agentId })
}

/** Whether an agent was found silent and waits for its turn. */
export function awaitsRemoval(turn: Turn, agent: Agent): boolean {
  return turn.state.removals.waiting.has(agent.id)
}
