import { encode } from '@isthmus/proto/codec'
import test from 'ava'
import type { AgentEffect } from './effects.ts'
import type { EndedContainer, RunningContainer } from './events.ts'
import type { AgentOptions } from './options.ts'
import { type AgentRecord, decodeRecord, encodeRecord, RECORD_VERSION } from './records.ts'
import { recover } from './recovery.ts'
import { CUSTOM, FRAMEWORK, Rehearsal, rehearsedOptions, taskInfo, uuid } from './rehearsal.ts'
import { createAgent } from './state.ts'

const CHECKPOINTING = { ...FRAMEWORK, checkpoint: true }
const AWARE = { ...CHECKPOINTING, capabilities: [{ type: 'PARTITION_AWARE' as const }] }

function recordsOf(effects: readonly AgentEffect[]): AgentRecord[] {
  return effects.flatMap((effect) => (effect.kind === 'record' ? effect.records : []))
}

/** The next life of an agent: what it recorded, and what its launcher found. */
function restart(
  old: Rehearsal,
  found: { readonly running?: readonly RunningContainer[]; readonly ended?: readonly EndedContainer[] },
  more: Partial<AgentOptions> = {},
): Rehearsal {
  const agent = new Rehearsal()
  const options = rehearsedOptions()
  const info = { ...options.info, id: { value: 'A' } }
  const recovered = recover(recordsOf(old.effects))
  agent.atMs = old.atMs + 500
  agent.state = createAgent({ ...options, seed: 99, ...more, info, recovered })
  agent.forgetTimers()
  agent.post({ kind: 'masterDetected', atMs: agent.atMs })
  const { running = [], ended = [] } = found
  agent.post({ kind: 'containersFound', atMs: agent.atMs, running, ended })
  return agent
}

function told(agent: Rehearsal): string[] {
  agent.pass(2_000)
  agent.reconnect()
  return agent
    .statuses()
    .map(({ task_id, state, reason, message, source }) => [task_id.value, state, reason, message, source].join(' '))
}

test('records stand before what they make known, and only for checkpointing frameworks', (t) => {
  const agent = new Rehearsal()
  t.deepEqual(
    agent
      .run({ id: 'a' }, CHECKPOINTING)
      .map((effect) => (effect.kind === 'record' ? effect.records.map(({ kind }) => kind) : effect.kind)),
    [['framework', 'executor', 'task'], 'launchContainer'],
  )
  const id = agent.lastLaunched
  t.deepEqual(
    agent.start(id).map((effect) => (effect.kind === 'record' ? effect.records.map(({ kind }) => kind) : effect.kind)),
    [['task_started', 'update'], 'sendToMaster', ['update']],
  )
  t.deepEqual(agent.exit(id, 0).at(-1), { kind: 'releaseContainer', containerId: id })
  const other = new Rehearsal()
  other.run({ id: 'a' })
  other.start(other.lastLaunched)
  other.exit(other.lastLaunched, 0)
  t.deepEqual(recordsOf(other.effects), [])
})

const RAN = { containerId: '', waitStatus: 0 }
for (const { name, isStarted, end, isRebooted, framework = CHECKPOINTING, expected } of [
  {
    name: 'exited with 0',
    isStarted: true,
    end: RAN,
    expected: 'TASK_FINISHED  Command exited with status 0 SOURCE_EXECUTOR',
  },
  {
    name: 'exited with 3',
    isStarted: true,
    end: { containerId: '', waitStatus: 3 << 8 },
    expected: 'TASK_FAILED  Command exited with status 3 SOURCE_EXECUTOR',
  },
  {
    name: 'started and ended after the last record',
    isStarted: false,
    end: RAN,
    expected: 'TASK_FINISHED  Command exited with status 0 SOURCE_EXECUTOR',
  },
  {
    name: 'used too much memory',
    isStarted: true,
    end: { containerId: '', waitStatus: 9, limitation: { kind: 'memory' as const, message: 'too much' } },
    expected: 'TASK_FAILED REASON_CONTAINER_LIMITATION_MEMORY too much SOURCE_AGENT',
  },
  {
    name: 'is not known to the launcher',
    isStarted: true,
    expected: 'TASK_FAILED REASON_EXECUTOR_TERMINATED Abnormal executor termination: unknown container SOURCE_AGENT',
  },
  {
    name: 'was there before a reboot',
    isStarted: false,
    isRebooted: true,
    expected: 'TASK_FAILED REASON_EXECUTOR_TERMINATED Abnormal executor termination: unknown container SOURCE_AGENT',
  },
  {
    name: 'never started',
    isStarted: false,
    expected: 'TASK_LOST REASON_AGENT_RESTARTED Task launched during agent restart SOURCE_AGENT',
  },
  {
    name: 'never started, of a partition-aware framework',
    isStarted: false,
    framework: AWARE,
    expected: 'TASK_DROPPED REASON_AGENT_RESTARTED Task launched during agent restart SOURCE_AGENT',
  },
] as const satisfies readonly {
  name: string
  isStarted: boolean
  end?: EndedContainer
  isRebooted?: boolean
  framework?: typeof CHECKPOINTING
  expected: string
}[]) {
  test(`what becomes of a task that ${name}`, (t) => {
    const old = new Rehearsal()
    old.run({ id: 'a' }, framework)
    const containerId = old.lastLaunched
    if (isStarted) old.start(containerId)
    const agent = restart(old, { ended: end === undefined ? [] : [{ ...end, containerId }] }, { isRebooted })
    t.is(told(agent).at(-1), `a ${expected}`)
    t.is(agent.kinds('releaseContainer').length, end === undefined ? 0 : 1)
    t.is(agent.state.frameworks.size, 0)
  })
}

