// A small file that is there as a whole or not at all: its length (4 bytes, little endian, as Mesos writes it) before the message and
// the message's CRC-32 behind it, written beside the old one, synced, renamed, the folder synced.

import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'
import { IoError } from '../io-error.ts'
import { syncFolder } from './sync-folder.ts'

/** Length before the message, checksum behind it. */
const FRAME_BYTES = 4

/** Replaces the file; resolves when it is on the disk. Throws as node:fs does; then the old one is there, or the new one. */
export async function writeFramed(path: string, message: Uint8Array): Promise<void> {
  const bytes = Buffer.alloc(message.length + 2 * FRAME_BYTES)
  bytes.writeUInt32LE(message.length, 0)
  bytes.set(message, FRAME_BYTES)
  bytes.writeUInt32LE(crc32(message), FRAME_BYTES + message.length)
  await writeWhole(path, bytes)
}

/** The same for bytes that are the whole file. */
export async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const part = `${path}.part`
  const file = await open(part, 'w', 0o600)
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(part, path)
  await syncFolder(dirname(path))
}

/** The message; undefined when there is no file. Throws IoError with the path and what is wrong. */
export async function readFramed(path: string): Promise<Buffer | undefined> {
  const bytes = await readFile(path).catch((error: unknown) => {
    if ((error as { code?: unknown }).code === 'ENOENT') return undefined
    throw IoError.from(error, path)
  })
  if (bytes === undefined) return undefined
  const length = bytes.length < FRAME_BYTES ? 0 : bytes.readUInt32LE(0)
  const expected = length + 2 * FRAME_BYTES
  if (bytes.length !== expected) throw broken(path, `it has ${bytes.length} bytes instead of ${expected}`)
  const message = bytes.subarray(FRAME_BYTES, FRAME_BYTES + length)
  const [found, wanted] = [crc32(message), bytes.readUInt32LE(FRAME_BYTES + length)]
  if (found !== wanted) throw broken(path, `its checksum is ${found} instead of ${wanted}`)
  return message
}

function broken(path: string, why: string): IoError {
  return new IoError('FILE', `${path}: ${why}`)
}
