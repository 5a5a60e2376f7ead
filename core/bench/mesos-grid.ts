/**
 * The workloads of HierarchicalAllocator_BENCHMARK_Test in Mesos 1.11 (src/tests/hierarchical_allocator_tests.cpp): agents by frameworks, with
 * exactly its agents, used resources, rounds and refusals. What Mesos times, and no more, is timed: one batch of the allocator, without
 * what was recovered or suppressed before.
 */

import type { Resource } from '@isthmus/proto/gen/mesos'
import type { AgentSpec } from '../src/allocator/contract.ts'
import { Resources } from '../src/resources/resources.ts'
import { agentSpec, bagOf, Cluster, YEAR_MS } from './cluster.ts'
import { expect, type Stage, timed, timedOnce } from './stage.ts'

/** How many agents and frameworks. */
export interface Size {
  readonly agents: number
  readonly frameworks: number
}

const RANGES = 16
const ROUNDS = 5

/** The ports 31000 to 32000 in 16 ranges: fifteen single ones with a hole behind each, and the rest. */
function fragmentedPorts(role = ''): string {
  const ranges = Array.from({ length: RANGES }, (_, at) => {
    const begin = 31_000 + at * 2
    return `${begin}-${at === RANGES - 1 ? 32_000 : begin}`
  })
  return `ports${role}:[${ranges.join(',')}]`
}

/** Agents of which each is used in part by one framework, one framework after the other. */
function sharedOut(
  { frameworks }: Size,
  total: Resources,
  usedOf: (at: number) => Resources,
): (at: number) => AgentSpec {
  return (at) => agentSpec(total, new Map([[`framework-${at % frameworks}`, usedOf(at)]]))
}

/** AddAndUpdateSlave: agents come with used resources; then each gets ten revocable CPUs more. */
export function addAndUpdate(size: Size): Stage[] {
  const cluster = new Cluster()
  const total = bagOf('cpus:2;mem:1024;disk:4096;ports:[31000-32000]')
  const ports = '[31126-31510,31512-31623,31810-31852,31854-31964]'
  const used = bagOf(`cpus:1;mem:128;disk:1024;ports:${ports}`).allocate('*')
  const oversubscribed = Resources.fromProto([
    { name: 'cpus', type: 'SCALAR', scalar: { value: 10 }, role: '*', revocable: {} },
  ])
  const frameworks = cluster.addFrameworks(size.frameworks, () => '*', { revocableResources: true })
  const agents = cluster.addAgents(
    size.agents,
    sharedOut(size, total, () => used),
  )
  expect(agents.offers === size.agents, 'every new agent is offered')
  const grown = total.plus(oversubscribed)
  const update = timed({
    stage: 'update agents',
    rounds: 1,
    round: () => {
      for (let at = 0; at < size.agents; at++) cluster.allocator.updateAgent(`agent-${at}`, { total: grown })
      return cluster.allocator.allocate(cluster.atMs)
    },
  })
  expect(update.offers === size.agents, 'what is revocable on every agent is offered')
  return [frameworks, agents, update]
}

/** Declines every offer for ever and times the batches, until long after everybody has declined everything. */
function declineAll(cluster: Cluster, { agents, frameworks }: Size): Stage[] {
  const rounds = (stage: string, count: number, offers: number) => {
    if (count === 0) return []
    const prepare = () => {
      cluster.giveBack(YEAR_MS)
    }
    const round = () => {
      cluster.batch()
      expect(cluster.made.length === offers, `${stage}: ${cluster.made.length} offers`)
      return cluster.made
    }
    return [timed({ stage, rounds: count, round, prepare })]
  }
  // The first framework for each agent has been offered it when the agent came.
  const declining = rounds('cycle, not all have declined', frameworks - 1, agents)
  const declined = rounds('cycle, all have declined', frameworks + 1, 0)
  // A weight, though it stays what it is, makes every agent dirty: each is looked at, although nothing can be had.
  const visited = timed({
    stage: 'the same, every agent visited',
    rounds: frameworks,
    prepare: () => cluster.allocator.updateWeights({ '*': 1 }),
    round: () => cluster.batch(),
  })
  expect(visited.offers === 0, 'nobody is offered what he refused')
  return [...declining, ...declined, visited]
}

