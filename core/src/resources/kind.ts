// What a resource is, without how much of it there is: name, type, reservations, allocation, disk, revocable, shared, provider.
// Amounts of the same kind add up; amounts of different kinds stand side by side.
//
// Some kinds are indivisible and never merge: shared resources (counted by copies), persistent volumes, MOUNT and BLOCK disks, and
// RAW disks with an id. For them the size belongs to the kind, and a bag counts how many there are: 1, or the copies of a shared one.
//
// How a volume is mounted (disk.volume) and who made it (persistence.principal) do not matter for what it is: a task may mount a
// volume elsewhere than it was created. Source: operator== of DiskInfo and addable() of Mesos.
//
// Kinds are remembered, so that the same kind is nearly always the same object: comparing two costs a pointer.

import type { Labels, Resource, ResourceDiskInfo, ResourceReservationInfo } from '@isthmus/proto/gen/mesos'
import { printTemplate } from './print.ts'
import { reservationsOf, upgradeReservation } from './reservations.ts'
import { printValue, type Value, type ValueType } from './value.ts'

/** How many kinds are remembered; then all are forgotten and found anew, which costs time but changes nothing. */
const KINDS_MAX = 65_536
/** How many roles a kind remembers its allocated forms for; likewise. */
const ROLES_MAX = 4_096

/** A kind of resource. Never changes. Two may be equal without being the same object: see `isSameKind`. */
export class Kind {
  /** The same text for equal kinds. */
  readonly key: string
  /** Equal for equal keys. */
  readonly hash: number
  /** The message without its value, reservations as a stack. */
  readonly template: Resource
  readonly name: string
  readonly type: ValueType
  /** What each one measures, if the kind is indivisible and counted. */
  readonly size: Value | undefined
  /** The role it is reserved for: that of the innermost reservation. */
  readonly reservedTo: string | undefined
  readonly isRefined: boolean
  readonly allocatedTo: string | undefined
  readonly isRevocable: boolean
  readonly isShared: boolean
  readonly isVolume: boolean
  readonly #plain: Kind | undefined
  #allocated: Map<string, Kind> | undefined
  #text: string | undefined

  private constructor(
    template: Resource,
    { key, size, plain }: { key: string; size: Value | undefined; plain?: Kind },
  ) {
    const reservations = reservationsOf(template)
    this.key = key
    this.hash = hashOf(key)
    this.template = template
    this.name = template.name
    this.type = typeOf(template)
    this.size = size
    this.reservedTo = reservations.at(-1)?.role
    this.isRefined = reservations.length > 1
    this.allocatedTo = template.allocation_info?.role
    this.isRevocable = template.revocable !== undefined
    this.isShared = template.shared !== undefined
    this.isVolume = template.disk?.persistence !== undefined
    this.#plain = plain
  }

  /** A kind that is allocated to nobody; its template has no value, no allocation and its reservations as a stack. */
  static make(template: Resource, key: string, size: Value | undefined): Kind {
    return new Kind(template, { key, size })
  }

  /** As Mesos prints it, without the amount: `cpus(allocated: r)`. */
  get text(): string {
    this.#text ??= printTemplate(this.template)
    return this.#text
  }

