import type { AgentMessage } from '@isthmus/proto/gen/agent-link'
import type { ExecutorInfo, FrameworkInfo, Task, TaskState } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import { Rehearsal, type StageAgent, type StageFramework, scalar } from './rehearsal.ts'

const CAPABILITIES = { capabilities: [{ type: 'MULTI_ROLE' as const }] }
const AWARE = { capabilities: [{ type: 'MULTI_ROLE' as const }, { type: 'PARTITION_AWARE' as const }] }

/** What a framework saw since the last look: `RESCIND`, `TASK_LOST`, `FAILURE` … */
function seen(framework: StageFramework): string[] {
  return framework.events.splice(0).map((event) => event.update?.status.state ?? event.type ?? '')
}

function reported(stage: Rehearsal, agent: StageAgent, framework: StageFramework, id: string, state: TaskState): Task {
  return {
    name: id,
    task_id: { value: id },
    framework_id: { value: framework.id },
    agent_id: { value: agent.id },
    state,
    resources: [scalar('cpus', 0.1), scalar('mem', 32)].map((one) => ({ ...one, allocation_info: { role: 'golden' } })),
    statuses: [{ task_id: { value: id }, state, timestamp: stage.atMs / 1000 }],
  }
}

function reregister(
  agent: StageAgent,
  more: Partial<NonNullable<AgentMessage['reregister']>> = {},
  hostname = 'agent.test',
): AgentMessage {
  const resources = [
    scalar('cpus', 4),
    scalar('mem', 4096),
    scalar('disk', 20000),
    { name: 'ports', type: 'RANGES' as const, ranges: { range: [{ begin: 31000, end: 31500 }] } },
  ]
  return {
    type: 'REREGISTER',
    reregister: {
      agent_info: { hostname, port: 5051, id: { value: agent.id }, resources },
      version: '1.11.0',
      capabilities: [{ type: 'MULTI_ROLE' }, { type: 'RESERVATION_REFINEMENT' }],
      resources,
      address: { hostname, ip: '127.0.0.1', port: 5051 },
      ...more,
    },
  }
}

const info = (framework: StageFramework) => ({
  user: 'root',
  name: 'f',
  roles: ['golden'],
  id: { value: framework.id },
  ...CAPABILITIES,
})

test('REGISTERED is said only when the admission is stored', (t) => {
  const stage = new Rehearsal()
  stage.holdsWrites = true
  const agent = stage.register()
  t.deepEqual(agent.messages, [])
  t.is(stage.state.agents.size, 0)
  stage.holdsWrites = false
  stage.store()
  t.deepEqual(agent.messages[0]?.registered?.agent_id, { value: 'm-S0' })
  t.is(agent.messages[0]?.registered?.total_ping_timeout_seconds, 75)
  t.deepEqual(
    stage.records.map(({ kind }) => kind),
    ['agentAdmitted'],
  )
})

const refused: readonly { name: string; message: AgentMessage }[] = [
  { name: 'another first message', message: { type: 'PONG' } },
  { name: 'REGISTER without its message', message: { type: 'REGISTER' } },
  {
    name: 'REREGISTER without an id',
    message: {
      type: 'REREGISTER',
      reregister: { agent_info: { hostname: 'h' }, version: '1', address: { port: 1 } },
    },
  },
  {
    name: 'invalid resources',
    message: {
      type: 'REGISTER',
      register: {
        agent_info: { hostname: 'h', resources: [scalar('cpus', -1)] },
        version: '1',
        address: { port: 1 },
      },
    },
  },
]

for (const { name, message } of refused) {
  test(`an agent is refused with 400: ${name}`, (t) => {
    const stage = new Rehearsal()
    t.is(stage.connect(message).status, 400)
    t.is(stage.state.agents.size, 0)
    t.is(stage.state.links.size, 0)
  })
}

