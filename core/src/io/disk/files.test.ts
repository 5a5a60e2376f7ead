import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { groupName, userName } from '../containers/users.ts'
import { modeText, openVirtualFiles, READ_BYTES_MAX } from './files.ts'
import type { VirtualFiles } from './virtual-files.ts'

function openWorld(t: ExecutionContext): { readonly folder: string; readonly files: VirtualFiles } {
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-files-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(join(folder, 'run', 'sub'), { recursive: true })
  writeFileSync(join(folder, 'run', 'stdout'), 'hello', { mode: 0o644 })
  chmodSync(join(folder, 'run', 'stdout'), 0o644)
  writeFileSync(join(folder, 'secret'), 'secret')
  symlinkSync('../secret', join(folder, 'run', 'out'))
  symlinkSync('stdout', join(folder, 'run', 'in'))
  symlinkSync('run', join(folder, 'latest'))
  execFileSync('mkfifo', [join(folder, 'run', 'pipe')])
  const files = openVirtualFiles()
  files.attach('/virtual/latest', join(folder, 'latest'))
  return { folder, files }
}

const bytes = (text: string): Uint8Array => new Uint8Array(new TextEncoder().encode(text))

test('a folder is listed by name, with what ls would say, under the path asked for', async (t) => {
  const { files } = openWorld(t)
  const answer = await files.browse({ path: '/virtual/latest/' })
  if (answer.kind !== 'ok') return t.fail()
  t.deepEqual(
    answer.value.map(({ path }) => path),
    ['in', 'out', 'pipe', 'stdout', 'sub'].map((name) => `/virtual/latest/${name}`),
  )
  const { mtimeSeconds, ...entry } = answer.value[3]!
  t.true(Number.isInteger(mtimeSeconds) && mtimeSeconds > 1_500_000_000)
  t.deepEqual(entry, {
    path: '/virtual/latest/stdout',
    mode: '-rw-r--r--',
    modeBits: 0o100644,
    nlink: 1,
    sizeBytes: 5,
    uid: userName(process.getuid!()),
    gid: groupName(process.getgid!()),
  })
})

test('a file and an empty folder list nothing', async (t) => {
  const { files } = openWorld(t)
  for (const path of ['/virtual/latest/stdout', '/virtual/latest/sub']) {
    t.deepEqual(await files.browse({ path }), { kind: 'ok', value: [] })
  }
})

const reads: readonly {
  readonly name: string
  readonly query: Parameters<VirtualFiles['read']>[0]
  readonly offset: number
  readonly text: string
}[] = [
  { name: 'from the start', query: { offset: '0' }, offset: 0, text: 'hello' },
  { name: 'from the middle', query: { offset: '2' }, offset: 2, text: 'llo' },
  { name: 'a length', query: { offset: '1', length: '3' }, offset: 1, text: 'ell' },
  { name: 'a length of -1 means all', query: { offset: '1', length: '-1' }, offset: 1, text: 'ello' },
  { name: 'no offset asks for the size', query: {}, offset: 5, text: '' },
  { name: 'an offset of -1 asks for the size', query: { offset: '-1', length: '2' }, offset: 5, text: '' },
  { name: 'past the end there is nothing', query: { offset: '99' }, offset: 99, text: '' },
  { name: 'numbers as numbers', query: { offset: 1, length: 1 }, offset: 1, text: 'e' },
]
for (const { name, query, offset, text } of reads) {
  test(`read: ${name}`, async (t) => {
    const { files } = openWorld(t)
    const answer = await files.read({ path: '/virtual/latest/stdout', ...query })
    t.deepEqual(answer, { kind: 'ok', value: { offset, data: bytes(text), sizeBytes: 5 } })
  })
}

test('read gives at most 64 KB', async (t) => {
  const { folder, files } = openWorld(t)
  writeFileSync(join(folder, 'run', 'big'), Buffer.alloc(100_000, 'x'))
  const answer = await files.read({ path: '/virtual/latest/big', offset: '10', length: '90000' })
  t.is(answer.kind === 'ok' && answer.value.data.length, READ_BYTES_MAX)
  t.is(answer.kind === 'ok' && answer.value.sizeBytes, 100_000)
})

test('download gives the name, the size and the bytes', async (t) => {
  const { files } = openWorld(t)
  const answer = await files.download({ path: '/virtual/latest/in' })
  if (answer.kind !== 'ok') return t.fail()
  t.is(answer.value.name, 'in')
  t.is(answer.value.sizeBytes, 5)
  t.is(Buffer.concat(await answer.value.body().toArray()).toString(), 'hello')
})

