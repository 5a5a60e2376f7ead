import test from 'ava'
import fc from 'fast-check'
import { createRandom, nextFraction, nextInteger, nextUint32, nextUuid, nextUuidBytes, shuffle } from './random.ts'

test('the same seed gives the same numbers, another seed others', (t) => {
  const [a, b, c] = [createRandom(7), createRandom(7), createRandom(8)]
  const numbers = (random: typeof a) => Array.from({ length: 20 }, () => nextUint32(random))
  const first = numbers(a)
  t.deepEqual(first, numbers(b))
  t.notDeepEqual(first, numbers(c))
})

test('seeds that differ only above 2^32 give different numbers', (t) => {
  t.not(nextUint32(createRandom(1)), nextUint32(createRandom(1 + 2 ** 32)))
})

test('the state is plain: a copy goes on as the original', (t) => {
  const random = createRandom(3)
  nextUint32(random)
  const copy = { ...random }
  t.is(nextUint32(random), nextUint32(copy))
})

test('integers lie below their limit and all are met', (t) => {
  const random = createRandom(1)
  const counts = new Array<number>(10).fill(0)
  for (let at = 0; at < 10_000; at++) counts[nextInteger(random, 10)]!++
  t.is(
    counts.reduce((a, b) => a + b),
    10_000,
  )
  for (const count of counts) t.true(count > 850 && count < 1_150, `${counts}`)
})

test('fractions lie from 0 up to but not including 1, half of them below one half', (t) => {
  const random = createRandom(2)
  const all = Array.from({ length: 10_000 }, () => nextFraction(random))
  t.true(all.every((fraction) => fraction >= 0 && fraction < 1))
  const low = all.filter((fraction) => fraction < 0.5).length
  t.true(low > 4_800 && low < 5_200, `${low}`)
})

test('shuffling keeps all items, and every item can come first', (t) => {
  fc.assert(
    fc.property(fc.integer(), fc.array(fc.integer()), (seed, list) => {
      const shuffled = shuffle(createRandom(seed), [...list])
      t.deepEqual(shuffled.toSorted(), list.toSorted())
    }),
  )
  const firsts = new Set(Array.from({ length: 100 }, (_, seed) => shuffle(createRandom(seed), ['a', 'b', 'c'])[0]))
  t.is(firsts.size, 3)
})

test('uuids are of version 4 and RFC 4122, and differ', (t) => {
  const random = createRandom(5)
  const texts = Array.from({ length: 100 }, () => nextUuid(random))
  for (const text of texts) t.regex(text, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  t.is(new Set(texts).size, 100)
  t.is(nextUuidBytes(random).length, 16)
})

test('bytes and text of a uuid are the same', (t) => {
  const hex = Buffer.from(nextUuidBytes(createRandom(9))).toString('hex')
  t.is(nextUuid(createRandom(9)).replaceAll('-', ''), hex)
})
