/**
 * Reclaim: a role below its guarantee for longer than --reclaim_after gets back what others hold beyond theirs. docs/adr/0007-reclaim.md
 * says why so.
 *
 * ```
 * checkReclaim (with the batch allocation, at most once a second)
 *   pool.ts        who is below a guarantee, what is free for whom     ─ need.ts   since when
 *   release        what is gone, or not needed any more                ─ cover.ts  what suffices
 *   search.ts → candidates.ts → victims.ts   who goes                              ─ floors.ts nobody below its own guarantee
 *   enforce.ts     inverse offers, kills, shutdowns                    ─ plan.ts   phases and deadlines
 * ```
 * books.ts is what is remembered, view.ts shows it. It is no part of the allocator: what is freed reaches the role by the headroom of quota.
 */

import { isSameOrSubRoleOf } from '../../resources/roles.ts'
import { count } from '../counters.ts'
import { holdsResources } from '../messages.ts'
import { rescindOffer } from '../offers.ts'
import type { ReclaimFlags } from '../options.ts'
import type { MasterState } from '../state.ts'
import { killKey } from '../tasks.ts'
import { note, type Turn } from '../turn.ts'
import { common, inUnits, isNothing, type Milli, NOTHING, rest, sum, written } from './amounts.ts'
import type { Reclaim, ReclaimReason } from './books.ts'
import { candidatesOn, keyOf, lossesOf } from './candidates.ts'
import { Cover } from './cover.ts'
import { Asks, enforce, finish } from './enforce.ts'
import { Floors } from './floors.ts'
import { compareNeeds, isNeedy, keepTime, type Need, type Standing } from './need.ts'
import { killAtMs } from './plan.ts'
import { freeOn, holdingsOf, isOffered, standingsOf, wishesOf } from './pool.ts'
import { agentsToSearch } from './search.ts'
import { type Candidate, chooseVictims, givenBy, VICTIMS_MAX } from './victims.ts'

/** Between two checks at least. */
const RECLAIM_INTERVAL_MS = 1_000

/** When not enough could be found, it is looked for again after so long: looking costs a walk over all tasks. */
const RETRY_MS = 10_000

/** One check in progress. */
interface Check {
  readonly turn: Turn
  readonly terms: ReclaimFlags
  readonly floors: Floors
  readonly asks: Asks
  /** What is free by agent and not counted for a role yet. */
  readonly free: Map<string, Milli>
}

/** A role in the check, with what covers its need. */
interface Claim {
  readonly need: Need
  readonly cover: Cover
  readonly canUse: ReturnType<typeof wishesOf>['canUse']
}

/** Looks who needs something and takes it back, as far as it is time. Does nothing without --reclaim_after. */
export function checkReclaim(turn: Turn): void {
  const { state, atMs } = turn
  const { options, reclaim, registry } = state
  const terms = options.reclaim
  if (terms === undefined || atMs < reclaim.nextCheckMs) return
  if (registry.quotas.size === 0 && reclaim.active.size === 0 && reclaim.sinceMs.size === 0) return
  reclaim.nextCheckMs = atMs + RECLAIM_INTERVAL_MS
  // After a failover a role may have what it seems to miss on agents that are still to come back.
  if (state.recoveredAgents.size > 0) return
  const asks = new Asks()
  settle(turn, asks)
  const standings = standingsOf(state)
  const check: Check = { turn, terms, floors: new Floors(holdingsOf(standings)), asks, free: new Map() }
  const claims = claimsOf(check, standings)
  reclaim.needs = claims.map(({ need }) => need)
  for (const role of reclaim.unmet.keys()) if (!reclaim.sinceMs.has(role)) reclaim.unmet.delete(role)
  keepFloors(check)
  const claimed = new Map(claims.map((claim) => [claim.need.role, claim]))
  for (const one of [...reclaim.active.values()]) {
    if (!claimed.has(one.reason.forRole)) stop(check, one, 'stopped')
  }
  for (const claim of claims) serve(check, claim)
  enforce(turn, { terms, floors: check.floors, asks })
}

/** What is gone from the books is freed; what is on agents that are away helps nobody now. */
function settle(turn: Turn, asks: Asks): void {
  const { state, atMs } = turn
  const { reclaim } = state
  for (const [key, untilMs] of reclaim.sparedUntilMs) if (untilMs <= atMs) reclaim.sparedUntilMs.delete(key)
  for (const one of [...reclaim.active.values()]) {
    if (!isThere(state, one)) finish(turn, one, 'freed', asks)
    else if (!isOffered(state.agents.get(one.agentId))) finish(turn, one, 'agentAway', asks)
  }
}

