/** /roles and GET_ROLES: weight, frameworks, and what each role holds. */

import { addAll, type Bag, EMPTY, quantities } from './bag.ts'
import type { JsonObject } from './json.ts'
import type { MasterState } from './state.ts'
import { resourcesObject } from './views-resources.ts'

/** A role that is worth showing: it has a framework, a weight, a quota, or is listed in --roles. */
export interface RoleShown {
  readonly name: string
  readonly weight: number
  /** Ids of its subscribed frameworks. */
  readonly frameworks: readonly string[]
  /** Allocated and offered together. */
  readonly resources: Bag
  readonly allocated: Bag
  readonly offered: Bag
}

/** All roles worth showing, by name. O(frameworks + tasks + offers). */
export function rolesShown(state: MasterState): RoleShown[] {
  const names = new Set(state.options.roles === undefined ? [] : ['*', ...state.options.roles])
  for (const role of state.registry.weights.keys()) names.add(role)
  for (const role of state.registry.quotas.keys()) names.add(role)
  const frameworks = new Map<string, string[]>()
  const allocated = new Map<string, Bag[]>()
  for (const framework of state.frameworks.values()) {
    for (const role of framework.roles) push(frameworks, role, framework.id)
    for (const task of framework.tasks.values()) {
      if (framework.usedOn.has(task.agentId)) push(allocated, task.role, task.resources)
    }
  }
  const offered = new Map<string, Bag[]>()
  for (const offer of state.offers.values()) push(offered, offer.role, offer.resources)
  for (const role of [...frameworks.keys(), ...allocated.keys(), ...offered.keys()]) names.add(role)
  return [...names].sort().map((name) => {
    const held = addAll(allocated.get(name) ?? [])
    const out = addAll(offered.get(name) ?? [])
    return {
      name,
      weight: state.registry.weights.get(name) ?? 1,
      frameworks: frameworks.get(name) ?? [],
      resources: addAll([held, out]),
      allocated: held,
      offered: out,
    }
  })
}

function push<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}

/** The page /roles. */
export function rolePage(state: MasterState): JsonObject {
  const roles = rolesShown(state).map((role): JsonObject => {
    const quota = state.registry.quotas.get(role.name)
    return {
      name: role.name,
      weight: role.weight,
      frameworks: role.frameworks,
      allocated: quantities(role.allocated),
      offered: quantities(role.offered),
      reserved: quantities(EMPTY),
      resources: resourcesObject(role.resources, 'counts'),
      quota: {
        role: role.name,
        guarantee: amounts(quota?.guarantees),
        limit: amounts(quota?.limits),
        consumed: quantities(role.resources),
      },
    }
  })
  return { roles }
}

function amounts(given: Readonly<Record<string, { readonly value: number }>> | undefined): JsonObject {
  return Object.fromEntries(Object.entries(given ?? {}).map(([name, { value }]) => [name, value]))
}

/** The sum of all agents' scalars. */
export function capacityOf(state: MasterState): Readonly<Record<string, number>> {
  const sums: Record<string, number> = {}
  for (const { total } of state.agents.values()) {
    for (const [name, value] of Object.entries(quantities(total))) sums[name] = (sums[name] ?? 0) + value
  }
  return sums
}
