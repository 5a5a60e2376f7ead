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
const hasSchemas = hasHelm && spawnSync('kubernetes-validate', ['--help']).status === 0
if (hasHelm && !hasSchemas) console.log('chart.test: schemas skipped, kubernetes-validate is not installed')
const withSchemas = hasSchemas ? test : test.skip

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

for (const values of [[], ['-f', WITH_BRIDGE, '--set', 'zookeeper.existingSecret.name=zk']]) {
  withSchemas(`every object fits the schemas of Kubernetes, with values ${values.at(-1) ?? 'of the chart'}`, (t) => {
    const yaml = execFileSync('helm', [...RENDER, ...values], { encoding: 'utf8' })
    const { status, stdout, stderr } = spawnSync('kubernetes-validate', ['--strict', '-'], {
      input: yaml,
      encoding: 'utf8',
    })
    t.is(status, 0, `${stdout}${stderr}`)
  })
}

for (const { title, set, shown } of [
  { title: 'its URL', set: ['zookeeper.url=zk://a:2181/x'], shown: 'zk://a:2181/x' },
  { title: 'a secret', set: ['zookeeper.existingSecret.name=zk'], shown: '$(ISTHMUS_ZK)' },
]) {
  withHelm(`masters elect and all others look for them in the ZooKeeper of ${title}`, (t) => {
    const values = ['master.replicas=3', ...set].flatMap((value) => ['--set', value])
    const yaml = execFileSync('helm', [...RENDER, '-f', WITH_BRIDGE, ...values], { encoding: 'utf8' })
    t.is(yaml.split(`"--zk=${shown}"`).length, 2)
    t.is(yaml.split(`"--master=${shown}"`).length, 3)
    t.is(yaml.split('name: ISTHMUS_ZK').length, shown.startsWith('$') ? 4 : 1)
  })
}

for (const { name, set, text } of [
  { name: 'no master', set: 'master.replicas=0', text: '/master/replicas' },
  { name: 'several masters without ZooKeeper', set: 'master.replicas=3', text: 'needs zookeeper.url' },
  { name: 'a ZooKeeper without a path', set: 'zookeeper.url=zk://a:2181', text: '/zookeeper/url' },
  { name: 'a port that is none', set: 'master.port=99999', text: '/master/port' },
  { name: 'a value nobody knows', set: 'master.replica=1', text: 'replica' },
  { name: 'a bridge without a ResourceManager', set: 'yarnBridge.enabled=true', text: 'resourceManager.urls' },
  {
    name: 'a pair of ResourceManagers that NodeManagers do not know',
    set: 'yarnBridge.enabled=true,yarnBridge.resourceManager.urls={http://a:1,http://b:1}',
    text: 'yarn.resourcemanager.ha.enabled',
  },
]) {
  withHelm(`values that make no sense are refused: ${name}`, (t) => {
    const { status, output } = helm(...RENDER, '--set', set)
    t.not(status, 0)
    t.true(output.includes(text), output)
  })
}
