import type { FrameworkInfo } from '@isthmus/proto/gen/mesos'
import type { CallSubscribe } from '@isthmus/proto/gen/scheduler'
import test from 'ava'
import { fingerprint, Rehearsal, scalar } from './rehearsal.ts'

const MULTI_ROLE = { capabilities: [{ type: 'MULTI_ROLE' as const }] }

interface Refusal {
  readonly name: string
  readonly info: Partial<FrameworkInfo>
  readonly more?: Partial<CallSubscribe>
  readonly flags?: { readonly roles?: readonly string[]; readonly rootSubmissions?: boolean }
  readonly message: string
}

const invalidRole = "'FrameworkInfo.roles' contains invalid role: "
const refusals: Refusal[] = [
  {
    name: 'a role with a blank',
    info: { roles: ['a b'] },
    message: `${invalidRole}Role component 'a b' is invalid because it contains backspace or whitespace`,
  },
  {
    name: 'a role with a slash in front',
    info: { roles: ['/a'] },
    message: `${invalidRole}Role '/a' cannot start with a slash`,
  },
  {
    name: 'the role ..',
    info: { roles: ['..'] },
    message: `${invalidRole}Role '..' cannot include '..' as a component`,
  },
  {
    name: 'a role with a dash in front',
    info: { roles: ['-a'] },
    message: `${invalidRole}Role component '-a' is invalid because it starts with a dash`,
  },
  { name: 'an empty role', info: { roles: [''] }, message: `${invalidRole}Role names cannot be the empty string` },
  {
    name: 'the same role twice',
    info: { roles: ['golden', 'golden'] },
    message: "'FrameworkInfo.roles' contains duplicate items: { golden }",
  },
  {
    name: 'role with MULTI_ROLE',
    info: { role: 'golden' },
    message: "'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable",
  },
  {
    name: 'roles without MULTI_ROLE',
    info: { capabilities: [] },
    message: "'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable",
  },
  {
    name: 'a suppressed role that is not a role',
    info: {},
    more: { suppressed_roles: ['other'] },
    message: "Suppressed role 'other' is not contained in the list of roles",
  },
  {
    name: 'a failover timeout beyond all time',
    info: { failover_timeout: 1e30 },
    message: 'The framework failover_timeout (1e+30) is invalid',
  },
  {
    name: 'a role that is not listed',
    info: { roles: ['other'] },
    flags: { roles: ['golden'] },
    message: "Roles { other } are not present in the master's --roles",
  },
  {
    name: 'root without --root_submissions',
    info: {},
    flags: { rootSubmissions: false },
    message: "User 'root' is not allowed to run frameworks without --root_submissions set",
  },
  {
    name: 'an empty group of offer constraints',
    info: {},
    more: { offer_constraints: { role_constraints: { golden: { groups: [{}] } } } },
    message: "'OfferConstraints::RoleConstraints::groups' for role goldencontains an empty RoleConstraints::Group",
  },
  {
    name: 'a pattern that is none',
    info: {},
    more: {
      offer_constraints: {
        role_constraints: {
          golden: {
            groups: [
              {
                attribute_constraints: [
                  { selector: { attribute_name: 'rack' }, predicate: { text_matches: { regex: '(' } } },
                ],
              },
            ],
          },
        },
      },
    },
    message:
      "A role golden has an invalid 'AttributeConstraint': Failed to construct regex from pattern '(': missing ): (",
  },
]

for (const { name, info, more, flags, message } of refusals) {
  test(`SUBSCRIBE is refused inside its stream, the state unchanged: ${name}`, (t) => {
    const stage = new Rehearsal(flags)
    stage.register()
    const before = fingerprint(stage.state)
    const answer = stage.call({
      type: 'SUBSCRIBE',
      subscribe: { framework_info: { user: 'root', name: 'f', roles: ['golden'], ...MULTI_ROLE, ...info }, ...more },
    })
    t.is(answer.status, 200)
    t.deepEqual(stage.events.get(answer.streamId!), [{ type: 'ERROR', error: { message } }])
    t.true(stage.closed.has(answer.streamId!))
    t.is(fingerprint(stage.state), before)
  })
}

const odd: readonly Partial<FrameworkInfo>[] = [
  { name: '' },
  { user: '' },
  { failover_timeout: -1 },
  { roles: undefined },
  { id: { value: 'never-seen' } },
]

