import type { MasterMessageApplyOperation } from '@isthmus/proto/gen/agent-link'
import type { OfferOperation, Resource } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import { CUSTOM, cpus, REGISTERED, Rehearsal, uuid } from './rehearsal.ts'

const RESERVED: Resource = { ...cpus(1), reservations: [{ type: 'DYNAMIC', role: 'r' }] }

function operation(info: OfferOperation): MasterMessageApplyOperation {
  return { framework_id: { value: 'F' }, operation_uuid: { value: uuid(1) }, operation: info }
}

/** As in an ACCEPT: allocated to a role. */
const RESERVE = operation({
  type: 'RESERVE',
  id: { value: 'op' },
  reserve: { resources: [{ ...RESERVED, allocation_info: { role: 'r' } }] },
})

function acknowledge(agent: Rehearsal): void {
  const status = agent.told.find(({ type }) => type === 'OPERATION_STATUS')?.operation_status?.status
  agent.master({
    type: 'ACKNOWLEDGE_OPERATION',
    acknowledge_operation: {
      operation_uuid: { value: uuid(1) },
      status_uuid: status?.uuid?.value ?? new Uint8Array(),
    },
  })
}

test('RESERVE changes the total, and its outcome is told until it is acknowledged', (t) => {
  const agent = new Rehearsal()
  agent.master({ type: 'APPLY_OPERATION', apply_operation: RESERVE })
  t.is(agent.state.total.toString(), 'cpus:3; mem:1024; cpus(reservations: [(DYNAMIC,r)]):1')
  const [told] = agent.told
  t.is(told?.operation_status?.status.state, 'OPERATION_FINISHED')
  t.is(told?.operation_status?.status.operation_id?.value, 'op')
  agent.pass(10_000)
  t.deepEqual(agent.told[1], told)
  acknowledge(agent)
  agent.pass(3_600_000)
  t.is(agent.told.length, 2)
  t.is(agent.state.operations.size, 0)
})

test('an operation that comes twice is applied once', (t) => {
  const agent = new Rehearsal()
  agent.master({ type: 'APPLY_OPERATION', apply_operation: RESERVE })
  agent.master({ type: 'APPLY_OPERATION', apply_operation: RESERVE })
  t.is(agent.state.total.toString(), 'cpus:3; mem:1024; cpus(reservations: [(DYNAMIC,r)]):1')
  t.is(agent.told.length, 2)
})

for (const { name, info } of [
  {
    name: 'what is not there',
    info: { type: 'UNRESERVE', unreserve: { resources: [RESERVED] } },
  },
  { name: 'no message', info: { type: 'RESERVE' } },
  { name: 'a type that changes nothing', info: { type: 'LAUNCH', launch: {} } },
] as const) {
  test(`an operation on ${name} fails, changes nothing, and the agent registers anew with what there is`, (t) => {
    const agent = new Rehearsal()
    const before = agent.state.total
    agent.master({ type: 'APPLY_OPERATION', apply_operation: operation(info) })
    t.is(agent.state.total, before)
    t.is(agent.kinds('closeLink').length, 1)
    t.deepEqual(agent.told, [])
    agent.pass(60_000)
    agent.post({ kind: 'linkOpened', atMs: agent.atMs })
    const { reregister } = agent.kinds('openLink')[0]!.message
    t.deepEqual(reregister?.resources, before.toProto())
    t.is(reregister?.operations?.[0]?.latest_status.state, 'OPERATION_FAILED')
    agent.master({ ...REGISTERED, type: 'REREGISTERED' })
    t.is(agent.told[0]?.operation_status?.status.state, 'OPERATION_FAILED')
  })
}

test('an acknowledgement of another outcome changes nothing', (t) => {
  const agent = new Rehearsal()
  agent.master({ type: 'APPLY_OPERATION', apply_operation: RESERVE })
  agent.master({
    type: 'ACKNOWLEDGE_OPERATION',
    acknowledge_operation: { operation_uuid: { value: uuid(1) }, status_uuid: uuid(9) },
  })
  t.is(agent.state.operations.size, 1)
})

test('re-registration tells the total and the operations that are not acknowledged', (t) => {
  const agent = new Rehearsal()
  agent.master({ type: 'APPLY_OPERATION', apply_operation: RESERVE })
  const count = agent.told.length
  agent.reconnect()
  const message = agent.kinds('openLink').at(-1)?.message.reregister
  t.is(message?.operations?.length, 1)
  t.true(message?.resources?.some(({ reservations }) => reservations?.[0]?.role === 'r'))
  t.is(agent.told.slice(count).filter(({ type }) => type === 'OPERATION_STATUS').length, 1)
})

function drain(agent: Rehearsal, seconds?: number): void {
  const max = seconds === undefined ? undefined : { nanoseconds: seconds * 1e9 }
  agent.master({ type: 'DRAIN', drain_config: { max_grace_period: max } })
}

for (const { max, own, expectedMs } of [
  { max: undefined, own: undefined, expectedMs: 3_000 },
  { max: 1, own: undefined, expectedMs: 1_000 },
  { max: 60, own: 20, expectedMs: 20_000 },
  { max: 10, own: 20, expectedMs: 10_000 },
]) {
  test(`DRAIN with ${max} s kills a task with a grace of ${own} s after ${expectedMs} ms, and says why`, (t) => {
    const agent = new Rehearsal()
    const kill_policy = own === undefined ? undefined : { grace_period: { nanoseconds: own * 1e9 } }
    agent.run({ id: 't', kill_policy })
    agent.start(agent.lastLaunched)
    drain(agent, max)
    agent.pass(expectedMs - 1)
    t.is(agent.kinds('destroyContainer').length, 0)
    agent.pass(1)
    t.is(agent.kinds('destroyContainer').length, 1)
    agent.exit(agent.lastLaunched, 9)
    const last = agent.statuses().at(-1)
    t.is(last?.state, 'TASK_KILLED')
    t.is(last?.reason, 'REASON_AGENT_DRAINING')
  })
}

test('a custom executor is asked to kill its task; the agent adds why', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 't', command: undefined, executor: CUSTOM })
  agent.start(agent.lastLaunched)
  agent.subscribe()
  drain(agent, 1)
  t.deepEqual(agent.events.at(-1)?.kill?.kill_policy, { grace_period: { nanoseconds: 1e9 } })
  agent.report('t', 'TASK_KILLED')
  t.is(agent.statuses().at(-1)?.reason, 'REASON_AGENT_DRAINING')
})

test('a draining agent launches nothing, until everything is over and acknowledged', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 't' })
  agent.start(agent.lastLaunched)
  drain(agent)
  agent.run({ id: 'late' })
  t.is(agent.launched.length, 1)
  t.is(agent.statuses().find(({ task_id }) => task_id.value === 'late')?.reason, 'REASON_AGENT_DRAINING')
  agent.exit(agent.lastLaunched, 15)
  t.not(agent.state.drain, undefined)
  const [answer] = agent.operator({ type: 'GET_AGENT' })
  t.deepEqual(answer?.kind === 'respondMessage' ? answer.response.get_agent?.drain_config : undefined, {
    max_grace_period: undefined,
  })
  agent.states()
  t.is(agent.state.drain, undefined)
  agent.run({ id: 'after' })
  t.is(agent.launched.length, 2)
})
