// Revocable resources from the estimate of an agent to the end of a task that runs on them, with real processes.

import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FrameworkInfoCapability, Offer, Resource, TaskInfo } from '@isthmus/proto/gen/mesos'
import test, { type ExecutionContext } from 'ava'
import { type Endpoint, parseEndpoint } from '../src/io/http/client.ts'
import { getJson, postJson } from './cluster.ts'
import { PlainScheduler, scalars } from './plain-scheduler.ts'
import { isthmus, temporaryFolder, until } from './programs.ts'

const ABLE: readonly FrameworkInfoCapability[] = [{ type: 'MULTI_ROLE' }, { type: 'REVOCABLE_RESOURCES' }]
const PLAIN: readonly FrameworkInfoCapability[] = [{ type: 'MULTI_ROLE' }]

interface Pair {
  readonly master: Endpoint
  readonly agent: Endpoint
}

/** A master and one agent of 2 cpus and 1024 MB with these flags. */
async function start(t: ExecutionContext, flags: readonly string[]): Promise<Pair> {
  const common = ['--ip=127.0.0.1', '--port=0']
  const master = isthmus(t, ['master', ...common, '--allocation_interval=100ms', `--work_dir=${temporaryFolder(t)}`])
  const [, masterUrl = ''] = await master.said(/^ready (\S+)\n/m)
  const endpoint = parseEndpoint(masterUrl)!
  const agent = isthmus(t, [
    'agent',
    `--master=${endpoint.host}:${endpoint.port}`,
    ...common,
    '--resources=cpus:2;mem:1024;disk:1024;ports:[31000-31099]',
    '--registration_backoff_factor=100ms',
    '--oversubscribed_resources_interval=100ms',
    '--qos_correction_interval_min=100ms',
    `--work_dir=${temporaryFolder(t)}`,
    ...flags,
  ])
  const [, agentUrl = ''] = await agent.said(/^ready (\S+)\n/m)
  return { master: endpoint, agent: parseEndpoint(agentUrl)! }
}

function subscribed(
  t: ExecutionContext,
  master: Endpoint,
  role: string,
  capabilities: readonly FrameworkInfoCapability[],
): PlainScheduler {
  const framework = new PlainScheduler(master)
  t.teardown(() => framework.close())
  framework.subscribe({ roles: [role], capabilities })
  return framework
}

/** Offers so far that were not rescinded. */
function offersOf(framework: PlainScheduler): Offer[] {
  const gone = new Set(framework.events.map(({ rescind }) => rescind?.offer_id.value))
  return framework.events.flatMap(({ offers }) => offers?.offers ?? []).filter(({ id }) => !gone.has(id.value))
}

function amount({ resources = [] }: Offer, name: string, isRevocable: boolean): number {
  const fitting = resources.filter((one) => one.name === name && (one.revocable !== undefined) === isRevocable)
  return fitting.reduce((sum, { scalar }) => sum + (scalar?.value ?? 0), 0)
}

async function offerWith(framework: PlainScheduler, what: string, wanted: (offer: Offer) => boolean): Promise<Offer> {
  let found: Offer | undefined
  await until(what, () => {
    found = offersOf(framework).findLast(wanted)
    return found !== undefined
  })
  return found!
}

function revocable(values: Readonly<Record<string, number>>): Resource[] {
  return scalars(values).map((one) => ({ ...one, revocable: {} }))
}

function task(offer: Offer, id: string, resources: readonly Resource[]): TaskInfo {
  const command = { value: 'exec sleep 1000' }
  return { name: id, task_id: { value: id }, agent_id: offer.agent_id, resources, command }
}

async function metric(endpoint: Endpoint, name: string): Promise<number | undefined> {
  return ((await getJson(endpoint, '/metrics/snapshot')) as Record<string, number>)[name]
}

