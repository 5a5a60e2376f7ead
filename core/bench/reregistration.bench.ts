// A new leader to which a whole pool comes back: `node --conditions=source core/bench/reregistration.bench.ts [agents …]`.
//
// - in process: the bytes of each agent's REREGISTER are decoded, the machine takes its step, what it answers is encoded. No sockets.
// - over HTTP: a real master process with the registry on disk, and two processes with the agents. Measured from the first connection to
//   the last REREGISTERED, and until a scheduler, which subscribes with the first agents, was offered something.
//
// Expected: 5 KB of protobuf an agent with 10 tasks are 100 µs to decode, 10 tasks to enter into the books 50 µs, the rest (validation,
// the allocator, the answers) as much again: 0.2 ms an agent, 2 s for 10,000. A connection with its request costs a server 0.1 to 0.2 ms more.
// Nothing is written to the registry: agents that come back as they were are in it. F of G9: 3.5 s in process, 10 s over HTTP.

import { type ChildProcess, fork } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { createFramework } from '../src/framework/framework.ts'
import type { Endpoint } from '../src/io/http/client.ts'
import { decodeMessage, encodeMessage } from '../src/io/http/messages.ts'
import { FrameworkRunner } from '../src/io/runtime/framework-runner.ts'
import { readRegistryFile, registryFile } from '../src/io/runtime/registry-file.ts'
import { deflated } from '../src/io/zookeeper/registry-parts.ts'
import type { MasterEffect } from '../src/master/effects.ts'
import { createMaster, step } from '../src/master/master.ts'
import { masterOptions } from '../src/master/options.ts'
import { registrySnapshot, replayRegistry } from '../src/master/registry.ts'
import { cpuMs, rssMb, serve } from './launch-run.ts'
import { frameworkOf, type ReturningPool, registryOf, returnsOf } from './returning-agents.ts'
import type { ClientOrder } from './returning-client.ts'
import { expect, quantile, rounded } from './stage.ts'

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 3)
const SIZES = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [1_000, 10_000]
const CLIENTS = 2
const FRAMEWORKS = 10
const NOW_MS = 1_700_000_100_000

interface Round {
  readonly wallMs: number
  readonly cpuMs: number
  readonly more: Readonly<Record<string, number>>
}

function poolOf(agents: number, hasHistory: boolean): ReturningPool {
  return { agents, tasksPerAgent: 10, frameworks: FRAMEWORKS, hasHistory }
}

function inProcess(pool: ReturningPool, bodies: readonly Uint8Array[]): Round {
  const records = registryOf(pool)
  const identity = { masterId: 'm', hostname: 'master.example.com', ip: '10.0.0.1', port: 5050, version: '1.11.0' }
  const options = masterOptions({ ...identity, seed: 1, startAtMs: NOW_MS, electedAtMs: NOW_MS })
  globalThis.gc?.()
  const cpu = process.cpuUsage()
  const start = performance.now()
  const state = createMaster(options, records)
  const recoveredMs = performance.now() - start
  let bytes = 0
  let commits = 0
  let offers = 0
  const perform = (effects: readonly MasterEffect[]): void => {
    for (const effect of effects) {
      if (effect.kind === 'commitRegistry') commits++
      if (effect.kind === 'sendToAgent') {
        bytes += encodeMessage('isthmus.agent_link.MasterMessage', effect.message, 'protobuf').length
      }
      if (effect.kind !== 'sendEvent') continue
      offers += effect.event.offers?.offers?.length ?? 0
      bytes += encodeMessage('mesos.v1.scheduler.Event', effect.event, 'protobuf').length
    }
  }
  perform(step(state, { kind: 'elected', atMs: NOW_MS }))
  for (let at = 0; at < pool.frameworks; at++) {
    const framework_info = frameworkOf(at)
    const call = { type: 'SUBSCRIBE', framework_id: framework_info.id, subscribe: { framework_info } } as const
    perform(step(state, { kind: 'schedulerCalled', atMs: NOW_MS, requestId: `f${at}`, call }))
  }
  for (const [at, body] of bodies.entries()) {
    const message = decodeMessage('isthmus.agent_link.AgentMessage', body, 'protobuf')
    if (!message.ok) throw new Error(message.text)
    perform(step(state, { kind: 'agentConnected', atMs: NOW_MS, requestId: `a${at}`, message: message.value }))
  }
  const wallMs = performance.now() - start
  const used = process.cpuUsage(cpu)
  const tasks = [...state.frameworks.values()].reduce((sum, framework) => sum + framework.tasks.size, 0)
  expect(
    state.agents.size === pool.agents && tasks === pool.agents * pool.tasksPerAgent,
    'all agents and tasks are back',
  )
  expect(state.recoveredAgents.size === 0 && commits === 0, 'nobody is awaited, and nothing had to be written')
  return {
    wallMs,
    cpuMs: (used.user + used.system) / 1000,
    more: { recoveredMs: rounded(recoveredMs), offers, sentMb: rounded(bytes / 1e6) },
  }
}

/** Writes what the leader before left. */
function writeRegistry(pool: ReturningPool): string {
  const folder = mkdtempSync(join(tmpdir(), 'reregistration-'))
  mkdirSync(join(folder, 'registry'))
  writeFileSync(join(folder, 'registry', 'records'), registryFile(registryOf(pool)))
  return folder
}

