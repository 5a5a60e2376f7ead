/** What must hold after every step. For tests and the simulator: O(everything). */

import { Allocator, checkAllocator } from '../allocator/allocator.ts'
import { assert } from '../base/assert.ts'
import { addAll, type Bag, contains, sameBag, unallocated } from './bag.ts'
import { machineKey, sameUnavailability } from './machines.ts'
import { holdsResources } from './messages.ts'
import { checkReclaims } from './reclaim/invariants.ts'
import { addSums, roleSums, sumsOf } from './role-sums.ts'
import type { Agent, Framework, MasterState } from './state.ts'

/** Throws when the state contradicts itself. */
export function checkInvariants(state: MasterState): void {
  for (const agent of state.agents.values()) checkAgent(state, agent)
  for (const framework of state.frameworks.values()) checkFramework(state, framework)
  for (const framework of state.completedFrameworks.values()) checkCompleted(state, framework)
  checkOffers(state)
  checkInverseOffers(state)
  checkMaintenance(state)
  checkReclaims(state)
  checkRegistry(state)
  checkConnections(state)
  checkBounds(state)
  if (state.allocator instanceof Allocator) checkAllocator(state.allocator)
  if (state.registry.quotas.size > 0) checkQuotas(state)
}

function checkAgent(state: MasterState, agent: Agent): void {
  const offered = [...agent.offers].map((id) => {
    const offer = state.offers.get(id)
    assert(offer?.agentId === agent.id, `offer ${id} of agent ${agent.id} is in the books`)
    return offer.resources
  })
  assert(agent.active || offered.length === 0, 'an inactive agent has no offers')
  const taken = unallocated(addAll([...agent.usedBy.values(), ...offered]))
  // Tasks may hold more than is oversubscribed now: estimates shrink.
  const kept = taken.nonRevocable().withSingleCopies()
  assert(contains(agent.total, kept), `agent ${agent.id} has what is allocated and offered of it`)
  const spare = agent.total.revocable().minus(unallocated(addAll(agent.usedBy.values())).revocable())
  const promised = unallocated(addAll(offered)).revocable()
  assert(contains(spare, promised), `agent ${agent.id} has what is offered of it revocably`)
  for (const [frameworkId, tasks] of agent.tasks) {
    assert(tasks.size > 0, 'an agent keeps no empty task lists')
    for (const [id, task] of tasks) {
      assert(state.frameworks.get(frameworkId)?.tasks.get(id) === task, `task ${id} is known to its framework`)
    }
  }
  for (const [frameworkId, executors] of agent.executors) {
    for (const [id, executor] of executors) {
      const known = state.frameworks.get(frameworkId)?.executors.get(agent.id)?.get(id)
      assert(known === executor, `executor ${id} is known to its framework`)
    }
  }
  for (const [frameworkId, used] of agent.usedBy) {
    assert(sameBag(used, heldOn(agent, frameworkId)), `what ${frameworkId} uses on ${agent.id} is the sum of its parts`)
    assert(state.frameworks.get(frameworkId)?.usedOn.get(agent.id) === used, 'use is indexed both ways')
  }
  if (agent.linkId === undefined) assert(!agent.active, 'a disconnected agent is not active')
  else assert(state.links.get(agent.linkId) === agent.id, 'a link knows its agent')
}

function heldOn(agent: Agent, frameworkId: string): Bag {
  const tasks = [...(agent.tasks.get(frameworkId)?.values() ?? [])].filter(({ state }) => holdsResources(state))
  const executors = [...(agent.executors.get(frameworkId)?.values() ?? [])]
  const strays = [...agent.strays.values()].filter((stray) => stray.frameworkId === frameworkId)
  return addAll([...tasks, ...executors, ...strays].map(({ resources }) => resources))
}