test('the fixed estimate is offered to frameworks that can take it, and a task runs on it', async (t) => {
  const parameters = '--resource_estimator_parameters={"resources":"cpus:3;mem:256"}'
  const { master, agent } = await start(t, ['--resource_estimator=fixed', parameters])
  const plain = subscribed(t, master, 'plain', PLAIN)
  const whole = await offerWith(plain, 'an offer without the capability', (offer) => amount(offer, 'cpus', false) === 2)
  t.is(amount(whole, 'cpus', true), 0)
  const able = subscribed(t, master, 'able', ABLE)
  const offer = await offerWith(able, 'a revocable offer', (one) => amount(one, 'cpus', true) === 3)
  t.is(amount(offer, 'cpus', false), 0)
  t.is(amount(offer, 'mem', true), 256)

  await able.launch(offer, [task(offer, 'cheap', revocable({ cpus: 2, mem: 64 }))])
  await able.reached('cheap', 'TASK_RUNNING')
  t.is(await metric(master, 'master/cpus_revocable_total'), 3)
  t.is(await metric(master, 'master/cpus_revocable_used'), 2)
  t.is(await metric(agent, 'slave/cpus_revocable_total'), 3)
  t.is(await metric(agent, 'slave/cpus_revocable_used'), 2)
  t.false(plain.events.some(({ offers }) => offers?.offers?.some((one) => amount(one, 'cpus', true) > 0)))
})

const ESTIMATOR = `
import { existsSync, readFileSync } from 'node:fs'
export function createResourceEstimator({ path }) {
  return {
    oversubscribable: async () => {
      if (!existsSync(path)) throw new Error('nothing is known yet')
      return [{ name: 'cpus', type: 'SCALAR', scalar: { value: Number(readFileSync(path, 'utf8')) }, revocable: {} }]
    },
  }
}
`

const CONTROLLER = `
import { existsSync } from 'node:fs'
export const createQosController = ({ path }) => ({
  corrections: (usage) =>
    existsSync(path)
      ? usage.executors
          .filter(({ allocated }) => allocated.some((one) => one.revocable))
          .map(({ executor_info }) => ({
            frameworkId: executor_info.framework_id.value,
            executorId: executor_info.executor_id.value,
          }))
      : [],
})
`

test('another estimate changes the offers; who is in the way is killed for that reason', async (t) => {
  const folder = temporaryFolder(t)
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  const [estimate, alarm] = [join(folder, 'estimate'), join(folder, 'alarm')]
  const { master, agent } = await start(t, [
    `--resource_estimator=${file('estimator.mjs', ESTIMATOR)}`,
    `--resource_estimator_parameters=${JSON.stringify({ path: estimate })}`,
    `--qos_controller=${file('controller.mjs', CONTROLLER)}`,
    `--qos_controller_parameters=${JSON.stringify({ path: alarm })}`,
  ])
  // Written beside and renamed would be cleaner, but one digit is written whole.
  writeFileSync(estimate, '1')
  const plain = subscribed(t, master, 'plain', PLAIN)
  const whole = await offerWith(plain, 'an offer of its own', (offer) => amount(offer, 'cpus', false) === 2)
  const able = subscribed(t, master, 'able', ABLE)
  const small = await offerWith(able, 'the first estimate', (offer) => amount(offer, 'cpus', true) === 1)
  writeFileSync(estimate, '3')
  const large = await offerWith(able, 'the second estimate', (offer) => amount(offer, 'cpus', true) === 3)
  t.true(able.events.some(({ rescind }) => rescind?.offer_id.value === small.id.value))

  await plain.launch(whole, [task(whole, 'paid', scalars({ cpus: 1, mem: 64 }))])
  await able.launch(large, [task(large, 'cheap', revocable({ cpus: 1 }))])
  await plain.reached('paid', 'TASK_RUNNING')
  await able.reached('cheap', 'TASK_RUNNING')
  writeFileSync(alarm, '')
  const end = await able.reached('cheap', 'TASK_LOST')
  rmSync(alarm)
  t.is(end.reason, 'REASON_CONTAINER_PREEMPTED')
  t.is(end.message, 'Container preempted by QoS correction')
  t.is(await metric(agent, 'slave/executors_preempted'), 1)
  t.deepEqual(plain.statesOf('paid').slice(-1), ['TASK_RUNNING'])
})

