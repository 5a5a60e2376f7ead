/** Everything that could be taken back on some agents: offers, tasks, executors. Only reads. */

import { type Bag, isEmpty, revocable } from '../bag.ts'
import { holdsResources } from '../messages.ts'
import type { Agent, Framework, MasterExecutor, MasterState, MasterTask } from '../state.ts'
import { killKey } from '../tasks.ts'
import { isNothing, sum } from './amounts.ts'
import type { Loss } from './floors.ts'
import { countable } from './pool.ts'
import { type Candidate, priorityOf } from './victims.ts'

/** The key of a candidate; ids are free texts, so they come last. */
export function keyOf(kind: Candidate['kind'], agentId: string, frameworkId: string, id: string): string {
  return `${kind} ${agentId} ${frameworkId} ${id}`
}

/**
 * All candidates on some agents. O(their offers, tasks and executors).
 *
 * @param isTaken whether a key is being taken back already, or left alone for now
 */
export function candidatesOn(
  state: MasterState,
  agents: readonly Agent[],
  isTaken: (key: string) => boolean,
): Candidate[] {
  const all: Candidate[] = []
  for (const agent of agents) {
    for (const id of agent.offers) all.push(offerOf(state, agent, id))
    const frameworkIds = new Set([...agent.tasks.keys(), ...agent.executors.keys()])
    for (const frameworkId of frameworkIds) {
      const framework = state.frameworks.get(frameworkId)
      if (framework !== undefined) all.push(...runningOf(state, agent, framework))
    }
  }
  // Tasks go with their executor.
  const going = new Set(all.flatMap(({ key, includes }) => (isTaken(key) ? includes : [])))
  return all.filter(({ key, includes, losses }) => {
    return losses.length > 0 && !isTaken(key) && !going.has(key) && !includes.some(isTaken)
  })
}

function offerOf(state: MasterState, agent: Agent, id: string): Candidate {
  const { frameworkId, resources, role } = state.offers.get(id)!
  return {
    key: keyOf('offer', agent.id, frameworkId, id),
    kind: 'offer',
    id,
    agentId: agent.id,
    frameworkId,
    losses: lossesOf([{ role, resources }]),
    taskIds: [],
    includes: [],
    isRevocable: false,
    isEnding: false,
    priority: priorityOf(state.options.rolePriorities, role),
    startedAtMs: () => 0,
  }
}

function runningOf(state: MasterState, agent: Agent, framework: Framework): Candidate[] {
  const all: Candidate[] = []
  const byExecutor = new Map<string, MasterTask[]>()
  for (const task of agent.tasks.get(framework.id)?.values() ?? []) {
    if (!holdsResources(task.state)) continue
    const executor = agent.executors.get(framework.id)?.get(task.executorId)
    if (executor !== undefined) {
      const mates = byExecutor.get(executor.id)
      if (mates === undefined) byExecutor.set(executor.id, [task])
      else mates.push(task)
    }
    if (executor?.info.type !== 'DEFAULT') all.push(taskOf(state, agent, task))
  }
  for (const executor of agent.executors.get(framework.id)?.values() ?? []) {
    all.push(executorOf(state, agent, { executor, tasks: byExecutor.get(executor.id) ?? [] }))
  }
  return all
}

function taskOf(state: MasterState, agent: Agent, task: MasterTask): Candidate {
  const { id, frameworkId, role, resources } = task
  return {
    key: keyOf('task', agent.id, frameworkId, id),
    kind: 'task',
    id,
    agentId: agent.id,
    frameworkId,
    losses: lossesOf([{ role, resources }]),
    taskIds: [id],
    includes: [],
    isRevocable: !isEmpty(revocable(resources, true)),
    isEnding: agent.killsPending.has(killKey(frameworkId, id)),
    priority: priorityOf(state.options.rolePriorities, role),
    startedAtMs: startOf([task]),
  }
}

function executorOf(
  state: MasterState,
  agent: Agent,
  { executor, tasks }: { executor: MasterExecutor; tasks: readonly MasterTask[] },
): Candidate {
  const { id, frameworkId, resources } = executor
  const isGroup = executor.info.type === 'DEFAULT'
  const held = [{ role: resources.allocationRole ?? tasks[0]?.role ?? '*', resources }, ...tasks]
  return {
    key: keyOf('executor', agent.id, frameworkId, id),
    kind: 'executor',
    id,
    agentId: agent.id,
    frameworkId,
    losses: lossesOf(held),
    taskIds: tasks.map((task) => task.id),
    includes: isGroup ? [] : tasks.map((task) => keyOf('task', agent.id, frameworkId, task.id)),
    isRevocable: held.some((one) => !isEmpty(revocable(one.resources, true))),
    isEnding: tasks.length > 0 && tasks.every((task) => agent.killsPending.has(killKey(frameworkId, task.id))),
    priority: Math.max(...held.map(({ role }) => priorityOf(state.options.rolePriorities, role))),
    startedAtMs: startOf(tasks),
  }
}

/** What of tasks and executors counts, by role. */
export function lossesOf(held: readonly { readonly role: string; readonly resources: Bag }[]): Loss[] {
  const byRole = new Map<string, Loss>()
  for (const { role, resources } of held) {
    const amounts = countable(resources)
    if (isNothing(amounts)) continue
    byRole.set(role, { role, amounts: sum(byRole.get(role)?.amounts ?? {}, amounts) })
  }
  return [...byRole.values()]
}

/** When the newest of them was heard of first; read once, since statuses are kept as bytes. */
function startOf(tasks: readonly MasterTask[]): () => number {
  let known: number | undefined
  return () => {
    known ??= tasks.reduce((newest, task) => Math.max(newest, firstHeardMs(task)), Number.NEGATIVE_INFINITY)
    return known
  }
}

function firstHeardMs(task: MasterTask): number {
  const timestamp = task.statuses[0]?.timestamp
  return timestamp === undefined ? Number.POSITIVE_INFINITY : timestamp * 1000
}
