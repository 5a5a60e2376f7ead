/** JSON as values. */

/** A JSON value; fields that are undefined are left out when written. */
export type Json = null | boolean | number | bigint | string | readonly Json[] | JsonObject | LazyList | JsonText

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

/** A value as its JSON text, for what is shown often and seldom changes. */
export class JsonText {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  /** The value; 64-bit numbers in it lose digits. */
  toJSON(): Json {
    return JSON.parse(this.text) as Json
  }
}

/** Some fields of an object as their JSON text, without the braces. */
export class FieldsText {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  /** The fields as an object. */
  toJSON(): JsonObject {
    return JSON.parse(`{${this.text}}`) as JsonObject
  }
}

/** An object with so many fields that they are made in groups when it is written: `own` first, then each group that `more` makes. */
export class LazyFields {
  readonly own: JsonObject
  readonly more: () => Iterable<JsonObject | FieldsText>

  constructor(own: JsonObject, more: () => Iterable<JsonObject | FieldsText>) {
    this.own = own
    this.more = more
  }

  /** The whole object. */
  toJSON(): JsonObject {
    const groups = Array.from(this.more(), (group) => (group instanceof FieldsText ? group.toJSON() : group))
    return Object.assign({}, this.own, ...groups)
  }
}
