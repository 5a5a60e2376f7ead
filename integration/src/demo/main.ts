// `npm start`: one pool of machines, shared by a service and real Hadoop YARN, in the open.
//
// Leaves with 0 when every step did what it should (`--once`), with 1 and the reason when one did not. Without --once the
// cluster stays up until Ctrl-C.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bringHadoop } from '../hadoop/distribution.ts'
import { startCluster } from './cluster.ts'
import { makeCorpus } from './corpus.ts'
import { AGENT_RESOURCES, Story } from './story.ts'
import { Timeline } from './timeline.ts'

const USAGE = `Usage: npm start [-- --once]

  --once   run the story, stop everything and leave: exit code 0 when every step was right
`

process.exitCode = await main(process.argv.slice(2))

async function main(argv: readonly string[]): Promise<number> {
  const unknown = argv.find((argument) => argument !== '--once')
  if (unknown !== undefined) {
    process.stderr.write(unknown === '--help' ? USAGE : `unknown argument '${unknown}'\n${USAGE}`)
    return unknown === '--help' ? 0 : 2
  }
  const print = (line: string): void => void process.stdout.write(`${line}\n`)
  const interrupted = new Promise<'interrupted'>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve('interrupted'))
  })
  const runDir = mkdtempSync(join(tmpdir(), 'isthmus-start-'))
  try {
    const distribution = await bringHadoop({ log: print })
    const corpus = makeCorpus(distribution.libDir, join(runDir, 'texts'))
    print(`Starting a master, three agents, a YARN ResourceManager and the bridge on this machine …`)
    const startedAtMs = Date.now()
    const cluster = await startCluster({
      distribution,
      runDir,
      agentCount: 3,
      agentResources: AGENT_RESOURCES,
      bridgeFlags: [
        '--quiet_seconds=8',
        '--overhead_memory_mb=448',
        '--node_memory_mb=1792',
        '--node_vcores=2',
        '--sample_interval_ms=400',
      ],
      wantsDefaultPorts: true,
    })
    const timeline = new Timeline(cluster, startedAtMs, print)
    const story = new Story({ cluster, distribution, corpus, runDir, timeline })
    try {
      const outcome = await Promise.race([story.run(), interrupted])
      if (outcome === 'interrupted') return 130
      await timeline.close()
      print(outcome.ok ? '\nEvery step did what it should.' : `\nFAILED: ${outcome.problem}`)
      print(`  master            ${cluster.masterUrl}/state`)
      print(`  ResourceManager   ${cluster.resourceManager.webUrl}/cluster`)
      print(`  bridge            ${cluster.bridgeUrl}/v1/explain  /v1/nodes  /v1/decisions`)
      if (!argv.includes('--once')) {
        print('The cluster stays up until Ctrl-C.')
        await interrupted
      }
      return outcome.ok ? 0 : 1
    } finally {
      print('Stopping …')
      await timeline.close()
      await story.stop()
      await cluster.stop()
    }
  } catch (reason) {
    process.stderr.write(`isthmus: ${reason instanceof Error ? reason.message : String(reason)}\n`)
    return 1
  } finally {
    if (process.env.ISTHMUS_KEEP === undefined) rmSync(runDir, { recursive: true, force: true, maxRetries: 5 })
  }
}
