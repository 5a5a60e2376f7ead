import type { FrameworkInfo, FrameworkInfoCapability, Resource } from '@isthmus/proto/gen/mesos'
import type { CallUpdateFramework } from '@isthmus/proto/gen/scheduler'
import test from 'ava'
import type { MasterFlags } from './options.ts'
import { fingerprint, Rehearsal, type StageFramework, scalar } from './rehearsal.ts'

// What may change of a framework, by SUBSCRIBE and by UPDATE_FRAMEWORK, and what follows from the change.

const MULTI_ROLE: FrameworkInfoCapability = { type: 'MULTI_ROLE' }

function infoOf(framework: StageFramework, more: Partial<FrameworkInfo> = {}): FrameworkInfo {
  return {
    user: 'root',
    name: 'f',
    roles: ['golden'],
    capabilities: [MULTI_ROLE],
    id: { value: framework.id },
    ...more,
  }
}

/** Offers made since the last look: `role on host of names`. */
function offered(framework: StageFramework): string[] {
  return framework.events.splice(0).flatMap(({ offers }) => {
    return (offers?.offers ?? []).map(
      ({ allocation_info, hostname }) => `${allocation_info?.role ?? '-'} on ${hostname}`,
    )
  })
}

const refused: readonly {
  readonly name: string
  readonly change: Partial<FrameworkInfo>
  readonly more?: Partial<CallUpdateFramework>
  readonly flags?: Partial<MasterFlags>
  readonly text: string
}[] = [
  {
    name: 'another user',
    change: { user: 'other' },
    text: "FrameworkInfo update is not valid: Updating 'FrameworkInfo.user' is unsupported; attempted to update from 'root' to 'other'",
  },
  {
    name: 'checkpoints',
    change: { checkpoint: true },
    text: "FrameworkInfo update is not valid: Updating 'FrameworkInfo.checkpoint' is unsupported; attempted to update from 'false' to 'true'",
  },
  {
    name: 'a principal',
    change: { principal: 'p' },
    text: "FrameworkInfo update is not valid: Changing framework's principal is not allowed.",
  },
  {
    name: 'a role that is none',
    change: { roles: ['a b'] },
    text: "Supplied FrameworkInfo is not valid: 'FrameworkInfo.roles' contains invalid role: Role component 'a b' is invalid because it contains backspace or whitespace",
  },
  {
    name: 'roles without MULTI_ROLE',
    change: { capabilities: [] },
    text: "Supplied FrameworkInfo is not valid: 'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable",
  },
  {
    name: 'a role that is not listed',
    change: { roles: ['golden', 'other'] },
    flags: { roles: ['golden'] },
    text: "Supplied FrameworkInfo is not valid: Roles { other } are not present in the master's --roles",
  },
  {
    name: 'a suppressed role it has not',
    change: {},
    more: { suppressed_roles: ['other'] },
    text: "Supplied FrameworkInfo is not valid: Suppressed role 'other' is not contained in the list of roles",
  },
  {
    name: 'an amount below nothing in its offer filters',
    change: {
      offer_filters: {
        golden: { min_allocatable_resources: { quantities: [{ quantities: { cpus: { value: -1 } } }] } },
      },
    },
    text: "Supplied FrameworkInfo is not valid: Invalid resource quantity for 'cpus': Negative values not supported",
  },
  {
    name: 'amounts of nothing in its offer filters',
    change: { offer_filters: { golden: { min_allocatable_resources: { quantities: [{}] } } } },
    text: 'Supplied FrameworkInfo is not valid: Resource quantities must contain at least one quantity',
  },
  {
    name: 'a failover timeout beyond all time',
    change: { failover_timeout: Number.NaN },
    text: 'Supplied FrameworkInfo is not valid: The framework failover_timeout (NaN) is invalid',
  },
]

for (const { name, change, more, flags, text } of refused) {
  test(`UPDATE_FRAMEWORK with ${name} is refused, the state unchanged`, (t) => {
    const stage = new Rehearsal(flags)
    stage.register()
    const framework = stage.subscribe()
    const before = fingerprint(stage.state)
    const update_framework = { framework_info: infoOf(framework, change), ...more }
    t.deepEqual(stage.say(framework, { type: 'UPDATE_FRAMEWORK', update_framework }), { status: 400, text })
    t.is(fingerprint(stage.state), before)
  })
}

