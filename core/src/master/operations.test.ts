import type { OfferOperation, Resource } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import { fingerprint, Rehearsal, type StageAgent, type StageFramework, scalar } from './rehearsal.ts'

// What operations do and when they are refused. Two disks: 1000 MB of the work_dir, 100 MB mounted whole, 200 MB below a path.

const DYNAMIC = { type: 'DYNAMIC', role: 'golden' } as const
const STATIC = { type: 'STATIC', role: 'golden' } as const
const MOUNT = { source: { type: 'MOUNT', mount: { root: '/mnt/m' } } } as const
const PATH = { source: { type: 'PATH', path: { root: '/mnt/p' } } } as const

const AGENT_RESOURCES: readonly Resource[] = [
  scalar('cpus', 4),
  scalar('mem', 1024),
  scalar('disk', 1000),
  { ...scalar('disk', 100), disk: MOUNT },
  { ...scalar('disk', 200), disk: PATH },
  { ...scalar('disk', 50), reservations: [STATIC] },
]

function reserved(name: string, value: number, more: Partial<Resource> = {}): Resource {
  return { ...scalar(name, value), reservations: [DYNAMIC], ...more }
}

function volume(id: string, sizeMb: number, more: Partial<Resource> = {}, mode: 'RW' | 'RO' = 'RW'): Resource {
  const { disk, ...rest } = more
  const own = { persistence: { id }, volume: { container_path: 'data', mode } }
  return reserved('disk', sizeMb, { disk: { ...disk, ...own }, ...rest })
}

const reserve = (...resources: Resource[]): OfferOperation => ({ type: 'RESERVE', reserve: { resources } })
const unreserve = (...resources: Resource[]): OfferOperation => ({ type: 'UNRESERVE', unreserve: { resources } })
const create = (...volumes: Resource[]): OfferOperation => ({ type: 'CREATE', create: { volumes } })
const destroy = (...volumes: Resource[]): OfferOperation => ({ type: 'DESTROY', destroy: { volumes } })
const grow = (volume: Resource, addition: Resource): OfferOperation => ({
  type: 'GROW_VOLUME',
  grow_volume: { volume, addition },
})
const shrink = (volume: Resource, byMb: number): OfferOperation => ({
  type: 'SHRINK_VOLUME',
  shrink_volume: { volume, subtract: { value: byMb } },
})

interface Scene {
  readonly stage: Rehearsal
  readonly agent: StageAgent
  readonly framework: StageFramework
}

type Capability = 'SHARED_RESOURCES' | 'RESERVATION_REFINEMENT' | 'PARTITION_AWARE'

function scene(
  given: { capabilities?: readonly Capability[]; principal?: string; lacks?: string; role?: string } = {},
): Scene {
  const stage = new Rehearsal()
  const agent = stage.register('agent.test', AGENT_RESOURCES)
  const known = stage.state.agents.get(agent.id)!
  known.capabilities = known.capabilities.filter(({ type }) => type !== given.lacks)
  const wanted = given.capabilities ?? ['SHARED_RESOURCES', 'RESERVATION_REFINEMENT']
  const framework = stage.subscribe({
    roles: [given.role ?? 'golden'],
    principal: given.principal,
    capabilities: [{ type: 'MULTI_ROLE' }, ...wanted.map((type) => ({ type }))],
  })
  return { stage, agent, framework }
}

/** Accepts all offers; every operation but launches gets its place as id. Returns how each was answered at once: `place state message`. */
function accept({ stage, framework }: Scene, ...operations: OfferOperation[]): string[] {
  framework.events.length = 0
  stage.say(framework, {
    type: 'ACCEPT',
    accept: {
      offer_ids: stage.offersOf(framework).map((value) => ({ value })),
      operations: operations.map((one, at) =>
        one.type === 'LAUNCH' || one.type === 'LAUNCH_GROUP' ? one : { ...one, id: { value: String(at) } },
      ),
      filters: { refuse_seconds: 0 },
    },
  })
  return framework.events.flatMap(({ update_operation_status, update }) => {
    const status = update_operation_status?.status
    if (status !== undefined) return [`${status.operation_id?.value} ${status.state} ${status.message}`]
    if (update === undefined) return []
    return [`${update.status.task_id.value} ${update.status.state} ${update.status.message ?? ''}`]
  })
}

