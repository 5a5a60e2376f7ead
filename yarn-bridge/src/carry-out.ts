// Turns the actions of a decision into effects and keeps the bridge's history.

import { acceptOffers, type Launch } from '@isthmus/core/framework/calls'
import { OfferPool } from '@isthmus/core/framework/offers'
import type { Offer } from '@isthmus/proto/gen/mesos'
import type { Action, AgentOffer, Reason } from './actions.ts'
import { factsOf } from './constraints.ts'
import { PORTS_PER_NODE_MANAGER } from './decide.ts'
import type { BridgeEffect, DecisionRecord } from './effects.ts'
import { beginDrain, cancelDrain } from './fleet.ts'
import { record } from './history.ts'
import { held, type NodeManager, type Slab, type StopReason } from './node-manager.ts'
import { poolOf } from './pools.ts'
import { minus, type YarnResource } from './samples.ts'
import type { BridgeState } from './state.ts'
import { baseNeeds, baseTask, EXECUTOR_NEEDS, executorInfo, slabResources, slabSizes, slabTask } from './task.ts'

/** What an ACCEPT leaves over is wanted again soon: more of the same demand may come. */
const LEFTOVER_REFUSE_SECONDS = 1

/** Why a NodeManager that is drained will be stopped, by the reason of the drain. */
const STOP_REASONS: Partial<Record<Reason['code'], StopReason>> = {
  FLEXDOWN: 'flexdown',
  MAINTENANCE: 'maintenance',
  RECLAIM: 'reclaim',
}

/** The offers held, one row for each agent that is in a pool. */
export function agentOffers(state: BridgeState, atMs: number): AgentOffer[] {
  const byAgent = new Map<string, Offer[]>()
  for (const offer of state.framework.offers.values()) {
    const list = byAgent.get(offer.agent_id.value) ?? []
    list.push(offer)
    byAgent.set(offer.agent_id.value, list)
  }
  return [...byAgent].flatMap(([agentId, offers]) => {
    const pool = new OfferPool(offers)
    const facts = offers[0] === undefined ? {} : factsOf(offers[0])
    const poolName = poolOf(state.policy, facts)
    if (poolName === undefined) return []
    return {
      agentId,
      hostname: offers[0]?.hostname ?? '',
      offerIds: offers.map(({ id }) => id.value),
      cpus: pool.scalar('cpus'),
      memoryMb: pool.scalar('mem'),
      diskMb: pool.scalar('disk'),
      portCount: pool.portCount,
      facts,
      unavailableFromMs: unavailableFromMs(offers, atMs),
      pool: poolName,
    }
  })
}

/** The effects of one action; the NodeManagers concerned change with it. */
export function carryOut(state: BridgeState, action: Action, atMs: number): BridgeEffect[] {
  switch (action.kind) {
    case 'launch':
      return launch(state, action, atMs)
    case 'grow':
      return grow(state, action, atMs)
    case 'shrink':
      return shrink(state, action, atMs)
    case 'drain': {
      const nodeManager = state.nodeManagers.get(action.nodeManagerId)
      if (nodeManager === undefined) return []
      nodeManager.deadlineMs = action.deadlineMs
      const stopReason = STOP_REASONS[action.reason.code] ?? 'idle'
      return [
        ...recordAction(state, action, nodeManager, held(nodeManager), atMs),
        ...beginDrain(state, nodeManager, stopReason, atMs),
      ]
    }
    case 'undrain': {
      const nodeManager = state.nodeManagers.get(action.nodeManagerId)
      if (nodeManager === undefined) return []
      return [
        ...recordAction(state, action, nodeManager, held(nodeManager), atMs),
        ...cancelDrain(state, nodeManager, atMs),
      ]
    }
    case 'hold':
      return []
    default:
      return action satisfies never
  }
}

function launch(state: BridgeState, action: Extract<Action, { kind: 'launch' }>, atMs: number): BridgeEffect[] {
  const pool = new OfferPool(offersOf(state, action.offer))
  const base = pool.take(baseNeeds(state.policy, PORTS_PER_NODE_MANAGER))
  const own = pool.take(EXECUTOR_NEEDS)
  const id = `nm-${state.nextSequence.toString(36)}`
  const [nodeManagerPort, localizer, web] = base?.ports ?? []
  if (
    base === undefined ||
    own === undefined ||
    nodeManagerPort === undefined ||
    localizer === undefined ||
    web === undefined
  )
    return []
  state.nextSequence += 1
  const nodeManager: NodeManager = {
    id,
    agentId: action.offer.agentId,
    hostname: action.offer.hostname,
    nodeId: `${action.offer.hostname}:${nodeManagerPort}`,
    executor: executorInfo(id, state.framework.frameworkId, own.resources),
    ports: { nodeManager: nodeManagerPort, localizer, web },
    profile: action.profile,
    constraint: action.constraint,
    pool: action.offer.pool,
    baseTaskId: id,
    launchedAtMs: atMs,
    phase: 'launching',
    phaseSinceMs: atMs,
    slabs: new Map(),
    advertised: undefined,
    advertisedAtMs: atMs,
    armed: false,
    shrinkTo: undefined,
    deadlineMs: undefined,
    stopReason: undefined,
    everRegistered: false,
    registeredAtMs: atMs,
    missingSinceMs: undefined,
    settledAtMs: atMs,
    mustRearm: false,
    beingTold: undefined,
    answeredAtMs: 0,
    usePeaks: [],
    isUnreachable: false,
    baseEnded: false,
  }
  const slabs = cutSlabs(state, nodeManager, pool, action.capacity)
  if (slabs === undefined) return []
  const { template, policy } = state
  const task = baseTask({ nodeManager, capacity: action.capacity, template, policy, resources: base.resources })
  const launches: Launch[] = [{ kind: 'group', executor: nodeManager.executor, tasks: [task] }, ...slabs]
  state.nodeManagers.set(id, nodeManager)
  state.pendingSinceMs = state.pendingSinceMs === undefined ? undefined : atMs
  return [...accept(state, action.offer, launches), ...recordAction(state, action, nodeManager, action.capacity, atMs)]
}

