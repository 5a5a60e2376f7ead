import test from 'ava'
import { AssertionError, assert } from './assert.ts'

test('what holds passes', (t) => {
  t.notThrows(() => assert(1 + 1 === 2, 'arithmetic works'))
})

test('what does not hold throws, with what should have held', (t) => {
  const error = t.throws(() => assert(0, 'each offer is indexed by its agent'), { instanceOf: AssertionError })
  t.is(error?.message, 'each offer is indexed by its agent')
  t.is(error?.name, 'AssertionError')
})
