import { assert } from './assert.ts'

/**
 * A list with a limit: adding to a full one drops the oldest. For histories.
 *
 * push: O(1); at: O(1); going through it: oldest first.
 */
export class Ring<T> {
  readonly limit: number
  #items: T[] = []
  /** Where the oldest lies once the ring is full. */
  #first = 0
  #dropped = 0

  /** @param limit how many are kept; 0 keeps none */
  constructor(limit: number) {
    assert(Number.isInteger(limit) && limit >= 0, 'a limit is a whole number, 0 or more')
    this.limit = limit
  }

  get size(): number {
    return this.#items.length
  }

  /** How many were dropped since the start. */
  get dropped(): number {
    return this.#dropped
  }

  /** Adds at the end; returns what had to go for it. */
  push(item: T): T | undefined {
    if (this.#items.length < this.limit) {
      this.#items.push(item)
      return undefined
    }
    this.#dropped++
    if (this.limit === 0) return item
    const oldest = this.#items[this.#first]
    this.#items[this.#first] = item
    this.#first = (this.#first + 1) % this.limit
    return oldest
  }

  /** The item at a place, 0 = the oldest; negative counts from the newest. */
  at(place: number): T | undefined {
    const from = place < 0 ? place + this.#items.length : place
    if (from < 0 || from >= this.#items.length) return undefined
    return this.#items[(this.#first + from) % this.#items.length]
  }

  /** All, oldest first. */
  toArray(): T[] {
    return [...this.#items.slice(this.#first), ...this.#items.slice(0, this.#first)]
  }

  /** Keeps only what the predicate says; O(n). Returns how many went; they do not count as dropped. */
  retain(keep: (item: T) => boolean): number {
    const kept = this.toArray().filter(keep)
    const gone = this.#items.length - kept.length
    this.#items = kept
    this.#first = 0
    return gone
  }

  clear(): void {
    this.#items = []
    this.#first = 0
  }

  *[Symbol.iterator](): IterableIterator<T> {
    for (let place = 0; place < this.#items.length; place++) yield this.at(place) as T
  }
}

/**
 * A map with a limit: setting a new key in a full one evicts the oldest. Setting a known key again makes it the newest.
 *
 * All O(1); going through it: oldest first.
 */
export class BoundedMap<K, V> {
  readonly limit: number
  readonly #entries = new Map<K, V>()

  /** @param limit how many are kept; 0 keeps none */
  constructor(limit: number) {
    assert(Number.isInteger(limit) && limit >= 0, 'a limit is a whole number, 0 or more')
    this.limit = limit
  }

  get size(): number {
    return this.#entries.size
  }

  has(key: K): boolean {
    return this.#entries.has(key)
  }

  get(key: K): V | undefined {
    return this.#entries.get(key)
  }

  /** Sets a key; returns the entry that had to go for it. */
  set(key: K, value: V): readonly [K, V] | undefined {
    this.#entries.delete(key)
    this.#entries.set(key, value)
    if (this.#entries.size <= this.limit) return undefined
    const oldest = this.#entries.entries().next().value
    if (oldest !== undefined) this.#entries.delete(oldest[0])
    return oldest
  }

  delete(key: K): boolean {
    return this.#entries.delete(key)
  }

  clear(): void {
    this.#entries.clear()
  }

  keys(): IterableIterator<K> {
    return this.#entries.keys()
  }

  values(): IterableIterator<V> {
    return this.#entries.values()
  }

  [Symbol.iterator](): IterableIterator<[K, V]> {
    return this.#entries[Symbol.iterator]()
  }
}
