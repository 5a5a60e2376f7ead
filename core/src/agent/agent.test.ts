import type { TaskStatus } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import fc from 'fast-check'
import { CUSTOM, FRAMEWORK, Rehearsal, taskInfo } from './rehearsal.ts'

for (const { waitStatus, state, message } of [
  { waitStatus: 0, state: 'TASK_FINISHED', message: 'Command exited with status 0' },
  { waitStatus: 3 << 8, state: 'TASK_FAILED', message: 'Command exited with status 3' },
  { waitStatus: 127 << 8, state: 'TASK_FAILED', message: 'Command exited with status 127' },
  { waitStatus: 9, state: 'TASK_FAILED', message: 'Command terminated with signal Killed' },
]) {
  test(`a command that ends with wait status ${waitStatus} is ${state}`, (t) => {
    const bench = new Rehearsal()
    bench.run({ id: 't' })
    bench.start(bench.lastLaunched)
    bench.exit(bench.lastLaunched, waitStatus)
    const statuses = bench.statuses()
    t.deepEqual(
      statuses.map((status) => status.state),
      ['TASK_STARTING', 'TASK_RUNNING', state] as TaskStatus['state'][],
    )
    t.is(statuses.at(-1)?.message, message)
    t.is(statuses[0]?.executor_id?.value, 't')
    t.is(statuses[0]?.agent_id?.value, 'A')
    t.is(statuses[0]?.uuid?.length, 16)
  })
}

test('the next update waits until the one before is acknowledged, and carries the newest state', (t) => {
  const bench = new Rehearsal()
  bench.run({ id: 't' })
  bench.start(bench.lastLaunched)
  bench.exit(bench.lastLaunched, 0)
  const sent = bench
    .kinds('sendToMaster')
    .flatMap((effect) => (effect.kind === 'sendToMaster' ? [effect.message.status_update] : []))
  t.deepEqual(
    sent.map((update) => [update?.status.state, update?.latest_state]),
    [
      ['TASK_STARTING', 'TASK_STARTING'],
      ['TASK_STARTING', 'TASK_FINISHED'],
    ],
  )
})

test('an update that is not acknowledged is sent again after 10 s, then 20 s, the same one', (t) => {
  const bench = new Rehearsal()
  bench.run({ id: 't' })
  bench.start(bench.lastLaunched)
  const count = (): number => bench.kinds('sendToMaster').length
  t.is(count(), 1)
  bench.pass(9_999)
  t.is(count(), 1)
  bench.pass(1)
  t.is(count(), 2)
  bench.pass(19_999)
  t.is(count(), 2)
  bench.pass(1)
  t.is(count(), 3)
})

test('an acknowledgement with another uuid changes nothing', (t) => {
  const bench = new Rehearsal()
  bench.run({ id: 't' })
  bench.start(bench.lastLaunched)
  bench.acknowledge({ task_id: { value: 't' }, state: 'TASK_RUNNING', uuid: new Uint8Array(16) })
  t.is(bench.state.frameworks.get('F')?.updates.get('t')?.pending.length, 2)
})

test('a kill sends SIGTERM and destroys the container after 3 s', (t) => {
  const bench = new Rehearsal()
  bench.run({ id: 't' })
  bench.start(bench.lastLaunched)
  bench.kill('t')
  t.deepEqual(bench.kinds('signalContainer'), [
    { kind: 'signalContainer', containerId: bench.lastLaunched, signal: 'SIGTERM' },
  ])
  bench.pass(2_999)
  t.is(bench.kinds('destroyContainer').length, 0)
  bench.pass(1)
  t.is(bench.kinds('destroyContainer').length, 1)
  bench.exit(bench.lastLaunched, 9)
  t.deepEqual(bench.states(), ['t TASK_STARTING', 't TASK_RUNNING', 't TASK_KILLED'])
})

test("the task's own kill policy is its grace, and TASK_KILLING goes to frameworks that want it", (t) => {
  const bench = new Rehearsal()
  const framework = { ...FRAMEWORK, capabilities: [{ type: 'TASK_KILLING_STATE' as const }] }
  bench.run({ id: 't', kill_policy: { grace_period: { nanoseconds: 30e9 } } }, framework)
  bench.start(bench.lastLaunched)
  bench.kill('t')
  bench.pass(29_000)
  t.is(bench.kinds('destroyContainer').length, 0)
  bench.exit(bench.lastLaunched, 15)
  const last = bench.statuses().at(-1)
  t.is(last?.message, 'Command terminated with signal Terminated')
  t.deepEqual(bench.states(), ['t TASK_STARTING', 't TASK_RUNNING', 't TASK_KILLING', 't TASK_KILLED'])
})

