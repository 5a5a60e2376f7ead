// The bridge's machine: it holds capacity at the master in tasks and tells YARN of it, never more than it holds.
//
//   grow:   ACCEPT(slab) → TASK_RUNNING → setNodeResource(larger)          manager first, then YARN
//   shrink: setNodeResource(smaller) → the RM shows it, and use below it → KILL(slab)      YARN first, then manager
//
// Sizes told to YARN are absolute, so a repeat is harmless: after each look at the RM every node whose size differs from what
// is held is told again; that alone heals a restarted ResourceManager, a NodeManager that registered anew and a lost call.
//
// Read next: decide.ts (what to do), fleet.ts (what tasks and the RM say of NodeManagers), carry-out.ts (decisions as effects),
// recovery.ts (after a restart of the bridge).

import { declineOffers, revive, suppress, teardown } from '@isthmus/core/framework/calls'
import type { FrameworkEffect, FrameworkNotice } from '@isthmus/core/framework/effects'
import { step as stepFramework } from '@isthmus/core/framework/framework'
import type { Decision } from './actions.ts'
import { askForFleet, fleetRead, isOpenForLaunch, watchFleet } from './adoption.ts'
import { agentOffers, carryOut } from './carry-out.ts'
import { factsOf } from './constraints.ts'
import { decide } from './decide.ts'
import { demandOf } from './demand.ts'
import type { BridgeEffect } from './effects.ts'
import type { BridgeEvent } from './events.ts'
import { applySample, applyTaskStatus, sizeAnswered } from './fleet.ts'
import { flex } from './flex.ts'
import { answerHandBacks, handBacksOf } from './hand-back.ts'
import { record } from './history.ts'
import { poolOf } from './pools.ts'
import { recoverFleet } from './recovery.ts'
import { noteRm } from './rm-changes.ts'
import { fits, isNothing, largest, NOTHING, smallest } from './samples.ts'
import type { BridgeState } from './state.ts'
import { saveWishes } from './wishes.ts'

/** Filter of offers that demand could use but did not. */
export const REFUSE_UNDER_DEMAND_SECONDS = 1
/** Filter of offers while nothing is wanted; demand revives at once. */
export const REFUSE_AT_REST_SECONDS = 60
/** Longest pause between two looks while the RM does not answer: the other one of a pair may take over at any moment. */
const SAMPLE_RETRY_MAX_MS = 2_000

/** Applies one event. Changes `state` in place; returns what the world must do, in order. Never throws on input. */
export function step(state: BridgeState, event: BridgeEvent): BridgeEffect[] {
  switch (event.kind) {
    case 'started':
      state.adoption.startedAtMs = event.atMs
      return [
        ...recoverFleet(state, event.tasks, event.executors, event.atMs),
        ...frameworkEffects(state, stepFramework(state.framework, { kind: 'started', atMs: event.atMs }), event.atMs),
        { kind: 'sampleRm' },
      ]
    case 'fleetRead':
      return withEvaluation(state, fleetRead(state, event.tasks, event.executors, event.atMs), event.atMs)
    case 'frameworkEventReceived':
      return frameworkEffects(state, stepFramework(state.framework, event.event), event.atMs)
    case 'rmSampled':
      return sampled(state, event)
    case 'rmFailed':
      return sampleFailed(state, event.message, event.atMs)
    case 'nodeResourceAnswered':
      return resourceAnswered(state, event)
    case 'flexRequested':
      return withEvaluation(state, flex(state, event), event.atMs)
    case 'modeRequested':
      return withEvaluation(state, chooseMode(state, event), event.atMs)
    case 'shutdownRequested':
      return shutDown(state, event.requestId)
    case 'timerFired':
      return [{ kind: 'sampleRm' }]
    default:
      return event satisfies never
  }
}

function chooseMode(state: BridgeState, event: Extract<BridgeEvent, { kind: 'modeRequested' }>): BridgeEffect[] {
  state.policy = { ...state.policy, mode: event.mode }
  state.chosenMode = event.mode
  return [saveWishes(state), { kind: 'answer', requestId: event.requestId }]
}

function withEvaluation(state: BridgeState, effects: BridgeEffect[], atMs: number): BridgeEffect[] {
  return [...effects, ...evaluate(state, atMs)]
}

