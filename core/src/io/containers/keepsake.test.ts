import test from 'ava'
import { type Keepsake, readKeepsake, writeKeepsake } from './keepsake.ts'

const KEEPSAKE: Keepsake = {
  sandboxPath: '/work/box',
  diskMb: undefined,
  resources: { cpusMilli: 100, memoryMb: 32 },
  limits: { cpusMilli: Number.POSITIVE_INFINITY, memoryMb: 64 },
  volumes: [{ name: 'disk', type: 'SCALAR', scalar: { value: 2 }, disk: { persistence: { id: 'v' } } }],
  diskLimitation: { kind: 'disk', message: 'too much' },
}

test('a keepsake is read as it was written, limits that are none too', (t) => {
  t.deepEqual(readKeepsake(writeKeepsake(KEEPSAKE)), KEEPSAKE)
})

for (const { name, text } of [
  { name: 'nothing', text: undefined },
  { name: 'text of someone else', text: 'hello' },
  { name: 'null', text: 'null' },
  { name: 'another version', text: JSON.stringify({ ...KEEPSAKE, version: 2 }) },
  { name: 'no sandbox', text: JSON.stringify({ ...KEEPSAKE, version: 1, sandboxPath: undefined }) },
]) {
  test(`${name} is no keepsake`, (t) => t.is(readKeepsake(text), undefined))
}
