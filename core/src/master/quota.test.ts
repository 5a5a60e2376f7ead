import type { CallUpdateQuota } from '@isthmus/proto/gen/master'
import type { Resource } from '@isthmus/proto/gen/mesos'
import type { QuotaConfig } from '@isthmus/proto/gen/quota'
import test from 'ava'
import { fingerprint, Rehearsal, type StageFramework, scalar } from './rehearsal.ts'
import { metricsView, rolesView } from './views.ts'

type Amounts = Readonly<Record<string, number>>

const CPUS = [scalar('cpus', 4), scalar('mem', 1024)]

function scalars(amounts: Amounts): NonNullable<QuotaConfig['limits']> {
  return Object.fromEntries(Object.entries(amounts).map(([name, value]) => [name, { value }]))
}

function config(role: string, guarantees: Amounts, limits: Amounts = {}): QuotaConfig {
  return { role, guarantees: scalars(guarantees), limits: scalars(limits) }
}

function update(stage: Rehearsal, call: CallUpdateQuota) {
  return stage.operate({ type: 'UPDATE_QUOTA', update_quota: call })
}

/** What the offers a framework holds have of cpus. */
function offeredCpus(stage: Rehearsal, framework: StageFramework): number[] {
  return stage.offersOf(framework).map((id) => stage.state.offers.get(id)!.resources.cpusMilli / 1000)
}

function rescinded(framework: StageFramework): number {
  return framework.events.filter(({ type }) => type === 'RESCIND').length
}

function reserved(role: string, cpus: number): Resource {
  return { ...scalar('cpus', cpus), reservations: [{ type: 'STATIC', role }] }
}

interface ShownRole {
  readonly name: string
  readonly allocated: Amounts
  readonly offered: Amounts
  readonly reserved: Amounts
  readonly quota: { readonly consumed: Amounts; readonly limit: Amounts; readonly guarantee: Amounts }
}

function rolesOf(stage: Rehearsal): Readonly<Record<string, ShownRole>> {
  const { roles } = rolesView(stage.state) as unknown as { roles: readonly ShownRole[] }
  return Object.fromEntries(roles.map((role) => [role.name, role]))
}

const refusals: readonly { name: string; flags?: { roles: string[] }; call: CallUpdateQuota; text: string }[] = [
  {
    name: 'a role that is not listed',
    flags: { roles: ['golden'] },
    call: { quota_configs: [config('other', {})] },
    text: "Invalid QuotaConfig: 'other' is not on the roles whitelist",
  },
  {
    name: 'a nested role',
    call: { quota_configs: [config('golden/x', { cpus: 1 })] },
    text: "Updating quota on nested role 'golden/x' is not supported yet",
  },
  {
    name: 'an invalid role',
    call: { quota_configs: [config('-x', {})] },
    text: "Invalid QuotaConfig: Invalid 'QuotaConfig.role': Role component '-x' is invalid because it starts with a dash",
  },
  {
    name: 'more than an exabyte',
    call: { quota_configs: [config('golden', { disk: 2 ** 40 + 1 })] },
    text: "Invalid QuotaConfig: Invalid 'QuotaConfig.guarantees': {'disk': 1099511627777} is invalid: values greater than 1 exabyte (1099511627776) are not supported",
  },
  {
    name: 'more than a trillion',
    call: { quota_configs: [config('golden', {}, { cpus: 1e12 + 1 })] },
    text: "Invalid QuotaConfig: Invalid 'QuotaConfig.limits': {'cpus': 1000000000001} is invalid: values greater than 1 trillion (1000000000000) are not supported",
  },
  {
    name: 'a limit below what is consumed',
    call: { quota_configs: [config('golden', {}, { cpus: 1, mem: 2048 })] },
    text: "Invalid QuotaConfig: Role 'golden' is already consuming 'cpus:2; mem:32'; this is more than the requested limits 'cpus:1; mem:2048' (use 'force' flag to bypass this check)",
  },
  {
    name: 'more than there is, with what others are guaranteed',
    call: { quota_configs: [config('a', { cpus: 1.5 }), config('b', { cpus: 1 }), config('c', { cpus: 1.6 })] },
    text: "Invalid QuotaConfig: total quota guarantees 'cpus:4.1' exceed cluster capacity 'cpus:4; mem:1024' (use 'force' flag to bypass this check)",
  },
]

