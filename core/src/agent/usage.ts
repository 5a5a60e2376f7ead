/** What executors were given, beside what their containers use: the view of estimators, controllers and statistics pages. */

import type { ResourceStatistics } from '@isthmus/proto/gen/mesos'
import type { AgentUsage, ExecutorUsage } from './oversubscription/contract.ts'
import { containerLimits, containerResources, usedByExecutor } from './resources.ts'
import type { AgentState, Executor } from './state.ts'

const BYTES_PER_MB = 1_048_576

/** What the processes of a container use; times since it started. */
export interface ContainerUse {
  readonly cpuUserMs: number
  readonly cpuSystemMs: number
  readonly rssBytes: number
  readonly processCount: number
  readonly threadCount: number
}

/** What is read of the world: what containers use, and how busy the machine is. */
export interface Readings {
  readonly atMs: number
  readonly load: readonly [number, number, number]
  readonly containers: ReadonlyMap<string, ContainerUse>
}

/** What each executor was given and uses; those of which nothing could be read have no statistics of use. */
export function usageOf(state: AgentState, { atMs, load, containers }: Readings): AgentUsage {
  const executors = [...state.frameworks.values()].flatMap((framework) => [...framework.executors.values()])
  return {
    atMs,
    load,
    total: state.total.toProto(),
    executors: executors.map((executor): ExecutorUsage => {
      const uses = [...containers].flatMap(([id, use]) => (isWithin(id, executor.containerId) ? [use] : []))
      return {
        executor_info: executor.info,
        allocated: usedByExecutor(executor).toProto(),
        container_id: { value: executor.containerId },
        startedAtMs: executor.startedAtMs,
        tasks: [...executor.tasks.values()].map(({ info }) => {
          return { name: info.name, id: info.task_id, resources: info.resources, labels: info.labels }
        }),
        statistics: { ...limitsOf(executor, atMs), ...statisticsOf(uses) },
      }
    }),
  }
}

/** Whether a container is this one or nested in it. */
export function isWithin(containerId: string, outer: string): boolean {
  return containerId === outer || containerId.startsWith(`${outer}.`)
}

/** What an executor may use. */
export function limitsOf(executor: Executor, atMs: number): ResourceStatistics {
  const requests = containerResources(executor)
  const limitMb = containerLimits(executor)?.memoryMb ?? requests.memoryMb
  return {
    timestamp: atMs / 1000,
    cpus_soft_limit: requests.cpusMilli / 1000,
    mem_soft_limit_bytes: Math.round(requests.memoryMb * BYTES_PER_MB),
    mem_limit_bytes: Number.isFinite(limitMb) ? Math.round(limitMb * BYTES_PER_MB) : undefined,
  }
}

/** The sum of what containers use, with Mesos's names; nothing when there is nothing to add up. */
export function statisticsOf(uses: readonly ContainerUse[]): Omit<ResourceStatistics, 'timestamp'> {
  if (uses.length === 0) return {}
  const sum = (pick: (use: ContainerUse) => number): number => uses.reduce((total, use) => total + pick(use), 0)
  return {
    cpus_user_time_secs: sum(({ cpuUserMs }) => cpuUserMs) / 1000,
    cpus_system_time_secs: sum(({ cpuSystemMs }) => cpuSystemMs) / 1000,
    mem_rss_bytes: sum(({ rssBytes }) => rssBytes),
    processes: sum(({ processCount }) => processCount),
    threads: sum(({ threadCount }) => threadCount),
  }
}
