/** What happens to an agent, as its shell tells it. Times are milliseconds since the epoch. */

import type { Call as OperatorCall } from '@isthmus/proto/gen/agent'
import type { MasterMessage } from '@isthmus/proto/gen/agent-link'
import type { Call as ExecutorCall } from '@isthmus/proto/gen/executor'
import type { Resource } from '@isthmus/proto/gen/mesos'
import type { QosCorrection } from './oversubscription/contract.ts'

/** What an agent waits for. */
export type AgentTimer =
  /** Try to reach the master again. */
  | { readonly kind: 'register' }
  /** No ping came: the master is looked for again. */
  | { readonly kind: 'pingTimeout' }
  /** The oldest update of a task was not acknowledged: send it again. */
  | { readonly kind: 'retryUpdate'; readonly frameworkId: string; readonly taskId: string }
  /** A custom executor has not subscribed. */
  | { readonly kind: 'executorRegistration'; readonly frameworkId: string; readonly executorId: string }
  /** Custom executors have not come back to an agent that recovers. */
  | { readonly kind: 'executorReregistration' }
  /** The grace of a shutdown is over. */
  | { readonly kind: 'executorShutdown'; readonly frameworkId: string; readonly executorId: string }
  /** The grace of a kill is over. */
  | { readonly kind: 'killGrace'; readonly containerId: string }
  /** A task has run for its max_completion_time. */
  | { readonly kind: 'completionTime'; readonly frameworkId: string; readonly taskId: string }
  /** A check or health check is due. */
  | { readonly kind: 'check'; readonly containerId: string; readonly of: CheckKind }
  /** A stream to a custom executor needs a sign of life. */
  | { readonly kind: 'executorHeartbeat'; readonly streamId: string }
  /** The outcome of an operation was not acknowledged: send it again. */
  | { readonly kind: 'retryOperation'; readonly operationUuid: string }
  /** Updates were not acknowledged although everything ended: leave. */
  | { readonly kind: 'leave' }
  /** A sandbox has been kept long enough. */
  | { readonly kind: 'collectSandbox'; readonly path: string }

/** The field of a TaskInfo that a check comes from. */
export type CheckKind = 'check' | 'healthCheck'

/** How a check ended. */
export type CheckOutcome =
  | { readonly kind: 'command'; readonly exitCode: number }
  | { readonly kind: 'http'; readonly statusCode: number }
  | { readonly kind: 'tcp'; readonly succeeded: boolean }
  /** It could not be carried out, or took too long. */
  | { readonly kind: 'failed'; readonly message: string }

/** A limit that a container broke, so that it was ended. */
export interface Limitation {
  readonly kind: 'memory' | 'disk'
  readonly message: string
}

/** A container that the launcher keeps. */
export interface RunningContainer {
  readonly containerId: string
  readonly pid: number
}

/** A container that ended while no agent was there. */
export interface EndedContainer {
  readonly containerId: string
  /** As wait(2) gives it; absent: nobody knows. */
  readonly waitStatus?: number | undefined
  readonly limitation?: Limitation | undefined
}

/** A sandbox in the work_dir. */
export interface FoundSandbox {
  readonly path: string
  /** When something in its folder changed last. */
  readonly changedAtMs: number
}

/** One thing that happened. */
export type AgentEvent =
  /** The agent starts; its master is known. */
  | { readonly kind: 'masterDetected'; readonly atMs: number }
  /** The master took the first message of a link. */
  | { readonly kind: 'linkOpened'; readonly atMs: number }
  | { readonly kind: 'linkMessage'; readonly atMs: number; readonly message: MasterMessage }
  /** The link ended or could not be opened. */
  | { readonly kind: 'linkClosed'; readonly atMs: number; readonly reason: string }
  /** A parsed executor call; answered by `respond` or `openStream`. */
  | { readonly kind: 'executorCalled'; readonly atMs: number; readonly requestId: string; readonly call: ExecutorCall }
  | { readonly kind: 'executorStreamClosed'; readonly atMs: number; readonly streamId: string }
  /** A parsed operator call; answered by `respond` or `respondMessage`. */
  | { readonly kind: 'operatorCalled'; readonly atMs: number; readonly requestId: string; readonly call: OperatorCall }
  | { readonly kind: 'containerStarted'; readonly atMs: number; readonly containerId: string; readonly pid: number }
  | {
      readonly kind: 'containerLaunchFailed'
      readonly atMs: number
      readonly containerId: string
      readonly phase: 'sandbox' | 'fetch' | 'launch'
      readonly message: string
    }
  /** A container's first process ended and its whole tree is gone; also after a destroy. As wait(2) reports it. */
  | {
      readonly kind: 'containerExited'
      readonly atMs: number
      readonly containerId: string
      readonly waitStatus: number
      readonly limitation?: Limitation | undefined
    }
  /** What the launcher of an earlier life kept: the first event of an agent that recovers. */
  | {
      readonly kind: 'containersFound'
      readonly atMs: number
      readonly running: readonly RunningContainer[]
      readonly ended: readonly EndedContainer[]
    }
  /** The sandboxes in the work_dir, of whatever agent, after the start; also those in use. */
  | { readonly kind: 'sandboxesFound'; readonly atMs: number; readonly sandboxes: readonly FoundSandbox[] }
  /** The estimator says which revocable resources may be given beyond those in use. */
  | { readonly kind: 'estimated'; readonly atMs: number; readonly resources: readonly Resource[] }
  /** The QoS controller wants executors to be killed. */
  | { readonly kind: 'corrected'; readonly atMs: number; readonly corrections: readonly QosCorrection[] }
  /** The disk has followed the last `storeResources`. */
  | { readonly kind: 'resourcesStored'; readonly atMs: number }
  | { readonly kind: 'checkFinished'; readonly atMs: number; readonly checkId: string; readonly outcome: CheckOutcome }
  | { readonly kind: 'timerFired'; readonly atMs: number; readonly timer: AgentTimer }
  /** Stop every executor, then `exit`. */
  | { readonly kind: 'terminate'; readonly atMs: number }
