import type { Call } from '@isthmus/proto/gen/master'
import type { OfferOperation, Resource } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import { assert } from '../base/assert.ts'
import { fingerprint, Rehearsal, type StageFramework, scalar } from './rehearsal.ts'

const nobody = { agent_id: { value: 'nobody' } }
const missing = (field: string) => `Failed to validate master::Call: Expecting '${field}' to be present`

const refused: readonly { readonly call: Call; readonly status: number; readonly text: string }[] = [
  { call: {}, status: 400, text: missing('type') },
  { call: { type: 'UNKNOWN' }, status: 501, text: '501 Not Implemented.' },
  ...(
    [
      ['UPDATE_WEIGHTS', 'update_weights'],
      ['RESERVE_RESOURCES', 'reserve_resources'],
      ['UNRESERVE_RESOURCES', 'unreserve_resources'],
      ['CREATE_VOLUMES', 'create_volumes'],
      ['DESTROY_VOLUMES', 'destroy_volumes'],
      ['GROW_VOLUME', 'grow_volume'],
      ['SHRINK_VOLUME', 'shrink_volume'],
      ['START_MAINTENANCE', 'start_maintenance'],
      ['DRAIN_AGENT', 'drain_agent'],
      ['UPDATE_QUOTA', 'update_quota'],
      ['TEARDOWN', 'teardown'],
      ['MARK_AGENT_GONE', 'mark_agent_gone'],
      ['GET_METRICS', 'get_metrics'],
    ] as const
  ).map(([type, field]) => ({ call: { type }, status: 400, text: missing(field) })),
  {
    call: { type: 'TEARDOWN', teardown: { framework_id: { value: 'nobody' } } },
    status: 400,
    text: 'No framework found with specified ID',
  },
  { call: { type: 'MARK_AGENT_GONE', mark_agent_gone: nobody }, status: 404, text: "Agent 'nobody' not found" },
  { call: { type: 'DEACTIVATE_AGENT', deactivate_agent: nobody }, status: 400, text: 'Unknown agent' },
  { call: { type: 'REACTIVATE_AGENT', reactivate_agent: nobody }, status: 400, text: 'Agent is not deactivated' },
  {
    call: { type: 'RESERVE_RESOURCES', reserve_resources: nobody },
    status: 400,
    text: 'No agent found with specified ID',
  },
  {
    call: { type: 'SHRINK_VOLUME', shrink_volume: { volume: scalar('disk', 1), subtract: { value: 1 } } },
    status: 400,
    text: "Failed to validate master::Call: Expecting 'agent_id' to be present; only agent default resources are supported right now",
  },
  {
    call: { type: 'UPDATE_WEIGHTS', update_weights: { weight_infos: [{ role: 'heavy', weight: 0 }] } },
    status: 400,
    text: "Failed to validate update weights request JSON for role 'heavy': Invalid weight '0': Weights must be positive",
  },
  {
    call: { type: 'UPDATE_WEIGHTS', update_weights: { weight_infos: [{ role: '/x', weight: 1 }] } },
    status: 400,
    text: "Failed to validate update weights request JSON: Invalid role '/x': Role '/x' cannot start with a slash",
  },
  {
    call: { type: 'UPDATE_QUOTA', update_quota: { quota_configs: [{ role: 'a/b' }] } },
    status: 400,
    text: "Updating quota on nested role 'a/b' is not supported yet",
  },
  {
    call: {
      type: 'UPDATE_QUOTA',
      update_quota: {
        quota_configs: [{ role: 'r', guarantees: { cpus: { value: 3 } }, limits: { cpus: { value: 2 } } }],
      },
    },
    status: 400,
    text: "Invalid QuotaConfig: 'QuotaConfig.guarantees' { cpus: 3 } is not contained within the 'QuotaConfig.limits' { cpus: 2 }",
  },
  {
    call: { type: 'UPDATE_QUOTA', update_quota: { quota_configs: [{ role: 'r', limits: { cpus: { value: -1 } } }] } },
    status: 400,
    text: "Invalid QuotaConfig: Invalid limit configuration {'cpus': -1}: Negative values not supported",
  },
  {
    call: {
      type: 'UPDATE_QUOTA',
      update_quota: { quota_configs: [{ role: 'r', guarantees: { cpus: { value: 3000 } } }] },
    },
    status: 400,
    text: "Invalid QuotaConfig: total quota guarantees 'cpus:3000' exceed cluster capacity 'cpus:4; disk:20000; mem:4096' (use 'force' flag to bypass this check)",
  },
  {
    call: { type: 'START_MAINTENANCE', start_maintenance: {} },
    status: 400,
    text: 'List of machines is empty',
  },
]

