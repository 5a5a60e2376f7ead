import type { OfferOperation, Resource } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import { Resources } from '../resources/resources.ts'
import { step } from './agent.ts'
import { CUSTOM, cpus, REGISTERED, Rehearsal, uuid } from './rehearsal.ts'
import { HELD_MESSAGES_MAX } from './resource-store.ts'
import { createAgent } from './state.ts'

const RESERVED: Resource = {
  ...cpus(1),
  reservations: [{ type: 'DYNAMIC', role: 'r' }],
  allocation_info: { role: 'r' },
}
const DISK: Resource = {
  name: 'mem',
  type: 'SCALAR',
  scalar: { value: 24 },
  reservations: [{ type: 'DYNAMIC', role: 'r' }],
  allocation_info: { role: 'r' },
}
const RESERVE: OfferOperation = { type: 'RESERVE', id: { value: 'op' }, reserve: { resources: [RESERVED] } }
const RESERVE_MORE: OfferOperation = { type: 'RESERVE', reserve: { resources: [DISK] } }

function apply(agent: Rehearsal, operation: OfferOperation, number = 1): void {
  agent.master({
    type: 'APPLY_OPERATION',
    apply_operation: { framework_id: { value: 'F' }, operation_uuid: { value: uuid(number) }, operation },
  })
}

function withSlowDisk(): Rehearsal {
  const agent = new Rehearsal()
  agent.holdsDisk = true
  return agent
}

test('the outcome of an operation is told only when the disk has followed', (t) => {
  const agent = withSlowDisk()
  apply(agent, RESERVE)
  const [stored] = agent.kinds('storeResources')
  t.is(stored?.resources[0]?.reservations?.[0]?.role, 'r')
  t.is(stored?.resources[0]?.allocation_info, undefined)
  t.is(stored?.operations[0]?.info.id?.value, 'op')
  agent.pass(60_000)
  t.deepEqual(agent.told, [])
  agent.stored()
  t.is(agent.told[0]?.operation_status?.status.state, 'OPERATION_FINISHED')
})

test('a task on what an operation made waits for the disk; pings do not', (t) => {
  const agent = withSlowDisk()
  apply(agent, RESERVE)
  agent.run({ id: 't', resources: [RESERVED] })
  agent.master({ type: 'PING' })
  t.deepEqual(agent.launched, [])
  t.deepEqual(
    agent.told.map(({ type }) => type),
    ['PONG'],
  )
  agent.stored()
  t.is(agent.launched.length, 1)
})

test('each operation is stored by itself, in order', (t) => {
  const agent = withSlowDisk()
  apply(agent, RESERVE, 1)
  apply(agent, RESERVE_MORE, 2)
  t.is(agent.kinds('storeResources').length, 1)
  t.is(agent.state.total.toString(), 'cpus:3; mem:1024; cpus(reservations: [(DYNAMIC,r)]):1')
  agent.stored()
  t.is(agent.kinds('storeResources').length, 2)
  t.is(agent.told.length, 1)
  agent.stored()
  t.is(agent.told.length, 2)
})

test('an acknowledgement takes the operation off the disk too', (t) => {
  const agent = new Rehearsal()
  apply(agent, RESERVE)
  const status = agent.told[0]?.operation_status?.status
  agent.master({
    type: 'ACKNOWLEDGE_OPERATION',
    acknowledge_operation: { operation_uuid: { value: uuid(1) }, status_uuid: status!.uuid!.value },
  })
  const last = agent.kinds('storeResources').at(-1)
  t.deepEqual(last?.operations, [])
  t.is(last?.resources.length, 1)
})

test('a new registration waits for the disk, and messages of the old link that waited are gone', (t) => {
  const agent = withSlowDisk()
  apply(agent, RESERVE)
  agent.run({ id: 't', resources: [RESERVED] })
  agent.post({ kind: 'linkClosed', atMs: agent.atMs, reason: 'reset' })
  agent.pass(60_000)
  t.is(agent.kinds('openLink').length, 0)
  agent.stored()
  agent.pass(60_000)
  t.is(agent.kinds('openLink')[0]?.message.reregister?.operations?.length, 1)
  agent.post({ kind: 'linkOpened', atMs: agent.atMs })
  agent.master({ ...REGISTERED, type: 'REREGISTERED' })
  t.deepEqual(agent.launched, [])
})

