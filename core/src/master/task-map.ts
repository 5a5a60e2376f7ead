/**
 * The tasks of a framework by id, in the order they came: what a Map does in 28 to 56 bytes a task, in 17 to 31.
 *
 * ```
 * slots   [0, 3, 0, -1, 1, 2, 0, 0]    by hash of the id: place + 1, 0 = never used, -1 = deleted (open addressing)
 * tasks   [task, task, task]           by place; undefined = deleted
 * hashes  [h, h, h]                    by place, so that a larger table needs no id again
 * ```
 */

import type { TaskState } from '@isthmus/proto/gen/mesos'
import { assert } from '../base/assert.ts'
import { type HashKey, keyedHash } from '../base/keyed-hash.ts'
import type { MasterTask } from './state.ts'

const FREE = 0
const DELETED = -1
const SLOTS_MIN = 8

/** Places of a table: three quarters of its slots. */
const placesIn = (slots: number): number => (slots / 4) * 3

/** Tasks by id; the part of a Map that the master uses. */
export class TaskMap implements ReadonlyMap<string, MasterTask> {
  #tasks: (MasterTask | undefined)[] = []
  #slots = new Int32Array(SLOTS_MIN)
  #hashes = new Int32Array(placesIn(SLOTS_MIN))
  #size = 0
  readonly #key: HashKey

  /** @param key schedulers choose the ids of tasks, and must not know it */
  constructor(key: HashKey) {
    this.#key = key
  }

  get size(): number {
    return this.#size
  }

  get(id: string): MasterTask | undefined {
    const slot = this.#find(id, keyedHash(id, this.#key))
    return slot < 0 ? undefined : this.#tasks[this.#slots[slot]! - 1]
  }

  has(id: string): boolean {
    return this.#find(id, keyedHash(id, this.#key)) >= 0
  }

  /** Puts a task behind the others, or in the place of the one with its id. */
  set(id: string, task: MasterTask): this {
    assert(task.id === id, 'a task is filed under its own id')
    const hash = keyedHash(id, this.#key)
    const known = this.#find(id, hash)
    if (known >= 0) {
      const place = this.#slots[known]! - 1
      if (this.#tasks[place] !== task) this.#tasks[place]!.kept = undefined
      this.#tasks[place] = task
      return this
    }
    if (this.#tasks.length === this.#hashes.length) this.#rebuild()
    this.#hashes[this.#tasks.length] = hash
    this.#tasks.push(task)
    this.#slots[this.#freeSlot(hash)] = this.#tasks.length
    this.#size++
    return this
  }

  /** Says whether it was there. */
  delete(id: string): boolean {
    const slot = this.#find(id, keyedHash(id, this.#key))
    if (slot < 0) return false
    this.#tasks[this.#slots[slot]! - 1] = undefined
    this.#slots[slot] = DELETED
    this.#size--
    if (this.#size === 0) this.#rebuild()
    return true
  }

  /** Oldest first. Tasks deleted meanwhile are left out. */
  *values(): MapIterator<MasterTask> {
    const tasks = this.#tasks
    for (let place = 0; place < tasks.length; place++) {
      const task = tasks[place]
      if (task === undefined || (tasks !== this.#tasks && this.get(task.id) !== task)) continue
      yield task
    }
    return undefined
  }

  *keys(): MapIterator<string> {
    for (const { id } of this.values()) yield id
    return undefined
  }

  *entries(): MapIterator<[string, MasterTask]> {
    for (const task of this.values()) yield [task.id, task]
    return undefined
  }

  [Symbol.iterator](): MapIterator<[string, MasterTask]> {
    return this.entries()
  }

  forEach(visit: (task: MasterTask, id: string, map: ReadonlyMap<string, MasterTask>) => void): void {
    for (const task of this.values()) visit(task, task.id, this)
  }

  /** Oldest first. */
  toArray(): MasterTask[] {
    const tasks = this.#tasks.length === this.#size ? this.#tasks.slice() : this.#tasks.filter(isThere)
    return tasks as MasterTask[]
  }

  /** How many are in which state. */
  countStates(): Map<TaskState, number> {
    const counts = new Map<TaskState, number>()
    let [state, run]: [TaskState | undefined, number] = [undefined, 0]
    const finish = (): void => {
      if (state !== undefined) counts.set(state, (counts.get(state) ?? 0) + run)
    }
    for (const task of this.#tasks) {
      if (task === undefined) continue
      if (task.state !== state) {
        finish()
        state = task.state
        run = 0
      }
      run++
    }
    finish()
    return counts
  }

  /** As a list of pairs. */
  toJSON(): unknown {
    return [...this]
  }

  #find(id: string, hash: number): number {
    const slots = this.#slots
    const mask = slots.length - 1
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = slots[slot]!
      if (entry === FREE) return -1
      if (entry !== DELETED && this.#hashes[entry - 1] === hash && this.#tasks[entry - 1]!.id === id) return slot
    }
  }

  #freeSlot(hash: number): number {
    const mask = this.#slots.length - 1
    let slot = hash & mask
    while (this.#slots[slot]! > FREE) slot = (slot + 1) & mask
    return slot
  }

  /** A table without the deleted ones, at most half full. Those who go through the old one still see it. */
  #rebuild(): void {
    const [tasks, hashes] = [this.#tasks, this.#hashes]
    let slots = SLOTS_MIN
    while (placesIn(slots) < this.#size * 1.5 + 1) slots *= 2
    this.#tasks = []
    this.#slots = new Int32Array(slots)
    this.#hashes = new Int32Array(placesIn(slots))
    for (let place = 0; place < tasks.length; place++) {
      const task = tasks[place]
      if (task === undefined) continue
      this.#hashes[this.#tasks.length] = hashes[place]!
      this.#tasks.push(task)
      this.#slots[this.#freeSlot(hashes[place]!)] = this.#tasks.length
    }
  }
}

function isThere(task: MasterTask | undefined): boolean {
  return task !== undefined
}
