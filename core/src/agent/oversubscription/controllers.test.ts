import test from 'ava'
import type { AgentUsage, Parameters, QosController } from './contract.ts'
import { CONTROLLERS } from './controllers.ts'
import { type Tenant, usages } from './usage-fixtures.ts'

function made(name: string, parameters: Parameters = {}): QosController {
  const result = CONTROLLERS[name]!(parameters)
  if (!result.ok) throw new Error(result.rejection.message)
  return result.value!
}

/** Who is killed at each look. */
async function kills(controller: QosController, looks: readonly AgentUsage[]): Promise<string[][]> {
  const all: string[][] = []
  for (const usage of looks) all.push((await controller.corrections(usage)).map(({ executorId }) => executorId))
  return all
}

const TENANTS: readonly Tenant[] = [
  { id: 'db', cpus: 3, mem: 1024, usesCpus: [2.9] },
  { id: 'old', cpus: 1, isRevocable: true, usesCpus: [0.5], startedAtMs: 1 },
  { id: 'new', cpus: 1, isRevocable: true, usesCpus: [0.4], startedAtMs: 2 },
]

test('noop kills nobody', (t) => {
  const result = CONTROLLERS.noop!({})
  t.true(result.ok && result.value === undefined)
})

const loads: readonly { load: AgentUsage['load']; parameters: Parameters; expected: readonly string[] }[] = [
  { load: [9, 5, 5], parameters: { load_threshold_5min: '5' }, expected: [] },
  { load: [0, 5.1, 0], parameters: { load_threshold_5min: '5' }, expected: ['old', 'new'] },
  { load: [0, 9, 2], parameters: { load_threshold_15min: '2' }, expected: [] },
  { load: [0, 0, 2.5], parameters: { load_threshold_5min: '9', load_threshold_15min: '2' }, expected: ['old', 'new'] },
]
for (const { load, parameters, expected } of loads) {
  test(`load: with ${load} ${JSON.stringify(parameters)} kills [${expected}], and nobody who holds resources for himself`, async (t) => {
    const [usage] = usages(TENANTS, 0)
    t.deepEqual(await kills(made('load', parameters), [{ ...usage!, load }]), [[...expected]])
  })
}

test('load says why, and which run of the executor it means', async (t) => {
  const [usage] = usages(TENANTS, 0)
  const [kill] = await made('load', { load_threshold_5min: '5' }).corrections({ ...usage!, load: [0, 6, 0] })
  t.deepEqual(kill, {
    frameworkId: 'F',
    executorId: 'old',
    containerId: 'container-old',
    message: 'Container preempted by QoS correction: load of 5 minutes 6 > 5',
  })
})

const busy = (id: string, used: number, more: Partial<Tenant> = {}): Tenant => ({
  id,
  cpus: 1,
  usesCpus: [used],
  ...more,
})
const pressures: readonly { name: string; tenants: readonly Tenant[]; expected: readonly string[] }[] = [
  { name: 'makes room down to the target, the newest first', tenants: TENANTS, expected: ['new', 'old'] },
  {
    name: 'kills no more than needed',
    tenants: [
      busy('db', 2),
      busy('old', 1, { isRevocable: true }),
      busy('new', 0.9, { isRevocable: true, startedAtMs: 9 }),
    ],
    expected: ['new'],
  },
  {
    name: 'does nothing below the threshold',
    tenants: [busy('db', 2), busy('old', 1.5, { isRevocable: true })],
    expected: [],
  },
  {
    name: 'does nothing while those that hold resources for themselves are idle',
    tenants: [busy('db', 0.1), busy('old', 3.9, { isRevocable: true })],
    expected: [],
  },
  { name: 'has nobody to kill when nobody runs revocably', tenants: [busy('db', 2), busy('web', 2)], expected: [] },
  {
    name: 'spares those that use next to nothing',
    tenants: [
      busy('db', 3),
      busy('old', 0.9, { isRevocable: true }),
      busy('new', 0.001, { isRevocable: true, startedAtMs: 9 }),
    ],
    expected: ['old'],
  },
]
for (const { name, tenants, expected } of pressures) {
  test(`pressure on cpus: ${name}`, async (t) => {
    // The first look starts the clocks, the second is the first that sees something.
    t.deepEqual(await kills(made('pressure'), usages(tenants, 2)), [[], [], [...expected]])
  })
}

test('pressure on cpus that passes is no reason', async (t) => {
  const tenants = [busy('db', 0, { usesCpus: [2.9, 0.5, 2.9, 0.5] }), busy('old', 1, { isRevocable: true })]
  t.deepEqual(await kills(made('pressure'), usages(tenants, 4)), [[], [], [], [], []])
})

test('pressure on memory is acted on at once', async (t) => {
  const tenants: Tenant[] = [
    { id: 'db', mem: 3000, usesMemMb: [2900] },
    { id: 'old', mem: 500, usesMemMb: [500], isRevocable: true, startedAtMs: 1 },
    { id: 'new', mem: 500, usesMemMb: [400], isRevocable: true, startedAtMs: 2 },
  ]
  t.deepEqual(await kills(made('pressure'), usages(tenants, 1)), [[], ['new', 'old']])
})

const refused: readonly { controller: string; parameters: Parameters; message: string }[] = [
  { controller: 'noop', parameters: { x: '' }, message: 'parameter x: is not known; there are none' },
  { controller: 'load', parameters: {}, message: 'load_threshold_5min or load_threshold_15min is needed' },
  {
    controller: 'load',
    parameters: { load_threshold_5min: '-1' },
    message: "parameter load_threshold_5min: '-1' is not a number from 0 to Infinity",
  },
  {
    controller: 'pressure',
    parameters: { target: '0.95' },
    message: 'parameter target: 0.95 is above the threshold 0.9',
  },
  { controller: 'pressure', parameters: { looks: '' }, message: "parameter looks: '' is not a number from 1 to 1000" },
]
for (const { controller, parameters, message } of refused) {
  test(`${controller} refuses ${JSON.stringify(parameters)}`, (t) => {
    const result = CONTROLLERS[controller]!(parameters)
    t.is(result.ok ? '' : result.rejection.message, message)
  })
}
