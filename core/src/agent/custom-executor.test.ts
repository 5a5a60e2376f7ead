import type { FrameworkInfo, TaskInfo } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import { CUSTOM, cpus, FRAMEWORK, Rehearsal, taskInfo, uuid } from './rehearsal.ts'

const AWARE: FrameworkInfo = { ...FRAMEWORK, capabilities: [{ type: 'MULTI_ROLE' }, { type: 'PARTITION_AWARE' }] }
const SHUTDOWN = {
  type: 'SHUTDOWN_EXECUTOR',
  shutdown_executor: { framework_id: { value: 'F' }, executor_id: { value: 'e' } },
} as const

function launch(agent: Rehearsal, id: string, rest: Partial<TaskInfo> = {}, framework = FRAMEWORK): void {
  agent.run({ id, command: undefined, executor: CUSTOM, ...rest }, framework)
}

function running(framework = FRAMEWORK): Rehearsal {
  const agent = new Rehearsal()
  launch(agent, 't', {}, framework)
  agent.start(agent.lastLaunched)
  agent.subscribe()
  return agent
}

function ends(agent: Rehearsal): (readonly [string, string, string | undefined, string | undefined])[] {
  return agent.statuses().map(({ task_id, state, reason, message }) => [task_id.value, state, reason, message] as const)
}

test('one executor runs all tasks that name it; what it may use grows with each', (t) => {
  const agent = new Rehearsal()
  const executor = { ...CUSTOM, resources: [cpus(0.5)] }
  launch(agent, 'one', { executor })
  t.deepEqual(agent.kinds('launchContainer')[0]?.spec.resources, { cpusMilli: 600, memoryMb: 0 })
  t.is(agent.kinds('launchContainer')[0]?.spec.command.value, './executor')
  launch(agent, 'two', { executor })
  t.is(agent.launched.length, 1)
  t.deepEqual(agent.kinds('updateContainer').at(-1)?.resources, { cpusMilli: 700, memoryMb: 0 })
})

test('tasks wait for SUBSCRIBE and come in their order, each as a LAUNCH; a group as one LAUNCH_GROUP', (t) => {
  const agent = new Rehearsal()
  launch(agent, 'one')
  const executor = { ...CUSTOM, type: 'CUSTOM' as const }
  const tasks = [taskInfo('g1', {}), taskInfo('g2', {})]
  const group = { framework_info: FRAMEWORK, executor, task_group: { tasks } }
  agent.master({ type: 'RUN_TASK_GROUP', run_task_group: group })
  agent.start(agent.lastLaunched)
  t.deepEqual(agent.events, [])
  agent.subscribe()
  const [subscribed, first, second] = agent.events
  t.deepEqual(subscribed, {
    type: 'SUBSCRIBED',
    subscribed: {
      executor_info: { ...CUSTOM, framework_id: { value: 'F' } },
      framework_info: FRAMEWORK,
      agent_info: agent.state.info,
      container_id: { value: agent.lastLaunched },
    },
  })
  t.is(first?.launch?.task.task_id.value, 'one')
  t.is(first?.launch?.task.executor?.framework_id?.value, 'F')
  t.deepEqual(
    second?.launch_group?.task_group.tasks?.map(({ task_id }) => task_id.value),
    ['g1', 'g2'],
  )
  launch(agent, 'late')
  t.is(agent.events.at(-1)?.launch?.task.task_id.value, 'late')
})

