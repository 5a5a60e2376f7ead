import { OfferPool } from '@isthmus/core/framework/offers'
import type { TaskInfo } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import fc from 'fast-check'
import { fits, NOTHING, plus } from './samples.ts'
import {
  baseNeeds,
  baseTask,
  executorInfo,
  type LaunchTemplate,
  labelOf,
  slabResources,
  slabSizes,
  slabTask,
} from './task.ts'
import { nodeManagerOf, policyOf, size } from './testing/builders.ts'

for (const { capacity, step, expected } of [
  { capacity: size(2048, 2), step: 256, expected: [size(1024, 1), size(1024, 1)] },
  { capacity: size(2560, 3), step: 256, expected: [size(1024, 1), size(768, 1), size(768, 1)] },
  { capacity: size(1000, 3), step: 256, expected: [size(488, 1), size(256, 1), size(256, 1)] },
  { capacity: size(1000, 1), step: 256, expected: [size(1000, 1)] },
  { capacity: size(1000, 0), step: 256, expected: [size(1000, 0)] },
  { capacity: size(512, 4), step: 256, expected: [size(512, 4)] },
  { capacity: size(0, 3), step: 256, expected: [size(0, 3)] },
]) {
  test(`${capacity.memoryMb} MB and ${capacity.vcores} vcores in steps of ${step} MB make ${expected.length} slabs`, (t) => {
    t.deepEqual(slabSizes(capacity, step), expected)
  })
}

test('slabs always add up to the capacity, and the first is the largest', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.nat(300_000), fc.nat(300), fc.integer({ min: 1, max: 5_000 }), (memoryMb, vcores, step) => {
        const slabs = slabSizes(size(memoryMb, vcores), step)
        t.deepEqual(slabs.reduce(plus, NOTHING), size(memoryMb, vcores))
        return slabs.every((slab) => fits(slab, slabs[0] ?? NOTHING))
      }),
    ),
  )
})

test('the overhead is divided between the executor and the daemon', (t) => {
  t.deepEqual(baseNeeds(policyOf({ overhead: { cpus: 0.6, memoryMb: 512 } }), 3), {
    cpus: 0.5,
    memoryMb: 480,
    portCount: 3,
  })
})

test('a slab takes its vcores as cpus, or nothing when there is too little', (t) => {
  const resources = [
    { name: 'cpus', type: 'SCALAR' as const, scalar: { value: 3 } },
    { name: 'mem', type: 'SCALAR' as const, scalar: { value: 1024 } },
  ]
  const offer = { id: { value: 'O' }, framework_id: { value: 'F' }, agent_id: { value: 'A' }, hostname: 'h', resources }
  const pool = new OfferPool([offer])
  t.is(slabResources(pool, size(1025, 1)), undefined)
  t.deepEqual(slabResources(pool, size(512, 2)), [
    { name: 'cpus', type: 'SCALAR', scalar: { value: 2 } },
    { name: 'mem', type: 'SCALAR', scalar: { value: 512 } },
  ])
  t.is(pool.scalar('cpus'), 1)
})

test('an executor is a DEFAULT one under the id of its NodeManager', (t) => {
  t.deepEqual(executorInfo('nm-1', { value: 'F' }, []), {
    type: 'DEFAULT',
    executor_id: { value: 'nm-1' },
    framework_id: { value: 'F' },
    name: 'NodeManager nm-1',
    resources: [],
    labels: { labels: [{ key: 'isthmus.bridge.node-manager', value: 'nm-1' }] },
  })
})

const TEMPLATE: LaunchTemplate = {
  javaHome: '/java home',
  distribution: { kind: 'home', path: '/opt/hadoop' },
  jvmFlags: ['-Xmx160m'],
  yarnProperties: { 'yarn.resourcemanager.hostname': 'rm' },
  coreProperties: { 'fs.defaultFS': 'hdfs://n' },
  localDirs: [],
  user: 'yarn',
  environment: { TZ: 'UTC', JAVA_HOME: '/other' },
}

function base(template: Partial<LaunchTemplate> = {}): TaskInfo {
  const nodeManager = nodeManagerOf('nm-1', [], { profile: 'small', pool: 'fast', launchedAtMs: 5 })
  const options = { policy: policyOf({ stopGraceMs: 30_000 }), resources: [], template: { ...TEMPLATE, ...template } }
  return baseTask({ nodeManager, capacity: size(2048, 2), ...options })
}

