import type { Filters, OfferFiltersResourceQuantities, OfferOperation } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import { Rehearsal, type StageFramework, scalar } from './rehearsal.ts'

const CPUS = [scalar('cpus', 4), scalar('mem', 1024)]

function decline(stage: Rehearsal, framework: StageFramework, filters?: Filters): void {
  const offer_ids = stage.offersOf(framework).map((value) => ({ value }))
  stage.say(framework, { type: 'DECLINE', decline: { offer_ids, filters } })
}

function accept(stage: Rehearsal, framework: StageFramework, operations: OfferOperation[], filters?: Filters): void {
  const offer_ids = stage.offersOf(framework).map((value) => ({ value }))
  stage.say(framework, { type: 'ACCEPT', accept: { offer_ids, operations, filters } })
}

/** What a framework is offered, as text. */
function offered(stage: Rehearsal, framework: StageFramework): string[] {
  return stage.offersOf(framework).map((id) => {
    const { role, resources } = stage.state.offers.get(id)!
    return `${role}: ${resources.unallocate().toString()}`
  })
}

const DAY_SECONDS = 24 * 3600

// A refusal lasts at least the allocation interval of 1 s, and covers the batch at its very end.
for (const { filters, quietMs, offeredMs } of [
  { filters: undefined, quietMs: 5000, offeredMs: 6000 },
  { filters: {}, quietMs: 5000, offeredMs: 6000 },
  { filters: { refuse_seconds: 0 }, quietMs: 0, offeredMs: 1000 },
  { filters: { refuse_seconds: 0.25 }, quietMs: 1000, offeredMs: 2000 },
  { filters: { refuse_seconds: 2 }, quietMs: 2000, offeredMs: 3000 },
  { filters: { refuse_seconds: -7 }, quietMs: 5000, offeredMs: 6000 },
  { filters: { refuse_seconds: Number.NaN }, quietMs: 5000, offeredMs: 6000 },
]) {
  test(`filters ${JSON.stringify(filters)} of a DECLINE hold for ${quietMs} ms`, (t) => {
    const stage = new Rehearsal()
    const framework = stage.subscribe()
    stage.register('a', CPUS)
    decline(stage, framework, filters)
    stage.pass(quietMs)
    t.deepEqual(offered(stage, framework), [])
    stage.pass(offeredMs - quietMs)
    t.is(offered(stage, framework).length, 1)
  })
}

for (const seconds of [366 * DAY_SECONDS, 1e300, Number.POSITIVE_INFINITY]) {
  test(`refuse_seconds ${seconds} is capped at a year`, (t) => {
    // Pings and batches of a whole year would take their time.
    const stage = new Rehearsal({ allocationIntervalMs: 100 * DAY_SECONDS * 1000, agentPingTimeoutMs: 1e12 })
    const framework = stage.subscribe()
    stage.register('a', CPUS)
    decline(stage, framework, { refuse_seconds: seconds })
    for (const timer of [...stage.timers.keys()]) if (timer.startsWith('heartbeat')) stage.timers.delete(timer)
    stage.pass(364 * DAY_SECONDS * 1000)
    t.deepEqual(offered(stage, framework), [])
    stage.pass(40 * DAY_SECONDS * 1000)
    t.is(offered(stage, framework).length, 1)
  })
}

test('what is refused for one role is offered for another', (t) => {
  const stage = new Rehearsal()
  const framework = stage.subscribe({ roles: ['a', 'b'] })
  stage.register('h', CPUS)
  const [first] = offered(stage, framework)
  decline(stage, framework, { refuse_seconds: 600 })
  stage.pass(1000)
  const [second] = offered(stage, framework)
  t.deepEqual([first, second].sort(), ['a: cpus:4; mem:1024', 'b: cpus:4; mem:1024'])
})

test('SUPPRESS and REVIVE of one role leave the other as it is', (t) => {
  const stage = new Rehearsal()
  const framework = stage.subscribe({ roles: ['a', 'b'] })
  stage.say(framework, { type: 'SUPPRESS', suppress: { roles: ['a'] } })
  stage.register('h', CPUS)
  t.deepEqual(offered(stage, framework), ['b: cpus:4; mem:1024'])
  decline(stage, framework, { refuse_seconds: 600 })
  stage.pass(2000)
  t.deepEqual(offered(stage, framework), [])
  stage.say(framework, { type: 'REVIVE', revive: { roles: ['a'] } })
  t.deepEqual(offered(stage, framework), ['a: cpus:4; mem:1024'], 'at once')
  decline(stage, framework, { refuse_seconds: 600 })
  stage.say(framework, { type: 'REVIVE', revive: { roles: ['b'] } })
  t.deepEqual(
    offered(stage, framework),
    ['b: cpus:4; mem:1024'],
    'what was refused for b is forgotten, for a it is not',
  )
})

test('a SUPPRESS or REVIVE that names a role of others is dropped whole', (t) => {
  const stage = new Rehearsal()
  const framework = stage.subscribe({ roles: ['a', 'b'] }, ['a', 'b'])
  stage.register('h', CPUS)
  t.is(stage.say(framework, { type: 'REVIVE', revive: { roles: ['a', 'x'] } }).status, 202)
  t.deepEqual(offered(stage, framework), [])
  stage.say(framework, { type: 'REVIVE', revive: { roles: ['a'] } })
  stage.say(framework, { type: 'SUPPRESS', suppress: { roles: ['a', 'x'] } })
  decline(stage, framework, { refuse_seconds: 0 })
  stage.pass(1000)
  t.is(offered(stage, framework).length, 1)
})