test('an update is enriched, forwarded and acknowledged to the executor; data, message and labels pass through', (t) => {
  const agent = running()
  const labels = { labels: [{ key: 'l', value: 'm' }] }
  const effects = agent.report('t', 'TASK_RUNNING', { message: 'on my way', data: new Uint8Array([1]), labels })
  t.deepEqual(effects, [
    {
      kind: 'sendToMaster',
      message: {
        type: 'STATUS_UPDATE',
        status_update: {
          framework_id: { value: 'F' },
          latest_state: 'TASK_RUNNING',
          status: {
            task_id: { value: 't' },
            state: 'TASK_RUNNING',
            source: 'SOURCE_EXECUTOR',
            uuid: uuid(1),
            message: 'on my way',
            data: new Uint8Array([1]),
            labels,
            agent_id: { value: 'A' },
            executor_id: { value: 'e' },
            timestamp: 1,
            container_status: {
              container_id: { value: agent.lastLaunched },
              executor_pid: 100,
              network_infos: [{ ip_addresses: [{ protocol: 'IPv4', ip_address: '127.0.0.1' }] }],
            },
          },
        },
      },
    },
    {
      kind: 'sendEvent',
      streamId: agent.kinds('openStream')[0]?.streamId ?? '',
      event: { type: 'ACKNOWLEDGED', acknowledged: { task_id: { value: 't' }, uuid: uuid(1) } },
    },
    { kind: 'respond', requestId: 'q', status: 202 },
  ])
})

test('the same update again is acknowledged again, but told once', (t) => {
  const agent = running()
  agent.report('t', 'TASK_RUNNING', { uuid: uuid(77) })
  agent.report('t', 'TASK_RUNNING', { uuid: uuid(77) })
  t.is(agent.events.filter(({ type }) => type === 'ACKNOWLEDGED').length, 2)
  t.is(agent.state.frameworks.get('F')?.updates.get('t')?.pending.length, 1)
})

test('an end is told again when it comes with a new uuid; nothing else follows an end', (t) => {
  const agent = running()
  agent.report('t', 'TASK_FINISHED')
  agent.report('t', 'TASK_RUNNING')
  agent.report('t', 'TASK_FINISHED')
  t.deepEqual(agent.states(), ['t TASK_FINISHED', 't TASK_FINISHED'])
  t.is(agent.state.counters.invalidStatusUpdates, 1)
  agent.report('t', 'TASK_FINISHED')
  t.deepEqual(agent.states(), ['t TASK_FINISHED', 't TASK_FINISHED', 't TASK_FINISHED'])
})

test('an update of a task that nobody launched is forwarded; one of another executor is not', (t) => {
  const agent = running()
  agent.run({ id: 'other' })
  agent.report('mine', 'TASK_RUNNING')
  agent.report('other', 'TASK_FINISHED')
  t.deepEqual(
    agent.statuses().map(({ task_id, executor_id, agent_id }) => [task_id.value, executor_id?.value, agent_id?.value]),
    [['mine', 'e', 'A']],
  )
})

test('messages go both ways, and are dropped when the executor is not connected', (t) => {
  const agent = running()
  const data = new Uint8Array([7])
  const message = { framework_id: { value: 'F' }, executor_id: { value: 'e' }, data }
  agent.master({ type: 'FRAMEWORK_MESSAGE', framework_message: message })
  t.deepEqual(agent.events.at(-1), { type: 'MESSAGE', message: { data } })
  agent.executor({ type: 'MESSAGE', message: { data } })
  t.deepEqual(agent.told.at(-1), { type: 'EXECUTOR_MESSAGE', executor_message: message })
  const streamId = agent.kinds('openStream')[0]?.streamId ?? ''
  agent.post({ kind: 'executorStreamClosed', atMs: agent.atMs, streamId })
  t.deepEqual(agent.master({ type: 'FRAMEWORK_MESSAGE', framework_message: message }), [])
  const { validFrameworkMessages, invalidFrameworkMessages } = agent.state.counters
  t.deepEqual([validFrameworkMessages, invalidFrameworkMessages], [2, 1])
})

test('a kill is told to the executor with its policy', (t) => {
  const agent = running()
  agent.kill('t', 1_000)
  t.deepEqual(agent.events.at(-1), {
    type: 'KILL',
    kill: { task_id: { value: 't' }, kill_policy: { grace_period: { nanoseconds: 1e9 } } },
  })
})

test('a kill while the stream is broken is told when the executor comes back', (t) => {
  const agent = running()
  agent.report('t', 'TASK_RUNNING')
  const streamId = agent.kinds('openStream')[0]?.streamId ?? ''
  agent.post({ kind: 'executorStreamClosed', atMs: agent.atMs, streamId })
  t.deepEqual(agent.kill('t'), [])
  agent.subscribe()
  t.deepEqual(
    agent.events.slice(-2).map(({ type }) => type),
    ['SUBSCRIBED', 'KILL'],
  )
})

