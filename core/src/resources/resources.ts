// The bag of resources: what an agent has, an offer holds, a task uses. Start here.
//
// A bag is immutable: every operation gives a new one. Amounts of the same kind (name, type, reservation, allocation, disk,
// revocable, shared, provider) are one entry; nothing of a kind is no entry. Scalars are exact to three decimals.
//
// Read next: resource.ts (what a kind is), parse.ts (text and JSON), operations.ts (reserve, create …), validate.ts.
//
// Source: the resources chapter of the Mesos documentation and the behaviour of its Resources class.

import type { Resource } from '@isthmus/proto/gen/mesos'
import { addRanges, containsRanges, countRanges, printRanges, subtractRanges } from './ranges.ts'
import { reservationRole, reservationsOf } from './reservations.ts'
import { type Amount, type Entry, isNothing, toEntry, toResource, withTemplate } from './resource.ts'
import { isStrictSubRoleOf } from './roles.ts'

/** An immutable bag of resources. */
export class Resources {
  static readonly empty: Resources = new Resources(new Map())
  readonly #entries: ReadonlyMap<string, Entry>

  private constructor(entries: ReadonlyMap<string, Entry>) {
    this.#entries = entries
  }

  /** A bag of these; the same kind several times adds up, nothing of a kind vanishes. */
  static fromProto(list: readonly Resource[] | undefined): Resources {
    if (list === undefined || list.length === 0) return Resources.empty
    const entries = new Map<string, Entry>()
    for (const resource of list) {
      const entry = toEntry(resource)
      if (entry !== undefined) addEntry(entries, entry)
    }
    return Resources.#of(entries)
  }

