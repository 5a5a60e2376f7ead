/** JSON as values. */

/** A JSON value; fields that are undefined are left out when written. */
export type Json = null | boolean | number | bigint | string | readonly Json[] | JsonObject | LazyList

/** A JSON object. */
export interface JsonObject {
  readonly [field: string]: Json | undefined
}

/**
 * A list whose elements are made one after the other when it is gone through, so that a page with a hundred thousand of them can be written in
 * pieces. What they are made of was taken when the list was made and does not change: however long writing takes, the page shows one moment.
 */
export class LazyList {
  readonly #make: () => Iterable<Json>

  private constructor(make: () => Iterable<Json>) {
    this.#make = make
  }

  /** A list of what `show` makes of each item. */
  static of<T>(items: readonly T[], show: (item: T) => Json): LazyList {
    return new LazyList(function* elements() {
      for (const item of items) yield show(item)
    })
  }

  /** The elements, made anew each time. */
  [Symbol.iterator](): Iterator<Json> {
    return this.#make()[Symbol.iterator]()
  }

  /** The whole list. */
  toJSON(): readonly Json[] {
    return [...this]
  }
}

/** An object with so many fields that they are made in groups when it is written: `own` first, then each group that `more` makes. */
export class LazyFields {
  readonly own: JsonObject
  readonly more: () => Iterable<JsonObject>

  constructor(own: JsonObject, more: () => Iterable<JsonObject>) {
    this.own = own
    this.more = more
  }

  /** The whole object. */
  toJSON(): JsonObject {
    return Object.assign({}, this.own, ...this.more())
  }
}
