import test from 'ava'
import fc from 'fast-check'
import type { IoError } from '../../io-error.ts'
import { Journal, PENDING_BYTES_MAX } from './journal.ts'
import { readJournal } from './read-journal.ts'
import { RehearsedDisk } from './rehearsed-disk.ts'

const FOLDER = '/meta/A'

function place(disk: RehearsedDisk) {
  return { folder: FOLDER, owner: 'A', files: disk }
}

async function begin(disk: RehearsedDisk, snapshot: readonly string[] = [], rotateBytesMin?: number) {
  const failures: IoError[] = []
  const journal = await Journal.begin({
    ...place(disk),
    found: await readJournal(place(disk)),
    snapshot: bytes(snapshot),
    failed: (error) => failures.push(error),
    rotateBytesMin,
  })
  return { journal, failures }
}

function bytes(texts: readonly string[]): Buffer[] {
  return texts.map((text) => Buffer.from(text))
}

function texts(records: readonly Uint8Array[]): string[] {
  return records.map((record) => Buffer.from(record).toString())
}

function append(journal: Journal, ...records: string[]): Promise<void> {
  return new Promise((resolve) => journal.append(bytes(records), resolve))
}

async function stored(disk: RehearsedDisk): Promise<string[]> {
  return texts((await readJournal(place(disk))).records)
}

test('what was appended is there after a crash, behind the snapshot', async (t) => {
  const disk = new RehearsedDisk()
  const { journal } = await begin(disk, ['s'])
  await append(journal, 'a', 'b')
  await append(journal, 'c')
  disk.crash(() => 0)
  t.deepEqual(await stored(disk), ['s', 'a', 'b', 'c'])
})

test('what arrives while the disk is busy is made durable by one sync', async (t) => {
  const disk = new RehearsedDisk()
  const { journal } = await begin(disk)
  const before = disk.syncs
  let release = (): void => {}
  disk.held = new Promise((resolve) => {
    release = resolve
  })
  const order: number[] = []
  for (let at = 0; at < 100; at++) {
    journal.append(bytes([`r${at}`]), () => order.push(at))
    await Promise.resolve()
  }
  t.deepEqual(order, [], 'nothing is called durable before the sync')
  release()
  await journal.close()
  t.deepEqual(
    order,
    Array.from({ length: 100 }, (_, at) => at),
  )
  t.is(disk.syncs - before, 2)
  t.is(journal.pendingBytes, 0)
})

test('a journal is full when more waits than may, and not when it was written', async (t) => {
  const disk = new RehearsedDisk()
  const { journal } = await begin(disk)
  const record = Buffer.alloc(PENDING_BYTES_MAX / 2)
  journal.append([record], () => {})
  t.false(journal.isFull)
  journal.append([record], () => {})
  t.true(journal.isFull)
  await journal.close()
  t.false(journal.isFull)
})

test('a segment that has grown wants a snapshot; the new one stands for everything before it', async (t) => {
  const disk = new RehearsedDisk()
  const { journal } = await begin(disk, [], 100)
  t.false(journal.wantsSnapshot)
  while (!journal.wantsSnapshot) await append(journal, 'some record')
  const first = journal.segmentName
  journal.append(bytes(['last']), () => {})
  journal.rotate(bytes(['all']))
  t.false(journal.wantsSnapshot)
  await append(journal, 'next')
  t.not(journal.segmentName, first)
  t.deepEqual(disk.names, [journal.segmentName])
  t.deepEqual(await stored(disk), ['all', 'next'])
})

test('a new agent has no journal, a known one must have one', async (t) => {
  const disk = new RehearsedDisk()
  const { problem } = await readJournal(place(disk))
  t.is(problem?.kind, 'missing')
  t.is(problem?.message, '/meta/A: there is no journal-N.log')
})

test('a disk that is full is told once, by name; nothing later becomes durable, and the next start has what was', async (t) => {
  const disk = new RehearsedDisk()
  const { journal, failures } = await begin(disk, ['s'])
  await append(journal, 'a')
  disk.roomBytes = 30
  const later: string[] = []
  journal.append(bytes(['b', 'c is too long for it']), () => later.push('b'))
  await journal.close()
  journal.append(bytes(['d']), () => later.push('d'))
  journal.rotate([], () => later.push('rotated'))
  await journal.close()
  t.deepEqual(later, [])
  t.is(failures.length, 1)
  t.regex(failures[0]!.message, /^the journal \/meta\/A\/journal-1\.log cannot be written: ENOSPC/)
  t.regex((await t.throwsAsync(begin(disk, ['s', 'a']))).message, /the journal in \/meta\/A cannot be written: ENOSPC/)
  t.deepEqual(disk.names, ['journal-1.log', 'journal-1.log.torn'], 'a start that has no room leaves what is there')
  disk.roomBytes = 1_000
  const found = await readJournal(place(disk))
  t.deepEqual(texts(found.records).slice(0, 2), ['s', 'a'])
  t.regex(
    found.torn!.message,
    /^\/meta\/A\/journal-1\.log: byte \d+: .* a crash cut the last write short, its last \d+ bytes/,
  )
})

test('a torn end is cut, and the file kept aside', async (t) => {
  const disk = new RehearsedDisk()
  const { journal } = await begin(disk, ['s'])
  await append(journal, 'a')
  const path = `${FOLDER}/journal-1.log`
  const torn = disk.peek(path)!.subarray(0, -1)
  disk.poke(path, torn)
  await begin(disk, ['s'])
  t.deepEqual(disk.names, ['journal-1.log.torn', 'journal-2.log'])
  t.deepEqual(disk.peek(`${path}.torn`), torn)
})

