/**
 * Who has to give something back, so that a role gets what it was guaranteed: the least set that suffices, by policy.
 *
 * ```
 * tiers: offers, then revocable, then by priority        agents: most covered first, ties by policy      local: newest (or largest) first
 *   └─ for each tier until enough ───────────────────────── └─ take one agent's set after the other ──────── └─ pruned
 * all that was taken is pruned once more from its least wanted end: then no victim can be left out
 * ```
 * Example: cpus 3 are missing, every task has 1. Agent A runs four tasks, B two newer ones. Three of A's go (one agent suffices), the newest.
 */

import { ancestorRoles, isSameOrSubRoleOf } from '../../resources/roles.ts'
import { common, isNothing, type Milli, NOTHING, sum } from './amounts.ts'
import type { Cover } from './cover.ts'
import type { Floors, Loss } from './floors.ts'

/** Agents that are looked at closely in one tier; those where most can be had. Their sets are enough for any reclaim but the largest. */
export const AGENTS_MAX = 500

/** Victims of one choice at most; the next check goes on. */
export const VICTIMS_MAX = 250

/** Passes over all tiers at most. */
const PASSES_MAX = 12

/** Who goes first among equal roles: the tasks that started last, or the fewest tasks. */
export type ReclaimPolicy = 'newest' | 'fewest'

/** An offer, a task, or an executor with all its tasks that could go. */
export interface Candidate {
  readonly key: string
  readonly kind: 'offer' | 'task' | 'executor'
  /** Offer, task or executor id. */
  readonly id: string
  readonly agentId: string
  readonly frameworkId: string
  /** What counts against guarantees, by the role that loses it. */
  readonly losses: readonly Loss[]
  /** Tasks that end with it. */
  readonly taskIds: readonly string[]
  /** Keys of candidates that are part of this one. */
  readonly includes: readonly string[]
  /** It holds revocable resources too, so its framework expects to lose it. */
  readonly isRevocable: boolean
  /** Its framework has asked to kill it. */
  readonly isEnding: boolean
  /** Of its roles the highest; the higher the later. */
  readonly priority: number
  /** When it started, Unix milliseconds; asked for only when it matters. Infinity = it has not said anything yet. */
  readonly startedAtMs: () => number
}

/** What is chosen from. */
export interface Choice {
  /** The role that gets it: neither it nor the roles below are victims. */
  readonly role: string
  readonly candidates: readonly Candidate[]
  /** What is missing and what is there already; what is chosen is added. */
  readonly cover: Cover
  /** What others must keep; what is chosen is taken. */
  readonly floors: Floors
  readonly policy: ReclaimPolicy
}

/** Why candidates that were left could not help. */
export interface Spared {
  /** Their role would fall below its own guarantee. */
  readonly atGuarantee: number
  /** They hold nothing that is missing, or too little on their agent for an offer. */
  readonly noHelp: number
}

/** Who goes, most wanted first, and who else was looked at. */
export interface Chosen {
  readonly victims: readonly Candidate[]
  readonly spared: Spared
}

/** What goes with a candidate, over all roles. */
export function givenBy({ losses }: Pick<Candidate, 'losses'>): Milli {
  if (losses.length === 1) return losses[0]!.amounts
  return losses.reduce<Milli>((all, { amounts }) => sum(all, amounts), NOTHING)
}

/** The priority of a role: its own, or that of the nearest role above it that has one, else 0. */
export function priorityOf(priorities: Readonly<Record<string, number>>, role: string): number {
  const named = [role, ...ancestorRoles(role)].find((one) => Object.hasOwn(priorities, one))
  return named === undefined ? 0 : priorities[named]!
}

/** Chooses; deterministic for the same candidates in the same order. O(candidates + agents looked at × their tasks). */
export function chooseVictims(choice: Choice): Chosen {
  const { candidates, cover, policy, role } = choice
  const possible = withoutHopeless(
    candidates.filter((one) => {
      return !one.losses.some((loss) => isSameOrSubRoleOf(loss.role, role)) && !isNothing(helpOf(cover.missing, one))
    }),
    cover,
  )
  const taken = new Taken(choice)
  const passedOver = new Set<string>()
  for (let pass = 0; pass < PASSES_MAX && !cover.isEnough; pass++) {
    for (const tier of tiersOf(possible.filter(({ key }) => !passedOver.has(key)))) {
      if (cover.isEnough) break
      takeTier(tier, taken, policy)
    }
    // Who is let go leaves room above the guarantee of its role for others.
    const letGo = pruneEnd(taken)
    if (letGo.length === 0 && passedOver.size === 0) break
    // They are tried again at last: beside what was taken since they may be of use.
    if (letGo.length === 0) passedOver.clear()
    for (const { key } of letGo) passedOver.add(key)
  }
  return { victims: taken.list(), spared: sparedOf(choice, possible, taken) }
}

