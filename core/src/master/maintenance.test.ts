import type { Window } from '@isthmus/proto/gen/maintenance'
import type { Call as OperatorCall } from '@isthmus/proto/gen/master'
import type { MachineID } from '@isthmus/proto/gen/mesos'
import type { Event } from '@isthmus/proto/gen/scheduler'
import test from 'ava'
import { MAX_MACHINES } from './maintenance-validation.ts'
import { createRegistry, registrySnapshot, replayRegistry } from './registry.ts'
import { fingerprint, Rehearsal, type StageFramework } from './rehearsal.ts'

const SOON = { start: { nanoseconds: 1_800_000_000_000_000_000n }, duration: { nanoseconds: 3_600_000_000_000n } }
const LATER = { start: { nanoseconds: 1_900_000_000_000_000_000n } }
const A: MachineID = { hostname: 'a.test', ip: '127.0.0.1' }
const B: MachineID = { hostname: 'b.test', ip: '127.0.0.1' }

function scheduleCall(...windows: readonly Window[]): OperatorCall {
  return { type: 'UPDATE_MAINTENANCE_SCHEDULE', update_maintenance_schedule: { schedule: { windows } } }
}

function window(unavailability: Window['unavailability'], ...machine_ids: readonly MachineID[]): Window {
  return { unavailability, machine_ids }
}

function down(...machines: readonly MachineID[]): OperatorCall {
  return { type: 'START_MAINTENANCE', start_maintenance: { machines } }
}

function up(...machines: readonly MachineID[]): OperatorCall {
  return { type: 'STOP_MAINTENANCE', stop_maintenance: { machines } }
}

function statusOf(stage: Rehearsal) {
  return stage.operate({ type: 'GET_MAINTENANCE_STATUS' }).response?.get_maintenance_status?.status
}

function scheduleOf(stage: Rehearsal) {
  return stage.operate({ type: 'GET_MAINTENANCE_SCHEDULE' }).response?.get_maintenance_schedule?.schedule
}

/** The events since the last call, in short. */
function told(framework: StageFramework): string[] {
  return framework.events.splice(0).map(short)
}

function short(event: Event): string {
  const { type, offers, inverse_offers, update } = event
  if (offers !== undefined) {
    return `OFFERS ${offers.offers?.map(({ hostname, unavailability }) => `${hostname}${unavailability === undefined ? '' : ' unavailable'}`)}`
  }
  if (inverse_offers !== undefined) return `INVERSE_OFFERS ${inverse_offers.inverse_offers?.length}`
  if (update !== undefined) return `UPDATE ${update.status.state} ${update.status.reason} ${update.status.message}`
  return type ?? ''
}

function scene() {
  const stage = new Rehearsal()
  const framework = stage.subscribe({ failover_timeout: 1000 })
  const agent = stage.register('a.test')
  told(framework)
  return { stage, framework, agent }
}

test('an agent whose machine is scheduled is offered anew with its unavailability, and asked for', (t) => {
  const { stage, framework, agent } = scene()
  t.deepEqual(stage.operate(scheduleCall(window(SOON, A))), { status: 200, text: undefined })
  const [rescind, offers, inverse] = framework.events
  t.is(rescind?.type, 'RESCIND')
  t.deepEqual(offers?.offers?.offers?.[0]?.unavailability, SOON)
  t.like(inverse?.inverse_offers?.inverse_offers?.[0], { agent_id: { value: agent.id }, unavailability: SOON })
  t.deepEqual(scheduleOf(stage), { windows: [window(SOON, A)] })
  t.deepEqual(statusOf(stage), { draining_machines: [{ id: A, statuses: undefined }], down_machines: undefined })
})

test('the hostname of a machine counts in any case, its address too', (t) => {
  const { stage, framework } = scene()
  stage.operate(scheduleCall(window(SOON, { hostname: 'A.Test', ip: '127.0.0.1' })))
  t.deepEqual(told(framework), ['RESCIND', 'OFFERS a.test unavailable', 'INVERSE_OFFERS 1'])
  stage.operate(scheduleCall(window(SOON, { hostname: 'a.test', ip: '127.0.0.2' }, { hostname: 'a.test' })))
  t.deepEqual(told(framework), ['RESCIND', 'RESCIND_INVERSE_OFFER', 'OFFERS a.test'])
})

