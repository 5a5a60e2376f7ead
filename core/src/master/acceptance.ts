/** What is left of an ACCEPT while its operations are done, and what a task would take of it. */

import type { ExecutorInfo, Resource, TaskInfo } from '@isthmus/proto/gen/mesos'
import { add, type Bag, bagOf, contains, EMPTY, subtract } from './bag.ts'
import type { Agent, Framework, MasterExecutor } from './state.ts'
import type { Turn } from './turn.ts'

/** An ACCEPT in progress: what is left of its offers. */
export interface Acceptance {
  readonly framework: Framework
  readonly agent: Agent
  /** The role the offers were allocated to. */
  readonly role: string
  /** What no task and no operation has taken yet. */
  remaining: Bag
  /** The shared resources of the offers, as operations made them: each task of the ACCEPT may have a copy of them. */
  shared: Bag
}

/** What a task may have: of shared resources also what others have taken. */
export function availableTo({ remaining, shared }: Acceptance): Bag {
  return shared.isEmpty ? remaining : remaining.nonShared().plus(shared.plus(remaining.shared()).withSingleCopies())
}

/** Whether that is enough; copies of a shared resource are had for the asking. */
export function isAvailable(acceptance: Acceptance, needed: Bag): boolean {
  return contains(availableTo(acceptance), needed.withSingleCopies())
}

/** Takes out what a task or an executor holds from now on; the allocator learns of copies that were not offered. */
export function takeOut({ state }: Turn, acceptance: Acceptance, held: Bag): void {
  const { framework, agent } = acceptance
  const more = subtract(held.shared(), acceptance.remaining.shared())
  if (!more.isEmpty) state.allocator.updateAllocation(framework.id, agent.id, { from: EMPTY, to: more })
  acceptance.remaining = subtract(acceptance.remaining, held)
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
