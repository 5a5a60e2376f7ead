/** What executors and their tasks hold, and what that means for the containers they run in. */

import type { Resource } from '@isthmus/proto/gen/mesos'
import { madeByOperations } from '../resources/checkpointed.ts'
import { Resources } from '../resources/resources.ts'
import { isPersistentVolume, volumeKey } from '../resources/volumes.ts'
import type { ContainerLimits, ContainerResources } from './effects.ts'
import type { AgentState, Executor } from './state.ts'

/** What the built-in command executor may use itself, not charged to the offer; as in Mesos. */
const COMMAND_EXECUTOR: ContainerResources = { cpusMilli: 100, memoryMb: 32 }
const NOTHING: ContainerResources = { cpusMilli: 0, memoryMb: 0 }

/** What an executor and its tasks that have not ended hold. */
export function usedByExecutor(executor: Executor): Resources {
  let used = executor.resources
  for (const task of executor.tasks.values()) if (task.phase !== 'ended') used = used.plus(task.resources)
  return used
}

/** What everything that runs holds. */
export function usedByAll(state: AgentState): Resources {
  let used = Resources.empty
  for (const framework of state.frameworks.values()) {
    for (const executor of framework.executors.values()) used = used.plus(usedByExecutor(executor))
  }
  return used
}

/** The sum of executor and tasks: tasks of one executor share what it may use. */
export function containerResources(executor: Executor): ContainerResources {
  const used = usedByExecutor(executor)
  const own = executor.kind === 'command' ? COMMAND_EXECUTOR : NOTHING
  const isRevocable = used.revocable().cpusMilli > 0
  const sum = { cpusMilli: used.cpusMilli + own.cpusMilli, memoryMb: used.memMilli / 1000 + own.memoryMb }
  return isRevocable ? { ...sum, isRevocable } : sum
}

/** Hard limits above the requests, when a task asks for some; tasks without one count with their request. */
export function containerLimits(executor: Executor): ContainerLimits | undefined {
  const live = [...executor.tasks.values()].filter(({ phase }) => phase !== 'ended')
  const own = executor.kind === 'command' ? COMMAND_EXECUTOR : NOTHING
  const sum = (name: 'cpus' | 'mem'): number | undefined => {
    if (!live.some(({ info }) => info.limits?.[name] !== undefined)) return undefined
    let milli = executor.resources.milli(name)
    for (const { info, resources } of live) {
      const limit = info.limits?.[name]
      milli += limit === undefined ? resources.milli(name) : Math.round(limit.value * 1000)
    }
    return milli
  }
  const cpusMilli = sum('cpus')
  const memoryMilli = sum('mem')
  if (cpusMilli === undefined && memoryMilli === undefined) return undefined
  return {
    ...(cpusMilli === undefined ? {} : { cpusMilli: cpusMilli + own.cpusMilli }),
    ...(memoryMilli === undefined ? {} : { memoryMb: memoryMilli / 1000 + own.memoryMb }),
  }
}

/** Megabytes a sandbox may hold; volumes do not count. Undefined when no disk was asked for. */
export function diskOf(resources: Resources): number | undefined {
  const milli = resources.filter((resource) => !isPersistentVolume(resource)).diskMilli
  return milli === 0 ? undefined : milli / 1000
}

/** The persistent volumes among resources, each once, for tasks and executors whose sandbox holds them; undefined when none. */
export function volumesAmong(lists: Iterable<readonly Resource[] | undefined>): readonly Resource[] | undefined {
  const volumes = new Map<string, Resource>()
  for (const list of lists) {
    for (const resource of list ?? []) {
      if (isPersistentVolume(resource)) volumes.set(`${volumeKey(resource)}/${pathOf(resource)}`, resource)
    }
  }
  return volumes.size === 0 ? undefined : [...volumes.values()]
}

function pathOf({ disk }: Resource): string {
  return disk?.volume?.container_path ?? ''
}

/** The volumes in an executor's own sandbox: its own and those of its tasks that have not ended. */
export function volumesOfExecutor({ info, tasks, kind }: Executor): readonly Resource[] | undefined {
  const live = [...tasks.values()].filter(({ phase }) => phase !== 'ended')
  return volumesAmong([kind === 'command' ? undefined : info.resources, ...live.map((task) => task.info.resources)])
}

/** Reservations and volumes that operations made and this agent does not have. */
export function unknownResources(state: AgentState, wanted: Resources): Resources {
  const made = madeByOperations(wanted.unallocate())
  return made.isEmpty || state.total.contains(made) ? Resources.empty : made
}
