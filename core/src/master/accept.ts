/** ACCEPT and DECLINE: from offers to operations, in their order, and what is left goes back to the pool with a filter. */

import type { OfferOperation } from '@isthmus/proto/gen/mesos'
import type { CallAccept, CallDecline } from '@isthmus/proto/gen/scheduler'
import type { Acceptance } from './acceptance.ts'
import { addAll, isEmpty, subtract } from './bag.ts'
import { count } from './counters.ts'
import { launchGroup, launchTasks } from './launch.ts'
import { masterStatus } from './messages.ts'
import { discardOffer, ownOffers, refuseMs, takeOffer } from './offers.ts'
import { applyOperation, dropOperation } from './operations.ts'
import type { Framework, MasterOffer } from './state.ts'
import { countEnd } from './tasks.ts'
import { sendEvent, type Turn } from './turn.ts'

/** DECLINE: unknown offers are ignored. */
export function decline(turn: Turn, framework: Framework, call: CallDecline): void {
  count(turn.state.counters, 'master/messages_decline_offers')
  for (const offer of ownOffers(turn, framework, call.offer_ids)) {
    count(framework.counters, 'offers/declined')
    discardOffer(turn, offer, refuseMs(call.filters))
  }
}

/** ACCEPT: all offers valid, or every operation is answered with why not. */
export function accept(turn: Turn, framework: Framework, call: CallAccept): void {
  const operations = call.operations ?? []
  for (const { type } of operations) {
    if (type === 'LAUNCH' || type === 'LAUNCH_GROUP') count(turn.state.counters, 'master/messages_launch_tasks')
    count(framework.counters, 'operations')
    count(framework.counters, `operations/${(type ?? 'UNKNOWN').toLowerCase()}`)
  }
  const offers = ownOffers(turn, framework, call.offer_ids)
  const error = offersError(turn, framework, call)
  if (error !== undefined || offers.length === 0) {
    for (const offer of offers) discardOffer(turn, offer)
    for (const operation of operations) refuseOperation(turn, framework, operation, error ?? 'No offers specified')
    return
  }
  count(framework.counters, 'offers/accepted', offers.length)
  for (const offer of offers) takeOffer(turn, offer)
  const offered = addAll(offers.map(({ resources }) => resources))
  const acceptance: Acceptance = {
    framework,
    agent: turn.state.agents.get(offers[0]!.agentId)!,
    role: offers[0]!.role,
    remaining: offered,
    shared: offered.shared(),
  }
  for (const operation of operations) performOperation(turn, acceptance, operation)
  giveBackRest(turn, acceptance, { offered, refuseMs: refuseMs(call.filters) })
}

/** What no operation took is declined with the filters of the call; what operations made of it is offered again at once. */
function giveBackRest(
  turn: Turn,
  { framework, agent, remaining }: Acceptance,
  by: { readonly offered: Acceptance['remaining']; readonly refuseMs: number },
): void {
  const { allocator } = turn.state
  const made = subtract(remaining, by.offered)
  const declined = subtract(remaining, made)
  if (!isEmpty(made)) allocator.recoverResources(framework.id, agent.id, made, undefined, turn.atMs)
  if (isEmpty(declined)) return
  allocator.recoverResources(framework.id, agent.id, declined, { refuseMs: by.refuseMs }, turn.atMs)
}

function offersError(turn: Turn, framework: Framework, call: CallAccept): string | undefined {
  const ids = (call.offer_ids ?? []).map(({ value }) => value)
  if (ids.length === 0) return 'No offers specified'
  const twice = ids.find((id, index) => ids.indexOf(id) !== index)
  if (twice !== undefined) return `Duplicate offer ${twice} in offer list`
  const offers: MasterOffer[] = []
  for (const id of ids) {
    const offer = turn.state.offers.get(id)
    if (offer === undefined) return `Offer ${id} is no longer valid`
    offers.push(offer)
  }
  const foreign = offers.find(({ frameworkId }) => frameworkId !== framework.id)
  if (foreign === undefined) return aggregationError(offers)
  return `Offer ${foreign.id} has invalid framework ${foreign.frameworkId} while framework ${framework.id} is expected`
}

function aggregationError(offers: readonly MasterOffer[]): string | undefined {
  const first = offers[0]!
  const role = offers.find((offer) => offer.role !== first.role)
  if (role !== undefined) {
    return `Aggregated offers must be allocated to the same role. Offer ${first.id} uses role '${first.role}' but another offer uses role '${role.role}'`
  }
  const agent = offers.find((offer) => offer.agentId !== first.agentId)
  if (agent === undefined) return undefined
  return `Aggregated offers must belong to one single agent. Offer ${first.id} uses agent ${first.agentId} and offer ${agent.id} uses agent ${agent.agentId}`
}

function performOperation(turn: Turn, acceptance: Acceptance, operation: OfferOperation): void {
  if (operation.type === 'LAUNCH' && operation.launch !== undefined) {
    launchTasks(turn, acceptance, operation)
  } else if (operation.type === 'LAUNCH_GROUP' && operation.launch_group !== undefined) {
    launchGroup(turn, acceptance, operation)
  } else {
    applyOperation(turn, acceptance, operation)
  }
}

/** Answers an operation on offers that are not valid. */
function refuseOperation(turn: Turn, framework: Framework, operation: OfferOperation, error: string): void {
  const tasks = operation.launch?.task_infos ?? operation.launch_group?.task_group.tasks ?? []
  const isLaunch = operation.type === 'LAUNCH' || operation.type === 'LAUNCH_GROUP'
  if (!isLaunch) {
    dropOperation(turn, framework, operation, `Operation attempted with invalid offers: ${error}`)
    return
  }
  for (const task of tasks) {
    const state = framework.capabilities.partitionAware ? 'TASK_DROPPED' : 'TASK_LOST'
    const status = masterStatus(turn.atMs, {
      taskId: task.task_id.value,
      agentId: task.agent_id.value,
      state,
      reason: 'REASON_INVALID_OFFERS',
      message: `Task launched with invalid offers: ${error}`,
    })
    countEnd(turn, framework, state, status)
    sendEvent(turn, framework, { type: 'UPDATE', update: { status } })
  }
}
