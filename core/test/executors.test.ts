import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Offer, TaskInfo } from '@isthmus/proto/gen/mesos'
import test, { type ExecutionContext } from 'ava'
import { getJson, localCluster } from './cluster.ts'
import { EXECUTOR } from './plain-executor.ts'
import { PlainScheduler, scalars } from './plain-scheduler.ts'
import { temporaryFolder, until } from './programs.ts'

const LIBRARY_EXECUTOR = fileURLToPath(new URL('library-executor.ts', import.meta.url))

/** The command of an executor that uses nothing but the API. */
function plainExecutor(t: ExecutionContext): string {
  const script = join(temporaryFolder(t), 'executor.cjs')
  writeFileSync(script, EXECUTOR)
  return `${process.execPath} ${script}`
}

function customTasks(command: string, offer: Offer, frameworkId: string, count: number): TaskInfo[] {
  const executor = {
    type: 'CUSTOM',
    executor_id: { value: 'own' },
    framework_id: { value: frameworkId },
    command: { value: command },
    resources: scalars({ cpus: 0.1, mem: 32 }),
  } as const
  return Array.from({ length: count }, (_, index) => ({
    name: `task ${index}`,
    task_id: { value: `t${index}` },
    agent_id: offer.agent_id,
    resources: scalars({ cpus: 0.1, mem: 32 }),
    executor,
  }))
}

test('a custom executor subscribes, runs tasks, exchanges messages, and is shut down', async (t) => {
  const { master, agents } = await localCluster(t)
  const scheduler = new PlainScheduler(master)
  scheduler.subscribe()
  const offer = await scheduler.offer()
  await scheduler.launch(offer, customTasks(plainExecutor(t), offer, scheduler.frameworkId, 2))
  await scheduler.reached('t0', 'TASK_RUNNING')
  await scheduler.reached('t1', 'TASK_RUNNING')
  const to = { agent_id: offer.agent_id, executor_id: { value: 'own' } }
  const data = new Uint8Array(Buffer.from('ping'))
  t.is(await scheduler.call({ type: 'MESSAGE', message: { ...to, data } }), 202)
  await until('the message that came back', () => scheduler.events.some(({ type }) => type === 'MESSAGE'))
  t.like(
    scheduler.events.find(({ type }) => type === 'MESSAGE'),
    { message: { ...to, data: Buffer.from('ping').toString('base64') as never } },
  )
  t.is(await scheduler.call({ type: 'KILL', kill: { task_id: { value: 't0' } } }), 202)
  await scheduler.reached('t0', 'TASK_KILLED')
  t.is(await scheduler.call({ type: 'SHUTDOWN', shutdown: to }), 202)
  const last = await scheduler.reached('t1', 'TASK_FAILED')
  t.is(last.reason, 'REASON_EXECUTOR_TERMINATED')
  await until('FAILURE', () => scheduler.events.some(({ type }) => type === 'FAILURE'))
  const sandbox = `/frameworks/${scheduler.frameworkId}/executors/own/runs/latest/stdout`
  const { data: log } = (await getJson(agents[0]!, `/files/read?path=${sandbox}&offset=0`)) as { data: string }
  t.true(log.startsWith('event SUBSCRIBED\nevent LAUNCH\n'), log)
  t.true(log.endsWith('event SHUTDOWN\n'), log)
  t.false(/update (?!202)/.test(log), log)
})

test('an executor written on the executor library does the same', async (t) => {
  const { master, agents } = await localCluster(t)
  const scheduler = new PlainScheduler(master)
  scheduler.subscribe()
  const offer = await scheduler.offer()
  const command = `exec ${process.execPath} --conditions=source ${LIBRARY_EXECUTOR}`
  await scheduler.launch(offer, customTasks(command, offer, scheduler.frameworkId, 2))
  await scheduler.reached('t0', 'TASK_RUNNING')
  await scheduler.reached('t1', 'TASK_RUNNING')
  const to = { agent_id: offer.agent_id, executor_id: { value: 'own' } }
  const data = new Uint8Array(Buffer.from('ping'))
  t.is(await scheduler.call({ type: 'MESSAGE', message: { ...to, data } }), 202)
  await until('the message that came back', () => scheduler.events.some(({ type }) => type === 'MESSAGE'))
  t.is(await scheduler.call({ type: 'KILL', kill: { task_id: { value: 't0' } } }), 202)
  await scheduler.reached('t0', 'TASK_KILLED')
  t.is(await scheduler.call({ type: 'SHUTDOWN', shutdown: to }), 202)
  await scheduler.reached('t1', 'TASK_FAILED')
  const sandbox = `/frameworks/${scheduler.frameworkId}/executors/own/runs/latest/stdout`
  const { data: log } = (await getJson(agents[0]!, `/files/read?path=${sandbox}&offset=0`)) as { data: string }
  t.deepEqual(log.trim().split('\n'), ['subscribed', 'launch', 'launch', 'messageReceived', 'kill', 'shutdown'])
})

