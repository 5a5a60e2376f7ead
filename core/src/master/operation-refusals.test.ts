import type { OfferOperation, Resource } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import {
  accept,
  create,
  DYNAMIC,
  destroy,
  grow,
  MOUNT,
  PATH,
  reserve,
  reserved,
  STATIC,
  scene,
  shrink,
  total,
  unreserve,
  volume,
} from './operations-stage.ts'
import { scalar } from './rehearsal.ts'

// When operations and the claims of tasks on what they made are refused, with which words; and that nothing changes then.

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
