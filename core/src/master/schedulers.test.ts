import type { AgentMessage } from '@isthmus/proto/gen/agent-link'
import type { FrameworkInfo } from '@isthmus/proto/gen/mesos'
import type { Call } from '@isthmus/proto/gen/scheduler'
import test from 'ava'
import { fingerprint, Rehearsal, type StageAgent, type StageFramework, scalar } from './rehearsal.ts'

// Several schedulers of one framework, one after the other, under one leader and under the next.

const UUID = new Uint8Array([1, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10, 11, 12, 13, 14, 15, 16])

function twice(): {
  stage: Rehearsal
  agent: StageAgent
  first: StageFramework
  second: StageFramework
  uuid: Uint8Array
} {
  const stage = new Rehearsal()
  const agent = stage.register()
  const first = stage.subscribe({ failover_timeout: 600 })
  stage.launch(first, stage.task(agent, 't'))
  const uuid = stage.update(agent, first, 't', 'TASK_RUNNING')
  const second = stage.subscribe({ id: { value: first.id }, failover_timeout: 600 })
  return { stage, agent, first, second, uuid }
}

const agentId = { value: 'm-S0' }
const CALLS: readonly Omit<Call, 'framework_id'>[] = [
  { type: 'TEARDOWN' },
  { type: 'ACCEPT', accept: { offer_ids: [{ value: 'm-O1' }], operations: [] } },
  { type: 'DECLINE', decline: { offer_ids: [{ value: 'm-O1' }] } },
  { type: 'REVIVE' },
  { type: 'SUPPRESS' },
  { type: 'KILL', kill: { task_id: { value: 't' } } },
  { type: 'SHUTDOWN', shutdown: { executor_id: { value: 'x' }, agent_id: agentId } },
  { type: 'ACKNOWLEDGE', acknowledge: { agent_id: agentId, task_id: { value: 't' }, uuid: UUID } },
  { type: 'RECONCILE', reconcile: {} },
  { type: 'MESSAGE', message: { agent_id: agentId, executor_id: { value: 'x' }, data: new Uint8Array([1]) } },
  { type: 'REQUEST', request: {} },
]

for (const call of CALLS) {
  test(`${call.type} by a scheduler that was replaced is refused, the state unchanged`, (t) => {
    const { stage, agent, first, second } = twice()
    second.events.length = 0
    const [before, said] = [fingerprint(stage.state), agent.messages.length]
    const { status, text } = stage.say(first, call)
    t.is(status, 400)
    const ids = `'${first.streamId}' included in this request didn't match the stream ID currently associated with framework ID ${first.id}`
    t.is(text, `The stream ID ${ids}`)
    t.is(fingerprint(stage.state), before)
    t.is(agent.messages.length, said)
    t.deepEqual(second.events, [])
  })
}

test('each scheduler replaces the one before, which is told and closed', (t) => {
  const { stage, first, second } = twice()
  const third = stage.subscribe({ id: { value: first.id }, failover_timeout: 600 })
  for (const replaced of [first, second]) {
    t.deepEqual(replaced.events.at(-1), { type: 'ERROR', error: { message: 'Framework failed over' } })
    t.true(stage.closed.has(replaced.streamId))
  }
  t.is(stage.say(third, { type: 'RECONCILE', reconcile: {} }).status, 202)
  t.deepEqual(stage.updatesOf(third), ['t | TASK_RUNNING | REASON_RECONCILIATION | Reconciliation: Latest task state'])
})

test('what the first was told and did not acknowledge, the second one acknowledges', (t) => {
  const { stage, agent, second, uuid } = twice()
  const acknowledge = { agent_id: { value: agent.id }, task_id: { value: 't' }, uuid }
  t.is(stage.say(second, { type: 'ACKNOWLEDGE', acknowledge }).status, 202)
  t.deepEqual(agent.messages.at(-1)?.acknowledge_status?.uuid, uuid)
})

test('the end of a stream that was replaced does not disconnect the framework', (t) => {
  const { stage, first, second } = twice()
  stage.play({ kind: 'streamClosed', streamId: first.streamId })
  t.is(stage.state.frameworks.get(first.id)?.streamId, second.streamId)
  t.false(stage.timers.has(`frameworkFailover ${first.id}`))
})

test('without a failover timeout a framework can be taken over while it is connected, and only then', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  const first = stage.subscribe({ failover_timeout: 0 })
  stage.launch(first, stage.task(agent, 't'))
  const second = stage.subscribe({ id: { value: first.id }, failover_timeout: 0 })
  t.is(stage.state.frameworks.get(first.id)?.tasks.size, 1)
  stage.play({ kind: 'streamClosed', streamId: second.streamId })
  t.is(agent.messages.at(-1)?.type, 'SHUTDOWN_FRAMEWORK')
  const third = stage.subscribe({ id: { value: first.id } })
  t.deepEqual(third.events, [{ type: 'ERROR', error: { message: 'Framework has been removed' } }])
})

test('the timeout of the newest info counts', (t) => {
  const stage = new Rehearsal()
  const first = stage.subscribe({ failover_timeout: 600 })
  const second = stage.subscribe({ id: { value: first.id }, failover_timeout: 10 })
  stage.play({ kind: 'streamClosed', streamId: second.streamId })
  stage.pass(9_999)
  t.true(stage.state.frameworks.has(first.id))
  stage.pass(1)
  t.true(stage.state.completedFrameworks.has(first.id))
})

