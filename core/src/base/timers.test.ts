import test from 'ava'
import fc from 'fast-check'
import { AssertionError } from './assert.ts'
import { Timers } from './timers.ts'

test('names are due at their moment, the earliest first', (t) => {
  const timers = new Timers()
  timers.set('ping', 1_000)
  timers.set('batch', 500)
  timers.set('refuse', 1_001)
  t.is(timers.nextAtMs(), 500)
  t.deepEqual(timers.popDue(499), [])
  t.deepEqual(timers.popDue(1_000), ['batch', 'ping'])
  t.is(timers.nextAtMs(), 1_001)
  t.is(timers.size, 1)
})

test('equal moments come in the order in which they were set', (t) => {
  const timers = new Timers()
  for (const name of ['a', 'b', 'c', 'd']) timers.set(name, 5)
  timers.cancel('a')
  timers.set('e', 5)
  timers.set('b', 5)
  t.deepEqual(timers.popDue(5), ['c', 'd', 'e', 'b'])
})

test('a name set again has only its new moment', (t) => {
  const timers = new Timers()
  timers.set('ping', 100)
  timers.set('ping', 300)
  t.is(timers.atMs('ping'), 300)
  t.deepEqual(timers.popDue(200), [])
  t.deepEqual(timers.popDue(300), ['ping'])
  t.is(timers.atMs('ping'), undefined)
})

test('a cancelled name is not due', (t) => {
  const timers = new Timers<number>()
  timers.set(7, 1)
  t.true(timers.has(7))
  t.true(timers.cancel(7))
  t.false(timers.cancel(7))
  t.deepEqual(timers.popDue(Number.POSITIVE_INFINITY), [])
  t.is(timers.nextAtMs(), undefined)
})

test('cleared timers start anew', (t) => {
  const timers = new Timers()
  timers.set('a', 1)
  timers.clear()
  t.is(timers.size, 0)
  timers.set('b', 2)
  t.deepEqual(timers.popDue(2), ['b'])
})

test('a moment that is no number is our own error', (t) => {
  t.throws(() => new Timers().set('a', Number.NaN), { instanceOf: AssertionError })
})

test('safety_timers give what a sorted list gives', (t) => {
  const operation = fc.record({
    kind: fc.constantFrom('set', 'cancel', 'pop'),
    name: fc.nat(8),
    atMs: fc.nat(10),
  })
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 80 }), (operations) => {
      const timers = new Timers<number>()
      let model: { name: number; atMs: number }[] = []
      for (const { kind, name, atMs } of operations) {
        if (kind === 'pop') {
          const due = model.filter((one) => one.atMs <= atMs).sort((a, b) => a.atMs - b.atMs)
          t.deepEqual(
            timers.popDue(atMs),
            due.map((one) => one.name),
          )
          model = model.filter((one) => one.atMs > atMs)
          continue
        }
        model = model.filter((one) => one.name !== name)
        if (kind === 'set') {
          timers.set(name, atMs)
          model.push({ name, atMs })
        } else timers.cancel(name)
        t.is(timers.size, model.length)
      }
    }),
  )
})
