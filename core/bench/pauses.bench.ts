/**
 * How long the garbage collector stops a master with a million tasks that hears 10,000 status updates a second:
 * `node --conditions=source core/bench/pauses.bench.ts [tasks] [seconds]`.
 *
 * Nine of ten updates are of a health check (the task goes on), each tenth is the end of a task, acknowledged, in whose place another is
 * launched. Expected: minor collections of 5 to 20 ms; marking runs beside the program and its end stops it for some tens. The process is
 * busy all the time, with the codec of both sides, too: a machine that runs other work meanwhile makes pauses longer. A semi-space of 8 or
 * 16 MB (--max-semi-space-size) makes minor collections shorter and more; the longest are those in which the machine did something else.
 */

import { type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'
import process from 'node:process'
import { setImmediate } from 'node:timers/promises'
import { BusyMaster, type RunningTask } from './busy-master.ts'
import { quantile, rounded } from './stage.ts'

const UPDATES_PER_SECOND = 10_000
const SLICES_PER_SECOND = 100
const [KIND_MINOR, KIND_INCREMENTAL, KIND_MAJOR] = [1, 8, 4]

interface Pauses {
  readonly minor: number[]
  readonly major: number[]
  readonly incremental: number[]
}

function observe(): { readonly pauses: Pauses; readonly stop: () => void } {
  const pauses: Pauses = { minor: [], major: [], incremental: [] }
  const take = (entries: readonly PerformanceEntry[]) => {
    for (const { detail, duration } of entries as readonly { detail?: { kind?: number }; duration: number }[]) {
      if (detail?.kind === KIND_MINOR) pauses.minor.push(duration)
      else if (detail?.kind === KIND_MAJOR) pauses.major.push(duration)
      else if (detail?.kind === KIND_INCREMENTAL) pauses.incremental.push(duration)
    }
  }
  const observer = new PerformanceObserver((list) => take(list.getEntries()))
  observer.observe({ entryTypes: ['gc'] })
  const stop = () => {
    take(observer.takeRecords())
    observer.disconnect()
  }
  return { pauses, stop }
}

async function run(tasks: number, seconds: number): Promise<void> {
  const load = { agents: tasks / 100, frameworks: 100, tasksPerAgent: 100, tasksPerOffer: 10 }
  const master = new BusyMaster(load)
  master.addAgents()
  master.addFrameworks()
  const running: RunningTask[] = []
  master.fill((task) => running.push(task))
  const ended: RunningTask[] = []
  const { pauses, stop } = observe()
  const cpu = process.cpuUsage()
  const begin = performance.now()
  let [updates, next] = [0, 0]
  master.longestStepMs = 0
  while (performance.now() - begin < seconds * 1000) {
    const due =
      Math.floor(((performance.now() - begin) / 1000) * SLICES_PER_SECOND) * (UPDATES_PER_SECOND / SLICES_PER_SECOND)
    for (; updates < due; updates++) {
      const task = running[next]!
      if (updates % 10 === 0) {
        master.end(task)
        ended.push(task)
        running[next] = running.at(-1)!
        running.pop()
      } else master.check(task)
      next = (next + 7919) % running.length
    }
    if (ended.length >= UPDATES_PER_SECOND / 10) {
      ended.length = 0
      master.refill((task) => running.push(task))
    }
    await setImmediate()
  }
  stop()
  const used = process.cpuUsage(cpu)
  const all = [...pauses.minor, ...pauses.major, ...pauses.incremental]
  const line = {
    name: 'garbage collection of a busy master',
    tasks,
    options: process.execArgv.filter((option) => option.includes('space')).join(' ') || 'none',
    updatesASecond: Math.round(updates / seconds),
    pauses: all.length,
    maxPauseMs: rounded(Math.max(...all)),
    p99PauseMs: quantile(all, 0.99),
    minor: pauses.minor.length,
    maxMinorMs: rounded(Math.max(0, ...pauses.minor)),
    major: pauses.major.length,
    maxMajorMs: rounded(Math.max(0, ...pauses.major)),
    longestStepMs: rounded(master.longestStepMs),
    cpuShare: rounded((used.user + used.system) / 1e6 / seconds),
    rssMb: Math.round(process.memoryUsage().rss / 2 ** 20),
    node: process.version,
  }
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

await run(Number(process.argv[2] ?? 1_000_000), Number(process.argv[3] ?? 20))
