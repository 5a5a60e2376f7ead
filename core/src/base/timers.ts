import { assert } from './assert.ts'
import { PriorityQueue } from './priority-queue.ts'

/**
 * Named moments in a machine's own time: nothing runs by itself; the machine asks what is due. A name has one moment.
 * Due ones come in the order of their moments, equal moments in the order in which they were set.
 *
 * set, cancel: O(log n); popDue: O(due × log n); nextAtMs: O(1).
 *
 * Example: set('ping', 1000), set('batch', 500), set('ping', 400): nextAtMs() is 400; popDue(500) gives ['ping', 'batch'].
 */
export class Timers<Name = string> {
  readonly #slots = new Map<Name, number>()
  /** The name at each slot; a slot is the id in the queue. */
  readonly #names: (Name | undefined)[] = []
  readonly #order: number[] = []
  readonly #freeSlots: number[] = []
  readonly #queue = new PriorityQueue()
  #sequence = 0

  get size(): number {
    return this.#slots.size
  }

  /** Sets the moment of a name, or moves it. */
  set(name: Name, atMs: number): void {
    assert(!Number.isNaN(atMs), 'a moment is a number of milliseconds')
    let slot = this.#slots.get(name)
    if (slot === undefined) {
      slot = this.#freeSlots.pop() ?? this.#names.length
      this.#slots.set(name, slot)
      this.#names[slot] = name
    }
    this.#order[slot] = this.#sequence++
    this.#queue.set(slot, atMs)
  }

  /** Forgets a name; says whether it was set. */
  cancel(name: Name): boolean {
    const slot = this.#slots.get(name)
    if (slot === undefined) return false
    this.#queue.remove(slot)
    this.#release(slot, name)
    return true
  }

  has(name: Name): boolean {
    return this.#slots.has(name)
  }

  /** The moment of a name, or undefined. */
  atMs(name: Name): number | undefined {
    const slot = this.#slots.get(name)
    return slot === undefined ? undefined : this.#queue.keyOf(slot)
  }

  /** The earliest moment, or undefined when there is none. */
  nextAtMs(): number | undefined {
    return this.#queue.peekKey()
  }

  /** Takes out all whose moment is `atMs` or before; the earliest first. */
  popDue(atMs: number): Name[] {
    const due: Name[] = []
    for (let key = this.#queue.peekKey(); key !== undefined && key <= atMs; key = this.#queue.peekKey()) {
      for (const slot of this.#popSameMoment(key)) {
        const name = this.#names[slot] as Name
        this.#release(slot, name)
        due.push(name)
      }
    }
    return due
  }

  clear(): void {
    this.#slots.clear()
    this.#names.length = 0
    this.#order.length = 0
    this.#freeSlots.length = 0
    this.#queue.clear()
  }

  #popSameMoment(key: number): number[] {
    const slots: number[] = []
    while (this.#queue.peekKey() === key) slots.push(this.#queue.pop() as number)
    return slots.sort((a, b) => this.#order[a]! - this.#order[b]!)
  }

  #release(slot: number, name: Name): void {
    this.#slots.delete(name)
    this.#names[slot] = undefined
    this.#freeSlots.push(slot)
  }
}
