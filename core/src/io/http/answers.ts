import type { IncomingMessage, ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import { wantsGzip } from './negotiate.ts'

/** Content type of every plain text answer. */
export const TEXT_TYPE = 'text/plain; charset=utf-8'

const NOT_FOUND = '404 Not Found.'

/** Answers with a plain text; without a text the body is empty and has no type. */
export function answerText(response: ServerResponse, status: number, text?: string): void {
  if (response.writableEnded) return
  if (text === undefined || text === '') {
    response.writeHead(status, { 'Content-Length': 0 })
    response.end()
    return
  }
  const body = Buffer.from(text)
  response.writeHead(status, { 'Content-Type': TEXT_TYPE, 'Content-Length': body.length })
  response.end(body)
}

/** Answers that nothing is there. */
export function answerNotFound(response: ServerResponse): void {
  answerText(response, 404, NOT_FOUND)
}

/** Answers that only these methods are allowed. */
export function answerMethodNotAllowed(
  request: IncomingMessage,
  response: ServerResponse,
  allowed: readonly string[],
): void {
  response.setHeader('Allow', allowed.join(', '))
  const expected = allowed.map((method) => `'${method}'`).join(', ')
  answerText(
    response,
    405,
    `405 Method Not Allowed. Expecting one of { ${expected} }, but received '${request.method ?? ''}'.`,
  )
}

/** Answers with a body, compressed when the client takes it and it is worth it. */
export function answerBody(
  request: IncomingMessage,
  response: ServerResponse,
  answer: { readonly status: number; readonly type: string; readonly body: Uint8Array },
): void {
  if (response.writableEnded) return
  response.setHeader('Content-Type', answer.type)
  let body = answer.body
  if (wantsGzip(request.headers['accept-encoding'], body.length)) {
    body = gzipSync(body, { level: 1 })
    response.setHeader('Content-Encoding', 'gzip')
  }
  response.writeHead(answer.status, { 'Content-Length': body.length })
  response.end(body)
}
