// The Helm chart, when helm is there: lint, rendering with and without the bridge, and the refusals of its schema.

import { execFileSync, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const CHART = fileURLToPath(new URL('../../charts/isthmus', import.meta.url))
const WITH_BRIDGE = `${CHART}/ci/bridge-values.yaml`
const RENDER = ['template', 'x', CHART, '--kube-version', '1.33.0']
const hasHelm = spawnSync('helm', ['version']).status === 0
if (!hasHelm) console.log('chart.test: skipped, helm is not installed')
const withHelm = hasHelm ? test : test.skip

function helm(...args: readonly string[]): { readonly status: number | null; readonly output: string } {
  const { status, stdout, stderr } = spawnSync('helm', args, { encoding: 'utf8' })
  return { status, output: `${stdout}${stderr}` }
}

withHelm('the chart passes lint in its strict form', (t) => {
  for (const values of [[], ['-f', WITH_BRIDGE]]) {
    const { status, output } = helm('lint', '--strict', CHART, ...values)
    t.is(status, 0, output)
  }
})

withHelm('masters, agents and bridge are rendered with the flags they are given', (t) => {
  const yaml = execFileSync('helm', [...RENDER, '-f', WITH_BRIDGE], { encoding: 'utf8' })
  for (const kind of ['StatefulSet', 'DaemonSet', 'Deployment', 'PodDisruptionBudget', 'NetworkPolicy'])
    t.regex(yaml, new RegExp(`^kind: ${kind}$`, 'm'))
  t.true(yaml.includes('--rm=http://rm-0.rm:8088,http://rm-1.rm:8088'))
  t.true(yaml.includes('--offer_timeout=1mins'))
})

for (const { name, set, text } of [
  { name: 'several masters', set: 'master.replicas=3', text: '/master/replicas' },
  { name: 'a port that is none', set: 'master.port=99999', text: '/master/port' },
  { name: 'a value nobody knows', set: 'master.replica=1', text: 'replica' },
  { name: 'a bridge without a ResourceManager', set: 'yarnBridge.enabled=true', text: 'resourceManager.urls' },
]) {
  withHelm(`values that make no sense are refused: ${name}`, (t) => {
    const { status, output } = helm(...RENDER, '--set', set)
    t.not(status, 0)
    t.true(output.includes(text), output)
  })
}
