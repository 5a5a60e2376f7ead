/** An agent's resources in the allocator: its total, and what frameworks hold of it. */

import { subtract, unallocated } from './bag.ts'
import type { Agent, MasterOffer } from './state.ts'
import type { Turn } from './turn.ts'

/**
 * Tells the allocator of an agent with all that its frameworks hold. For an agent it knows already this replaces what it knew;
 * the agent must have no offers then.
 */
export function seatAgent(turn: Turn, agent: Agent): void {
  const { allocator } = turn.state
  if (agent.seated) allocator.removeAgent(agent.id)
  agent.seated = true
  allocator.addAgent(agent.id, {
    total: agent.total,
    attributes: agent.info.attributes ?? [],
    domain: agent.info.domain,
    capabilities: abilitiesOf(agent),
    used: new Map(agent.usedBy),
    active: agent.active,
  })
  turn.state.allocationDue = true
}

function abilitiesOf(agent: Agent) {
  const types = new Set(agent.capabilities.map(({ type }) => type))
  return {
    multiRole: types.has('MULTI_ROLE'),
    hierarchicalRole: types.has('HIERARCHICAL_ROLE'),
    reservationRefinement: types.has('RESERVATION_REFINEMENT'),
  }
}

/** What nobody holds: neither tasks and executors nor offers. */
export function freeOf(turn: Turn, agent: Agent): MasterOffer['resources'] {
  let free = agent.total
  for (const used of agent.usedBy.values()) free = subtract(free, unallocated(used))
  for (const id of agent.offers) free = subtract(free, unallocated(turn.state.offers.get(id)!.resources))
  return free
}
