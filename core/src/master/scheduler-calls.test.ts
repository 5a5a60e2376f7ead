import type { Call } from '@isthmus/proto/gen/scheduler'
import test from 'ava'
import { fingerprint, Rehearsal } from './rehearsal.ts'

// Statuses and texts as seen on Mesos 1.11; the state must not change.

const UUID = new Uint8Array([1, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10, 11, 12, 13, 14, 15, 16])
const id = (value: string) => ({ value })
const invalid = (text: string) => `Failed to validate scheduler::Call: ${text}`
const info = { user: 'root', name: 'x', roles: ['golden'], capabilities: [{ type: 'MULTI_ROLE' as const }] }

interface Case {
  readonly name: string
  readonly call: Omit<Call, 'framework_id'>
  readonly framework?: string | null
  readonly stream?: string | null
  readonly status: number
  readonly text: string
}

const missing: Case[] = (
  [
    ['ACCEPT', 'accept'],
    ['DECLINE', 'decline'],
    ['ACCEPT_INVERSE_OFFERS', 'accept_inverse_offers'],
    ['DECLINE_INVERSE_OFFERS', 'decline_inverse_offers'],
    ['KILL', 'kill'],
    ['SHUTDOWN', 'shutdown'],
    ['ACKNOWLEDGE', 'acknowledge'],
    ['ACKNOWLEDGE_OPERATION_STATUS', 'acknowledge_operation_status'],
    ['RECONCILE', 'reconcile'],
    ['RECONCILE_OPERATIONS', 'reconcile_operations'],
    ['MESSAGE', 'message'],
    ['REQUEST', 'request'],
    ['UPDATE_FRAMEWORK', 'update_framework'],
  ] as const
).map(([type, field]) => ({
  name: `${type} without its message`,
  call: { type },
  status: 400,
  text: invalid(`Expecting '${field}' to be present`),
}))

const unknownFramework: Case[] = (['TEARDOWN', 'REVIVE', 'SUPPRESS', 'UNKNOWN'] as const).map((type) => ({
  name: `${type} of an unknown framework`,
  call: { type },
  framework: 'nobody',
  status: 400,
  text: 'Framework cannot be found',
}))

const cases: Case[] = [
  ...missing,
  ...unknownFramework,
  { name: 'no type', call: {}, status: 400, text: invalid("Expecting 'type' to be present") },
  {
    name: 'no framework id',
    call: { type: 'TEARDOWN' },
    framework: null,
    status: 400,
    text: invalid("Expecting 'framework_id' to be present"),
  },
  {
    name: 'SUBSCRIBE without its message',
    call: { type: 'SUBSCRIBE' },
    framework: null,
    stream: null,
    status: 400,
    text: invalid("Expecting 'subscribe' to be present"),
  },
  {
    name: 'SUBSCRIBE with a stream id',
    call: { type: 'SUBSCRIBE', subscribe: { framework_info: info } },
    framework: null,
    status: 400,
    text: "Subscribe calls should not include the 'Mesos-Stream-Id' header",
  },
  {
    name: 'SUBSCRIBE with only one of the two ids',
    call: { type: 'SUBSCRIBE', subscribe: { framework_info: info } },
    stream: null,
    status: 400,
    text: invalid("'framework_id' differs from 'subscribe.framework_info.id'"),
  },
  {
    name: 'a uuid that is too short',
    call: { type: 'ACKNOWLEDGE', acknowledge: { agent_id: id('a'), task_id: id('t'), uuid: new Uint8Array(3) } },
    status: 400,
    text: invalid('Not a valid UUID'),
  },
  {
    name: 'the nil uuid',
    call: { type: 'ACKNOWLEDGE', acknowledge: { agent_id: id('a'), task_id: id('t'), uuid: new Uint8Array(16) } },
    status: 400,
    text: invalid('Not a valid UUID'),
  },
  {
    name: 'an operation acknowledged without its agent',
    call: {
      type: 'ACKNOWLEDGE_OPERATION_STATUS',
      acknowledge_operation_status: { uuid: UUID, operation_id: id('o') },
    },
    status: 400,
    text: invalid("Expecting 'agent_id' to be present"),
  },
  {
    name: 'UPDATE_FRAMEWORK of another id',
    call: { type: 'UPDATE_FRAMEWORK', update_framework: { framework_info: { ...info, id: id('other') } } },
    status: 400,
    text: invalid("'framework_id' differs from 'update_framework.framework_info.id'"),
  },
  {
    name: 'no stream id',
    call: { type: 'REVIVE' },
    stream: null,
    status: 400,
    text: "All non-subscribe calls should include the 'Mesos-Stream-Id' header",
  },
  {
    name: 'another stream id',
    call: { type: 'REVIVE' },
    stream: 'x',
    status: 400,
    text: "The stream ID 'x' included in this request didn't match the stream ID currently associated with framework ID m-0000",
  },
  { name: 'type UNKNOWN', call: { type: 'UNKNOWN' }, status: 501, text: '501 Not Implemented.' },
  {
    name: 'UPDATE_FRAMEWORK to another user',
    call: {
      type: 'UPDATE_FRAMEWORK',
      update_framework: { framework_info: { ...info, id: id('m-0000'), user: 'other' } },
    },
    status: 400,
    text: "FrameworkInfo update is not valid: Updating 'FrameworkInfo.user' is unsupported; attempted to update from 'root' to 'other'",
  },
  {
    name: 'UPDATE_FRAMEWORK to checkpointing',
    call: {
      type: 'UPDATE_FRAMEWORK',
      update_framework: { framework_info: { ...info, id: id('m-0000'), checkpoint: true } },
    },
    status: 400,
    text: "FrameworkInfo update is not valid: Updating 'FrameworkInfo.checkpoint' is unsupported; attempted to update from 'false' to 'true'",
  },
  {
    name: 'UPDATE_FRAMEWORK to another principal',
    call: {
      type: 'UPDATE_FRAMEWORK',
      update_framework: { framework_info: { ...info, id: id('m-0000'), principal: 'bob' } },
    },
    status: 400,
    text: "FrameworkInfo update is not valid: Changing framework's principal is not allowed.",
  },
  {
    name: 'UPDATE_FRAMEWORK with a bad role',
    call: {
      type: 'UPDATE_FRAMEWORK',
      update_framework: { framework_info: { ...info, id: id('m-0000'), roles: ['/a'] } },
    },
    status: 400,
    text: "Supplied FrameworkInfo is not valid: 'FrameworkInfo.roles' contains invalid role: Role '/a' cannot start with a slash",
  },
]

