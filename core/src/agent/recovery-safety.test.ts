import type { TaskInfo, TaskState } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import fc from 'fast-check'
import { assert } from '../base/assert.ts'
import { recover } from './recovery.ts'
import { CUSTOM, REGISTERED, taskInfo } from './rehearsal.ts'
import { CHECKPOINTING, CrashRehearsal } from './rehearsal-crashes.ts'
import { snapshot } from './snapshot.ts'

// An agent that may die between any two effects. CrashRehearsal checks what launcher, master and executors see; here is what happens.

const HAPPENINGS = [
  'run',
  'run',
  'group',
  'slab',
  'custom',
  'custom',
  'customGroup',
  'start',
  'start',
  'start',
  'start',
  'exit',
  'fail',
  'kill',
  'pass',
  'resubscribe',
  'resubscribe',
  'tell',
  'tell',
  'cut',
  'return',
  'return',
  'shutdown',
  'shutdownFramework',
  'acknowledge',
  'acknowledge',
  'check',
  'drain',
  'crash',
  'crash',
  'crash',
] as const

const happening = fc.record({
  what: fc.constantFrom(...HAPPENINGS),
  id: fc.constantFrom('a', 'b', 'c'),
  at: fc.nat(11),
})
type Happening = typeof happening extends fc.Arbitrary<infer Value> ? Value : never

const COMMAND = { command: { value: 'x' } }
const HEALTH = { type: 'TCP' as const, tcp: { port: 1 }, delay_seconds: 1, grace_period_seconds: 0 }
const REPORTS: readonly TaskState[] = ['TASK_STARTING', 'TASK_RUNNING', 'TASK_FINISHED', 'TASK_RUNNING', 'TASK_FAILED']

function idOf({ id, at }: Happening): string {
  return [id, `${id}1`, `${id}2`, `${id}s`, `${id}c`, `${id}d`][at % 6] ?? id
}

function happen(agent: CrashRehearsal, next: Happening): void {
  const { what, id, at } = next
  const framework_id = { value: 'F' }
  switch (what) {
    case 'run': {
      const limit = at > 8 ? { nanoseconds: 2e9 } : undefined
      agent.run({ id, max_completion_time: limit, health_check: at > 5 ? HEALTH : undefined }, CHECKPOINTING)
      return
    }
    case 'group':
    case 'slab':
    case 'custom':
    case 'customGroup':
      return launch(agent, what, id)
    case 'start':
    case 'exit':
    case 'fail':
      return containerEvent(agent, next)
    case 'kill':
      agent.kill(idOf(next), at * 500)
      return
    case 'pass':
      return agent.pass(at * 1_000)
    case 'resubscribe':
      return agent.resubscribe()
    case 'tell':
      return agent.tell(`${id}${at > 2 ? 'c' : 'd'}`, REPORTS[at % REPORTS.length] ?? 'TASK_RUNNING')
    case 'cut': {
      const streamId = [...agent.state.streams.keys()][0]
      if (streamId !== undefined) agent.cut(streamId)
      return
    }
    case 'return':
      return agent.reconnect()
    case 'shutdown':
      agent.master({
        type: 'SHUTDOWN_EXECUTOR',
        shutdown_executor: { framework_id, executor_id: { value: at > 5 ? 'e' : 'g' } },
      })
      return
    case 'shutdownFramework':
      if (at === 0) agent.master({ type: 'SHUTDOWN_FRAMEWORK', framework_id })
      return
    case 'acknowledge':
      return agent.acknowledgeNewest(idOf(next))
    case 'check':
      agent.check({ kind: 'tcp', succeeded: at > 4 })
      return
    case 'drain':
      if (at === 0) agent.master({ type: 'DRAIN', drain_config: {} })
      return
    case 'crash':
      return agent.doom(at)
    default:
      what satisfies never
  }
}

