import test from 'ava'
import { Resources } from '../../resources/resources.ts'
import type { AgentUsage, Parameters, ResourceEstimator } from './contract.ts'
import { ESTIMATORS } from './estimators.ts'
import { type Tenant, usages } from './usage-fixtures.ts'

function made(name: string, parameters: Parameters = {}): ResourceEstimator {
  const result = ESTIMATORS[name]!(parameters)
  if (!result.ok) throw new Error(result.rejection.message)
  return result.value!
}

/** What is estimated at each look. */
async function estimates(estimator: ResourceEstimator, looks: readonly AgentUsage[]): Promise<string[]> {
  const all: string[] = []
  for (const usage of looks) all.push(Resources.fromProto(await estimator.oversubscribable(usage)).toString())
  return all
}

async function last(tenants: readonly Tenant[], looks: number, parameters: Parameters = {}): Promise<string> {
  return (await estimates(made('usage', parameters), usages(tenants, looks))).at(-1)!
}

test('noop estimates nothing at all', (t) => {
  const result = ESTIMATORS.noop!({})
  t.true(result.ok && result.value === undefined)
})

test('fixed gives what it was told, less what is in use revocably', async (t) => {
  const fixed = made('fixed', { resources: 'cpus:2;mem:512;ports:[1-9]' })
  const tenants = [
    { id: 'a', cpus: 0.5, mem: 100, isRevocable: true },
    { id: 'b', cpus: 1, mem: 100 },
  ]
  const [given] = await estimates(fixed, usages(tenants, 0))
  t.is(given, 'cpus{REV}:1.5; mem{REV}:412; ports{REV}:[1-9]')
  const [none] = await estimates(fixed, usages([{ id: 'a', cpus: 3, mem: 512, isRevocable: true }], 0))
  t.is(none, 'ports{REV}:[1-9]')
})

const slack: readonly { name: string; tenants: readonly Tenant[]; parameters?: Parameters; expected: string }[] = [
  {
    name: 'what is used counts with a margin of a quarter, in steps',
    tenants: [{ id: 'a', cpus: 2, mem: 1024, usesCpus: [0.4], usesMemMb: [300] }],
    expected: 'cpus{REV}:1.5; mem{REV}:640',
  },
  {
    name: 'an idle task keeps a tenth',
    tenants: [{ id: 'a', cpus: 2, mem: 1000 }],
    expected: 'cpus{REV}:1.8; mem{REV}:896',
  },
  {
    name: 'a task that uses all it has leaves nothing',
    tenants: [{ id: 'a', cpus: 2, mem: 1000, usesCpus: [1.7], usesMemMb: [900] }],
    expected: '{}',
  },
  {
    name: 'what one uses beyond its own does not eat the slack of another',
    tenants: [
      { id: 'a', cpus: 1, usesCpus: [3] },
      { id: 'b', cpus: 1 },
    ],
    expected: 'cpus{REV}:0.9',
  },
  {
    name: 'what is held revocably has no slack, and is taken off',
    tenants: [
      { id: 'a', cpus: 2 },
      { id: 'b', cpus: 0.5, mem: 64, isRevocable: true },
    ],
    expected: 'cpus{REV}:1.3',
  },
  {
    name: 'more in use revocably than there is slack leaves nothing',
    tenants: [
      { id: 'a', cpus: 1 },
      { id: 'b', cpus: 3, isRevocable: true },
    ],
    expected: '{}',
  },
  { name: 'nothing runs', tenants: [], expected: '{}' },
  {
    name: 'one peak of cpu in twenty looks is no need, one of memory is',
    tenants: [
      {
        id: 'a',
        cpus: 2,
        mem: 1024,
        usesCpus: [0.4, 0.4, 0.4, 0.8, 0.4],
        usesMemMb: [100, 700, 100],
      },
    ],
    parameters: { margin: '0', floor: '0' },
    expected: 'cpus{REV}:1.6; mem{REV}:320',
  },
  {
    name: 'only what was asked for',
    tenants: [{ id: 'a', cpus: 2, mem: 1000 }],
    parameters: { resources: 'cpus', floor: '0' },
    expected: 'cpus{REV}:2',
  },
]
for (const { name, tenants, parameters, expected } of slack) {
  test(`usage: ${name}`, async (t) => {
    t.is(await last(tenants, 20, parameters), expected)
  })
}

test('usage: a task is looked at often enough before its slack is given', async (t) => {
  const looks = usages([{ id: 'a', cpus: 2 }], 4)
  t.deepEqual(await estimates(made('usage'), looks), ['{}', '{}', '{}', '{}', 'cpus{REV}:1.8'])
})

test('usage: an estimate shrinks at once and grows when it is worth it', async (t) => {
  const uses = [1, 1, 0.95, 0.9, 0.85, 0.7, 0.7, 1.2]
  const looks = usages([{ id: 'a', cpus: 2, usesCpus: uses }], uses.length)
  const parameters = { margin: '0', floor: '0', looks: '1', warm_up: '1', resources: 'cpus' }
  const given = await estimates(made('usage', parameters), looks)
  t.deepEqual(
    given.map((text) => Number(text.split(':')[1] ?? 0)),
    [0, 1, 1, 1, 1, 1, 1.3, 1.3, 0.8],
  )
})

test('usage: what cannot be read is not given', async (t) => {
  const looks = usages([{ id: 'a', cpus: 2 }], 10).map((usage) => ({
    ...usage,
    executors: usage.executors.map((one) => ({ ...one, statistics: { timestamp: 0 } })),
  }))
  t.is((await estimates(made('usage'), looks)).at(-1), '{}')
})

const refused: readonly { estimator: string; parameters: Parameters; message: string }[] = [
  { estimator: 'noop', parameters: { x: '1' }, message: 'parameter x: is not known; there are none' },
  { estimator: 'fixed', parameters: {}, message: 'parameter resources: is needed: cpus:2;mem:512' },
  { estimator: 'fixed', parameters: { resources: 'cpus(r):1' }, message: 'parameter resources: must not be reserved' },
  { estimator: 'usage', parameters: { margin: 'x' }, message: "parameter margin: 'x' is not a number from 0 to 100" },
  {
    estimator: 'usage',
    parameters: { percentile: '0' },
    message: "parameter percentile: '0' is not a number from 1 to 100",
  },
  {
    estimator: 'usage',
    parameters: { resources: 'cpus,gpus' },
    message: "parameter resources: 'gpus' is not cpus or mem",
  },
]
for (const { estimator, parameters, message } of refused) {
  test(`${estimator} refuses ${JSON.stringify(parameters)}`, (t) => {
    const result = ESTIMATORS[estimator]!(parameters)
    t.is(result.ok ? '' : result.rejection.message, message)
  })
}

test('fixed refuses resources that cannot be read', (t) => {
  const result = ESTIMATORS.fixed!({ resources: 'cpus:many;' })
  t.is(result.ok ? '' : result.rejection.code, 'BAD_PARAMETER')
})
