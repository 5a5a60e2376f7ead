import type { Offer, TaskInfo } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import {
  acceptOffers,
  declineOffers,
  killTask,
  reconcileLiveTasks,
  revive,
  sendMessage,
  suppress,
  teardown,
} from './calls.ts'
import { createFramework, type FrameworkState, step } from './framework.ts'

const F = { value: 'F' }

function framework(...offerIds: string[]): FrameworkState {
  const state = createFramework({ info: { user: 'u', name: 'f', roles: ['r', 's'] } })
  step(state, { kind: 'started', atMs: 0 })
  const subscribed = { framework_id: F }
  step(state, { kind: 'eventReceived', atMs: 0, event: { type: 'SUBSCRIBED', subscribed } })
  const offers = offerIds.map(
    (value): Offer => ({ id: { value }, framework_id: F, agent_id: { value: 'A' }, hostname: 'h' }),
  )
  step(state, { kind: 'eventReceived', atMs: 0, event: { type: 'OFFERS', offers: { offers } } })
  return state
}

function lost(state: FrameworkState): FrameworkState {
  step(state, { kind: 'streamClosed', atMs: 0, reason: 'lost' })
  return state
}

function task(id: string): TaskInfo {
  return { name: id, task_id: { value: id }, agent_id: { value: 'A' } }
}

test('one ACCEPT uses offers up, puts given operations first, and follows the tasks as staging', (t) => {
  const state = framework('O1', 'O2', 'O3')
  const executor = { type: 'DEFAULT' as const, executor_id: { value: 'E' } }
  const reserve = { type: 'RESERVE' as const, reserve: { resources: [] } }
  const accepted = acceptOffers(state, {
    offerIds: ['O1', 'O2'],
    launches: [
      { kind: 'tasks', tasks: [task('T1')] },
      { kind: 'group', executor, tasks: [task('T2'), task('T3')] },
    ],
    operations: [reserve],
    filters: { refuse_seconds: 1 },
  })
  t.deepEqual(accepted.ok && accepted.value, [
    {
      kind: 'sendCall',
      call: {
        type: 'ACCEPT',
        framework_id: F,
        accept: {
          offer_ids: [{ value: 'O1' }, { value: 'O2' }],
          operations: [
            reserve,
            { type: 'LAUNCH', launch: { task_infos: [task('T1')] } },
            { type: 'LAUNCH_GROUP', launch_group: { executor, task_group: { tasks: [task('T2'), task('T3')] } } },
          ],
          filters: { refuse_seconds: 1 },
        },
      },
    },
  ])
  t.deepEqual([...state.offers.keys()], ['O3'])
  t.deepEqual(
    [...state.tasks.values()].map(({ taskId, state: is }) => [taskId, is]),
    [
      ['T1', 'TASK_STAGING'],
      ['T2', 'TASK_STAGING'],
      ['T3', 'TASK_STAGING'],
    ],
  )
})

for (const { name, lose } of [
  {
    name: 'was rescinded',
    lose: (state: FrameworkState) => {
      const event = { type: 'RESCIND' as const, rescind: { offer_id: { value: 'O2' } } }
      step(state, { kind: 'eventReceived', atMs: 0, event })
    },
  },
  { name: 'was declined', lose: (state: FrameworkState) => declineOffers(state, ['O2'], 5) },
]) {
  test(`an ACCEPT with an offer that ${name} is OFFER_GONE and changes nothing`, (t) => {
    const state = framework('O1', 'O2')
    lose(state)
    const accept = { offerIds: ['O1', 'O2'], launches: [{ kind: 'tasks' as const, tasks: [task('T')] }] }
    const refused = acceptOffers(state, accept)
    t.deepEqual(!refused.ok && refused.rejection, {
      code: 'OFFER_GONE',
      message: 'offer O2 is no longer held',
      offerId: 'O2',
    })
    t.deepEqual([...state.offers.keys()], ['O1'])
    t.is(state.tasks.size, 0)
  })
}

