/**
 * How agents are lost.
 *
 * ```
 * link closed ─▶ disconnected: offers rescinded; tasks of frameworks that do not checkpoint are lost at once
 * PING without an answer, agent_ping_timeout × max_agent_ping_timeouts ─▶ its turn (removals.ts) ─▶ unreachable (registry) ─▶ TASK_UNREACHABLE or TASK_LOST, FAILURE
 * UNREGISTER ─▶ removed (registry) ─▶ TASK_LOST, FAILURE
 * START_MAINTENANCE of its machine ─▶ removed (registry) ─▶ TASK_LOST, FAILURE, SHUTDOWN to the agent
 * MARK_AGENT_GONE ─▶ gone for ever (registry) ─▶ TASK_GONE_BY_OPERATOR or TASK_LOST, FAILURE, SHUTDOWN to the agent
 * a new agent at the same address ─▶ as removed
 * ```
 * Order seen by a framework, as in Mesos: UPDATE for each task, RESCIND for each offer, FAILURE.
 */

import type { TaskState, TaskStatusReason } from '@isthmus/proto/gen/mesos'
import { endOperations } from './agent-operations.ts'
import { count } from './counters.ts'
import { removeExecutor } from './executors.ts'
import { forgetNegotiations, rescindAgentInverseOffers } from './inverse-offers.ts'
import { addressKey } from './messages.ts'
import { rescindAgentOffers } from './offers.ts'
import { awaitsRemoval, cancelRemoval, scheduleRemoval, startLeaving } from './removals.ts'
import type { Agent, Framework, MasterState } from './state.ts'
import { releaseStrays } from './strays.ts'
import { publish } from './subscribers.ts'
import { endTask, endUnreachableTask } from './tasks.ts'
import { cancelTimer, commit, note, sendEvent, sendToAgent, setTimer, type Turn } from './turn.ts'

/** Sends a PING and asks to be woken for its answer. */
export function ping(turn: Turn, agent: Agent): void {
  agent.pingOutstanding = true
  sendToAgent(turn, agent, { type: 'PING' })
  setTimer(turn, { kind: 'agentPing', agentId: agent.id }, turn.atMs + turn.state.options.agentPingTimeoutMs)
}

/** The time for the answer to a PING is over: the next PING, or the verdict. */
export function pingTimedOut(turn: Turn, agent: Agent): void {
  if (agent.pingOutstanding) agent.pingsMissed++
  else agent.pingsMissed = 0
  if (agent.pingsMissed < turn.state.options.maxAgentPingTimeouts || agent.leaving) {
    ping(turn, agent)
    return
  }
  scheduleRemoval(turn, agent.id)
  // It may still answer before its turn comes.
  if (awaitsRemoval(turn, agent)) ping(turn, agent)
}

/** The link closed: the agent may come back, so only what cannot survive is given up. */
export function disconnectAgent(turn: Turn, agent: Agent): void {
  const { state } = turn
  agent.linkId = undefined
  deactivate(turn, agent)
  rescindAgentOffers(turn, agent)
  rescindAgentInverseOffers(turn, agent)
  note(turn, 'info', 'agent disconnected', { agentId: agent.id })
  for (const framework of frameworksOn(turn, agent)) {
    if (framework.info.checkpoint === true) continue
    endTasks(turn, agent, framework, {
      state: () => 'TASK_LOST',
      reason: () => 'REASON_AGENT_DISCONNECTED',
      message: `Agent ${agent.info.hostname} disconnected`,
    })
    removeExecutors(turn, agent, framework)
  }
  state.allocationDue = true
}

/** Stops offering an agent. */
export function deactivate(turn: Turn, agent: Agent): void {
  if (!agent.active) return
  agent.active = false
  turn.state.allocator.deactivateAgent(agent.id)
}

/** UNREGISTER: the agent leaves on purpose. */
export function leaveAgent(turn: Turn, agent: Agent, reason: string): void {
  count(turn.state.counters, 'master/messages_unregister_slave')
  if (agent.leaving) return
  startLeaving(turn, agent)
  commit(turn, [{ kind: 'agentRemoved', agentId: agent.id }], { kind: 'agentLeft', agentId: agent.id, reason })
}

/** What a write under way makes of an agent; undefined = it stays. O(writes under way). */
export function leavingAs(state: MasterState, agentId: string): 'gone' | 'removed' | 'unreachable' | undefined {
  for (const { continuations } of state.commits.values()) {
    for (const then of continuations) {
      if (then.kind === 'machinesDown' && then.agentIds.includes(agentId)) return 'removed'
      if (!('agentId' in then) || then.agentId !== agentId) continue
      if (then.kind === 'agentGone') return 'gone'
      if (then.kind === 'agentLeft' || then.kind === 'machineLeft') return 'removed'
      if (then.kind === 'agentUnreachable') return 'unreachable'
    }
  }
  return undefined
}

/** Why an agent is taken out of the books. */
export type LossKind = 'unreachable' | 'unregistered' | 'machineDown' | 'replaced' | 'gone'

const REMOVALS = {
  unregistered: 'the agent unregistered',
  machineDown: "Operator initiated 'Machine DOWN'",
  replaced: 'a new agent registered at the same address',
} as const

const MARKED_GONE = 'Agent has been marked gone'

interface Ending {
  readonly state: (framework: Framework) => TaskState
  readonly reason: (framework: Framework) => TaskStatusReason
  readonly message: string
  readonly unreachableAtMs?: number | undefined
}

