import type { FrameworkInfo, TaskInfo, TaskState, TaskStatus } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import type { AgentEffect } from './effects.ts'
import { cpus, FRAMEWORK, Rehearsal, taskInfo } from './rehearsal.ts'

const KILLING: FrameworkInfo = {
  ...FRAMEWORK,
  capabilities: [{ type: 'MULTI_ROLE' }, { type: 'TASK_KILLING_STATE' }],
}

const COMMAND: Partial<TaskInfo> = { command: { value: 'x' } }

function kindsOf(effects: readonly AgentEffect[]): string[] {
  return effects.map((effect) => (effect.kind === 'sendToMaster' ? `${effect.message.type}` : effect.kind))
}

function ends(statuses: readonly TaskStatus[]): string[] {
  return statuses
    .filter(({ state }) => !['TASK_STARTING', 'TASK_RUNNING', 'TASK_KILLING'].includes(state))
    .map(({ task_id, state }) => `${task_id.value} ${state}`)
}

test('a command task is one container in the sandbox of its executor, which bears its id', (t) => {
  const agent = new Rehearsal()
  const effects = agent.run({
    id: 't',
    command: {
      value: 'echo hi',
      uris: [{ value: 'http://x/y' }],
      environment: { variables: [{ name: 'A', value: 'b' }] },
      user: 'nobody',
    },
  })
  const containerId = agent.lastLaunched
  const sandboxPath = `/work/slaves/A/frameworks/F/executors/t/runs/${containerId}`
  t.deepEqual(effects, [
    {
      kind: 'launchContainer',
      spec: {
        containerId,
        sandboxPath,
        latestLinkPath: '/work/slaves/A/frameworks/F/executors/t/runs/latest',
        uris: [{ value: 'http://x/y' }],
        user: 'nobody',
        command: { shell: undefined, value: 'echo hi', arguments: undefined },
        environment: {
          MESOS_FRAMEWORK_ID: 'F',
          MESOS_EXECUTOR_ID: 't',
          MESOS_AGENT_ID: 'A',
          MESOS_SLAVE_ID: 'A',
          MESOS_SLAVE_PID: 'slave(1)@127.0.0.1:5051',
          MESOS_AGENT_ENDPOINT: '127.0.0.1:5051',
          MESOS_DIRECTORY: sandboxPath,
          MESOS_SANDBOX: sandboxPath,
          MESOS_CHECKPOINT: '0',
          MESOS_HTTP_COMMAND_EXECUTOR: '0',
          MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD: '5secs',
          LIBPROCESS_IP: '127.0.0.1',
          LIBPROCESS_PORT: '0',
          MESOS_ALLOCATION_ROLE: 'r',
          MESOS_TASK_ID: 't',
          A: 'b',
        },
        resources: { cpusMilli: 200, memoryMb: 32 },
        diskMb: undefined,
      },
    },
  ])
})

test('TASK_STARTING and TASK_RUNNING come when the process runs, with what the agent adds', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 't' })
  agent.start(agent.lastLaunched)
  const [starting, running] = agent.statuses()
  t.deepEqual(
    { ...starting, uuid: undefined },
    {
      task_id: { value: 't' },
      state: 'TASK_STARTING',
      source: 'SOURCE_EXECUTOR',
      check_status: undefined,
      uuid: undefined,
      agent_id: { value: 'A' },
      executor_id: { value: 't' },
      timestamp: 1,
      container_status: {
        container_id: { value: agent.lastLaunched },
        executor_pid: 100,
        network_infos: [{ ip_addresses: [{ protocol: 'IPv4', ip_address: '127.0.0.1' }] }],
      },
    },
  )
  t.is(running?.state, 'TASK_RUNNING')
  t.notDeepEqual(running?.uuid, starting?.uuid)
})

