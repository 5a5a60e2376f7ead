/**
 * What it costs to tell 1,000 subscribers: `node --conditions=source core/bench/fanout.bench.ts`.
 *
 * Operator events (TASK_UPDATED, protobuf) to 1,000 streams of one server over real sockets, read by a process of its own. CPU is that of
 * the server's process alone: encoding, framing, writing, the kernel's part of writing included. `lateMs` is from the send to the reader's
 * `data` event. Paced: so many events a second, one each time the loop comes round; a burst: all at once. The last rows are without
 * sockets: what is left is encoding, framing and queues.
 */

import { spawn } from 'node:child_process'
import type { ServerResponse } from 'node:http'
import process from 'node:process'
import type { Event } from '@isthmus/proto/gen/master'
import { encodeMessage } from '../src/io/http/messages.ts'
import { Router } from '../src/io/http/routes.ts'
import { closeServer, createIdleServer, listen, serveWith } from '../src/io/http/server.ts'
import { RecordStreams } from '../src/io/http/streams.ts'
import { expect, rounded } from './stage.ts'

const SUBSCRIBERS = 1_000
const SECONDS = 4

/** The time of sending stands in the task id, so that the reader finds it in the bytes. */
function event(at: number): Event {
  const status = {
    task_id: { value: `sent@${Date.now()}@job-17.instance-${at}` },
    state: 'TASK_RUNNING',
    source: 'SOURCE_EXECUTOR',
    agent_id: { value: 'c2b1f4a2-7a67-4ac9-8d6c-7f5d8e8a1b11-S17' },
    timestamp: 1_700_000_000.25,
    uuid: new Uint8Array(16).fill(at),
  } as const
  return {
    type: 'TASK_UPDATED',
    task_updated: { framework_id: { value: 'c2b1f4a2-0001' }, status, state: 'TASK_RUNNING' },
  }
}

/** Reads all streams; at the end of its input it tells the records of each and how late they were. */
const READER = `
  const net = require('node:net')
  const [port, many] = process.argv.slice(1).map(Number)
  const late = []
  let open = 0, bytes = 0, seen = 0
  for (let at = 0; at < many; at++) {
    const socket = net.connect(port, '127.0.0.1')
    socket.write('POST /stream HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 0\\r\\n\\r\\n')
    let isFirst = true
    socket.on('data', (chunk) => {
      if (isFirst) { isFirst = false; if (++open === many) process.stdout.write('open\\n') }
      const now = Date.now()
      bytes += chunk.length
      // Of each chunk the oldest record, which waited longest.
      const found = chunk.indexOf('sent@')
      if (found >= 0) late.push(now - Number(chunk.toString('latin1', found + 5, found + 18)))
      if (at === 0 || at === many - 1) for (let p = chunk.indexOf('sent@'); p >= 0; p = chunk.indexOf('sent@', p + 5)) seen++
    })
  }
  process.stdin.on('data', () => {
    late.sort((a, b) => a - b)
    const quantile = (q) => late[Math.min(late.length - 1, Math.floor(late.length * q))]
    process.stdout.write(JSON.stringify({ bytes, seen, writes: late.length, p50: quantile(0.5), p99: quantile(0.99), max: quantile(1) }) + '\\n')
    late.length = 0
    seen = 0
  })
  process.stdin.on('end', () => process.exit(0))`

