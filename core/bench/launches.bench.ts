// Tasks end to end over HTTP: offer → ACCEPT → TASK_RUNNING → ACKNOWLEDGE → TASK_FINISHED → ACKNOWLEDGE, with a real master
// process, agents that answer at once, and one scheduler built on the framework library.
//
// Expected cost per task on the master: half an ACCEPT (decode, validate), two updates in and out, two acknowledgements;
// about 5 small HTTP requests, so 0.2 ms of CPU at 45k small requests a CPU-second, plus the machine.
//
// One JSON line: tasks a second of wall time and per CPU-second of the master, and the latency from ACCEPT to TASK_RUNNING.

import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Offer, TaskInfo } from '@isthmus/proto/gen/mesos'
import { acceptOffers } from '../src/framework/calls.ts'
import { createFramework } from '../src/framework/framework.ts'
import { OfferPool } from '../src/framework/offers.ts'
import { type Endpoint, parseEndpoint } from '../src/io/http/client.ts'
import { FrameworkRunner } from '../src/io/runtime/framework-runner.ts'
import { SimulatedAgent } from './simulated-agent.ts'

const ENTRY = fileURLToPath(new URL('../bin/isthmus.mjs', import.meta.url))
const TASKS = Number(process.env.BENCH_TASKS ?? 5_000)
const AGENTS = Number(process.env.BENCH_AGENTS ?? 20)
/** Tasks in one ACCEPT. */
const BATCH = 50

const master = spawn(
  process.execPath,
  ['--conditions=source', ENTRY, 'master', '--ip=127.0.0.1', '--port=0', '--quiet', '--allocation_interval=50ms'],
  { stdio: ['ignore', 'pipe', 'inherit'] },
)
process.once('exit', () => master.kill('SIGKILL'))
const endpoint = await new Promise<Endpoint>((resolve) => {
  master.stdout.once('data', (chunk: Buffer) => resolve(parseEndpoint(chunk.toString().trim().split(' ')[1]!)!))
})
const agents = Array.from({ length: AGENTS }, (_, index) => {
  const scalar = (name: string, value: number) => ({ name, type: 'SCALAR', scalar: { value } }) as const
  return new SimulatedAgent({
    master: endpoint,
    name: `agent-${index}`,
    resources: [scalar('cpus', 64), scalar('mem', 262_144), scalar('disk', 1_000_000)],
  })
})
await Promise.all(agents.map((agent) => agent.register()))

const startedAtMs = new Map<string, number>()
const latenciesMs: number[] = []
let launched = 0
let finished = 0
let finish: () => void = () => {}
const done = new Promise<void>((resolve) => {
  finish = resolve
})

const runner: FrameworkRunner = new FrameworkRunner({
  state: createFramework({
    info: { name: 'bench', user: 'root', roles: ['*'], capabilities: [{ type: 'MULTI_ROLE' }] },
  }),
  master: endpoint,
  noticed: (notice) => {
    if (notice.kind === 'offersReceived') for (const offer of notice.offers) launch(offer)
    if (notice.kind === 'failed') throw new Error(notice.message)
    if (notice.kind === 'callFailed') throw new Error(`${notice.call.type}: ${notice.status} ${notice.text}`)
    if (notice.kind !== 'taskUpdated') return
    const { status } = notice
    if (status.state === 'TASK_RUNNING') latenciesMs.push(performance.now() - startedAtMs.get(status.task_id.value)!)
    else if (status.state === 'TASK_FINISHED') finished += 1
    else throw new Error(`unexpected ${status.state}: ${status.message}`)
    if (finished === TASKS) finish()
  },
  crash: (error) => {
    throw error
  },
})

function launch(offer: Offer): void {
  const pool = new OfferPool([offer])
  const tasks: TaskInfo[] = []
  while (tasks.length < BATCH && launched < TASKS) {
    const taken = pool.take({ cpus: 0.1, memoryMb: 32 })
    if (taken === undefined) break
    const taskId = `t${launched}`
    launched += 1
    startedAtMs.set(taskId, performance.now())
    tasks.push({
      name: taskId,
      task_id: { value: taskId },
      agent_id: offer.agent_id,
      resources: taken.resources,
      command: { value: 'true' },
    })
  }
  runner.act((state) => {
    const accepted = acceptOffers(state, {
      offerIds: [offer.id.value],
      launches: [{ kind: 'tasks', tasks }],
      filters: { refuse_seconds: 0 },
    })
    if (!accepted.ok) throw new Error(accepted.rejection.message)
    return accepted.value
  })
}

const beginMs = performance.now()
const beginCpuMs = cpuMs(master.pid!)
runner.start()
await done
const wallMs = performance.now() - beginMs
const masterCpuMs = cpuMs(master.pid!) - beginCpuMs
latenciesMs.sort((a, b) => a - b)
const at = (part: number): number => Math.round(latenciesMs[Math.floor((latenciesMs.length - 1) * part)]! * 10) / 10
console.log(
  JSON.stringify({
    name: 'launches over HTTP, simulated agents',
    tasks: TASKS,
    agents: AGENTS,
    tasksPerSecond: Math.round((TASKS * 1000) / wallMs),
    tasksPerMasterCpuSecond: Math.round((TASKS * 1000) / masterCpuMs),
    acceptToRunningP50Ms: at(0.5),
    acceptToRunningP99Ms: at(0.99),
    masterRssMb: rssMb(master.pid!),
  }),
)
runner.stop()
for (const agent of agents) agent.close()
master.kill('SIGTERM')

/** User and system time of a process; 100 ticks a second. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

function rssMb(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Math.round(Number(match?.[1] ?? 0) / 1024)
}
