/** Clusters for benchmarks: an allocator, agents alike, frameworks by number. */

import { Allocator } from '../src/allocator/allocator.ts'
import type { AgentSpec, Allocation, AllocatorOptions, FrameworkAbilities } from '../src/allocator/contract.ts'
import { parseResources } from '../src/resources/parse.ts'
import type { Resources } from '../src/resources/resources.ts'
import { type Stage, timed, timedOnce } from './stage.ts'

/** What frameworks of today can handle, but for revocable, shared and GPU resources. */
export const ABILITIES: FrameworkAbilities = {
  revocableResources: false,
  gpuResources: false,
  sharedResources: false,
  multiRole: true,
  reservationRefinement: true,
  regionAware: false,
}

/** What agents of today support. */
export const AGENT_ABILITIES = { multiRole: true, hierarchicalRole: true, reservationRefinement: true }

/** The longest refusal there is. */
export const YEAR_MS = 365 * 24 * 3_600_000

/** The seed of every benchmark. */
export const SEED = 7

/** A bag from text that is right. */
export function bagOf(text: string): Resources {
  const parsed = parseResources(text)
  if (!parsed.ok) throw new Error(parsed.rejection.message)
  return parsed.value
}

/** An agent of today. */
export function agentSpec(total: Resources, used: ReadonlyMap<string, Resources> = new Map()): AgentSpec {
  return { total, capabilities: AGENT_ABILITIES, used }
}

/** A cluster under measurement. Framework and agent `at` are `framework-at` and `agent-at`. */
export class Cluster {
  readonly allocator: Allocator
  /** The offers of the last round. */
  made: Allocation[] = []
  /** Virtual time; a batch comes every second. */
  atMs = 0

  constructor(options: Partial<AllocatorOptions> = {}) {
    this.allocator = new Allocator({ seed: SEED, ...options })
  }

  /** Adds frameworks, timed; the agents they make dirty wait. */
  addFrameworks(count: number, roleOf: (at: number) => string, more: Partial<FrameworkAbilities> = {}): Stage {
    const capabilities = { ...ABILITIES, ...more }
    return timedOnce('add frameworks', () => {
      for (let at = 0; at < count; at++) {
        const spec = { roles: [roleOf(at)], suppressedRoles: [], capabilities, active: true }
        this.allocator.addFramework(`framework-${at}`, spec)
      }
    })
  }

  /** Adds agents, timed together with the offers that follow at once. */
  addAgents(count: number, specOf: (at: number) => AgentSpec): Stage {
    const specs = Array.from({ length: count }, (_, at) => specOf(at))
    return timed({
      stage: 'add agents',
      rounds: 1,
      round: () => {
        for (const [at, spec] of specs.entries()) this.allocator.addAgent(`agent-${at}`, spec)
        this.made = this.allocator.allocate(this.atMs)
        return this.made
      },
    })
  }

  /** One batch. */
  batch(): Allocation[] {
    this.atMs += 1000
    this.made = this.allocator.allocateAll(this.atMs)
    return this.made
  }

  /** Gives all offers of the last round back, with a refusal when `refuseMs` is more than 0. */
  giveBack(refuseMs = 0): void {
    const refusal = refuseMs === 0 ? undefined : { refuseMs }
    for (const { frameworkId, agentId, resources } of this.made) {
      this.allocator.recoverResources(frameworkId, agentId, resources, refusal, this.atMs)
    }
    this.made = []
  }
}
