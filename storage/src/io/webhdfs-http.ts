// One HTTP exchange with a NameNode or DataNode: what is sent, how long silence is borne, and how what goes wrong becomes
// a WebHdfsError. What the operations mean is in webhdfs.ts.

import { type IncomingMessage, type ClientRequest as OutgoingRequest, request } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { errorOfAnswer, WebHdfsError } from './webhdfs-error.ts'

/** What a file is written from. */
export type Content = string | Uint8Array | AsyncIterable<Uint8Array>

/** One request. */
export interface Exchange {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  /** An http: URL whose path and query are sent as they stand. */
  readonly url: string
  /** How long the server may be silent. */
  readonly timeoutMs: number
  /** What to send; absent = no body. */
  readonly content?: Content
}

/** An answer is read as text up to here; a page of 1,000 file entries is some 300 kB. */
const MAX_TEXT_BYTES = 16 * 2 ** 20
/** How long to wait for a server's go-ahead before sending a body without it. */
const CONTINUE_MS = 1_000
/** Failures after which the server has certainly not seen the request. */
const NEVER_ARRIVED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'])

/**
 * Sends a request and returns the answer's head; its body is still to be read.
 *
 * Throws WebHdfsError UNREACHABLE, TIMEOUT or PROTOCOL. Any status is an answer.
 */
export async function exchange(options: Exchange): Promise<IncomingMessage> {
  const outgoing = openRequest(options)
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve)
    outgoing.on('error', (error) => reject(brokenConnection(options.url, error)))
  })
  // Whoever awaits below sees the failure; this keeps one that comes earlier from being reported as unhandled.
  answered.catch(() => {})
  endOnSilence(outgoing, options)
  if (options.content === undefined) outgoing.end()
  else await sendContent(outgoing, options.content, answered)
  return await answered
}

/** Reads an answer's body as text. Throws WebHdfsError when it breaks off or is larger than {@link MAX_TEXT_BYTES}. */
export async function readText(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length
      if (sizeBytes > MAX_TEXT_BYTES)
        throw new WebHdfsError('TOO_LARGE', `an answer of more than ${MAX_TEXT_BYTES} bytes`)
      chunks.push(chunk)
    }
  } catch (error) {
    throw brokenConnection('the answer', error)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Reads an answer that must be a success and JSON. Throws WebHdfsError. */
export async function readJson(answer: IncomingMessage): Promise<unknown> {
  const text = await readText(answer)
  const status = answer.statusCode ?? 0
  if (status < 200 || status > 299) throw errorOfAnswer(status, text)
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new WebHdfsError('PROTOCOL', `not JSON: ${text.slice(0, 200)}`, { status, cause })
  }
}

/** The body of a successful answer as a stream whose errors are WebHdfsErrors. Destroying it closes the connection at once. */
export function bodyOf(answer: IncomingMessage): Readable {
  const chunks = (answer as AsyncIterable<Buffer>)[Symbol.asyncIterator]()
  const body = new Readable({
    read: () => {
      chunks.next().then(
        ({ done, value }) => body.destroyed || body.push(done === true ? null : value),
        (error: unknown) => body.destroy(brokenConnection('the file', error)),
      )
    },
    // Not left to an async generator: it cannot be ended while it waits for a server that says nothing.
    destroy: (error, callback) => {
      answer.destroy()
      callback(error)
    },
  })
  return body
}

/** Tells whether a failed request can safely go to another server. */
export function neverArrived(error: unknown): boolean {
  if (!(error instanceof WebHdfsError) || error.code !== 'UNREACHABLE') return false
  return NEVER_ARRIVED.has((error.cause as NodeJS.ErrnoException | undefined)?.code ?? '')
}

function openRequest({ method, url, timeoutMs, content }: Exchange): OutgoingRequest {
  // Taken apart by hand: the URL class would turn `%2E%2E` and the like into another path.
  const [, host = '', port = '80', path = '/'] = /^http:\/\/(\[[^\]]+\]|[^/:]+)(?::(\d+))?(\/.*)?$/.exec(url) ?? []
  if (host === '') throw new WebHdfsError('PROTOCOL', `not an http: URL: ${url}`)
  const size =
    typeof content === 'string' ? Buffer.byteLength(content) : content instanceof Uint8Array && content.length
  const headers: Record<string, string | number> = { accept: '*/*' }
  if (content === undefined) headers['content-length'] = 0
  else {
    headers['content-type'] = 'application/octet-stream'
    headers.expect = '100-continue'
    if (typeof size === 'number') headers['content-length'] = size
    else headers['transfer-encoding'] = 'chunked'
  }
  if (method === 'GET') delete headers['content-length']
  const hostname = host.startsWith('[') ? host.slice(1, -1) : host
  // A connection of its own: one that is reused may have been closed by the server, and a change cannot be sent twice.
  return request({ method, hostname, port, path, agent: false, headers, timeout: timeoutMs })
}

/**
 * Sends the body once the server wants it; a server that refuses answers first, and nothing is sent. Ends at the latest
 * with the answer: one that comes before the end of the body is a refusal, and the rest is not worth sending.
 * An error of the caller's own content is thrown as it is.
 */
async function sendContent(
  outgoing: OutgoingRequest,
  content: Content,
  answered: Promise<IncomingMessage>,
): Promise<void> {
  outgoing.flushHeaders()
  if ((await Promise.race([goAhead(outgoing), answered])) !== 'send') return
  const failures: unknown[] = []
  const sent = pipeline(Readable.from(chunksOf(content, failures), { objectMode: false }), outgoing)
  sent.catch(() => {})
  try {
    await Promise.race([sent, answered])
  } catch (error) {
    throw failures.length > 0 ? failures[0] : brokenConnection('the upload', error)
  }
}

async function goAhead(outgoing: OutgoingRequest): Promise<'send'> {
  return await new Promise((resolve) => {
    const timer = setTimeout(() => resolve('send'), CONTINUE_MS)
    outgoing.once('continue', () => resolve('send'))
    outgoing.once('close', () => clearTimeout(timer))
  })
}

async function* chunksOf(content: Content, failures: unknown[]): AsyncGenerator<Uint8Array> {
  try {
    if (typeof content === 'string') yield Buffer.from(content)
    else if (content instanceof Uint8Array) yield content
    else yield* content
  } catch (error) {
    failures.push(error)
    throw error
  }
}

/** Ends an exchange whose server is silent. A caller who has nothing to send yet, or who reads slowly, is no reason. */
function endOnSilence(outgoing: OutgoingRequest, options: Exchange): void {
  let answer: IncomingMessage | undefined
  outgoing.once('response', (message) => {
    answer = message
  })
  outgoing.on('timeout', () => {
    const isCallersTurn =
      answer === undefined
        ? options.content !== undefined && !outgoing.writableEnded && outgoing.writableLength === 0
        : answer.readableLength > 0
    if (!isCallersTurn) (answer ?? outgoing).destroy(silence(options))
  })
}

function silence({ url, timeoutMs }: Exchange): WebHdfsError {
  return new WebHdfsError('TIMEOUT', `no word from ${originOf(url)} for ${timeoutMs} ms`)
}

function brokenConnection(what: string, cause: unknown): WebHdfsError {
  if (cause instanceof WebHdfsError) return cause
  const message = cause instanceof Error ? cause.message : String(cause)
  return new WebHdfsError('UNREACHABLE', `${originOf(what)}: ${message}`, { cause })
}

function originOf(url: string): string {
  return /^http:\/\/[^/]+/.exec(url)?.[0] ?? url
}