function launch({ stage, agent }: Scene, id: string, ...resources: Resource[]): OfferOperation {
  const own = [scalar('cpus', 0.1), scalar('mem', 32)]
  return { type: 'LAUNCH', launch: { task_infos: [stage.task(agent, id, { resources: [...own, ...resources] })] } }
}

function total({ stage, agent }: Scene): string {
  return stage.state.agents.get(agent.id)!.total.toString()
}

test('each operation of an ACCEPT builds on what those before it made', (t) => {
  const on = scene()
  const { stage, agent } = on
  const group: OfferOperation = {
    type: 'LAUNCH_GROUP',
    launch_group: {
      executor: {
        type: 'DEFAULT',
        executor_id: { value: 'e' },
        resources: [scalar('cpus', 0.1), scalar('mem', 32), scalar('disk', 1)],
      },
      task_group: { tasks: [stage.task(agent, 'g', { resources: [scalar('cpus', 0.1), volume('b', 60)] })] },
    },
  }
  const answers = accept(
    on,
    reserve(reserved('disk', 300), reserved('cpus', 1)),
    create(volume('a', 100), volume('b', 100)),
    launch(on, 't', volume('a', 100)),
    unreserve(reserved('cpus', 1)),
    create(volume('c', 10)),
    destroy(volume('c', 10)),
    grow(volume('b', 100), reserved('disk', 20)),
    shrink(volume('b', 120), 60),
    group,
  )
  t.deepEqual(answers, [])
  t.deepEqual(
    agent.messages.slice(2).map(({ type, apply_operation }) => apply_operation?.operation.type ?? type),
    [
      'RESERVE',
      'CREATE',
      'RUN_TASK',
      'UNRESERVE',
      'CREATE',
      'DESTROY',
      'GROW_VOLUME',
      'SHRINK_VOLUME',
      'RUN_TASK_GROUP',
    ],
  )
  t.is(
    total(on),
    'cpus:4; mem:1024; disk:700; disk[MOUNT:/mnt/m]:100; disk[PATH:/mnt/p]:200; disk(reservations: [(STATIC,golden)]):50; disk(reservations: [(DYNAMIC,golden)]):140; disk(reservations: [(DYNAMIC,golden)])[a:data]:100; disk(reservations: [(DYNAMIC,golden)])[b:data]:60',
  )
  stage.pass(1000)
  t.is(stage.offersOf(on.framework).length, 1)
})

