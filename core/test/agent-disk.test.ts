// What an agent's start makes of its work_dir: gone on with, refused, or gone on without.

import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { sandboxPath } from '../src/io/disk/paths.ts'
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

async function agentIds(master: Endpoint): Promise<string[]> {
  const { slaves } = (await getJson(master, '/slaves')) as { slaves: { id: string }[] }
  return slaves.map(({ id }) => id)
}

test('an agent keeps its id until it is ended for good; a work_dir is for one, and only with what it had', async (t) => {
  const here = await place(t)
  const first = startAgent(t, here)
  await first.said(/^ready /m)
  const id = idIn(here)
  t.deepEqual(await agentIds(here.master), [id])

  const second = startAgent(t, here)
  t.is(await second.ended, 1)
  t.regex(second.stderr(), /another agent uses the work_dir .*: it has locked .*\/meta\/agent\.lock/)

  first.child.kill('SIGTERM')
  t.is(await first.ended, 0)
  const less = startAgent(t, here, '--resources=cpus:1;mem:512;disk:64;ports:[31000-31009]')
  t.is(await less.ended, 1)
  t.regex(less.stderr(), /not as it was when it ran last, as .*: resources are missing: cpus:1\. Either/)
  const more = ['--resources=cpus:3;mem:512;disk:64;ports:[31000-31009]', '--attributes=rack:r1']
  const third = startAgent(t, here, ...more, '--reconfiguration_policy=additive')
  await third.said(/^ready /m)
  t.is(idIn(here), id)
  t.deepEqual(await agentIds(here.master), [id])

  third.child.kill('SIGUSR1')
  t.is(await third.ended, 0)
  t.throws(() => idIn(here))
  await startAgent(t, here).said(/^ready /m)
  t.not(idIn(here), id)
})

test('a damaged journal refuses the start by file and offset; --no-strict goes on and keeps it aside', async (t) => {
  const here = await place(t)
  const first = startAgent(t, here)
  await first.said(/^ready /m)
  first.child.kill('SIGKILL')
  await first.ended
  const folder = join(here.workDir, 'meta/agents', idIn(here))
  const journal = readdirSync(folder).find((name) => name.startsWith('journal-'))!
  const path = join(folder, journal)
  const damaged = readFileSync(path)
  damaged[20]! ^= 1
  writeFileSync(path, damaged)

  const strict = startAgent(t, here)
  t.is(await strict.ended, 1)
  t.true(strict.stderr().includes(`what this agent must remember cannot be read: ${path}: byte `), strict.stderr())
  t.regex(strict.stderr(), /the checksum of the header is \d+ instead of \d+ .*Nothing was changed\. .*--no-strict/)
  t.deepEqual(readFileSync(path), damaged)

  const lenient = startAgent(t, here, '--no-strict')
  const [, url = ''] = await lenient.said(/^ready (\S+)\n/m)
  t.deepEqual(readFileSync(`${path}.damaged`), damaged)
  const metrics = (await getJson(parseEndpoint(url)!, '/metrics/snapshot')) as Record<string, number>
  t.is(metrics['slave/recovery_errors'], 1)
  t.true(metrics['slave/recovery_time_secs']! > 0)
})

test('--recover=cleanup ends what still runs, then the agent; the next start is a new one', async (t) => {
  const here = await place(t)
  const first = startAgent(t, here)
  await first.said(/^ready /m)
  const id = idIn(here)
  const scheduler = new PlainScheduler(here.master)
  t.teardown(() => scheduler.close())
  scheduler.subscribe({ checkpoint: true, failover_timeout: 3_600 })
  const offer = await scheduler.offer()
  const command = { value: 'echo $$ > pid; exec sleep 987' }
  const resources = scalars({ cpus: 0.1, mem: 32 })
  await scheduler.launch(offer, [{ name: 't', task_id: { value: 't' }, agent_id: offer.agent_id, resources, command }])
  const { container_status } = await scheduler.reached('t', 'TASK_RUNNING')
  const ids = { agentId: id, frameworkId: scheduler.frameworkId, executorId: 't' }
  const containerId = container_status!.container_id!.value
  const pidPath = join(sandboxPath(here.workDir, { ...ids, containerId }), 'pid')
  await until('the pid', () => existsSync(pidPath) && readFileSync(pidPath, 'utf8').endsWith('\n'))
  const pid = readFileSync(pidPath, 'utf8').trim()
  first.child.kill('SIGKILL')
  await first.ended
  t.true(existsSync(`/proc/${pid}`))

  const cleaner = startAgent(t, here, '--recover=cleanup')
  t.is(await cleaner.ended, 0, cleaner.stderr())
  t.false(existsSync(`/proc/${pid}`))
  t.throws(() => idIn(here))
})
