import test from 'ava'
import { parseStat } from './process-table.ts'

test('a program named to confuse does not shift the fields of its stat line', (t) => {
  const rest = 'S 10 20 30 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 9 0 1234 5678 90 18446744073709551615'
  const expected = {
    pid: 42,
    isZombie: false,
    parentPid: 10,
    sessionId: 30,
    userTicks: 5 + 7,
    systemTicks: 6 + 8,
    threadCount: 9,
    startTicks: 1234,
    rssPages: 90,
  }
  for (const name of ['sh', 'a b', 'x) S 1 1 (y', ') Z 1']) t.deepEqual(parseStat(`42 (${name}) ${rest}\n`), expected)
  t.true(parseStat(`42 (sh) Z${rest.slice(1)}`)?.isZombie)
})

test('a line that is none is no process', (t) => {
  t.is(parseStat(''), undefined)
})