const refusals: readonly {
  readonly name: string
  readonly given?: Parameters<typeof scene>[0]
  /** Done before, and valid. */
  readonly before?: readonly OfferOperation[]
  readonly operation: OfferOperation
  readonly message: RegExp
}[] = [
  // RESERVE
  {
    name: 'RESERVE without a reservation',
    operation: reserve(scalar('cpus', 1)),
    message:
      /^Resource cpus\(allocated: golden\):1 is not dynamically reserved; on agent m-S0 at slave\(1\)@127\.0\.0\.1:5051 \(agent\.test\)$/,
  },
  {
    name: 'RESERVE of a static reservation',
    operation: reserve({ ...scalar('cpus', 1), reservations: [STATIC] }),
    message: /is not dynamically reserved/,
  },
  {
    name: 'RESERVE for another role than that of the offer',
    operation: reserve({ ...scalar('cpus', 1), reservations: [{ type: 'DYNAMIC', role: 'other' }] }),
    message: /with role 'other', but the resource was allocated to role 'golden'/,
  },
  {
    name: 'RESERVE for *',
    operation: reserve({ ...scalar('cpus', 1), reservations: [{ type: 'DYNAMIC', role: '*' }] }),
    message: /role "\*" cannot be reserved/,
  },
  {
    name: 'RESERVE for an invalid role',
    operation: reserve({ ...scalar('cpus', 1), reservations: [{ type: 'DYNAMIC', role: 'a//b' }] }),
    message: /Invalid resources: Resource 'cpus/,
  },
  {
    name: 'RESERVE of more cpus than offered',
    operation: reserve(reserved('cpus', 5)),
    message: /does not contain cpus\(allocated: golden\):5$/,
  },
  {
    name: 'RESERVE of a kind nobody has',
    operation: reserve(reserved('bananas', 1)),
    message: /does not contain bananas/,
  },
  { name: 'RESERVE of nothing', operation: reserve(), message: /The resources have multiple resource providers: ;/ },
  { name: 'RESERVE of less than nothing', operation: reserve(reserved('cpus', -1)), message: /value <= 0/ },
  {
    name: 'RESERVE of a part of a MOUNT disk',
    operation: reserve(reserved('disk', 50, { disk: MOUNT })),
    message: /does not contain disk\(allocated: golden\)\[MOUNT:\/mnt\/m\]:50/,
  },
  {
    name: 'RESERVE of revocable resources',
    operation: reserve(reserved('cpus', 1, { revocable: {} })),
    message: /Dynamically reserved resource .* cannot be created from revocable resources/,
  },
  {
    name: 'RESERVE with resources to change',
    operation: { type: 'RESERVE', reserve: { resources: [reserved('cpus', 1)], source: [scalar('cpus', 1)] } },
    message: /Reservation updates are not yet implemented for the scheduler API/,
  },
  {
    name: 'RESERVE without a principal by a framework that has one',
    given: { principal: 'alice' },
    operation: reserve(reserved('cpus', 1)),
    message: /by principal 'alice', but there is a reserved resource in the request with no principal set/,
  },
  {
    name: 'RESERVE with the principal of another',
    given: { principal: 'alice' },
    operation: reserve(reserved('cpus', 1, { reservations: [{ ...DYNAMIC, principal: 'bob' }] })),
    message: /'alice', which does not match a reserved resource in the request with principal 'bob'/,
  },
  {
    name: 'RESERVE for a nested role on an agent that knows none',
    given: { lacks: 'HIERARCHICAL_ROLE', role: 'golden' },
    operation: reserve({
      ...scalar('cpus', 1),
      reservations: [DYNAMIC, { type: 'DYNAMIC', role: 'golden/a' }],
      allocation_info: { role: 'golden/a' },
    }),
    message: /hierarchical role 'golden\/a' cannot be reserved on an agent without HIERARCHICAL_ROLE/,
  },
  {
    name: 'a refinement on an agent that knows none',
    given: { lacks: 'RESERVATION_REFINEMENT' },
    operation: reserve({
      ...scalar('cpus', 1),
      reservations: [DYNAMIC, { type: 'DYNAMIC', role: 'golden/a' }],
      allocation_info: { role: 'golden/a' },
    }),
    message: /with reservation refinement cannot be reserved on an agent without RESERVATION_REFINEMENT/,
  },
  {
    name: 'RESERVE with other labels than those it is to be taken off with',
    before: [reserve(reserved('cpus', 1, { reservations: [{ ...DYNAMIC, labels: { labels: [{ key: 'k' }] } }] }))],
    operation: unreserve(reserved('cpus', 1)),
    message: /does not contain/,
  },
  // UNRESERVE
  { name: 'UNRESERVE of what is free', operation: unreserve(reserved('cpus', 1)), message: /does not contain/ },
  {
    name: 'UNRESERVE of a static reservation',
    operation: unreserve({ ...scalar('disk', 50), reservations: [STATIC] }),
    message: /Resource disk\(allocated: golden\)\(reservations: \[\(STATIC,golden\)\]\):50 is not dynamically reserved/,
  },
  {
    name: 'UNRESERVE of more than is reserved',
    before: [reserve(reserved('cpus', 1))],
    operation: unreserve(reserved('cpus', 1.5)),
    message: /does not contain/,
  },
  {
    name: 'UNRESERVE under a volume',
    before: [reserve(reserved('disk', 10)), create(volume('a', 10))],
    operation: unreserve(volume('a', 10)),
    message: /cannot be unreserved directly\. Please destroy the persistent volume first then unreserve the resource/,
  },
  {
    name: 'UNRESERVE of the disk of a volume',
    before: [reserve(reserved('disk', 10)), create(volume('a', 10))],
    operation: unreserve(reserved('disk', 10)),
    message: /does not contain disk/,
  },
  // CREATE
  {
    name: 'CREATE on unreserved disk',
    operation: create({ ...volume('a', 10), reservations: [] }),
    message: /Persistent volumes cannot be created from unreserved resources/,
  },
  { name: 'CREATE before RESERVE', operation: create(volume('a', 10)), message: /does not contain/ },
  {
    name: 'CREATE of more disk than is reserved',
    before: [reserve(reserved('disk', 10))],
    operation: create(volume('a', 11)),
    message: /does not contain/,
  },
  {
    name: 'CREATE of the same id twice at once',
    before: [reserve(reserved('disk', 20))],
    operation: create(volume('a', 5), volume('a', 10)),
    message: /Persistence ID 'a' is not unique/,
  },
  {
    name: 'CREATE of an id that is there',
    before: [reserve(reserved('disk', 20)), create(volume('a', 10))],
    operation: create(volume('a', 10)),
    message: /Persistence ID 'a' is not unique/,
  },
  {
    name: 'CREATE that is read-only',
    before: [reserve(reserved('disk', 10))],
    operation: create(volume('a', 10, {}, 'RO')),
    message: /Not a persistent volume: Read-only persistent volume not supported/,
  },
  {
    name: 'CREATE with a path of the host',
    before: [reserve(reserved('disk', 10))],
    operation: create(
      reserved('disk', 10, {
        disk: { persistence: { id: 'a' }, volume: { container_path: 'd', mode: 'RW', host_path: '/' } },
      }),
    ),
    message: /Expecting 'host_path' to be unset for persistent volume/,
  },
  {
    name: 'CREATE without a place in the container',
    before: [reserve(reserved('disk', 10))],
    operation: create(reserved('disk', 10, { disk: { persistence: { id: 'a' } } })),
    message: /Expecting 'volume' to be set for persistent volume/,
  },
  {
    name: 'CREATE of disk without an id',
    before: [reserve(reserved('disk', 10))],
    operation: create(reserved('disk', 10)),
    message: /Not a persistent volume: Resource disk.*:10 does not have DiskInfo/,
  },
  {
    name: 'CREATE of what is not disk',
    before: [reserve(reserved('cpus', 1))],
    operation: create(reserved('cpus', 1, { disk: { persistence: { id: 'a' } } })),
    message: /DiskInfo should not be set for cpus resource/,
  },
  ...['', '.', '..', 'a/b', 'a\nb', 'x'.repeat(256)].map((id) => ({
    name: `CREATE with the id '${id.slice(0, 10)}'`,
    before: [reserve(reserved('disk', 10))],
    operation: create(volume(id, 10)),
    message: /Invalid persistence ID for persistent volume: /,
  })),
  {
    name: 'CREATE of a part of a MOUNT disk',
    before: [reserve(reserved('disk', 100, { disk: MOUNT }))],
    operation: create(volume('a', 50, { disk: MOUNT })),
    message: /does not contain/,
  },
  {
    name: 'CREATE of a shared volume without SHARED_RESOURCES',
    given: { capabilities: ['RESERVATION_REFINEMENT'] },
    before: [reserve(reserved('disk', 10))],
    operation: create(volume('a', 10, { shared: {} })),
    message: /attempted by framework 'm-0000' with no SHARED_RESOURCES capability/,
  },
  {
    name: 'CREATE without a principal by a framework that has one',
    given: { principal: 'alice' },
    before: [reserve(reserved('disk', 10, { reservations: [{ ...DYNAMIC, principal: 'alice' }] }))],
    operation: create(volume('a', 10, { reservations: [{ ...DYNAMIC, principal: 'alice' }] })),
    message:
      /by principal 'alice', but there is a volume in the operation with no principal set in 'disk\.persistence'/,
  },
  {
    name: 'CREATE on revocable disk',
    operation: create(volume('a', 10, { revocable: {} })),
    message: /Persistent volumes cannot be created from revocable resources/,
  },
  {
    name: 'CREATE for a role whose name is no name of a folder',
    operation: create(volume('a', 10, { reservations: [{ type: 'DYNAMIC', role: 'r'.repeat(300) }] })),
    message: /cannot be the name of a volume's folder: ID must not be greater than 255/,
  },
  // DESTROY
  { name: 'DESTROY before CREATE', operation: destroy(volume('a', 10)), message: /Persistent volumes not found/ },
  {
    name: 'DESTROY of another size',
    before: [reserve(reserved('disk', 10)), create(volume('a', 10))],
    operation: destroy(volume('a', 9)),
    message: /Persistent volumes not found/,
  },
  {
    name: 'DESTROY of disk that is no volume',
    before: [reserve(reserved('disk', 10))],
    operation: destroy(reserved('disk', 10)),
    message: /Not a persistent volume/,
  },
  {
    name: 'DESTROY of the same volume twice',
    before: [reserve(reserved('disk', 10)), create(volume('a', 10)), destroy(volume('a', 10))],
    operation: destroy(volume('a', 10)),
    message: /Persistent volumes not found/,
  },
  // GROW_VOLUME
  {
    name: 'GROW_VOLUME by nothing',
    before: [reserve(reserved('disk', 20)), create(volume('a', 10))],
    operation: grow(volume('a', 10), reserved('disk', 0)),
    message: /The size of 'GrowVolume\.addition' field must be greater than zero/,
  },
  {
    name: 'GROW_VOLUME by more than there is',
    before: [reserve(reserved('disk', 20)), create(volume('a', 10))],
    operation: grow(volume('a', 10), reserved('disk', 11)),
    message: /does not contain/,
  },
  {
    name: 'GROW_VOLUME by disk of another kind',
    before: [reserve(reserved('disk', 20)), create(volume('a', 10))],
    operation: grow(volume('a', 10), reserved('disk', 10, { disk: PATH })),
    message: /Incompatible resources in the 'GrowVolume\.volume' and 'GrowVolume\.addition' fields/,
  },
  {
    name: 'GROW_VOLUME by unreserved disk',
    before: [reserve(reserved('disk', 20)), create(volume('a', 10))],
    operation: grow(volume('a', 10), scalar('disk', 10)),
    message: /Incompatible resources/,
  },
  {
    name: 'GROW_VOLUME of what is no volume',
    before: [reserve(reserved('disk', 20))],
    operation: grow(reserved('disk', 10), reserved('disk', 10)),
    message: /Invalid persistent volume in the 'GrowVolume\.volume' field/,
  },
  {
    name: 'GROW_VOLUME on a MOUNT disk',
    before: [reserve(reserved('disk', 100, { disk: MOUNT })), create(volume('a', 100, { disk: MOUNT }))],
    operation: grow(volume('a', 100, { disk: MOUNT }), reserved('disk', 10, { disk: MOUNT })),
    message: /Incompatible resources/,
  },
  {
    name: 'GROW_VOLUME of a shared volume',
    before: [reserve(reserved('disk', 20)), create(volume('a', 10, { shared: {} }))],
    operation: grow(volume('a', 10, { shared: {} }), reserved('disk', 10)),
    message: /Growing a shared persistent volume is not supported/,
  },
  {
    name: 'GROW_VOLUME on an agent that cannot',
    given: { lacks: 'RESIZE_VOLUME' },
    before: [reserve(reserved('disk', 20)), create(volume('a', 10))],
    operation: grow(volume('a', 10), reserved('disk', 10)),
    message: /cannot be grown on an agent without RESIZE_VOLUME capability/,
  },
  // SHRINK_VOLUME
  ...[0, -1, 0.0001, Number.NaN].map((byMb) => ({
    name: `SHRINK_VOLUME by ${byMb}`,
    before: [reserve(reserved('disk', 20)), create(volume('a', 20))],
    operation: shrink(volume('a', 20), byMb),
    message: /Value of 'ShrinkVolume\.subtract' must be greater than zero/,
  })),
  {
    name: 'SHRINK_VOLUME to nothing',
    before: [reserve(reserved('disk', 20)), create(volume('a', 20))],
    operation: shrink(volume('a', 20), 20),
    message: /Value of 'ShrinkVolume\.subtract' must be smaller than the size of 'ShrinkVolume\.volume'/,
  },
  {
    name: 'SHRINK_VOLUME before CREATE',
    before: [reserve(reserved('disk', 20))],
    operation: shrink(volume('a', 20), 10),
    message: /does not contain/,
  },
  {
    name: 'SHRINK_VOLUME on a MOUNT disk',
    before: [reserve(reserved('disk', 100, { disk: MOUNT })), create(volume('a', 100, { disk: MOUNT }))],
    operation: shrink(volume('a', 100, { disk: MOUNT }), 10),
    message: /Shrinking a volume on a MOUNT disk is not supported/,
  },
  {
    name: 'SHRINK_VOLUME of a shared volume',
    before: [reserve(reserved('disk', 20)), create(volume('a', 20, { shared: {} }))],
    operation: shrink(volume('a', 20, { shared: {} }), 10),
    message: /Shrinking a shared persistent volume is not supported/,
  },
  {
    name: 'SHRINK_VOLUME on an agent that cannot',
    given: { lacks: 'RESIZE_VOLUME' },
    before: [reserve(reserved('disk', 20)), create(volume('a', 20))],
    operation: shrink(volume('a', 20), 10),
    message: /cannot be shrunk on an agent without RESIZE_VOLUME capability/,
  },
  // Others
  {
    name: 'CREATE_DISK without a resource provider',
    operation: { type: 'CREATE_DISK', create_disk: { source: reserved('disk', 10), target_type: 'MOUNT' } },
    message: /'source' is not managed by a resource provider/,
  },
  {
    name: 'DESTROY_DISK without a resource provider',
    operation: { type: 'DESTROY_DISK', destroy_disk: { source: reserved('disk', 10) } },
    message: /'source' is not managed by a resource provider/,
  },
  {
    name: 'resources of a resource provider that nobody knows',
    operation: reserve(reserved('disk', 10, { provider_id: { value: 'p' } })),
    message: /does not contain/,
  },
  {
    name: 'resources of a resource provider and of the agent',
    operation: reserve(reserved('disk', 10, { provider_id: { value: 'p' } }), reserved('cpus', 1)),
    message: /Some resources have a resource provider and some do not/,
  },
  {
    name: 'feedback that the agent cannot give',
    given: { lacks: 'AGENT_OPERATION_FEEDBACK' },
    operation: reserve(reserved('cpus', 1)),
    message: /agent m-S0 does not have the required AGENT_OPERATION_FEEDBACK and RESOURCE_PROVIDER capabilities/,
  },
  ...(['RESERVE', 'UNRESERVE', 'CREATE', 'DESTROY', 'GROW_VOLUME', 'SHRINK_VOLUME'] as const).map((type) => ({
    name: `${type} without its message`,
    operation: { type } as OfferOperation,
    message: new RegExp(`Expecting '${type.toLowerCase()}' to be present`),
  })),
]