for (const { waitStatus, state, message } of [
  { waitStatus: 0, state: 'TASK_FINISHED', message: 'Command exited with status 0' },
  { waitStatus: 3 << 8, state: 'TASK_FAILED', message: 'Command exited with status 3' },
  { waitStatus: 127 << 8, state: 'TASK_FAILED', message: 'Command exited with status 127' },
  { waitStatus: 9, state: 'TASK_FAILED', message: 'Command terminated with signal Killed' },
  { waitStatus: 11 | 0x80, state: 'TASK_FAILED', message: 'Command terminated with signal Segmentation fault' },
]) {
  test(`a command that ends with wait status ${waitStatus} is ${state}`, (t) => {
    const agent = new Rehearsal()
    agent.run({ id: 't' })
    agent.start(agent.lastLaunched)
    agent.exit(agent.lastLaunched, waitStatus)
    const last = agent.statuses().at(-1)
    t.is(last?.state, state as TaskState)
    t.is(last?.message, message)
    t.is(last?.reason, undefined)
    t.is(agent.state.frameworks.size, 0)
    t.is(agent.state.completedFrameworks[0]?.completedExecutors[0]?.completedTasks.length, 1)
  })
}

const ESCALATIONS: readonly {
  name: string
  own?: number
  kills: readonly { afterMs: number; graceMs?: number }[]
  destroyedAtMs: number
}[] = [
  { name: 'without any policy', kills: [{ afterMs: 0 }], destroyedAtMs: 3_000 },
  { name: "with the task's own policy", own: 30_000, kills: [{ afterMs: 0 }], destroyedAtMs: 30_000 },
  {
    name: 'with the policy of the kill before that of the task',
    own: 30_000,
    kills: [{ afterMs: 0, graceMs: 500 }],
    destroyedAtMs: 500,
  },
  { name: 'without any grace', kills: [{ afterMs: 0, graceMs: 0 }], destroyedAtMs: 0 },
  {
    name: 'with a second kill that leaves less time',
    kills: [
      { afterMs: 0, graceMs: 10_000 },
      { afterMs: 2_000, graceMs: 1_000 },
    ],
    destroyedAtMs: 3_000,
  },
  {
    name: 'with a second kill that would leave more time',
    kills: [
      { afterMs: 0, graceMs: 1_000 },
      { afterMs: 500, graceMs: 60_000 },
    ],
    destroyedAtMs: 1_000,
  },
]

for (const { name, own, kills, destroyedAtMs } of ESCALATIONS) {
  test(`SIGTERM, then the end by force after ${destroyedAtMs} ms: ${name}`, (t) => {
    const agent = new Rehearsal()
    agent.run({ id: 't', kill_policy: own === undefined ? undefined : { grace_period: { nanoseconds: own * 1e6 } } })
    agent.start(agent.lastLaunched)
    const beganAtMs = agent.atMs
    for (const { afterMs, graceMs } of kills) {
      agent.pass(afterMs)
      agent.kill('t', graceMs)
    }
    t.is(agent.kinds('signalContainer').length, 1)
    t.is(agent.kinds('signalContainer')[0]?.signal, 'SIGTERM')
    agent.pass(beganAtMs + destroyedAtMs - agent.atMs - 1)
    t.is(agent.kinds('destroyContainer').length, 0)
    agent.pass(beganAtMs + destroyedAtMs - agent.atMs)
    t.deepEqual(agent.kinds('destroyContainer'), [{ kind: 'destroyContainer', containerId: agent.lastLaunched }])
    agent.exit(agent.lastLaunched, 9)
    t.deepEqual(agent.states(), ['t TASK_STARTING', 't TASK_RUNNING', 't TASK_KILLED'])
    t.false(agent.timers.some((key) => key.startsWith('killGrace')))
  })
}

test('a task that ends by itself while it is killed is TASK_KILLED, with how it ended', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 't' }, KILLING)
  agent.start(agent.lastLaunched)
  agent.kill('t')
  agent.exit(agent.lastLaunched, 0)
  const statuses = agent.statuses()
  t.deepEqual(
    statuses.map(({ state }) => state),
    ['TASK_STARTING', 'TASK_RUNNING', 'TASK_KILLING', 'TASK_KILLED'],
  )
  t.is(statuses.at(-1)?.message, 'Command exited with status 0')
})

