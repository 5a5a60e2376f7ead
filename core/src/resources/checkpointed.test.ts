import type { Resource } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import { madeByOperations, withKept } from './checkpointed.ts'
import { parseResources } from './parse.ts'
import { Resources } from './resources.ts'

const DYNAMIC = { type: 'DYNAMIC', role: 'r' } as const
const STATIC = { type: 'STATIC', role: 'r' } as const

function disk(sizeMb: number, rest: Partial<Resource> = {}): Resource {
  return { name: 'disk', type: 'SCALAR', scalar: { value: sizeMb }, ...rest }
}

function volume(sizeMb: number, id: string, rest: Partial<Resource> = {}): Resource {
  const { disk: own, ...others } = rest
  return disk(sizeMb, {
    reservations: [DYNAMIC],
    disk: { ...own, persistence: { id }, volume: { container_path: 'data', mode: 'RW' } },
    ...others,
  })
}

function bag(...list: Resource[]): Resources {
  return Resources.fromProto(list)
}

function parsed(text: string): Resources {
  const result = parseResources(text)
  if (!result.ok) throw new Error(result.rejection.message)
  return result.value
}

const PATH = { source: { type: 'PATH', path: { root: '/mnt/a' } } } as const
const MOUNT = { source: { type: 'MOUNT', mount: { root: '/mnt/b' } } } as const

const kept: readonly { name: string; configured: Resources; kept: Resources; total: string }[] = [
  { name: 'nothing', configured: parsed('cpus:4'), kept: bag(), total: 'cpus:4' },
  {
    name: 'a reservation',
    configured: parsed('disk:100'),
    kept: bag(disk(40, { reservations: [DYNAMIC] })),
    total: 'disk:60; disk(reservations: [(DYNAMIC,r)]):40',
  },
  {
    name: 'a volume and reserved disk beside it',
    configured: parsed('disk:100'),
    kept: bag(disk(10, { reservations: [DYNAMIC] }), volume(40, 'v')),
    total: 'disk:50; disk(reservations: [(DYNAMIC,r)]):10; disk(reservations: [(DYNAMIC,r)])[v:data]:40',
  },
  {
    name: 'a volume on statically reserved disk',
    configured: parsed('disk(r):100'),
    kept: bag(volume(40, 'v', { reservations: [STATIC] })),
    total: 'disk(reservations: [(STATIC,r)]):60; disk(reservations: [(STATIC,r)])[v:data]:40',
  },
  {
    name: 'a refinement of a static reservation',
    configured: parsed('disk(r):100'),
    kept: bag(disk(40, { reservations: [STATIC, { ...DYNAMIC, role: 'r/a' }] })),
    total: 'disk(reservations: [(STATIC,r)]):60; disk(reservations: [(STATIC,r),(DYNAMIC,r/a)]):40',
  },
  {
    name: 'a shared volume',
    configured: parsed('disk:100'),
    kept: bag(volume(100, 'v', { shared: {} })),
    total: 'disk(reservations: [(DYNAMIC,r)])[v:data]<SHARED>:100<1>',
  },
  {
    name: 'volumes on PATH and MOUNT disks',
    configured: bag(disk(100, { disk: PATH }), disk(50, { disk: MOUNT })),
    kept: bag(volume(40, 'v', { disk: PATH }), volume(50, 'w', { disk: MOUNT })),
    total:
      'disk[PATH:/mnt/a]:60; disk(reservations: [(DYNAMIC,r)])[PATH:/mnt/a,v:data]:40; disk(reservations: [(DYNAMIC,r)])[MOUNT:/mnt/b,w:data]:50',
  },
]

for (const { name, configured, kept: made, total } of kept) {
  test(`what was kept is laid over what is configured: ${name}`, (t) => {
    const result = withKept(configured, made)
    t.is(result.ok ? result.value.toString() : result.rejection.message, total)
    t.true(result.ok && madeByOperations(result.value).equals(made))
  })
}

const refused: readonly { name: string; configured: Resources; kept: Resources; message: string }[] = [
  {
    name: 'less than was reserved',
    configured: parsed('cpus:1'),
    kept: bag({ name: 'cpus', type: 'SCALAR', scalar: { value: 2 }, reservations: [DYNAMIC] }),
    message: 'cpus:1 does not contain cpus:2, of which cpus(reservations: [(DYNAMIC,r)]):2 was made',
  },
  {
    name: 'another static reservation',
    configured: parsed('disk(s):100'),
    kept: bag(volume(40, 'v', { reservations: [STATIC] })),
    message:
      'disk(reservations: [(STATIC,s)]):100 does not contain disk(reservations: [(STATIC,r)]):40, of which disk(reservations: [(STATIC,r)])[v:data]:40 was made',
  },
  {
    name: 'a MOUNT disk of another size',
    configured: bag(disk(60, { disk: MOUNT })),
    kept: bag(volume(50, 'v', { disk: MOUNT })),
    message:
      'disk[MOUNT:/mnt/b]:60 does not contain disk[MOUNT:/mnt/b]:50, of which disk(reservations: [(DYNAMIC,r)])[MOUNT:/mnt/b,v:data]:50 was made',
  },
  {
    name: 'two volumes that need more than there is together',
    configured: parsed('disk:100'),
    kept: bag(volume(60, 'v'), volume(60, 'w')),
    message: 'disk:40 does not contain disk:60, of which disk(reservations: [(DYNAMIC,r)])[w:data]:60 was made',
  },
]

for (const { name, configured, kept: made, message } of refused) {
  test(`flags that do not fit what was kept are refused with the difference: ${name}`, (t) => {
    const result = withKept(configured, made)
    t.is(result.ok ? undefined : result.rejection.message, message)
    t.is(result.ok ? undefined : result.rejection.code, 'RESOURCES_INCOMPATIBLE')
  })
}
