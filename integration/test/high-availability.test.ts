// Three masters on three real ZooKeeper servers: one leads, the others redirect; any of them may be killed.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { SchedulerClient } from '@isthmus/core/io/http/scheduler-client'
import { IoError } from '@isthmus/core/io/io-error'
import { ZooKeeperSession } from '@isthmus/core/io/zookeeper/session'
import { parseZooKeeperUrl } from '@isthmus/core/io/zookeeper/url'
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

test.serial('every call that is for the leader is redirected by the others, with its path and query', async (t) => {
  const leader = await whenLed()
  const [other] = masters.filter((master) => master !== leader)
  const calls = ['/api/v1', '/api/v1/scheduler', '/api/isthmus/v1/agent', '/machine/down', '/teardown', '/reserve']
  const pages = ['/weights', '/quota', '/frameworks', '/slaves', '/tasks?limit=3', '/maintenance/schedule', '/explain']
  for (const path of [...calls, ...pages]) {
    const sent = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' }
    const { status, headers } = await fetch(`http://127.0.0.1:${other?.port}${path}`, {
      redirect: 'manual',
      ...(calls.includes(path) ? sent : {}),
    })
    t.is(`${status} ${headers.get('location')}`, `307 //127.0.0.1:${leader.port}${path}`)
  }
})

test.serial(
  'clients of Mesos find the leader in ZooKeeper, and nobody else changes or reads what masters keep',
  async (t) => {
    const leader = await whenLed()
    const url = parseZooKeeperUrl(zk)
    if (!url.ok) return t.fail(url.rejection.message)
    const { servers, path } = url.value
    for (const auth of [undefined, { user: 'me', password: 'guessed' }]) {
      const outsider = new ZooKeeperSession({ url: { servers, auth }, timeoutMs: 5_000, lost: () => {} })
      await outsider.connect()
      const nodes = [...((await outsider.children(path)) ?? [])]
        .filter((name) => /^json\.info_\d{10}$/.test(name))
        .sort()
      t.is(nodes.length, MASTERS)
      const found = await outsider.get(`${path}/${nodes[0]}`)
      const { address, ...info } = JSON.parse(Buffer.from(found?.data ?? []).toString()) as Record<string, unknown>
      t.deepEqual(address, { hostname: '127.0.0.1', ip: '127.0.0.1', port: leader.port })
      t.is(info.pid, `master@127.0.0.1:${leader.port}`)
      t.deepEqual([info.ip, info.port, info.hostname], [16_777_343, leader.port, '127.0.0.1'])
      t.is(typeof info.id, 'string')
      const refused = { instanceOf: IoError, code: 'REFUSED' }
      await t.throwsAsync(outsider.get(`${path}/registry`), refused)
      await t.throwsAsync(outsider.remove(`${path}/${nodes[0]}`), refused)
      await t.throwsAsync(outsider.createEphemeral(`${path}/json.info_`, Buffer.from('{}')), refused)
      const data = Buffer.from('mine')
      for (const node of [`${path}/${nodes[0]}`, `${path}/registry`]) {
        await t.throwsAsync(outsider.change([{ kind: 'set', path: node, data, version: -1 }]), refused)
      }
      outsider.close()
    }
  },
)

for (const { title, zkOf, pattern } of [
  {
    title: 'with a wrong password',
    zkOf: () => zk.replace('me:secret', 'me:guessed'),
    pattern: /cannot contend for leadership.*ZooKeeper cannot create \/made\/isthmus\/json\.info_.*NO_AUTH.*password/,
  },
  {
    title: 'without any server of ZooKeeper',
    zkOf: () => 'zk://127.0.0.1:1/isthmus',
    pattern: /cannot contend for leadership.*no ZooKeeper server of 127\.0\.0\.1:1 answered within 2000 ms/,
  },
]) {
  test.serial(`a master ${title} says so, answers 503, and tries again`, async (t) => {
    const [port = 0] = await findFreePorts('127.0.0.1', 1)
    const master = startMaster(port, zkOf())
    const said = (): string[] =>
      readFileSync(master.outputFile, 'utf8')
        .split('\n')
        .filter((line) => pattern.test(line))
    await until(() => said().length > 1)
    t.regex(readFileSync(master.outputFile, 'utf8'), pattern)
    t.notRegex(readFileSync(master.outputFile, 'utf8'), /guessed/)
    for (const path of ['/api/v1', '/api/v1/scheduler', '/redirect', '/state']) {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
        method: path.startsWith('/api') ? 'POST' : 'GET',
      })
      t.is(`${answer.status} ${await answer.text()}`, '503 No leader elected')
    }
    t.is((await master.stop(STOP_MS)).code, 0)
  })
}

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

test.serial('all servers of ZooKeeper may be replaced one after the other while the registry is written', async (t) => {
  let isDone = false
  const writing = (async () => {
    const written: string[] = []
    for (let number = 1; !isDone; number += 1) {
      const role = `rolling-${number}`
      const weights = { weight_infos: [{ role, weight: 2 }] }
      for (const { port } of masters) {
        const call = { type: 'UPDATE_WEIGHTS', update_weights: weights }
        const answer = await operator(port, call).catch(() => undefined)
        if (answer?.status === 200) written.push(role)
      }
      await delay(50)
    }
    return written
  })()
  for (const server of [0, 1, 2]) {
    await ensemble.kill(server)
    await ensemble.restart(server)
  }
  isDone = true
  const written = await writing
  t.true(written.length > 0)
  const { port } = await whenLed()
  const { get_weights } = (await (await operator(port, { type: 'GET_WEIGHTS' })).json()) as {
    get_weights: { weight_infos: { role: string }[] }
  }
  const roles = new Set(get_weights.weight_infos.map(({ role }) => role))
  t.deepEqual(
    written.filter((role) => !roles.has(role)),
    [],
  )
  await startEnded()
})

test.serial(
  'without ZooKeeper the leader ends and the others answer 503; when it is back one of them leads',
  async (t) => {
    const leader = await whenLed()
    const others = masters.filter((master) => master !== leader)
    await Promise.all([0, 1, 2].map((server) => ensemble.kill(server)))
    t.is((await leader.process.exited).code, 1)
    t.regex(readFileSync(leader.process.outputFile, 'utf8'), /leadership lost/)
    for (const { port } of others) {
      let answer = ''
      await until(async () => {
        const url = `http://127.0.0.1:${port}/api/v1/scheduler`
        // One that was started just now does not listen yet.
        const got = await fetch(url, { method: 'POST', redirect: 'manual' }).catch(() => undefined)
        answer = `${got?.status} ${await got?.text()}`
        return answer.startsWith('503')
      })
      t.is(answer, '503 No leader elected')
    }
    await Promise.all([0, 1, 2].map((server) => ensemble.restart(server)))
    t.true(others.includes(await whenLed(leader)))
    await startEnded()
  },
)

/** What a supervisor does. */
async function startEnded(): Promise<void> {
  for (const master of masters) {
    const ended = await Promise.race([master.process.exited, delay(0)])
    if (ended !== undefined) master.process = startMaster(master.port)
  }
}

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

function startMaster(port: number, url = zk): GuardedProcess {
  return start(`master-${port}`, [
    'master',
    '--ip=127.0.0.1',
    `--port=${port}`,
    `--zk=${url}`,
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