test('a task killed before its container runs is TASK_KILLED with the reason, whichever way the container ends', (t) => {
  for (const end of ['failed', 'started'] as const) {
    const agent = new Rehearsal()
    agent.run({ id: 't' })
    const containerId = agent.lastLaunched
    t.deepEqual(agent.kill('t'), [{ kind: 'destroyContainer', containerId }])
    t.deepEqual(agent.kill('t'), [])
    if (end === 'failed') agent.fail(containerId, 'launch', 'destroyed')
    else {
      t.deepEqual(agent.start(containerId), [])
      agent.exit(containerId, 9)
    }
    const statuses = agent.statuses()
    t.deepEqual(
      statuses.map(({ state, reason, message, source, container_status }) => ({
        state,
        reason,
        message,
        source,
        container_status,
      })),
      [
        {
          state: 'TASK_KILLED',
          reason: 'REASON_TASK_KILLED_DURING_LAUNCH',
          message: 'Killed before delivery to the executor',
          source: 'SOURCE_AGENT',
          container_status: undefined,
        },
      ],
    )
  }
})

for (const { phase, state, reason, message } of [
  {
    phase: 'sandbox',
    state: 'TASK_LOST',
    reason: 'REASON_EXECUTOR_TERMINATED',
    message: 'why',
  },
  {
    phase: 'fetch',
    state: 'TASK_FAILED',
    reason: 'REASON_CONTAINER_LAUNCH_FAILED',
    message: 'Failed to launch container: why',
  },
  {
    phase: 'launch',
    state: 'TASK_FAILED',
    reason: 'REASON_CONTAINER_LAUNCH_FAILED',
    message: 'Failed to launch container: why',
  },
] as const) {
  test(`a container that fails in the phase ${phase} makes its task ${state}`, (t) => {
    const agent = new Rehearsal()
    agent.run({ id: 't' })
    agent.fail(agent.lastLaunched, phase, 'why')
    const [status] = agent.statuses()
    t.is(status?.state, state)
    t.is(status?.reason, reason)
    t.is(status?.message, message)
    t.is(status?.source, 'SOURCE_AGENT')
  })
}

test('a task that used more than it may fails with what it used, also when it was being killed', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 't' })
  agent.start(agent.lastLaunched)
  agent.kill('t')
  agent.post({
    kind: 'containerExited',
    atMs: agent.atMs,
    containerId: agent.lastLaunched,
    waitStatus: 9,
    limitation: { kind: 'memory', message: 'Memory limit exceeded' },
  })
  const last = agent.statuses().at(-1)
  t.is(last?.state, 'TASK_FAILED')
  t.is(last?.reason, 'REASON_CONTAINER_LIMITATION_MEMORY')
  t.is(last?.message, 'Memory limit exceeded')
})

test('max_completion_time ends a task as failed, without a grace', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 't', max_completion_time: { nanoseconds: 5e9 } })
  agent.start(agent.lastLaunched)
  agent.pass(4_999)
  t.is(agent.kinds('signalContainer').length, 0)
  agent.pass(1)
  t.is(agent.kinds('destroyContainer').length, 1)
  agent.exit(agent.lastLaunched, 15)
  const last = agent.statuses().at(-1)
  t.is(last?.state, 'TASK_FAILED')
  t.is(last?.reason, 'REASON_MAX_COMPLETION_TIME_REACHED')
})

test('max_completion_time counts from when the task runs', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 't', max_completion_time: { nanoseconds: 5e9 } })
  agent.pass(60_000)
  t.is(agent.kinds('destroyContainer').length, 0)
  agent.start(agent.lastLaunched)
  agent.pass(4_999)
  t.is(agent.kinds('signalContainer').length, 0)
  agent.pass(1)
  t.is(agent.kinds('signalContainer').length, 1)
})

test('a task that ends in time is not ended again', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 't', max_completion_time: { nanoseconds: 5e9 } })
  agent.start(agent.lastLaunched)
  agent.exit(agent.lastLaunched, 0)
  agent.states()
  t.deepEqual(
    agent.timers.filter((key) => !key.startsWith('collectSandbox')),
    ['pingTimeout'],
  )
})

