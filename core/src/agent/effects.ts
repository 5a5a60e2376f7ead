/** What an agent asks of the world, in order. The shell in core/src/io performs them; it decides nothing. */

import type { Response as OperatorResponse } from '@isthmus/proto/gen/agent'
import type { AgentMessage } from '@isthmus/proto/gen/agent-link'
import type { Event as ExecutorEvent } from '@isthmus/proto/gen/executor'
import type { CheckInfo, CommandInfo, CommandInfoURI, HealthCheck, Operation, Resource } from '@isthmus/proto/gen/mesos'
import type { AgentTimer } from './events.ts'
import type { AgentRecord } from './records.ts'

/** What a container may use, for isolators that enforce it. */
export interface ContainerResources {
  readonly cpusMilli: number
  readonly memoryMb: number
  /** Its cpus may be taken away at any time: it runs when others do not. Absent = false. */
  readonly isRevocable?: boolean | undefined
}

/** Hard limits above the resources asked for; absent = those. `Infinity` = none. */
export type ContainerLimits = Partial<Pick<ContainerResources, 'cpusMilli' | 'memoryMb'>>

/** A container to be started: a sandbox, files fetched into it, and a process. */
export interface ContainerSpec {
  /** A uuid; nested containers: the ids of the chain joined by dots. */
  readonly containerId: string
  /** Absolute folder; made with its parents, owned by the user. */
  readonly sandboxPath: string
  /** A name of the sandbox that always leads to the newest run. */
  readonly latestLinkPath?: string | undefined
  readonly uris: readonly CommandInfoURI[]
  readonly user: string | undefined
  /** shell (default true), value, arguments. */
  readonly command: Pick<CommandInfo, 'shell' | 'value' | 'arguments'>
  /** Complete but for what only the machine itself knows (PATH, LIBPROCESS_IP …). */
  readonly environment: Readonly<Record<string, string>>
  readonly resources: ContainerResources
  readonly limits?: ContainerLimits | undefined
  /** Megabytes the sandbox may hold, where that is enforced. */
  readonly diskMb?: number | undefined
  /** Persistent volumes to be found in the sandbox at their container_path; absent = none. */
  readonly volumes?: readonly Resource[] | undefined
  /** How long it runs on without an agent, for checkpointing frameworks; absent = it ends with its agent. */
  readonly survivesMs?: number | undefined
}

/** A check to be carried out once. */
export type CheckSpec =
  | {
      readonly kind: 'command'
      readonly command: CommandInfo
      readonly environment: Readonly<Record<string, string>>
      readonly sandboxPath: string
      readonly user: string | undefined
      readonly timeoutMs: number
    }
  | {
      readonly kind: 'http'
      readonly scheme: string
      readonly host: string
      readonly port: number
      readonly path: string
      readonly timeoutMs: number
    }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly timeoutMs: number }

/** The two messages a check may come from. */
export type CheckSource = CheckInfo | HealthCheck

/** One thing the world shall do. */
export type AgentEffect =
  /** Open a link to the master with REGISTER or REREGISTER; an open one is closed first, without an event. */
  | { readonly kind: 'openLink'; readonly message: AgentMessage }
  | { readonly kind: 'sendToMaster'; readonly message: AgentMessage }
  | { readonly kind: 'closeLink' }
  | {
      readonly kind: 'respond'
      readonly requestId: string
      readonly status: number
      readonly text?: string | undefined
    }
  | { readonly kind: 'respondMessage'; readonly requestId: string; readonly response: OperatorResponse }
  /** Answer an executor's SUBSCRIBE: 200 with an endless stream. */
  | { readonly kind: 'openStream'; readonly requestId: string; readonly streamId: string }
  | { readonly kind: 'sendEvent'; readonly streamId: string; readonly event: ExecutorEvent }
  /** End an executor's stream after what was sent; no event follows. */
  | { readonly kind: 'closeStream'; readonly streamId: string }
  /** Ends in containerStarted or containerLaunchFailed. */
  | { readonly kind: 'launchContainer'; readonly spec: ContainerSpec }
  /** Change what a container may use while it runs. */
  | {
      readonly kind: 'updateContainer'
      readonly containerId: string
      readonly resources: ContainerResources
      readonly limits?: ContainerLimits | undefined
      /** Those it has now; absent = none. */
      readonly volumes?: readonly Resource[] | undefined
    }
  /** Send a signal to every process of a container. */
  | { readonly kind: 'signalContainer'; readonly containerId: string; readonly signal: string }
  /** Kill everything in a container, also one that is still being launched; ends in containerExited or containerLaunchFailed. */
  | { readonly kind: 'destroyContainer'; readonly containerId: string }
  /** Keep these: nothing behind this effect happens before they are durable; see records.ts. */
  | { readonly kind: 'record'; readonly records: readonly AgentRecord[] }
  /** A container's end is known and recorded: its launcher need not remember it any more. */
  | { readonly kind: 'releaseContainer'; readonly containerId: string }
  /** Ends in checkFinished. */
  | { readonly kind: 'runCheck'; readonly checkId: string; readonly containerId: string; readonly check: CheckSpec }
  | { readonly kind: 'removeSandbox'; readonly path: string }
  /**
   * Keep these instead of what was kept before, make the folders of new volumes and remove those of volumes that are not there any
   * more, with their data. Ends in resourcesStored; when it fails the process ends. Not asked for again before.
   */
  | {
      readonly kind: 'storeResources'
      readonly resources: readonly Resource[]
      readonly operations: readonly Operation[]
    }
  | { readonly kind: 'setTimer'; readonly key: string; readonly timer: AgentTimer; readonly atMs: number }
  | { readonly kind: 'cancelTimer'; readonly key: string }
  | {
      readonly kind: 'note'
      readonly level: 'debug' | 'info' | 'warn' | 'error'
      readonly message: string
      readonly fields: Readonly<Record<string, unknown>>
    }
  /** The process ends; everything is stopped. */
  | { readonly kind: 'exit'; readonly reason: string }
