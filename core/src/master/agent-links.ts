/** The links of agents: opened by a first message, refused, taken over by a newer one. */

import { masterInfo } from './options.ts'
import type { Agent, MasterState } from './state.ts'
import { note, type Turn } from './turn.ts'

/** Opens a link that is no agent's yet. */
export function openLink(turn: Turn, requestId: string): string {
  // Joined, so that it is one flat string: what templates make stays a pair of strings.
  const linkId = [turn.state.options.masterId, '-L', turn.state.nextLink++].join('')
  turn.state.links.set(linkId, undefined)
  turn.effects.push({ kind: 'openLink', requestId, linkId })
  return linkId
}

/** Closes a link just opened, telling the agent why: it ends. */
export function refuseLink(turn: Turn, linkId: string, reason: string): void {
  turn.effects.push({ kind: 'sendToAgent', linkId, message: { type: 'SHUTDOWN', reason } })
  turn.effects.push({ kind: 'closeLink', linkId })
  turn.state.links.delete(linkId)
  note(turn, 'warn', 'agent refused', { linkId, reason })
}

/** What REGISTERED and REREGISTERED say besides the agent's id. */
export function registration(state: MasterState) {
  const { agentPingTimeoutMs, maxAgentPingTimeouts } = state.options
  return {
    total_ping_timeout_seconds: (agentPingTimeoutMs * maxAgentPingTimeouts) / 1000,
    master_info: masterInfo(state.options),
  }
}

/** Makes an open link the agent's; an older one is closed. A link that has closed meanwhile leaves it disconnected. */
export function joinLink(turn: Turn, agent: Agent, linkId: string): void {
  const { state } = turn
  if (!state.links.has(linkId)) {
    note(turn, 'info', 'agent went away while it registered', { agentId: agent.id })
    return
  }
  if (agent.linkId !== undefined && agent.linkId !== linkId) {
    state.links.delete(agent.linkId)
    turn.effects.push({ kind: 'closeLink', linkId: agent.linkId })
  }
  agent.linkId = linkId
  state.links.set(linkId, agent.id)
  agent.pingsMissed = 0
  agent.pingOutstanding = false
  if (agent.deactivated || agent.active) return
  agent.active = true
  state.allocator.activateAgent(agent.id)
  state.allocationDue = true
}