test('limits above the request reach the container; without a number there is none', (t) => {
  const agent = new Rehearsal()
  agent.run({
    id: 't',
    resources: [cpus(1), { name: 'mem', type: 'SCALAR', scalar: { value: 64 } }],
    limits: { cpus: { value: 2 }, mem: { value: Number.POSITIVE_INFINITY } },
  })
  const spec = agent.kinds('launchContainer')[0]?.spec
  t.deepEqual(spec?.resources, { cpusMilli: 1_100, memoryMb: 96 })
  t.deepEqual(spec?.limits, { cpusMilli: 2_100, memoryMb: Number.POSITIVE_INFINITY })
})

test('a group is TASK_STARTING at once, and TASK_RUNNING when all its containers run', (t) => {
  const agent = new Rehearsal()
  agent.group('e', [taskInfo('a', { command: { value: 'x' } }), taskInfo('b', { command: { value: 'y' } })])
  const [a = '', b = ''] = agent.launched
  t.deepEqual(agent.states(), ['a TASK_STARTING', 'b TASK_STARTING'])
  agent.start(a)
  t.deepEqual(agent.states(), ['a TASK_STARTING', 'b TASK_STARTING'])
  agent.start(b)
  const statuses = agent.statuses()
  t.deepEqual(
    statuses.slice(2).map(({ task_id, state, container_status }) => [task_id.value, state, container_status]),
    [a, b].map((containerId, at) => {
      const [parent = '', value = ''] = containerId.split('.')
      return [at === 0 ? 'a' : 'b', 'TASK_RUNNING', { container_id: { value, parent: { value: parent } } }]
    }),
  )
})

test('a task that ends before the rest of its group runs does not hold the rest up', (t) => {
  const agent = new Rehearsal()
  agent.group('e', [taskInfo('a', { command: { value: 'x' } }), taskInfo('b', { command: { value: 'y' } })])
  const [a = '', b = ''] = agent.launched
  agent.start(a)
  agent.exit(a, 0)
  agent.start(b)
  t.deepEqual(agent.states(), ['a TASK_STARTING', 'b TASK_STARTING', 'a TASK_FINISHED', 'b TASK_RUNNING'])
})

test('one failed task of a group ends the others, and the executor with the last', (t) => {
  const agent = new Rehearsal()
  agent.group('e', [taskInfo('a', { command: { value: 'x' } }), taskInfo('b', { command: { value: 'y' } })])
  const [a = '', b = ''] = agent.launched
  agent.start(a)
  agent.start(b)
  agent.exit(a, 1 << 8)
  t.deepEqual(agent.kinds('signalContainer'), [{ kind: 'signalContainer', containerId: b, signal: 'SIGTERM' }])
  agent.exit(b, 15)
  t.deepEqual(ends(agent.statuses()), ['a TASK_FAILED', 'b TASK_KILLED'])
  t.deepEqual(
    agent.told.filter(({ type }) => type === 'EXITED_EXECUTOR').map(({ exited_executor }) => exited_executor),
    [{ framework_id: { value: 'F' }, executor_id: { value: 'e' }, wait_status: 0 }],
  )
})

test('a finished task of a group leaves the others alone', (t) => {
  const agent = new Rehearsal()
  agent.group('e', [taskInfo('a', { command: { value: 'x' } }), taskInfo('b', { command: { value: 'y' } })])
  const [a = '', b = ''] = agent.launched
  agent.start(a)
  agent.start(b)
  agent.exit(a, 0)
  t.is(agent.kinds('signalContainer').length, 0)
  t.is(agent.state.frameworks.get('F')?.executors.size, 1)
})

test('groups of one executor end independently of each other', (t) => {
  const agent = new Rehearsal()
  agent.group('e', [taskInfo('a', { command: { value: 'x' } })])
  agent.group('e', [taskInfo('b', { command: { value: 'y' } })])
  const [a = '', b = ''] = agent.launched
  t.is(a.split('.')[0], b.split('.')[0])
  agent.start(a)
  agent.start(b)
  agent.exit(a, 1 << 8)
  t.deepEqual(ends(agent.statuses()), ['a TASK_FAILED'])
  t.is(agent.kinds('signalContainer').length, 0)
})

