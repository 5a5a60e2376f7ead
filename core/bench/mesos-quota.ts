/**
 * The workloads LargeAndSmallQuota, NonQuotaVsQuota and MultiFrameworkAllocations of Mesos 1.11
 * (src/tests/hierarchical_allocator_benchmarks.cpp) and its UpdateAllocation (hierarchical_allocator_tests.cpp).
 */

import { randomSorter } from '../src/allocator/random-sorter.ts'
import { createRandom, nextInteger } from '../src/base/random.ts'
import { Resources } from '../src/resources/resources.ts'
import { ABILITIES, agentSpec, bagOf, Cluster, SEED } from './cluster.ts'
import { expect, type Stage, timed, timedOnce } from './stage.ts'

const AGENT = 'cpus:2;mem:2048;disk:2048'

/** Who goes first: by dominant resource fairness, or by chance. */
export type Order = 'drf' | 'random'

function clusterOf(order: Order): Cluster {
  if (order === 'drf') return new Cluster()
  return new Cluster({ roleSorter: randomSorter(SEED), frameworkSorter: randomSorter(SEED + 1) })
}

/** Two batches: the first gives everything away, the second finds nothing. */
function twoCycles(cluster: Cluster): [Stage, Stage] {
  const first = timed({ stage: 'cycle 1', rounds: 1, round: () => cluster.batch() })
  const second = timed({ stage: 'cycle 2', rounds: 1, round: () => cluster.batch() })
  expect(second.offers === 0, `nothing is left for a second cycle, but ${second.offers} offers are made`)
  return [first, second]
}

function addAgents(cluster: Cluster, count: number): Stage {
  const total = bagOf(AGENT)
  return cluster.addAgents(count, () => agentSpec(total))
}

function setQuota(cluster: Cluster, role: string, agents: number): void {
  const quota = { cpus: 2 * agents, mem: 2048 * agents, disk: 2048 * agents }
  cluster.allocator.setQuota(role, { guarantees: quota, limits: quota })
}

/** LargeAndSmallQuota: `small` roles are guaranteed half an agent each, `large` roles two agents; one framework a role. */
export function largeAndSmallQuota(size: { small: number; large: number; order?: Order }): Stage[] {
  const { small, large, order = 'drf' } = size
  const cluster = clusterOf(order)
  const agents = addAgents(cluster, small / 5 + large * 5)
  const roleOf = (at: number) => (at < small ? `small-${at}` : `large-${at - small}`)
  const frameworks = cluster.addFrameworks(small + large, roleOf)
  for (let at = 0; at < small; at++) setQuota(cluster, `small-${at}`, 0.5)
  for (let at = 0; at < large; at++) setQuota(cluster, `large-${at}`, 2)
  const [first, second] = twoCycles(cluster)
  expect(first.offers >= small + 2 * large, `every role is given its quota (${first.offers} offers)`)
  return [agents, frameworks, first, second]
}

/** NonQuotaVsQuota: two agents and two frameworks a role; with quota, a role is guaranteed two whole agents. */
export function nonQuotaVsQuota(size: { roles: number; isQuota: boolean; order?: Order }): Stage[] {
  const { roles, isQuota, order = 'drf' } = size
  const cluster = clusterOf(order)
  const agents = addAgents(cluster, roles * 2)
  const frameworks = cluster.addFrameworks(roles * 2, (at) => `role-${at >> 1}`)
  if (isQuota) for (let at = 0; at < roles; at++) setQuota(cluster, `role-${at}`, 2)
  const [first, second] = twoCycles(cluster)
  expect(first.offers === roles * 2, `every agent is offered as a whole (${first.offers} offers)`)
  return [agents, frameworks, first, second]
}

interface Profile {
  readonly count: number
  readonly name: string
  /** Otherwise all of them are in one role. */
  readonly isOwnRole: boolean
  readonly tasks: number
  readonly perOffer: number
  readonly task: string
}

const PROFILES: readonly Profile[] = [
  { count: 4, name: 'marathon', isOwnRole: true, tasks: 4000, perOffer: 100, task: 'cpus:0.07;mem:400' },
  { count: 500, name: 'jenkins', isOwnRole: false, tasks: 5, perOffer: 1, task: 'cpus:0.1;mem:4000' },
  { count: 50, name: 'spark-dispatcher', isOwnRole: true, tasks: 20, perOffer: 5, task: 'cpus:1;mem:1000' },
]