test('a queued task is killed without its executor, with its group; an executor left without tasks is not waited for', (t) => {
  const agent = new Rehearsal()
  const executor = { ...CUSTOM, type: 'CUSTOM' as const }
  const tasks = [taskInfo('g1', {}), taskInfo('g2', {})]
  agent.master({
    type: 'RUN_TASK_GROUP',
    run_task_group: { framework_info: FRAMEWORK, executor, task_group: { tasks } },
  })
  launch(agent, 'single', { executor })
  agent.kill('g2')
  t.is(agent.kinds('destroyContainer').length, 0)
  agent.kill('single')
  t.is(agent.kinds('destroyContainer').length, 1)
  const words = ['TASK_KILLED', 'REASON_TASK_KILLED_DURING_LAUNCH', 'Killed before delivery to the executor'] as const
  const ofGroup = [...words.slice(0, 2), 'A task within the task group was killed before delivery to the executor']
  t.deepEqual(ends(agent), [
    ['g1', ...ofGroup],
    ['g2', ...ofGroup],
    ['single', ...words],
  ])
  agent.start(agent.lastLaunched)
  agent.executor({ type: 'SUBSCRIBE', subscribe: {} })
  t.deepEqual(agent.kinds('respond').at(-1)?.status, 403)
  agent.exit(agent.lastLaunched, 9)
  t.is(agent.state.frameworks.size, 0)
})

test('an executor that does not subscribe within a minute is destroyed and its tasks fail', (t) => {
  const agent = new Rehearsal()
  launch(agent, 't')
  agent.start(agent.lastLaunched)
  agent.pass(59_999)
  t.is(agent.kinds('destroyContainer').length, 0)
  agent.pass(1)
  t.is(agent.kinds('destroyContainer').length, 1)
  agent.exit(agent.lastLaunched, 9)
  t.deepEqual(ends(agent), [
    ['t', 'TASK_FAILED', 'REASON_EXECUTOR_REGISTRATION_TIMEOUT', 'Executor did not register within 1mins'],
  ])
  t.is(agent.told.at(-1)?.exited_executor?.wait_status ?? 9, 9)
})

for (const framework of [FRAMEWORK, AWARE]) {
  const kind = framework === AWARE ? 'PARTITION_AWARE' : 'plain'
  test(`when an executor ends its tasks fail, also those it was not told of (${kind})`, (t) => {
    const agent = running(framework)
    agent.report('t', 'TASK_RUNNING')
    const streamId = agent.kinds('openStream')[0]?.streamId ?? ''
    agent.post({ kind: 'executorStreamClosed', atMs: agent.atMs, streamId })
    launch(agent, 'queued', {}, framework)
    agent.exit(agent.lastLaunched, 4 << 8)
    const words = ['TASK_FAILED', 'REASON_EXECUTOR_TERMINATED', 'Executor terminated'] as const
    t.deepEqual(ends(agent).slice(1).sort(), [
      ['queued', ...words],
      ['t', ...words],
    ])
    t.is(agent.told.find(({ type }) => type === 'EXITED_EXECUTOR')?.exited_executor?.wait_status, 1024)
  })
}

test('what its container used too much of is why its tasks fail', (t) => {
  const agent = running()
  agent.post({
    kind: 'containerExited',
    atMs: agent.atMs,
    containerId: agent.lastLaunched,
    waitStatus: 9,
    limitation: { kind: 'disk', message: 'too full' },
  })
  t.deepEqual(ends(agent), [['t', 'TASK_FAILED', 'REASON_CONTAINER_LIMITATION_DISK', 'too full']])
})

test('an executor whose container cannot be launched ends with its tasks', (t) => {
  const agent = new Rehearsal()
  launch(agent, 't')
  agent.fail(agent.lastLaunched, 'fetch', 'no such file')
  t.deepEqual(ends(agent), [
    ['t', 'TASK_FAILED', 'REASON_CONTAINER_LAUNCH_FAILED', 'Failed to launch container: no such file'],
  ])
  t.is(agent.told.find(({ type }) => type === 'EXITED_EXECUTOR')?.exited_executor?.wait_status, 9)
})

