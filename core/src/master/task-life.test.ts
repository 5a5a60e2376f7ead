import type { AgentMessage } from '@isthmus/proto/gen/agent-link'
import type { ExecutorInfo, FrameworkInfo, TaskState } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import { Rehearsal, type StageAgent, type StageFramework, scalar } from './rehearsal.ts'

// Every state and reason a master gives a task by itself, to frameworks that are PARTITION_AWARE and to others. What agents say of
// tasks is in tasks.test.ts, and in core/src/agent.

const CAPABILITIES = [{ type: 'MULTI_ROLE' as const }]
const AWARE = [...CAPABILITIES, { type: 'PARTITION_AWARE' as const }]

interface Scene {
  readonly stage: Rehearsal
  readonly agent: StageAgent
  readonly framework: StageFramework
}

function scene(info: Partial<FrameworkInfo>, flags: ConstructorParameters<typeof Rehearsal>[0] = {}): Scene {
  const stage = new Rehearsal(flags)
  const agent = stage.register()
  const framework = stage.subscribe(info)
  stage.launch(framework, stage.task(agent, 't'))
  stage.say(framework, { type: 'SUPPRESS' })
  stage.update(agent, framework, 't', 'TASK_RUNNING')
  framework.events.length = 0
  return { stage, agent, framework }
}

function reregister(agent: StageAgent, stage: Rehearsal): AgentMessage {
  const known = stage.state.agents.get(agent.id)!
  return {
    type: 'REREGISTER',
    reregister: {
      agent_info: known.info,
      version: '1.11.0',
      capabilities: known.capabilities,
      address: { hostname: known.info.hostname, ip: known.ip, port: known.port },
    },
  }
}

function markGone(stage: Rehearsal, agent: StageAgent): void {
  stage.operate({ type: 'MARK_AGENT_GONE', mark_agent_gone: { agent_id: { value: agent.id } } })
}

function sameAddress(): AgentMessage {
  return {
    type: 'REGISTER',
    register: {
      agent_info: { hostname: 'agent.test', port: 5051, resources: [scalar('cpus', 1)] },
      version: '1.11.0',
      capabilities: [{ type: 'MULTI_ROLE' }],
      address: { hostname: 'agent.test', ip: '127.0.0.1', port: 5051 },
    },
  }
}

interface Loss {
  readonly name: string
  readonly happens: (scene: Scene) => void
  readonly checkpoint?: boolean
  readonly plain: string
  readonly aware: string
  readonly ring: 'completed' | 'unreachable'
}

const removed = (why: string) => `TASK_LOST | REASON_AGENT_REMOVED | Agent agent.test removed: ${why}`
const losses: readonly Loss[] = [
  {
    name: 'its agent disconnects, without checkpoints',
    happens: ({ stage, agent }) => stage.play({ kind: 'agentLinkClosed', linkId: agent.linkId }),
    plain: 'TASK_LOST | REASON_AGENT_DISCONNECTED | Agent agent.test disconnected',
    aware: 'TASK_LOST | REASON_AGENT_DISCONNECTED | Agent agent.test disconnected',
    ring: 'completed',
  },
  {
    name: 'its agent answers no pings',
    happens: ({ stage }) => stage.pass(90_000),
    plain: 'TASK_LOST | REASON_AGENT_REMOVED | health check timed out',
    aware: 'TASK_UNREACHABLE | REASON_AGENT_REMOVED | health check timed out',
    ring: 'unreachable',
  },
  {
    name: 'its agent unregisters',
    happens: ({ stage, agent }) => stage.hear(agent, { type: 'UNREGISTER' }),
    plain: removed('the agent unregistered'),
    aware: removed('the agent unregistered'),
    ring: 'completed',
  },
  {
    name: 'a new agent comes from the same address',
    happens: ({ stage }) => stage.connect(sameAddress()),
    plain: removed('a new agent registered at the same address'),
    aware: removed('a new agent registered at the same address'),
    ring: 'completed',
  },
  {
    name: 'its agent is marked gone',
    happens: ({ stage, agent }) => markGone(stage, agent),
    plain: 'TASK_LOST | REASON_AGENT_REMOVED | Agent has been marked gone',
    aware: 'TASK_GONE_BY_OPERATOR | REASON_AGENT_REMOVED_BY_OPERATOR | Agent has been marked gone',
    ring: 'completed',
  },
  {
    name: 'its agent comes back without it',
    happens: ({ stage, agent }) => stage.connect(reregister(agent, stage)),
    checkpoint: true,
    plain: 'TASK_LOST | REASON_RECONCILIATION | Reconciliation: Task is unknown to the agent',
    aware: 'TASK_DROPPED | REASON_RECONCILIATION | Reconciliation: Task is unknown to the agent',
    ring: 'completed',
  },
]