for (const { call, status, text } of refused) {
  test(`an operator is refused with ${status}, the state unchanged: ${JSON.stringify(call)}`, (t) => {
    const stage = new Rehearsal()
    stage.register()
    stage.subscribe()
    const before = fingerprint(stage.state)
    const answer = stage.operate(call)
    t.deepEqual([answer.status, answer.text], [status, text])
    t.is(fingerprint(stage.state), before)
  })
}

const reads = [
  'GET_HEALTH',
  'GET_FLAGS',
  'GET_VERSION',
  'GET_MASTER',
  'GET_STATE',
  'GET_AGENTS',
  'GET_FRAMEWORKS',
  'GET_EXECUTORS',
  'GET_TASKS',
  'GET_OPERATIONS',
  'GET_ROLES',
  'GET_WEIGHTS',
  'GET_QUOTA',
  'GET_MAINTENANCE_STATUS',
  'GET_MAINTENANCE_SCHEDULE',
] as const

for (const type of reads) {
  test(`${type} is answered with its own type`, (t) => {
    const stage = new Rehearsal()
    stage.register()
    const framework = stage.subscribe()
    stage.launch(framework, stage.task({ id: 'm-S0', linkId: '', messages: [] }, 't'))
    t.is(stage.operate({ type }).response?.type, type)
  })
}

test('an idle master answers with the empty lists of Mesos', (t) => {
  const stage = new Rehearsal()
  const answer = (type: (typeof reads)[number]) => stage.operate({ type }).response
  t.deepEqual(answer('GET_AGENTS')?.get_agents, { agents: [], recovered_agents: [] })
  t.deepEqual(answer('GET_FRAMEWORKS')?.get_frameworks, { frameworks: [], completed_frameworks: [] })
  t.deepEqual(answer('GET_TASKS')?.get_tasks, { tasks: [], unreachable_tasks: [], completed_tasks: [] })
  t.deepEqual(answer('GET_EXECUTORS')?.get_executors, { executors: [] })
  t.deepEqual(answer('GET_WEIGHTS'), { type: 'GET_WEIGHTS' })
  t.deepEqual(answer('GET_ROLES')?.get_roles, {})
  t.deepEqual(answer('GET_QUOTA')?.get_quota, { status: {} })
  t.deepEqual(answer('GET_OPERATIONS')?.get_operations, {})
})

test('the operator stream: SUBSCRIBED with the state, then what happens, in order', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  const events = stage.operatorEvents.get(stage.operate({ type: 'SUBSCRIBE' }).streamId!)!
  t.is(events[0]?.subscribed?.get_state?.get_agents?.agents?.length, 1)
  const framework = stage.subscribe()
  stage.launch(framework, stage.task(agent, 't'))
  stage.update(agent, framework, 't', 'TASK_STARTING')
  stage.update(agent, framework, 't', 'TASK_RUNNING')
  stage.update(agent, framework, 't', 'TASK_RUNNING')
  stage.update(agent, framework, 't', 'TASK_FINISHED')
  const again = stage.subscribe({ id: { value: framework.id } })
  stage.say(again, { type: 'TEARDOWN' })
  stage.hear(agent, { type: 'UNREGISTER' })
  t.deepEqual(
    events.slice(1).map((event) => event.task_updated?.state ?? event.type),
    [
      'FRAMEWORK_ADDED',
      'TASK_ADDED',
      'TASK_STARTING',
      'TASK_RUNNING',
      'TASK_FINISHED',
      'FRAMEWORK_UPDATED',
      'FRAMEWORK_REMOVED',
      'AGENT_REMOVED',
    ],
  )
})

test('beyond the limit of subscribers the oldest stream ends', (t) => {
  const stage = new Rehearsal({ maxOperatorEventStreamSubscribers: 2 })
  const streams = [1, 2, 3].map(() => stage.operate({ type: 'SUBSCRIBE' }).streamId!)
  t.deepEqual([...stage.closed], [streams[0]])
  t.deepEqual([...stage.state.subscribers], streams.slice(1))
  stage.play({ kind: 'streamClosed', streamId: streams[1]! })
  t.deepEqual([...stage.state.subscribers], [streams[2]])
})

