// What the terminal shows: one line for each decision of the bridge and for each change of the partition's size.

import { setTimeout as delay } from 'node:timers/promises'
import { getJson } from '../hadoop/daemon.ts'
import type { Cluster } from './cluster.ts'

interface Size {
  readonly memoryMb: number
  readonly vcores: number
}

/** The partition in one line, as the bridge's /v1/totals gives it. */
export interface Totals {
  readonly held: Size
  readonly advertised: Size
  readonly used: Size
  readonly pending: Size
  readonly nodeManagers: number
}

/** One line of the bridge's history, as its /v1/decisions gives it. */
export interface DecisionLine {
  readonly atMs: number
  readonly action: string
  readonly hostname?: string
  readonly size?: Size
  readonly reason: { readonly code: string; readonly message: string }
  readonly totals: Totals
}

const POLL_MS = 250

/** Prints what happens until it is closed, and keeps every decision. */
export class Timeline {
  readonly decisions: DecisionLine[] = []
  readonly #cluster: Cluster
  readonly #startedAtMs: number
  readonly #print: (line: string) => void
  #isClosed = false
  #lastTotals = ''
  readonly #done: Promise<void>

  constructor(cluster: Cluster, startedAtMs: number, print: (line: string) => void) {
    this.#cluster = cluster
    this.#startedAtMs = startedAtMs
    this.#print = print
    this.#print(
      '  time     pool used/total      held by YARN     advertised       used             pending          what and why',
    )
    this.#done = this.#follow()
  }

  /** A line of the story itself. */
  tell(text: string): void {
    this.#print(`${this.#stamp(Date.now())}  ── ${text}`)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#done
  }

  async #follow(): Promise<void> {
    while (!this.#isClosed) {
      try {
        await this.#look()
      } catch {
        // The bridge or the master is away for a moment (a restart); the next look shows what happened.
      }
      await delay(POLL_MS)
    }
  }

  async #look(): Promise<void> {
    const since = this.decisions.at(-1)?.atMs ?? 0
    const [page, totals, metrics] = await Promise.all([
      getJson(`${this.#cluster.bridgeUrl}/v1/decisions?since=${since}`) as Promise<{ decisions: DecisionLine[] }>,
      getJson(`${this.#cluster.bridgeUrl}/v1/totals`) as Promise<Totals>,
      getJson(`${this.#cluster.masterUrl}/metrics/snapshot`) as Promise<Record<string, number>>,
    ])
    const pool = `${gb(metrics['master/mem_used'] ?? 0)}/${gb(metrics['master/mem_total'] ?? 0)} ${round(metrics['master/cpus_used'] ?? 0)}/${round(metrics['master/cpus_total'] ?? 0)}`
    for (const line of page.decisions) {
      this.decisions.push(line)
      const what = `${line.action.padEnd(9)} ${(line.hostname ?? '').padEnd(10)} ${line.reason.code}: ${line.reason.message}`
      this.#row(line.atMs, pool, line.totals, what)
    }
    const shown = JSON.stringify([totals, pool])
    if (shown !== this.#lastTotals && page.decisions.length === 0) this.#row(Date.now(), pool, totals, '')
    this.#lastTotals = shown
  }

  #row(atMs: number, pool: string, totals: Totals, what: string): void {
    const cells = [totals.held, totals.advertised, totals.used, totals.pending].map((size) =>
      `${gb(size.memoryMb)} ${size.vcores}v`.padEnd(16),
    )
    this.#print(`${this.#stamp(atMs)}  ${pool.padEnd(20)} ${cells.join(' ')} ${what}`.trimEnd())
  }

  #stamp(atMs: number): string {
    return `${((atMs - this.#startedAtMs) / 1000).toFixed(1).padStart(7)} s`
  }
}

function gb(memoryMb: number): string {
  return `${(memoryMb / 1024).toFixed(1)}G`
}

function round(value: number): string {
  return String(Math.round(value * 10) / 10)
}
