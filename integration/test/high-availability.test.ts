// Three masters on three real ZooKeeper servers: one leads, the others redirect; any of them may be killed.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { SchedulerClient } from '@isthmus/core/io/http/scheduler-client'
import type { FrameworkID, Offer, TaskInfo } from '@isthmus/proto/gen/mesos'
import type { Call } from '@isthmus/proto/gen/scheduler'
import test from 'ava'
import { bringZooKeeper } from '../src/hadoop/distribution.ts'
import { type GuardedProcess, lastLines, startGuarded } from '../src/hadoop/guarded-process.ts'
import { findFreePorts } from '../src/hadoop/ports.ts'
import { findTree } from '../src/hadoop/process-tree.ts'
import { type Ensemble, startEnsemble } from '../src/zookeeper/ensemble.ts'
import { makeRunDir } from './run-dir.ts'

const CLI = fileURLToPath(new URL('../../core/bin/isthmus.mjs', import.meta.url))
const SESSION = '2secs'
const STOP_MS = 10_000
const MASTERS = 3

interface Master {
  readonly port: number
  process: GuardedProcess
}

const run = makeRunDir('ha')
const started: GuardedProcess[] = []
const masters: Master[] = []
let ensemble: Ensemble
let zk = ''

test.before(async () => {
  const distribution = await bringZooKeeper({ log: () => {} })
  ensemble = await startEnsemble({ distribution, runDir: run.path, count: 3 })
  zk = `zk://me:secret@${ensemble.servers}/made/isthmus`
  const ports = await findFreePorts('127.0.0.1', MASTERS)
  for (const port of ports) masters.push({ port, process: startMaster(port) })
})

test.after.always(async () => {
  await Promise.all(started.map((process) => process.stop(STOP_MS)))
  await ensemble?.stop()
  run.remove()
})

test.serial('one of three masters leads, the others redirect to it', async (t) => {
  const leader = await whenLed()
  const others = masters.filter((master) => master !== leader)
  await until(async () => {
    const answers = await Promise.all(
      others.map(({ port }) =>
        fetch(`http://127.0.0.1:${port}/redirect`, { redirect: 'manual' }).catch(() => undefined),
      ),
    )
    return answers.every((answer) => answer?.status === 307)
  })
  for (const other of others) {
    const state = await fetch(`http://127.0.0.1:${other.port}/state?x=1`, { redirect: 'manual' })
    t.is(state.status, 307)
    t.is(state.headers.get('location'), `//127.0.0.1:${leader.port}/state?x=1`)
    const call = await fetch(`http://127.0.0.1:${other.port}/api/v1/scheduler`, { method: 'POST', redirect: 'manual' })
    t.is(call.headers.get('location'), `//127.0.0.1:${leader.port}/api/v1/scheduler`)
    t.is((await fetch(`http://127.0.0.1:${other.port}/health`)).status, 200)
    t.is((await metrics(other.port))['master/elected'], 0)
  }
  const flags = (await (await fetch(`http://127.0.0.1:${leader.port}/flags`)).json()) as { flags: { zk: string } }
  t.is(flags.flags.zk, zk.replace('secret', '***'))
})

test.serial('a task outlives the leader, and what was promised is there at the next', async (t) => {
  const first = await whenLed()
  const weight = await operator(first.port, {
    type: 'UPDATE_WEIGHTS',
    update_weights: { weight_infos: [{ role: 'team', weight: 3 }] },
  })
  t.is(weight.status, 200)
  start('agent', [
    'agent',
    `--master=${zk}`,
    '--ip=127.0.0.1',
    '--port=0',
    '--resources=cpus:2;mem:512;disk:100',
    `--zk_session_timeout=${SESSION}`,
    `--work_dir=${join(run.path, 'agent')}`,
  ])
  const flag = join(run.path, 'go-on')
  const task = start('run', [
    'run',
    `--master=${zk}`,
    '--',
    'sh',
    '-c',
    `echo begun; until [ -e ${flag} ]; do sleep 0.1; done; echo done`,
  ])
  await until(() => readFileSync(task.outputFile, 'utf8').includes('begun'))
  await first.process.kill()
  const second = await whenLed(first)
  t.not(second, first)
  await until(async () => (await metrics(second.port))['master/tasks_running'] === 1)
  const weights = (await (await operator(second.port, { type: 'GET_WEIGHTS' })).json()) as {
    get_weights: { weight_infos: { role: string; weight: number }[] }
  }
  t.deepEqual(weights.get_weights.weight_infos, [{ role: 'team', weight: 3 }])
  writeFileSync(flag, '')
  const { code } = await task.exited
  t.is(code, 0, lastLines(task.outputFile, 20))
  t.true(readFileSync(task.outputFile, 'utf8').includes('done'))
  t.true(existsSync(flag))
})

