import test from 'ava'
import { isWishes } from './wishes.ts'

for (const { value, isOne } of [
  { value: { wantedByProfile: {} }, isOne: true },
  { value: { mode: 'manual', wantedByProfile: { 'small on rack LIKE a': 2 } }, isOne: true },
  { value: { mode: 'off', wantedByProfile: {} }, isOne: false },
  { value: { wantedByProfile: { small: -1 } }, isOne: false },
  { value: { wantedByProfile: { small: 1.5 } }, isOne: false },
  { value: { wantedByProfile: { small: '1' } }, isOne: false },
  { value: { wantedByProfile: [] }, isOne: false },
  { value: { wantedByProfile: null }, isOne: false },
  { value: {}, isOne: false },
  { value: [], isOne: false },
  { value: null, isOne: false },
  { value: 'auto', isOne: false },
]) {
  test(`${JSON.stringify(value)} ${isOne ? 'is a wish' : 'is none'}`, (t) => t.is(isWishes(value), isOne))
}
