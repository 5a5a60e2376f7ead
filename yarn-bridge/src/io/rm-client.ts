// Speaks to a ResourceManager, or to the active one of a pair, by REST: one look at it (`sample`), and a node's size
// (`setNodeResource`).
//
//   GET  /ws/v1/cluster/info, /metrics, /nodes, /apps?states=ACCEPTED,RUNNING     every sample, all of one RM
//   GET  /conf?name=yarn.scheduler.*                                              once for each activation of an RM
//   POST /ws/v1/cluster/nodes/{id}/resource                                       the answer's body may show the old size
//
// Which one of a pair: the one used last as long as it is active; else all are asked, and of those that say ACTIVE the one that
// became so last is used. /info and /conf are answered by a standby too, everything else it redirects (307), with a Location
// that names another host or none. One that was stopped for a while goes on saying ACTIVE for seconds, with pages from before,
// until it learns that the other has taken over; it says that it has lost ZooKeeper meanwhile, and so all are asked. That alone
// proves nothing: an active one may say so for ever (a race in its elector).
//
// Source: the YARN ResourceManager REST documentation; what it leaves out was measured on Hadoop 3.4.2.

import { Agent } from 'node:http'
import { IoError } from '@isthmus/core/io/io-error'
import type { RmApplication, RmNode, RmRequest, RmSample, YarnResource } from '../samples.ts'
import { callRm, type RmCall } from './rm-http.ts'

const DEFAULT_TIMEOUT_MS = 5_000
/** The others of a pair are given this long to say whether they are active. */
const PROBE_TIMEOUT_MS = 2_000
/** What an active RM says of ZooKeeper when another may have been elected meanwhile, or not. */
const ZOOKEEPER_LOST: ReadonlySet<unknown> = new Set(['DISCONNECTED', 'TERMINATED', 'INIT'])

export interface RmClientOptions {
  /** `http://host:port` of one RM, or of each of a pair. */
  readonly urls: readonly string[]
  /** Longest silence of the RM within a call. */
  readonly timeoutMs?: number
  /** Goes to the RM as user.name; it decides which applications' requests are shown. */
  readonly user?: string | undefined
}

interface SchedulerLimits {
  readonly url: string
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

  /** Reads the pages a decision needs, all of one RM. */
  async sample(): Promise<RmSample> {
    try {
      const { sinceMs, isSure } = await this.#activity(this.#activeUrl, this.#timeoutMs)
      if (isSure || this.#options.urls.length === 1) return await this.#sampleOf(this.#activeUrl, sinceMs)
      return await this.#sampleOfNewest('')
    } catch (reason) {
      const failure = IoError.from(reason)
      if (this.#options.urls.length === 1 || failure.code === 'REFUSED') throw failure
      return await this.#sampleOfNewest(failure.message)
    }
  }

  /** Asks all of them and looks at the one that became active last. */
  async #sampleOfNewest(why: string): Promise<RmSample> {
    const timeoutMs = Math.min(PROBE_TIMEOUT_MS, this.#timeoutMs)
    const answers = await Promise.allSettled(
      this.#options.urls.map(async (url) => ({ url, ...(await this.#activity(url, timeoutMs)) })),
    )
    const active = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
    const newest = active.sort((a, b) => b.sinceMs - a.sinceMs)[0]
    if (newest === undefined) throw new IoError('UNREACHABLE', `no ResourceManager is active: ${why}`)
    const sample = await this.#sampleOf(newest.url, newest.sinceMs)
    this.#activeUrl = newest.url
    return sample
  }

  async #sampleOf(url: string, startedAtMs: number): Promise<RmSample> {
    const [limits, metricsPage, nodesPage, appsPage] = await Promise.all([
      this.#readLimits(url, startedAtMs),
      this.#get(url, '/ws/v1/cluster/metrics'),
      this.#get(url, '/ws/v1/cluster/nodes'),
      this.#get(url, '/ws/v1/cluster/apps?states=ACCEPTED,RUNNING'),
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

  /** Since when an RM is active, by its own clock, and whether it can be sure of that. Throws UNREACHABLE when it is not. */
  async #activity(url: string, timeoutMs: number): Promise<{ readonly sinceMs: number; readonly isSure: boolean }> {
    const info = object((await this.#get(url, '/ws/v1/cluster/info', timeoutMs)).clusterInfo)
    const { state, haState = 'ACTIVE', haZooKeeperConnectionState: zooKeeper } = info
    if (state !== 'STARTED' || haState !== 'ACTIVE') {
      throw new IoError('UNREACHABLE', `the ResourceManager is ${String(state === 'STARTED' ? haState : state)}`)
    }
    return { sinceMs: number(info.startedOn), isSure: !ZOOKEEPER_LOST.has(zooKeeper) }
  }

  /** Sets a node's absolute size at the RM that was sampled last. `overCommitTimeoutMs` is always sent: without it YARN kills at once what no longer fits. */
  async setNodeResource(nodeId: string, size: YarnResource, overCommitTimeoutMs: number): Promise<void> {
    const body = { resource: { memory: size.memoryMb, vCores: size.vcores }, overCommitTimeout: overCommitTimeoutMs }
    const path = `/ws/v1/cluster/nodes/${encodeURIComponent(nodeId)}/resource`
    await this.#call({ url: this.#activeUrl, method: 'POST', path, body: JSON.stringify(body) })
  }

  close(): void {
    this.#agent.destroy()
  }

  get #timeoutMs(): number {
    return this.#options.timeoutMs ?? DEFAULT_TIMEOUT_MS
  }

  async #readLimits(url: string, startedAtMs: number): Promise<SchedulerLimits> {
    if (this.#limits?.startedAtMs === startedAtMs && this.#limits.url === url) return this.#limits
    const [minimumMb, minimumVcores, maximumMb, maximumVcores] = await Promise.all([
      this.#readProperty(url, 'yarn.scheduler.minimum-allocation-mb', 1024),
      this.#readProperty(url, 'yarn.scheduler.minimum-allocation-vcores', 1),
      this.#readProperty(url, 'yarn.scheduler.maximum-allocation-mb', 8192),
      this.#readProperty(url, 'yarn.scheduler.maximum-allocation-vcores', 4),
    ])
    this.#limits = {
      url,
      startedAtMs,
      minimum: { memoryMb: minimumMb, vcores: minimumVcores },
      maximum: { memoryMb: maximumMb, vcores: maximumVcores },
    }
    return this.#limits
  }

  /** A property of the running RM; Hadoop's own default when the RM does not show it. */
  async #readProperty(url: string, name: string, fallback: number): Promise<number> {
    try {
      const page = await this.#get(url, `/conf?name=${encodeURIComponent(name)}`)
      const value = Number(object(page.property).value)
      return Number.isFinite(value) ? value : fallback
    } catch (reason) {
      if (IoError.from(reason).code === 'REFUSED') return fallback
      throw reason
    }
  }

  async #get(url: string, path: string, timeoutMs = this.#timeoutMs): Promise<Json> {
    const text = await this.#call({ url, method: 'GET', path, timeoutMs })
    try {
      return object(JSON.parse(text))
    } catch (cause) {
      throw new IoError('BAD_ANSWER', `the ResourceManager's ${path} is not JSON`, { cause })
    }
  }

  #call(call: Omit<RmCall, 'agent' | 'user' | 'timeoutMs'> & { readonly timeoutMs?: number }): Promise<string> {
    return callRm({ timeoutMs: this.#timeoutMs, ...call, agent: this.#agent, user: this.#options.user })
  }
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
