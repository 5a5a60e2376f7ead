/** An agent's resources in the allocator: its total, and what frameworks hold of it. */

import { subtract, unallocated } from './bag.ts'
import type { Agent, MasterOffer } from './state.ts'
import type { Turn } from './turn.ts'

/**
 * Tells the allocator of an agent with all that its frameworks hold. For an agent it knows already this replaces what it knew, but for what
 * frameworks have refused there; the agent must have no offers then.
 */
export function seatAgent(turn: Turn, agent: Agent): void {
  const { allocator } = turn.state
  const facts = {
    total: agent.total,
    hostname: agent.info.hostname,
    attributes: agent.info.attributes ?? [],
    domain: agent.info.domain,
    capabilities: abilitiesOf(agent),
    used: new Map(agent.usedBy),
  }
  if (!agent.seated) allocator.addAgent(agent.id, { ...facts, active: agent.active })
  else {
    allocator.updateAgent(agent.id, facts)
    if (agent.active) allocator.activateAgent(agent.id)
    else allocator.deactivateAgent(agent.id)
  }
  agent.seated = true
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