test('what an ACCEPT leaves is refused with its filters, 5 seconds without', (t) => {
  for (const { filters, quietMs } of [
    { filters: undefined, quietMs: 5000 },
    { filters: { refuse_seconds: 20 }, quietMs: 20_000 },
  ]) {
    const stage = new Rehearsal()
    const framework = stage.subscribe()
    const agent = stage.register('a', CPUS)
    const task = stage.task(agent, 't', { resources: [scalar('cpus', 1), scalar('mem', 32)] })
    accept(stage, framework, [{ type: 'LAUNCH', launch: { task_infos: [task] } }], filters)
    stage.pass(quietMs)
    t.deepEqual(offered(stage, framework), [])
    stage.pass(1000)
    t.deepEqual(offered(stage, framework), ['golden: cpus:3; mem:992'])
  }
})

test('an ACCEPT without operations declines', (t) => {
  const stage = new Rehearsal()
  const framework = stage.subscribe()
  stage.register('a', CPUS)
  accept(stage, framework, [], { refuse_seconds: 3 })
  stage.pass(3000)
  t.deepEqual(offered(stage, framework), [])
  stage.pass(1000)
  t.is(offered(stage, framework).length, 1)
})

test('what an operation made of an offer is offered again by the next batch, with what was left beside it', (t) => {
  const stage = new Rehearsal()
  const framework = stage.subscribe()
  stage.register('a', CPUS)
  const resources = [{ ...scalar('cpus', 1), reservations: [{ type: 'DYNAMIC' as const, role: 'golden' }] }].map(
    (resource) => ({ ...resource, allocation_info: { role: 'golden' } }),
  )
  accept(stage, framework, [{ type: 'RESERVE', reserve: { resources } }], { refuse_seconds: 600 })
  stage.pass(1000)
  const [offer] = offered(stage, framework)
  t.regex(offer ?? 'nothing', /cpus\(reservations: \[\(DYNAMIC,golden\)\]\):1/)
})

test('a refusal ends when the agent has more of something, not when it has less', (t) => {
  const stage = new Rehearsal()
  const framework = stage.subscribe()
  const agent = stage.register('a', CPUS)
  const task = stage.task(agent, 't', { resources: [scalar('cpus', 1), scalar('mem', 32)] })
  accept(stage, framework, [{ type: 'LAUNCH', launch: { task_infos: [task] } }], { refuse_seconds: 600 })
  stage.pass(2000)
  t.deepEqual(offered(stage, framework), [])
  stage.update(agent, framework, 't', 'TASK_FINISHED')
  stage.pass(1000)
  t.deepEqual(offered(stage, framework), ['golden: cpus:4; mem:1024'], 'more is free than was refused')
  decline(stage, framework, { refuse_seconds: 600 })
  const other = stage.subscribe({ roles: ['other'] })
  stage.pass(1000)
  const small = stage.task(agent, 'u', { resources: [scalar('cpus', 1), scalar('mem', 32)] })
  accept(stage, other, [{ type: 'LAUNCH', launch: { task_infos: [small] } }], { refuse_seconds: 600 })
  stage.pass(3000)
  t.deepEqual(offered(stage, framework), [], 'less is free than was refused')
})

test('refusals end when a framework disconnects', (t) => {
  const stage = new Rehearsal()
  const framework = stage.subscribe({ failover_timeout: 1000 })
  stage.register('a', CPUS)
  decline(stage, framework, { refuse_seconds: 600 })
  stage.play({ kind: 'streamClosed', streamId: framework.streamId })
  const again = stage.subscribe({ id: { value: framework.id }, failover_timeout: 1000 })
  t.is(offered(stage, again).length, 1)
})

test('a framework may say by role what an offer holds at least', (t) => {
  const stage = new Rehearsal()
  const quantities: readonly OfferFiltersResourceQuantities[] = [
    { quantities: { cpus: { value: 2 }, mem: { value: 512 } } },
    { quantities: { gpus: { value: 1 } } },
  ]
  const picky = stage.subscribe({ offer_filters: { golden: { min_allocatable_resources: { quantities } } } })
  stage.register('small', [scalar('cpus', 2), scalar('mem', 256)])
  t.deepEqual(offered(stage, picky), [])
  stage.register('large', CPUS)
  t.deepEqual(offered(stage, picky), ['golden: cpus:4; mem:1024'])
  const undemanding = stage.subscribe({
    roles: ['other'],
    offer_filters: { other: { min_allocatable_resources: {} } },
  })
  stage.register('tiny', [scalar('tapes', 1)])
  t.true(offered(stage, undemanding).includes('other: tapes:1'), 'no least amounts at all')
})

test('--min_allocatable_resources: offers hold at least one of the alternatives', (t) => {
  const stage = new Rehearsal({ minAllocatableResources: 'cpus:1;mem:100|tapes:1' })
  const framework = stage.subscribe()
  stage.register('a', [scalar('cpus', 1), scalar('mem', 99)])
  stage.register('b', [scalar('tapes', 0.5), scalar('mem', 1000)])
  t.deepEqual(offered(stage, framework), [])
  stage.register('c', [scalar('tapes', 1)])
  stage.register('d', [scalar('cpus', 1), scalar('mem', 100)])
  t.deepEqual(offered(stage, framework), ['golden: tapes:1', 'golden: cpus:1; mem:100'])
})
