// What containers use, on the pages and in the answers of an agent's machine, which knows only what they may use.

import type { Response } from '@isthmus/proto/gen/agent'
import type { ContainerID, ResourceStatistics } from '@isthmus/proto/gen/mesos'
import type { AgentState } from '../../agent/state.ts'
import { type ContainerUse, isWithin, statisticsOf } from '../../agent/usage.ts'
import type { Containerizer } from '../containers/container.ts'

type Uses = ReadonlyMap<string, ContainerUse>

/** What every container of an agent uses now, by its id. */
export async function readContainers(
  state: AgentState,
  containerizer: Pick<Containerizer, 'usage'> | undefined,
): Promise<Uses> {
  const read = [...state.containers.keys()].map(async (id) => [id, await containerizer?.usage(id)] as const)
  return new Map((await Promise.all(read)).flatMap(([id, use]) => (use === undefined ? [] : [[id, use] as const])))
}

/** What a container uses, with those nested in it. */
export function useOf(containerId: string, uses: Uses): Omit<ResourceStatistics, 'timestamp'> {
  return statisticsOf([...uses].flatMap(([id, use]) => (isWithin(id, containerId) ? [use] : [])))
}

/** The answer to GET_CONTAINERS with what each container uses. */
export function withStatistics(response: Response, uses: Uses): Response {
  const containers = response.get_containers?.containers?.map((container) => {
    const { container_id: id, resource_statistics: statistics } = container
    if (id === undefined || statistics === undefined) return container
    return { ...container, resource_statistics: { ...statistics, ...useOf(pathOf(id), uses) } }
  })
  return { ...response, get_containers: { ...response.get_containers, containers } }
}

function pathOf({ value, parent }: ContainerID): string {
  return parent === undefined ? value : `${pathOf(parent)}.${value}`
}
