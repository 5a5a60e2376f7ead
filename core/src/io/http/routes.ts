// The one table of routes of a process, and how a URL finds its row. As in Mesos: the longest known prefix wins, so that
// /api/v1/anything reaches /api/v1; empty segments and trailing slashes do not count; %28 is a parenthesis; the process's own
// id (`master`, `slave(1)`) may stand in front. As an extra for old clients, a page is also found with .json after its name.

import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'

/** What a page is asked. */
export interface PageRequest {
  readonly method: string
  /** Segments after the route's own path. */
  readonly rest: readonly string[]
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  /** Reads the body as text; IoError when it is too long or broken off. */
  readonly readText: () => Promise<string>
  /** The raw pair, for pages that answer by themselves (`kind: 'handled'`). */
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/** What a page answers. */
export type PageAnswer =
  /** 200 with JSON, or with JSONP when the query asks for it. */
  | { readonly kind: 'json'; readonly value: unknown }
  /** A status with a plain text; no text: an empty body. */
  | { readonly kind: 'text'; readonly status: number; readonly text?: string }
  | { readonly kind: 'html'; readonly text: string }
  | { readonly kind: 'redirect'; readonly location: string }
  | {
      readonly kind: 'bytes'
      readonly type: string
      readonly body: Readable
      readonly sizeBytes: number
      readonly headers?: Readonly<Record<string, string>>
    }
  /** The page took the raw response and answers on it, now or later. */
  | { readonly kind: 'handled' }

interface RouteFacts {
  /** Without the process id: `/api/v1/scheduler`, `/state`. */
  readonly path: string
  /** One line for /help and the docs. */
  readonly meaning: string
  /** True: deeper paths are not found. */
  readonly isExact?: boolean
  /** True: a master that does not lead redirects to the one that does. */
  readonly isForLeader?: boolean
}

/** A v1 call: served on node:http directly. Checks its method itself, after the leader. */
export interface CallRoute extends RouteFacts {
  readonly kind: 'call'
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void
}

/** Everything else: served by koa. */
export interface PageRoute extends RouteFacts {
  readonly kind: 'page'
  /** Allowed methods; absent: any, as for Mesos's read-only pages. */
  readonly methods?: readonly string[]
  readonly handle: (request: PageRequest) => PageAnswer | Promise<PageAnswer>
}

export type Route = CallRoute | PageRoute

/** A route with what the URL said beyond its path. */
export interface RouteMatch {
  readonly route: Route
  readonly rest: readonly string[]
  readonly query: string
}

/** Finds routes. O(segments) a look-up. */
export class Router {
  readonly routes: readonly Route[]
  readonly #byPath = new Map<string, Route>()
  readonly #processId: string

  constructor(processId: string, routes: readonly Route[]) {
    this.routes = routes
    this.#processId = processId
    for (const route of routes) this.#byPath.set(route.path.slice(1), route)
  }

  /** The route of a URL as it came in the request line, or undefined. */
  match(url: string): RouteMatch | undefined {
    const mark = url.indexOf('?')
    const path = mark === -1 ? url : url.slice(0, mark)
    const query = mark === -1 ? '' : url.slice(mark + 1)
    const segments = path
      .split('/')
      .filter((segment) => segment !== '')
      .map(decode)
    if (segments[0] === this.#processId) segments.shift()
    const found = this.#longestPrefix(segments) ?? this.#longestPrefix(withoutJson(segments))
    return found === undefined ? undefined : { ...found, query }
  }

  #longestPrefix(segments: readonly string[]): { route: Route; rest: readonly string[] } | undefined {
    for (let length = segments.length; length > 0; length -= 1) {
      const route = this.#byPath.get(segments.slice(0, length).join('/'))
      if (route === undefined) continue
      if (route.isExact === true && length < segments.length) return undefined
      return { route, rest: segments.slice(length) }
    }
    return undefined
  }
}

function withoutJson(segments: readonly string[]): readonly string[] {
  const last = segments.at(-1)
  return last?.endsWith('.json') === true ? [...segments.slice(0, -1), last.slice(0, -'.json'.length)] : []
}

function decode(segment: string): string {
  if (!segment.includes('%')) return segment
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
