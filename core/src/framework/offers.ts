// Takes parts out of offers: a pool of what several offers of one agent hold together, from which tasks are cut.
//
// Worked example: offers with cpus:2 (reserved for r) and cpus:4 (unreserved); take({cpus: 3}) gives
// [cpus:2 reserved, cpus:1 unreserved]: reserved first, since nobody else could use it.

import type { Offer, Resource, ValueRange } from '@isthmus/proto/gen/mesos'

/** What a task needs; scalars in the units of Mesos (cpus, MB), ports as a count. */
export interface Needs {
  readonly cpus?: number
  readonly memoryMb?: number
  readonly diskMb?: number
  readonly portCount?: number
}

export interface Taken {
  /** Fit for TaskInfo.resources and ExecutorInfo.resources as they are. */
  readonly resources: readonly Resource[]
  /** The ports taken, ascending. */
  readonly ports: readonly number[]
}

const SCALAR_NAMES = { cpus: 'cpus', memoryMb: 'mem', diskMb: 'disk' } as const

interface Entry {
  readonly template: Resource
  milli: number
  ranges: { begin: number; end: number }[]
}

/**
 * The resources of offers of one agent, to be cut into tasks. Revocable and shared resources and persistent volumes are left
 * out: who wants those names them.
 */
export class OfferPool {
  readonly #entries: Entry[]

  constructor(offers: readonly Offer[]) {
    const usable = offers
      .flatMap((offer) => offer.resources ?? [])
      .filter((resource) => !resource.revocable && !resource.shared && !resource.disk)
    this.#entries = usable.map(toEntry).sort((a, b) => Number(isReserved(b.template)) - Number(isReserved(a.template)))
  }

  /** What is left of a scalar: cpus, mem or disk by their Mesos names. */
  scalar(name: string): number {
    return (
      this.#entries.filter((entry) => entry.template.name === name).reduce((sum, { milli }) => sum + milli, 0) / 1000
    )
  }

  get portCount(): number {
    return this.#portRanges().reduce((sum, { begin, end }) => sum + end - begin + 1, 0)
  }

  /** Cuts out what is needed, or nothing at all when a part of it is missing. */
  take(needs: Needs): Taken | undefined {
    for (const [key, name] of Object.entries(SCALAR_NAMES)) {
      if (Math.round((needs[key as keyof typeof SCALAR_NAMES] ?? 0) * 1000) > Math.round(this.scalar(name) * 1000))
        return undefined
    }
    if ((needs.portCount ?? 0) > this.portCount) return undefined
    const resources: Resource[] = []
    for (const [key, name] of Object.entries(SCALAR_NAMES)) {
      this.#takeScalar(name, Math.round((needs[key as keyof typeof SCALAR_NAMES] ?? 0) * 1000), resources)
    }
    const ports = this.#takePorts(needs.portCount ?? 0, resources)
    return { resources, ports }
  }

  #takeScalar(name: string, neededMilli: number, into: Resource[]): void {
    let missing = neededMilli
    for (const entry of this.#entries) {
      if (entry.template.name !== name || missing <= 0 || entry.milli <= 0) continue
      const part = Math.min(entry.milli, missing)
      entry.milli -= part
      missing -= part
      into.push({ ...entry.template, scalar: { value: part / 1000 } })
    }
  }

  #takePorts(count: number, into: Resource[]): number[] {
    const ports: number[] = []
    for (const entry of this.#entries) {
      if (entry.template.name !== 'ports') continue
      const mine: number[] = []
      while (ports.length + mine.length < count && entry.ranges[0] !== undefined) {
        const range = entry.ranges[0]
        mine.push(range.begin)
        range.begin += 1
        if (range.begin > range.end) entry.ranges.shift()
      }
      if (mine.length > 0) into.push({ ...entry.template, ranges: { range: toRanges(mine) } })
      ports.push(...mine)
    }
    return ports
  }

  #portRanges(): { begin: number; end: number }[] {
    return this.#entries.filter((entry) => entry.template.name === 'ports').flatMap(({ ranges }) => ranges)
  }
}

function toEntry(resource: Resource): Entry {
  const ranges = (resource.ranges?.range ?? []).map(({ begin, end }) => ({ begin: Number(begin), end: Number(end) }))
  return { template: resource, milli: Math.round((resource.scalar?.value ?? 0) * 1000), ranges }
}

function isReserved(resource: Resource): boolean {
  return (resource.reservations?.length ?? 0) > 0 || (resource.role !== undefined && resource.role !== '*')
}

function toRanges(ports: readonly number[]): ValueRange[] {
  const ranges: { begin: number; end: number }[] = []
  for (const port of ports) {
    const last = ranges.at(-1)
    if (last !== undefined && last.end + 1 === port) last.end = port
    else ranges.push({ begin: port, end: port })
  }
  return ranges
}
