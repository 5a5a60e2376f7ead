import test from 'ava'
import { step } from './agent.ts'
import type { AgentEffect } from './effects.ts'
import { AGENT_CAPABILITIES, AGENT_DEFAULTS, type AgentOptions } from './options.ts'
import { CUSTOM, FRAMEWORK, REGISTERED, Rehearsal, taskInfo } from './rehearsal.ts'
import { createAgent } from './state.ts'

const OPTIONS: AgentOptions = {
  ...AGENT_DEFAULTS,
  info: { hostname: 'host' },
  version: '1.0.0',
  address: { hostname: 'host', ip: '127.0.0.1', port: 5051 },
  capabilities: AGENT_CAPABILITIES,
  workDir: '/work',
  seed: 7,
  startedAtMs: 0,
}

function registerTimer(effects: readonly AgentEffect[]): number {
  for (const effect of effects) if (effect.kind === 'setTimer' && effect.timer.kind === 'register') return effect.atMs
  return -1
}

test('the pause before each attempt is random, below a limit that doubles from 1 s up to a minute', (t) => {
  const state = createAgent(OPTIONS)
  let atMs = 0
  let effects = step(state, { kind: 'masterDetected', atMs })
  const pauses: number[] = []
  for (let attempt = 0; attempt < 12; attempt++) {
    const dueAtMs = registerTimer(effects)
    pauses.push(dueAtMs - atMs)
    t.true(dueAtMs - atMs >= 0 && dueAtMs - atMs <= Math.min(1_000 * 2 ** attempt, 60_000))
    atMs = dueAtMs
    const opened = step(state, { kind: 'timerFired', atMs, timer: { kind: 'register' } })
    t.deepEqual(
      opened.map(({ kind }) => kind),
      ['setTimer', 'openLink'],
    )
    effects = step(state, { kind: 'linkClosed', atMs, reason: 'refused' })
  }
  t.true(Math.max(...pauses) > 10_000)
})

test('the first link says REGISTER with who the agent is, later ones REREGISTER with its id', (t) => {
  const agent = new Rehearsal()
  agent.post({ kind: 'linkClosed', atMs: agent.atMs, reason: 'reset' })
  agent.pass(1_000)
  const message = agent.kinds('openLink').at(-1)?.message
  t.is(message?.type, 'REREGISTER')
  t.is(message?.reregister?.agent_info.id?.value, 'A')
  const fresh = createAgent(OPTIONS)
  step(fresh, { kind: 'masterDetected', atMs: 0 })
  const effects = step(fresh, { kind: 'timerFired', atMs: 1_000, timer: { kind: 'register' } })
  t.deepEqual(effects.at(-1), {
    kind: 'openLink',
    message: {
      type: 'REGISTER',
      register: {
        agent_info: OPTIONS.info,
        version: '1.0.0',
        capabilities: AGENT_CAPABILITIES,
        address: OPTIONS.address,
      },
    },
  })
})

test('re-registration tells frameworks, executors but those of command tasks, and tasks with what the master knows of them', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 'running' })
  agent.start(agent.lastLaunched)
  agent.run({ id: 'ended' })
  agent.start(agent.lastLaunched)
  agent.exit(agent.lastLaunched, 0)
  agent.run({ id: 'custom', command: undefined, executor: CUSTOM })
  agent.post({ kind: 'linkClosed', atMs: agent.atMs, reason: 'reset' })
  agent.pass(1_000)
  const told = agent.kinds('openLink').at(-1)?.message.reregister
  t.deepEqual(told?.frameworks, [FRAMEWORK])
  t.deepEqual(
    told?.executors?.map(({ executor_id, framework_id }) => [executor_id.value, framework_id?.value]),
    [['e', 'F']],
  )
  t.deepEqual(
    told?.tasks?.map(({ task_id, state, status_update_state, executor_id }) => [
      task_id.value,
      state,
      status_update_state,
      executor_id?.value,
    ]),
    [
      ['ended', 'TASK_FINISHED', 'TASK_STARTING', undefined],
      ['running', 'TASK_RUNNING', 'TASK_STARTING', undefined],
      ['custom', 'TASK_STAGING', undefined, 'e'],
    ],
  )
})

test('each PING is answered, and without one for the time the master told the link is opened anew', (t) => {
  const agent = new Rehearsal()
  const given = REGISTERED.registered
  if (given === undefined) return t.fail()
  agent.master({ type: 'REREGISTERED', registered: { ...given, total_ping_timeout_seconds: 75 } })
  agent.pass(74_000)
  t.deepEqual(agent.master({ type: 'PING' }), [{ kind: 'sendToMaster', message: { type: 'PONG' } }])
  agent.pass(74_999)
  t.is(agent.kinds('closeLink').length, 0)
  agent.pass(1)
  t.is(agent.kinds('closeLink').length, 1)
  agent.pass(1_000)
  t.is(agent.kinds('openLink').at(-1)?.message.type, 'REREGISTER')
})

test('a link that nobody answers is given up', (t) => {
  const state = createAgent(OPTIONS)
  step(state, { kind: 'masterDetected', atMs: 0 })
  step(state, { kind: 'timerFired', atMs: 10, timer: { kind: 'register' } })
  const effects = step(state, { kind: 'timerFired', atMs: 75_010, timer: { kind: 'pingTimeout' } })
  t.true(effects.some(({ kind }) => kind === 'closeLink'))
  t.true(registerTimer(effects) >= 75_010)
})

