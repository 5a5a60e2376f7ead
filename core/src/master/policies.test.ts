import type { OfferConstraints } from '@isthmus/proto/gen/scheduler'
import test from 'ava'
import { Rehearsal, type StageFramework, scalar } from './rehearsal.ts'

function hosts(...names: string[]): OfferConstraints {
  const groups = names.map((value) => ({
    attribute_constraints: [
      { selector: { pseudoattribute_type: 'HOSTNAME' as const }, predicate: { text_matches: { regex: value } } },
    ],
  }))
  return { role_constraints: { golden: { groups } } }
}

const INFO = { user: 'root', name: 'f', roles: ['golden'], capabilities: [{ type: 'MULTI_ROLE' as const }] }

function subscribe(stage: Rehearsal, constraints: OfferConstraints | undefined, name = 'f'): StageFramework {
  const info = { ...INFO, name }
  const { streamId = '' } = stage.call({
    type: 'SUBSCRIBE',
    subscribe: { framework_info: info, offer_constraints: constraints },
  })
  const events = stage.events.get(streamId)!
  return { id: events[0]?.subscribed?.framework_id.value ?? '', streamId, events }
}

function offeredHosts(stage: Rehearsal, framework: StageFramework): string[] {
  return stage
    .offersOf(framework)
    .map((id) => stage.state.agents.get(stage.state.offers.get(id)!.agentId)!.info.hostname)
    .sort()
}

function decline(stage: Rehearsal, framework: StageFramework, seconds: number): void {
  const offer_ids = stage.offersOf(framework).map((value) => ({ value }))
  stage.say(framework, { type: 'DECLINE', decline: { offer_ids, filters: { refuse_seconds: seconds } } })
}

test('a framework is offered the agents its constraints ask for, and others when it changes them', (t) => {
  const stage = new Rehearsal()
  for (const name of ['db-1', 'db-2', 'web-1']) stage.register(name)
  const framework = subscribe(stage, hosts('db-[0-9]', 'x'))
  t.deepEqual(offeredHosts(stage, framework), ['db-1', 'db-2'])
  const update = (constraints: OfferConstraints | undefined) =>
    stage.say(framework, {
      type: 'UPDATE_FRAMEWORK',
      update_framework: { framework_info: { ...INFO, id: { value: framework.id } }, offer_constraints: constraints },
    })
  t.is(update(hosts('web.*')).status, 200)
  t.deepEqual(offeredHosts(stage, framework), ['db-1', 'db-2', 'web-1'], 'what it was offered before stays')
  decline(stage, framework, 0)
  stage.pass(1000)
  t.deepEqual(offeredHosts(stage, framework), ['web-1'])
  t.is(update(undefined).status, 200)
  t.deepEqual(offeredHosts(stage, framework), ['db-1', 'db-2', 'web-1'])
})

test('an update with a pattern beyond the limits is refused, and the constraints stay', (t) => {
  const stage = new Rehearsal({ patternLimits: { programSize: 5, bytes: 4096 } })
  for (const name of ['a', 'b']) stage.register(name)
  const framework = subscribe(stage, hosts('a'))
  const update_framework = {
    framework_info: { ...INFO, id: { value: framework.id } },
    offer_constraints: hosts('b{20}'),
  }
  const answer = stage.say(framework, { type: 'UPDATE_FRAMEWORK', update_framework })
  t.is(answer.status, 400)
  t.regex(answer.text!, /program size of 21 is larger than maximum of 5 allowed$/)
  decline(stage, framework, 0)
  stage.pass(1000)
  t.deepEqual(offeredHosts(stage, framework), ['a'])
})

test('--framework_sorter=priority: the framework with the higher number is offered everything first', (t) => {
  const flags = { frameworkSorter: 'priority', frameworkPriorities: { high: 1 } }
  for (const { given, expected } of [
    { given: {}, expected: [1, 1] },
    { given: flags, expected: [0, 2] },
  ]) {
    const stage = new Rehearsal(given)
    const [low, high] = [subscribe(stage, undefined, 'low'), subscribe(stage, undefined, 'high')]
    for (const name of ['a', 'b']) stage.register(name)
    t.deepEqual([stage.offersOf(low).length, stage.offersOf(high).length], expected)
  }
})