/** Takes an agent out of the books: its tasks end (or are unreachable), its offers are rescinded, all frameworks are told FAILURE. */
export function loseAgent(turn: Turn, agent: Agent, kind: LossKind): void {
  const { state } = turn
  deactivate(turn, agent)
  cancelTimer(turn, { kind: 'agentPing', agentId: agent.id })
  cancelRemoval(turn, agent.id)
  const ending = endingOf(turn, agent.info.hostname, kind)
  for (const framework of frameworksOn(turn, agent)) {
    endTasks(turn, agent, framework, ending)
    removeExecutors(turn, agent, framework)
  }
  releaseStrays(turn, agent)
  rescindAgentOffers(turn, agent)
  rescindAgentInverseOffers(turn, agent)
  forgetNegotiations(turn, agent.id)
  state.unavailable.delete(agent.id)
  state.agents.delete(agent.id)
  const key = addressKey(agent.info.hostname, agent)
  if (state.agentsByAddress.get(key) === agent.id) state.agentsByAddress.delete(key)
  state.allocator.removeAgent(agent.id)
  endOperations(turn, agent, kind === 'machineDown' ? 'unregistered' : kind)
  for (const framework of state.frameworks.values()) {
    sendEvent(turn, framework, { type: 'FAILURE', failure: { agent_id: { value: agent.id } } })
  }
  closeAgentLink(turn, agent, kind)
  countLoss(turn, kind)
  if (kind !== 'unreachable') {
    publish(turn, () => ({ type: 'AGENT_REMOVED', agent_removed: { agent_id: { value: agent.id } } }))
  }
  note(turn, 'warn', 'agent removed', { agentId: agent.id, hostname: agent.info.hostname, why: kind })
}

function endingOf(turn: Turn, hostname: string, kind: LossKind): Ending {
  const aware = (state: TaskState) => (framework: Framework) =>
    framework.capabilities.partitionAware ? state : 'TASK_LOST'
  switch (kind) {
    case 'unreachable':
      return {
        state: aware('TASK_UNREACHABLE'),
        reason: () => 'REASON_AGENT_REMOVED',
        message: 'health check timed out',
        unreachableAtMs: turn.atMs,
      }
    case 'unregistered':
    case 'machineDown':
    case 'replaced': {
      const why = REMOVALS[kind]
      return {
        state: () => 'TASK_LOST',
        reason: () => 'REASON_AGENT_REMOVED',
        message: `Agent ${hostname} removed: ${why}`,
      }
    }
    case 'gone':
      return {
        state: aware('TASK_GONE_BY_OPERATOR'),
        reason: ({ capabilities }) =>
          capabilities.partitionAware ? 'REASON_AGENT_REMOVED_BY_OPERATOR' : 'REASON_AGENT_REMOVED',
        message: MARKED_GONE,
      }
    default:
      return kind satisfies never
  }
}

function endTasks(turn: Turn, agent: Agent, framework: Framework, ending: Ending): void {
  const { reason, message, unreachableAtMs } = ending
  for (const task of [...(agent.tasks.get(framework.id)?.values() ?? [])]) {
    const end = { state: ending.state(framework), reason: reason(framework), message, unreachableAtMs }
    endTask(turn, { agent, framework, task }, end)
  }
}

function removeExecutors(turn: Turn, agent: Agent, framework: Framework): void {
  for (const executor of [...(agent.executors.get(framework.id)?.values() ?? [])]) {
    removeExecutor(turn, agent, framework, executor)
  }
}

/** An agent that was unreachable is marked gone: what was unreachable there has ended. O(frameworks and their unreachable tasks). */
export function endUnreachable(turn: Turn, agentId: string): void {
  const ending = endingOf(turn, '', 'gone')
  for (const framework of turn.state.frameworks.values()) {
    for (const task of [...framework.unreachableTasks.values()]) {
      if (task.agentId !== agentId) continue
      endUnreachableTask(turn, framework, task, {
        ...ending,
        state: ending.state(framework),
        reason: ending.reason(framework),
      })
    }
  }
}

function frameworksOn(turn: Turn, agent: Agent): Framework[] {
  const ids = new Set([...agent.tasks.keys(), ...agent.executors.keys()])
  return [...ids].map((id) => turn.state.frameworks.get(id)!)
}

function closeAgentLink(turn: Turn, agent: Agent, kind: LossKind): void {
  if (agent.linkId === undefined) return
  // An unreachable agent that can still be spoken to comes back by itself when its link closes.
  if (kind !== 'unreachable')
    sendToAgent(turn, agent, { type: 'SHUTDOWN', reason: endingOf(turn, agent.info.hostname, kind).message })
  turn.effects.push({ kind: 'closeLink', linkId: agent.linkId })
  turn.state.links.delete(agent.linkId)
  agent.linkId = undefined
}

function countLoss(turn: Turn, kind: LossKind): void {
  const { counters } = turn.state
  count(counters, 'master/slave_removals')
  if (kind === 'unreachable') {
    count(counters, 'master/slave_unreachable_completed')
    count(counters, 'master/slave_removals/reason_unhealthy')
  } else if (kind === 'replaced') {
    count(counters, 'master/slave_removals/reason_registered')
  } else if (kind !== 'machineDown') {
    // As in Mesos, machines that go down are no reason of their own.
    count(counters, 'master/slave_removals/reason_unregistered')
  }
}
