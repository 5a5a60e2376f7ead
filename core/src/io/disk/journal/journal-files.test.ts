import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Journal, journalPlace } from './journal.ts'
import { nodeFiles } from './journal-files.ts'
import { readJournal } from './read-journal.ts'

function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'isthmus-journal-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

test('a journal on a real disk is read as it was written, over lives and rotations', async (t) => {
  const place = journalPlace(join(folder(t), 'meta', 'agents', 'A'), 'A')
  let count = 0
  for (let life = 0; life < 3; life++) {
    const found = await readJournal(place)
    t.is(found.problem?.kind, life === 0 ? 'missing' : undefined)
    t.is(found.records.length, count)
    const failed = (error: unknown): void => t.fail(String(error))
    const journal = await Journal.begin({ ...place, found, snapshot: found.records, failed, rotateBytesMin: 50 })
    const all = [...found.records]
    for (let at = 0; at < 20; at++) {
      const record = Buffer.from(`record ${count++}`)
      all.push(record)
      await new Promise<void>((resolve) => journal.append([record], resolve))
      if (journal.wantsSnapshot) journal.rotate([...all])
    }
    await journal.close()
    t.deepEqual(readdirSync(place.folder), [journal.segmentName])
  }
  const { records } = await readJournal(place)
  t.deepEqual(
    records.map((record) => Buffer.from(record).toString()),
    Array.from({ length: count }, (_, at) => `record ${at}`),
  )
})

test('the names of a folder that is not there are none; a file is there', async (t) => {
  const path = folder(t)
  t.deepEqual(await nodeFiles.list(join(path, 'none')), [])
  writeFileSync(join(path, 'file'), '')
  await t.throwsAsync(nodeFiles.list(join(path, 'file')), { code: 'ENOTDIR' })
})

test('a file that is kept has two names, and keeps the second when it was kept before', async (t) => {
  const path = folder(t)
  const [from, as] = [join(path, 'from'), join(path, 'as')]
  writeFileSync(from, 'one')
  await nodeFiles.keep(from, as)
  await nodeFiles.keep(from, as)
  await nodeFiles.remove(from)
  await nodeFiles.remove(from)
  t.false(existsSync(from))
  t.is(readFileSync(as, 'utf8'), 'one')
})
