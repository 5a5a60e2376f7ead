import type { FrameworkInfoCapability, Resource } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import { bagOf } from './bag.ts'
import { Rehearsal, type StageAgent, type StageFramework, scalar } from './rehearsal.ts'
import { metricsView } from './views.ts'

const REVOCABLE: readonly FrameworkInfoCapability[] = [{ type: 'MULTI_ROLE' }, { type: 'REVOCABLE_RESOURCES' }]

function revocable(name: string, value: number): Resource {
  return { ...scalar(name, value), revocable: {} }
}

function estimate(stage: Rehearsal, agent: StageAgent, ...resources: Resource[]): void {
  stage.hear(agent, { type: 'UPDATE_RESOURCES', update_resources: { resources } })
}

/** What a framework is offered now. */
function offered(stage: Rehearsal, framework: StageFramework): string[] {
  return stage.offersOf(framework).map((id) => stage.state.offers.get(id)!.resources.unallocate().toString())
}

function types(framework: StageFramework): string[] {
  return framework.events.splice(0).map(({ type }) => type ?? '')
}

test('only frameworks with REVOCABLE_RESOURCES are offered what an agent oversubscribes', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  const plain = stage.subscribe()
  t.is(stage.offersOf(plain).length, 1)
  const able = stage.subscribe({ capabilities: REVOCABLE })
  t.deepEqual(offered(stage, able), [])
  estimate(stage, agent, revocable('cpus', 2), revocable('mem', 512))
  t.deepEqual(offered(stage, able), ['cpus{REV}:2; mem{REV}:512'])
  t.is(stage.offersOf(plain).length, 1)
  t.false(offered(stage, plain)[0]!.includes('REV'))
})

test('a new estimate rescinds the offers that hold revocable resources of the agent, and no others', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  const plain = stage.subscribe()
  const able = stage.subscribe({ capabilities: REVOCABLE })
  estimate(stage, agent, revocable('cpus', 2))
  types(plain)
  types(able)
  estimate(stage, agent, revocable('cpus', 3))
  t.deepEqual(types(able), ['RESCIND', 'OFFERS'])
  t.deepEqual(types(plain), [])
  t.deepEqual(offered(stage, able), ['cpus{REV}:3'])
})

test('an estimate that says nothing new changes nothing', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  const able = stage.subscribe({ capabilities: REVOCABLE })
  estimate(stage, agent, revocable('cpus', 2))
  types(able)
  estimate(stage, agent, revocable('cpus', 1), revocable('cpus', 1))
  t.deepEqual(types(able), [])
  t.is(metricsView(stage.state, stage.atMs)['master/messages_update_slave'], 2)
})

test('an estimate is about revocable resources only', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  estimate(stage, agent, revocable('cpus', 2), scalar('cpus', 100))
  t.is(stage.state.agents.get(agent.id)!.total.nonRevocable().milli('cpus'), 4000)
  t.is(stage.state.agents.get(agent.id)!.total.revocable().milli('cpus'), 2000)
})

const broken: readonly { name: string; resource: Resource }[] = [
  { name: 'a negative amount', resource: revocable('cpus', -1) },
  { name: 'no value', resource: { name: 'cpus', type: 'SCALAR', revocable: {} } },
  { name: 'parts of gpus', resource: revocable('gpus', 0.5) },
  { name: 'more than there can be', resource: revocable('mem', 1e13) },
]
for (const { name, resource } of broken) {
  test(`an invalid estimate is ignored: ${name}`, (t) => {
    const stage = new Rehearsal()
    const agent = stage.register()
    const before = stage.state.agents.get(agent.id)!.total
    estimate(stage, agent, revocable('cpus', 1), resource)
    t.is(stage.state.agents.get(agent.id)!.total, before)
  })
}

test('a task runs on revocable resources; when it ends they are offered again', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  stage.subscribe()
  const able = stage.subscribe({ capabilities: REVOCABLE })
  estimate(stage, agent, revocable('cpus', 2), revocable('mem', 512))
  stage.launch(able, stage.task(agent, 'a', { resources: [revocable('cpus', 1.5), revocable('mem', 100)] }))
  t.is(agent.messages.at(-1)?.run_task?.task.task_id.value, 'a')
  stage.pass(1_000)
  t.deepEqual(offered(stage, able), ['cpus{REV}:0.5; mem{REV}:412'])
  const metrics = metricsView(stage.state, stage.atMs)
  t.is(metrics['master/cpus_revocable_total'], 2)
  t.is(metrics['master/cpus_revocable_used'], 1.5)
  t.is(metrics['master/cpus_revocable_percent'], 0.75)
  t.is(metrics['master/cpus_used'], 0)
  stage.update(agent, able, 'a', 'TASK_FINISHED')
  stage.pass(5_000)
  const all = stage.offersOf(able).map((id) => stage.state.offers.get(id)!.resources.unallocate().revocable())
  t.true(all.reduce((sum, one) => sum.plus(one)).equals(bagOf([revocable('cpus', 2), revocable('mem', 512)])))
})

