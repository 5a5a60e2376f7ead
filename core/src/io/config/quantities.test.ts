import test from 'ava'
import { formatBytes, formatDuration, parseBytes, parseDuration } from './quantities.ts'

for (const [text, ms] of [
  ['15secs', 15_000],
  ['10mins', 600_000],
  ['1weeks', 604_800_000],
  ['1.5hrs', 5_400_000],
  ['250ms', 250],
  ['0ns', 0],
  ['-1days', -86_400_000],
] as const) {
  test(`the duration ${text} is ${ms} ms`, (t) => t.is(parseDuration(text), ms))
}

for (const text of ['15', 'secs', '15 seconds', '1e3secs', '', '5m', 'toString']) {
  test(`'${text}' is no duration`, (t) => t.is(parseDuration(text), undefined))
}

for (const text of ['15secs', '10mins', '1weeks', '250ms', '0ns', '75secs']) {
  test(`a duration is printed as it was written: ${text}`, (t) => t.is(formatDuration(parseDuration(text)!), text))
}

for (const [text, bytes] of [
  ['2GB', 2 ** 31],
  ['4KB', 4096],
  ['10B', 10],
  ['1.5MB', 1_572_864],
] as const) {
  test(`the size ${text} is ${bytes} bytes`, (t) => t.is(parseBytes(text), bytes))
}

test('a size is printed in the largest unit that divides it', (t) => {
  t.is(formatBytes(2 ** 31), '2GB')
  t.is(formatBytes(1536), '1536B')
})

test('a size without a unit is none', (t) => t.is(parseBytes('100'), undefined))
