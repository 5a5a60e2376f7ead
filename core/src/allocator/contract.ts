/**
 * What the allocator is told and what it answers: ids, roles and Resources only. No offers, no messages.
 * The rules behind it are in allocator.ts.
 */

import type { Attribute, DomainInfo } from '@isthmus/proto/gen/mesos'
import type { Resources } from '../resources/resources.ts'
import type { RolesConstraints } from './constraints.ts'
import type { Sorter } from './sorter.ts'

/** Scalar amounts by resource name, in whole units as flags and quota write them: `{ cpus: 0.5, mem: 512 }`. */
export type Amounts = Readonly<Record<string, number>>

/** Quota of one top-level role. A kind that is not named has no guarantee and no limit. */
export interface RoleQuota {
  readonly guarantees: Amounts
  readonly limits: Amounts
}

/** How an allocator decides; the flags of Mesos 1.11 with its defaults. */
export interface AllocatorOptions {
  /** Seeds the order in which agents are visited. */
  readonly seed: number
  /** --allocation_interval in milliseconds: a refusal lasts at least this long. Default 1000. */
  readonly allocationIntervalMs?: number | undefined
  /** --min_allocatable_resources: offers hold at least one of these alternatives. Default cpus 0.01 or mem 32. */
  readonly minAllocatable?: readonly Amounts[] | undefined
  /** --filter_gpu_resources: agents with GPUs only for frameworks with GPU_RESOURCES. Default true. */
  readonly filterGpuResources?: boolean | undefined
  /** --fair_sharing_excluded_resource_names: kinds that do not count in shares. Default none. */
  readonly fairSharingExcluded?: readonly string[] | undefined
  /**
   * Who gave back a whole offer unused goes behind all others for that agent, until they have passed on it too or it has more free.
   * Mesos does not: there a satisfied framework with a small share, which declines without a filter, is offered everything for ever.
   * Default false.
   */
  readonly passOn?: boolean | undefined
  /** --role_sorter: who goes first among roles. Default DRF. */
  readonly roleSorter?: Sorter | undefined
  /** --framework_sorter: who goes first among the frameworks of a role. Default DRF. */
  readonly frameworkSorter?: Sorter | undefined
  /** The master's own domain: agents of another region are remote. Default none, so no agent is remote. */
  readonly domain?: DomainInfo | undefined
}

/** What a framework can handle; the names are those of FrameworkInfo.Capability. */
export interface FrameworkAbilities {
  readonly revocableResources: boolean
  readonly gpuResources: boolean
  readonly sharedResources: boolean
  readonly multiRole: boolean
  readonly reservationRefinement: boolean
  readonly regionAware: boolean
}

/** A framework as the allocator sees it. */
export interface FrameworkSpec {
  /** FrameworkInfo.name, for sorters. */
  readonly name?: string | undefined
  readonly roles: readonly string[]
  /** A subset of `roles`; others are ignored. */
  readonly suppressedRoles: readonly string[]
  readonly capabilities: FrameworkAbilities
  /** Connected; an inactive framework gets nothing and keeps what it has. */
  readonly active: boolean
  /** OfferFilters.min_allocatable_resources by role; a role not named follows the option of the allocator. */
  readonly minAllocatable?: Readonly<Record<string, readonly Amounts[]>> | undefined
  /** OfferConstraints by role: which agents are offered. A role not named is offered all. */
  readonly constraints?: RolesConstraints | undefined
}

/** What an agent supports; the names are those of AgentInfo.Capability. */
export interface AgentAbilities {
  readonly multiRole: boolean
  readonly hierarchicalRole: boolean
  readonly reservationRefinement: boolean
}

/** An agent as the allocator sees it. */
export interface AgentSpec {
  readonly total: Resources
  /** For constraints, as attributes and domain. */
  readonly hostname?: string | undefined
  readonly attributes?: readonly Attribute[] | undefined
  readonly domain?: DomainInfo | undefined
  readonly capabilities: AgentAbilities
  /** Framework id → what it holds there already, with allocation info; the frameworks need not be known yet. */
  readonly used: ReadonlyMap<string, Resources>
  /** Connected and not deactivated. Default true. */
  readonly active?: boolean | undefined
}

/** What may change of an agent; absent = as it was. */
export interface AgentChange {
  readonly total?: Resources | undefined
  readonly hostname?: string | undefined
  /** Clears the refusals of the agent when they differ. */
  readonly attributes?: readonly Attribute[] | undefined
  readonly domain?: DomainInfo | undefined
  readonly capabilities?: AgentAbilities | undefined
  /** What frameworks hold there, instead of what they held so far: the agent has come back and said so. */
  readonly used?: ReadonlyMap<string, Resources> | undefined
}

/** How long what comes back is not offered to the same framework and role again. */
export interface Refusal {
  /** Milliseconds; 0 or less = not at all; at most {@link REFUSE_MS_MAX}. */
  readonly refuseMs: number
}

/** Refusals are capped at a year. */
export const REFUSE_MS_MAX = 365 * 24 * 3_600_000

