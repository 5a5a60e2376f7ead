import test from 'ava'
import fc from 'fast-check'
import { AssertionError } from './assert.ts'
import { BoundedMap, Ring } from './bounded.ts'

test('a full ring drops its oldest', (t) => {
  const ring = new Ring<number>(3)
  t.deepEqual(
    [1, 2, 3, 4, 5].map((item) => ring.push(item)),
    [undefined, undefined, undefined, 1, 2],
  )
  t.deepEqual([...ring], [3, 4, 5])
  t.deepEqual(ring.toArray(), [3, 4, 5])
  t.is(ring.size, 3)
  t.is(ring.dropped, 2)
})

test('places of a ring count from the oldest, negative ones from the newest', (t) => {
  const ring = new Ring<string>(2)
  for (const item of ['a', 'b', 'c']) ring.push(item)
  t.deepEqual(
    [0, 1, 2, -1, -2, -3].map((place) => ring.at(place)),
    ['b', 'c', undefined, 'c', 'b', undefined],
  )
})

test('a ring of 0 keeps nothing', (t) => {
  const ring = new Ring<number>(0)
  t.is(ring.push(1), 1)
  t.is(ring.size, 0)
  t.is(ring.at(0), undefined)
})

test('a ring keeps what a predicate says, and goes on', (t) => {
  const ring = new Ring<number>(3)
  for (const item of [1, 2, 3, 4]) ring.push(item)
  t.is(
    ring.retain((item) => item !== 3),
    1,
  )
  t.deepEqual(ring.toArray(), [2, 4])
  ring.push(5)
  t.is(ring.push(6), 2)
  t.deepEqual(ring.toArray(), [4, 5, 6])
  ring.clear()
  t.deepEqual([...ring], [])
})

test('safety_a ring holds the last items, whatever is pushed', (t) => {
  fc.assert(
    fc.property(fc.nat(10), fc.array(fc.integer()), (limit, items) => {
      const ring = new Ring<number>(limit)
      for (const item of items) ring.push(item)
      t.deepEqual(ring.toArray(), limit === 0 ? [] : items.slice(-limit))
      t.is(ring.dropped + ring.size, items.length)
    }),
  )
})

test('a full map evicts its oldest key', (t) => {
  const map = new BoundedMap<string, number>(2)
  t.is(map.set('a', 1), undefined)
  t.is(map.set('b', 2), undefined)
  t.deepEqual(map.set('c', 3), ['a', 1])
  t.deepEqual(
    [...map],
    [
      ['b', 2],
      ['c', 3],
    ],
  )
})

test('a key set again is the newest and evicts nothing', (t) => {
  const map = new BoundedMap<string, number>(2)
  map.set('a', 1)
  map.set('b', 2)
  t.is(map.set('a', 3), undefined)
  t.deepEqual(map.set('c', 4), ['b', 2])
  t.is(map.get('a'), 3)
  t.false(map.has('b'))
})

test('a map forgets keys one by one and all', (t) => {
  const map = new BoundedMap<string, number>(2)
  map.set('a', 1)
  t.true(map.delete('a'))
  t.false(map.delete('a'))
  map.set('b', 2)
  t.deepEqual([[...map.keys()], [...map.values()]], [['b'], [2]])
  map.clear()
  t.is(map.size, 0)
  t.deepEqual(new BoundedMap<string, number>(0).set('a', 1), ['a', 1])
})

test('a limit that is no whole number is our own error', (t) => {
  t.throws(() => new Ring(-1), { instanceOf: AssertionError })
  t.throws(() => new BoundedMap(1.5), { instanceOf: AssertionError })
})
