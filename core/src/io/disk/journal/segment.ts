// One file of the journal, byte by byte. All numbers are little endian.
//
//   header   magic 8 │ version 4 │ length of the header 4 │ number of the segment 4 │ salt 4 │ length of the snapshot 4
//            │ length of the owner 4 │ owner │ CRC-32 of all before 4
//   write    marker 4 │ its own offset in the file 4 │ length of the records 4 │ count of the records 4 │ CRC-32 of these four 4
//     record   length 4 │ CRC-32 of length and bytes 4 │ bytes
//     record   …
//   write    …
//
// The first write is the snapshot that the segment begins with; it was on the disk before the file got its name. Every further
// one is what one write(2) and one fdatasync(2) made durable, so that at most the last can be torn by a crash. Checksums of writes
// and records start from the salt, so that what an earlier file left on the disk never looks like part of this one.

import { crc32 } from 'node:zlib'
import { assert } from '../../../base/assert.ts'

/** Version of the format. */
export const SEGMENT_VERSION = 1

const MAGIC = Buffer.from('ISTHJRNL', 'latin1')
/** Header bytes before the owner; its checksum comes after the owner. */
const HEADER_BYTES = 32
/** Bytes of the header that are the same in every version: up to its length. */
const PREFIX_BYTES = 16
const OWNER_BYTES_MAX = 4_096
const CHECKSUM_BYTES = 4
const MARKER = Buffer.from([0xfa, 0x57, 0xe1, 0x0c])
const WRITE_BYTES = 20
const RECORD_BYTES = 8

/** What a header says. */
export interface SegmentHeader {
  readonly number: number
  /** Whose records these are: the agent's id. */
  readonly owner: string
  /** Any number below 2^32. */
  readonly salt: number
}

/** Why a segment cannot be used as it is. */
export type SegmentProblem = 'empty' | 'foreign' | 'version' | 'damaged'

/** What was found in a segment. */
export interface SegmentContents {
  /** Up to the first byte that is wrong. */
  readonly records: readonly Uint8Array[]
  /** The last write was not finished: nothing that was reported durable is lost. `bytes` from `offset` on are cut. */
  readonly torn?: { readonly offset: number; readonly bytes: number; readonly reason: string }
  /** Something is wrong that no crash explains. */
  readonly problem?: { readonly kind: SegmentProblem; readonly offset: number; readonly reason: string }
}

/** Bytes of a segment's header and its snapshot. */
export function encodeSegment(header: SegmentHeader, snapshot: readonly Uint8Array[]): Buffer {
  const owner = Buffer.from(header.owner)
  assert(owner.length <= OWNER_BYTES_MAX, 'owners of journals have short names')
  const length = HEADER_BYTES + owner.length + CHECKSUM_BYTES
  const first = encodeWrite(snapshot, { offset: length, salt: header.salt })
  const bytes = Buffer.alloc(length)
  MAGIC.copy(bytes)
  bytes.writeUInt32LE(SEGMENT_VERSION, 8)
  bytes.writeUInt32LE(length, 12)
  bytes.writeUInt32LE(header.number, 16)
  bytes.writeUInt32LE(header.salt, 20)
  bytes.writeUInt32LE(first.length, 24)
  bytes.writeUInt32LE(owner.length, 28)
  owner.copy(bytes, HEADER_BYTES)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, length - CHECKSUM_BYTES)), length - CHECKSUM_BYTES)
  return Buffer.concat([bytes, first])
}

/** Bytes of one write at this place of a file. */
export function encodeWrite(
  records: readonly Uint8Array[],
  { offset, salt }: { readonly offset: number; readonly salt: number },
): Buffer {
  let length = WRITE_BYTES
  for (const record of records) length += RECORD_BYTES + record.length
  const bytes = Buffer.allocUnsafe(length)
  MARKER.copy(bytes)
  bytes.writeUInt32LE(offset, 4)
  bytes.writeUInt32LE(length - WRITE_BYTES, 8)
  bytes.writeUInt32LE(records.length, 12)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 16), salt), 16)
  let at = WRITE_BYTES
  for (const record of records) {
    bytes.writeUInt32LE(record.length, at)
    bytes.set(record, at + RECORD_BYTES)
    bytes.writeUInt32LE(recordChecksum(bytes, at, salt), at + 4)
    at += RECORD_BYTES + record.length
  }
  return bytes
}

/** Bytes that a record takes in a file. */
export function framedLength(record: Uint8Array): number {
  return RECORD_BYTES + record.length
}

/** Reads a segment; never throws, whatever the bytes are. O(bytes). */
export function readSegment(bytes: Buffer, expected: Pick<SegmentHeader, 'number' | 'owner'>): SegmentContents {
  const header = readHeader(bytes, expected)
  if (header.problem !== undefined) return { records: [], problem: header.problem }
  const { salt, length, snapshotEnd } = header
  const records: Uint8Array[] = []
  let at = length
  let broken: Broken | undefined
  while (at < bytes.length && broken === undefined) {
    const write = readWrite(bytes, at, salt)
    records.push(...write.records)
    at = write.end
    broken = write.broken
  }
  if (broken === undefined && at >= snapshotEnd) return { records }
  broken ??= { offset: at, reason: 'the file ends here' }
  const { offset, reason } = broken
  const damaged = (why: string): SegmentContents => {
    return { records, problem: { kind: 'damaged', offset, reason: `${reason}, ${why}` } }
  }
  if (offset < snapshotEnd) return damaged(`inside the snapshot, which ends at byte ${snapshotEnd}`)
  const next = findWrite(bytes, offset + 1, salt)
  if (next !== undefined) return damaged(`but a good write follows at byte ${next}`)
  return { records, torn: { offset, bytes: bytes.length - offset, reason } }
}

