import { createFramework, type FrameworkState } from '@isthmus/core/framework/framework'
import type { FrameworkInfo } from '@isthmus/proto/gen/mesos'
import type { Decision } from './actions.ts'
import { type Adoption, createAdoption } from './adoption.ts'
import type { DecisionRecord } from './effects.ts'
import type { NodeManager } from './node-manager.ts'
import type { Policy } from './policy.ts'
import { NOTHING, type RmSample, type YarnResource } from './samples.ts'
import type { LaunchTemplate } from './task.ts'
import type { Wishes } from './wishes.ts'

/** Decisions kept for the API; older ones are forgotten. */
export const DECISIONS_MAX = 500

/** Consecutive failures of launches on one agent. */
export interface HostBackoff {
  readonly untilMs: number
  readonly failures: number
}

/** All the bridge knows. Changed in place by `step` (bridge.ts) only. */
export interface BridgeState {
  readonly framework: FrameworkState
  policy: Policy
  readonly template: LaunchTemplate
  /** By id, in the order of their launch. */
  readonly nodeManagers: Map<string, NodeManager>
  readonly wantedByProfile: Map<string, number>
  /** wantedByProfile is what operators asked for; else it is counted from what is found after a restart. */
  hasWishes: boolean
  /** The mode an operator chose; undefined = as the flags say. */
  chosenMode: Policy['mode'] | undefined
  sample: RmSample | undefined
  sampledAtMs: number
  /** The text of the last failure; undefined while the RM answers. */
  rmFailure: string | undefined
  rmFailures: number
  /** Since when the RM that answers does so, without a long break. */
  rmSinceMs: number
  readonly adoption: Adoption
  quietSinceMs: number | undefined
  pendingSinceMs: number | undefined
  largestAsked: YarnResource
  largestAskedAtMs: number
  readonly backoff: Map<string, HostBackoff>
  /** Reception times of the offers held, by offer id. */
  readonly offerAtMs: Map<string, number>
  offersSuppressed: boolean
  /** What waited when offers were asked for last: more of it is worth asking again, past the filters of offers given back. */
  revivedFor: YarnResource
  lastDecision: Decision | undefined
  readonly decisions: DecisionRecord[]
  /** For names of executors and tasks; never used twice under one framework id. */
  nextSequence: number
  isShuttingDown: boolean
}

export interface BridgeOptions {
  readonly info: FrameworkInfo
  readonly policy: Policy
  readonly template: LaunchTemplate
  /** Goes into every id, so that ids of one run never meet those of another: a start time in base 36 does. */
  readonly nextSequence: number
  /** What operators asked for before a restart. */
  readonly wishes?: Wishes | undefined
}

export function createBridge(options: BridgeOptions): BridgeState {
  const { policy, wishes } = options
  return {
    framework: createFramework({ info: options.info }),
    policy: { ...policy, mode: wishes?.mode ?? policy.mode },
    template: options.template,
    nodeManagers: new Map(),
    wantedByProfile: new Map(Object.entries(wishes?.wantedByProfile ?? {})),
    hasWishes: wishes !== undefined,
    chosenMode: wishes?.mode,
    sample: undefined,
    sampledAtMs: 0,
    rmFailure: undefined,
    rmFailures: 0,
    rmSinceMs: 0,
    adoption: createAdoption(options.info.id === undefined),
    quietSinceMs: undefined,
    pendingSinceMs: undefined,
    largestAsked: NOTHING,
    largestAskedAtMs: 0,
    backoff: new Map(),
    offerAtMs: new Map(),
    offersSuppressed: false,
    revivedFor: NOTHING,
    lastDecision: undefined,
    decisions: [],
    nextSequence: options.nextSequence,
    isShuttingDown: false,
  }
}