for (const info of odd) {
  test(`SUBSCRIBE takes what Mesos takes: ${JSON.stringify(info)}`, (t) => {
    const framework = new Rehearsal().subscribe(info)
    t.is(framework.events[0]?.type, 'SUBSCRIBED')
    t.is(framework.id, info.id?.value ?? 'm-0000')
  })
}

test('SUBSCRIBED comes first, then a heartbeat at once and every 15 s', (t) => {
  const stage = new Rehearsal()
  const effects = stage.play({
    kind: 'schedulerCalled',
    requestId: 'r',
    call: { type: 'SUBSCRIBE', subscribe: { framework_info: { user: 'u', name: 'n', ...MULTI_ROLE } } },
  })
  const shown = effects.flatMap((effect): unknown[] => {
    if (effect.kind === 'sendEvent') return [effect.event.type]
    return effect.kind === 'setTimer' ? [effect.atMs - stage.atMs] : []
  })
  t.is(effects[0]?.kind, 'openStream')
  t.deepEqual(shown, ['SUBSCRIBED', 'HEARTBEAT', 15_000])
})

test('the second subscription of an id takes over: the old stream ends, its offers are void without a word', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  const first = stage.subscribe()
  const offers = stage.offersOf(first)
  first.events.length = 0
  const second = stage.subscribe({ id: { value: first.id }, name: 'renamed' })
  t.deepEqual(first.events, [{ type: 'ERROR', error: { message: 'Framework failed over' } }])
  t.true(stage.closed.has(first.streamId))
  t.is(second.id, first.id)
  t.deepEqual(
    second.events.map(({ type }) => type),
    ['SUBSCRIBED', 'OFFERS'],
  )
  stage.say(second, {
    type: 'ACCEPT',
    accept: {
      offer_ids: offers.map((value) => ({ value })),
      operations: [{ type: 'LAUNCH', launch: { task_infos: [stage.task(agent, 't')] } }],
    },
  })
  t.deepEqual(stage.updatesOf(second), [
    `t | TASK_LOST | REASON_INVALID_OFFERS | Task launched with invalid offers: Offer ${offers[0]} is no longer valid`,
  ])
  t.is(stage.say(first, { type: 'REVIVE' }).status, 400)
})

test('a changed user is ignored and a changed principal refused', (t) => {
  const stage = new Rehearsal()
  const first = stage.subscribe({ principal: 'alice' })
  const second = stage.subscribe({ id: { value: first.id }, principal: 'alice', user: 'other', name: 'n' })
  t.is(stage.state.frameworks.get(second.id)?.info.user, 'root')
  t.is(stage.state.frameworks.get(second.id)?.info.name, 'n')
  const third = stage.subscribe({ id: { value: first.id }, principal: 'bob' })
  t.deepEqual(third.events, [{ type: 'ERROR', error: { message: "Changing framework's principal is not allowed." } }])
  t.is(stage.say(second, { type: 'REVIVE' }).status, 202)
})

test('without a failover timeout a closed stream ends the framework and its tasks', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  const framework = stage.subscribe()
  stage.launch(framework, stage.task(agent, 't'))
  stage.play({ kind: 'streamClosed', streamId: framework.streamId })
  t.false(stage.state.frameworks.has(framework.id))
  t.is(stage.state.completedFrameworks.get(framework.id)?.completedTasks[0]?.state, 'TASK_KILLED')
  t.deepEqual(agent.messages.at(-1), { type: 'SHUTDOWN_FRAMEWORK', framework_id: { value: framework.id } })
  const again = stage.subscribe({ id: { value: framework.id } })
  t.deepEqual(again.events, [{ type: 'ERROR', error: { message: 'Framework has been removed' } }])
})

test('within its failover timeout a framework comes back to its tasks, after it they end', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  const first = stage.subscribe({ failover_timeout: 100 })
  stage.launch(first, stage.task(agent, 't'))
  stage.update(agent, first, 't', 'TASK_RUNNING')
  const keepAlive = (ms: number) => {
    for (let passed = 0; passed < ms; passed += 10_000) {
      stage.hear(agent, { type: 'PONG' })
      stage.pass(10_000)
    }
  }
  stage.play({ kind: 'streamClosed', streamId: first.streamId })
  keepAlive(90_000)
  const second = stage.subscribe({ id: { value: first.id }, failover_timeout: 50 })
  t.is(second.events[0]?.type, 'SUBSCRIBED')
  keepAlive(200_000)
  stage.say(second, { type: 'RECONCILE', reconcile: {} })
  t.deepEqual(stage.updatesOf(second), ['t | TASK_RUNNING | REASON_RECONCILIATION | Reconciliation: Latest task state'])
  stage.play({ kind: 'streamClosed', streamId: second.streamId })
  keepAlive(60_000)
  t.true(stage.state.completedFrameworks.has(first.id))
})

