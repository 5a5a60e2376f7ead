import type {
  ExecutorInfo,
  OfferOperation,
  Resource,
  ResourceReservationInfo,
  TaskInfo,
} from '@isthmus/proto/gen/mesos'
import test from 'ava'
import fc from 'fast-check'
import { applyOperation, launchResources } from './operations.ts'
import { Resources } from './resources.ts'
import { diskOfVolume, isPersistentVolume, volumeId, volumeKey } from './volumes.ts'

const dynamic: ResourceReservationInfo = { type: 'DYNAMIC', role: 'r', principal: 'p' }

function scalar(name: string, value: number, rest: Partial<Resource> = {}): Resource {
  return { name, type: 'SCALAR', scalar: { value }, ...rest }
}

function reserved(name: string, value: number, ...stack: readonly ResourceReservationInfo[]): Resource {
  return scalar(name, value, { reservations: stack.length === 0 ? [dynamic] : stack })
}

function volume(sizeMb: number, rest: Partial<Resource> = {}): Resource {
  const disk = { persistence: { id: 'v1' }, volume: { mode: 'RW', container_path: 'data' } } as const
  return { ...reserved('disk', sizeMb), disk, ...rest }
}

const mount = { type: 'MOUNT', mount: { root: '/m' } } as const
const refined = [
  { type: 'STATIC', role: 'r' },
  { type: 'DYNAMIC', role: 'r/s' },
] as const

const accepted: readonly { name: string; before: Resource[]; operation: OfferOperation; after: Resource[] }[] = [
  {
    name: 'RESERVE takes unreserved resources',
    before: [scalar('cpus', 4)],
    operation: { type: 'RESERVE', reserve: { resources: [reserved('cpus', 1)] } },
    after: [scalar('cpus', 3), reserved('cpus', 1)],
  },
  {
    name: 'RESERVE keeps the allocation',
    before: [scalar('cpus', 4, { allocation_info: { role: 'r' } })],
    operation: {
      type: 'RESERVE',
      reserve: { resources: [{ ...reserved('cpus', 4), allocation_info: { role: 'r' } }] },
    },
    after: [{ ...reserved('cpus', 4), allocation_info: { role: 'r' } }],
  },
  {
    name: 'RESERVE refines what is reserved for an ancestor',
    before: [reserved('cpus', 4, refined[0])],
    operation: { type: 'RESERVE', reserve: { resources: [reserved('cpus', 1, ...refined)] } },
    after: [reserved('cpus', 3, refined[0]), reserved('cpus', 1, ...refined)],
  },
  {
    name: 'RESERVE with a source replaces its reservations',
    before: [reserved('cpus', 4)],
    operation: {
      type: 'RESERVE',
      reserve: { source: [reserved('cpus', 1)], resources: [reserved('cpus', 1, { type: 'DYNAMIC', role: 'x' })] },
    },
    after: [reserved('cpus', 3), reserved('cpus', 1, { type: 'DYNAMIC', role: 'x' })],
  },
  {
    name: 'RESERVE understands the older form',
    before: [scalar('cpus', 4)],
    operation: {
      type: 'RESERVE',
      reserve: { resources: [scalar('cpus', 1, { role: 'r', reservation: { principal: 'p' } })] },
    },
    after: [scalar('cpus', 3), reserved('cpus', 1)],
  },
  {
    name: 'UNRESERVE takes off the innermost reservation',
    before: [reserved('cpus', 2, ...refined), reserved('mem', 5)],
    operation: { type: 'UNRESERVE', unreserve: { resources: [reserved('cpus', 1, ...refined), reserved('mem', 5)] } },
    after: [reserved('cpus', 1, ...refined), reserved('cpus', 1, refined[0]), scalar('mem', 5)],
  },
  {
    name: 'CREATE makes a volume of reserved disk',
    before: [reserved('disk', 30)],
    operation: { type: 'CREATE', create: { volumes: [volume(10)] } },
    after: [reserved('disk', 20), volume(10)],
  },
  {
    name: 'CREATE makes a shared volume of disk that is not shared',
    before: [reserved('disk', 30)],
    operation: { type: 'CREATE', create: { volumes: [volume(10, { shared: {} })] } },
    after: [reserved('disk', 20), volume(10, { shared: {} })],
  },
  {
    name: 'CREATE takes a MOUNT disk whole',
    before: [{ ...reserved('disk', 30), disk: { source: mount } }],
    operation: { type: 'CREATE', create: { volumes: [volume(30, { disk: { ...volume(0).disk, source: mount } })] } },
    after: [volume(30, { disk: { ...volume(0).disk, source: mount } })],
  },
  {
    name: 'DESTROY gives the disk back',
    before: [reserved('disk', 20), volume(10)],
    operation: { type: 'DESTROY', destroy: { volumes: [volume(10)] } },
    after: [reserved('disk', 30)],
  },
  {
    name: 'DESTROY of the only copy of a shared volume gives disk that is not shared',
    before: [volume(10, { shared: {} })],
    operation: { type: 'DESTROY', destroy: { volumes: [volume(10, { shared: {} })] } },
    after: [reserved('disk', 10)],
  },
  {
    name: 'GROW_VOLUME adds disk of its kind',
    before: [reserved('disk', 20), volume(10)],
    operation: { type: 'GROW_VOLUME', grow_volume: { volume: volume(10), addition: reserved('disk', 5) } },
    after: [reserved('disk', 15), volume(15)],
  },
  {
    name: 'SHRINK_VOLUME gives disk back',
    before: [volume(10)],
    operation: { type: 'SHRINK_VOLUME', shrink_volume: { volume: volume(10), subtract: { value: 4 } } },
    after: [volume(6), reserved('disk', 4)],
  },
]