/** Batches after which MultiFrameworkAllocations gives up. */
const BATCHES_MAX = 10_000

/**
 * MultiFrameworkAllocations: 80 agents, 554 frameworks of three kinds; each offer is used at once, the rest goes back without a refusal,
 * until all 19,500 tasks are launched. `share` makes it smaller: that part of the tasks.
 *
 * The allocator runs with `passOn`: as Mesos decides, a framework that has launched all its tasks would be offered the same again for ever.
 */
export function multiFramework(share = 1): Stage[] {
  const cluster = new Cluster({ passOn: true })
  const total = bagOf('cpus:64;mem:488000')
  const agents = cluster.addAgents(80, () => agentSpec(total))
  const left = new Map<string, { tasks: number; readonly perOffer: number; readonly task: Resources }>()
  for (const { count, name, isOwnRole, tasks, perOffer, task } of PROFILES) {
    for (let at = 0; at < count; at++) {
      const role = isOwnRole ? `${name}-${at}` : name
      left.set(`${name}-${at}`, { tasks: Math.ceil(tasks * share), perOffer, task: bagOf(task).allocate(role) })
      const spec = { roles: [role], suppressedRoles: [], capabilities: ABILITIES, active: true }
      cluster.allocator.addFramework(`${name}-${at}`, spec)
    }
  }
  const wanted = [...left.values()].reduce((sum, { tasks }) => sum + tasks, 0)
  let [launched, batches] = [0, 0]
  const launch = (): void => {
    for (const { frameworkId, agentId, resources } of cluster.batch()) {
      const framework = left.get(frameworkId)!
      let rest = resources
      for (let at = 0; at < framework.perOffer && framework.tasks > 0 && rest.contains(framework.task); at++) {
        rest = rest.minus(framework.task)
        framework.tasks--
        launched++
      }
      cluster.allocator.recoverResources(frameworkId, agentId, rest, undefined, cluster.atMs)
    }
  }
  const all = timedOnce('all tasks', () => {
    for (; launched < wanted && batches < BATCHES_MAX; batches++) launch()
  })
  expect(launched === wanted, `all tasks are launched (${launched} of ${wanted})`)
  return [agents, { ...all, more: { launched, batches } }]
}

/** UpdateAllocation: one agent, `roles` × 4 labelled reservations, one framework a role; one of them unreserves and reserves again. */
export function updateAllocation({ roles }: { roles: number }): Stage[] {
  const cluster = new Cluster()
  const random = createRandom(SEED)
  const letters = () => Array.from({ length: 36 }, () => String.fromCharCode(97 + nextInteger(random, 26))).join('')
  const roleNames = Array.from({ length: roles }, () => `role-${letters()}`)
  const used = new Map<string, Resources>()
  let total = Resources.empty
  for (const [at, role] of roleNames.entries()) {
    const reservation = () => ({
      type: 'DYNAMIC' as const,
      role,
      labels: { labels: [{ key: 'Label', value: letters() }] },
    })
    const scalars = ['cpus', 'mem', 'disk'].map((name) => ({
      name,
      type: 'SCALAR' as const,
      scalar: { value: 100 },
      reservations: [reservation()],
    }))
    const ports = { name: 'ports', type: 'RANGES' as const, ranges: { range: [{ begin: 2, end: 2 }] } }
    const resources = Resources.fromProto([...scalars, { ...ports, reservations: [reservation()] }])
    total = total.plus(resources)
    used.set(`framework-${at}`, resources.allocate(role))
  }
  const frameworks = cluster.addFrameworks(roles, (at) => roleNames[at]!)
  const agents = cluster.addAgents(1, () => agentSpec(total, used))
  const reserved = used.get('framework-0')!
  const unreserved = reserved.toUnreserved()
  const convert = (stage: string, from: Resources, to: Resources) =>
    timedOnce(stage, () => cluster.allocator.updateAllocation('framework-0', 'agent-0', { from, to }))
  const stages: Stage[] = []
  for (let at = 0; at < 20; at++) {
    stages.push(convert('UNRESERVE', reserved, unreserved), convert('RESERVE', unreserved, reserved))
  }
  expect(cluster.batch().length === 0, 'everything is still held')
  return [frameworks, agents, ...stages]
}
