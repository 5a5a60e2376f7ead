/**
 * A Map and a Set for things of which there are many, and which mostly hold nothing or one entry: such a one takes 40 bytes instead of 184 and
 * needs no hash. Like Map and Set but for one thing: who goes through one entry does not see what is added meanwhile.
 */

const NONE: unique symbol = Symbol('none')

/** A Map that makes a table with the second entry and gives it up with the last. */
export class LazyMap<K, V> implements Map<K, V> {
  /** The only entry, when there is no table. */
  #key: K | typeof NONE = NONE
  #value: V | undefined
  #map: Map<K, V> | undefined

  get size(): number {
    if (this.#map !== undefined) return this.#map.size
    return this.#key === NONE ? 0 : 1
  }

  get [Symbol.toStringTag](): string {
    return 'LazyMap'
  }

  get(key: K): V | undefined {
    if (this.#map !== undefined) return this.#map.get(key)
    return this.#key === key ? this.#value : undefined
  }

  has(key: K): boolean {
    return this.#map === undefined ? this.#key === key : this.#map.has(key)
  }

  set(key: K, value: V): this {
    if (this.#map !== undefined) this.#map.set(key, value)
    else if (this.#key === NONE || this.#key === key) {
      this.#key = key
      this.#value = value
    } else {
      this.#map = new Map([
        [this.#key, this.#value as V],
        [key, value],
      ])
      this.#key = NONE
      this.#value = undefined
    }
    return this
  }

  delete(key: K): boolean {
    if (this.#map === undefined) {
      if (this.#key !== key) return false
      this.clear()
      return true
    }
    const isDeleted = this.#map.delete(key)
    if (this.#map.size === 0) this.#map = undefined
    return isDeleted
  }

  clear(): void {
    this.#key = NONE
    this.#value = undefined
    this.#map = undefined
  }

  keys(): MapIterator<K> {
    if (this.#map !== undefined) return this.#map.keys()
    return (this.#key === NONE ? [] : [this.#key]).values()
  }

  values(): MapIterator<V> {
    if (this.#map !== undefined) return this.#map.values()
    return (this.#key === NONE ? [] : [this.#value as V]).values()
  }

  entries(): MapIterator<[K, V]> {
    if (this.#map !== undefined) return this.#map.entries()
    const only: [K, V][] = this.#key === NONE ? [] : [[this.#key, this.#value as V]]
    return only.values()
  }

  [Symbol.iterator](): MapIterator<[K, V]> {
    return this.entries()
  }

  forEach(visit: (value: V, key: K, map: Map<K, V>) => void): void {
    for (const [key, value] of this) visit(value, key, this)
  }

  /** As a list of pairs. */
  toJSON(): unknown {
    return [...this]
  }
}

/** A Set that makes a table with the second member and gives it up with the last. */
export class LazySet<T> implements Set<T> {
  /** The only member, when there is no table. */
  #member: T | typeof NONE = NONE
  #set: Set<T> | undefined

  get size(): number {
    if (this.#set !== undefined) return this.#set.size
    return this.#member === NONE ? 0 : 1
  }

  get [Symbol.toStringTag](): string {
    return 'LazySet'
  }

  has(member: T): boolean {
    return this.#set === undefined ? this.#member === member : this.#set.has(member)
  }

  add(member: T): this {
    if (this.#set !== undefined) this.#set.add(member)
    else if (this.#member === NONE || this.#member === member) this.#member = member
    else {
      this.#set = new Set([this.#member, member])
      this.#member = NONE
    }
    return this
  }

  delete(member: T): boolean {
    if (this.#set === undefined) {
      if (this.#member !== member) return false
      this.#member = NONE
      return true
    }
    const isDeleted = this.#set.delete(member)
    if (this.#set.size === 0) this.#set = undefined
    return isDeleted
  }

  clear(): void {
    this.#member = NONE
    this.#set = undefined
  }

  values(): SetIterator<T> {
    if (this.#set !== undefined) return this.#set.values()
    return (this.#member === NONE ? [] : [this.#member]).values()
  }

  keys(): SetIterator<T> {
    return this.values()
  }

  entries(): SetIterator<[T, T]> {
    if (this.#set !== undefined) return this.#set.entries()
    const only: [T, T][] = this.#member === NONE ? [] : [[this.#member, this.#member]]
    return only.values()
  }

  [Symbol.iterator](): SetIterator<T> {
    return this.values()
  }

  forEach(visit: (member: T, again: T, set: Set<T>) => void): void {
    for (const member of this) visit(member, member, this)
  }

  /** As a list. */
  toJSON(): unknown {
    return [...this]
  }
}
