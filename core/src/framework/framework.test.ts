import type { Offer, OperationStatus, TaskState, TaskStatus } from '@isthmus/proto/gen/mesos'
import type { Call, Event } from '@isthmus/proto/gen/scheduler'
import test from 'ava'
import fc from 'fast-check'
import { acceptOffers, adoptTask, declineOffers, killTask, revive, suppress, teardown } from './calls.ts'
import type { FrameworkEffect } from './effects.ts'
import type { FrameworkEvent, FrameworkTimer } from './events.ts'
import {
  createFramework,
  type FrameworkState,
  HEARTBEAT_INTERVAL_DEFAULT_MS,
  HEARTBEATS_MISSED_MAX,
  RECONCILE_MAX_MS,
  RECONCILE_MIN_MS,
  RESUBSCRIBE_MAX_MS,
  RESUBSCRIBE_MIN_MS,
  step,
} from './framework.ts'
import { isTerminal } from './task-states.ts'

const INFO = { user: 'u', name: 'f', roles: ['r'] }
const F = { value: 'F' }

function offer(id: string): Offer {
  return { id: { value: id }, framework_id: F, agent_id: { value: 'A' }, hostname: 'h' }
}

function receive(state: FrameworkState, event: Event, atMs = 0): FrameworkEffect[] {
  return step(state, { kind: 'eventReceived', atMs, event })
}

function fire(state: FrameworkState, kind: FrameworkTimer['kind'], atMs = 0): FrameworkEffect[] {
  return step(state, { kind: 'timerFired', atMs, timer: { kind } })
}

function update(taskId: string, state: TaskState, uuid?: Uint8Array): Event {
  const status: TaskStatus = { task_id: { value: taskId }, agent_id: { value: 'A' }, state, uuid }
  return { type: 'UPDATE', update: { status } }
}

const SUBSCRIBED: Event = { type: 'SUBSCRIBED', subscribed: { framework_id: F, heartbeat_interval_seconds: 2 } }

function subscribed(): FrameworkState {
  const state = createFramework({ info: INFO })
  step(state, { kind: 'started', atMs: 0 })
  receive(state, SUBSCRIBED)
  return state
}

function heartbeat(atMs: number): FrameworkEffect {
  return { kind: 'setTimer', key: 'heartbeat', timer: { kind: 'heartbeatTimeout' }, atMs }
}

function subscribeCall(
  id: { readonly value: string } | undefined,
  suppressed: readonly string[] = [],
): FrameworkEffect {
  const info = id === undefined ? INFO : { ...INFO, id }
  return {
    kind: 'openStream',
    call: {
      type: 'SUBSCRIBE',
      framework_id: id,
      subscribe: { framework_info: info, suppressed_roles: suppressed, offer_constraints: undefined },
    },
  }
}

test('the first SUBSCRIBE carries no id, and SUBSCRIBED tells it with the heartbeat interval', (t) => {
  const state = createFramework({ info: INFO, suppressedRoles: ['r'] })
  t.deepEqual(step(state, { kind: 'started', atMs: 1 }), [subscribeCall(undefined, ['r'])])
  t.deepEqual(step(state, { kind: 'streamOpened', atMs: 2 }), [
    heartbeat(2 + HEARTBEAT_INTERVAL_DEFAULT_MS * HEARTBEATS_MISSED_MAX),
  ])
  t.deepEqual(receive(state, SUBSCRIBED, 3), [
    heartbeat(3 + HEARTBEAT_INTERVAL_DEFAULT_MS * HEARTBEATS_MISSED_MAX),
    heartbeat(3 + 2_000 * HEARTBEATS_MISSED_MAX),
    { kind: 'subscribed', frameworkId: F, masterInfo: undefined },
  ])
  t.is(state.phase, 'subscribed')
  t.deepEqual(state.frameworkId, F)
})

test('a framework starts once', (t) => {
  const state = subscribed()
  t.deepEqual(step(state, { kind: 'started', atMs: 1 }), [])
  t.is(state.phase, 'subscribed')
})

test('a framework made with an id takes over that framework', (t) => {
  const state = createFramework({ info: { ...INFO, id: F } })
  t.deepEqual(step(state, { kind: 'started', atMs: 0 }), [subscribeCall(F)])
})

