import test from 'ava'
import { Rehearsal } from './rehearsal.ts'

test('a task runs from subscription to acknowledged end', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  t.is(agent.id, 'm-S0')
  t.deepEqual(
    agent.messages.map(({ type }) => type),
    ['REGISTERED', 'PING'],
  )
  const framework = stage.subscribe()
  t.is(framework.id, 'm-0000')
  t.deepEqual(
    framework.events.map(({ type }) => type),
    ['SUBSCRIBED', 'OFFERS'],
  )
  t.is(framework.events[0]?.subscribed?.heartbeat_interval_seconds, 15)
  const offer = framework.events[1]?.offers?.offers?.[0]
  t.is(offer?.id.value, 'm-O0')
  t.deepEqual(offer?.resources?.[0], {
    name: 'cpus',
    type: 'SCALAR',
    scalar: { value: 4 },
    role: '*',
    allocation_info: { role: 'golden' },
  })
  t.is(stage.launch(framework, stage.task(agent, 't1')).status, 202)
  const run = agent.messages.at(-1)
  t.is(run?.type, 'RUN_TASK')
  t.deepEqual(run?.run_task?.task.resources?.[0]?.allocation_info, { role: 'golden' })
  const uuid = stage.update(agent, framework, 't1', 'TASK_RUNNING')
  stage.say(framework, {
    type: 'ACKNOWLEDGE',
    acknowledge: { agent_id: { value: agent.id }, task_id: { value: 't1' }, uuid },
  })
  t.is(agent.messages.at(-1)?.type, 'ACKNOWLEDGE_STATUS')
  const end = stage.update(agent, framework, 't1', 'TASK_FINISHED', { message: 'Command exited with status 0' })
  t.deepEqual(stage.updatesOf(framework), ['t1 | TASK_RUNNING', 't1 | TASK_FINISHED | Command exited with status 0'])
  t.is(stage.state.frameworks.get(framework.id)?.tasks.size, 1)
  stage.say(framework, {
    type: 'ACKNOWLEDGE',
    acknowledge: { agent_id: { value: agent.id }, task_id: { value: 't1' }, uuid: end },
  })
  t.is(stage.state.frameworks.get(framework.id)?.tasks.size, 0)
  t.is(stage.state.frameworks.get(framework.id)?.completedTasks.length, 1)
  stage.pass(1000)
  t.is(framework.events.at(-1)?.type, 'OFFERS')
})
