/**
 * What an agent knows. One owner: step() in agent.ts changes it in place; everyone else reads.
 *
 * ```
 * frameworks ── executors ─┬─ tasks (live)         containers ── what runs in each (executor or task)
 *                          └─ completed executors  streams ── status updates not yet acknowledged, by task
 * ```
 */

import type {
  AgentInfo,
  ExecutorInfo,
  FrameworkInfo,
  KillPolicy,
  TaskInfo,
  TaskState,
  TaskStatus,
  TaskStatusReason,
} from '@isthmus/proto/gen/mesos'
import { createRandom, type Random } from '../base/random.ts'
import { Resources } from '../resources/resources.ts'
import { type Counters, createCounters } from './counters.ts'
import type { AgentOptions } from './options.ts'

export type ExecutorKind =
  /** One command task; runs in the agent, its task is its container. */
  | 'command'
  /** Task groups; runs in the agent, each task is a container of its own. */
  | 'default'
  /** A program of the framework's that speaks the executor API. */
  | 'custom'

export type ExecutorPhase = 'registering' | 'running' | 'terminating'

/** A task from its arrival until its last update is acknowledged. */
export interface AgentTask {
  readonly info: TaskInfo
  readonly frameworkId: string
  readonly executorId: string
  /** Tasks of one LAUNCH_GROUP have the same. */
  readonly groupId: string | undefined
  /**
   * staging: nothing was started yet, or a custom executor was not told; launching: its container is on its way;
   * running; killing: it was asked to end; ended.
   */
  phase: 'staging' | 'launching' | 'running' | 'killing' | 'ended'
  /** As told to the master last. */
  state: TaskState
  /** Its own container with built-in executors; undefined for a task that only holds resources. */
  readonly containerId: string | undefined
  pid: number | undefined
  /** What its end will be called when something other than its own exit ended it. */
  endCause: EndCause | undefined
  readonly statuses: TaskStatus[]
  healthy: boolean | undefined
  readonly checks: Map<string, RunningCheck>
}

/** Why a task is being ended. */
export interface EndCause {
  readonly state: TaskState
  readonly reason: TaskStatusReason | undefined
  readonly message: string | undefined
}

/** A check or health check of a running task. */
export interface RunningCheck {
  readonly startedAtMs: number
  consecutiveFailures: number
  hasSucceeded: boolean
  /** The outcome told last; a check tells only changes. */
  last: TaskStatus['check_status']
  sequence: number
}

export interface Executor {
  readonly info: ExecutorInfo
  readonly frameworkId: string
  readonly executorId: string
  readonly kind: ExecutorKind
  readonly containerId: string
  readonly sandboxPath: string
  readonly user: string | undefined
  phase: ExecutorPhase
  /** A custom executor's open stream. */
  streamId: string | undefined
  pid: number | undefined
  /** Tasks that have not ended, and ended ones whose last update is not acknowledged. */
  readonly tasks: Map<string, AgentTask>
  readonly completedTasks: AgentTask[]
  readonly startedAtMs: number
}

export interface AgentFramework {
  info: FrameworkInfo
  readonly frameworkId: string
  readonly executors: Map<string, Executor>
  readonly completedExecutors: Executor[]
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
export interface ContainerOwner {
  readonly frameworkId: string
  readonly executorId: string
  /** Absent for a custom executor's own. */
  readonly taskId: string | undefined
}

export type LinkPhase = 'disconnected' | 'connecting' | 'registering' | 'registered'

export interface AgentState {
  readonly options: AgentOptions
  info: AgentInfo
  readonly random: Random
  linkPhase: LinkPhase
  registrationAttempts: number
  pingTimeoutMs: number
  masterHostname: string | undefined
  readonly total: Resources
  readonly frameworks: Map<string, AgentFramework>
  readonly completedFrameworks: AgentFramework[]
  readonly containers: Map<string, ContainerOwner>
  /** Executor streams by their id. */
  readonly streams: Map<string, Executor>
  /** By `frameworkId/taskId`. */
  readonly updates: Map<string, UpdateStream>
  readonly counters: Counters
  isTerminating: boolean
}

export function createAgent(options: AgentOptions): AgentState {
  return {
    options,
    info: options.info,
    random: createRandom(options.seed),
    linkPhase: 'disconnected',
    registrationAttempts: 0,
    pingTimeoutMs: 75_000,
    masterHostname: undefined,
    total: Resources.fromProto(options.info.resources),
    frameworks: new Map(),
    completedFrameworks: [],
    containers: new Map(),
    streams: new Map(),
    updates: new Map(),
    counters: createCounters(),
    isTerminating: false,
  }
}

/** The agent's id; empty before its first registration. */
export function agentIdOf(state: AgentState): string {
  return state.info.id?.value ?? ''
}

/** A task that has not ended, or whose last update is not acknowledged. */
export function findTask(
  state: AgentState,
  frameworkId: string,
  taskId: string,
): { executor: Executor; task: AgentTask } | undefined {
  const framework = state.frameworks.get(frameworkId)
  if (framework === undefined) return undefined
  // Ended executors keep tasks whose last update is not acknowledged.
  for (const executor of [...framework.executors.values(), ...framework.completedExecutors]) {
    const task = executor.tasks.get(taskId)
    if (task !== undefined) return { executor, task }
  }
  return undefined
}

/** What an executor and its tasks that have not ended hold. */
export function usedByExecutor(executor: Executor): Resources {
  let used = executor.kind === 'command' ? Resources.empty : Resources.fromProto(executor.info.resources)
  for (const task of executor.tasks.values())
    if (task.phase !== 'ended') used = used.plus(Resources.fromProto(task.info.resources))
  return used
}

/** The kill policy of a KILL, else the task's own; milliseconds. */
export function graceMs(policy: KillPolicy | undefined, own: KillPolicy | undefined, fallbackMs: number): number {
  const nanoseconds = policy?.grace_period?.nanoseconds ?? own?.grace_period?.nanoseconds
  return nanoseconds === undefined ? fallbackMs : Number(nanoseconds) / 1e6
}