function checkFramework(state: MasterState, framework: Framework): void {
  assert(!state.completedFrameworks.has(framework.id), 'a framework is either running or completed')
  for (const [id, task] of framework.tasks) {
    const known = state.agents.get(task.agentId)?.tasks.get(framework.id)?.get(id)
    assert(known === task, `task ${id} is known to its agent`)
    assert(!framework.unreachableTasks.has(id), `task ${id} is reachable or not`)
  }
  for (const { id, agentId } of framework.unreachableTasks.values()) {
    assert(!state.agents.has(agentId), `task ${id} is unreachable, so its agent is not there`)
  }
  for (const [agentId, executors] of framework.executors) {
    for (const [id, executor] of executors) {
      const known = state.agents.get(agentId)?.executors.get(framework.id)?.get(id)
      assert(known === executor, `executor ${id} is known to its agent`)
    }
  }
  for (const [agentId, used] of framework.usedOn) {
    assert(state.agents.get(agentId)?.usedBy.get(framework.id) === used, 'use is indexed both ways')
  }
  for (const id of framework.offers) {
    assert(state.offers.get(id)?.frameworkId === framework.id, `offer ${id} of its framework is in the books`)
  }
  if (framework.streamId === undefined) {
    assert(!framework.active && framework.offers.size === 0, 'a disconnected framework has no offers')
    return
  }
  const owner = state.streams.get(framework.streamId)
  assert(owner?.kind === 'scheduler' && owner.frameworkId === framework.id, 'a stream knows its framework')
}

function checkCompleted(state: MasterState, framework: Framework): void {
  assert(framework.tasks.size === 0 && framework.executors.size === 0, 'a completed framework runs nothing')
  assert(framework.offers.size === 0 && framework.usedOn.size === 0, 'a completed framework holds nothing')
  assert(framework.streamId === undefined, 'a completed framework is not connected')
  assert(framework.unregisteredAtMs > 0 || state.options.startAtMs === 0, 'a completed framework has an end')
}

function checkOffers(state: MasterState): void {
  for (const [id, offer] of state.offers) {
    const framework = state.frameworks.get(offer.frameworkId)
    assert(framework?.offers.has(id) === true, `offer ${id} is known to its framework`)
    assert(framework.roles.has(offer.role), `offer ${id} is for a role its framework has`)
    assert(state.agents.get(offer.agentId)?.offers.has(id) === true, `offer ${id} is known to its agent`)
  }
}

function checkInverseOffers(state: MasterState): void {
  const asked = new Set<string>()
  for (const [id, { frameworkId, agentId, kind }] of state.inverseOffers) {
    const framework = state.frameworks.get(frameworkId)
    const agent = state.agents.get(agentId)
    assert(!state.offers.has(id), 'an id is an offer’s or an inverse offer’s')
    assert(framework?.inverseOffers.has(id) === true, `inverse offer ${id} is known to its framework`)
    assert(agent?.inverseOffers.has(id) === true, `inverse offer ${id} is known to its agent`)
    assert(framework.streamId !== undefined && agent.active, 'inverse offers are between active ones')
    assert(framework.negotiations[kind].get(agentId)?.offerId === id, 'an inverse offer is negotiated')
    asked.add(id)
  }
  for (const { inverseOffers, negotiations } of state.frameworks.values()) {
    for (const id of inverseOffers) assert(asked.has(id), `inverse offer ${id} of a framework is in the books`)
    for (const [agentId, { offerId }] of [...negotiations.maintenance, ...negotiations.reclaim]) {
      assert(state.agents.has(agentId), `what is negotiated is about an agent in the books: ${agentId}`)
      assert(offerId === undefined || inverseOffers.has(offerId), 'a negotiation knows what is outstanding')
    }
  }
  for (const { inverseOffers } of state.agents.values()) {
    for (const id of inverseOffers) assert(asked.has(id), `inverse offer ${id} of an agent is in the books`)
  }
}

