import test from 'ava'
import { containerCommand } from './container.ts'

const cases = [
  { name: 'shell is the default', command: { value: 'a | b' }, expected: { kind: 'shell', value: 'a | b' } },
  {
    name: 'without shell argv is the arguments, the first word included',
    command: { shell: false, value: '/bin/sh', arguments: ['sh', '-c', 'x'] },
    expected: { kind: 'argv', file: '/bin/sh', argv: ['sh', '-c', 'x'] },
  },
  {
    name: 'without arguments argv is the value',
    command: { shell: false, value: 'true' },
    expected: { kind: 'argv', file: 'true', argv: ['true'] },
  },
]
for (const { name, command, expected } of cases) {
  test(name, (t) => t.deepEqual<unknown, unknown>(containerCommand(command), expected))
}
