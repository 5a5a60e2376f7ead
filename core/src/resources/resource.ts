// One kind of resource: everything about it but how much. Two amounts of the same kind add up; amounts of different kinds
// stand side by side. The kind is a string, the same for the same kind, so that a map finds it.

import type { Resource } from '@isthmus/proto/gen/mesos'
import { type Ranges, toRanges } from './ranges.ts'
import { reservationsOf, upgradeReservation } from './reservations.ts'
import { toMilli } from './scalar.ts'

/** How much: thousandths of a scalar, ranges, or a set of names. */
export type Amount =
  | { readonly kind: 'scalar'; readonly milli: number }
  | { readonly kind: 'ranges'; readonly ranges: Ranges }
  | { readonly kind: 'set'; readonly items: ReadonlySet<string> }

/** An amount of one kind. */
export interface Entry {
  readonly key: string
  /** The resource without its value. */
  readonly template: Resource
  readonly amount: Amount
  /** Copies of a shared resource; 1 for all others. */
  readonly copies: number
}

/** Splits a resource into kind and amount; undefined when there is nothing of it. */
export function toEntry(resource: Resource): Entry | undefined {
  const amount = amountOf(resource)
  if (amount === undefined || isNothing(amount)) return undefined
  const { scalar: _scalar, ranges: _ranges, set: _set, ...rest } = resource
  const template = upgradeReservation(rest)
  return { key: keyOf(template, amount), template, amount, copies: 1 }
}

/** The resource of an entry, once. */
export function toResource({ template, amount }: Entry): Resource {
  switch (amount.kind) {
    case 'scalar':
      return { ...template, type: 'SCALAR', scalar: { value: amount.milli / 1000 } }
    case 'ranges':
      return { ...template, type: 'RANGES', ranges: { range: amount.ranges } }
    case 'set':
      return { ...template, type: 'SET', set: { item: [...amount.items] } }
    default:
      return amount satisfies never
  }
}

/** The same amount of another kind. */
export function withTemplate(entry: Entry, template: Resource): Entry {
  return { ...entry, template, key: keyOf(template, entry.amount) }
}

export function isNothing(amount: Amount): boolean {
  if (amount.kind === 'scalar') return amount.milli === 0
  return amount.kind === 'ranges' ? amount.ranges.length === 0 : amount.items.size === 0
}

function amountOf(resource: Resource): Amount | undefined {
  if (resource.scalar !== undefined) return { kind: 'scalar', milli: toMilli(resource.scalar.value) }
  if (resource.ranges !== undefined) {
    const ranges = (resource.ranges.range ?? []).map(({ begin, end }) => ({ begin: Number(begin), end: Number(end) }))
    return { kind: 'ranges', ranges: toRanges(ranges) }
  }
  return resource.set === undefined ? undefined : { kind: 'set', items: new Set(resource.set.item ?? []) }
}

/** Plain resources, by far the most, get their key without any further look. A shared resource's size belongs to its kind. */
function keyOf(template: Resource, amount: Amount): string {
  const role = template.allocation_info?.role
  const head = `${template.name}:${amount.kind}${role === undefined ? '' : `@${role}`}`
  const reservations = reservationsOf(template)
  const { disk, revocable, shared, provider_id: provider } = template
  if (reservations.length === 0 && !disk && !revocable && !shared && !provider) return head
  const size = shared && amount.kind === 'scalar' ? amount.milli : 0
  const parts = [
    reservations.map(normalize),
    normalize(disk),
    revocable !== undefined,
    shared !== undefined,
    provider?.value,
    size,
  ]
  return `${head} ${JSON.stringify(parts)}`
}

/** The same value for the same message, in whatever order its fields were set. */
function normalize(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(normalize)
  if (typeof value === 'bigint') return String(value)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined)
  return entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, entry]) => [key, normalize(entry)])
}
