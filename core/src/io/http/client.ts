// HTTP from the client's side: one request, one endless RecordIO stream, and redirects to the leading master. Who retries
// and when is decided by the machine above; here a failure is an IoError.

import {
  Agent,
  type ClientRequest,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from 'node:http'
import { RecordReader } from '@isthmus/proto/recordio'
import { IoError } from '../io-error.ts'

/** Redirects followed in a row before giving up. */
export const REDIRECTS_MAX = 5
/** A peer that accepts no connection in this time is taken for unreachable. */
export const CONNECT_TIMEOUT_MS = 10_000
/** A peer that does not begin to answer a request for a stream in this time is taken for dead. */
export const STREAM_ANSWER_TIMEOUT_MS = 30_000
/** Longest answer text that is kept. */
const ANSWER_MAX_BYTES = 64 * 2 ** 20

/** Where a peer listens. */
export interface Endpoint {
  readonly host: string
  readonly port: number
}

/** What to send. */
export interface OutgoingRequest {
  readonly method?: string
  /** With the query. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
  /** Gives up when the whole answer (of a stream: its beginning) has not come by then; absent = no limit (of a stream: 30 s). */
  readonly timeoutMs?: number
}

/** A whole answer. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** What a record stream tells; `closed` comes once, last. */
export interface RecordStreamHandlers {
  readonly opened: (headers: IncomingHttpHeaders) => void
  readonly record: (bytes: Uint8Array) => void
  /** The peer ended it, refused it (code REFUSED with its status and text), or the connection broke. */
  readonly closed: (reason: IoError) => void
}

/** A stream that can be ended from here; `closed` is not told then. */
export interface OpenRecordStream {
  readonly close: () => void
}

/** Reads `host:port`, `http://host:port` or `//host:port`, or undefined when it is neither. */
export function parseEndpoint(text: string, defaultPort?: number): Endpoint | undefined {
  const bare = text.trim().replace(/^(?:https?:)?\/\//, '')
  const match = /^(\[[^\]]+\]|[^:/\s]+)(?::(\d+))?(?:\/.*)?$/.exec(bare)
  if (match === null) return undefined
  const port = match[2] === undefined ? defaultPort : Number(match[2])
  if (port === undefined || port > 65_535) return undefined
  return { host: match[1]!.replace(/^\[|\]$/g, ''), port }
}

/**
 * A peer that may move: requests go to the last known endpoint and follow redirects to the leader, which is remembered.
 * Plain requests share one keep-alive connection and leave in the order they were made.
 */
export class Peer {
  #first: Endpoint
  #current: Endpoint
  #agent = new Agent({ keepAlive: true, maxSockets: 1 })
  readonly #streamAgent = new Agent({ keepAlive: false })

  constructor(endpoint: Endpoint) {
    this.#first = endpoint
    this.#current = endpoint
  }

  /** Where the peer was found last. */
  get endpoint(): Endpoint {
    return this.#current
  }

  /** Forgets a redirect: the next request goes to the first endpoint again. */
  reset(): void {
    this.#current = this.#first
  }

  /** The peer is somewhere else from now on. Requests under way go on. */
  move(endpoint: Endpoint): void {
    this.#first = endpoint
    this.#current = endpoint
  }

  /** Gives up the requests under way, so that later ones need not wait for a peer that is gone. */
  abort(): void {
    this.#agent.destroy()
    this.#agent = new Agent({ keepAlive: true, maxSockets: 1 })
  }

  /** Closes all connections. */
  close(): void {
    this.#agent.destroy()
    this.#streamAgent.destroy()
  }

  /** Sends a request and reads the whole answer, whatever its status. Throws IoError. */
  async send(outgoing: OutgoingRequest): Promise<Answer> {
    for (let redirects = 0; redirects <= REDIRECTS_MAX; redirects += 1) {
      const answer = await sendOnce(this.#current, outgoing, this.#agent)
      if (!this.#follow(answer.status, answer.headers)) return answer
    }
    throw new IoError('REDIRECTED_TOO_OFTEN', `redirected more than ${REDIRECTS_MAX} times`)
  }

  /** Sends a request whose answer is an endless stream of records. */
  stream(outgoing: OutgoingRequest, handlers: RecordStreamHandlers): OpenRecordStream {
    let isClosed = false
    let current: ClientRequest | undefined
    const guarded: RecordStreamHandlers = {
      opened: (headers) => void (isClosed || handlers.opened(headers)),
      record: (bytes) => void (isClosed || handlers.record(bytes)),
      closed: (reason) => {
        if (isClosed) return
        isClosed = true
        current?.destroy()
        handlers.closed(reason)
      },
    }
    const attempt = (redirects: number): void => {
      const waitMs = outgoing.timeoutMs ?? STREAM_ANSWER_TIMEOUT_MS
      const request = startRequest(this.#current, outgoing, this.#streamAgent)
      const timer = setTimeout(() => request.destroy(new IoError('TIMEOUT', `no answer within ${waitMs} ms`)), waitMs)
      current = request
      request.once('close', () => clearTimeout(timer))
      request.once('error', (error) => guarded.closed(IoError.from(error, describe(this.#current))))
      request.once('response', (response) => {
        clearTimeout(timer)
        if (redirects < REDIRECTS_MAX && this.#follow(response.statusCode ?? 0, response.headers)) {
          response.resume()
          if (!isClosed) attempt(redirects + 1)
          return
        }
        readStream(response, guarded)
      })
      request.end(outgoing.body)
    }
    attempt(0)
    return {
      close: () => {
        isClosed = true
        current?.destroy()
      },
    }
  }

  /** True when the answer named another leader, which is now the current endpoint. */
  #follow(status: number, headers: IncomingHttpHeaders): boolean {
    if (status !== 307 && status !== 302 && status !== 308) return false
    const endpoint = parseEndpoint(headers.location ?? '', this.#current.port)
    if (endpoint === undefined) return false
    this.#current = endpoint
    return true
  }
}

/** Sends one request to a fixed endpoint on a connection of its own and reads the whole answer. Throws IoError. */
export function sendTo(endpoint: Endpoint, outgoing: OutgoingRequest): Promise<Answer> {
  return sendOnce(endpoint, outgoing, false)
}

function sendOnce(endpoint: Endpoint, outgoing: OutgoingRequest, agent: Agent | false): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = startRequest(endpoint, outgoing, agent)
    const fail = (error: unknown): void => reject(IoError.from(error, describe(endpoint)))
    const timer =
      outgoing.timeoutMs === undefined
        ? undefined
        : setTimeout(
            () => request.destroy(new IoError('TIMEOUT', `no answer within ${outgoing.timeoutMs} ms`)),
            outgoing.timeoutMs,
          )
    request.once('close', () => clearTimeout(timer))
    request.once('error', fail)
    request.once('response', (response) => readAnswer(response, resolve, fail))
    request.end(outgoing.body)
  })
}

function startRequest(endpoint: Endpoint, outgoing: OutgoingRequest, agent: Agent | false): ClientRequest {
  const body = outgoing.body
  const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) }
  const request = httpRequest({
    host: endpoint.host,
    port: endpoint.port,
    method: outgoing.method ?? (body === undefined ? 'GET' : 'POST'),
    path: outgoing.path,
    headers: { ...length, ...outgoing.headers },
    agent,
  })
  request.once('socket', (socket) => {
    socket.setNoDelay(true)
    if (!socket.connecting) return
    const timer = setTimeout(() => {
      request.destroy(new IoError('TIMEOUT', `no connection within ${CONNECT_TIMEOUT_MS} ms`))
    }, CONNECT_TIMEOUT_MS)
    socket.once('connect', () => clearTimeout(timer))
    socket.once('close', () => clearTimeout(timer))
  })
  return request
}

function readAnswer(
  response: IncomingMessage,
  resolve: (answer: Answer) => void,
  fail: (error: unknown) => void,
): void {
  const chunks: Buffer[] = []
  let size = 0
  response.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size > ANSWER_MAX_BYTES) response.destroy(new IoError('BAD_ANSWER', 'the answer is too long'))
    else chunks.push(chunk)
  })
  response.on('end', () => {
    resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) })
  })
  response.on('error', fail)
}

function readStream(response: IncomingMessage, handlers: RecordStreamHandlers): void {
  const status = response.statusCode ?? 0
  if (status !== 200) {
    readAnswer(
      response,
      (answer) =>
        handlers.closed(new IoError('REFUSED', answer.body.toString('utf8') || `status ${status}`, { status })),
      (error) => handlers.closed(IoError.from(error)),
    )
    return
  }
  handlers.opened(response.headers)
  const reader = new RecordReader()
  response.on('data', (chunk: Buffer) => {
    try {
      for (const record of reader.push(chunk)) handlers.record(record)
    } catch (error) {
      handlers.closed(new IoError('BAD_ANSWER', 'the stream is not RecordIO', { cause: error }))
    }
  })
  response.on('end', () => handlers.closed(new IoError('CONNECTION_LOST', 'the stream ended')))
  response.on('error', (error) => handlers.closed(IoError.from(error, 'the stream broke')))
  response.on('close', () => handlers.closed(new IoError('CONNECTION_LOST', 'the stream ended')))
}

function describe(endpoint: Endpoint): string {
  return `${endpoint.host}:${endpoint.port}`
}
