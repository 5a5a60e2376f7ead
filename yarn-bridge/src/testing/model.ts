// What the modelled world of world.ts is made of, and the messages it sends.

import { isTerminal } from '@isthmus/core/framework/task-states'
import type { ExecutorInfo, InverseOffer, Offer, Resource, Task, TaskInfo, TaskState } from '@isthmus/proto/gen/mesos'
import { DEFAULT_POLICY, type Policy } from '../policy.ts'
import type { YarnResource } from '../samples.ts'
import { type BridgeState, createBridge } from '../state.ts'
import { labelOf } from '../task.ts'
import type { Wishes } from '../wishes.ts'

export interface ModelTask {
  readonly info: TaskInfo
  readonly executorId: string
  state: TaskState
}

export interface ModelAgent {
  readonly id: string
  readonly hostname: string
  readonly cpus: number
  readonly memoryMb: number
  /** From when on it is down for maintenance. */
  downFromMs: number | undefined
  /** The leading master does not know it before. */
  registersAtMs: number
}

export interface ModelNode {
  readonly nodeId: string
  readonly baseTaskId: string
  total: YarnResource
  /** When containers above the size are killed. */
  killAtMs: number
  /** The active RM does not list it before. */
  listedFromMs: number
  readonly containers: { readonly applicationId: string; readonly size: YarnResource; readonly isMaster: boolean }[]
}

export interface ModelApplication {
  readonly id: string
  waiting: { readonly size: YarnResource; count: number; readonly isMaster: boolean }[]
  masterNodeId: string | undefined
}

/** The smallest container of the modelled RM. */
export const MINIMUM: YarnResource = { memoryMb: 64, vcores: 1 }

/** A bridge without an id, or one that starts again with the id it had. */
export function modelBridge(
  id: string | undefined,
  nextSequence: number,
  policy: Partial<Policy> = {},
  wishes?: Wishes,
): BridgeState {
  const info = { user: 'yarn', name: 'yarn-bridge', roles: ['yarn'], capabilities: [{ type: 'MULTI_ROLE' as const }] }
  return createBridge({
    info: id === undefined ? info : { ...info, id: { value: id } },
    policy: {
      ...DEFAULT_POLICY,
      quietMs: 10_000,
      nodeCapacity: { memoryMb: 1024, vcores: 1 },
      registrationTimeoutMs: 20_000,
      ...policy,
    },
    template: {
      javaHome: '/java',
      distribution: { kind: 'classpath', classpath: '/hadoop/*' },
      jvmFlags: [],
      yarnProperties: {},
      coreProperties: {},
      localDirs: [],
      user: undefined,
      environment: {},
    },
    nextSequence,
    wishes,
  })
}

/** An offer with the given cpus and memory, disk enough and ten ports. */
export function modelOffer(agent: ModelAgent, number: number, free: { cpus: number; memoryMb: number }): Offer {
  const allocation_info = { role: 'yarn' }
  const scalar = (name: string, value: number) => ({
    name,
    type: 'SCALAR' as const,
    scalar: { value },
    allocation_info,
  })
  const range = [{ begin: 31_000 + (number + 1) * 10, end: 31_009 + (number + 1) * 10 }]
  return {
    id: { value: `O${number}` },
    framework_id: { value: 'F' },
    agent_id: { value: agent.id },
    hostname: agent.hostname,
    ...(agent.downFromMs !== undefined && { unavailability: { start: { nanoseconds: agent.downFromMs * 1e6 } } }),
    resources: [
      scalar('cpus', free.cpus),
      scalar('mem', free.memoryMb),
      scalar('disk', 10_000),
      { name: 'ports', type: 'RANGES', ranges: { range }, allocation_info },
    ],
  }
}

/** What the master wants back from an agent; nothing = all of it, for maintenance. */
export function modelInverseOffer(
  agent: ModelAgent,
  number: number,
  deadlineMs: number,
  amount: YarnResource | undefined,
): InverseOffer {
  const scalar = (name: string, value: number): Resource => ({ name, type: 'SCALAR', scalar: { value } })
  const query = [{ key: 'kind', value: amount === undefined ? 'maintenance' : 'reclaim' }]
  return {
    id: { value: `I${number}` },
    framework_id: { value: 'F' },
    agent_id: { value: agent.id },
    unavailability: { start: { nanoseconds: deadlineMs * 1e6 } },
    resources: amount === undefined ? [] : [scalar('cpus', amount.vcores), scalar('mem', amount.memoryMb)],
    url: { scheme: 'http', address: { port: 1 }, query },
  }
}

/** Tasks and executors as a master lists them; what has ended is left out. */
export function listingOf(tasks: readonly ModelTask[]): { tasks: Task[]; executors: ExecutorInfo[] } {
  const live = tasks.filter(({ state }) => !isTerminal(state))
  const ids = new Set(
    live.filter(({ info }) => labelOf(info, 'kind') !== undefined).map(({ executorId }) => executorId),
  )
  return {
    tasks: live.map(({ info, executorId, state }) => ({
      name: info.name,
      task_id: info.task_id,
      agent_id: info.agent_id,
      labels: info.labels,
      state,
      framework_id: { value: 'F' },
      executor_id: { value: executorId },
      resources: info.resources ?? [],
    })),
    executors: [...ids].map((value) => ({ type: 'DEFAULT', executor_id: { value }, framework_id: { value: 'F' } })),
  }
}
