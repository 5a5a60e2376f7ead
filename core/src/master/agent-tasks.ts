/**
 * The tasks of an agent by framework, oldest first: lists that run through the tasks themselves (`nextOnAgent`, `previousOnAgent`), since a
 * Map for each framework on each agent would be larger than its tasks. Reads like a Map of Maps. To find one task, ask its framework.
 */

import { assert } from '../base/assert.ts'
import { LazyMap } from '../base/lazy-collections.ts'
import type { MasterTask } from './state.ts'

/** What one framework runs on one agent; never empty. */
export class TaskList {
  #first: MasterTask | undefined
  #last: MasterTask | undefined
  #size = 0

  get size(): number {
    return this.#size
  }

  /** O(tasks of the framework on the agent). */
  get(id: string): MasterTask | undefined {
    for (const task of this.values()) if (task.id === id) return task
    return undefined
  }

  /** The task that is asked for may be removed meanwhile, others not. */
  *values(): Generator<MasterTask> {
    for (let task = this.#first; task !== undefined; ) {
      const next: MasterTask | undefined = task.nextOnAgent
      yield task
      task = next
    }
  }

  *[Symbol.iterator](): Generator<[string, MasterTask]> {
    for (const task of this.values()) yield [task.id, task]
  }

  /** The ids. */
  toJSON(): unknown {
    return Array.from(this.values(), ({ id }) => id)
  }

  /** For AgentTasks only. */
  append(task: MasterTask): void {
    task.previousOnAgent = this.#last
    if (this.#last === undefined) this.#first = task
    else this.#last.nextOnAgent = task
    this.#last = task
    this.#size++
  }

  /** For AgentTasks only. */
  remove(task: MasterTask): void {
    const { previousOnAgent: before, nextOnAgent: after } = task
    assert(before === undefined ? this.#first === task : before.nextOnAgent === task, 'a task is removed from its list')
    if (before === undefined) this.#first = after
    else before.nextOnAgent = after
    if (after === undefined) this.#last = before
    else after.previousOnAgent = before
    task.previousOnAgent = undefined
    task.nextOnAgent = undefined
    this.#size--
  }
}

/** All tasks of an agent. */
export class AgentTasks {
  readonly #lists = new LazyMap<string, TaskList>()

  /** Frameworks that run something here. */
  get size(): number {
    return this.#lists.size
  }

  get(frameworkId: string): TaskList | undefined {
    return this.#lists.get(frameworkId)
  }

  keys(): MapIterator<string> {
    return this.#lists.keys()
  }

  [Symbol.iterator](): MapIterator<[string, TaskList]> {
    return this.#lists.entries()
  }

  /** Puts a task behind the others; it is in no list. */
  add(task: MasterTask): void {
    let list = this.#lists.get(task.frameworkId)
    if (list === undefined) {
      list = new TaskList()
      this.#lists.set(task.frameworkId, list)
    }
    list.append(task)
  }

  /** Takes a task out that is here. */
  remove(task: MasterTask): void {
    const list = this.#lists.get(task.frameworkId)
    assert(list !== undefined, 'only tasks of the agent are removed')
    list.remove(task)
    if (list.size === 0) this.#lists.delete(task.frameworkId)
  }

  /** The lists by framework. */
  toJSON(): unknown {
    return [...this.#lists]
  }
}