test('a task group runs together and ends together', async (t) => {
  const { master } = await localCluster(t)
  const scheduler = new PlainScheduler(master, true)
  scheduler.subscribe()
  const offer = await scheduler.offer()
  const task = (name: string, value: string): TaskInfo => ({
    name,
    task_id: { value: name },
    agent_id: offer.agent_id,
    resources: scalars({ cpus: 0.1, mem: 32 }),
    command: { value },
  })
  const executor = {
    type: 'DEFAULT',
    executor_id: { value: 'pod' },
    framework_id: { value: scheduler.frameworkId },
    resources: scalars({ cpus: 0.1, mem: 32, disk: 8 }),
  } as const
  const tasks = [task('server', 'sleep 987'), task('job', 'sleep 0.3; exit 7')]
  await scheduler.call({
    type: 'ACCEPT',
    accept: {
      offer_ids: [offer.id],
      operations: [{ type: 'LAUNCH_GROUP', launch_group: { executor, task_group: { tasks } } }],
    },
  })
  await scheduler.reached('server', 'TASK_RUNNING')
  const end = await scheduler.reached('job', 'TASK_FAILED')
  t.is(end.executor_id?.value, 'pod')
  await scheduler.reached('server', 'TASK_KILLED')
  t.deepEqual(scheduler.statesOf('job'), ['TASK_STARTING', 'TASK_RUNNING', 'TASK_FAILED'])
})

test('a health check that fails too often ends the task; one that succeeds is told once', async (t) => {
  const { master } = await localCluster(t)
  const scheduler = new PlainScheduler(master)
  scheduler.subscribe()
  const offer = await scheduler.offer()
  const checked = (name: string, command: string): TaskInfo => ({
    name,
    task_id: { value: name },
    agent_id: offer.agent_id,
    resources: scalars({ cpus: 0.1, mem: 32 }),
    command: { value: 'touch alive; sleep 987' },
    health_check: {
      type: 'COMMAND',
      command: { value: command },
      delay_seconds: 0,
      interval_seconds: 0.2,
      grace_period_seconds: 0,
      consecutive_failures: 2,
    },
  })
  await scheduler.launch(offer, [checked('sick', 'false'), checked('well', 'test -f alive')])
  const end = await scheduler.reached('sick', 'TASK_KILLED')
  t.is(end.healthy, false)
  await until('the healthy update', () => scheduler.updates.some(({ healthy }) => healthy === true))
  t.deepEqual(
    scheduler.statesOf('well').filter((state) => state !== 'TASK_STARTING'),
    ['TASK_RUNNING', 'TASK_RUNNING'],
  )
})

test('KILL ends a command task with its whole tree, after the grace period by force', async (t) => {
  const { master } = await localCluster(t)
  const scheduler = new PlainScheduler(master)
  scheduler.subscribe()
  const offer = await scheduler.offer()
  const stubborn: TaskInfo = {
    name: 'stubborn',
    task_id: { value: 'stubborn' },
    agent_id: offer.agent_id,
    resources: scalars({ cpus: 0.1, mem: 32 }),
    command: { value: 'trap "" TERM; setsid sh -c "trap \\"\\" TERM; sleep 987" & while true; do sleep 0.1; done' },
    kill_policy: { grace_period: { nanoseconds: 200_000_000 } },
  }
  await scheduler.launch(offer, [stubborn])
  await scheduler.reached('stubborn', 'TASK_RUNNING')
  await scheduler.call({ type: 'KILL', kill: { task_id: { value: 'stubborn' } } })
  const end = await scheduler.reached('stubborn', 'TASK_KILLED')
  t.is(end.message, 'Command terminated with signal Killed')
})

test('a task that runs too long fails with the reason; TASK_KILLING is told to those who know it', async (t) => {
  const { master } = await localCluster(t)
  const scheduler = new PlainScheduler(master)
  scheduler.subscribe({ capabilities: [{ type: 'TASK_KILLING_STATE' }] })
  const offer = await scheduler.offer()
  const sleeper = (name: string, more: Partial<TaskInfo>): TaskInfo => ({
    name,
    task_id: { value: name },
    agent_id: offer.agent_id,
    resources: scalars({ cpus: 0.1, mem: 32 }),
    command: { value: 'sleep 987' },
    ...more,
  })
  const tasks = [sleeper('late', { max_completion_time: { nanoseconds: 300_000_000 } }), sleeper('killed', {})]
  await scheduler.launch(offer, tasks)
  const end = await scheduler.reached('late', 'TASK_FAILED')
  t.is(end.reason, 'REASON_MAX_COMPLETION_TIME_REACHED')
  await scheduler.reached('killed', 'TASK_RUNNING')
  await scheduler.call({ type: 'KILL', kill: { task_id: { value: 'killed' } } })
  await scheduler.reached('killed', 'TASK_KILLED')
  for (const [name, last] of [
    ['late', 'TASK_FAILED'],
    ['killed', 'TASK_KILLED'],
  ] as const) {
    t.deepEqual(scheduler.statesOf(name), ['TASK_STARTING', 'TASK_RUNNING', 'TASK_KILLING', last])
  }
})