test('too many messages that wait make the agent register anew', (t) => {
  const agent = withSlowDisk()
  apply(agent, RESERVE)
  for (let at = 0; at < HELD_MESSAGES_MAX; at++) agent.master({ type: 'SHUTDOWN_FRAMEWORK' })
  t.is(agent.kinds('closeLink').length, 0)
  agent.master({ type: 'SHUTDOWN_FRAMEWORK' })
  t.is(agent.kinds('closeLink').length, 1)
  t.is(agent.state.heldMessages.length, 0)
})

test('an agent with a past registers with what is on its disk, and tells what was not acknowledged', (t) => {
  const before = new Rehearsal()
  apply(before, RESERVE)
  const kept = before.kinds('storeResources').at(-1)!
  const resources = before.state.total.toProto()
  const state = createAgent({ ...before.state.options, kept: { resources, operations: kept.operations } })
  step(state, { kind: 'masterDetected', atMs: 0 })
  const [opened] = step(state, { kind: 'timerFired', atMs: 1_000, timer: { kind: 'register' } }).filter(
    ({ kind }) => kind === 'openLink',
  )
  const register = opened?.kind === 'openLink' ? opened.message.register : undefined
  t.deepEqual(register?.resources, resources)
  t.deepEqual(register?.agent_info.resources, before.state.options.info.resources)
  t.is(register?.operations?.length, 1)
  step(state, { kind: 'linkOpened', atMs: 1_000 })
  const effects = step(state, { kind: 'linkMessage', atMs: 1_000, message: REGISTERED })
  const told = effects.flatMap((effect) => (effect.kind === 'sendToMaster' ? [effect.message.type] : []))
  t.deepEqual(told, ['OPERATION_STATUS'])
})

const VOLUME: Resource = {
  name: 'disk',
  type: 'SCALAR',
  scalar: { value: 10 },
  reservations: [{ type: 'DYNAMIC', role: 'r' }],
  disk: { persistence: { id: 'v' }, volume: { container_path: 'data', mode: 'RW' } },
  allocation_info: { role: 'r' },
}

function withVolume(): Rehearsal {
  const agent = new Rehearsal()
  const { allocation_info: _, ...plain } = VOLUME
  agent.state.total = agent.state.total.plus(Resources.fromProto([plain]))
  return agent
}

test('a command task finds its volume in its sandbox', (t) => {
  const agent = withVolume()
  agent.run({ id: 't', resources: [VOLUME] })
  t.deepEqual(agent.kinds('launchContainer')[0]?.spec.volumes, [VOLUME])
})

test('an executor with a volume that this agent does not have is refused', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 't', command: undefined, executor: { ...CUSTOM, resources: [VOLUME] } })
  t.deepEqual(agent.launched, [])
  const [status] = agent.statuses()
  t.is(status?.reason, 'REASON_RESOURCES_UNKNOWN')
  t.regex(status?.message ?? '', /being used by the executor are unknown to the agent: disk.*\[v:data\]:10$/)
})

test('a custom executor gets the volumes of each of its tasks while they run', (t) => {
  const agent = withVolume()
  agent.run({ id: 'a', command: undefined, executor: CUSTOM })
  t.is(agent.kinds('launchContainer')[0]?.spec.volumes, undefined)
  agent.start(agent.lastLaunched)
  agent.subscribe()
  agent.run({ id: 'b', command: undefined, executor: CUSTOM, resources: [VOLUME] })
  t.deepEqual(agent.kinds('updateContainer').at(-1)?.volumes, [VOLUME])
  agent.report('b', 'TASK_FINISHED')
  t.is(agent.kinds('updateContainer').at(-1)?.volumes, undefined)
})