for (const { name, happens, checkpoint = false, ring, ...expected } of losses) {
  for (const [kind, capabilities] of [
    ['plain', CAPABILITIES],
    ['aware', AWARE],
  ] as const) {
    test(`what a task is called when ${name} (${kind})`, (t) => {
      const play = scene({ capabilities, checkpoint })
      const { stage, framework } = play
      const events = [...framework.events]
      happens(play)
      events.push(...framework.events)
      t.deepEqual(stage.updatesOf(framework), [`t | ${expected[kind]}`])
      const known = stage.state.frameworks.get(framework.id)!
      t.is(known.tasks.size, 0)
      t.deepEqual(
        { completed: known.completedTasks.length, unreachable: known.unreachableTasks.size },
        { completed: 0, unreachable: 0, [ring]: 1 },
      )
      const status = events.find(({ type }) => type === 'UPDATE')!.update!.status
      t.is(status.source, 'SOURCE_MASTER')
      t.is(status.uuid, undefined)
      t.is(status.executor_id, undefined)
      t.is(status.unreachable_time !== undefined, ring === 'unreachable')
    })
  }
}

const OWN: ExecutorInfo = {
  type: 'CUSTOM',
  executor_id: { value: 'own' },
  command: { value: 'run' },
  resources: [scalar('cpus', 0.1), scalar('mem', 32)],
}

test('what the master says of a task names its executor, when that is the framework’s own', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  const framework = stage.subscribe({ capabilities: AWARE, checkpoint: true })
  stage.launch(framework, stage.task(agent, 't', { command: undefined, executor: OWN }))
  stage.say(framework, { type: 'RECONCILE', reconcile: {} })
  stage.pass(90_000)
  const named = framework.events.flatMap(({ update }) => (update === undefined ? [] : [update.status]))
  t.deepEqual(
    named.map(({ state, executor_id }) => `${state} ${executor_id?.value}`),
    ['TASK_STAGING own', 'TASK_UNREACHABLE own'],
  )
})

interface Question {
  readonly name: string
  /** The agent that is asked about; absent: none is named. */
  readonly agent?: 'm-S0'
  readonly happens: (scene: Scene) => void
  readonly plain: string | undefined
  readonly aware: string | undefined
}

const questions: readonly Question[] = [
  {
    name: 'of an agent that is unreachable',
    agent: 'm-S0',
    happens: ({ stage }) => stage.pass(90_000),
    plain: 'TASK_LOST | Reconciliation: Task is unreachable',
    aware: 'TASK_UNREACHABLE | Reconciliation: Task is unreachable',
  },
  {
    name: 'of an agent that is gone',
    agent: 'm-S0',
    happens: ({ stage, agent }) => markGone(stage, agent),
    plain: 'TASK_LOST | Reconciliation: Task is gone',
    aware: 'TASK_GONE_BY_OPERATOR | Reconciliation: Task is gone',
  },
  {
    name: 'of an agent that was unreachable before it was gone',
    agent: 'm-S0',
    happens: ({ stage, agent }) => {
      stage.pass(90_000)
      markGone(stage, agent)
    },
    plain: 'TASK_LOST | Reconciliation: Task is gone',
    aware: 'TASK_GONE_BY_OPERATOR | Reconciliation: Task is gone',
  },
  {
    name: 'of an agent that unregistered',
    agent: 'm-S0',
    happens: ({ stage, agent }) => stage.hear(agent, { type: 'UNREGISTER' }),
    plain: 'TASK_LOST | Reconciliation: Task is unknown',
    aware: 'TASK_UNKNOWN | Reconciliation: Task is unknown',
  },
  {
    name: 'of an agent that is disconnected',
    agent: 'm-S0',
    happens: ({ stage, agent }) => stage.play({ kind: 'agentLinkClosed', linkId: agent.linkId }),
    plain: 'TASK_LOST | Reconciliation: Task is unknown to the agent',
    aware: 'TASK_GONE | Reconciliation: Task is unknown to the agent',
  },
  {
    name: 'without an agent',
    happens: () => {},
    plain: 'TASK_LOST | Reconciliation: Task is unknown',
    aware: 'TASK_UNKNOWN | Reconciliation: Task is unknown',
  },
]

