// From pending YARN demand to running containers, on one agent with real Hadoop: (a) a NodeManager that is there is resized,
// (b) a new one is launched; beside it how long a NodeManager takes to start by itself on this machine.
//
// Expected: (a) one look at the ResourceManager (300 ms), an offer, a slab, one REST call, well below 1.5 s; (b) the
// NodeManager's own start and a second more.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Cluster, startCluster } from '../src/demo/cluster.ts'
import { getJson } from '../src/hadoop/daemon.ts'
import { bringHadoop, type HadoopDistribution } from '../src/hadoop/distribution.ts'
import { startNodeManager } from '../src/hadoop/node-manager.ts'
import { findTree } from '../src/hadoop/process-tree.ts'
import { startResourceManager } from '../src/hadoop/resource-manager.ts'
import { submitSpark } from '../src/hadoop/spark.ts'
import { makeRunDir } from '../test/run-dir.ts'

const ROUNDS = 8
const OWN_STARTS = 3
const POLL_MS = 20
const IDLE_MS = 5_000
const PATIENCE_MS = 120_000

const runDir = makeRunDir('bench')
const distribution = await bringHadoop({ log: () => {} })
const ownStartMs = await measureOwnStart(distribution)
const cluster = await startCluster({
  distribution,
  runDir: join(runDir.path, 'cluster'),
  agentCount: 1,
  agentResources: 'cpus:8;mem:8192;disk:8192;ports:[31000-31999]',
  bridgeFlags: ['--quiet_seconds=2', '--node_memory_mb=768', '--node_vcores=1', '--sample_interval_ms=300'],
  wantsDefaultPorts: false,
})
const bridgeRssMb = await residentMb(await cluster.bridge().pid)
const launchMs: number[] = []
const resizeMs: number[] = []
/** Waits that were over before they were seen. */
let missed = 0
try {
  for (let round = 0; round < ROUNDS; round++) await measureRound(cluster, round)
} catch (error) {
  for (const page of ['explain', 'demand', 'nodes', 'totals']) {
    process.stderr.write(`${page}: ${JSON.stringify(await getJson(`${cluster.bridgeUrl}/v1/${page}`), undefined, 1)}\n`)
  }
  process.stderr.write(`${JSON.stringify(await rmMetrics(cluster))}\n`)
  throw error
} finally {
  await cluster.stop()
  runDir.remove()
}
process.stdout.write(`${JSON.stringify({ name: 'yarn: RSS of an idle bridge', rssMb: bridgeRssMb })}\n`)
print('NodeManager by itself, start to RUNNING', ownStartMs)
print('pending to running: new NodeManager', launchMs)
print('pending to running: resize', resizeMs)
if (missed > 0) process.stderr.write(`${missed} waits were too short to be seen\n`)

/** One job: its ApplicationMaster needs a NodeManager, its executors a larger one. */
async function measureRound(on: Cluster, round: number): Promise<void> {
  await until(async () => (await totals(on)).nodeManagers === 0)
  const job = submitSpark({
    distribution,
    runDir: join(runDir.path, `job-${round}`),
    hadoopConfDir: on.resourceManager.confDir,
    mainClass: 'isthmus.Pi',
    args: [join(runDir.path, `pi-${round}`), '2', '100000'],
    executors: 2,
    conf: { 'spark.scheduler.minRegisteredResourcesRatio': '1.0' },
  })
  const waits = [
    { enough: 1, times: launchMs },
    { enough: 3, times: resizeMs },
  ]
  for (const { enough, times } of waits) {
    const tookMs = await pendingTime(on, enough)
    if (tookMs === undefined) missed += 1
    else times.push(tookMs)
  }
  const { exitCode } = await job.finished
  if (exitCode !== 0) throw new Error(`the job of round ${round} ended with ${exitCode}`)
}

/**
 * From the moment something waits until nothing waits and `enough` containers are there.
 *
 * @returns milliseconds, or undefined when it was over before this process looked
 */
async function pendingTime(on: Cluster, enough: number): Promise<number | undefined> {
  let isMissed = false
  await until(async () => {
    const { containersPending, containersAllocated } = await rmMetrics(on)
    isMissed = containersPending === 0 && (containersAllocated ?? 0) >= enough
    return isMissed || (containersPending ?? 0) > 0
  })
  if (isMissed) return undefined
  const startedAt = performance.now()
  await until(async () => {
    const { containersPending, containersAllocated } = await rmMetrics(on)
    return containersPending === 0 && (containersAllocated ?? 0) >= enough
  })
  return performance.now() - startedAt
}

async function measureOwnStart(with_: HadoopDistribution): Promise<number[]> {
  const resourceManager = await startResourceManager({ distribution: with_, runDir: join(runDir.path, 'own-rm') })
  const times: number[] = []
  try {
    for (let round = 0; round < OWN_STARTS; round++) {
      const node = await startNodeManager({
        distribution: with_,
        resourceManager,
        runDir: join(runDir.path, `own-nm-${round}`),
        host: '127.0.0.2',
        memoryMb: 1024,
        vcores: 1,
      })
      times.push(node.startMs)
      await node.stop()
    }
  } finally {
    await resourceManager.stop()
  }
  return times
}

/** After some looks at the ResourceManager. The program may run in a child of the process that was started. */
async function residentMb(pid: number | undefined): Promise<number> {
  await delay(IDLE_MS)
  const kilobytes = findTree({ roots: pid === undefined ? [] : [pid] }).map((member) =>
    Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${member}/status`, 'utf8'))?.[1] ?? 0),
  )
  if (kilobytes.length === 0) throw new Error('the bridge does not run')
  return Math.round(Math.max(...kilobytes) / 1024)
}

async function rmMetrics(on: Cluster): Promise<Record<string, number>> {
  const page = (await getJson(`${on.resourceManager.webUrl}/ws/v1/cluster/metrics`)) as {
    clusterMetrics: Record<string, number>
  }
  return page.clusterMetrics
}

async function totals(on: Cluster): Promise<{ nodeManagers: number }> {
  return (await getJson(`${on.bridgeUrl}/v1/totals`)) as { nodeManagers: number }
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const giveUpAt = performance.now() + PATIENCE_MS; performance.now() < giveUpAt; ) {
    if (await holds()) return
    await delay(POLL_MS)
  }
  throw new Error(`not within ${PATIENCE_MS} ms`)
}

function print(name: string, timesMs: readonly number[]): void {
  const sorted = [...timesMs].sort((a, b) => a - b).map(Math.round)
  const medianMs = sorted[Math.floor(sorted.length / 2)]
  process.stdout.write(
    `${JSON.stringify({ name: `yarn: ${name}`, rounds: sorted.length, medianMs, maxMs: sorted.at(-1), timesMs: sorted, node: process.version })}\n`,
  )
}
