import type { FrameworkInfo, Resource } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import { agentMetrics } from '../io/observe/agent-metrics.ts'
import { CUSTOM, cpus, FRAMEWORK, Rehearsal, taskInfo } from './rehearsal.ts'

const ROLE = { allocation_info: { role: 'r' } }
const AWARE: FrameworkInfo = { ...FRAMEWORK, capabilities: [{ type: 'PARTITION_AWARE' }] }

function revocable(value: number): Resource {
  return { ...cpus(value), revocable: {} }
}

function estimate(agent: Rehearsal, ...resources: Resource[]): void {
  agent.post({ kind: 'estimated', atMs: agent.atMs, resources })
}

function correct(agent: Rehearsal, executorId: string, more: { containerId?: string; message?: string } = {}): void {
  const corrections = [{ frameworkId: 'F', executorId, ...more }]
  agent.post({ kind: 'corrected', atMs: agent.atMs, corrections })
}

/** The cpus the master was told of, each time. */
function told(agent: Rehearsal): (number | undefined)[] {
  const messages = agent.told.filter(({ type }) => type === 'UPDATE_RESOURCES')
  return messages.map(({ update_resources }) => update_resources?.resources?.[0]?.scalar?.value)
}

test('the master is told of an estimate when it changes', (t) => {
  const agent = new Rehearsal()
  estimate(agent, revocable(1))
  estimate(agent, revocable(0.5), revocable(0.5))
  estimate(agent, revocable(2))
  estimate(agent)
  t.deepEqual(told(agent), [1, 2, undefined])
  t.deepEqual(agent.told[0]?.update_resources?.resources, [revocable(1)])
})

test('a container on revocable cpus is known by that', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 'a', resources: [{ ...revocable(1.5), ...ROLE }] })
  agent.run({ id: 'b', resources: [{ ...cpus(1.5), ...ROLE }] })
  const given = agent.kinds('launchContainer').map(({ spec }) => spec.resources)
  t.deepEqual(given, [
    { cpusMilli: 1600, memoryMb: 32, isRevocable: true },
    { cpusMilli: 1600, memoryMb: 32 },
  ])
})

test('what is in use revocably is added to the estimate, without its role', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 'a', resources: [{ ...revocable(1.5), ...ROLE }] })
  agent.run({ id: 'b', resources: [{ ...cpus(1), ...ROLE }] })
  estimate(agent, revocable(1))
  t.deepEqual(agent.told.at(-1)?.update_resources?.resources, [revocable(2.5)])
  t.is(agentMetrics(agent.state, 0)['slave/cpus_revocable_total'], 2.5)
  t.is(agentMetrics(agent.state, 0)['slave/cpus_revocable_used'], 1.5)
  t.is(agentMetrics(agent.state, 0)['slave/cpus_total'], 4)
})

const bad: readonly { name: string; resource: Resource }[] = [
  { name: 'not revocable', resource: cpus(1) },
  { name: 'negative', resource: revocable(-1) },
  { name: 'reserved', resource: { ...revocable(1), reservations: [{ type: 'DYNAMIC', role: 'r' }] } },
  { name: 'of a role', resource: { ...revocable(1), role: 'r' } },
]
for (const { name, resource } of bad) {
  test(`an estimate that is ${name} is ignored, with a note`, (t) => {
    const agent = new Rehearsal()
    estimate(agent, revocable(1))
    estimate(agent, revocable(2), resource)
    t.deepEqual(told(agent), [1])
    t.is(agent.kinds('note').at(-1)?.level, 'warn')
  })
}

test('an estimate made without a link is told after the registration, which holds it too', (t) => {
  const agent = new Rehearsal()
  agent.post({ kind: 'linkClosed', atMs: agent.atMs, reason: 'lost' })
  estimate(agent, revocable(1))
  t.deepEqual(told(agent), [])
  agent.reconnect()
  t.deepEqual(told(agent), [1])
  const { message } = agent.kinds('openLink').at(-1)!
  t.true(message.reregister?.resources?.some((one) => one.revocable !== undefined && one.scalar?.value === 1))
})

const ends = [
  { name: 'TASK_LOST', framework: FRAMEWORK },
  { name: 'TASK_GONE, for a framework that knows of partitions,', framework: AWARE },
]
for (const { name, framework } of ends) {
  test(`a correction ends a command task with ${name} and without a grace`, (t) => {
    const agent = new Rehearsal()
    agent.run({ id: 'a' }, framework)
    agent.start(agent.lastLaunched)
    agent.statuses()
    agent.effects.length = 0
    correct(agent, 'a')
    t.deepEqual(agent.kinds('destroyContainer'), [
      { kind: 'destroyContainer', containerId: [...agent.state.containers.keys()][0]! },
    ])
    t.is(agent.kinds('signalContainer').length, 0)
    agent.exit(agent.kinds('destroyContainer')[0]!.containerId, 9)
    const [status] = agent.statuses()
    t.is(status?.state, name.split(',')[0] as 'TASK_LOST')
    t.is(status?.reason, 'REASON_CONTAINER_PREEMPTED')
    t.is(status?.source, 'SOURCE_AGENT')
    t.is(status?.message, 'Container preempted by QoS correction')
    t.is(agentMetrics(agent.state, 0)['slave/executors_preempted'], 1)
  })
}

test('a correction ends every task of a group, those without a process too', (t) => {
  const agent = new Rehearsal()
  agent.group('g', [
    taskInfo('a', { command: { value: 'x' } }),
    taskInfo('b', { command: { value: 'x' } }),
    taskInfo('c', {}),
  ])
  const [first, second] = agent.launched
  agent.start(first!)
  agent.start(second!)
  agent.statuses()
  agent.effects.length = 0
  correct(agent, 'g', { message: 'busy' })
  agent.exit(first!, 9)
  agent.exit(second!, 9)
  t.deepEqual(
    agent.statuses().map(({ task_id, state, message }) => `${task_id.value} ${state} ${message}`),
    ['c TASK_LOST busy', 'a TASK_LOST busy', 'b TASK_LOST busy'],
  )
  t.is(agent.state.frameworks.size, 0)
})

test('a correction ends an executor that has only tasks without a process', (t) => {
  const agent = new Rehearsal()
  agent.group('g', [taskInfo('c', {})])
  correct(agent, 'g')
  t.true(agent.states().includes('c TASK_LOST'))
  t.is(agent.state.frameworks.size, 0)
})

test('a correction ends a custom executor with the tasks it runs and those it was not told of', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 'a', command: undefined, executor: CUSTOM })
  agent.start(agent.lastLaunched)
  correct(agent, 'e')
  agent.exit(agent.lastLaunched, 9)
  const [status] = agent.statuses()
  t.is(status?.state, 'TASK_LOST')
  t.is(status?.reason, 'REASON_CONTAINER_PREEMPTED')
})

test('a correction of what is not there, is another run, or ends already is ignored', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 'a' })
  agent.start(agent.lastLaunched)
  agent.effects.length = 0
  correct(agent, 'b')
  correct(agent, 'a', { containerId: 'another' })
  t.is(agent.kinds('destroyContainer').length, 0)
  correct(agent, 'a', { containerId: agent.state.frameworks.get('F')!.executors.get('a')!.containerId })
  correct(agent, 'a')
  t.is(agent.kinds('destroyContainer').length, 1)
  t.is(agent.state.counters.executorsPreempted, 1)
})
