import test from 'ava'
import type { MasterFlags } from './options.ts'
import { Rehearsal, scalar } from './rehearsal.ts'
import { explainView } from './views.ts'

const CPUS = [scalar('cpus', 4), scalar('mem', 1024)]

/** A master that follows one with these agents, and with quota or without. */
function successor(hasQuota: boolean, hosts: readonly string[], flags: Partial<MasterFlags> = {}) {
  const before = new Rehearsal()
  const infos = hosts.map((host) => before.state.agents.get(before.register(host, CPUS).id)!)
  if (hasQuota) {
    const quota_configs = [{ role: 'team', limits: { cpus: { value: 100 } } }]
    before.operate({ type: 'UPDATE_QUOTA', update_quota: { quota_configs } })
  }
  const stage = new Rehearsal(flags, before.records)
  const comeBack = (at: number) => {
    const { info, capabilities, port } = infos[at]!
    stage.connect({
      type: 'REREGISTER',
      reregister: {
        agent_info: info,
        version: '1.11.0',
        capabilities,
        address: { hostname: info.hostname, ip: '127.0.0.1', port },
      },
    })
  }
  return { stage, comeBack }
}

const HOSTS = ['a', 'b', 'c', 'd', 'e']

test('after a failover with quota nothing is offered until four fifths of the agents are back, and then all of it', (t) => {
  const { stage, comeBack } = successor(true, HOSTS)
  const framework = stage.subscribe()
  for (const at of [0, 1, 2]) comeBack(at)
  stage.pass(5000)
  t.is(stage.offersOf(framework).length, 0)
  const explained = explainView(stage.state, { framework: framework.id }, stage.atMs)
  t.like(explained.ok ? explained.value.waiting : undefined, { agents_back: 3, agents_needed: 4 })
  comeBack(3)
  t.is(stage.offersOf(framework).length, 4)
  const after = explainView(stage.state, { framework: framework.id }, stage.atMs)
  t.is(after.ok ? after.value.waiting : 'refused', undefined)
})

test('without quota nobody is waited for', (t) => {
  const { stage, comeBack } = successor(false, HOSTS)
  const framework = stage.subscribe()
  comeBack(0)
  t.is(stage.offersOf(framework).length, 1)
})

test('agents are waited for no longer than --allocator_recovery_timeout', (t) => {
  const { stage, comeBack } = successor(true, HOSTS, { allocatorRecoveryTimeoutMs: 20_000 })
  const framework = stage.subscribe()
  comeBack(0)
  stage.pass(19_000)
  t.is(stage.offersOf(framework).length, 0)
  stage.pass(2000)
  t.is(stage.offersOf(framework).length, 1)
})

test('agents are not waited for when none can come back any more', (t) => {
  const { stage, comeBack } = successor(true, HOSTS, { agentReregisterTimeoutMs: 30_000 })
  const framework = stage.subscribe()
  comeBack(0)
  stage.pass(29_000)
  t.is(stage.offersOf(framework).length, 0)
  stage.pass(2000)
  t.is(stage.offersOf(framework).length, 1, 'the others are unreachable')
})

test('with --allocator_agent_recovery_factor=0 nobody is waited for', (t) => {
  const { stage, comeBack } = successor(true, HOSTS, { allocatorRecoveryFactor: 0 })
  const framework = stage.subscribe()
  comeBack(0)
  t.is(stage.offersOf(framework).length, 1)
})

test('quota that is set later does not stop offers', (t) => {
  const { stage, comeBack } = successor(false, HOSTS)
  const framework = stage.subscribe()
  stage.operate({ type: 'UPDATE_QUOTA', update_quota: { quota_configs: [{ role: 'team', limits: {} }] } })
  comeBack(0)
  t.is(stage.offersOf(framework).length, 1)
})