function isThere(state: MasterState, { kind, frameworkId, agentId, id, taskIds }: Reclaim): boolean {
  const framework = state.frameworks.get(frameworkId)
  if (framework === undefined) return false
  if (kind === 'executor' && framework.executors.get(agentId)?.has(id) === true) return true
  return taskIds.some((taskId) => {
    const task = framework.tasks.get(taskId)
    return task !== undefined && task.agentId === agentId && holdsResources(task.state)
  })
}

/** The roles that need something, first served first, each with what covers its need without new victims but its own. */
function claimsOf(check: Check, standings: readonly Standing[]): Claim[] {
  const { state, atMs } = check.turn
  const { sinceMs } = state.reclaim
  const needs = standings
    .filter(isNeedy)
    .map((standing): Need => ({ ...standing, sinceMs: sinceMs.get(standing.role) ?? atMs }))
    .sort(compareNeeds)
  if (needs.length > 0) surveyFree(check)
  const claims = needs.map((need) => claimOf(check, need)).filter(({ need }) => isNeedy(need))
  keepTime(
    sinceMs,
    claims.map(({ need }) => need.role),
    atMs,
  )
  return claims
}

function surveyFree({ turn: { state }, free }: Check): void {
  for (const agent of state.agents.values()) {
    const amounts = isOffered(agent) ? freeOn(state, agent) : NOTHING
    if (!isNothing(amounts)) free.set(agent.id, amounts)
  }
}

function claimOf(check: Check, need: Need): Claim {
  const { free, terms, turn } = check
  const { state, atMs } = turn
  const { canUse, least } = wishesOf(state, need)
  const cover = new Cover(need.missing, least)
  for (const [agentId, amounts] of free) {
    if (canUse(state.agents.get(agentId)!)) cover.add(agentId, amounts)
  }
  const patienceMs = terms.afterMs + terms.noticeMs
  if (atMs - need.sinceMs < patienceMs) addEnding(check, cover, need.role)
  takeFree(check, cover, need.missing)
  return { need: { ...need, missing: cover.left() }, cover, canUse }
}

/** Kills that frameworks have asked for themselves are on their way to be free. */
function addEnding({ turn: { state } }: Check, cover: Cover, role: string): void {
  for (const agent of state.agents.values()) {
    if (agent.killsPending.size === 0 || !isOffered(agent)) continue
    for (const [frameworkId, tasks] of agent.tasks) {
      for (const task of tasks.values()) {
        if (!holdsResources(task.state) || !agent.killsPending.has(killKey(frameworkId, task.id))) continue
        if (state.reclaim.active.has(keyOf('task', agent.id, frameworkId, task.id))) continue
        const [loss] = lossesOf([task])
        if (loss !== undefined && !isSameOrSubRoleOf(loss.role, role)) cover.add(agent.id, loss.amounts)
      }
    }
  }
}

/** What covers this role's need is not free for the next one. */
function takeFree({ free }: Check, cover: Cover, missing: Milli): void {
  let left = missing
  for (const [agentId, amounts] of free) {
    if (isNothing(left)) return
    const used = cover.usedOn(agentId, left)
    if (isNothing(used)) continue
    left = rest(left, used)
    free.set(agentId, rest(amounts, used))
  }
}

/** What is under way goes; those asked only are let go when their role would break its own guarantee by now. */
function keepFloors(check: Check): void {
  const { floors, turn } = check
  const all = [...turn.state.reclaim.active.values()]
  for (const one of all) if (one.phase !== 'asked') floors.take(one.losses)
  for (const one of all) {
    if (one.phase !== 'asked') continue
    if (floors.brokenBy(one.losses) === undefined) floors.take(one.losses)
    else finish(turn, one, 'atGuarantee', check.asks)
  }
}

function stop({ turn, floors, asks }: Check, one: Reclaim, outcome: 'stopped'): void {
  floors.giveBack(one.losses)
  finish(turn, one, outcome, asks)
}

