/**
 * A task in the books of the master, small enough for a million of them: ids and names are shared, what seldom matters and what was said of it
 * are strings of bytes, decoded when someone asks.
 *
 * ```
 * task ─┬─ id, name, agentId, state
 *       ├─ traits ─ frameworkId, executorId, role, resources, details: labels, discovery … as bytes (shared by tasks alike)
 *       ├─ past ─ statuses and what the framework was told, as bytes (task-past.ts)
 *       └─ neighbours on the agent (agent-tasks.ts)
 * ```
 */

import type { Task, TaskState, TaskStatus } from '@isthmus/proto/gen/mesos'
import { pack, unpack } from '@isthmus/proto/packed'
import type { Resources } from '../resources/resources.ts'
import type { JsonText } from './json.ts'
import { keptTexts } from './kept-texts.ts'
import { type MasterState, type MasterTask, RECENT_BAGS } from './state.ts'
import { lastStateOf, NO_PAST, pastOf, remember, statusesOf, type Told, toldOf } from './task-past.ts'

/** Traits and names that are looked up at most; then all are forgotten and found anew, which costs room but changes nothing. */
const SHARED_MAX = 16_384

/** What a task may have beside the facts every task has. */
export type TaskDetails = Pick<
  Task,
  'labels' | 'discovery' | 'container' | 'health_check' | 'kill_policy' | 'user' | 'limits'
>

/** A new task. */
export interface NewTask {
  readonly id: string
  readonly name: string
  readonly frameworkId: string
  readonly agentId: string
  /** Empty for command tasks. */
  readonly executorId: string
  readonly role: string
  readonly resources: Resources
  readonly state: TaskState
  readonly details: TaskDetails
  /** Oldest first; default none. */
  readonly statuses?: readonly TaskStatus[]
  readonly told?: Told | undefined
}

/** What tasks alike share. */
interface TaskTraits {
  readonly frameworkId: string
  readonly executorId: string
  readonly role: string
  readonly resources: Resources
  /** A Task message with details and without anything else; empty = none. */
  readonly details: string
}

/** Finds the same strings and traits for tasks alike. */
export class SharedTraits {
  readonly #traits = new Map<string, TaskTraits>()
  readonly #names = new Map<string, string>()

