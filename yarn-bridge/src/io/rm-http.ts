// One HTTP exchange with one ResourceManager, bounded in time and size; what its answers mean stands in rm-client.ts.

import { type Agent, request } from 'node:http'
import { IoError, type IoErrorCode } from '@isthmus/core/io/io-error'

/** A page larger than this is not read to its end. */
const PAGE_BYTES_MAX = 64 * 1024 * 1024
/** An RM that sends a little now and then may take this many times the time-out for a whole page. */
const WHOLE_ANSWER_FACTOR = 6

/** What is asked of which RM. */
export interface RmCall {
  readonly agent: Agent
  /** `http://host:port`. */
  readonly url: string
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly body?: string | undefined
  /** Longest silence. */
  readonly timeoutMs: number
  readonly user: string | undefined
}

/**
 * Asks and returns the body of a good answer.
 *
 * Throws IoError: UNREACHABLE when it does not answer, redirects (a standby does) or failed itself, REFUSED with its text when it
 * does not take the call.
 */
export function callRm(call: RmCall): Promise<string> {
  const { agent, method, body, timeoutMs } = call
  const target = new URL(call.path, call.url)
  if (call.user !== undefined) target.searchParams.set('user.name', call.user)
  const headers: Record<string, string> = { Accept: 'application/json' }
  if (body !== undefined) headers['Content-Type'] = 'application/json'
  return new Promise((resolve, reject) => {
    const fail = (message: string, code: IoErrorCode = 'UNREACHABLE', cause?: unknown): void =>
      reject(new IoError(code, `${method} ${target.pathname} at ${target.host}: ${message}`, { cause }))
    const outgoing = request(target, { method, headers, agent, timeout: timeoutMs }, (response) => {
      const chunks: Buffer[] = []
      let sizeBytes = 0
      response.on('data', (chunk: Buffer) => {
        sizeBytes += chunk.length
        if (sizeBytes > PAGE_BYTES_MAX) outgoing.destroy(new Error(`its page is over ${PAGE_BYTES_MAX} bytes`))
        else chunks.push(chunk)
      })
      response.on('error', (error) => fail(error.message, 'UNREACHABLE', error))
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8')
        const status = response.statusCode ?? 0
        if (status >= 200 && status < 300) resolve(text)
        else if (status >= 300 && status < 400) fail(`it is not active (${status} to ${response.headers.location})`)
        else if (status >= 500) fail(`${status} ${exceptionText(text)}`)
        else fail(`${status} ${exceptionText(text)}`, 'REFUSED')
      })
    })
    const deadline = setTimeout(
      () => outgoing.destroy(new Error(`no whole answer within ${timeoutMs * WHOLE_ANSWER_FACTOR} ms`)),
      timeoutMs * WHOLE_ANSWER_FACTOR,
    )
    outgoing.on('close', () => clearTimeout(deadline))
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${timeoutMs} ms`)))
    outgoing.on('error', (error) => fail(error.message, 'UNREACHABLE', error))
    outgoing.end(body)
  })
}

/** The message in YARN's error answers, or their beginning. */
function exceptionText(text: string): string {
  try {
    const { RemoteException: exception } = JSON.parse(text) as { RemoteException?: { message?: unknown } }
    if (typeof exception?.message === 'string') return exception.message
  } catch {
    // Not JSON: an HTML page, of which the beginning says enough.
  }
  return text.slice(0, 200)
}
