import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import type { RegistryRecord } from '../../master/registry.ts'
import { IoError } from '../io-error.ts'
import { registryFile } from './registry-file.ts'
import { folderRegistry } from './registry-folder.ts'

const record = (role: string, weight: number): RegistryRecord => ({
  kind: 'weightsUpdated',
  weights: [{ role, weight }],
})

async function inFolder(body: (folder: string, records: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'registry-'))
  try {
    await body(folder, join(folder, 'registry', 'records'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** A registry with three writes, closed. */
async function written(folder: string): Promise<void> {
  const store = folderRegistry(folder)
  await store.load()
  for (const role of ['a', 'b', 'c']) await store.commit([record(role, 2)])
  await store.close()
}

async function reload(folder: string): Promise<readonly RegistryRecord[]> {
  const store = folderRegistry(folder)
  const records = await store.load()
  await store.close()
  return records
}

/** One record with all three weights. */
const ALL: RegistryRecord = { kind: 'weightsUpdated', weights: ['a', 'b', 'c'].map((role) => ({ role, weight: 2 })) }

test('where nothing may be written the registry is refused with its folder', async (t) => {
  // Not even root may make a folder there.
  const error = await t.throwsAsync(reload('/sys/kernel'), { instanceOf: IoError })
  t.regex(error!.message, /^cannot read the registry in \/sys\/kernel\/registry.*(?:EPERM|EACCES|EROFS)/)
})

test('what was committed is there after a restart, shortened', (t) =>
  inFolder(async (folder) => {
    const first = folderRegistry(folder)
    t.deepEqual(await first.load(), [])
    await Promise.all([first.commit([record('a', 1)]), first.commit([record('b', 2)]), first.commit([record('a', 3)])])
    await first.close()
    const second = folderRegistry(folder)
    t.deepEqual(await second.load(), [
      {
        kind: 'weightsUpdated',
        weights: [
          { role: 'a', weight: 3 },
          { role: 'b', weight: 2 },
        ],
      },
    ])
    await second.close()
  }))

test('a registry without anything in it is there after a restart, too', (t) =>
  inFolder(async (folder) => {
    t.deepEqual(await reload(folder), [])
    t.deepEqual(await reload(folder), [])
  }))

test('commits that come while one is under way are one write', (t) =>
  inFolder(async (folder, records) => {
    const store = folderRegistry(folder)
    await store.load()
    await Promise.all(Array.from({ length: 50 }, (_, at) => store.commit([record(`r${at}`, 1)])))
    await store.close()
    t.is(readFileSync(records, 'utf8').trim().split('\n').length, 3)
    t.is((await reload(folder)).flatMap((one) => (one.kind === 'weightsUpdated' ? one.weights : [])).length, 50)
  }))

test('a line that was cut off is dropped, the lines before it count', (t) =>
  inFolder(async (folder, records) => {
    await written(folder)
    appendFileSync(records, '01234567 [{"kind":"weightsUp')
    t.deepEqual(await reload(folder), [ALL])
    t.false(readFileSync(records, 'utf8').includes('01234567'))
  }))

test('bytes that a machine that lost power left behind the last line are dropped', (t) =>
  inFolder(async (folder, records) => {
    await written(folder)
    appendFileSync(records, new Uint8Array(4096))
    t.deepEqual(await reload(folder), [ALL])
  }))

for (const { title, content, words } of [
  { title: 'an empty file', content: '', words: 'is empty; nothing was changed' },
  {
    title: 'a foreign text',
    content: 'hello\nworld\n',
    words: 'is no registry of Isthmus, or is damaged at its beginning',
  },
  { title: 'a foreign text without an end', content: 'hello', words: 'is no registry of Isthmus' },
  { title: 'foreign bytes', content: '\x7fELF\0\0\n\0', words: 'is no registry of Isthmus' },
  { title: 'foreign JSON', content: '{"a":1}\n', words: 'is no registry of Isthmus' },
  { title: 'a foreign list', content: '[{"a":1}]\n', words: 'a record has no kind' },
  {
    title: 'a later format',
    content: 'isthmus-registry 3\nwhatever\n',
    words: 'has format 3, this version reads 1 and 2',
  },
  {
    title: 'a record of a later version',
    content: registryFile([{ kind: 'somethingNew' } as unknown as RegistryRecord]),
    words: "a record of the kind 'somethingNew' was written by a later version",
  },
  {
    title: 'a damaged line in the middle',
    content: registryFile([record('a', 1), record('b', 1)]).replace('"a"', '"x"'),
    words: 'is damaged in line 2 of 3',
  },
  {
    title: 'a damaged last line that has an end',
    content: registryFile([record('a', 1), record('b', 1)]).replace('"b"', '"x"'),
    words: 'is damaged in line 3 of 3',
  },
  { title: 'a damaged registry of format 1', content: '[{"kind":"weightsUp\n[]\n', words: 'or is damaged: ' },
] as const) {
  test(`${title} is refused, and nothing is changed`, (t) =>
    inFolder(async (folder, records) => {
      mkdirSync(join(folder, 'registry'))
      writeFileSync(records, content, 'latin1')
      const error = await t.throwsAsync(reload(folder), { instanceOf: IoError })
      t.is(error?.code, 'FILE')
      t.true(error?.message.startsWith(`the file ${records} `), error?.message)
      t.true(error?.message.includes(words), error?.message)
      t.is(readFileSync(records, 'latin1'), content)
    }))
}

test('a registry of format 1 is read, and written in format 2', (t) =>
  inFolder(async (folder, records) => {
    mkdirSync(join(folder, 'registry'))
    writeFileSync(
      records,
      `${JSON.stringify([record('a', 2), record('b', 2)])}\n${JSON.stringify([record('c', 2)])}\n[{"ki`,
    )
    t.deepEqual(await reload(folder), [ALL])
    t.true(readFileSync(records, 'utf8').startsWith('isthmus-registry 2\n'))
    t.deepEqual(await reload(folder), [ALL])
  }))

test('a folder in the place of the file is refused', (t) =>
  inFolder(async (folder, records) => {
    mkdirSync(records, { recursive: true })
    await t.throwsAsync(reload(folder), { name: 'IoError', message: /cannot read the registry in .*EISDIR/ })
  }))

test('on a full disk the start is refused, and what is there stays', (t) =>
  inFolder(async (folder, records) => {
    await written(folder)
    const before = readFileSync(records)
    symlinkSync('/dev/full', `${records}.new`)
    const error = await t.throwsAsync(reload(folder), { instanceOf: IoError })
    t.regex(error!.message, /ENOSPC/)
    t.deepEqual(readFileSync(records), before)
  }))

test('bytes and large numbers survive', (t) =>
  inFolder(async (folder) => {
    const first = folderRegistry(folder)
    await first.load()
    const agentInfo = {
      hostname: 'h',
      id: { value: 'A' },
      attributes: [{ name: 'x', type: 'RANGES', ranges: { range: [{ begin: 1, end: 2n ** 60n }] } }],
    } as const
    await first.commit([{ kind: 'agentAdmitted', agentInfo }])
    await first.close()
    t.deepEqual(await reload(folder), [{ kind: 'agentAdmitted', agentInfo }])
  }))

test('a commit after the end is refused', (t) =>
  inFolder(async (folder) => {
    const store = folderRegistry(folder)
    await store.load()
    await store.close()
    await t.throwsAsync(store.commit([record('a', 1)]), { name: 'IoError' })
  }))

test('a master whose folder another one has taken cannot write any more, and does not spoil what that one writes', (t) =>
  inFolder(async (folder) => {
    const old = folderRegistry(folder)
    await old.load()
    await old.commit([record('a', 2)])
    const next = folderRegistry(folder)
    await next.load()
    await t.throwsAsync(old.commit([record('x', 9)]), { message: /another master has taken over the registry in / })
    await t.throwsAsync(old.commit([record('y', 9)]), { message: /another master has taken over/ })
    await next.commit([record('b', 2)])
    await next.commit([record('c', 2)])
    await old.close()
    await next.close()
    t.deepEqual(await reload(folder), [ALL])
  }))

test('a write that failed is the last one', (t) =>
  inFolder(async (folder, records) => {
    const store = folderRegistry(folder)
    await store.load()
    rmSync(records)
    const results = await Promise.allSettled(['a', 'b', 'c'].map((role) => store.commit([record(role, 1)])))
    t.deepEqual(
      results.map(({ status }) => status),
      ['rejected', 'rejected', 'rejected'],
    )
    writeFileSync(records, registryFile([]))
    await t.throwsAsync(store.commit([record('d', 1)]), { message: /cannot write the registry/ })
    await store.close()
    t.is(readFileSync(records, 'utf8'), registryFile([]))
  }))

test('after many writes the file is shortened, and those that follow count', (t) =>
  inFolder(async (folder, records) => {
    mkdirSync(join(folder, 'registry'))
    const store = folderRegistry(folder, { linesMax: 5 })
    await store.load()
    for (let at = 1; at <= 7; at++) await store.commit([record('a', at)])
    await store.close()
    t.is(readFileSync(records, 'utf8').trim().split('\n').length, 4)
    t.deepEqual(await reload(folder), [record('a', 7)])
  }))