test('the schedule is not known before it is stored', (t) => {
  const { stage, framework } = scene()
  stage.holdsWrites = true
  stage.operate(scheduleCall(window(SOON, A)))
  stage.pass(2_000)
  t.deepEqual(told(framework), [])
  t.deepEqual(scheduleOf(stage), {})
  stage.holdsWrites = false
  stage.store()
  t.deepEqual(told(framework), ['RESCIND', 'OFFERS a.test unavailable', 'INVERSE_OFFERS 1'])
})

test('a changed window takes back what was asked, and forgets the answers; an unchanged one does neither', (t) => {
  const { stage, framework } = scene()
  const other = stage.register('b.test')
  stage.operate(scheduleCall(window(SOON, A)))
  accept(stage, framework)
  told(framework)
  stage.operate(scheduleCall(window(SOON, A), window(LATER, B)))
  t.deepEqual(told(framework), ['RESCIND', 'OFFERS b.test unavailable', 'INVERSE_OFFERS 1'])
  t.is(statusOf(stage)?.draining_machines?.[0]?.statuses?.length, 1)
  stage.operate(scheduleCall(window(LATER, A, B)))
  t.deepEqual(told(framework), ['RESCIND', 'OFFERS a.test unavailable', 'INVERSE_OFFERS 1'])
  t.is(statusOf(stage)?.draining_machines?.[0]?.statuses, undefined)
  t.truthy(other)
})

function accept(stage: Rehearsal, framework: StageFramework, refuseSeconds = 5): void {
  const ids = [...stage.state.frameworks.get(framework.id)!.inverseOffers].map((value) => ({ value }))
  stage.say(framework, {
    type: 'ACCEPT_INVERSE_OFFERS',
    accept_inverse_offers: { inverse_offer_ids: ids, filters: { refuse_seconds: refuseSeconds } },
  })
}

test('a framework is asked again after refuse_seconds; its answer is shown with the time', (t) => {
  const { stage, framework } = scene()
  stage.operate(scheduleCall(window(SOON, A)))
  accept(stage, framework, 10)
  const atMs = stage.atMs
  told(framework)
  stage.pass(9_000)
  t.deepEqual(told(framework), [])
  stage.pass(2_000)
  t.deepEqual(told(framework), ['INVERSE_OFFERS 1'])
  t.deepEqual(statusOf(stage)?.draining_machines?.[0]?.statuses, [
    {
      status: 'ACCEPT',
      framework_id: { value: framework.id },
      timestamp: { nanoseconds: BigInt(atMs) * 1_000_000n },
    },
  ])
})

test('a framework is asked once, and only while it has something there', (t) => {
  const { stage, framework } = scene()
  stage.say(framework, { type: 'SUPPRESS' })
  stage.say(framework, {
    type: 'DECLINE',
    decline: { offer_ids: stage.offersOf(framework).map((value) => ({ value })) },
  })
  told(framework)
  stage.operate(scheduleCall(window(SOON, A)))
  stage.pass(10_000)
  t.deepEqual(told(framework), [], 'nothing is offered to it, nothing used')
  stage.say(framework, { type: 'REVIVE' })
  stage.pass(10_000)
  t.deepEqual(told(framework), ['OFFERS a.test unavailable', 'INVERSE_OFFERS 1'])
})

test('a framework with tasks only is asked; one that fails over is asked again', (t) => {
  const { stage, framework, agent } = scene()
  stage.launch(framework, stage.task(agent, 'x'))
  stage.say(framework, { type: 'SUPPRESS' })
  stage.operate(scheduleCall(window(SOON, A)))
  t.deepEqual(told(framework), ['INVERSE_OFFERS 1'])
  const next = stage.subscribe({ id: { value: framework.id }, failover_timeout: 1000 }, ['golden'])
  stage.pass(1_000)
  t.deepEqual(told(next).slice(1), ['INVERSE_OFFERS 1'])
})

test('an agent that registers on a scheduled machine is offered with its unavailability', (t) => {
  const { stage, framework } = scene()
  stage.operate(scheduleCall(window(SOON, B)))
  stage.register('b.test')
  t.deepEqual(told(framework), ['OFFERS b.test unavailable', 'INVERSE_OFFERS 1'])
})

