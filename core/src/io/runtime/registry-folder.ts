// The registry in a folder, for a single master:
//
//   <work_dir>/registry/records      see registry-file.ts
//   <work_dir>/registry/records.new  the shortened form while it is being written; renamed over `records`
//
// A write is appended and flushed to the disk before it counts; writes that come while one is under way go together in the
// next. The file is written anew, as short as it can be, at each start and after many writes. A file that cannot be
// read is left as it is, and the master does not start. A write that failed is the last one: what it left in the file is
// not known.

import { type FileHandle, mkdir, open, readFile, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import {
  applyRecord,
  createRegistry,
  type Registry,
  type RegistryRecord,
  registrySnapshot,
} from '../../master/registry.ts'
import { IoError } from '../io-error.ts'
import { readRegistryFile, registryFile, registryLine } from './registry-file.ts'
import type { RegistryStore } from './registry-store.ts'

/** Writes after which the file is shortened, when nothing else is said. */
const LINES_MAX = 10_000

/** A store in a folder, which is made when it is missing. One process at a time may use it; an earlier one can write no more. */
export function folderRegistry(workDir: string, options: { readonly linesMax?: number } = {}): RegistryStore {
  const store = new FolderRegistry(join(workDir, 'registry'), options.linesMax ?? LINES_MAX)
  return {
    load: () => store.load(),
    commit: (records) => store.commit(records),
    close: () => store.close(),
  }
}

interface Waiting {
  readonly records: readonly RegistryRecord[]
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

class FolderRegistry {
  readonly #folder: string
  readonly #linesMax: number
  readonly #registry: Registry = createRegistry()
  #file: FileHandle | undefined
  #lines = 0
  #waiting: Waiting[] = []
  #writing: Promise<void> | undefined
  #failure: IoError | undefined

  constructor(folder: string, linesMax: number) {
    this.#folder = folder
    this.#linesMax = linesMax
  }

  async load(): Promise<readonly RegistryRecord[]> {
    try {
      await mkdir(this.#folder, { recursive: true })
      for (const record of await this.#read()) applyRecord(this.#registry, record)
      const shortened = registrySnapshot(this.#registry)
      await this.#replace(shortened)
      return shortened
    } catch (error) {
      throw IoError.from(error, `cannot read the registry in ${this.#folder}`)
    }
  }

  commit(records: readonly RegistryRecord[]): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    return new Promise((resolve, reject) => {
      this.#waiting.push({ records, resolve, reject })
      this.#writing ??= this.#writeAll()
    })
  }

  async close(): Promise<void> {
    await this.#writing
    await this.#file?.close()
    this.#file = undefined
    this.#failure ??= new IoError('FILE', 'the registry is closed')
  }

  /** Writes until nothing waits; never throws: each commit is told by itself. */
  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#waiting
      this.#waiting = []
      try {
        if (this.#failure !== undefined) throw this.#failure
        await this.#write(group.flatMap(({ records }) => records))
        for (const { resolve } of group) resolve()
      } catch (error) {
        this.#failure ??= IoError.from(error, `cannot write the registry in ${this.#folder}`)
        for (const { reject } of group) reject(this.#failure)
      }
    }
    this.#writing = undefined
  }

  async #write(records: readonly RegistryRecord[]): Promise<void> {
    const file = this.#file
    if (file === undefined) throw new IoError('FILE', 'the registry is not open')
    await file.appendFile(registryLine(records))
    await file.datasync()
    await this.#checkOwner(file)
    for (const record of records) applyRecord(this.#registry, record)
    this.#lines += 1
    if (this.#lines >= this.#linesMax) await this.#replace(registrySnapshot(this.#registry))
  }

  /** Another master that uses the folder has put its own file in the place of ours. */
  async #checkOwner(file: FileHandle): Promise<void> {
    const [own, there] = [await file.stat(), await stat(this.#path('records'))]
    if (own.ino === there.ino && own.dev === there.dev) return
    throw new IoError('REFUSED', `another master has taken over the registry in ${this.#folder}`)
  }

  /** The records of the file; none when there is no file yet. */
  async #read(): Promise<readonly RegistryRecord[]> {
    const path = this.#path('records')
    let bytes: Uint8Array
    try {
      bytes = await readFile(path)
    } catch (error) {
      if ((error as { code?: unknown }).code === 'ENOENT') return []
      throw error
    }
    const read = readRegistryFile(bytes)
    if (read.kind === 'records') return read.records
    throw new IoError(
      'FILE',
      `the file ${path} ${read.why}; nothing was changed. Restore it, or move it away to start anew`,
    )
  }

  async #replace(records: readonly RegistryRecord[]): Promise<void> {
    const path = this.#path('records.new')
    const file = await open(path, 'w')
    try {
      await file.writeFile(registryFile(records))
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(path, this.#path('records'))
    const folder = await open(this.#folder, 'r')
    await folder.sync().finally(() => folder.close())
    await this.#file?.close()
    this.#file = await open(this.#path('records'), 'a')
    this.#lines = 0
  }

  #path(name: string): string {
    return join(this.#folder, name)
  }
}
