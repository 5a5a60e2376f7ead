// The registry in ZooKeeper:
//
//   <path>/registry             the head: which generation is in force, how much of it there is, who wrote it last
//   <path>/registry/g7-s0 …     generation 7 as it began: the shortest records that say everything, in chunks below the node limit
//   <path>/registry/g7-e0 …     one node for each write since then
//
// A write makes its node and changes the head in one transaction that names the head's version: a master that another one has
// replaced cannot write any more. When a generation has grown, or one write is larger than a node, the next generation is
// written beside it and the head changed to it; what is left of older ones is removed afterwards. Every node begins with the
// SHA-256 of the rest; whatever is not as it was written is refused, and nothing is changed then.

import { createHash, randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import {
  applyRecord,
  createRegistry,
  type Registry,
  type RegistryRecord,
  registrySnapshot,
} from '../../master/registry.ts'
import { IoError } from '../io-error.ts'
import type { RegistryStore } from '../runtime/registry-store.ts'
import { parseRecords, writeRecords } from '../runtime/registry-text.ts'
import { NODE_BYTES_MAX, type ZooKeeperSession } from './session.ts'

/** Writes after which a generation is replaced by a shorter one. */
export const ENTRIES_MAX = 1_000
/** What a head says of itself. */
const MAGIC = 'isthmus-registry'
const FORMAT = 1
/** A write whose outcome is not known is looked after for so long. */
const OUTCOME_TRIES = 40
const OUTCOME_PAUSE_MS = 250
/** Another master that writes while this one reads makes it read again, so many times at most. */
const LOAD_TRIES = 10
const DIGEST_LENGTH = 64

/** What the store needs of a session. */
export type RegistryNodes = Pick<ZooKeeperSession, 'get' | 'create' | 'change' | 'remove' | 'children' | 'ensurePath'>

interface Head {
  readonly generation: number
  readonly chunks: number
  readonly entries: number
  /** Who wrote this head: the same text twice is the same write. */
  readonly write: string
}

interface Loaded {
  readonly head: Head
  readonly version: number
  readonly records: readonly RegistryRecord[]
}

interface Waiting {
  readonly records: readonly RegistryRecord[]
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** A store below `path`. Its master leads already; `load` shuts the one before it out. */
export function zooKeeperRegistry(nodes: RegistryNodes, path: string): RegistryStore {
  const store = new NodeRegistry(nodes, `${path}/registry`)
  return { load: () => store.load(), commit: (records) => store.commit(records), close: () => store.close() }
}

class NodeRegistry {
  readonly #nodes: RegistryNodes
  readonly #path: string
  readonly #registry: Registry = createRegistry()
  #head: Head = { generation: 0, chunks: 0, entries: 0, write: '' }
  #version = -1
  #waiting: Waiting[] = []
  #writing: Promise<void> | undefined
  #isClosed = false

  constructor(nodes: RegistryNodes, path: string) {
    this.#nodes = nodes
    this.#path = path
  }

  async load(): Promise<readonly RegistryRecord[]> {
    await this.#nodes.ensurePath(this.#path.slice(0, this.#path.lastIndexOf('/')))
    for (let tries = 0; tries < LOAD_TRIES; tries += 1) {
      const loaded = await this.#read()
      if (loaded === undefined) {
        await this.#nodes.create(this.#path, encode(headText({ ...this.#head, write: randomUUID() })))
        continue
      }
      this.#head = loaded.head
      this.#version = loaded.version
      if (!(await this.#publish([], { ...loaded.head }))) continue
      for (const record of loaded.records) applyRecord(this.#registry, record)
      await this.#removeOthers()
      return registrySnapshot(this.#registry)
    }
    throw new IoError('OTHER', `other masters keep writing the registry at ${this.#path}`)
  }

  commit(records: readonly RegistryRecord[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ records, resolve, reject })
      this.#writing ??= this.#writeAll()
    })
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#writing
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#waiting
      this.#waiting = []
      try {
        await this.#write(group.map(({ records }) => records))
        for (const { resolve } of group) resolve()
      } catch (error) {
        const failure = IoError.from(error, 'the registry in ZooKeeper cannot be written')
        for (const { reject } of group) reject(failure)
      }
    }
    this.#writing = undefined
  }

  async #write(group: readonly (readonly RegistryRecord[])[]): Promise<void> {
    if (this.#isClosed) throw new IoError('OTHER', 'the registry is closed')
    for (const records of group) for (const record of records) applyRecord(this.#registry, record)
    const data = encode(group.map((records) => `${writeRecords(records)}\n`).join(''))
    const { generation, entries } = this.#head
    if (data.length > NODE_BYTES_MAX || entries >= ENTRIES_MAX) {
      await this.#startGeneration()
      return
    }
    const path = `${this.#path}/g${generation}-e${entries}`
    const isWritten = await this.#publish([{ kind: 'create', path, data }], { ...this.#head, entries: entries + 1 })
    if (!isWritten) throw new IoError('REFUSED', 'another master has taken over')
  }

  /** Writes everything anew in chunks, then switches to it. */
  async #startGeneration(): Promise<void> {
    const generation = this.#head.generation + 1
    const text = Buffer.from(
      registrySnapshot(this.#registry)
        .map((record) => `${writeRecords([record])}\n`)
        .join(''),
    )
    let chunks = 0
    for (let from = 0; from < text.length; from += NODE_BYTES_MAX - DIGEST_LENGTH) {
      const path = `${this.#path}/g${generation}-s${chunks}`
      const data = encode(text.subarray(from, from + NODE_BYTES_MAX - DIGEST_LENGTH))
      // One that was not finished by a master before.
      if (!(await this.#nodes.create(path, data))) {
        await this.#nodes.remove(path)
        await this.#nodes.create(path, data)
      }
      chunks += 1
    }
    const isWritten = await this.#publish([], { ...this.#head, generation, chunks, entries: 0 })
    if (!isWritten) throw new IoError('REFUSED', 'another master has taken over')
    await this.#removeOthers()
  }

  /**
   * Makes nodes and the new head in one transaction; false when another master has changed the head. A connection that breaks
   * leaves open whether it happened: the head tells.
   */
  async #publish(
    changes: readonly { readonly kind: 'create'; readonly path: string; readonly data: Uint8Array }[],
    next: Omit<Head, 'write'>,
  ): Promise<boolean> {
    const head: Head = { ...next, write: randomUUID() }
    const data = encode(headText(head))
    for (let tries = 0; ; tries += 1) {
      try {
        const set = { kind: 'set', path: this.#path, data, version: this.#version } as const
        const isDone = await this.#nodes.change([...changes, set])
        if (!isDone && tries === 0) return false
        const found = isDone ? undefined : await this.#nodes.get(this.#path)
        if (!isDone && (found === undefined || parseHead(found.data, this.#path).write !== head.write)) return false
        this.#head = head
        this.#version += 1
        return true
      } catch (error) {
        const isOpen = error instanceof IoError && error.code === 'CONNECTION_LOST'
        if (!isOpen || tries >= OUTCOME_TRIES || this.#isClosed) throw error
        await delay(OUTCOME_PAUSE_MS)
      }
    }
  }

  /** Everything in force; undefined when there is no registry yet. Throws FILE when it is not as it was written. */
  async #read(): Promise<Loaded | undefined> {
    const found = await this.#nodes.get(this.#path)
    if (found === undefined) return undefined
    const head = parseHead(found.data, this.#path)
    const { generation } = head
    const chunks: Buffer[] = []
    for (let at = 0; at < head.chunks; at += 1) chunks.push(await this.#part(`g${generation}-s${at}`))
    const entries: Buffer[] = []
    for (let at = 0; at < head.entries; at += 1) entries.push(await this.#part(`g${generation}-e${at}`))
    const after = await this.#nodes.get(this.#path)
    if (after?.version !== found.version) return this.#read()
    try {
      const records = parseRecords(Buffer.concat([...chunks, ...entries]).toString('utf8'))
      return { head, version: found.version, records }
    } catch (error) {
      throw new IoError('FILE', `the registry at ${this.#path} cannot be read; nothing was changed`, { cause: error })
    }
  }

  async #part(name: string): Promise<Buffer> {
    const path = `${this.#path}/${name}`
    const found = await this.#nodes.get(path)
    const body = found && decode(found.data)
    if (body !== undefined) return body
    const why = found === undefined ? 'is missing' : 'is damaged'
    throw new IoError('FILE', `the node ${path} of the registry ${why}; nothing was changed`)
  }

  /** Removes nodes of other generations. What is left over by a failure goes next time. */
  async #removeOthers(): Promise<void> {
    const own = `g${this.#head.generation}-`
    const names = (await this.#nodes.children(this.#path)) ?? []
    for (const name of names) {
      if (/^g\d+-[se]\d+$/.test(name) && !name.startsWith(own)) await this.#nodes.remove(`${this.#path}/${name}`)
    }
  }
}

function headText(head: Head): string {
  return JSON.stringify({ magic: MAGIC, format: FORMAT, ...head })
}

function parseHead(data: Uint8Array, path: string): Head {
  const refuse = (why: string): IoError =>
    new IoError('FILE', `the node ${path} ${why}; nothing was changed. Choose another path, or move it away`)
  const body = decode(data)
  if (body === undefined) throw refuse('is no registry of Isthmus, or is damaged')
  const value = JSON.parse(body.toString('utf8')) as Record<string, unknown>
  if (value.magic !== MAGIC) throw refuse('is no registry of Isthmus')
  if (value.format !== FORMAT) throw refuse(`has format ${String(value.format)}, this version reads ${FORMAT}`)
  return {
    generation: Number(value.generation),
    chunks: Number(value.chunks),
    entries: Number(value.entries),
    write: String(value.write),
  }
}

/** The SHA-256 in hexadecimal, then the text. */
function encode(text: string | Uint8Array): Buffer {
  const body = Buffer.from(text as string)
  return Buffer.concat([Buffer.from(digestOf(body)), body])
}

function decode(data: Uint8Array): Buffer | undefined {
  const bytes = Buffer.from(data)
  const body = bytes.subarray(DIGEST_LENGTH)
  return bytes.length >= DIGEST_LENGTH && bytes.toString('latin1', 0, DIGEST_LENGTH) === digestOf(body)
    ? body
    : undefined
}

function digestOf(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('hex')
}
