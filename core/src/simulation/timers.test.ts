import test from 'ava'
import { createRandom } from '../base/random.ts'
import { Clocks, HostClock, RIGHT_CLOCKS } from './clocks.ts'
import { Schedule } from './schedule.ts'
import { HostTimers } from './timers.ts'

function passUntil(schedule: Schedule, atMs: number): void {
  while (schedule.next(atMs)) {
    // What happens is noted by the tests.
  }
}

test('a timer set again replaces the earlier one', (t) => {
  const schedule = new Schedule(0)
  const fired: string[] = []
  const clock = new HostClock(schedule, { offsetMs: 0, rate: 1 })
  const timers = new HostTimers<string>(schedule, clock, (timer) => fired.push(`${timer} ${schedule.nowMs}`))
  timers.set('k', 'first', 10)
  timers.set('k', 'second', 20)
  timers.set('gone', 'gone', 5)
  timers.cancel('gone')
  passUntil(schedule, 100)
  t.deepEqual(fired, ['second 20'])
})

test('a timer goes by the clock of its process: never early, and hardly late', (t) => {
  for (const offsetMs of [-7_200_000, 0, 90_000]) {
    for (const rate of [0.99, 0.9934, 1, 1.01]) {
      const schedule = new Schedule(1_000_000)
      const clock = new HostClock(schedule, { offsetMs, rate })
      const begunMs = clock.nowMs
      t.is(begunMs, 1_000_000 + offsetMs)
      const firedMs: number[] = []
      const timers = new HostTimers<number>(schedule, clock, (wanted) => firedMs.push(clock.nowMs - wanted))
      for (const wanted of [0, 1, 7, 999, 50_000]) timers.set(String(wanted), begunMs + wanted, begunMs + wanted)
      passUntil(schedule, 1_060_000)
      t.is(firedMs.length, 5)
      for (const late of firedMs) t.true(late >= 0 && late <= 2, `${late} ms late with rate ${rate}`)
    }
  }
})

test('clocks that are right show the time of the world, others differ from start to start', (t) => {
  const schedule = new Schedule(5_000)
  t.is(new Clocks(schedule, createRandom(1), RIGHT_CLOCKS).start().nowMs, 5_000)
  const wrong = new Clocks(schedule, createRandom(1), { offsetMs: 60_000, slew: 0.01 })
  const starts = new Set(Array.from({ length: 20 }, () => wrong.start().nowMs))
  t.true(starts.size > 15)
  for (const startMs of starts) t.true(Math.abs(startMs - 5_000) <= 60_000)
})
