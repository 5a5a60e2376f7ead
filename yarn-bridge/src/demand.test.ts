import test from 'ava'
import { demandOf, REQUEST_SIZES_MAX } from './demand.ts'
import { NOTHING } from './samples.ts'
import { sampleOf, size, waitingFor } from './testing/builders.ts'

const LIMIT = size(4096, 4)

test('nothing waits, nothing is wanted', (t) => {
  t.deepEqual(demandOf(sampleOf(), LIMIT), { requests: [], wanted: NOTHING, unsatisfiable: [], largest: NOTHING })
})

test('requests of one size are added up over applications and come largest first', (t) => {
  const applications = [
    waitingFor(size(640, 1), 1),
    waitingFor(size(1024, 1), 2),
    waitingFor(size(1024, 1), 3),
    waitingFor(size(1024, 2), 1),
  ]
  t.deepEqual(demandOf(sampleOf({ applications }), LIMIT), {
    requests: [
      { size: size(1024, 2), count: 1 },
      { size: size(1024, 1), count: 5 },
      { size: size(640, 1), count: 1 },
    ],
    wanted: size(1024 * 6 + 640, 8),
    unsatisfiable: [],
    largest: size(1024, 2),
  })
})

test('a request below the smallest container counts as one, so that two sizes may become the same', (t) => {
  const applications = [waitingFor(size(1, 0), 2), waitingFor(size(256, 1), 1)]
  t.deepEqual(demandOf(sampleOf({ applications }), LIMIT).requests, [{ size: size(256, 1), count: 3 }])
})

for (const { title, waiting } of [
  { title: 'in memory', waiting: size(4097, 1) },
  { title: 'in vcores', waiting: size(1, 5) },
]) {
  test(`what is larger than any NodeManager ${title} is named and not wanted`, (t) => {
    const applications = [waitingFor(waiting, 2), waitingFor(size(4096, 4), 1)]
    const demand = demandOf(sampleOf({ applications }), LIMIT)
    t.deepEqual(demand.requests, [{ size: size(4096, 4), count: 1 }])
    t.deepEqual(
      demand.unsatisfiable.map(({ count }) => count),
      [2],
    )
    t.deepEqual(demand.wanted, size(4096, 4))
  })
}

test('rows without a count say nothing', (t) => {
  t.deepEqual(demandOf(sampleOf({ applications: [waitingFor(size(1024, 1), 0)] }), LIMIT).requests, [])
})

for (const { title, pending, count, expected } of [
  { title: 'is split evenly, upwards', pending: size(1000, 3), count: 3, expected: [{ size: size(334, 1), count: 3 }] },
  { title: 'has a vcore for each', pending: size(1024, 0), count: 2, expected: [{ size: size(512, 1), count: 2 }] },
  { title: 'of no containers is nothing', pending: size(1024, 1), count: 0, expected: [] },
  { title: 'of no size is nothing', pending: NOTHING, count: 3, expected: [] },
]) {
  test(`the pending sum of an RM that hides requests ${title}`, (t) => {
    t.deepEqual(demandOf(sampleOf({ pending, pendingContainers: count }), LIMIT).requests, expected)
  })
}

test('where requests are shown the pending sum is not looked at', (t) => {
  const applications = [waitingFor(size(1024, 1), 1)]
  const sample = sampleOf({ applications, pending: size(99_999, 9), pendingContainers: 9 })
  t.deepEqual(demandOf(sample, LIMIT).wanted, size(1024, 1))
})

test('of very many sizes the largest are looked at', (t) => {
  const applications = Array.from({ length: REQUEST_SIZES_MAX + 5 }, (_, at) => waitingFor(size(300 + at, 1), 1))
  const { requests } = demandOf(sampleOf({ applications }), LIMIT)
  t.is(requests.length, REQUEST_SIZES_MAX)
  t.is(requests.at(-1)?.size.memoryMb, 305)
})
