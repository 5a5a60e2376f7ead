// One Spark job, and beside it everything it rests on is killed in turn: the bridge, the leading master, the active
// ResourceManager, bridge and master at once, an agent. The job ends well, no NodeManager is lost or doubled, and YARN is told just what is held.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { areBooksRight, type NodeRow, nodeRows } from '../src/chaos/yarn-books.ts'
import { type Server, startYarnCluster, type YarnCluster } from '../src/chaos/yarn-cluster.ts'
import { getJson } from '../src/hadoop/daemon.ts'
import { bringHadoop, type HadoopDistribution } from '../src/hadoop/distribution.ts'
import { type SparkSubmission, submitSpark } from '../src/hadoop/spark.ts'
import { makeRunDir } from './run-dir.ts'

const SLICES = 200
const POINTS = 10_000_000
/** Known, since each slice has its own seed. */
const INSIDE = 1_570_784_842

const run = makeRunDir('yarn-failover')
const answerFile = join(run.path, 'pi.json')
let distribution: HadoopDistribution
let cluster: YarnCluster
let job: SparkSubmission
let hasJobEnded = false
/** What ran when the job had all it asked for. */
let before: { readonly ids: readonly string[]; readonly pids: readonly number[] }

test.before(async () => {
  distribution = await bringHadoop({ log: () => {} })
  cluster = await startYarnCluster({
    distribution,
    runDir: join(run.path, 'cluster'),
    agentCount: 2,
    agentResources: 'cpus:1.5;mem:3072;disk:4096;ports:[31000-31999]',
    bridgeFlags: ['--quiet_seconds=300', '--node_memory_mb=1024', '--node_vcores=1', '--sample_interval_ms=300'],
  })
})

test.after.always(async () => {
  await job?.stop()
  await cluster?.stop()
  run.remove()
})

test.serial('a job gets its containers from a pair of ResourceManagers', async (t) => {
  job = submitSpark({
    distribution,
    runDir: join(run.path, 'pi'),
    hadoopConfDir: cluster.pair.confDir,
    mainClass: 'isthmus.Pi',
    args: [answerFile, String(SLICES), String(POINTS)],
    executors: 1,
  })
  void job.finished.then(() => {
    hasJobEnded = true
  })
  await nodesWhen((rows) => rows.reduce((sum, { containers = 0 }) => sum + containers, 0) >= 2)
  await whenRight()
  before = { ids: await nodeIds(), pids: cluster.nodeManagerPids() }
  t.is(before.ids.length, before.pids.length)
})

test.serial('the bridge is killed and started again', async (t) => {
  await disturb(t, 'bridge', async () => {
    await cluster.bridge.kill()
    cluster.bridge.start()
    await nodesWhen((rows) => rows.length === before.ids.length)
  })
  await until(() => tells('FOUND_AGAIN'))
})

test.serial('the leading master is killed', async (t) => {
  await disturb(t, 'master', async () => {
    await killLeader()
  })
})

test.serial('the active ResourceManager is killed', async (t) => {
  const active = (await cluster.pair.active()) ?? 0
  await disturb(t, 'ResourceManager', async () => {
    await cluster.pair.kill(active)
    await until(async () => (await cluster.pair.active()) === 1 - active)
  })
  await until(() => tells('RM_CHANGED'))
})

test.serial('bridge and leading master are killed at once', async (t) => {
  await disturb(t, 'bridge and master', async () => {
    await cluster.bridge.kill()
    await killLeader()
    cluster.bridge.start()
    await nodesWhen((rows) => rows.length === before.ids.length)
  })
})

test.serial('an agent is killed and started again', async (t) => {
  const [agent] = cluster.agents
  await disturb(t, 'agent', async () => {
    await agent?.crash()
    await until(async () => (await metrics(agent?.host ?? '', agent?.port ?? 0))['slave/registered'] === 1)
  })
})

test.serial('the job ends with the right answer', async (t) => {
  const { exitCode } = await job.finished
  t.is(exitCode, 0, readFileSync(job.outputFile, 'utf8').slice(-4_000))
  t.like(JSON.parse(readFileSync(answerFile, 'utf8')), { points: SLICES * POINTS, inside: INSIDE })
})

test.serial('what all of them took over is still theirs to end', async (t) => {
  t.is((await fetch(`${cluster.bridgeUrl}/api/framework/shutdown/framework`, { method: 'POST' })).status, 200)
  await until(async () => cluster.nodeManagerPids().length === 0)
  const leader = await cluster.leader()
  await until(async () => (await metrics('127.0.0.1', leader?.port ?? 0))['master/mem_used'] === 0)
  t.pass()
})

/** Does something terrible, waits until everything is as it was, and checks that. */
async function disturb(t: ExecutionContext, what: string, harm: () => Promise<void>): Promise<void> {
  // The job is long enough for all of it on any machine known; on a faster one less is shown, and nothing is wrong.
  if (hasJobEnded) t.log('the job had ended before')
  const started = performance.now()
  await harm()
  await whenRight()
  t.log(`${what}: capacity is right after ${Math.round(performance.now() - started)} ms`)
  t.deepEqual(await nodeIds(), before.ids)
  t.deepEqual(cluster.nodeManagerPids(), before.pids)
}

async function killLeader(): Promise<Server> {
  const leader = (await cluster.leader()) as Server
  await leader.kill()
  await until(async () => {
    const next = await cluster.leader()
    return next !== undefined && next !== leader
  })
  leader.start()
  return leader
}

async function metrics(host: string, port: number): Promise<Readonly<Record<string, number>>> {
  return (await getJson(`http://${host}:${port}/metrics/snapshot`)) as Record<string, number>
}

/** Waits until the books of master, bridge and YARN agree. */
async function whenRight(): Promise<void> {
  await until(() => areBooksRight(cluster))
}

async function nodeIds(): Promise<readonly string[]> {
  return (await nodeRows(cluster)).map(({ id }) => id).sort()
}

async function nodesWhen(holds: (rows: readonly NodeRow[]) => boolean): Promise<void> {
  await until(async () => holds(await nodeRows(cluster)))
}

/** Says whether the bridge's history has a line with this code. */
async function tells(code: string): Promise<boolean> {
  const page = (await getJson(`${cluster.bridgeUrl}/v1/decisions`)) as { decisions: { reason: { code: string } }[] }
  return page.decisions.some(({ reason }) => reason.code === code)
}

/** Bounded by the test's own timeout; a question that is not answered does not hold. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds().catch(() => false))) await delay(100)
}