test('lifting the schedule takes everything back', (t) => {
  const { stage, framework } = scene()
  stage.operate(scheduleCall(window(SOON, A)))
  told(framework)
  t.is(stage.operate(scheduleCall()).status, 200)
  t.deepEqual(told(framework), ['RESCIND', 'RESCIND_INVERSE_OFFER', 'OFFERS a.test'])
  t.deepEqual(scheduleOf(stage), {})
  t.deepEqual(statusOf(stage), { draining_machines: undefined, down_machines: undefined })
})

test('a machine that goes down loses its agents, and lets none in until it is up', (t) => {
  const { stage, framework, agent } = scene()
  stage.launch(framework, stage.task(agent, 'x'))
  stage.operate(scheduleCall(window(SOON, A), window(SOON, B)))
  told(framework)
  t.deepEqual(stage.operate(down(A)), { status: 200, text: undefined })
  t.deepEqual(told(framework), [
    "UPDATE TASK_LOST REASON_AGENT_REMOVED Agent a.test removed: Operator initiated 'Machine DOWN'",
    'RESCIND',
    'RESCIND_INVERSE_OFFER',
    'FAILURE',
  ])
  t.is(agent.messages.at(-1)?.type, 'SHUTDOWN')
  const { counters } = stage.state
  t.is(counters.get('master/slave_removals'), 1)
  t.is(counters.get('master/slave_removals/reason_unregistered'), 0)
  t.false(stage.state.registry.admitted.has(agent.id))
  t.deepEqual(statusOf(stage), { draining_machines: [{ id: B, statuses: undefined }], down_machines: [A] })
  const refused = stage.register('a.test')
  t.deepEqual(refused.messages, [{ type: 'SHUTDOWN', reason: 'Machine is `DOWN`' }])
  t.is(stage.state.agents.size, 0)
  t.is(stage.operate(up(A)).status, 200)
  t.deepEqual(scheduleOf(stage), { windows: [window(SOON, B)] })
  stage.register('a.test')
  t.deepEqual(told(framework), ['OFFERS a.test'])
})

test('an agent that comes while its machine is taken down ends too', (t) => {
  const { stage } = scene()
  stage.operate(scheduleCall(window(SOON, A)))
  stage.holdsWrites = true
  stage.operate(down(A))
  stage.register('a.test')
  stage.holdsWrites = false
  stage.store()
  t.is(stage.state.agents.size, 0)
  t.is(stage.state.registry.admitted.size, 0)
  t.is([...stage.messages.values()].filter((messages) => messages.at(-1)?.type === 'SHUTDOWN').length, 2)
})

test('a new leader knows the schedule, and which machines are down', (t) => {
  const { stage } = scene()
  stage.operate(scheduleCall(window(SOON, A), window(LATER, B)))
  stage.operate(down(B))
  const next = new Rehearsal({}, stage.records)
  t.deepEqual(statusOf(next), { draining_machines: [{ id: A, statuses: undefined }], down_machines: [B] })
  const refused = next.register('b.test')
  t.is(refused.messages[0]?.reason, 'Machine is `DOWN`')
  const framework = next.subscribe()
  next.register('a.test')
  t.deepEqual(told(framework).slice(1), ['OFFERS a.test unavailable', 'INVERSE_OFFERS 1'])
})

test('an agent that reregisters on a machine that is down is shut down', (t) => {
  const { stage, agent } = scene()
  const info = stage.state.agents.get(agent.id)!.info
  stage.operate(scheduleCall(window(SOON, A)))
  stage.operate(down(A))
  const next = new Rehearsal({}, stage.records)
  const address = { hostname: 'a.test', ip: '127.0.0.1', port: 5051 }
  const answer = next.connect({
    type: 'REREGISTER',
    reregister: { agent_info: info, version: '1.11.0', capabilities: [], address },
  })
  t.deepEqual(next.messages.get(answer.linkId!), [{ type: 'SHUTDOWN', reason: 'Machine is `DOWN`' }])
})

test('a snapshot of the registry keeps the maintenance', (t) => {
  const { stage } = scene()
  stage.operate(scheduleCall(window(SOON, A), window(LATER, B)))
  stage.operate(down(B))
  const { registry } = stage.state
  t.deepEqual(replayRegistry(registrySnapshot(registry)), registry)
  stage.operate(up(B))
  t.deepEqual(replayRegistry(registrySnapshot(registry)), registry)
  t.deepEqual(registrySnapshot(createRegistry()), [])
})

