/** /frameworks and /tasks, and the parts of /state that show them. */

import type { CommandInfo } from '@isthmus/proto/gen/mesos'
import { addAll, type Bag } from './bag.ts'
import { type JsonObject, LazyList } from './json.ts'
import type { Framework, MasterExecutor, MasterOffer, MasterState, MasterTask } from './state.ts'
import { taskList } from './views-kept.ts'
import { resourcesObject } from './views-resources.ts'
import { labelList, taskObject } from './views-tasks.ts'

const TASKS_LIMIT_DEFAULT = 100

/** Query of /tasks. */
export interface TasksQuery {
  readonly frameworkId?: string | undefined
  readonly taskId?: string | undefined
  /** Default 100. */
  readonly limit?: number | undefined
  /** Default 0. */
  readonly offset?: number | undefined
  /** By the time of the first status; default 'des'. */
  readonly order?: 'asc' | 'des' | undefined
}

/** The page /frameworks. */
export function frameworkPages(state: MasterState, frameworkId: string | undefined): JsonObject {
  const matches = (framework: Framework) => frameworkId === undefined || framework.id === frameworkId
  return {
    frameworks: frameworkList(state, [...state.frameworks.values()].filter(matches)),
    completed_frameworks: frameworkList(state, [...state.completedFrameworks.values()].filter(matches)),
    unregistered_frameworks: [],
  }
}

/** A framework as it is now; the framework itself may change before it is shown. */
interface SeenFramework {
  readonly framework: Framework
  readonly used: readonly Bag[]
  readonly offers: readonly MasterOffer[]
  readonly executors: readonly MasterExecutor[]
  readonly tasks: Readonly<Record<'tasks' | 'unreachable_tasks' | 'completed_tasks', LazyList>>
}

function seenFramework(state: MasterState, framework: Framework): SeenFramework {
  return {
    framework: { ...framework },
    used: [...framework.usedOn.values()],
    offers: Array.from(framework.offers, (id) => state.offers.get(id)!),
    executors: [...framework.executors.values()].flatMap((known) => [...known.values()]),
    tasks: {
      tasks: taskList(framework.tasks.toArray()),
      unreachable_tasks: taskList(framework.unreachableTasks.values()),
      completed_tasks: taskList(framework.completedTasks),
    },
  }
}

/** Frameworks with their tasks, executors and offers, as they are now. */
export function frameworkList(state: MasterState, frameworks: Iterable<Framework>): LazyList {
  return LazyList.of(
    Array.from(frameworks, (framework) => seenFramework(state, framework)),
    frameworkObject,
  )
}

function frameworkObject({ framework, used, offers, executors, tasks }: SeenFramework): JsonObject {
  return {
    ...frameworkFacts(framework),
    ...resourceSums(
      used,
      offers.map(({ resources }) => resources),
    ),
    ...tasks,
    executors: executors.map(executorObject),
    offers: offers.map((offer) => ({
      id: offer.id,
      framework_id: offer.frameworkId,
      slave_id: offer.agentId,
      allocation_info: { role: offer.role },
      resources: resourcesObject(offer.resources),
    })),
  }
}

/** One framework without its tasks, executors and offers. */
export function frameworkSummary(state: MasterState, framework: Framework): JsonObject {
  const offered = Array.from(framework.offers, (id) => state.offers.get(id)!.resources)
  return { ...frameworkFacts(framework), ...resourceSums([...framework.usedOn.values()], offered) }
}

function resourceSums(used: readonly Bag[], offered: readonly Bag[]): JsonObject {
  const [usedSum, offeredSum] = [addAll(used), addAll(offered)]
  return {
    used_resources: resourcesObject(usedSum),
    offered_resources: resourcesObject(offeredSum),
    resources: resourcesObject(addAll([usedSum, offeredSum])),
  }
}

function frameworkFacts(framework: Framework): JsonObject {
  const { info, registeredAtMs, reregisteredAtMs, unregisteredAtMs } = framework
  return {
    id: framework.id,
    name: info.name,
    ...rolesObject(framework),
    user: info.user,
    failover_timeout: info.failover_timeout ?? 0,
    checkpoint: info.checkpoint ?? false,
    hostname: info.hostname ?? '',
    webui_url: info.webui_url ?? '',
    principal: info.principal,
    labels: labelList(info.labels),
    active: framework.active,
    connected: framework.streamId !== undefined,
    recovered: framework.recovered,
    registered_time: registeredAtMs / 1000,
    reregistered_time: registeredAtMs === reregisteredAtMs ? undefined : reregisteredAtMs / 1000,
    unregistered_time: unregisteredAtMs / 1000,
    capabilities: (info.capabilities ?? []).flatMap(({ type }) => (type === undefined ? [] : [type])),
    offer_constraints: (framework.offerConstraints ?? {}) as JsonObject,
  }
}

function rolesObject(framework: Framework): JsonObject {
  const roles = [...framework.roles]
  return framework.capabilities.multiRole ? { roles } : { role: roles[0] ?? '*' }
}

function executorObject(executor: MasterExecutor): JsonObject {
  const { info } = executor
  return {
    executor_id: executor.id,
    framework_id: executor.frameworkId,
    slave_id: executor.agentId,
    name: info.name ?? '',
    source: info.source,
    type: info.type,
    role: info.resources?.[0]?.allocation_info?.role,
    command: commandObject(info.command),
    resources: resourcesObject(executor.resources),
    labels: labelList(info.labels),
  }
}

function commandObject(command: CommandInfo | undefined): JsonObject {
  return {
    shell: command?.shell,
    value: command?.value,
    argv: command?.arguments ?? [],
    environment: command?.environment as JsonObject | undefined,
    uris: (command?.uris ?? []).map(({ value, executable }) => ({ value, executable: executable ?? false })),
  }
}

/** The page /tasks: all tasks, also unreachable and completed ones, newest first unless asked otherwise. */
export function taskPages(state: MasterState, query: TasksQuery): JsonObject {
  const frameworks = [...state.frameworks.values(), ...state.completedFrameworks.values()]
  const tasks = frameworks
    .filter(({ id }) => query.frameworkId === undefined || id === query.frameworkId)
    .flatMap(({ tasks: running, unreachableTasks, completedTasks }) => [
      ...running.values(),
      ...unreachableTasks.values(),
      ...completedTasks,
    ])
    .filter(({ id }) => query.taskId === undefined || id === query.taskId)
    .map((task) => ({ task, start: startOf(task) }))
  const sign = query.order === 'asc' ? 1 : -1
  tasks.sort((one, other) => sign * (one.start - other.start))
  const offset = query.offset ?? 0
  const shown = tasks.slice(offset, offset + (query.limit ?? TASKS_LIMIT_DEFAULT))
  return { tasks: shown.map(({ task }) => taskObject(task)) }
}

function startOf(task: MasterTask): number {
  return task.statuses[0]?.timestamp ?? 0
}
