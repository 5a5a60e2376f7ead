// The kinds in a bag, in order, without the amounts. Bags of the same kinds share one layout, as objects of one shape share a hidden
// class: ten thousand agents with cpus, mem, disk and ports have one between them, and two such bags are added place by place.
//
// Allocating a bag to a role changes the layout only, and a layout remembers what it becomes: O(1) after the first time.

import { isSameKind, type Kind } from './kind.ts'

/** Layouts of up to so many kinds are shared; longer ones are rare and all different. */
const SHARED_KINDS_MAX = 8
/** How many layouts are shared; then all are forgotten and found anew, which costs time but changes nothing. */
const SHARED_LAYOUTS_MAX = 65_536
/** How many roles a layout remembers its allocated forms for; likewise. */
const ROLES_MAX = 1_024
/** From so many kinds on an index finds a kind's place. */
const INDEXED_KINDS_MIN = 12

let sharedLayouts = 0

/** The kinds of a bag, no two the same. Never changes. */
export class Layout {
  static readonly empty: Layout = new Layout([])
  readonly kinds: readonly Kind[]
  readonly hasRevocable: boolean
  readonly hasReserved: boolean
  readonly hasShared: boolean
  readonly hasVolumes: boolean
  readonly hasScalarsOnly: boolean
  /** The role all kinds are allocated to; undefined when they differ or none is. */
  readonly allocatedTo: string | undefined
  readonly isUnallocated: boolean
  #index: Map<string, number> | undefined
  #next: Map<Kind, Layout> | undefined
  #allocated: Map<string, Layout> | undefined
  #unallocated: Layout | undefined

  private constructor(kinds: readonly Kind[]) {
    let [hasRevocable, hasReserved, hasShared, hasVolumes] = [false, false, false, false]
    let [hasScalarsOnly, isUnallocated, isOneRole] = [true, true, true]
    const role = kinds[0]?.allocatedTo
    for (const kind of kinds) {
      if (kind.isRevocable) hasRevocable = true
      if (kind.reservedTo !== undefined) hasReserved = true
      if (kind.isShared) hasShared = true
      if (kind.isVolume) hasVolumes = true
      if (kind.type !== 'scalar') hasScalarsOnly = false
      if (kind.allocatedTo !== undefined) isUnallocated = false
      if (kind.allocatedTo !== role) isOneRole = false
    }
    this.kinds = kinds
    this.hasRevocable = hasRevocable
    this.hasReserved = hasReserved
    this.hasShared = hasShared
    this.hasVolumes = hasVolumes
    this.hasScalarsOnly = hasScalarsOnly
    this.allocatedTo = isOneRole ? role : undefined
    this.isUnallocated = isUnallocated
  }

  /** The layout of these kinds, no two of which are the same. */
  static of(kinds: readonly Kind[]): Layout {
    if (kinds.length > SHARED_KINDS_MAX) return new Layout(kinds)
    let layout = Layout.empty
    for (const kind of kinds) layout = layout.#with(kind)
    return layout
  }

  /** This one with kinds it does not have behind its own. */
  withAll(kinds: readonly Kind[]): Layout {
    if (kinds.length === 0) return this
    if (this.kinds.length + kinds.length > SHARED_KINDS_MAX) return new Layout([...this.kinds, ...kinds])
    let layout: Layout = this
    for (const kind of kinds) layout = layout.#with(kind)
    return layout
  }

  /** Where a kind lies; -1 = nowhere. O(1) for long layouts, a few comparisons for short ones. */
  placeOf(kind: Kind): number {
    const { kinds } = this
    if (kinds.length >= INDEXED_KINDS_MIN) return this.#indexedPlaceOf(kind)
    for (let place = 0; place < kinds.length; place++) if (isSameKind(kinds[place]!, kind)) return place
    return -1
  }

  /** Allocated to a role; undefined when kinds that differed only in their allocation would become the same. */
  allocate(role: string): Layout | undefined {
    let layout = this.#allocated?.get(role)
    if (layout === undefined) {
      layout = this.#changed(this.kinds.map((kind) => kind.allocate(role)))
      if (layout === undefined) return undefined
      this.#allocated ??= new Map()
      if (this.#allocated.size >= ROLES_MAX) this.#allocated.clear()
      this.#allocated.set(role, layout)
    }
    return layout
  }

  /** Allocated to nobody; undefined as above. */
  unallocate(): Layout | undefined {
    this.#unallocated ??= this.#changed(this.kinds.map((kind) => kind.unallocate()))
    return this.#unallocated
  }

  #changed(kinds: readonly Kind[]): Layout | undefined {
    const mayMerge = !this.isUnallocated && this.allocatedTo === undefined
    if (mayMerge && new Set(kinds.map(({ key }) => key)).size < kinds.length) return undefined
    return Layout.of(kinds)
  }

  #with(kind: Kind): Layout {
    let layout = this.#next?.get(kind)
    if (layout !== undefined) return layout
    layout = new Layout([...this.kinds, kind])
    if (++sharedLayouts > SHARED_LAYOUTS_MAX) {
      Layout.empty.#next = undefined
      sharedLayouts = 0
    }
    this.#next ??= new Map()
    this.#next.set(kind, layout)
    return layout
  }

  #indexedPlaceOf(kind: Kind): number {
    this.#index ??= new Map(this.kinds.map(({ key }, place) => [key, place]))
    return this.#index.get(kind.key) ?? -1
  }
}