test('a silent agent is unreachable after five pings; a pong starts the count anew', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  stage.pass(60_000)
  stage.hear(agent, { type: 'PONG' })
  stage.pass(74_000)
  t.true(stage.state.agents.has(agent.id))
  t.is(agent.messages.filter(({ type }) => type === 'PING').length, 9)
  stage.pass(16_000)
  t.false(stage.state.agents.has(agent.id))
  t.true(stage.state.registry.unreachable.has(agent.id))
  t.is(stage.records.at(-1)?.kind, 'agentUnreachable')
  t.true(stage.closed.has(agent.linkId))
})

for (const { name, capabilities, state } of [
  { name: 'plain', ...CAPABILITIES, state: 'TASK_LOST' },
  { name: 'PARTITION_AWARE', ...AWARE, state: 'TASK_UNREACHABLE' },
]) {
  test(`a frozen agent: UPDATE ${state}, RESCIND, FAILURE; on return TASK_RUNNING (${name})`, (t) => {
    const stage = new Rehearsal()
    const agent = stage.register()
    const operator = stage.operate({ type: 'SUBSCRIBE' }).streamId!
    const framework = stage.subscribe({ capabilities, checkpoint: true })
    stage.launch(framework, stage.task(agent, 't'))
    stage.update(agent, framework, 't', 'TASK_RUNNING')
    stage.pass(1000)
    seen(framework)
    stage.operatorEvents.get(operator)!.length = 0
    stage.pass(80_000)
    const [update, ...rest] = framework.events.splice(0)
    t.is(update?.update?.status.state, state as TaskState)
    t.is(update?.update?.status.reason, 'REASON_AGENT_REMOVED')
    t.is(update?.update?.status.message, 'health check timed out')
    t.truthy(update?.update?.status.unreachable_time)
    t.deepEqual(
      rest.map(({ type }) => type),
      ['RESCIND', 'FAILURE'],
    )
    t.deepEqual(rest.at(-1)?.failure, { agent_id: { value: agent.id } })
    t.is(stage.state.frameworks.get(framework.id)?.unreachableTasks.size, 1)
    stage.say(framework, { type: 'RECONCILE', reconcile: { tasks: [{ task_id: { value: 't' } }] } })
    stage.say(framework, { type: 'KILL', kill: { task_id: { value: 't' }, agent_id: { value: agent.id } } })
    const line = `t | ${state} | REASON_RECONCILIATION | Reconciliation: Task is unreachable`
    t.deepEqual(stage.updatesOf(framework), [line, line])

    const tasks = [reported(stage, agent, framework, 't', 'TASK_RUNNING')]
    stage.connect(reregister(agent, { tasks, frameworks: [info(framework)] }))
    t.is(
      stage.updatesOf(framework)[0],
      't | TASK_RUNNING | REASON_AGENT_REREGISTERED | Unreachable agent re-reregistered',
    )
    t.is(stage.state.frameworks.get(framework.id)?.tasks.size, 1)
    t.false(stage.state.registry.unreachable.has(agent.id))
    t.deepEqual(
      stage.operatorEvents.get(operator)!.map(({ type }) => type),
      ['TASK_UPDATED', 'TASK_ADDED', 'AGENT_ADDED'],
    )
  })
}

test('a task that an agent does not bring back from where it was unreachable is unreachable no longer, and gone', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  const framework = stage.subscribe({ ...AWARE, checkpoint: true })
  stage.launch(framework, stage.task(agent, 't'))
  stage.pass(81_000)
  t.is(stage.state.frameworks.get(framework.id)?.unreachableTasks.size, 1)
  stage.connect(reregister(agent, { frameworks: [info(framework)] }))
  t.is(stage.state.frameworks.get(framework.id)?.unreachableTasks.size, 0)
  stage.updatesOf(framework)
  const task = { task_id: { value: 't' }, agent_id: { value: agent.id } }
  stage.say(framework, { type: 'RECONCILE', reconcile: { tasks: [task] } })
  t.regex(stage.updatesOf(framework).at(-1) ?? '', /^t \| TASK_GONE \| REASON_RECONCILIATION/)
})

