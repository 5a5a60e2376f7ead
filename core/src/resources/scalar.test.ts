import test from 'ava'
import fc from 'fast-check'
import { fromMilli, toMilli } from './scalar.ts'

for (const [value, milli] of [
  [0, 0],
  [1, 1_000],
  [0.1, 100],
  [0.0004, 0],
  [0.0005, 1],
  [-0.0005, -1],
  [-0.0004, 0],
  [2.0015, 2_002],
  [-1, -1_000],
  [1e12, 1e15],
] as const) {
  test(`${value} is ${milli} thousandths`, (t) => {
    t.true(toMilli(value) === milli)
  })
}

test('no scalar is minus zero', (t) => {
  t.true(Object.is(toMilli(-0.0001), 0))
})

test('three decimals survive the way there and back', (t) => {
  fc.assert(fc.property(fc.integer({ min: -1e12, max: 1e12 }), (milli) => t.is(toMilli(fromMilli(milli)), milli)))
})

test('4 - 0.1 is 3.9', (t) => {
  t.is(fromMilli(toMilli(4) - toMilli(0.1)), 3.9)
})
