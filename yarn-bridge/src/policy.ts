// What an operator lets the bridge do. Every number has a default; the API's /api/config shows the ones in force.

import { ok, type Result, reject } from '@isthmus/core/base/result'
import { type Pool, poolsProblem } from './pools.ts'
import { largest, printResource, type RmSample, smallest, type YarnResource } from './samples.ts'

/** A named size of NodeManager, as Apache Myriad has them. `zero` starts with the RM's minimum only. */
export interface Profile {
  readonly name: string
  readonly capacity: YarnResource
}

/** Bounds and pace of the partition. Times in milliseconds. */
export interface Policy {
  /** auto follows demand; manual does only what flexup and flexdown say. */
  readonly mode: 'auto' | 'manual'
  /** NodeManagers kept when nothing is asked for. */
  readonly minNodes: number
  readonly maxNodes: number
  /** Upper bound of all advertised capacity together. */
  readonly maxCapacity: YarnResource
  /** Largest NodeManager; a container request above it can never be met. */
  readonly maxNodeCapacity: YarnResource
  /**
   * The size one NodeManager has at least while applications run: YARN refuses requests above its largest node, whatever its
   * configured maximum. Default: that maximum, as far as an offer has it. Smaller saves room when jobs ask for less.
   */
  readonly nodeCapacity: YarnResource | undefined
  /** Capacity is held in steps of this much memory; vcores in steps of one. */
  readonly memoryStepMb: number
  /** The NodeManager daemon itself; held, never advertised. */
  readonly overhead: { readonly cpus: number; readonly memoryMb: number }
  /** Demand has to be below capacity this long before anything shrinks. */
  readonly quietMs: number
  /** A NodeManager that has not registered by then is stopped. */
  readonly registrationTimeoutMs: number
  /** A drain that lasts longer is given up (voluntary) or forced (asked for with force). */
  readonly drainTimeoutMs: number
  /** A NodeManager on a machine that is going down for maintenance is drained from so long before on. */
  readonly maintenanceLeadMs: number
  /** Grace of a NodeManager's SIGTERM: YARN takes 10 to 20 s. */
  readonly stopGraceMs: number
  /** First pause after a failed launch on a host; doubles up to hostBackoffMaxMs. */
  readonly hostBackoffMinMs: number
  readonly hostBackoffMaxMs: number
  /** Pause between two looks at the RM. */
  readonly sampleIntervalMs: number
  /** Decisions that rest on an older sample are not made. */
  readonly sampleMaxAgeMs: number
  /** How long offers may be held while a decision is expected to use them. */
  readonly offerHoldMs: number
  readonly profiles: readonly Profile[]
  /** Parts of the partition by agent; none = one part of all agents. */
  readonly pools: readonly Pool[]
}

export const DEFAULT_PROFILES: readonly Profile[] = [
  { name: 'zero', capacity: { memoryMb: 0, vcores: 0 } },
  { name: 'small', capacity: { memoryMb: 2048, vcores: 2 } },
  { name: 'medium', capacity: { memoryMb: 4096, vcores: 4 } },
  { name: 'large', capacity: { memoryMb: 12288, vcores: 10 } },
]

export const DEFAULT_POLICY: Policy = {
  mode: 'auto',
  minNodes: 0,
  maxNodes: 10_000,
  maxCapacity: { memoryMb: Number.MAX_SAFE_INTEGER, vcores: Number.MAX_SAFE_INTEGER },
  maxNodeCapacity: { memoryMb: 1_048_576, vcores: 1024 },
  nodeCapacity: undefined,
  memoryStepMb: 256,
  overhead: { cpus: 0.2, memoryMb: 512 },
  quietMs: 90_000,
  registrationTimeoutMs: 90_000,
  drainTimeoutMs: 3_600_000,
  maintenanceLeadMs: 600_000,
  stopGraceMs: 30_000,
  hostBackoffMinMs: 5_000,
  hostBackoffMaxMs: 600_000,
  sampleIntervalMs: 500,
  sampleMaxAgeMs: 15_000,
  offerHoldMs: 3_000,
  profiles: DEFAULT_PROFILES,
  pools: [],
}

/** What the executor (0.1 cpus, 32 MB) and some daemon beside it need. */
export const OVERHEAD_LEAST = { cpus: 0.11, memoryMb: 64 } as const

/** Numbers that have to be whole, and the least they may be; a pause of none between two looks would be a busy loop. */
const LEAST = {
  minNodes: 0,
  maxNodes: 0,
  memoryStepMb: 1,
  quietMs: 0,
  registrationTimeoutMs: 0,
  drainTimeoutMs: 0,
  maintenanceLeadMs: 0,
  sampleIntervalMs: 10,
} as const

/** Checks a policy as a whole; the first thing wrong is named with its value. */
export function validatePolicy(policy: Policy): Result<Policy> {
  const wrong = policyProblem(policy)
  return wrong === undefined ? ok(policy) : reject({ code: 'POLICY_INVALID', message: wrong })
}

function policyProblem(policy: Policy): string | undefined {
  for (const [name, least] of Object.entries(LEAST)) {
    const value = policy[name as keyof typeof LEAST]
    if (!Number.isInteger(value) || value < least) return `${name} ${value} is not a whole number from ${least}`
  }
  if (policy.maxNodes < policy.minNodes) return `maxNodes ${policy.maxNodes} is below minNodes ${policy.minNodes}`
  const { memoryMb, cpus } = policy.overhead
  if (!(memoryMb >= OVERHEAD_LEAST.memoryMb) || !(cpus >= OVERHEAD_LEAST.cpus)) {
    return `overhead needs at least ${OVERHEAD_LEAST.memoryMb} MB and ${OVERHEAD_LEAST.cpus} cpus, it has ${memoryMb} MB and ${cpus} cpus`
  }
  for (const name of ['maxCapacity', 'maxNodeCapacity', 'nodeCapacity'] as const) {
    const size = policy[name]
    if (size !== undefined && !isWhole(size)) return `${name} ${printResource(size)} is not in whole numbers from 0`
  }
  const names = policy.profiles.map((profile) => profile.name)
  const twice = names.find((name, at) => names.indexOf(name) !== at)
  if (twice !== undefined) return `profile ${twice} is there twice`
  const bad = policy.profiles.find(({ capacity }) => !isWhole(capacity))
  if (bad !== undefined)
    return `profile ${bad.name} has ${printResource(bad.capacity)}, which are no whole numbers from 0`
  return poolsProblem(policy.pools)
}

function isWhole(size: YarnResource): boolean {
  return [size.memoryMb, size.vcores].every((value) => Number.isInteger(value) && value >= 0)
}

/** The size one NodeManager needs so that YARN takes every request it may be asked for. */
export function keeperSize(policy: Policy, sample: RmSample): YarnResource {
  return smallest(largest(policy.nodeCapacity ?? sample.maximum, sample.minimum), policy.maxNodeCapacity)
}