test('a task whose end is on its way is unreachable with its agent, and ends when the agent brings that end', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  const framework = stage.subscribe({ ...AWARE, checkpoint: true })
  stage.launch(framework, stage.task(agent, 't'))
  const status = { task_id: { value: 't' }, agent_id: { value: agent.id }, uuid: new Uint8Array(16).fill(1) }
  const state = 'TASK_STARTING' as const
  const told = { framework_id: { value: framework.id }, status: { ...status, state } }
  stage.hear(agent, { type: 'STATUS_UPDATE', status_update: { ...told, latest_state: 'TASK_FINISHED' } })
  stage.updatesOf(framework)
  stage.pass(81_000)
  t.deepEqual(stage.updatesOf(framework), ['t | TASK_UNREACHABLE | REASON_AGENT_REMOVED | health check timed out'])
  const books = stage.state.frameworks.get(framework.id)
  t.deepEqual([books?.unreachableTasks.size, books?.completedTasks.length], [1, 0])
  const tasks = [reported(stage, agent, framework, 't', 'TASK_FINISHED')]
  stage.connect(reregister(agent, { tasks, frameworks: [info(framework)] }))
  t.deepEqual(stage.updatesOf(framework), [])
  t.deepEqual([books?.unreachableTasks.size, books?.tasks.size], [0, 1])
})

test('a closed link loses at once the tasks of frameworks that do not checkpoint, and only theirs', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  const plain = stage.subscribe()
  stage.launch(plain, stage.task(agent, 'p'))
  stage.say(plain, { type: 'SUPPRESS' })
  const kept = stage.subscribe({ name: 'kept', checkpoint: true })
  stage.pass(1000)
  stage.launch(kept, stage.task(agent, 'k'))
  stage.say(kept, { type: 'SUPPRESS' })
  stage.say(plain, { type: 'REVIVE' })
  stage.pass(1000)
  seen(plain)
  seen(kept)
  stage.play({ kind: 'agentLinkClosed', linkId: agent.linkId })
  t.is(plain.events[0]?.type, 'RESCIND')
  t.deepEqual(stage.updatesOf(plain), ['p | TASK_LOST | REASON_AGENT_DISCONNECTED | Agent agent.test disconnected'])
  t.deepEqual(stage.updatesOf(kept), [])
  stage.pass(90_000)
  t.deepEqual(seen(plain), ['FAILURE'])
  t.deepEqual(seen(kept), ['TASK_LOST', 'FAILURE'])
})

test('a task called lost when the link broke is running again when the agent brings it', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  const framework = stage.subscribe()
  stage.launch(framework, stage.task(agent, 't'))
  stage.play({ kind: 'agentLinkClosed', linkId: agent.linkId })
  t.deepEqual(stage.state.frameworks.get(framework.id)?.completedTasks.length, 1)
  const tasks = [reported(stage, agent, framework, 't', 'TASK_RUNNING')]
  stage.connect(reregister(agent, { tasks, frameworks: [info(framework)] }))
  t.deepEqual(stage.updatesOf(framework), [
    't | TASK_LOST | REASON_AGENT_DISCONNECTED | Agent agent.test disconnected',
    't | TASK_RUNNING | REASON_AGENT_REREGISTERED | Unreachable agent re-reregistered',
  ])
  t.deepEqual(stage.state.frameworks.get(framework.id)?.completedTasks.length, 0)
})

test('an agent that comes back in time keeps its tasks; those it does not know are lost', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  const framework = stage.subscribe({ checkpoint: true })
  stage.launch(framework, stage.task(agent, 'kept'), stage.task(agent, 'lost'))
  stage.play({ kind: 'agentLinkClosed', linkId: agent.linkId })
  stage.say(framework, { type: 'KILL', kill: { task_id: { value: 'kept' } } })
  const tasks = [reported(stage, agent, framework, 'kept', 'TASK_RUNNING')]
  const linkId = stage.connect(reregister(agent, { tasks, frameworks: [info(framework)] })).linkId!
  t.deepEqual(stage.updatesOf(framework), [
    'lost | TASK_LOST | REASON_RECONCILIATION | Reconciliation: Task is unknown to the agent',
  ])
  t.deepEqual(
    stage.messages.get(linkId)!.map(({ type }) => type),
    ['REREGISTERED', 'UPDATE_FRAMEWORK', 'KILL_TASK', 'PING'],
  )
  t.is(stage.state.frameworks.get(framework.id)?.tasks.get('kept')?.state, 'TASK_RUNNING')
})

