// A disk in memory for tests: it forgets at a crash what was not synced, fills up, and dies at a given call.

import { posix } from 'node:path'
import type { JournalFile, JournalFiles } from './journal-files.ts'

interface Inode {
  data: Buffer
  /** Bytes that survive a crash for certain. */
  syncedBytes: number
}

type Change =
  | { readonly kind: 'name'; readonly path: string; readonly inode: Inode }
  | { readonly kind: 'unname'; readonly path: string }

/** Thrown by every call after the one the disk dies at. */
export const DEAD = 'the disk is dead'

/** See the file's header. */
export class RehearsedDisk implements JournalFiles {
  /** Calls that still succeed; the disk dies with the next. */
  callsLeft = Number.POSITIVE_INFINITY
  /** Bytes that still fit; an append beyond writes what fits and throws ENOSPC. */
  roomBytes = Number.POSITIVE_INFINITY
  /** While set, syncs wait for it. */
  held: Promise<void> | undefined
  syncs = 0
  readonly #names = new Map<string, Inode>()
  readonly #synced = new Map<string, Inode>()
  /** Changes of names since the last sync of the folder, oldest first. */
  #changes: Change[] = []

  list = async (folder: string): Promise<readonly string[]> => {
    this.#call()
    return [...this.#names.keys()].filter((path) => posix.dirname(path) === folder).map((path) => posix.basename(path))
  }

  read = async (path: string): Promise<Buffer> => {
    this.#call()
    return Buffer.from(this.#inode(path).data)
  }

  create = async (path: string): Promise<JournalFile> => {
    this.#call()
    const inode: Inode = { data: Buffer.alloc(0), syncedBytes: 0 }
    this.#change({ kind: 'name', path, inode })
    return {
      append: async (bytes) => {
        this.#call()
        const fits = bytes.subarray(0, Math.min(bytes.length, this.roomBytes))
        this.roomBytes -= fits.length
        inode.data = Buffer.concat([inode.data, fits])
        if (fits.length < bytes.length) throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' })
      },
      sync: async () => {
        const length = inode.data.length
        await this.held
        this.#call()
        this.syncs += 1
        inode.syncedBytes = length
      },
      close: async () => {},
    }
  }

  rename = async (from: string, to: string): Promise<void> => {
    this.#call()
    const inode = this.#inode(from)
    this.#change({ kind: 'name', path: to, inode })
    this.#change({ kind: 'unname', path: from })
  }

  keep = async (path: string, as: string): Promise<void> => {
    this.#call()
    if (!this.#names.has(as)) this.#change({ kind: 'name', path: as, inode: this.#inode(path) })
  }

  remove = async (path: string): Promise<void> => {
    this.#call()
    if (this.#names.has(path)) this.#change({ kind: 'unname', path })
  }

  makeFolder = async (): Promise<void> => this.#call()

  syncFolder = async (): Promise<void> => {
    this.#call()
    for (const change of this.#changes.splice(0)) apply(this.#synced, change)
  }

  /** Bytes of a file, or undefined. */
  peek(path: string): Buffer | undefined {
    return this.#names.get(path)?.data
  }

  /** Changes a file behind everybody's back. */
  poke(path: string, data: Buffer): void {
    this.#names.set(path, { data, syncedBytes: data.length })
    this.#synced.set(path, { data, syncedBytes: data.length })
  }

  get names(): readonly string[] {
    return [...this.#names.keys()].map((path) => posix.basename(path)).sort()
  }

  /**
   * The power goes and comes back. Of what was not synced a part is there: `chance(n)` picks from 0 to n how many changes of names and,
   * for each file, how many bytes; with `areHoles` the bytes before the last page of those are zero.
   */
  crash(chance: (most: number) => number, areHoles = false): void {
    for (const change of this.#changes.splice(0, chance(this.#changes.length))) apply(this.#synced, change)
    this.#changes = []
    this.#names.clear()
    for (const [path, inode] of this.#synced) {
      const { data, syncedBytes } = inode
      const survives = Buffer.from(data.subarray(0, syncedBytes + chance(data.length - syncedBytes)))
      if (areHoles && survives.length - syncedBytes > 1) survives.fill(0, syncedBytes, survives.length - 1)
      inode.data = survives
      inode.syncedBytes = survives.length
      this.#names.set(path, inode)
    }
    this.callsLeft = Number.POSITIVE_INFINITY
  }

  #call(): void {
    this.callsLeft -= 1
    if (this.callsLeft < 0) throw new Error(DEAD)
  }

  #inode(path: string): Inode {
    const inode = this.#names.get(path)
    if (inode === undefined) throw Object.assign(new Error(`ENOENT: no such file '${path}'`), { code: 'ENOENT' })
    return inode
  }

  #change(change: Change): void {
    apply(this.#names, change)
    this.#changes.push(change)
  }
}

function apply(names: Map<string, Inode>, change: Change): void {
  if (change.kind === 'name') names.set(change.path, change.inode)
  else names.delete(change.path)
}
