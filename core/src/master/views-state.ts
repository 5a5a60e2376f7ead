/** /state, /state-summary and /slaves. */

import type { Resource, TaskState } from '@isthmus/proto/gen/mesos'
import { addAll, toRoleMessages } from './bag.ts'
import type { Json, JsonObject } from './json.ts'
import { masterPid } from './options.ts'
import type { Agent, Framework, MasterState, MasterTask } from './state.ts'
import { agentObject, seenAgent } from './views-agents.ts'
import { frameworkList, frameworkSummary } from './views-frameworks.ts'
import { agentList, countKept } from './views-kept.ts'
import { reservedFull, unreservedList } from './views-resources.ts'

/** The page /state. */
export function statePage(state: MasterState): JsonObject {
  const { options } = state
  const { build, masterId, hostname, port } = options
  const agents = [...state.agents.values()]
  countKept(state)
  return {
    version: options.version,
    git_sha: build.gitSha,
    git_tag: build.gitTag,
    build_date: build.date,
    build_time: build.timeSeconds,
    build_user: build.user,
    start_time: options.startAtMs / 1000,
    elected_time: options.electedAtMs / 1000,
    id: masterId,
    pid: masterPid(options),
    hostname,
    capabilities: ['AGENT_UPDATE', 'AGENT_DRAINING', 'QUOTA_V2'],
    activated_slaves: agents.filter(({ active }) => active).length,
    deactivated_slaves: agents.filter(({ active }) => !active).length,
    unreachable_slaves: state.registry.unreachable.size,
    leader: masterPid(options),
    leader_info: { id: masterId, pid: masterPid(options), port, hostname },
    cluster: options.cluster,
    domain: options.domain as JsonObject | undefined,
    flags: options.shown,
    slaves: agentList(state),
    recovered_slaves: recoveredSlaves(state),
    frameworks: frameworkList(state, state.frameworks.values()),
    completed_frameworks: frameworkList(state, state.completedFrameworks.values()),
    orphan_tasks: [],
    unregistered_frameworks: [],
  }
}

/** The page /slaves: as in /state, with the full lists of resources. */
export function slavePages(state: MasterState, agentId: string | undefined): JsonObject {
  const agents = [...state.agents.values()].filter(({ id }) => agentId === undefined || id === agentId)
  return {
    slaves: agents.map((agent) => ({ ...agentObject(seenAgent(state, agent)), ...fullLists(state, agent) })),
    recovered_slaves: recoveredSlaves(state),
  }
}

function recoveredSlaves(state: MasterState): readonly Json[] {
  return Array.from(state.recoveredAgents, ([id, { hostname, port }]) => ({ id, hostname, port: port ?? 5051 }))
}

function fullLists(state: MasterState, agent: Agent): JsonObject {
  const json = (resources: readonly Resource[]) => resources as unknown as readonly Json[]
  return {
    reserved_resources_full: reservedFull(agent.total),
    unreserved_resources_full: json(unreservedList(agent.total)),
    used_resources_full: json(toRoleMessages(addAll(agent.usedBy.values()))),
    offered_resources_full: json(toRoleMessages(offeredOn(state, agent))),
  }
}

function offeredOn(state: MasterState, agent: Agent) {
  return addAll([...agent.offers].map((id) => state.offers.get(id)!.resources))
}

const COUNTED_STATES: readonly TaskState[] = [
  'TASK_STAGING',
  'TASK_STARTING',
  'TASK_RUNNING',
  'TASK_KILLING',
  'TASK_FINISHED',
  'TASK_KILLED',
  'TASK_FAILED',
  'TASK_LOST',
  'TASK_ERROR',
  'TASK_GONE',
  'TASK_GONE_BY_OPERATOR',
  'TASK_DROPPED',
  'TASK_UNREACHABLE',
  'TASK_UNKNOWN',
]

/** The page /state-summary: counts instead of tasks. */
export function stateSummaryPage(state: MasterState): JsonObject {
  const onAgents = new Map<string, { counts: Map<TaskState, number>; frameworks: Set<string> }>()
  const placeOf = (agentId: string) => {
    const place = onAgents.get(agentId) ?? { counts: new Map(), frameworks: new Set() }
    onAgents.set(agentId, place)
    return place
  }
  const frameworks = Array.from(state.frameworks.values(), (framework) => {
    const counts = new Map<TaskState, number>()
    const agents = new Set<string>()
    for (const task of everyTask(framework)) {
      const place = placeOf(task.agentId)
      tally(counts, task.state)
      tally(place.counts, task.state)
      place.frameworks.add(framework.id)
      agents.add(task.agentId)
    }
    return { ...summary(state, framework), ...tallied(counts), slave_ids: [...agents] }
  })
  const slaves = Array.from(state.agents.values(), (agent) => {
    const place = placeOf(agent.id)
    return { ...agentObject(seenAgent(state, agent)), ...tallied(place.counts), framework_ids: [...place.frameworks] }
  })
  return { hostname: state.options.hostname, cluster: state.options.cluster, slaves, frameworks }
}

function summary(state: MasterState, framework: Framework): JsonObject {
  const {
    id,
    name,
    used_resources,
    offered_resources,
    capabilities,
    hostname,
    webui_url,
    active,
    connected,
    recovered,
  } = frameworkSummary(state, framework)
  return {
    id,
    name,
    used_resources,
    offered_resources,
    capabilities,
    hostname,
    webui_url,
    active,
    connected,
    recovered,
  }
}

function* everyTask(framework: Framework): Generator<MasterTask> {
  yield* framework.tasks.values()
  yield* framework.unreachableTasks.values()
  yield* framework.completedTasks
}

function tally(counts: Map<TaskState, number>, state: TaskState): void {
  counts.set(state, (counts.get(state) ?? 0) + 1)
}

function tallied(counts: ReadonlyMap<TaskState, number>): JsonObject {
  return Object.fromEntries(COUNTED_STATES.map((state) => [state, counts.get(state) ?? 0]))
}
