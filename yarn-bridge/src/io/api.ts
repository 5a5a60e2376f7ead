// The bridge's REST API: Apache Myriad's paths, bodies and codes for scripts that know it, and our own under /v1.
//
//   PUT  /api/cluster/flexup, flexdown      {"profile": "small", "instances": 2, "constraints": ["hostname LIKE a.*"]}
//                                           202; 400 for a wrong profile, count or constraint
//   GET  /api/config, /api/state            what Myriad shows
//   POST /api/framework/shutdown/framework  ends the framework and its NodeManagers
//   GET  /v1/nodes, /v1/pools, /v1/demand, /v1/decisions?since=MS, /v1/explain, /v1/totals
//   PUT  /v1/mode                           {"mode": "auto" | "manual"}
//   GET  /health, /metrics

import type { Server } from 'node:http'
import type { Rejection } from '@isthmus/core/base/result'
import { IoError } from '@isthmus/core/io/io-error'
import Koa from 'koa'
import type { BridgeEvent } from '../events.ts'
import { totalsOf } from '../history.ts'
import type { BridgeState } from '../state.ts'
import {
  configPage,
  decisionsPage,
  demandPage,
  explainPage,
  metricsPage,
  myriadStatePage,
  nodesPage,
  poolsPage,
} from '../views.ts'

/** A body larger than this is refused. */
const BODY_BYTES_MAX = 1_048_576

/** A request to the machine that is answered by an effect. */
export type Question = Extract<BridgeEvent, { requestId: string | undefined }>

export interface ApiOptions {
  readonly ip: string
  readonly port: number
  /** The machine's state, read only. */
  readonly state: BridgeState
  readonly now: () => number
  /** Puts the question to the machine; resolves with its rejection, or nothing when it agreed. */
  readonly ask: (question: WithoutId<Question>) => Promise<Rejection | undefined>
}

type WithoutId<T> = T extends unknown ? Omit<T, 'requestId' | 'atMs'> : never

type Handler = (context: Koa.Context, options: ApiOptions) => Promise<void> | void

const ROUTES: Readonly<Record<string, Handler>> = {
  'PUT /api/cluster/flexup': (context, options) => flex(context, options, 1),
  'PUT /api/cluster/flexdown': (context, options) => flex(context, options, -1),
  'PUT /api/cluster/flexupservice': (context) => notOffered(context),
  'PUT /api/cluster/flexdownservice': (context) => notOffered(context),
  'GET /api/config': (context, { state }) => answer(context, configPage(state)),
  'GET /api/state': (context, { state }) => answer(context, myriadStatePage(state)),
  'POST /api/framework/shutdown/framework': shutDown,
  'GET /v1/nodes': (context, { state, now }) => answer(context, nodesPage(state, now())),
  'GET /v1/pools': (context, { state }) => answer(context, poolsPage(state)),
  'GET /v1/demand': (context, { state, now }) => answer(context, demandPage(state, now())),
  'GET /v1/decisions': decisions,
  'GET /v1/explain': (context, { state, now }) => answer(context, explainPage(state, now())),
  'GET /v1/totals': (context, { state }) => answer(context, totalsOf(state)),
  'PUT /v1/mode': setMode,
  'GET /health': health,
  'GET /metrics': (context, { state, now }) => {
    context.type = 'text/plain; version=0.0.4'
    context.body = metricsPage(state, now())
  },
}

/** Serves the API; resolves when it listens. Throws IoError CANNOT_LISTEN. */
export function serveApi(options: ApiOptions): Promise<Server> {
  const app = new Koa()
  app.use(async (context) => {
    const path = context.path.length > 1 ? context.path.replace(/\/+$/, '') : context.path
    const handler = ROUTES[`${context.method} ${path}`]
    if (handler !== undefined) return handler(context, options)
    const methods = Object.keys(ROUTES)
      .filter((route) => route.endsWith(` ${path}`))
      .map((route) => route.split(' ')[0])
    if (methods.length === 0) return refuse(context, 404, `there is no ${path}`)
    context.set('Allow', methods.join(', '))
    return refuse(context, 405, `${path} takes ${methods.join(', ')}`)
  })
  app.on('error', () => {
    // A client that went away while it was answered; nobody is left to tell.
  })
  return new Promise((resolve, reject) => {
    const server = app.listen(options.port, options.ip)
    server.once('listening', () => resolve(server))
    server.once('error', (error) =>
      reject(IoError.from(error, `the API cannot listen on ${options.ip}:${options.port}`)),
    )
  })
}