/** Launches a task; when the estimate changed meanwhile, so that the offer was rescinded, another on the next offer. */
async function launchOnNewest(able: PlainScheduler): Promise<void> {
  const tried = new Set<string>()
  await until('a task on revocable resources', async () => {
    if ([...tried].some((id) => able.statesOf(`on-${id}`).includes('TASK_RUNNING'))) return true
    const offer = offersOf(able).findLast((one) => amount(one, 'cpus', true) >= 0.5 && !tried.has(one.id.value))
    if (offer === undefined) return false
    tried.add(offer.id.value)
    await able.launch(offer, [task(offer, `on-${offer.id.value}`, revocable({ cpus: 0.5, mem: 64 }))])
    return false
  })
}

test('what an idle task does not use is offered again as revocable, and its use is shown', async (t) => {
  const { master, agent } = await start(t, ['--resource_estimator=usage', '--qos_controller=pressure'])
  const plain = subscribed(t, master, 'plain', PLAIN)
  const whole = await offerWith(plain, 'an offer of its own', (offer) => amount(offer, 'cpus', false) === 2)
  const able = subscribed(t, master, 'able', ABLE)
  await plain.launch(whole, [task(whole, 'idle', scalars({ cpus: 2, mem: 512 }))])
  await plain.reached('idle', 'TASK_RUNNING')
  const offer = await offerWith(able, 'the slack of the idle task', (one) => amount(one, 'cpus', true) >= 1)
  t.true(amount(offer, 'cpus', true) <= 1.8)
  t.true(amount(offer, 'mem', true) > 256 && amount(offer, 'mem', true) <= 461)
  await launchOnNewest(able)

  const pages = (await getJson(agent, '/containers')) as { executor_id: string; statistics: Record<string, number> }[]
  const idle = pages.find(({ executor_id }) => executor_id === 'idle')!.statistics
  t.true(idle.mem_rss_bytes! > 0 && idle.processes! > 0 && idle.cpus_user_time_secs! >= 0)
  const { text } = await postJson(agent, '/api/v1', { type: 'GET_CONTAINERS' })
  const { get_containers } = JSON.parse(text) as {
    get_containers: { containers: { executor_id: { value: string }; resource_statistics: Record<string, number> }[] }
  }
  const same = get_containers.containers.find(({ executor_id }) => executor_id.value === 'idle')!.resource_statistics
  t.true(same.mem_rss_bytes! > 0 && same.processes! > 0 && same.cpus_user_time_secs! >= 0)
})

const refusals: readonly { name: string; flags: readonly string[]; says: RegExp }[] = [
  {
    name: 'no such module',
    flags: ['--resource_estimator=no-such-module'],
    says: /module 'no-such-module' was not found/,
  },
  { name: 'parameters missing', flags: ['--resource_estimator=fixed'], says: /parameter resources: is needed/ },
  { name: 'no JSON', flags: ['--qos_controller_parameters=x=1'], says: /'x=1' is not a JSON object/ },
  {
    name: 'no threshold',
    flags: ['--qos_controller=load'],
    says: /load_threshold_5min or load_threshold_15min is needed/,
  },
]
for (const { name, flags, says } of refusals) {
  test(`an agent that cannot oversubscribe as it is told does not start: ${name}`, async (t) => {
    const workDir = temporaryFolder(t)
    const program = isthmus(t, [
      'agent',
      '--master=127.0.0.1:1',
      '--ip=127.0.0.1',
      '--port=0',
      `--work_dir=${workDir}`,
      ...flags,
    ])
    t.is(await program.ended, 2)
    t.regex(program.stderr(), says)
    t.true(existsSync(workDir))
  })
}
