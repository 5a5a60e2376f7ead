// Tasks end to end over HTTP, from offer to acknowledged end, with a real master process and one scheduler built on the
// framework library: once with agents that answer at once, once with a real agent that runs /bin/true.
//
// Expected: per task the master sees half an ACCEPT, two updates in and out and two acknowledgements, about 5 small HTTP
// requests: 0.2 ms of CPU at 45k small requests a CPU-second, plus the machine. A real launch costs the launcher about
// 1 ms and the kernel a fork and an exec; Mesos reaches 11 to 14 a second.

import { measureLaunches, rssMb, serve } from './launch-run.ts'
import { SimulatedAgent } from './simulated-agent.ts'

const SIMULATED_TASKS = Number(process.env.BENCH_TASKS ?? 5_000)
const SIMULATED_AGENTS = Number(process.env.BENCH_AGENTS ?? 20)
const REAL_TASKS = Number(process.env.BENCH_REAL_TASKS ?? 500)
const BATCH = 50

async function simulated(): Promise<void> {
  const { child, endpoint } = await serve([
    'master',
    '--ip=127.0.0.1',
    '--port=0',
    '--quiet',
    '--allocation_interval=50ms',
  ])
  const agents = Array.from({ length: SIMULATED_AGENTS }, (_, index) => {
    const scalar = (name: string, value: number) => ({ name, type: 'SCALAR', scalar: { value } }) as const
    const resources = [scalar('cpus', 64), scalar('mem', 262_144), scalar('disk', 1_000_000)]
    return new SimulatedAgent({ master: endpoint, name: `agent-${index}`, resources })
  })
  await Promise.all(agents.map((agent) => agent.register()))
  const figures = await measureLaunches({ master: endpoint, tasks: SIMULATED_TASKS, batch: BATCH, pid: child.pid! })
  const { tasksPerCpuSecond, ...rest } = figures
  print('launches over HTTP, simulated agents', {
    tasks: SIMULATED_TASKS,
    agents: SIMULATED_AGENTS,
    tasksPerMasterCpuSecond: tasksPerCpuSecond,
    ...rest,
    masterRssMb: rssMb(child.pid!),
  })
  for (const agent of agents) agent.close()
  child.kill('SIGTERM')
}

async function real(): Promise<void> {
  const { child, endpoint } = await serve([
    'local',
    '--port=0',
    '--agent_port=0',
    '--allocation_interval=50ms',
    '--resources=cpus:64;mem:65536;disk:65536',
  ])
  const figures = await measureLaunches({ master: endpoint, tasks: REAL_TASKS, batch: BATCH, pid: child.pid! })
  const { tasksPerCpuSecond: _ofMaster, ...rest } = figures
  print('launches of /bin/true on one real agent', { tasks: REAL_TASKS, agents: 1, ...rest })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await ended
}

function print(name: string, figures: Readonly<Record<string, number>>): void {
  console.log(JSON.stringify({ name, ...figures, node: process.version }))
}

await simulated()
await real()
process.exit(0)
