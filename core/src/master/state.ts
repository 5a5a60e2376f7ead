/**
 * What a master knows. One owner: step() in master.ts changes it in place; everyone else reads.
 *
 * ```
 * registry ─ durable facts (registry.ts)            allocator ─ who gets what next (../allocator)
 * frameworks ─┬─ tasks, unreachable, completed       agents ─┬─ tasks, executors (the same objects)
 *             └─ offers, inverse offers (ids)                └─ offers, inverse offers (ids)
 * offers ─ by id                                    streams, links ─ open connections → their owners
 * ```
 * Each offer, task and executor is indexed by its framework and by its agent; invariants.ts checks that both agree.
 */

import type { AgentMessageRegister, AgentMessageReregister } from '@isthmus/proto/gen/agent-link'
import type {
  AgentInfo,
  AgentInfoCapability,
  ContainerInfo,
  DiscoveryInfo,
  ExecutorInfo,
  FrameworkInfo,
  HealthCheck,
  KillPolicy,
  Labels,
  MachineID,
  Operation,
  TaskState,
  TaskStatus,
  Unavailability,
  ValueScalar,
} from '@isthmus/proto/gen/mesos'
import type { OfferConstraints } from '@isthmus/proto/gen/scheduler'
import type { OfferAllocator } from '../allocator/contract.ts'
import type { HashKey } from '../base/keyed-hash.ts'
import type { Random } from '../base/random.ts'
import type { Resources } from '../resources/resources.ts'
import type { AgentTasks } from './agent-tasks.ts'
import type { Counters } from './counters.ts'
import type { JsonText } from './json.ts'
import type { MasterOptions } from './options.ts'
import type { ReclaimBooks } from './reclaim/books.ts'
import type { AgentDrain, Registry, RegistryRecord } from './registry.ts'
import type { Removals } from './removals.ts'
import type { SharedFacts } from './shared-facts.ts'
import type { Stray } from './strays.ts'
import type { TaskMap } from './task-map.ts'
import type { SharedTraits } from './task-record.ts'

/** A framework's capabilities as claims. */
export interface FrameworkCapabilities {
  readonly revocableResources: boolean
  readonly taskKillingState: boolean
  readonly gpuResources: boolean
  readonly sharedResources: boolean
  readonly partitionAware: boolean
  readonly multiRole: boolean
  readonly reservationRefinement: boolean
  readonly regionAware: boolean
}

/** A task as the master keeps it: what Mesos shows of it, without its command and data. Made by `createTask` (task-record.ts). */
export interface MasterTask {
  readonly id: string
  readonly frameworkId: string
  readonly agentId: string
  /** Empty for command tasks. */
  readonly executorId: string
  readonly name: string
  readonly role: string
  readonly resources: Resources
  /** The newest state known, also when older updates are not acknowledged yet. */
  state: TaskState
  /** What the framework has been told last by an update with a uuid. Decoded for the caller: look once. */
  readonly told: { readonly state: TaskState | undefined; readonly uuid: Uint8Array } | undefined
  readonly statusState: TaskState | undefined
  readonly statusUuid: Uint8Array | undefined
  /** The state of the last of its statuses. */
  readonly lastStatusState: TaskState | undefined
  /** One for each change of state, without data; at most {@link MAX_TASK_STATUSES}. Decoded for the caller: look once. */
  readonly statuses: readonly TaskStatus[]
  readonly labels: Labels | undefined
  readonly discovery: DiscoveryInfo | undefined
  readonly container: ContainerInfo | undefined
  readonly healthCheck: HealthCheck | undefined
  readonly killPolicy: KillPolicy | undefined
  readonly user: string | undefined
  readonly limits: Readonly<Record<string, ValueScalar>> | undefined
  /** What was said of it, packed (task-past.ts): another string after each change. */
  readonly past: string
  /** Its text on pages, kept by views-kept.ts and forgotten with each change. */
  kept: JsonText | undefined
  /** Its neighbours in the list of its framework on its agent: the business of agent-tasks.ts alone. */
  nextOnAgent: MasterTask | undefined
  previousOnAgent: MasterTask | undefined
  /** The task as it is now, in no book. */
  copy(): MasterTask
  /** Enters a status: behind the others, or for the last one when that has the same state. */
  remember(status: TaskStatus): void
}

/** An executor that is charged on an agent: custom and default ones; command tasks have none. */
export interface MasterExecutor {
  readonly id: string
  readonly frameworkId: string
  readonly agentId: string
  readonly info: ExecutorInfo
  readonly resources: Resources
}

