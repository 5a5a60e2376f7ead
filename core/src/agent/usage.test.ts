import test from 'ava'
import { cpus, Rehearsal, taskInfo } from './rehearsal.ts'
import { type ContainerUse, isWithin, usageOf } from './usage.ts'

const USE: ContainerUse = { cpuUserMs: 1500, cpuSystemMs: 500, rssBytes: 1000, processCount: 1, threadCount: 2 }
const READINGS = { atMs: 5_000, load: [1, 2, 3] as const }

test('an executor is shown with all it was given and the sum of what its containers use', (t) => {
  const agent = new Rehearsal()
  agent.group('g', [taskInfo('a', { command: { value: 'x' } }), taskInfo('b', { command: { value: 'x' } })])
  agent.run({ id: 'c', resources: [{ ...cpus(1), revocable: {}, allocation_info: { role: 'r' } }] })
  const [a = '', b = '', c = ''] = agent.launched
  const containers = new Map([
    [a, USE],
    [b, USE],
    [c, { ...USE, rssBytes: 7 }],
    ['of someone else', USE],
  ])
  const { executors, load, total, atMs } = usageOf(agent.state, { ...READINGS, containers })
  t.deepEqual([atMs, load, total.length], [5_000, [1, 2, 3], 2])
  const [group, command] = executors
  t.is(group?.executor_info.executor_id.value, 'g')
  t.is(group?.allocated?.[0]?.scalar?.value, 0.2)
  t.is(group?.statistics?.cpus_user_time_secs, 3)
  t.is(group?.statistics?.cpus_system_time_secs, 1)
  t.is(group?.statistics?.mem_rss_bytes, 2000)
  t.is(group?.statistics?.processes, 2)
  t.is(group?.statistics?.threads, 4)
  t.deepEqual(
    group?.tasks?.map(({ id }) => id.value),
    ['a', 'b'],
  )
  t.is(command?.statistics?.mem_rss_bytes, 7)
  t.deepEqual(command?.allocated?.[0]?.revocable, {})
})

test('of a container that cannot be read only its limits are known', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 'a', resources: [{ ...cpus(1), allocation_info: { role: 'r' } }] })
  const { executors } = usageOf(agent.state, { ...READINGS, containers: new Map() })
  t.is(executors[0]?.statistics?.mem_rss_bytes, undefined)
  t.is(executors[0]?.statistics?.cpus_soft_limit, 1.1)
})

for (const [id, outer, expected] of [
  ['a', 'a', true],
  ['a.b', 'a', true],
  ['a.b.c', 'a.b', true],
  ['ab', 'a', false],
  ['a', 'a.b', false],
] as const) {
  test(`container ${id} is ${expected ? '' : 'not '}within ${outer}`, (t) => t.is(isWithin(id, outer), expected))
}
