import test from 'ava'
import { Rehearsal, scalar } from '../../master/rehearsal.ts'
import { explainView } from '../../master/views.ts'
import { type Explanation, explanationText } from './explain-text.ts'

function textOf(stage: Rehearsal, query: { framework?: string; role?: string }): string[] {
  const explained = explainView(stage.state, query, stage.atMs)
  if (!explained.ok) throw new Error(explained.text)
  return explanationText(JSON.parse(JSON.stringify(explained.value)) as Explanation).split('\n')
}

test('an explanation tells the pool, shares and quotas, and why, agent by agent', (t) => {
  const stage = new Rehearsal()
  const framework = stage.subscribe({ name: 'web', roles: ['a'] })
  stage.register('one.test', [scalar('cpus', 2), scalar('mem', 512)])
  const agent = stage.register('two.test', [scalar('cpus', 6), scalar('mem', 512)])
  const offer_ids = stage.offersOf(framework).map((value) => ({ value }))
  const taken = offer_ids.filter(({ value }) => stage.state.offers.get(value)!.agentId === agent.id)
  const task = stage.task(agent, 't', { resources: [scalar('cpus', 2), scalar('mem', 32)] })
  stage.say(framework, {
    type: 'ACCEPT',
    accept: {
      offer_ids: taken,
      operations: [{ type: 'LAUNCH', launch: { task_infos: [task] } }],
      filters: { refuse_seconds: 90 },
    },
  })
  stage.operate({
    type: 'UPDATE_WEIGHTS',
    update_weights: { weight_infos: [{ role: 'a', weight: 2 }] },
  })
  t.deepEqual(textOf(stage, { framework: 'web' }), [
    'Pool: 2 agents',
    '  total cpus:8; mem:1024',
    '  used cpus:2; mem:32, offered cpus:2; mem:512, free cpus:4; mem:480',
    'Order: roles by drf, frameworks by drf',
    'Role a: share 0.2656, weight 2',
    `Framework web (${framework.id})`,
    '  Role a: 1 offer unanswered (cpus:2; mem:512)',
    '    - nothing is free on 1 agent: all is used or offered',
    '      one.test',
    '    - the framework has refused what is free on 1 agent (cpus:4; mem:480); that ends in 90 seconds',
    '      two.test',
    '',
  ])
})

test('an explanation tells quota with what is missing of it, and offers that wait for an answer', (t) => {
  const stage = new Rehearsal()
  stage.subscribe({ name: 'web', roles: ['a/b'] })
  stage.register('one.test', [scalar('cpus', 2), scalar('mem', 512)])
  stage.operate({
    type: 'UPDATE_QUOTA',
    update_quota: {
      force: true,
      quota_configs: [{ role: 'a', guarantees: { cpus: { value: 3 } }, limits: { cpus: { value: 3 } } }],
    },
  })
  stage.pass(1000)
  const lines = textOf(stage, { role: 'a/b' })
  t.is(lines[5], '  quota of a: guarantee cpus:3, missing cpus:1, limit cpus:3, consumed cpus:2; mem:512')
  t.is(lines[7], '  Role a/b: 1 offer unanswered (cpus:2; mem:512)')
})

test('an explanation names some agents and counts the others', (t) => {
  const stage = new Rehearsal()
  stage.subscribe({ name: 'web', roles: ['a'] })
  for (let at = 0; at < 13; at++) stage.register(`host-${at}`, [scalar('cpus', 2), scalar('gpus', 1)])
  t.regex(textOf(stage, { framework: 'web' }).at(-2)!, /^ {6}host-0, host-1, .*, host-9 and 3 more$/)
})

test('an explanation says when there is nobody to explain, and nothing to offer', (t) => {
  const stage = new Rehearsal({ roles: ['golden'] })
  t.deepEqual(textOf(stage, { role: 'golden' }).slice(-2), ['No framework is subscribed to the role or below it.', ''])
  const framework = stage.subscribe({ name: 'web', failover_timeout: 100 })
  stage.play({ kind: 'streamClosed', streamId: framework.streamId })
  t.deepEqual(textOf(stage, { framework: 'web' }).slice(-4), [
    `Framework web (${framework.id}), not connected`,
    '  Role golden: no offers',
    '    - there are no agents',
    '',
  ])
})
