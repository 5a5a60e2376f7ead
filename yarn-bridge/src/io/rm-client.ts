// Speaks to a ResourceManager by REST: one look at it (`sample`), and a node's size (`setNodeResource`).
//
//   GET  /ws/v1/cluster/metrics, /info, /nodes, /apps?states=ACCEPTED,RUNNING     every sample
//   GET  /conf?name=yarn.scheduler.*                                              once for each start of the RM
//   POST /ws/v1/cluster/nodes/{id}/resource                                       the answer's body may show the old size
//
// Source: the YARN ResourceManager REST documentation; what it leaves out was measured on Hadoop 3.4.2.

import { Agent, request } from 'node:http'
import { IoError, type IoErrorCode } from '@isthmus/core/io/io-error'
import type { RmApplication, RmNode, RmRequest, RmSample, YarnResource } from '../samples.ts'

/** A page larger than this is not read to its end. */
const PAGE_BYTES_MAX = 64 * 1024 * 1024
const DEFAULT_TIMEOUT_MS = 5_000
/** An RM that sends a little now and then may take this many times the time-out for a whole page. */
const WHOLE_ANSWER_FACTOR = 6

export interface RmClientOptions {
  /** `http://host:port` of one RM, or of each when there are two; the one that answers and is active is used. */
  readonly urls: readonly string[]
  /** Longest silence of the RM within a call. */
  readonly timeoutMs?: number
  /** Goes to the RM as user.name; it decides which applications' requests are shown. */
  readonly user?: string | undefined
}

interface SchedulerLimits {
  readonly startedAtMs: number
  readonly minimum: YarnResource
  readonly maximum: YarnResource
}

type Json = Readonly<Record<string, unknown>>

