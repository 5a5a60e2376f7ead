// Worlds of the simulator with many agents: events a second, where an event is one step of a machine (master, agent, framework).
//
// The last ones have crashes: agents, machines and disks that fail all the time, with all rules checked but those of liveness.
//
// Expected: a task is about 25 events (offers and acceptance aside: launch, container, three updates with their acknowledgements at
// agent, master and framework), each a step of 2 to 5 us, a message of 1 us and what the garbage collector takes of both; 10,000 agents
// add a ping and its answer each 5 s. So 100,000 events or more in a CPU second.

import { strict as assert } from 'node:assert'
import { lightCheckers } from '../src/simulation/checkers/checkers.ts'
import type { FaultDensity } from '../src/simulation/faults.ts'
import type { Workload } from '../src/simulation/workload.ts'
import { World } from '../src/simulation/world.ts'

const TASKS = Number(process.env.BENCH_TASKS ?? 40_000)
const FRAMEWORKS = 20
const ROLES = 5
const SIZES = (process.env.BENCH_AGENTS ?? '100,1000,10000').split(',').map(Number)
const CRASH_SIZES = (process.env.BENCH_CRASH_AGENTS ?? '100,2000').split(',').map(Number)

/** Twice as many short tasks as asked for at once, in two waves. */
function workloadOf(agents: number): Workload {
  const tasks = TASKS / FRAMEWORKS / 2
  const job = {
    tasks,
    cpus: 0.5,
    memoryMb: 128,
    ports: 0,
    seconds: 20,
    exitCode: 0,
    killAfterSeconds: 0,
    customExecutor: false,
    volumeMb: 0,
    groupSize: 1,
  }
  const frameworks = Array.from({ length: FRAMEWORKS }, (_, number) => ({
    name: `framework-${number}`,
    role: `role-${number % ROLES}`,
    partitionAware: true,
    checkpoint: true,
    failoverTimeoutSeconds: 600,
    thinkSeconds: 0,
    refuseSeconds: 60,
    suppresses: true,
    jobs: [
      { ...job, atSeconds: 10 },
      { ...job, atSeconds: 60 },
    ],
  }))
  const machines = { count: agents, cpus: 16, memoryMb: 65_536, diskMb: 1_000_000, ports: 1_000 }
  return { minutes: 2, agents: [machines], frameworks, quotas: [], weights: [] }
}

/** As many as a cluster of thousands has in days. */
const CRASHES: FaultDensity = {
  perMinute: 500,
  kinds: ['agentCrash', 'agentKill', 'agentDiskFails', 'agentBreak', 'agentCut'],
}

function measure(agents: number, hasCrashes: boolean): void {
  const calm = { seed: 1, workload: workloadOf(agents), faults: 'none', invariantsEvery: 0 } as const
  const world = new World(
    hasCrashes ? { ...calm, faults: 'heavy', faultDensity: CRASHES, checkers: lightCheckers } : calm,
  )
  const begunMs = performance.now()
  const begun = process.cpuUsage()
  const report = world.run()
  const wallMs = performance.now() - begunMs
  const { user, system } = process.cpuUsage(begun)
  assert.equal(report.units, TASKS)
  const figures = {
    name: hasCrashes ? 'simulated world with crashes' : 'simulated world',
    faults: report.faults,
    agents,
    tasks: report.tasks,
    virtualSeconds: report.virtualMs / 1000,
    events: report.events,
    eventsPerSecond: Math.round((report.events * 1000) / wallMs),
    eventsPerCpuSecond: Math.round((report.events * 1e6) / (user + system)),
    rssMb: Math.round(process.memoryUsage().rss / 2 ** 20),
    node: process.version,
  }
  console.log(JSON.stringify(figures))
}

for (const agents of SIZES) measure(agents, false)
for (const agents of CRASH_SIZES) measure(agents, true)
