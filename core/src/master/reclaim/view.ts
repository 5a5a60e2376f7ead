/** GET /reclaim and the metrics: who waits for a guarantee, what is being taken back for whom and why, and what ended lately. */

import { negotiation } from '../inverse-offers.ts'
import type { JsonObject } from '../json.ts'
import type { MasterState } from '../state.ts'
import { inUnits } from './amounts.ts'
import type { PastReclaim, Reclaim, ReclaimReason } from './books.ts'
import type { Need } from './need.ts'

/** The page. Times are seconds since 1970, amounts whole units. */
export function reclaimPage(state: MasterState, atMs: number): JsonObject {
  const { options, reclaim } = state
  const terms = options.reclaim
  return {
    time: atMs / 1000,
    enabled: terms !== undefined,
    after: terms && terms.afterMs / 1000,
    notice: terms && terms.noticeMs / 1000,
    max_grace: terms && terms.maxGraceMs / 1000,
    policy: terms?.policy,
    agents_to_come_back: terms && state.recoveredAgents.size,
    needs: [...reclaim.needs].map((need) => needFacts(state, need)),
    active: [...reclaim.active.values()].map((one) => activeFacts(state, one)),
    past: reclaim.past.toArray().map((one) => pastFacts(state, one)),
  }
}

function needFacts({ options, reclaim }: MasterState, need: Need): JsonObject {
  const unmet = reclaim.unmet.get(need.role)
  return {
    role: need.role,
    priority: need.priority,
    guarantee: inUnits(need.guarantees),
    consumed: inUnits(need.consumed),
    missing: inUnits(need.missing),
    since: need.sinceMs / 1000,
    due: (need.sinceMs + (options.reclaim?.afterMs ?? 0)) / 1000,
    waiting_frameworks: need.waiting,
    unmet: unmet && {
      missing: inUnits(unmet.left),
      needed_for_own_guarantee: unmet.spared.atGuarantee,
      of_no_help: unmet.spared.noHelp,
      again: unmet.againAtMs / 1000,
    },
  }
}

function activeFacts(state: MasterState, one: Reclaim): JsonObject {
  const framework = state.frameworks.get(one.frameworkId)
  const answer = framework && negotiation(framework, one.agentId, 'reclaim')?.answer
  const isAnswered = answer !== undefined && answer.offerId === one.inverseOfferId
  return {
    ...whatFacts(state, one),
    phase: one.phase,
    phase_since: one.phaseAtMs / 1000,
    deadline: one.deadlineMs / 1000,
    inverse_offer_id: one.inverseOfferId,
    answer: isAnswered ? (answer.isAccepted ? 'ACCEPTED' : 'DECLINED') : undefined,
    tasks: one.taskIds,
    reason: reasonFacts(one.reason),
  }
}

function pastFacts(state: MasterState, one: PastReclaim): JsonObject {
  return {
    ...whatFacts(state, one),
    phase: one.phase,
    outcome: one.outcome,
    ended: one.endedAtMs / 1000,
    reason: reasonFacts(one.reason),
  }
}

function whatFacts(state: MasterState, one: Reclaim | PastReclaim): JsonObject {
  return {
    kind: one.kind,
    id: one.id,
    framework_id: one.frameworkId,
    framework: (state.frameworks.get(one.frameworkId) ?? state.completedFrameworks.get(one.frameworkId))?.info.name,
    agent_id: one.agentId,
    hostname: state.agents.get(one.agentId)?.info.hostname,
    chosen: one.chosenAtMs / 1000,
  }
}

function reasonFacts(reason: ReclaimReason): JsonObject {
  return {
    code: reason.code,
    text: reason.message,
    role: reason.role,
    for_role: reason.forRole,
    gives: inUnits(reason.gives),
    guarantee: inUnits(reason.guarantees),
    consumed: inUnits(reason.consumed),
    missing: inUnits(reason.missing),
    since: reason.sinceMs / 1000,
    priority: reason.priority,
  }
}

const COUNTERS = [
  'reclaims_started',
  'reclaims_freed',
  'reclaims_stopped',
  'reclaims_spared',
  'reclaims_agent_away',
  'reclaim_tasks_killed',
  'reclaim_executors_shut_down',
]

/** Metrics, when reclaim is on; what was counted goes over the zeros. */
export function reclaimMetrics({ options, reclaim }: MasterState): Record<string, number> {
  if (options.reclaim === undefined) return {}
  return {
    'master/reclaims_active': reclaim.active.size,
    'master/reclaim_roles_waiting': reclaim.sinceMs.size,
    ...Object.fromEntries(COUNTERS.map((name) => [`master/${name}`, 0])),
  }
}
