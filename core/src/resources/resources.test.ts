import type { Resource, ResourceReservationInfo } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import fc from 'fast-check'
import { parseResources } from './parse.ts'
import { Resources } from './resources.ts'

function bag(text: string): Resources {
  const parsed = parseResources(text)
  if (!parsed.ok) throw new Error(parsed.rejection.message)
  return parsed.value
}

function scalar(name: string, value: number, rest: Partial<Resource> = {}): Resource {
  return { name, type: 'SCALAR', scalar: { value }, ...rest }
}

function of(...list: readonly Resource[]): Resources {
  return Resources.fromProto(list)
}

const dynamic: ResourceReservationInfo = { type: 'DYNAMIC', role: 'r', principal: 'p' }

function volume(id: string, sizeMb = 10, rest: Partial<Resource> = {}): Resource {
  const disk = { persistence: { id }, volume: { mode: 'RW', container_path: 'data' } } as const
  return scalar('disk', sizeMb, { reservations: [dynamic], disk, ...rest })
}

test('the same kind adds up, what is nothing is left out', (t) => {
  const all = of(scalar('cpus', 1), scalar('mem', 0), scalar('cpus', 0.5), scalar('gpus', -1), scalar('x', 0.0004))
  t.is(String(all), 'cpus:1.5')
  t.is(all.size, 1)
})

test('values of no known type and not-a-numbers are left out', (t) => {
  t.true(
    of(
      scalar('cpus', Number.NaN),
      { name: 'x', type: 'TEXT' },
      { name: 'y', type: 'SET' },
      { name: 'z', type: 'RANGES' },
    ).isEmpty,
  )
})

for (const [a, b, sum, difference] of [
  ['cpus:4;mem:1024', 'cpus:1;mem:24', 'cpus:5; mem:1048', 'cpus:3; mem:1000'],
  ['cpus:4', 'mem:1', 'cpus:4; mem:1', 'cpus:4'],
  ['cpus:4', 'cpus:4', 'cpus:8', '{}'],
  ['cpus:4', 'cpus:0.1', 'cpus:4.1', 'cpus:3.9'],
  ['cpus:0.1', 'cpus:0.2', 'cpus:0.3', '{}'],
  ['cpus:1', 'cpus(r):1', 'cpus:1; cpus(reservations: [(STATIC,r)]):1', 'cpus:1'],
  ['ports:[1-10]', 'ports:[5-6,20-21]', 'ports:[1-10, 20-21]', 'ports:[1-4, 7-10]'],
  ['zones:{a,b}', 'zones:{b,c}', 'zones:{a, b, c}', 'zones:{a}'],
  ['', 'cpus:1', 'cpus:1', '{}'],
  ['cpus:1', '', 'cpus:1', 'cpus:1'],
] as const) {
  test(`'${a}' and '${b}': sum ${sum}, difference ${difference}`, (t) => {
    t.is(String(bag(a).plus(bag(b))), sum)
    t.is(String(bag(a).minus(bag(b))), difference)
  })
}

for (const [whole, part, expected] of [
  ['cpus:4;mem:10', 'cpus:4', true],
  ['cpus:4', 'cpus:4.001', false],
  ['cpus:4', 'cpus:1;mem:1', false],
  ['cpus(r):4', 'cpus:1', false],
  ['cpus:4', '', true],
  ['', 'cpus:1', false],
  ['ports:[1-10]', 'ports:[2-3,9-10]', true],
  ['ports:[1-10]', 'ports:[10-11]', false],
  ['zones:{a,b}', 'zones:{b}', true],
  ['zones:{a,b}', 'zones:{c}', false],
] as const) {
  test(`'${whole}' ${expected ? 'contains' : 'does not contain'} '${part}'`, (t) => {
    t.is(bag(whole).contains(bag(part)), expected)
  })
}

test('the same name with another type is another kind', (t) => {
  const cpus = of(scalar('cpus', 1))
  const odd = of({ name: 'cpus', type: 'RANGES', ranges: { range: [{ begin: 1, end: 1 }] } })
  t.is(String(cpus.plus(odd)), 'cpus:1; cpus:[1-1]')
  t.false(cpus.contains(odd))
})

