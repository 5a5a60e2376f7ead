import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { AgentEvent } from '../../agent/events.ts'
import { AGENT_CAPABILITIES, AGENT_DEFAULTS } from '../../agent/options.ts'
import type { QosController, ResourceEstimator } from '../../agent/oversubscription/contract.ts'
import { createAgent } from '../../agent/state.ts'
import { AGENT_FLAGS } from '../config/agent-flags.ts'
import { parseFlags } from '../config/flags.ts'
import { silentLog } from '../observe/logger.ts'
import { Oversubscription } from './oversubscription.ts'
import { loadOversubscription } from './oversubscription-modules.ts'

const CPUS = { name: 'cpus', type: 'SCALAR', scalar: { value: 1 }, revocable: {} } as const

/** Asks the modules until they have answered so often or failed; what the machine was told, and the failures. */
async function asked(
  t: ExecutionContext,
  modules: { estimator?: ResourceEstimator; controller?: QosController },
  times: number,
): Promise<{ events: AgentEvent[]; failures: string[] }> {
  const events: AgentEvent[] = []
  const failures: string[] = []
  const state = createAgent({
    ...AGENT_DEFAULTS,
    info: { hostname: 'host', resources: [] },
    version: '1.0.0',
    address: { hostname: 'host', port: 5051 },
    capabilities: AGENT_CAPABILITIES,
    workDir: '/work',
    seed: 1,
    startedAtMs: 0,
  })
  await new Promise<void>((resolve) => {
    const look = (): void => {
      if (events.length + failures.length >= times) resolve()
    }
    const oversubscription = new Oversubscription({
      state,
      modules: {
        estimator: modules.estimator,
        controller: modules.controller,
        estimateIntervalMs: 1,
        correctionIntervalMs: 1,
      },
      containerizer: { usage: async () => undefined },
      log: {
        ...silentLog,
        warn: (_message, fields) => {
          failures.push(String(fields?.reason))
          look()
        },
      },
      now: () => 7,
      post: (event) => {
        events.push(event)
        look()
      },
    })
    // The timers do not keep a process alive, so something else has to while it is tested.
    const keepAlive = setInterval(look, 1_000)
    t.teardown(() => {
      clearInterval(keepAlive)
      oversubscription.stop()
    })
  })
  return { events, failures }
}

test('an estimate is told to the machine, again and again', async (t) => {
  const { events } = await asked(t, { estimator: { oversubscribable: () => [CPUS] } }, 3)
  t.deepEqual(events[0], { kind: 'estimated', atMs: 7, resources: [CPUS] })
  t.true(events.length >= 3)
})

test('corrections are told when there are some', async (t) => {
  let questions = 0
  const corrections = [{ frameworkId: 'F', executorId: 'e' }]
  const controller = { corrections: async () => (questions++ === 1 ? corrections : []) }
  const { events } = await asked(t, { controller }, 1)
  t.deepEqual(events, [{ kind: 'corrected', atMs: 7, corrections }])
  t.is(questions, 2)
})

const broken: readonly { name: string; answer: unknown; reason: RegExp }[] = [
  { name: 'nothing', answer: undefined, reason: /did not answer with a list/ },
  { name: 'no list', answer: { cpus: 1 }, reason: /did not answer with a list/ },
  { name: 'too long a list', answer: Array(1_001).fill(CPUS), reason: /at most 1000 resources/ },
  { name: 'a list of something else', answer: [{ name: 7, type: 'NONE' }], reason: /./ },
]
for (const { name, answer, reason } of broken) {
  test(`an estimator that answers ${name} is not believed, but asked again`, async (t) => {
    const estimator = { oversubscribable: () => answer as [] }
    const { events, failures } = await asked(t, { estimator }, 2)
    t.deepEqual(events, [])
    t.regex(failures[0]!, reason)
    t.true(failures.length >= 2)
  })
}

test('a module that throws is asked again', async (t) => {
  let questions = 0
  const estimator = {
    oversubscribable: () => {
      if (questions++ === 0) throw new Error('not today')
      return [CPUS]
    },
  }
  const { events, failures } = await asked(t, { estimator }, 2)
  t.is(failures[0], 'not today')
  t.is(events[0]?.kind, 'estimated')
})

test('a controller that answers something else is not believed', async (t) => {
  const controller = { corrections: () => [{ frameworkId: 'F' }] as unknown as [] }
  const { events, failures } = await asked(t, { controller }, 1)
  t.deepEqual(events, [])
  t.regex(failures[0]!, /did not answer with a list of corrections/)
})

function flagsOf(...argv: string[]) {
  const flags = parseFlags(AGENT_FLAGS, ['--master=127.0.0.1:5050', '--work_dir=/w', ...argv], {})
  if (!flags.ok) throw new Error(flags.error.message)
  return flags.value.values
}

test('without flags nothing is estimated and nobody is killed', async (t) => {
  t.deepEqual(await loadOversubscription(flagsOf()), {
    estimator: undefined,
    estimateIntervalMs: 15_000,
    controller: undefined,
    correctionIntervalMs: 5_000,
  })
})

/** A module of this text, by its path. */
function moduleOf(t: ExecutionContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-modules-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, 'module.mjs'), text)
  return join(folder, 'module.mjs')
}

test('a module of a user gets its parameters as texts', async (t) => {
  const path = moduleOf(t, 'export const createResourceEstimator = (p) => ({ oversubscribable: () => [p.a + p.b] })')
  const parameters = '--resource_estimator_parameters={"a":1,"b":"x"}'
  const { estimator } = await loadOversubscription(flagsOf(`--resource_estimator=${path}`, parameters))
  t.deepEqual(await estimator!.oversubscribable({} as never), ['1x'] as unknown as [])
})

const unusable: readonly { name: string; text: string; message: RegExp }[] = [
  { name: 'without the function', text: 'export const x = 1', message: /exports no function createResourceEstimator/ },
  {
    name: 'that makes nothing',
    text: 'export const createResourceEstimator = () => null',
    message: /returned nothing with a function oversubscribable/,
  },
  {
    name: 'that throws',
    text: 'export const createResourceEstimator = () => { throw new Error("no") }',
    message: /failed: no/,
  },
]
for (const { name, text, message } of unusable) {
  test(`a module ${name} is refused`, async (t) => {
    const path = moduleOf(t, text)
    await t.throwsAsync(loadOversubscription(flagsOf(`--resource_estimator=${path}`)), { message })
  })
}

for (const text of ['[1]', '{"a":[]}', 'null', '7']) {
  test(`parameters that are ${text} are refused`, async (t) => {
    const flags = flagsOf(`--qos_controller_parameters=${text}`)
    await t.throwsAsync(loadOversubscription(flags), { message: /is not a JSON object of texts and numbers/ })
  })
}
