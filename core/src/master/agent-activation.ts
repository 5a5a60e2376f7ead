/**
 * DEACTIVATE_AGENT, REACTIVATE_AGENT and MARK_AGENT_GONE. Draining, which deactivates too, is in drain.ts.
 *
 * All three work on every agent the registry knows: registered, awaited since the leader changed, or unreachable; one that comes back is what
 * it was made meanwhile. Only what has been said of gone agents stays for ever.
 */

import { deactivate, leavingAs } from './agent-loss.ts'
import { sendDrain } from './drain.ts'
import { rescindAgentInverseOffers } from './inverse-offers.ts'
import { allocateSoon, rescindAgentOffers } from './offers.ts'
import { activationOf, isKnownAgent } from './registry.ts'
import { cancelRemoval, startLeaving } from './removals.ts'
import { commit, respond, type Turn } from './turn.ts'

/** Answers DEACTIVATE_AGENT: 400 for an unknown agent, or 200 when it is stored. */
export function deactivateAgent(turn: Turn, requestId: string, agentId: string): void {
  if (!isKnownAgent(turn.state.registry, agentId)) {
    respond(turn, requestId, 400, 'Unknown agent')
    return
  }
  commit(turn, [{ kind: 'agentActivation', agentId, deactivated: true }], {
    kind: 'agentActivation',
    agentId,
    requestId,
  })
}

/** Answers REACTIVATE_AGENT: 400 when it is not deactivated or still draining, or when it is stored 200, or 409 when it is not registered. */
export function reactivateAgent(turn: Turn, requestId: string, agentId: string): void {
  const activation = activationOf(turn.state.registry, agentId)
  if (activation?.deactivated !== true) {
    respond(turn, requestId, 400, 'Agent is not deactivated')
    return
  }
  if (activation.drain?.state === 'DRAINING') {
    respond(turn, requestId, 400, 'Agent is still in the DRAINING state')
    return
  }
  commit(turn, [{ kind: 'agentActivation', agentId, deactivated: false }], {
    kind: 'agentActivation',
    agentId,
    requestId,
  })
}

/** The activation is stored: offers stop, or start again. */
export function activationStored(turn: Turn, agentId: string, requestId: string | undefined): void {
  const { state } = turn
  const agent = state.agents.get(agentId)
  const activation = activationOf(state.registry, agentId)
  if (agent !== undefined && activation !== undefined && state.registry.admitted.has(agentId)) {
    agent.deactivated = activation.deactivated
    agent.drain = activation.drain
    if (agent.deactivated) {
      deactivate(turn, agent)
      rescindAgentOffers(turn, agent)
      rescindAgentInverseOffers(turn, agent)
      if (agent.drain?.state === 'DRAINING') sendDrain(turn, agent)
    } else if (agent.linkId !== undefined && !agent.active) {
      agent.active = true
      state.allocator.activateAgent(agent.id)
    }
    allocateSoon(turn)
  }
  if (requestId === undefined) return
  // As in Mesos: done for when it comes back, but not seen to work.
  const isGoneMeanwhile = agent === undefined && activation?.deactivated !== true
  if (isGoneMeanwhile) respond(turn, requestId, 409, 'Agent removed while processing the call')
  else respond(turn, requestId, 200)
}

/** Answers MARK_AGENT_GONE: 404 for an unknown agent, 503 while it leaves, or 200 when it is stored; a gone one is gone. */
export function markAgentGone(turn: Turn, requestId: string, agentId: string): void {
  const { agents, registry } = turn.state
  if (registry.gone.has(agentId)) {
    respond(turn, requestId, 200)
    return
  }
  const agent = agents.get(agentId)
  if (agent === undefined && !isKnownAgent(registry, agentId)) {
    respond(turn, requestId, 404, `Agent '${agentId}' not found`)
    return
  }
  const leaving = leavingAs(turn.state, agentId)
  if (leaving !== undefined) {
    const already = leaving === 'gone' ? 'already ' : ''
    respond(turn, requestId, 503, `Agent '${agentId}' is ${already}being transitioned to ${leaving}`)
    return
  }
  if (agent === undefined) cancelRemoval(turn, agentId)
  else startLeaving(turn, agent)
  commit(turn, [{ kind: 'agentGone', agentId, atMs: turn.atMs }], { kind: 'agentGone', agentId, requestId })
}
