import type { FrameworkEvent } from '@isthmus/core/framework/events'
import type { ExecutorInfo, Task } from '@isthmus/proto/gen/mesos'
import type { RmSample, YarnResource } from './samples.ts'

export type BridgeTimer =
  /** Look at the RM again. */
  { readonly kind: 'sample' }

/** What happens to the bridge. Times are milliseconds since the epoch. */
export type BridgeEvent =
  /** The program starts. `tasks`, `executors`: what runs already under this framework's id, from before a restart. */
  | {
      readonly kind: 'started'
      readonly atMs: number
      readonly tasks: readonly Task[]
      readonly executors: readonly ExecutorInfo[]
    }
  /** The answer to readFleet: what the master lists under this framework's id. */
  | {
      readonly kind: 'fleetRead'
      readonly atMs: number
      readonly tasks: readonly Task[]
      readonly executors: readonly ExecutorInfo[]
    }
  | { readonly kind: 'frameworkEventReceived'; readonly atMs: number; readonly event: FrameworkEvent }
  /** `beganAtMs`: before its first page was asked for; absent = `atMs`. */
  | {
      readonly kind: 'rmSampled'
      readonly atMs: number
      readonly beganAtMs?: number | undefined
      readonly sample: RmSample
    }
  | { readonly kind: 'rmFailed'; readonly atMs: number; readonly message: string }
  /** The RM took (or refused) a node's new size. Its pages show the size later; only they confirm it. */
  | {
      readonly kind: 'nodeResourceAnswered'
      readonly atMs: number
      readonly nodeId: string
      readonly size: YarnResource
      readonly refusal?: string | undefined
    }
  /** An operator wants `delta` more (or fewer, below 0) NodeManagers of a profile. */
  | {
      readonly kind: 'flexRequested'
      readonly atMs: number
      readonly requestId: string
      readonly profile: string
      readonly delta: number
      /** Only on agents that meet it (constraints.ts). */
      readonly constraint?: string | undefined
    }
  | {
      readonly kind: 'modeRequested'
      readonly atMs: number
      readonly requestId: string
      readonly mode: 'auto' | 'manual'
    }
  /** Stop every NodeManager and end the framework. */
  | { readonly kind: 'shutdownRequested'; readonly atMs: number; readonly requestId: string | undefined }
  | { readonly kind: 'timerFired'; readonly atMs: number; readonly timer: BridgeTimer }
