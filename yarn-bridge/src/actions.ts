// What a decision rests on, and what it may say. decide.ts makes it, carry-out.ts carries it out.

import type { AgentFacts } from './constraints.ts'
import type { Demand } from './demand.ts'
import type { HandBack } from './hand-back.ts'
import type { NodeManager } from './node-manager.ts'
import type { Policy } from './policy.ts'
import type { RmSample, YarnResource } from './samples.ts'

/** All offers of one agent together. */
export interface AgentOffer {
  readonly agentId: string
  readonly hostname: string
  readonly offerIds: readonly string[]
  readonly cpus: number
  readonly memoryMb: number
  readonly diskMb: number
  readonly portCount: number
  readonly facts: AgentFacts
  /** From when on its machine is down for maintenance, Unix milliseconds. */
  readonly unavailableFromMs: number | undefined
  /** The pool of the agent, '' without pools. */
  readonly pool: string
}

/** Why something is done or not done: a code for programs, a sentence for people, the numbers behind both. */
export interface Reason {
  readonly code:
    | 'PENDING'
    | 'PENDING_DESPITE_ROOM'
    | 'FLEXUP'
    | 'FLEXDOWN'
    | 'BELOW_MINIMUM'
    | 'QUIET'
    | 'IDLE'
    | 'DEMAND_RETURNED'
    | 'NO_OFFER_FITS'
    | 'WAITING_FOR_OFFERS'
    | 'AT_MAXIMUM'
    | 'UNSATISFIABLE'
    | 'WITHIN_CAPACITY'
    | 'MANUAL'
    | 'WAITING_FOR_QUIET'
    | 'HOST_BACKED_OFF'
    | 'SAMPLE_STALE'
    | 'RM_UNREACHABLE'
    | 'MAINTENANCE'
    | 'RECLAIM'
    | 'AT_REST'
  readonly message: string
  readonly numbers: Readonly<Record<string, number | string>>
}

export type Action =
  | {
      readonly kind: 'launch'
      readonly offer: AgentOffer
      readonly capacity: YarnResource
      readonly profile: string | undefined
      readonly constraint: string | undefined
      readonly reason: Reason
    }
  | {
      readonly kind: 'grow'
      readonly nodeManagerId: string
      readonly offer: AgentOffer
      readonly by: YarnResource
      readonly reason: Reason
    }
  | {
      readonly kind: 'shrink'
      readonly nodeManagerId: string
      readonly to: YarnResource
      /** By then it has to be done, containers or not; absent = only what is not used. */
      readonly deadlineMs?: number | undefined
      readonly reason: Reason
    }
  | {
      readonly kind: 'drain'
      readonly nodeManagerId: string
      readonly deadlineMs?: number | undefined
      readonly reason: Reason
    }
  | { readonly kind: 'undrain'; readonly nodeManagerId: string; readonly reason: Reason }
  | { readonly kind: 'hold'; readonly reason: Reason }

export interface DecisionInput {
  readonly atMs: number
  readonly policy: Policy
  readonly sample: RmSample | undefined
  readonly sampledAtMs: number
  readonly fleet: readonly NodeManager[]
  readonly offers: readonly AgentOffer[]
  /** Says whether a NodeManager may be launched on an agent: none that is not known yet can run there. Absent = everywhere. */
  readonly isOpenForLaunch?: ((agentId: string) => boolean) | undefined
  /** NodeManagers wanted by hand, by profile and constraint (flexKey of flex.ts). */
  readonly wantedByProfile: ReadonlyMap<string, number>
  /** Since when nothing has waited; undefined while something waits. */
  readonly quietSinceMs: number | undefined
  /** Since when something has waited without any capacity having been added. */
  readonly pendingSinceMs: number | undefined
  /** Agents on which launches failed, and until when they are left alone. */
  readonly backoffUntilMs: ReadonlyMap<string, number>
  /** What the master wants back. */
  readonly handBacks: readonly HandBack[]
  /** The largest container asked for lately. */
  readonly largestAsked: YarnResource
}

export interface Decision {
  readonly actions: readonly Action[]
  readonly demand: Demand | undefined
  /** More resources are wanted than the offers at hand give. */
  readonly wantsOffers: boolean
}