test('TEARDOWN answers 202 and ends the stream without an event; then the framework is unknown', (t) => {
  const stage = new Rehearsal()
  const framework = stage.subscribe()
  framework.events.length = 0
  t.is(stage.say(framework, { type: 'TEARDOWN' }).status, 202)
  t.deepEqual(framework.events, [])
  t.true(stage.closed.has(framework.streamId))
  const later = stage.say(framework, { type: 'REVIVE' })
  t.deepEqual([later.status, later.text], [400, 'Framework cannot be found'])
})

test('completed frameworks are a ring', (t) => {
  const stage = new Rehearsal({ maxCompletedFrameworks: 2 })
  for (let round = 0; round < 4; round++) stage.say(stage.subscribe(), { type: 'TEARDOWN' })
  t.deepEqual([...stage.state.completedFrameworks.keys()], ['m-0002', 'm-0003'])
})

test('without MULTI_ROLE neither offers nor resources say a role they are allocated to', (t) => {
  const stage = new Rehearsal()
  stage.register()
  const framework = stage.subscribe({ roles: undefined, capabilities: [], role: 'plain' })
  const offer = framework.events[1]?.offers?.offers?.[0]
  t.is(offer?.allocation_info, undefined)
  t.deepEqual(offer?.resources?.[0], { name: 'cpus', type: 'SCALAR', scalar: { value: 4 }, role: '*' })
})

test('UPDATE_FRAMEWORK answers 200, tells agents with its tasks and rescinds offers of roles it left', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  stage.register('other.test')
  const framework = stage.subscribe()
  stage.say(framework, {
    type: 'ACCEPT',
    accept: {
      offer_ids: stage
        .offersOf(framework)
        .filter((id) => stage.state.offers.get(id)?.agentId === agent.id)
        .map((value) => ({ value })),
      operations: [{ type: 'LAUNCH', launch: { task_infos: [stage.task(agent, 't')] } }],
    },
  })
  framework.events.length = 0
  const framework_info = { user: 'root', name: 'g', roles: ['new'], ...MULTI_ROLE, id: { value: framework.id } }
  t.is(stage.say(framework, { type: 'UPDATE_FRAMEWORK', update_framework: { framework_info } }).status, 200)
  t.is(framework.events[0]?.type, 'RESCIND')
  t.is(framework.events.at(-1)?.offers?.offers?.[0]?.allocation_info?.role, 'new')
  t.is(agent.messages.filter(({ type }) => type === 'UPDATE_FRAMEWORK').length, 1)
})

test('SUPPRESS keeps offers and stops new ones until REVIVE, which forgets refusals too', (t) => {
  const stage = new Rehearsal()
  stage.register()
  const framework = stage.subscribe()
  stage.say(framework, { type: 'SUPPRESS' })
  t.is(stage.offersOf(framework).length, 1)
  const offer_ids = stage.offersOf(framework).map((value) => ({ value }))
  stage.say(framework, { type: 'DECLINE', decline: { offer_ids, filters: { refuse_seconds: 4294967295 } } })
  stage.pass(5000)
  t.is(stage.offersOf(framework).length, 0)
  stage.say(framework, { type: 'REVIVE' })
  t.is(stage.offersOf(framework).length, 1)
})

test('in a large pool one run over all agents serves all that asked for one', (t) => {
  const stage = new Rehearsal()
  for (let count = 0; count < 101; count++) stage.register(`agent${count}.test`, [scalar('cpus', 1)])
  const frameworks = [stage.subscribe({ roles: ['a'] }), stage.subscribe({ roles: ['b'] })]
  t.deepEqual(
    frameworks.map((framework) => stage.offersOf(framework).length),
    [0, 0],
  )
  stage.pass(0)
  const counts = frameworks.map((framework) => stage.offersOf(framework).length)
  t.deepEqual(counts.toSorted(), [50, 51])
})