for (const { name, given, before = [], operation, message } of refusals) {
  test(`refused, told with its id, and nothing changes: ${name}`, (t) => {
    const on = scene(given)
    const { stage, agent, framework } = on
    // Those that prepare ask for no feedback.
    const ids = () => stage.offersOf(framework).map((value) => ({ value }))
    const filters = { refuse_seconds: 0 }
    stage.say(framework, { type: 'ACCEPT', accept: { offer_ids: ids(), operations: before, filters } })
    stage.pass(1000)
    const sent = agent.messages.filter(({ type }) => type === 'APPLY_OPERATION').length
    t.is(sent, before.length, 'what prepares is valid')
    const totalBefore = total(on)
    const answers = accept(on, operation)
    t.is(answers.length, 1)
    t.regex(answers[0] ?? '', /^0 OPERATION_ERROR /)
    t.regex((answers[0] ?? '').slice('0 OPERATION_ERROR '.length), message)
    t.is(framework.events[0]?.update_operation_status?.status.uuid, undefined)
    t.is(total(on), totalBefore)
    t.is(agent.messages.filter(({ type }) => type === 'APPLY_OPERATION').length, sent)
    t.is(stage.state.operations.size, before.length)
    stage.pass(1000)
    t.is(stage.offersOf(framework).length, 1, 'what was offered comes back')
  })
}

