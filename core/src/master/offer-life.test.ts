import type { FrameworkInfoCapability, OfferOperation, Resource } from '@isthmus/proto/gen/mesos'
import type { Event } from '@isthmus/proto/gen/scheduler'
import test from 'ava'
import { fingerprint, Rehearsal, type StageAgent, type StageFramework, scalar } from './rehearsal.ts'

// An offer's life: how it is made, what ends it, and what is answered to those who use it when it has ended.

const MULTI_ROLE: FrameworkInfoCapability = { type: 'MULTI_ROLE' }
const BIG: readonly Resource[] = [scalar('cpus', 4), scalar('mem', 1024)]

interface Scene {
  readonly stage: Rehearsal
  readonly agent: StageAgent
  readonly framework: StageFramework
  /** The one offer it holds. */
  readonly offer: string
}

function scene(capabilities: readonly FrameworkInfoCapability[] = [MULTI_ROLE]): Scene {
  const stage = new Rehearsal({ offerTimeoutMs: 20_000 })
  const agent = stage.register('agent.test', BIG)
  const framework = stage.subscribe({ capabilities, failover_timeout: 60 })
  const [offer] = stage.offersOf(framework)
  framework.events.length = 0
  return { stage, agent, framework, offer: offer! }
}

function accept({ stage, framework }: Scene, ids: readonly string[], ...operations: OfferOperation[]): void {
  const offer_ids = ids.map((value) => ({ value }))
  const answer = stage.say(framework, {
    type: 'ACCEPT',
    accept: { offer_ids, operations, filters: { refuse_seconds: 0 } },
  })
  if (answer.status !== 202) throw new Error(`${answer.status} ${answer.text}`)
}

function launch({ stage, agent }: Scene, ...ids: string[]): OfferOperation {
  return { type: 'LAUNCH', launch: { task_infos: ids.map((id) => stage.task(agent, id)) } }
}

interface Stale {
  readonly name: string
  /** Makes the list of offers that is accepted. */
  readonly offers: (scene: Scene) => readonly string[]
  readonly error: (offers: readonly string[]) => string
  /** Whether the framework's own offer in the list is used up. */
  readonly usesUp: boolean
}

const noLonger = ([offer]: readonly string[]) => `Offer ${offer} is no longer valid`
const stale: readonly Stale[] = [
  { name: 'no offer', offers: () => [], error: () => 'No offers specified', usesUp: false },
  { name: 'an offer that never was', offers: () => ['m-O99'], error: noLonger, usesUp: false },
  {
    name: 'an offer that was declined',
    offers: ({ stage, framework, offer }) => {
      stage.say(framework, { type: 'DECLINE', decline: { offer_ids: [{ value: offer }] } })
      return [offer]
    },
    error: noLonger,
    usesUp: false,
  },
  {
    name: 'an offer that was accepted already',
    offers: (play) => {
      accept(play, [play.offer])
      return [play.offer]
    },
    error: noLonger,
    usesUp: false,
  },
  {
    name: 'an offer that timed out',
    offers: ({ stage, offer }) => {
      stage.pass(20_000)
      return [offer]
    },
    error: noLonger,
    usesUp: false,
  },
  {
    name: 'an offer whose agent has left',
    offers: ({ stage, agent, offer }) => {
      stage.play({ kind: 'agentLinkClosed', linkId: agent.linkId })
      return [offer]
    },
    error: noLonger,
    usesUp: false,
  },
  {
    name: 'an own offer twice',
    offers: ({ offer }) => [offer, offer],
    error: ([offer]) => `Duplicate offer ${offer} in offer list`,
    usesUp: true,
  },
  {
    name: 'an own offer and one that is gone',
    offers: ({ offer }) => [offer, 'm-O99'],
    error: () => 'Offer m-O99 is no longer valid',
    usesUp: true,
  },
  {
    name: 'offers of two agents',
    offers: ({ stage, framework, offer }) => {
      stage.register('other.test', BIG)
      return [offer, stage.offersOf(framework).find((id) => id !== offer)!]
    },
    error: ([one, other]) =>
      `Aggregated offers must belong to one single agent. Offer ${one} uses agent m-S0 and offer ${other} uses agent m-S1`,
    usesUp: true,
  },
]

