import type { Call } from '@isthmus/proto/gen/scheduler'
import test from 'ava'
import { Rehearsal, type StageAgent, type StageFramework } from './rehearsal.ts'

const AWARE = [{ type: 'MULTI_ROLE' as const }, { type: 'PARTITION_AWARE' as const }]

function running(capabilities = [{ type: 'MULTI_ROLE' as const }] as typeof AWARE) {
  const stage = new Rehearsal()
  const agent = stage.register()
  const framework = stage.subscribe({ capabilities })
  stage.launch(framework, stage.task(agent, 't'))
  const uuid = stage.update(agent, framework, 't', 'TASK_RUNNING', {
    container_status: { container_id: { value: 'c' } },
  })
  framework.events.length = 0
  return { stage, agent, framework, uuid }
}

function acknowledge(agent: StageAgent, task: string, uuid: Uint8Array): Omit<Call, 'framework_id'> {
  return { type: 'ACKNOWLEDGE', acknowledge: { agent_id: { value: agent.id }, task_id: { value: task }, uuid } }
}

const reconciled: readonly {
  name: string
  task: string
  agent?: string
  plain: string
  aware: string
  text: string
}[] = [
  { name: 'an unknown task', task: 'none', plain: 'TASK_LOST', aware: 'TASK_UNKNOWN', text: 'Task is unknown' },
  {
    name: 'an unknown task of a registered agent',
    task: 'none',
    agent: 'm-S0',
    plain: 'TASK_LOST',
    aware: 'TASK_GONE',
    text: 'Task is unknown to the agent',
  },
  {
    name: 'an unknown task of an unknown agent',
    task: 'none',
    agent: 'nobody',
    plain: 'TASK_LOST',
    aware: 'TASK_UNKNOWN',
    text: 'Task is unknown',
  },
  { name: 'a known task', task: 't', plain: 'TASK_RUNNING', aware: 'TASK_RUNNING', text: 'Latest task state' },
  {
    name: 'a known task, the wrong agent named',
    task: 't',
    agent: 'nobody',
    plain: 'TASK_RUNNING',
    aware: 'TASK_RUNNING',
    text: 'Latest task state',
  },
]

for (const { name, task, agent, plain, aware, text } of reconciled) {
  for (const isAware of [false, true]) {
    test(`RECONCILE of ${name}${isAware ? ' with PARTITION_AWARE' : ''}`, (t) => {
      const { stage, framework } = running(isAware ? AWARE : undefined)
      const agent_id = agent === undefined ? undefined : { value: agent }
      stage.say(framework, { type: 'RECONCILE', reconcile: { tasks: [{ task_id: { value: task }, agent_id }] } })
      const status = framework.events[0]?.update?.status
      t.is(status?.uuid, undefined)
      t.is(status?.source, 'SOURCE_MASTER')
      t.is(status?.container_status?.container_id?.value, task === 't' ? 'c' : undefined)
      t.deepEqual(stage.updatesOf(framework), [
        `${task} | ${isAware ? aware : plain} | REASON_RECONCILIATION | Reconciliation: ${text}`,
      ])
    })
  }
}

test('KILL goes to the agent with its policy; of an unknown task the answer is its reconciliation', (t) => {
  const { stage, agent, framework } = running()
  const kill_policy = { grace_period: { nanoseconds: 5 } }
  stage.say(framework, { type: 'KILL', kill: { task_id: { value: 't' }, kill_policy } })
  t.deepEqual(agent.messages.at(-1), {
    type: 'KILL_TASK',
    kill_task: { framework_id: { value: framework.id }, task_id: { value: 't' }, kill_policy },
  })
  stage.say(framework, { type: 'KILL', kill: { task_id: { value: 'none' } } })
  t.deepEqual(stage.updatesOf(framework), [
    'none | TASK_LOST | REASON_RECONCILIATION | Reconciliation: Task is unknown',
  ])
})

test('resources are free as soon as the agent knows the end, though an older update is still waited for', (t) => {
  const { stage, agent, framework, uuid } = running()
  stage.hear(agent, {
    type: 'STATUS_UPDATE',
    status_update: {
      framework_id: { value: framework.id },
      status: { task_id: { value: 't' }, state: 'TASK_RUNNING', uuid },
      latest_state: 'TASK_FINISHED',
    },
  })
  const task = () => stage.state.frameworks.get(framework.id)?.tasks.get('t')
  t.is(framework.events[0], undefined, 'an update it has been told is no news')
  t.is(task()?.state, 'TASK_FINISHED')
  t.is(stage.state.agents.get(agent.id)?.usedBy.size, 0)
  stage.say(framework, acknowledge(agent, 't', uuid))
  t.truthy(task(), 'only the end acknowledged removes the task')
  const end = stage.update(agent, framework, 't', 'TASK_FINISHED')
  stage.say(framework, acknowledge(agent, 't', end))
  t.is(task(), undefined)
})