test('SHUTDOWN gives an executor its own grace, then destroys it; tasks end with it, and kills no longer count', (t) => {
  const agent = new Rehearsal()
  launch(agent, 't', { executor: { ...CUSTOM, shutdown_grace_period: { nanoseconds: 2e9 } } })
  agent.start(agent.lastLaunched)
  agent.subscribe()
  agent.master(SHUTDOWN)
  t.is(agent.events.at(-1)?.type, 'SHUTDOWN')
  t.deepEqual(
    agent.kill('t').map(({ kind }) => kind),
    ['note'],
  )
  agent.pass(1_999)
  t.is(agent.kinds('destroyContainer').length, 0)
  agent.pass(1)
  t.is(agent.kinds('destroyContainer').length, 1)
  t.deepEqual(ends(agent), [])
  agent.exit(agent.lastLaunched, 9)
  t.deepEqual(ends(agent), [['t', 'TASK_FAILED', 'REASON_EXECUTOR_TERMINATED', 'Executor terminated']])
})

test('a task for an executor that is ending is lost', (t) => {
  const agent = running()
  agent.master(SHUTDOWN)
  launch(agent, 'late')
  t.deepEqual(ends(agent), [['late', 'TASK_LOST', 'REASON_EXECUTOR_TERMINATED', 'Executor terminating']])
})

test('SHUTDOWN of an executor that never subscribed destroys it at once', (t) => {
  const agent = new Rehearsal()
  launch(agent, 't')
  agent.master(SHUTDOWN)
  t.is(agent.kinds('destroyContainer').length, 1)
  agent.fail(agent.lastLaunched, 'launch', 'destroyed')
  t.deepEqual(ends(agent), [['t', 'TASK_KILLED', 'REASON_EXECUTOR_TERMINATED', 'Executor terminated']])
})

test('a second SUBSCRIBE takes the place of the first', (t) => {
  const agent = running()
  const first = agent.kinds('openStream')[0]?.streamId ?? ''
  agent.report('t', 'TASK_RUNNING')
  const second = agent.subscribe()
  t.deepEqual(agent.kinds('closeStream'), [{ kind: 'closeStream', streamId: first }])
  agent.post({ kind: 'executorStreamClosed', atMs: agent.atMs, streamId: first })
  agent.kill('t')
  t.is(agent.kinds('sendEvent').at(-1)?.streamId, second)
  t.is(agent.state.frameworks.get('F')?.executors.get('e')?.tasks.get('t')?.state, 'TASK_RUNNING')
})

test('an executor that returns brings the updates it has no acknowledgement for, and the tasks it knows', (t) => {
  const agent = running(AWARE)
  launch(agent, 'known', {}, AWARE)
  launch(agent, 'unseen', {}, AWARE)
  const status = {
    task_id: { value: 't' },
    state: 'TASK_RUNNING',
    source: 'SOURCE_EXECUTOR',
    uuid: uuid(5),
  } as const
  agent.subscribe({ unacknowledged_tasks: [taskInfo('known', {})], unacknowledged_updates: [{ status }] })
  t.deepEqual(
    agent.statuses().map(({ task_id, state, reason }) => [task_id.value, state, reason]),
    [
      ['t', 'TASK_RUNNING', undefined],
      ['unseen', 'TASK_DROPPED', 'REASON_EXECUTOR_UNREGISTERED'],
    ],
  )
})

test('a stream gets a sign of life every half hour, as long as it is open', (t) => {
  const agent = running()
  agent.pass(30 * 60_000)
  t.is(agent.events.filter(({ type }) => type === 'HEARTBEAT').length, 1)
  const streamId = agent.kinds('openStream')[0]?.streamId ?? ''
  agent.post({ kind: 'executorStreamClosed', atMs: agent.atMs, streamId })
  agent.pass(3_600_000)
  t.is(agent.events.filter(({ type }) => type === 'HEARTBEAT').length, 1)
})

