// Pools: parts of the partition with bounds of their own. A pool takes the agents that meet its constraints; an agent that
// meets those of several belongs to the first. Without pools all agents are in one without a name, bounded by the policy alone.
//
//   policy: at most 10 NodeManagers ─┬─ pool fast: rack LIKE r1, 1 to 4 NodeManagers
//                                    └─ pool rest: any agent, 0 to 8

import { type AgentFacts, meets, parseConstraint } from './constraints.ts'
import { expected, isUp, type NodeManager } from './node-manager.ts'
import type { Policy } from './policy.ts'
import { minus, NOTHING, plus, smallest, type YarnResource } from './samples.ts'

/** A part of the partition. */
export interface Pool {
  readonly name: string
  /** All have to be met (constraints.ts); none = any agent. */
  readonly constraints: readonly string[]
  /** NodeManagers kept when nothing is asked for. */
  readonly minNodes: number
  readonly maxNodes: number
  /** Upper bound of the capacity advertised from this pool. */
  readonly maxCapacity: YarnResource
}

/** The pool of NodeManagers when the policy names none. */
export const NO_POOL = ''

/** The pool an agent belongs to, or undefined when it meets the constraints of none. */
export function poolOf(policy: Policy, facts: AgentFacts): string | undefined {
  if (policy.pools.length === 0) return NO_POOL
  return policy.pools.find(({ constraints }) => constraints.every((constraint) => meets(facts, constraint)))?.name
}

/** What is wrong with the pools, or undefined. */
export function poolsProblem(pools: readonly Pool[]): string | undefined {
  for (const [at, { name, constraints, minNodes, maxNodes, maxCapacity }] of pools.entries()) {
    if (name === NO_POOL) return 'a pool has no name'
    if (pools.findIndex((pool) => pool.name === name) !== at) return `pool ${name} is there twice`
    const counts = { minNodes, maxNodes, maxMemoryMb: maxCapacity.memoryMb, maxVcores: maxCapacity.vcores }
    for (const [field, value] of Object.entries(counts)) {
      if (!Number.isInteger(value) || value < 0) return `pool ${name}: ${field} ${value} is not a whole number from 0`
    }
    if (maxNodes < minNodes) return `pool ${name}: maxNodes ${maxNodes} is below minNodes ${minNodes}`
    for (const constraint of constraints) {
      const parsed = parseConstraint(constraint)
      if (!parsed.ok) return `pool ${name}: ${parsed.rejection.message}`
    }
  }
  return undefined
}

interface Use {
  upCount: number
  capacity: YarnResource
}

/** How much the bounds of policy and pools leave, while a decision is made. */
export class Bounds {
  readonly #policy: Policy
  readonly #pools: ReadonlyMap<string, Pool>
  readonly #total: Use = { upCount: 0, capacity: NOTHING }
  readonly #byPool = new Map<string, Use>()

  constructor(policy: Policy, fleet: readonly NodeManager[]) {
    this.#policy = policy
    this.#pools = new Map(policy.pools.map((pool) => [pool.name, pool]))
    for (const nodeManager of fleet) {
      this.add(nodeManager.pool, expected(nodeManager))
      if (isUp(nodeManager)) this.addNode(nodeManager.pool)
    }
  }

  /** NodeManagers that are up, of one pool or of all. */
  upCount(pool?: string): number {
    return pool === undefined ? this.#total.upCount : this.#useOf(pool).upCount
  }

  /** Capacity that may be added to a pool. */
  left(pool: string): YarnResource {
    const total = minus(this.#policy.maxCapacity, this.#total.capacity)
    const bounds = this.#pools.get(pool)
    return bounds === undefined ? total : smallest(total, minus(bounds.maxCapacity, this.#useOf(pool).capacity))
  }

  /** Says whether one more NodeManager is allowed in a pool. */
  mayAddNode(pool: string): boolean {
    const maxNodes = this.#pools.get(pool)?.maxNodes ?? this.#policy.maxNodes
    return this.#total.upCount < this.#policy.maxNodes && this.#useOf(pool).upCount < maxNodes
  }

  /** NodeManagers a pool lacks to its minimum; at most what its maximum and the policy's allow. */
  missing(pool: string): number {
    const minNodes = this.#pools.get(pool)?.minNodes ?? 0
    return this.mayAddNode(pool) ? Math.max(0, minNodes - this.#useOf(pool).upCount) : 0
  }

  /** Says whether a pool has a NodeManager more than its minimum and the policy's. */
  maySpare(pool: string): boolean {
    const minNodes = this.#pools.get(pool)?.minNodes ?? 0
    return this.#total.upCount > this.#policy.minNodes && this.#useOf(pool).upCount > minNodes
  }

  /** Counts capacity that is added. */
  add(pool: string, size: YarnResource): void {
    const use = this.#useOf(pool)
    use.capacity = plus(use.capacity, size)
    this.#total.capacity = plus(this.#total.capacity, size)
  }

  /** Counts a NodeManager that comes or (-1) goes. */
  addNode(pool: string, by: 1 | -1 = 1): void {
    this.#useOf(pool).upCount += by
    this.#total.upCount += by
  }

  #useOf(pool: string): Use {
    const known = this.#byPool.get(pool)
    if (known !== undefined) return known
    const fresh = { upCount: 0, capacity: NOTHING }
    this.#byPool.set(pool, fresh)
    return fresh
  }
}
