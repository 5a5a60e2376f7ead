// The HTTP server of a process: v1 calls go straight to their handler, everything else through koa (pages.ts).

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { IoError } from '../io-error.ts'
import { createPages } from './pages.ts'
import type { CallRoute, Router } from './routes.ts'

/** Idle connections of clients are kept this long. */
const KEEP_ALIVE_MS = 600_000
/** Hot URLs remembered as they are written. */
const HOT_URLS_MAX = 64

/** Makes a server that answers nothing until `serveWith`: the port must be known before there is something to serve. */
export function createIdleServer(): Server {
  // Requests may wait for a machine's answer, and event streams never end: only the headers have a time limit.
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0, noDelay: true })
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