test('an empty bag is one object', (t) => {
  t.is(Resources.fromProto([]), Resources.empty)
  t.is(Resources.fromProto(undefined), Resources.empty)
  t.is(bag('cpus:1').minus(bag('cpus:1')), Resources.empty)
  t.is(Resources.empty.allocate('r'), Resources.empty)
  t.is(String(Resources.empty), '{}')
})

test('resources are printed as Mesos prints them', (t) => {
  const all = of(
    scalar('cpus', 99, { allocation_info: { role: 'golden' } }),
    scalar('cpus', 0.1, { allocation_info: { role: 'golden' }, reservations: [{ type: 'DYNAMIC', role: 'golden' }] }),
    scalar('mem', 1, { reservations: [{ ...dynamic, labels: { labels: [{ key: 'a', value: 'b' }, { key: 'c' }] } }] }),
    scalar('mem', 2, {
      reservations: [
        { type: 'STATIC', role: 'r' },
        { type: 'DYNAMIC', role: 'r/s' },
      ],
    }),
    scalar('cpus', 3, { revocable: {} }),
    volume('v1', 5, { shared: {} }),
    volume('v1', 5, { shared: {} }),
    scalar('disk', 6, { disk: { source: { type: 'MOUNT', mount: { root: '/mnt' } } } }),
    volume('v2', 7, { disk: { source: { type: 'PATH', path: { root: '/p' } }, persistence: { id: 'v2' } } }),
    volume('v3', 8, {
      disk: { persistence: { id: 'v3' }, volume: { mode: 'RO', container_path: 'c', host_path: '/h' } },
    }),
    scalar('disk', 9, { disk: { source: { type: 'RAW', id: 'x', vendor: 'v', profile: 'p' } } }),
  )
  t.deepEqual(String(all).split('; '), [
    'cpus(allocated: golden):99',
    'cpus(allocated: golden)(reservations: [(DYNAMIC,golden)]):0.1',
    'mem(reservations: [(DYNAMIC,r,p,{a: b, c})]):1',
    'mem(reservations: [(STATIC,r),(DYNAMIC,r/s)]):2',
    'cpus{REV}:3',
    'disk(reservations: [(DYNAMIC,r,p)])[v1:data]<SHARED>:5<2>',
    'disk[MOUNT:/mnt]:6',
    'disk(reservations: [(DYNAMIC,r,p)])[PATH:/p,v2]:7',
    'disk(reservations: [(DYNAMIC,r,p)])[v3:/h:c:ro]:8',
    'disk[RAW(v,x,p)]:9',
  ])
})

for (const [name, a, b] of [
  ['allocation', { allocation_info: { role: 'a' } }, { allocation_info: { role: 'b' } }],
  [
    'reservation type',
    { reservations: [{ type: 'STATIC', role: 'r' }] },
    { reservations: [{ type: 'DYNAMIC', role: 'r' }] },
  ],
  ['principal', { reservations: [dynamic] }, { reservations: [{ type: 'DYNAMIC', role: 'r' }] }],
  ['labels', { reservations: [{ ...dynamic, labels: { labels: [] } }] }, { reservations: [dynamic] }],
  ['depth', { reservations: [dynamic] }, { reservations: [dynamic, { type: 'DYNAMIC', role: 'r/s' }] }],
  ['revocable', { revocable: {} }, {}],
  ['provider', { provider_id: { value: 'x' } }, {}],
  [
    'disk source',
    { disk: { source: { type: 'PATH', path: { root: '/a' } } } },
    { disk: { source: { type: 'PATH', path: { root: '/b' } } } },
  ],
] as const satisfies readonly (readonly [string, Partial<Resource>, Partial<Resource>])[]) {
  test(`amounts of different ${name} stand side by side`, (t) => {
    const [one, other] = [of(scalar('disk', 1, a)), of(scalar('disk', 1, b))]
    t.is(one.plus(other).size, 2)
    t.false(one.contains(other))
    t.false(one.equals(other))
    t.true(one.plus(one).equals(of(scalar('disk', 2, a))))
  })
}