/** Lets go what the role does not need any more, then chooses what it lacks, when it has waited long enough. */
function serve(check: Check, { need, cover, canUse }: Claim): void {
  const { turn, terms, floors } = check
  const { state, atMs } = turn
  const { reclaim } = state
  const own = [...reclaim.active.values()].filter(({ reason }) => reason.forRole === need.role)
  for (const one of own) cover.add(one.agentId, one.gives)
  for (const one of lastWantedFirst(own)) {
    cover.remove(one.agentId, one.gives)
    if (cover.isEnough) stop(check, one, 'stopped')
    else cover.add(one.agentId, one.gives)
  }
  const againAtMs = reclaim.unmet.get(need.role)?.againAtMs ?? 0
  if (cover.isEnough || atMs - need.sinceMs < terms.afterMs || atMs < againAtMs) return
  const isTaken = (key: string) => reclaim.active.has(key) || reclaim.sparedUntilMs.has(key)
  const agents = agentsToSearch(state, { role: need.role, missing: cover.left(), canUse, floors })
  const candidates = candidatesOn(state, agents, isTaken)
  const before = floors.copy()
  const { policy } = terms
  let left = cover.left()
  const { victims, spared } = chooseVictims({ role: need.role, candidates, cover, floors, policy })
  for (const victim of victims) {
    const share = common(left, givenBy(victim))
    left = rest(left, share)
    begin(check, victim, { reason: reasonOf(victim, need, before), share })
  }
  if (cover.isEnough || victims.length >= VICTIMS_MAX) {
    reclaim.unmet.delete(need.role)
    return
  }
  reclaim.unmet.set(need.role, { left: cover.left(), spared, againAtMs: atMs + RETRY_MS })
  note(turn, 'warn', 'a guarantee cannot be kept by reclaiming', {
    role: need.role,
    missing: inUnits(cover.left()),
    ...spared,
  })
}

/** Those asked only before those that are being ended; the last chosen first. */
function lastWantedFirst(own: readonly Reclaim[]): Reclaim[] {
  const [asked, others] = [own.filter(({ phase }) => phase === 'asked'), own.filter(({ phase }) => phase !== 'asked')]
  return [...asked.reverse(), ...others.reverse()]
}

function reasonOf(victim: Candidate, need: Need, floors: Floors): ReclaimReason {
  const role = victim.losses[0]!.role
  const holding = floors.of(role)
  const gives = givenBy(victim)
  const kept =
    holding === undefined ? 'which has no guarantee' : `which keeps its guarantee (${written(holding.guarantees)})`
  return {
    code: holding === undefined ? 'NO_GUARANTEE' : 'BEYOND_GUARANTEE',
    message: `${written(gives)} of role ${role}, ${kept}: role ${need.role} misses ${written(need.missing)} of its guarantee (${written(need.guarantees)})`,
    role,
    forRole: need.role,
    gives,
    guarantees: holding?.guarantees ?? NOTHING,
    consumed: holding?.consumed ?? NOTHING,
    missing: need.missing,
    sinceMs: need.sinceMs,
    priority: victim.priority,
  }
}

function begin(
  { turn, terms, asks }: Check,
  victim: Candidate,
  { reason, share }: { reason: ReclaimReason; share: Milli },
): void {
  const { state, atMs } = turn
  const { key, kind, id, agentId, frameworkId, taskIds, losses } = victim
  count(state.counters, 'master/reclaims_started')
  note(turn, 'info', 'reclaiming', { kind, id, agentId, frameworkId, code: reason.code, why: reason.message })
  const facts = { id, agentId, frameworkId, reason, chosenAtMs: atMs }
  if (kind === 'offer') {
    rescindOffer(turn, state.offers.get(id)!)
    count(state.counters, 'master/reclaims_freed')
    state.reclaim.past.push({ ...facts, kind, phase: 'rescinded', outcome: 'freed', endedAtMs: atMs })
    return
  }
  const framework = state.frameworks.get(frameworkId)!
  const one: Reclaim = {
    ...facts,
    key,
    kind,
    executorId: kind === 'executor' ? id : (framework.tasks.get(id)?.executorId ?? ''),
    taskIds,
    losses,
    gives: losses.reduce<Milli>((all, { amounts }) => sum(all, amounts), NOTHING),
    share,
    phase: 'asked',
    phaseAtMs: atMs,
    deadlineMs: killAtMs(terms, framework.active && framework.streamId !== undefined, atMs),
    inverseOfferId: undefined,
  }
  state.reclaim.active.set(key, one)
  asks.add(one)
}