for (const { name, agent, happens, ...expected } of questions) {
  for (const kind of ['plain', 'aware'] as const) {
    test(`RECONCILE and KILL of a task nobody launched, ${name} (${kind})`, (t) => {
      const play = scene({ capabilities: kind === 'aware' ? AWARE : CAPABILITIES, checkpoint: true })
      const { stage, framework } = play
      happens(play)
      framework.events.length = 0
      const task = { task_id: { value: 'none' }, agent_id: agent && { value: agent } }
      t.is(stage.say(framework, { type: 'RECONCILE', reconcile: { tasks: [task] } }).status, 202)
      t.is(stage.say(framework, { type: 'KILL', kill: task }).status, 202)
      const line = `none | ${expected[kind]?.replace(' | ', ' | REASON_RECONCILIATION | ')}`
      t.deepEqual(stage.updatesOf(framework), [line, line])
    })
  }
}

for (const agent of ['m-S0', undefined]) {
  test(`while an agent of the registry is awaited, ${agent ?? 'no agent'} named, nothing is said of tasks nobody knows`, (t) => {
    const before = new Rehearsal()
    before.register()
    const stage = new Rehearsal({}, before.records)
    const framework = stage.subscribe({ capabilities: AWARE })
    const task = { task_id: { value: 'none' }, agent_id: agent === undefined ? undefined : { value: agent } }
    stage.say(framework, { type: 'RECONCILE', reconcile: { tasks: [task] } })
    t.deepEqual(stage.updatesOf(framework), [])
    const other = { task_id: { value: 'none' }, agent_id: { value: 'm-S9' } }
    stage.say(framework, { type: 'RECONCILE', reconcile: { tasks: [other] } })
    t.deepEqual(stage.updatesOf(framework), [
      'none | TASK_UNKNOWN | REASON_RECONCILIATION | Reconciliation: Task is unknown',
    ])
    stage.pass(600_000)
    stage.say(framework, { type: 'RECONCILE', reconcile: { tasks: [task] } })
    t.regex(stage.updatesOf(framework)[0] ?? '', agent === undefined ? /TASK_UNKNOWN/ : /TASK_UNREACHABLE/)
  })
}

test('RECONCILE says what the framework was told, though the agent knows more', (t) => {
  const { stage, agent, framework } = scene({})
  const uuid = new Uint8Array(16).fill(0x91)
  const status = { task_id: { value: 't' }, state: 'TASK_RUNNING' as const, uuid, source: 'SOURCE_EXECUTOR' as const }
  const told = { framework_id: { value: framework.id }, status, latest_state: 'TASK_FINISHED' as const }
  stage.hear(agent, { type: 'STATUS_UPDATE', status_update: told })
  framework.events.length = 0
  t.is(stage.state.frameworks.get(framework.id)!.tasks.get('t')!.state, 'TASK_FINISHED')
  stage.say(framework, { type: 'RECONCILE', reconcile: {} })
  stage.say(framework, { type: 'RECONCILE', reconcile: { tasks: [{ task_id: { value: 't' } }] } })
  const line = 't | TASK_RUNNING | REASON_RECONCILIATION | Reconciliation: Latest task state'
  t.deepEqual(stage.updatesOf(framework), [line, line])
})

for (const [kind, capabilities, line] of [
  ['plain', CAPABILITIES, 'TASK_LOST | REASON_AGENT_REMOVED'],
  ['aware', AWARE, 'TASK_GONE_BY_OPERATOR | REASON_AGENT_REMOVED_BY_OPERATOR'],
] as const) {
  test(`a task out of reach has ended when its agent is marked gone (${kind})`, (t) => {
    const { stage, agent, framework } = scene({ capabilities, checkpoint: true })
    stage.pass(90_000)
    framework.events.length = 0
    markGone(stage, agent)
    t.deepEqual(stage.updatesOf(framework), [`t | ${line} | Agent has been marked gone`])
    const { unreachableTasks, completedTasks } = stage.state.frameworks.get(framework.id)!
    t.is(unreachableTasks.size, 0)
    t.deepEqual(
      completedTasks.map(({ id, state }) => `${id} ${state}`),
      [`t ${line.split(' ')[0]}`],
    )
  })
}