test('weights and quotas are answered when stored, and a new leader has them', (t) => {
  const stage = new Rehearsal()
  stage.register()
  stage.holdsWrites = true
  const weight: Call = { type: 'UPDATE_WEIGHTS', update_weights: { weight_infos: [{ role: 'heavy', weight: 2.5 }] } }
  t.is(stage.operate(weight).status, 0)
  stage.holdsWrites = false
  stage.store()
  const quota_configs = [{ role: 'r', guarantees: { cpus: { value: 1 } }, limits: { cpus: { value: 2 } } }]
  t.is(stage.operate({ type: 'UPDATE_QUOTA', update_quota: { quota_configs } }).status, 200)
  const next = new Rehearsal({}, stage.records)
  t.deepEqual(next.operate({ type: 'GET_WEIGHTS' }).response?.get_weights, {
    weight_infos: [{ role: 'heavy', weight: 2.5 }],
  })
  t.deepEqual(next.operate({ type: 'GET_QUOTA' }).response?.get_quota, {
    status: {
      infos: [{ role: 'r', guarantee: [{ name: 'cpus', type: 'SCALAR', scalar: { value: 1 } }] }],
      configs: quota_configs,
    },
  })
})

test('DEACTIVATE_AGENT rescinds and stops offers until REACTIVATE_AGENT', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  const framework = stage.subscribe()
  framework.events.length = 0
  const agent_id = { value: agent.id }
  t.is(stage.operate({ type: 'DEACTIVATE_AGENT', deactivate_agent: { agent_id } }).status, 200)
  t.is(stage.operate({ type: 'DEACTIVATE_AGENT', deactivate_agent: { agent_id } }).status, 200)
  stage.pass(3000)
  t.deepEqual(
    framework.events.map(({ type }) => type),
    ['RESCIND'],
  )
  t.is(stage.operate({ type: 'REACTIVATE_AGENT', reactivate_agent: { agent_id } }).status, 200)
  t.is(framework.events.at(-1)?.type, 'OFFERS')
})

function drainScene(mark_gone: boolean) {
  const stage = new Rehearsal()
  const agent = stage.register()
  const framework = stage.subscribe()
  stage.launch(framework, stage.task(agent, 't'))
  stage.pass(1000)
  framework.events.length = 0
  const agent_id = { value: agent.id }
  const drain: Call = { type: 'DRAIN_AGENT', drain_agent: { agent_id, max_grace_period: { seconds: 2 }, mark_gone } }
  assert(stage.operate(drain).status === 200, 'a drain is answered when stored')
  const end = () => {
    const uuid = stage.update(agent, framework, 't', 'TASK_KILLED', { reason: 'REASON_AGENT_DRAINING' })
    stage.say(framework, { type: 'ACKNOWLEDGE', acknowledge: { agent_id, task_id: { value: 't' }, uuid } })
  }
  return { stage, agent, framework, agent_id, end }
}

test('a draining agent gets no offers, and is drained when its last task has ended and is acknowledged', (t) => {
  const { stage, agent, framework, agent_id, end } = drainScene(false)
  t.deepEqual(agent.messages.at(-1), {
    type: 'DRAIN',
    drain_config: { max_grace_period: { nanoseconds: 2_000_000_000n }, mark_gone: false },
  })
  t.is(framework.events[0]?.type, 'RESCIND')
  t.is(stage.operate({ type: 'REACTIVATE_AGENT', reactivate_agent: { agent_id } }).status, 400)
  t.is(stage.state.agents.get(agent.id)?.drain?.state, 'DRAINING')
  end()
  t.is(stage.state.agents.get(agent.id)?.drain?.state, 'DRAINED')
  stage.pass(3000)
  t.deepEqual(stage.offersOf(framework), [])
  const shown = stage.operate({ type: 'GET_AGENTS' }).response?.get_agents?.agents?.[0]
  t.deepEqual([shown?.active, shown?.deactivated, shown?.drain_info?.state], [false, true, 'DRAINED'])
  t.is(stage.operate({ type: 'REACTIVATE_AGENT', reactivate_agent: { agent_id } }).status, 200)
  t.is(stage.offersOf(framework).length, 1)
})

test('an agent drained with mark_gone is gone', (t) => {
  const { stage, agent, end } = drainScene(true)
  end()
  t.true(stage.state.registry.gone.has(agent.id))
  t.is(agent.messages.at(-1)?.type, 'SHUTDOWN')
})