function checkMaintenance(state: MasterState): void {
  const { machines } = state.registry.maintenance
  const leaving = leavingAgents(state)
  for (const agent of state.agents.values()) {
    const machine = machines.get(machineKey({ hostname: agent.info.hostname, ip: agent.ip }))
    assert(sameUnavailability(agent.unavailability, machine?.unavailability), 'an agent knows the schedule')
    assert(state.unavailable.has(agent.id) === (machine !== undefined), 'agents of the schedule are listed')
    assert(machine?.mode !== 'DOWN' || agent.leaving, 'nothing stays on a machine that is down')
    assert(!agent.leaving || leaving.has(agent.id), 'an agent that leaves waits for a write')
  }
  for (const id of state.unavailable) assert(state.agents.has(id), `unavailable agent ${id} is in the books`)
  for (const { kind, agentId, unavailability } of state.inverseOffers.values()) {
    if (kind !== 'maintenance') continue
    const wanted = state.agents.get(agentId)?.unavailability
    assert(wanted !== undefined && sameUnavailability(unavailability, wanted), 'inverse offers say what is scheduled')
  }
}

/** Who is in the books is admitted, and who is awaited is not in the books. */
function checkRegistry(state: MasterState): void {
  const { admitted, gone, unreachable } = state.registry
  for (const { id, leaving } of state.agents.values()) {
    assert(leaving || admitted.has(id), `agent ${id} in the books is admitted`)
    assert(!state.recoveredAgents.has(id), `agent ${id} in the books is not awaited`)
  }
  for (const id of admitted.keys()) {
    assert(!gone.has(id) && !unreachable.has(id), `agent ${id} is admitted, unreachable or gone`)
  }
  for (const id of state.removals.waiting) {
    const agent = state.agents.get(id)
    assert(agent === undefined ? state.recoveredAgents.has(id) : !agent.leaving, `agent ${id} can still be given up`)
  }
  assert(state.removals.waiting.size === 0 || state.options.agentRemovalRate !== undefined, 'who waits has a reason')
}

/** The agents that a write under way takes away. */
function leavingAgents(state: MasterState): Set<string> {
  const ids = new Set<string>()
  for (const { continuations } of state.commits.values()) {
    for (const then of continuations) {
      if (then.kind === 'machinesDown') for (const id of then.agentIds) ids.add(id)
      if ('agentId' in then) ids.add(then.agentId)
    }
  }
  return ids
}

/** What the pages say that a role consumes is what the allocator counts against its quota. */
function checkQuotas(state: MasterState): void {
  const sums = roleSums(state)
  for (const role of state.registry.quotas.keys()) {
    const quota = state.allocator.describeRole(role).quota
    if (quota === undefined) continue
    const { consumed, offeredPlain } = sumsOf(sums, role)
    const taken = addSums(consumed, offeredPlain)
    for (const name of ['cpus', 'mem', 'disk']) {
      assert((quota.consumed[name] ?? 0) === (taken[name] ?? 0), `what ${role} consumes of ${name} is counted alike`)
    }
  }
}

function checkConnections(state: MasterState): void {
  for (const [id, owner] of state.streams) {
    if (owner.kind === 'operator') assert(state.subscribers.has(id), 'an operator stream is a subscriber')
    else assert(state.frameworks.get(owner.frameworkId)?.streamId === id, 'a scheduler stream is its framework’s')
  }
  for (const [id, agentId] of state.links) {
    if (agentId !== undefined) assert(state.agents.get(agentId)?.linkId === id, 'a link is its agent’s')
  }
  for (const [address, id] of state.agentsByAddress) {
    assert(state.agents.has(id), `the agent at ${address} is in the books`)
  }
}

function checkBounds(state: MasterState): void {
  const { options } = state
  assert(state.completedFrameworks.size <= options.maxCompletedFrameworks, 'completed frameworks are a ring')
  assert(state.subscribers.size <= options.maxOperatorEventStreamSubscribers, 'subscribers are bounded')
  for (const framework of [...state.frameworks.values(), ...state.completedFrameworks.values()]) {
    assert(framework.completedTasks.length <= options.maxCompletedTasksPerFramework, 'completed tasks are a ring')
    assert(framework.unreachableTasks.size <= options.maxUnreachableTasksPerFramework, 'unreachable tasks are a ring')
  }
}
