// A disk that fills up under an agent.

import { spawnSync } from 'node:child_process'
import { readlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { TaskInfo } from '@isthmus/proto/gen/mesos'
import test, { type ExecutionContext } from 'ava'
import { type Endpoint, parseEndpoint } from '../src/io/http/client.ts'
import { getJson } from './cluster.ts'
import { PlainScheduler, scalars } from './plain-scheduler.ts'
import { isthmus, type Program, temporaryFolder, until } from './programs.ts'

async function startMaster(t: ExecutionContext): Promise<Endpoint> {
  const flags = ['--ip=127.0.0.1', '--port=0', '--allocation_interval=100ms']
  const program = isthmus(t, ['master', ...flags, `--work_dir=${temporaryFolder(t)}`])
  const [, url = ''] = await program.said(/^ready (\S+)\n/m)
  return parseEndpoint(url)!
}

interface Place {
  readonly master: Endpoint
  readonly workDir: string
  readonly runtimeDir: string
}

async function place(t: ExecutionContext): Promise<Place> {
  return { master: await startMaster(t), workDir: temporaryFolder(t), runtimeDir: temporaryFolder(t) }
}

function startAgent(t: ExecutionContext, { master, workDir, runtimeDir }: Place, ...flags: string[]): Program {
  return isthmus(t, [
    'agent',
    `--master=${master.host}:${master.port}`,
    '--ip=127.0.0.1',
    '--port=0',
    '--registration_backoff_factor=100ms',
    `--work_dir=${workDir}`,
    `--runtime_dir=${runtimeDir}`,
    '--resources=cpus:2;mem:512;disk:64;ports:[31000-31009]',
    ...flags,
  ])
}

function idIn({ workDir }: Place): string {
  return readlinkSync(join(workDir, 'meta/agents/latest'))
}

/** A file system of so many bytes below a folder, or why there is none. */
function smallDisk(t: ExecutionContext, folder: string, size: string): string | undefined {
  const { status, stderr, error } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder])
  if (status !== 0) return error?.message ?? stderr.toString().trim()
  t.teardown(() => spawnSync('umount', ['-l', folder]))
  return undefined
}

function heavyTask(agentId: string, id: string): TaskInfo {
  return {
    name: id,
    task_id: { value: id },
    agent_id: { value: agentId },
    resources: scalars({ cpus: 0.1, mem: 32 }),
    command: { value: 'exec sleep 987' },
    labels: { labels: [{ key: 'weight', value: 'x'.repeat(30_000) }] },
  }
}

test('a disk that is full ends the agent with its reason; when there is room all that was told is there', async (t) => {
  const here = await place(t)
  const why = smallDisk(t, here.workDir, '256k')
  if (why !== undefined) {
    t.log(`skipped: no small disk can be mounted here: ${why}`)
    t.pass()
    return
  }
  const agent = startAgent(t, here)
  await agent.said(/^ready /m)
  const agentId = idIn(here)
  const scheduler = new PlainScheduler(here.master)
  t.teardown(() => scheduler.close())
  scheduler.subscribe({ checkpoint: true, failover_timeout: 3_600 })
  let hasEnded = false
  void agent.ended.then(() => {
    hasEnded = true
  })
  for (let count = 0; !hasEnded; count++) {
    const seen = scheduler.events.length
    const task = heavyTask(agentId, `t${count}`)
    const offers = () => scheduler.events.slice(count === 0 ? 0 : seen).flatMap(({ offers }) => offers?.offers ?? [])
    await until('an offer', () => hasEnded || offers().length > 0)
    if (hasEnded) break
    await scheduler.launch(offers().at(-1)!, [task])
    await until('the task or the end', () => hasEnded || scheduler.statesOf(`t${count}`).length > 0)
  }
  t.is(await agent.ended, 1)
  t.regex(
    agent.stderr(),
    /what must not be forgotten cannot be written: the journal .*\/journal-\d+\.log cannot be written: ENOSPC/,
  )
  const running = [...new Set(scheduler.updates.map(({ task_id }) => task_id.value))]
  t.true(running.length > 1)
  t.true(
    running.every((id) =>
      scheduler.statesOf(id).every((state) => state === 'TASK_RUNNING' || state === 'TASK_STARTING'),
    ),
  )

  t.is(spawnSync('mount', ['-o', 'remount,size=64m', here.workDir]).status, 0)
  const next = startAgent(t, here)
  const [, url = ''] = await next.said(/^ready (\S+)\n/m)
  t.is(idIn(here), agentId)
  interface Page {
    readonly frameworks: {
      readonly executors: { readonly tasks: { readonly id: string; readonly state: string }[] }[]
    }[]
  }
  const { frameworks } = (await getJson(parseEndpoint(url)!, '/state')) as Page
  const tasks = frameworks.flatMap(({ executors }) => executors.flatMap(({ tasks }) => tasks))
  const states = new Map(tasks.map(({ id, state }) => [id, state]))
  for (const id of running) t.is(states.get(id), 'TASK_RUNNING', id)
  next.child.kill('SIGUSR1')
  t.is(await next.ended, 0)
  for (const id of running) await scheduler.reached(id, 'TASK_KILLED')
})