test('the older quota calls: set once, guarantee is limit, removed again', (t) => {
  const stage = new Rehearsal()
  stage.register()
  const set = (role: string, cpus: number, force?: boolean) => {
    const quota_request = { role, guarantee: [scalar('cpus', cpus)], force }
    const { status, text } = stage.operate({ type: 'SET_QUOTA', set_quota: { quota_request } })
    return text === undefined ? status : `${status} ${text}`
  }
  t.is(set('r', 1), 200)
  t.is(set('r', 1), "400 Failed to validate set quota request: Cannot set quota for role 'r' which already has quota")
  t.regex(String(set('big', 100)), /^409 Quota guarantees overcommit the cluster/)
  t.is(set('big', 100, true), 200)
  const status = stage.operate({ type: 'GET_QUOTA' }).response?.get_quota?.status
  t.deepEqual(status?.configs?.[0], { role: 'r', guarantees: { cpus: { value: 1 } }, limits: { cpus: { value: 1 } } })
  const remove = (role: string) => stage.operate({ type: 'REMOVE_QUOTA', remove_quota: { role } }).status
  t.deepEqual([remove('nobody'), remove('r'), remove('big')], [400, 200, 200])
  t.deepEqual(stage.operate({ type: 'GET_QUOTA' }).response?.get_quota, { status: {} })
})

const reserved: Resource = { ...scalar('cpus', 1), reservations: [{ type: 'DYNAMIC', role: 'golden' }] }
const reservedDisk: Resource = { ...scalar('disk', 500), reservations: [{ type: 'DYNAMIC', role: 'golden' }] }
const volume: Resource = {
  ...scalar('disk', 100),
  reservations: [{ type: 'DYNAMIC', role: 'golden' }],
  disk: { persistence: { id: 'v1' }, volume: { container_path: 'data', mode: 'RW' } },
}

function accept(stage: Rehearsal, framework: StageFramework, ...operations: OfferOperation[]): void {
  stage.say(framework, {
    type: 'ACCEPT',
    accept: {
      offer_ids: stage.offersOf(framework).map((value) => ({ value })),
      operations,
      filters: { refuse_seconds: 0 },
    },
  })
}

test('RESERVE and CREATE change the next offer, and a task of the same ACCEPT may use the result', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  const framework = stage.subscribe({
    capabilities: [{ type: 'MULTI_ROLE' }, { type: 'RESERVATION_REFINEMENT' }],
  })
  accept(
    stage,
    framework,
    { type: 'RESERVE', reserve: { resources: [reserved, reservedDisk] } },
    { type: 'CREATE', create: { volumes: [volume] } },
    { type: 'LAUNCH', launch: { task_infos: [stage.task(agent, 't', { resources: [reserved, volume] })] } },
  )
  t.deepEqual(stage.updatesOf(framework), [])
  t.deepEqual(
    agent.messages.slice(2).map(({ type, apply_operation }) => apply_operation?.operation.type ?? type),
    ['RESERVE', 'CREATE', 'RUN_TASK'],
  )
  const total = stage.state.agents.get(agent.id)?.total.toString() ?? ''
  t.regex(total, /cpus:3;/)
  t.regex(total, /disk\(reservations: \[\(DYNAMIC,golden\)\]\)\[v1:data\]:100/)
  t.regex(total, /disk\(reservations: \[\(DYNAMIC,golden\)\]\):400/)
  accept(stage, framework, { type: 'DESTROY', destroy: { volumes: [volume] } })
  t.regex(stage.state.agents.get(agent.id)?.total.toString() ?? '', /\[v1:data\]:100/, 'a volume in use stays')
})

