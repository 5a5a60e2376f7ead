import type { TaskState, TaskStatus } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import fc from 'fast-check'
import { MAX_TASK_STATUSES } from './state.ts'
import { lastStateOf, NO_PAST, type PastOwner, pastOf, remember, statusesOf, toldOf } from './task-past.ts'

const states: readonly TaskState[] = ['TASK_STARTING', 'TASK_RUNNING', 'TASK_KILLING', 'TASK_LOST', 'TASK_FINISHED']

const owners: readonly PastOwner[] = [
  { id: 'task', agentId: 'agent', executorId: '' },
  { id: 'task', agentId: 'agent', executorId: 'executor' },
]

const ids = fc.constantFrom('task', 'agent', 'executor', '').map((value) => ({ value }))

/** Any status but for its task, which is the owner's. Absent fields are absent, as those of decoded messages. */
const statuses: fc.Arbitrary<Omit<TaskStatus, 'task_id'>> = fc.record(
  {
    state: fc.constantFrom(...states),
    message: fc.string(),
    source: fc.constant('SOURCE_EXECUTOR' as const),
    agent_id: ids,
    executor_id: ids,
    timestamp: fc.integer({ min: 0 }),
    uuid: fc.uint8Array({ maxLength: 3 }),
    healthy: fc.boolean(),
    container_status: fc.constantFrom({}, { executor_pid: 1 }, { container_id: { value: 'x'.repeat(300) } }),
  },
  { requiredKeys: ['state'] },
)

test('a past gives back what was said, and what was told last', (t) => {
  fc.assert(
    fc.property(fc.constantFrom(...owners), fc.array(statuses, { maxLength: 40 }), (owner, said) => {
      let past = NO_PAST
      let expected: TaskStatus[] = []
      let told: { state: TaskState; uuid: Uint8Array } | undefined
      for (const one of said) {
        const status: TaskStatus = { ...one, task_id: { value: owner.id } }
        past = remember(past, owner, status)
        if (expected.at(-1)?.state === status.state) expected = expected.slice(0, -1)
        if (expected.length === MAX_TASK_STATUSES) expected = [expected[0]!, ...expected.slice(2)]
        expected = [...expected, status]
        if (status.uuid !== undefined && status.uuid.length > 0) told = { state: status.state, uuid: status.uuid }
      }
      t.deepEqual(statusesOf(past, owner), expected)
      t.deepEqual(toldOf(past), told)
      t.is(lastStateOf(past), expected.at(-1)?.state)
    }),
  )
})

test('a past made at once is the one that was remembered bit by bit', (t) => {
  const owner = owners[0]!
  const said: TaskStatus[] = ['TASK_STARTING' as const, 'TASK_RUNNING' as const].map((state, at) => ({
    task_id: { value: owner.id },
    state,
    uuid: new Uint8Array([at]),
    container_status: { executor_pid: 1 },
  }))
  const past = said.reduce((before, status) => remember(before, owner, status), NO_PAST)
  t.is(pastOf(owner, said, { state: 'TASK_RUNNING', uuid: new Uint8Array([1]) }), past)
  t.is(pastOf(owner, [], undefined), NO_PAST)
  const other = { state: 'TASK_STARTING' as const, uuid: new Uint8Array([0]) }
  t.deepEqual(toldOf(pastOf(owner, said, other)), other)
  t.is(toldOf(pastOf(owner, said, undefined)), undefined)
})

test('data is not remembered, and a container that stays the same only once', (t) => {
  const owner = owners[0]!
  const status = (state: TaskState): TaskStatus => ({
    task_id: { value: owner.id },
    state,
    data: new Uint8Array(10_000),
    container_status: { container_id: { value: 'x'.repeat(200) } },
  })
  const first = remember(NO_PAST, owner, status('TASK_STARTING'))
  const second = remember(first, owner, status('TASK_RUNNING'))
  t.true(first.length < 300)
  t.true(second.length - first.length < 40)
  t.is(statusesOf(second, owner)[1]?.data, undefined)
})
