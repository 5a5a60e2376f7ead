import type { Resource } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import { isIndivisible, isSameKind, kindOf } from './kind.ts'
import { Resources } from './resources.ts'

function cpus(rest: Partial<Resource> = {}): Resource {
  return { name: 'cpus', type: 'SCALAR', scalar: { value: 1 }, ...rest }
}

function reserved(role: string): Resource {
  return cpus({ reservations: [{ type: 'DYNAMIC', role, principal: 'p' }] })
}

test('the same kind is the same object, allocated or not', (t) => {
  t.is(kindOf(cpus(), 1), kindOf(cpus({ role: '*' }), 2))
  t.is(kindOf(reserved('r'), 1), kindOf(cpus({ role: 'r', reservation: { principal: 'p' } }), 1))
  const held = kindOf(cpus({ allocation_info: { role: 'a' } }), 1)
  t.is(held, kindOf(cpus(), 1).allocate('a'))
  t.is(held.unallocate(), kindOf(cpus(), 1))
  t.is(held.allocate('a'), held)
  t.false(isSameKind(held, held.unallocate()))
  t.false(isSameKind(held, held.allocate('b')))
})

test('a volume mounted elsewhere is the same kind with its own template', (t) => {
  const volume = (path: string): Resource => ({
    ...reserved('r'),
    name: 'disk',
    disk: { persistence: { id: 'v1' }, volume: { mode: 'RW', container_path: path } },
  })
  const [here, there] = [kindOf(volume('here'), 10), kindOf(volume('there'), 10)]
  t.true(isSameKind(here, there))
  t.is(there.template.disk?.volume?.container_path, 'there')
  t.false(isSameKind(here, kindOf(volume('here'), 11)))
  t.is(here.text, 'disk(reservations: [(DYNAMIC,r,p)])[v1:here]')
})

for (const [expected, name, resource] of [
  [false, 'cpus', cpus()],
  [true, 'a shared resource', cpus({ shared: {} })],
  [true, 'a volume', cpus({ disk: { persistence: { id: 'v' } } })],
  [true, 'a MOUNT disk', cpus({ disk: { source: { type: 'MOUNT' } } })],
  [true, 'a BLOCK disk', cpus({ disk: { source: { type: 'BLOCK' } } })],
  [true, 'a RAW disk with an id', cpus({ disk: { source: { type: 'RAW', id: 'x' } } })],
  [false, 'a RAW disk without one', cpus({ disk: { source: { type: 'RAW' } } })],
  [false, 'a PATH disk', cpus({ disk: { source: { type: 'PATH' } } })],
] as const satisfies readonly (readonly [boolean, string, Resource])[]) {
  test(`${name} is ${expected ? 'indivisible' : 'divisible'}`, (t) => {
    t.is(isIndivisible(resource), expected)
  })
}

test('more kinds, layouts and roles than are remembered change nothing', (t) => {
  const first = Resources.fromProto([reserved('first'), cpus()])
  const held = first.allocate('x')
  for (let at = 0; at < 70_000; at++) Resources.fromProto([reserved(`r${at}`)])
  for (let at = 0; at < 5_000; at++) first.allocate(`r${at}`)
  const again = Resources.fromProto([cpus(), reserved('first')])
  t.true(again.equals(first))
  t.true(again.plus(first).minus(first).equals(again))
  t.is(again.plus(first).size, 2)
  t.true(again.allocate('x').equals(held))
  t.true(held.unallocate().contains(again))
})