test('the order of labels does not matter', (t) => {
  const labelled = (...keys: string[]) =>
    of(scalar('cpus', 1, { reservations: [{ ...dynamic, labels: { labels: keys.map((key) => ({ key })) } }] }))
  t.true(labelled('a', 'b').equals(labelled('b', 'a')))
  t.false(labelled('a', 'b').equals(labelled('a', 'c')))
})

test('both forms of a reservation are the same kind', (t) => {
  const older = of(scalar('cpus', 1, { role: 'r', reservation: { principal: 'p' } }))
  const stack = of(scalar('cpus', 1, { reservations: [dynamic] }))
  t.true(older.equals(stack))
  t.deepEqual(older.toProto(), stack.toProto())
})

test('texts with odd characters do not make two kinds one', (t) => {
  const tricky = [
    scalar('a', 1, { allocation_info: { role: 'b' } }),
    scalar('a@1:b', 1),
    scalar('a', 1, { reservations: [{ type: 'DYNAMIC', role: 'b', principal: 'c-' }] }),
    scalar('a', 1, { reservations: [{ type: 'DYNAMIC', role: 'b-', principal: 'c' }] }),
    scalar('a', 1, { reservations: [{ type: 'DYNAMIC', role: 'b', principal: '' }] }),
    scalar('a', 1, { reservations: [{ type: 'DYNAMIC', role: 'b' }] }),
  ]
  t.is(of(...tricky).size, tricky.length)
})

for (const [name, one] of [
  ['a persistent volume', volume('v1', 10)],
  ['a MOUNT disk', scalar('disk', 10, { disk: { source: { type: 'MOUNT', mount: { root: '/m' } } } })],
  ['a BLOCK disk', scalar('disk', 10, { disk: { source: { type: 'BLOCK', id: 'b' } } })],
  ['a RAW disk with an id', scalar('disk', 10, { disk: { source: { type: 'RAW', id: 'b' } } })],
] as const) {
  test(`${name} is whole: it never merges and is not cut`, (t) => {
    const half = of({ ...one, scalar: { value: 5 } })
    const whole = of(one)
    t.false(whole.contains(half))
    t.true(whole.minus(half).equals(whole))
    t.is(half.plus(half).toProto().length, 2)
    t.false(half.plus(half).equals(whole))
    t.is(half.plus(half).diskMilli, 10_000)
    t.true(whole.plus(half).minus(whole).equals(half))
  })
}

for (const [name, one] of [
  ['a PATH disk', scalar('disk', 10, { disk: { source: { type: 'PATH', path: { root: '/m' } } } })],
  ['a RAW disk without an id', scalar('disk', 10, { disk: { source: { type: 'RAW', profile: 'p' } } })],
] as const) {
  test(`${name} is divisible`, (t) => {
    const half = of({ ...one, scalar: { value: 5 } })
    t.true(half.plus(half).equals(of(one)))
    t.true(of(one).minus(half).equals(half))
  })
}

test('how a volume is mounted and who made it is no part of what it is', (t) => {
  const elsewhere = volume('v1', 10, {
    disk: { persistence: { id: 'v1', principal: 'x' }, volume: { mode: 'RO', container_path: 'other' } },
  })
  t.true(of(volume('v1')).contains(of(elsewhere)))
  t.deepEqual(of(elsewhere).toProto(), [elsewhere])
  t.deepEqual(of(volume('v1')).toProto(), [volume('v1')])
})

test('shared resources are counted by copies', (t) => {
  const one = of(volume('v1', 10, { shared: {} }))
  const three = one.plus(one).plus(one)
  t.is(three.size, 1)
  t.is(three.toProto().length, 3)
  t.is(three.countOf(one), 3)
  t.is(three.milli('disk'), 10_000)
  t.is(three.quantities().get('disk'), 10_000)
  t.true(three.contains(one.plus(one)))
  t.false(one.contains(one.plus(one)))
  t.true(three.minus(one).equals(one.plus(one)))
  t.true(one.minus(one).isEmpty)
  t.is(one.countOf(of(volume('v2'))), 0)
  t.false(one.contains(of(volume('v1', 10))))
})

