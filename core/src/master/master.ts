/**
 * The master's machine: one event in, what the world must do out. This file decides nothing; it leads to the parts:
 *
 * - scheduler-calls.ts → frameworks.ts, accept.ts → launch.ts → tasks.ts, reconcile.ts, executors.ts, operations.ts
 * - agents.ts (register, messages), agent-return.ts (reregister), agent-loss.ts (ping, disconnect, unreachable, gone)
 * - offers.ts (allocations → offers), inverse-offers.ts, maintenance.ts, operators.ts (operator calls), subscribers.ts (operator stream), registry.ts (durable facts)
 * - reclaim/reclaim.ts takes back what was guaranteed to others
 * - views.ts for everything that only shows the state; invariants.ts for what must always hold.
 *
 * It is not the HTTP server: parsing, negotiation, authentication and encoding are in core/src/io/http.
 */

import { hashKeyFrom } from '../base/keyed-hash.ts'
import { createRandom } from '../base/random.ts'
import { activationStored } from './agent-activation.ts'
import { endUnreachable, loseAgent, pingTimedOut } from './agent-loss.ts'
import { admit, agentConnected, agentLinkClosed, agentMessages } from './agents.ts'
import { awaitAgents, awaitedLost, giveUpAwaited } from './awaited-agents.ts'
import { createMasterCounters } from './counters.ts'
import { settleDraining } from './drain.ts'
import type { MasterEffect } from './effects.ts'
import type { MasterEvent, MasterTimer } from './events.ts'
import { beat, disconnectFramework, removeFramework } from './frameworks.ts'
import { rescindInverseOffer } from './inverse-offers.ts'
import { askAboutAll, askAboutNew, machinesDown, maintenanceScheduled } from './maintenance.ts'
import { allocateBatch, allocateDirty, rescindOffer } from './offers.ts'
import { applyQuota, quotasStored } from './operator-quota.ts'
import { operatorCalled, weightsStored } from './operators.ts'
import type { MasterOptions } from './options.ts'
import { createAllocator } from './policies.ts'
import { createReclaimBooks } from './reclaim/books.ts'
import { checkReclaim } from './reclaim/reclaim.ts'
import { pauseForRecovery } from './recovery-pause.ts'
import { applyRecord, type RegistryRecord, replayRegistry } from './registry.ts'
import { agentsForgotten, scheduleUpkeep, upkeepRegistry } from './registry-upkeep.ts'
import { createRemovals, removalDue } from './removals.ts'
import { schedulerCalled } from './scheduler-calls.ts'
import { SharedFacts } from './shared-facts.ts'
import type { Continuation, MasterState } from './state.ts'
import { beatOperator, forgetSubscriber } from './subscribers.ts'
import { SharedTraits } from './task-record.ts'
import { note, respond, setTimer, type Turn } from './turn.ts'

/** A master that leads from now on; `records` is what the registry holds, oldest first. The first event must be `elected`. */
export function createMaster(options: MasterOptions, records: readonly RegistryRecord[] = []): MasterState {
  const registry = replayRegistry(records)
  for (const [role, weight] of Object.entries(options.weights)) {
    if (!registry.weights.has(role)) registry.weights.set(role, weight)
  }
  const state: MasterState = {
    options,
    registry,
    allocator: createAllocator(options),
    random: createRandom(options.seed),
    hashKey: hashKeyFrom(options.seed),
    frameworks: new Map(),
    completedFrameworks: new Map(),
    agents: new Map(),
    agentsByAddress: new Map(),
    recoveredAgents: new Map([...registry.admitted].map(([id, { info }]) => [id, info])),
    awaitedAgents: registry.admitted.size,
    removals: createRemovals(),
    links: new Map(),
    streams: new Map(),
    subscribers: new Set(),
    offers: new Map(),
    inverseOffers: new Map(),
    unavailable: new Set(),
    askAboutMaintenance: new Set(),
    operations: new Map(),
    draining: new Set(),
    reclaim: createReclaimBooks(),
    recentBags: [],
    sharedTraits: new SharedTraits(),
    sharedFacts: new SharedFacts(),
    commits: new Map(),
    counters: createMasterCounters(),
    nextFramework: 0,
    nextAgent: 0,
    nextOffer: 0,
    nextToken: 1,
    nextLink: 0,
    allocationDue: false,
    allocationPause: undefined,
    abdicated: false,
  }
  state.allocator.updateWeights(Object.fromEntries(registry.weights))
  for (const role of registry.quotas.keys()) applyQuota(state, role)
  return state
}

/** Applies one event. Mutates `state` in place; returns what the world must do, in order. Never throws on bad input. */
export function step(state: MasterState, event: MasterEvent): MasterEffect[] {
  const turn: Turn = { state, atMs: event.atMs, effects: [], records: [], continuations: [] }
  if (state.abdicated) refuse(turn, event)
  else apply(turn, event)
  if (state.draining.size > 0) settleDraining(turn)
  if (state.allocationDue && !state.abdicated) {
    state.allocationDue = false
    allocateDirty(turn)
    askAboutNew(turn)
  }
  flush(turn)
  return turn.effects
}