for (const [name, info, message] of [
  ['an id with a slash', { id: { value: 'a/b' } }, "'a/b' contains invalid characters"],
  [
    'the empty role',
    { role: '', roles: undefined, capabilities: [] },
    "'FrameworkInfo.role' is not a valid role: Role names cannot be the empty string",
  ],
  [
    'a role that ends with a slash',
    { role: 'a/', roles: undefined, capabilities: [] },
    "'FrameworkInfo.role' is not a valid role: Role 'a/' cannot end with a slash",
  ],
  [
    'an unlimited amount in its offer filters',
    {
      offer_filters: {
        golden: {
          min_allocatable_resources: { quantities: [{ quantities: { mem: { value: Number.POSITIVE_INFINITY } } }] },
        },
      },
    },
    "Invalid resource quantity for 'mem': Infinite values not supported",
  ],
] as const) {
  test(`SUBSCRIBE with ${name} is refused inside its stream, the state unchanged`, (t) => {
    const stage = new Rehearsal()
    const before = fingerprint(stage.state)
    const framework_info = { user: 'root', name: 'f', roles: ['golden'], capabilities: [MULTI_ROLE], ...info }
    const framework_id = 'id' in info ? info.id : undefined
    const { streamId } = stage.call({ type: 'SUBSCRIBE', framework_id, subscribe: { framework_info } })
    t.deepEqual(stage.events.get(streamId!), [{ type: 'ERROR', error: { message } }])
    t.true(stage.closed.has(streamId!))
    t.is(fingerprint(stage.state), before)
  })
}

const allowed: readonly { readonly name: string; readonly change: Partial<FrameworkInfo> }[] = [
  { name: 'name', change: { name: 'renamed' } },
  { name: 'hostname', change: { hostname: 'new.test' } },
  { name: 'webui_url', change: { webui_url: 'http://new.test' } },
  { name: 'failover_timeout', change: { failover_timeout: 7 } },
  { name: 'labels', change: { labels: { labels: [{ key: 'k', value: 'v' }] } } },
  { name: 'capabilities', change: { capabilities: [MULTI_ROLE, { type: 'PARTITION_AWARE' }] } },
  { name: 'roles', change: { roles: ['golden', 'silver/a'] } },
  { name: 'MULTI_ROLE and the role', change: { capabilities: [], roles: undefined, role: 'golden' } },
  { name: 'offer_filters', change: { offer_filters: { golden: { min_allocatable_resources: {} } } } },
]

for (const { name, change } of allowed) {
  test(`UPDATE_FRAMEWORK and SUBSCRIBE may change ${name}`, (t) => {
    const stage = new Rehearsal()
    const operator = stage.operate({ type: 'SUBSCRIBE' }).streamId!
    const framework = stage.subscribe()
    const told = stage.operatorEvents.get(operator)!
    told.length = 0
    const framework_info = infoOf(framework, change)
    t.is(stage.say(framework, { type: 'UPDATE_FRAMEWORK', update_framework: { framework_info } }).status, 200)
    t.like(stage.state.frameworks.get(framework.id)!.info, change)
    t.is(stage.say(framework, { type: 'UPDATE_FRAMEWORK', update_framework: { framework_info } }).status, 200)
    t.deepEqual(
      told.map(({ type }) => type),
      ['FRAMEWORK_UPDATED'],
      'the second change changed nothing',
    )
    const back = stage.subscribe({ id: { value: framework.id }, ...infoOf(framework) })
    t.is(back.id, framework.id)
    t.is(stage.state.frameworks.get(framework.id)!.info.name, 'f')
    t.deepEqual([...stage.state.frameworks.get(framework.id)!.roles], ['golden'])
  })
}

test('a user and checkpoints that SUBSCRIBE brings anew are ignored', (t) => {
  const stage = new Rehearsal()
  const framework = stage.subscribe()
  stage.subscribe({ id: { value: framework.id }, user: 'other', checkpoint: true })
  t.like(stage.state.frameworks.get(framework.id)!.info, { user: 'root', checkpoint: false })
})

const GPUS: readonly Resource[] = [scalar('cpus', 4), scalar('mem', 1024), scalar('gpus', 2)]
const REFINED: readonly Resource[] = [
  scalar('cpus', 4),
  scalar('mem', 1024),
  {
    ...scalar('disk', 100),
    reservations: [
      { type: 'STATIC', role: 'golden' },
      { type: 'DYNAMIC', role: 'golden/a' },
    ],
  },
]

interface Loss {
  readonly capability: NonNullable<FrameworkInfoCapability['type']>
  readonly resources: readonly Resource[]
  readonly roles?: readonly string[]
  /** What an offer says with the capability, and without it. */
  readonly having: string
  readonly lacking: string
}

const losses: readonly Loss[] = [
  { capability: 'GPU_RESOURCES', resources: GPUS, having: 'cpus gpus mem', lacking: '' },
  {
    capability: 'RESERVATION_REFINEMENT',
    resources: REFINED,
    roles: ['golden/a'],
    having: 'cpus disk mem',
    lacking: 'cpus mem',
  },
]