test('the labels of the daemon hold all a restarted bridge needs', (t) => {
  const labels = Object.fromEntries((base().labels?.labels ?? []).map(({ key, value }) => [key, value]))
  t.deepEqual(labels, {
    'isthmus.bridge.kind': 'base',
    'isthmus.bridge.hostname': 'host-nm-1',
    'isthmus.bridge.node-id': 'host-nm-1:1',
    'isthmus.bridge.profile': 'small',
    'isthmus.bridge.constraint': '',
    'isthmus.bridge.pool': 'fast',
    'isthmus.bridge.launched-at-ms': '5',
    'isthmus.bridge.port.nodeManager': '1',
    'isthmus.bridge.port.localizer': '2',
    'isthmus.bridge.port.web': '3',
  })
  t.is(labelOf(base(), 'hostname'), 'host-nm-1')
  t.is(labelOf(base(), 'none'), undefined)
  t.is(labelOf({}, 'kind'), undefined)
})

test('a slab has resources and labels and no command', (t) => {
  const slab = { taskId: 'nm-1.slab-2', size: size(512, 1) }
  t.deepEqual(slabTask(nodeManagerOf('nm-1', []), slab, []), {
    name: 'capacity of host-nm-1:1',
    task_id: { value: 'nm-1.slab-2' },
    agent_id: { value: 'A-nm-1' },
    resources: [],
    labels: {
      labels: [
        { key: 'isthmus.bridge.kind', value: 'slab' },
        { key: 'isthmus.bridge.memory-mb', value: '512' },
        { key: 'isthmus.bridge.vcores', value: '1' },
      ],
    },
  })
})

test('the daemon has its user, the grace of the policy, and its files in the environment', (t) => {
  const { command, kill_policy } = base()
  const variables = Object.fromEntries((command?.environment?.variables ?? []).map(({ name, value }) => [name, value]))
  t.is(command?.user, 'yarn')
  t.is(kill_policy?.grace_period?.nanoseconds, 30_000_000_000)
  t.is(variables.TZ, 'UTC')
  t.is(variables.JAVA_HOME, '/java home', 'the Java of the template wins')
  t.true(variables.ISTHMUS_YARN_SITE?.includes('<name>yarn.resourcemanager.hostname</name><value>rm</value>'))
  t.true(variables.ISTHMUS_YARN_SITE?.includes('<value>$' + '{env.MESOS_SANDBOX}/local</value>'))
  t.true(variables.ISTHMUS_CORE_SITE?.includes('<name>fs.defaultFS</name><value>hdfs://n</value>'))
})

test('own folders are used for containers, each with the id of its NodeManager', (t) => {
  const { command } = base({ localDirs: ['/data1/{id}', '/data2/{id}'] })
  const site = command?.environment?.variables?.find(({ name }) => name === 'ISTHMUS_YARN_SITE')?.value ?? ''
  t.true(site.includes('<name>yarn.nodemanager.local-dirs</name><value>/data1/nm-1/local,/data2/nm-1/local</value>'))
  t.true(
    site.includes('<name>yarn.nodemanager.log-dirs</name><value>/data1/nm-1/containers,/data2/nm-1/containers</value>'),
  )
})

for (const { title, template, end } of [
  {
    title: 'a distribution',
    template: { distribution: { kind: 'home', path: "/opt/it's here" }, jvmFlags: ['-Da=b c', '-Xmx1g'] },
    end: `export HADOOP_CONF_DIR="$PWD/conf" YARN_NODEMANAGER_OPTS='-Da=b c -Xmx1g' && exec '/opt/it'\\''s here/bin/yarn' nodemanager`,
  },
  {
    title: 'a class path',
    template: { distribution: { kind: 'classpath', classpath: '/a b/*:$(x)/*' }, jvmFlags: ['-Da=b c', "-Dq='"] },
    end: `exec "$JAVA_HOME/bin/java" '-Da=b c' '-Dq='\\''' -cp "$PWD/conf:"'/a b/*:$(x)/*' org.apache.hadoop.yarn.server.nodemanager.NodeManager`,
  },
] as const) {
  test(`the script of ${title} quotes spaces, quotes and dollars, and becomes the daemon`, (t) => {
    const { command } = base(template)
    t.true(command?.shell)
    t.is(command?.value?.split(' && ').slice(-end.split(' && ').length).join(' && '), end)
  })
}
