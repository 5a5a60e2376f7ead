import type { MasterMessage } from '@isthmus/proto/gen/agent-link'
import test from 'ava'
import { CUSTOM, Rehearsal } from './rehearsal.ts'

const WHY = { reason: 'REASON_CONTAINER_PREEMPTED', message: 'for role team' } as const
const SIGKILLED = 9

function kill(task: string, graceMs: number): MasterMessage {
  return {
    type: 'KILL_TASK',
    kill_task: {
      framework_id: { value: 'F' },
      task_id: { value: task },
      kill_policy: { grace_period: { nanoseconds: graceMs * 1e6 } },
      ...WHY,
    },
  }
}

function shutdown(executor: string): MasterMessage {
  return {
    type: 'SHUTDOWN_EXECUTOR',
    shutdown_executor: { framework_id: { value: 'F' }, executor_id: { value: executor }, ...WHY },
  }
}

function lastOf(agent: Rehearsal): (string | undefined)[] {
  const { state, reason, message } = agent.statuses().at(-1)!
  return [state, reason, message]
}

test('a command task that the master has a reason to kill ends with that reason, after the grace of the kill', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 't' })
  agent.start(agent.lastLaunched)
  agent.master(kill('t', 500))
  t.is(agent.kinds('destroyContainer').length, 0)
  agent.pass(500)
  t.is(agent.kinds('destroyContainer').length, 1)
  agent.exit(agent.lastLaunched, SIGKILLED)
  t.deepEqual(lastOf(agent), ['TASK_KILLED', WHY.reason, WHY.message])
})

test('a task that the master has a reason to kill before it runs is destroyed, and says why', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 't' })
  agent.master(kill('t', 500))
  t.is(agent.kinds('destroyContainer').length, 1)
  agent.exit(agent.lastLaunched, SIGKILLED)
  t.deepEqual(lastOf(agent), ['TASK_KILLED', WHY.reason, WHY.message])
})

test('a shutdown with a reason ends a command task that was not killed before, with that reason', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 't' })
  agent.start(agent.lastLaunched)
  agent.master(shutdown('t'))
  agent.exit(agent.lastLaunched, SIGKILLED)
  t.deepEqual(lastOf(agent), ['TASK_KILLED', WHY.reason, WHY.message])
})

test('a custom executor that is shut down for a reason and says nothing leaves tasks that were killed for it', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 't', command: undefined, executor: CUSTOM })
  agent.start(agent.lastLaunched)
  agent.subscribe()
  agent.master(kill('t', 500))
  t.is(agent.events.at(-1)?.type, 'KILL')
  agent.master(shutdown('e'))
  t.is(agent.events.at(-1)?.type, 'SHUTDOWN')
  agent.exit(agent.lastLaunched, SIGKILLED)
  t.deepEqual(lastOf(agent), ['TASK_KILLED', WHY.reason, WHY.message])
})

test('an executor that ends a task when it is told to need not know why: the agent says it', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 't', command: undefined, executor: CUSTOM })
  agent.start(agent.lastLaunched)
  agent.subscribe()
  agent.master(kill('t', 500))
  agent.report('t', 'TASK_KILLED')
  t.deepEqual(lastOf(agent), ['TASK_KILLED', WHY.reason, WHY.message])
})

test('an update of a task that is not known is dropped while its framework is shut down', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 'a', command: undefined, executor: CUSTOM })
  agent.subscribe()
  agent.master({ type: 'SHUTDOWN_FRAMEWORK', framework_id: { value: 'F' } })
  agent.report('unknown', 'TASK_STARTING')
  t.is(agent.state.frameworks.get('F')?.updates.size, 0)
})

test('nothing follows the end of a task that is not known', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 'a', command: undefined, executor: CUSTOM })
  agent.subscribe()
  for (const state of ['TASK_FINISHED', 'TASK_RUNNING', 'TASK_FAILED'] as const) agent.report('unknown', state)
  t.deepEqual(
    agent.state.frameworks
      .get('F')
      ?.updates.get('unknown')
      ?.pending.map(({ state }) => state),
    ['TASK_FINISHED'],
  )
  t.is(agent.state.counters.invalidStatusUpdates, 2)
})
