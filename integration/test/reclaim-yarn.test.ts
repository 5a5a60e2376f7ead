// A promise to a team against Hadoop that holds everything: the bridge hands its part over, and the Spark job goes on.

import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import test from 'ava'
import { startCluster } from '../src/demo/cluster.ts'
import { getJson } from '../src/hadoop/daemon.ts'
import { bringHadoop } from '../src/hadoop/distribution.ts'
import { lastLines } from '../src/hadoop/guarded-process.ts'
import { submitSpark } from '../src/hadoop/spark.ts'
import { makeRunDir } from './run-dir.ts'

const PROMISED = { cpus: 2, mem: 1024 } as const

test('a guarantee is kept against a partition that holds all, and its job loses nothing', async (t) => {
  const distribution = await bringHadoop({ log: () => {} })
  const run = makeRunDir('promise')
  const cluster = await startCluster({
    distribution,
    runDir: join(run.path, 'cluster'),
    agentCount: 1,
    agentResources: 'cpus:5;mem:5120;disk:4096;ports:[31000-31999]',
    localFlags: ['--reclaim_after=1secs', '--reclaim_notice=20secs'],
    bridgeFlags: [
      '--role=yarn',
      '--quiet_seconds=60',
      '--node_memory_mb=1024',
      '--node_vcores=1',
      '--sample_interval_ms=300',
    ],
    wantsDefaultPorts: false,
  })
  const job = submitSpark({
    distribution,
    runDir: join(run.path, 'pi'),
    hadoopConfDir: cluster.resourceManager.confDir,
    mainClass: 'isthmus.Pi',
    args: [join(run.path, 'pi.json'), '36', '20000000'],
    executors: 5,
  })
  t.teardown(async () => {
    await job.stop()
    await cluster.stop()
    run.remove()
  })
  const held = async (): Promise<number> => {
    const totals = (await getJson(`${cluster.bridgeUrl}/v1/totals`)) as { held: { vcores: number } }
    return totals.held.vcores
  }
  await until(async () => (await held()) >= 4)
  const scalars = Object.fromEntries(Object.entries(PROMISED).map(([name, value]) => [name, { value }]))
  const quota = { force: true, quota_configs: [{ role: 'team', guarantees: scalars, limits: scalars }] }
  const set = await fetch(`${cluster.masterUrl}/api/v1`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ type: 'UPDATE_QUOTA', update_quota: quota }),
  })
  t.is(set.status, 200, await set.text())
  const wanted = `--resources=cpus:${PROMISED.cpus};mem:${PROMISED.mem}`
  const team = cluster.runCli('team', ['run', `--master=${cluster.master}`, '--role=team', wanted, '--', 'true'])
  const { code } = await team.exited
  t.is(code, 0, lastLines(team.outputFile, 20))
  t.true((await held()) <= 3)
  const page = (await getJson(`${cluster.bridgeUrl}/v1/decisions`)) as { decisions: { reason: { code: string } }[] }
  t.true(page.decisions.some(({ reason }) => reason.code === 'RECLAIM'))
  const metrics = (await getJson(`${cluster.masterUrl}/metrics/snapshot`)) as Record<string, number>
  t.is(metrics['master/reclaim_tasks_killed'], 0, 'nothing was taken by force')
  const { exitCode } = await job.finished
  t.is(exitCode, 0, lastLines(job.outputFile, 60))
})

/** Bounded by the test's own timeout. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await delay(200)
}