/** DeclineOffers: 2 × frameworks batches; each offer is declined for ever. */
export function declineOffers(size: Size): Stage[] {
  const cluster = new Cluster()
  const total = bagOf('cpus:24;mem:4096;disk:4096;ports:[31000-32000]')
  const used = bagOf(`cpus:16;mem:2014;disk:1024;${fragmentedPorts()}`).allocate('*')
  const frameworks = cluster.addFrameworks(size.frameworks, () => '*')
  const agents = cluster.addAgents(
    size.agents,
    sharedOut(size, total, () => used),
  )
  expect(agents.offers === size.agents, 'every new agent is offered')
  return [frameworks, agents, ...declineAll(cluster, size)]
}

/** CPUs reserved for role1 with 11 labels alike and, unless `unique` is empty, more that no other agent has. */
function labelledCpus(unique: readonly { key: string; value: string }[]): Resource {
  const labels = Array.from({ length: 11 }, (_, at) => ({ key: `key${at}`, value: `value${at}` }))
  return {
    name: 'cpus',
    type: 'SCALAR',
    scalar: { value: 8 },
    reservations: [
      { type: 'DYNAMIC', role: 'role1', principal: 'principal1', labels: { labels: [...labels, ...unique] } },
    ],
  }
}

/**
 * ResourceLabels: as DeclineOffers, but the CPUs in use are reserved with labels that differ from agent to agent. As in Mesos, both unique
 * labels go to the first reservation, and the reservations are in use though the agent's total does not name them.
 */
export function resourceLabels(size: Size): Stage[] {
  const cluster = new Cluster()
  const total = bagOf('cpus:24;mem:4096;disk:4096;ports:[31000-32000]')
  const plain = bagOf(`mem:2014;disk:1024;${fragmentedPorts()}`)
  const usedOf = (at: number): Resources => {
    const value = `value_${at}`
    const unique = [
      { key: 'unique_key_1', value },
      { key: 'unique_key_2', value },
    ]
    return plain.plus(Resources.fromProto([labelledCpus(unique), labelledCpus([])])).allocate('role1')
  }
  const frameworks = cluster.addFrameworks(size.frameworks, () => 'role1')
  const agents = cluster.addAgents(size.agents, sharedOut(size, total, usedOf))
  expect(agents.offers === size.agents, 'every new agent is offered')
  return [frameworks, agents, ...declineAll(cluster, size)]
}

function suppressing(size: Size): { cluster: Cluster; stages: Stage[] } {
  const cluster = new Cluster()
  const total = bagOf('cpus:24;mem:4096;disk:4096;ports:[31000-32000]')
  const used = bagOf(`cpus:16;mem:1024;disk:1024;${fragmentedPorts()}`).allocate('*')
  const frameworks = cluster.addFrameworks(size.frameworks, () => '*')
  const agents = cluster.addAgents(
    size.agents,
    sharedOut(size, total, () => used),
  )
  expect(agents.offers === size.agents, 'every new agent is offered')
  return { cluster, stages: [frameworks, agents] }
}

/** SuppressOffers: five batches, everything given back before each, a fifth of the frameworks more suppressed each time. */
export function suppressOffers(size: Size): Stage[] {
  const { cluster, stages } = suppressing(size)
  const each = Math.floor(size.frameworks / ROUNDS)
  let suppressed = 0
  const prepare = () => {
    cluster.giveBack()
    for (let at = 0; at < each; at++) cluster.allocator.suppress(`framework-${suppressed++}`)
  }
  const round = () => cluster.batch()
  const some = timed({ stage: 'cycle, some suppressed', rounds: ROUNDS - 1, round, prepare })
  expect(some.offers === size.agents, 'every agent is offered to those who are not suppressed')
  const all = timed({ stage: 'cycle, all suppressed', rounds: 1, round, prepare })
  const isOver = suppressed === size.frameworks
  expect(all.offers === (isOver ? 0 : size.agents), 'nothing is offered when all are suppressed')
  return [...stages, some, all]
}

