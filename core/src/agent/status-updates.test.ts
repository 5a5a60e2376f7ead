import test from 'ava'
import { CUSTOM, Rehearsal } from './rehearsal.ts'
import { PENDING_UPDATES_MAX } from './update-stream.ts'

function running(): Rehearsal {
  const agent = new Rehearsal()
  agent.run({ id: 't' })
  agent.start(agent.lastLaunched)
  return agent
}

function told(agent: Rehearsal): (readonly [string | undefined, string | undefined])[] {
  return agent.told
    .filter(({ type }) => type === 'STATUS_UPDATE')
    .map(({ status_update }) => [status_update?.status.state, status_update?.latest_state] as const)
}

test('the next update waits until the one before is acknowledged; the end of a task is told beside the oldest', (t) => {
  const agent = running()
  t.deepEqual(told(agent), [['TASK_STARTING', 'TASK_STARTING']])
  agent.exit(agent.lastLaunched, 0)
  t.deepEqual(told(agent), [
    ['TASK_STARTING', 'TASK_STARTING'],
    ['TASK_STARTING', 'TASK_FINISHED'],
  ])
  agent.states()
  t.deepEqual(told(agent).slice(2), [
    ['TASK_RUNNING', 'TASK_FINISHED'],
    ['TASK_FINISHED', 'TASK_FINISHED'],
  ])
})

test('an update that is not acknowledged is sent again after 10 s, then after twice as long each time up to 10 min', (t) => {
  const agent = running()
  const [first] = agent.told
  let expected = 1
  for (const pauseMs of [10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 600_000, 600_000]) {
    agent.pass(pauseMs - 1)
    t.is(agent.told.length, expected)
    agent.pass(1)
    expected += 1
    t.is(agent.told.length, expected)
    t.deepEqual(agent.told.at(-1)?.status_update?.status, first?.status_update?.status)
  }
})

test('the pauses start anew with the next update', (t) => {
  const agent = running()
  agent.pass(30_000)
  const count = agent.told.length
  const [starting] = agent.told
  if (starting?.status_update === undefined) return t.fail()
  agent.acknowledge(starting.status_update.status)
  t.is(agent.told.length, count + 1)
  agent.pass(9_999)
  t.is(agent.told.length, count + 1)
  agent.pass(1)
  t.is(agent.told.length, count + 2)
})

test('nothing is sent again after the last acknowledgement', (t) => {
  const agent = running()
  agent.states()
  const count = agent.told.length
  agent.pass(3_600_000)
  t.is(agent.told.length, count)
  t.false(agent.timers.some((key) => key.startsWith('retryUpdate')))
})

for (const { name, ids } of [
  { name: 'another uuid', ids: { framework_id: { value: 'F' }, task_id: { value: 't' }, uuid: new Uint8Array(16) } },
  { name: 'another task', ids: { framework_id: { value: 'F' }, task_id: { value: 'x' }, uuid: new Uint8Array(16) } },
  {
    name: 'another framework',
    ids: { framework_id: { value: 'X' }, task_id: { value: 't' }, uuid: new Uint8Array(16) },
  },
]) {
  test(`an acknowledgement with ${name} changes nothing`, (t) => {
    const agent = running()
    const effects = agent.master({ type: 'ACKNOWLEDGE_STATUS', acknowledge_status: ids })
    t.deepEqual(
      effects.map(({ kind }) => kind),
      ['note'],
    )
    t.is(agent.state.frameworks.get('F')?.updates.get('t')?.pending.length, 2)
  })
}

test('an acknowledgement that comes twice changes nothing the second time', (t) => {
  const agent = running()
  const status = agent.told[0]?.status_update?.status
  if (status === undefined) return t.fail()
  agent.acknowledge(status)
  const count = agent.told.length
  agent.acknowledge(status)
  t.is(agent.told.length, count)
  t.is(agent.state.frameworks.get('F')?.updates.get('t')?.pending[0]?.state, 'TASK_RUNNING')
})

test('without a link nothing is sent; with the next registration everything is, and the pauses start anew', (t) => {
  const agent = running()
  agent.post({ kind: 'linkClosed', atMs: agent.atMs, reason: 'reset' })
  const count = agent.told.length
  agent.exit(agent.lastLaunched, 0)
  agent.pass(700_000)
  t.is(agent.told.length, count)
  agent.reconnect()
  t.deepEqual(told(agent).at(-1), ['TASK_STARTING', 'TASK_FINISHED'])
  const afterReturn = agent.told.length
  agent.pass(10_000)
  t.is(agent.told.length, afterReturn + 1)
  t.deepEqual(agent.states().slice(-1), ['t TASK_FINISHED'])
})

test('too many updates of one task push out the oldest but the one that is with the master', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 't', command: undefined, executor: CUSTOM })
  agent.start(agent.lastLaunched)
  agent.subscribe()
  for (let number = 0; number < PENDING_UPDATES_MAX + 5; number++) {
    agent.report('t', 'TASK_RUNNING', { message: String(number) })
  }
  const pending = agent.state.frameworks.get('F')?.updates.get('t')?.pending ?? []
  t.is(pending.length, PENDING_UPDATES_MAX)
  t.is(pending[0]?.message, '0')
  t.is(pending[1]?.message, '6')
  t.is(pending.at(-1)?.message, String(PENDING_UPDATES_MAX + 4))
})

test('ends are counted by their state, once', (t) => {
  const agent = running()
  agent.exit(agent.lastLaunched, 0)
  agent.run({ id: 'u' })
  agent.kill('u')
  agent.fail(agent.lastLaunched, 'launch', 'x')
  const { tasksFinished, tasksKilled, tasksFailed, tasksLost, containerLaunchErrors } = agent.state.counters
  t.deepEqual([tasksFinished, tasksKilled, tasksFailed, tasksLost, containerLaunchErrors], [1, 1, 0, 0, 1])
})
