import test from 'ava'
import fc from 'fast-check'
import { AssertionError } from './assert.ts'
import { PriorityQueue } from './priority-queue.ts'

function drain(queue: PriorityQueue): number[] {
  const ids: number[] = []
  for (let id = queue.pop(); id !== undefined; id = queue.pop()) ids.push(id)
  return ids
}

test('the smallest key comes first, equal keys by id', (t) => {
  const queue = new PriorityQueue()
  for (const [id, key] of [
    [5, 2],
    [3, 1],
    [9, 2],
    [1, Number.POSITIVE_INFINITY],
    [2, 2],
  ] as const)
    queue.insert(id, key)
  t.is(queue.peek(), 3)
  t.is(queue.peekKey(), 1)
  t.deepEqual(drain(queue), [3, 2, 5, 9, 1])
  t.is(queue.peek(), undefined)
  t.is(queue.peekKey(), undefined)
})

test('a changed key moves its id up or down', (t) => {
  const queue = new PriorityQueue()
  for (let id = 0; id < 5; id++) queue.insert(id, id)
  queue.update(4, -1)
  queue.update(0, 10)
  t.is(queue.keyOf(4), -1)
  t.deepEqual(drain(queue), [4, 1, 2, 3, 0])
})

test('a removed id is gone and may come again', (t) => {
  const queue = new PriorityQueue(2)
  for (let id = 0; id < 4; id++) queue.insert(id, id)
  t.true(queue.remove(0))
  t.false(queue.remove(0))
  t.false(queue.has(0))
  queue.insert(0, 2.5)
  t.deepEqual(drain(queue), [1, 2, 0, 3])
})

test('set inserts or changes; clear empties', (t) => {
  const queue = new PriorityQueue()
  queue.set(1, 5)
  queue.set(1, 6)
  t.is(queue.size, 1)
  t.is(queue.keyOf(1), 6)
  queue.clear()
  t.is(queue.size, 0)
  t.false(queue.has(1))
  queue.insert(1, 0)
  t.is(queue.pop(), 1)
})

for (const [wrong, act] of [
  ['inserting an id twice', (queue: PriorityQueue) => queue.insert(1, 2)],
  ['changing an id that is not there', (queue: PriorityQueue) => queue.update(2, 2)],
  ['the key of an id that is not there', (queue: PriorityQueue) => queue.keyOf(2)],
  ['a key that is no number', (queue: PriorityQueue) => queue.insert(2, Number.NaN)],
  ['a changed key that is no number', (queue: PriorityQueue) => queue.update(1, Number.NaN)],
  ['an id that is no whole number', (queue: PriorityQueue) => queue.insert(1.5, 1)],
  ['a negative id', (queue: PriorityQueue) => queue.insert(-1, 1)],
] as const) {
  test(`${wrong} is our own error`, (t) => {
    const queue = new PriorityQueue()
    queue.insert(1, 1)
    t.throws(() => act(queue), { instanceOf: AssertionError })
    t.is(queue.size, 1)
  })
}

test('safety_after any operations the queue gives what a sorted list gives', (t) => {
  const operation = fc.record({
    kind: fc.constantFrom('set', 'remove', 'pop'),
    id: fc.nat(20),
    key: fc.integer({ min: -5, max: 5 }),
  })
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 100 }), (operations) => {
      const queue = new PriorityQueue(1)
      const model = new Map<number, number>()
      const first = () => [...model].sort(([a, keyA], [b, keyB]) => keyA - keyB || a - b)[0]?.[0]
      for (const { kind, id, key } of operations) {
        if (kind === 'set') {
          queue.set(id, key)
          model.set(id, key)
        } else if (kind === 'remove') t.is(queue.remove(id), model.delete(id))
        else {
          const expected = first()
          t.is(queue.pop(), expected)
          if (expected !== undefined) model.delete(expected)
        }
        t.is(queue.size, model.size)
        t.is(queue.peek(), first())
      }
    }),
  )
})