const orders: readonly { name: string; operations: (on: Scene) => OfferOperation[]; expected: readonly string[] }[] = [
  {
    name: 'one that is refused does not stop those behind it',
    operations: () => [create(volume('a', 10)), reserve(reserved('disk', 10)), create(volume('a', 10))],
    expected: ['0 OPERATION_ERROR'],
  },
  {
    name: 'a task cannot use a volume before its CREATE',
    operations: (on) => [reserve(reserved('disk', 10)), launch(on, 't', volume('a', 10)), create(volume('a', 10))],
    expected: ['t TASK_ERROR'],
  },
  {
    name: 'a task cannot use a volume after its DESTROY',
    operations: (on) => [
      reserve(reserved('disk', 10)),
      create(volume('a', 10)),
      destroy(volume('a', 10)),
      launch(on, 't', volume('a', 10)),
    ],
    expected: ['t TASK_ERROR'],
  },
  {
    name: 'a volume is not destroyed, shrunk, grown or created again behind a task that uses it',
    operations: (on) => [
      reserve(reserved('disk', 30)),
      create(volume('a', 10)),
      launch(on, 't', volume('a', 10)),
      destroy(volume('a', 10)),
      shrink(volume('a', 10), 5),
      grow(volume('a', 10), reserved('disk', 5)),
      create(volume('a', 10)),
    ],
    expected: ['3 OPERATION_ERROR', '4 OPERATION_ERROR', '5 OPERATION_ERROR', '6 OPERATION_ERROR'],
  },
  {
    name: 'two tasks cannot use a volume that is not shared',
    operations: (on) => [
      reserve(reserved('disk', 10)),
      create(volume('a', 10)),
      launch(on, 't', volume('a', 10)),
      launch(on, 'u', volume('a', 10)),
    ],
    expected: ['u TASK_ERROR'],
  },
  {
    name: 'what a task uses is not unreserved',
    operations: (on) => [
      reserve(reserved('cpus', 1)),
      launch(on, 't', reserved('cpus', 1)),
      unreserve(reserved('cpus', 1)),
    ],
    expected: ['2 OPERATION_ERROR'],
  },
  {
    name: 'a reservation is taken back once',
    operations: () => [reserve(reserved('cpus', 1)), unreserve(reserved('cpus', 1)), unreserve(reserved('cpus', 1))],
    expected: ['2 OPERATION_ERROR'],
  },
  {
    name: 'all cpus are reserved once',
    operations: () => [reserve(reserved('cpus', 3)), reserve(reserved('cpus', 1.5)), reserve(reserved('cpus', 1))],
    expected: ['1 OPERATION_ERROR'],
  },
  {
    name: 'a volume is resized from the size it has',
    operations: () => [
      reserve(reserved('disk', 30)),
      create(volume('a', 10)),
      grow(volume('a', 10), reserved('disk', 10)),
      grow(volume('a', 10), reserved('disk', 10)),
      shrink(volume('a', 10), 5),
      shrink(volume('a', 20), 5),
    ],
    expected: ['3 OPERATION_ERROR', '4 OPERATION_ERROR'],
  },
  {
    name: 'volumes on a PATH disk are resized too',
    operations: () => [
      reserve(reserved('disk', 30, { disk: PATH })),
      create(volume('a', 10, { disk: PATH })),
      grow(volume('a', 10, { disk: PATH }), reserved('disk', 20, { disk: PATH })),
      shrink(volume('a', 30, { disk: PATH }), 5),
    ],
    expected: [],
  },
  {
    name: 'launches have no feedback',
    operations: (on) => [{ ...launch(on, 't'), id: { value: 'x' } }],
    expected: ['t TASK_ERROR'],
  },
]

