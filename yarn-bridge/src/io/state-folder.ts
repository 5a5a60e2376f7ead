// What the bridge keeps over a restart, in the folder of --state_dir. Everything else it learns from master and ResourceManager.
//
//   framework-id    one line: by it NodeManagers are found again
//   wishes.json     {"mode": "auto", "wantedByProfile": {"small": 2}}: what operators asked for by hand
//
// Each file is written beside, made durable and renamed: a crash leaves the old one or the new one. A file that is damaged all the
// same ends the start with its name and stays as it is: begun anew under another id, a second NodeManager would come to each agent.

import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { IoError } from '@isthmus/core/io/io-error'
import { isWishes, type Wishes } from '../wishes.ts'

const ID_FILE = 'framework-id'
const WISHES_FILE = 'wishes.json'
/** Mesos's own are about 40 characters long. */
const ID_LENGTH_MAX = 255

/** The folder; made with the first thing kept. Every method throws IoError. */
export class StateFolder {
  readonly #path: string
  #savedId: string | undefined

  constructor(path: string) {
    this.#path = path
  }

  /** The framework's id, or undefined when none was kept. */
  readFrameworkId(): string | undefined {
    const text = this.#read(ID_FILE)
    if (text === undefined) return undefined
    const id = text.trim()
    if (!/^[\x21-\x7e]+$/.test(id) || id.length > ID_LENGTH_MAX) {
      throw this.#damaged(
        ID_FILE,
        'a new framework is begun, and the NodeManagers of the old one end with its time-out',
      )
    }
    this.#savedId = id
    return id
  }

  saveFrameworkId(id: string): void {
    if (id === this.#savedId) return
    this.#write(ID_FILE, `${id}\n`)
    this.#savedId = id
  }

  /** What operators asked for, or undefined when nothing was kept. */
  readWishes(): Wishes | undefined {
    const text = this.#read(WISHES_FILE)
    if (text === undefined) return undefined
    const wishes = parseJson(text)
    if (isWishes(wishes)) return wishes
    throw this.#damaged(WISHES_FILE, 'what runs is taken for what is wanted')
  }

  saveWishes(wishes: Wishes): void {
    this.#write(WISHES_FILE, `${JSON.stringify(wishes)}\n`)
  }

  #read(name: string): string | undefined {
    const path = join(this.#path, name)
    try {
      return readFileSync(path, 'utf8')
    } catch (reason) {
      if ((reason as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw IoError.from(reason, `${path} cannot be read`)
    }
  }

  #write(name: string, text: string): void {
    const path = join(this.#path, name)
    try {
      mkdirSync(this.#path, { recursive: true })
      const file = openSync(`${path}.new`, 'w')
      try {
        writeSync(file, text)
        fsyncSync(file)
      } finally {
        closeSync(file)
      }
      renameSync(`${path}.new`, path)
      const folder = openSync(this.#path, 'r')
      try {
        fsyncSync(folder)
      } finally {
        closeSync(folder)
      }
    } catch (reason) {
      throw IoError.from(reason, `${path} cannot be written`)
    }
  }

  #damaged(name: string, afterwards: string): IoError {
    return new IoError('BAD_ANSWER', `${join(this.#path, name)} is damaged; when it is deleted, ${afterwards}`)
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
