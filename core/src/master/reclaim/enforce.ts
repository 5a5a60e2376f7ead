/** What is done to victims: inverse offers, kills, shutdowns of executors; and the end of a reclaim. */

import { addAll, type Bag, bagOf, toMessages } from '../bag.ts'
import { count } from '../counters.ts'
import { createInverseOffers, isRefused, negotiation, rescindInverseOffer } from '../inverse-offers.ts'
import { holdsResources, timeInfo } from '../messages.ts'
import type { ReclaimFlags } from '../options.ts'
import type { Agent, Framework, MasterState, MasterTask } from '../state.ts'
import { killKey } from '../tasks.ts'
import { note, sendToAgent, type Turn } from '../turn.ts'
import type { Milli } from './amounts.ts'
import type { Reclaim } from './books.ts'
import { keyOf, lossesOf } from './candidates.ts'
import type { Floors, Loss } from './floors.ts'
import { graceMs, KILL_MARGIN_MS, nextStep, type ReclaimOutcome, SHUTDOWN_PATIENCE_MS } from './plan.ts'

/** What a victim of a guarantee is told: it was ended for the sake of somebody else. */
const REASON = 'REASON_CONTAINER_PREEMPTED'

/** An executor that must stay for the guarantee of its role is left alone for so long. */
const SPARED_MS = 600_000

/** What each outcome is counted as. */
const COUNTED: Readonly<Record<ReclaimOutcome, string>> = {
  freed: 'freed',
  stopped: 'stopped',
  spared: 'spared',
  atGuarantee: 'spared',
  agentAway: 'agent_away',
}

/** Frameworks and agents where what is asked for has changed in this check: each is asked once, at its end. */
export class Asks {
  readonly #changed = new Map<string, { readonly frameworkId: string; readonly agentId: string; hasMore: boolean }>()

  /** More is asked for. */
  add(one: Reclaim): void {
    this.#mark(one).hasMore = true
  }

  /** Less is asked for. */
  drop(one: Reclaim): void {
    this.#mark(one)
  }

  #mark({ frameworkId, agentId }: Reclaim): { hasMore: boolean } {
    const key = `${agentId} ${frameworkId}`
    let entry = this.#changed.get(key)
    if (entry === undefined) {
      entry = { frameworkId, agentId, hasMore: false }
      this.#changed.set(key, entry)
    }
    return entry
  }

  /** Sends and takes back inverse offers as needed. */
  settle(turn: Turn): void {
    for (const { frameworkId, agentId, hasMore } of this.#changed.values()) {
      const { frameworks, agents } = turn.state
      const framework = frameworks.get(frameworkId)
      const agent = agents.get(agentId)
      if (framework !== undefined && agent !== undefined) settleAsk(turn, { framework, agent, hasMore })
    }
    this.#changed.clear()
  }
}

function settleAsk(turn: Turn, of: { framework: Framework; agent: Agent; hasMore: boolean }): void {
  const { framework, agent, hasMore } = of
  const { state, atMs } = turn
  const asked = [...state.reclaim.active.values()].filter((one) => {
    return one.phase === 'asked' && one.frameworkId === framework.id && one.agentId === agent.id
  })
  const openId = negotiation(framework, agent.id, 'reclaim')?.offerId
  const open = openId === undefined ? undefined : state.inverseOffers.get(openId)
  if (asked.length === 0) {
    if (open !== undefined) rescindInverseOffer(turn, open)
    return
  }
  // One that has been answered is not asked again for less.
  if (!hasMore && open === undefined) return
  const deadlineMs = Math.min(...asked.map((one) => one.deadlineMs))
  if (deadlineMs <= atMs || isRefused(framework, agent.id, 'reclaim', atMs)) {
    if (open !== undefined) rescindInverseOffer(turn, open)
    return
  }
  const roles = [...new Set(asked.map(({ reason }) => reason.forRole))].join(', ')
  const [offer] = createInverseOffers(turn, [
    {
      framework,
      agent,
      kind: 'reclaim',
      unavailability: { start: timeInfo(deadlineMs) },
      resources: addAll(asked.flatMap((one) => bagsOf(state, one))),
      reason: `role ${roles} is below its guarantee; tasks that hold these resources are killed at the start of the unavailability`,
    },
  ])
  for (const one of asked) one.inverseOfferId = offer?.id ?? one.inverseOfferId
}

function bagsOf({ frameworks }: MasterState, one: Reclaim): Bag[] {
  const framework = frameworks.get(one.frameworkId)!
  const executor = one.kind === 'executor' ? framework.executors.get(one.agentId)?.get(one.id) : undefined
  const bags = tasksOf(framework, one).map(({ resources }) => resources)
  return executor === undefined ? bags : [shareOf(addAll([...bags, executor.resources]), one.share)]
}

/** As much of the scalars as is needed. */
function shareOf(bag: Bag, share: Milli): Bag {
  const left: Record<string, number> = { ...share }
  const part = toMessages(bag).flatMap((resource) => {
    const wanted = (left[resource.name] ?? 0) / 1000
    const value = Math.min(wanted, resource.scalar?.value ?? 0)
    if (value <= 0) return []
    left[resource.name] = Math.round((wanted - value) * 1000)
    return [{ ...resource, scalar: { value } }]
  })
  return bagOf(part)
}