for (const { capability, resources, roles = ['golden'], having, lacking } of losses) {
  test(`a framework that subscribes again without ${capability} is offered what it understands`, (t) => {
    const stage = new Rehearsal()
    stage.register('agent.test', resources)
    const names = ({ events }: StageFramework) =>
      events
        .flatMap(({ offers }) => offers?.offers ?? [])
        .flatMap((offer) => offer.resources ?? [])
        .map(({ name }) => name)
        .sort()
        .join(' ')
    const framework = stage.subscribe({ roles, capabilities: [MULTI_ROLE, { type: capability }] })
    t.is(names(framework), having)
    const again = stage.subscribe({ id: { value: framework.id }, roles })
    stage.pass(10_000)
    t.is(names(again), lacking)
    const back = stage.subscribe({
      id: { value: framework.id },
      roles,
      capabilities: [MULTI_ROLE, { type: capability }],
    })
    stage.pass(10_000)
    t.is(names(back), having)
  })
}

test('without MULTI_ROLE a framework that had it is offered resources of its one role, without allocation info', (t) => {
  const stage = new Rehearsal()
  stage.register()
  const framework = stage.subscribe()
  const again = stage.subscribe({ id: { value: framework.id }, capabilities: [], roles: undefined, role: 'golden' })
  const offer = again.events.find(({ type }) => type === 'OFFERS')?.offers?.offers?.[0]
  t.is(offer?.allocation_info, undefined)
  t.true(offer?.resources?.every(({ allocation_info, role }) => allocation_info === undefined && role === '*'))
})

test('a framework that is no longer PARTITION_AWARE is told TASK_LOST of what is unreachable', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  const capabilities = [MULTI_ROLE, { type: 'PARTITION_AWARE' as const }]
  const framework = stage.subscribe({ capabilities, checkpoint: true, failover_timeout: 600 })
  stage.launch(framework, stage.task(agent, 't'))
  stage.pass(90_000)
  const again = stage.subscribe({ id: { value: framework.id }, checkpoint: true, failover_timeout: 600 })
  again.events.length = 0
  const task = { task_id: { value: 't' }, agent_id: { value: agent.id } }
  stage.say(again, { type: 'RECONCILE', reconcile: { tasks: [task] } })
  t.deepEqual(stage.updatesOf(again), ['t | TASK_LOST | REASON_RECONCILIATION | Reconciliation: Task is unreachable'])
})

test('agents with its tasks learn of its capabilities: TASK_KILLING is theirs to say', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  const framework = stage.subscribe()
  stage.launch(framework, stage.task(agent, 't'))
  stage.subscribe({ id: { value: framework.id }, capabilities: [MULTI_ROLE, { type: 'TASK_KILLING_STATE' }] })
  const last = agent.messages.at(-1)
  t.is(last?.type, 'UPDATE_FRAMEWORK')
  t.deepEqual(last?.framework_info?.capabilities, [MULTI_ROLE, { type: 'TASK_KILLING_STATE' }])
})

test('tasks keep the role they were launched in when their framework leaves it; their end frees what they held', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register('agent.test', [scalar('cpus', 2), scalar('mem', 64)])
  const framework = stage.subscribe({ roles: ['a/b', 'c'] })
  const [offer] = stage.offersOf(framework)
  const role = stage.state.offers.get(offer!)!.role
  const other = role === 'c' ? 'a/b' : 'c'
  stage.launch(framework, stage.task(agent, 't', { resources: [scalar('cpus', 2), scalar('mem', 64)] }))
  const framework_info = infoOf(framework, { roles: [other] })
  t.is(stage.say(framework, { type: 'UPDATE_FRAMEWORK', update_framework: { framework_info } }).status, 200)
  t.is(stage.state.frameworks.get(framework.id)!.tasks.get('t')!.role, role)
  const roles = () => stage.operate({ type: 'GET_ROLES' }).response?.get_roles?.roles?.map(({ name }) => name) ?? []
  t.true(roles().includes(role), 'a role with something allocated is there')
  framework.events.length = 0
  const uuid = stage.update(agent, framework, 't', 'TASK_FINISHED')
  const acknowledge = { agent_id: { value: agent.id }, task_id: { value: 't' }, uuid }
  stage.say(framework, { type: 'ACKNOWLEDGE', acknowledge })
  stage.pass(1_000)
  t.deepEqual(offered(framework), [`${other} on agent.test`])
  t.false(roles().includes(role))
})

test('the role * is always listed, and offers are made for it', (t) => {
  const stage = new Rehearsal({ roles: ['golden'] })
  stage.register()
  t.deepEqual(offered(stage.subscribe({ roles: ['*'] })), ['* on agent.test'])
  const plain = stage.subscribe({ roles: undefined, capabilities: [] })
  t.deepEqual([...stage.state.frameworks.get(plain.id)!.roles], ['*'])
})
