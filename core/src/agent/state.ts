/**
 * What an agent knows. One owner: step() in agent.ts changes it in place; everyone else reads.
 *
 * ```
 * frameworks ─┬─ executors ─┬─ tasks: not ended, or their last update is not acknowledged
 *             │             └─ completedTasks
 *             ├─ completedExecutors (some of their tasks may wait for acknowledgements)
 *             └─ updates: status updates not acknowledged, by task
 * containers ── whose process each is: an executor's, a task's, or one that was asked for through the operator API
 * operations ── RESERVE, CREATE … whose outcome is not acknowledged
 * heldMessages ── what waits until the disk has followed them (resource-store.ts)
 * ```
 */

import type { MasterMessage } from '@isthmus/proto/gen/agent-link'
import type {
  AgentInfo,
  DrainConfig,
  ExecutorInfo,
  FrameworkInfo,
  KillPolicy,
  Operation,
  TaskInfo,
  TaskState,
  TaskStatus,
  TaskStatusReason,
} from '@isthmus/proto/gen/mesos'
import { createRandom, type Random } from '../base/random.ts'
import { Resources } from '../resources/resources.ts'
import { type Counters, createCounters } from './counters.ts'
import type { CheckKind } from './events.ts'
import type { AgentOptions } from './options.ts'

/** Who runs an executor's tasks. */
export type ExecutorKind =
  /** One command task; runs in the agent, its task is its container. */
  | 'command'
  /** Task groups; runs in the agent, each task is a container of its own. */
  | 'default'
  /** A program of the framework's that speaks the executor API. */
  | 'custom'

/** Built-in executors are never registering. */
export type ExecutorPhase = 'registering' | 'running' | 'terminating'

/** A task from its arrival until its last update is acknowledged. */
export interface AgentTask {
  readonly info: TaskInfo
  readonly frameworkId: string
  readonly executorId: string
  /** Tasks of one LAUNCH_GROUP have the same. */
  readonly groupId: string | undefined
  readonly resources: Resources
  /**
   * staging: nothing was started yet, or a custom executor was not told; launching: its container, or another of its group, is
   * on its way; running; killing: it was asked to end; ended.
   */
  phase: 'staging' | 'launching' | 'running' | 'killing' | 'ended'
  /** The newest. */
  state: TaskState
  /** Its own container with built-in executors; undefined for a task that only holds resources. */
  readonly containerId: string | undefined
  /** Set when its container runs. */
  pid: number | undefined
  /** What its end will be called when something other than its own exit ends it. */
  endCause: EndCause | undefined
  /** When the grace of its kill is over. */
  killDueAtMs: number | undefined
  /** A kill that could not be told to a custom executor whose stream was broken. */
  untoldKill: { readonly policy: KillPolicy | undefined } | undefined
  /** Newest last. */
  readonly statuses: TaskStatus[]
  readonly checks: Map<CheckKind, RunningCheck>
}

/** A task and the executor it runs on. */
export interface TaskOnExecutor {
  readonly executor: Executor
  readonly task: AgentTask
}

/** Why a task is being ended. */
export interface EndCause {
  readonly state: TaskState
  readonly reason?: TaskStatusReason | undefined
  readonly message?: string | undefined
  readonly healthy?: boolean | undefined
}

/** A check or health check of a running task. */
export interface RunningCheck {
  readonly startedAtMs: number
  consecutiveFailures: number
  hasSucceeded: boolean
  /** The outcome told last; a check tells only changes. */
  last: TaskStatus['check_status']
  /** The health told last. */
  healthy: boolean | undefined
  sequence: number
}

/** What runs a framework's tasks, from its first task to its end. */
export interface Executor {
  readonly info: ExecutorInfo
  readonly frameworkId: string
  readonly executorId: string
  readonly kind: ExecutorKind
  readonly containerId: string
  readonly sandboxPath: string
  readonly user: string | undefined
  /** Its own, without those of its tasks; none for command executors. */
  readonly resources: Resources
  phase: ExecutorPhase
  /** A custom executor's open stream. */
  streamId: string | undefined
  pid: number | undefined
  /** A custom executor has subscribed at least once. */
  hasSubscribed: boolean
  /** What its tasks' end will be called when something other than its own exit ends it. */
  endCause: EndCause | undefined
  /** When the grace of its shutdown is over. */
  shutdownDueAtMs: number | undefined
  /** Tasks that have not ended, and ended ones whose last update is not acknowledged. */
  readonly tasks: Map<string, AgentTask>
  readonly completedTasks: AgentTask[]
  readonly startedAtMs: number
}

