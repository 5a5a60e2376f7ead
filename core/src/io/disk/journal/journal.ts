// What an agent must not forget, as a list of records on the disk. Start here; segment.ts has the bytes, read-journal.ts the start.
//
//   readJournal ─► records ─► (the machine recovers) ─► Journal.begin(snapshot) ─► append … append, rotate(snapshot), append …
//
//   FOLDER/journal-3.log            a snapshot, and what was appended since
//          journal-4.log.part       the next one while it is written
//          journal-2.log.damaged    kept aside: a start went on without what was in it
//          journal-1.log.torn       kept aside: its last write was cut short by a crash
//
// Group commit: one write and one fdatasync at a time; what is appended meanwhile goes into the next. A new segment is written beside
// the old one, synced, renamed, and only when its name is on the disk does the old one go. The journal holds opaque bytes and decides
// nothing; who appends keeps back what must not be seen before its record is durable (runtime/output-commit.ts).
//
// The first failure of the disk is the last: after a failed fdatasync nobody knows what is on the disk, so nothing is written any more.

import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { assert } from '../../../base/assert.ts'
import { IoError } from '../../io-error.ts'
import { type JournalFile, type JournalFiles, nodeFiles } from './journal-files.ts'
import { type FoundJournal, type JournalPlace, segmentName } from './read-journal.ts'
import { encodeSegment, encodeWrite, framedLength } from './segment.ts'

/** Bytes that wait at most before `isFull` says that no more should come. */
export const PENDING_BYTES_MAX = 32 * 2 ** 20
/** A segment is never rotated before what was appended is so long. */
const ROTATE_BYTES_MIN = 8 * 2 ** 20
/** Nor before it is so many times as long as the snapshot: rotation costs at most a quarter of what is written. */
const ROTATE_FACTOR = 4
/** Files with a torn end that are kept aside; the oldest goes. */
const TORN_KEPT_MAX = 4

/** What a journal needs to begin. */
export interface JournalOptions extends JournalPlace {
  /** What is on the disk; its problem, if it has one, is put aside. */
  readonly found: FoundJournal
  /** What the first segment begins with. */
  readonly snapshot: readonly Uint8Array[]
  /** The disk failed: told once, nothing becomes durable after it. */
  readonly failed: (error: IoError) => void
  /** Least bytes before a rotation; for tests. */
  readonly rotateBytesMin?: number | undefined
}

interface Waiting {
  readonly records: readonly Uint8Array[]
  readonly durable: () => void
  /** These records replace everything before them. */
  readonly isSnapshot: boolean
}

interface Segment {
  readonly file: JournalFile
  readonly name: string
  readonly salt: number
  /** Length of header and snapshot. */
  readonly snapshotEnd: number
  end: number
}

/** A journal that is being written; see the file's header. */
export class Journal {
  readonly #options: JournalOptions
  #segment: Segment
  #nextNumber: number
  #waiting: Waiting[] = []
  #pendingBytes = 0
  #writing: Promise<void> | undefined
  #hasFailed = false
  #isRotating = false
  /** Appended to the segment, written or not, since its snapshot. */
  #grownBytes = 0
  #syncs = 0

  private constructor(options: JournalOptions, segment: Segment) {
    this.#options = options
    this.#segment = segment
    this.#nextNumber = options.found.nextNumber + 1
  }

  /** Writes a first segment beside what is there, then puts that aside or removes it. Throws IoError; then nothing is lost. */
  static async begin(options: JournalOptions): Promise<Journal> {
    const { folder, files, found } = options
    try {
      await files.makeFolder(folder)
      const names = await files.list(folder)
      if (names.includes(segmentName(found.nextNumber))) throw new IoError('FILE', 'somebody else writes it too')
      if (found.problem !== undefined) for (const name of found.segments) await keepAside(options, name, 'damaged')
      else if (found.torn !== undefined) await keepAside(options, found.segments.at(-1)!, 'torn')
      const segment = await writeSegment(options, found.nextNumber, options.snapshot)
      for (const name of [...found.segments, ...found.parts]) {
        if (name !== `${segment.name}.part`) await files.remove(join(folder, name))
      }
      await removeOldTorn(options)
      return new Journal(options, segment)
    } catch (error) {
      throw IoError.from(error, `the journal in ${folder} cannot be written`)
    }
  }

  /** More than PENDING_BYTES_MAX wait for the disk. */
  get isFull(): boolean {
    return this.#pendingBytes > PENDING_BYTES_MAX
  }

  /** Bytes that wait for the disk. */
  get pendingBytes(): number {
    return this.#pendingBytes
  }

