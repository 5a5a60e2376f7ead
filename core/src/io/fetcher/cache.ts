import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'

const FILE_NAME = /^fetched-\d+$/

interface Entry {
  readonly path: string
  /** Settles when the download does. */
  readonly arrived: Promise<void>
  sizeBytes: number
  /** Fetches that read it now; it is not removed meanwhile. */
  readerCount: number
}

/**
 * Keeps fetched files for the next who wants them: one download for all who want a file at the same time; at the bound the ones
 * unused for longest go. A file that does not fit is given and not kept. The folder is this cache's own: it is emptied first.
 */
export class FetchCache {
  readonly #folder: string
  readonly #sizeBytesMax: number
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry>()
  #lastNumber = 0
  #hits = 0

  constructor(folder: string, sizeBytesMax: number) {
    this.#folder = folder
    this.#sizeBytesMax = sizeBytesMax
  }

  get hits(): number {
    return this.#hits
  }

  get sizeBytes(): number {
    let total = 0
    for (const { sizeBytes } of this.#entries.values()) total += sizeBytes
    return total
  }

  /** Lets `use` read the file of a key, after `download` wrote it unless it is here. Rejects with what either rejects with. */
  async with(
    key: string,
    download: (path: string) => Promise<void>,
    use: (path: string) => Promise<void>,
  ): Promise<void> {
    const entry = this.#entries.get(key) ?? this.#add(key, download)
    entry.readerCount += 1
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    try {
      await entry.arrived
      await use(entry.path)
    } catch (error) {
      if (entry.sizeBytes === 0 && this.#entries.get(key) === entry) this.#entries.delete(key)
      throw error
    } finally {
      entry.readerCount -= 1
      await this.#shrink()
      if (entry.readerCount === 0 && this.#entries.get(key) !== entry) await rm(entry.path, { force: true })
    }
  }

  /** Starts a download that does not end with the one who asked first. */
  #add(key: string, download: (path: string) => Promise<void>): Entry {
    if (this.#lastNumber === 0) this.#empty()
    const path = join(this.#folder, `fetched-${++this.#lastNumber}`)
    const arrived = download(path).then(async () => {
      entry.sizeBytes = (await stat(path)).size
    })
    const entry: Entry = { path, arrived, sizeBytes: 0, readerCount: 0 }
    this.#entries.set(key, entry)
    return entry
  }

  /** Says that a file was here already. */
  countHit(key: string): void {
    if (this.#entries.has(key)) this.#hits += 1
  }

  async #shrink(): Promise<void> {
    let total = this.sizeBytes
    for (const [key, entry] of this.#entries) {
      if (total <= this.#sizeBytesMax) return
      if (entry.readerCount > 0) continue
      total -= entry.sizeBytes
      this.#entries.delete(key)
      await rm(entry.path, { force: true })
    }
  }

  #empty(): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 })
    for (const name of readdirSync(this.#folder)) if (FILE_NAME.test(name)) rmSync(join(this.#folder, name))
  }
}