function slabs(agent: Rehearsal): void {
  agent.group('e', [taskInfo('base', { command: { value: 'x' }, resources: [cpus(1)] })])
  agent.start(agent.lastLaunched)
  agent.group('e', [taskInfo('slab', { resources: [cpus(2)] })])
}

test('a task of a default executor without a command only holds resources, and gives them to the others', (t) => {
  const agent = new Rehearsal()
  slabs(agent)
  t.is(agent.launched.length, 1)
  t.deepEqual(agent.kinds('updateContainer').at(-1), {
    kind: 'updateContainer',
    containerId: agent.lastLaunched,
    resources: { cpusMilli: 3_000, memoryMb: 0 },
  })
  t.deepEqual(agent.states(), ['base TASK_STARTING', 'slab TASK_RUNNING', 'base TASK_RUNNING'])
})

test('the kill of such a task takes effect at once, shrinks the containers and leaves other groups alone', (t) => {
  const agent = new Rehearsal()
  slabs(agent)
  agent.states()
  t.deepEqual(kindsOf(agent.kill('slab')), ['STATUS_UPDATE', 'updateContainer'])
  t.deepEqual(agent.kinds('updateContainer').at(-1)?.resources, { cpusMilli: 1_000, memoryMb: 0 })
  t.deepEqual(ends(agent.statuses()), ['slab TASK_KILLED'])
  t.true(agent.state.frameworks.get('F')?.executors.has('e'))
  t.is(agent.kinds('signalContainer').length, 0)
})

test('such a task outlives the others of its executor, which ends with it', (t) => {
  const agent = new Rehearsal()
  slabs(agent)
  agent.exit(agent.lastLaunched, 1 << 8)
  t.true(agent.state.frameworks.get('F')?.executors.has('e'))
  agent.kill('slab')
  t.is(agent.told.filter(({ type }) => type === 'EXITED_EXECUTOR').length, 1)
  t.deepEqual(ends(agent.statuses()).sort(), ['base TASK_FAILED', 'slab TASK_KILLED'])
})

test('a large group of such tasks ends with the one that is killed', (t) => {
  const agent = new Rehearsal()
  const ids = Array.from({ length: 5_000 }, (_, at) => `s${at}`)
  agent.group(
    'e',
    ids.map((id) => taskInfo(id, { resources: [] })),
  )
  agent.kill('s7')
  const tasks = [...(agent.state.frameworks.get('F')?.completedExecutors[0]?.tasks.values() ?? [])]
  t.is(tasks.filter(({ state }) => state === 'TASK_KILLED').length, 5_000)
})

test('SHUTDOWN of a default executor kills its tasks', (t) => {
  const agent = new Rehearsal()
  slabs(agent)
  agent.master({
    type: 'SHUTDOWN_EXECUTOR',
    shutdown_executor: { framework_id: { value: 'F' }, executor_id: { value: 'e' } },
  })
  agent.exit(agent.lastLaunched, 15)
  t.deepEqual(ends(agent.statuses()), ['slab TASK_KILLED', 'base TASK_KILLED'])
  t.is(agent.state.frameworks.size, 0)
})

const REFUSED: readonly { name: string; task: Partial<TaskInfo>; state: TaskState; reason: string; message: RegExp }[] =
  [
    {
      name: 'a volume the agent does not have',
      task: {
        resources: [
          {
            name: 'disk',
            type: 'SCALAR',
            scalar: { value: 5 },
            reservations: [{ type: 'DYNAMIC', role: 'r' }],
            disk: { persistence: { id: 'v' }, volume: { container_path: 'p', mode: 'RW' } },
          },
        ],
      },
      state: 'TASK_LOST',
      reason: 'REASON_RESOURCES_UNKNOWN',
      message: /^The checkpointed resources being used by the task or task group are unknown to the agent: disk/,
    },
    {
      name: 'an image',
      task: { container: { type: 'MESOS', mesos: { image: { type: 'DOCKER', docker: { name: 'x' } } } } },
      state: 'TASK_FAILED',
      reason: 'REASON_EXECUTOR_TERMINATED',
      message: /^Abnormal executor termination: unknown container$/,
    },
    {
      name: 'an id that would leave its folder',
      task: { task_id: { value: '../../x' } },
      state: 'TASK_ERROR',
      reason: 'REASON_TASK_INVALID',
      message: /contains invalid characters$/,
    },
  ]