function launch(agent: CrashRehearsal, what: 'group' | 'slab' | 'custom' | 'customGroup', id: string): void {
  if (what === 'group') agent.group('g', [taskInfo(`${id}1`, COMMAND), taskInfo(`${id}2`, COMMAND)], CHECKPOINTING)
  else if (what === 'slab') agent.group('g', [taskInfo(`${id}s`, {})], CHECKPOINTING)
  else if (what === 'custom') agent.run({ id: `${id}c`, command: undefined, executor: CUSTOM }, CHECKPOINTING)
  else {
    const executor = { ...CUSTOM, type: 'CUSTOM' as const }
    const tasks: TaskInfo[] = [taskInfo(`${id}c`, {}), taskInfo(`${id}d`, {})]
    const run_task_group = { framework_info: CHECKPOINTING, executor, task_group: { tasks } }
    agent.master({ type: 'RUN_TASK_GROUP', run_task_group })
  }
}

function containerEvent(agent: CrashRehearsal, { what, at }: Happening): void {
  const containerId = [...agent.kept.keys()][at % Math.max(1, agent.kept.size)]
  if (containerId === undefined) return
  if (what === 'start') agent.start(containerId)
  else if (what === 'exit') agent.exit(containerId, at % 2 === 0 ? 0 : 1 << 8)
  else agent.fail(containerId, 'launch', 'x')
}

// Long ones are wanted: what is told in a few words has hardly a crash in it.
const story = fc.array(happening, { minLength: 10, maxLength: 60, size: 'max' })

function tell(happenings: readonly Happening[]): CrashRehearsal {
  const agent = new CrashRehearsal()
  for (const next of happenings) happen(agent, next)
  return agent
}

/** Nobody dies any more; everybody gets what he waits for. */
function settle(agent: CrashRehearsal): void {
  agent.doom(Number.POSITIVE_INFINITY)
  for (let round = 0; round < 60; round++) {
    agent.resubscribe()
    if (agent.state.linkPhase !== 'registered') agent.reconnect()
    for (const [containerId, { pid }] of [...agent.kept]) if (pid === undefined) agent.start(containerId)
    for (const taskId of [...agent.newest.keys()]) agent.acknowledgeNewest(taskId)
    agent.pass(1_000)
  }
}

function checkLauncher(agent: CrashRehearsal): void {
  const known = [...agent.state.containers.keys()].sort().join()
  assert(known === [...agent.kept.keys()].sort().join(), `the launcher has [${[...agent.kept.keys()]}], not [${known}]`)
  assert(agent.ended.size === 0, 'nothing that has ended is kept')
}

test('safety_ an agent may die between any two effects: nothing is launched twice, told out of order or told again', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(story, (happenings) => void tell(happenings)),
      { numRuns: 100 },
    ),
  )
})

test('safety_ the records say at any time what the agent knows', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(story, (happenings) => tell(happenings).checkJournal()),
      { numRuns: 50 },
    ),
  )
})

test('liveness_ after quiet time the agent and its launcher agree, and every update has arrived', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(story, (happenings) => {
        const agent = tell(happenings.filter(({ what }) => what !== 'shutdownFramework'))
        settle(agent)
        checkLauncher(agent)
        agent.checkJournal()
        assert(agent.untold.length === 0, `updates of [${agent.untold}] have arrived`)
      }),
      { numRuns: 50 },
    ),
  )
})

test('liveness_ everything can be ended after any crashes, and leaves no records but sandboxes', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(story, (happenings) => {
        const agent = tell(happenings)
        settle(agent)
        agent.master({ ...REGISTERED, type: 'REREGISTERED' })
        agent.master({ type: 'SHUTDOWN_FRAMEWORK', framework_id: { value: 'F' } })
        agent.pass(60_000)
        checkLauncher(agent)
        const left = snapshot(recover(agent.readJournal())).filter(({ kind }) => kind !== 'sandbox')
        assert(left.length === 0, `nothing is left, not ${left.map(({ kind }) => kind)}`)
        return agent.kept.size === 0 && agent.state.frameworks.size === 0
      }),
      { numRuns: 40 },
    ),
  )
})