/** A framework, as far as this agent has to do with it. */
export interface AgentFramework {
  info: FrameworkInfo
  readonly frameworkId: string
  readonly executors: Map<string, Executor>
  readonly completedExecutors: Executor[]
  /** The tasks of all its executors, ended ones too until their last update is acknowledged. */
  readonly tasks: Map<string, TaskOnExecutor>
  /** By task id. */
  readonly updates: Map<string, UpdateStream>
  /** It was shut down: nothing it runs is told to anyone any more. */
  isTerminating: boolean
}

/** Updates of one task in order; the first is with the master. */
export interface UpdateStream {
  readonly frameworkId: string
  readonly taskId: string
  readonly pending: TaskStatus[]
  retryAfterMs: number
  latestState: TaskState
}

/** Whose process a container is. */
export type ContainerOwner =
  | { readonly kind: 'executor'; readonly executor: Executor }
  | { readonly kind: 'task'; readonly executor: Executor; readonly task: AgentTask }
  | { readonly kind: 'operator'; readonly container: OperatorContainer }

/** A container launched through the operator API: nested in an executor or a task, or standalone. */
export interface OperatorContainer {
  readonly containerId: string
  /** Absent for a standalone one. */
  readonly executor: Executor | undefined
  readonly sandboxPath: string
  phase: 'launching' | 'running' | 'ended'
  pid: number | undefined
  end: ContainerEnd | undefined
}

/** How a container ended, as WAIT_CONTAINER tells it. */
export interface ContainerEnd {
  readonly waitStatus?: number | undefined
  readonly state?: TaskState | undefined
  readonly reason?: TaskStatusReason | undefined
  readonly message?: string | undefined
}

/** An operation on the agent's resources whose outcome the master has not acknowledged. */
export interface AgentOperation {
  readonly operation: Operation
  /** It is on the disk, so that it may be told. */
  isStored: boolean
  retryAfterMs: number
}

/** How far the agent is with its master. */
export type LinkPhase = 'disconnected' | 'connecting' | 'registering' | 'registered'

/** How far an agent is with what its earlier life left. */
export interface Recovery {
  /** The launcher has not yet said what runs; or custom executors have a moment to come back. */
  phase: 'awaitingContainers' | 'reconnecting'
  /** A master is known: the agent goes to it as soon as it has recovered. */
  isMasterKnown: boolean
}

/** Everything an agent knows. */
export interface AgentState {
  readonly options: AgentOptions
  info: AgentInfo
  readonly random: Random
  linkPhase: LinkPhase
  registrationAttempts: number
  /** Executors that ended while a registration was under way: the master is told of them after it. */
  untoldExits: { readonly frameworkId: string; readonly executorId: string; readonly waitStatus: number }[]
  pingTimeoutMs: number
  masterHostname: string | undefined
  /** Reservations and volumes as operations made them. */
  total: Resources
  /** Revocable resources beside the total, in use or not; undefined before the first estimate. */
  oversubscribed: Resources | undefined
  readonly frameworks: Map<string, AgentFramework>
  /** Oldest first. */
  readonly completedFrameworks: AgentFramework[]
  readonly containers: Map<string, ContainerOwner>
  /** Containers of the operator API, also ended ones that were not removed. */
  readonly operatorContainers: Map<string, OperatorContainer>
  /** Requests that wait for a container's end, by container. */
  readonly waiting: Map<string, WaitingRequest[]>
  /** Executor streams by their id. */
  readonly streams: Map<string, Executor>
  /** By the uuid in hexadecimal digits. */
  readonly operations: Map<string, AgentOperation>
  /** How far the disk is behind `total` and `operations`: not at all, behind, or being written. */
  storePhase: 'stored' | 'changed' | 'storing'
  /** What the master said while the disk was written, oldest first. */
  readonly heldMessages: MasterMessage[]
  /** Sandboxes of ended executors, and when each is removed. */
  readonly sandboxes: Map<string, number>
  /** Set from DRAIN until nothing is left to drain. */
  drain: { readonly config: DrainConfig; readonly startedAtMs: number } | undefined
  /** Set until an agent that was made with what an earlier life left has settled that. */
  recovery: Recovery | undefined
  readonly counters: Counters
  /** Shutting everything down; then leaving; then gone. */
  isTerminating: boolean
  hasLeft: boolean
}