for (const { name, before, operation, after } of accepted) {
  test(name, (t) => {
    const result = applyOperation(Resources.fromProto(before), operation)
    t.true(result.ok, result.ok ? '' : result.rejection.message)
    if (result.ok) t.true(result.value.equals(Resources.fromProto(after)), String(result.value))
  })
}

const refused: readonly { name: string; before: Resource[]; operation: OfferOperation; message: string }[] = [
  {
    name: 'RESERVE of more than there is',
    before: [scalar('cpus', 1)],
    operation: { type: 'RESERVE', reserve: { resources: [reserved('cpus', 2)] } },
    message: 'cpus:1 does not contain cpus:2',
  },
  {
    name: 'RESERVE of what is reserved for another role',
    before: [reserved('cpus', 4, { type: 'DYNAMIC', role: 'x' })],
    operation: { type: 'RESERVE', reserve: { resources: [reserved('cpus', 2)] } },
    message: 'cpus(reservations: [(DYNAMIC,x)]):4 does not contain cpus:2',
  },
  {
    name: 'RESERVE without a reservation',
    before: [scalar('cpus', 1)],
    operation: { type: 'RESERVE', reserve: { resources: [scalar('cpus', 1)] } },
    message: 'Resource cpus:1 is not dynamically reserved',
  },
  {
    name: 'RESERVE with a static reservation',
    before: [scalar('cpus', 1)],
    operation: { type: 'RESERVE', reserve: { resources: [scalar('cpus', 1, { role: 'r' })] } },
    message: 'Resource cpus(reservations: [(STATIC,r)]):1 is not dynamically reserved',
  },
  {
    name: 'RESERVE of another amount than its source',
    before: [reserved('cpus', 4)],
    operation: { type: 'RESERVE', reserve: { source: [reserved('cpus', 1)], resources: [reserved('cpus', 2)] } },
    message:
      'cpus(reservations: [(DYNAMIC,r,p)]):1 and cpus(reservations: [(DYNAMIC,r,p)]):2 differ in more than their reservations',
  },
  {
    name: 'UNRESERVE of a volume',
    before: [volume(1)],
    operation: { type: 'UNRESERVE', unreserve: { resources: [volume(1)] } },
    message:
      'A dynamically reserved persistent volume disk(reservations: [(DYNAMIC,r,p)])[v1:data]:1 cannot be unreserved directly. Please destroy the persistent volume first then unreserve the resource',
  },
  {
    name: 'UNRESERVE of a static reservation',
    before: [scalar('cpus', 1, { role: 'r' })],
    operation: { type: 'UNRESERVE', unreserve: { resources: [scalar('cpus', 1, { role: 'r' })] } },
    message: 'Resource cpus(reservations: [(STATIC,r)]):1 is not dynamically reserved',
  },
  {
    name: 'CREATE on unreserved disk',
    before: [scalar('disk', 30)],
    operation: { type: 'CREATE', create: { volumes: [volume(10, { reservations: [] })] } },
    message: 'Invalid DiskInfo: Persistent volumes cannot be created from unreserved resources',
  },
  {
    name: 'CREATE of what is no volume',
    before: [reserved('disk', 30)],
    operation: { type: 'CREATE', create: { volumes: [reserved('disk', 10)] } },
    message: "'disk(reservations: [(DYNAMIC,r,p)]):10' is not a persistent volume",
  },
  {
    name: 'CREATE on a part of a MOUNT disk',
    before: [{ ...reserved('disk', 30), disk: { source: mount } }],
    operation: { type: 'CREATE', create: { volumes: [volume(10, { disk: { ...volume(0).disk, source: mount } })] } },
    message:
      'disk(reservations: [(DYNAMIC,r,p)])[MOUNT:/m]:30 does not contain disk(reservations: [(DYNAMIC,r,p)])[MOUNT:/m]:10',
  },
  {
    name: 'DESTROY of a volume that is not there',
    before: [reserved('disk', 30)],
    operation: { type: 'DESTROY', destroy: { volumes: [volume(10)] } },
    message: 'disk(reservations: [(DYNAMIC,r,p)]):30 does not contain disk(reservations: [(DYNAMIC,r,p)])[v1:data]:10',
  },
  {
    name: 'DESTROY of one copy of a shared volume',
    before: [volume(10, { shared: {} }), volume(10, { shared: {} })],
    operation: { type: 'DESTROY', destroy: { volumes: [volume(10, { shared: {} })] } },
    message:
      'Persistent volume disk(reservations: [(DYNAMIC,r,p)])[v1:data]<SHARED>:10<1> cannot be removed due to additional shared copies',
  },
  {
    name: 'GROW_VOLUME by nothing',
    before: [reserved('disk', 20), volume(10)],
    operation: { type: 'GROW_VOLUME', grow_volume: { volume: volume(10), addition: reserved('disk', 0) } },
    message: "The size of 'addition' must be greater than zero",
  },
  {
    name: 'GROW_VOLUME by disk of another reservation',
    before: [scalar('disk', 20), volume(10)],
    operation: { type: 'GROW_VOLUME', grow_volume: { volume: volume(10), addition: scalar('disk', 5) } },
    message: 'Incompatible resources: disk(reservations: [(DYNAMIC,r,p)])[v1:data]:10 cannot grow by disk:5',
  },
  {
    name: 'GROW_VOLUME of a shared volume',
    before: [reserved('disk', 20), volume(10, { shared: {} })],
    operation: {
      type: 'GROW_VOLUME',
      grow_volume: { volume: volume(10, { shared: {} }), addition: reserved('disk', 5) },
    },
    message: 'Resizing a shared persistent volume is not supported',
  },
  {
    name: 'GROW_VOLUME of what is no volume',
    before: [reserved('disk', 20)],
    operation: { type: 'GROW_VOLUME', grow_volume: { volume: reserved('disk', 10), addition: reserved('disk', 5) } },
    message: "'disk(reservations: [(DYNAMIC,r,p)]):10' is not a persistent volume",
  },
  {
    name: 'SHRINK_VOLUME by nothing',
    before: [volume(10)],
    operation: { type: 'SHRINK_VOLUME', shrink_volume: { volume: volume(10), subtract: { value: 0 } } },
    message: "The size of 'subtract' must be greater than zero",
  },
  {
    name: 'SHRINK_VOLUME to nothing',
    before: [volume(10)],
    operation: { type: 'SHRINK_VOLUME', shrink_volume: { volume: volume(10), subtract: { value: 10 } } },
    message: "The size of 'subtract' must be smaller than that of the volume",
  },
  {
    name: 'SHRINK_VOLUME on a MOUNT disk',
    before: [volume(10, { disk: { ...volume(0).disk, source: mount } })],
    operation: {
      type: 'SHRINK_VOLUME',
      shrink_volume: { volume: volume(10, { disk: { ...volume(0).disk, source: mount } }), subtract: { value: 4 } },
    },
    message: 'Resizing a volume on a MOUNT disk is not supported',
  },
  {
    name: 'SHRINK_VOLUME of a provider',
    before: [],
    operation: {
      type: 'SHRINK_VOLUME',
      shrink_volume: { volume: volume(10, { provider_id: { value: 'x' } }), subtract: { value: 4 } },
    },
    message: 'Resizing a volume of a resource provider is not supported',
  },
  {
    name: 'an operation that is not known',
    before: [scalar('cpus', 1)],
    operation: { type: 'UNKNOWN' },
    message: 'an operation of type UNKNOWN does not convert resources',
  },
]