/** Without what lies on agents where all of it together is too little for an offer. */
function withoutHopeless(candidates: readonly Candidate[], cover: Cover): readonly Candidate[] {
  const most = new Map<string, Milli>()
  for (const one of candidates) most.set(one.agentId, sum(most.get(one.agentId) ?? NOTHING, givenBy(one)))
  return candidates.filter(({ agentId }) => cover.gain(agentId, most.get(agentId)!) > 0)
}

function helpOf(missing: Milli, candidate: Candidate): Milli {
  return common(missing, givenBy(candidate))
}

/** Classes that come strictly one after the other. */
function tiersOf(candidates: readonly Candidate[]): Candidate[][] {
  const byTier = new Map<string, { rank: readonly number[]; all: Candidate[] }>()
  for (const one of candidates) {
    const rank = rankOf(one)
    const key = rank.join(' ')
    const tier = byTier.get(key)
    if (tier === undefined) byTier.set(key, { rank, all: [one] })
    else tier.all.push(one)
  }
  return [...byTier.values()].sort((a, b) => compareRanks(a.rank, b.rank)).map(({ all }) => all)
}

function rankOf({ kind, isEnding, isRevocable, priority }: Candidate): readonly number[] {
  if (kind === 'offer') return [0, 0]
  if (isEnding) return [1, 0]
  return [isRevocable ? 2 : 3, priority]
}

function compareRanks(a: readonly number[], b: readonly number[]): number {
  for (const [at, rank] of a.entries()) if (rank !== b[at]) return rank - b[at]!
  return 0
}

/** What is taken so far; cover and floors follow. */
class Taken {
  readonly #choice: Pick<Choice, 'cover' | 'floors'>
  readonly #all = new Map<string, Candidate>()
  /** Keys of parts of what is taken. */
  readonly #partOf = new Set<string>()

  constructor(choice: Pick<Choice, 'cover' | 'floors'>) {
    this.#choice = choice
  }

  get size(): number {
    return this.#all.size
  }

  has(key: string): boolean {
    return this.#all.has(key) || this.#partOf.has(key)
  }

