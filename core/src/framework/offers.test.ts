import type { Offer, Resource } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import fc from 'fast-check'
import { type Needs, OfferPool } from './offers.ts'

const RESERVED = { reservations: [{ type: 'DYNAMIC' as const, role: 'r' }] }

function scalar(name: string, value: number, more: Partial<Resource> = {}): Resource {
  return { name, type: 'SCALAR', scalar: { value }, ...more }
}

function ports(ranges: readonly (readonly [number, number])[], more: Partial<Resource> = {}): Resource {
  return { name: 'ports', type: 'RANGES', ranges: { range: ranges.map(([begin, end]) => ({ begin, end })) }, ...more }
}

function offerOf(resources: readonly Resource[]): Offer {
  return { id: { value: 'O' }, framework_id: { value: 'F' }, agent_id: { value: 'A' }, hostname: 'h', resources }
}

const cases: readonly {
  readonly title: string
  readonly offers: readonly (readonly Resource[])[]
  readonly needs: Needs
  readonly expected: { readonly resources: readonly Resource[]; readonly ports: readonly number[] } | undefined
}[] = [
  {
    title: 'what is reserved is taken first, over all offers',
    offers: [[scalar('cpus', 4)], [scalar('cpus', 2, RESERVED)]],
    needs: { cpus: 3 },
    expected: { resources: [scalar('cpus', 2, RESERVED), scalar('cpus', 1)], ports: [] },
  },
  {
    title: 'a reservation written in the older way, by role, counts as one',
    offers: [[scalar('mem', 10, { role: '*' }), scalar('mem', 10, { role: 'r' })]],
    needs: { memoryMb: 10 },
    expected: { resources: [scalar('mem', 10, { role: 'r' })], ports: [] },
  },
  {
    title: 'tenths add up exactly',
    offers: [[scalar('cpus', 0.1)], [scalar('cpus', 0.2)]],
    needs: { cpus: 0.3 },
    expected: { resources: [scalar('cpus', 0.1), scalar('cpus', 0.2)], ports: [] },
  },
  {
    title: 'ports side by side become one range',
    offers: [
      [
        ports([
          [5, 6],
          [7, 9],
          [20, 30],
        ]),
      ],
    ],
    needs: { portCount: 6 },
    expected: {
      resources: [
        ports([
          [5, 9],
          [20, 20],
        ]),
      ],
      ports: [5, 6, 7, 8, 9, 20],
    },
  },
  {
    title: 'reserved ports are taken first and stay a resource of their own',
    offers: [[ports([[1, 2]]), ports([[8, 8]], RESERVED)]],
    needs: { portCount: 2 },
    expected: { resources: [ports([[8, 8]], RESERVED), ports([[1, 1]])], ports: [8, 1] },
  },
  {
    title: 'all kinds are taken together',
    offers: [[scalar('cpus', 1), scalar('mem', 64), scalar('disk', 9), ports([[1, 1]])]],
    needs: { cpus: 1, memoryMb: 64, diskMb: 9, portCount: 1 },
    expected: {
      resources: [scalar('cpus', 1), scalar('mem', 64), scalar('disk', 9), ports([[1, 1]])],
      ports: [1],
    },
  },
  {
    title: 'nothing is needed, nothing is taken',
    offers: [[scalar('cpus', 1)]],
    needs: {},
    expected: { resources: [], ports: [] },
  },
  {
    title: 'too little of one kind is refused',
    offers: [[scalar('cpus', 9)]],
    needs: { cpus: 1, memoryMb: 1 },
    expected: undefined,
  },
  { title: 'too few ports are refused', offers: [[ports([[1, 2]])]], needs: { portCount: 3 }, expected: undefined },
  {
    title: 'revocable and shared resources and volumes are not touched',
    offers: [
      [
        scalar('cpus', 8, { revocable: {} }),
        scalar('disk', 8, { shared: {} }),
        scalar('disk', 8, { disk: { persistence: { id: 'p' } } }),
      ],
    ],
    needs: { diskMb: 1 },
    expected: undefined,
  },
]

for (const { title, offers, needs, expected } of cases) {
  test(title, (t) => t.deepEqual(new OfferPool(offers.map(offerOf)).take(needs), expected))
}

test('nothing is taken when a part is missing', (t) => {
  const pool = new OfferPool([offerOf([scalar('cpus', 2), scalar('mem', 10), ports([[1, 3]])])])
  t.is(pool.take({ cpus: 1, memoryMb: 10, portCount: 4 }), undefined)
  t.deepEqual([pool.scalar('cpus'), pool.scalar('mem'), pool.portCount], [2, 10, 3])
})

test('an offer without resources holds nothing', (t) => {
  const pool = new OfferPool([{ ...offerOf([]), resources: undefined }])
  t.deepEqual([pool.scalar('cpus'), pool.portCount], [0, 0])
})

test('the offer itself is left as it is', (t) => {
  const resources = [scalar('cpus', 2), ports([[1, 3]])]
  const copy = structuredClone(resources)
  new OfferPool([offerOf(resources)]).take({ cpus: 1, portCount: 2 })
  t.deepEqual(resources, copy)
})

const milli = fc.integer({ min: 0, max: 5_000 }).map((value) => value / 1000)
const anyOffer = fc
  .record({
    cpus: milli,
    reserved: milli,
    mem: milli,
    first: fc.integer({ min: 0, max: 9 }),
    count: fc.integer({ min: 1, max: 9 }),
  })
  .map(({ cpus, reserved, mem, first, count }) => [
    scalar('cpus', cpus),
    scalar('cpus', reserved, RESERVED),
    scalar('mem', mem),
    ports([[first, first + count - 1]]),
  ])
const anyNeeds: fc.Arbitrary<Needs> = fc.record({
  cpus: milli,
  memoryMb: milli,
  portCount: fc.integer({ min: 0, max: 5 }),
})

function sum(resources: readonly Resource[], name: string): number {
  return resources.reduce((total, resource) => {
    return resource.name === name ? total + Math.round((resource.scalar?.value ?? 0) * 1000) : total
  }, 0)
}

test('safety_: what is taken and what is left make the offer, and no port is given twice', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(anyOffer, anyOffer, fc.array(anyNeeds, { maxLength: 8 }), (first, second, wishes) => {
        // Ports of two offers of one agent never overlap.
        const other = second.map((resource) => (resource.name === 'ports' ? ports([[100, 104]]) : resource))
        const pool = new OfferPool([offerOf(first), offerOf(other)])
        const all = [...first, ...other]
        const portsAtFirst = pool.portCount
        const taken: Resource[] = []
        const given: number[] = []
        for (const needs of wishes) {
          const cut = pool.take(needs)
          if (cut === undefined) continue
          if (sum(cut.resources, 'cpus') !== Math.round((needs.cpus ?? 0) * 1000)) return false
          if (cut.ports.length !== needs.portCount) return false
          taken.push(...cut.resources)
          given.push(...cut.ports)
        }
        const adds = ['cpus', 'mem'].every((name) => {
          return sum(taken, name) + Math.round(pool.scalar(name) * 1000) === sum(all, name)
        })
        return adds && new Set(given).size === given.length && given.length + pool.portCount === portsAtFirst
      }),
      { numRuns: 500 },
    ),
  )
})
