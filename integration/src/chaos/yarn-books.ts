// The three books of a YARN partition: what the master holds for slabs, what the bridge says that it told, what YARN has.

import { getJson } from '../hadoop/daemon.ts'
import type { YarnCluster } from './yarn-cluster.ts'

/** A NodeManager as the bridge shows it. */
export interface NodeRow {
  readonly id: string
  readonly phase: string
  readonly held: { readonly memoryMb: number; readonly vcores: number }
  readonly advertised?: { readonly memoryMb: number; readonly vcores: number }
  readonly containers?: number
}

/** The NodeManagers the bridge knows. Throws when it does not answer. */
export async function nodeRows(cluster: YarnCluster): Promise<readonly NodeRow[]> {
  return ((await getJson(`${cluster.bridgeUrl}/v1/nodes`)) as { nodes: readonly NodeRow[] }).nodes
}

/** Says whether all books show the same, and something. Throws when one of those who keep them does not answer. */
export async function areBooksRight(cluster: YarnCluster): Promise<boolean> {
  const rows = await nodeRows(cluster)
  const held = sumOf(rows.map((row) => row.held))
  const told = sumOf(rows.map(({ advertised }) => advertised))
  const isServing = rows.length > 0 && rows.every(({ phase }) => phase === 'serving')
  return isServing && new Set([held, told, await slabsAtMaster(cluster), await sizeInYarn(cluster)]).size === 1
}

function sumOf(sizes: readonly (NodeRow['held'] | undefined)[]): string {
  const sum = { memoryMb: 0, vcores: 0 }
  for (const size of sizes) {
    sum.memoryMb += size?.memoryMb ?? 0
    sum.vcores += size?.vcores ?? 0
  }
  return `${sum.memoryMb} MB, ${sum.vcores}`
}

async function slabsAtMaster(cluster: YarnCluster): Promise<string> {
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

async function sizeInYarn(cluster: YarnCluster): Promise<string> {
  const active = cluster.pair.members[(await cluster.pair.active()) ?? 0]
  const page = (await getJson(`${active?.webUrl}/ws/v1/cluster/metrics`)) as {
    clusterMetrics: { readonly totalMB: number; readonly totalVirtualCores: number }
  }
  return sumOf([{ memoryMb: page.clusterMetrics.totalMB, vcores: page.clusterMetrics.totalVirtualCores }])
}