for (const { name, before, operation, message } of refused) {
  test(`${name} is refused`, (t) => {
    const result = applyOperation(Resources.fromProto(before), operation)
    t.deepEqual(result, { ok: false, rejection: { code: 'OPERATION_INVALID', message, type: operation.type } })
  })
}

for (const [type, field] of [
  ['RESERVE', 'reserve'],
  ['UNRESERVE', 'unreserve'],
  ['CREATE', 'create'],
  ['DESTROY', 'destroy'],
  ['GROW_VOLUME', 'grow_volume'],
  ['SHRINK_VOLUME', 'shrink_volume'],
] as const) {
  test(`${type} without its message is refused`, (t) => {
    const result = applyOperation(Resources.empty, { type })
    t.is(!result.ok && result.rejection.message, `Expecting '${field}' to be present`)
  })
}

function task(id: string, resources: Resource[], executor?: ExecutorInfo): TaskInfo {
  return { name: id, task_id: { value: id }, agent_id: { value: 'a' }, resources, executor }
}

const executor: ExecutorInfo = { type: 'CUSTOM', executor_id: { value: 'e' }, resources: [scalar('cpus', 0.1)] }

test('LAUNCH takes what its tasks need, and each new executor once', (t) => {
  const operation: OfferOperation = {
    type: 'LAUNCH',
    launch: {
      task_infos: [
        task('t1', [scalar('cpus', 1)], executor),
        task('t2', [scalar('cpus', 1), scalar('mem', 5)], executor),
      ],
    },
  }
  const bag = Resources.fromProto([scalar('cpus', 3), scalar('mem', 5)])
  const result = applyOperation(bag, operation)
  t.is(result.ok && String(result.value), 'cpus:0.9')
  const again = applyOperation(bag, operation, (id) => id === 'e')
  t.is(again.ok && String(again.value), 'cpus:1')
})

