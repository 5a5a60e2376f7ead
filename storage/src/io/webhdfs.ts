// A client of HDFS over its REST interface (Hadoop's "WebHDFS REST API"; HttpFS speaks the same).
//
// An operation goes to a NameNode. What moves bytes takes two steps: the NameNode answers 307 with the address of a
// DataNode, and only that one gets or gives the bytes.
//
//   client ── PUT /webhdfs/v1/a?op=CREATE (no body) ──▶ NameNode ── 307 Location: http://datanode/… ──▶ client
//   client ── PUT http://datanode/… with the bytes  ──▶ DataNode ── 201 Created                      ──▶ client
//
// With several NameNodes the one that served last is asked first; a standby, or one that cannot be reached, passes the
// call on to the next. A call that may have been carried out is never repeated.
//
// Not here: Kerberos, delegation tokens, TLS. Read next: webhdfs-http.ts, webhdfs-error.ts.

import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { errorOfAnswer, WebHdfsError } from './webhdfs-error.ts'
import { bodyOf, type Content, type Exchange, exchange, neverArrived, readJson, readText } from './webhdfs-http.ts'
import {
  type ContentSummary,
  type FileChecksum,
  type FileStatus,
  parseBoolean,
  parseChecksum,
  parseContentSummary,
  parsePage,
  parseStatus,
} from './webhdfs-types.ts'

/** Whom to ask, and as whom. */
export interface WebHdfsOptions {
  /** Bases of the NameNodes' web addresses, such as `http://127.0.0.1:9870`; at least one. */
  readonly nameNodes: readonly string[]
  /** The user the calls are made as (`user.name`). Default: the server's own, usually `dr.who`. */
  readonly user?: string
  /** How long a server may be silent. Default 60,000. */
  readonly timeoutMs?: number
}

/** How a file is created. What is absent is the server's default. */
export interface CreateOptions {
  /** Replaces a file that is there; otherwise that is an EXISTS error. Default false. */
  readonly overwrite?: boolean
  readonly replication?: number
  readonly blockSizeBytes?: number
  /** Octal, such as `644`. */
  readonly permission?: string
}

/** Which part of a file to read. Default: all of it. */
export interface OpenOptions {
  readonly offset?: number
  /** At most so many bytes. */
  readonly length?: number
}

type Query = Readonly<Record<string, string | number | boolean | undefined>>

const DEFAULT_TIMEOUT_MS = 60_000
/** A folder with more entries is an error of {@link WebHdfsClient.list}, not a matter of memory. */
const MAX_LISTED = 1_000_000

/** A client of one HDFS. Its calls may run at the same time. Every failure is thrown as a WebHdfsError. */
export class WebHdfsClient {
  readonly #options: WebHdfsOptions
  /** The index of the NameNode that served last. */
  #active = 0

  constructor(options: WebHdfsOptions) {
    if (options.nameNodes.length === 0) throw new WebHdfsError('BAD_REQUEST', 'no NameNode is given')
    this.#options = options
  }

  /** Writes a file; missing parent folders are made. A file that breaks off half-way may be left behind. */
  async create(path: string, content: Content, options: CreateOptions = {}): Promise<void> {
    const { overwrite = false, replication, blockSizeBytes: blocksize, permission } = options
    await this.#send('PUT', path, { op: 'CREATE', overwrite, replication, blocksize, permission }, content)
  }

  /** Writes at the end of a file that exists. */
  async append(path: string, content: Content): Promise<void> {
    await this.#send('POST', path, { op: 'APPEND' }, content)
  }

  /**
   * Opens a file for reading. The stream ends with an error when the connection breaks, and reads no further than its
   * reader asks. Reading from beyond the end is a BAD_REQUEST.
   */
  async open(path: string, options: OpenOptions = {}): Promise<Readable> {
    const answer = await this.#follow('GET', path, { op: 'OPEN', ...options })
    if (answer.statusCode !== 200) throw errorOfAnswer(answer.statusCode ?? 0, await readText(answer))
    return bodyOf(answer)
  }

  /** Reads a file, or a part of it, into memory. TOO_LARGE when that is more than maxBytes. */
  async read(path: string, maxBytes: number, options: OpenOptions = {}): Promise<Uint8Array> {
    const chunks: Buffer[] = []
    let sizeBytes = 0
    for await (const chunk of (await this.open(path, options)) as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length
      if (sizeBytes > maxBytes) throw new WebHdfsError('TOO_LARGE', `${path} has more than ${maxBytes} bytes`)
      chunks.push(chunk)
    }
    return Buffer.concat(chunks)
  }

