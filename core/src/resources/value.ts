// How much of a resource there is, without saying of what. A bag keeps these bare: thousandths of a scalar as a number, ranges
// as a list, a set as a set; its kind (kind.ts) says which of the three it is.

import type { Resource } from '@isthmus/proto/gen/mesos'
import {
  addRanges,
  containsRanges,
  countRanges,
  equalRanges,
  printRanges,
  type Ranges,
  subtractRanges,
  toRanges,
} from './ranges.ts'
import { fromMilli, MILLI, toMilli } from './scalar.ts'
import { addItems, containsItems, equalItems, type Items, printItems, subtractItems } from './set.ts'

/** Thousandths of a scalar, ranges in normal form, or a set. Both operands of every function here are of one type. */
export type Value = number | Ranges | Items

/** Which of the three a value is. */
export type ValueType = 'scalar' | 'ranges' | 'set'

/** How much, with its type beside it: the form for callers that look into a bag. */
export type Amount =
  | { readonly kind: 'scalar'; readonly milli: number }
  | { readonly kind: 'ranges'; readonly ranges: Ranges }
  | { readonly kind: 'set'; readonly items: Items }

/** The value of a message; undefined when there is none or nothing: zero, negative, not a number, empty. */
export function readValue(resource: Resource): Value | undefined {
  switch (resource.type) {
    case 'SCALAR': {
      const milli = toMilli(resource.scalar?.value ?? 0)
      return milli > 0 ? milli : undefined
    }
    case 'RANGES': {
      const list = resource.ranges?.range
      if (list === undefined || list.length === 0) return undefined
      const ranges = toRanges(list.map(({ begin, end }) => ({ begin: Number(begin), end: Number(end) })))
      return ranges.length > 0 ? ranges : undefined
    }
    case 'SET': {
      const items = resource.set?.item
      return items === undefined || items.length === 0 ? undefined : new Set(items)
    }
    default:
      return undefined
  }
}

/** All of both. */
export function addValues(a: Value, b: Value): Value {
  if (typeof a === 'number') return a + (b as number)
  return a instanceof Set ? addItems(a, b as Items) : addRanges(a as Ranges, b as Ranges)
}

/** What is left of `a`; undefined when that is nothing. What is not there is not taken. */
export function subtractValues(a: Value, b: Value): Value | undefined {
  if (typeof a === 'number') {
    const left = a - (b as number)
    return left > 0 ? left : undefined
  }
  if (a instanceof Set) {
    const left = subtractItems(a, b as Items)
    return left.size > 0 ? left : undefined
  }
  const left = subtractRanges(a as Ranges, b as Ranges)
  return left.length > 0 ? left : undefined
}

/** Says whether `part` could be taken out of `whole`. */
export function containsValue(whole: Value, part: Value): boolean {
  if (typeof whole === 'number') return whole >= (part as number)
  return whole instanceof Set ? containsItems(whole, part as Items) : containsRanges(whole as Ranges, part as Ranges)
}

/** Says whether both are the same. */
export function equalValues(a: Value, b: Value): boolean {
  if (typeof a === 'number') return a === b
  return a instanceof Set ? equalItems(a, b as Items) : equalRanges(a as Ranges, b as Ranges)
}

/** Thousandths of a scalar; of ranges and sets how many they hold, in thousandths too. */
export function quantityOf(value: Value): number {
  if (typeof value === 'number') return value
  return MILLI * (value instanceof Set ? value.size : countRanges(value as Ranges))
}

/** `4.5`, `[1-3, 5-7]` or `{a, b}`, as Mesos prints them. */
export function printValue(value: Value): string {
  if (typeof value === 'number') return String(fromMilli(value))
  return value instanceof Set ? printItems(value) : printRanges(value as Ranges)
}

/** The value with its type. */
export function toAmount(value: Value): Amount {
  if (typeof value === 'number') return { kind: 'scalar', milli: value }
  return value instanceof Set ? { kind: 'set', items: value } : { kind: 'ranges', ranges: value as Ranges }
}
