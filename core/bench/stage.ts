/** What a benchmark of the allocator measures, how it is timed and how it is printed. */

import process from 'node:process'
import type { Allocation } from '../src/allocator/contract.ts'

/** One measured part of a workload, in as many rounds as there are times. */
export interface Stage {
  readonly stage: string
  /** Milliseconds by the wall, one for each round. */
  readonly times: readonly number[]
  /** CPU of the whole process (with its garbage collector) over all rounds. */
  readonly cpuMs: number
  /** Offers made in the last round. */
  readonly offers: number
  /** Of the decisions of the last round: the same seed gives the same number. */
  readonly checksum: number
  /** Further figures, of the last round. */
  readonly more?: Readonly<Record<string, number>>
}

/** Ends the benchmark when it did not do what it claims to measure. */
export function expect(isSo: boolean, what: string): void {
  if (!isSo) throw new Error(`the benchmark is wrong: ${what}`)
}

/** Rounds of a stage: `round` is timed and answers with its offers, `prepare` runs before it, outside the measurement. */
export interface Rounds {
  readonly stage: string
  readonly rounds: number
  readonly round: (at: number) => readonly Allocation[]
  readonly prepare?: (at: number) => void
}

/** Runs and times the rounds. */
export function timed({ stage, rounds, round, prepare }: Rounds): Stage {
  const times: number[] = []
  let cpuMs = 0
  let made: readonly Allocation[] = []
  for (let at = 0; at < rounds; at++) {
    prepare?.(at)
    const cpu = process.cpuUsage()
    const start = performance.now()
    made = round(at)
    times.push(performance.now() - start)
    const used = process.cpuUsage(cpu)
    cpuMs += (used.user + used.system) / 1000
  }
  return { stage, times, cpuMs, offers: made.length, checksum: checksumOf(made) }
}

/** Times something that makes no offers. */
export function timedOnce(stage: string, run: () => void): Stage {
  const nothing: readonly Allocation[] = []
  return timed({
    stage,
    rounds: 1,
    round: () => {
      run()
      return nothing
    },
  })
}

/** A number that differs, with near certainty, when any decision differs. */
export function checksumOf(allocations: readonly Allocation[]): number {
  let sum = 0
  for (const { agentId, frameworkId, role } of allocations) {
    for (const text of [agentId, frameworkId, role]) {
      for (let at = 0; at < text.length; at++) sum = (Math.imul(sum, 31) + text.charCodeAt(at)) | 0
    }
  }
  return sum
}

/** Stages of the same name from several runs as one. */
export function merged(runs: readonly (readonly Stage[])[]): Stage[] {
  const stages = new Map<string, Stage>()
  for (const stage of runs.flat()) {
    const before = stages.get(stage.stage)
    if (before === undefined) stages.set(stage.stage, stage)
    else {
      const times = [...before.times, ...stage.times]
      stages.set(stage.stage, { ...stage, times, cpuMs: before.cpuMs + stage.cpuMs })
    }
  }
  return [...stages.values()]
}

/** Where a share of all times lies: 0.5 is the median, 1 the largest. */
export function quantile(times: readonly number[], share: number): number {
  const sorted = [...times].sort((a, b) => a - b)
  return rounded(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN)
}

/** Prints one line of JSON; `facts` come first. */
export function report(facts: Readonly<Record<string, string | number>>, measured: Stage, ratio = {}): void {
  const { stage, times, cpuMs, offers, checksum, more } = measured
  const line = {
    ...facts,
    stage,
    rounds: times.length,
    offers,
    medianMs: quantile(times, 0.5),
    p99Ms: quantile(times, 0.99),
    cpuMs: rounded(cpuMs / times.length),
    ...ratio,
    ...more,
    rssMb: Math.round(process.memoryUsage().rss / 2 ** 20),
    checksum,
    node: process.version,
  }
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

/** Four significant digits. */
export function rounded(figure: number): number {
  return Number(figure.toPrecision(4))
}
