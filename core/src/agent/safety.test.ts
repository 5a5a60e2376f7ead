import type { Resource, TaskInfo, TaskState } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import fc from 'fast-check'
import { assert } from '../base/assert.ts'
import { isTerminal } from '../framework/task-states.ts'
import { CUSTOM, cpus, Rehearsal, taskInfo } from './rehearsal.ts'

// Rehearsal checks the invariants after each step; here are the things that happen, in any order.

const HAPPENINGS = [
  'run',
  'group',
  'slab',
  'mixed',
  'custom',
  'customGroup',
  'start',
  'exit',
  'fail',
  'kill',
  'pass',
  'subscribe',
  'unsubscribe',
  'report',
  'lose',
  'return',
  'shutdown',
  'shutdownFramework',
  'ack',
  'check',
  'nest',
  'drain',
  'estimate',
  'correct',
  'terminate',
] as const

const happening = fc.record({
  what: fc.constantFrom(...HAPPENINGS),
  id: fc.constantFrom('a', 'b', 'c'),
  at: fc.nat(7),
})
type Happening = typeof happening extends fc.Arbitrary<infer Value> ? Value : never

const COMMAND = { command: { value: 'x' } }
const HEALTH = { type: 'TCP' as const, tcp: { port: 1 }, delay_seconds: 1, grace_period_seconds: 0 }
const REPORTS: readonly TaskState[] = ['TASK_STARTING', 'TASK_RUNNING', 'TASK_FINISHED', 'TASK_KILLED', 'TASK_FAILED']

function launch(agent: Rehearsal, { what, id, at }: Happening): void {
  switch (what) {
    case 'run':
      if (at === 0) agent.run({ id, resources: [{ ...cpus(1), revocable: {}, allocation_info: { role: 'r' } }] })
      else agent.run({ id, max_completion_time: at > 3 ? { nanoseconds: 1e9 } : undefined, health_check: HEALTH })
      return
    case 'group':
      agent.group('g', [taskInfo(`${id}1`, COMMAND), taskInfo(`${id}2`, COMMAND)])
      return
    case 'slab':
      agent.group('g', [taskInfo(`${id}s`, {})])
      return
    case 'mixed':
      agent.group('g', [taskInfo(`${id}1`, COMMAND), taskInfo(`${id}s`, {})])
      return
    case 'custom':
      agent.run({ id: `${id}c`, command: undefined, executor: CUSTOM })
      return
    default: {
      const executor = { ...CUSTOM, type: 'CUSTOM' as const }
      const task_group = { tasks: [taskInfo(`${id}c`, {}), taskInfo(`${id}d`, {})] }
      const framework_info = { user: 'root', name: 'f', id: { value: 'F' } }
      agent.master({ type: 'RUN_TASK_GROUP', run_task_group: { framework_info, executor, task_group } })
    }
  }
}

function containerEvent(agent: Rehearsal, { what, at }: Happening): void {
  const containerId = [...agent.state.containers.keys()][at]
  if (containerId === undefined) return
  const owner = agent.state.containers.get(containerId)
  const pid = owner?.kind === 'task' ? owner.task.pid : owner?.kind === 'executor' ? owner.executor.pid : undefined
  if (what === 'start' && pid === undefined) agent.start(containerId)
  if (what === 'exit' && pid !== undefined) agent.exit(containerId, at % 2 === 0 ? 0 : 1 << 8)
  if (what === 'fail' && pid === undefined) agent.fail(containerId, 'launch', 'x')
}

function executorEvent(agent: Rehearsal, { what, id, at }: Happening): void {
  const streamId = [...agent.state.streams.keys()][0]
  if (what === 'subscribe') agent.subscribe()
  else if (what === 'report') agent.report(`${id}c`, REPORTS[at % REPORTS.length] ?? 'TASK_RUNNING')
  else if (streamId !== undefined) agent.post({ kind: 'executorStreamClosed', atMs: agent.atMs, streamId })
}

function masterEvent(agent: Rehearsal, { what, id, at }: Happening): void {
  const framework_id = { value: 'F' }
  switch (what) {
    case 'kill':
      agent.kill([id, `${id}1`, `${id}2`, `${id}s`, `${id}c`, `${id}d`][at % 6] ?? id, at * 500)
      return
    case 'lose':
      agent.post({ kind: 'linkClosed', atMs: agent.atMs, reason: 'lost' })
      return
    case 'return':
      agent.reconnect()
      return
    case 'shutdown': {
      const executor_id = { value: ['e', 'g', id][at % 3] ?? id }
      agent.master({ type: 'SHUTDOWN_EXECUTOR', shutdown_executor: { framework_id, executor_id } })
      return
    }
    case 'shutdownFramework':
      if (at === 0) agent.master({ type: 'SHUTDOWN_FRAMEWORK', framework_id })
      return
    case 'ack': {
      // A master acknowledges only what it was sent.
      if (agent.state.linkPhase !== 'registered') return
      const stream = [...(agent.state.frameworks.get('F')?.updates.values() ?? [])][at]
      const status = stream?.pending[0]
      if (status !== undefined) agent.acknowledge(status)
      return
    }
    case 'drain':
      if (at === 0) agent.master({ type: 'DRAIN', drain_config: {} })
      return
    default:
      if (at === 0) agent.post({ kind: 'terminate', atMs: agent.atMs })
  }
}

