// What the journal asks of the disk. Tests put a disk in between that fills up, fails or stands still.

import { copyFile, type FileHandle, link, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncFolder } from '../sync-folder.ts'

/** A file that only grows. */
export interface JournalFile {
  /** Resolves when the system has taken all of it; a failure may leave a part of it in the file. */
  readonly append: (bytes: Uint8Array) => Promise<void>
  /** Resolves when everything appended is on the disk. */
  readonly sync: () => Promise<void>
  readonly close: () => Promise<void>
}

/** The calls of the file system that the journal uses. All throw as node:fs does. */
export interface JournalFiles {
  /** Names in a folder; none when it is not there. */
  readonly list: (folder: string) => Promise<readonly string[]>
  readonly read: (path: string) => Promise<Buffer>
  /** Makes an empty file, also where one is already. */
  readonly create: (path: string) => Promise<JournalFile>
  readonly rename: (from: string, to: string) => Promise<void>
  /** Gives a file a second name, or copies it where that is not possible. One that has the name already stays. */
  readonly keep: (path: string, as: string) => Promise<void>
  readonly remove: (path: string) => Promise<void>
  /** Makes a folder with its parents, on the disk. */
  readonly makeFolder: (path: string) => Promise<void>
  /** Resolves when what was made, renamed or removed in a folder is on the disk. */
  readonly syncFolder: (path: string) => Promise<void>
}

/** The file system of this machine. */
export const nodeFiles: JournalFiles = {
  list: async (folder) => {
    try {
      return await readdir(folder)
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return []
      throw error
    }
  },
  read: (path) => readFile(path),
  create: async (path) => nodeFile(await open(path, 'w', 0o600)),
  rename,
  keep: async (path, as) => {
    try {
      await link(path, as)
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return
      await copyFile(path, as)
    }
  },
  remove: (path) => rm(path, { force: true }),
  makeFolder: async (path) => {
    const first = await mkdir(path, { recursive: true })
    if (first === undefined) return
    for (let made = path; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made))
  },
  syncFolder,
}

function nodeFile(handle: FileHandle): JournalFile {
  return {
    append: async (bytes) => {
      for (let at = 0; at < bytes.length; ) {
        const { bytesWritten } = await handle.write(bytes, at, bytes.length - at)
        at += bytesWritten
      }
    },
    sync: () => handle.datasync(),
    close: () => handle.close(),
  }
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null)?.code
}
