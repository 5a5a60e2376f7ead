import type { FrameworkInfo, TaskState, TaskStatusReason } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import { CUSTOM, Rehearsal } from './rehearsal.ts'

interface Row {
  readonly name: string
  readonly aware: boolean
  readonly markGone: boolean
  readonly says: TaskState
  readonly reason?: TaskStatusReason
  readonly expected: string
}

const rows: readonly Row[] = [
  { name: 'killed', aware: false, markGone: false, says: 'TASK_KILLED', expected: 'TASK_KILLED REASON_AGENT_DRAINING' },
  {
    name: 'killed, with a reason of its own',
    aware: true,
    markGone: false,
    says: 'TASK_KILLED',
    reason: 'REASON_COMMAND_EXECUTOR_FAILED',
    expected: 'TASK_KILLED REASON_AGENT_DRAINING',
  },
  {
    name: 'killed on an agent that will be gone',
    aware: true,
    markGone: true,
    says: 'TASK_KILLED',
    expected: 'TASK_GONE_BY_OPERATOR REASON_AGENT_DRAINING',
  },
  {
    name: 'killed on an agent that will be gone, not PARTITION_AWARE',
    aware: false,
    markGone: true,
    says: 'TASK_KILLED',
    expected: 'TASK_KILLED REASON_AGENT_DRAINING',
  },
  {
    name: 'being killed on an agent that will be gone',
    aware: true,
    markGone: true,
    says: 'TASK_KILLING',
    expected: 'TASK_KILLING REASON_AGENT_DRAINING',
  },
  {
    name: 'finished by itself',
    aware: true,
    markGone: true,
    says: 'TASK_FINISHED',
    expected: 'TASK_FINISHED undefined',
  },
  { name: 'failed by itself', aware: true, markGone: true, says: 'TASK_FAILED', expected: 'TASK_FAILED undefined' },
]

for (const { name, aware, markGone, says, reason, expected } of rows) {
  test(`what a task is called while its agent drains: ${name}`, (t) => {
    const agent = new Rehearsal()
    const capabilities: FrameworkInfo['capabilities'] = aware ? [{ type: 'PARTITION_AWARE' }] : []
    const framework = { user: 'root', name: 'f', id: { value: 'F' }, capabilities }
    agent.run({ id: 't', command: undefined, executor: CUSTOM }, framework)
    agent.start(agent.lastLaunched)
    agent.subscribe()
    agent.master({ type: 'DRAIN', drain_config: { mark_gone: markGone } })
    agent.report('t', says, { reason })
    const last = agent.statuses().at(-1)
    t.is(`${last?.state} ${last?.reason}`, expected)
  })
}
