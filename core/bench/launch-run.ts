import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Offer, TaskInfo } from '@isthmus/proto/gen/mesos'
import { acceptOffers } from '../src/framework/calls.ts'
import { createFramework } from '../src/framework/framework.ts'
import { OfferPool } from '../src/framework/offers.ts'
import { type Endpoint, parseEndpoint } from '../src/io/http/client.ts'
import { FrameworkRunner } from '../src/io/runtime/framework-runner.ts'

const ENTRY = fileURLToPath(new URL('../bin/isthmus.mjs', import.meta.url))

/** A program that serves. */
export interface Served {
  readonly child: ChildProcess
  readonly endpoint: Endpoint
}

/** Starts `isthmus` with these arguments and waits for its ready line; it ends with this process. */
export function serve(argv: readonly string[]): Promise<Served> {
  const child = spawn(process.execPath, ['--conditions=source', ENTRY, ...argv], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  process.once('exit', () => child.kill('SIGTERM'))
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`isthmus ${argv[0]} ended with ${code}`)))
    child.stdout.once('data', (chunk: Buffer) => {
      resolve({ child, endpoint: parseEndpoint(chunk.toString().trim().split(' ')[1]!)! })
    })
  })
}

/** What a run measured. */
export interface LaunchFigures {
  readonly tasksPerSecond: number
  /** By the CPU time of the process that was watched. */
  readonly tasksPerCpuSecond: number
  readonly acceptToRunningP50Ms: number
  readonly acceptToRunningP99Ms: number
}

/** Runs tasks of /bin/true from offer to acknowledged end and measures; throws when one does not finish. */
export async function measureLaunches(options: {
  readonly master: Endpoint
  readonly tasks: number
  /** Tasks in one ACCEPT. */
  readonly batch: number
  /** Whose CPU time counts. */
  readonly pid: number
}): Promise<LaunchFigures> {
  const begunAtMs = new Map<string, number>()
  const latenciesMs: number[] = []
  let launched = 0
  let finished = 0
  let settle: (error?: Error) => void = () => {}
  const done = new Promise<void>((resolve, reject) => {
    settle = (error) => (error === undefined ? resolve() : reject(error))
  })
  const runner: FrameworkRunner = new FrameworkRunner({
    state: createFramework({
      info: { name: 'bench', user: 'root', roles: ['*'], capabilities: [{ type: 'MULTI_ROLE' }] },
    }),
    master: { kind: 'named', endpoints: [options.master] },
    noticed: (notice) => {
      if (notice.kind === 'offersReceived') for (const offer of notice.offers) launch(offer)
      if (notice.kind === 'failed') settle(new Error(notice.message))
      if (notice.kind === 'callFailed') settle(new Error(`${notice.call.type}: ${notice.status} ${notice.text}`))
      if (notice.kind !== 'taskUpdated') return
      const { state, message, task_id } = notice.status
      if (state === 'TASK_RUNNING') latenciesMs.push(performance.now() - begunAtMs.get(task_id.value)!)
      else if (state === 'TASK_FINISHED') finished += 1
      else if (state !== 'TASK_STARTING') settle(new Error(`unexpected ${state}: ${message}`))
      if (finished === options.tasks) settle()
    },
    crash: (error) => settle(error instanceof Error ? error : new Error(String(error))),
  })
  const launch = (offer: Offer): void => {
    const tasks = cutTasks(offer, Math.min(options.batch, options.tasks - launched), launched)
    launched += tasks.length
    for (const { task_id } of tasks) begunAtMs.set(task_id.value, performance.now())
    runner.act((state) => {
      const offerIds = [offer.id.value]
      const accepted = acceptOffers(state, {
        offerIds,
        launches: [{ kind: 'tasks', tasks }],
        filters: { refuse_seconds: 0 },
      })
      return accepted.ok ? accepted.value : []
    })
  }
  const beginMs = performance.now()
  const beginCpuMs = cpuMs(options.pid)
  runner.start()
  await done
  const wallMs = performance.now() - beginMs
  const usedCpuMs = cpuMs(options.pid) - beginCpuMs
  await runner.callsAnswered()
  runner.stop()
  latenciesMs.sort((a, b) => a - b)
  const at = (part: number): number => Math.round(latenciesMs[Math.floor((latenciesMs.length - 1) * part)]! * 10) / 10
  return {
    tasksPerSecond: Math.round((options.tasks * 1000) / wallMs),
    tasksPerCpuSecond: Math.round((options.tasks * 1000) / usedCpuMs),
    acceptToRunningP50Ms: at(0.5),
    acceptToRunningP99Ms: at(0.99),
  }
}

/** Resident memory of a process. */
export function rssMb(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Math.round(Number(match?.[1] ?? 0) / 1024)
}

function cutTasks(offer: Offer, most: number, firstNumber: number): TaskInfo[] {
  const pool = new OfferPool([offer])
  const tasks: TaskInfo[] = []
  while (tasks.length < most) {
    const taken = pool.take({ cpus: 0.1, memoryMb: 32 })
    if (taken === undefined) break
    const taskId = `t${firstNumber + tasks.length}`
    tasks.push({
      name: taskId,
      task_id: { value: taskId },
      agent_id: offer.agent_id,
      resources: taken.resources,
      command: { shell: false, value: '/bin/true' },
    })
  }
  return tasks
}

/** User and system time of a process; the kernel counts 100 ticks a second. */
export function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}