for (const { name, flags, call, text } of refusals) {
  test(`UPDATE_QUOTA with ${name} is refused, the state unchanged`, (t) => {
    const stage = new Rehearsal(flags ?? {})
    const framework = stage.subscribe()
    const agent = stage.register('a', CPUS)
    stage.launch(framework, stage.task(agent, 't', { resources: [scalar('cpus', 2), scalar('mem', 32)] }))
    const before = fingerprint(stage.state)
    t.deepEqual(update(stage, call), { status: 400, text })
    t.is(fingerprint(stage.state), before)
  })
}

test('force bypasses the checks of consumption and capacity, and no other', (t) => {
  const stage = new Rehearsal()
  const framework = stage.subscribe()
  const agent = stage.register('a', CPUS)
  stage.launch(framework, stage.task(agent, 't', { resources: [scalar('cpus', 2), scalar('mem', 32)] }))
  t.is(update(stage, { force: true, quota_configs: [config('golden', {}, { cpus: 1 })] }).status, 200)
  t.is(update(stage, { force: true, quota_configs: [config('a', { cpus: 1000 })] }).status, 200)
  t.is(update(stage, { force: true, quota_configs: [config('a/b', { cpus: 1 })] }).status, 400)
})

for (const { name, resource, text } of [
  { name: 'a reservation', resource: reserved('golden', 1), text: 'QuotaInfo must not contain any ReservationInfo' },
  {
    name: 'a disk',
    resource: { ...scalar('disk', 1), disk: { source: { type: 'MOUNT' as const, mount: { root: '/m' } } } },
    text: 'QuotaInfo must not contain DiskInfo',
  },
  {
    name: 'revocable resources',
    resource: { ...scalar('cpus', 1), revocable: {} },
    text: 'QuotaInfo must not contain RevocableInfo',
  },
]) {
  test(`SET_QUOTA with ${name} is refused`, (t) => {
    const stage = new Rehearsal()
    const quota_request = { role: 'golden', guarantee: [resource] }
    const { status, text: told } = stage.operate({ type: 'SET_QUOTA', set_quota: { quota_request } })
    t.deepEqual([status, told], [400, `Failed to validate set quota request: ${text}`])
  })
}

test('a limit holds for a role and all below it together', (t) => {
  const stage = new Rehearsal()
  update(stage, { quota_configs: [config('a', {}, { cpus: 5 })] })
  const one = stage.subscribe({ roles: ['a/x'] })
  const other = stage.subscribe({ roles: ['a/y'] })
  for (const host of ['h1', 'h2', 'h3']) stage.register(host, CPUS)
  const sum = [...offeredCpus(stage, one), ...offeredCpus(stage, other)].reduce((total, cpus) => total + cpus)
  t.is(sum, 5)
})

test('a guarantee is held back until its role comes, and then given to it', (t) => {
  const stage = new Rehearsal()
  stage.register('h1', CPUS)
  stage.register('h2', CPUS)
  update(stage, { quota_configs: [config('team', { cpus: 5 })] })
  const other = stage.subscribe({ roles: ['other'] })
  // Of one agent all memory is offered with 3 CPU, of the other memory alone.
  t.deepEqual(offeredCpus(stage, other).sort(), [0, 3])
  const team = stage.subscribe({ roles: ['team/sub'] })
  stage.pass(1000)
  t.is(
    offeredCpus(stage, team).reduce((sum, cpus) => sum + cpus, 0),
    5,
  )
})

test('/roles shows what is reserved and consumed by a role and all below it', (t) => {
  const stage = new Rehearsal()
  const framework = stage.subscribe({ roles: ['a/x'] })
  const agent = stage.register('h', [...CPUS, reserved('a/x', 2), reserved('b', 1)])
  // One of the two reserved CPUs and one other are used.
  const resources = [
    { ...reserved('a/x', 1), allocation_info: { role: 'a/x' } },
    { ...scalar('cpus', 1), allocation_info: { role: 'a/x' } },
    { ...scalar('mem', 32), allocation_info: { role: 'a/x' } },
  ]
  stage.say(framework, {
    type: 'ACCEPT',
    accept: {
      offer_ids: stage.offersOf(framework).map((value) => ({ value })),
      operations: [{ type: 'LAUNCH', launch: { task_infos: [stage.task(agent, 't', { resources })] } }],
      filters: { refuse_seconds: 600 },
    },
  })
  update(stage, { quota_configs: [config('a', { cpus: 1 }, { cpus: 9 })] })
  const { a, b, ...others } = rolesOf(stage)
  t.deepEqual(Object.keys(others), ['a/x'])
  t.deepEqual(a!.reserved, { cpus: 2 })
  t.deepEqual(a!.allocated, { cpus: 2, mem: 32 })
  t.deepEqual(a!.offered, {})
  t.deepEqual(a!.quota, {
    role: 'a',
    guarantee: { cpus: 1 },
    limit: { cpus: 9 },
    consumed: { cpus: 3, mem: 32 },
  } as ShownRole['quota'])
  t.deepEqual([b!.reserved, b!.quota.consumed], [{ cpus: 1 }, { cpus: 1 }])
  const { response } = stage.operate({ type: 'GET_ROLES' })
  t.deepEqual(
    response?.get_roles?.roles?.map(({ name, resources: held }) => [name, held]),
    [
      ['a', [scalar('cpus', 2), scalar('mem', 32)]],
      ['a/x', [scalar('cpus', 2), scalar('mem', 32)]],
      ['b', undefined],
    ],
  )
})