/** ExtremeSuppressOffers: 99 of 100 frameworks are suppressed from the start. */
export function extremeSuppress(size: Size): Stage[] {
  const { cluster, stages } = suppressing(size)
  const suppressed = Math.floor(size.frameworks * 0.99)
  for (let at = 0; at < suppressed; at++) cluster.allocator.suppress(`framework-${at}`)
  const prepare = () => cluster.giveBack()
  const cycle = timed({ stage: 'cycle', rounds: ROUNDS, round: () => cluster.batch(), prepare })
  expect(cycle.offers === size.agents, 'every agent is offered to those who are not suppressed')
  return [...stages, cycle]
}

/** AllocatorBacklog: every framework revives when there is nothing left to offer; the event-driven runs they cause are one. */
export function allocatorBacklog(size: Size): Stage[] {
  const cluster = new Cluster()
  const total = bagOf('cpus:24;mem:4096;disk:4096;ports:[31000-32000]')
  const frameworks = cluster.addFrameworks(size.frameworks, () => '*')
  const agents = cluster.addAgents(size.agents, () => agentSpec(total))
  expect(agents.offers === size.agents, 'every new agent is offered')
  const revive = timed({
    stage: 'revives',
    rounds: 1,
    round: () => {
      for (let at = 0; at < size.frameworks; at++) cluster.allocator.revive(`framework-${at}`)
      return cluster.allocator.allocate(cluster.atMs)
    },
  })
  expect(revive.offers === 0, 'there is nothing left to offer')
  return [frameworks, agents, revive]
}

/** Metrics: every framework has a role of its own with quota; only the time to add them is the allocator's. */
export function quotaForEach(size: Size): Stage[] {
  const cluster = new Cluster()
  const quota = { cpus: 1, mem: 512, disk: 256 }
  const setQuota = timedOnce('set quota', () => {
    for (let at = 0; at < size.frameworks; at++) {
      cluster.allocator.setQuota(String(at), { guarantees: quota, limits: quota })
    }
  })
  const frameworks = cluster.addFrameworks(size.frameworks, String)
  const total = bagOf('cpus:16;mem:2048;disk:1024')
  const agents = cluster.addAgents(size.agents, () => agentSpec(total))
  expect(agents.offers >= size.frameworks, 'every role has its quota')
  return [setQuota, frameworks, agents]
}

/** PersistentVolumes, regular: everything is reserved for one role, each agent has a volume; six batches. */
export function persistentVolumes(size: Size): Stage[] {
  const cluster = new Cluster()
  const reserved = bagOf('cpus(test):24;mem(test):4096;disk(test):3072;ports(test):[31000-32000]')
  const used = bagOf(`cpus(test):16;mem(test):1024;disk(test):1024;${fragmentedPorts('(test)')}`).allocate('*')
  const specOf = (at: number): AgentSpec => {
    const volume = Resources.fromProto([
      {
        name: 'disk',
        type: 'SCALAR',
        scalar: { value: 1024 },
        reservations: [{ type: 'STATIC', role: 'test' }],
        disk: {
          persistence: { id: `id${at}` },
          volume: { mode: 'RW', container_path: `path${at}` },
        },
      },
    ])
    return agentSpec(reserved.plus(volume), new Map([[`framework-${at % size.frameworks}`, used]]))
  }
  const frameworks = cluster.addFrameworks(size.frameworks, () => 'test')
  const agents = cluster.addAgents(size.agents, specOf)
  const prepare = () => cluster.giveBack()
  const cycle = timed({ stage: 'cycle', rounds: ROUNDS + 1, round: () => cluster.batch(), prepare })
  expect(cycle.offers === size.agents, 'every agent is offered in every round')
  return [frameworks, agents, cycle]
}