for (const { name, operations, expected } of orders) {
  test(`in one ACCEPT ${name}`, (t) => {
    const on = scene()
    const answers = accept(on, ...operations(on))
    t.deepEqual(
      answers.map((answer) => answer.split(' ').slice(0, 2).join(' ')),
      expected,
    )
  })
}

const claims: readonly { name: string; resources: readonly Resource[]; message: RegExp }[] = [
  { name: 'more of a reservation than there is', resources: [reserved('cpus', 2)], message: /more than available/ },
  {
    name: 'a reservation of another role',
    resources: [reserved('cpus', 1, { reservations: [{ type: 'DYNAMIC', role: 'other' }] })],
    message: /more than available/,
  },
  {
    name: 'revocable resources that were not offered',
    resources: [scalar('mem', 32), { ...scalar('cpus', 1), revocable: {} }],
    message: /more than available/,
  },
  {
    name: 'a shared volume that is not there',
    resources: [scalar('cpus', 0.1), volume('b', 10, { shared: {} })],
    message: /more than available/,
  },
  {
    name: 'a volume as if it were shared',
    resources: [scalar('cpus', 0.1), volume('a', 10, { shared: {} })],
    message: /more than available/,
  },
  {
    name: 'a volume of another size',
    resources: [scalar('cpus', 0.1), volume('a', 11)],
    message: /more than available/,
  },
  {
    name: 'the same volume twice',
    resources: [scalar('cpus', 0.1), volume('a', 10), volume('a', 10)],
    message: /duplicate persistence ID|not unique/,
  },
  {
    name: 'a part of a MOUNT disk',
    resources: [scalar('cpus', 0.1), { ...scalar('disk', 50), disk: MOUNT }],
    message: /more than available/,
  },
  {
    name: 'more of a PATH disk than there is',
    resources: [scalar('cpus', 0.1), { ...scalar('disk', 201), disk: PATH }],
    message: /more than available/,
  },
  {
    name: 'cpus that are shared',
    resources: [{ ...scalar('cpus', 1), shared: {} }],
    message: /cpus cannot be shared/,
  },
]

