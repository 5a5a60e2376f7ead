import type { InverseOffer } from '@isthmus/proto/gen/mesos'
import type { Event } from '@isthmus/proto/gen/scheduler'
import test from 'ava'
import { teardown } from './calls.ts'
import { createFramework, type FrameworkState, step } from './framework.ts'
import { acceptInverseOffers, declineInverseOffers, readInverseOffer } from './inverse-offers.ts'

const F = { value: 'F' }

const inverseOffer = (value: string, more: Partial<InverseOffer> = {}): InverseOffer => ({
  id: { value },
  framework_id: F,
  agent_id: { value: 'A' },
  unavailability: { start: { nanoseconds: 1_800_000_000_000_000_000n }, duration: { nanoseconds: 60_000_000_000n } },
  ...more,
})

function receive(state: FrameworkState, event: Event) {
  return step(state, { kind: 'eventReceived', atMs: 0, event }).filter(({ kind }) => kind !== 'setTimer')
}

function framework(...ids: string[]): FrameworkState {
  const state = createFramework({ info: { user: 'u', name: 'f', roles: ['r'] } })
  step(state, { kind: 'started', atMs: 0 })
  receive(state, { type: 'SUBSCRIBED', subscribed: { framework_id: F } })
  const inverse_offers = ids.map((id) => inverseOffer(id))
  if (ids.length > 0) receive(state, { type: 'INVERSE_OFFERS', inverse_offers: { inverse_offers } })
  return state
}

test('inverse offers are told, and held until they are answered or rescinded', (t) => {
  const state = framework()
  const inverse_offers = [inverseOffer('I1'), inverseOffer('I2')]
  t.deepEqual(receive(state, { type: 'INVERSE_OFFERS', inverse_offers: { inverse_offers } }), [
    { kind: 'inverseOffersReceived', inverseOffers: inverse_offers },
  ])
  const rescind: Event = { type: 'RESCIND_INVERSE_OFFER', rescind_inverse_offer: { inverse_offer_id: { value: 'I1' } } }
  t.deepEqual(receive(state, rescind), [{ kind: 'inverseOfferRescinded', inverseOfferId: { value: 'I1' } }])
  t.deepEqual(receive(state, rescind), [], 'told once')
  t.deepEqual([...state.inverseOffers.keys()], ['I2'])
})

test('ACCEPT_INVERSE_OFFERS and DECLINE_INVERSE_OFFERS name what is held, once', (t) => {
  const state = framework('I1', 'I2')
  t.deepEqual(acceptInverseOffers(state, ['I1', 'nothing'], 60), [
    {
      kind: 'sendCall',
      call: {
        type: 'ACCEPT_INVERSE_OFFERS',
        framework_id: F,
        accept_inverse_offers: { inverse_offer_ids: [{ value: 'I1' }], filters: { refuse_seconds: 60 } },
      },
    },
  ])
  t.deepEqual(declineInverseOffers(state, ['I1', 'I2']), [
    {
      kind: 'sendCall',
      call: {
        type: 'DECLINE_INVERSE_OFFERS',
        framework_id: F,
        decline_inverse_offers: { inverse_offer_ids: [{ value: 'I2' }], filters: undefined },
      },
    },
  ])
  t.deepEqual(declineInverseOffers(state, ['I2']), [])
})

test('inverse offers end with the subscription', (t) => {
  const lost = framework('I1')
  step(lost, { kind: 'streamClosed', atMs: 0, reason: 'lost' })
  t.is(lost.inverseOffers.size, 0)
  const ended = framework('I1')
  teardown(ended)
  t.is(ended.inverseOffers.size, 0)
  const refused = framework('I1')
  receive(refused, { type: 'ERROR', error: { message: 'no' } })
  t.is(refused.inverseOffers.size, 0)
})

test('an inverse offer says by when what is wanted, and why', (t) => {
  t.deepEqual(readInverseOffer(inverseOffer('I1')), {
    agentId: 'A',
    kind: 'maintenance',
    deadlineMs: 1_800_000_000_000,
    durationMs: 60_000,
    resources: [],
    reason: undefined,
  })
  const resources = [{ name: 'cpus', type: 'SCALAR' as const, scalar: { value: 1 } }]
  const url = {
    scheme: 'http',
    address: { hostname: 'h', port: 1 },
    query: [
      { key: 'kind', value: 'reclaim' },
      { key: 'reason', value: 'role s is below its guarantee' },
    ],
  }
  const unavailability = { start: { nanoseconds: 5_000_000 } }
  t.deepEqual(readInverseOffer(inverseOffer('I2', { agent_id: undefined, resources, url, unavailability })), {
    agentId: undefined,
    kind: 'reclaim',
    deadlineMs: 5,
    durationMs: undefined,
    resources,
    reason: 'role s is below its guarantee',
  })
})
