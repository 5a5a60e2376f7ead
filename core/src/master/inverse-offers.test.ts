import type { InverseOffer } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import { bagOf } from './bag.ts'
import { checkInvariants } from './invariants.ts'
import { createInverseOffers, type InverseOfferRequest, isRefused, negotiation } from './inverse-offers.ts'
import { fingerprint, Rehearsal, type StageAgent, type StageFramework, scalar } from './rehearsal.ts'
import type { InverseOfferKind } from './state.ts'
import type { Turn } from './turn.ts'

const START = { start: { nanoseconds: 1_800_000_000_000_000_000n }, duration: { nanoseconds: 60_000_000_000n } }

interface Scene {
  readonly stage: Rehearsal
  readonly framework: StageFramework
  readonly agent: StageAgent
  /** Asks and returns what the framework was sent. */
  readonly ask: (kind: InverseOfferKind, more?: Partial<InverseOfferRequest>) => InverseOffer[]
}

/** The schedule of maintenance makes the master ask by itself. */
function schedule(stage: Rehearsal): void {
  const windows = [{ machine_ids: [{ hostname: 'agent.test', ip: '127.0.0.1' }], unavailability: START }]
  stage.operate({ type: 'UPDATE_MAINTENANCE_SCHEDULE', update_maintenance_schedule: { schedule: { windows } } })
}

function askDirectly(
  stage: Rehearsal,
  framework: StageFramework,
  agent: StageAgent,
  more: Partial<InverseOfferRequest>,
): void {
  const { state, atMs } = stage
  const turn: Turn = { state, atMs, effects: [], records: [], continuations: [] }
  const request = { framework: state.frameworks.get(framework.id)!, agent: state.agents.get(agent.id)! }
  createInverseOffers(turn, [{ ...request, kind: 'reclaim', unavailability: START, ...more }])
  checkInvariants(state)
  for (const effect of turn.effects) {
    if (effect.kind === 'sendEvent') framework.events.push(effect.event)
    if (effect.kind === 'setTimer') stage.timers.set(effect.key, effect)
  }
}

function scene(flags: ConstructorParameters<typeof Rehearsal>[0] = {}): Scene {
  const stage = new Rehearsal(flags)
  const framework = stage.subscribe({ failover_timeout: 100 })
  const agent = stage.register()
  const ask: Scene['ask'] = (kind, more = {}) => {
    if (kind === 'maintenance') schedule(stage)
    else askDirectly(stage, framework, agent, more)
    return framework.events.splice(0).flatMap(({ inverse_offers }) => inverse_offers?.inverse_offers ?? [])
  }
  return { stage, framework, agent, ask }
}

function saidOf({ stage, framework, agent }: Scene, kind: InverseOfferKind) {
  return negotiation(stage.state.frameworks.get(framework.id)!, agent.id, kind)
}

test('an inverse offer for maintenance looks as Mesos makes it', (t) => {
  const { framework, agent, ask } = scene()
  t.deepEqual(ask('maintenance'), [
    {
      id: { value: 'm-O2' },
      url: { scheme: 'http', address: { hostname: 'agent.test', ip: '127.0.0.1', port: 5051 }, path: '/slave(1)' },
      framework_id: { value: framework.id },
      agent_id: { value: agent.id },
      unavailability: START,
      resources: undefined,
    },
  ])
})

test('an inverse offer to reclaim names resources, and its kind and reason in the query of its url', (t) => {
  const { ask } = scene()
  const resources = bagOf([{ ...scalar('cpus', 2), allocation_info: { role: 'golden' } }])
  const [offer] = ask('reclaim', { resources, reason: 'role silver is below its guarantee' })
  t.deepEqual(offer?.url?.query, [
    { key: 'kind', value: 'reclaim' },
    { key: 'reason', value: 'role silver is below its guarantee' },
  ])
  t.like(offer?.resources?.[0], { name: 'cpus', scalar: { value: 2 }, allocation_info: { role: 'golden' } })
})

for (const type of ['ACCEPT_INVERSE_OFFERS', 'DECLINE_INVERSE_OFFERS'] as const) {
  test(`${type} ends an inverse offer, is remembered, and filters for refuse_seconds`, (t) => {
    const it = scene()
    const [offer] = it.ask('maintenance')
    const body = { inverse_offer_ids: [offer!.id], filters: { refuse_seconds: 7 } }
    const isAccept = type === 'ACCEPT_INVERSE_OFFERS'
    const answer = it.stage.say(
      it.framework,
      isAccept ? { type, accept_inverse_offers: body } : { type, decline_inverse_offers: body },
    )
    t.is(answer.status, 202)
    t.is(it.stage.state.inverseOffers.size, 0)
    t.deepEqual(it.framework.events, [])
    t.deepEqual(saidOf(it, 'maintenance')?.answer, {
      isAccepted: isAccept,
      offerId: offer!.id.value,
      atMs: it.stage.atMs,
    })
    const known = it.stage.state.frameworks.get(it.framework.id)!
    t.true(isRefused(known, it.agent.id, 'maintenance', it.stage.atMs + 6_999))
    t.false(isRefused(known, it.agent.id, 'maintenance', it.stage.atMs + 7_000))
    t.false(isRefused(known, it.agent.id, 'reclaim', it.stage.atMs), 'the other kind is not filtered')
  })
}