function sampled(state: BridgeState, event: Extract<BridgeEvent, { kind: 'rmSampled' }>): BridgeEffect[] {
  const { sample, atMs } = event
  const effects: BridgeEffect[] = []
  if (state.rmFailure !== undefined) {
    effects.push({
      kind: 'note',
      level: 'info',
      message: 'resource manager answers again',
      fields: { failures: state.rmFailures },
    })
  }
  state.rmFailure = undefined
  state.rmFailures = 0
  effects.push(...noteRm(state, sample, atMs))
  state.sample = sample
  state.sampledAtMs = atMs
  trackDemand(state, atMs)
  effects.push(
    ...applySample(state, sample, event.beganAtMs ?? atMs, atMs),
    ...watchFleet(state, atMs),
    ...evaluate(state, atMs),
    sampleTimer(state, atMs),
  )
  return effects
}

/** Remembers since when something or nothing waits, and the largest container asked for. */
function trackDemand(state: BridgeState, atMs: number): void {
  const { sample, policy } = state
  if (sample === undefined) return
  const demand = demandOf(sample, policy.maxNodeCapacity)
  if (isNothing(demand.wanted)) {
    state.quietSinceMs ??= atMs
    state.pendingSinceMs = undefined
  } else {
    state.quietSinceMs = undefined
    state.pendingSinceMs ??= atMs
  }
  if (sample.applications.length > 0) {
    state.largestAsked = largest(state.largestAsked, demand.largest)
    state.largestAskedAtMs = atMs
  } else if (atMs - state.largestAskedAtMs >= policy.quietMs) {
    state.largestAsked = NOTHING
  }
}

function sampleFailed(state: BridgeState, message: string, atMs: number): BridgeEffect[] {
  const isNew = state.rmFailure !== message
  state.rmFailure = message
  state.rmFailures += 1
  const effects: BridgeEffect[] = [sampleTimer(state, atMs)]
  if (isNew)
    effects.push({
      kind: 'note',
      level: 'warn',
      message: 'resource manager does not answer',
      fields: { reason: message },
    })
  return effects
}

/** Samples follow each other by the policy's interval; an RM that does not answer is asked less often, every 2 s at least. */
function sampleTimer(state: BridgeState, atMs: number): BridgeEffect {
  const waitMs = Math.min(
    state.policy.sampleIntervalMs * 2 ** Math.min(state.rmFailures, 8),
    Math.max(SAMPLE_RETRY_MAX_MS, state.policy.sampleIntervalMs),
  )
  return { kind: 'setTimer', key: 'sample', timer: { kind: 'sample' }, atMs: atMs + waitMs }
}

function resourceAnswered(
  state: BridgeState,
  event: Extract<BridgeEvent, { kind: 'nodeResourceAnswered' }>,
): BridgeEffect[] {
  const nodeManager = [...state.nodeManagers.values()].find(({ nodeId }) => nodeId === event.nodeId)
  if (nodeManager !== undefined) sizeAnswered(nodeManager, event.size, event.atMs)
  if (event.refusal === undefined) return []
  if (nodeManager !== undefined) nodeManager.advertised = undefined
  const fields = {
    nodeId: event.nodeId,
    memoryMb: event.size.memoryMb,
    vcores: event.size.vcores,
    reason: event.refusal,
  }
  return [{ kind: 'note', level: 'warn', message: 'resource manager refused a node size', fields }]
}

/** Passes the library's effects on and takes in what it tells of offers and tasks. */
export function frameworkEffects(
  state: BridgeState,
  effects: readonly FrameworkEffect[],
  atMs: number,
): BridgeEffect[] {
  return effects.flatMap((effect): BridgeEffect[] => {
    switch (effect.kind) {
      case 'openStream':
      case 'closeStream':
      case 'sendCall':
      case 'setTimer':
      case 'cancelTimer':
        return [{ kind: 'framework', effect }]
      default:
        return noticed(state, effect, atMs)
    }
  })
}

function noticed(state: BridgeState, notice: FrameworkNotice, atMs: number): BridgeEffect[] {
  switch (notice.kind) {
    case 'subscribed':
      state.offersSuppressed = state.framework.suppressedRoles.length > 0
      return [{ kind: 'saveFrameworkId', frameworkId: notice.frameworkId }]
    case 'disconnected':
      state.offerAtMs.clear()
      return [
        { kind: 'note', level: 'warn', message: 'disconnected from the master', fields: { reason: notice.reason } },
      ]
    case 'offersReceived':
      for (const offer of notice.offers) state.offerAtMs.set(offer.id.value, atMs)
      return [...askForFleet(state), ...evaluate(state, atMs)]
    case 'offerRescinded':
      state.offerAtMs.delete(notice.offerId.value)
      return []
    case 'taskUpdated':
      return applyTaskStatus(state, notice.status, atMs)
    case 'failed':
      return [
        {
          kind: 'note',
          level: 'error',
          message: 'the master refuses this framework',
          fields: { reason: notice.message },
        },
        { kind: 'exit', reason: notice.message },
      ]
    case 'callFailed':
      return callFailed(state, notice)
    case 'inverseOffersReceived':
      return [...askForFleet(state), ...evaluate(state, atMs)]
    case 'inverseOfferRescinded':
    case 'operationUpdated':
    case 'messageReceived':
    case 'executorEnded':
    case 'agentLost':
      return []
    default:
      return notice satisfies never
  }
}