test('a lost stream voids the offers, is told, and SUBSCRIBE is tried again with the same id', (t) => {
  const state = subscribed()
  receive(state, { type: 'OFFERS', offers: { offers: [offer('O1')] } })
  t.deepEqual(step(state, { kind: 'streamClosed', atMs: 100, reason: 'reset' }), [
    { kind: 'cancelTimer', key: 'heartbeat' },
    { kind: 'cancelTimer', key: 'reconcile' },
    { kind: 'setTimer', key: 'resubscribe', timer: { kind: 'resubscribe' }, atMs: 350 },
    { kind: 'disconnected', reason: 'reset' },
  ])
  t.is(state.offers.size, 0)
  t.deepEqual(step(state, { kind: 'streamClosed', atMs: 101, reason: 'again' }), [], 'lost once only')
  t.deepEqual(fire(state, 'resubscribe', 350), [subscribeCall(F)])
  t.is(state.phase, 'subscribing')
})

test('the pause doubles with each failure up to the cap, and a subscription resets it', (t) => {
  const state = createFramework({ info: INFO })
  step(state, { kind: 'started', atMs: 0 })
  const pauses = Array.from({ length: 8 }, () => {
    const effects = step(state, { kind: 'streamClosed', atMs: 0, reason: 'refused' })
    t.false(
      effects.some(({ kind }) => kind === 'disconnected'),
      'there was no subscription to lose',
    )
    fire(state, 'resubscribe')
    return effects.flatMap((effect) => (effect.kind === 'setTimer' ? [effect.atMs] : []))[0]
  })
  t.deepEqual(pauses, [250, 500, 1_000, 2_000, 4_000, 8_000, RESUBSCRIBE_MAX_MS, RESUBSCRIBE_MAX_MS])
  receive(state, SUBSCRIBED)
  const effects = step(state, { kind: 'streamClosed', atMs: 0, reason: 'lost' })
  t.true(effects.some((effect) => effect.kind === 'setTimer' && effect.atMs === 250))
})

test('after a new subscription live tasks are asked for and kills are repeated under their policy', (t) => {
  const state = subscribed()
  adoptTask(state, 'T1', 'A', 'TASK_RUNNING')
  adoptTask(state, 'T2', 'A', 'TASK_RUNNING')
  const policy = { grace_period: { nanoseconds: 5 } }
  killTask(state, 'T2', policy)
  step(state, { kind: 'streamClosed', atMs: 0, reason: 'lost' })
  t.deepEqual(killTask(state, 'T1'), [], 'remembered while there is no subscription')
  fire(state, 'resubscribe')
  const agent_id = { value: 'A' }
  t.deepEqual(receive(state, SUBSCRIBED, 10).slice(2), [
    { kind: 'subscribed', frameworkId: F, masterInfo: undefined },
    {
      kind: 'sendCall',
      call: {
        type: 'RECONCILE',
        framework_id: F,
        reconcile: {
          tasks: [
            { task_id: { value: 'T1' }, agent_id },
            { task_id: { value: 'T2' }, agent_id },
          ],
        },
      },
    },
    { kind: 'setTimer', key: 'reconcile', timer: { kind: 'reconcile' }, atMs: 10 + RECONCILE_MIN_MS },
    {
      kind: 'sendCall',
      call: { type: 'KILL', framework_id: F, kill: { task_id: { value: 'T1' }, agent_id, kill_policy: undefined } },
    },
    {
      kind: 'sendCall',
      call: { type: 'KILL', framework_id: F, kill: { task_id: { value: 'T2' }, agent_id, kill_policy: policy } },
    },
  ])
})

test('reconciliation is repeated for tasks without an answer, less and less often, until each has one', (t) => {
  const state = createFramework({ info: INFO })
  adoptTask(state, 'T1', 'A', 'TASK_RUNNING')
  adoptTask(state, 'T2', 'A', 'TASK_RUNNING')
  step(state, { kind: 'started', atMs: 0 })
  receive(state, SUBSCRIBED)
  receive(state, update('T1', 'TASK_RUNNING'))
  const asked = fire(state, 'reconcile', 0)
  const call = asked.flatMap((effect) => (effect.kind === 'sendCall' ? [effect.call] : []))[0]
  t.deepEqual(
    call?.reconcile?.tasks?.map(({ task_id }) => task_id.value),
    ['T2'],
  )
  const pauses = [asked, ...Array.from({ length: 6 }, () => fire(state, 'reconcile', 0))].flatMap((effects) =>
    effects.flatMap((effect) => (effect.kind === 'setTimer' ? [effect.atMs] : [])),
  )
  t.deepEqual(pauses, [4_000, 8_000, 16_000, 32_000, RECONCILE_MAX_MS, RECONCILE_MAX_MS, RECONCILE_MAX_MS])
  receive(state, update('T2', 'TASK_LOST'))
  t.deepEqual(fire(state, 'reconcile'), [])
  t.deepEqual([...state.tasks.keys()], ['T1'])
})

