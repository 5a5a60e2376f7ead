import type {
  AgentID,
  ExecutorID,
  FrameworkID,
  InverseOffer,
  MasterInfo,
  Offer,
  OfferID,
  OperationStatus,
  TaskStatus,
} from '@isthmus/proto/gen/mesos'
import type { Call } from '@isthmus/proto/gen/scheduler'
import type { FrameworkTimer } from './events.ts'

/**
 * What the world must do for a framework, in order. The first group is for the shell; the second tells the program
 * built on the library what happened, already in the state the library keeps.
 */
export type FrameworkEffect =
  /** Send SUBSCRIBE and keep its stream; a stream that is open is closed first. */
  | { readonly kind: 'openStream'; readonly call: Call }
  | { readonly kind: 'closeStream' }
  /** Send a call on the present subscription; calls are sent in the order of the effects. */
  | { readonly kind: 'sendCall'; readonly call: Call }
  | { readonly kind: 'setTimer'; readonly key: string; readonly timer: FrameworkTimer; readonly atMs: number }
  | { readonly kind: 'cancelTimer'; readonly key: string }
  | FrameworkNotice

export type FrameworkNotice =
  | { readonly kind: 'subscribed'; readonly frameworkId: FrameworkID; readonly masterInfo?: MasterInfo | undefined }
  /** The subscription is lost; the library tries again by itself. Offers held are void. */
  | { readonly kind: 'disconnected'; readonly reason: string }
  | { readonly kind: 'offersReceived'; readonly offers: readonly Offer[] }
  | { readonly kind: 'offerRescinded'; readonly offerId: OfferID }
  /** The master wants agents, or resources there, from a time on: accept or decline, see inverse-offers.ts. */
  | { readonly kind: 'inverseOffersReceived'; readonly inverseOffers: readonly InverseOffer[] }
  | { readonly kind: 'inverseOfferRescinded'; readonly inverseOfferId: OfferID }
  /** A task's state changed; an update that wants an acknowledgement is acknowledged by an effect after this one. */
  | { readonly kind: 'taskUpdated'; readonly status: TaskStatus }
  /** So did an operation that was given an id; acknowledged likewise. */
  | { readonly kind: 'operationUpdated'; readonly status: OperationStatus }
  | {
      readonly kind: 'messageReceived'
      readonly agentId: AgentID
      readonly executorId: ExecutorID
      readonly data: Uint8Array
    }
  | {
      readonly kind: 'executorEnded'
      readonly agentId: AgentID
      readonly executorId: ExecutorID
      readonly waitStatus: number
    }
  | { readonly kind: 'agentLost'; readonly agentId: AgentID }
  /** The master refuses this framework for good: it ends. */
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'callFailed'; readonly call: Call; readonly status: number; readonly text: string }
