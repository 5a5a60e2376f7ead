import type { Resource } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import { validateDiskInfos, validateResources } from './validate.ts'

const cpus: Resource = { name: 'cpus', type: 'SCALAR', scalar: { value: 1 } }
const disk: Resource = { name: 'disk', type: 'SCALAR', scalar: { value: 1 } }
const range = (begin: number, end: number) => ({ begin, end })
const ports = (...list: readonly { begin: number; end: number }[]): Resource => ({
  name: 'ports',
  type: 'RANGES',
  ranges: { range: list },
})
const role = (name: string) => ({ type: 'DYNAMIC', role: name }) as const
const persistent = { persistence: { id: 'v1' }, volume: { mode: 'RW', container_path: 'c' } } as const

for (const [name, resource] of [
  ['a scalar', cpus],
  ['exactly 0', { ...cpus, scalar: { value: 0 } }],
  ['ranges that touch', ports(range(3, 4), range(1, 2))],
  ['no ranges', ports()],
  ['a set', { name: 'zones', type: 'SET', set: { item: ['a', 'b'] } }],
  ['a role', { ...cpus, role: 'a/b' }],
  ['the role *', { ...cpus, role: '*' }],
  ['an older dynamic reservation', { ...cpus, role: 'r', reservation: { principal: 'p' } }],
  ['a refined reservation', { ...cpus, reservations: [{ type: 'STATIC', role: 'a' }, role('a/b')] }],
  [
    'both forms that agree',
    { ...cpus, role: 'r', reservation: { principal: 'p' }, reservations: [{ ...role('r'), principal: 'p' }] },
  ],
  ['both forms of a static one', { ...cpus, role: 'r', reservations: [{ type: 'STATIC', role: 'r' }] }],
  ['a shared volume', { ...disk, reservations: [role('r')], disk: persistent, shared: {} }],
  ['a RAW disk', { ...disk, disk: { source: { type: 'RAW', profile: 'p' } } }],
] as const satisfies readonly (readonly [string, Resource])[]) {
  test(`${name} is valid`, (t) => {
    t.deepEqual(validateResources([resource]), { ok: true, value: undefined })
  })
}

const format = 'Invalid resource format:'
const list = "'Resource.reservations'"