/** An offer that was sent and not answered. */
export interface MasterOffer {
  readonly id: string
  readonly frameworkId: string
  readonly agentId: string
  readonly role: string
  readonly resources: Resources
}

/** What an inverse offer is for: a schedule of maintenance, or to keep what another role was promised. */
export type InverseOfferKind = 'maintenance' | 'reclaim'

/** A wish that a framework gives up an agent, or resources there: sent and not answered. See inverse-offers.ts. */
export interface MasterInverseOffer {
  readonly id: string
  readonly frameworkId: string
  readonly agentId: string
  readonly kind: InverseOfferKind
  readonly unavailability: Unavailability
  /** Empty = everything on the agent. */
  readonly resources: Resources
  readonly reason: string | undefined
}

/** What a framework is asked and has said about one agent, for one kind of inverse offer. */
export interface Negotiation {
  /** The inverse offer that is outstanding. */
  offerId: string | undefined
  /** The newest answer. */
  answer: { readonly isAccepted: boolean; readonly offerId: string; readonly atMs: number } | undefined
  /** It shall not be asked before; 0 = it may be asked. */
  refusedUntilMs: number
}

/** An operation (RESERVE, CREATE …) whose outcome is not settled. */
export interface MasterOperation {
  /** Hexadecimal. */
  readonly uuid: string
  readonly frameworkId: string | undefined
  readonly agentId: string
  operation: Operation
}

/** A framework that is subscribed, disconnected within its failover timeout, or recovered from its agents. */
export interface Framework {
  readonly id: string
  info: FrameworkInfo
  roles: ReadonlySet<string>
  capabilities: FrameworkCapabilities
  suppressedRoles: ReadonlySet<string>
  offerConstraints: OfferConstraints | undefined
  /** The open stream; absent = disconnected. */
  streamId: string | undefined
  /** Whether it may get offers. */
  active: boolean
  /** Known from agents only: it has not subscribed with this master. */
  recovered: boolean
  registeredAtMs: number
  reregisteredAtMs: number
  /** 0 until removed. */
  unregisteredAtMs: number
  readonly tasks: TaskMap
  /** Ring of --max_unreachable_tasks_per_framework. */
  readonly unreachableTasks: Map<string, MasterTask>
  /** Ring of --max_completed_tasks_per_framework, oldest first. */
  completedTasks: MasterTask[]
  /** Agent id → executor id → executor. */
  readonly executors: Map<string, Map<string, MasterExecutor>>
  readonly offers: Set<string>
  readonly inverseOffers: Set<string>
  /** By agent id: what was said about giving it up. */
  readonly negotiations: Readonly<Record<InverseOfferKind, Map<string, Negotiation>>>
  /** Agent id → what its tasks and executors hold there. */
  readonly usedOn: Map<string, Resources>
  readonly counters: Counters
}

/** An agent that is registered, connected or not. */
export interface Agent {
  readonly id: string
  info: AgentInfo
  version: string
  capabilities: readonly AgentInfoCapability[]
  ip: string
  port: number
  /** The open link; absent = disconnected. */
  linkId: string | undefined
  /** Whether its resources are offered: connected and not deactivated. */
  active: boolean
  /** Taken out of offering by an operator. */
  deactivated: boolean
  drain: AgentDrain | undefined
  registeredAtMs: number
  /** 0 until it reregistered. */
  reregisteredAtMs: number
  total: Resources
  readonly offers: Set<string>
  readonly inverseOffers: Set<string>
  /** Of its machine, by the schedule of maintenance. */
  unavailability: Unavailability | undefined
  /** Framework id → task id → task. */
  readonly tasks: AgentTasks
  readonly executors: Map<string, Map<string, MasterExecutor>>
  /** Framework id → what its tasks and executors hold here. */
  readonly usedBy: Map<string, Resources>
  /** `frameworkId task id` pairs to kill again when the agent comes back. */
  readonly killsPending: Set<string>
  /** Tasks it brought back whose ids are used elsewhere, by framework and task id. */
  readonly strays: Map<string, Stray>
  /** PINGs without an answer. */
  pingsMissed: number
  pingOutstanding: boolean
  /** A registry write that takes this agent away is under way; nothing else may start one. */
  leaving: boolean
  /** Whether the allocator knows it. */
  seated: boolean
}

/** Who an open stream belongs to. */
export type StreamOwner = { readonly kind: 'scheduler'; readonly frameworkId: string } | { readonly kind: 'operator' }

