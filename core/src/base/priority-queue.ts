import { assert } from './assert.ts'

/** Ids are dense small integers from 0 up to but not including this. */
const IDS_MAX = 2 ** 30

/**
 * A binary heap of dense integer ids, smallest key first, that knows where each id lies: a key can be changed in place.
 * Equal keys: the smaller id first, so that the order depends on nothing else.
 *
 * insert, update, remove, pop: O(log n); peek, has, keyOf: O(1). Arrays grow by doubling and never shrink.
 *
 * Example: insert(7, 2.5), insert(3, 1), update(7, 0.5): pop() gives 7, then 3, then undefined.
 */
export class PriorityQueue {
  #heap: Int32Array<ArrayBuffer>
  #size = 0
  /** Where an id lies in the heap, plus one; 0 = not there. */
  #places: Int32Array<ArrayBuffer>
  #keys: Float64Array<ArrayBuffer>

  /** @param capacity how many ids to make room for at first */
  constructor(capacity = 16) {
    this.#heap = new Int32Array(capacity)
    this.#places = new Int32Array(capacity)
    this.#keys = new Float64Array(capacity)
  }

  get size(): number {
    return this.#size
  }

  has(id: number): boolean {
    return id >= 0 && id < this.#places.length && this.#places[id] !== 0
  }

  /** The key of an id that is in the queue. */
  keyOf(id: number): number {
    assert(this.has(id), 'the id is in the queue')
    return this.#keys[id]!
  }

  /** Adds an id that is not in the queue yet. The key is no NaN. */
  insert(id: number, key: number): void {
    assert(!this.has(id), 'the id is not in the queue yet')
    assert(Number.isInteger(id) && id >= 0 && id < IDS_MAX, 'ids are dense whole numbers')
    assert(!Number.isNaN(key), 'a key is a number')
    this.#grow(Math.max(id, this.#size) + 1)
    this.#keys[id] = key
    this.#heap[this.#size] = id
    this.#places[id] = this.#size + 1
    this.#up(this.#size++)
  }

  /** Changes the key of an id that is in the queue. */
  update(id: number, key: number): void {
    assert(this.has(id), 'the id is in the queue')
    assert(!Number.isNaN(key), 'a key is a number')
    this.#keys[id] = key
    const place = this.#places[id]! - 1
    this.#up(place)
    this.#down(this.#places[id]! - 1)
  }

  /** Inserts the id or changes its key. */
  set(id: number, key: number): void {
    if (this.has(id)) this.update(id, key)
    else this.insert(id, key)
  }

  /** Takes an id out; says whether it was there. */
  remove(id: number): boolean {
    if (!this.has(id)) return false
    const place = this.#places[id]! - 1
    this.#places[id] = 0
    const last = this.#heap[--this.#size]!
    if (last === id) return true
    this.#heap[place] = last
    this.#places[last] = place + 1
    this.#up(place)
    this.#down(this.#places[last]! - 1)
    return true
  }

  /** The id with the smallest key, which stays in the queue. */
  peek(): number | undefined {
    return this.#size === 0 ? undefined : this.#heap[0]
  }

  /** The smallest key. */
  peekKey(): number | undefined {
    return this.#size === 0 ? undefined : this.#keys[this.#heap[0]!]
  }

  /** Takes out the id with the smallest key. */
  pop(): number | undefined {
    const id = this.peek()
    if (id !== undefined) this.remove(id)
    return id
  }

  clear(): void {
    for (let at = 0; at < this.#size; at++) this.#places[this.#heap[at]!] = 0
    this.#size = 0
  }

  #isBefore(a: number, b: number): boolean {
    const [keyA, keyB] = [this.#keys[a]!, this.#keys[b]!]
    return keyA < keyB || (keyA === keyB && a < b)
  }

  #up(from: number): void {
    const id = this.#heap[from]!
    let place = from
    while (place > 0) {
      const above = (place - 1) >> 1
      const other = this.#heap[above]!
      if (!this.#isBefore(id, other)) break
      this.#put(other, place)
      place = above
    }
    this.#put(id, place)
  }

  #down(from: number): void {
    const id = this.#heap[from]!
    let place = from
    for (let below = 2 * place + 1; below < this.#size; below = 2 * place + 1) {
      if (below + 1 < this.#size && this.#isBefore(this.#heap[below + 1]!, this.#heap[below]!)) below++
      const other = this.#heap[below]!
      if (!this.#isBefore(other, id)) break
      this.#put(other, place)
      place = below
    }
    this.#put(id, place)
  }

  #put(id: number, place: number): void {
    this.#heap[place] = id
    this.#places[id] = place + 1
  }

  #grow(wanted: number): void {
    if (wanted <= this.#places.length) return
    const capacity = Math.max(wanted, 2 * this.#places.length, 16)
    const [heap, places, keys] = [new Int32Array(capacity), new Int32Array(capacity), new Float64Array(capacity)]
    heap.set(this.#heap)
    places.set(this.#places)
    keys.set(this.#keys)
    this.#heap = heap
    this.#places = places
    this.#keys = keys
  }
}
