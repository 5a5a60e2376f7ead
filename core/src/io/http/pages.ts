// Pages through koa: methods, JSON and JSONP, gzip, texts, files.

import type { IncomingMessage, ServerResponse } from 'node:http'
import Koa, { type Context } from 'koa'
import { IoError } from '../io-error.ts'
import { answerBody, answerMethodNotAllowed, answerNotFound, answerText } from './answers.ts'
import { readBody } from './bodies.ts'
import type { PageAnswer, PageRequest, PageRoute, RouteMatch, Router } from './routes.ts'
import { answerInSlices, isSliced, jsonPieces } from './sliced-json.ts'

/** Forms and JSON of legacy pages are never longer. */
const PAGE_BODY_MAX_BYTES = 8 * 2 ** 20
const TOO_LONG = `The body is longer than ${PAGE_BODY_MAX_BYTES} bytes`

/** A JSONP callback is a name or a path of names; anything else is left out. */
const CALLBACK_NAME = /^[\w$.]+$/

/** Serves one request whose route is known already (undefined: nothing there). */
export type ServePage = (request: IncomingMessage, response: ServerResponse, match: RouteMatch | undefined) => void

/** Makes the koa application of a process. */
export function createPages(router: Router): ServePage {
  const app = new Koa()
  const matches = new WeakMap<IncomingMessage, RouteMatch>()
  app.silent = true
  app.use(async (context) => {
    const match = matches.get(context.req) ?? router.match(context.req.url ?? '/')
    if (match?.route.kind === 'page') await servePage(context, match, match.route)
    else {
      context.respond = false
      answerNotFound(context.res)
    }
  })
  const serve = app.callback()
  return (request, response, match) => {
    if (match !== undefined) matches.set(request, match)
    // koa answers its own failures; nothing is left to wait for.
    void serve(request, response)
  }
}

async function servePage(context: Context, match: RouteMatch, route: PageRoute): Promise<void> {
  context.respond = false
  const { req: request, res: response } = context
  const method = request.method ?? 'GET'
  const asked = method === 'HEAD' ? 'GET' : method
  if (route.methods !== undefined && !route.methods.includes(asked)) {
    answerMethodNotAllowed(request, response, route.methods)
    return
  }
  const query = new URLSearchParams(match.query)
  const page: PageRequest = {
    method,
    rest: match.rest,
    query,
    headers: request.headers,
    readText: () => readText(request),
    request,
    response,
  }
  try {
    send(page, await route.handle(page))
  } catch (error) {
    const failure = IoError.from(error)
    answerText(response, failure.status ?? 500, failure.message)
  }
}

function send(page: PageRequest, answer: PageAnswer): void {
  const { request, response } = page
  switch (answer.kind) {
    case 'json':
      sendJson(page, answer.value)
      return
    case 'text':
      answerText(response, answer.status, answer.text)
      return
    case 'html':
      answerBody(request, response, { status: 200, type: 'text/html', body: Buffer.from(answer.text) })
      return
    case 'redirect':
      response.setHeader('Location', answer.location)
      answerText(response, 307)
      return
    case 'bytes':
      response.writeHead(200, { ...answer.headers, 'Content-Type': answer.type, 'Content-Length': answer.sizeBytes })
      // A file that shrinks or a client that leaves breaks the connection: nothing else can be told any more.
      answer.body.once('error', () => response.destroy())
      response.once('close', () => answer.body.destroy())
      answer.body.pipe(response)
      return
    case 'handled':
      return
    default:
      answer satisfies never
  }
}

function sendJson(page: PageRequest, value: unknown): void {
  const callback = page.query.get('jsonp')
  const isJsonp = callback !== null && CALLBACK_NAME.test(callback)
  if (!isJsonp && isSliced(value)) {
    // A view that fails in the middle is our own bug; the client sees an answer that breaks off.
    answerInSlices(page.request, page.response, jsonPieces(value, textOf)).catch(() => page.response.destroy())
    return
  }
  const text = textOf(value)
  answerBody(page.request, page.response, {
    status: 200,
    type: isJsonp ? 'text/javascript' : 'application/json',
    body: Buffer.from(isJsonp ? `${callback}(${text});` : text),
  })
}

/** A function that looks at every value makes writing several times slower, and 64-bit numbers are rare. */
function textOf(value: unknown): string {
  try {
    return JSON.stringify(value)
  } catch {
    return JSON.stringify(value, withBigints)
  }
}

/** Text as it is in JSON; of ECMAScript, but not yet in the types. */
const { rawJSON } = JSON as unknown as { readonly rawJSON: (text: string) => unknown }

/** 64-bit numbers keep all their digits. */
function withBigints(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? rawJSON(value.toString()) : value
}

function readText(request: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    readBody(
      request,
      (body) => {
        if (body === 'tooLong') reject(new IoError('BAD_ANSWER', TOO_LONG, { status: 413 }))
        else if (body === 'busy') reject(new IoError('BAD_ANSWER', 'too many requests are under way', { status: 503 }))
        else if (body === 'aborted') reject(new IoError('CONNECTION_LOST', 'the client broke off', { status: 400 }))
        else resolve(body.toString('utf8'))
      },
      { maxBytes: PAGE_BODY_MAX_BYTES },
    )
  })
}