/** A connection to the ResourceManager. Throws IoError from every call: UNREACHABLE, REFUSED (with its text), BAD_ANSWER. */
export class RmClient {
  readonly #options: RmClientOptions
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 8 })
  #activeUrl: string
  #limits: SchedulerLimits | undefined

  constructor(options: RmClientOptions) {
    const first = options.urls[0]
    if (first === undefined) throw new IoError('UNREACHABLE', 'no ResourceManager address is given')
    this.#options = options
    this.#activeUrl = first
  }

  /** Address of the RM that answered last. */
  get url(): string {
    return this.#activeUrl
  }

  /** Reads the pages a decision needs. */
  async sample(): Promise<RmSample> {
    // First, since a standby redirects it; it answers /info and /conf itself.
    const metricsPage = await this.#get('/ws/v1/cluster/metrics')
    const info = object((await this.#get('/ws/v1/cluster/info')).clusterInfo)
    if (info.state !== 'STARTED') throw new IoError('UNREACHABLE', `the ResourceManager is ${String(info.state)}`)
    const startedAtMs = number(info.startedOn)
    const [limits, nodesPage, appsPage] = await Promise.all([
      this.#readLimits(startedAtMs),
      this.#get('/ws/v1/cluster/nodes'),
      this.#get('/ws/v1/cluster/apps?states=ACCEPTED,RUNNING'),
    ])
    const metrics = object(metricsPage.clusterMetrics)
    return {
      startedAtMs,
      pending: { memoryMb: number(metrics.pendingMB), vcores: number(metrics.pendingVirtualCores) },
      pendingContainers: number(metrics.containersPending),
      allocated: { memoryMb: number(metrics.allocatedMB), vcores: number(metrics.allocatedVirtualCores) },
      total: { memoryMb: number(metrics.totalMB), vcores: number(metrics.totalVirtualCores) },
      minimum: limits.minimum,
      maximum: limits.maximum,
      nodes: list(object(nodesPage.nodes).node).map(toNode),
      applications: list(object(appsPage.apps).app).map(toApplication),
    }
  }

  /** Sets a node's absolute size. `overCommitTimeoutMs` is always sent: without it YARN kills at once what no longer fits. */
  async setNodeResource(nodeId: string, size: YarnResource, overCommitTimeoutMs: number): Promise<void> {
    const body = { resource: { memory: size.memoryMb, vCores: size.vcores }, overCommitTimeout: overCommitTimeoutMs }
    await this.#call('POST', `/ws/v1/cluster/nodes/${encodeURIComponent(nodeId)}/resource`, JSON.stringify(body))
  }

  close(): void {
    this.#agent.destroy()
  }

  async #readLimits(startedAtMs: number): Promise<SchedulerLimits> {
    if (this.#limits?.startedAtMs === startedAtMs) return this.#limits
    const [minimumMb, minimumVcores, maximumMb, maximumVcores] = await Promise.all([
      this.#readProperty('yarn.scheduler.minimum-allocation-mb', 1024),
      this.#readProperty('yarn.scheduler.minimum-allocation-vcores', 1),
      this.#readProperty('yarn.scheduler.maximum-allocation-mb', 8192),
      this.#readProperty('yarn.scheduler.maximum-allocation-vcores', 4),
    ])
    this.#limits = {
      startedAtMs,
      minimum: { memoryMb: minimumMb, vcores: minimumVcores },
      maximum: { memoryMb: maximumMb, vcores: maximumVcores },
    }
    return this.#limits
  }

  /** A property of the running RM; Hadoop's own default when the RM does not show it. */
  async #readProperty(name: string, fallback: number): Promise<number> {
    try {
      const page = await this.#get(`/conf?name=${encodeURIComponent(name)}`)
      const value = Number(object(page.property).value)
      return Number.isFinite(value) ? value : fallback
    } catch (reason) {
      if (IoError.from(reason).code === 'REFUSED') return fallback
      throw reason
    }
  }

  async #get(path: string): Promise<Json> {
    const text = await this.#call('GET', path)
    try {
      return object(JSON.parse(text))
    } catch (cause) {
      throw new IoError('BAD_ANSWER', `the ResourceManager's ${path} is not JSON`, { cause })
    }
  }

  /** Asks the RM used last, then the others: a standby redirects or refuses, a dead one does not answer. */
  async #call(method: 'GET' | 'POST', path: string, body?: string): Promise<string> {
    const urls = [this.#activeUrl, ...this.#options.urls.filter((url) => url !== this.#activeUrl)]
    let failure: IoError | undefined
    for (const url of urls) {
      try {
        const text = await this.#callOne(url, method, path, body)
        this.#activeUrl = url
        return text
      } catch (reason) {
        const error = IoError.from(reason)
        if (error.code === 'REFUSED') throw error
        failure = error
      }
    }
    throw failure ?? new IoError('UNREACHABLE', 'no ResourceManager answers')
  }

  #callOne(url: string, method: 'GET' | 'POST', path: string, body: string | undefined): Promise<string> {
    const timeoutMs = this.#options.timeoutMs ?? DEFAULT_TIMEOUT_MS
    const target = new URL(path, url)
    if (this.#options.user !== undefined) target.searchParams.set('user.name', this.#options.user)
    const headers: Record<string, string> = { Accept: 'application/json' }
    if (body !== undefined) headers['Content-Type'] = 'application/json'
    return new Promise((resolve, reject) => {
      const fail = (message: string, code: IoErrorCode = 'UNREACHABLE', cause?: unknown): void =>
        reject(new IoError(code, `${method} ${target.pathname} at ${target.host}: ${message}`, { cause }))
      const outgoing = request(target, { method, headers, agent: this.#agent, timeout: timeoutMs }, (response) => {
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
}

/** The message in YARN's error answers, or their beginning. */
function exceptionText(text: string): string {
  try {
    const exception = object(object(JSON.parse(text)).RemoteException)
    if (typeof exception.message === 'string') return exception.message
  } catch {
    // Not JSON: an HTML page, of which the beginning says enough.
  }
  return text.slice(0, 200)
}

function toNode(row: Json): RmNode {
  const used = { memoryMb: number(row.usedMemoryMB), vcores: number(row.usedVirtualCores) }
  const free = { memoryMb: number(row.availMemoryMB), vcores: number(row.availableVirtualCores) }
  return {
    nodeId: String(row.id),
    state: String(row.state),
    used,
    // Free is below zero on an over-committed node, and the sum is the total all the same.
    total: { memoryMb: used.memoryMb + free.memoryMb, vcores: used.vcores + free.vcores },
    containerCount: number(row.numContainers),
  }
}

function toApplication(row: Json): RmApplication {
  const master = row.masterNodeId
  return {
    applicationId: String(row.id),
    name: String(row.name ?? ''),
    queue: String(row.queue ?? ''),
    state: String(row.state),
    masterNodeId: typeof master === 'string' && master !== '' && !master.startsWith('N/A') ? master : undefined,
    requests: list(row.resourceRequests)
      .filter((request) => request.resourceName === '*')
      .map(toRequest),
  }
}

function toRequest(row: Json): RmRequest {
  const size = object(row.capability)
  return { size: { memoryMb: number(size.memory), vcores: number(size.vCores) }, count: number(row.numContainers) }
}

/** YARN writes an empty object as null or "". */
function object(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {}
}

/** YARN writes a list of one as its element, and an empty one as null or "". */
function list(value: unknown): Json[] {
  if (Array.isArray(value)) return value.map(object)
  return typeof value === 'object' && value !== null ? [value as Json] : []
}

function number(value: unknown): number {
  const parsed = Number(value ?? 0)
  return Number.isFinite(parsed) ? parsed : 0
}