  /** The same kind allocated to a role. */
  allocate(role: string): Kind {
    if (this.allocatedTo === role) return this
    const from = this.#plain ?? this
    from.#allocated ??= new Map()
    let kind = from.#allocated.get(role)
    if (kind === undefined) {
      if (from.#allocated.size >= ROLES_MAX) from.#allocated.clear()
      const template = { ...from.template, allocation_info: { role } }
      kind = new Kind(template, { key: `${from.key}@${quote(role)}`, size: from.size, plain: from })
      from.#allocated.set(role, kind)
    }
    return kind
  }

  /** The same kind allocated to nobody. */
  unallocate(): Kind {
    return this.#plain ?? this
  }
}

/** Says whether amounts of both are amounts of the same. */
export function isSameKind(a: Kind, b: Kind): boolean {
  return a === b || (a.hash === b.hash && a.key === b.key)
}

/** Whether such a resource is taken whole or not at all, and never merges with another. */
export function isIndivisible({ disk, shared }: Resource): boolean {
  if (shared !== undefined || disk?.persistence !== undefined) return true
  const source = disk?.source
  if (source === undefined) return false
  return source.type === 'MOUNT' || source.type === 'BLOCK' || (source.type === 'RAW' && source.id !== undefined)
}

const plainKinds = { SCALAR: new Map<string, Kind>(), RANGES: new Map<string, Kind>(), SET: new Map<string, Kind>() }
const specialKinds = new Map<string, Kind>()

/** The kind of a resource that has this value. Its type is one of the three that resources have. */
export function kindOf(resource: Resource, value: Value): Kind {
  const allocatedTo = resource.allocation_info?.role
  const kind = isPlain(resource) ? plainKindOf(resource) : specialKindOf(resource, value)
  return allocatedTo === undefined ? kind : kind.allocate(allocatedTo)
}

/** By far the most are: only a name and perhaps an allocation. */
function isPlain({
  role,
  reservations,
  reservation,
  disk,
  revocable,
  shared,
  provider_id: provider,
}: Resource): boolean {
  return (
    (role === undefined || role === '*') &&
    (reservations === undefined || reservations.length === 0) &&
    reservation === undefined &&
    disk === undefined &&
    revocable === undefined &&
    shared === undefined &&
    provider === undefined
  )
}

function plainKindOf(resource: Resource): Kind {
  const { name, type } = resource
  const known = plainKinds[type as 'SCALAR' | 'RANGES' | 'SET']
  let kind = known.get(name)
  if (kind === undefined) {
    if (known.size >= KINDS_MAX) known.clear()
    kind = Kind.make({ name, type }, printKey(resource, undefined), undefined)
    known.set(name, kind)
  }
  return kind
}

function specialKindOf(resource: Resource, value: Value): Kind {
  const size = isIndivisible(resource) ? value : undefined
  const key = printKey(resource, size)
  const { volume, persistence } = resource.disk ?? {}
  const identity =
    volume === undefined && persistence?.principal === undefined
      ? key
      : `${key} ${JSON.stringify([normalize(volume), persistence?.principal])}`
  const known = specialKinds.get(identity)
  if (known !== undefined) return known
  if (specialKinds.size >= KINDS_MAX) specialKinds.clear()
  const { scalar: _scalar, ranges: _ranges, set: _set, allocation_info: _allocation, ...rest } = resource
  const kind = Kind.make(upgradeReservation(rest), key, size)
  specialKinds.set(identity, kind)
  return kind
}

function typeOf({ type }: Resource): ValueType {
  if (type === 'SCALAR') return 'scalar'
  return type === 'RANGES' ? 'ranges' : 'set'
}

/** The key but for the allocation, which comes last. Texts carry their length, so that no two kinds run into the same key. */
function printKey(resource: Resource, size: Value | undefined): string {
  const { type, name, disk, revocable, shared, provider_id: provider } = resource
  let key = `${type} ${quote(name)}`
  for (const reservation of reservationsOf(resource)) key += printReservation(reservation)
  if (disk !== undefined) key += printDisk(disk)
  if (revocable !== undefined) key += '~'
  if (shared !== undefined) key += '&'
  if (provider !== undefined) key += `%${quote(provider.value)}`
  return size === undefined ? key : `${key}=${quote(printValue(size))}`
}

function printReservation({ type, role, principal, labels }: ResourceReservationInfo): string {
  return `/${type === 'STATIC' ? 's' : 'd'}${quote(role)}${quote(principal)}${printLabels(labels)}`
}

function printDisk({ source, persistence }: ResourceDiskInfo): string {
  let key = '$'
  if (source !== undefined) {
    const root = quote(source.path?.root ?? source.mount?.root)
    key += `${source.type}${root}${quote(source.vendor)}${quote(source.id)}${quote(source.profile)}`
    key += printLabels(source.metadata)
  }
  return persistence === undefined ? key : `${key}!${quote(persistence.id)}`
}

/** Labels are a bag: their order does not matter. No labels and an empty list are not the same in Mesos either. */
function printLabels(labels: Labels | undefined): string {
  if (labels === undefined) return ''
  const printed: string[] = []
  let isSorted = true
  for (const { key, value } of labels.labels ?? []) {
    const label = value === undefined ? `${key.length}-:${key}` : `${key.length},${value.length}:${key}${value}`
    if (printed.length > 0 && label < printed[printed.length - 1]!) isSorted = false
    printed.push(label)
  }
  if (!isSorted) printed.sort()
  return `{${printed.join('')}}`
}

function quote(text: string | undefined): string {
  return text === undefined ? '-' : `${text.length}:${text}`
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash | 0
}

/** The same value for the same message, in whatever order its fields were set. */
function normalize(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(normalize)
  if (typeof value === 'bigint') return String(value)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined)
  return entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, entry]) => [key, normalize(entry)])
}
