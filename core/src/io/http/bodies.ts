import type { IncomingMessage, ServerResponse } from 'node:http'
import { answerText } from './answers.ts'
import { answerBusy } from './busy.ts'

/** A request with a longer body is answered 413. */
export const BODY_MAX_BYTES = 64 * 2 ** 20
/** Bytes of bodies that have not come to their end, of all requests of the process; a request beyond is answered 503. */
export const BODIES_MAX_BYTES = 512 * 2 ** 20

/** Why a body was not read. */
export type BodyProblem = 'tooLong' | 'busy' | 'aborted'

const EMPTY = Buffer.alloc(0)

let heldBytes = 0

/** Bytes of bodies that have not come to their end. */
export function heldBodyBytes(): number {
  return heldBytes
}

/**
 * Reads a whole request body. `done` is called once, at once when the request has no body.
 * A callback, not a promise: this is on the path of every call.
 *
 * @param limits maxBytes for this body, allMaxBytes for all that are under way in the process
 */
export function readBody(
  request: IncomingMessage,
  done: (body: Buffer | BodyProblem) => void,
  {
    maxBytes = BODY_MAX_BYTES,
    allMaxBytes = BODIES_MAX_BYTES,
  }: { readonly maxBytes?: number; readonly allMaxBytes?: number } = {},
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
  let chunks: Buffer[] = []
  let size = 0
  let settled = false
  const settle = (result: Buffer | BodyProblem): void => {
    if (settled) return
    settled = true
    heldBytes -= size
    chunks = []
    done(result)
  }
  request.on('data', (chunk: Buffer) => {
    if (settled) return
    size += chunk.length
    heldBytes += chunk.length
    if (size > maxBytes) settle('tooLong')
    else if (heldBytes > allMaxBytes) settle('busy')
    else chunks.push(chunk)
  })
  request.on('end', () => settle(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)))
  request.on('close', () => settle('aborted'))
  request.on('error', () => settle('aborted'))
}

/** Answers a request whose body was not read, and ends its connection: what else comes of the body is not wanted. */
export function answerUnread(response: ServerResponse, problem: BodyProblem, maxBytes = BODY_MAX_BYTES): void {
  if (problem === 'aborted') return
  response.setHeader('Connection', 'close')
  if (problem === 'busy') answerBusy(response, `more than ${BODIES_MAX_BYTES} bytes of other requests are under way`)
  else answerText(response, 413, `The body is longer than ${maxBytes} bytes`)
}
