// Where a master keeps its registry: a folder, or memory.
//
//   <work_dir>/registry/records      one JSON array per line: the records of one write, oldest first
//   <work_dir>/registry/records.new  the shortened form while it is being written; renamed over `records`
//
// A write is appended and flushed to the disk before it counts; writes that come while one is under way go together in the
// next. A last line that is cut off (the machine stopped during a write) was never confirmed and is dropped.

import { type FileHandle, mkdir, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { type RegistryRecord, registrySnapshot, replayRegistry } from '../../master/registry.ts'
import { IoError } from '../io-error.ts'
import { parseRecords, writeRecords } from './registry-text.ts'

/** Keeps records durably. */
export interface RegistryStore {
  /** Everything stored so far, in order. Called once, first. Throws IoError. */
  readonly load: () => Promise<readonly RegistryRecord[]>
  /** Stores records after all earlier ones; resolves when they are safe. Throws IoError. */
  readonly commit: (records: readonly RegistryRecord[]) => Promise<void>
  readonly close: () => Promise<void>
}

/** A store that forgets everything at the end of the process. */
export function memoryRegistry(): RegistryStore {
  return { load: async () => [], commit: async () => {}, close: async () => {} }
}

/** A store in a folder, which is made when it is missing. One process at a time may use it. */
export function folderRegistry(workDir: string): RegistryStore {
  const store = new FolderRegistry(join(workDir, 'registry'))
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
  #file: FileHandle | undefined
  #waiting: Waiting[] = []
  #writing: Promise<void> | undefined

  constructor(folder: string) {
    this.#folder = folder
  }

  async load(): Promise<readonly RegistryRecord[]> {
    try {
      await mkdir(this.#folder, { recursive: true })
      const stored = parseRecords(await readIfThere(this.#path('records')))
      const shortened = registrySnapshot(replayRegistry(stored))
      await this.#replace(shortened)
      this.#file = await open(this.#path('records'), 'a')
      return shortened
    } catch (error) {
      throw IoError.from(error, `cannot read the registry in ${this.#folder}`)
    }
  }

  commit(records: readonly RegistryRecord[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ records, resolve, reject })
      this.#writing ??= this.#writeAll()
    })
  }

  async close(): Promise<void> {
    await this.#writing
    await this.#file?.close()
    this.#file = undefined
  }

  /** Writes until nothing waits; never throws: each commit is told by itself. */
  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#waiting
      this.#waiting = []
      try {
        if (this.#file === undefined) throw new IoError('FILE', 'the registry is closed')
        await this.#file.appendFile(group.map(({ records }) => `${writeRecords(records)}\n`).join(''))
        await this.#file.datasync()
        for (const { resolve } of group) resolve()
      } catch (error) {
        const failure = IoError.from(error, `cannot write the registry in ${this.#folder}`)
        for (const { reject } of group) reject(failure)
      }
    }
    this.#writing = undefined
  }

  async #replace(records: readonly RegistryRecord[]): Promise<void> {
    const path = this.#path('records.new')
    const file = await open(path, 'w')
    try {
      if (records.length > 0) await file.writeFile(`${writeRecords(records)}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(path, this.#path('records'))
    const folder = await open(this.#folder, 'r')
    await folder.sync().finally(() => folder.close())
  }

  #path(name: string): string {
    return join(this.#folder, name)
  }
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return ''
    throw error
  }
}