  /** The segment has grown so much that a snapshot is due. */
  get wantsSnapshot(): boolean {
    const { rotateBytesMin = ROTATE_BYTES_MIN } = this.#options
    const least = Math.max(rotateBytesMin, ROTATE_FACTOR * this.#segment.snapshotEnd)
    return !this.#isRotating && this.#grownBytes > least
  }

  /** Times that the disk was waited for. */
  get syncs(): number {
    return this.#syncs
  }

  /** Name of the file that is written. */
  get segmentName(): string {
    return this.#segment.name
  }

  /** Writes records behind all others; `durable` is called when they are on the disk, in the order of the calls. */
  append(records: readonly Uint8Array[], durable: () => void): void {
    this.#add({ records, durable, isSnapshot: false })
    for (const record of records) this.#grownBytes += framedLength(record)
  }

  /** Begins a new segment with records that stand for everything appended so far. */
  rotate(snapshot: readonly Uint8Array[], durable: () => void = () => {}): void {
    this.#isRotating = true
    this.#grownBytes = 0
    this.#add({ records: snapshot, durable, isSnapshot: true })
  }

  /** Resolves when everything appended is durable, or the disk has failed; nothing may be appended afterwards. */
  async close(): Promise<void> {
    await this.#writing
    await this.#segment.file.close().catch(() => {})
  }

  #add(waiting: Waiting): void {
    if (this.#hasFailed) return
    this.#waiting.push(waiting)
    for (const record of waiting.records) this.#pendingBytes += framedLength(record)
    // In a later turn: what one turn of the loop appends goes into one write.
    this.#writing ??= Promise.resolve().then(() => this.#writeAll())
  }

  /** Writes until nothing waits; never throws. */
  async #writeAll(): Promise<void> {
    try {
      let written: readonly Waiting[] = []
      while (this.#waiting.length > 0 || written.length > 0) {
        const group = this.#waiting
        this.#waiting = []
        // The disk shall not wait while those are told whose records it has.
        const writing = group.length > 0 ? this.#write(group) : undefined
        this.#tell(written)
        await writing
        written = group
      }
    } catch (error) {
      this.#hasFailed = true
      this.#waiting = []
      const path = join(this.#options.folder, this.#segment.name)
      this.#options.failed(IoError.from(error, `the journal ${path} cannot be written`))
    }
    this.#writing = undefined
  }

  #tell(written: readonly Waiting[]): void {
    for (const { records } of written) for (const record of records) this.#pendingBytes -= framedLength(record)
    for (const { durable } of written) durable()
  }

  async #write(group: readonly Waiting[]): Promise<void> {
    const at = group.findLastIndex(({ isSnapshot }) => isSnapshot)
    // What is before a snapshot is in it.
    if (at !== -1) await this.#beginSegment(group[at]!.records)
    const records = group.slice(at + 1).flatMap((waiting) => waiting.records)
    if (records.length === 0) return
    const { file, end: offset, salt } = this.#segment
    const bytes = encodeWrite(records, { offset, salt })
    await file.append(bytes)
    await file.sync()
    this.#syncs += 1
    this.#segment.end += bytes.length
  }

  async #beginSegment(snapshot: readonly Uint8Array[]): Promise<void> {
    const old = this.#segment
    this.#segment = await writeSegment(this.#options, this.#nextNumber, snapshot)
    this.#nextNumber += 1
    this.#syncs += 1
    this.#isRotating = false
    await old.file.close()
    await this.#options.files.remove(join(this.#options.folder, old.name))
  }
}

/** The journal's place on this machine's disk. */
export function journalPlace(folder: string, owner: string, files: JournalFiles = nodeFiles): JournalPlace {
  return { folder, owner, files }
}

async function writeSegment(
  { folder, owner, files }: JournalPlace,
  number: number,
  snapshot: readonly Uint8Array[],
): Promise<Segment> {
  assert(number < 1e9, 'segments have numbers of nine digits')
  const name = segmentName(number)
  const salt = randomInt(2 ** 32)
  const bytes = encodeSegment({ number, owner, salt }, snapshot)
  const file = await files.create(join(folder, `${name}.part`))
  try {
    await file.append(bytes)
    await file.sync()
    await files.rename(join(folder, `${name}.part`), join(folder, name))
    await files.syncFolder(folder)
  } catch (error) {
    await file.close().catch(() => {})
    // It may hold the space that is missing.
    await files.remove(join(folder, `${name}.part`)).catch(() => {})
    throw error
  }
  return { file, name, salt, snapshotEnd: bytes.length, end: bytes.length }
}

async function keepAside({ folder, files }: JournalPlace, name: string, why: 'damaged' | 'torn'): Promise<void> {
  await files.keep(join(folder, name), join(folder, `${name}.${why}`))
  await files.syncFolder(folder)
}

async function removeOldTorn({ folder, files }: JournalPlace): Promise<void> {
  const number = (name: string): number => Number(/\d+/.exec(name)?.[0])
  const torn = (await files.list(folder)).filter((name) => name.endsWith('.log.torn'))
  torn.sort((a, b) => number(b) - number(a))
  for (const name of torn.slice(TORN_KEPT_MAX)) await files.remove(join(folder, name))
}