test('a task killed while its container is launched is TASK_KILLED with the reason', (t) => {
  const bench = new Rehearsal()
  bench.run({ id: 't' })
  bench.kill('t')
  bench.post({
    kind: 'containerLaunchFailed',
    atMs: bench.atMs,
    containerId: bench.lastLaunched,
    phase: 'launch',
    message: 'destroyed',
  })
  const [status] = bench.statuses()
  t.is(status?.state, 'TASK_KILLED')
  t.is(status?.reason, 'REASON_TASK_KILLED_DURING_LAUNCH')
})

test('a container that cannot be launched makes its task fail with why', (t) => {
  const bench = new Rehearsal()
  bench.run({ id: 't' })
  bench.post({
    kind: 'containerLaunchFailed',
    atMs: bench.atMs,
    containerId: bench.lastLaunched,
    phase: 'fetch',
    message: 'no such file',
  })
  const [status] = bench.statuses()
  t.is(status?.reason, 'REASON_CONTAINER_LAUNCH_FAILED')
  t.is(status?.message, 'Failed to launch container: no such file')
})

test('max_completion_time ends a task as failed', (t) => {
  const bench = new Rehearsal()
  bench.run({ id: 't', max_completion_time: { nanoseconds: 5e9 } })
  bench.start(bench.lastLaunched)
  bench.pass(5_000)
  bench.exit(bench.lastLaunched, 15)
  const last = bench.statuses().at(-1)
  t.is(last?.state, 'TASK_FAILED')
  t.is(last?.reason, 'REASON_MAX_COMPLETION_TIME_REACHED')
})

test('one failed task of a group ends the others, and the executor with the last', (t) => {
  const bench = new Rehearsal()
  bench.group('e', [taskInfo('a', { command: { value: 'x' } }), taskInfo('b', { command: { value: 'y' } })])
  const [a = '', b = ''] = bench.launched
  bench.start(a)
  bench.start(b)
  bench.exit(a, 1 << 8)
  bench.exit(b, 15)
  t.deepEqual(
    bench.states().filter((line) => !/STARTING|RUNNING/.test(line)),
    ['a TASK_FAILED', 'b TASK_KILLED'],
  )
  const exited = bench.effects.flatMap((effect) =>
    effect.kind === 'sendToMaster' && effect.message.type === 'EXITED_EXECUTOR' ? [effect.message.exited_executor] : [],
  )
  t.deepEqual(exited, [{ framework_id: { value: 'F' }, executor_id: { value: 'e' }, wait_status: 0 }])
})

test('a task of a default executor without a command only holds resources, and its kill leaves other groups alone', (t) => {
  const bench = new Rehearsal()
  bench.group('e', [taskInfo('base', { command: { value: 'x' } })])
  bench.start(bench.lastLaunched)
  bench.group('e', [taskInfo('slab', {})])
  t.is(bench.launched.length, 1)
  bench.kill('slab')
  t.deepEqual(bench.states(), ['base TASK_STARTING', 'slab TASK_RUNNING', 'base TASK_RUNNING', 'slab TASK_KILLED'])
  t.true(bench.state.frameworks.get('F')?.executors.has('e'))
})

test('a health check that fails three times in a row ends the task as unhealthy', (t) => {
  const bench = new Rehearsal()
  bench.run({
    id: 't',
    health_check: { type: 'TCP', tcp: { port: 1 }, delay_seconds: 1, interval_seconds: 1, grace_period_seconds: 0 },
  })
  bench.start(bench.lastLaunched)
  for (let round = 0; round < 3; round++) {
    bench.pass(1_000)
    const check = bench.kinds('runCheck').at(-1)
    if (check?.kind === 'runCheck')
      bench.post({
        kind: 'checkFinished',
        atMs: bench.atMs,
        checkId: check.checkId,
        outcome: { kind: 'tcp', succeeded: false },
      })
  }
  bench.exit(bench.lastLaunched, 15)
  const statuses = bench.statuses()
  t.deepEqual(
    statuses.map(({ state, healthy }) => [state, healthy]),
    [
      ['TASK_STARTING', undefined],
      ['TASK_RUNNING', undefined],
      ['TASK_RUNNING', false],
      ['TASK_RUNNING', false],
      ['TASK_RUNNING', false],
      ['TASK_KILLED', false],
    ],
  )
})