for (const { name, offers, error, usesUp } of stale) {
  for (const [kind, state, capabilities] of [
    ['plain', 'TASK_LOST', [MULTI_ROLE]],
    ['PARTITION_AWARE', 'TASK_DROPPED', [MULTI_ROLE, { type: 'PARTITION_AWARE' }]],
  ] as const) {
    test(`ACCEPT of ${name}: every task is answered ${state}, every operation with an id its error (${kind})`, (t) => {
      const play = scene(capabilities)
      const { stage, framework } = play
      const ids = offers(play)
      framework.events.length = 0
      const before = fingerprint(stage.state)
      const reserve = {
        resources: [{ ...scalar('cpus', 1), reservations: [{ type: 'DYNAMIC' as const, role: 'golden' }] }],
      }
      const group = { executor: { executor_id: { value: 'x' } }, task_group: { tasks: [stage.task(play.agent, 'c')] } }
      accept(
        play,
        ids,
        launch(play, 'a', 'b'),
        { type: 'RESERVE', id: { value: 'op' }, reserve },
        { type: 'RESERVE', reserve },
        { type: 'LAUNCH_GROUP', launch_group: group },
      )
      const expected = ['a', 'b', 'c'].map(
        (id) => `${id} | ${state} | REASON_INVALID_OFFERS | Task launched with invalid offers: ${error(ids)}`,
      )
      const told = framework.events.filter(({ type }) => type === 'UPDATE_OPERATION_STATUS')
      t.deepEqual(stage.updatesOf(framework), expected)
      t.deepEqual(
        told.map(({ update_operation_status }) => [
          update_operation_status?.status.operation_id?.value,
          update_operation_status?.status.state,
          update_operation_status?.status.message,
        ]),
        [['op', 'OPERATION_ERROR', `Operation attempted with invalid offers: ${error(ids)}`]],
      )
      for (const id of ids) t.false(stage.state.offers.has(id))
      if (!usesUp) t.is(fingerprint(stage.state), before)
    })
  }
}

test('an offer of another framework is refused, and stays with whom it was made to', (t) => {
  const play = scene()
  const { stage, framework, offer } = play
  stage.register('other.test', BIG)
  stage.say(framework, { type: 'SUPPRESS' })
  const thief = stage.subscribe({ name: 'thief' })
  const before = fingerprint(stage.state)
  accept({ ...play, framework: thief }, [offer], launch(play, 'a'))
  t.deepEqual(stage.updatesOf(thief), [
    `a | TASK_LOST | REASON_INVALID_OFFERS | Task launched with invalid offers: Offer ${offer} has invalid framework ${framework.id} while framework ${thief.id} is expected`,
  ])
  t.is(fingerprint(stage.state), before)
  t.true(stage.state.offers.has(offer))
})

test('offers of two roles cannot be accepted together, and are used up', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register('one.test', BIG)
  stage.register('two.test', BIG)
  const quota = (role: string) => ({ role, guarantees: { cpus: { value: 4 } }, limits: {} })
  stage.operate({ type: 'UPDATE_QUOTA', update_quota: { quota_configs: [quota('a'), quota('b')] } })
  const framework = stage.subscribe({ roles: ['a', 'b'] })
  const offers = stage.offersOf(framework).map((id) => stage.state.offers.get(id)!)
  t.deepEqual(offers.map(({ role }) => role).sort(), ['a', 'b'])
  const [one, other] = offers
  framework.events.length = 0
  accept({ stage, agent, framework, offer: one!.id }, [one!.id, other!.id], {
    type: 'LAUNCH',
    launch: { task_infos: [stage.task(agent, 't')] },
  })
  const text = `Aggregated offers must be allocated to the same role. Offer ${one!.id} uses role '${one!.role}' but another offer uses role '${other!.role}'`
  t.is(
    stage.updatesOf(framework)[0],
    `t | TASK_LOST | REASON_INVALID_OFFERS | Task launched with invalid offers: ${text}`,
  )
  t.false(stage.state.offers.has(one!.id) || stage.state.offers.has(other!.id))
})

test('offers of one agent and role may be accepted together, and a task may take of both', (t) => {
  const play = scene()
  const { stage, agent, framework, offer } = play
  const half = [scalar('cpus', 2), scalar('mem', 512)]
  accept(play, [offer], { type: 'LAUNCH', launch: { task_infos: [stage.task(agent, 'first', { resources: half })] } })
  stage.pass(1_000)
  const [rest] = stage.offersOf(framework)
  stage.update(agent, framework, 'first', 'TASK_FINISHED')
  stage.pass(1_000)
  const both = stage.offersOf(framework)
  t.is(both.length, 2)
  t.true(both.includes(rest!))
  accept(play, both, { type: 'LAUNCH', launch: { task_infos: [stage.task(agent, 'large', { resources: BIG })] } })
  t.is(stage.state.frameworks.get(framework.id)!.tasks.get('large')?.state, 'TASK_STAGING')
  t.deepEqual(stage.offersOf(framework), [])
})

test('what is reserved for a role and what is free are one offer of the agent', (t) => {
  const stage = new Rehearsal()
  const reserved: Resource = { ...scalar('cpus', 2), reservations: [{ type: 'STATIC', role: 'golden' }] }
  const foreign: Resource = { ...scalar('cpus', 1), reservations: [{ type: 'STATIC', role: 'other' }] }
  stage.register('agent.test', [scalar('cpus', 4), scalar('mem', 64), reserved, foreign])
  const framework = stage.subscribe()
  const offers = framework.events.flatMap((event) => event.offers?.offers ?? [])
  t.is(offers.length, 1)
  t.deepEqual(
    offers[0]!.resources?.map(({ name, scalar: amount, role }) => `${name} ${amount?.value} ${role}`).sort(),
    ['cpus 2 golden', 'cpus 4 *', 'mem 64 *'],
  )
})

