// One resource of a bag, and its message.

import type { Resource } from '@isthmus/proto/gen/mesos'
import { type Kind, kindOf } from './kind.ts'
import { reservationsOf } from './reservations.ts'
import { type Amount, printValue, readValue, toAmount, type Value } from './value.ts'

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

/**
 * `disk(allocated: r)(reservations: [(DYNAMIC,r,p)])[v1:data]:1024`, as Mesos prints a resource in its messages.
 *
 * @param copies of a shared resource, shown behind it
 */
export function printResource(template: Resource, value: Value, copies: number): string {
  const { name, allocation_info: allocation, disk, revocable, shared } = template
  const allocated = allocation?.role === undefined ? '' : `(allocated: ${allocation.role})`
  const stack = reservationsOf(template).map((reservation) => `(${printReservation(reservation)})`)
  const reserved = stack.length === 0 ? '' : `(reservations: [${stack.join(',')}])`
  const marks = `${revocable === undefined ? '' : '{REV}'}${shared === undefined ? '' : '<SHARED>'}`
  const count = shared === undefined ? '' : `<${copies}>`
  return `${name}${allocated}${reserved}${printDisk(disk)}${marks}:${printValue(value)}${count}`
}

function printReservation({ type, role, principal, labels }: ReturnType<typeof reservationsOf>[number]): string {
  const parts = [type ?? 'UNKNOWN', role ?? '']
  if (principal !== undefined) parts.push(principal)
  if (labels !== undefined) {
    const pairs = (labels.labels ?? []).map(({ key, value }) => (value === undefined ? key : `${key}: ${value}`))
    parts.push(`{${pairs.join(', ')}}`)
  }
  return parts.join(',')
}

function printDisk(disk: Resource['disk']): string {
  if (disk === undefined) return ''
  const { source, persistence, volume } = disk
  const parts = [source === undefined ? undefined : printSource(source), persistence?.id]
  const made = parts.filter((part) => part !== undefined).join(',')
  return `[${made}${volume === undefined ? '' : `:${printVolume(volume)}`}]`
}

function printSource(source: NonNullable<NonNullable<Resource['disk']>['source']>): string {
  const { type, id, profile, vendor } = source
  if (id !== undefined || profile !== undefined) return `${type}(${vendor ?? ''},${id ?? ''},${profile ?? ''})`
  const root = source.path?.root ?? source.mount?.root
  return root === undefined ? type : `${type}:${root}`
}

function printVolume(volume: NonNullable<NonNullable<Resource['disk']>['volume']>): string {
  const { container_path: path, host_path: host, mode } = volume
  return host === undefined ? path : `${host}:${path}:${mode.toLowerCase()}`
}
