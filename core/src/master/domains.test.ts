import type { AgentMessage } from '@isthmus/proto/gen/agent-link'
import type { DomainInfo, FrameworkInfo } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import { fingerprint, Rehearsal, type StageFramework, scalar } from './rehearsal.ts'

const domain = (region: string, zone = `${region}-1`): DomainInfo => ({
  fault_domain: { region: { name: region }, zone: { name: zone } },
})

function register(hostname: string, where?: DomainInfo): AgentMessage {
  return {
    type: 'REGISTER',
    register: {
      agent_info: { hostname, resources: [scalar('cpus', 4), scalar('mem', 1024)], domain: where },
      version: '1.11.0',
      capabilities: [{ type: 'MULTI_ROLE' }, { type: 'HIERARCHICAL_ROLE' }, { type: 'RESERVATION_REFINEMENT' }],
      address: { hostname, ip: '127.0.0.1', port: 5051 },
    },
  }
}

function hostsOffered({ events }: StageFramework): string[] {
  return events.flatMap(({ offers }) => offers?.offers?.map(({ hostname }) => hostname) ?? []).sort()
}

const AWARE: Partial<FrameworkInfo> = { capabilities: [{ type: 'MULTI_ROLE' }, { type: 'REGION_AWARE' }] }

for (const { name, info, expected } of [
  { name: 'without REGION_AWARE gets agents of the master’s region only', info: {}, expected: ['here', 'nowhere'] },
  { name: 'with REGION_AWARE gets agents everywhere', info: AWARE, expected: ['here', 'nowhere', 'there'] },
]) {
  test(`a framework ${name}; an agent without a domain is near`, (t) => {
    const stage = new Rehearsal({ domain: domain('eu') })
    stage.connect(register('here', domain('eu', 'eu-2')))
    stage.connect(register('there', domain('us')))
    stage.connect(register('nowhere'))
    t.deepEqual(hostsOffered(stage.subscribe(info)), expected)
  })
}

test('offers, agents and the master’s info say where they are', (t) => {
  const stage = new Rehearsal({ domain: domain('eu') })
  stage.connect(register('here', domain('eu', 'eu-2')))
  const framework = stage.subscribe()
  const offers = framework.events.find(({ type }) => type === 'OFFERS')?.offers?.offers
  t.deepEqual(offers?.[0]?.domain, domain('eu', 'eu-2'))
  const info = framework.events.find(({ type }) => type === 'SUBSCRIBED')?.subscribed?.master_info
  t.deepEqual(info?.domain, domain('eu'))
  const { response } = stage.operate({ type: 'GET_AGENTS' })
  t.deepEqual(response?.get_agents?.agents?.[0]?.agent_info.domain, domain('eu', 'eu-2'))
})

for (const { name, flags, where, text } of [
  {
    name: 'has a domain where the master has none',
    flags: {},
    where: domain('eu'),
    text: /^Invalid agent: the agent has a domain, but the master has none/,
  },
  {
    name: 'has none where --require_agent_domain is set',
    flags: { domain: domain('eu'), requireAgentDomain: true },
    where: undefined,
    text: /^Invalid agent: the agent has no domain/,
  },
]) {
  test(`an agent that ${name} is refused, the state unchanged`, (t) => {
    const stage = new Rehearsal(flags)
    const before = fingerprint(stage.state)
    const answer = stage.connect(register('agent.test', where))
    t.is(answer.status, 400)
    t.regex(answer.text ?? '', text)
    t.is(fingerprint(stage.state), before)
  })
}

test('a framework that subscribes again without REGION_AWARE is offered near agents only', (t) => {
  const stage = new Rehearsal({ domain: domain('eu') })
  stage.connect(register('there', domain('us')))
  const framework = stage.subscribe({ ...AWARE, failover_timeout: 60 })
  t.deepEqual(hostsOffered(framework), ['there'])
  const again = stage.subscribe({ id: { value: framework.id }, failover_timeout: 60 })
  stage.pass(10_000)
  t.deepEqual(hostsOffered(again), [])
})
