import test from 'ava'
import { cancel, HostTimers, Schedule } from './schedule.ts'

test('things happen in the order of their time, then in the order they were asked for', (t) => {
  const schedule = new Schedule(100)
  const seen: string[] = []
  schedule.at(120, () => seen.push(`c${schedule.nowMs}`))
  schedule.at(110, () => {
    seen.push(`a${schedule.nowMs}`)
    schedule.at(110, () => seen.push('at the same moment'))
    schedule.at(50, () => seen.push(`the past is ${schedule.nowMs}`))
  })
  schedule.at(110, () => seen.push('b'))
  cancel(schedule.at(115, () => seen.push('never')))
  while (schedule.next(119)) {
    // Noted above.
  }
  t.deepEqual(seen, ['a110', 'b', 'at the same moment', 'the past is 110'])
  t.true(schedule.next(120))
  t.is(seen.at(-1), 'c120')
  t.is(schedule.happened, 5)
})

test('a timer set again replaces the earlier one', (t) => {
  const schedule = new Schedule(0)
  const fired: string[] = []
  const timers = new HostTimers<string>(schedule, (timer) => fired.push(`${timer} ${schedule.nowMs}`))
  timers.set('k', 'first', 10)
  timers.set('k', 'second', 20)
  timers.set('gone', 'gone', 5)
  timers.cancel('gone')
  while (schedule.next(100)) {
    // Noted above.
  }
  t.deepEqual(fired, ['second 20'])
})
