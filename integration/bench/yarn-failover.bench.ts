// From the death of a part of a YARN partition until the master's slabs, what the bridge says it told and what YARN has are the same
// again: the bridge or an agent killed and started, the leading master killed, the active ResourceManager killed, the active
// ResourceManager stopped (SIGSTOP).
//
// Expected: the own start of bridge or agent and one look at the ResourceManager, 2 to 3 s; for a master ZooKeeper's session
// time-out (2 s); for a ResourceManager that time-out, the other one's start of its services and the NodeManagers' next try, 5 s;
// for one that is stopped 20 s more, after which NodeManagers give it up.

import { setTimeout as delay } from 'node:timers/promises'
import { areBooksRight, nodeRows } from '../src/chaos/yarn-books.ts'
import { startYarnCluster } from '../src/chaos/yarn-cluster.ts'
import { getJson } from '../src/hadoop/daemon.ts'
import { bringHadoop } from '../src/hadoop/distribution.ts'
import { makeRunDir } from '../test/run-dir.ts'

const ROUNDS = 5
const FROZEN_ROUNDS = 2
const POLL_MS = 50
const PATIENCE_MS = 120_000

const run = makeRunDir('bench-failover')
const cluster = await startYarnCluster({
  distribution: await bringHadoop({ log: () => {} }),
  runDir: run.path,
  agentCount: 2,
  agentResources: 'cpus:2;mem:3072;disk:4096;ports:[31000-31999]',
  bridgeFlags: ['--min_nodes=2', '--node_memory_mb=1024', '--node_vcores=1', '--sample_interval_ms=300'],
})
const tookMs: Record<string, number[]> = {}
try {
  await whenRight(2)
  for (let round = 0; round < ROUNDS; round++) {
    await measure('bridge killed and started again', killBridge)
    await measure('agent killed and started again', killAgent)
    await measure('leading master killed', killLeader)
    await measure('active ResourceManager killed', killActive)
  }
  for (let round = 0; round < FROZEN_ROUNDS; round++) await measure('active ResourceManager stopped', freezeActive)
} finally {
  await cluster.stop()
  run.remove()
}
for (const [name, times] of Object.entries(tookMs)) {
  const sorted = [...times].sort((a, b) => a - b)
  process.stdout.write(`${JSON.stringify({ name, medianMs: sorted[Math.floor(sorted.length / 2)], allMs: sorted })}\n`)
}

/** Harms, measures, and makes good what `harm` returns. */
async function measure(name: string, harm: () => Promise<() => Promise<void>>): Promise<void> {
  const pids = cluster.nodeManagerPids().join()
  const started = performance.now()
  const repair = await harm()
  await whenRight(2)
  const times = tookMs[name] ?? []
  times.push(Math.round(performance.now() - started))
  tookMs[name] = times
  if (cluster.nodeManagerPids().join() !== pids) throw new Error(`${name}: other NodeManagers run`)
  await repair()
  await whenRight(2)
}

async function killBridge(): Promise<() => Promise<void>> {
  await cluster.bridge.kill()
  cluster.bridge.start()
  return async () => {}
}

async function killAgent(): Promise<() => Promise<void>> {
  const agent = cluster.agents[0]
  await agent?.crash()
  await until(async () => (await getMetrics(agent?.host ?? '', agent?.port ?? 0))['slave/registered'] === 1)
  return async () => {}
}

async function killLeader(): Promise<() => Promise<void>> {
  const leader = await cluster.leader()
  await leader?.kill()
  await until(async () => {
    const next = await cluster.leader()
    return next !== undefined && next !== leader
  })
  return async () => leader?.start()
}

async function getMetrics(host: string, port: number): Promise<Readonly<Record<string, number>>> {
  return (await getJson(`http://${host}:${port}/metrics/snapshot`)) as Record<string, number>
}

async function killActive(): Promise<() => Promise<void>> {
  const active = (await cluster.pair.active()) ?? 0
  await cluster.pair.kill(active)
  return () => cluster.pair.restart(active)
}

async function freezeActive(): Promise<() => Promise<void>> {
  const active = (await cluster.pair.active()) ?? 0
  const pid = (await cluster.pair.members[active]?.process.pid) ?? 0
  process.kill(pid, 'SIGSTOP')
  await until(async () => (await cluster.pair.active()) === 1 - active)
  return async () => {
    process.kill(pid, 'SIGCONT')
    await delay(5_000)
  }
}

async function whenRight(count: number): Promise<void> {
  await until(async () => (await nodeRows(cluster)).length === count && (await areBooksRight(cluster)))
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE_MS
  while (!(await holds().catch(() => false))) {
    if (performance.now() > end) throw new Error('the books do not agree')
    await delay(POLL_MS)
  }
}