const bad = (message: string): unknown => ({ kind: 'badRequest', message })
const notFound = { kind: 'notFound' }
const path = '/virtual/latest/stdout'
const refusals: readonly {
  readonly name: string
  readonly ask: (files: VirtualFiles) => Promise<unknown>
  readonly expected: unknown
}[] = [
  { name: 'browse without path', ask: (f) => f.browse({}), expected: bad("Expecting 'path=value' in query.\n") },
  {
    name: 'read without path',
    ask: (f) => f.read({ offset: 'x' }),
    expected: bad("Expecting 'path=value' in query.\n"),
  },
  { name: 'download without path', ask: (f) => f.download({}), expected: bad("Expecting 'path=value' in query.\n") },
  { name: 'an unknown path', ask: (f) => f.browse({ path: '/nowhere' }), expected: notFound },
  { name: 'a relative path', ask: (f) => f.browse({ path: 'virtual' }), expected: notFound },
  {
    name: 'a path of which only the start is attached',
    ask: (f) => f.browse({ path: '/virtual' }),
    expected: notFound,
  },
  { name: 'an unknown file', ask: (f) => f.read({ path: `${path}x`, offset: '0' }), expected: notFound },
  {
    name: 'a name that starts like an attached one',
    ask: (f) => f.browse({ path: '/virtual/latestx' }),
    expected: notFound,
  },
  {
    name: 'an offset that is no number',
    ask: (f) => f.read({ path, offset: 'x' }),
    expected: bad("Failed to parse offset: Failed to convert 'x' to number.\n"),
  },
  {
    name: 'a length that is no number',
    ask: (f) => f.read({ path, length: '' }),
    expected: bad("Failed to parse length: Failed to convert '' to number.\n"),
  },
  {
    name: 'a negative length',
    ask: (f) => f.read({ path, offset: '0', length: '-2' }),
    expected: bad('Negative length provided: -2.\n'),
  },
  {
    name: 'a negative offset',
    ask: (f) => f.read({ path, offset: '-2' }),
    expected: bad('Negative offset provided: -2.\n'),
  },
  {
    name: 'reading a folder',
    ask: (f) => f.read({ path: '/virtual/latest', offset: '0' }),
    expected: bad('Cannot read a directory.\n'),
  },
  {
    name: 'downloading a folder',
    ask: (f) => f.download({ path: '/virtual/latest' }),
    expected: bad('Cannot download a directory.\n'),
  },
  {
    name: 'a way out by dots',
    ask: (f) => f.read({ path: '/virtual/latest/../secret', offset: '0' }),
    expected: bad('Resolved path is inaccessible.\n'),
  },
  {
    name: 'a way out by a link',
    ask: (f) => f.download({ path: '/virtual/latest/out' }),
    expected: bad('Resolved path is inaccessible.\n'),
  },
  { name: 'a pipe', ask: (f) => f.read({ path: '/virtual/latest/pipe', offset: '0' }), expected: notFound },
  { name: 'a pipe to download', ask: (f) => f.download({ path: '/virtual/latest/pipe' }), expected: notFound },
]
for (const { name, ask, expected } of refusals) {
  test(`refused: ${name}`, async (t) => {
    const { files } = openWorld(t)
    t.deepEqual(await ask(files), expected)
  })
}

test('the longest attached path counts, and detached ones are gone', async (t) => {
  const { folder, files } = openWorld(t)
  files.attach('/virtual', folder)
  t.is((await files.read({ path: '/virtual/secret', offset: '0' })).kind, 'ok')
  t.is((await files.read({ path: '/virtual/latest/stdout', offset: '0' })).kind, 'ok')
  files.detach('/virtual/latest')
  t.is((await files.read({ path: '/virtual/latest/out', offset: '0' })).kind, 'ok')
  files.detach('/virtual')
  t.is((await files.read({ path: '/virtual/latest/stdout', offset: '0' })).kind, 'notFound')
})

test('a file swapped for a link out after it was asked for is not sent', async (t) => {
  const { folder, files } = openWorld(t)
  const answer = await files.download({ path })
  rmSync(join(folder, 'run', 'stdout'))
  symlinkSync('../secret', join(folder, 'run', 'stdout'))
  if (answer.kind !== 'ok') return t.fail()
  await t.throwsAsync(answer.value.body().toArray())
})

test('modes are shown as ls does', (t) => {
  t.deepEqual([0o100644, 0o040755, 0o104755, 0o041777, 0o120777, 0o102644].map(modeText), [
    '-rw-r--r--',
    'drwxr-xr-x',
    '-rwsr-xr-x',
    'drwxrwxrwt',
    'lrwxrwxrwx',
    '-rw-r-Sr--',
  ])
})