interface Heard {
  readonly seen: number
  readonly writes: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

function print(line: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify({ ...line, subscribers: SUBSCRIBERS, node: process.version })}\n`)
}

const streams = new RecordStreams<Event>({
  encode: (message, encoding) => encodeMessage('mesos.v1.master.Event', message, encoding),
  closed: (id, reason) => expect(isOver, `stream ${id} ended: ${reason}`),
})
let isOver = false
const ids = Array.from({ length: SUBSCRIBERS }, (_, at) => String(at))

function tell(message: Event): void {
  for (const id of ids) streams.send(id, message)
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function withSockets(): Promise<void> {
  const server = createIdleServer()
  let opened = 0
  const handle = (_request: unknown, response: ServerResponse): void => {
    streams.open(ids[opened]!, response, { encoding: 'protobuf' })
    opened += 1
  }
  serveWith(server, new Router('master', [{ kind: 'call', path: '/stream', meaning: '', handle }]))
  const port = await listen(server, '127.0.0.1', 0)
  const reader = spawn(process.execPath, ['-e', READER, String(port), String(SUBSCRIBERS)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines: string[] = []
  let rest = ''
  reader.stdout.on('data', (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split('\n')
    rest = parts.pop()!
    lines.push(...parts)
  })
  while (lines.shift() !== 'open') await wait(5)
  const heard = async (): Promise<Heard> => {
    await wait(500)
    reader.stdin.write('now')
    while (lines.length === 0) await wait(5)
    return JSON.parse(lines.shift()!) as Heard
  }
  for (const perSecond of [100, 300, 1_000, 3_000]) {
    await paced(perSecond, heard)
  }
  for (const burst of [1, 10, 100]) await bursts(burst, heard)
  isOver = true
  reader.stdin.end()
  streams.closeAll()
  await closeServer(server)
}

/** Everything but the sockets: what they are given is counted. */
async function withoutSockets(): Promise<void> {
  let written = 0
  const socket = { setNoDelay: idle, setTimeout: idle, setKeepAlive: idle, cork: idle, uncork: idle, write: count }
  function idle(): void {}
  function count(bytes: Uint8Array): void {
    written += bytes.length
  }
  const response = { once: idle, writeHead: idle, flushHeaders: idle, end: idle, socket, chunkedEncoding: true }
  for (const id of ids) {
    streams.open(id, { ...response, writableLength: 0 } as unknown as ServerResponse, { encoding: 'protobuf' })
  }
  for (const burst of [1, 10, 100]) {
    const rounds = Math.ceil(10_000 / burst)
    const before = written
    const cpu = process.cpuUsage()
    for (let round = 0; round < rounds; round++) {
      for (let at = 0; at < burst; at++) tell(event(at))
      await turn()
    }
    while (streams.queuedBytes > 0) await wait(1)
    const used = process.cpuUsage(cpu)
    expect(written - before > rounds * burst * SUBSCRIBERS * 150, 'all records were written')
    const perCpuSecond = rounded((rounds * burst * SUBSCRIBERS * 1e6) / (used.user + used.system))
    print({ name: `fan-out without sockets, ${burst} events a turn`, perCpuSecond })
  }
  streams.closeAll()
}

async function paced(perSecond: number, heard: () => Promise<Heard>): Promise<void> {
  const events = perSecond * SECONDS
  const cpu = process.cpuUsage()
  const start = performance.now()
  let sent = 0
  while (sent < events) {
    const due = Math.min(events, Math.floor(((performance.now() - start) / 1000) * perSecond))
    for (; sent < due; sent++) {
      tell(event(sent))
      await turn()
    }
    await wait(1)
  }
  report(`${perSecond} events a second`, events, { cpu, start, heard: await heard() })
}

async function bursts(burst: number, heard: () => Promise<Heard>): Promise<void> {
  const rounds = Math.ceil(1_000 / burst)
  const cpu = process.cpuUsage()
  const start = performance.now()
  for (let round = 0; round < rounds; round++) {
    for (let at = 0; at < burst; at++) tell(event(at))
    await wait(Math.max(5, burst))
  }
  report(`${burst} events at once`, rounds * burst, { cpu, start, heard: await heard() })
}

function report(
  name: string,
  events: number,
  { cpu, start, heard }: { readonly cpu: NodeJS.CpuUsage; readonly start: number; readonly heard: Heard },
): void {
  const used = process.cpuUsage(cpu)
  expect(heard.seen === events * 2, `all records arrived: ${heard.seen} of ${events * 2} at two readers`)
  const cpuSeconds = (used.user + used.system) / 1e6
  print({
    name: `fan-out over sockets, ${name}`,
    deliveries: events * SUBSCRIBERS,
    perCpuSecond: rounded((events * SUBSCRIBERS) / cpuSeconds),
    writes: heard.writes,
    lateP50Ms: heard.p50,
    lateP99Ms: heard.p99,
    lateMaxMs: heard.max,
    wallSeconds: rounded((performance.now() - start) / 1000),
  })
}

await withSockets()
await withoutSockets()
