// One Spark job, and beside it everything it rests on is killed in turn: the bridge, the leading master, the active
// ResourceManager, bridge and master at once. The job ends well, no NodeManager is lost or doubled, and YARN is told just what is held.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { type Server, startYarnCluster, type YarnCluster } from '../src/chaos/yarn-cluster.ts'
import { getJson } from '../src/hadoop/daemon.ts'
import { bringHadoop, type HadoopDistribution } from '../src/hadoop/distribution.ts'
import { type SparkSubmission, submitSpark } from '../src/hadoop/spark.ts'
import { makeRunDir } from './run-dir.ts'

interface NodeRow {
  readonly id: string
  readonly phase: string
  readonly held: { readonly memoryMb: number; readonly vcores: number }
  readonly advertised?: { readonly memoryMb: number; readonly vcores: number }
  readonly containers?: number
}

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
  t.true(await tells('FOUND_AGAIN'))
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
  t.true(await tells('RM_CHANGED'))
})

test.serial('bridge and leading master are killed at once', async (t) => {
  await disturb(t, 'bridge and master', async () => {
    await cluster.bridge.kill()
    await killLeader()
    cluster.bridge.start()
    await nodesWhen((rows) => rows.length === before.ids.length)
  })
})

test.serial('the job ends with the right answer', async (t) => {
  const { exitCode } = await job.finished
  t.is(exitCode, 0, readFileSync(job.outputFile, 'utf8').slice(-4_000))
  t.like(JSON.parse(readFileSync(answerFile, 'utf8')), { points: SLICES * POINTS, inside: INSIDE })
})

/** Does something terrible, waits until everything is as it was, and checks that. */
async function disturb(t: ExecutionContext, what: string, harm: () => Promise<void>): Promise<void> {
  t.false(hasJobEnded, 'the job runs while something is killed')
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

/** What the master holds for slabs, what the bridge says it told, and what YARN has are the same, and something. */
async function whenRight(): Promise<void> {
  await until(async () => {
    const rows = await nodes()
    const held = sumOf(rows.map(({ held }) => held))
    const told = sumOf(rows.map(({ advertised }) => advertised))
    const { totalMB, totalVirtualCores } = await rmMetrics()
    const master = await slabsAtMaster()
    const isServing = rows.length > 0 && rows.every(({ phase }) => phase === 'serving')
    return isServing && new Set([held, told, master, `${totalMB} MB, ${totalVirtualCores}`]).size === 1
  })
}

function sumOf(sizes: readonly (NodeRow['held'] | undefined)[]): string {
  const sum = { memoryMb: 0, vcores: 0 }
  for (const size of sizes) {
    sum.memoryMb += size?.memoryMb ?? 0
    sum.vcores += size?.vcores ?? 0
  }
  return `${sum.memoryMb} MB, ${sum.vcores}`
}

async function slabsAtMaster(): Promise<string> {
  const leader = await cluster.leader()
  const answer = await fetch(`http://127.0.0.1:${leader?.port}/api/v1`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
    body: JSON.stringify({ type: 'GET_TASKS' }),
  })
  const page = (await answer.json()) as {
    get_tasks: { tasks?: { state: string; labels?: { labels: { key: string; value: string }[] } }[] }
  }
  const slabs = (page.get_tasks.tasks ?? []).flatMap(({ state, labels }) => {
    const named = new Map(labels?.labels.map(({ key, value }) => [key.replace('isthmus.bridge.', ''), value]))
    if (state !== 'TASK_RUNNING' || named.get('kind') !== 'slab') return []
    return [{ memoryMb: Number(named.get('memory-mb')), vcores: Number(named.get('vcores')) }]
  })
  return sumOf(slabs)
}

async function rmMetrics(): Promise<{ readonly totalMB: number; readonly totalVirtualCores: number }> {
  const active = cluster.pair.members[(await cluster.pair.active()) ?? 0]
  const page = (await getJson(`${active?.webUrl}/ws/v1/cluster/metrics`)) as { clusterMetrics: never }
  return page.clusterMetrics
}

async function nodes(): Promise<readonly NodeRow[]> {
  return ((await getJson(`${cluster.bridgeUrl}/v1/nodes`)) as { nodes: readonly NodeRow[] }).nodes
}

async function nodeIds(): Promise<readonly string[]> {
  return (await nodes()).map(({ id }) => id).sort()
}

async function nodesWhen(holds: (rows: readonly NodeRow[]) => boolean): Promise<void> {
  await until(async () => holds(await nodes()))
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
