/**
 * What a master holds for each agent and task: `node --conditions=source --expose-gc core/bench/memory.bench.ts [tasks]`.
 *
 * Agents register, frameworks subscribe, every agent is filled with tasks that run (two statuses each, two labels, acknowledged). After each
 * part the heap and what lies beside it is counted after a full garbage collection. Expected: at most 400 bytes a task, 2 KB an agent.
 */

import process from 'node:process'
import { BusyMaster } from './busy-master.ts'
import { expect, rounded } from './stage.ts'

const TASKS_PER_AGENT = 100

function usedBytes(): number {
  globalThis.gc!()
  globalThis.gc!()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** @returns one line of figures */
function run(tasks: number): string {
  const agents = Math.max(1, tasks / TASKS_PER_AGENT)
  const load = { agents, frameworks: 100, tasksPerAgent: TASKS_PER_AGENT, tasksPerOffer: 10 }
  const master = new BusyMaster(load)
  const empty = usedBytes()
  master.addAgents()
  const withAgents = usedBytes()
  master.addFrameworks()
  const cpu = process.cpuUsage()
  const before = usedBytes()
  master.fill()
  const used = process.cpuUsage(cpu)
  const collecting = performance.now()
  globalThis.gc!()
  const fullGcMs = performance.now() - collecting
  const after = usedBytes()
  const line = {
    name: 'memory of a master',
    ...load,
    tasks,
    bytesAnAgent: Math.round((withAgents - empty) / agents),
    bytesATask: Math.round((after - before) / tasks),
    heapMb: Math.round(after / 2 ** 20),
    fullGcMs: rounded(fullGcMs),
    cpuMicrosATask: rounded((used.user + used.system) / tasks),
    rssMb: Math.round(process.memoryUsage().rss / 2 ** 20),
    node: process.version,
  }
  expect(master.state.agents.size === agents, 'the master is still there')
  return `${JSON.stringify(line)}\n`
}

if (globalThis.gc === undefined) process.stdout.write('skipped: start with node --expose-gc\n')
else {
  // So that code and tables that are made once do not count.
  run(10_000)
  process.stdout.write(run(Number(process.argv[2] ?? 1_000_000)))
}
