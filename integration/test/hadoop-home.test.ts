// NodeManagers from a Hadoop distribution folder: the bridge runs its `bin/yarn nodemanager`. Maven Central has no such folder, so
// the test makes one of the shape of a distribution, with the real jars and a `yarn` that reads what Hadoop's own script reads.

import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import test from 'ava'
import { startCluster } from '../src/demo/cluster.ts'
import { getJson } from '../src/hadoop/daemon.ts'
import { bringHadoop } from '../src/hadoop/distribution.ts'
import { makeRunDir } from './run-dir.ts'

const YARN = `#!/usr/bin/env bash
set -eu
home=$(cd -- "$(dirname -- "$0")/.." && pwd)
[ "$1" = nodemanager ] || { echo "no such command: $1" >&2; exit 1; }
exec "$JAVA_HOME/bin/java" -Dproc_nodemanager $YARN_NODEMANAGER_OPTS -cp "$HADOOP_CONF_DIR:$home/share/hadoop/yarn/*" \\
  org.apache.hadoop.yarn.server.nodemanager.NodeManager
`

test('a NodeManager of a distribution folder registers, and ends when it is flexed down', async (t) => {
  const distribution = await bringHadoop({ log: () => {} })
  const run = makeRunDir('home')
  const hadoopHome = join(run.path, 'hadoop dist')
  mkdirSync(join(hadoopHome, 'bin'), { recursive: true })
  mkdirSync(join(hadoopHome, 'share', 'hadoop'), { recursive: true })
  symlinkSync(distribution.libDir, join(hadoopHome, 'share', 'hadoop', 'yarn'))
  writeFileSync(join(hadoopHome, 'bin', 'yarn'), YARN)
  chmodSync(join(hadoopHome, 'bin', 'yarn'), 0o755)
  const cluster = await startCluster({
    distribution,
    hadoopHome,
    runDir: join(run.path, 'cluster'),
    agentCount: 1,
    agentResources: 'cpus:4;mem:4096;disk:4096;ports:[31000-31999]',
    bridgeFlags: ['--mode=manual', '--sample_interval_ms=300'],
    wantsDefaultPorts: false,
  })
  t.teardown(async () => {
    await cluster.stop()
    run.remove()
  })
  const flex = (way: string): Promise<Response> => {
    const body = JSON.stringify({ profile: 'small', instances: 1, constraints: ['hostname LIKE 127[.]0[.]0[.]1'] })
    return fetch(`${cluster.bridgeUrl}/api/cluster/${way}`, { method: 'PUT', body })
  }
  const phases = async (): Promise<string[]> => {
    const page = (await getJson(`${cluster.bridgeUrl}/v1/nodes`)) as { nodes: { phase: string }[] }
    return page.nodes.map(({ phase }) => phase)
  }
  t.is((await flex('flexup')).status, 202)
  while ((await phases())[0] !== 'serving') await delay(200)
  t.is((await flex('flexdown')).status, 202)
  while ((await phases()).length > 0) await delay(200)
  t.pass()
})