  /** The traits of a task; the same object for the same traits. */
  traitsOf({ frameworkId, executorId, role, resources, details }: NewTask): TaskTraits {
    const packed = packDetails(details)
    const key = `${frameworkId}\n${executorId}\n${role}\n${packed}`
    let traits = this.#traits.get(key)
    if (traits === undefined || !traits.resources.equals(resources)) {
      if (this.#traits.size >= SHARED_MAX) this.#traits.clear()
      traits = { frameworkId, executorId, role, resources, details: packed }
      this.#traits.set(key, traits)
    }
    return traits
  }

  /** The name of a task; the same string for the same name. */
  nameOf({ id, name }: NewTask): string {
    if (name === id) return id
    const known = this.#names.get(name)
    if (known !== undefined) return known
    if (this.#names.size >= SHARED_MAX) this.#names.clear()
    this.#names.set(name, name)
    return name
  }
}

/** Makes a task; it is in no book yet. */
export function createTask(state: MasterState, task: NewTask): MasterTask {
  const { sharedTraits } = state
  const traits = sharedTraits.traitsOf({ ...task, resources: sharedBag(state, task.resources) })
  const past = task.statuses === undefined ? NO_PAST : pastOf(task, task.statuses, task.told)
  const { id, agentId, state: taskState } = task
  return new TaskRecord({ id, name: sharedTraits.nameOf(task), agentId, traits, state: taskState, past })
}

/** The same bag for tasks or agents alike, one after the other, as jobs launch them and machines register. */
export function sharedBag({ recentBags }: MasterState, bag: Resources): Resources {
  const known = recentBags.find((recent) => recent.equals(bag))
  if (known !== undefined) return known
  recentBags.unshift(bag)
  if (recentBags.length > RECENT_BAGS) recentBags.pop()
  return bag
}

interface TaskParts {
  readonly id: string
  readonly name: string
  readonly agentId: string
  readonly traits: TaskTraits
  readonly state: TaskState
  readonly past: string
}

/** Few fields, since there are many tasks: each is 8 bytes. */
class TaskRecord implements MasterTask {
  readonly id: string
  readonly name: string
  readonly agentId: string
  readonly traits: TaskTraits
  latest: TaskState
  past: string
  keptText: JsonText | undefined
  nextOnAgent: MasterTask | undefined
  previousOnAgent: MasterTask | undefined

  constructor(task: TaskParts) {
    this.id = task.id
    this.name = task.name
    this.agentId = task.agentId
    this.traits = task.traits
    this.latest = task.state
    this.past = task.past
    this.keptText = undefined
    this.nextOnAgent = undefined
    this.previousOnAgent = undefined
  }

  get state(): TaskState {
    return this.latest
  }

  set state(state: TaskState) {
    this.latest = state
    if (this.keptText !== undefined) this.kept = undefined
  }

  get kept(): JsonText | undefined {
    return this.keptText
  }

  set kept(text: JsonText | undefined) {
    keptTexts.length += (text?.text.length ?? 0) - (this.keptText?.text.length ?? 0)
    this.keptText = text
  }

  get frameworkId(): string {
    return this.traits.frameworkId
  }

  get executorId(): string {
    return this.traits.executorId
  }

  get role(): string {
    return this.traits.role
  }

  get resources(): Resources {
    return this.traits.resources
  }

  get statuses(): readonly TaskStatus[] {
    return statusesOf(this.past, this)
  }

  get told(): Told | undefined {
    return toldOf(this.past)
  }

  get statusState(): TaskState | undefined {
    return toldOf(this.past)?.state
  }

  get statusUuid(): Uint8Array | undefined {
    return toldOf(this.past)?.uuid
  }

  get lastStatusState(): TaskState | undefined {
    return lastStateOf(this.past)
  }

  get labels(): TaskDetails['labels'] {
    return detailsOf(this.traits).labels
  }

  get discovery(): TaskDetails['discovery'] {
    return detailsOf(this.traits).discovery
  }

  get container(): TaskDetails['container'] {
    return detailsOf(this.traits).container
  }

  get healthCheck(): TaskDetails['health_check'] {
    return detailsOf(this.traits).health_check
  }

  get killPolicy(): TaskDetails['kill_policy'] {
    return detailsOf(this.traits).kill_policy
  }

  get user(): string | undefined {
    return detailsOf(this.traits).user
  }

  get limits(): TaskDetails['limits'] {
    return detailsOf(this.traits).limits
  }

  copy(): MasterTask {
    return new TaskRecord(this)
  }

  remember(status: TaskStatus): void {
    this.past = remember(this.past, this, status)
    if (this.keptText !== undefined) this.kept = undefined
  }

  /** What it holds, without its neighbours and its text. */
  toJSON(): unknown {
    const { keptText: _kept, nextOnAgent: _next, previousOnAgent: _previous, ...own } = this
    return own
  }
}

const NOBODY = { value: '' }
const NO_DETAILS: TaskDetails = {}

function packDetails(details: TaskDetails): string {
  const { labels, discovery, container, health_check, kill_policy, user, limits } = details
  const all = [labels, discovery, container, health_check, kill_policy, user, limits]
  if (all.every((detail) => detail === undefined)) return ''
  return pack('mesos.v1.Task', {
    name: '',
    task_id: NOBODY,
    framework_id: NOBODY,
    agent_id: NOBODY,
    state: 'TASK_STAGING',
    labels,
    discovery,
    container,
    health_check,
    kill_policy,
    user,
    limits,
  })
}

/** Details looked at lately: pages look at each of them, of one task after the other, many of which are alike. */
const recent = new Map<TaskTraits, TaskDetails>()
const RECENT_MAX = 256

function detailsOf(traits: TaskTraits): TaskDetails {
  if (traits.details === '') return NO_DETAILS
  let details = recent.get(traits)
  if (details === undefined) {
    if (recent.size >= RECENT_MAX) recent.clear()
    details = unpack('mesos.v1.Task', traits.details)
    recent.set(traits, details)
  }
  return details
}
