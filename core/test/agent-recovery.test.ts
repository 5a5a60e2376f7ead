// Agents that come back: real masters, agents and tasks; the agent is killed, stopped or replaced, and its tasks run on.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FrameworkInfo, Offer, TaskInfo } from '@isthmus/proto/gen/mesos'
import test, { type ExecutionContext } from 'ava'
import { openLauncher } from '../src/io/containers/launcher/launcher-client.ts'
import { readStat } from '../src/io/containers/launcher/process-table.ts'
import { type Endpoint, parseEndpoint } from '../src/io/http/client.ts'
import { silentLog } from '../src/io/observe/logger.ts'
import { getJson } from './cluster.ts'
import { PlainScheduler, scalars } from './plain-scheduler.ts'
import { isthmus, type Program, temporaryFolder, until } from './programs.ts'

const EXECUTOR = fileURLToPath(new URL('filed-executor.ts', import.meta.url))

interface World {
  readonly master: Endpoint
  readonly workDir: string
  /** The agent at the port of the one before; resolves once it is registered. */
  readonly startAgent: (...flags: string[]) => Promise<Program>
  readonly scheduler: PlainScheduler
  /** Pid of the first process of a task, as soon as it has written it down. */
  readonly pidOf: (taskId: string) => Promise<number>
  /** Puts a file into the sandbox of a task. */
  readonly touch: (taskId: string, name: string) => void
}

async function openWorld(t: ExecutionContext, info: Partial<FrameworkInfo> = {}): Promise<World> {
  const [workDir, runtimeDir] = [temporaryFolder(t), temporaryFolder(t)]
  const masterFlags = ['--ip=127.0.0.1', '--port=0', '--allocation_interval=100ms']
  const masterProgram = isthmus(t, ['master', ...masterFlags, `--work_dir=${temporaryFolder(t)}`])
  const [, url = ''] = await masterProgram.said(/^ready (\S+)\n/m)
  const master = parseEndpoint(url)!
  const port = await freePort()
  const flags = [
    `--master=${master.host}:${master.port}`,
    '--ip=127.0.0.1',
    `--port=${port}`,
    '--resources=cpus:4;mem:2048;disk:2048',
    '--registration_backoff_factor=100ms',
    `--work_dir=${workDir}`,
    `--runtime_dir=${runtimeDir}`,
  ]
  let last: Program | undefined
  t.teardown(async () => {
    last?.child.kill('SIGKILL')
    await last?.ended
    // Kills whatever is left.
    const launcher = openLauncher({ log: silentLog, survival: { runtimeDir, workDir } })
    await launcher.recover(() => ({ onStarted: () => {}, onLaunchFailed: () => {}, onExited: () => {} }))
    await launcher.close()
  })
  const scheduler = new PlainScheduler(master)
  t.teardown(() => scheduler.close())
  scheduler.subscribe({ checkpoint: true, failover_timeout: 600, ...info })
  return {
    master,
    workDir,
    scheduler,
    startAgent: async (...more) => {
      last = isthmus(t, ['agent', ...flags, ...more])
      await last.said(/^ready /m)
      return last
    },
    pidOf: async (taskId) => {
      await until(`the mark of ${taskId}`, () => sandboxOf(workDir, taskId) !== undefined)
      return Number(readFileSync(join(sandboxOf(workDir, taskId)!, 'pid'), 'utf8'))
    },
    touch: (taskId, name) => writeFileSync(join(sandboxOf(workDir, taskId)!, name), ''),
  }
}