for (const { name, task, state, reason, message } of REFUSED) {
  test(`a task is refused and starts nothing: ${name}`, (t) => {
    const agent = new Rehearsal()
    agent.run({ id: 't', ...task })
    t.is(agent.launched.length, 0)
    const [status] = agent.statuses()
    t.is(status?.state, state)
    t.is(status?.reason, reason as TaskStatus['reason'])
    t.regex(status?.message ?? '', message)
    t.is(status?.source, 'SOURCE_AGENT')
    t.is(agent.state.frameworks.size, 0)
  })
}

test('a group for an executor that has just ended is lost, and no new executor is made', (t) => {
  const agent = new Rehearsal()
  const executor = { type: 'DEFAULT' as const, executor_id: { value: 'e' } }
  const message = { framework_info: FRAMEWORK, executor, task_group: { tasks: [taskInfo('s', {})] } }
  agent.master({ type: 'RUN_TASK_GROUP', run_task_group: { ...message, launch_executor: false } })
  t.deepEqual(ends(agent.statuses()), ['s TASK_LOST'])
  t.is(agent.state.frameworks.size, 0)
  t.false(agent.told.some(({ type }) => type === 'EXITED_EXECUTOR'))
})

test('an executor that was charged and is refused is reported as ended', (t) => {
  const agent = new Rehearsal()
  const executor = { type: 'DEFAULT' as const, executor_id: { value: '..' } }
  const message = { framework_info: FRAMEWORK, executor, task_group: { tasks: [taskInfo('s', {})] } }
  agent.master({ type: 'RUN_TASK_GROUP', run_task_group: { ...message, launch_executor: true } })
  t.is(agent.told.find(({ type }) => type === 'EXITED_EXECUTOR')?.exited_executor?.wait_status, -1)
})

test('an id that is in use starts nothing, whether its task runs, has just ended, or comes twice; tasks beside it are lost', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 't' })
  t.deepEqual(kindsOf(agent.run({ id: 't' })), ['note'])
  agent.start(agent.lastLaunched)
  agent.exit(agent.lastLaunched, 0)
  t.deepEqual(kindsOf(agent.run({ id: 't' })), ['note'])
  const lost = ['note', 'STATUS_UPDATE', 'EXITED_EXECUTOR']
  t.deepEqual(kindsOf(agent.group('e', [taskInfo('t', COMMAND), taskInfo('u', COMMAND)])), lost)
  t.deepEqual(kindsOf(agent.group('e', [taskInfo('d', {}), taskInfo('d', {})])), lost)
  t.is(agent.launched.length, 1)
  t.deepEqual(
    agent.states().filter((line) => !line.startsWith('t ')),
    ['u TASK_LOST', 'd TASK_LOST'],
  )
  agent.run({ id: 't' })
  t.is(agent.launched.length, 2)
})

test('a group without tasks and a task for a framework without an id change nothing', (t) => {
  const agent = new Rehearsal()
  agent.group('e', [])
  agent.run({ id: 't' }, { user: '', name: '' })
  t.is(agent.state.frameworks.size, 0)
  t.is(agent.effects.length, 0)
})

test('a sandbox is removed after gc_delay', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 't' })
  agent.start(agent.lastLaunched)
  agent.exit(agent.lastLaunched, 0)
  agent.states()
  agent.pass(7 * 24 * 3_600_000 - 1)
  t.is(agent.kinds('removeSandbox').length, 0)
  agent.pass(1)
  t.deepEqual(agent.kinds('removeSandbox'), [
    { kind: 'removeSandbox', path: `/work/slaves/A/frameworks/F/executors/t/runs/${agent.lastLaunched}` },
  ])
  t.is(agent.state.counters.pathRemovals, 1)
})
