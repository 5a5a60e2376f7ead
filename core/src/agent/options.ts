import type { Address, AgentInfo, AgentInfoCapability, Operation, Resource } from '@isthmus/proto/gen/mesos'
import type { RecoveredAgent } from './recovery.ts'

/** How an agent behaves; names and defaults are those of Mesos's flags. Times in milliseconds. */
export interface AgentOptions {
  /** Host name, port, resources and attributes; an id makes the agent return under it. */
  readonly info: AgentInfo
  readonly version: string
  /** Where its own HTTP API is reached. */
  readonly address: Address
  readonly capabilities: readonly AgentInfoCapability[]
  /** What an earlier life left on the disk: the total with its reservations and volumes, and operations not acknowledged. */
  readonly kept?: { readonly resources: readonly Resource[]; readonly operations: readonly Operation[] } | undefined
  /** Absolute; sandboxes lie below it. */
  readonly workDir: string
  readonly seed: number
  readonly startedAtMs: number
  /** Base of the random pause before the first registration; doubles up to REGISTRATION_BACKOFF_MAX_MS. */
  readonly registrationBackoffMs: number
  readonly executorRegistrationTimeoutMs: number
  readonly executorShutdownGraceMs: number
  /** A finished executor's sandbox is removed after this long. */
  readonly gcDelayMs: number
  readonly maxCompletedExecutors: number
  /** What recover() made of the records of an earlier life; absent: there is none, and no launcher to ask either. */
  readonly recovered?: RecoveredAgent | undefined
  /** The machine was started again since then: nothing runs any more. */
  readonly isRebooted?: boolean | undefined
  /** cleanup: everything that was found is ended, then the agent. */
  readonly recoverMode?: 'reconnect' | 'cleanup' | undefined
  /** Custom executors that were subscribed have this long to come back to an agent that recovers. */
  readonly executorReregistrationTimeoutMs: number
  /** Executors of checkpointing frameworks wait this long for their agent. */
  readonly recoveryTimeoutMs: number
}

/** All that the machine supports of what Mesos agents do. */
export const AGENT_CAPABILITIES: readonly AgentInfoCapability[] = [
  { type: 'MULTI_ROLE' },
  { type: 'HIERARCHICAL_ROLE' },
  { type: 'RESERVATION_REFINEMENT' },
  { type: 'RESIZE_VOLUME' },
  { type: 'AGENT_OPERATION_FEEDBACK' },
  { type: 'AGENT_DRAINING' },
  { type: 'TASK_RESOURCE_LIMITS' },
]

/** The pause before an attempt to register is never longer. */
export const REGISTRATION_BACKOFF_MAX_MS = 60_000

/** Mesos's defaults, for everything that has one. */
export const AGENT_DEFAULTS = {
  registrationBackoffMs: 1_000,
  executorRegistrationTimeoutMs: 60_000,
  executorShutdownGraceMs: 5_000,
  gcDelayMs: 7 * 24 * 3_600_000,
  maxCompletedExecutors: 150,
  executorReregistrationTimeoutMs: 2_000,
  recoveryTimeoutMs: 15 * 60_000,
} as const