test('LAUNCH_GROUP takes what its tasks and its executor need', (t) => {
  const operation: OfferOperation = {
    type: 'LAUNCH_GROUP',
    launch_group: {
      executor,
      task_group: { tasks: [task('t1', [scalar('cpus', 1)]), task('t2', [scalar('cpus', 1)])] },
    },
  }
  t.is(String(launchResources(operation, () => false)), 'cpus:2.1')
  const result = applyOperation(Resources.fromProto([scalar('cpus', 2)]), operation)
  t.is(!result.ok && result.rejection.message, 'cpus:2 does not contain cpus:2.1')
})

test('safety_reserving and unreserving, creating and destroying give back what was there', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 10, max: 20 }), (part, whole) => {
      const start = Resources.fromProto([scalar('disk', whole), scalar('cpus', whole)])
      let bag = start
      const steps: OfferOperation[] = [
        { type: 'RESERVE', reserve: { resources: [reserved('disk', part), reserved('cpus', part)] } },
        { type: 'CREATE', create: { volumes: [volume(part)] } },
        { type: 'DESTROY', destroy: { volumes: [volume(part)] } },
        { type: 'UNRESERVE', unreserve: { resources: [reserved('disk', part), reserved('cpus', part)] } },
      ]
      for (const step of steps) {
        const result = applyOperation(bag, step)
        if (!result.ok) return t.fail(result.rejection.message)
        bag = result.value
        t.is(bag.diskMilli, start.diskMilli)
        t.is(bag.cpusMilli, start.cpusMilli)
      }
      t.true(bag.equals(start))
    }),
  )
})

test('volumes tell their id, their key and their disk', (t) => {
  t.true(isPersistentVolume(volume(1)))
  t.false(isPersistentVolume(reserved('disk', 1)))
  t.is(volumeId(volume(1)), 'v1')
  t.is(volumeId(scalar('cpus', 1)), undefined)
  t.is(volumeKey(volume(1)), 'r v1')
  t.deepEqual(diskOfVolume(volume(5, { shared: {} })), reserved('disk', 5))
  t.deepEqual(diskOfVolume(volume(5, { disk: { ...volume(0).disk, source: mount } })).disk, { source: mount })
})