for (const { name, resources, message } of claims) {
  test(`a task may not claim ${name}`, (t) => {
    const on = scene()
    accept(on, reserve(reserved('cpus', 1), reserved('disk', 10)), create(volume('a', 10)))
    on.stage.pass(1000)
    const before = total(on)
    const task = on.stage.task(on.agent, 't', { resources })
    const [answer, ...others] = accept(on, { type: 'LAUNCH', launch: { task_infos: [task] } })
    t.deepEqual(others, [])
    t.regex(answer ?? '', /^t TASK_ERROR/)
    t.regex(answer ?? '', message)
    t.is(total(on), before)
    t.false(on.agent.messages.some(({ type }) => type === 'RUN_TASK'))
  })
}

test('an operation that asks for no feedback is refused in silence', (t) => {
  const { stage, framework } = scene()
  framework.events.length = 0
  const before = fingerprint(stage.state)
  const offer_ids = stage.offersOf(framework).map((value) => ({ value }))
  stage.say(framework, { type: 'ACCEPT', accept: { offer_ids, operations: [create(volume('a', 10))] } })
  t.deepEqual(framework.events, [])
  t.not(fingerprint(stage.state), before, 'the offer is used up')
})

test('operations on offers that are not valid are dropped, and told with their id', (t) => {
  const { stage, framework } = scene()
  framework.events.length = 0
  stage.say(framework, {
    type: 'ACCEPT',
    accept: {
      offer_ids: [{ value: 'gone' }],
      operations: [{ ...reserve(reserved('cpus', 1)), id: { value: 'x' } }, reserve(reserved('cpus', 1))],
    },
  })
  t.deepEqual(
    framework.events.map(({ update_operation_status }) => update_operation_status?.status),
    [
      {
        operation_id: { value: 'x' },
        state: 'OPERATION_ERROR',
        message: 'Operation attempted with invalid offers: Offer gone is no longer valid',
      },
    ],
  )
})