test('an allocation goes on all and comes off all', (t) => {
  const free = of(scalar('cpus', 4), scalar('mem', 10, { reservations: [dynamic] }), volume('v1'))
  const held = free.allocate('r')
  t.is(held.allocationRole, 'r')
  t.true(held.toProto().every((resource) => resource.allocation_info?.role === 'r'))
  t.true(held.unallocate().equals(free))
  t.false(held.equals(free))
  t.is(held.allocate('s').allocationRole, 's')
  t.is(held.allocate('r'), held)
  t.is(free.unallocate(), free)
  t.is(free.allocationRole, undefined)
})

test('amounts that differed only in their allocation become one', (t) => {
  const mixed = of(scalar('cpus', 1))
    .allocate('a')
    .plus(of(scalar('cpus', 2)).allocate('b'))
    .plus(bag('cpus:4'))
  t.is(mixed.size, 3)
  t.is(mixed.allocationRole, undefined)
  t.is(String(mixed.unallocate()), 'cpus:7')
  t.is(String(mixed.allocate('c')), 'cpus(allocated: c):7')
  t.deepEqual(
    [...mixed.allocations()].map(([role, part]) => [role, part.cpusMilli]),
    [
      ['a', 1_000],
      ['b', 2_000],
    ],
  )
  t.is(String(mixed.allocatedTo('b')), 'cpus(allocated: b):2')
})

test('reservations are found by role', (t) => {
  const all = of(
    scalar('cpus', 1),
    scalar('cpus', 2, { reservations: [{ type: 'STATIC', role: 'a' }] }),
    scalar('cpus', 4, {
      reservations: [
        { type: 'STATIC', role: 'a' },
        { type: 'DYNAMIC', role: 'a/b' },
      ],
    }),
    scalar('cpus', 8, { reservations: [{ type: 'DYNAMIC', role: 'c' }] }),
  )
  const milli = (part: Resources) => part.cpusMilli / 1_000
  t.is(milli(all.unreserved()), 1)
  t.is(milli(all.reserved()), 14)
  t.is(milli(all.reserved('a')), 2)
  t.is(milli(all.reserved('a/b')), 4)
  t.is(milli(all.reservedToSubtree('a')), 6)
  t.deepEqual(
    [...all.reservations()].map(([role, part]) => [role, milli(part)]),
    [
      ['a', 2],
      ['a/b', 4],
      ['c', 8],
    ],
  )
  t.is(milli(all.allocatableTo('a')), 3)
  t.is(milli(all.allocatableTo('a/b')), 7)
  t.is(milli(all.allocatableTo('a/b/x')), 7)
  t.is(milli(all.allocatableTo('ab')), 1)
  t.is(milli(all.allocatableTo('*')), 1)
  t.true(all.hasRefinedReservations)
  t.false(all.reserved('a').hasRefinedReservations)
  t.is(String(all.toUnreserved()), 'cpus:15')
  t.is(
    String(all.reserved('a').pushReservation({ type: 'DYNAMIC', role: 'a/x' }).popReservation()),
    String(all.reserved('a')),
  )
  t.is(bag('cpus:1').reservations().size, 0)
})

test('parts by property', (t) => {
  const all = of(
    scalar('cpus', 1),
    scalar('cpus', 2, { revocable: {} }),
    volume('v1', 4),
    volume('v2', 8, { shared: {} }),
    { name: 'ports', type: 'RANGES', ranges: { range: [{ begin: 1, end: 3 }] } },
    { name: 'zones', type: 'SET', set: { item: ['a'] } },
  )
  t.is(String(all.revocable()), 'cpus{REV}:2')
  t.is(all.nonRevocable().size, 5)
  t.is(all.shared().diskMilli, 8_000)
  t.is(all.nonShared().size, 5)
  t.is(all.persistentVolumes().diskMilli, 12_000)
  t.is(all.scalars().size, 4)
  t.is(String(all.nonScalars()), 'ports:[1-3]; zones:{a}')
  t.is(all.named('cpus').size, 2)
  t.is(String(all.filter((template) => template.name === 'zones')), 'zones:{a}')
  t.deepEqual([...all.names], ['cpus', 'disk', 'ports', 'zones'])
  t.deepEqual(
    [...all.quantities()],
    [
      ['cpus', 3_000],
      ['disk', 12_000],
      ['ports', 3_000],
      ['zones', 1_000],
    ],
  )
  t.deepEqual(all.ports, [{ begin: 1, end: 3 }])
  t.is(all.milli('ports'), 0)
  const plain = bag('cpus:1')
  for (const part of [
    plain.unreserved(),
    plain.nonRevocable(),
    plain.nonShared(),
    plain.scalars(),
    plain.allocatableTo('r'),
  ])
    t.is(part, plain)
  for (const part of [
    plain.reserved(),
    plain.revocable(),
    plain.shared(),
    plain.persistentVolumes(),
    plain.nonScalars(),
  ])
    t.is(part, Resources.empty)
})