test('a framework that is shut down takes its tasks with it and nobody is told', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 't' })
  agent.start(agent.lastLaunched)
  const count = agent.told.length
  agent.master({ type: 'SHUTDOWN_FRAMEWORK', framework_id: { value: 'F' } })
  agent.run({ id: 'late' })
  agent.pass(60_000)
  agent.exit(agent.lastLaunched, 15)
  t.is(agent.told.length, count)
  t.is(agent.state.frameworks.size, 0)
  t.is(agent.launched.length, 1)
})

test('a framework is completed with its last acknowledgement, and keeps its history when it returns', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 't' })
  agent.start(agent.lastLaunched)
  agent.exit(agent.lastLaunched, 0)
  t.is(agent.state.frameworks.size, 1)
  agent.states()
  t.is(agent.state.frameworks.size, 0)
  t.is(agent.state.completedFrameworks.length, 1)
  agent.run({ id: 'u' }, { ...FRAMEWORK, name: 'renamed' })
  t.is(agent.state.completedFrameworks.length, 0)
  t.is(agent.state.frameworks.get('F')?.info.name, 'renamed')
  t.is(agent.state.frameworks.get('F')?.completedExecutors.length, 1)
})

test('UPDATE_FRAMEWORK changes what executors and pages are told of a framework', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 't' })
  agent.master({ type: 'UPDATE_FRAMEWORK', framework_info: { ...FRAMEWORK, name: 'new' } })
  t.is(agent.state.frameworks.get('F')?.info.name, 'new')
})

test('a kill of a task that never arrived is answered, so that nobody waits for it', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 't' })
  agent.kill('lost')
  agent.kill('lost')
  t.deepEqual(
    agent.statuses().map(({ task_id, state, message }) => [task_id.value, state, message]),
    [['lost', 'TASK_LOST', 'Cannot find executor']],
  )
})

test('messages about frameworks, executors and tasks that are not here change nothing', (t) => {
  const agent = new Rehearsal()
  const framework_id = { value: 'X' }
  const executor_id = { value: 'x' }
  agent.master({ type: 'KILL_TASK', kill_task: { framework_id, task_id: { value: 't' } } })
  agent.master({ type: 'SHUTDOWN_EXECUTOR', shutdown_executor: { framework_id, executor_id } })
  agent.master({ type: 'SHUTDOWN_FRAMEWORK', framework_id })
  agent.master({ type: 'UPDATE_FRAMEWORK', framework_info: { ...FRAMEWORK, id: framework_id } })
  agent.master({ type: 'RUN_TASK' })
  agent.master({})
  agent.start('nobody')
  agent.exit('nobody', 0)
  agent.fail('nobody', 'launch', '')
  agent.post({ kind: 'executorStreamClosed', atMs: agent.atMs, streamId: 'nobody' })
  // Whatever the launcher tells of is done with.
  t.deepEqual(agent.kinds('releaseContainer').length, 1)
  t.true(agent.effects.every(({ kind }) => kind === 'note' || kind === 'releaseContainer'))
  t.is(agent.state.frameworks.size, 0)
})

test('terminate ends every task; after the acknowledgements the agent takes leave and the program ends', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 't' })
  agent.start(agent.lastLaunched)
  agent.post({ kind: 'terminate', atMs: agent.atMs })
  agent.run({ id: 'late' })
  t.is(agent.launched.length, 1)
  t.is(agent.kinds('exit').length, 0)
  agent.exit(agent.lastLaunched, 15)
  t.is(agent.kinds('exit').length, 0)
  t.deepEqual(agent.states().at(-1), 't TASK_KILLED')
  t.is(agent.told.at(-1)?.type, 'UNREGISTER')
  t.is(agent.effects.at(-1)?.kind, 'exit')
})

test('an agent that ends waits a second for acknowledgements, and for containers as long as they take', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 't' })
  agent.start(agent.lastLaunched)
  agent.post({ kind: 'terminate', atMs: agent.atMs })
  agent.pass(60_000)
  t.is(agent.kinds('exit').length, 0)
  agent.exit(agent.lastLaunched, 9)
  agent.pass(1_000)
  t.is(agent.kinds('exit').length, 1)
  agent.pass(60_000)
  t.is(agent.kinds('exit').length, 1)
})

test('an agent with nothing to end, or without a master, ends at once', (t) => {
  const idle = new Rehearsal()
  idle.post({ kind: 'terminate', atMs: idle.atMs })
  t.is(idle.effects.at(-1)?.kind, 'exit')
  const alone = new Rehearsal()
  alone.group('e', [taskInfo('slab', {})])
  alone.post({ kind: 'linkClosed', atMs: alone.atMs, reason: 'gone' })
  alone.post({ kind: 'terminate', atMs: alone.atMs })
  t.is(alone.effects.at(-1)?.kind, 'exit')
  t.false(alone.told.some(({ type }) => type === 'UNREGISTER'))
})

test('SHUTDOWN from the master is like a terminate', (t) => {
  const agent = new Rehearsal()
  agent.master({ type: 'SHUTDOWN', reason: 'gone' })
  t.is(agent.kinds('exit').length, 1)
})
