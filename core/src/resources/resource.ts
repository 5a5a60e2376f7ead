// One resource of a bag, and its message.

import type { Resource } from '@isthmus/proto/gen/mesos'
import { type Kind, kindOf } from './kind.ts'
import { type Amount, readValue, toAmount, type Value } from './value.ts'

export type { Amount } from './value.ts'

/** An amount of one kind. */
export interface Entry {
  /** The same for the same kind, whatever the amount; the size of an indivisible resource belongs to its kind. */
  readonly key: string
  /** The resource without its value, reservations as a stack. */
  readonly template: Resource
  /** How much; of an indivisible resource, how much each copy is. */
  readonly amount: Amount
  /** Copies of a shared resource; 1 for nearly all others. */
  readonly copies: number
}

/** Splits a resource into kind and amount; undefined when there is nothing of it. */
export function toEntry(resource: Resource): Entry | undefined {
  const value = readValue(resource)
  return value === undefined ? undefined : entryOf(kindOf(resource, value), value)
}

/**
 * What a bag holds at one place, for callers.
 *
 * @param value the amount; of an indivisible kind: any
 */
export function entryOf(kind: Kind, value: Value, copies = 1): Entry {
  return { key: kind.key, template: kind.template, amount: toAmount(kind.size ?? value), copies }
}

/** The message of an amount of a kind, in the form of a template. */
export function toMessage(template: Resource, value: Value): Resource {
  if (typeof value === 'number') return { ...template, scalar: { value: value / 1000 } }
  if (value instanceof Set) return { ...template, set: { item: [...value] } }
  return { ...template, ranges: { range: value as readonly { begin: number; end: number }[] } }
}

/** The message of an entry, once. */
export function toResource({ template, amount }: Entry): Resource {
  switch (amount.kind) {
    case 'scalar':
      return toMessage(template, amount.milli)
    case 'ranges':
      return toMessage(template, amount.ranges)
    case 'set':
      return toMessage(template, amount.items)
    default:
      return amount satisfies never
  }
}
