/**
 * DRAIN_AGENT: an agent stops being offered, kills its tasks (with their kill policies, capped by max_grace_period), and is DRAINED when none
 * is left; with mark_gone it is then gone for good.
 *
 * ```
 *            DRAIN_AGENT (registry)          no task left (registry)        REACTIVATE_AGENT
 *   active ───────────────────────▶ DRAINING ──────────────────▶ DRAINED ─────────────────▶ active
 *                                                     └─ mark_gone ─▶ gone
 * ```
 * An agent that is not registered now is drained when it comes back; one that is disconnected when no task of it is known. A later DRAIN_AGENT
 * replaces the grace and mark_gone of an earlier one. Agents of a maintenance schedule are taken down by it instead (as in Mesos).
 *
 * A task's end counts when it is acknowledged, so that no update is lost with a machine that is switched off after DRAINED.
 */

import type { CallDrainAgent } from '@isthmus/proto/gen/master'
import type { DrainConfig } from '@isthmus/proto/gen/mesos'
import { leavingAs } from './agent-loss.ts'
import { machineName } from './machines.ts'
import { machineOf } from './maintenance.ts'
import { type AgentDrain, isKnownAgent } from './registry.ts'
import { startLeaving } from './removals.ts'
import type { Agent, MasterState } from './state.ts'
import { commit, respond, sendToAgent, type Turn } from './turn.ts'

/** Answers DRAIN_AGENT: 400 with the reason, or 200 when it is stored. */
export function drainAgent(turn: Turn, requestId: string, call: CallDrainAgent): void {
  const agentId = call.agent_id.value
  const error = refusal(turn.state, call)
  if (error !== undefined) {
    respond(turn, requestId, error.status, error.text)
    return
  }
  const drain: AgentDrain = { state: 'DRAINING', config: configOf(call), sinceMs: turn.atMs }
  commit(turn, [{ kind: 'agentActivation', agentId, deactivated: true, drain }], {
    kind: 'agentActivation',
    agentId,
    requestId,
  })
}

function refusal(state: MasterState, call: CallDrainAgent): { status: number; text: string } | undefined {
  const agentId = call.agent_id.value
  const agent = state.agents.get(agentId)
  const machine = agent && machineOf(state, agent)
  if (machine !== undefined) {
    const text = `Agent ${agentId} is part of a maintenance schedule under Machine ${machineName(machine.id)}`
    return { status: 400, text }
  }
  if (agent !== undefined && !agent.capabilities.some(({ type }) => type === 'AGENT_DRAINING')) {
    return { status: 400, text: `Agent ${agentId} is not capable of draining` }
  }
  if (graceNanoseconds(call) < 0n) return { status: 400, text: "'max_grace_period' must be non-negative" }
  if (!isKnownAgent(state.registry, agentId)) return { status: 400, text: 'Unknown agent' }
  if (leavingAs(state, agentId) === 'gone') return { status: 409, text: 'Agent is currently being marked gone' }
  return undefined
}

function configOf(call: CallDrainAgent): DrainConfig {
  const max_grace_period = call.max_grace_period && { nanoseconds: graceNanoseconds(call) }
  return { max_grace_period, mark_gone: call.mark_gone ?? false }
}

function graceNanoseconds({ max_grace_period }: CallDrainAgent): bigint {
  return whole(max_grace_period?.seconds) * 1_000_000_000n + whole(max_grace_period?.nanos)
}

/** A fraction or no number at all counts as nothing, as when it is absent. */
function whole(value: number | bigint | undefined): bigint {
  return typeof value === 'bigint' || Number.isInteger(value) ? BigInt(value!) : 0n
}

/**
 * Tells an agent to kill its tasks; again each time it comes back, also when it is drained: what it runs that nobody knew of has to end, too.
 */
export function sendDrain(turn: Turn, agent: Agent): void {
  if (agent.drain === undefined) return
  if (agent.drain.state === 'DRAINING') turn.state.draining.add(agent.id)
  sendToAgent(turn, agent, { type: 'DRAIN', drain_config: agent.drain.config })
}

/** At the end of each turn: agents that have nothing left to kill are drained. O(draining agents). */
export function settleDraining(turn: Turn): void {
  const { agents, draining, operations } = turn.state
  for (const agentId of draining) {
    const agent = agents.get(agentId)
    if (agent?.drain?.state !== 'DRAINING' || agent.leaving) {
      draining.delete(agentId)
      continue
    }
    const isBusy = agent.tasks.size > 0 || [...operations.values()].some((operation) => operation.agentId === agentId)
    if (isBusy) continue
    draining.delete(agentId)
    finish(turn, agent, agent.drain)
  }
}

function finish(turn: Turn, agent: Agent, drain: AgentDrain): void {
  const agentId = agent.id
  if (drain.config.mark_gone === true) {
    startLeaving(turn, agent)
    commit(turn, [{ kind: 'agentGone', agentId, atMs: turn.atMs }], {
      kind: 'agentGone',
      agentId,
      requestId: undefined,
    })
    return
  }
  const drained: AgentDrain = { ...drain, state: 'DRAINED' }
  commit(turn, [{ kind: 'agentActivation', agentId, deactivated: true, drain: drained }], {
    kind: 'agentActivation',
    agentId,
    requestId: undefined,
  })
}
