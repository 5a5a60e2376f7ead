/** /roles and GET_ROLES: weight, frameworks, what each role and all below it hold, and quota with what is consumed of it. */

import { ancestorRoles } from '../resources/roles.ts'
import { quantities } from './bag.ts'
import type { JsonObject } from './json.ts'
import { addSums, type RoleSums, roleSums, rounded, type Sums, sumsOf } from './role-sums.ts'
import type { MasterState } from './state.ts'

/** A role that is worth showing: it has a framework, holds something, has a weight, a quota, or is above one that has. */
export interface RoleShown {
  readonly name: string
  readonly weight: number
  /** Ids of its subscribed frameworks. */
  readonly frameworks: readonly string[]
  readonly sums: RoleSums
}

/** All roles worth showing, by name; with --roles those that are listed. O(agents × frameworks there + offers). */
export function rolesShown(state: MasterState): RoleShown[] {
  const sums = roleSums(state)
  const frameworks = new Map<string, string[]>()
  for (const framework of state.frameworks.values()) {
    for (const role of framework.roles) {
      const ids = frameworks.get(role)
      if (ids === undefined) frameworks.set(role, [framework.id])
      else ids.push(framework.id)
    }
  }
  const { weights, quotas } = state.registry
  const { roles } = state.options
  const listed = roles === undefined ? [] : ['*', ...roles]
  const names = new Set<string>()
  for (const role of [...listed, ...frameworks.keys(), ...sums.keys(), ...weights.keys(), ...quotas.keys()]) {
    names.add(role)
    for (const ancestor of ancestorRoles(role)) names.add(ancestor)
  }
  return [...names].sort().map((name) => ({
    name,
    weight: weights.get(name) ?? 1,
    frameworks: frameworks.get(name) ?? [],
    sums: sumsOf(sums, name),
  }))
}

/** The page /roles. */
export function rolePage(state: MasterState): JsonObject {
  const roles = rolesShown(state).map(({ name, weight, frameworks, sums }): JsonObject => {
    const quota = state.registry.quotas.get(name)
    return {
      name,
      weight,
      frameworks,
      allocated: sums.allocated,
      offered: sums.offered,
      reserved: sums.reserved,
      resources: { cpus: 0, disk: 0, gpus: 0, mem: 0, ...addSums(sums.allocated, sums.offered) },
      quota: {
        role: name,
        guarantee: amounts(quota?.guarantees),
        limit: amounts(quota?.limits),
        consumed: sums.consumed,
      },
    }
  })
  return { roles }
}

function amounts(given: Readonly<Record<string, { readonly value: number }>> | undefined): Sums {
  return Object.fromEntries(Object.entries(given ?? {}).map(([name, { value }]) => [name, value]))
}

/** The sum of all agents' scalars that can be guaranteed: those that are not revocable. */
export function capacityOf(state: MasterState): Sums {
  const sums: Record<string, number> = {}
  for (const { total } of state.agents.values()) {
    for (const [name, value] of Object.entries(quantities(total.nonRevocable()))) {
      sums[name] = rounded((sums[name] ?? 0) + value)
    }
  }
  return sums
}