test('an estimate may be smaller than what tasks hold: nothing revocable is offered until it grows again', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  stage.subscribe()
  const able = stage.subscribe({ capabilities: REVOCABLE })
  estimate(stage, agent, revocable('cpus', 2), revocable('mem', 512))
  stage.launch(able, stage.task(agent, 'a', { resources: [revocable('cpus', 1.5), revocable('mem', 100)] }))
  estimate(stage, agent, revocable('cpus', 1))
  t.deepEqual(offered(stage, able), [])
  stage.update(agent, able, 'a', 'TASK_FINISHED')
  stage.pass(1_000)
  t.deepEqual(offered(stage, able), ['cpus{REV}:1'])
})

test('revocable resources do not count against the quota of a role', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  stage.operate({
    type: 'UPDATE_QUOTA',
    update_quota: { quota_configs: [{ role: 'golden', limits: { cpus: { value: 1 }, mem: { value: 256 } } }] },
  })
  estimate(stage, agent, revocable('cpus', 3), revocable('mem', 512))
  const able = stage.subscribe({ capabilities: REVOCABLE })
  stage.pass(1_000)
  const sum = stage.offersOf(able).map((id) => stage.state.offers.get(id)!.resources)
  const all = sum.reduce((one, other) => one.plus(other))
  t.is(all.revocable().milli('cpus'), 3000)
  t.is(all.nonRevocable().milli('cpus'), 1000)
})

test('revocable resources cannot be reserved', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  stage.subscribe()
  const able = stage.subscribe({ capabilities: REVOCABLE })
  estimate(stage, agent, revocable('cpus', 2), revocable('mem', 512))
  const wanted: Resource = { ...revocable('cpus', 1), reservations: [{ type: 'DYNAMIC', role: 'golden' }] }
  stage.say(able, {
    type: 'ACCEPT',
    accept: {
      offer_ids: stage.offersOf(able).map((value) => ({ value })),
      operations: [{ type: 'RESERVE', reserve: { resources: [wanted] } }],
    },
  })
  t.deepEqual([...stage.state.agents.get(agent.id)!.total.reservations().keys()], [])
  t.false(agent.messages.some(({ type }) => type === 'APPLY_OPERATION'))
})

test('what an agent oversubscribes comes back with its registration', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  estimate(stage, agent, revocable('cpus', 2))
  const { info } = stage.state.agents.get(agent.id)!
  stage.play({ kind: 'agentLinkClosed', linkId: agent.linkId })
  stage.connect({
    type: 'REREGISTER',
    reregister: {
      agent_info: info,
      version: '1.11.0',
      address: { hostname: 'agent.test', ip: '127.0.0.1', port: info.port ?? 0 },
      resources: [...(info.resources ?? []), revocable('cpus', 1)],
    },
  })
  t.is(stage.state.agents.get(agent.id)!.total.revocable().milli('cpus'), 1000)
})

test('who refused a small estimate for long is asked again when there is more', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  stage.subscribe()
  const able = stage.subscribe({ capabilities: REVOCABLE })
  estimate(stage, agent, revocable('cpus', 1))
  const offer_ids = stage.offersOf(able).map((value) => ({ value }))
  stage.say(able, { type: 'DECLINE', decline: { offer_ids, filters: { refuse_seconds: 1_000 } } })
  stage.pass(10_000)
  estimate(stage, agent, revocable('cpus', 0.5))
  t.deepEqual(offered(stage, able), [])
  estimate(stage, agent, revocable('cpus', 2))
  t.deepEqual(offered(stage, able), ['cpus{REV}:2'])
})

test('revocable resources are not held back for a guarantee, and do not fulfil one', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  const guarantees = { cpus: { value: 4 }, mem: { value: 4096 } }
  stage.operate({
    type: 'UPDATE_QUOTA',
    update_quota: { force: true, quota_configs: [{ role: 'other', guarantees, limits: guarantees }] },
  })
  estimate(stage, agent, revocable('cpus', 3), revocable('mem', 512))
  const able = stage.subscribe({ capabilities: REVOCABLE })
  stage.pass(1_000)
  const all = stage.offersOf(able).map((id) => stage.state.offers.get(id)!.resources)
  const sum = all.reduce((one, other) => one.plus(other), bagOf([]))
  t.is(sum.revocable().milli('cpus'), 3000)
  t.is(sum.nonRevocable().milli('cpus'), 0)
})