/** The folder that holds a file of this task's name. */
function sandboxOf(workDir: string, taskId: string): string | undefined {
  const found = readdirSync(join(workDir, 'slaves'), { recursive: true, encoding: 'utf8' })
  const file = found.find((path) => path.endsWith(`/is-${taskId}`) && !path.includes('/latest/'))
  return file === undefined ? undefined : join(workDir, 'slaves', file, '..')
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

/** A line that runs until a file `end` is in its sandbox, then ends with this code. */
function untilEnd(taskId: string, code = 0): string {
  return `echo $$ > pid; touch is-${taskId}; while [ ! -e end ]; do sleep 0.05; done; echo bye; exit ${code}`
}

function task(offer: Offer, id: string, more: Partial<TaskInfo> = {}): TaskInfo {
  return {
    name: id,
    task_id: { value: id },
    agent_id: offer.agent_id,
    resources: scalars({ cpus: 0.1, mem: 32 }),
    ...(more.executor === undefined && { command: { value: untilEnd(id) } }),
    ...more,
  }
}

/** States as a task went through them: an update whose acknowledgement was lost with the agent is told again. */
function statesOf({ updates }: PlainScheduler, taskId: string): string[] {
  const own = updates.filter(({ task_id }) => task_id.value === taskId)
  const isFirst = (uuid: unknown, index: number): boolean =>
    own.findIndex((other) => String(other.uuid) === String(uuid)) === index
  return own.filter(({ uuid }, index) => isFirst(uuid, index)).map(({ state }) => state)
}

function runs(pid: number): boolean {
  const stat = readStat(pid)
  return stat !== undefined && !stat.isZombie
}

async function gone(pid: number): Promise<void> {
  await until(`the end of process ${pid}`, () => !runs(pid))
}

async function killed(program: Program): Promise<void> {
  program.child.kill('SIGKILL')
  await program.ended
}

async function agentIds(master: Endpoint): Promise<string[]> {
  const { slaves } = (await getJson(master, '/slaves')) as { slaves: { id: string; active: boolean }[] }
  return slaves.filter(({ active }) => active).map(({ id }) => id)
}

/** Pids of what runs the launcher of an agent with this folder of sandboxes. */
function launcherOf(pid: number): number {
  const parent = readStat(pid)?.parentPid ?? 0
  return readFileSync(`/proc/${parent}/cmdline`, 'latin1').includes('/launchers/') ? parent : launcherOf(parent)
}

test.serial('a killed agent comes back with its id, and every kind of task has run on', async (t) => {
  const world = await openWorld(t)
  const { scheduler, master } = world
  const first = await world.startAgent()
  const ids = await agentIds(master)
  const offer = await scheduler.offer()
  const frameworkId = { value: scheduler.frameworkId }
  const pod = {
    type: 'DEFAULT',
    executor_id: { value: 'pod' },
    framework_id: frameworkId,
    resources: scalars({ cpus: 0.1, mem: 32, disk: 8 }),
  } as const
  const own = {
    type: 'CUSTOM',
    executor_id: { value: 'own' },
    framework_id: frameworkId,
    command: { value: `echo $$ > pid; touch is-x; exec ${process.execPath} --conditions=source ${EXECUTOR}` },
    resources: scalars({ cpus: 0.1, mem: 32 }),
  } as const
  const group = { executor: pod, task_group: { tasks: [task(offer, 'g1'), task(offer, 'g2')] } }
  const ended = task(offer, 'away', { command: { value: untilEnd('away', 3) } })
  const operations = [
    {
      type: 'LAUNCH',
      launch: { task_infos: [task(offer, 'c'), ended, task(offer, 'x', { executor: own })] },
    },
    { type: 'LAUNCH_GROUP', launch_group: group },
  ] as const
  t.is(await scheduler.call({ type: 'ACCEPT', accept: { offer_ids: [offer.id], operations } }), 202)
  const all = ['c', 'away', 'x', 'g1', 'g2']
  for (const id of all) await scheduler.reached(id, 'TASK_RUNNING')
  const before = Object.fromEntries(all.map((id) => [id, statesOf(scheduler, id)]))
  const pids = await Promise.all(all.map(world.pidOf))
  await killed(first)
  world.touch('away', 'end')
  world.touch('x', 'end-x')
  await gone(pids[1]!)
  await world.startAgent()
  t.deepEqual(await agentIds(master), ids)
  const { message } = await scheduler.reached('away', 'TASK_FAILED')
  t.is(message, 'Command exited with status 3')
  // The executor kept what happened while no agent was there.
  await scheduler.reached('x', 'TASK_FINISHED')
  t.deepEqual(
    [0, 2, 3, 4].map((index) => runs(pids[index]!)),
    [true, true, true, true],
  )
  for (const id of ['c', 'g1', 'g2']) t.deepEqual(statesOf(scheduler, id), before[id])
  for (const id of ['c', 'g1', 'g2']) world.touch(id, 'end')
  for (const id of ['c', 'g1', 'g2']) await scheduler.reached(id, 'TASK_FINISHED')
  for (const id of all) {
    t.deepEqual(
      statesOf(scheduler, id).slice(before[id]!.length),
      [id === 'away' ? 'TASK_FAILED' : 'TASK_FINISHED'],
      id,
    )
  }
  t.true(readFileSync(join(sandboxOf(world.workDir, 'c')!, 'stdout'), 'utf8').endsWith('bye\n'))
})

test.serial(
  'agent and launcher killed together: tasks run on; of one that ended meanwhile nobody knows how',
  async (t) => {
    const world = await openWorld(t)
    const { scheduler } = world
    const first = await world.startAgent()
    const offer = await scheduler.offer()
    await scheduler.launch(offer, [task(offer, 'stays'), task(offer, 'ends')])
    for (const id of ['stays', 'ends']) await scheduler.reached(id, 'TASK_RUNNING')
    const [stays, ends] = [await world.pidOf('stays'), await world.pidOf('ends')]
    const launcher = launcherOf(stays)
    await killed(first)
    process.kill(launcher, 'SIGKILL')
    await gone(launcher)
    world.touch('ends', 'end')
    await gone(ends)
    await world.startAgent()
    const status = await scheduler.reached('ends', 'TASK_FAILED')
    t.truthy(status.message)
    t.true(runs(stays))
    t.deepEqual(statesOf(scheduler, 'stays'), ['TASK_STARTING', 'TASK_RUNNING'])
    await scheduler.call({ type: 'KILL', kill: { task_id: { value: 'stays' } } })
    await scheduler.reached('stays', 'TASK_KILLED')
    await gone(stays)
  },
)

test.serial('a launcher that is killed under a living agent harms no task', async (t) => {
  const world = await openWorld(t)
  const { scheduler } = world
  await world.startAgent()
  const offer = await scheduler.offer()
  await scheduler.launch(offer, [task(offer, 't')])
  await scheduler.reached('t', 'TASK_RUNNING')
  const pid = await world.pidOf('t')
  const launcher = launcherOf(pid)
  process.kill(launcher, 'SIGKILL')
  await gone(launcher)
  // A second one is launched by the next launcher.
  let second = offer
  await until('the next offer', async () => {
    second = await scheduler.offer()
    return second.id.value !== offer.id.value
  })
  await scheduler.launch(second, [task(second, 'u')])
  await scheduler.reached('u', 'TASK_RUNNING')
  t.true(runs(pid))
  await scheduler.call({ type: 'KILL', kill: { task_id: { value: 't' } } })
  await scheduler.reached('t', 'TASK_KILLED')
  await gone(pid)
  t.deepEqual(statesOf(scheduler, 'u'), ['TASK_STARTING', 'TASK_RUNNING'])
})

test.serial('updates that were not acknowledged come again in order', async (t) => {
  const world = await openWorld(t)
  const { scheduler } = world
  scheduler.isAcknowledging = false
  const first = await world.startAgent()
  const offer = await scheduler.offer()
  await scheduler.launch(offer, [task(offer, 't', { command: { value: 'exit 5' } })])
  const starting = await scheduler.reached('t', 'TASK_STARTING')
  await until('the end of the task at the agent', async () => {
    const state = (await getJson(world.master, '/tasks')) as { tasks: { state: string }[] }
    return state.tasks.some(({ state }) => state !== 'TASK_STAGING')
  })
  await killed(first)
  const told = scheduler.updates.length
  await world.startAgent()
  await until('the first update again', () => scheduler.updates.length > told)
  t.deepEqual(scheduler.updates.at(-1)?.uuid, starting.uuid)
  scheduler.acknowledge(starting)
  scheduler.acknowledge(await scheduler.reached('t', 'TASK_RUNNING'))
  scheduler.acknowledge(await scheduler.reached('t', 'TASK_FAILED'))
  const states = statesOf(scheduler, 't')
  t.deepEqual(states, ['TASK_STARTING', 'TASK_RUNNING', 'TASK_FAILED'])
})

test.serial('tasks of a framework without checkpoint end with their agent and are told as lost', async (t) => {
  const world = await openWorld(t, { checkpoint: false })
  const { scheduler } = world
  const first = await world.startAgent()
  const ids = await agentIds(world.master)
  const offer = await scheduler.offer()
  await scheduler.launch(offer, [task(offer, 't')])
  await scheduler.reached('t', 'TASK_RUNNING')
  const pid = await world.pidOf('t')
  await killed(first)
  await gone(pid)
  await world.startAgent()
  await scheduler.reached('t', 'TASK_LOST')
  t.deepEqual(await agentIds(world.master), ids)
})

test.serial('SIGTERM leaves the tasks to the next start, SIGUSR1 takes leave for good', async (t) => {
  const world = await openWorld(t)
  const { scheduler } = world
  const first = await world.startAgent()
  const ids = await agentIds(world.master)
  const offer = await scheduler.offer()
  await scheduler.launch(offer, [task(offer, 't')])
  await scheduler.reached('t', 'TASK_RUNNING')
  const pid = await world.pidOf('t')
  first.child.kill('SIGTERM')
  t.is(await first.ended, 0)
  t.true(runs(pid))
  const second = await world.startAgent()
  t.deepEqual(await agentIds(world.master), ids)
  t.true(runs(pid))
  second.child.kill('SIGUSR1')
  t.is(await second.ended, 0)
  t.false(runs(pid))
  await until('the news that the agent is gone', () => statesOf(scheduler, 't').length > 2)
  await world.startAgent()
  const [id] = await agentIds(world.master)
  t.false(ids.includes(id!))
})

test.serial('--recover=cleanup ends what the last start left, and then itself', async (t) => {
  const world = await openWorld(t)
  const { scheduler } = world
  const first = await world.startAgent()
  const offer = await scheduler.offer()
  await scheduler.launch(offer, [task(offer, 't')])
  await scheduler.reached('t', 'TASK_RUNNING')
  const pid = await world.pidOf('t')
  await killed(first)
  t.true(runs(pid))
  const flags = first.child.spawnargs.slice(first.child.spawnargs.indexOf('agent'))
  const cleaner = isthmus(t, [...flags, '--recover=cleanup'])
  t.is(await cleaner.ended, 0)
  t.false(runs(pid))
})