test('failures within the grace period do not count', (t) => {
  const bench = new Rehearsal()
  bench.run({
    id: 't',
    health_check: {
      type: 'TCP',
      tcp: { port: 1 },
      delay_seconds: 0,
      interval_seconds: 1,
      grace_period_seconds: 100,
      consecutive_failures: 1,
    },
  })
  bench.start(bench.lastLaunched)
  bench.pass(1_000)
  const check = bench.kinds('runCheck').at(-1)
  if (check?.kind === 'runCheck')
    bench.post({
      kind: 'checkFinished',
      atMs: bench.atMs,
      checkId: check.checkId,
      outcome: { kind: 'failed', message: 'refused' },
    })
  t.is(bench.kinds('signalContainer').length, 0)
})

function subscribe(bench: Rehearsal): string {
  const call = { type: 'SUBSCRIBE' as const, executor_id: { value: 'e' }, framework_id: { value: 'F' }, subscribe: {} }
  bench.post({ kind: 'executorCalled', atMs: bench.atMs, requestId: 'q', call })
  const opened = bench.kinds('openStream').at(-1)
  return opened?.kind === 'openStream' ? opened.streamId : ''
}

test('a custom executor gets its tasks when it subscribes, and each update is acknowledged to it', (t) => {
  const bench = new Rehearsal()
  bench.run({ id: 't', command: undefined, executor: CUSTOM })
  bench.start(bench.lastLaunched)
  subscribe(bench)
  const uuid = new Uint8Array([1, 2, 3, 4, 5, 6, 0x40, 8, 0x80, 1, 2, 3, 4, 5, 6, 7])
  const status: TaskStatus = { task_id: { value: 't' }, state: 'TASK_RUNNING', source: 'SOURCE_EXECUTOR', uuid }
  const ids = { executor_id: { value: 'e' }, framework_id: { value: 'F' } }
  bench.post({
    kind: 'executorCalled',
    atMs: bench.atMs,
    requestId: 'u',
    call: { type: 'UPDATE', ...ids, update: { status } },
  })
  const events = bench.kinds('sendEvent').map((effect) => (effect.kind === 'sendEvent' ? effect.event.type : ''))
  t.deepEqual(events, ['SUBSCRIBED', 'LAUNCH', 'ACKNOWLEDGED'])
  t.deepEqual(bench.states(), ['t TASK_RUNNING'])
})

test('a custom executor that does not subscribe within a minute is destroyed and its task fails', (t) => {
  const bench = new Rehearsal()
  bench.run({ id: 't', command: undefined, executor: CUSTOM })
  bench.start(bench.lastLaunched)
  bench.pass(60_000)
  t.is(bench.kinds('destroyContainer').length, 1)
  bench.exit(bench.lastLaunched, 9)
  const [status] = bench.statuses()
  t.is(status?.reason, 'REASON_EXECUTOR_REGISTRATION_TIMEOUT')
  t.is(status?.message, 'Executor did not register within 1mins')
})

test('tasks of a custom executor that ends fail with it, and the master is told its wait status', (t) => {
  const bench = new Rehearsal()
  bench.run({ id: 't', command: undefined, executor: CUSTOM })
  bench.start(bench.lastLaunched)
  subscribe(bench)
  bench.exit(bench.lastLaunched, 4 << 8)
  const [status] = bench.statuses()
  t.is(status?.state, 'TASK_FAILED')
  t.is(status?.reason, 'REASON_EXECUTOR_TERMINATED')
  t.true(
    bench.effects.some(
      (effect) => effect.kind === 'sendToMaster' && effect.message.exited_executor?.wait_status === 1024,
    ),
  )
})