test('scalars by name', (t) => {
  const all = bag('cpus:1.5;cpus(r):1;mem:10;gpus:2;disk:3')
  t.deepEqual([all.cpusMilli, all.memMilli, all.gpusMilli, all.diskMilli], [2_500, 10_000, 2_000, 3_000])
  t.is(all.milli('bananas'), 0)
})

test('frameworks without RESERVATION_REFINEMENT see role and reservation, with * for unreserved', (t) => {
  const all = of(scalar('cpus', 1), scalar('mem', 2, { reservations: [dynamic] })).allocate('r')
  t.deepEqual(all.toPreRefinementProto(), [
    scalar('cpus', 1, { allocation_info: { role: 'r' }, role: '*' }),
    scalar('mem', 2, { allocation_info: { role: 'r' }, role: 'r', reservation: { principal: 'p' } }),
  ])
})

test('entries show kind and amount', (t) => {
  const all = of(scalar('cpus', 4), volume('v1', 10, { shared: {} }), volume('v1', 10, { shared: {} }))
  const [cpus, shared] = [...all.entries()]
  t.deepEqual(cpus?.template, { name: 'cpus', type: 'SCALAR' })
  t.deepEqual(cpus?.amount, { kind: 'scalar', milli: 4_000 })
  t.is(cpus?.copies, 1)
  t.deepEqual(shared?.amount, { kind: 'scalar', milli: 10_000 })
  t.is(shared?.copies, 2)
  t.not(cpus?.key, shared?.key)
})

test('each scalar is visited once, shared ones with all their copies', (t) => {
  const all = of(
    scalar('cpus', 1),
    scalar('cpus', 2, { revocable: {} }),
    volume('v1', 4, { shared: {} }),
    volume('v1', 4, { shared: {} }),
  )
  const seen: unknown[] = []
  all.plus(bag('ports:[1-2]')).eachScalar((kind, milli) => seen.push([kind.name, kind.isRevocable, milli]))
  t.deepEqual(seen, [
    ['cpus', false, 1_000],
    ['cpus', true, 2_000],
    ['disk', false, 8_000],
  ])
})

// Random bags: few kinds, so that they meet.

const kinds: readonly Partial<Resource>[] = [
  {},
  { allocation_info: { role: 'a' } },
  { reservations: [dynamic] },
  { reservations: [dynamic], allocation_info: { role: 'a' } },
  {
    reservations: [
      { type: 'STATIC', role: 'r' },
      { type: 'DYNAMIC', role: 'r/s' },
    ],
  },
  { revocable: {} },
]
const anyScalar = fc
  .tuple(fc.constantFrom('cpus', 'mem', 'disk'), fc.integer({ min: 1, max: 5_000 }), fc.constantFrom(...kinds))
  .map(([name, milli, rest]) => scalar(name, milli / 1_000, rest))
const anyRanges = fc.array(fc.tuple(fc.nat(40), fc.nat(5)), { minLength: 1, maxLength: 4 }).map(
  (list): Resource => ({
    name: 'ports',
    type: 'RANGES',
    ranges: { range: list.map(([begin, more]) => ({ begin, end: begin + more })) },
  }),
)
const anySet = fc
  .uniqueArray(fc.constantFrom('a', 'b', 'c'), { minLength: 1 })
  .map((item): Resource => ({ name: 'zones', type: 'SET', set: { item } }))
const anyShared = fc.constantFrom('v1', 'v2').map((id) => volume(id, 10, { shared: {} }))
const anyBag = fc
  .array(fc.oneof({ weight: 5, arbitrary: anyScalar }, anyRanges, anySet, anyShared), { maxLength: 16 })
  .map((list) => Resources.fromProto(list))
