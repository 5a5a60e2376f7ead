/** The master's state as reclaim counts it: who is below a guarantee, what is free where, and for whom. Only reads. */

import { compileConstraints } from '../../allocator/constraints.ts'
import { isSameOrSubRoleOf } from '../../resources/roles.ts'
import type { Bag } from '../bag.ts'
import { parseAmounts } from '../policies.ts'
import type { Agent, Framework, MasterState } from '../state.ts'
import { inMilli, isNothing, type Milli, NOTHING, rest, sum } from './amounts.ts'
import type { Holding } from './floors.ts'
import type { Standing } from './need.ts'
import { priorityOf } from './victims.ts'

/** Bags are shared by tasks alike, and do not change. */
const counted = new WeakMap<Bag, Milli>()

/** What of a bag counts against guarantees: scalars that are neither reserved nor revocable. */
export function countable(bag: Bag): Milli {
  let amounts = counted.get(bag)
  if (amounts === undefined) {
    amounts = Object.fromEntries(bag.unreserved().nonRevocable().scalars().quantities())
    counted.set(bag, amounts)
  }
  return amounts
}

/** What is free on an agent: neither used nor offered. */
export function freeOn(state: MasterState, agent: Agent): Milli {
  let taken = NOTHING
  for (const used of agent.usedBy.values()) taken = sum(taken, countable(used))
  for (const id of agent.offers) taken = sum(taken, countable(state.offers.get(id)!.resources))
  return rest(countable(agent.total), taken)
}

/** Whether what is freed there can be offered. */
export function isOffered(agent: Agent | undefined): agent is Agent {
  return agent?.active === true && agent.linkId !== undefined && !agent.leaving
}

/** The roles with a guarantee, with what they have; `missing` before what is free. */
export function standingsOf(state: MasterState): Standing[] {
  const standings: Standing[] = []
  for (const role of state.registry.quotas.keys()) {
    const { quota } = state.allocator.describeRole(role)
    if (quota === undefined) continue
    const guarantees = inMilli(quota.guarantees)
    if (isNothing(guarantees)) continue
    const missing = inMilli(quota.missing)
    standings.push({
      role,
      guarantees,
      consumed: inMilli(quota.consumed),
      missing,
      waiting: isNothing(missing) ? [] : waitingIn(state, role).map(({ id }) => id),
      priority: priorityOf(state.options.rolePriorities, role),
    })
  }
  return standings
}

/** What must be kept, by role. */
export function holdingsOf(standings: readonly Standing[]): [string, Holding][] {
  return standings.map(({ role, guarantees, consumed }) => [role, { guarantees, consumed }])
}

/** Frameworks that would take offers for a role or below it. */
export function waitingIn(state: MasterState, role: string): Framework[] {
  return [...state.frameworks.values()].filter((framework) => {
    return framework.active && framework.streamId !== undefined && wantedRoles(framework, role).length > 0
  })
}

function wantedRoles({ roles, suppressedRoles }: Framework, role: string): string[] {
  return [...roles].filter((one) => isSameOrSubRoleOf(one, role) && !suppressedRoles.has(one))
}

/** Which agents the waiting frameworks of a role can be offered, and what an offer to one of them holds at least. */
export interface Wishes {
  readonly canUse: (agent: Agent) => boolean
  readonly least: readonly Milli[]
}

/** The wishes of the frameworks that wait in a role. */
export function wishesOf(state: MasterState, { role, waiting }: Pick<Standing, 'role' | 'waiting'>): Wishes {
  const { patternLimits, minAllocatableResources } = state.options
  const tests: ((agent: Agent) => boolean)[] = []
  const least: Milli[] = []
  for (const id of waiting) {
    const framework = state.frameworks.get(id)!
    const compiled = compileConstraints(framework.offerConstraints, patternLimits)
    for (const wanted of wantedRoles(framework, role)) {
      const constraints = compiled.ok ? compiled.value.get(wanted) : undefined
      tests.push((agent) => constraints?.excludes(agent.info) !== true && isCapable(state, framework, agent))
      const own = framework.info.offer_filters?.[wanted]?.min_allocatable_resources?.quantities
      const alternatives = own?.map(({ quantities = {} }) =>
        Object.fromEntries(Object.entries(quantities).map(([name, { value }]) => [name, value])),
      )
      least.push(...(alternatives ?? parseAmounts(minAllocatableResources)).map(inMilli))
    }
  }
  return { canUse: (agent) => tests.some((test) => test(agent)), least }
}

/** GPUs and regions, as the allocator sees them. */
function isCapable(state: MasterState, { capabilities }: Framework, agent: Agent): boolean {
  const { filterGpuResources, domain } = state.options
  if (filterGpuResources && !capabilities.gpuResources && agent.total.gpusMilli > 0) return false
  const [home, region] = [domain, agent.info.domain].map((one) => one?.fault_domain?.region.name)
  return capabilities.regionAware || home === undefined || region === undefined || home === region
}