function tasksOf(framework: Framework, { taskIds, agentId }: Reclaim): MasterTask[] {
  return taskIds.flatMap((id) => {
    const task = framework.tasks.get(id)
    return task !== undefined && task.agentId === agentId && holdsResources(task.state) ? [task] : []
  })
}

/** A reclaim is over. */
export function finish(turn: Turn, one: Reclaim, outcome: ReclaimOutcome, asks: Asks): void {
  const { state, atMs } = turn
  const { key, kind, id, agentId, frameworkId, phase, reason, chosenAtMs } = one
  state.reclaim.active.delete(key)
  state.reclaim.past.push({ kind, id, agentId, frameworkId, phase, outcome, reason, chosenAtMs, endedAtMs: atMs })
  count(state.counters, `master/reclaims_${COUNTED[outcome]}`)
  note(turn, 'info', 'reclaim ended', { kind, id, agentId, frameworkId, phase, outcome })
  if (outcome === 'spared') state.reclaim.sparedUntilMs.set(key, atMs + SPARED_MS)
  if (phase === 'asked') asks.drop(one)
}

/** Does what is due: the next phase of each victim; then inverse offers follow what is asked for. */
export function enforce(turn: Turn, of: { terms: ReclaimFlags; floors: Floors; asks: Asks }): void {
  const { state, atMs } = turn
  for (const one of [...state.reclaim.active.values()]) {
    const { phase, deadlineMs } = one
    if (atMs < deadlineMs) continue
    const maySuffer = phase === 'asked' || of.floors.brokenBy(alsoLost(state, one)) === undefined
    const next = nextStep({ phase, deadlineMs, maySuffer }, atMs)
    if (next === 'kill') kill(turn, one, of)
    else if (next === 'shutDown') shutDown(turn, one)
    else if (next === 'spare') finish(turn, one, 'spared', of.asks)
  }
  of.asks.settle(turn)
}

/** What ends with the executor beyond what is taken back: its other tasks, also those that came later, and with a task the executor itself. */
function alsoLost(state: MasterState, { kind, agentId, frameworkId, executorId, taskIds }: Reclaim): Loss[] {
  const agent = state.agents.get(agentId)
  const executor = agent?.executors.get(frameworkId)?.get(executorId)
  if (executor === undefined) return []
  const others = [...(agent!.tasks.get(frameworkId)?.values() ?? [])].filter((task) => {
    const isTaken = taskIds.includes(task.id) || state.reclaim.active.has(keyOf('task', agentId, frameworkId, task.id))
    return task.executorId === executorId && holdsResources(task.state) && !isTaken
  })
  if (kind === 'executor') return lossesOf(others)
  return lossesOf([...others, { role: executor.resources.allocationRole ?? '*', resources: executor.resources }])
}

function messageOf({ reason }: Reclaim): string {
  return `Reclaimed for role ${reason.forRole}, which is below its guarantee`
}

function kill(turn: Turn, one: Reclaim, { terms, asks }: { terms: ReclaimFlags; asks: Asks }): void {
  const { state, atMs } = turn
  const agent = state.agents.get(one.agentId)!
  const framework = state.frameworks.get(one.frameworkId)!
  asks.drop(one)
  const tasks = tasksOf(framework, one)
  let longestMs = tasks.length === 0 ? -KILL_MARGIN_MS : 0
  for (const task of tasks) {
    const own = task.killPolicy?.grace_period?.nanoseconds
    const grace = graceMs(own === undefined ? undefined : Number(own) / 1e6, terms)
    longestMs = Math.max(longestMs, grace)
    agent.killsPending.add(killKey(framework.id, task.id))
    sendToAgent(turn, agent, {
      type: 'KILL_TASK',
      kill_task: {
        framework_id: { value: framework.id },
        task_id: { value: task.id },
        kill_policy: { grace_period: { nanoseconds: BigInt(Math.round(grace * 1e6)) } },
        reason: REASON,
        message: messageOf(one),
      },
    })
    count(state.counters, 'master/reclaim_tasks_killed')
  }
  one.phase = 'killing'
  one.phaseAtMs = atMs
  one.deadlineMs = atMs + longestMs + KILL_MARGIN_MS
}

function shutDown(turn: Turn, one: Reclaim): void {
  const { state, atMs } = turn
  const executorId = one.executorId === '' ? one.id : one.executorId
  sendToAgent(turn, state.agents.get(one.agentId)!, {
    type: 'SHUTDOWN_EXECUTOR',
    shutdown_executor: {
      framework_id: { value: one.frameworkId },
      executor_id: { value: executorId },
      reason: REASON,
      message: messageOf(one),
    },
  })
  if (one.phase !== 'shuttingDown') count(state.counters, 'master/reclaim_executors_shut_down')
  one.phase = 'shuttingDown'
  one.phaseAtMs = atMs
  one.deadlineMs = atMs + SHUTDOWN_PATIENCE_MS
}