test('a task whose agent is away is asked about until the agent is back, with or without it', (t) => {
  const state = subscribed()
  adoptTask(state, 'T', 'A', 'TASK_RUNNING')
  receive(state, update('T', 'TASK_RUNNING'))
  const timer = { kind: 'setTimer', key: 'reconcile', timer: { kind: 'reconcile' } } as const
  t.deepEqual(receive(state, update('T', 'TASK_UNREACHABLE'), 10).at(-1), { ...timer, atMs: 10 + RECONCILE_MIN_MS })
  const isAsked = (): boolean => fire(state, 'reconcile', 0).some((effect) => effect.kind === 'sendCall')
  t.true(isAsked())
  const answered = receive(state, update('T', 'TASK_UNREACHABLE'), 20)
  t.false(
    answered.some((effect) => effect.kind === 'setTimer' && effect.key === 'reconcile'),
    'the pause goes on',
  )
  t.true(isAsked())
  receive(state, update('T', 'TASK_GONE'))
  t.false(isAsked())
})

test('missed heartbeats end the stream', (t) => {
  const state = subscribed()
  t.deepEqual(receive(state, { type: 'HEARTBEAT' }, 7), [heartbeat(7 + 10_000)])
  t.deepEqual(fire(state, 'heartbeatTimeout', 20_000), [
    { kind: 'closeStream' },
    { kind: 'cancelTimer', key: 'heartbeat' },
    { kind: 'cancelTimer', key: 'reconcile' },
    { kind: 'setTimer', key: 'resubscribe', timer: { kind: 'resubscribe' }, atMs: 20_250 },
    { kind: 'disconnected', reason: 'the master sent no heartbeat' },
  ])
  t.deepEqual(fire(state, 'heartbeatTimeout', 20_001), [])
})

test('what a stream that was given up still brings is ignored', (t) => {
  const state = subscribed()
  step(state, { kind: 'streamClosed', atMs: 0, reason: 'lost' })
  t.deepEqual(receive(state, { type: 'OFFERS', offers: { offers: [offer('O1')] } }), [])
  t.deepEqual(receive(state, SUBSCRIBED), [])
  t.deepEqual(step(state, { kind: 'streamOpened', atMs: 0 }), [])
  t.is(state.phase, 'waiting')
  t.is(state.offers.size, 0)
})

test('nothing but SUBSCRIBED and ERROR counts before SUBSCRIBED', (t) => {
  const state = createFramework({ info: INFO })
  step(state, { kind: 'started', atMs: 0 })
  const effects = receive(state, { type: 'OFFERS', offers: { offers: [offer('O1')] } })
  t.deepEqual(
    effects.map(({ kind }) => kind),
    ['setTimer'],
  )
  t.is(state.offers.size, 0)
})

test('ERROR stops the framework for good', (t) => {
  const state = subscribed()
  receive(state, { type: 'OFFERS', offers: { offers: [offer('O1')] } })
  t.deepEqual(receive(state, { type: 'ERROR', error: { message: 'removed' } }).slice(1), [
    { kind: 'cancelTimer', key: 'heartbeat' },
    { kind: 'cancelTimer', key: 'reconcile' },
    { kind: 'closeStream' },
    { kind: 'failed', message: 'removed' },
  ])
  t.is(state.offers.size, 0)
  t.deepEqual(step(state, { kind: 'started', atMs: 1 }), [])
  t.deepEqual(receive(state, SUBSCRIBED), [])
})

test('offers are held until rescinded; a rescind of an offer that is not held says nothing', (t) => {
  const state = subscribed()
  const offers = [offer('O1'), offer('O2')]
  t.deepEqual(receive(state, { type: 'OFFERS', offers: { offers } }).slice(1), [{ kind: 'offersReceived', offers }])
  const rescind: Event = { type: 'RESCIND', rescind: { offer_id: { value: 'O1' } } }
  t.deepEqual(receive(state, rescind).slice(1), [{ kind: 'offerRescinded', offerId: { value: 'O1' } }])
  t.deepEqual(receive(state, rescind).slice(1), [])
  t.deepEqual([...state.offers.keys()], ['O2'])
})

