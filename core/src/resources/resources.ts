// The bag of resources: what an agent has, an offer holds, a task uses. Start here.
//
// A bag is immutable: every operation gives a new one, or the same when nothing changes. Amounts of one kind (name, type, reservations,
// allocation, disk, revocable, shared, provider) are one entry; nothing of a kind is no entry. Scalars are exact to three decimals.
// Indivisible resources (shared, persistent volumes, MOUNT and BLOCK disks) never merge: they are counted.
// Not here: whether a message makes sense (validate.ts), who may do what (the master), quantities without kinds (quantities.ts).
//
// Inside, a bag is a layout (layout.ts: the kinds, shared by all bags of the same kinds) and an array of bare values beside it:
//
//   layout  [cpus, mem, ports]           one object for all agents alike
//   values  [4000, 4096000, [31000-..]]  thousandths, thousandths, ranges; copies where a kind is indivisible
//
// Costs, n and m entries: plus, minus, contains O(n + m) for the usual few entries; allocate, unallocate O(1); filters O(n), and O(1)
// when nothing is filtered out by kind (unreserved, nonRevocable, … of a plain bag).
//
// Read next: kind.ts (what a kind is), value.ts (how much), parse.ts (text and JSON), operations.ts (reserve, create …), find.ts, validate.ts.
//
// Source: the resources chapter of the Mesos documentation and the behaviour of its Resources class.

import type { Resource, ResourceReservationInfo } from '@isthmus/proto/gen/mesos'
import { isSameKind, type Kind, kindOf } from './kind.ts'
import { Layout } from './layout.ts'
import { printAmount } from './print.ts'
import type { Ranges } from './ranges.ts'
import { downgradeReservation, popReservation, pushReservation } from './reservations.ts'
import { type Entry, entryOf, toMessage } from './resource.ts'
import { isSameOrSubRoleOf } from './roles.ts'
import { addValues, containsValue, equalValues, quantityOf, readValue, subtractValues, type Value } from './value.ts'

/** An immutable bag of resources. */
export class Resources {
  /** The bag with nothing in it; the only one. */
  static readonly empty: Resources = new Resources(Layout.empty, [])
  readonly #layout: Layout
  /** Amounts by place; where the kind is indivisible, how many there are of it. */
  readonly #values: readonly Value[]

  private constructor(layout: Layout, values: readonly Value[]) {
    this.#layout = layout
    this.#values = values
  }