test('SHUTDOWN gives a custom executor its grace, then destroys it', (t) => {
  const bench = new Rehearsal()
  bench.run({ id: 't', command: undefined, executor: CUSTOM })
  bench.start(bench.lastLaunched)
  subscribe(bench)
  bench.master({
    type: 'SHUTDOWN_EXECUTOR',
    shutdown_executor: { framework_id: { value: 'F' }, executor_id: { value: 'e' } },
  })
  bench.pass(4_999)
  t.is(bench.kinds('destroyContainer').length, 0)
  bench.pass(1)
  t.is(bench.kinds('destroyContainer').length, 1)
})

const UUID = new Uint8Array([1, 2, 3, 4, 5, 6, 0x40, 8, 0x80, 1, 2, 3, 4, 5, 6, 7])
const REFUSALS = [
  { name: 'no type', call: {}, status: 400, text: "Failed to validate Executor::Call: Expecting 'type' to be present" },
  {
    name: 'no subscribe',
    call: { type: 'SUBSCRIBE' },
    status: 400,
    text: "Failed to validate Executor::Call: Expecting 'subscribe' to be present",
  },
  {
    name: 'no uuid',
    call: { type: 'UPDATE', update: { status: { task_id: { value: 't' }, state: 'TASK_RUNNING' } } },
    status: 400,
    text: "Failed to validate Executor::Call: Expecting 'uuid' to be present",
  },
  {
    name: 'nil uuid',
    call: {
      type: 'UPDATE',
      update: { status: { task_id: { value: 't' }, state: 'TASK_RUNNING', uuid: new Uint8Array(16) } },
    },
    status: 400,
    text: 'Failed to validate Executor::Call: Not a valid UUID',
  },
  {
    name: 'no source',
    call: { type: 'UPDATE', update: { status: { task_id: { value: 't' }, state: 'TASK_RUNNING', uuid: UUID } } },
    status: 400,
    text: "Failed to validate Executor::Call: Received Call from executor e of framework F with invalid source, expecting 'SOURCE_EXECUTOR'",
  },
  {
    name: 'staging',
    call: {
      type: 'UPDATE',
      update: { status: { task_id: { value: 't' }, state: 'TASK_STAGING', uuid: UUID, source: 'SOURCE_EXECUTOR' } },
    },
    status: 400,
    text: 'Failed to validate Executor::Call: Received TASK_STAGING from executor e of framework F which is not allowed',
  },
  {
    name: 'before SUBSCRIBE',
    call: { type: 'MESSAGE', message: { data: new Uint8Array() } },
    status: 403,
    text: 'Executor is not subscribed',
  },
  {
    name: 'unknown framework',
    call: { type: 'SUBSCRIBE', subscribe: {}, framework_id: { value: 'X' } },
    status: 400,
    text: 'Framework cannot be found',
  },
  {
    name: 'unknown executor',
    call: { type: 'SUBSCRIBE', subscribe: {}, executor_id: { value: 'X' } },
    status: 400,
    text: 'Executor cannot be found',
  },
  {
    name: 'heartbeat of nobody',
    call: { type: 'HEARTBEAT', framework_id: { value: 'X' } },
    status: 202,
    text: undefined,
  },
] as const

for (const { name, call, status, text } of REFUSALS) {
  test(`an executor call is answered ${status}, and nothing changes: ${name}`, (t) => {
    const bench = new Rehearsal()
    bench.run({ id: 't', command: undefined, executor: CUSTOM })
    const before = JSON.stringify(
      [...bench.state.frameworks.values()].map((framework) =>
        [...framework.executors.values()].map(({ phase, streamId }) => [phase, streamId]),
      ),
    )
    const full = { executor_id: { value: 'e' }, framework_id: { value: 'F' }, ...call } as never
    bench.post({ kind: 'executorCalled', atMs: bench.atMs, requestId: 'q', call: full })
    const answer = bench.kinds('respond').at(-1)
    t.is(answer?.kind === 'respond' ? answer.status : 0, status)
    t.is(answer?.kind === 'respond' ? answer.text : '', text)
    const after = JSON.stringify(
      [...bench.state.frameworks.values()].map((framework) =>
        [...framework.executors.values()].map(({ phase, streamId }) => [phase, streamId]),
      ),
    )
    t.is(after, before)
  })
}

