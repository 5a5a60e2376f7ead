import test from 'ava'
import { cancel, Schedule } from './schedule.ts'

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