test('tasks out of reach are a ring; what fell out of it is still answered by its agent', (t) => {
  const stage = new Rehearsal({ maxUnreachableTasksPerFramework: 2 })
  const agent = stage.register()
  const framework = stage.subscribe({ capabilities: AWARE, checkpoint: true })
  stage.launch(framework, ...['a', 'b', 'c'].map((id) => stage.task(agent, id)))
  stage.pass(90_000)
  t.deepEqual([...stage.state.frameworks.get(framework.id)!.unreachableTasks.keys()], ['b', 'c'])
  framework.events.length = 0
  const task = { task_id: { value: 'a' }, agent_id: { value: agent.id } }
  stage.say(framework, { type: 'RECONCILE', reconcile: { tasks: [task] } })
  t.deepEqual(stage.updatesOf(framework), [
    'a | TASK_UNREACHABLE | REASON_RECONCILIATION | Reconciliation: Task is unreachable',
  ])
})

test('an agent that drains to be gone says TASK_GONE_BY_OPERATOR; its word counts, and frees what the task held', (t) => {
  const { stage, agent, framework } = scene({ capabilities: AWARE })
  stage.update(agent, framework, 't', 'TASK_GONE_BY_OPERATOR', { reason: 'REASON_AGENT_DRAINING' })
  t.deepEqual(stage.updatesOf(framework), ['t | TASK_GONE_BY_OPERATOR | REASON_AGENT_DRAINING'])
  t.is(stage.state.agents.get(agent.id)!.usedBy.size, 0)
})

for (const state of ['TASK_UNREACHABLE', 'TASK_UNKNOWN'] as const) {
  test(`${state} is a master’s word: an agent that says it is not heard`, (t) => {
    const { stage, agent, framework } = scene({ capabilities: AWARE })
    stage.update(agent, framework, 't', state)
    t.deepEqual(stage.updatesOf(framework), [])
    t.is(stage.state.frameworks.get(framework.id)!.tasks.get('t')!.state, 'TASK_RUNNING')
  })
}

test('operators are told each state of a task once, also when the agent knows the next already', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  const framework = stage.subscribe()
  const operator = stage.operate({ type: 'SUBSCRIBE' }).streamId!
  stage.launch(framework, stage.task(agent, 't'))
  const heard = stage.operatorEvents.get(operator)!
  const say = (state: TaskState, latest: TaskState, reason?: 'REASON_TASK_HEALTH_CHECK_STATUS_UPDATED') => {
    const status = { task_id: { value: 't' }, state, reason, uuid: new Uint8Array(16).fill(state.length) }
    const status_update = { framework_id: { value: framework.id }, status, latest_state: latest }
    stage.hear(agent, { type: 'STATUS_UPDATE', status_update })
  }
  say('TASK_STARTING', 'TASK_STARTING')
  say('TASK_RUNNING', 'TASK_FINISHED')
  say('TASK_RUNNING', 'TASK_FINISHED', 'REASON_TASK_HEALTH_CHECK_STATUS_UPDATED')
  say('TASK_FINISHED', 'TASK_FINISHED')
  t.deepEqual(
    heard.flatMap(({ task_updated }) => (task_updated ? [`${task_updated.status.state} ${task_updated.state}`] : [])),
    [
      'TASK_STARTING TASK_STARTING',
      'TASK_RUNNING TASK_FINISHED',
      'TASK_RUNNING TASK_FINISHED',
      'TASK_FINISHED TASK_FINISHED',
    ],
  )
})

test('a task refused for its agent is answered with the agent it named', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  const framework = stage.subscribe()
  stage.launch(framework, stage.task(agent, 't', { agent_id: { value: 'm-S9' } }))
  const status = framework.events.find(({ type }) => type === 'UPDATE')!.update!.status
  t.is(status.state, 'TASK_ERROR')
  t.deepEqual(status.agent_id, { value: 'm-S9' })
})
