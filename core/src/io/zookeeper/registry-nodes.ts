// The registry in ZooKeeper:
//
//   <path>/registry             the head: which generation is in force, how much of it there is, who wrote it last
//   <path>/registry/g7-s0 …     generation 7 as it began: the shortest records that say everything, deflated, in chunks below the node limit
//   <path>/registry/g7-e0 …     one node for each write since then
//
// A write makes its node and changes the head in one transaction that names the head's version: a master that another one has
// replaced cannot write any more. When a generation has grown, or one write is larger than a node, the next generation is
// written beside it and the head changed to it; what is left of older ones is removed afterwards. Every node begins with the
// SHA-256 of the rest; whatever is not as it was written is refused, and nothing is changed then.

import { randomUUID } from 'node:crypto'
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
import { decode, deflated, encode, type Head, headText, inflated, PART_BYTES_MAX, parseHead } from './registry-parts.ts'
import { NODE_BYTES_MAX, type ZooKeeperSession } from './session.ts'

/** Writes after which a generation is replaced by a shorter one. */
export const ENTRIES_MAX = 1_000
/** Nodes asked for at a time. */
const READ_AT_ONCE = 32
/** A write whose outcome is not known is looked after for so long. */
const OUTCOME_TRIES = 40
const OUTCOME_PAUSE_MS = 250
/** Another master that writes while this one reads makes it read again, so many times at most. */
const LOAD_TRIES = 10

/** What the store needs of a session. */
export type RegistryNodes = Pick<ZooKeeperSession, 'get' | 'create' | 'change' | 'remove' | 'children' | 'ensurePath'>

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
  #head: Head = { generation: 0, chunks: 0, entries: 0, isDeflated: true, write: '' }
  #version = -1
  #waiting: Waiting[] = []
  #writing: Promise<void> | undefined
  #isClosed = false
  #failure: IoError | undefined

  constructor(nodes: RegistryNodes, path: string) {
    this.#nodes = nodes
    this.#path = path
  }

  async load(): Promise<readonly RegistryRecord[]> {
    await this.#nodes.ensurePath(this.#path.slice(0, this.#path.lastIndexOf('/')))
    for (let tries = 0; tries < LOAD_TRIES; tries += 1) {
      const loaded = await this.#read()
      if (loaded === 'changed') continue
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
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
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
        if (this.#failure !== undefined) throw this.#failure
        await this.#write(group.map(({ records }) => records))
        for (const { resolve } of group) resolve()
      } catch (error) {
        // What the nodes hold is not known any more.
        this.#failure ??= IoError.from(error, 'the registry in ZooKeeper cannot be written')
        for (const { reject } of group) reject(this.#failure)
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
    const text = registrySnapshot(this.#registry)
      .map((record) => `${writeRecords([record])}\n`)
      .join('')
    const bytes = await deflated(text)
    let chunks = 0
    for (let from = 0; from < bytes.length; from += PART_BYTES_MAX) {
      const path = `${this.#path}/g${generation}-s${chunks}`
      const data = encode(bytes.subarray(from, from + PART_BYTES_MAX))
      // One that was not finished by a master before.
      if (!(await this.#nodes.create(path, data))) {
        await this.#nodes.remove(path)
        await this.#nodes.create(path, data)
      }
      chunks += 1
    }
    const isWritten = await this.#publish([], { generation, chunks, entries: 0, isDeflated: true })
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

  /**
   * Everything in force; undefined when there is no registry yet, `changed` when another master wrote it meanwhile. Throws FILE when it is not
   * as it was written.
   */
  async #read(): Promise<Loaded | 'changed' | undefined> {
    const found = await this.#nodes.get(this.#path)
    if (found === undefined) return undefined
    const head = parseHead(found.data, this.#path)
    let text: string | IoError
    try {
      text = await this.#text(head)
    } catch (error) {
      text = IoError.from(error)
    }
    // A generation that was replaced meanwhile has lost its nodes.
    const after = await this.#nodes.get(this.#path)
    if (after?.version !== found.version) return 'changed'
    if (typeof text !== 'string') throw text
    try {
      return { head, version: found.version, records: parseRecords(text) }
    } catch (error) {
      throw this.#unreadable(error)
    }
  }

  async #text({ generation, chunks, entries, isDeflated }: Head): Promise<string> {
    const began = Buffer.concat(await this.#parts(`g${generation}-s`, chunks))
    const added = Buffer.concat(await this.#parts(`g${generation}-e`, entries))
    if (!isDeflated || chunks === 0) return began.toString('utf8') + added.toString('utf8')
    try {
      return (await inflated(began)).toString('utf8') + added.toString('utf8')
    } catch (error) {
      throw this.#unreadable(error)
    }
  }

  #unreadable(error: unknown): IoError {
    const why = error instanceof Error ? error.message : String(error)
    return new IoError('FILE', `the registry at ${this.#path} cannot be read: ${why}; nothing was changed`, {
      cause: error,
    })
  }

  async #parts(prefix: string, count: number): Promise<Buffer[]> {
    const parts: Buffer[] = []
    while (parts.length < count) {
      const names = Array.from(
        { length: Math.min(READ_AT_ONCE, count - parts.length) },
        (_, at) => `${prefix}${parts.length + at}`,
      )
      parts.push(...(await Promise.all(names.map((name) => this.#part(name)))))
    }
    return parts
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