/** The next look at the RM asks again for what the master did not take in. */
function callFailed(state: BridgeState, notice: Extract<FrameworkNotice, { kind: 'callFailed' }>): BridgeEffect[] {
  const { type } = notice.call
  if (type === 'REVIVE') state.offersSuppressed = true
  if (type === 'SUPPRESS') state.offersSuppressed = false
  const fields = { call: type, status: notice.status, text: notice.text }
  return [{ kind: 'note', level: 'warn', message: 'the master refused a call', fields }]
}

/** Decides, carries out, and gives back the offers that are not used. */
export function evaluate(state: BridgeState, atMs: number): BridgeEffect[] {
  if (state.isShuttingDown || state.framework.phase !== 'subscribed') return []
  const decision = decide({
    atMs,
    policy: state.policy,
    sample: state.sample,
    sampledAtMs: state.sampledAtMs,
    fleet: [...state.nodeManagers.values()],
    offers: agentOffers(state, atMs),
    isOpenForLaunch: (agentId) => isOpenForLaunch(state, agentId, atMs),
    wantedByProfile: state.wantedByProfile,
    quietSinceMs: state.quietSinceMs,
    pendingSinceMs: state.pendingSinceMs,
    backoffUntilMs: new Map([...state.backoff].map(([agentId, { untilMs }]) => [agentId, untilMs])),
    handBacks: handBacksOf(state),
    largestAsked: state.largestAsked,
  })
  const effects = decision.actions.flatMap((action) => carryOut(state, action, atMs))
  effects.push(...answerHandBacks(state))
  effects.push(...recordHold(state, decision, atMs))
  state.lastDecision = decision
  effects.push(...returnOffers(state, decision, atMs))
  return effects
}

/** A hold is worth a line when its reason is another one than before. */
function recordHold(state: BridgeState, decision: Decision, atMs: number): BridgeEffect[] {
  const action = decision.actions[0]
  if (action?.kind !== 'hold') return []
  const last = state.lastDecision?.actions[0]
  if (last?.kind === 'hold' && last.reason.code === action.reason.code) return []
  return record(state, { atMs, action: 'hold', reason: action.reason })
}

function returnOffers(state: BridgeState, { wantsOffers, demand }: Decision, atMs: number): BridgeEffect[] {
  const calls: FrameworkEffect[] = declineOffers(state.framework, foreignOffers(state), REFUSE_AT_REST_SECONDS)
  const held = [...state.framework.offers.keys()]
  if (wantsOffers) {
    const stale = held.filter((id) => atMs - (state.offerAtMs.get(id) ?? 0) >= state.policy.offerHoldMs)
    calls.push(...declineOffers(state.framework, stale, REFUSE_UNDER_DEMAND_SECONDS))
    const wanted = demand?.wanted ?? NOTHING
    const isMore = !fits(wanted, state.revivedFor)
    if (state.offersSuppressed || isMore) {
      calls.push(...revive(state.framework))
      state.revivedFor = wanted
    }
    state.revivedFor = smallest(state.revivedFor, wanted)
    state.offersSuppressed = false
  } else {
    calls.push(...declineOffers(state.framework, held, REFUSE_AT_REST_SECONDS))
    if (!state.offersSuppressed) calls.push(...suppress(state.framework))
    state.offersSuppressed = true
    state.revivedFor = NOTHING
  }
  for (const id of state.offerAtMs.keys()) if (!state.framework.offers.has(id)) state.offerAtMs.delete(id)
  return frameworkEffects(state, calls, atMs)
}

/** Offers of agents that are in no pool. */
function foreignOffers(state: BridgeState): string[] {
  return [...state.framework.offers.values()]
    .filter((offer) => poolOf(state.policy, factsOf(offer)) === undefined)
    .map(({ id }) => id.value)
}

function shutDown(state: BridgeState, requestId: string | undefined): BridgeEffect[] {
  state.isShuttingDown = true
  const answer: BridgeEffect[] = requestId === undefined ? [] : [{ kind: 'answer', requestId }]
  return [
    ...answer,
    ...teardown(state.framework).map((effect): BridgeEffect => ({ kind: 'framework', effect })),
    { kind: 'exit', reason: 'shut down by an operator' },
  ]
}