test('an update is told first and acknowledged then, only when it carries a uuid', (t) => {
  const state = subscribed()
  const uuid = new Uint8Array([1, 2])
  const event = update('T', 'TASK_RUNNING', uuid)
  const status = event.update?.status as TaskStatus
  t.deepEqual(receive(state, event).slice(1), [
    { kind: 'taskUpdated', status },
    {
      kind: 'sendCall',
      call: {
        type: 'ACKNOWLEDGE',
        framework_id: F,
        acknowledge: { agent_id: { value: 'A' }, task_id: { value: 'T' }, uuid },
      },
    },
  ])
  for (const none of [undefined, new Uint8Array()]) {
    const effects = receive(state, update('T', 'TASK_RUNNING', none))
    t.deepEqual(
      effects.slice(1).map(({ kind }) => kind),
      ['taskUpdated'],
    )
  }
})

test('the state of an operation is told first and acknowledged then, only when it carries a uuid', (t) => {
  const state = subscribed()
  const agent_id = { value: 'A' }
  const operation_id = { value: 'reserve' }
  const uuid = { value: new Uint8Array([1, 2]) }
  const told = (status: OperationStatus) =>
    receive(state, { type: 'UPDATE_OPERATION_STATUS', update_operation_status: { status } }).slice(1)
  const finished = { state: 'OPERATION_FINISHED', agent_id, operation_id, uuid } as const
  t.deepEqual(told(finished), [
    { kind: 'operationUpdated', status: finished },
    {
      kind: 'sendCall',
      call: {
        type: 'ACKNOWLEDGE_OPERATION_STATUS',
        framework_id: F,
        acknowledge_operation_status: { agent_id, operation_id, uuid: uuid.value },
      },
    },
  ])
  const refused = { state: 'OPERATION_ERROR', operation_id, message: 'no' } as const
  t.deepEqual(told(refused), [{ kind: 'operationUpdated', status: refused }])
})

test('a task that may come back stays live, one that ended is forgotten', (t) => {
  const state = subscribed()
  adoptTask(state, 'T', 'A', 'TASK_RUNNING')
  receive(state, update('T', 'TASK_UNREACHABLE'))
  t.is(state.tasks.get('T')?.state, 'TASK_UNREACHABLE')
  receive(state, update('T', 'TASK_GONE'))
  t.is(state.tasks.size, 0)
})

for (const { name, failure, expected } of [
  {
    name: 'FAILURE with an executor tells of the executor and its status',
    failure: { agent_id: { value: 'A' }, executor_id: { value: 'E' }, status: 9 },
    expected: { kind: 'executorEnded', agentId: { value: 'A' }, executorId: { value: 'E' }, waitStatus: 9 },
  },
  {
    name: 'FAILURE of an agent tells of the agent',
    failure: { agent_id: { value: 'A' } },
    expected: { kind: 'agentLost', agentId: { value: 'A' } },
  },
] as const) {
  test(name, (t) => t.deepEqual(receive(subscribed(), { type: 'FAILURE', failure }).slice(1), [expected]))
}

test('a refused call is told with its status and text and changes nothing', (t) => {
  const state = subscribed()
  const call: Call = { type: 'REVIVE' }
  t.deepEqual(step(state, { kind: 'callRefused', atMs: 0, call, status: 403, text: 'no' }), [
    { kind: 'callFailed', call, status: 403, text: 'no' },
  ])
  t.is(state.phase, 'subscribed')
})

