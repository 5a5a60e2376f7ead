/**
 * Agents and tasks on pages, as JSON text that is kept until they change: a page with a hundred thousand tasks is asked for again and again,
 * and most of them are as they were. Whether one changed is seen by comparing what its text was made of, so that nobody else need know.
 *
 * ```
 * page asked for ─► for each task: its text, or, when it changed, a copy ─► written in pieces: texts of copies are made then, and kept
 * ```
 * So the moment a page shows is taken quickly, and no later change is seen on it. {@link KEPT_MAX} bounds what is kept of tasks; of agents it
 * is one text each.
 */

import { type Json, type JsonObject, JsonText, LazyList } from './json.ts'
import { KEPT_MAX, keptTexts } from './kept-texts.ts'
import type { Agent, MasterState, MasterTask } from './state.ts'
import { agentObject, type SeenAgent, seenAgent } from './views-agents.ts'
import { taskObject } from './views-tasks.ts'

/** A task that changed since its text was made: as it was when the page was asked for. */
class ChangedTask {
  readonly task: MasterTask
  readonly seen: MasterTask

  constructor(task: MasterTask) {
    this.task = task
    this.seen = task.copy()
  }

  show(): Json {
    const { task, seen } = this
    const object = taskObject(seen)
    const text = textOf(object)
    if (text === undefined) return object
    const made = new JsonText(text)
    // Not when it has changed since.
    const isCurrent = task.state === seen.state && task.past === seen.past
    if (isCurrent && keptTexts.length + text.length <= KEPT_MAX) task.kept = made
    return made
  }
}

/** Pages with all tasks between two counts. */
const PAGES_PER_COUNT = 64
let pages = 0

/** To be called for each page with all tasks: counts anew, now and then, what is kept, since some tasks leave the books unseen. */
export function countKept({ frameworks, completedFrameworks }: MasterState): void {
  pages += 1
  if (pages % PAGES_PER_COUNT !== 0) return
  keptTexts.length = 0
  for (const all of [frameworks, completedFrameworks]) {
    for (const { tasks, unreachableTasks, completedTasks } of all.values()) {
      for (const list of [tasks.toArray(), unreachableTasks.values(), completedTasks]) {
        for (const { kept } of list) keptTexts.length += kept?.text.length ?? 0
      }
    }
  }
}

/** Tasks as they are now. */
export function taskList(tasks: Iterable<MasterTask>): LazyList {
  const now: (JsonText | ChangedTask)[] = []
  for (const task of tasks) now.push(task.kept ?? new ChangedTask(task))
  return LazyList.of(now, (one) => (one instanceof JsonText ? one : one.show()))
}

/** The text of an agent, and what it was made of. */
interface AgentText {
  readonly seen: SeenAgent
  readonly text: JsonText
}

const agentTexts = new WeakMap<Agent, AgentText>()

/** Agents as they are now. */
export function agentList(state: MasterState): LazyList {
  const now = Array.from(state.agents.values(), (agent) => {
    const known = agentTexts.get(agent)
    return known !== undefined && isSameAgent(state, agent, known.seen)
      ? known.text
      : { agent, seen: seenAgent(state, agent) }
  })
  return LazyList.of(now, (one) => (one instanceof JsonText ? one : showAgent(one.agent, one.seen)))
}

function showAgent(agent: Agent, seen: SeenAgent): Json {
  const object = agentObject(seen)
  const made = textOf(object)
  if (made === undefined) return object
  const text = new JsonText(made)
  agentTexts.set(agent, { seen, text })
  return text
}

/** Compares all that {@link agentObject} shows. */
function isSameAgent(state: MasterState, now: Agent, { agent, used, offered }: SeenAgent): boolean {
  if (now.usedBy.size !== used.length || now.offers.size !== offered.length) return false
  let at = 0
  for (const bag of now.usedBy.values()) if (used[at++] !== bag) return false
  at = 0
  for (const id of now.offers) if (offered[at++] !== state.offers.get(id)!.resources) return false
  return hasSameFacts(now, agent) && hasSameStanding(now, agent)
}

function hasSameFacts(one: Agent, other: Agent): boolean {
  return (
    one.id === other.id &&
    one.info === other.info &&
    one.ip === other.ip &&
    one.port === other.port &&
    one.version === other.version &&
    one.capabilities === other.capabilities &&
    one.total === other.total
  )
}

function hasSameStanding(one: Agent, other: Agent): boolean {
  return (
    one.registeredAtMs === other.registeredAtMs &&
    one.reregisteredAtMs === other.reregisteredAtMs &&
    one.active === other.active &&
    one.deactivated === other.deactivated &&
    one.drain === other.drain
  )
}

/** Undefined for what JSON has no text for here: 64-bit numbers are the business of who writes the page. */
function textOf(object: JsonObject): string | undefined {
  try {
    return JSON.stringify(object)
  } catch {
    return undefined
  }
}
