/**
 * What the pages of a large master cost: `node --conditions=source core/bench/pages.bench.ts`.
 *
 * /state of 10,000 agents with 100,000 tasks, /tasks of them, and /metrics/snapshot with 10,000 frameworks; made and written as JSON, without
 * HTTP. `longestMs` is how long the page keeps the master from anything else. Mesos 1.11.0 needs 1.7 s and 2.75 s for the first and the last.
 */

import process from 'node:process'
import { metricsView, stateView, tasksView } from '../src/master/views.ts'
import { BusyMaster } from './busy-master.ts'
import { expect, quantile, rounded, timedOnce } from './stage.ts'

const ROUNDS = 5

function measure(name: string, facts: Readonly<Record<string, number>>, page: () => string): void {
  page()
  const cpu = process.cpuUsage()
  let bytes = 0
  const times = Array.from({ length: ROUNDS }, () => {
    return timedOnce(name, () => {
      bytes = page().length
    }).times[0]!
  })
  const used = process.cpuUsage(cpu)
  const line = {
    name,
    ...facts,
    megabytes: rounded(bytes / 2 ** 20),
    medianMs: quantile(times, 0.5),
    longestMs: quantile(times, 1),
    cpuMs: rounded((used.user + used.system) / 1000 / ROUNDS),
    node: process.version,
  }
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

function full(): void {
  const master = new BusyMaster({ agents: 10_000, frameworks: 100, tasksPerAgent: 10, tasksPerOffer: 5 })
  master.addAgents()
  master.addFrameworks()
  master.fill()
  const facts = { agents: 10_000, tasks: 100_000, frameworks: 100 }
  measure('/state', facts, () => JSON.stringify(stateView(master.state)))
  measure('/tasks, 100 newest', facts, () => JSON.stringify(tasksView(master.state)))
  measure('/metrics/snapshot', facts, () => JSON.stringify(metricsView(master.state, master.atMs)))
}

function manyFrameworks(): void {
  const master = new BusyMaster({ agents: 1, frameworks: 10_000, tasksPerAgent: 1, tasksPerOffer: 1 })
  master.addFrameworks()
  expect(master.state.frameworks.size === 10_000, 'all frameworks are there')
  const facts = { agents: 0, tasks: 0, frameworks: 10_000 }
  measure('/metrics/snapshot', facts, () => JSON.stringify(metricsView(master.state, master.atMs)))
}

full()
manyFrameworks()