test('a framework of two roles is offered an agent for one of them at a time', (t) => {
  const stage = new Rehearsal()
  stage.register('agent.test', BIG)
  const framework = stage.subscribe({ roles: ['a', 'b'] })
  t.is(stage.offersOf(framework).length, 1)
})

interface Ending {
  readonly name: string
  readonly happens: (scene: Scene) => void
  /** Who learns of it how. */
  readonly events: readonly NonNullable<Event['type']>[]
}

const agentCall = ({ stage, agent }: Scene, type: 'DEACTIVATE_AGENT' | 'MARK_AGENT_GONE' | 'DRAIN_AGENT') => {
  const message = { agent_id: { value: agent.id } }
  stage.operate({ type, [type.toLowerCase()]: message })
}

const endings: readonly Ending[] = [
  { name: 'it timed out', happens: ({ stage }) => stage.pass(20_000), events: ['RESCIND', 'OFFERS'] },
  {
    name: 'its agent disconnects',
    happens: ({ stage, agent }) => stage.play({ kind: 'agentLinkClosed', linkId: agent.linkId }),
    events: ['RESCIND'],
  },
  {
    name: 'its agent unregisters',
    happens: ({ stage, agent }) => stage.hear(agent, { type: 'UNREGISTER' }),
    events: ['RESCIND', 'FAILURE'],
  },
  { name: 'its agent is deactivated', happens: (play) => agentCall(play, 'DEACTIVATE_AGENT'), events: ['RESCIND'] },
  { name: 'its agent is drained', happens: (play) => agentCall(play, 'DRAIN_AGENT'), events: ['RESCIND'] },
  { name: 'its agent is gone', happens: (play) => agentCall(play, 'MARK_AGENT_GONE'), events: ['RESCIND', 'FAILURE'] },
  {
    name: 'an operator reserves what it holds',
    happens: ({ stage, agent }) => {
      const resources = [{ ...scalar('cpus', 3), reservations: [{ type: 'DYNAMIC' as const, role: 'other' }] }]
      stage.operate({ type: 'RESERVE_RESOURCES', reserve_resources: { agent_id: { value: agent.id }, resources } })
      stage.pass(1_000)
    },
    events: ['RESCIND', 'OFFERS'],
  },
  {
    name: 'the weight of its role changes',
    happens: ({ stage }) => {
      stage.operate({ type: 'UPDATE_WEIGHTS', update_weights: { weight_infos: [{ role: 'golden', weight: 2 }] } })
      stage.pass(1_000)
    },
    events: ['RESCIND', 'OFFERS'],
  },
  {
    name: 'a quota needs what it holds',
    happens: ({ stage }) => {
      const quota_configs = [{ role: 'other', guarantees: { cpus: { value: 4 } }, limits: {} }]
      stage.operate({ type: 'UPDATE_QUOTA', update_quota: { quota_configs } })
    },
    events: ['RESCIND'],
  },
  {
    name: 'its framework leaves the role',
    happens: ({ stage, framework }) => {
      const { info } = stage.state.frameworks.get(framework.id)!
      const framework_info = { ...info, roles: ['another'] }
      stage.say(framework, { type: 'UPDATE_FRAMEWORK', update_framework: { framework_info } })
    },
    events: ['RESCIND', 'OFFERS'],
  },
]

for (const { name, happens, events } of endings) {
  test(`an offer is rescinded when ${name}, before what it held is offered again`, (t) => {
    const play = scene()
    const { stage, framework, offer } = play
    happens(play)
    t.deepEqual(
      framework.events.map(({ type }) => type),
      events,
    )
    t.deepEqual(framework.events[0]?.rescind?.offer_id, { value: offer })
    t.false(stage.state.offers.has(offer))
  })
}

test('a framework that comes back is not told of the offers it held; they are void', (t) => {
  const play = scene()
  const { stage, framework, offer } = play
  const again = stage.subscribe({ id: { value: framework.id }, failover_timeout: 60 })
  t.false(again.events.some(({ type }) => type === 'RESCIND'))
  t.false(stage.state.offers.has(offer))
  again.events.length = 0
  accept({ ...play, framework: again }, [offer], launch(play, 'a'))
  t.regex(stage.updatesOf(again)[0] ?? '', /^a \| TASK_LOST \| REASON_INVALID_OFFERS \| .* is no longer valid$/)
})

test('an offer lives as long as it is not answered when there is no --offer_timeout', (t) => {
  const stage = new Rehearsal()
  stage.register('agent.test', BIG)
  const framework = stage.subscribe()
  const offers = stage.offersOf(framework)
  // A day of pings that are answered by nobody would lose the agent, so it is not asked.
  stage.timers.delete([...stage.timers.keys()].find((key) => key.includes('agentPing'))!)
  stage.pass(24 * 3_600_000)
  t.deepEqual(stage.offersOf(framework), offers)
})
