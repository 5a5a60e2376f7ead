/**
 * What can be seen of a world from outside the machines: messages, streams, links, containers, writes. Checkers and the transcript live on
 * these alone, so that they do not believe the machines' own books.
 */

import type { AgentMessage, MasterMessage } from '@isthmus/proto/gen/agent-link'
import type { Call as OperatorCall } from '@isthmus/proto/gen/master'
import type { TaskStatus } from '@isthmus/proto/gen/mesos'
import type { Call, Event } from '@isthmus/proto/gen/scheduler'
import type { AgentRecord } from '../agent/records.ts'
import type { RegistryRecord } from '../master/registry.ts'

/** A container as the machine it runs on sees it. */
export interface SeenContainer {
  readonly host: string
  readonly containerId: string
  readonly frameworkId: string
  /** Empty for an executor's own. */
  readonly taskId: string
  /** It runs on when its agent is gone. */
  readonly survives: boolean
}

/** One thing seen. */
export type Sighting =
  | { readonly kind: 'masterStarted'; readonly masterId: string }
  /** What a master does and is told that was deposed: it is not what the cluster is led by. */
  | { readonly kind: 'deposed'; readonly masterId: string; readonly sighting: Sighting }
  | { readonly kind: 'masterEnded'; readonly masterId: string; readonly why: string }
  /** A call has reached the leading master, which will now take its step. */
  | { readonly kind: 'called'; readonly streamId: string | undefined; readonly call: Call }
  /** The master has sent an event on a scheduler stream. */
  | { readonly kind: 'eventSent'; readonly streamId: string; readonly event: Event }
  /** The master learned that a stream ended, or ended it. */
  | { readonly kind: 'streamClosed'; readonly streamId: string }
  | { readonly kind: 'operated'; readonly call: OperatorCall }
  | { readonly kind: 'operatorAnswered'; readonly call: OperatorCall; readonly status: number }
  /** The master took an agent's first message and opened a link. */
  | { readonly kind: 'linkOpened'; readonly linkId: string; readonly message: AgentMessage }
  /** A later message of an agent has reached the master. */
  | { readonly kind: 'agentSaid'; readonly linkId: string; readonly message: AgentMessage }
  /** The master has sent a message to an agent. */
  | { readonly kind: 'agentTold'; readonly linkId: string; readonly message: MasterMessage }
  | { readonly kind: 'linkClosed'; readonly linkId: string }
  /** The registry has stored what this master asked for. */
  | { readonly kind: 'stored'; readonly records: readonly RegistryRecord[]; readonly masterId: string }
  /** A line of the master's log. */
  | { readonly kind: 'noted'; readonly message: string; readonly fields: Readonly<Record<string, unknown>> }
  /** All effects of one step of the master are performed. */
  | { readonly kind: 'masterStepped' }
  /** An agent has sent this; it may arrive or not. */
  | { readonly kind: 'agentSent'; readonly host: string; readonly message: AgentMessage }
  /** A message of a master has reached an agent. */
  | { readonly kind: 'agentHeard'; readonly host: string; readonly message: MasterMessage }
  | { readonly kind: 'agentStarted'; readonly host: string }
  /** The process of an agent ended; `isFinal`: and everything on its machine, or it will not be recovered. */
  | { readonly kind: 'agentEnded'; readonly host: string; readonly why: string; readonly isFinal: boolean }
  /** An agent's journal has these now; a snapshot stands for everything before it. */
  | {
      readonly kind: 'agentRecorded'
      readonly host: string
      readonly records: readonly AgentRecord[]
      readonly isSnapshot: boolean
    }
  /** An agent has asked for a container. */
  | { readonly kind: 'containerLaunched'; readonly container: SeenContainer }
  | { readonly kind: 'containerStarted'; readonly container: SeenContainer }
  | { readonly kind: 'containerEnded'; readonly container: SeenContainer; readonly waitStatus: number }
  /** The program of a framework was told of a task. */
  | {
      readonly kind: 'updateHeard'
      readonly framework: string
      readonly frameworkId: string
      readonly status: TaskStatus
    }
  /** A fault began or ended. */
  | { readonly kind: 'fault'; readonly text: string }

/** Someone who watches; throws a {@link Violation} when what is seen must not be. */
export type Watcher = (sighting: Sighting, atMs: number) => void