interface Broken {
  readonly offset: number
  readonly reason: string
}

type Header =
  | { readonly problem: NonNullable<SegmentContents['problem']> }
  | { readonly problem?: undefined; readonly salt: number; readonly length: number; readonly snapshotEnd: number }

function readHeader(bytes: Buffer, expected: Pick<SegmentHeader, 'number' | 'owner'>): Header {
  const problem = (kind: SegmentProblem, offset: number, reason: string): Header => ({
    problem: { kind, offset, reason },
  })
  if (bytes.length === 0) return problem('empty', 0, 'the file is empty')
  const magic = bytes.subarray(0, MAGIC.length)
  if (!MAGIC.subarray(0, magic.length).equals(magic)) return problem('foreign', 0, 'this is no journal of an agent')
  if (bytes.length < PREFIX_BYTES) return problem('damaged', bytes.length, 'the file ends inside its header')
  const length = bytes.readUInt32LE(12)
  const isPlausible = length >= PREFIX_BYTES + CHECKSUM_BYTES && length <= HEADER_BYTES + OWNER_BYTES_MAX + 4
  if (!isPlausible) return problem('damaged', 12, `a header of ${length} bytes cannot be`)
  if (bytes.length < length) return problem('damaged', bytes.length, 'the file ends inside its header')
  const end = length - CHECKSUM_BYTES
  const [found, wanted] = [crc32(bytes.subarray(0, end)), bytes.readUInt32LE(end)]
  if (found !== wanted) return problem('damaged', end, `the checksum of the header is ${found} instead of ${wanted}`)
  const version = bytes.readUInt32LE(8)
  if (version !== SEGMENT_VERSION)
    return problem('version', 8, `it has version ${version} of the format, this agent reads ${SEGMENT_VERSION}`)
  const owner = bytes.toString('utf8', HEADER_BYTES, HEADER_BYTES + bytes.readUInt32LE(28))
  if (owner !== expected.owner)
    return problem('foreign', HEADER_BYTES, `it belongs to agent ${owner}, not to ${expected.owner}`)
  const number = bytes.readUInt32LE(16)
  if (number !== expected.number) return problem('foreign', 16, `it is segment ${number} under another name`)
  return { salt: bytes.readUInt32LE(20), length, snapshotEnd: length + bytes.readUInt32LE(24) }
}

interface Write {
  readonly records: readonly Uint8Array[]
  readonly end: number
  readonly broken?: Broken
}

function readWrite(bytes: Buffer, offset: number, salt: number): Write {
  if (offset + WRITE_BYTES > bytes.length)
    return { records: [], end: offset, broken: { offset, reason: 'the file ends inside the head of a write' } }
  if (!isWrite(bytes, offset, salt))
    return { records: [], end: offset, broken: { offset, reason: 'no good write begins here' } }
  const end = offset + WRITE_BYTES + bytes.readUInt32LE(offset + 8)
  const count = bytes.readUInt32LE(offset + 12)
  const records: Uint8Array[] = []
  let at = offset + WRITE_BYTES
  while (records.length < count) {
    const reason = recordProblem(bytes, { at, end, salt })
    if (reason !== undefined) return { records, end: at, broken: { offset: at, reason } }
    const next = at + RECORD_BYTES + bytes.readUInt32LE(at)
    records.push(bytes.subarray(at + RECORD_BYTES, next))
    at = next
  }
  if (at === end) return { records, end }
  return { records, end: at, broken: { offset: at, reason: 'a write holds more than its records' } }
}

function recordProblem(
  bytes: Buffer,
  { at, end, salt }: { readonly at: number; readonly end: number; readonly salt: number },
): string | undefined {
  if (at + RECORD_BYTES > bytes.length) return 'the file ends inside the head of a record'
  const length = bytes.readUInt32LE(at)
  if (at + RECORD_BYTES + length > end) return `a record of ${length} bytes does not fit into its write`
  if (at + RECORD_BYTES + length > bytes.length) return `the file ends inside a record of ${length} bytes`
  const [found, wanted] = [recordChecksum(bytes, at, salt), bytes.readUInt32LE(at + 4)]
  return found === wanted ? undefined : `the checksum of a record of ${length} bytes is ${found} instead of ${wanted}`
}

/** Where the next good write begins; what was written into records cannot look like one, because it does not know the salt. */
function findWrite(bytes: Buffer, from: number, salt: number): number | undefined {
  for (let at = bytes.indexOf(MARKER, from); at !== -1; at = bytes.indexOf(MARKER, at + 1)) {
    if (at + WRITE_BYTES <= bytes.length && isWrite(bytes, at, salt)) return at
  }
  return undefined
}

function isWrite(bytes: Buffer, at: number, salt: number): boolean {
  if (!bytes.subarray(at, at + MARKER.length).equals(MARKER) || bytes.readUInt32LE(at + 4) !== at) return false
  return crc32(bytes.subarray(at, at + 16), salt) === bytes.readUInt32LE(at + 16)
}

function recordChecksum(bytes: Buffer, at: number, salt: number): number {
  const length = bytes.readUInt32LE(at)
  const head = crc32(bytes.subarray(at, at + 4), salt)
  return crc32(bytes.subarray(at + RECORD_BYTES, at + RECORD_BYTES + length), head)
}