test.serial('a leader that was stopped and woken promises nothing, launches nothing, and ends', async (t) => {
  const leader = await whenLed()
  const framework = await subscribeTo(leader)
  const [offer] = await framework.offers
  const stopped = findTree({ roots: [(await leader.process.pid) ?? 0] })
  for (const pid of stopped) process.kill(pid, 'SIGSTOP')
  const next = await whenLed(leader)
  t.not(next, leader)
  const before = await agents(next.port)
  // All of this waits in the sockets of the leader that was, and is read before its timers run.
  const weights = { weight_infos: [{ role: 'late', weight: 7 }] }
  const promise = operator(leader.port, { type: 'UPDATE_WEIGHTS', update_weights: weights }).then(
    ({ status }) => status,
    () => 'no answer',
  )
  const trace = join(run.path, 'launched-by-a-leader-that-was')
  const launch = framework.launch(offer as Offer, `touch ${trace}`)
  await delay(300)
  for (const pid of stopped) process.kill(pid, 'SIGCONT')
  const { code } = await leader.process.exited
  t.is(code, 1)
  t.regex(readFileSync(leader.process.outputFile, 'utf8'), /leadership lost/)
  t.not(await promise, 200)
  t.is(await launch, 'no answer')
  framework.close()
  t.is(await agents(next.port), before)
  const { get_weights } = (await (await operator(next.port, { type: 'GET_WEIGHTS' })).json()) as {
    get_weights: { weight_infos: { role: string }[] }
  }
  t.false(get_weights.weight_infos.some(({ role }) => role === 'late'))
  t.is((await metrics(next.port))['master/tasks_running'], 0)
  t.false(existsSync(trace))
  leader.process = startMaster(leader.port)
})

test.serial('a server of ZooKeeper may die without anyone noticing', async (t) => {
  const leader = await whenLed()
  await ensemble.kill(0)
  await delay(3_000)
  t.is((await metrics(leader.port))['master/elected'], 1)
  await ensemble.restart(0)
})

/** A framework that talks to this master and follows no other. */
async function subscribeTo({ port }: Master): Promise<{
  readonly offers: Promise<readonly Offer[]>
  readonly launch: (offer: Offer, command: string) => Promise<string>
  readonly close: () => void
}> {
  const client = new SchedulerClient({ master: { host: '127.0.0.1', port } })
  const info = { name: 'faithful', user: 'root', roles: ['*'], capabilities: [{ type: 'MULTI_ROLE' as const }] }
  let frameworkId: FrameworkID | undefined
  const offers = new Promise<readonly Offer[]>((resolve, reject) => {
    client.subscribe(
      { type: 'SUBSCRIBE', subscribe: { framework_info: info } },
      {
        opened: () => {},
        event: (event) => {
          if (event.subscribed !== undefined) frameworkId = event.subscribed.framework_id
          if (event.offers !== undefined) resolve(event.offers.offers ?? [])
        },
        closed: reject,
      },
    )
  })
  await offers
  // The connection of later calls is there when they are made: what comes over it is the first that a woken process reads.
  await client.send({ type: 'REVIVE', framework_id: frameworkId })
  const launch = async ({ id, agent_id }: Offer, command: string): Promise<string> => {
    const resources = [{ name: 'cpus', type: 'SCALAR' as const, scalar: { value: 0.1 } }]
    const task: TaskInfo = { name: 't', task_id: { value: 'late' }, agent_id, resources, command: { value: command } }
    const operations = [{ type: 'LAUNCH' as const, launch: { task_infos: [task] } }]
    const call: Call = { type: 'ACCEPT', framework_id: frameworkId, accept: { offer_ids: [id], operations } }
    return await client.send(call).then(
      ({ status }) => String(status),
      () => 'no answer',
    )
  }
  return { offers, launch, close: () => client.close() }
}

function startMaster(port: number): GuardedProcess {
  return start(`master-${port}`, [
    'master',
    '--ip=127.0.0.1',
    `--port=${port}`,
    `--zk=${zk}`,
    `--zk_session_timeout=${SESSION}`,
    '--agent_reregister_timeout=10mins',
  ])
}

function start(name: string, args: readonly string[]): GuardedProcess {
  const process_ = startGuarded({
    command: process.execPath,
    args: ['--conditions=source', CLI, ...args],
    env: process.env,
    cwd: run.path,
    outputFile: join(run.path, `${name}.log`),
  })
  started.push(process_)
  return process_
}

/** The master that leads and answers, other than `before`. */
async function whenLed(before?: Master): Promise<Master> {
  let leader: Master | undefined
  await until(async () => {
    for (const master of masters) {
      if (master === before) continue
      const elected = (await metrics(master.port).catch(() => undefined))?.['master/elected']
      if (elected === 1) leader = master
    }
    return leader !== undefined
  })
  return leader as Master
}

async function metrics(port: number): Promise<Readonly<Record<string, number>>> {
  const answer = await fetch(`http://127.0.0.1:${port}/metrics/snapshot`, { signal: AbortSignal.timeout(2_000) })
  return (await answer.json()) as Record<string, number>
}

async function agents(port: number): Promise<number> {
  await until(async () => ((await metrics(port))['master/slaves_active'] ?? 0) > 0)
  return (await metrics(port))['master/slaves_active'] ?? 0
}

function operator(port: number, call: unknown): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}/api/v1`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
    body: JSON.stringify(call),
  })
}

/** Bounded by the test's own timeout. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await delay(100)
}