test('an acknowledgement that is not the latest, or comes twice, is passed on and changes nothing', (t) => {
  const { stage, agent, framework, uuid } = running()
  const end = stage.update(agent, framework, 't', 'TASK_FAILED')
  stage.say(framework, acknowledge(agent, 't', uuid))
  t.is(stage.state.frameworks.get(framework.id)?.tasks.size, 1)
  stage.say(framework, acknowledge(agent, 't', end))
  t.is(stage.say(framework, acknowledge(agent, 't', end)).status, 202)
  t.is(agent.messages.filter(({ type }) => type === 'ACKNOWLEDGE_STATUS').length, 3)
})

test('several updates of one task, a repeated end included, are each forwarded', (t) => {
  const { stage, agent, framework } = running()
  stage.update(agent, framework, 't', 'TASK_RUNNING')
  stage.update(agent, framework, 't', 'TASK_FAILED')
  stage.update(agent, framework, 't', 'TASK_FAILED')
  stage.update(agent, framework, 't', 'TASK_RUNNING')
  t.deepEqual(stage.updatesOf(framework), [
    't | TASK_RUNNING',
    't | TASK_FAILED',
    't | TASK_FAILED',
    't | TASK_RUNNING',
  ])
  t.is(stage.state.frameworks.get(framework.id)?.tasks.get('t')?.state, 'TASK_FAILED')
  t.is(stage.state.counters.get('master/tasks_failed'), 1)
})

test('a task remembers a bounded number of statuses, without their data', (t) => {
  const { stage, agent, framework } = running()
  for (let round = 0; round < 100; round++) {
    const state = round % 2 === 0 ? 'TASK_STARTING' : 'TASK_RUNNING'
    stage.update(agent, framework, 't', state, { data: new Uint8Array(1000) })
  }
  const statuses = stage.state.frameworks.get(framework.id)?.tasks.get('t')?.statuses ?? []
  t.is(statuses.length, 32)
  t.true(statuses.every(({ data }) => data === undefined))
})

test('completed tasks are a ring', (t) => {
  const stage = new Rehearsal({ maxCompletedTasksPerFramework: 2 })
  const agent = stage.register()
  const framework = stage.subscribe()
  for (const id of ['a', 'b', 'c']) {
    stage.pass(1000)
    stage.launch(framework, stage.task(agent, id))
    stage.say(framework, acknowledge(agent, id, stage.update(agent, framework, id, 'TASK_FINISHED')))
  }
  const completed = stage.state.frameworks.get(framework.id)?.completedTasks
  t.deepEqual(
    completed?.map(({ id }) => id),
    ['b', 'c'],
  )
})

test('an update of a task nobody knows is forwarded and counted as invalid', (t) => {
  const { stage, agent, framework } = running()
  stage.update(agent, framework, 'other', 'TASK_FAILED')
  t.deepEqual(stage.updatesOf(framework), ['other | TASK_FAILED'])
  t.is(stage.state.counters.get('master/invalid_status_updates'), 1)
})

test('messages go both ways, best effort', (t) => {
  const { stage, agent, framework } = running()
  const message = { agent_id: { value: agent.id }, executor_id: { value: 'x' }, data: new Uint8Array([1, 2]) }
  stage.say(framework, { type: 'MESSAGE', message })
  t.deepEqual(agent.messages.at(-1)?.framework_message?.data, new Uint8Array([1, 2]))
  stage.hear(agent, {
    type: 'EXECUTOR_MESSAGE',
    executor_message: { framework_id: { value: framework.id }, executor_id: { value: 'x' }, data: new Uint8Array([3]) },
  })
  t.deepEqual(framework.events.at(-1), { type: 'MESSAGE', message: { ...message, data: new Uint8Array([3]) } })
})

function offered(stage: Rehearsal, framework: StageFramework): boolean {
  return stage.offersOf(framework).length > 0
}

test('a declined offer is not offered again before refuse_seconds: 2 s, 0 s, and 5 s when absent or negative', (t) => {
  const stage = new Rehearsal()
  stage.register()
  const framework = stage.subscribe()
  const decline = (refuse_seconds: number | undefined) => {
    const offer_ids = stage.offersOf(framework).map((value) => ({ value }))
    stage.say(framework, { type: 'DECLINE', decline: { offer_ids, filters: { refuse_seconds } } })
  }
  for (const [seconds, earlyMs, lateMs] of [
    [2, 1900, 2600],
    [0, 0, 2000],
    [undefined, 4900, 2600],
    [-1, 4900, 2600],
  ] as const) {
    decline(seconds)
    stage.pass(earlyMs)
    t.false(offered(stage, framework), `refused for ${seconds}`)
    stage.pass(lateMs)
    t.true(offered(stage, framework), `offered again after ${seconds}`)
    const agent = [...stage.state.agents.values()][0]!
    stage.play({ kind: 'agentMessages', linkId: agent.linkId!, messages: [{ type: 'PONG' }] })
  }
})

test('an offer is rescinded after --offer_timeout and made again', (t) => {
  const stage = new Rehearsal({ offerTimeoutMs: 2500 })
  stage.register()
  const framework = stage.subscribe()
  const [first] = stage.offersOf(framework)
  framework.events.length = 0
  stage.pass(4000)
  t.deepEqual(framework.events[0], { type: 'RESCIND', rescind: { offer_id: { value: first! } } })
  t.is(framework.events[1]?.type, 'OFFERS')
})
