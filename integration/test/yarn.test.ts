// A real ResourceManager and NodeManager of the fixture, and real Spark on them.

import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import test from 'ava'
import { type Daemon, getJson } from '../src/hadoop/daemon.ts'
import { bringHadoop, type HadoopDistribution } from '../src/hadoop/distribution.ts'
import { HadoopError } from '../src/hadoop/hadoop-error.ts'
import { startNodeManager } from '../src/hadoop/node-manager.ts'
import { type ResourceManager, startResourceManager } from '../src/hadoop/resource-manager.ts'
import { submitSpark } from '../src/hadoop/spark.ts'
import { makeRunDir } from './run-dir.ts'

const runDir = makeRunDir('yarn')
const running: Daemon[] = []
let distribution: HadoopDistribution
let resourceManager: ResourceManager

test.before(async () => {
  distribution = await bringHadoop({ log: () => {} })
  resourceManager = await startResourceManager({ distribution, runDir: `${runDir.path}/rm` })
  running.push(resourceManager)
})

test.after.always(async () => {
  await Promise.all(running.reverse().map((daemon) => daemon.stop()))
  runDir.remove()
})

async function metrics(): Promise<Record<string, number>> {
  const answer = (await getJson(`${resourceManager.webUrl}/ws/v1/cluster/metrics`)) as Record<string, unknown>
  return answer.clusterMetrics as Record<string, number>
}

/** The metrics as soon as a container is asked for; as they are after 20 s otherwise. */
async function metricsOnceAsked(): Promise<Record<string, number>> {
  for (const deadlineMs = performance.now() + 20_000; ; await delay(50)) {
    const current = await metrics()
    if (current.containersPending !== 0 || performance.now() > deadlineMs) return current
  }
}

test.serial(
  'an application waits while there is no NodeManager and gives the right answer once there is',
  async (t) => {
    const answerFile = `${runDir.path}/pi.json`
    const job = submitSpark({
      distribution,
      runDir: `${runDir.path}/pi`,
      hadoopConfDir: resourceManager.confDir,
      mainClass: 'isthmus.Pi',
      args: [answerFile, '2', '1000000'],
    })
    t.teardown(() => job.stop())
    t.regex((await job.applicationId) ?? '', /^application_\d+_0001$/)
    // YARN accepts first and asks for the application master's container a moment later.
    t.like(await metricsOnceAsked(), { activeNodes: 0, totalMB: 0, containersPending: 1, pendingMB: 384 })

    const host = '127.0.0.2'
    const node = { memoryMb: 2048, vcores: 2 }
    const nodeManager = await startNodeManager({
      distribution,
      resourceManager,
      runDir: `${runDir.path}/nm`,
      host,
      ...node,
    })
    running.push(nodeManager)
    t.true(nodeManager.nodeId.startsWith('127.0.0.2:'))
    const result = await job.finished
    t.is(result.exitCode, 0, readFileSync(job.outputFile, 'utf8'))
    // The points are those of fixed seeds, so the answer is known to the last digit.
    t.deepEqual(JSON.parse(readFileSync(answerFile, 'utf8')), {
      slices: 2,
      points: 2_000_000,
      inside: 1_570_097,
      estimate: 3.140194,
    })
  },
)

test.serial('a word count agrees with an independent one', async (t) => {
  const text = 'One two, two; three three THREE.\nÄpfel äpfel 42\n\nsnake_case don’t'
  writeFileSync(`${runDir.path}/words one.txt`, text)
  writeFileSync(`${runDir.path}/words2.txt`, text)
  const answerFile = `${runDir.path}/words.tsv`
  const job = submitSpark({
    distribution,
    runDir: `${runDir.path}/words`,
    hadoopConfDir: resourceManager.confDir,
    mainClass: 'isthmus.WordCount',
    args: [answerFile, `${runDir.path}/words one.txt`, `${runDir.path}/words2.txt`],
  })
  t.teardown(() => job.stop())
  t.is((await job.finished).exitCode, 0, readFileSync(job.outputFile, 'utf8'))

  const counts = new Map<string, number>()
  for (const [word] of `${text}\n${text}`.matchAll(/[\p{L}\p{N}]+/gu)) {
    counts.set(word.toLowerCase(), (counts.get(word.toLowerCase()) ?? 0) + 1)
  }
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0)
  const lines = readFileSync(answerFile, 'utf8').trimEnd().split('\n')
  t.deepEqual(lines.slice(0, 2), [`# total ${total}`, `# distinct ${counts.size}`])
  const sorted = [...counts].sort(([a, countA], [b, countB]) => countB - countA || (a < b ? -1 : 1))
  t.deepEqual(
    lines.slice(2),
    sorted.map(([word, count]) => `${word}\t${count}`),
  )
})

test.serial('a ResourceManager comes back at the same addresses', async (t) => {
  const { ports } = resourceManager
  await resourceManager.stop()
  resourceManager = await startResourceManager({ distribution, runDir: `${runDir.path}/rm`, ports })
  running.unshift(resourceManager)
  t.deepEqual(resourceManager.ports, ports)
})

test.serial('a port in use is an error before anything starts', async (t) => {
  const { ports } = resourceManager
  const error = await t.throwsAsync(() => startResourceManager({ distribution, runDir: `${runDir.path}/rm2`, ports }))
  t.true(error instanceof HadoopError && error.code === 'UNAVAILABLE')
})

test.serial('a daemon that dies at its start is an error with its last words', async (t) => {
  const properties = { 'yarn.scheduler.minimum-allocation-mb': 0 }
  const error = await t.throwsAsync(() =>
    startResourceManager({ distribution, runDir: `${runDir.path}/rm3`, properties }),
  )
  t.true(error instanceof HadoopError && error.code === 'DAEMON_DIED')
  t.regex(error?.message ?? '', /exit code.*\n.*minimum-allocation-mb/s)
})
