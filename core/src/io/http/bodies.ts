import type { IncomingMessage } from 'node:http'

/** A request with a longer body is answered 413. */
export const BODY_MAX_BYTES = 64 * 2 ** 20

/** Why a body was not read. */
export type BodyProblem = 'tooLong' | 'aborted'

const EMPTY = Buffer.alloc(0)

/**
 * Reads a whole request body. `done` is called once, at once when the request has no body.
 * A callback, not a promise: this is on the path of every call.
 */
export function readBody(
  request: IncomingMessage,
  done: (body: Buffer | BodyProblem) => void,
  maxBytes: number = BODY_MAX_BYTES,
): void {
  const { 'content-length': length, 'transfer-encoding': transfer } = request.headers
  if (transfer === undefined && (length === undefined || length === '0')) {
    request.resume()
    done(EMPTY)
    return
  }
  if (length !== undefined && Number(length) > maxBytes) {
    done('tooLong')
    return
  }
  const chunks: Buffer[] = []
  let size = 0
  let settled = false
  const settle = (result: Buffer | BodyProblem): void => {
    if (settled) return
    settled = true
    done(result)
  }
  request.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size > maxBytes) settle('tooLong')
    else if (!settled) chunks.push(chunk)
  })
  request.on('end', () => settle(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)))
  request.on('close', () => settle('aborted'))
  request.on('error', () => settle('aborted'))
}
