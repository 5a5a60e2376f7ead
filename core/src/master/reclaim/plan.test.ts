import test from 'ava'
import { compareNeeds, isNeedy, keepTime } from './need.ts'
import { graceMs, killAtMs, nextStep, type Situation } from './plan.ts'

const TERMS = { noticeMs: 20_000, maxGraceMs: 5_000 }

test('a framework that can be told has the notice, others have none', (t) => {
  t.is(killAtMs(TERMS, true, 1_000), 21_000)
  t.is(killAtMs(TERMS, false, 1_000), 1_000)
})

for (const [own, expected] of [
  [undefined, 3_000],
  [1_000, 1_000],
  [0, 0],
  [-5, 0],
  [3_600_000, 5_000],
] as const) {
  test(`the grace of a kill is ${expected} ms when the task's own is ${own}`, (t) => {
    t.is(graceMs(own, TERMS), expected)
  })
}

const steps: readonly (Situation & { readonly atMs: number; readonly expected: ReturnType<typeof nextStep> })[] = [
  { phase: 'asked', deadlineMs: 10, maySuffer: true, atMs: 9, expected: undefined },
  { phase: 'asked', deadlineMs: 10, maySuffer: true, atMs: 10, expected: 'kill' },
  { phase: 'killing', deadlineMs: 10, maySuffer: true, atMs: 9, expected: undefined },
  { phase: 'killing', deadlineMs: 10, maySuffer: true, atMs: 10, expected: 'shutDown' },
  { phase: 'killing', deadlineMs: 10, maySuffer: false, atMs: 10, expected: 'spare' },
  { phase: 'shuttingDown', deadlineMs: 10, maySuffer: true, atMs: 9, expected: undefined },
  { phase: 'shuttingDown', deadlineMs: 10, maySuffer: true, atMs: 10, expected: 'shutDown' },
]

for (const { expected, atMs, ...situation } of steps) {
  const { phase, deadlineMs, maySuffer } = situation
  test(`${phase} until ${deadlineMs}, executor ${maySuffer ? 'free' : 'needed'}: at ${atMs} ${expected ?? 'nothing'}`, (t) => {
    t.is(nextStep(situation, atMs), expected)
  })
}

test('a role needs something while something is missing and somebody waits', (t) => {
  t.true(isNeedy({ missing: { cpus: 1 }, waiting: ['f'] }))
  t.false(isNeedy({ missing: { cpus: 1 }, waiting: [] }))
  t.false(isNeedy({ missing: { cpus: 0 }, waiting: ['f'] }))
  t.false(isNeedy({ missing: {}, waiting: ['f'] }))
})

test('the time of a role starts again when it needed nothing in between', (t) => {
  const sinceMs = new Map<string, number>()
  keepTime(sinceMs, ['a', 'b'], 1)
  keepTime(sinceMs, ['a'], 2)
  keepTime(sinceMs, ['a', 'b'], 3)
  t.deepEqual(
    [...sinceMs],
    [
      ['a', 1],
      ['b', 3],
    ],
  )
})

test('served first: higher priority, then who waits longer, then the name', (t) => {
  const needs = [
    { role: 'd', priority: 0, sinceMs: 2 },
    { role: 'c', priority: 0, sinceMs: 2 },
    { role: 'b', priority: 0, sinceMs: 1 },
    { role: 'a', priority: 1, sinceMs: 9 },
  ]
  t.is(
    needs
      .sort(compareNeeds)
      .map(({ role }) => role)
      .join(''),
    'abcd',
  )
})