test('a machine that is down stays down in a schedule that changes its window', (t) => {
  const { stage } = scene()
  stage.operate(scheduleCall(window(SOON, A)))
  stage.operate(down(A))
  t.is(stage.operate(scheduleCall(window(LATER, A))).status, 200)
  t.deepEqual(statusOf(stage)?.down_machines, [A])
})

const MANY = Array.from({ length: MAX_MACHINES + 1 }, (_, at) => ({ hostname: `h${at}` }))

const REFUSALS: readonly { readonly name: string; readonly call: OperatorCall; readonly text: string }[] = [
  {
    name: 'a window without machines',
    call: scheduleCall(window(SOON)),
    text: 'List of machines in the maintenance window is empty',
  },
  {
    name: 'a negative duration',
    call: scheduleCall(window({ ...SOON, duration: { nanoseconds: -1 } }, A)),
    text: "Unavailability 'duration' is negative",
  },
  {
    name: 'a machine without hostname and ip',
    call: scheduleCall(window(SOON, {})),
    text: "Both 'hostname' and 'ip' for a machine are empty",
  },
  {
    name: 'an ip that is none',
    call: scheduleCall(window(SOON, { hostname: 'a', ip: '1.2.3.256' })),
    text: 'Failed to parse IPv4: 1.2.3.256',
  },
  {
    name: 'a machine twice in a window',
    call: scheduleCall(window(SOON, A, { ...A, hostname: 'A.TEST' })),
    text: `Machine '{"hostname":"A.TEST","ip":"127.0.0.1"}' appears more than once in the schedule`,
  },
  {
    name: 'a machine in two windows',
    call: scheduleCall(window(SOON, A), window(LATER, A)),
    text: `Machine '{"hostname":"a.test","ip":"127.0.0.1"}' appears more than once in the schedule`,
  },
  {
    name: 'a machine that is down left out',
    call: scheduleCall(window(SOON, A)),
    text: `Machine '{"hostname":"down.test"}' is deactivated and cannot be removed from the schedule`,
  },
  {
    name: 'too many machines in a schedule',
    call: scheduleCall(window(SOON, ...MANY)),
    text: `The schedule has ${MANY.length} machines, more than ${MAX_MACHINES}`,
  },
  {
    name: 'too many machines in a list',
    call: down(...MANY),
    text: `The list has ${MANY.length} machines, more than ${MAX_MACHINES}`,
  },
  { name: 'no machine to take down', call: down(), text: 'List of machines is empty' },
  { name: 'no machine to bring up', call: up(), text: 'List of machines is empty' },
  {
    name: 'a machine twice to take down',
    call: down(B, B),
    text: `Machine '{"hostname":"b.test","ip":"127.0.0.1"}' appears more than once in the schedule`,
  },
  {
    name: 'a machine nobody scheduled',
    call: down(B, { hostname: 'c.test' }),
    text: `Machine '{"hostname":"c.test"}' is not part of a maintenance schedule`,
  },
  {
    name: 'a machine with an agent nobody scheduled',
    call: down(A),
    text: `Machine '{"hostname":"a.test","ip":"127.0.0.1"}' is not in DRAINING mode and cannot be brought down`,
  },
  {
    name: 'a machine that is down already',
    call: down({ hostname: 'down.test' }),
    text: `Machine '{"hostname":"down.test"}' is not in DRAINING mode and cannot be brought down`,
  },
  {
    name: 'a machine that is not down to bring up',
    call: up(B),
    text: `Machine '{"hostname":"b.test","ip":"127.0.0.1"}' is not in DOWN mode and cannot be brought up`,
  },
]

for (const { name, call, text } of REFUSALS) {
  test(`${call.type} is refused and changes nothing: ${name}`, (t) => {
    const { stage } = scene()
    stage.operate(scheduleCall(window(SOON, B, { hostname: 'down.test' })))
    stage.operate(down({ hostname: 'down.test' }))
    const before = fingerprint(stage.state)
    t.deepEqual(stage.operate(call), { status: 400, text })
    t.is(fingerprint(stage.state), before)
  })
}
