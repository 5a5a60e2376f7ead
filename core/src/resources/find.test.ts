import type { Resource } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import fc from 'fast-check'
import { findResources } from './find.ts'
import { parseResources } from './parse.ts'
import { Resources } from './resources.ts'

function bag(text: string): Resources {
  const parsed = parseResources(text)
  if (!parsed.ok) throw new Error(parsed.rejection.message)
  return parsed.value
}

for (const [whole, targets, expected] of [
  ['cpus:4;mem:10', 'cpus:1;mem:10', 'cpus:1;mem:10'],
  ['cpus(r):1;cpus:4', 'cpus(r):3', 'cpus(r):1;cpus:2'],
  ['cpus(r):4;cpus:4', 'cpus(r):3', 'cpus(r):3'],
  ['cpus(r):4;cpus:4', 'cpus:3', 'cpus:3'],
  ['cpus(r):4;cpus:1', 'cpus:3', 'cpus:1;cpus(r):2'],
  ['cpus(a):1;cpus(b):1;cpus(c):1', 'cpus(c):3', 'cpus(a):1;cpus(b):1;cpus(c):1'],
  ['ports:[1-10]', 'ports:[2-3]', 'ports:[2-3]'],
  ['cpus:1', '', ''],
] as const) {
  test(`in '${whole}', '${targets}' finds '${expected}'`, (t) => {
    const found = findResources(bag(whole), bag(targets))
    t.true(found?.equals(bag(expected)), String(found))
  })
}

for (const [whole, targets] of [
  ['cpus:1', 'cpus:2'],
  ['cpus:1', 'mem:1'],
  ['cpus(r):1;cpus:1', 'cpus:3'],
  ['ports:[1-10]', 'ports:[5-15]'],
  ['cpus:2', 'cpus(a):2;cpus(b):2'],
] as const) {
  test(`in '${whole}', '${targets}' is not found`, (t) => {
    t.is(findResources(bag(whole), bag(targets)), undefined)
  })
}

test('revocable resources are not found for a target that is not', (t) => {
  const revocable: Resource = { name: 'cpus', type: 'SCALAR', scalar: { value: 4 }, revocable: {} }
  t.is(findResources(Resources.fromProto([revocable]), bag('cpus:1')), undefined)
  t.is(String(findResources(Resources.fromProto([revocable]), Resources.fromProto([revocable]))), 'cpus{REV}:4')
})

test('safety_what is found is there and amounts to the targets', (t) => {
  const some = fc
    .array(fc.tuple(fc.constantFrom('cpus', 'mem', 'cpus(r)', 'mem(s)'), fc.integer({ min: 1, max: 20 })), {
      maxLength: 5,
    })
    .map((list) => bag(list.map(([name, value]) => `${name}:${value}`).join(';')))
  fc.assert(
    fc.property(some, some, (whole, targets) => {
      const found = findResources(whole, targets)
      const isEnough = whole.toUnreserved().contains(targets.toUnreserved())
      t.is(found !== undefined, isEnough)
      if (found === undefined) return
      t.true(whole.contains(found))
      t.true(found.toUnreserved().equals(targets.toUnreserved()))
    }),
  )
})