  list(): Candidate[] {
    return [...this.#all.values()]
  }

  get cover(): Cover {
    return this.#choice.cover
  }

  /** Takes it instead of its parts; false when a guarantee forbids that. */
  take(candidate: Candidate): boolean {
    const { cover, floors } = this.#choice
    const parts = candidate.includes.flatMap((key) => this.#all.get(key) ?? [])
    for (const part of parts) this.release(part)
    if (floors.brokenBy(candidate.losses) !== undefined) {
      for (const part of parts) this.take(part)
      return false
    }
    floors.take(candidate.losses)
    cover.add(candidate.agentId, givenBy(candidate))
    this.#all.set(candidate.key, candidate)
    for (const key of candidate.includes) this.#partOf.add(key)
    return true
  }

  /** The same in another order. */
  reorder(all: readonly Candidate[]): void {
    this.#all.clear()
    for (const one of all) this.#all.set(one.key, one)
  }

  release(candidate: Candidate): void {
    const { cover, floors } = this.#choice
    floors.giveBack(candidate.losses)
    cover.remove(candidate.agentId, givenBy(candidate))
    this.#all.delete(candidate.key)
    for (const key of candidate.includes) this.#partOf.delete(key)
  }
}

/** What one agent's candidates of a tier would bring. */
interface LocalSet {
  readonly agentId: string
  readonly candidates: readonly Candidate[]
  readonly victims: readonly Candidate[]
  readonly gain: number
  readonly taskCount: number
  /** Start of the oldest: the later, the less work is lost. */
  readonly oldestAtMs: number
  /** The turn it was worked out in. */
  readonly turn: number
}

/** Agent after agent, the one that covers most first. What was worked out earlier is never too small, so only the first is looked at anew. */
function takeTier(tier: readonly Candidate[], taken: Taken, policy: ReclaimPolicy): void {
  const { cover } = taken
  let turn = 0
  const sets = agentsOf(tier, cover).map(([agentId, candidates]) =>
    localSet({ agentId, candidates, turn }, taken, policy),
  )
  while (!cover.isEnough && sets.length > 0 && taken.size < VICTIMS_MAX) {
    sets.sort((a, b) => compareSets(a, b, policy))
    const first = sets.shift()!
    if (first.turn === turn) {
      if (first.victims.length === 0) continue
      for (const victim of first.victims) taken.take(victim)
      turn++
      continue
    }
    const again = localSet({ ...first, turn }, taken, policy)
    if (again.victims.length > 0) sets.push(again)
  }
}

function agentsOf(tier: readonly Candidate[], cover: Cover): [string, Candidate[]][] {
  const byAgent = new Map<string, Candidate[]>()
  for (const one of tier) {
    const list = byAgent.get(one.agentId)
    if (list === undefined) byAgent.set(one.agentId, [one])
    else list.push(one)
  }
  const agents = [...byAgent]
  if (agents.length <= AGENTS_MAX) return agents
  const most = (list: readonly Candidate[]) => list.reduce((all, one) => sum(all, givenBy(one)), NOTHING)
  return agents
    .map((agent) => ({ agent, gain: cover.gain(agent[0], most(agent[1])) }))
    .sort((a, b) => b.gain - a.gain)
    .slice(0, AGENTS_MAX)
    .map(({ agent }) => agent)
}

function compareSets(a: LocalSet, b: LocalSet, policy: ReclaimPolicy): number {
  if (a.gain !== b.gain) return b.gain - a.gain
  const byAge = compareAges(a.oldestAtMs, b.oldestAtMs)
  const byCount = a.taskCount - b.taskCount
  const order = policy === 'newest' ? byAge || byCount : byCount || byAge
  return order || (a.agentId < b.agentId ? -1 : 1)
}

/** The newer first. Infinity minus itself is no number. */
function compareAges(a: number, b: number): number {
  return a === b ? 0 : b > a ? 1 : -1
}

/** Takes an agent's candidates one by one until enough, leaves out what is not needed, and gives all back. */
function localSet(
  { agentId, candidates, turn }: Pick<LocalSet, 'agentId' | 'candidates' | 'turn'>,
  taken: Taken,
  policy: ReclaimPolicy,
): LocalSet {
  const { cover } = taken
  const added: Candidate[] = []
  const before = new Set(taken.list())
  for (const one of orderOf(candidates, cover.left(), policy)) {
    if (cover.isEnough) break
    if (taken.has(one.key) || isNothing(helpOf(cover.left(), one))) continue
    if (taken.take(one)) {
      for (const part of one.includes) remove(added, part)
      added.push(one)
    }
  }
  if (cover.isEnough) {
    for (const one of [...added].reverse()) {
      taken.release(one)
      if (cover.isEnough) remove(added, one.key)
      else taken.take(one)
    }
  }
  for (const one of added) taken.release(one)
  // A whole executor released its tasks that were taken before.
  for (const one of before) if (!taken.has(one.key)) taken.take(one)
  const all = added.reduce((gives, one) => sum(gives, givenBy(one)), NOTHING)
  const starts = added.map(({ startedAtMs }) => startedAtMs())
  return {
    agentId,
    candidates,
    turn,
    victims: added,
    gain: added.length === 0 ? 0 : cover.gain(agentId, all),
    taskCount: added.reduce((count, { taskIds }) => count + taskIds.length, 0),
    oldestAtMs: Math.min(...starts, Number.POSITIVE_INFINITY),
  }
}

function remove(list: Candidate[], key: string): void {
  const at = list.findIndex((one) => one.key === key)
  if (at >= 0) list.splice(at, 1)
}

/** Executors last; then by policy. */
function orderOf(candidates: readonly Candidate[], left: Milli, policy: ReclaimPolicy): Candidate[] {
  const facts = candidates.map((one) => ({ one, atMs: one.startedAtMs(), part: partOf(left, one) }))
  facts.sort((a, b) => {
    const isLater = Number(a.one.includes.length > 0) - Number(b.one.includes.length > 0)
    const byAge = compareAges(a.atMs, b.atMs)
    const bySize = b.part - a.part
    return isLater || (policy === 'newest' ? byAge || bySize : bySize || byAge) || (a.one.key < b.one.key ? -1 : 1)
  })
  return facts.map(({ one }) => one)
}

function partOf(left: Milli, candidate: Candidate): number {
  const gives = givenBy(candidate)
  let part = 0
  for (const [kind, amount] of Object.entries(left)) part += Math.min(amount, gives[kind] ?? 0) / amount
  return part
}

/**
 * From the last taken to the first: who can be left out, is. Without enough, that is who covers nothing more.
 *
 * @returns who was left out
 */
function pruneEnd(taken: Taken): readonly Candidate[] {
  const { cover } = taken
  const wasEnough = cover.isEnough
  const before = taken.list()
  for (const one of before.toReversed()) {
    taken.release(one)
    const isNeeded = wasEnough ? !cover.isEnough : cover.gain(one.agentId, givenBy(one)) > 0
    if (isNeeded) taken.take(one)
  }
  taken.reorder(before.filter(({ key }) => taken.has(key)))
  return before.filter(({ key }) => !taken.has(key))
}

function sparedOf({ floors, candidates }: Choice, possible: readonly Candidate[], taken: Taken): Spared {
  const rest = possible.filter(({ key }) => !taken.has(key))
  const atGuarantee = rest.filter(({ losses }) => floors.brokenBy(losses) !== undefined).length
  return { atGuarantee, noHelp: candidates.length - taken.size - atGuarantee }
}
