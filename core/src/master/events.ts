/**
 * What can happen to a master. Every event is plain data with the time at which it happened (`atMs`, Unix milliseconds); the
 * shell in core/src/io turns HTTP requests, closed connections, registry writes and timers into these. Answers are in effects.ts.
 *
 * Bodies are already parsed (syntax and required fields); the machine validates the meaning, in the order Mesos does.
 */

import type { AgentMessage } from '@isthmus/proto/gen/agent-link'
import type { Call as OperatorCall } from '@isthmus/proto/gen/master'
import type { Call as SchedulerCall } from '@isthmus/proto/gen/scheduler'

/** This process leads: the first event, once. Starts the batch allocation and the wait for the registry's agents. */
export interface Elected {
  readonly kind: 'elected'
  readonly atMs: number
}

/** A call of POST /api/v1/scheduler. Answered by exactly one `respond` or `openStream` with the same requestId. */
export interface SchedulerCalled {
  readonly kind: 'schedulerCalled'
  readonly atMs: number
  readonly requestId: string
  readonly call: SchedulerCall
  /** The header Mesos-Stream-Id, when the request has one. */
  readonly streamId?: string | undefined
  /** The authenticated principal; absent while authentication is off. */
  readonly principal?: string | undefined
}

/** A call of POST /api/v1 (or a legacy page that writes). Answered by one `respond`, `respondMessage` or `openStream`. */
export interface OperatorCalled {
  readonly kind: 'operatorCalled'
  readonly atMs: number
  readonly requestId: string
  readonly call: OperatorCall
  readonly principal?: string | undefined
}

/** The peer of an opened scheduler or operator stream went away. Not sent for streams the machine closed itself. */
export interface StreamClosed {
  readonly kind: 'streamClosed'
  readonly atMs: number
  readonly streamId: string
}

/** An agent's first message on POST /api/isthmus/v1/agent: REGISTER or REREGISTER. Answered by `respond` or `openLink`. */
export interface AgentConnected {
  readonly kind: 'agentConnected'
  readonly atMs: number
  readonly requestId: string
  readonly message: AgentMessage
}

/** Later messages of an agent, in the order it sent them. */
export interface AgentMessages {
  readonly kind: 'agentMessages'
  readonly atMs: number
  readonly linkId: string
  readonly messages: readonly AgentMessage[]
}

/** An agent's connection ended. Not sent for links the machine closed itself. */
export interface AgentLinkClosed {
  readonly kind: 'agentLinkClosed'
  readonly atMs: number
  readonly linkId: string
}

/** The records of `commitRegistry` with this token are stored. */
export interface RegistryCommitted {
  readonly kind: 'registryCommitted'
  readonly atMs: number
  readonly token: number
}

/** The records could not be stored; the master stops leading. */
export interface RegistryFailed {
  readonly kind: 'registryFailed'
  readonly atMs: number
  readonly token: number
  readonly reason: string
}

/** A timer asked for by `setTimer` ran out. */
export interface TimerFired {
  readonly kind: 'timerFired'
  readonly atMs: number
  readonly timer: MasterTimer
}

/** What a timer is for. */
export type MasterTimer =
  /** The batch allocation, each allocation_interval. */
  | { readonly kind: 'allocation' }
  /** The next event-driven run: agents were left over by its budget, or several calls asked for one. */
  | { readonly kind: 'allocationRest' }
  /** The next HEARTBEAT of a scheduler or operator stream. */
  | { readonly kind: 'heartbeat'; readonly streamId: string }
  /** The next PING of an agent, or the verdict that it is unreachable. */
  | { readonly kind: 'agentPing'; readonly agentId: string }
  /** A disconnected framework's failover_timeout ran out. */
  | { readonly kind: 'frameworkFailover'; readonly frameworkId: string }
  /** An offer lived for offer_timeout. */
  | { readonly kind: 'offerTimeout'; readonly offerId: string }
  /** An inverse offer for maintenance lived for offer_timeout. */
  | { readonly kind: 'inverseOfferTimeout'; readonly inverseOfferId: string }
  /** Agents of the registry that have not come back since this master was elected are unreachable. */
  | { readonly kind: 'agentReregister' }
  /** The next of the agents that shall be given up, at the pace of --agent_removal_rate_limit. */
  | { readonly kind: 'agentRemoval' }
  /** The next look for agents that the registry may forget. */
  | { readonly kind: 'registryUpkeep' }

/** Any event of the master machine. */
export type MasterEvent =
  | Elected
  | SchedulerCalled
  | OperatorCalled
  | StreamClosed
  | AgentConnected
  | AgentMessages
  | AgentLinkClosed
  | RegistryCommitted
  | RegistryFailed
  | TimerFired
