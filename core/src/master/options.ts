/** What a master is told when it starts: who it is, and the flags its decisions depend on (names and defaults of Mesos 1.11). */

import type { DomainInfo, MasterInfo } from '@isthmus/proto/gen/mesos'
import { PATTERN_LIMITS_DEFAULT } from '../allocator/constraints.ts'
import type { PatternLimits } from '../allocator/pattern.ts'
import type { Policies } from './policies.ts'
import type { ReclaimTerms } from './reclaim/plan.ts'
import type { ReclaimPolicy } from './reclaim/victims.ts'
import type { RemovalRate } from './removals.ts'

/** The part every master must be given. */
export interface MasterIdentity {
  /** A UUID; framework, agent and offer ids start with it. */
  readonly masterId: string
  readonly hostname: string
  /** Dotted IPv4. */
  readonly ip: string
  readonly port: number
  /** Shown as version; clients compare it with Mesos versions. */
  readonly version: string
  /** Seeds the generator behind stream ids and random choices. */
  readonly seed: number
  readonly startAtMs: number
  readonly electedAtMs: number
}

/** The flags, each with Mesos's default in {@link MASTER_FLAG_DEFAULTS}. */
export interface MasterFlags {
  /** --allocation_interval */
  readonly allocationIntervalMs: number
  /** --agent_ping_timeout */
  readonly agentPingTimeoutMs: number
  /** --max_agent_ping_timeouts: an agent is unreachable after so many pings without an answer. */
  readonly maxAgentPingTimeouts: number
  /** --agent_reregister_timeout: how long agents of the registry may take to come back to a new leader. */
  readonly agentReregisterTimeoutMs: number
  /** --agent_removal_rate_limit: how fast agents are given up; absent = as it happens. */
  readonly agentRemovalRate?: RemovalRate | undefined
  /** --recovery_agent_removal_limit: a new leader that would give up a larger part of its agents stops instead; 1 = never. */
  readonly recoveryRemovalLimit: number
  /** --registry_gc_interval */
  readonly registryGcIntervalMs: number
  /** --registry_max_agent_age: unreachable and gone agents are forgotten after this time. */
  readonly registryMaxAgentAgeMs: number
  /** --registry_max_agent_count: more unreachable, or more gone ones, than this: the oldest are forgotten. */
  readonly registryMaxAgentCount: number
  /** --offer_timeout; 0 = offers live until they are answered. */
  readonly offerTimeoutMs: number
  /** --max_completed_frameworks */
  readonly maxCompletedFrameworks: number
  /** --max_completed_tasks_per_framework */
  readonly maxCompletedTasksPerFramework: number
  /** --max_unreachable_tasks_per_framework */
  readonly maxUnreachableTasksPerFramework: number
  /** --max_operator_event_stream_subscribers: the oldest is dropped. */
  readonly maxOperatorEventStreamSubscribers: number
  /** --roles: the only roles frameworks may use; absent = any. */
  readonly roles?: readonly string[] | undefined
  /** --weights, before those of the registry. */
  readonly weights: Readonly<Record<string, number>>
  /** --root_submissions: whether frameworks may run as root. */
  readonly rootSubmissions: boolean
  /** --filter_gpu_resources */
  readonly filterGpuResources: boolean
  /** --min_allocatable_resources as text, e.g. `cpus:0.01|mem:32`. */
  readonly minAllocatableResources: string
  /** --offer_constraints_re2_max_program_size and --offer_constraints_re2_max_mem. */
  readonly patternLimits: PatternLimits
  /** --framework_sorter: a name of policies.ts, or that of a module, which is in `policies` then. */
  readonly frameworkSorter: string
  /** --role_sorter, as above. */
  readonly roleSorter: string
  /** --framework_priorities, by framework name: the higher goes first with the sorter `priority`. */
  readonly frameworkPriorities: Readonly<Record<string, number>>
  /** --role_priorities, by role path. */
  readonly rolePriorities: Readonly<Record<string, number>>
  /** --fair_sharing_excluded_resource_names: kinds that do not count in shares. */
  readonly fairSharingExcluded: readonly string[]
  /** --allocator_agent_recovery_factor: after a failover with quota this part of the agents must be back before anything is offered. */
  readonly allocatorRecoveryFactor: number
  /** --allocator_recovery_timeout: it is waited for them at most so long. */
  readonly allocatorRecoveryTimeoutMs: number
  /** --allocator_pass_on: who gives back a whole offer unused goes behind the others for that agent. */
  readonly allocatorPassOn: boolean
  /** Sorters and allocator that were loaded as modules. */
  readonly policies: Policies
  /** --reclaim_after and what goes with it; absent = guarantees wait for others to give way. */
  readonly reclaim?: ReclaimFlags | undefined
  /** --publish_per_framework_metrics */
  readonly publishPerFrameworkMetrics: boolean
  /** --domain: where the master is; absent = all agents are near. */
  readonly domain?: DomainInfo | undefined
  /** --require_agent_domain: agents without a domain are refused. */
  readonly requireAgentDomain: boolean
  /** --cluster, shown in /state. */
  readonly cluster?: string | undefined
  /** All flags as texts, for /flags, /state and GET_FLAGS. */
  readonly shown: Readonly<Record<string, string>>
  /** Build facts for /version and /state. */
  readonly build: Readonly<{ date: string; timeSeconds: number; user: string; gitSha: string; gitTag: string }>
}