test('of a group that ended meanwhile each task has its own end', (t) => {
  const old = new Rehearsal()
  const command = { command: { value: 'x' } }
  old.group('g', [taskInfo('a', command), taskInfo('b', command), taskInfo('c', command)], CHECKPOINTING)
  const [a = '', b = '', c = ''] = old.launched
  for (const id of [a, b, c]) old.start(id)
  old.statuses()
  const ended = [
    { containerId: a, waitStatus: 256 },
    { containerId: b, waitStatus: 0 },
  ]
  const agent = restart(old, { ended, running: [{ containerId: c, pid: 100 }] })
  t.true(agent.effects.some((effect) => effect.kind === 'signalContainer' && effect.containerId === c))
  agent.exit(c, 15)
  t.deepEqual(
    told(agent)
      .map((line) => line.split(' ', 2).join(' '))
      .sort(),
    ['a TASK_FAILED', 'b TASK_FINISHED', 'c TASK_KILLED'],
  )
})

test('a task that runs goes on: its kill keeps its deadline, its time limit counts from when it began', (t) => {
  const old = new Rehearsal()
  old.run({ id: 'k' }, CHECKPOINTING)
  old.run({ id: 'm', max_completion_time: { nanoseconds: 10e9 } }, CHECKPOINTING)
  const [k = '', m = ''] = old.launched
  old.start(k)
  old.start(m)
  old.kill('k', 5_000)
  const beganAtMs = old.atMs
  const agent = restart(old, { running: [k, m].map((containerId) => ({ containerId, pid: 7 })) })
  t.deepEqual(agent.kinds('launchContainer'), [])
  t.deepEqual(
    agent.kinds('signalContainer').map(({ containerId }) => containerId),
    [k],
  )
  const due = (key: string): number | undefined =>
    agent.kinds('setTimer').findLast((timer) => timer.key.startsWith(key))?.atMs
  t.is(due('killGrace'), beganAtMs + 5_000)
  t.is(due('completionTime'), beganAtMs + 10_000)
})

test('what the launcher has and the records do not know is destroyed', (t) => {
  const agent = restart(new Rehearsal(), { running: [{ containerId: 'x', pid: 1 }], ended: [{ containerId: 'y' }] })
  t.deepEqual(agent.kinds('destroyContainer'), [{ kind: 'destroyContainer', containerId: 'x' }])
  t.deepEqual(agent.kinds('releaseContainer'), [{ kind: 'releaseContainer', containerId: 'y' }])
})

function withExecutor(): Rehearsal {
  const old = new Rehearsal()
  old.run({ id: 'a', command: undefined, executor: CUSTOM }, CHECKPOINTING)
  old.start(old.lastLaunched)
  old.subscribe()
  return old
}

test('an executor that does not come back within 2 s is destroyed; the agent registers only then', (t) => {
  const old = withExecutor()
  const containerId = old.lastLaunched
  const agent = restart(old, { running: [{ containerId, pid: 5 }] })
  agent.pass(1_900)
  t.deepEqual(agent.kinds('openLink'), [])
  agent.pass(100)
  t.deepEqual(agent.kinds('destroyContainer'), [{ kind: 'destroyContainer', containerId }])
  agent.exit(containerId, 9)
  t.deepEqual(told(agent), [
    'a TASK_LOST REASON_EXECUTOR_REREGISTRATION_TIMEOUT Executor did not reregister within 2secs SOURCE_AGENT',
  ])
})

test('an executor that comes back is sent what it never got, and is not asked for what is known', (t) => {
  const old = withExecutor()
  old.run({ id: 'b', command: undefined, executor: CUSTOM }, CHECKPOINTING)
  old.report('a', 'TASK_RUNNING')
  const [status] = old.statuses()
  const agent = restart(old, { running: [{ containerId: old.lastLaunched, pid: 5 }] })
  agent.subscribe({ unacknowledged_updates: status === undefined ? [] : [{ status: { ...status, uuid: uuid(1) } }] })
  const sent = agent.events.flatMap(({ type, launch, acknowledged }) => [
    type,
    launch?.task.task_id.value ?? acknowledged?.task_id.value,
  ])
  t.deepEqual(sent, ['SUBSCRIBED', undefined, 'ACKNOWLEDGED', 'a', 'LAUNCH', 'b'])
  t.is(agent.state.recovery, undefined)
  t.deepEqual(told(agent), [])
})