test('a lost subscription makes every ACCEPT OFFER_GONE', (t) => {
  const refused = acceptOffers(lost(framework('O1')), { offerIds: ['O1'], launches: [] })
  t.is(!refused.ok && refused.rejection.code, 'OFFER_GONE')
})

test('DECLINE names the offers that are held, and is not sent for none', (t) => {
  const state = framework('O1', 'O2')
  t.deepEqual(declineOffers(state, ['O1', 'X', 'O2'], 0), [
    {
      kind: 'sendCall',
      call: {
        type: 'DECLINE',
        framework_id: F,
        decline: { offer_ids: [{ value: 'O1' }, { value: 'O2' }], filters: { refuse_seconds: 0 } },
      },
    },
  ])
  t.deepEqual(declineOffers(state, ['O1'], 0), [])
})

test('without refuseSeconds a DECLINE leaves the filter to the master', (t) => {
  const [effect] = declineOffers(framework('O1'), ['O1'], undefined)
  t.is(effect?.kind === 'sendCall' && effect.call.decline?.filters, undefined)
})

test('a KILL of a task nobody knows is sent without an agent', (t) => {
  t.deepEqual(killTask(framework(), 'T'), [
    {
      kind: 'sendCall',
      call: {
        type: 'KILL',
        framework_id: F,
        kill: { task_id: { value: 'T' }, agent_id: undefined, kill_policy: undefined },
      },
    },
  ])
})

test('SUPPRESS without roles is for all roles, and both hold over a new subscription', (t) => {
  const state = framework()
  suppress(state)
  t.deepEqual(state.suppressedRoles, ['r', 's'])
  t.deepEqual(revive(state, ['r']), [
    { kind: 'sendCall', call: { type: 'REVIVE', framework_id: F, revive: { roles: ['r'] } } },
  ])
  t.deepEqual(state.suppressedRoles, ['s'])
  t.deepEqual(suppress(state, ['s']), [
    { kind: 'sendCall', call: { type: 'SUPPRESS', framework_id: F, suppress: { roles: ['s'] } } },
  ])
  t.deepEqual(state.suppressedRoles, ['s'], 'a role is there once')
  lost(state)
  t.deepEqual(suppress(state, ['r']), [], 'told by the next SUBSCRIBE')
  const [again] = step(state, { kind: 'timerFired', atMs: 1, timer: { kind: 'resubscribe' } })
  t.deepEqual(again?.kind === 'openStream' && again.call.subscribe?.suppressed_roles, ['s', 'r'])
})

test('a message is sent while subscribed and lost otherwise', (t) => {
  const to = { agentId: 'A', executorId: 'E', data: new Uint8Array([1]) }
  t.deepEqual(sendMessage(framework(), to), [
    {
      kind: 'sendCall',
      call: {
        type: 'MESSAGE',
        framework_id: F,
        message: { agent_id: { value: 'A' }, executor_id: { value: 'E' }, data: to.data },
      },
    },
  ])
  t.deepEqual(sendMessage(lost(framework()), to), [])
})

test('TEARDOWN is sent before the stream is closed, and nothing happens afterwards', (t) => {
  const state = framework('O1')
  t.deepEqual(
    teardown(state).map((effect) => (effect.kind === 'sendCall' ? effect.call.type : effect.kind)),
    ['TEARDOWN', 'cancelTimer', 'cancelTimer', 'cancelTimer', 'closeStream'],
  )
  t.deepEqual(step(state, { kind: 'started', atMs: 1 }), [])
  t.deepEqual(killTask(state, 'T'), [])
  t.is(state.offers.size, 0)
})

test('without a subscription there is nobody to send TEARDOWN to', (t) => {
  t.false(teardown(lost(framework())).some(({ kind }) => kind === 'sendCall'))
})

test('nothing is reconciled when no task awaits an answer', (t) => t.is(reconcileLiveTasks(framework()), undefined))
