// The bridge against a real ResourceManager and real NodeManagers, on agents of our own.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import test from 'ava'
import { type Cluster, startCluster } from '../src/demo/cluster.ts'
import { getJson } from '../src/hadoop/daemon.ts'
import { bringHadoop, type HadoopDistribution } from '../src/hadoop/distribution.ts'
import { findTree } from '../src/hadoop/process-tree.ts'
import { submitSpark } from '../src/hadoop/spark.ts'
import { makeRunDir } from './run-dir.ts'

interface NodeRow {
  readonly id: string
  readonly nodeId: string
  readonly phase: string
  readonly held: { readonly memoryMb: number; readonly vcores: number }
  readonly containers?: number
}

const run = makeRunDir('bridge')
const runDir = run.path
let cluster: Cluster
let distribution: HadoopDistribution

test.before(async () => {
  distribution = await bringHadoop({ log: () => {} })
  cluster = await startCluster({
    distribution,
    runDir: join(runDir, 'cluster'),
    agentCount: 2,
    agentResources: 'cpus:4;mem:4096;disk:4096;ports:[31000-31999]',
    bridgeFlags: ['--quiet_seconds=5', '--node_memory_mb=1024', '--node_vcores=1', '--sample_interval_ms=300'],
    wantsDefaultPorts: false,
  })
})

test.after.always(async () => {
  await cluster?.stop()
  run.remove()
})

test.serial(
  'flexup launches a NodeManager of the profile, a wrong one is refused with the names there are',
  async (t) => {
    const refused = await flex('flexup', { profile: 'gigantic', instances: 1 })
    t.is(refused.status, 400)
    t.regex(await refused.text(), /gigantic.*zero, small, medium, large/)
    t.is((await flex('flexup', { profile: 'small', instances: -1 })).status, 400)
    t.is((await flex('flexup', { profile: 'small', instances: 1 })).status, 202)
    const [row] = await nodesWhen((rows) => rows.length === 1 && rows[0]?.phase === 'serving')
    t.is(row?.held.memoryMb, 2048)
    // The scheduler counts a node a moment after the manager lists it.
    await until(async () => (await rmTotalMb()) === 2048)
    t.is((await nodes()).length, 1)
  },
)

test.serial('a bridge that was killed finds its NodeManagers again and launches none twice', async (t) => {
  const [before] = await nodes()
  await cluster.bridge().kill()
  await cluster.restartBridge()
  const [after] = await nodesWhen((rows) => rows[0]?.phase === 'serving')
  t.is(after?.id, before?.id)
  t.is(after?.nodeId, before?.nodeId)
  await delay(2_000)
  t.is((await nodes()).length, 1)
  t.is(nodeManagerPids().length, 1)
})

test.serial('a ResourceManager that was restarted is told what each NodeManager holds', async (t) => {
  const job = submitSpark({
    distribution,
    runDir: join(runDir, 'growing-pi'),
    hadoopConfDir: cluster.resourceManager.confDir,
    mainClass: 'isthmus.Pi',
    args: [join(runDir, 'growing-pi.json'), '200', '50000000'],
    executors: 4,
  })
  try {
    const [grown] = await nodesWhen((rows) => (rows[0]?.held.vcores ?? 0) > 2)
    await cluster.resourceManager.kill()
    await until(async () => (await explain()).resourceManager !== 'answers')
    t.is((await nodes())[0]?.id, grown?.id, 'nothing is given back while it is away')
    await cluster.restartResourceManager()
    await until(async () => (await explain()).resourceManager === 'answers')
    await until(async () => {
      const rows = await nodes()
      const heldMb = rows.reduce((sum, { held }) => sum + held.memoryMb, 0)
      return rows.every(({ phase }) => phase === 'serving') && heldMb > 0 && (await rmTotalMb()) === heldMb
    })
    t.true(
      (await nodes()).some(({ id }) => id === grown?.id),
      'the NodeManager went on',
    )
    t.is(nodeManagerPids().length, (await nodes()).length)
  } finally {
    await job.stop()
  }
  await nodesWhen((rows) => rows.length === 1 && rows[0]?.phase === 'serving' && rows[0].held.memoryMb === 2048)
})

test.serial('a NodeManager that is killed leaves no container behind, and another takes its place', async (t) => {
  const job = submitSpark({
    distribution,
    runDir: join(runDir, 'long-pi'),
    hadoopConfDir: cluster.resourceManager.confDir,
    mainClass: 'isthmus.Pi',
    args: [join(runDir, 'pi.json'), '200', '50000000'],
  })
  try {
    const [row] = await nodesWhen((rows) => (rows[0]?.containers ?? 0) >= 2)
    const [pid] = nodeManagerPids()
    const containers = findTree({ roots: [], environment: cluster.marks }).filter((member) => member !== pid)
    t.true(containers.length >= 2)
    process.kill(pid ?? 0, 'SIGKILL')
    await until(() => containers.every((member) => !isAlive(member)))
    const rows = await nodesWhen(
      (list) => list.length > 0 && list.every(({ id }) => id !== row?.id) && list[0]?.phase === 'serving',
    )
    t.true(rows.length > 0)
  } finally {
    await job.stop()
  }
})

test.serial('flexdown drains: the NodeManager ends and its resources are back in the pool', async (t) => {
  t.is((await flex('flexdown', { profile: 'small', instances: 1 })).status, 202)
  await nodesWhen((rows) => rows.length === 0)
  await until(
    async () =>
      ((await getJson(`${cluster.masterUrl}/metrics/snapshot`)) as Record<string, number>)['master/mem_used'] === 0,
  )
  t.deepEqual(nodeManagerPids(), [])
})

function flex(path: 'flexup' | 'flexdown', body: unknown): Promise<Response> {
  return fetch(`${cluster.bridgeUrl}/api/cluster/${path}`, { method: 'PUT', body: JSON.stringify(body) })
}

async function nodes(): Promise<readonly NodeRow[]> {
  return ((await getJson(`${cluster.bridgeUrl}/v1/nodes`)) as { nodes: readonly NodeRow[] }).nodes
}

async function explain(): Promise<{ readonly resourceManager: string }> {
  return (await getJson(`${cluster.bridgeUrl}/v1/explain`)) as { resourceManager: string }
}

async function nodesWhen(holds: (rows: readonly NodeRow[]) => boolean): Promise<readonly NodeRow[]> {
  let rows: readonly NodeRow[] = []
  await until(async () => {
    rows = await nodes()
    return holds(rows)
  })
  return rows
}

async function rmTotalMb(): Promise<number> {
  const page = (await getJson(`${cluster.resourceManager.webUrl}/ws/v1/cluster/metrics`)) as {
    clusterMetrics: { totalMB: number }
  }
  return page.clusterMetrics.totalMB
}

function nodeManagerPids(): number[] {
  return findTree({ roots: [], environment: cluster.marks }).filter((pid) =>
    commandLine(pid).includes('nodemanager.NodeManager'),
  )
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}

function isAlive(pid: number): boolean {
  return commandLine(pid) !== ''
}

/** Bounded by the test's own timeout. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await delay(200)
}
