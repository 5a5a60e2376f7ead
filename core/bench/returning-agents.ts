/** Agents with tasks that come back to a new leader: what the registry of the one before holds, and their first messages. */

import type { AgentMessage } from '@isthmus/proto/gen/agent-link'
import type { AgentInfo, FrameworkInfo, Resource, Task, TaskState, TaskStatus } from '@isthmus/proto/gen/mesos'
import { createRandom, nextUuid, nextUuidBytes } from '../src/base/random.ts'
import { encodeMessage } from '../src/io/http/messages.ts'
import type { RegistryRecord } from '../src/master/registry.ts'

/** A pool that comes back. */
export interface ReturningPool {
  readonly agents: number
  readonly tasksPerAgent: number
  readonly frameworks: number
  /** Three statuses and labels for each task instead of one status, and 100,000 agents in the registry that are unreachable or gone. */
  readonly hasHistory: boolean
}

const SEED = 7
const START_MS = 1_700_000_000_000
const FORGOTTEN_AGENTS = 50_000
const LEADER = '6f1a9c1e-2f0b-4bb6-a2f5-0d9f4a2a7c11'

/** What the registry of the leader before holds. */
export function registryOf({ agents, hasHistory }: ReturningPool): RegistryRecord[] {
  const records: RegistryRecord[] = []
  for (let at = 0; at < (hasHistory ? FORGOTTEN_AGENTS : 0); at++) {
    records.push({ kind: 'agentUnreachable', agentId: `${LEADER}-S${1_000_000 + at}`, atMs: START_MS + at })
    records.push({ kind: 'agentGone', agentId: `${LEADER}-S${2_000_000 + at}`, atMs: START_MS + at })
  }
  for (let at = 0; at < agents; at++) records.push({ kind: 'agentAdmitted', agentInfo: infoOf(at) })
  return records
}

/** The first message of each agent, as it goes over the wire. */
export function returnsOf(pool: ReturningPool, from = 0, to = pool.agents): Uint8Array[] {
  const random = createRandom(SEED + from)
  return Array.from({ length: to - from }, (_, index) => {
    const at = from + index
    const message: AgentMessage = {
      type: 'REREGISTER',
      reregister: {
        agent_info: infoOf(at),
        version: '1.11.0',
        capabilities: [
          { type: 'MULTI_ROLE' },
          { type: 'HIERARCHICAL_ROLE' },
          { type: 'RESERVATION_REFINEMENT' },
          { type: 'RESIZE_VOLUME' },
          { type: 'AGENT_OPERATION_FEEDBACK' },
          { type: 'AGENT_DRAINING' },
          { type: 'TASK_RESOURCE_LIMITS' },
        ],
        resources: RESOURCES,
        frameworks: frameworksOn(pool, at),
        tasks: Array.from({ length: pool.tasksPerAgent }, (_none, number) => taskOf(pool, { at, number, random })),
        address: { hostname: hostOf(at), ip: ipOf(at), port: 5051 },
      },
    }
    return encodeMessage('isthmus.agent_link.AgentMessage', message, 'protobuf')
  })
}

/** A framework of the pool, as its scheduler and the agents say it. */
export function frameworkOf(at: number): FrameworkInfo {
  return {
    id: { value: `${LEADER}-${String(at).padStart(4, '0')}` },
    user: 'root',
    name: `framework-${at}`,
    roles: [`role-${at}`],
    capabilities: [{ type: 'MULTI_ROLE' }, { type: 'PARTITION_AWARE' }, { type: 'RESERVATION_REFINEMENT' }],
    failover_timeout: 604_800,
    checkpoint: true,
  }
}

function frameworksOn({ frameworks, tasksPerAgent }: ReturningPool, at: number): FrameworkInfo[] {
  const ids = new Set(Array.from({ length: tasksPerAgent }, (_, number) => (at + number) % frameworks))
  return [...ids].map(frameworkOf)
}

function taskOf(
  { frameworks, hasHistory }: ReturningPool,
  { at, number, random }: { at: number; number: number; random: ReturnType<typeof createRandom> },
): Task {
  const framework = (at + number) % frameworks
  const id = `${nextUuid(random)}.${at}.${number}`
  const uuid = nextUuidBytes(random)
  const states: TaskState[] = hasHistory ? ['TASK_STARTING', 'TASK_RUNNING', 'TASK_RUNNING'] : ['TASK_RUNNING']
  const container = { value: nextUuid(random) }
  const statuses = states.map((state, after): TaskStatus => {
    return {
      task_id: { value: id },
      state,
      source: 'SOURCE_EXECUTOR',
      agent_id: { value: agentIdOf(at) },
      executor_id: { value: id },
      timestamp: START_MS / 1000 + after,
      uuid: after === states.length - 1 ? uuid : nextUuidBytes(random),
      container_status: {
        container_id: container,
        executor_pid: 1000 + number,
        network_infos: [{ ip_addresses: [{ protocol: 'IPv4', ip_address: ipOf(at) }] }],
      },
      ...(after === 2 ? { healthy: true } : {}),
    }
  })
  const resources: Resource[] = [scalar('cpus', 1), scalar('mem', 1024)].map((one) => ({
    ...one,
    allocation_info: { role: `role-${framework}` },
  }))
  return {
    name: `service-${framework}`,
    task_id: { value: id },
    framework_id: frameworkOf(framework).id!,
    agent_id: { value: agentIdOf(at) },
    state: 'TASK_RUNNING',
    resources,
    statuses,
    status_update_state: 'TASK_RUNNING',
    status_update_uuid: uuid,
    ...(hasHistory ? { labels: { labels: [{ key: 'app', value: `service-${framework}` }] } } : {}),
  }
}

const RESOURCES: readonly Resource[] = [
  scalar('cpus', 64),
  scalar('mem', 262_144),
  scalar('disk', 1_000_000),
  { name: 'ports', type: 'RANGES', ranges: { range: [{ begin: 31000, end: 32000 }] } },
]

function infoOf(at: number): AgentInfo {
  return {
    id: { value: agentIdOf(at) },
    hostname: hostOf(at),
    port: 5051,
    resources: RESOURCES,
    attributes: [{ name: 'rack', type: 'TEXT', text: { value: `rack-${Math.floor(at / 40)}` } }],
  }
}

function agentIdOf(at: number): string {
  return `${LEADER}-S${at}`
}

function hostOf(at: number): string {
  return `agent-${at}.example.com`
}

function ipOf(at: number): string {
  return `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`
}

function scalar(name: string, value: number): Resource {
  return { name, type: 'SCALAR', scalar: { value } }
}