test('tasks share what was offered once; the volume is offered to others beside them', (t) => {
  const on = scene()
  const { stage, agent } = on
  const shared = volume('a', 10, { shared: {} })
  const answers = accept(
    on,
    reserve(reserved('disk', 10)),
    create(shared),
    launch(on, 't', shared),
    launch(on, 'u', shared),
    launch(on, 'v', shared),
  )
  t.deepEqual(answers, [])
  t.is(agent.messages.filter(({ type }) => type === 'RUN_TASK').length, 3)
  const other = stage.subscribe({
    roles: ['golden'],
    capabilities: [{ type: 'MULTI_ROLE' }, { type: 'SHARED_RESOURCES' }],
  })
  stage.pass(1000)
  const offered = [on.framework, other].flatMap(({ events }) => events.flatMap(({ offers }) => offers?.offers ?? []))
  t.true(offered.some(({ resources = [] }) => resources.some((one) => one.shared !== undefined)))
  const blind = stage.subscribe({ roles: ['golden'] })
  stage.pass(1000)
  const shown = blind.events.flatMap(({ offers }) => offers?.offers ?? []).flatMap(({ resources = [] }) => resources)
  t.false(
    shown.some((one) => one.shared !== undefined),
    'frameworks without SHARED_RESOURCES are not offered it',
  )
  for (const task of ['t', 'u', 'v']) stage.update(agent, on.framework, task, 'TASK_FINISHED')
  stage.pass(1000)
})

test('a shared volume is destroyed when no task uses it; other offers of it are rescinded', (t) => {
  const on = scene()
  const { stage, agent } = on
  const shared = volume('a', 10, { shared: {} })
  accept(on, reserve(reserved('disk', 10), reserved('cpus', 1)), create(shared), launch(on, 't', shared))
  stage.pass(1000)
  t.regex(accept(on, destroy(shared))[0] ?? '', /OPERATION_ERROR Persistent volumes in use; on agent/)
  stage.update(agent, on.framework, 't', 'TASK_FINISHED')
  const other = stage.subscribe({
    roles: ['golden'],
    capabilities: [{ type: 'MULTI_ROLE' }, { type: 'SHARED_RESOURCES' }, { type: 'RESERVATION_REFINEMENT' }],
  })
  stage.pass(1000)
  const holders = [on.framework, other].filter((framework) =>
    stage.offersOf(framework).some((id) => !(stage.state.offers.get(id)?.resources.shared().isEmpty ?? true)),
  )
  t.true(holders.length > 0)
  const operator = stage.operate({
    type: 'DESTROY_VOLUMES',
    destroy_volumes: { agent_id: { value: agent.id }, volumes: [shared] },
  })
  t.is(operator.status, 202, operator.text)
  t.true(holders.every(({ events }) => events.some(({ type }) => type === 'RESCIND')))
  t.false(total(on).includes('SHARED'))
})
