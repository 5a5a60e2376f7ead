// One session with ZooKeeper, from its first connection to its end. Ephemeral nodes live as long as it does; whoever leads by
// one stops leading when `lost` is told.
//
//   connect ──► connected ⇄ (reconnecting within the session's timeout) ──► lost, once, with the reason
//
// The package underneath notices neither a server that hangs nor one that a firewall cut off, and learns of an expired session
// only from a server. So the session is asked for a sign of life three times in its timeout; a connection without an answer is
// broken off so that another server is tried, and a session without one for its whole timeout is taken for lost here, at the
// latest when the servers give it up too. This is the only importer of node-zookeeper-client.

/// <reference path="./node-zookeeper-client.d.ts" />

import {
  ACL,
  type Acl,
  type Client,
  type ConnectionManager,
  CreateMode,
  createClient,
  Exception,
  State,
  type ZooKeeperError,
} from 'node-zookeeper-client'
import { IoError } from '../io-error.ts'
import type { ZooKeeperUrl } from './url.ts'

/** Pause before all servers are tried again, at most. */
const SPIN_MS = 500
/** Signs of life asked for within the session's timeout. */
const SIGNS = 3
/** Bytes of one node at most: ZooKeeper's own limit is 1 MiB with the path and its framing. */
export const NODE_BYTES_MAX = 768 * 1024

/** A part of a transaction. */
export type ZooKeeperChange =
  | { readonly kind: 'create'; readonly path: string; readonly data: Uint8Array }
  | { readonly kind: 'set'; readonly path: string; readonly data: Uint8Array; readonly version: number }
  | { readonly kind: 'remove'; readonly path: string }

/** How a session is opened. */
export interface ZooKeeperSessionOptions {
  readonly url: Pick<ZooKeeperUrl, 'servers' | 'auth'>
  /** --zk_session_timeout; the servers may give another. */
  readonly timeoutMs: number
  /** Told once: expired, not authenticated, or without a sign of life for the session's timeout. Not told after `close`. */
  readonly lost: (reason: string) => void
}

/** A session. Its methods throw IoError: CONNECTION_LOST, REFUSED (authentication), OTHER. */
export class ZooKeeperSession {
  readonly #client: Client
  readonly #options: ZooKeeperSessionOptions
  #isOver = false
  #isConnected = false
  #heardAtMs = performance.now()
  #signTimer: NodeJS.Timeout | undefined
  #whenConnected: (() => void)[] = []