function apply(turn: Turn, event: MasterEvent): void {
  switch (event.kind) {
    case 'elected':
      elected(turn)
      return
    case 'schedulerCalled':
      schedulerCalled(turn, event)
      return
    case 'operatorCalled':
      operatorCalled(turn, event)
      return
    case 'streamClosed':
      streamClosed(turn, event.streamId)
      return
    case 'agentConnected':
      agentConnected(turn, event)
      return
    case 'agentMessages':
      agentMessages(turn, event)
      return
    case 'agentLinkClosed':
      agentLinkClosed(turn, event.linkId)
      return
    case 'registryCommitted':
      registryCommitted(turn, event.token)
      return
    case 'registryFailed':
      turn.state.abdicated = true
      turn.effects.push({ kind: 'abdicate', reason: `the registry cannot be written: ${event.reason}` })
      return
    case 'timerFired':
      timerFired(turn, event.timer)
      return
    default:
      event satisfies never
  }
}

/** After the registry failed nothing may be promised any more. */
function refuse(turn: Turn, event: MasterEvent): void {
  if ('requestId' in event) respond(turn, event.requestId, 503, 'This master is no longer leading')
}

function elected(turn: Turn): void {
  setTimer(turn, { kind: 'allocation' }, turn.atMs + turn.state.options.allocationIntervalMs)
  pauseForRecovery(turn)
  awaitAgents(turn)
  scheduleUpkeep(turn)
}

function streamClosed(turn: Turn, streamId: string): void {
  const owner = turn.state.streams.get(streamId)
  if (owner === undefined) return
  if (owner.kind === 'operator') {
    forgetSubscriber(turn, streamId)
    return
  }
  const framework = turn.state.frameworks.get(owner.frameworkId)
  if (framework?.streamId === streamId) disconnectFramework(turn, framework)
}

function timerFired(turn: Turn, timer: MasterTimer): void {
  const { state } = turn
  switch (timer.kind) {
    case 'allocation':
      setTimer(turn, timer, turn.atMs + state.options.allocationIntervalMs)
      allocateBatch(turn)
      askAboutAll(turn)
      checkReclaim(turn)
      return
    case 'allocationRest':
      state.allocationDue = true
      return
    case 'heartbeat': {
      const owner = state.streams.get(timer.streamId)
      if (owner?.kind === 'operator') {
        beatOperator(turn, timer.streamId)
        return
      }
      const framework = owner && state.frameworks.get(owner.frameworkId)
      if (framework?.streamId === timer.streamId) beat(turn, framework)
      return
    }
    case 'agentPing': {
      const agent = state.agents.get(timer.agentId)
      if (agent !== undefined) pingTimedOut(turn, agent)
      return
    }
    case 'frameworkFailover': {
      const framework = state.frameworks.get(timer.frameworkId)
      if (framework === undefined || framework.streamId !== undefined) return
      removeFramework(turn, framework, 'not back within its failover timeout')
      return
    }
    case 'offerTimeout': {
      const offer = state.offers.get(timer.offerId)
      if (offer !== undefined) rescindOffer(turn, offer)
      return
    }
    case 'inverseOfferTimeout': {
      const inverseOffer = state.inverseOffers.get(timer.inverseOfferId)
      if (inverseOffer !== undefined) rescindInverseOffer(turn, inverseOffer)
      return
    }
    case 'agentReregister':
      giveUpAwaited(turn)
      return
    case 'agentRemoval':
      removalDue(turn)
      return
    case 'registryUpkeep':
      upkeepRegistry(turn)
      return
    default:
      timer satisfies never
  }
}

function registryCommitted(turn: Turn, token: number): void {
  const pending = turn.state.commits.get(token)
  if (pending === undefined) return
  turn.state.commits.delete(token)
  for (const record of pending.records) applyRecord(turn.state.registry, record)
  for (const continuation of pending.continuations) resume(turn, continuation)
}

function resume(turn: Turn, then: Continuation): void {
  const { state } = turn
  switch (then.kind) {
    case 'admitAgent':
      admit(turn, then)
      return
    case 'agentUnreachable': {
      awaitedLost(turn, then.agentId)
      const agent = state.agents.get(then.agentId)
      if (agent?.leaving === true) loseAgent(turn, agent, 'unreachable')
      return
    }
    case 'agentLeft': {
      const agent = state.agents.get(then.agentId)
      if (agent !== undefined) loseAgent(turn, agent, 'unregistered')
      return
    }
    case 'agentGone': {
      state.recoveredAgents.delete(then.agentId)
      const agent = state.agents.get(then.agentId)
      if (agent !== undefined) loseAgent(turn, agent, 'gone')
      endUnreachable(turn, then.agentId)
      if (then.requestId !== undefined) respond(turn, then.requestId, 200)
      return
    }
    case 'agentsForgotten':
      agentsForgotten(turn, then.unreachable, then.gone)
      return
    case 'agentActivation':
      activationStored(turn, then.agentId, then.requestId)
      return
    case 'maintenanceScheduled':
      maintenanceScheduled(turn, then.requestId)
      return
    case 'machinesDown':
      machinesDown(turn, then)
      return
    case 'machineLeft': {
      const agent = state.agents.get(then.agentId)
      if (agent?.leaving === true) loseAgent(turn, agent, 'machineDown')
      return
    }
    case 'weights':
      weightsStored(turn, then.roles, then.requestId)
      return
    case 'quotas':
      quotasStored(turn, then.roles, then.requestId)
      return
    default:
      then satisfies never
  }
}

/** One write for all records of the turn. */
function flush(turn: Turn): void {
  if (turn.continuations.length === 0) return
  const { records, continuations, state } = turn
  if (state.abdicated) {
    note(turn, 'error', 'records dropped after the registry failed', { count: records.length })
    return
  }
  const token = state.nextToken++
  state.commits.set(token, { records, continuations })
  turn.effects.push({ kind: 'commitRegistry', records, token })
}
