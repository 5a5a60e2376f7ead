/**
 * Which offers are rescinded when quota changes: those that take a role over its new limit, and as many of other roles as the new guarantees
 * miss beyond what is free. Mesos rescinds in the same two steps, but takes nothing for free.
 *
 * Example: 10 CPU are offered to role b and 2 are free when role a is guaranteed 6: offers of b are rescinded until 4 CPU have come back.
 */

import { topLevelRole } from '../resources/roles.ts'
import { rescindOffer } from './offers.ts'
import type { QuotaRecord } from './registry.ts'
import { addSums, isWithin, roleSums, rounded, type Sums, sumsOf, sumsOfBag } from './role-sums.ts'
import type { MasterOffer } from './state.ts'
import type { Turn } from './turn.ts'

/** Amounts of which more is taken away step by step. */
type Left = Record<string, number>

/** Rescinds what the quotas of these roles ask for; they are in the registry already. O(agents + offers). */
export function rescindForQuota(turn: Turn, roles: readonly string[]): void {
  const { offers, registry } = turn.state
  const sums = roleSums(turn.state)
  const offersOf = new Map<string, MasterOffer[]>()
  // Newest first: the older an offer, the more likely it is about to be accepted.
  for (const offer of [...offers.values()].reverse()) {
    const top = topLevelRole(offer.role)
    const list = offersOf.get(top)
    if (list === undefined) offersOf.set(top, [offer])
    else list.push(offer)
  }
  for (const role of new Set(roles)) {
    const limits = amountsOf(registry.quotas.get(role)?.limits ?? {})
    const { consumed, offeredPlain } = sumsOf(sums, role)
    rescindAbove(turn, { limits, taken: addSums(consumed, offeredPlain), offers: offersOf.get(role) ?? [] })
  }
  rescindForGuarantees(turn)
}

function rescindAbove(
  turn: Turn,
  role: { readonly limits: Sums; readonly taken: Sums; readonly offers: readonly MasterOffer[] },
): void {
  const isAbove = (name: string) => (taken[name] ?? 0) > (role.limits[name] ?? Number.POSITIVE_INFINITY)
  let { taken } = role
  for (const offer of role.offers) {
    if (isWithin(taken, role.limits)) return
    const plain = plainOf(offer)
    if (!Object.keys(plain).some(isAbove)) continue
    taken = addSums(taken, negative(plain))
    rescindOffer(turn, offer)
  }
}

/** What guarantees miss comes from what is free, then from offers of roles that have more than their guarantee. */
function rescindForGuarantees(turn: Turn): void {
  const { state } = turn
  const sums = roleSums(state)
  const needed: Left = {}
  /** What each role has beyond its guarantee. */
  const beyond = new Map<string, Left>()
  for (const [role, { guarantees }] of state.registry.quotas) {
    const { consumed, offeredPlain } = sumsOf(sums, role)
    const taken = addSums(consumed, offeredPlain)
    const rest: Left = {}
    for (const [name, { value }] of Object.entries(guarantees)) {
      const difference = rounded((taken[name] ?? 0) - value)
      rest[name] = Math.max(0, difference)
      needed[name] = rounded((needed[name] ?? 0) + Math.max(0, -difference))
    }
    beyond.set(role, rest)
  }
  if (Object.values(needed).every((amount) => amount === 0)) return
  take(needed, freeIn(turn))
  for (const offer of [...state.offers.values()].reverse()) {
    const rest = beyond.get(topLevelRole(offer.role))
    const plain = plainOf(offer)
    const spare = (name: string) => Math.min(plain[name] ?? 0, rest?.[name] ?? Number.POSITIVE_INFINITY)
    if (!Object.keys(needed).some((name) => needed[name]! > 0 && spare(name) > 0)) continue
    for (const name of Object.keys(needed)) {
      const amount = spare(name)
      needed[name] = Math.max(0, rounded(needed[name]! - amount))
      if (rest?.[name] !== undefined) rest[name] = rounded(rest[name] - amount)
    }
    rescindOffer(turn, offer)
  }
}

/** Unreserved and not revocable, on active agents, neither used nor offered. */
function freeIn({ state }: Turn): Sums {
  let free: Sums = {}
  for (const { active, total, usedBy, offers } of state.agents.values()) {
    if (!active) continue
    free = addSums(free, sumsOfBag(total.unreserved().nonRevocable()))
    for (const used of usedBy.values()) free = addSums(free, negative(sumsOfBag(used.unreserved().nonRevocable())))
    for (const id of offers) free = addSums(free, negative(plainOf(state.offers.get(id)!)))
  }
  return free
}

function plainOf(offer: MasterOffer): Sums {
  return sumsOfBag(offer.resources.unreserved().nonRevocable())
}

function take(from: Left, amounts: Sums): void {
  for (const name of Object.keys(from)) from[name] = Math.max(0, rounded(from[name]! - (amounts[name] ?? 0)))
}

function negative(sums: Sums): Sums {
  return Object.fromEntries(Object.entries(sums).map(([name, amount]) => [name, -amount]))
}

function amountsOf(given: QuotaRecord['limits']): Sums {
  return Object.fromEntries(Object.entries(given).map(([name, { value }]) => [name, value]))
}
