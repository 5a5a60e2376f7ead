// Unpacks zip archives: tools for them are missing on many machines. Stored and deflated entries, folders, permissions and
// symbolic links; no encryption, no archives of 4 GB and more (zip64), no split ones. Source: PKWARE's APPNOTE.

import { lchown, open, symlink } from 'node:fs/promises'
import { posix } from 'node:path'
import { type Duplex, PassThrough, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { crc32, createInflateRaw } from 'node:zlib'
import { IoError } from '../io-error.ts'
import { createInside, type Inside, makeFolderInside, placeInside, readRange, writeInto } from './inside.ts'

const END_SIGNATURE = 0x06054b50
const END_BYTES = 22
const COMMENT_BYTES_MAX = 0xffff
const ENTRY_SIGNATURE = 0x02014b50
const ENTRY_BYTES = 46
const LOCAL_SIGNATURE = 0x04034b50
const LOCAL_BYTES = 30
const ENTRIES_MAX = 0xffff
const DIRECTORY_BYTES_MAX = 256 * 1024 * 1024
const LINK_BYTES_MAX = 4096
const ZIP64_MARK = 0xffffffff
const FLAG_ENCRYPTED = 1
const METHOD_STORED = 0
const METHOD_DEFLATED = 8
const TYPE_MASK = 0o170000
const TYPE_LINK = 0o120000
const PERMISSION_MASK = 0o777

interface Entry {
  readonly name: string
  readonly method: number
  readonly flags: number
  readonly crc: number
  readonly packedBytes: number
  readonly sizeBytes: number
  readonly offset: number
  /** st_mode, 0 when the archive was not made on Unix. */
  readonly mode: number
}

type ZipFile = Awaited<ReturnType<typeof open>>

/** Unpacks an archive into a folder. Throws IoError; what came before the fault stays there. */
export async function unzip(archivePath: string, inside: Inside, signal: AbortSignal | undefined): Promise<void> {
  const file = await open(archivePath)
  try {
    for (const entry of await readEntries(file)) {
      signal?.throwIfAborted()
      await unpack(file, entry, inside, signal)
    }
  } finally {
    await file.close()
  }
}

async function readEntries(file: ZipFile): Promise<readonly Entry[]> {
  const { size } = await file.stat()
  const tail = await read(
    file,
    Math.max(0, size - END_BYTES - COMMENT_BYTES_MAX),
    Math.min(size, END_BYTES + COMMENT_BYTES_MAX),
  )
  let at = tail.length - END_BYTES
  while (at >= 0 && tail.readUInt32LE(at) !== END_SIGNATURE) at -= 1
  if (at < 0) throw bad('it has no end record')
  const count = tail.readUInt16LE(at + 10)
  const directoryBytes = tail.readUInt32LE(at + 12)
  const directoryOffset = tail.readUInt32LE(at + 16)
  if (count === ENTRIES_MAX || directoryBytes === ZIP64_MARK || directoryOffset === ZIP64_MARK) {
    throw bad('zip64 archives cannot be unpacked')
  }
  if (directoryBytes > DIRECTORY_BYTES_MAX || directoryOffset + directoryBytes > size)
    throw bad('its directory is broken')
  return parseDirectory(await read(file, directoryOffset, directoryBytes), count)
}

function parseDirectory(bytes: Buffer, count: number): readonly Entry[] {
  const entries: Entry[] = []
  for (let at = 0; entries.length < count; ) {
    if (at + ENTRY_BYTES > bytes.length || bytes.readUInt32LE(at) !== ENTRY_SIGNATURE)
      throw bad('its directory is broken')
    const nameBytes = bytes.readUInt16LE(at + 28)
    const isUnix = bytes.readUInt8(at + 5) === 3
    entries.push({
      name: bytes.toString('utf8', at + ENTRY_BYTES, at + ENTRY_BYTES + nameBytes),
      flags: bytes.readUInt16LE(at + 8),
      method: bytes.readUInt16LE(at + 10),
      crc: bytes.readUInt32LE(at + 16),
      packedBytes: bytes.readUInt32LE(at + 20),
      sizeBytes: bytes.readUInt32LE(at + 24),
      mode: isUnix ? bytes.readUInt32LE(at + 38) >>> 16 : 0,
      offset: bytes.readUInt32LE(at + 42),
    })
    at += ENTRY_BYTES + nameBytes + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32)
  }
  return entries
}

