/** What is left of an ACCEPT while its operations are done, and what a task would take of it. */

import type { ExecutorInfo, Resource, TaskInfo } from '@isthmus/proto/gen/mesos'
import { add, type Bag, bagOf, EMPTY } from './bag.ts'
import type { Agent, Framework, MasterExecutor } from './state.ts'

/** An ACCEPT in progress: what is left of its offers. */
export interface Acceptance {
  readonly framework: Framework
  readonly agent: Agent
  /** The role the offers were allocated to. */
  readonly role: string
  remaining: Bag
}

/** Resources as a framework may send them: without allocation_info they get the role of the offer. */
export function allocatedTo(resources: readonly Resource[] | undefined, role: string): readonly Resource[] {
  return (resources ?? []).map((resource) =>
    resource.allocation_info === undefined ? { ...resource, allocation_info: { role } } : resource,
  )
}

/** The executor when it is not running on this agent yet. */
export function newExecutor({ framework, agent }: Acceptance, info: ExecutorInfo): MasterExecutor | undefined {
  const id = info.executor_id.value
  if (agent.executors.get(framework.id)?.has(id) === true) return undefined
  return { id, frameworkId: framework.id, agentId: agent.id, info, resources: bagOf(info.resources ?? []) }
}

/** What a task needs of the offer: its own resources and those of an executor that is not running yet. */
export function neededBy(acceptance: Acceptance, tasks: readonly TaskInfo[], executor: ExecutorInfo | undefined): Bag {
  const fresh = executor && newExecutor(acceptance, executor)
  return tasks.reduce((sum, task) => add(sum, bagOf(task.resources ?? [])), fresh?.resources ?? EMPTY)
}