test('of files with a torn end only the newest are kept', async (t) => {
  const disk = new RehearsedDisk()
  for (let life = 1; life < 9; life++) {
    await begin(disk)
    const path = `${FOLDER}/journal-${life}.log`
    disk.poke(path, Buffer.concat([disk.peek(path)!, Buffer.from('torn')]))
  }
  t.deepEqual(disk.names, ['4', '5', '6', '7'].map((at) => `journal-${at}.log.torn`).concat('journal-8.log'))
})

test('a start that goes on without what is damaged keeps the file', async (t) => {
  const disk = new RehearsedDisk()
  const { journal } = await begin(disk, ['s'])
  await append(journal, 'the first')
  await append(journal, 'b')
  const path = `${FOLDER}/journal-1.log`
  const damaged = Buffer.from(disk.peek(path)!)
  damaged[damaged.indexOf('the first')]! ^= 1
  disk.poke(path, damaged)
  const found = await readJournal(place(disk))
  t.deepEqual(texts(found.records), ['s'])
  t.is(found.problem?.kind, 'damaged')
  t.regex(
    found.problem!.message,
    /journal-1\.log: byte \d+: the checksum of a record of 9 bytes is .* \(1 records before it are good\)$/,
  )
  await begin(disk, ['s'])
  t.deepEqual(disk.names, ['journal-1.log.damaged', 'journal-2.log'])
  t.deepEqual(disk.peek(`${path}.damaged`), damaged)
})

for (const { name, list, read, message } of [
  { name: 'a folder', list: 'EACCES: permission denied', message: /^\/meta\/A: it cannot be read: EACCES: permission/ },
  { name: 'a file', read: 'EIO: i/o error', message: /^\/meta\/A\/journal-1\.log: it cannot be read: EIO/ },
]) {
  test(`${name} that cannot be read is a problem with its name`, async (t) => {
    const disk = new RehearsedDisk()
    await begin(disk)
    const broken = Object.assign(Object.create(disk) as RehearsedDisk, {
      ...(list !== undefined && { list: () => Promise.reject(new Error(list)) }),
      ...(read !== undefined && { read: () => Promise.reject(new Error(read)) }),
    })
    const { problem } = await readJournal(place(broken))
    t.is(problem?.kind, 'unreadable')
    t.regex(problem!.message, message)
    if (list !== undefined) await t.throwsAsync(begin(broken))
    t.deepEqual(disk.names, ['journal-1.log'])
  })
}

test('a segment that came while the journal was read is not overwritten', async (t) => {
  const disk = new RehearsedDisk()
  const found = await readJournal(place(disk))
  await begin(disk, ['other'])
  const failed = (): void => {}
  const error = await t.throwsAsync(Journal.begin({ ...place(disk), found, snapshot: [], failed }))
  t.regex(error.message, /somebody else writes it too/)
  t.deepEqual(await stored(disk), ['other'])
})

/** The records of a life: `n` is the n-th change, `=n` a snapshot of n changes. */
function countOf(records: readonly string[]): number {
  let count = 0
  for (const [at, text] of records.entries()) {
    if (text.startsWith('=') && at === 0) count = Number(text.slice(1))
    else if (Number(text) === count + 1) count += 1
    else throw new Error(`${records.join()} is not what was written`)
  }
  return count
}

/** Appends, rotates and dies; returns the changes that were appended and those reported durable. */
async function live(disk: RehearsedDisk, plan: { readonly groups: readonly number[]; readonly calls: number }) {
  const found = await readJournal(place(disk))
  let appended = countOf(texts(found.records))
  let durable = appended
  disk.callsLeft = plan.calls
  try {
    const snapshot = bytes([`=${appended}`])
    const journal = await Journal.begin({ ...place(disk), found, snapshot, failed: () => {}, rotateBytesMin: 60 })
    for (const [at, size] of plan.groups.entries()) {
      const records: string[] = []
      for (let more = 0; more < size; more++) records.push(String(++appended))
      const upTo = appended
      journal.append(bytes(records), () => {
        durable = upTo
      })
      if (journal.wantsSnapshot) journal.rotate(bytes([`=${appended}`]))
      if (at % 3 === 0) await journal.close()
    }
    await journal.close()
  } catch {
    // It died while it began.
  }
  return { appended, durable }
}

test('safety: whenever the power goes, all that was reported durable is there, and nothing that was never written', async (t) => {
  const life = fc.record({
    groups: fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 30 }),
    calls: fc.integer({ min: 0, max: 80 }),
    picks: fc.array(fc.nat(), { minLength: 1, maxLength: 8 }),
    areHoles: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(life, { minLength: 1, maxLength: 4 }), async (lives) => {
      const disk = new RehearsedDisk()
      await begin(disk)
      for (const { picks, areHoles, ...plan } of lives) {
        const { appended, durable } = await live(disk, plan)
        let turn = 0
        disk.crash((most) => picks[turn++ % picks.length]! % (most + 1), areHoles)
        const { records, problem } = await readJournal(place(disk))
        t.is(problem, undefined)
        const count = countOf(texts(records))
        t.true(count >= durable && count <= appended, `${count} is not from ${durable} to ${appended}`)
      }
    }),
    { numRuns: 300 },
  )
})