async function overHttp(pool: ReturningPool): Promise<Round> {
  const folder = writeRegistry(pool)
  const { child, endpoint } = await serve(['master', '--ip=127.0.0.1', '--port=0', '--quiet', `--work_dir=${folder}`])
  const clients = await startClients(pool, endpoint)
  const beforeMs = cpuMs(child.pid!)
  const start = performance.now()
  const offered = firstOffer(endpoint)
  const done = Promise.all(clients.map((client) => told(client, 'done')))
  for (const client of clients) client.send('go')
  await done
  const wallMs = performance.now() - start
  const usedMs = cpuMs(child.pid!) - beforeMs
  const offeredMs = (await offered) - start
  const masterRssMb = rssMb(child.pid!)
  const { agents, tasks } = await countsOf(endpoint)
  expect(agents === pool.agents && tasks === pool.agents * pool.tasksPerAgent, `all are back: ${agents}, ${tasks}`)
  const written = readFileSync(join(folder, 'registry', 'records'), 'utf8')
  const shortest = registryFile(registrySnapshot(replayRegistry(registryOf(pool))))
  expect(written === shortest, 'nothing was written')
  for (const client of clients) client.send('stop')
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await ended
  rmSync(folder, { recursive: true })
  return { wallMs, cpuMs: usedMs, more: { firstOfferMs: rounded(offeredMs), masterRssMb } }
}

async function startClients(pool: ReturningPool, { host, port }: Endpoint): Promise<ChildProcess[]> {
  const clients = Array.from({ length: CLIENTS }, (_, at) => {
    const from = Math.floor((pool.agents * at) / CLIENTS)
    const to = Math.floor((pool.agents * (at + 1)) / CLIENTS)
    const order: ClientOrder = { pool, from, to, host, port }
    const entry = fileURLToPath(new URL('./returning-client.ts', import.meta.url))
    const client = fork(entry, [JSON.stringify(order)], { execArgv: ['--conditions=source'] })
    process.once('exit', () => client.kill('SIGKILL'))
    return client
  })
  await Promise.all(clients.map((client) => told(client, 'ready')))
  return clients
}

function told(client: ChildProcess, word: string): Promise<void> {
  return new Promise((resolve, reject) => {
    client.once('exit', (code) => reject(new Error(`a process with agents ended with ${code}`)))
    client.on('message', (said) => {
      if (said === word) resolve()
    })
  })
}

/** When a scheduler that comes back with the agents is offered something. */
function firstOffer(endpoint: Endpoint): Promise<number> {
  return new Promise((resolve, reject) => {
    const runner = new FrameworkRunner({
      state: createFramework({ info: frameworkOf(0) }),
      master: { kind: 'named', endpoints: [endpoint] },
      noticed: ({ kind }) => {
        if (kind !== 'offersReceived') return
        resolve(performance.now())
        runner.stop()
      },
      crash: reject,
    })
    runner.start()
  })
}

async function countsOf({ host, port }: Endpoint): Promise<{ agents: number; tasks: number }> {
  const answer = await fetch(`http://${host}:${port}/metrics/snapshot`)
  const metrics = (await answer.json()) as Record<string, number>
  return { agents: metrics['master/slaves_active'] ?? 0, tasks: metrics['master/tasks_running'] ?? 0 }
}

function print(name: string, pool: ReturningPool, rounds: readonly Round[]): void {
  const walls = rounds.map(({ wallMs }) => wallMs)
  const line = {
    name,
    agents: pool.agents,
    tasks: pool.agents * pool.tasksPerAgent,
    history: pool.hasHistory,
    rounds: rounds.length,
    medianMs: quantile(walls, 0.5),
    maxMs: quantile(walls, 1),
    masterCpuMs: quantile(
      rounds.map((round) => round.cpuMs),
      0.5,
    ),
    ...rounds.at(-1)!.more,
    rssMb: Math.round(process.memoryUsage().rss / 2 ** 20),
    node: process.version,
  }
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

/** What 20,000 agents are on disk and in ZooKeeper, and how long a new leader reads them. */
async function registry(): Promise<void> {
  const records = registryOf(poolOf(20_000, false))
  const writing = performance.now()
  const file = Buffer.from(registryFile(records))
  const writeMs = performance.now() - writing
  const small = await deflated(file.toString())
  const reading = performance.now()
  const read = readRegistryFile(file)
  expect(read.kind === 'records' && replayRegistry(read.records).admitted.size === 20_000, 'all agents are read')
  const readMs = performance.now() - reading
  const facts = { agents: 20_000, fileMb: rounded(file.length / 1e6), deflatedMb: rounded(small.length / 1e6) }
  const line = {
    name: 'a registry',
    ...facts,
    writeMs: rounded(writeMs),
    readMs: rounded(readMs),
    node: process.version,
  }
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

await registry()
// Each process that is started is ended with this one.
process.setMaxListeners(100)
for (const agents of SIZES) {
  for (const hasHistory of [false, true]) {
    const pool = poolOf(agents, hasHistory)
    const bodies = returnsOf(pool)
    const rounds = Array.from({ length: ROUNDS + 1 }, () => inProcess(pool, bodies))
    // The first one warms up.
    print('agents return, in process', pool, rounds.slice(1))
  }
}
for (const agents of SIZES) {
  for (const hasHistory of [false, true]) {
    const pool = poolOf(agents, hasHistory)
    const rounds: Round[] = []
    // A leader is always fresh: nothing to warm up.
    for (let at = 0; at < ROUNDS; at++) rounds.push(await overHttp(pool))
    print('agents return, over HTTP', pool, rounds)
  }
}
process.exit(0)