test('an agent that knows the framework as it is now is not told of it again', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  const framework = stage.subscribe({ checkpoint: true })
  stage.launch(framework, stage.task(agent, 'kept'))
  const tasks = [reported(stage, agent, framework, 'kept', 'TASK_RUNNING')]
  const told = (frameworks: readonly FrameworkInfo[]) => {
    const linkId = stage.connect(reregister(agent, { tasks, frameworks })).linkId!
    return stage.messages.get(linkId)!.map(({ type }) => type)
  }
  const now = stage.state.frameworks.get(framework.id)!.info
  t.deepEqual(told([{ ...now }]), ['REREGISTERED', 'PING'])
  t.deepEqual(told([{ ...now, name: 'before' }]), ['REREGISTERED', 'UPDATE_FRAMEWORK', 'PING'])
  t.deepEqual(told([{ ...now, webui_url: 'http://f' }]), ['REREGISTERED', 'UPDATE_FRAMEWORK', 'PING'])
})

test('a second link takes over from the first', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  const linkId = stage.connect(reregister(agent)).linkId!
  t.true(stage.closed.has(agent.linkId))
  t.is(stage.state.agents.get(agent.id)?.linkId, linkId)
  const before = stage.state.counters.get('master/dropped_messages')!
  stage.hear(agent, { type: 'PONG' })
  t.is(stage.state.counters.get('master/dropped_messages'), before + 1)
})

test('a new leader takes agents, frameworks, tasks and executors from what agents bring', (t) => {
  const first = new Rehearsal()
  const agent = first.register()
  const framework = first.subscribe({ failover_timeout: 3600 })
  const second = new Rehearsal({}, first.records)
  t.is(second.state.recoveredAgents.size, 1)
  const executor: ExecutorInfo = {
    executor_id: { value: 'x' },
    framework_id: { value: framework.id },
    command: { value: 'y' },
    resources: [{ ...scalar('cpus', 1), allocation_info: { role: 'golden' } }],
  }
  const task = { ...reported(second, agent, framework, 't', 'TASK_RUNNING'), executor_id: { value: 'x' } }
  const frameworks = [{ ...info(framework), failover_timeout: 3600 }]
  second.connect(reregister(agent, { tasks: [task], executors: [executor], frameworks }))
  t.is(second.state.recoveredAgents.size, 0)
  t.true(second.state.frameworks.get(framework.id)?.recovered)
  t.is(
    second.state.agents.get(agent.id)?.usedBy.get(framework.id)?.toString(),
    'cpus(allocated: golden):1.1; mem(allocated: golden):32',
  )
  const back = second.subscribe({ id: { value: framework.id } })
  second.say(back, { type: 'RECONCILE', reconcile: {} })
  t.deepEqual(second.updatesOf(back), ['t | TASK_RUNNING | REASON_RECONCILIATION | Reconciliation: Latest task state'])
  t.is(second.offersOf(back).length, 1)
})

test('while agents of the registry are awaited, unknown tasks are not answered; after the timeout they are', (t) => {
  const first = new Rehearsal()
  const agent = first.register()
  const stage = new Rehearsal({}, first.records)
  const framework = stage.subscribe(AWARE)
  const ask = () => {
    const tasks = [{ task_id: { value: 't' } }, { task_id: { value: 't' }, agent_id: { value: agent.id } }]
    stage.say(framework, { type: 'RECONCILE', reconcile: { tasks } })
    return stage.updatesOf(framework)
  }
  t.deepEqual(ask(), [])
  stage.pass(601_000)
  t.deepEqual(ask(), [
    't | TASK_UNKNOWN | REASON_RECONCILIATION | Reconciliation: Task is unknown',
    't | TASK_UNREACHABLE | REASON_RECONCILIATION | Reconciliation: Task is unreachable',
  ])
})