function happen(agent: Rehearsal, next: Happening): void {
  const { what, at } = next
  switch (what) {
    case 'run':
    case 'group':
    case 'slab':
    case 'mixed':
    case 'custom':
    case 'customGroup':
      return launch(agent, next)
    case 'start':
    case 'exit':
    case 'fail':
      return containerEvent(agent, next)
    case 'subscribe':
    case 'unsubscribe':
    case 'report':
      return executorEvent(agent, next)
    case 'pass':
      return agent.pass(at * 1_000)
    case 'estimate': {
      const resources: Resource[] = at > 6 ? [cpus(1)] : at > 0 ? [{ ...cpus(at), revocable: {} }] : []
      agent.post({ kind: 'estimated', atMs: agent.atMs, resources })
      return
    }
    case 'correct': {
      const executorId = ['e', 'g', next.id][at % 3] ?? next.id
      agent.post({ kind: 'corrected', atMs: agent.atMs, corrections: [{ frameworkId: 'F', executorId }] })
      return
    }
    case 'check':
      agent.check({ kind: 'tcp', succeeded: at > 4 })
      return
    case 'nest': {
      const parent = [...agent.state.containers.keys()][at]?.split('.')[0]
      if (parent === undefined) return
      const container_id = { value: 'n', parent: { value: parent } }
      agent.operator({ type: 'LAUNCH_NESTED_CONTAINER', launch_nested_container: { container_id } })
      agent.operator({ type: 'WAIT_CONTAINER', wait_container: { container_id } })
      return
    }
    default:
      return masterEvent(agent, next)
  }
}

const story = fc.array(happening, { maxLength: 60 })

/** Kills everything and lets containers obey; a custom executor may ignore a kill, but not its own end. */
function endAll(agent: Rehearsal): void {
  if (agent.state.linkPhase !== 'registered' && !agent.state.isTerminating) agent.reconnect()
  for (const { executors } of [...agent.state.frameworks.values()]) {
    for (const executor of [...executors.values()]) {
      for (const { info } of [...executor.tasks.values()]) agent.kill(info.task_id.value)
      const ids = { framework_id: { value: 'F' }, executor_id: { value: executor.executorId } }
      if (executor.kind === 'custom') agent.master({ type: 'SHUTDOWN_EXECUTOR', shutdown_executor: ids })
    }
  }
  obey(agent)
}

/** Containers do what they are told from now on. */
function obey(agent: Rehearsal): void {
  for (let round = 0; round < 50 && agent.state.containers.size > 0; round++) {
    for (const [containerId, owner] of [...agent.state.containers]) {
      const isAsked = agent.effects.some((effect) => 'containerId' in effect && isEnd(effect, containerId))
      if (!isAsked || !agent.state.containers.has(containerId)) continue
      const pid = owner.kind === 'task' ? owner.task.pid : owner.kind === 'executor' ? owner.executor.pid : undefined
      if (pid === undefined) agent.fail(containerId, 'launch', 'destroyed')
      else agent.exit(containerId, 9)
    }
    agent.pass(1_000)
  }
}

function isEnd(effect: { readonly kind: string; readonly containerId: string }, containerId: string): boolean {
  const isParent = containerId === effect.containerId || containerId.startsWith(`${effect.containerId}.`)
  return effect.kind === 'destroyContainer' && isParent
}

test('safety_ whatever happens, streams stay in order, sums are right and nothing is lost of sight', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(story, (happenings) => {
        const agent = new Rehearsal()
        for (const next of happenings) happen(agent, next)
      }),
      { numRuns: 500 },
    ),
  )
})

test('safety_ each container is launched once, and started for one thing only', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(story, (happenings) => {
        const agent = new Rehearsal()
        for (const next of happenings) happen(agent, next)
        return new Set(agent.launched).size === agent.launched.length
      }),
      { numRuns: 200 },
    ),
  )
})

test('liveness_ every task ends after a kill, and its container with it', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(story, (happenings) => {
        const agent = new Rehearsal()
        for (const next of happenings) happen(agent, next)
        endAll(agent)
        agent.statuses()
        const left = [...agent.state.containers.values()].filter(({ kind }) => kind !== 'operator')
        return left.length === 0 && (agent.state.isTerminating || agent.state.frameworks.size === 0)
      }),
      { numRuns: 300 },
    ),
  )
})

test('liveness_ an agent that is told to end does so, and leaves nothing behind', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(story, (happenings) => {
        const agent = new Rehearsal()
        for (const next of happenings) happen(agent, next)
        agent.post({ kind: 'terminate', atMs: agent.atMs })
        obey(agent)
        agent.pass(2_000)
        return agent.kinds('exit').length === 1 && agent.state.containers.size === 0
      }),
      { numRuns: 300 },
    ),
  )
})

test('liveness_ whoever launches a task hears of its end, as long as the framework and the agent are there', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(story, (happenings) => {
        const agent = new Rehearsal()
        const asked = new Set<string>()
        for (const next of happenings) {
          if (next.what === 'shutdownFramework' || next.what === 'terminate') continue
          happen(agent, next)
          for (const { task_id } of launchedBy(next)) asked.add(task_id.value)
        }
        endAll(agent)
        const ended = new Set<string>()
        for (const { task_id, state } of agent.statuses()) if (isTerminal(state)) ended.add(task_id.value)
        for (const id of asked) assert(ended.has(id), `an end of ${id} was told`)
      }),
      { numRuns: 300 },
    ),
  )
})

function launchedBy({ what, id }: Happening): TaskInfo[] {
  const ids: Partial<Record<Happening['what'], readonly string[]>> = {
    run: [id],
    group: [`${id}1`, `${id}2`],
    slab: [`${id}s`],
    custom: [`${id}c`],
  }
  return (ids[what] ?? []).map((taskId) => taskInfo(taskId, {}))
}