const ids = fc.constantFrom('1', '2', '3')
const states = fc.constantFrom<TaskState>('TASK_RUNNING', 'TASK_FINISHED', 'TASK_LOST', 'TASK_UNKNOWN', 'TASK_KILLING')
const master: fc.Arbitrary<Event> = fc.oneof(
  fc.constant(SUBSCRIBED),
  ids.map((id): Event => ({ type: 'OFFERS', offers: { offers: [offer(id)] } })),
  ids.map((id): Event => ({ type: 'RESCIND', rescind: { offer_id: { value: id } } })),
  fc.tuple(ids, states).map(([id, state]) => update(id, state, new Uint8Array([1]))),
  // An event whose body is missing, as a foreign master may send it.
  fc.constantFrom<Event>(
    { type: 'SUBSCRIBED' },
    { type: 'UPDATE' },
    { type: 'RESCIND' },
    { type: 'FAILURE' },
    { type: 'MESSAGE' },
    { type: 'OFFERS' },
    { type: 'HEARTBEAT' },
    { type: 'UNKNOWN' },
  ),
)
const anyEvent: fc.Arbitrary<FrameworkEvent> = fc.oneof(
  { arbitrary: master.map((event): FrameworkEvent => ({ kind: 'eventReceived', atMs: 1, event })), weight: 6 },
  fc.constant<FrameworkEvent>({ kind: 'started', atMs: 1 }),
  fc.constant<FrameworkEvent>({ kind: 'streamOpened', atMs: 1 }),
  fc.constant<FrameworkEvent>({ kind: 'streamClosed', atMs: 1, reason: 'x' }),
  fc
    .constantFrom<FrameworkTimer['kind']>('resubscribe', 'heartbeatTimeout', 'reconcile')
    .map((kind): FrameworkEvent => ({ kind: 'timerFired', atMs: 1, timer: { kind } })),
)
const anyCommand = fc.oneof(
  { arbitrary: anyEvent.map((event) => ({ kind: 'event' as const, event })), weight: 6 },
  fc.tuple(ids, ids).map(([offerId, taskId]) => ({ kind: 'accept' as const, offerId, taskId })),
  ids.map((offerId) => ({ kind: 'decline' as const, offerId })),
  ids.map((taskId) => ({ kind: 'kill' as const, taskId })),
)

function run(state: FrameworkState, command: typeof anyCommand extends fc.Arbitrary<infer T> ? T : never) {
  switch (command.kind) {
    case 'event':
      return step(state, command.event)
    case 'accept': {
      const { offerId, taskId } = command
      const task = { name: 't', task_id: { value: taskId }, agent_id: { value: 'A' } }
      const result = acceptOffers(state, { offerIds: [offerId], launches: [{ kind: 'tasks', tasks: [task] }] })
      return result.ok ? result.value : []
    }
    case 'decline':
      return declineOffers(state, [command.offerId], 1)
    case 'kill':
      return killTask(state, command.taskId)
    default:
      return command satisfies never
  }
}

test('safety_: whatever comes, nothing throws, calls are sent only while subscribed, and offers live no longer', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.array(anyCommand, { maxLength: 60 }), (commands) => {
        const state = createFramework({ info: INFO })
        for (const command of commands) {
          const effects = run(state, command)
          const sends = effects.some(({ kind }) => kind === 'sendCall')
          if (sends && state.phase !== 'subscribed') return false
          if (state.phase !== 'subscribed' && state.offers.size > 0) return false
          if ([...state.tasks].some(([id, task]) => id !== task.taskId || isTerminal(task.state))) return false
          const timers = effects.flatMap((effect) => (effect.kind === 'setTimer' ? [effect.key] : []))
          if (
            state.phase === 'waiting' &&
            command.kind === 'event' &&
            effects.length > 0 &&
            !timers.includes('resubscribe')
          )
            return false
        }
        return teardown(state).length > 0 && state.offers.size === 0
      }),
      { numRuns: 1_000 },
    ),
  )
})

test('a master that is found ends the pause, and the pauses begin anew', (t) => {
  const state = subscribed()
  for (let round = 0; round < 5; round += 1) {
    step(state, { kind: 'streamClosed', reason: 'lost', atMs: 1 })
    fire(state, 'resubscribe', 2)
  }
  step(state, { kind: 'streamClosed', reason: 'lost', atMs: 3 })
  t.is(state.phase, 'waiting')
  const effects = step(state, { kind: 'masterDetected', atMs: 4 })
  t.deepEqual(effects, [{ kind: 'cancelTimer', key: 'resubscribe' }, subscribeCall(F)])
  t.deepEqual(step(state, { kind: 'masterDetected', atMs: 5 }), [], 'while it subscribes nothing more is done')
  const [, , timer] = step(state, { kind: 'streamClosed', reason: 'lost', atMs: 6 })
  t.like(timer, { kind: 'setTimer', atMs: 6 + RESUBSCRIBE_MIN_MS })
})