async function unpack(file: ZipFile, entry: Entry, inside: Inside, signal: AbortSignal | undefined): Promise<void> {
  if (entry.name.endsWith('/')) return makeFolderInside(inside, entry.name)
  if ((entry.flags & FLAG_ENCRYPTED) !== 0) throw bad(`'${entry.name}' is encrypted`)
  if ([entry.packedBytes, entry.sizeBytes, entry.offset].includes(ZIP64_MARK))
    throw bad('zip64 archives cannot be unpacked')
  const content = await openContent(file, entry)
  if ((entry.mode & TYPE_MASK) === TYPE_LINK) return link(content, entry, inside)
  const permissions = entry.mode & PERMISSION_MASK
  const target = await createInside(inside, entry.name, permissions === 0 ? 0o644 : permissions)
  try {
    await pipeline(content.packed, content.unpacker, checked(entry), writeInto(target), { signal })
  } finally {
    await target.close()
  }
}

interface Content {
  readonly packed: AsyncIterable<Uint8Array>
  readonly unpacker: Duplex
}

async function openContent(file: ZipFile, entry: Entry): Promise<Content> {
  const header = await read(file, entry.offset, LOCAL_BYTES)
  if (header.length < LOCAL_BYTES || header.readUInt32LE(0) !== LOCAL_SIGNATURE) throw bad(`'${entry.name}' is broken`)
  const start = entry.offset + LOCAL_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28)
  const packed = readRange(file, start, start + entry.packedBytes)
  if (entry.method === METHOD_STORED) return { packed, unpacker: new PassThrough() }
  if (entry.method !== METHOD_DEFLATED) throw bad(`'${entry.name}' is packed by the unknown method ${entry.method}`)
  return { packed, unpacker: createInflateRaw() }
}

/** Passes bytes on; fails when they are more, fewer or others than the archive says. */
function checked(entry: Entry): Transform {
  let sizeBytes = 0
  let crc = 0
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sizeBytes += chunk.length
      crc = crc32(chunk, crc)
      if (sizeBytes > entry.sizeBytes) done(bad(`'${entry.name}' is larger than it says`))
      else done(null, chunk)
    },
    flush(done) {
      done(sizeBytes === entry.sizeBytes && crc === entry.crc ? null : bad(`'${entry.name}' is damaged`))
    },
  })
}

async function link(content: Content, entry: Entry, inside: Inside): Promise<void> {
  if (entry.sizeBytes > LINK_BYTES_MAX) throw bad(`the link '${entry.name}' is too long`)
  const chunks: Uint8Array[] = []
  await pipeline(content.packed, content.unpacker, checked(entry), async (parts: AsyncIterable<Uint8Array>) => {
    for await (const part of parts) chunks.push(part)
  })
  const target = Buffer.concat(chunks).toString()
  const reached = posix.normalize(posix.join(posix.dirname(entry.name), target))
  if (target.startsWith('/') || reached === '..' || reached.startsWith('../')) {
    throw new IoError('FILE', `the link '${entry.name}' leads out of the sandbox`)
  }
  const path = await placeInside(inside, entry.name)
  await symlink(target, path)
  if (inside.user !== undefined) await lchown(path, inside.user.uid, inside.user.gid)
}

async function read(file: ZipFile, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length)
  const { bytesRead } = await file.read(buffer, 0, length, position)
  return buffer.subarray(0, bytesRead)
}

function bad(why: string): IoError {
  return new IoError('BAD_ANSWER', `cannot unpack the zip archive: ${why}`)
}