  static #of(layout: Layout, values: readonly Value[]): Resources {
    return values.length === 0 ? Resources.empty : new Resources(layout, values)
  }

  /** A bag of these; the same kind several times adds up; what is nothing, negative or of no known type is left out. */
  static fromProto(list: readonly Resource[] | undefined): Resources {
    if (list === undefined || list.length === 0) return Resources.empty
    const kinds: Kind[] = []
    const values: Value[] = []
    const index = list.length > INDEXED_MIN ? new Map<string, number>() : undefined
    for (const resource of list) {
      const value = readValue(resource)
      if (value !== undefined) put(kinds, values, index, kindOf(resource, value), value)
    }
    // An array that grew has room to spare; a bag lives long.
    return Resources.#of(Layout.of(kinds), values.slice())
  }

  /** One message for each kind, reservations as stacks; a shared resource as often as it has copies. */
  toProto(): Resource[] {
    return this.#messages((template) => template)
  }

  /** Messages with `role` and `reservation`, for frameworks without RESERVATION_REFINEMENT; refined reservations stay stacks. */
  toPreRefinementProto(): Resource[] {
    return this.#messages(downgradeReservation)
  }

  #messages(form: (template: Resource) => Resource): Resource[] {
    const list: Resource[] = []
    const { kinds } = this.#layout
    for (let place = 0; place < kinds.length; place++) {
      const { size, template } = kinds[place]!
      const value = this.#values[place]!
      const message = toMessage(form(template), size ?? value)
      const copies = size === undefined ? 1 : (value as number)
      for (let copy = 0; copy < copies; copy++) list.push(message)
    }
    return list
  }

  /** Whether there is nothing in it. */
  get isEmpty(): boolean {
    return this.#values.length === 0
  }

  /** How many kinds there are. */
  get size(): number {
    return this.#values.length
  }

  /** The entries, one for each kind, made for the caller. */
  entries(): readonly Entry[] {
    return this.#layout.kinds.map((kind, place) => {
      const value = this.#values[place]!
      return entryOf(kind, value, kind.size === undefined ? 1 : (value as number))
    })
  }

  /** The sum; new kinds come behind those that are here. */
  plus(other: Resources): Resources {
    if (other.isEmpty) return this
    if (this.isEmpty) return other
    const [mine, others] = [this.#layout, other.#layout]
    const values = this.#values.slice()
    if (mine === others) {
      for (let place = 0; place < values.length; place++)
        values[place] = addValues(values[place]!, other.#values[place]!)
      return new Resources(mine, values)
    }
    const added: Kind[] = []
    for (let at = 0; at < others.kinds.length; at++) {
      const kind = others.kinds[at]!
      const place = mine.placeOf(kind)
      if (place >= 0) values[place] = addValues(values[place]!, other.#values[at]!)
      else {
        added.push(kind)
        values.push(other.#values[at]!)
      }
    }
    return new Resources(mine.withAll(added), values)
  }

  /** What is left; what is not there is not taken, so that nothing becomes negative. */
  minus(other: Resources): Resources {
    if (other.isEmpty || this.isEmpty) return this
    const [mine, others] = [this.#layout, other.#layout]
    const values: (Value | undefined)[] = this.#values.slice()
    let gone = 0
    let isChanged = false
    for (let at = 0; at < others.kinds.length; at++) {
      const place = mine === others ? at : mine.placeOf(others.kinds[at]!)
      if (place < 0) continue
      const left = subtractValues(values[place]!, other.#values[at]!)
      values[place] = left
      isChanged = true
      if (left === undefined) gone++
    }
    if (!isChanged) return this
    if (gone === values.length) return Resources.empty
    if (gone === 0) return new Resources(mine, values as Value[])
    const kinds = mine.kinds.filter((_, place) => values[place] !== undefined)
    return new Resources(
      Layout.of(kinds),
      values.filter((value) => value !== undefined),
    )
  }

  /** Says whether `other` could be taken out of this bag. */
  contains(other: Resources): boolean {
    const [mine, others] = [this.#layout, other.#layout]
    if (others.kinds.length > mine.kinds.length) return false
    for (let at = 0; at < others.kinds.length; at++) {
      const place = mine === others ? at : mine.placeOf(others.kinds[at]!)
      if (place < 0 || !containsValue(this.#values[place]!, other.#values[at]!)) return false
    }
    return true
  }

  /** Says whether both hold the same amounts of the same kinds, in whatever order. */
  equals(other: Resources): boolean {
    if (this === other) return true
    const [mine, others] = [this.#layout, other.#layout]
    if (others.kinds.length !== mine.kinds.length) return false
    for (let at = 0; at < others.kinds.length; at++) {
      const place = mine === others ? at : mine.placeOf(others.kinds[at]!)
      if (place < 0 || !equalValues(this.#values[place]!, other.#values[at]!)) return false
    }
    return true
  }

  /** The kinds that the predicate keeps; it sees a resource without its value. */
  filter(keep: (template: Resource) => boolean): Resources {
    return this.#select(({ template }) => keep(template))
  }

  #select(keep: (kind: Kind) => boolean): Resources {
    const { kinds } = this.#layout
    const kept: Kind[] = []
    const values: Value[] = []
    for (let place = 0; place < kinds.length; place++) {
      const kind = kinds[place]!
      if (!keep(kind)) continue
      kept.push(kind)
      values.push(this.#values[place]!)
    }
    return kept.length === kinds.length ? this : Resources.#of(Layout.of(kept), values)
  }

  /** Every amount turned into another kind. A shared resource that is shared no longer counts once. */
  map(change: (template: Resource) => Resource): Resources {
    return Resources.fromProto(
      this.#layout.kinds.flatMap((kind, place) => {
        const changed = toMessage(change(kind.template), kind.size ?? this.#values[place]!)
        const isOnce = kind.size === undefined || (kind.isShared && changed.shared === undefined)
        return isOnce ? [changed] : new Array<Resource>(this.#values[place] as number).fill(changed)
      }),
    )
  }

  /** What has this name, of whatever kind. */
  named(name: string): Resources {
    return this.#select((kind) => kind.name === name)
  }

  /** What is reserved for nobody. */
  unreserved(): Resources {
    return this.#layout.hasReserved ? this.#select((kind) => kind.reservedTo === undefined) : this
  }

  /** What is reserved for this role itself; without a role, everything reserved. */
  reserved(role?: string): Resources {
    if (!this.#layout.hasReserved) return Resources.empty
    return this.#select(({ reservedTo }) => reservedTo !== undefined && (role === undefined || reservedTo === role))
  }

  /** What is reserved for a role or one below it. */
  reservedToSubtree(role: string): Resources {
    if (!this.#layout.hasReserved) return Resources.empty
    return this.#select(({ reservedTo }) => reservedTo !== undefined && isSameOrSubRoleOf(reservedTo, role))
  }

  /** The amounts reserved for each role. */
  reservations(): ReadonlyMap<string, Resources> {
    if (!this.#layout.hasReserved) return NO_PARTS
    return this.#partsBy((kind) => kind.reservedTo)
  }

  /** What may be allocated to a role: unreserved, or reserved for it or for a role above it. */
  allocatableTo(role: string): Resources {
    if (!this.#layout.hasReserved) return this
    return this.#select(({ reservedTo }) => reservedTo === undefined || isSameOrSubRoleOf(role, reservedTo))
  }

  /** What is allocated to this role itself. */
  allocatedTo(role: string): Resources {
    if (this.#layout.allocatedTo === role) return this
    return this.#select((kind) => kind.allocatedTo === role)
  }

  /** The amounts by the role they are allocated to. */
  allocations(): ReadonlyMap<string, Resources> {
    const only = this.#layout.allocatedTo
    return only === undefined ? this.#partsBy((kind) => kind.allocatedTo) : new Map([[only, this]])
  }

  #partsBy(roleOf: (kind: Kind) => string | undefined): ReadonlyMap<string, Resources> {
    const { kinds } = this.#layout
    const parts = new Map<string, { readonly kinds: Kind[]; readonly values: Value[] }>()
    for (let place = 0; place < kinds.length; place++) {
      const kind = kinds[place]!
      const role = roleOf(kind)
      if (role === undefined) continue
      const part = parts.get(role)
      if (part === undefined) parts.set(role, { kinds: [kind], values: [this.#values[place]!] })
      else {
        part.kinds.push(kind)
        part.values.push(this.#values[place]!)
      }
    }
    const bagOf = (part: { readonly kinds: Kind[]; readonly values: Value[] }): Resources =>
      part.kinds.length === kinds.length ? this : Resources.#of(Layout.of(part.kinds), part.values)
    return new Map(Array.from(parts, ([role, part]) => [role, bagOf(part)]))
  }

  /** Everything allocated to a role. */
  allocate(role: string): Resources {
    if (this.isEmpty || this.#layout.allocatedTo === role) return this
    const layout = this.#layout.allocate(role)
    if (layout !== undefined) return new Resources(layout, this.#values)
    return this.map((template) => ({ ...template, allocation_info: { role } }))
  }

  /** Everything without an allocation. */
  unallocate(): Resources {
    if (this.#layout.isUnallocated) return this
    const layout = this.#layout.unallocate()
    if (layout !== undefined) return new Resources(layout, this.#values)
    return this.map(({ allocation_info: _allocation, ...rest }) => rest)
  }

  /** Everything reserved once more. */
  pushReservation(reservation: ResourceReservationInfo): Resources {
    return this.map((template) => pushReservation(template, reservation))
  }

  /** Everything reserved once less; what is unreserved stays so. */
  popReservation(): Resources {
    return this.map(popReservation)
  }

  /** Everything without any reservation. */
  toUnreserved(): Resources {
    return this.#layout.hasReserved ? this.map(({ reservations: _stack, ...rest }) => rest) : this
  }

  /** What may be taken away again at any time. */
  revocable(): Resources {
    return this.#layout.hasRevocable ? this.#select((kind) => kind.isRevocable) : Resources.empty
  }

  /** What is not revocable. */
  nonRevocable(): Resources {
    return this.#layout.hasRevocable ? this.#select((kind) => !kind.isRevocable) : this
  }

  /** What several tasks may use at once. */
  shared(): Resources {
    return this.#layout.hasShared ? this.#select((kind) => kind.isShared) : Resources.empty
  }

  /** What is not shared. */
  nonShared(): Resources {
    return this.#layout.hasShared ? this.#select((kind) => !kind.isShared) : this
  }

  /** The same with each shared resource once, however many copies there are. */
  withSingleCopies(): Resources {
    if (!this.#layout.hasShared) return this
    const { kinds } = this.#layout
    return new Resources(
      this.#layout,
      this.#values.map((value, place) => (kinds[place]!.isShared ? 1 : value)),
    )
  }

  /** Disk with data that outlives tasks. */
  persistentVolumes(): Resources {
    return this.#layout.hasVolumes ? this.#select((kind) => kind.isVolume) : Resources.empty
  }

  /** What is measured: cpus, mem, disk … */
  scalars(): Resources {
    return this.#layout.hasScalarsOnly ? this : this.#select((kind) => kind.type === 'scalar')
  }

  /** Ranges and sets. */
  nonScalars(): Resources {
    return this.#layout.hasScalarsOnly ? Resources.empty : this.#select((kind) => kind.type !== 'scalar')
  }

  /** Whether a reservation is refined: a stack of two or more. */
  get hasRefinedReservations(): boolean {
    return this.#layout.hasReserved && this.#layout.kinds.some((kind) => kind.isRefined)
  }

  /** The role everything is allocated to; undefined when the roles differ or there is none. */
  get allocationRole(): string | undefined {
    return this.#layout.allocatedTo
  }

  /** How many of each there are of what `one` holds: copies if shared, else 1 or 0. The least over its kinds. */
  countOf(one: Resources): number {
    let least = Number.POSITIVE_INFINITY
    for (const kind of one.#layout.kinds) {
      const place = this.#layout.placeOf(kind)
      if (place < 0) return 0
      least = Math.min(least, kind.size === undefined ? 1 : (this.#values[place] as number))
    }
    return one.isEmpty ? 0 : least
  }

  /** Calls `visit` with each scalar kind and its thousandths, shared resources times their copies. Makes nothing, for hot paths. */
  eachScalar(visit: (kind: Kind, milli: number) => void): void {
    const { kinds } = this.#layout
    for (let place = 0; place < kinds.length; place++) {
      const kind = kinds[place]!
      if (kind.type !== 'scalar') continue
      const value = this.#values[place] as number
      visit(kind, kind.size === undefined ? value : (kind.size as number) * value)
    }
  }

  /** Sum of a scalar in thousandths over all its kinds, shared resources counted once. */
  milli(name: string): number {
    const { kinds } = this.#layout
    let sum = 0
    for (let place = 0; place < kinds.length; place++) {
      const kind = kinds[place]!
      if (kind.name === name && kind.type === 'scalar') sum += this.#quantityAt(kind, place)
    }
    return sum
  }

  /** Thousandths of a cpu. */
  get cpusMilli(): number {
    return this.milli('cpus')
  }

  /** Thousandths of a gpu; gpus are whole. */
  get gpusMilli(): number {
    return this.milli('gpus')
  }

  /** Thousandths of a megabyte. */
  get memMilli(): number {
    return this.milli('mem')
  }

  /** Thousandths of a megabyte, volumes included. */
  get diskMilli(): number {
    return this.milli('disk')
  }

  /** All numbers of the ranges of a name, over all its kinds. */
  ranges(name: string): Ranges {
    let all: Ranges = []
    for (const [place, kind] of this.#layout.kinds.entries()) {
      if (kind.name === name && kind.type === 'ranges')
        all = addValues(all, kind.size ?? this.#values[place]!) as Ranges
    }
    return all
  }

  /** All port numbers. */
  get ports(): Ranges {
    return this.ranges('ports')
  }

  /** Scalars in thousandths and counts of ranges and sets (in thousandths too), by name; shared resources counted once. */
  quantities(): Map<string, number> {
    const sums = new Map<string, number>()
    const { kinds } = this.#layout
    for (let place = 0; place < kinds.length; place++) {
      const kind = kinds[place]!
      sums.set(kind.name, (sums.get(kind.name) ?? 0) + this.#quantityAt(kind, place))
    }
    return sums
  }

  #quantityAt(kind: Kind, place: number): number {
    if (kind.size === undefined) return quantityOf(this.#values[place]!)
    return quantityOf(kind.size) * (kind.isShared ? 1 : (this.#values[place] as number))
  }

  /** The names there are. */
  get names(): ReadonlySet<string> {
    return new Set(this.#layout.kinds.map((kind) => kind.name))
  }

  /** `cpus:4; mem(allocated: r):32; ports:[31000-32000]`, as Mesos prints resources in its messages; `{}` when empty. */
  toString(): string {
    if (this.isEmpty) return '{}'
    const parts = this.#layout.kinds.map((kind, place) => {
      const value = this.#values[place]!
      return printAmount(kind.text, kind.size ?? value, kind.isShared ? (value as number) : undefined)
    })
    return parts.join('; ')
  }
}

const NO_PARTS: ReadonlyMap<string, Resources> = new Map()

/** From so many messages on an index finds the kinds met before. */
const INDEXED_MIN = 12

/** Adds an amount to what was collected so far. */
function put(kinds: Kind[], values: Value[], index: Map<string, number> | undefined, kind: Kind, value: Value): void {
  const amount = kind.size === undefined ? value : 1
  const place = index === undefined ? kinds.findIndex((one) => isSameKind(one, kind)) : (index.get(kind.key) ?? -1)
  if (place >= 0) {
    values[place] = addValues(values[place]!, amount)
    return
  }
  index?.set(kind.key, kinds.length)
  kinds.push(kind)
  values.push(amount)
}