  static #of(entries: Map<string, Entry>): Resources {
    return entries.size === 0 ? Resources.empty : new Resources(entries)
  }

  /** One message for each kind, reservations as stacks; a shared resource as often as it has copies. */
  toProto(): Resource[] {
    const list: Resource[] = []
    for (const entry of this.#entries.values()) {
      const resource = toResource(entry)
      for (let copy = 0; copy < entry.copies; copy++) list.push(resource)
    }
    return list
  }

  get isEmpty(): boolean {
    return this.#entries.size === 0
  }

  /** The entries, one for each kind. */
  entries(): Iterable<Entry> {
    return this.#entries.values()
  }

  plus(other: Resources): Resources {
    if (other.isEmpty) return this
    if (this.isEmpty) return other
    const entries = new Map(this.#entries)
    for (const entry of other.#entries.values()) addEntry(entries, entry)
    return new Resources(entries)
  }

  /** What is left; what is not there is not taken, so that nothing becomes negative. */
  minus(other: Resources): Resources {
    if (other.isEmpty || this.isEmpty) return this
    const entries = new Map(this.#entries)
    for (const entry of other.#entries.values()) subtractEntry(entries, entry)
    return Resources.#of(entries)
  }

  /** Says whether `other` could be taken out of this bag. */
  contains(other: Resources): boolean {
    for (const entry of other.#entries.values()) {
      const mine = this.#entries.get(entry.key)
      if (mine === undefined || !containsEntry(mine, entry)) return false
    }
    return true
  }

  equals(other: Resources): boolean {
    return this.#entries.size === other.#entries.size && this.contains(other) && other.contains(this)
  }

  /** The kinds that the predicate keeps; it sees a resource without its value. */
  filter(keep: (template: Resource) => boolean): Resources {
    const entries = new Map<string, Entry>()
    for (const entry of this.#entries.values()) if (keep(entry.template)) entries.set(entry.key, entry)
    if (entries.size === this.#entries.size) return this
    return Resources.#of(entries)
  }

  /** Every amount turned into another kind. */
  map(change: (template: Resource) => Resource): Resources {
    const entries = new Map<string, Entry>()
    for (const entry of this.#entries.values()) addEntry(entries, withTemplate(entry, change(entry.template)))
    return Resources.#of(entries)
  }

  named(name: string): Resources {
    return this.filter((template) => template.name === name)
  }

  unreserved(): Resources {
    return this.filter((template) => reservationsOf(template).length === 0)
  }

  /** What is reserved for this role itself; without a role, everything reserved. */
  reserved(role?: string): Resources {
    return this.filter((template) => {
      const reservedFor = reservationRole(template)
      return reservedFor !== undefined && (role === undefined || reservedFor === role)
    })
  }

  /** The amounts reserved for each role. */
  reservations(): ReadonlyMap<string, Resources> {
    const roles = new Set<string>()
    for (const { template } of this.#entries.values()) {
      const role = reservationRole(template)
      if (role !== undefined) roles.add(role)
    }
    return new Map([...roles].map((role) => [role, this.reserved(role)]))
  }

  /** What may be allocated to a role: unreserved, or reserved for it or for a role above it. */
  allocatableTo(role: string): Resources {
    return this.filter((template) => {
      const reservedFor = reservationRole(template)
      return reservedFor === undefined || reservedFor === role || isStrictSubRoleOf(role, reservedFor)
    })
  }

  allocatedTo(role: string): Resources {
    return this.filter((template) => template.allocation_info?.role === role)
  }

  /** The amounts by the role they are allocated to. */
  allocations(): ReadonlyMap<string, Resources> {
    const roles = new Set<string>()
    for (const { template } of this.#entries.values()) {
      if (template.allocation_info?.role !== undefined) roles.add(template.allocation_info.role)
    }
    return new Map([...roles].map((role) => [role, this.allocatedTo(role)]))
  }

  /** Everything allocated to a role. */
  allocate(role: string): Resources {
    return this.map((template) => ({ ...template, allocation_info: { role } }))
  }

  /** Everything without an allocation. */
  unallocate(): Resources {
    return this.map(({ allocation_info: _allocation, ...rest }) => rest)
  }

  revocable(): Resources {
    return this.filter((template) => template.revocable !== undefined)
  }

  nonRevocable(): Resources {
    return this.filter((template) => template.revocable === undefined)
  }

  shared(): Resources {
    return this.filter((template) => template.shared !== undefined)
  }

  nonShared(): Resources {
    return this.filter((template) => template.shared === undefined)
  }

  persistentVolumes(): Resources {
    return this.filter((template) => template.disk?.persistence !== undefined)
  }

  scalars(): Resources {
    const entries = new Map<string, Entry>()
    for (const entry of this.#entries.values()) if (entry.amount.kind === 'scalar') entries.set(entry.key, entry)
    return Resources.#of(entries)
  }

  /** Sum of a scalar in thousandths over all its kinds, shared resources counted once. */
  milli(name: string): number {
    let sum = 0
    for (const { template, amount } of this.#entries.values()) {
      if (template.name === name && amount.kind === 'scalar') sum += amount.milli
    }
    return sum
  }

  /** Scalars in thousandths and counts of ranges and sets (in thousandths too), by name. */
  quantities(): Map<string, number> {
    const sums = new Map<string, number>()
    for (const { template, amount } of this.#entries.values()) {
      sums.set(template.name, (sums.get(template.name) ?? 0) + quantity(amount))
    }
    return sums
  }

  get names(): ReadonlySet<string> {
    return new Set([...this.#entries.values()].map(({ template }) => template.name))
  }

  /** `cpus:4; mem(allocated: r):32; ports:[31000-32000]`, as Mesos prints resources in its messages. */
  toString(): string {
    return [...this.#entries.values()].map(printEntry).join('; ')
  }
}

function addEntry(entries: Map<string, Entry>, added: Entry): void {
  const mine = entries.get(added.key)
  if (mine === undefined) entries.set(added.key, added)
  else if (mine.template.shared !== undefined) entries.set(added.key, { ...mine, copies: mine.copies + added.copies })
  else entries.set(added.key, { ...mine, amount: addAmounts(mine.amount, added.amount) })
}

function subtractEntry(entries: Map<string, Entry>, taken: Entry): void {
  const mine = entries.get(taken.key)
  if (mine === undefined) return
  if (mine.template.shared !== undefined) {
    const copies = mine.copies - taken.copies
    if (copies <= 0) entries.delete(taken.key)
    else entries.set(taken.key, { ...mine, copies })
    return
  }
  const amount = subtractAmounts(mine.amount, taken.amount)
  if (isNothing(amount)) entries.delete(taken.key)
  else entries.set(taken.key, { ...mine, amount })
}

function containsEntry(whole: Entry, part: Entry): boolean {
  if (whole.template.shared !== undefined) return whole.copies >= part.copies
  const [a, b] = [whole.amount, part.amount]
  if (a.kind === 'scalar' && b.kind === 'scalar') return a.milli >= b.milli
  if (a.kind === 'ranges' && b.kind === 'ranges') return containsRanges(a.ranges, b.ranges)
  if (a.kind !== 'set' || b.kind !== 'set') return false
  return [...b.items].every((item) => a.items.has(item))
}

function addAmounts(a: Amount, b: Amount): Amount {
  if (a.kind === 'scalar' && b.kind === 'scalar') return { kind: 'scalar', milli: a.milli + b.milli }
  if (a.kind === 'ranges' && b.kind === 'ranges') return { kind: 'ranges', ranges: addRanges(a.ranges, b.ranges) }
  if (a.kind === 'set' && b.kind === 'set') return { kind: 'set', items: new Set([...a.items, ...b.items]) }
  return a
}

function subtractAmounts(a: Amount, b: Amount): Amount {
  if (a.kind === 'scalar' && b.kind === 'scalar') return { kind: 'scalar', milli: Math.max(0, a.milli - b.milli) }
  if (a.kind === 'ranges' && b.kind === 'ranges') return { kind: 'ranges', ranges: subtractRanges(a.ranges, b.ranges) }
  if (a.kind === 'set' && b.kind === 'set') {
    return { kind: 'set', items: new Set([...a.items].filter((item) => !b.items.has(item))) }
  }
  return a
}

function quantity(amount: Amount): number {
  if (amount.kind === 'scalar') return amount.milli
  return 1000 * (amount.kind === 'ranges' ? countRanges(amount.ranges) : amount.items.size)
}

function printEntry({ template, amount, copies }: Entry): string {
  const marks: string[] = []
  if (template.allocation_info?.role !== undefined) marks.push(`(allocated: ${template.allocation_info.role})`)
  const reservations = reservationsOf(template).map(({ type, role, principal }) => {
    const by = principal === undefined || principal === '' ? '' : `,${principal}`
    return `(${type ?? 'UNKNOWN'},${role ?? ''}${by})`
  })
  if (reservations.length > 0) marks.push(`(reservations: [${reservations.join(',')}])`)
  const persistence = template.disk?.persistence
  if (persistence !== undefined) marks.push(`[${persistence.id}:${template.disk?.volume?.container_path ?? ''}]`)
  if (template.revocable !== undefined) marks.push('{REV}')
  if (template.shared !== undefined) marks.push(copies > 1 ? `<SHARED>×${copies}` : '<SHARED>')
  return `${template.name}${marks.join('')}:${printAmount(amount)}`
}

function printAmount(amount: Amount): string {
  if (amount.kind === 'scalar') return String(amount.milli / 1000)
  return amount.kind === 'ranges' ? printRanges(amount.ranges) : `{${[...amount.items].join(', ')}}`
}