/** A decision: these resources of this agent are the framework's until they are recovered. */
export interface Allocation {
  readonly frameworkId: string
  readonly role: string
  readonly agentId: string
  /** With allocation info of `role`. */
  readonly resources: Resources
}

/** Why a role of a framework is not offered an agent; the first that applies, in this order. */
export type ReasonCode =
  | 'FRAMEWORK_INACTIVE'
  | 'ROLE_SUPPRESSED'
  | 'AGENT_INACTIVE'
  | 'OFFER_CONSTRAINTS'
  | 'AGENT_WITHOUT_MULTI_ROLE'
  | 'AGENT_WITHOUT_HIERARCHICAL_ROLE'
  | 'GPU_NOT_WANTED'
  | 'AGENT_IN_REMOTE_REGION'
  | 'NOTHING_FREE'
  | 'TOO_LITTLE_FREE'
  | 'NOTHING_FOR_ROLE'
  | 'REFUSED'
  | 'QUOTA_LIMIT'
  | 'QUOTA_HEADROOM'
  | 'OTHERS_FIRST'

/** One reason with its numbers, summed over the agents it holds for. */
export interface Reason {
  readonly role: string
  readonly code: ReasonCode
  /** A sentence for people; the numbers are beside it. */
  readonly message: string
  readonly agentCount: number
  /** Some of the agents, at most {@link REASON_AGENTS_MAX}. */
  readonly agentIds: readonly string[]
  /** What is free on these agents together, and the most on one of them. */
  readonly free: Amounts
  readonly mostFree: Amounts
  /** TOO_LITTLE_FREE: an offer holds at least one of these. */
  readonly least?: readonly Amounts[] | undefined
  /** REFUSED: when the first and the last of these refusals ends. */
  readonly fromMs?: number | undefined
  readonly untilMs?: number | undefined
  /** QUOTA_LIMIT: the limit of the top-level role, and what counts against it. */
  readonly limits?: Amounts | undefined
  readonly consumed?: Amounts | undefined
  /** QUOTA_HEADROOM: what the guarantees of other roles miss still, and what is free in the pool. */
  readonly required?: Amounts | undefined
  readonly poolFree?: Amounts | undefined
  /** OTHERS_FIRST: weighted dominant share of the role and of the one that goes before it on the first of the agents, 0 to 1. */
  readonly share?: number | undefined
  readonly firstRole?: string | undefined
  readonly firstFrameworkId?: string | undefined
  readonly firstShare?: number | undefined
  /** OTHERS_FIRST: who goes first is drawn for each agent, so it is not known now. */
  readonly isDrawn?: boolean | undefined
}

/** What a role has and may have. */
export interface RoleFacts {
  readonly weight: number
  /** Weighted dominant share, 0 to 1; 0 when nobody is in it or below it. */
  readonly share: number
  /** Of its top-level role; absent without quota. What is offered counts as consumed. */
  readonly quota?:
    | {
        readonly role: string
        readonly guarantees: Amounts
        readonly limits: Amounts
        readonly consumed: Amounts
        /** What is missing of the guarantee. */
        readonly missing: Amounts
      }
    | undefined
}

/**
 * What a master needs of an allocator, so that another than allocator.ts may be loaded as a module. The methods are those of the class
 * `Allocator`, which says what each does; ids that are not known are ignored where it says so.
 */
export interface OfferAllocator {
  addFramework(frameworkId: string, spec: FrameworkSpec): void
  updateFramework(frameworkId: string, change: Omit<FrameworkSpec, 'active'>): void
  removeFramework(frameworkId: string): void
  activateFramework(frameworkId: string): void
  deactivateFramework(frameworkId: string): void
  addAgent(agentId: string, spec: AgentSpec): void
  updateAgent(agentId: string, change: AgentChange): void
  removeAgent(agentId: string): void
  activateAgent(agentId: string): void
  deactivateAgent(agentId: string): void
  updateAllocation(frameworkId: string, agentId: string, conversion: Conversion): void
  recoverResources(
    frameworkId: string,
    agentId: string,
    resources: Resources,
    refusal: Refusal | undefined,
    atMs: number,
  ): void
  suppress(frameworkId: string, roles?: readonly string[]): void
  revive(frameworkId: string, roles?: readonly string[]): void
  updateWeights(weights: Readonly<Record<string, number>>): void
  setQuota(role: string, quota: RoleQuota | undefined): void
  allocate(atMs: number, budget?: number): Allocation[]
  allocateAll(atMs: number): Allocation[]
  expireFilters(atMs: number): void
  explain(frameworkId: string): Reason[]
  describeRole(role: string): RoleFacts
}

/** What resources become by RESERVE, CREATE …; both with allocation info. */
export interface Conversion {
  readonly from: Resources
  readonly to: Resources
}

/** What a module with an allocator exports. */
export interface AllocatorModule {
  readonly createAllocator: (options: AllocatorOptions) => OfferAllocator
}

/** Agents named by one reason. */
export const REASON_AGENTS_MAX = 10