const invalidOperations: readonly { name: string; operation: OfferOperation; message: RegExp }[] = [
  {
    name: 'more than offered',
    operation: { type: 'RESERVE', reserve: { resources: [{ ...reserved, ...scalar('cpus', 100) }] } },
    message: /does not contain/,
  },
  {
    name: 'another role',
    operation: {
      type: 'RESERVE',
      reserve: { resources: [{ ...reserved, reservations: [{ type: 'DYNAMIC', role: 'other' }] }] },
    },
    message: /role 'other'/,
  },
  {
    name: 'no reservation',
    operation: { type: 'RESERVE', reserve: { resources: [scalar('cpus', 1)] } },
    message: /is not dynamically reserved/,
  },
  {
    name: 'nothing reserved to unreserve',
    operation: { type: 'UNRESERVE', unreserve: { resources: [reserved] } },
    message: /does not contain/,
  },
  {
    name: 'a volume that is not there',
    operation: { type: 'DESTROY', destroy: { volumes: [volume] } },
    message: /Persistent volumes not found/,
  },
  { name: 'no message', operation: { type: 'CREATE' }, message: /'create'/ },
  {
    name: 'no resources',
    operation: { type: 'RESERVE', reserve: {} },
    message: /multiple resource providers: ; on agent/,
  },
  { name: 'type UNKNOWN', operation: { type: 'UNKNOWN' }, message: /UNKNOWN/ },
  { name: 'CREATE_DISK', operation: { type: 'CREATE_DISK' }, message: /CREATE_DISK/ },
]

for (const { name, operation, message } of invalidOperations) {
  test(`an invalid operation changes nothing and is told only with an id: ${name}`, (t) => {
    const stage = new Rehearsal()
    const agent = stage.register()
    const framework = stage.subscribe()
    const total = stage.state.agents.get(agent.id)?.total
    framework.events.length = 0
    accept(stage, framework, operation)
    t.deepEqual(framework.events, [])
    stage.pass(1000)
    framework.events.length = 0
    accept(stage, framework, { ...operation, id: { value: 'o' } })
    const status = framework.events[0]?.update_operation_status?.status
    t.is(status?.state, 'OPERATION_ERROR')
    t.regex(status?.message ?? '', message)
    t.is(status?.uuid, undefined)
    t.is(stage.state.agents.get(agent.id)?.total, total)
    stage.pass(1000)
    t.is(stage.offersOf(framework).length, 1)
  })
}

test('an operation with an id is told when it is finished, and known until acknowledged', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  const framework = stage.subscribe()
  accept(stage, framework, { type: 'RESERVE', id: { value: 'o' }, reserve: { resources: [reserved] } })
  const operation_uuid = agent.messages.at(-1)!.apply_operation!.operation_uuid
  const uuid = { value: new Uint8Array([1, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10, 11, 12, 13, 14, 15, 16]) }
  stage.hear(agent, {
    type: 'OPERATION_STATUS',
    operation_status: {
      operation_uuid,
      status: { state: 'OPERATION_FINISHED', operation_id: { value: 'o' }, uuid },
    },
  })
  t.deepEqual(framework.events.at(-1)?.update_operation_status?.status, {
    state: 'OPERATION_FINISHED',
    operation_id: { value: 'o' },
    uuid,
    agent_id: { value: agent.id },
  })
  t.is(stage.operate({ type: 'GET_OPERATIONS' }).response?.get_operations?.operations?.length, 1)
  stage.say(framework, {
    type: 'ACKNOWLEDGE_OPERATION_STATUS',
    acknowledge_operation_status: { agent_id: { value: agent.id }, operation_id: { value: 'o' }, uuid: uuid.value },
  })
  t.is(agent.messages.at(-1)?.type, 'ACKNOWLEDGE_OPERATION')
  t.is(stage.state.operations.size, 0)
})

test('an operator reserves unallocated resources of any role; offers in the way are rescinded; too much is 409', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  const framework = stage.subscribe()
  framework.events.length = 0
  const agent_id = { value: agent.id }
  const resources = [{ ...scalar('cpus', 1), reservations: [{ type: 'DYNAMIC' as const, role: 'other' }] }]
  t.is(stage.operate({ type: 'RESERVE_RESOURCES', reserve_resources: { agent_id, resources } }).status, 202)
  t.deepEqual(
    framework.events.map(({ type }) => type),
    ['RESCIND', 'OFFERS'],
  )
  t.is(framework.events[1]?.offers?.offers?.[0]?.resources?.[0]?.scalar?.value, 3)
  const tooMuch = resources.map((one) => ({ ...one, scalar: { value: 4 } }))
  const answer = stage.operate({ type: 'RESERVE_RESOURCES', reserve_resources: { agent_id, resources: tooMuch } })
  t.is(answer.status, 409)
  t.regex(answer.text ?? '', /does not contain/)
  t.is(stage.operate({ type: 'UNRESERVE_RESOURCES', unreserve_resources: { agent_id, resources } }).status, 202)
  t.regex(stage.state.agents.get(agent.id)?.total.toString() ?? '', /cpus:4/)
})