  /** What is known about a file or folder. */
  async status(path: string): Promise<FileStatus> {
    return parseStatus(await this.#ask('GET', path, { op: 'GETFILESTATUS' }))
  }

  /** The entries of a folder by name, or the one of a file (with an empty name); at most {@link MAX_LISTED}. */
  async list(path: string): Promise<FileStatus[]> {
    const entries: FileStatus[] = []
    let startAfter: string | undefined
    for (;;) {
      const page = parsePage(await this.#ask('GET', path, { op: 'LISTSTATUS_BATCH', startAfter }))
      entries.push(...page.entries)
      startAfter = page.entries.at(-1)?.name
      if (page.remaining === 0 || startAfter === undefined) return entries
      if (entries.length > MAX_LISTED)
        throw new WebHdfsError('TOO_LARGE', `${path} has more than ${MAX_LISTED} entries`)
    }
  }

  /** Makes a folder and its missing parents; one that is there already is no error. */
  async mkdirs(path: string, permission?: string): Promise<void> {
    await this.#insist('PUT', path, { op: 'MKDIRS', permission })
  }

  /** Moves a file or folder. REFUSED when the source is not there or the target is. */
  async rename(path: string, destination: string): Promise<void> {
    checkPath(destination)
    await this.#insist('PUT', path, { op: 'RENAME', destination })
  }

  /**
   * Removes a file or folder. NOT_EMPTY when a folder has entries and `recursive` is not set.
   *
   * @returns whether there was something to remove
   */
  async delete(path: string, recursive = false): Promise<boolean> {
    return parseBoolean(await this.#ask('DELETE', path, { op: 'DELETE', recursive }))
  }

  /** HDFS's checksum of a file; equal for equal contents when block and chunk sizes are equal too. */
  async checksum(path: string): Promise<FileChecksum> {
    return parseChecksum(await readJson(await this.#follow('GET', path, { op: 'GETFILECHECKSUM' })))
  }

  /** How much a folder holds, all its sub-folders counted. */
  async contentSummary(path: string): Promise<ContentSummary> {
    return parseContentSummary(await this.#ask('GET', path, { op: 'GETCONTENTSUMMARY' }))
  }

  /** An operation whose answer is `true`, or `false` without a reason. */
  async #insist(method: Exchange['method'], path: string, query: Query): Promise<void> {
    if (!parseBoolean(await this.#ask(method, path, query))) {
      throw new WebHdfsError('REFUSED', `${query.op} ${path}: refused without a reason`)
    }
  }

  async #ask(method: Exchange['method'], path: string, query: Query): Promise<unknown> {
    return await readJson(await this.#askNameNode(method, path, query))
  }

  async #send(method: 'PUT' | 'POST', path: string, query: Query, content: Content): Promise<void> {
    const answer = await this.#follow(method, path, query, content)
    const status = answer.statusCode ?? 0
    if (status === 200 || status === 201) {
      answer.resume()
      return
    }
    const error = errorOfAnswer(status, await readText(answer))
    // Refused before the end of the body: the connection still expects the rest and cannot be used again.
    answer.destroy()
    throw error
  }

  /** Both steps: the NameNode says where, and that DataNode answers. HttpFS may answer a read at once. */
  async #follow(method: Exchange['method'], path: string, query: Query, content?: Content): Promise<IncomingMessage> {
    const first = await this.#askNameNode(method, path, query)
    if (first.statusCode === 200 && content === undefined) return first
    const text = await readText(first)
    if (first.statusCode !== 307) throw errorOfAnswer(first.statusCode ?? 0, text)
    const url = first.headers.location
    if (url === undefined) throw new WebHdfsError('PROTOCOL', 'a redirect without a location', { status: 307 })
    return await exchange({ method, url, content, timeoutMs: this.#timeoutMs() })
  }

  /** Asks the NameNodes in turn, the one that served last first. O(NameNodes). */
  async #askNameNode(method: Exchange['method'], path: string, query: Query): Promise<IncomingMessage> {
    const target = `/webhdfs/v1${encodePath(path)}?${this.#encodeQuery(query)}`
    const { nameNodes } = this.#options
    let failure: unknown
    for (let tries = 0; tries < nameNodes.length; tries++) {
      const index = (this.#active + tries) % nameNodes.length
      try {
        const answer = await this.#askOne(method, `${nameNodes[index]?.replace(/\/+$/, '')}${target}`)
        this.#active = index
        return answer
      } catch (error) {
        failure = error
        const isStandby = error instanceof WebHdfsError && error.code === 'STANDBY'
        if (!isStandby && !neverArrived(error)) throw error
      }
    }
    throw failure
  }

  async #askOne(method: Exchange['method'], url: string): Promise<IncomingMessage> {
    const answer = await exchange({ method, url, timeoutMs: this.#timeoutMs() })
    const status = answer.statusCode ?? 0
    if (status < 400) return answer
    throw errorOfAnswer(status, await readText(answer))
  }

  #timeoutMs(): number {
    return this.#options.timeoutMs ?? DEFAULT_TIMEOUT_MS
  }

  #encodeQuery(query: Query): string {
    return Object.entries({ ...query, 'user.name': this.#options.user })
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`)
      .join('&')
  }
}

function encodePath(path: string): string {
  checkPath(path)
  return path.split('/').map(encodeURIComponent).join('/')
}

function checkPath(path: string): void {
  const isSound = path.startsWith('/') && !path.includes('\0') && !/(^|\/)\.\.?(\/|$)/.test(path)
  if (!isSound) throw new WebHdfsError('BAD_REQUEST', `not an absolute path without . and ..: ${JSON.stringify(path)}`)
}