async function flex(context: Koa.Context, options: ApiOptions, sign: 1 | -1): Promise<void> {
  const body = await readJson(context)
  if (body === undefined) return
  const { profile, instances, constraints } = body
  if (typeof profile !== 'string' || profile === '') return refuse(context, 400, "'profile' has to name a profile")
  if (typeof instances !== 'number' || !Number.isInteger(instances) || instances < 1) {
    return refuse(context, 400, `'instances' has to be a whole number from 1, not ${JSON.stringify(instances)}`)
  }
  const wanted: unknown[] = Array.isArray(constraints) ? constraints : constraints === undefined ? [] : [constraints]
  const [constraint] = wanted
  if (wanted.length > 1 || (constraint !== undefined && typeof constraint !== 'string')) {
    return refuse(
      context,
      400,
      '\'constraints\' has to be a list of at most one text, for example ["hostname LIKE a.*"]',
    )
  }
  const delta = sign * instances
  const rejection = await options.ask({ kind: 'flexRequested', profile, delta, ...(constraint && { constraint }) })
  if (rejection !== undefined) return refuse(context, 400, rejection.message)
  context.status = 202
  context.type = 'text/plain'
  context.body = `${instances} × ${profile} will be ${sign > 0 ? 'added' : 'removed'}`
}

async function setMode(context: Koa.Context, options: ApiOptions): Promise<void> {
  const body = await readJson(context)
  if (body === undefined) return
  if (body.mode !== 'auto' && body.mode !== 'manual') return refuse(context, 400, "'mode' is auto or manual")
  await options.ask({ kind: 'modeRequested', mode: body.mode })
  answer(context, { mode: body.mode })
}

async function shutDown(context: Koa.Context, options: ApiOptions): Promise<void> {
  await options.ask({ kind: 'shutdownRequested' })
  context.type = 'text/plain'
  context.body = 'the framework ends, and its NodeManagers with it'
}

function decisions(context: Koa.Context, { state }: ApiOptions): void {
  const since = Number(context.query.since ?? 0)
  if (!Number.isFinite(since)) return refuse(context, 400, "'since' wants milliseconds since the epoch")
  answer(context, decisionsPage(state, since))
}

function health(context: Koa.Context, { state }: ApiOptions): void {
  const problems = [
    ...(state.framework.phase === 'subscribed' ? [] : ['not subscribed to the master']),
    ...(state.rmFailure === undefined ? [] : [state.rmFailure]),
  ]
  context.status = problems.length === 0 ? 200 : 503
  context.body = { healthy: problems.length === 0, problems }
}

function notOffered(context: Koa.Context): void {
  refuse(context, 501, 'services are run as tasks of their own: use isthmus run')
}

/** Reads a JSON object; answers and returns undefined when there is none. */
async function readJson(context: Koa.Context): Promise<Readonly<Record<string, unknown>> | undefined> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of context.req as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length
    if (sizeBytes > BODY_BYTES_MAX) {
      refuse(context, 413, `the body is over ${BODY_BYTES_MAX} bytes`)
      return undefined
    }
    chunks.push(chunk)
  }
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'))
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {
    // Told below, like JSON that is no object.
  }
  refuse(context, 400, 'the body has to be a JSON object')
  return undefined
}

function answer(context: Koa.Context, body: unknown): void {
  context.type = 'application/json'
  context.body = JSON.stringify(body)
}

function refuse(context: Koa.Context, status: number, text: string): void {
  context.status = status
  context.type = 'text/plain'
  context.body = text
}