for (const { name, call, framework, stream, status, text } of cases) {
  test(`refused with ${status}, the state unchanged: ${name}`, (t) => {
    const stage = new Rehearsal()
    stage.register()
    const known = stage.subscribe()
    const before = fingerprint(stage.state)
    const framework_id = framework === null ? undefined : id(framework ?? known.id)
    const answer = stage.call({ ...call, framework_id }, stream === null ? undefined : (stream ?? known.streamId))
    t.deepEqual([answer.status, answer.text], [status, text])
    t.is(fingerprint(stage.state), before)
  })
}

test('a disconnected framework is told that it is not subscribed', (t) => {
  const stage = new Rehearsal()
  const framework = stage.subscribe({ failover_timeout: 60 })
  stage.play({ kind: 'streamClosed', streamId: framework.streamId })
  const answer = stage.say(framework, { type: 'REVIVE' })
  t.deepEqual([answer.status, answer.text], [403, 'Framework is not subscribed'])
})

test('a call by another principal is refused', (t) => {
  const stage = new Rehearsal()
  const framework = stage.subscribe({ principal: 'alice' })
  const call: Call = { type: 'REVIVE', framework_id: id(framework.id) }
  const answer = stage.call(call, framework.streamId, 'bob')
  t.is(answer.status, 400)
  t.is(answer.text, "Authenticated principal 'bob' does not match principal 'alice' set in `FrameworkInfo`")
  const subscribe: Call = { type: 'SUBSCRIBE', subscribe: { framework_info: { ...info, principal: 'bob' } } }
  t.is(
    stage.call(subscribe, undefined, 'alice').text,
    invalid("Authenticated principal 'alice' does not match principal 'bob' set in `FrameworkInfo`"),
  )
})

const accepted: readonly Omit<Call, 'framework_id'>[] = [
  { type: 'DECLINE', decline: {} },
  { type: 'DECLINE', decline: { offer_ids: [id('none')] } },
  { type: 'ACCEPT', accept: {} },
  { type: 'ACCEPT', accept: { offer_ids: [id('none')] } },
  { type: 'ACCEPT_INVERSE_OFFERS', accept_inverse_offers: { inverse_offer_ids: [id('none')] } },
  { type: 'DECLINE_INVERSE_OFFERS', decline_inverse_offers: { inverse_offer_ids: [id('none')] } },
  { type: 'SUPPRESS', suppress: { roles: ['a b'] } },
  { type: 'REVIVE', revive: { roles: ['other'] } },
  { type: 'SHUTDOWN', shutdown: { agent_id: id('none'), executor_id: id('none') } },
  { type: 'ACKNOWLEDGE', acknowledge: { agent_id: id('none'), task_id: id('none'), uuid: UUID } },
  { type: 'MESSAGE', message: { agent_id: id('none'), executor_id: id('none'), data: new Uint8Array() } },
  { type: 'REQUEST', request: {} },
  { type: 'RECONCILE', reconcile: {} },
  { type: 'RECONCILE_OPERATIONS', reconcile_operations: {} },
  {
    type: 'ACKNOWLEDGE_OPERATION_STATUS',
    acknowledge_operation_status: { agent_id: id('none'), operation_id: id('none'), uuid: UUID },
  },
]

for (const call of accepted) {
  test(`what is not known is no error: 202 and no event: ${JSON.stringify(call)}`, (t) => {
    const stage = new Rehearsal()
    const framework = stage.subscribe()
    framework.events.length = 0
    const before = fingerprint(stage.state)
    t.is(stage.say(framework, call).status, 202)
    t.deepEqual(framework.events, [])
    t.is(fingerprint(stage.state), before)
  })
}

test('operations nobody knows are reconciled as unknown', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  const framework = stage.subscribe()
  framework.events.length = 0
  stage.say(framework, {
    type: 'RECONCILE_OPERATIONS',
    reconcile_operations: {
      operations: [
        { operation_id: id('one') },
        { operation_id: id('two'), agent_id: id(agent.id) },
        { operation_id: id('three'), agent_id: id('none') },
      ],
    },
  })
  t.deepEqual(
    framework.events.map(({ update_operation_status }) => update_operation_status?.status.message),
    [
      "Reconciliation: Operation is unknown and no 'agent_id' was provided",
      'Reconciliation: Operation is unknown',
      'Reconciliation: Both operation and agent are unknown',
    ],
  )
})
