// Tasks that run under this framework's id and are not known yet: those of an agent that came back to the master after the bridge
// had asked what runs. They are asked for again and taken over; nothing is launched on an agent whose tasks may be unknown.
//
//   bridge killed, master failed over: the new master knows the tasks of an agent once that agent has registered again
//   offer of an agent, or update of a task, not known yet → readFleet → fleetRead → taken over (recovery.ts)
//
// An offer says that its agent has registered, so what the master lists after the offer is all that runs there. A bridge at rest
// gets no offers: it asks by itself for as long as agents may take to register with a new master, often while the RM lists nodes
// that are none of the NodeManagers known.

import { reconcileLiveTasks } from '@isthmus/core/framework/calls'
import type { FrameworkEffect } from '@isthmus/core/framework/effects'
import type { ExecutorInfo, Task } from '@isthmus/proto/gen/mesos'
import type { BridgeEffect } from './effects.ts'
import { recoverFleet } from './recovery.ts'
import { isLive } from './rm-changes.ts'
import type { BridgeState } from './state.ts'

/** After a start the RM may list NodeManagers of ours whose agents the master does not know yet; so long nothing new is launched. */
export const ADOPTION_GRACE_MS = 30_000

/** For this long after a start agents may come back with tasks (the master's --agent_reregister_timeout, 10 minutes, and more). */
export const ADOPTION_WATCH_MS = 1_200_000
/** First pause between asking by itself; doubles up to the second, or to the third while the RM lists unknown nodes. */
const WATCH_PAUSE_MIN_MS = 2_000
const WATCH_PAUSE_MAX_MS = 60_000
const WATCH_PAUSE_UNMATCHED_MS = 5_000

/** What is known of tasks from before a restart. */
export interface Adoption {
  /** When the bridge began; undefined before. */
  startedAtMs: number | undefined
  isReading: boolean
  /** When the master is asked without a reason, and the pause after that. */
  watchAtMs: number
  watchPauseMs: number
  /** Agents all of whose tasks are known; undefined = all agents, for a framework that is new. */
  readonly knownAgents: Set<string> | undefined
  /** Those the read under way will tell of. */
  readonly askedAgents: Set<string>
  /** Tasks the master told of that nobody launched as far as is known. */
  readonly strangers: Set<string>
  /** Tasks that ended while the read was under way: the answer may still list them. */
  readonly ended: Set<string>
}

/** @param isNew the framework has no id yet, so nothing can run under it. */
export function createAdoption(isNew: boolean): Adoption {
  return {
    startedAtMs: undefined,
    isReading: false,
    watchAtMs: 0,
    watchPauseMs: WATCH_PAUSE_MIN_MS,
    knownAgents: isNew ? undefined : new Set(),
    askedAgents: new Set(),
    strangers: new Set(),
    ended: new Set(),
  }
}

/** Asks what runs when an offer's agent or a task is not known; one question at a time. */
export function askForFleet(state: BridgeState): BridgeEffect[] {
  const { adoption } = state
  return unknownAgents(state).size === 0 && adoption.strangers.size === 0 ? [] : ask(state)
}

/** Asks now and then for a while after a start; called with each look at the RM. */
export function watchFleet(state: BridgeState, atMs: number): BridgeEffect[] {
  const { adoption } = state
  const { startedAtMs, knownAgents } = adoption
  if (knownAgents === undefined || startedAtMs === undefined || atMs - startedAtMs > ADOPTION_WATCH_MS) return []
  if (adoption.watchAtMs === 0) adoption.watchAtMs = startedAtMs + WATCH_PAUSE_MIN_MS
  const isSoon = hasUnmatchedNodes(state) && adoption.watchAtMs - atMs > WATCH_PAUSE_UNMATCHED_MS
  if (isSoon) adoption.watchAtMs = atMs + WATCH_PAUSE_UNMATCHED_MS
  if (atMs < adoption.watchAtMs) return []
  adoption.watchPauseMs = Math.min(adoption.watchPauseMs * 2, WATCH_PAUSE_MAX_MS)
  adoption.watchAtMs = atMs + adoption.watchPauseMs
  return ask(state)
}

function ask(state: BridgeState): BridgeEffect[] {
  const { adoption } = state
  if (adoption.isReading || adoption.startedAtMs === undefined) return []
  const agents = unknownAgents(state)
  for (const agentId of agents) adoption.askedAgents.add(agentId)
  adoption.strangers.clear()
  adoption.ended.clear()
  adoption.isReading = true
  return [{ kind: 'readFleet' }]
}

/** Takes over what the master lists and nobody here knows. */
export function fleetRead(
  state: BridgeState,
  tasks: readonly Task[],
  executors: readonly ExecutorInfo[],
  atMs: number,
): BridgeEffect[] {
  const { adoption } = state
  const isKnown = ({ task_id: { value } }: Task): boolean =>
    state.framework.tasks.has(value) || adoption.ended.has(value)
  const found = tasks.filter((task) => !isKnown(task))
  const effects = recoverFleet(state, found, executors, atMs)
  adoption.isReading = false
  adoption.ended.clear()
  for (const agentId of adoption.askedAgents) adoption.knownAgents?.add(agentId)
  adoption.askedAgents.clear()
  for (const task of found) adoption.strangers.delete(task.task_id.value)
  const reconcile =
    found.length > 0 && state.framework.phase === 'subscribed' ? reconcileLiveTasks(state.framework) : undefined
  if (reconcile !== undefined) {
    const call: FrameworkEffect = { kind: 'sendCall', call: reconcile }
    effects.push({ kind: 'framework', effect: call })
  }
  return [...effects, ...askForFleet(state)]
}

/** A task that nobody here launched goes on: it may be of a NodeManager of ours. */
export function meetStranger(state: BridgeState, taskId: string, taskState: string): BridgeEffect[] {
  state.adoption.strangers.add(taskId)
  const fields = { taskId, state: taskState }
  return [
    { kind: 'note', level: 'warn', message: 'told of a task this bridge does not know', fields },
    ...askForFleet(state),
  ]
}

/** Says whether all that runs on an agent is known. */
export function isKnownAgent(state: BridgeState, agentId: string): boolean {
  const { knownAgents } = state.adoption
  return knownAgents === undefined || knownAgents.has(agentId)
}

/** Says whether a NodeManager may be launched there: none of ours can run there already. */
export function isOpenForLaunch(state: BridgeState, agentId: string, atMs: number): boolean {
  const { startedAtMs } = state.adoption
  if (!isKnownAgent(state, agentId)) return false
  if (state.adoption.knownAgents === undefined) return true
  return atMs - (startedAtMs ?? atMs) >= ADOPTION_GRACE_MS || !hasUnmatchedNodes(state)
}

function unknownAgents(state: BridgeState): Set<string> {
  const { knownAgents } = state.adoption
  const unknown = new Set<string>()
  if (knownAgents === undefined) return unknown
  const { offers, inverseOffers } = state.framework
  for (const { agent_id: agentId } of [...offers.values(), ...inverseOffers.values()]) {
    if (agentId !== undefined && !knownAgents.has(agentId.value)) unknown.add(agentId.value)
  }
  return unknown
}

/** Says whether the RM lists nodes that are none of the NodeManagers known. */
function hasUnmatchedNodes(state: BridgeState): boolean {
  const own = new Set([...state.nodeManagers.values()].map(({ nodeId }) => nodeId))
  return (state.sample?.nodes ?? []).some((node) => isLive(node) && !own.has(node.nodeId))
}
