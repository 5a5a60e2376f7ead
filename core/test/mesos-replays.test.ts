// Requests that were made to a Mesos 1.11.0 master and agent, with its answers and events, made again to real processes here. What differs each
// time has a symbol in the file: <framework-1> is bound to the first value met and must stay the same, <time> and the like may be anything.

import { readFileSync } from 'node:fs'
import type { FrameworkInfo } from '@isthmus/proto/gen/mesos'
import type { Event } from '@isthmus/proto/gen/scheduler'
import test from 'ava'
import { type Endpoint, sendTo } from '../src/io/http/client.ts'
import { type Cluster, localCluster } from './cluster.ts'
import { PlainScheduler } from './plain-scheduler.ts'
import { until } from './programs.ts'

interface Step {
  readonly request?: {
    readonly to: 'master' | 'agent'
    readonly method: string
    readonly path: string
    readonly json?: { readonly type: string; readonly subscribe?: { readonly framework_info: FrameworkInfo } }
  }
  readonly status?: number
  /** The content type of the answer; absent: there is no body. */
  readonly type?: string
  /** Without it the body is not compared. A list stands for the one list of the answer. */
  readonly body?: unknown
  /** What the stream of the scheduler brings next, offers left out unless they are expected. */
  readonly events?: readonly Event[]
}

const CASES = JSON.parse(readFileSync(new URL('./testdata/mesos-replays.json', import.meta.url), 'utf8')) as readonly {
  readonly case: string
  readonly steps: readonly Step[]
}[]

const FLAGS = ['--resources=cpus:4;mem:4096;disk:20000;ports:[31000-31500]', '--attributes=rack:r1;zone:3;span:[1-5]']
const ANYTHING = new Set(['<time>', '<number>', '<present>', '<build>', '<uuid-bytes>'])
const SYMBOL = /<[a-z-]+(?:-\d+)?>/g

/** Compares with what Mesos said; binds symbols. */
class Comparison {
  readonly bound = new Map<string, unknown>()
  readonly differences: string[] = []

  compare(expected: unknown, actual: unknown, path: string): void {
    if (typeof expected === 'string') this.#text(expected, actual, path)
    else if (Array.isArray(expected)) this.#list(expected, Array.isArray(actual) ? actual : theList(actual), path)
    else if (typeof expected === 'object' && expected !== null) this.#object(expected, actual, path)
    else this.#same(expected, actual, path)
  }

  /** A text with the values of its symbols. */
  concrete(text: string): string {
    return text.replaceAll(SYMBOL, (symbol) => String(this.bound.get(symbol) ?? symbol))
  }

  #same(expected: unknown, actual: unknown, path: string): void {
    if (expected !== actual)
      this.differences.push(`${path}: ${JSON.stringify(expected)}, here ${JSON.stringify(actual)}`)
  }

  #text(expected: string, actual: unknown, path: string): void {
    if (ANYTHING.has(expected)) {
      if (actual === undefined) this.differences.push(`${path}: ${expected} is missing here`)
    } else if (expected.match(SYMBOL)?.[0] === expected && !this.bound.has(expected)) this.bound.set(expected, actual)
    else this.#same(this.concrete(expected), typeof actual === 'number' ? String(actual) : actual, path)
  }

  #list(expected: readonly unknown[], actual: readonly unknown[], path: string): void {
    if (expected.length !== actual.length) this.#same(expected.length, actual.length, `${path}.length`)
    // Resources come in the order of a hash table.
    const [left, right] = [byName(expected), byName(actual)]
    for (const [at, item] of left.entries()) if (at < right.length) this.compare(item, right[at], `${path}[${at}]`)
  }

  #object(expected: object, actual: unknown, path: string): void {
    const here = (typeof actual === 'object' && actual !== null ? actual : {}) as Record<string, unknown>
    for (const [field, value] of Object.entries(expected)) this.compare(value, here[field], `${path}.${field}`)
    for (const field of Object.keys(here)) {
      if (!Object.hasOwn(expected, field)) this.differences.push(`${path}.${field}: only here`)
    }
  }
}

function byName(list: readonly unknown[]): unknown[] {
  const name = (item: unknown) => String((item as { name?: unknown } | null)?.name ?? '')
  return [...list].sort((one, other) => (name(one) < name(other) ? -1 : name(one) > name(other) ? 1 : 0))
}

/** The first list with anything in it, wherever it lies. */
function theList(value: unknown): readonly unknown[] {
  if (typeof value !== 'object' || value === null) return []
  const parts = Object.values(value)
  const own = parts.find((part) => Array.isArray(part) && part.length > 0)
  if (own !== undefined) return own as unknown[]
  return parts.map((part) => (Array.isArray(part) ? [] : theList(part))).find(({ length }) => length > 0) ?? []
}

class Replay {
  readonly comparison = new Comparison()
  readonly #cluster: Cluster
  #scheduler: PlainScheduler | undefined
  #heard = 0

  constructor(cluster: Cluster) {
    this.#cluster = cluster
    const { master, agents } = cluster
    for (const [symbol, value] of [
      ['<master>', `${master.host}:${master.port}`],
      ['<master-port>', String(master.port)],
      ['<agent>', `${agents[0]!.host}:${agents[0]!.port}`],
      ['<agent-port>', String(agents[0]!.port)],
    ] as const) {
      this.comparison.bound.set(symbol, value)
    }
  }

  async play(step: Step): Promise<void> {
    if (step.events !== undefined) await this.#listen(step.events)
    else if (step.request?.json?.subscribe !== undefined) {
      this.#scheduler = new PlainScheduler(this.#cluster.master)
      this.#scheduler.subscribe(step.request.json.subscribe.framework_info)
    } else await this.#ask(step)
  }

  async #listen(expected: readonly Event[]): Promise<void> {
    const wantsOffers = expected.some(({ type }) => type === 'OFFERS')
    const news = (): Event[] =>
      this.#scheduler!.events.slice(this.#heard).filter(
        ({ type }) => type !== 'HEARTBEAT' && (wantsOffers || type !== 'OFFERS'),
      )
    await until(`${expected.length} events`, () => news().length >= expected.length)
    const heard = news().slice(0, expected.length)
    this.comparison.compare(expected, heard, 'events')
    this.#heard = this.#scheduler!.events.indexOf(heard.at(-1)!) + 1
  }

  async #ask({ request, status, type, body }: Step): Promise<void> {
    const { to, method, path, json } = request!
    const call = json && (JSON.parse(this.comparison.concrete(JSON.stringify(json))) as never)
    if (path === '/api/v1/scheduler') {
      this.comparison.compare(status, await this.#scheduler!.call(call as never), `${json?.type}.status`)
      return
    }
    const endpoint: Endpoint = to === 'master' ? this.#cluster.master : this.#cluster.agents[0]!
    const name = json?.type ?? path
    const headers: Record<string, string> = json === undefined ? {} : { 'Content-Type': 'application/json' }
    const answer = await sendTo(endpoint, { method, path, headers, ...(json && { body: JSON.stringify(call) }) })
    this.comparison.compare(status, answer.status, `${name}.status`)
    this.comparison.compare(type, answer.headers['content-type'], `${name}.type`)
    if (body !== undefined) this.comparison.compare(body, JSON.parse(answer.body.toString()), name)
  }
}

for (const { case: name, steps } of CASES) {
  test(`the same requests bring the same answers and events as in Mesos: ${name}`, async (t) => {
    const replay = new Replay(await localCluster(t, FLAGS))
    for (const step of steps) await replay.play(step)
    t.deepEqual(replay.comparison.differences, [])
  })
}
