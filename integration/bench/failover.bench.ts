// From SIGKILL of the leading master to the first offer of the next one: three masters on three ZooKeeper servers, one agent, one
// framework.
//
// Expected: the servers of ZooKeeper drop the dead leader's node when its session times out (2 s here, which they look at every
// tick of 0.5 s); then the next master reads the registry (milliseconds), the agent registers again after a random pause of up
// to 1 s and the framework after 0.25 s. So session timeout + 2 s at most, as a rule less.

import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createFramework } from '@isthmus/core/framework/framework'
import { FrameworkRunner } from '@isthmus/core/io/runtime/framework-runner'
import { parseMasterAddress } from '@isthmus/core/io/runtime/master-finder'
import { bringZooKeeper } from '../src/hadoop/distribution.ts'
import { type GuardedProcess, startGuarded } from '../src/hadoop/guarded-process.ts'
import { findFreePorts } from '../src/hadoop/ports.ts'
import { startEnsemble } from '../src/zookeeper/ensemble.ts'
import { makeRunDir } from '../test/run-dir.ts'

const CLI = fileURLToPath(new URL('../../core/bin/isthmus.mjs', import.meta.url))
const HOST = '127.0.0.1'
const ROUNDS = 5
const SESSION_MS = 2_000
const PATIENCE_MS = 60_000
const POLL_MS = 20
const STOP_MS = 10_000

const run = makeRunDir('failover')
const started: GuardedProcess[] = []
const distribution = await bringZooKeeper({ log: () => {} })
const ensemble = await startEnsemble({ distribution, runDir: run.path, count: 3 })
const zk = `zk://${ensemble.servers}/isthmus`
const ports = await findFreePorts(HOST, 3)
const masters = new Map<number, GuardedProcess>()
let offeredAtMs = 0
const timesMs: number[] = []
try {
  for (const port of ports) masters.set(port, startMaster(port))
  start('agent', [
    'agent',
    `--master=${zk}`,
    `--ip=${HOST}`,
    '--port=0',
    '--resources=cpus:1;mem:64',
    `--work_dir=${join(run.path, 'agent')}`,
  ])
  const framework = subscribe()
  await until(() => offeredAtMs > 0)
  for (let round = 0; round < ROUNDS; round += 1) {
    const leader = await whoLeads()
    const killedAtMs = performance.now()
    await masters.get(leader)?.kill()
    await until(() => offeredAtMs > killedAtMs)
    timesMs.push(offeredAtMs - killedAtMs)
    masters.set(leader, startMaster(leader))
    await until(async () => (await elected(leader)) === 0)
  }
  framework.stop()
} finally {
  await Promise.all(started.map((process) => process.stop(STOP_MS)))
  await ensemble.stop()
  run.remove()
}
const sorted = [...timesMs].sort((a, b) => a - b).map(Math.round)
process.stdout.write(
  `${JSON.stringify({ name: 'leader killed to first offer of the next', sessionTimeoutMs: SESSION_MS, rounds: ROUNDS, medianMs: sorted[Math.floor(ROUNDS / 2)], maxMs: sorted.at(-1), timesMs: sorted, node: process.version })}\n`,
)

function subscribe(): FrameworkRunner {
  const address = parseMasterAddress(zk)
  if (!address.ok) throw new Error(address.rejection.message)
  const runner = new FrameworkRunner({
    state: createFramework({
      info: {
        name: 'watch',
        user: 'root',
        roles: ['*'],
        failover_timeout: 600,
        capabilities: [{ type: 'MULTI_ROLE' }],
      },
    }),
    master: address.value,
    noticed: (notice) => {
      if (notice.kind === 'offersReceived') offeredAtMs = performance.now()
    },
    crash: (error) => {
      throw error
    },
  })
  runner.start()
  return runner
}

function startMaster(port: number): GuardedProcess {
  const flags = [`--ip=${HOST}`, `--port=${port}`, `--zk=${zk}`, `--zk_session_timeout=${SESSION_MS}ms`]
  return start(`master-${port}`, ['master', ...flags])
}

function start(name: string, args: readonly string[]): GuardedProcess {
  const program = startGuarded({
    command: process.execPath,
    args: ['--conditions=source', CLI, ...args],
    env: process.env,
    cwd: run.path,
    outputFile: join(run.path, `${name}.log`),
  })
  started.push(program)
  return program
}

async function whoLeads(): Promise<number> {
  let leader: number | undefined
  await until(async () => {
    for (const port of ports) if ((await elected(port)) === 1) leader = port
    return leader !== undefined
  })
  return leader ?? 0
}

async function elected(port: number): Promise<number | undefined> {
  try {
    const answer = await fetch(`http://${HOST}:${port}/metrics/snapshot`, { signal: AbortSignal.timeout(2_000) })
    return ((await answer.json()) as Record<string, number>)['master/elected']
  } catch {
    return undefined
  }
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const giveUpAt = performance.now() + PATIENCE_MS; performance.now() < giveUpAt; await delay(POLL_MS)) {
    if (await holds()) return
  }
  throw new Error(`not within ${PATIENCE_MS} ms`)
}
