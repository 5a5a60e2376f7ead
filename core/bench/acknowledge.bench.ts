/**
 * What an acknowledged update costs a master: `node --conditions=source core/bench/acknowledge.bench.ts`.
 *
 * 20,000 tasks run; each ends and its framework acknowledges that: the call is decoded, checked, passed on to the agent as encoded bytes,
 * and the task goes from the books into the framework's history. First from the bytes of the body to the effects and bytes, without
 * network, then over HTTP with keep-alive from a process of its own, which sends the next call when the one before is answered, on several
 * connections, one call a request. CPU is that of the master's process alone.
 */

import { spawn } from 'node:child_process'
import process from 'node:process'
import { encode, stringifyJson } from '@isthmus/proto/codec'
import type { Call } from '@isthmus/proto/gen/scheduler'
import { openVirtualFiles } from '../src/io/disk/files.ts'
import { decodeBody, encodeMessage } from '../src/io/http/messages.ts'
import { closeServer, createIdleServer, listen, serveWith } from '../src/io/http/server.ts'
import { silentLog } from '../src/io/observe/logger.ts'
import { MasterShell } from '../src/io/runtime/master-shell.ts'
import { memoryRegistry } from '../src/io/runtime/registry-store.ts'
import { step } from '../src/master/master.ts'
import { BusyMaster } from './busy-master.ts'
import { expect, rounded } from './stage.ts'

const TASKS = 20_000
const CONNECTIONS = 16

interface Acknowledgement {
  readonly body: Uint8Array
  readonly streamId: string
}

/** A master whose tasks have all ended, and the calls that acknowledge it. */
function ended(encoding: 'protobuf' | 'json'): { master: BusyMaster; calls: Acknowledgement[] } {
  const master = new BusyMaster({ agents: TASKS / 10, frameworks: 10, tasksPerAgent: 10, tasksPerOffer: 10 })
  master.addAgents()
  master.addFrameworks()
  const calls: Acknowledgement[] = []
  master.fill((task) => {
    const uuid = master.tell(task, 'TASK_FINISHED', { executor_pid: 4711 })
    const call: Call = {
      type: 'ACKNOWLEDGE',
      framework_id: { value: task.frameworkId },
      acknowledge: { agent_id: { value: task.agentId }, task_id: { value: task.taskId }, uuid },
    }
    const name = 'mesos.v1.scheduler.Call'
    const body = encoding === 'protobuf' ? encode(name, call) : Buffer.from(stringifyJson(name, call))
    calls.push({ body: Buffer.from(body), streamId: master.streamOf(task.frameworkId) })
  })
  expect(calls.length === TASKS, 'every task has ended')
  return { master, calls }
}

function tasksLeft({ state }: BusyMaster): number {
  return [...state.frameworks.values()].reduce((sum, { tasks }) => sum + tasks.size, 0)
}

function print(name: string, calls: number, used: NodeJS.CpuUsage, more = {}): void {
  const perCpuSecond = rounded((calls * 1e6) / (used.user + used.system))
  process.stdout.write(`${JSON.stringify({ name, calls, perCpuSecond, ...more, node: process.version })}\n`)
}

function inProcess(encoding: 'protobuf' | 'json'): void {
  const { master, calls } = ended(encoding)
  const { state } = master
  expect(tasksLeft(master) === TASKS, 'no end is acknowledged')
  let bytes = 0
  const cpu = process.cpuUsage()
  for (const { body, streamId } of calls) {
    const call = decodeBody('mesos.v1.scheduler.Call', body, { encoding, isTerse: false })
    if (!call.ok) throw new Error(call.text)
    const event = { kind: 'schedulerCalled', atMs: master.atMs, requestId: 'r', call: call.value, streamId } as const
    for (const effect of step(state, event)) {
      if (effect.kind === 'respond') expect(effect.status === 202, `${effect.status} ${effect.text}`)
      if (effect.kind === 'sendToAgent')
        bytes += encodeMessage('isthmus.agent_link.MasterMessage', effect.message, 'protobuf').length
    }
  }
  const used = process.cpuUsage(cpu)
  expect(tasksLeft(master) === 0 && bytes > 0, 'every end is acknowledged')
  print(`ACKNOWLEDGE, ${encoding}, from body to effects`, TASKS, used)
}

/** Sends the calls over keep-alive connections, one call under way on each, as raw bytes, so that sending costs little. */
const SENDER = `
  const net = require('node:net')
  const [port, connections, type] = process.argv.slice(1)
  const chunks = []
  process.stdin.on('data', (chunk) => chunks.push(chunk))
  process.stdin.on('end', () => {
    const calls = JSON.parse(Buffer.concat(chunks).toString())
    const requests = calls.map(({ body, streamId }) => {
      const bytes = Buffer.from(body, 'base64')
      const head = 'POST /api/v1/scheduler HTTP/1.1\\r\\nHost: master:5050\\r\\nContent-Type: ' + type + '\\r\\nAccept: ' + type +
        '\\r\\nMesos-Stream-Id: ' + streamId + '\\r\\nContent-Length: ' + bytes.length + '\\r\\n\\r\\n'
      return Buffer.concat([Buffer.from(head), bytes])
    })
    let next = 0, done = 0
    for (let at = 0; at < Number(connections); at++) {
      const socket = net.connect(Number(port), '127.0.0.1')
      socket.setNoDelay(true)
      const send = () => { if (next < requests.length) socket.write(requests[next++]) }
      socket.on('data', (chunk) => {
        const text = chunk.toString('latin1')
        if (!text.startsWith('HTTP/1.1 202')) { process.stderr.write(text); process.exit(1) }
        if (++done === requests.length) process.exit(0)
        send()
      })
      send()
    }
  })`

async function overHttp(encoding: 'protobuf' | 'json'): Promise<void> {
  const { master, calls } = ended(encoding)
  const shell = new MasterShell({
    state: master.state,
    registry: memoryRegistry(),
    log: silentLog,
    files: openVirtualFiles(),
    failed: (reason) => expect(false, reason),
  })
  const server = createIdleServer()
  serveWith(server, shell.router)
  const port = await listen(server, '127.0.0.1', 0)
  const type = encoding === 'json' ? 'application/json' : 'application/x-protobuf'
  const sender = spawn(process.execPath, ['-e', SENDER, String(port), String(CONNECTIONS), type], {
    stdio: ['pipe', 'inherit', 'inherit'],
  })
  const text = calls.map(({ body, streamId }) => ({ body: Buffer.from(body).toString('base64'), streamId }))
  sender.stdin.end(JSON.stringify(text))
  // Measured from the first answer on, when the sender is done with its own start.
  while (tasksLeft(master) === TASKS) await new Promise((resolve) => setTimeout(resolve, 1))
  const before = tasksLeft(master)
  const cpu = process.cpuUsage()
  const start = performance.now()
  const code = await new Promise((resolve) => sender.once('close', resolve))
  const used = process.cpuUsage(cpu)
  expect(code === 0 && tasksLeft(master) === 0, 'every end is acknowledged')
  const wallMs = rounded(performance.now() - start)
  print(`ACKNOWLEDGE, ${encoding}, over HTTP`, before, used, { connections: CONNECTIONS, wallMs })
  await shell.stop()
  await closeServer(server)
}

for (const encoding of ['protobuf', 'json'] as const) {
  // Twice: the first time the code is not compiled yet.
  inProcess(encoding)
  inProcess(encoding)
  await overHttp(encoding)
  await overHttp(encoding)
}
process.exit(0)