for (const [shown, problem, resource] of [
  ['cpus:-1', 'Invalid scalar resource: value <= 0', { ...cpus, scalar: { value: -1 } }],
  ['cpus:0', 'Invalid scalar resource: value <= 0', { ...cpus, scalar: { value: 0.0001 } }],
  [
    'cpus(allocated: golden):-1',
    'Invalid scalar resource: value <= 0',
    { ...cpus, scalar: { value: -1 }, allocation_info: { role: 'golden' } },
  ],
  ['cpus:0', 'Invalid scalar resource: value <= 0', { ...cpus, scalar: { value: Number.NaN } }],
  ['cpus:10000000000000', 'Invalid scalar resource: value > 1000000000000', { ...cpus, scalar: { value: 1e13 } }],
  ['cpus:0', 'Invalid scalar resource', { name: 'cpus', type: 'SCALAR' }],
  ['cpus:1', 'Invalid scalar resource', { ...cpus, set: { item: ['a'] } }],
  ['gpus:1.5', "The 'gpus' resource must be an unsigned integer", { ...cpus, name: 'gpus', scalar: { value: 1.5 } }],
  [':1', 'Empty resource name', { ...cpus, name: '' }],
  ['x:0', 'Unsupported resource type', { name: 'x', type: 'TEXT' }],
  ['ports:0', 'Invalid ranges resource', { name: 'ports', type: 'RANGES' }],
  ['ports:0', 'Invalid ranges resource: begin > end', ports(range(3, 1))],
  ['ports:[1-5]', 'Invalid ranges resource: overlapping ranges', ports(range(1, 3), range(3, 5))],
  ['ports:[1-9]', 'Invalid ranges resource: overlapping ranges', ports(range(5, 6), range(1, 9))],
  ['ports:[1.5-2]', 'Invalid ranges resource: not whole numbers below 2^53', ports(range(1.5, 2))],
  ['zones:0', 'Invalid set resource', { name: 'zones', type: 'SET' }],
  ['zones:{a}', 'Invalid set resource: duplicated elements', { name: 'zones', type: 'SET', set: { item: ['a', 'a'] } }],
  ['cpus[v1:c]:1', 'DiskInfo should not be set for cpus resource', { ...cpus, disk: persistent }],
  [
    'disk[BLOCK:/m]:1',
    'Mount should not be set for BLOCK disk source',
    { ...disk, disk: { source: { type: 'BLOCK', mount: { root: '/m' } } } },
  ],
  [
    'disk[RAW:/m]:1',
    'Path should not be set for RAW disk source',
    { ...disk, disk: { source: { type: 'RAW', path: { root: '/m' } } } },
  ],
  [
    'disk[UNKNOWN]:1',
    "Unsupported 'DiskInfo.Source.Type' in 'UNKNOWN'",
    { ...disk, disk: { source: { type: 'UNKNOWN' } } },
  ],
  ['cpus<SHARED>:1<1>', 'Resource cpus cannot be shared', { ...cpus, shared: {} }],
  ['disk<SHARED>:1<1>', 'Only persistent volumes can be shared', { ...disk, shared: {} }],
  ['cpus(reservations: [(STATIC,/a)]):1', "Role '/a' cannot start with a slash", { ...cpus, role: '/a' }],
  ['cpus:1', 'Invalid reservation: role "*" cannot be dynamically reserved', { ...cpus, role: '*', reservation: {} }],
  ['cpus:1', 'Invalid reservation: role "*" cannot be dynamically reserved', { ...cpus, reservation: {} }],
  [
    'cpus(reservations: [(DYNAMIC,r)]):1',
    "'Resource.ReservationInfo.type' must not be set for the 'Resource.reservation' field",
    { ...cpus, role: 'r', reservation: { type: 'DYNAMIC' } },
  ],
  [
    'cpus(reservations: [(DYNAMIC,r)]):1',
    "'Resource.ReservationInfo.role' must not be set for the 'Resource.reservation' field",
    { ...cpus, role: 'r', reservation: { role: 'r' } },
  ],
  [
    'cpus(reservations: [(UNKNOWN,r)]):1',
    "Invalid reservation: 'Resource.ReservationInfo.type' field must be set.",
    { ...cpus, reservations: [{ role: 'r' }] },
  ],
  [
    'cpus(reservations: [(DYNAMIC,)]):1',
    "Invalid reservation: 'Resource.ReservationInfo.role' field must be set.",
    { ...cpus, reservations: [{ type: 'DYNAMIC' }] },
  ],
  [
    'cpus(reservations: [(DYNAMIC,*)]):1',
    'Invalid reservation: role "*" cannot be reserved',
    { ...cpus, reservations: [role('*')] },
  ],
  [
    'cpus(reservations: [(UNKNOWN,r)]):1',
    "Unsupported 'Resource.ReservationInfo.Type'",
    { ...cpus, reservations: [{ type: 'UNKNOWN', role: 'r' }] },
  ],
  [
    'cpus(reservations: [(DYNAMIC,a),(STATIC,a/b)]):1',
    'Invalid refined reservation: A refined reservation cannot be STATIC',
    { ...cpus, reservations: [role('a'), { type: 'STATIC', role: 'a/b' }] },
  ],
  [
    'cpus(reservations: [(DYNAMIC,a),(DYNAMIC,b)]):1',
    "Invalid refined reservation: role 'b' is not a refinement of 'a'",
    { ...cpus, reservations: [role('a'), role('b')] },
  ],
  [
    'cpus(reservations: [(DYNAMIC,r)]):1',
    `${format} 'Resource.role' field with 's' does not match the role 'r' in ${list}`,
    { ...cpus, role: 's', reservation: {}, reservations: [role('r')] },
  ],
  [
    'cpus(reservations: [(STATIC,r)]):1',
    `${format} 'Resource.reservation' must not be set if the single reservation in ${list} is STATIC`,
    { ...cpus, role: 'r', reservation: {}, reservations: [{ type: 'STATIC', role: 'r' }] },
  ],
  [
    'cpus(reservations: [(DYNAMIC,r)]):1',
    `${format} 'Resource.role' and 'Resource.reservation' must either be both set or both not set if the single reservation in ${list} is DYNAMIC`,
    { ...cpus, role: 'r', reservations: [role('r')] },
  ],
  [
    'cpus(reservations: [(DYNAMIC,r)]):1',
    `${format} 'Resource.reservation.principal' field with 'p' does not match the principal '' in ${list}`,
    { ...cpus, role: 'r', reservation: { principal: 'p' }, reservations: [role('r')] },
  ],
  [
    'cpus(reservations: [(DYNAMIC,a),(DYNAMIC,a/b)]):1',
    `${format} 'Resource.role' must not be set if there is more than one reservation in ${list}`,
    { ...cpus, role: 'a', reservations: [role('a'), role('a/b')] },
  ],
  [
    'cpus(reservations: [(DYNAMIC,a),(DYNAMIC,a/b)]):1',
    `${format} 'Resource.reservation' must not be set if there is more than one reservation in ${list}`,
    { ...cpus, reservation: {}, reservations: [role('a'), role('a/b')] },
  ],
] as const satisfies readonly (readonly [string, string, Resource])[]) {
  test(`${JSON.stringify(resource)} is refused: ${problem}`, (t) => {
    t.deepEqual(validateResources([cpus, resource]), {
      ok: false,
      rejection: {
        code: 'RESOURCE_INVALID',
        message: `Resource '${shown}' is invalid: ${problem}`,
        name: resource.name,
        position: 1,
        problem,
      },
    })
  })
}

for (const [problem, resource] of [
  ['Persistent volumes cannot be created from unreserved resources', { ...disk, disk: persistent }],
  ['Persistent volumes cannot be created from unreserved resources', { ...disk, role: '*', disk: persistent }],
  [
    'Persistent volumes cannot be created from revocable resources',
    { ...disk, role: 'r', revocable: {}, disk: persistent },
  ],
  ["Expecting 'volume' to be set for persistent volume", { ...disk, role: 'r', disk: { persistence: { id: 'v' } } }],
  [
    "Expecting 'host_path' to be unset for persistent volume",
    { ...disk, role: 'r', disk: { ...persistent, volume: { ...persistent.volume, host_path: '/h' } } },
  ],
  ['Non-persistent volume not supported', { ...disk, disk: { volume: persistent.volume } }],
  ['DiskInfo is set but empty', { ...disk, disk: {} }],
] as const satisfies readonly (readonly [string, Resource])[]) {
  test(`${JSON.stringify(resource)} is no good disk: ${problem}`, (t) => {
    t.deepEqual(validateDiskInfos([cpus, resource]), {
      ok: false,
      rejection: { code: 'DISK_INFO_INVALID', message: `Invalid DiskInfo: ${problem}`, position: 1, problem },
    })
  })
}

test('a volume on reserved disk and a disk with a source are good disks', (t) => {
  t.true(
    validateDiskInfos([{ ...disk, role: 'r', disk: persistent }, { ...disk, disk: { source: { type: 'PATH' } } }, cpus])
      .ok,
  )
})
