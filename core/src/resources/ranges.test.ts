import test from 'ava'
import fc from 'fast-check'
import {
  addRanges,
  containsRanges,
  countRanges,
  equalRanges,
  intersectRanges,
  parseRanges,
  printRanges,
  type Ranges,
  subtractRanges,
  toRanges,
} from './ranges.ts'

function ranges(text: string): Ranges {
  const parsed = parseRanges(text)
  if (typeof parsed === 'string') throw new Error(parsed)
  return parsed
}

for (const [given, expected] of [
  ['[1-3,4-6]', '[1-6]'],
  ['[5-7,1-3]', '[1-3, 5-7]'],
  ['[1-10,2-3]', '[1-10]'],
  ['[1-1]', '[1-1]'],
  ['[1-5,3-8,8-8]', '[1-8]'],
  ['[]', '[]'],
  [' [ 1 - 3 , 5-7 ] ', '[1-3, 5-7]'],
] as const) {
  test(`${given} is ${expected}`, (t) => {
    t.is(printRanges(ranges(given)), expected)
  })
}

for (const [text, problem] of [
  ['1-3', "'1-3' has no opening '['"],
  ['[1-3', "'[1-3' has no closing ']'"],
  ['[1]', "expecting non-negative whole numbers a-b in '1'"],
  ['[a-b]', "expecting non-negative whole numbers a-b in 'a-b'"],
  ['[-1-3]', "expecting non-negative whole numbers a-b in '-1-3'"],
  ['[1.5-3]', "expecting non-negative whole numbers a-b in '1.5-3'"],
  ['[3-1]', 'range 3-1 ends before it begins'],
  ['[1-99999999999999999999]', "'1-99999999999999999999' is too large"],
] as const) {
  test(`${text} is no ranges`, (t) => {
    t.is(parseRanges(text), problem)
  })
}

for (const [a, b, sum, difference, both] of [
  ['[1-10]', '[3-4]', '[1-10]', '[1-2, 5-10]', '[3-4]'],
  ['[1-3]', '[4-6]', '[1-6]', '[1-3]', '[]'],
  ['[1-5, 10-15]', '[4-11]', '[1-15]', '[1-3, 12-15]', '[4-5, 10-11]'],
  ['[5-6]', '[1-10]', '[1-10]', '[]', '[5-6]'],
  ['[]', '[1-2]', '[1-2]', '[]', '[]'],
  ['[1-2]', '[]', '[1-2]', '[1-2]', '[]'],
  ['[1-2, 4-5, 7-8]', '[2-7]', '[1-8]', '[1-1, 8-8]', '[2-2, 4-5, 7-7]'],
] as const) {
  test(`${a} and ${b}: sum ${sum}, difference ${difference}, in both ${both}`, (t) => {
    t.is(printRanges(addRanges(ranges(a), ranges(b))), sum)
    t.is(printRanges(subtractRanges(ranges(a), ranges(b))), difference)
    t.is(printRanges(intersectRanges(ranges(a), ranges(b))), both)
    t.is(printRanges(intersectRanges(ranges(b), ranges(a))), both)
  })
}

for (const [whole, part, expected] of [
  ['[1-10]', '[2-3, 5-10]', true],
  ['[1-10]', '[5-11]', false],
  ['[1-3, 5-7]', '[3-5]', false],
  ['[1-3]', '[]', true],
  ['[]', '[1-1]', false],
] as const) {
  test(`${whole} ${expected ? 'contains' : 'does not contain'} ${part}`, (t) => {
    t.is(containsRanges(ranges(whole), ranges(part)), expected)
  })
}

const list = fc.array(
  fc.tuple(fc.nat(60), fc.nat(8)).map(([begin, more]) => ({ begin, end: begin + more })),
  { maxLength: 8 },
)

function numbers(all: readonly { begin: number; end: number }[]): Set<number> {
  const set = new Set<number>()
  for (const { begin, end } of all) for (let at = begin; at <= end; at++) set.add(at)
  return set
}

test('safety_ranges do what sets of numbers do, and stay in normal form', (t) => {
  fc.assert(
    fc.property(list, list, (givenA, givenB) => {
      const [a, b] = [toRanges(givenA), toRanges(givenB)]
      const [setA, setB] = [numbers(givenA), numbers(givenB)]
      const all = Array.from({ length: 70 }, (_, at) => at)
      const results = [
        [a, all.filter((at) => setA.has(at))],
        [addRanges(a, b), all.filter((at) => setA.has(at) || setB.has(at))],
        [subtractRanges(a, b), all.filter((at) => setA.has(at) && !setB.has(at))],
        [intersectRanges(a, b), all.filter((at) => setA.has(at) && setB.has(at))],
      ] as const
      for (const [result, expected] of results) {
        t.deepEqual([...numbers(result)], expected)
        t.is(countRanges(result), expected.length)
        for (const [at, range] of result.entries()) {
          t.true(range.begin <= range.end)
          if (at > 0) t.true(range.begin > result[at - 1]!.end + 1, 'ranges neither touch nor overlap')
        }
      }
      t.is(
        containsRanges(a, b),
        [...setB].every((at) => setA.has(at)),
      )
      t.is(
        equalRanges(a, b),
        all.every((at) => setA.has(at) === setB.has(at)),
      )
    }),
  )
})

test('what is printed is parsed again', (t) => {
  fc.assert(
    fc.property(list, (given) => {
      const normal = toRanges(given)
      t.deepEqual(ranges(printRanges(normal)), normal)
    }),
  )
})

test('no operation changes what it was given', (t) => {
  const [a, b] = [ranges('[1-10,20-30]'), ranges('[5-25]')]
  const before = JSON.stringify([a, b])
  addRanges(a, b)
  subtractRanges(a, b)
  intersectRanges(a, b)
  toRanges(a)
  t.is(JSON.stringify([a, b]), before)
})
