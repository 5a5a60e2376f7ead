/**
 * The agents of the registry that a new leader waits for (--agent_reregister_timeout), and what becomes of those that do not come.
 *
 * When more of them stay away than --recovery_agent_removal_limit allows, something else is wrong than some machines: the master stops
 * leading, and nothing of theirs is given up.
 */

import { count } from './counters.ts'
import { scheduleRemoval } from './removals.ts'
import { note, sendEvent, setTimer, type Turn } from './turn.ts'

/** Agents named in the reason at most. */
const NAMED_MAX = 10

/** Starts to wait. */
export function awaitAgents(turn: Turn): void {
  const { options, recoveredAgents } = turn.state
  if (recoveredAgents.size === 0) return
  setTimer(turn, { kind: 'agentReregister' }, turn.atMs + options.agentReregisterTimeoutMs)
}

/** The time to come back is over. */
export function giveUpAwaited(turn: Turn): void {
  const { state } = turn
  const { recoveredAgents, awaitedAgents, options } = state
  const part = awaitedAgents === 0 ? 0 : recoveredAgents.size / awaitedAgents
  if (part > options.recoveryRemovalLimit) {
    state.abdicated = true
    turn.effects.push({ kind: 'abdicate', reason: tooMany(turn) })
    return
  }
  const decided = new Set<string>()
  for (const { continuations } of state.commits.values()) {
    for (const then of continuations) {
      if (then.kind === 'admitAgent') decided.add(then.agentInfo.id!.value)
      if (then.kind === 'agentGone') decided.add(then.agentId)
    }
  }
  for (const agentId of recoveredAgents.keys()) if (!decided.has(agentId)) scheduleRemoval(turn, agentId)
}

function tooMany({ state }: Turn): string {
  const { recoveredAgents, awaitedAgents, options } = state
  const named = [...recoveredAgents].slice(0, NAMED_MAX).map(([id, { hostname }]) => `${id} (${hostname})`)
  const more = recoveredAgents.size - named.length
  return [
    `${recoveredAgents.size} of ${awaitedAgents} agents of the registry did not come back within`,
    `${options.agentReregisterTimeoutMs / 1000} s, more than --recovery_agent_removal_limit=${options.recoveryRemovalLimit * 100}% allows;`,
    `none of them was given up: ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`,
  ].join(' ')
}

/** An awaited agent is stored as unreachable. Its tasks are not known here; frameworks ask about theirs. */
export function awaitedLost(turn: Turn, agentId: string): void {
  const { state } = turn
  const info = state.recoveredAgents.get(agentId)
  if (info === undefined) return
  state.recoveredAgents.delete(agentId)
  for (const name of [
    'slave_removals',
    'slave_removals/reason_unhealthy',
    'slave_unreachable_completed',
    'recovery_slave_removals',
  ]) {
    count(state.counters, `master/${name}`)
  }
  for (const framework of state.frameworks.values()) {
    sendEvent(turn, framework, { type: 'FAILURE', failure: { agent_id: { value: agentId } } })
  }
  note(turn, 'warn', 'agent did not come back to the new leader', { agentId, hostname: info.hostname })
}