function grow(state: BridgeState, action: Extract<Action, { kind: 'grow' }>, atMs: number): BridgeEffect[] {
  const nodeManager = state.nodeManagers.get(action.nodeManagerId)
  if (nodeManager === undefined) return []
  const slabs = cutSlabs(state, nodeManager, new OfferPool(offersOf(state, action.offer)), action.by)
  if (slabs === undefined) return []
  if (nodeManager.phase === 'shrinking') {
    nodeManager.phase = 'serving'
    nodeManager.phaseSinceMs = atMs
    nodeManager.shrinkTo = undefined
  }
  state.pendingSinceMs = state.pendingSinceMs === undefined ? undefined : atMs
  return [...accept(state, action.offer, slabs), ...recordAction(state, action, nodeManager, action.by, atMs)]
}

/** Cuts slabs out of the pool and enters them as launching; undefined when the pool is too small, and nothing is entered. */
function cutSlabs(
  state: BridgeState,
  nodeManager: NodeManager,
  pool: OfferPool,
  capacity: YarnResource,
): Launch[] | undefined {
  const cut: { slab: Slab; launch: Launch }[] = []
  for (const size of slabSizes(capacity, state.policy.memoryStepMb)) {
    const slab: Slab = {
      taskId: `${nodeManager.id}.slab-${(state.nextSequence + cut.length).toString(36)}`,
      size,
      phase: 'launching',
    }
    const resources = slabResources(pool, size)
    if (resources === undefined) return undefined
    cut.push({
      slab,
      launch: { kind: 'group', executor: nodeManager.executor, tasks: [slabTask(nodeManager, slab, resources)] },
    })
  }
  state.nextSequence += cut.length
  for (const { slab } of cut) nodeManager.slabs.set(slab.taskId, slab)
  return cut.map(({ launch }) => launch)
}

function accept(state: BridgeState, offer: AgentOffer, launches: readonly Launch[]): BridgeEffect[] {
  const filters = { refuse_seconds: LEFTOVER_REFUSE_SECONDS }
  const accepted = acceptOffers(state.framework, { offerIds: offer.offerIds, launches, filters })
  if (accepted.ok) return accepted.value.map((effect): BridgeEffect => ({ kind: 'framework', effect }))
  const fields = { ...accepted.rejection }
  return [{ kind: 'note', level: 'warn', message: 'an offer was gone before it could be accepted', fields }]
}

function shrink(state: BridgeState, action: Extract<Action, { kind: 'shrink' }>, atMs: number): BridgeEffect[] {
  const nodeManager = state.nodeManagers.get(action.nodeManagerId)
  if (nodeManager === undefined) return []
  nodeManager.phase = 'shrinking'
  nodeManager.phaseSinceMs = atMs
  nodeManager.shrinkTo = action.to
  nodeManager.deadlineMs = action.deadlineMs
  return recordAction(state, action, nodeManager, minus(held(nodeManager), action.to), atMs)
}

/** When the maintenance of an agent begins; undefined when there is none or it is over. */
function unavailableFromMs(offers: readonly Offer[], atMs: number): number | undefined {
  for (const { unavailability } of offers) {
    if (unavailability === undefined) continue
    const startMs = Number(unavailability.start.nanoseconds) / 1e6
    const { duration } = unavailability
    const endMs = duration === undefined ? Number.POSITIVE_INFINITY : startMs + Number(duration.nanoseconds) / 1e6
    if (endMs > atMs) return startMs
  }
  return undefined
}

function offersOf(state: BridgeState, offer: AgentOffer): Offer[] {
  return offer.offerIds.flatMap((id) => state.framework.offers.get(id) ?? [])
}

function recordAction(
  state: BridgeState,
  action: { readonly kind: DecisionRecord['action']; readonly reason: Reason },
  nodeManager: NodeManager,
  size: YarnResource,
  atMs: number,
): BridgeEffect[] {
  return record(state, {
    atMs,
    action: action.kind,
    nodeManagerId: nodeManager.id,
    hostname: nodeManager.hostname,
    size,
    reason: action.reason,
  })
}
