import test from 'ava'
import fc from 'fast-check'
import { type ClockJump, JUMP_MS, SteadyClock } from './clock.ts'

/** A clock over a wall and a monotonic time that the test moves; both begin at a million. */
function steady() {
  const time = { wallMs: 1_000_000, monotonicMs: 50 }
  const clock = new SteadyClock({ wallMs: () => time.wallMs, monotonicMs: () => time.monotonicMs })
  const jumps: ClockJump[] = []
  clock.told = (jump) => jumps.push(jump)
  const pass = (ms: number): number => {
    time.wallMs += ms
    time.monotonicMs += ms
    return clock.now()
  }
  return { time, clock, jumps, pass }
}

interface Case {
  readonly name: string
  /** What is done to the wall. */
  readonly jumpMs: number
  /** After 10 seconds, told in milliseconds since the start. */
  readonly after10s: number
  /** After further 1,000 seconds. */
  readonly after1010s: number
  readonly told: readonly ClockJump[]
}

const HOUR_MS = 3_600_000
const cases: readonly Case[] = [
  { name: 'no jump', jumpMs: 0, after10s: 10_000, after1010s: 1_010_000, told: [] },
  { name: 'a small step ahead is made up for', jumpMs: 50, after10s: 10_050, after1010s: 1_010_050, told: [] },
  { name: 'a small step back is made up for', jumpMs: -50, after10s: 9_950, after1010s: 1_009_950, told: [] },
  {
    name: 'five seconds ahead',
    jumpMs: 5_000,
    after10s: 10_100,
    after1010s: 1_015_000,
    told: [
      { aheadMs: 5_000, isOver: false },
      { aheadMs: 0, isOver: true },
    ],
  },
  {
    name: 'five seconds back',
    jumpMs: -5_000,
    after10s: 9_900,
    after1010s: 1_005_000,
    told: [
      { aheadMs: -5_000, isOver: false },
      { aheadMs: 0, isOver: true },
    ],
  },
  {
    name: 'an hour ahead, as after a sleep',
    jumpMs: HOUR_MS,
    after10s: 10_100,
    after1010s: 1_020_100,
    told: [{ aheadMs: HOUR_MS, isOver: false }],
  },
  {
    name: 'to 1970',
    jumpMs: -1_000_000,
    after10s: 9_900,
    after1010s: 999_900,
    told: [{ aheadMs: -1_000_000, isOver: false }],
  },
]
for (const { name, jumpMs, after10s, after1010s, told } of cases) {
  test(`the clock goes on evenly: ${name}`, (t) => {
    const { time, clock, jumps, pass } = steady()
    const beginMs = clock.now()
    time.wallMs += jumpMs
    t.is(clock.now(), beginMs, 'nothing has passed')
    t.is(pass(10_000) - beginMs, after10s)
    t.is(pass(1_000_000) - beginMs, after1010s)
    t.deepEqual(jumps, told)
    t.is(clock.jumps, told.length > 0 ? 1 : 0)
  })
}

test('the clock never goes backwards and never more than 1 % faster or slower, whatever the wall does', (t) => {
  const deed = fc.record({ wallMs: fc.integer({ min: -1e12, max: 1e12 }), passMs: fc.integer({ min: 0, max: 1e7 }) })
  fc.assert(
    fc.property(fc.array(deed), (deeds) => {
      const { time, clock, jumps } = steady()
      let beforeMs = clock.now()
      for (const { wallMs, passMs } of deeds) {
        time.wallMs = wallMs
        time.monotonicMs += passMs
        const nowMs = clock.now()
        const passedMs = nowMs - beforeMs
        t.true(
          passedMs >= Math.floor(passMs * 0.99) - 1 && passedMs <= Math.ceil(passMs * 1.01) + 1,
          `${passedMs} of ${passMs}`,
        )
        t.is(clock.now(), nowMs)
        beforeMs = nowMs
      }
      // Jumps and their ends take turns.
      for (const [at, { isOver }] of jumps.entries()) t.is(isOver, at % 2 === 1)
    }),
  )
})

test('a wall that runs slightly wrong is followed without a word', (t) => {
  const { time, clock, jumps } = steady()
  for (let at = 0; at < 10_000; at++) {
    time.wallMs += 1_003
    time.monotonicMs += 1_000
    clock.now()
  }
  t.true(Math.abs(time.wallMs - clock.now()) < JUMP_MS)
  t.deepEqual(jumps, [])
})