test('a framework that is shut down takes its tasks with it and nobody is told', (t) => {
  const bench = new Rehearsal()
  bench.run({ id: 't' })
  bench.start(bench.lastLaunched)
  bench.master({ type: 'SHUTDOWN_FRAMEWORK', framework_id: { value: 'F' } })
  const sentBefore = bench.kinds('sendToMaster').length
  bench.exit(bench.lastLaunched, 15)
  t.is(bench.kinds('sendToMaster').length, sentBefore)
  t.is(bench.state.frameworks.size, 0)
})

test('a link that is lost is opened again with everything that runs', (t) => {
  const bench = new Rehearsal()
  bench.run({ id: 't' })
  bench.start(bench.lastLaunched)
  bench.post({ kind: 'linkClosed', atMs: bench.atMs, reason: 'reset' })
  bench.pass(1_000)
  const opened = bench.kinds('openLink').at(-1)
  const message = opened?.kind === 'openLink' ? opened.message : undefined
  t.is(message?.type, 'REREGISTER')
  t.deepEqual(
    message?.reregister?.tasks?.map(({ task_id, state }) => [task_id.value, state]),
    [['t', 'TASK_RUNNING']],
  )
})

test('terminate ends every task, then the program', (t) => {
  const bench = new Rehearsal()
  bench.run({ id: 't' })
  bench.start(bench.lastLaunched)
  bench.post({ kind: 'terminate', atMs: bench.atMs })
  t.is(bench.kinds('exit').length, 0)
  bench.exit(bench.lastLaunched, 15)
  bench.states()
  t.is(bench.kinds('exit').length, 1)
})

const command = fc.record({
  kind: fc.constantFrom(
    'run',
    'group',
    'slab',
    'custom',
    'start',
    'exit',
    'fail',
    'kill',
    'pass',
    'subscribe',
    'lose',
    'shutdown',
    'ack',
  ),
  id: fc.constantFrom('a', 'b', 'c'),
  at: fc.nat(5),
})

test('safety_ and liveness_: whatever happens, streams stay in order and every task ends after a shutdown', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
        const bench = new Rehearsal()
        for (const next of commands) apply(bench, next)
        bench.master({ type: 'SHUTDOWN_FRAMEWORK', framework_id: { value: 'F' } })
        bench.pass(600_000)
        for (const containerId of [...bench.state.containers.keys()]) bench.exit(containerId, 9)
        return bench.state.containers.size === 0 && bench.state.frameworks.size === 0
      }),
      { numRuns: 300 },
    ),
  )
})

function apply(bench: Rehearsal, { kind, id, at }: { kind: string; id: string; at: number }): void {
  const container = [...bench.state.containers.keys()][at] ?? ''
  switch (kind) {
    case 'run':
      return bench.run({ id, max_completion_time: { nanoseconds: 1e9 } })
    case 'group':
      return bench.group('g', [
        taskInfo(`${id}1`, { command: { value: 'x' } }),
        taskInfo(`${id}2`, { command: { value: 'x' } }),
      ])
    case 'slab':
      return bench.group('g', [taskInfo(`${id}s`, {})])
    case 'custom':
      return bench.run({ id: `${id}c`, command: undefined, executor: CUSTOM })
    case 'start':
      return bench.start(container)
    case 'exit':
      return bench.exit(container, at << 8)
    case 'fail':
      return bench.post({
        kind: 'containerLaunchFailed',
        atMs: bench.atMs,
        containerId: container,
        phase: 'launch',
        message: 'x',
      })
    case 'kill':
      return bench.kill([id, `${id}1`, `${id}s`, `${id}c`][at % 4] ?? id)
    case 'pass':
      return bench.pass(at * 5_000)
    case 'subscribe':
      return void subscribe(bench)
    case 'lose':
      return bench.post({ kind: 'linkClosed', atMs: bench.atMs, reason: 'lost' })
    case 'shutdown':
      return bench.master({
        type: 'SHUTDOWN_EXECUTOR',
        shutdown_executor: { framework_id: { value: 'F' }, executor_id: { value: ['e', 'g'][at % 2] ?? 'e' } },
      })
    case 'ack': {
      const stream = [...(bench.state.frameworks.get('F')?.updates.values() ?? [])][at]
      const status = stream?.pending[0]
      return status === undefined ? undefined : bench.acknowledge(status)
    }
    default:
      return
  }
}