test('metrics show guarantee, limit and what counts against them', (t) => {
  const stage = new Rehearsal()
  const framework = stage.subscribe()
  const agent = stage.register('h1', CPUS)
  stage.launch(framework, stage.task(agent, 't', { resources: [scalar('cpus', 1), scalar('mem', 32)] }))
  update(stage, { quota_configs: [config('golden', { cpus: 2 }, { cpus: 3 })] })
  stage.pass(1000)
  const metrics = metricsView(stage.state, stage.atMs)
  const prefix = 'allocator/mesos/quota/roles/golden/resources/cpus'
  t.deepEqual(
    ['guarantee', 'limit', 'consumed', 'offered_or_allocated'].map((name) => metrics[`${prefix}/${name}`]),
    [2, 3, 1, 3],
  )
})

test('a lower limit rescinds offers of its role only as far as it must, and no other', (t) => {
  const stage = new Rehearsal()
  const framework = stage.subscribe({ roles: ['a/x'] })
  for (const host of ['h1', 'h2', 'h3']) stage.register(host, CPUS)
  const other = stage.subscribe({ roles: ['other'] })
  stage.register('h4', CPUS)
  t.deepEqual([offeredCpus(stage, framework), offeredCpus(stage, other)], [[4, 4, 4], [4]])
  stage.say(framework, { type: 'SUPPRESS', suppress: {} })
  stage.say(other, { type: 'SUPPRESS', suppress: {} })
  t.is(update(stage, { quota_configs: [config('a', {}, { cpus: 8 })] }).status, 200)
  t.deepEqual([rescinded(framework), rescinded(other)], [1, 0])
  t.deepEqual([offeredCpus(stage, framework), offeredCpus(stage, other)], [[4, 4], [4]])
})

test('a new guarantee rescinds offers of others only as far as what is free does not suffice', (t) => {
  const stage = new Rehearsal()
  const other = stage.subscribe({ roles: ['other'] })
  const hosts = ['h1', 'h2', 'h3', 'h4']
  for (const host of hosts) stage.register(host, CPUS)
  const [first] = stage.offersOf(other)
  stage.say(other, { type: 'DECLINE', decline: { offer_ids: [{ value: first! }], filters: { refuse_seconds: 600 } } })
  stage.say(other, { type: 'SUPPRESS', suppress: {} })
  // 4 of 16 CPUs are free, 12 are offered.
  t.is(update(stage, { quota_configs: [config('team', { cpus: 4 })] }).status, 200)
  t.is(rescinded(other), 0)
  t.is(update(stage, { quota_configs: [config('team', { cpus: 7 })] }).status, 200)
  t.is(rescinded(other), 1)
  t.is(update(stage, { quota_configs: [config('team', { cpus: 16 })] }).status, 200)
  t.is(rescinded(other), 3)
})

test('a new guarantee rescinds nothing of a role that has no more than its own', (t) => {
  const stage = new Rehearsal()
  const kept = stage.subscribe({ roles: ['kept'] })
  stage.register('h1', CPUS)
  stage.say(kept, { type: 'SUPPRESS', suppress: {} })
  t.is(update(stage, { quota_configs: [config('kept', { cpus: 4 })] }).status, 200)
  t.is(update(stage, { force: true, quota_configs: [config('team', { cpus: 4 })] }).status, 200)
  t.is(rescinded(kept), 0)
  t.is(update(stage, { force: true, quota_configs: [config('kept', { cpus: 3 })] }).status, 200)
  t.is(rescinded(kept), 1)
})