test('--role_sorter=priority: the role with the higher number is offered everything first', (t) => {
  const stage = new Rehearsal({ roleSorter: 'priority', rolePriorities: { a: -1 } })
  const [low, high] = [stage.subscribe({ roles: ['a'] }), stage.subscribe({ roles: ['b'] })]
  for (const name of ['a', 'b', 'c']) stage.register(name)
  t.deepEqual([stage.offersOf(low).length, stage.offersOf(high).length], [0, 3])
})

test('--fair_sharing_excluded_resource_names: a kind that is left out counts in no share', (t) => {
  for (const { fairSharingExcluded, expected } of [
    { fairSharingExcluded: [], expected: [0, 1] },
    { fairSharingExcluded: ['tapes'], expected: [1, 0] },
  ]) {
    const stage = new Rehearsal({ fairSharingExcluded })
    const tapes = [scalar('tapes', 9), scalar('cpus', 1), scalar('mem', 128)]
    const large = stage.subscribe({ roles: ['large'] })
    const first = stage.register('first', tapes)
    const resources = [scalar('tapes', 9), scalar('cpus', 0.1), scalar('mem', 32)]
    stage.launch(large, stage.task(first, 't', { resources }))
    stage.say(large, { type: 'SUPPRESS' })
    const small = stage.subscribe({ roles: ['small'] })
    stage.launch(small, stage.task(first, 'u', { resources: [scalar('cpus', 0.5), scalar('mem', 32)] }))
    stage.say(large, { type: 'REVIVE' })
    const offered = [stage.offersOf(large).length, stage.offersOf(small).length]
    // Of 1 CPU the large role holds a tenth and the small one half; of 9 tapes the large one holds all.
    t.deepEqual(offered, expected)
  }
})

test('--allocator_pass_on: who declines without a filter does not get the same agent for ever', (t) => {
  for (const { allocatorPassOn, expected } of [
    { allocatorPassOn: false, expected: 0 },
    { allocatorPassOn: true, expected: 1 },
  ]) {
    const stage = new Rehearsal({ allocatorPassOn })
    const idle = stage.subscribe({ roles: ['idle'] })
    const busy = stage.subscribe({ roles: ['busy'] })
    const agent = stage.register('other')
    const [holder] = [idle, busy].filter((framework) => stage.offersOf(framework).length > 0)
    t.truthy(holder)
    // The busy role holds something, so its share is larger than that of the idle one.
    if (holder === idle) {
      decline(stage, idle, 1)
      stage.pass(1000)
    }
    stage.launch(busy, stage.task(agent, 't'))
    stage.pass(1000)
    t.is(stage.offersOf(idle).length, 1)
    decline(stage, idle, 0)
    stage.pass(1000)
    t.is(stage.offersOf(busy).length, expected)
  }
})

test('what a framework refused stays refused when the agent comes back, unless its attributes changed', (t) => {
  for (const { attributes, expected } of [
    { attributes: undefined, expected: [] },
    { attributes: [{ name: 'rack', type: 'TEXT' as const, text: { value: 'r2' } }], expected: ['a'] },
  ]) {
    const stage = new Rehearsal()
    const framework = stage.subscribe()
    const agent = stage.register('a')
    decline(stage, framework, 600)
    const { info, port, capabilities } = stage.state.agents.get(agent.id)!
    stage.play({ kind: 'agentLinkClosed', linkId: agent.linkId })
    stage.connect({
      type: 'REREGISTER',
      reregister: {
        agent_info: { ...info, attributes },
        version: '1.11.0',
        capabilities,
        address: { hostname: 'a', ip: '127.0.0.1', port },
      },
    })
    stage.pass(2000)
    t.deepEqual(offeredHosts(stage, framework), expected)
  }
})
