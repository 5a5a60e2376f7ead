/** Resources as the legacy pages show them: `{"cpus":4,"disk":20000,"gpus":0,"mem":4096,"ports":"[31000-31500]"}`. */

import type { Attribute, Resource } from '@isthmus/proto/gen/mesos'
import { type Bag, reservedRoleOf, toMessages, toRoleMessages } from './bag.ts'
import type { JsonObject } from './json.ts'

/**
 * The sums by name; cpus, disk, gpus and mem are always there. Revocable ones have names of their own (cpus_revocable).
 *
 * @param style ranges and sets as texts, or as the number of their items
 */
export function resourcesObject(bag: Bag, style: 'texts' | 'counts' = 'texts'): JsonObject {
  return sums(toMessages(bag), style)
}

function sums(resources: readonly Resource[], style: 'texts' | 'counts'): JsonObject {
  const scalars: Record<string, number> = { cpus: 0, disk: 0, gpus: 0, mem: 0 }
  const ranges: Record<string, [number, number][]> = {}
  const sets: Record<string, string[]> = {}
  for (const resource of resources) {
    const name = resource.revocable === undefined ? resource.name : `${resource.name}_revocable`
    if (resource.type === 'SCALAR') {
      scalars[name] = Math.round(((scalars[name] ?? 0) + (resource.scalar?.value ?? 0)) * 1000) / 1000
    } else if (resource.type === 'RANGES') {
      const list = ranges[name] ?? []
      ranges[name] = list
      for (const { begin, end } of resource.ranges?.range ?? []) list.push([Number(begin), Number(end)])
    } else if (resource.type === 'SET') {
      sets[name] = [...(sets[name] ?? []), ...(resource.set?.item ?? [])]
    }
  }
  const shown: Record<string, number | string> = scalars
  for (const [name, list] of Object.entries(ranges)) {
    list.sort(([a], [b]) => a - b)
    shown[name] = style === 'texts' ? rangesText(list) : list.reduce((sum, [a, b]) => sum + b - a + 1, 0)
  }
  for (const [name, items] of Object.entries(sets)) {
    shown[name] = style === 'texts' ? `{${items.sort().join(', ')}}` : items.length
  }
  return shown
}

function rangesText(sorted: readonly (readonly [number, number])[]): string {
  const merged: [number, number][] = []
  for (const [begin, end] of sorted) {
    const last = merged.at(-1)
    if (last !== undefined && begin <= last[1] + 1) last[1] = Math.max(last[1], end)
    else merged.push([begin, end])
  }
  return `[${merged.map(([begin, end]) => `${begin}-${end}`).join(', ')}]`
}

/** Reserved resources by role, as sums. */
export function reservedObject(bag: Bag): JsonObject {
  const byRole: Record<string, Resource[]> = {}
  for (const [role, list] of reservedLists(bag)) byRole[role] = list
  return Object.fromEntries(Object.entries(byRole).map(([role, list]) => [role, sums(list, 'texts')]))
}

/** Reserved resources by role, as full messages. */
export function reservedFull(bag: Bag): JsonObject {
  return Object.fromEntries([...reservedLists(bag)].map(([role, list]) => [role, list as unknown as JsonObject[]]))
}

function reservedLists(bag: Bag): Map<string, Resource[]> {
  const lists = new Map<string, Resource[]>()
  for (const resource of toRoleMessages(bag)) {
    const role = reservedRoleOf(resource)
    if (role === undefined) continue
    const list = lists.get(role)
    if (list === undefined) lists.set(role, [resource])
    else list.push(resource)
  }
  return lists
}

/** What is not reserved, as sums. */
export function unreservedObject(bag: Bag): JsonObject {
  return sums(unreservedList(bag), 'texts')
}

/** What is not reserved, as full messages. */
export function unreservedList(bag: Bag): Resource[] {
  return toRoleMessages(bag).filter((resource) => reservedRoleOf(resource) === undefined)
}

/** Attributes as `{"rack":"r1","zone":3,"span":"[1-5]"}`. */
export function attributesObject(attributes: readonly Attribute[] | undefined): JsonObject {
  const shown: Record<string, number | string> = {}
  for (const attribute of attributes ?? []) {
    const { name, type, text, scalar, ranges, set } = attribute
    if (type === 'TEXT') shown[name] = text?.value ?? ''
    else if (type === 'SCALAR') shown[name] = scalar?.value ?? 0
    else if (type === 'RANGES') {
      shown[name] = rangesText((ranges?.range ?? []).map(({ begin, end }) => [Number(begin), Number(end)] as const))
    } else shown[name] = `{${(set?.item ?? []).join(', ')}}`
  }
  return shown
}