  constructor(options: ZooKeeperSessionOptions) {
    this.#options = options
    this.#client = createClient(options.url.servers, {
      sessionTimeout: options.timeoutMs,
      spinDelay: SPIN_MS,
      retries: 0,
    })
    const { auth } = options.url
    if (auth !== undefined) this.#client.addAuthInfo('digest', Buffer.from(`${auth.user}:${auth.password}`))
    guard(this.#client.connectionManager)
    this.#client.on('state', (state) => this.#stateChanged(state.code))
  }

  /** Connects; resolves when a server answered. Throws TIMEOUT when none does within the session's timeout. */
  async connect(): Promise<void> {
    const { timeoutMs, url } = this.#options
    const connected = new Promise<true>((resolve) => this.#whenConnected.push(() => resolve(true)))
    this.#client.connect()
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(() => resolve(false), timeoutMs)
    })
    const isConnected = await Promise.race([connected, late])
    clearTimeout(timer)
    if (!isConnected) {
      this.close()
      throw new IoError('TIMEOUT', `no ZooKeeper server of ${url.servers} answered within ${timeoutMs} ms`)
    }
    this.#askForSign()
  }

  /**
   * Says whether the servers still keep the session, going by the last sign of life: a process that was stopped and woken asks before it
   * acts, as its timers have not run yet. A session found too old is lost at once.
   */
  get isAlive(): boolean {
    const silentMs = performance.now() - this.#heardAtMs
    if (silentMs >= this.#timeoutMs()) this.#over(`no server answered for ${Math.round(silentMs)} ms`)
    return !this.#isOver
  }

  /** Makes a persistent node; false when it is there already. */
  async create(path: string, data: Uint8Array): Promise<boolean> {
    try {
      await this.#create(path, data, this.#acl(), CreateMode.PERSISTENT)
      return true
    } catch (error) {
      if (codeOf(error) === Exception.NODE_EXISTS) return false
      throw fail(error, `create ${path}`)
    }
  }

  /** Makes a node that lives as long as the session and returns its whole path, which ends in ten digits. */
  async createEphemeral(prefix: string, data: Uint8Array): Promise<string> {
    try {
      return await this.#create(prefix, data, this.#readableAcl(), CreateMode.EPHEMERAL_SEQUENTIAL)
    } catch (error) {
      throw fail(error, `create ${prefix}`)
    }
  }

  /** Makes every node of a path that is missing, readable by all so that clients may look for masters. */
  async ensurePath(path: string): Promise<void> {
    const parts = path.split('/').slice(1)
    for (let count = 1; count <= parts.length; count += 1) {
      const part = `/${parts.slice(0, count).join('/')}`
      // Above the last there may be no right to read or write what is there already.
      const isThere = await this.#exists(part)
      if (isThere) continue
      try {
        await this.#create(part, Buffer.alloc(0), this.#readableAcl(), CreateMode.PERSISTENT)
      } catch (error) {
        if (codeOf(error) !== Exception.NODE_EXISTS) throw fail(error, `create ${part}`)
      }
    }
  }

  /** A node's bytes and version; undefined when there is none. */
  async get(path: string): Promise<{ readonly data: Uint8Array; readonly version: number } | undefined> {
    try {
      return await new Promise((resolve, reject) => {
        this.#client.getData(path, (error, data, stat) => {
          if (error) reject(error)
          else resolve({ data: data ?? new Uint8Array(), version: stat.version })
        })
      })
    } catch (error) {
      if (codeOf(error) === Exception.NO_NODE) return undefined
      throw fail(error, `read ${path}`)
    }
  }

  /** Names of the children; undefined when there is no such node. `changed` is told once, at the next change. */
  async children(path: string, changed?: () => void): Promise<readonly string[] | undefined> {
    try {
      return await new Promise((resolve, reject) => {
        const done = (error: ZooKeeperError | null, names: readonly string[]): void => {
          if (error) reject(error)
          else resolve(names)
        }
        if (changed === undefined) this.#client.getChildren(path, done)
        else this.#client.getChildren(path, changed, done)
      })
    } catch (error) {
      if (codeOf(error) === Exception.NO_NODE) return undefined
      throw fail(error, `list ${path}`)
    }
  }

  /** Carries out all changes or none; false when a node has another version, is there already, or is missing. */
  async change(changes: readonly ZooKeeperChange[]): Promise<boolean> {
    const transaction = this.#client.transaction()
    for (const change of changes) {
      if (change.kind === 'create') {
        transaction.create(change.path, Buffer.from(change.data), this.#acl(), CreateMode.PERSISTENT)
      } else if (change.kind === 'set') transaction.setData(change.path, Buffer.from(change.data), change.version)
      else transaction.remove(change.path, -1)
    }
    try {
      await new Promise<void>((resolve, reject) => {
        transaction.commit((error) => (error ? reject(error) : resolve()))
      })
      return true
    } catch (error) {
      const code = codeOf(error)
      const isConflict = [Exception.BAD_VERSION, Exception.NODE_EXISTS, Exception.NO_NODE].includes(code ?? 0)
      if (isConflict) return false
      throw fail(error, 'change the registry')
    }
  }

  /** Removes a node without children; nothing when it is gone already. */
  async remove(path: string): Promise<void> {
    try {
      await new Promise<void>((resolve, reject) => {
        this.#client.remove(path, -1, (error) => (error ? reject(error) : resolve()))
      })
    } catch (error) {
      if (codeOf(error) !== Exception.NO_NODE) throw fail(error, `remove ${path}`)
    }
  }

  /** Ends the session, and its ephemeral nodes with it. */
  close(): void {
    this.#end(this.#isConnected)
  }

  /** @param isAsking the servers are asked to end the session: only one that answers does so */
  #end(isAsking: boolean): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#signTimer)
    if (isAsking) this.#client.close()
    else giveUp(this.#client.connectionManager)
  }

  #create(path: string, data: Uint8Array, acl: readonly Acl[], mode: number): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#client.create(path, Buffer.from(data), acl, mode, (error, made) => (error ? reject(error) : resolve(made)))
    })
  }

  async #exists(path: string): Promise<boolean> {
    try {
      return await new Promise((resolve, reject) => {
        this.#client.exists(path, (error, stat) => (error ? reject(error) : resolve(stat !== null)))
      })
    } catch (error) {
      throw fail(error, `look for ${path}`)
    }
  }

  #acl(): readonly Acl[] {
    return this.#options.url.auth === undefined ? ACL.OPEN_ACL_UNSAFE : ACL.CREATOR_ALL_ACL
  }

  #readableAcl(): readonly Acl[] {
    return this.#options.url.auth === undefined ? ACL.OPEN_ACL_UNSAFE : [...ACL.CREATOR_ALL_ACL, ...ACL.READ_ACL_UNSAFE]
  }

  #stateChanged(code: number): void {
    this.#isConnected = code === State.SYNC_CONNECTED.code
    // What a connection that broke had begun to say is not continued by the next one.
    if (!this.#isConnected) this.#client.connectionManager.pendingBuffer = null
    if (this.#isConnected) {
      this.#heardAtMs = performance.now()
      for (const wake of this.#whenConnected.splice(0)) wake()
    }
    if (code === State.EXPIRED.code) this.#over('the session has expired')
    if (code === State.AUTH_FAILED.code) this.#over('the credentials were refused')
  }

  /** The client pings by itself, but does not look whether anyone answers. */
  #askForSign(): void {
    const timeoutMs = this.#timeoutMs()
    const everyMs = timeoutMs / SIGNS
    if (!this.isAlive) return
    const askedAtMs = performance.now()
    const silentMs = askedAtMs - this.#heardAtMs
    if (this.#isConnected) {
      if (silentMs > 2 * everyMs) this.#client.connectionManager.socket?.destroy()
      this.#client.exists('/', (error) => {
        // The servers count from when they were asked, not from when we heard of it.
        if (!error) this.#heardAtMs = Math.max(this.#heardAtMs, askedAtMs)
      })
    }
    this.#signTimer = setTimeout(() => this.#askForSign(), Math.min(everyMs, Math.max(1, timeoutMs - silentMs)))
    this.#signTimer.unref()
  }

  #timeoutMs(): number {
    return Math.min(this.#client.getSessionTimeout(), this.#options.timeoutMs)
  }

  #over(reason: string): void {
    if (this.#isOver) return
    this.#end(false)
    // Not within the client's own work, where an error of ours would be taken for one of its.
    queueMicrotask(() => this.#options.lost(reason))
  }
}

