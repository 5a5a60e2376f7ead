/**
 * What the pages of a large master cost: `node --conditions=source core/bench/pages.bench.ts`.
 *
 * /state of 10,000 agents with 100,000 tasks, /tasks of them, and /metrics/snapshot with 10,000 frameworks, made and written as JSON; then over
 * HTTP, with five readers of /state and one of /health. `captureMs` is how long /state keeps the master from anything else before it is
 * written in slices. Mesos 1.11.0 needs 1.7 s and 2.75 s for the first and the last, and answers /health in 2.7 s meanwhile.
 */

import { spawn } from 'node:child_process'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import process from 'node:process'
import { Router } from '../src/io/http/routes.ts'
import { closeServer, createIdleServer, listen, serveWith } from '../src/io/http/server.ts'
import { jsonPieces } from '../src/io/http/sliced-json.ts'
import { metricsPage, metricsView, stateView, tasksView } from '../src/master/views.ts'
import { BusyMaster } from './busy-master.ts'
import { expect, quantile, rounded, timedOnce } from './stage.ts'

const ROUNDS = 5
const READERS = 5

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

/** Reads a page to its end, from a process of its own, so that reading costs the master nothing; milliseconds of each read. */
function readAgain(port: number, path: string, times: number): Promise<number[]> {
  const script = `
    const times = []
    for (let at = 0; at < ${times}; at++) {
      const start = performance.now()
      const response = await fetch('http://127.0.0.1:${port}${path}')
      for await (const chunk of response.body) chunk.length
      times.push(performance.now() - start)
      if ('${path}' === '/health') await new Promise((resolve) => setTimeout(resolve, 20))
    }
    process.stdout.write(JSON.stringify(times))`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  return new Promise((resolve, reject) => {
    child.once('close', (code) =>
      code === 0 ? resolve(JSON.parse(text)) : reject(new Error(`a reader ended: ${code}`)),
    )
  })
}

async function serve(master: BusyMaster, facts: Readonly<Record<string, number>>): Promise<void> {
  const server = createIdleServer()
  const pages = [
    { path: '/state', handle: () => ({ kind: 'json', value: stateView(master.state) }) as const },
    { path: '/health', handle: () => ({ kind: 'text', status: 200 }) as const },
  ]
  serveWith(
    server,
    new Router(
      'master',
      pages.map((page) => ({ ...page, kind: 'page', meaning: '' }) as const),
    ),
  )
  const port = await listen(server, '127.0.0.1', 0)
  await readAgain(port, '/state', 2)
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const readers = Array.from({ length: READERS }, () => readAgain(port, '/state', 2))
  const [health, ...state] = await Promise.all([readAgain(port, '/health', 100), ...readers])
  delay.disable()
  const line = {
    name: `/health beside ${READERS} readers of /state, HTTP`,
    ...facts,
    healthP50Ms: quantile(health, 0.5),
    healthP99Ms: quantile(health, 0.99),
    stateP50Ms: quantile(state.flat(), 0.5),
    loopP99Ms: rounded(delay.percentile(99) / 1e6),
    loopMaxMs: rounded(delay.max / 1e6),
    node: process.version,
  }
  process.stdout.write(`${JSON.stringify(line)}\n`)
  await closeServer(server)
}

async function full(): Promise<void> {
  const master = new BusyMaster({ agents: 10_000, frameworks: 100, tasksPerAgent: 10, tasksPerOffer: 5 })
  master.addAgents()
  master.addFrameworks()
  master.fill()
  const facts = { agents: 10_000, tasks: 100_000, frameworks: 100 }
  measure('/state', facts, () => [...jsonPieces(stateView(master.state), JSON.stringify)].join(''))
  const captures = Array.from({ length: 10 }, () => timedOnce('capture', () => void stateView(master.state)).times[0]!)
  process.stdout.write(`${JSON.stringify({ name: '/state, capture', captureMs: quantile(captures, 0.5) })}\n`)
  await serve(master, facts)
  measure('/tasks, 100 newest', facts, () => JSON.stringify(tasksView(master.state)))
  measure('/metrics/snapshot', facts, () => JSON.stringify(metricsView(master.state, master.atMs)))
}

function manyFrameworks(): void {
  const master = new BusyMaster({ agents: 1, frameworks: 10_000, tasksPerAgent: 1, tasksPerOffer: 1 })
  master.addFrameworks()
  expect(master.state.frameworks.size === 10_000, 'all frameworks are there')
  const facts = { agents: 0, tasks: 0, frameworks: 10_000 }
  const page = () => metricsPage(master.state, master.atMs)
  measure('/metrics/snapshot', facts, () => [...jsonPieces(page(), JSON.stringify)].join(''))
}

await full()
manyFrameworks()