/** A first message of an agent of the leader before, with a task of the framework. */
function returning(agent: StageAgent, info: FrameworkInfo, port: number): AgentMessage {
  const resources = [scalar('cpus', 4), scalar('mem', 4096)]
  const taskId = { value: `t${port}` }
  return {
    type: 'REREGISTER',
    reregister: {
      agent_info: { hostname: 'agent.test', port, id: { value: agent.id }, resources },
      version: '1.11.0',
      capabilities: [{ type: 'MULTI_ROLE' }],
      resources,
      frameworks: [info],
      tasks: [
        {
          name: 't',
          task_id: taskId,
          framework_id: info.id!,
          agent_id: { value: agent.id },
          state: 'TASK_RUNNING',
          resources: [{ ...scalar('cpus', 1), allocation_info: { role: 'golden' } }],
          statuses: [{ task_id: taskId, state: 'TASK_RUNNING' }],
        },
      ],
      address: { hostname: 'agent.test', ip: '127.0.0.1', port },
    },
  }
}

/** A new leader to which the first of two agents came back, but not the framework of both. */
function failover(failoverTimeoutSeconds: number) {
  const before = new Rehearsal()
  const agents = [before.register(), before.register()]
  const { id } = before.subscribe()
  const stage = new Rehearsal({ masterId: 'n', agentReregisterTimeoutMs: 60_000 }, before.records)
  const info: FrameworkInfo = {
    id: { value: id },
    user: 'root',
    name: 'f',
    roles: ['golden'],
    capabilities: [{ type: 'MULTI_ROLE' }],
    failover_timeout: failoverTimeoutSeconds,
    checkpoint: true,
  }
  const { linkId } = stage.connect(returning(agents[0]!, info, 5051))
  const said = stage.messages.get(linkId!)!
  const pass = (ms: number) => {
    for (let left = ms; left > 0; left -= 10_000) {
      stage.hear({ ...agents[0]!, linkId: linkId! }, { type: 'PONG' })
      stage.pass(Math.min(left, 10_000))
    }
  }
  return { stage, agents, info, id, said, pass }
}

for (const { timeoutSeconds, afterMs } of [
  { timeoutSeconds: 0, afterMs: 60_000 },
  { timeoutSeconds: 600, afterMs: 600_000 },
]) {
  test(`a framework known by agents only, with a failover timeout of ${timeoutSeconds} s, ends after ${afterMs / 1000} s`, (t) => {
    const { stage, agents, info, id, said, pass } = failover(timeoutSeconds)
    const framework = stage.state.frameworks.get(id)!
    t.true(framework.recovered && !framework.active)
    t.is(framework.tasks.size, 1)
    pass(afterMs - 1)
    t.true(stage.state.frameworks.has(id))
    pass(1)
    t.true(stage.state.completedFrameworks.has(id))
    t.deepEqual(said.filter(({ type }) => type === 'SHUTDOWN_FRAMEWORK').length, 1)
    t.is(stage.state.agents.get(agents[0]!.id)!.usedBy.size, 0)
    const late = stage.connect(returning(agents[1]!, info, 5052))
    const told = stage.messages.get(late.linkId!)!.map(({ type }) => type)
    t.deepEqual(told, ['REREGISTERED', 'SHUTDOWN_FRAMEWORK', 'PING'])
    t.is(stage.state.agents.get(agents[1]!.id)!.tasks.size, 0)
    const back = stage.subscribe({ ...info })
    t.deepEqual(back.events, [{ type: 'ERROR', error: { message: 'Framework has been removed' } }])
  })
}

test('a framework known by agents only has its tasks when it comes back, and its timeout is forgotten', (t) => {
  const { stage, info, id, pass } = failover(120)
  pass(119_000)
  const back = stage.subscribe({ ...info })
  pass(600_000)
  stage.updatesOf(back)
  stage.say(back, { type: 'RECONCILE', reconcile: {} })
  t.deepEqual(stage.updatesOf(back), [
    't5051 | TASK_RUNNING | REASON_RECONCILIATION | Reconciliation: Latest task state',
  ])
  t.false(stage.state.frameworks.get(id)!.recovered)
})

for (const aware of [true, false]) {
  test(`RECONCILE while agents of the registry are awaited, and after (${aware ? 'PARTITION_AWARE' : 'plain'})`, (t) => {
    const { stage, agents, info, pass } = failover(6_000)
    const capabilities = [{ type: 'MULTI_ROLE' as const }, ...(aware ? [{ type: 'PARTITION_AWARE' as const }] : [])]
    const back = stage.subscribe({ ...info, capabilities })
    const [here, awaited] = agents.map(({ id }) => ({ value: id }))
    const asked = () => {
      stage.updatesOf(back)
      const tasks = [
        { task_id: { value: 't5051' }, agent_id: here },
        { task_id: { value: 'x' }, agent_id: here },
        { task_id: { value: 't5052' }, agent_id: awaited },
        { task_id: { value: 'y' } },
        { task_id: { value: 'z' }, agent_id: { value: 'nobody' } },
      ]
      stage.say(back, { type: 'RECONCILE', reconcile: { tasks } })
      return stage.updatesOf(back).map((update) => update.split(' | ').slice(0, 2).join(' '))
    }
    const or = (state: string) => (aware ? state : 'TASK_LOST')
    t.deepEqual(asked(), ['t5051 TASK_RUNNING', `x ${or('TASK_GONE')}`, `z ${or('TASK_UNKNOWN')}`])
    pass(60_000)
    t.deepEqual(asked(), [
      't5051 TASK_RUNNING',
      `x ${or('TASK_GONE')}`,
      `t5052 ${or('TASK_UNREACHABLE')}`,
      `y ${or('TASK_UNKNOWN')}`,
      `z ${or('TASK_UNKNOWN')}`,
    ])
  })
}