/** Without ranges and sets, whose union forgets what both had. */
const addable = anyBag.map((all) => all.scalars())

test('safety_a + b - b = a', (t) => {
  fc.assert(
    fc.property(addable, addable, (a, b) => {
      t.true(a.plus(b).minus(b).equals(a))
      t.true(a.plus(b).contains(a))
    }),
  )
})

test('safety_a + b = b + a, and the order of three does not matter', (t) => {
  fc.assert(
    fc.property(anyBag, anyBag, anyBag, (a, b, c) => {
      t.true(a.plus(b).equals(b.plus(a)))
      t.true(
        a
          .plus(b)
          .plus(c)
          .equals(a.plus(b.plus(c))),
      )
    }),
  )
})

test('safety_a contains b exactly when taking b out and putting it back gives a', (t) => {
  fc.assert(
    fc.property(anyBag, anyBag, (a, b) => {
      t.is(a.contains(b), a.minus(b).plus(b).equals(a))
      t.true(a.contains(a.minus(b)))
      t.true(a.plus(b).contains(b))
    }),
  )
})

test('safety_equal bags contain each other, and the other way round', (t) => {
  fc.assert(fc.property(anyBag, anyBag, (a, b) => t.is(a.equals(b), a.contains(b) && b.contains(a))))
})

test('safety_messages of a bag make the same bag, and their form is stable', (t) => {
  fc.assert(
    fc.property(anyBag, (a) => {
      const messages = a.toProto()
      t.true(Resources.fromProto(messages).equals(a))
      t.deepEqual(Resources.fromProto(messages).toProto(), messages)
      t.true(Resources.fromProto(a.toPreRefinementProto()).equals(a))
      t.true(Resources.fromProto(messages.toReversed()).equals(a))
    }),
  )
})

test('safety_quantities add up and do not depend on allocation or reservation', (t) => {
  fc.assert(
    fc.property(
      addable.map((all) => all.nonShared()),
      addable.map((all) => all.nonShared()),
      (a, b) => {
        for (const name of ['cpus', 'mem', 'disk']) {
          t.is(a.plus(b).milli(name), a.milli(name) + b.milli(name))
          t.is(a.toUnreserved().allocate('x').milli(name), a.milli(name))
          t.is(a.quantities().get(name) ?? 0, a.milli(name))
        }
      },
    ),
  )
})

test('safety_a bag is the sum of its reserved and unreserved, revocable and other parts', (t) => {
  fc.assert(
    fc.property(anyBag, (a) => {
      t.true(a.unreserved().plus(a.reserved()).equals(a))
      t.true(a.revocable().plus(a.nonRevocable()).equals(a))
      t.true(a.shared().plus(a.nonShared()).equals(a))
      t.true(a.scalars().plus(a.nonScalars()).equals(a))
      let sum = a.unreserved()
      for (const part of a.reservations().values()) sum = sum.plus(part)
      t.true(sum.equals(a))
    }),
  )
})

test('safety_no operation changes the bags it was given', (t) => {
  fc.assert(
    fc.property(anyBag, anyBag, (a, b) => {
      const before = [String(a), String(b)]
      a.plus(b).minus(a)
      a.minus(b).plus(a)
      a.allocate('x').unallocate()
      a.toUnreserved()
      t.deepEqual([String(a), String(b)], before)
    }),
  )
})

test('safety_long bags do what short ones do', (t) => {
  const long = (count: number) =>
    of(
      ...Array.from({ length: count }, (_, at) =>
        scalar('cpus', 1, { reservations: [{ ...dynamic, role: `r${at}` }] }),
      ),
    )
  const [many, some] = [long(50), long(20)]
  t.is(many.size, 50)
  t.true(many.contains(some))
  t.false(some.contains(many))
  t.is(many.minus(some).size, 30)
  t.true(many.minus(some).plus(some).equals(many))
  t.is(many.plus(some).cpusMilli, 70_000)
  t.true(many.allocate('x').unallocate().equals(many))
  t.is(many.reserved('r7').cpusMilli, 1_000)
})
