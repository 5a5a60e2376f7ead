/**
 * Oversubscription: an agent says how much of what others were given, but do not use, may be given again as revocable resources.
 *
 * Source: Master::updateSlave of Mesos 1.11.
 */

import type { AgentMessageUpdateResources } from '@isthmus/proto/gen/agent-link'
import { bagOf, textOf, validateResources } from './bag.ts'
import { count } from './counters.ts'
import { rescindOffer } from './offers.ts'
import type { Agent } from './state.ts'
import { sharedBag } from './task-record.ts'
import { note, type Turn } from './turn.ts'

/**
 * UPDATE_RESOURCES: the revocable part of the agent's total is replaced. Offers that hold revocable resources of the agent are rescinded
 * first: they were made of another estimate. The rest of the total is not the agent's to say; reservations and volumes are known here
 * before the agent knows them.
 *
 * Tasks may hold more than the new estimate: the agent has not seen those yet that are on their way to it.
 */
export function oversubscribed(turn: Turn, agent: Agent, { resources = [] }: AgentMessageUpdateResources): void {
  const { state } = turn
  count(state.counters, 'master/messages_update_slave')
  const problem = validateResources(resources)
  if (problem !== undefined) {
    note(turn, 'warn', 'oversubscribed resources ignored', { agentId: agent.id, reason: problem })
    return
  }
  const revocable = bagOf(resources).unallocate().revocable()
  if (revocable.equals(agent.total.revocable())) return
  for (const id of [...agent.offers]) {
    const offer = state.offers.get(id)!
    if (!offer.resources.revocable().isEmpty) rescindOffer(turn, offer)
  }
  agent.total = sharedBag(state, agent.total.nonRevocable().plus(revocable))
  state.allocator.updateAgent(agent.id, { total: agent.total })
  state.allocationDue = true
  note(turn, 'info', 'oversubscribed resources changed', { agentId: agent.id, revocable: textOf(revocable) })
}
