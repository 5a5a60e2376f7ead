import process from 'node:process'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import test from 'ava'
import { BusyMaster } from './busy-master.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Half more than what is measured with so few tasks: what they do not share weighs more then. */
const BYTES_A_TASK_MAX = 630

test('a task takes a master some hundred bytes, with its statuses, labels and all indexes', (t) => {
  const used = () => {
    collect()
    return process.memoryUsage().heapUsed
  }
  const run = (agents: number): number => {
    const master = new BusyMaster({ agents, frameworks: 10, tasksPerAgent: 100, tasksPerOffer: 20 })
    master.addAgents()
    master.addFrameworks()
    const before = used()
    master.fill()
    const bytes = (used() - before) / (agents * 100)
    t.is(
      [...master.state.frameworks.values()].reduce((sum, { tasks }) => sum + tasks.size, 0),
      agents * 100,
    )
    return bytes
  }
  run(20)
  const bytes = run(100)
  t.true(bytes < BYTES_A_TASK_MAX, `${Math.round(bytes)} bytes a task`)
})