/** What happens when records are stored. */
export type Continuation =
  | {
      readonly kind: 'admitAgent'
      readonly linkId: string
      readonly agentInfo: AgentInfo
      readonly register?: AgentMessageRegister | undefined
      readonly reregister: AgentMessageReregister | undefined
      readonly version: string
      readonly capabilities: readonly AgentInfoCapability[]
      readonly ip: string
      readonly port: number
      /** The agent had been given up, and frameworks were told so. */
      readonly wasGivenUp?: 'unreachable' | 'unknown' | undefined
    }
  | { readonly kind: 'agentUnreachable'; readonly agentId: string }
  | { readonly kind: 'agentsForgotten'; readonly unreachable: readonly string[]; readonly gone: readonly string[] }
  | { readonly kind: 'agentLeft'; readonly agentId: string; readonly reason: string }
  | { readonly kind: 'agentGone'; readonly agentId: string; readonly requestId: string | undefined }
  | { readonly kind: 'agentActivation'; readonly agentId: string; readonly requestId: string | undefined }
  /** The schedule of maintenance changed, or machines are up. */
  | { readonly kind: 'maintenanceScheduled'; readonly requestId: string }
  | {
      readonly kind: 'machinesDown'
      readonly requestId: string
      readonly machines: readonly MachineID[]
      readonly agentIds: readonly string[]
    }
  /** An agent that came while its machine was taken down left the registry. */
  | { readonly kind: 'machineLeft'; readonly agentId: string }
  | { readonly kind: 'weights'; readonly requestId: string; readonly roles: readonly string[] }
  | { readonly kind: 'quotas'; readonly requestId: string; readonly roles: readonly string[] }

/** A registry write that is under way. */
export interface PendingCommit {
  readonly records: readonly RegistryRecord[]
  readonly continuations: readonly Continuation[]
}

/** What allocation waits for after a failover. */
export interface AllocationPause {
  /** So many agents must be registered. */
  readonly agents: number
  /** Or this time be reached. */
  readonly untilMs: number
}

/** Everything. */
export interface MasterState {
  readonly options: MasterOptions
  readonly registry: Registry
  readonly allocator: OfferAllocator
  readonly random: Random
  /** For tables of ids that others choose. */
  readonly hashKey: HashKey
  readonly frameworks: Map<string, Framework>
  /** Ring of --max_completed_frameworks, oldest first. */
  readonly completedFrameworks: Map<string, Framework>
  readonly agents: Map<string, Agent>
  /** `hostname ip:port` → agent id, of registered agents. */
  readonly agentsByAddress: Map<string, string>
  /** Agents of the registry that have not come back to this leader yet. */
  readonly recoveredAgents: Map<string, AgentInfo>
  /** How many those were at its election. */
  readonly awaitedAgents: number
  /** Agents that shall be given up, one after the other. */
  readonly removals: Removals
  /** Open links → agent id; undefined while its admission is being stored. */
  readonly links: Map<string, string | undefined>
  readonly streams: Map<string, StreamOwner>
  /** Open operator event streams, oldest first. */
  readonly subscribers: Set<string>
  readonly offers: Map<string, MasterOffer>
  readonly inverseOffers: Map<string, MasterInverseOffer>
  /** Ids of agents with an unavailability. */
  readonly unavailable: Set<string>
  /** Those whose frameworks have not been asked since it changed. */
  readonly askAboutMaintenance: Set<string>
  readonly operations: Map<string, MasterOperation>
  /** Ids of agents that are being drained. */
  readonly draining: Set<string>
  /** Who waits for a guarantee, and what is being taken back for them. */
  readonly reclaim: ReclaimBooks
  /** Resources of the tasks launched last, so that tasks alike share one bag; at most {@link RECENT_BAGS}. */
  readonly recentBags: Resources[]
  /** What tasks alike share beside their bags. */
  readonly sharedTraits: SharedTraits
  /** What agents alike share. */
  readonly sharedFacts: SharedFacts
  readonly commits: Map<number, PendingCommit>
  readonly counters: Counters
  nextFramework: number
  nextAgent: number
  nextOffer: number
  nextToken: number
  nextLink: number
  /** Something changed that may let resources be offered now. */
  allocationDue: boolean
  /** Set after a failover with quota, until most agents are back. */
  allocationPause: AllocationPause | undefined
  /** The registry failed; the machine answers nothing but 503 from here on. */
  abdicated: boolean
}

/** Bags looked through for one that is the same. */
export const RECENT_BAGS = 8

/** A task's statuses kept at most; the oldest but the first are dropped. */
export const MAX_TASK_STATUSES = 32