/** A call that is answered when a container ends. */
export interface WaitingRequest {
  readonly requestId: string
  readonly type: 'WAIT_CONTAINER' | 'WAIT_NESTED_CONTAINER'
}

/** How long an agent waits for a PING before a master has told it. */
const PING_TIMEOUT_DEFAULT_MS = 75_000

/** An agent that has not looked for its master yet. */
export function createAgent(options: AgentOptions): AgentState {
  const { recovered } = options
  const frameworks = recovered?.frameworks ?? new Map<string, AgentFramework>()
  return {
    options,
    info: options.info,
    random: createRandom(options.seed),
    linkPhase: 'disconnected',
    registrationAttempts: 0,
    untoldExits: [],
    pingTimeoutMs: PING_TIMEOUT_DEFAULT_MS,
    masterHostname: undefined,
    total: Resources.fromProto(options.kept?.resources ?? options.info.resources),
    oversubscribed: undefined,
    frameworks,
    completedFrameworks: [],
    containers: containersOf(frameworks),
    operatorContainers: new Map(),
    waiting: new Map(),
    streams: new Map(),
    operations: operationsKept(options),
    storePhase: 'stored',
    heldMessages: [],
    sandboxes: recovered?.sandboxes ?? new Map(),
    drain: recovered?.drain,
    recovery: recovered && { phase: 'awaitingContainers', isMasterKnown: false },
    counters: createCounters(),
    isTerminating: false,
    hasLeft: false,
  }
}

/** What recovered executors and tasks ran in, whether it is there or not. */
function containersOf(frameworks: ReadonlyMap<string, AgentFramework>): Map<string, ContainerOwner> {
  const containers = new Map<string, ContainerOwner>()
  for (const { executors } of frameworks.values()) {
    for (const executor of executors.values()) {
      if (executor.kind === 'custom') containers.set(executor.containerId, { kind: 'executor', executor })
      for (const task of liveTasks(executor)) {
        if (task.containerId !== undefined) containers.set(task.containerId, { kind: 'task', executor, task })
      }
    }
  }
  return containers
}

/** They are told at the first registration. */
function operationsKept({ kept }: AgentOptions): Map<string, AgentOperation> {
  const entries = (kept?.operations ?? []).map((operation): [string, AgentOperation] => {
    return [hex(operation.uuid.value), { operation, isStored: true, retryAfterMs: 0 }]
  })
  return new Map(entries)
}

/** Bytes as lower-case hexadecimal text. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** The agent's id; empty before its first registration. */
export function agentIdOf(state: AgentState): string {
  return state.info.id?.value ?? ''
}

/** The agent as pages name it: `slave(1)@10.0.0.1:5051`. */
export function pidOf(state: AgentState): string {
  const { ip, hostname, port } = state.options.address
  return `slave(1)@${ip ?? hostname ?? ''}:${port}`
}

/** An executor that has not ended. */
export function findExecutor(state: AgentState, frameworkId: string, executorId: string): Executor | undefined {
  return state.frameworks.get(frameworkId)?.executors.get(executorId)
}

/** The framework of an executor, while it has something here. */
export function frameworkOf(
  state: AgentState,
  { frameworkId }: Pick<Executor, 'frameworkId'>,
): AgentFramework | undefined {
  return state.frameworks.get(frameworkId)
}

/** A task that has not ended, or whose last update is not acknowledged. */
export function findTask(state: AgentState, frameworkId: string, taskId: string): TaskOnExecutor | undefined {
  return state.frameworks.get(frameworkId)?.tasks.get(taskId)
}

/** Tasks that have not ended. */
export function liveTasks(executor: Executor): AgentTask[] {
  return [...executor.tasks.values()].filter(({ phase }) => phase !== 'ended')
}

/** Says whether a framework wants to be told more than the first frameworks could understand. */
export function hasCapability(framework: AgentFramework | undefined, type: string): boolean {
  return framework?.info.capabilities?.some((capability) => capability.type === type) ?? false
}

/** What a task is called that never ran: partition-aware frameworks are told more exactly. */
export function lostState(framework: AgentFramework | undefined): 'TASK_LOST' | 'TASK_DROPPED' {
  return hasCapability(framework, 'PARTITION_AWARE') ? 'TASK_DROPPED' : 'TASK_LOST'
}
