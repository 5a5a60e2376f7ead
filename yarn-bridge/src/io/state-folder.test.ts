import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { IoError } from '@isthmus/core/io/io-error'
import test, { type ExecutionContext } from 'ava'
import { StateFolder } from './state-folder.ts'

function folderOf(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'isthmus-state-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return join(path, 'made', 'when needed')
}

test('what is kept is read again, and nothing is kept at first', (t) => {
  const path = folderOf(t)
  const before = new StateFolder(path)
  t.deepEqual([before.readFrameworkId(), before.readWishes()], [undefined, undefined])
  before.saveFrameworkId('a-0001')
  before.saveWishes({ mode: 'manual', wantedByProfile: { small: 2 } })
  const after = new StateFolder(path)
  t.deepEqual(
    [after.readFrameworkId(), after.readWishes()],
    ['a-0001', { mode: 'manual', wantedByProfile: { small: 2 } }],
  )
})

test('an id that is kept already is not written again', (t) => {
  const path = folderOf(t)
  const folder = new StateFolder(path)
  folder.saveFrameworkId('a-0001')
  rmSync(path, { recursive: true })
  folder.saveFrameworkId('a-0001')
  t.is(new StateFolder(path).readFrameworkId(), undefined)
  folder.saveFrameworkId('a-0002')
  t.is(new StateFolder(path).readFrameworkId(), 'a-0002')
})

for (const { name, text } of [
  { name: 'framework-id', text: '' },
  { name: 'framework-id', text: '\n' },
  { name: 'framework-id', text: 'a\0b' },
  { name: 'framework-id', text: 'two words' },
  { name: 'framework-id', text: 'x'.repeat(256) },
  { name: 'wishes.json', text: '' },
  { name: 'wishes.json', text: '{"wantedByProfile": {"sma' },
  { name: 'wishes.json', text: '{"wantedByProfile": {"small": -1}}' },
  { name: 'wishes.json', text: '[]' },
]) {
  test(`a damaged ${name} is refused and left as it is: ${JSON.stringify(text.slice(0, 40))}`, (t) => {
    const path = folderOf(t)
    mkdirSync(path, { recursive: true })
    writeFileSync(join(path, name), text)
    const folder = new StateFolder(path)
    const error = t.throws(() => (name === 'framework-id' ? folder.readFrameworkId() : folder.readWishes()), {
      instanceOf: IoError,
    })
    t.true(error?.message.startsWith(`${join(path, name)} is damaged; when it is deleted, `), error?.message)
    t.is(readFileSync(join(path, name), 'utf8'), text)
  })
}

test('a folder that cannot be made or read is told with the path', (t) => {
  const path = folderOf(t)
  mkdirSync(join(path, 'framework-id'), { recursive: true })
  const folder = new StateFolder(path)
  t.regex(t.throws(() => folder.readFrameworkId())?.message ?? '', /framework-id cannot be read/)
  t.regex(t.throws(() => folder.saveFrameworkId('a'))?.message ?? '', /framework-id cannot be written/)
})