test('a task that the executor names as received is not sent again', (t) => {
  const old = withExecutor()
  const agent = restart(old, { running: [{ containerId: old.lastLaunched, pid: 5 }] })
  agent.subscribe({ unacknowledged_tasks: [taskInfo('a', {})] })
  t.deepEqual(
    agent.events.map(({ type }) => type),
    ['SUBSCRIBED'],
  )
  const streamId = agent.kinds('openStream').at(-1)?.streamId ?? ''
  agent.subscribe()
  t.deepEqual(agent.kinds('closeStream'), [{ kind: 'closeStream', streamId }])
})

test('before the containers are known nobody is answered', (t) => {
  const agent = new Rehearsal()
  agent.state = createAgent({ ...rehearsedOptions(), recovered: recover([]) })
  agent.effects.length = 0
  agent.executor({ type: 'SUBSCRIBE', subscribe: {} })
  agent.operator({ type: 'GET_AGENT' })
  t.deepEqual(
    agent.kinds('respond').map(({ status, text }) => `${status} ${text}`),
    ['503 Agent has not finished recovery', '503 Agent has not finished recovery'],
  )
})

test('recover=cleanup destroys everything, then the agent ends without registering', (t) => {
  const old = withExecutor()
  old.run({ id: 'b' }, CHECKPOINTING)
  const ids = old.launched
  old.start(ids[1] ?? '')
  const running = ids.map((containerId) => ({ containerId, pid: 5 }))
  const agent = restart(old, { running }, { recoverMode: 'cleanup' })
  t.deepEqual(
    agent
      .kinds('destroyContainer')
      .map(({ containerId }) => containerId)
      .sort(),
    [...ids].sort(),
  )
  for (const id of ids) agent.exit(id, 9)
  t.is(agent.kinds('exit').length, 1)
  t.deepEqual(agent.kinds('openLink'), [])
})

test('an executor that refused to end while the agent was away is destroyed when its grace is over', (t) => {
  const old = withExecutor()
  const ids = { framework_id: { value: 'F' }, executor_id: { value: 'e' } }
  old.master({ type: 'SHUTDOWN_EXECUTOR', shutdown_executor: ids })
  const containerId = old.lastLaunched
  const agent = restart(old, { running: [{ containerId, pid: 5 }] })
  agent.pass(4_499)
  t.deepEqual(agent.kinds('destroyContainer'), [])
  agent.pass(1)
  t.deepEqual(agent.kinds('destroyContainer'), [{ kind: 'destroyContainer', containerId }])
})

test('records that make no sense where they stand are left out and named', (t) => {
  const lost: AgentRecord[] = [
    { kind: 'executor_ended', value: { framework_id: 'F', executor_id: 'e', container_id: 'c' } },
    { kind: 'framework', value: { framework_id: 'F', info: CHECKPOINTING } },
    { kind: 'task', value: { framework_id: 'F', executor_id: 'e', info: taskInfo('a', {}) } },
    { kind: 'acknowledgement', value: { framework_id: 'F', task_id: 'a', uuid: uuid(1) } },
    { kind: 'task_started', value: { framework_id: 'F', task_id: 'a', pid: 1 } },
  ]
  const { problems, problemCount, frameworks } = recover(lost)
  t.deepEqual(problems, [
    'record 1 (executor_ended): framework F is not known',
    'record 3 (task): executor e of task a is not known',
    'record 4 (acknowledgement): it is not the oldest update of task a',
    'record 5 (task_started): task a is not known',
  ])
  t.is(problemCount, 4)
  t.deepEqual([...frameworks.keys()], ['F'])
})

test('records of a newer program, and what is none, are refused', (t) => {
  const good = encodeRecord({ kind: 'drained', value: {} })
  t.deepEqual(decodeRecord(good), { ok: true, value: { kind: 'drained', value: {} } })
  const newer = decodeRecord(encode('isthmus.checkpoint.Record', { version: RECORD_VERSION + 1, drained: {} }))
  const unknown = decodeRecord(encode('isthmus.checkpoint.Record', { version: RECORD_VERSION }))
  const torn = decodeRecord(Uint8Array.from([0x0a, 0x05, 1]))
  t.deepEqual(
    [newer, unknown, torn].map((result) => (result.ok ? 'ok' : result.rejection.code)),
    ['RECORD_UNKNOWN', 'RECORD_UNKNOWN', 'RECORD_MALFORMED'],
  )
})