const UPDATE = { task_id: { value: 't' }, state: 'TASK_RUNNING', uuid: uuid(1), source: 'SOURCE_EXECUTOR' } as const
const REFUSALS = [
  { name: 'no type', call: {}, status: 400, text: "Expecting 'type' to be present" },
  { name: 'no subscribe', call: { type: 'SUBSCRIBE' }, status: 400, text: "Expecting 'subscribe' to be present" },
  { name: 'no update', call: { type: 'UPDATE' }, status: 400, text: "Expecting 'update' to be present" },
  { name: 'no message', call: { type: 'MESSAGE' }, status: 400, text: "Expecting 'message' to be present" },
  {
    name: 'no uuid',
    call: { type: 'UPDATE', update: { status: { ...UPDATE, uuid: undefined } } },
    status: 400,
    text: "Expecting 'uuid' to be present",
  },
  {
    name: 'nil uuid',
    call: { type: 'UPDATE', update: { status: { ...UPDATE, uuid: new Uint8Array(16) } } },
    status: 400,
    text: 'Not a valid UUID',
  },
  {
    name: 'short uuid of an unknown framework',
    call: {
      type: 'UPDATE',
      framework_id: { value: 'X' },
      update: { status: { ...UPDATE, uuid: new Uint8Array([1]) } },
    },
    status: 400,
    text: 'Not a valid UUID',
  },
  {
    name: 'no source',
    call: { type: 'UPDATE', update: { status: { ...UPDATE, source: undefined } } },
    status: 400,
    text: "Received Call from executor e of framework F with invalid source, expecting 'SOURCE_EXECUTOR'",
  },
  {
    name: 'staging',
    call: { type: 'UPDATE', update: { status: { ...UPDATE, state: 'TASK_STAGING' } } },
    status: 400,
    text: 'Received TASK_STAGING from executor e of framework F which is not allowed',
  },
  {
    name: "another executor's update",
    call: { type: 'UPDATE', update: { status: { ...UPDATE, executor_id: { value: 'x' } } } },
    status: 400,
    text: 'ExecutorID in Call: e does not match ExecutorID in TaskStatus: x',
  },
] as const

for (const { name, call, status, text } of REFUSALS) {
  test(`a malformed executor call is answered ${status} and changes nothing: ${name}`, (t) => {
    const agent = running()
    const before = agent.state.frameworks.get('F')?.executors.get('e')
    const snapshot = JSON.stringify([before?.phase, before?.streamId, [...(before?.tasks.keys() ?? [])]])
    t.deepEqual(agent.executor(call as never), [
      { kind: 'respond', requestId: 'q', status, text: `Failed to validate Executor::Call: ${text}` },
    ])
    const after = agent.state.frameworks.get('F')?.executors.get('e')
    t.is(JSON.stringify([after?.phase, after?.streamId, [...(after?.tasks.keys() ?? [])]]), snapshot)
    t.is(agent.state.frameworks.get('F')?.updates.size, 0)
  })
}

for (const { name, call, status, text } of [
  {
    name: 'UPDATE before SUBSCRIBE',
    call: { type: 'UPDATE', update: { status: UPDATE } },
    status: 403,
    text: 'Executor is not subscribed',
  },
  {
    name: 'MESSAGE before SUBSCRIBE',
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
] as const) {
  test(`an executor call out of place is answered ${status} and changes nothing: ${name}`, (t) => {
    const agent = new Rehearsal()
    launch(agent, 't')
    const answer = { kind: 'respond', requestId: 'q', status } as const
    t.deepEqual(agent.executor(call as never), [text === undefined ? answer : { ...answer, text }])
    t.is(agent.state.frameworks.get('F')?.executors.get('e')?.phase, 'registering')
  })
}

test('a built-in executor is not there for executor calls', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 'e' })
  t.deepEqual(agent.executor({ type: 'SUBSCRIBE', subscribe: {} }), [
    { kind: 'respond', requestId: 'q', status: 400, text: 'Executor cannot be found' },
  ])
})