test('tasks of a framework that has ended are shut down on an agent that brings them', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  const framework = stage.subscribe({ checkpoint: true })
  stage.launch(framework, stage.task(agent, 't'))
  stage.play({ kind: 'agentLinkClosed', linkId: agent.linkId })
  stage.say(framework, { type: 'TEARDOWN' })
  const tasks = [reported(stage, agent, framework, 't', 'TASK_RUNNING')]
  const linkId = stage.connect(reregister(agent, { tasks, frameworks: [info(framework)] })).linkId!
  t.deepEqual(stage.messages.get(linkId)![1], {
    type: 'SHUTDOWN_FRAMEWORK',
    framework_id: { value: framework.id },
  })
  t.is(stage.state.agents.get(agent.id)?.tasks.size, 0)
})

test('UNREGISTER removes an agent at once; a new one at the same address takes the place of an old one', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  const framework = stage.subscribe(AWARE)
  stage.launch(framework, stage.task(agent, 't'))
  seen(framework)
  stage.hear(agent, { type: 'UNREGISTER', reason: 'bye' })
  t.deepEqual(seen(framework), ['TASK_LOST', 'FAILURE'])
  t.is(stage.state.registry.admitted.size, 0)
  const register: AgentMessage = {
    type: 'REGISTER',
    register: {
      agent_info: { hostname: 'same.test', resources: [scalar('cpus', 1)] },
      version: '1',
      capabilities: [{ type: 'MULTI_ROLE' }],
      address: { hostname: 'same.test', ip: '127.0.0.1', port: 9 },
    },
  }
  stage.connect(register)
  stage.connect(register)
  t.deepEqual([...stage.state.agents.keys()], ['m-S2'])
  t.deepEqual([...stage.state.registry.admitted.keys()], ['m-S2'])
})

test('an agent marked gone ends its tasks, is shut down and never comes back', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  const framework = stage.subscribe(AWARE)
  stage.launch(framework, stage.task(agent, 't'))
  seen(framework)
  const gone = { type: 'MARK_AGENT_GONE' as const, mark_agent_gone: { agent_id: { value: agent.id } } }
  t.is(stage.operate(gone).status, 200)
  t.deepEqual(stage.updatesOf(framework), [
    't | TASK_GONE_BY_OPERATOR | REASON_AGENT_REMOVED_BY_OPERATOR | Agent has been marked gone',
  ])
  t.is(agent.messages.at(-1)?.type, 'SHUTDOWN')
  t.is(stage.operate(gone).status, 200)
  const linkId = stage.connect(reregister(agent)).linkId!
  t.deepEqual(stage.messages.get(linkId), [{ type: 'SHUTDOWN', reason: 'Agent has been marked gone' }])
  t.true(stage.closed.has(linkId))
  stage.say(framework, {
    type: 'RECONCILE',
    reconcile: { tasks: [{ task_id: { value: 't' }, agent_id: { value: agent.id } }] },
  })
  t.deepEqual(stage.updatesOf(framework), [
    't | TASK_GONE_BY_OPERATOR | REASON_RECONCILIATION | Reconciliation: Task is gone',
  ])
})

test('an id cannot be taken over from another machine', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  const linkId = stage.connect(reregister(agent, {}, 'other.test')).linkId!
  t.is(stage.messages.get(linkId)?.[0]?.type, 'SHUTDOWN')
  t.is(stage.state.agents.get(agent.id)?.linkId, agent.linkId)
})

test('when the registry cannot be written the master abdicates and promises nothing more', (t) => {
  const stage = new Rehearsal()
  stage.holdsWrites = true
  const agent = stage.register()
  const effects = stage.play({ kind: 'registryFailed', token: 1, reason: 'disk full' })
  t.deepEqual(effects, [{ kind: 'abdicate', reason: 'the registry cannot be written: disk full' }])
  t.is(stage.call({ type: 'SUBSCRIBE', subscribe: { framework_info: { user: 'u', name: 'n' } } }).status, 503)
  t.deepEqual(agent.messages, [])
})
