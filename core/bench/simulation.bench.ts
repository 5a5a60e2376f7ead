// Worlds of the simulator with many agents: events a second, where an event is one step of a machine (master, agent, framework).
//
// Expected: a task is about 25 events (offers and acceptance aside: launch, container, three updates with their acknowledgements at
// agent, master and framework), each a step of 2 to 5 us, a message of 1 us and what the garbage collector takes of both; 10,000 agents
// add a ping and its answer each 5 s. So 100,000 events or more in a CPU second.

import { strict as assert } from 'node:assert'
import type { Workload } from '../src/simulation/workload.ts'
import { World } from '../src/simulation/world.ts'

const TASKS = Number(process.env.BENCH_TASKS ?? 40_000)
const FRAMEWORKS = 20
const ROLES = 5
const SIZES = [100, 1_000, 10_000]

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

function measure(agents: number): void {
  const world = new World({ seed: 1, workload: workloadOf(agents), faults: 'none', invariantsEvery: 0 })
  const begunMs = performance.now()
  const begun = process.cpuUsage()
  const report = world.run()
  const wallMs = performance.now() - begunMs
  const { user, system } = process.cpuUsage(begun)
  assert.equal(report.units, TASKS)
  const figures = {
    name: 'simulated world',
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

for (const agents of SIZES) measure(agents)