/** How what others hold beyond their guarantees is taken back (reclaim/reclaim.ts). */
export interface ReclaimFlags extends ReclaimTerms {
  /** --reclaim_after: how long a role may be below its guarantee. */
  readonly afterMs: number
  /** --reclaim_policy */
  readonly policy: ReclaimPolicy
}

/** Everything a master is told. */
export interface MasterOptions extends MasterIdentity, MasterFlags {}

/** Mesos 1.11's defaults. */
export const MASTER_FLAG_DEFAULTS: MasterFlags = {
  allocationIntervalMs: 1_000,
  agentPingTimeoutMs: 15_000,
  maxAgentPingTimeouts: 5,
  agentReregisterTimeoutMs: 600_000,
  agentRemovalRate: undefined,
  recoveryRemovalLimit: 1,
  registryGcIntervalMs: 900_000,
  registryMaxAgentAgeMs: 14 * 24 * 3_600_000,
  registryMaxAgentCount: 102_400,
  offerTimeoutMs: 0,
  maxCompletedFrameworks: 50,
  maxCompletedTasksPerFramework: 1_000,
  maxUnreachableTasksPerFramework: 1_000,
  maxOperatorEventStreamSubscribers: 1_000,
  roles: undefined,
  weights: {},
  rootSubmissions: true,
  filterGpuResources: true,
  minAllocatableResources: 'cpus:0.01|mem:32',
  patternLimits: PATTERN_LIMITS_DEFAULT,
  frameworkSorter: 'drf',
  roleSorter: 'drf',
  frameworkPriorities: {},
  rolePriorities: {},
  fairSharingExcluded: [],
  allocatorRecoveryFactor: 0.8,
  allocatorRecoveryTimeoutMs: 600_000,
  allocatorPassOn: false,
  policies: {},
  reclaim: undefined,
  publishPerFrameworkMetrics: true,
  domain: undefined,
  requireAgentDomain: false,
  cluster: undefined,
  shown: {},
  build: { date: '', timeSeconds: 0, user: '', gitSha: '', gitTag: '' },
}

/** Completes an identity and some flags with the defaults. */
export function masterOptions(given: MasterIdentity & Partial<MasterFlags>): MasterOptions {
  return { ...MASTER_FLAG_DEFAULTS, ...given }
}

/** The MasterInfo that frameworks and agents are shown. The third capability (QUOTA_V2) has no v1 name and is an empty object. */
export function masterInfo(options: MasterOptions): MasterInfo {
  return {
    id: options.masterId,
    ip: networkOrder(options.ip),
    port: options.port,
    pid: masterPid(options),
    hostname: options.hostname,
    version: options.version,
    address: { hostname: options.hostname, ip: options.ip, port: options.port },
    domain: options.domain,
    capabilities: [{ type: 'AGENT_UPDATE' }, { type: 'AGENT_DRAINING' }, {}],
  }
}

/** The master's address in the form of Mesos: `master@127.0.0.1:5050`. */
export function masterPid(options: MasterOptions): string {
  return `master@${options.ip}:${options.port}`
}

/** An IPv4 address as the number Mesos shows: its four bytes in network order read as a little-endian 32-bit integer. */
function networkOrder(ip: string): number {
  const bytes = ip.split('.').map(Number)
  if (bytes.length !== 4 || bytes.some((byte) => !Number.isInteger(byte) || byte < 0 || byte > 255)) return 0
  return bytes.reduceRight((sum, byte) => sum * 256 + byte, 0)
}
