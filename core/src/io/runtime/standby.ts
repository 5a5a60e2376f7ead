// What a master serves while it does not lead: redirects to the leader, and the pages about its own process.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { VersionInfo } from '@isthmus/proto/gen/mesos'
import type { VirtualFiles } from '../disk/virtual-files.ts'
import { answerText } from '../http/answers.ts'
import type { Gate } from '../http/calls.ts'
import { commonRoutes } from '../http/common-pages.ts'
import { fileRoutes } from '../http/file-pages.ts'
import type { LoggingToggle } from '../http/logging.ts'
import { masterRoutes } from '../http/master-routes.ts'
import { type Route, Router } from '../http/routes.ts'
import { systemMetrics } from '../observe/system-metrics.ts'
import { clock } from './clock.ts'

/** What a standby shows. */
export interface StandbyOptions {
  /** `host:port` of the leader; undefined while there is none. */
  readonly leader: () => string | undefined
  readonly flags: () => Readonly<Record<string, string>>
  readonly version: () => VersionInfo
  readonly logging: LoggingToggle
  readonly files: VirtualFiles
  readonly startAtMs: number
}

/** The router of a master that waits. */
export function standbyRouter(options: StandbyOptions): Router {
  const { leader, flags, version, logging, files } = options
  const gate = (request: IncomingMessage): Gate => {
    const at = leader()
    if (at === undefined) return { status: 503, text: 'No leader elected' }
    return { status: 307, text: '', location: `//${at}${request.url ?? '/'}` }
  }
  const redirect = (request: IncomingMessage, response: ServerResponse): void => {
    const { status, text, location } = gate(request)
    if (location !== undefined) response.setHeader('Location', location)
    answerText(response, status, text)
  }
  const neverAsked = (): undefined => undefined
  const routes: Route[] = []
  routes.push(
    ...masterRoutes({
      scheduler: redirect,
      operator: redirect,
      agentLink: redirect,
      gate,
      leader,
      submit: neverAsked,
      views: new Proxy({} as Parameters<typeof masterRoutes>[0]['views'], { get: () => neverAsked }),
    }),
    ...commonRoutes({
      flags,
      version,
      logging,
      routes: () => routes,
      metrics: () => ({
        'master/elected': 0,
        'master/uptime_secs': Math.max(0, (clock.now() - options.startAtMs) / 1000),
        ...systemMetrics(),
      }),
    }),
    ...fileRoutes(files),
  )
  return new Router('master', routes)
}