test('an answer without filters filters for 5 seconds', (t) => {
  const it = scene()
  const [offer] = it.ask('reclaim')
  it.stage.say(it.framework, {
    type: 'DECLINE_INVERSE_OFFERS',
    decline_inverse_offers: { inverse_offer_ids: [offer!.id] },
  })
  t.is(saidOf(it, 'reclaim')?.refusedUntilMs, it.stage.atMs + 5_000)
})

test('REVIVE ends the filters, not the answers', (t) => {
  const it = scene()
  const [offer] = it.ask('maintenance')
  it.stage.say(it.framework, {
    type: 'ACCEPT_INVERSE_OFFERS',
    accept_inverse_offers: { inverse_offer_ids: [offer!.id], filters: { refuse_seconds: 1000 } },
  })
  it.stage.say(it.framework, { type: 'REVIVE' })
  t.is(saidOf(it, 'maintenance')?.refusedUntilMs, 0)
  t.true(saidOf(it, 'maintenance')?.answer?.isAccepted)
})

test('answers to unknown, foreign, ordinary and answered offers change nothing', (t) => {
  const it = scene()
  const other = it.stage.subscribe({ name: 'other', roles: ['silver'] })
  const [offer] = it.ask('maintenance')
  const [ordinary] = it.stage.offersOf(it.framework)
  const before = fingerprint(it.stage.state)
  const answers: readonly [StageFramework, string | undefined][] = [
    [it.framework, 'nothing'],
    [other, offer?.id.value],
    [it.framework, ordinary],
  ]
  for (const [who, value] of answers) {
    const ids = value === undefined ? [] : [{ value }]
    for (const call of [
      { type: 'ACCEPT_INVERSE_OFFERS', accept_inverse_offers: { inverse_offer_ids: ids } },
      { type: 'DECLINE_INVERSE_OFFERS', decline_inverse_offers: { inverse_offer_ids: ids } },
    ] as const) {
      t.is(it.stage.say(who, call).status, 202)
      t.is(fingerprint(it.stage.state), before)
    }
  }
})

test('asking again takes the earlier inverse offer of that kind back', (t) => {
  const it = scene()
  it.ask('maintenance')
  it.ask('reclaim')
  it.ask('reclaim')
  t.deepEqual(
    [...it.stage.state.inverseOffers.values()].map(({ id, kind }) => `${id} ${kind}`),
    ['m-O2 maintenance', 'm-O4 reclaim'],
  )
})

test('an agent that is deactivated, disconnected or lost takes its inverse offers back', (t) => {
  const leavings: readonly ((scene: Scene) => void)[] = [
    ({ stage, agent }) =>
      void stage.operate({ type: 'DEACTIVATE_AGENT', deactivate_agent: { agent_id: { value: agent.id } } }),
    ({ stage, agent }) => void stage.play({ kind: 'agentLinkClosed', linkId: agent.linkId }),
    ({ stage, agent }) =>
      void stage.operate({ type: 'MARK_AGENT_GONE', mark_agent_gone: { agent_id: { value: agent.id } } }),
  ]
  for (const leave of leavings) {
    const it = scene()
    it.ask('maintenance')
    it.ask('reclaim')
    leave(it)
    const told = it.framework.events.map(({ type, rescind_inverse_offer: rescinded }) => {
      return rescinded === undefined ? type : rescinded.inverse_offer_id.value
    })
    t.deepEqual(told.slice(0, 3), ['RESCIND', 'm-O2', 'm-O3'])
    t.is(it.stage.state.inverseOffers.size, 0)
  }
})

test('an agent that is lost leaves nothing negotiated', (t) => {
  const it = scene()
  it.ask('maintenance')
  it.stage.operate({ type: 'MARK_AGENT_GONE', mark_agent_gone: { agent_id: { value: it.agent.id } } })
  t.is(it.stage.state.frameworks.get(it.framework.id)!.negotiations.maintenance.size, 0)
})

test('a framework that goes or fails over is asked nothing any more', (t) => {
  const gone = scene()
  gone.ask('maintenance')
  gone.stage.play({ kind: 'streamClosed', streamId: gone.framework.streamId })
  t.is(gone.stage.state.inverseOffers.size, 0)
  t.deepEqual(gone.ask('maintenance'), [], 'nobody is there to be asked')
  const again = scene()
  again.ask('maintenance')
  const next = again.stage.subscribe({ id: { value: again.framework.id }, failover_timeout: 100 })
  t.is(again.stage.state.inverseOffers.size, 0)
  t.false(next.events.some(({ type }) => type === 'RESCIND_INVERSE_OFFER'))
})

test('offer_timeout ends inverse offers for maintenance, which are not deadlines of their own', (t) => {
  const it = scene({ offerTimeoutMs: 30_000 })
  const [asked] = it.ask('maintenance')
  const [reclaimed] = it.ask('reclaim')
  it.stage.pass(30_000)
  const rescinded = it.framework.events.flatMap(({ rescind_inverse_offer: one }) => one?.inverse_offer_id.value ?? [])
  t.deepEqual(rescinded, [asked?.id.value])
  t.true(it.stage.state.inverseOffers.has(reclaimed!.id.value))
})

test('GET_FRAMEWORKS shows the inverse offers that are outstanding', (t) => {
  const it = scene()
  it.ask('maintenance')
  const shown = it.stage.operate({ type: 'GET_FRAMEWORKS' }).response?.get_frameworks?.frameworks?.[0]
  t.like(shown?.inverse_offers?.[0], { id: { value: 'm-O2' }, agent_id: { value: it.agent.id } })
})