/** State of the client's connection in which it does not connect again (STATES.CLOSING). */
const CLOSING = -1

/**
 * The client throws from its socket's handler when it cannot read what a server sends, which would end the process: the connection
 * is broken off instead, and the client tries another server.
 */
function guard(manager: ConnectionManager): void {
  const read = manager.onSocketData
  manager.onSocketData = (data) => {
    try {
      read.call(manager, data)
    } catch {
      manager.pendingBuffer = null
      manager.socket?.destroy()
    }
  }
}

/**
 * Ends a client that is not connected. Its own `close` asks a server that answers later to end the session, and takes the answer to
 * its connection for the answer to that.
 */
function giveUp(manager: ConnectionManager): void {
  manager.state = CLOSING
  manager.socket?.destroy()
}

function codeOf(error: unknown): number | undefined {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'number' ? code : undefined
}

function fail(error: unknown, what: string): IoError {
  const code = codeOf(error)
  const message = `ZooKeeper cannot ${what}: ${error instanceof Error ? error.message : String(error)}`
  if (code === Exception.CONNECTION_LOSS || code === Exception.SESSION_EXPIRED) {
    return new IoError('CONNECTION_LOST', message, { cause: error })
  }
  if (code === Exception.NO_AUTH || code === Exception.AUTH_FAILED) {
    return new IoError('REFUSED', `${message} (is the user and password of the zk:// URL right?)`, { cause: error })
  }
  return new IoError('OTHER', message, { cause: error })
}
