// The HTTP server of a process: v1 calls go straight to their handler, everything else through koa (pages.ts).
//
// A client that is slow costs a connection, and that not for ever: it has so long for the headers, for the whole request, for
// reading an answer, and between two requests. Streams have bounds of their own (streams.ts); a request that waits for its
// answer waits as long as the machine lets it.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { IoError } from '../io-error.ts'
import { createPages } from './pages.ts'
import type { CallRoute, Router } from './routes.ts'

/** Idle connections of clients are kept this long. */
const KEEP_ALIVE_MS = 600_000
/** The headers of a request must have come by then. */
const HEADERS_TIMEOUT_MS = 30_000
/** The whole request must have come by then: the longest body needs half a megabyte a second. */
const REQUEST_TIMEOUT_MS = 120_000
/** A client that takes nothing of an answer for so long is cut off. */
const READING_TIMEOUT_MS = 60_000
/** How often late requests are looked for. */
const LATE_CHECK_MS = 5_000
/** Connections at most; further ones are closed at once. */
const CONNECTIONS_MAX = 200_000
/** Hot URLs remembered as they are written. */
const HOT_URLS_MAX = 64

/** The last answer of each connection. */
const answers = new WeakMap<Socket, ServerResponse>()

/** How long clients may take; absent: the constants above. */
export interface Patience {
  readonly headersMs?: number
  readonly requestMs?: number
  readonly readingMs?: number
  readonly lateCheckMs?: number
}

/** Makes a server that answers nothing until `serveWith`: the port must be known before there is something to serve. */
export function createIdleServer(patience: Patience = {}): Server {
  const server = createServer({
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: patience.headersMs ?? HEADERS_TIMEOUT_MS,
    requestTimeout: patience.requestMs ?? REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: patience.lateCheckMs ?? LATE_CHECK_MS,
    noDelay: true,
  })
  server.maxConnections = CONNECTIONS_MAX
  server.timeout = patience.readingMs ?? READING_TIMEOUT_MS
  server.on('timeout', (socket) => {
    const answer = answers.get(socket)
    const isWaiting = answer !== undefined && !answer.writableEnded && socket.writableLength === 0
    if (!isWaiting) socket.destroy()
  })
  // A request that is no HTTP, or of an unknown method, ends its connection without an answer.
  server.on('clientError', (_error, socket) => socket.destroy())
  return server
}

/** Lets a server answer from a table of routes; an earlier table is not asked any more. */
export function serveWith(server: Server, router: Router): void {
  const hot = new Map<string, CallRoute>()
  const pages = createPages(router)
  server.removeAllListeners('request')
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    answers.set(request.socket, response)
    const url = request.url ?? '/'
    const known = hot.get(url)
    if (known !== undefined) {
      known.handle(request, response)
      return
    }
    const match = router.match(url)
    if (match?.route.kind !== 'call') {
      pages(request, response, match)
      return
    }
    if (hot.size < HOT_URLS_MAX) hot.set(url, match.route)
    match.route.handle(request, response)
  })
}

/**
 * Starts to listen.
 *
 * @param port 0 takes a free one
 * @returns the port
 * Throws CANNOT_LISTEN.
 */
export function listen(server: Server, ip: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(IoError.from(error, `cannot listen on ${ip}:${port}`)))
    server.listen({ host: ip, port, backlog: 4096 }, () => resolve((server.address() as AddressInfo).port))
  })
}

/** Stops listening and breaks off all connections. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