test('the tasks of an ACCEPT that failed are asked about, others are not', (t) => {
  const state = subscribed()
  receive(state, { type: 'OFFERS', offers: { offers: [offer('O1'), offer('O2')] } })
  const launch = (offerId: string, taskId: string): Call => {
    const tasks = [{ name: taskId, task_id: { value: taskId }, agent_id: { value: 'A' } }]
    const accepted = acceptOffers(state, { offerIds: [offerId], launches: [{ kind: 'tasks', tasks }] })
    const [effect] = accepted.ok ? accepted.value : []
    return effect?.kind === 'sendCall' ? effect.call : {}
  }
  launch('O1', 'told')
  const call = launch('O2', 'lost')
  const effects = step(state, { kind: 'callRefused', atMs: 5, call, status: 503, text: 'not leading' })
  t.deepEqual(effects, [
    { kind: 'callFailed', call, status: 503, text: 'not leading' },
    {
      kind: 'sendCall',
      call: {
        type: 'RECONCILE',
        framework_id: F,
        reconcile: { tasks: [{ task_id: { value: 'lost' }, agent_id: { value: 'A' } }] },
      },
    },
    { kind: 'setTimer', key: 'reconcile', timer: { kind: 'reconcile' }, atMs: 5 + RECONCILE_MIN_MS },
  ])
})

test('a call that got no answer ends the subscription: its offers would be held for ever', (t) => {
  const state = subscribed()
  receive(state, { type: 'OFFERS', offers: { offers: [offer('O1')] } })
  const call: Call = { type: 'DECLINE', framework_id: { value: 'F' } }
  const lost = { kind: 'callRefused', atMs: 5, call, status: 0, text: 'connection lost' } as const
  t.deepEqual(
    step(state, lost).map(({ kind }) => kind),
    ['callFailed', 'closeStream', 'cancelTimer', 'cancelTimer', 'setTimer', 'disconnected'],
  )
  t.is(state.phase, 'waiting')
  t.is(state.offers.size, 0)
  t.deepEqual(
    step(state, lost).map(({ kind }) => kind),
    ['callFailed'],
    'once',
  )
})

test('what is suppressed or revived while a SUBSCRIBE is under way is told after it', (t) => {
  const cases = [
    { before: ['r'], act: () => revive(state), expected: { type: 'REVIVE', revive: { roles: ['r'] } } },
    { before: [], act: () => suppress(state), expected: { type: 'SUPPRESS', suppress: { roles: ['r'] } } },
  ] as const
  let state = createFramework({ info: INFO })
  for (const { before, act, expected } of cases) {
    state = createFramework({ info: { ...INFO, roles: ['r'] }, suppressedRoles: before })
    step(state, { kind: 'started', atMs: 0 })
    t.deepEqual(act(), [], 'no subscription yet')
    const event = { type: 'SUBSCRIBED', subscribed: { framework_id: { value: 'F' } } } as const
    const calls = step(state, { kind: 'eventReceived', atMs: 0, event }).filter(({ kind }) => kind === 'sendCall')
    t.deepEqual(calls, [{ kind: 'sendCall', call: { ...expected, framework_id: { value: 'F' } } }])
  }
})

test('a kill is repeated when the task is found again, until it has ended', (t) => {
  const state = subscribed()
  adoptTask(state, 'T', 'A', 'TASK_RUNNING')
  killTask(state, 'T')
  const kills = (status: Partial<TaskStatus>): number => {
    const full: TaskStatus = { task_id: { value: 'T' }, state: 'TASK_RUNNING', ...status }
    return receive(state, { type: 'UPDATE', update: { status: full } }).filter(
      (effect) => effect.kind === 'sendCall' && effect.call.type === 'KILL',
    ).length
  }
  t.is(kills({}), 0, 'its agent has it')
  t.is(kills({ reason: 'REASON_RECONCILIATION' }), 1)
  t.is(kills({ reason: 'REASON_AGENT_REREGISTERED' }), 1)
  t.is(
    kills({ reason: 'REASON_RECONCILIATION', state: 'TASK_UNREACHABLE' }),
    0,
    'a kill of it is answered so: no end of it',
  )
  t.is(kills({ reason: 'REASON_RECONCILIATION', state: 'TASK_UNKNOWN' }), 0)
  t.is(kills({ reason: 'REASON_RECONCILIATION', state: 'TASK_GONE' }), 0)
})
