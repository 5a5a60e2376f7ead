// Writing into a sandbox that something untrusted was unpacked into before: no path and no symbolic link may lead out of it.

import { constants } from 'node:fs'
import { chown, type FileHandle, lstat, mkdir, open, realpath, rm } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { IoError } from '../io-error.ts'
import type { FetchUser } from './fetch.ts'

const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

/** Says whether a real path is a folder or in it. */
export function isInside(root: string, path: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : `${root}${sep}`)
}

/** A folder that files are written into on behalf of a user. */
export interface Inside {
  /** Real path of the folder. */
  readonly root: string
  readonly user?: FetchUser | undefined
}

/** Makes a new file at a relative path, in the place of one that is there; missing folders are made. Throws IoError. */
export async function createInside(inside: Inside, relativePath: string, mode: number): Promise<FileHandle> {
  const path = await placeInside(inside, relativePath)
  const file = await open(path, NEW_FILE, mode)
  try {
    // The mode asked for, whatever the umask.
    await file.chmod(mode)
    if (inside.user !== undefined) await file.chown(inside.user.uid, inside.user.gid)
    return file
  } catch (error) {
    await file.close()
    throw error
  }
}

/** Clears the place for a new file and makes its folders; returns its absolute path. Throws IoError. */
export async function placeInside(inside: Inside, relativePath: string): Promise<string> {
  const parts = partsOf(relativePath)
  const folder = await makeFolders(inside, parts.slice(0, -1))
  const path = join(folder, parts.at(-1)!)
  const found = await lstat(path).catch(() => undefined)
  if (found?.isDirectory() === true) throw new IoError('FILE', `'${relativePath}' is a folder already`)
  if (found !== undefined) await rm(path)
  return path
}

/** Makes a folder at a relative path, with the ones above it. Throws IoError. */
export async function makeFolderInside(inside: Inside, relativePath: string): Promise<void> {
  await makeFolders(inside, partsOf(relativePath))
}

function partsOf(relativePath: string): readonly string[] {
  const parts = relativePath.split('/').filter((part) => part !== '' && part !== '.')
  if (relativePath.startsWith('/') || parts.length === 0 || parts.includes('..') || relativePath.includes('\0')) {
    throw new IoError('FILE', `'${relativePath}' leads out of the sandbox`)
  }
  return parts
}

async function makeFolders({ root, user }: Inside, parts: readonly string[]): Promise<string> {
  let folder = root
  for (const part of parts) {
    const next = join(folder, part)
    const found = await lstat(next).catch(() => undefined)
    if (found === undefined) {
      await mkdir(next)
      if (user !== undefined) await chown(next, user.uid, user.gid)
    }
    folder = found?.isSymbolicLink() === true ? await realpath(next) : next
    if (!isInside(root, folder)) throw new IoError('FILE', `'${parts.join('/')}' leads out of the sandbox`)
  }
  return folder
}

/** Pieces that files are read in. */
const PIECE_BYTES = 64 * 1024

/** Reads a piece of a file; ends early when the file does. */
export async function* readRange(file: FileHandle, start = 0, end = Number.POSITIVE_INFINITY): AsyncGenerator<Buffer> {
  for (let position = start; position < end; ) {
    const buffer = Buffer.allocUnsafe(Math.min(PIECE_BYTES, end - position))
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position)
    if (bytesRead === 0) return
    position += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}

/** Writes all that comes, the last stage of a pipeline. */
export function writeInto(file: FileHandle): (chunks: AsyncIterable<Uint8Array>) => Promise<void> {
  return async (chunks) => {
    for await (const chunk of chunks) await file.writeFile(chunk)
  }
}
