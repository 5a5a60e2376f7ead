/**
 * Where to look for victims: a pool has a hundred thousand tasks, and of most of them a look at what their frameworks hold on the agent says
 * enough. Of each class (priority of the role; what is offered or revocable goes before all) the agents where most can be had are looked at closely.
 */

import { isSameOrSubRoleOf } from '../../resources/roles.ts'
import { type Bag, isEmpty, revocable } from '../bag.ts'
import type { Agent, MasterState } from '../state.ts'
import { common, isNothing, type Milli, NOTHING, rest, sum } from './amounts.ts'
import type { Floors } from './floors.ts'
import { countable, isOffered } from './pool.ts'
import { AGENTS_MAX, priorityOf } from './victims.ts'

/** What is looked for. */
export interface Search {
  /** The role that gets it. */
  readonly role: string
  readonly missing: Milli
  readonly canUse: (agent: Agent) => boolean
  readonly floors: Floors
}

/** A part of what is held on an agent. */
interface Share {
  readonly role: string
  readonly amounts: Milli
  readonly isRevocable: boolean
}

/** Bags do not change, and frameworks hold the same one until a task comes or goes. */
const sharesOfBag = new WeakMap<Bag, readonly Share[]>()

function sharesOf(bag: Bag): readonly Share[] {
  let shares = sharesOfBag.get(bag)
  if (shares === undefined) {
    shares = [...bag.allocations()].flatMap(([role, part]): Share[] => {
      const amounts = countable(part)
      return isNothing(amounts) ? [] : [{ role, amounts, isRevocable: !isEmpty(revocable(part, true)) }]
    })
    sharesOfBag.set(bag, shares)
  }
  return shares
}

/** The agents to look at closely, at most {@link AGENTS_MAX} for each class. O(agents × frameworks there). */
export function agentsToSearch(state: MasterState, search: Search): Agent[] {
  const byClass = new Map<number, { readonly agent: Agent; readonly gain: number }[]>()
  const taken = takenByAgent(state)
  for (const agent of state.agents.values()) {
    if (!isOffered(agent) || !search.canUse(agent)) continue
    for (const [rank, gain] of gainsOn(state, agent, { search, taken: taken.get(agent.id) ?? NOTHING })) {
      const list = byClass.get(rank)
      if (list === undefined) byClass.set(rank, [{ agent, gain }])
      else list.push({ agent, gain })
    }
  }
  const found = new Set<Agent>()
  for (const list of byClass.values()) {
    if (list.length > AGENTS_MAX) list.sort((a, b) => b.gain - a.gain)
    for (const { agent } of list.slice(0, AGENTS_MAX)) found.add(agent)
  }
  return [...found]
}

function takenByAgent({ reclaim }: MasterState): Map<string, Milli> {
  const taken = new Map<string, Milli>()
  for (const { agentId, gives } of reclaim.active.values())
    taken.set(agentId, sum(taken.get(agentId) ?? NOTHING, gives))
  return taken
}

/** By class, how much of what is missing could be had there, as the sum of the parts of each kind. */
function gainsOn(
  state: MasterState,
  agent: Agent,
  { search, taken }: { readonly search: Search; readonly taken: Milli },
): Map<number, number> {
  const gains = new Map<number, number>()
  const note = (rank: number, { role, amounts }: Pick<Share, 'role' | 'amounts'>): void => {
    const gain = gainOf(search, { role, amounts: rest(amounts, taken) })
    if (gain !== undefined) gains.set(rank, (gains.get(rank) ?? 0) + gain)
  }
  for (const id of agent.offers) {
    for (const share of sharesOf(state.offers.get(id)!.resources)) note(Number.NEGATIVE_INFINITY, share)
  }
  for (const used of agent.usedBy.values()) {
    for (const share of sharesOf(used)) {
      const priority = priorityOf(state.options.rolePriorities, share.role)
      note(share.isRevocable ? Number.NEGATIVE_INFINITY : priority, share)
    }
  }
  return gains
}

/** Undefined = it holds nothing that is missing; 0 = its guarantee needs it, which is worth knowing. */
function gainOf({ role, missing, floors }: Search, share: Pick<Share, 'role' | 'amounts'>): number | undefined {
  if (isSameOrSubRoleOf(share.role, role)) return undefined
  const help = common(missing, share.amounts)
  if (isNothing(help)) return undefined
  const holding = floors.of(share.role)
  let gain = 0
  for (const [kind, amount] of Object.entries(help)) {
    const guarantee = holding?.guarantees[kind] ?? 0
    const surplus = guarantee > 0 ? (holding?.consumed[kind] ?? 0) - guarantee : Number.POSITIVE_INFINITY
    gain += Math.max(0, Math.min(amount, surplus)) / missing[kind]!
  }
  return gain
}
