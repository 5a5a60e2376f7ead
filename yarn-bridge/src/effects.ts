import type { Rejection } from '@isthmus/core/base/result'
import type { FrameworkEffect } from '@isthmus/core/framework/effects'
import type { FrameworkID } from '@isthmus/proto/gen/mesos'
import type { Reason } from './actions.ts'
import type { BridgeTimer } from './events.ts'
import type { YarnResource } from './samples.ts'
import type { Wishes } from './wishes.ts'

/** One line of the bridge's history. */
export interface DecisionRecord {
  readonly atMs: number
  readonly action:
    | 'launch'
    | 'grow'
    | 'shrink'
    | 'drain'
    | 'undrain'
    | 'hold'
    | 'advertise'
    | 'release'
    | 'stop'
    | 'gone'
    /** NodeManagers of before a restart were taken over. */
    | 'recover'
    /** Another ResourceManager is active. */
    | 'failover'
  readonly nodeManagerId?: string | undefined
  readonly hostname?: string | undefined
  readonly size?: YarnResource | undefined
  readonly reason: {
    readonly code: Reason['code'] | string
    readonly message: string
    readonly numbers: Reason['numbers']
  }
  /** The partition as a whole when this was decided. */
  readonly totals: Totals
}

/** The partition in one line. */
export interface Totals {
  /** What slabs hold. */
  readonly held: YarnResource
  /** What YARN was told. */
  readonly advertised: YarnResource
  readonly used: YarnResource
  readonly pending: YarnResource
  readonly nodeManagers: number
}

/** What the world must do for the bridge, in order. */
export type BridgeEffect =
  /** For the scheduler connection. */
  | { readonly kind: 'framework'; readonly effect: FrameworkEffect }
  /** Ask the master for tasks, then executors, of this framework, until it answers; ends in fleetRead. */
  | { readonly kind: 'readFleet' }
  /** Read the RM's pages; ends in rmSampled or rmFailed. */
  | { readonly kind: 'sampleRm' }
  /**
   * Tell the RM a node's absolute size; ends in nodeResourceAnswered. The time-out is always sent: -1 leaves running
   * containers alone on a node never armed, a huge one on a node that once was, above 0 kills after that many milliseconds.
   */
  | {
      readonly kind: 'setNodeResource'
      readonly nodeId: string
      readonly size: YarnResource
      readonly overCommitTimeoutMs: number
    }
  /** Keep the framework's id over restarts. */
  | { readonly kind: 'saveFrameworkId'; readonly frameworkId: FrameworkID }
  /** Keep what operators asked for over restarts; who asked is answered afterwards. */
  | { readonly kind: 'saveWishes'; readonly wishes: Wishes }
  | { readonly kind: 'answer'; readonly requestId: string; readonly rejection?: Rejection | undefined }
  | { readonly kind: 'recordDecision'; readonly record: DecisionRecord }
  | { readonly kind: 'setTimer'; readonly key: string; readonly timer: BridgeTimer; readonly atMs: number }
  | {
      readonly kind: 'note'
      readonly level: 'debug' | 'info' | 'warn' | 'error'
      readonly message: string
      readonly fields: Readonly<Record<string, unknown>>
    }
  /** The framework is gone: the program ends. */
  | { readonly kind: 'exit'; readonly reason: string }
