import type { Offer, OfferOperation, TaskInfo } from '@isthmus/proto/gen/mesos'
import test, { type ExecutionContext } from 'ava'
import { type Endpoint, parseEndpoint } from '../src/io/http/client.ts'
import { getJson, localCluster, postJson } from './cluster.ts'
import { PlainScheduler, scalars } from './plain-scheduler.ts'
import { isthmus, temporaryFolder, until } from './programs.ts'

function task(offer: Offer, id: string, rest: Partial<TaskInfo>): TaskInfo {
  return {
    name: id,
    task_id: { value: id },
    agent_id: offer.agent_id,
    resources: scalars({ cpus: 0.1, mem: 32 }),
    ...rest,
  }
}

function group(scheduler: PlainScheduler, tasks: readonly TaskInfo[]): OfferOperation {
  const executor = {
    type: 'DEFAULT',
    executor_id: { value: 'pod' },
    framework_id: { value: scheduler.frameworkId },
    resources: scalars({ cpus: 0.1, mem: 32, disk: 8 }),
  } as const
  return { type: 'LAUNCH_GROUP', launch_group: { executor, task_group: { tasks } } }
}

async function accept(scheduler: PlainScheduler, offer: Offer, operations: readonly OfferOperation[]): Promise<void> {
  const filters = { refuse_seconds: 0 }
  await scheduler.call({ type: 'ACCEPT', accept: { offer_ids: [offer.id], operations, filters } })
}

/** Waits for an offer that comes after another. */
async function nextOffer(scheduler: PlainScheduler, before: Offer): Promise<Offer> {
  let found: Offer | undefined
  await until('the next offer', () => {
    found = scheduler.events.findLast(({ type }) => type === 'OFFERS')?.offers?.offers?.[0]
    return found !== undefined && found.id.value !== before.id.value
  })
  return found!
}

async function operator(endpoint: Endpoint, call: unknown): Promise<{ status: number; body: Record<string, unknown> }> {
  const { status, text } = await postJson(endpoint, '/api/v1', call)
  return { status, body: text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : { text } }
}

test('a running default executor takes a task that only holds resources, and gives it back without harm', async (t) => {
  const { master } = await localCluster(t)
  const scheduler = new PlainScheduler(master)
  scheduler.subscribe()
  const first = await scheduler.offer()
  await accept(scheduler, first, [group(scheduler, [task(first, 'base', { command: { value: 'sleep 987' } })])])
  await scheduler.reached('base', 'TASK_RUNNING')
  const second = await nextOffer(scheduler, first)
  await accept(scheduler, second, [group(scheduler, [task(second, 'slab', { resources: scalars({ cpus: 1 }) })])])
  await scheduler.reached('slab', 'TASK_RUNNING')
  const { slaves } = (await getJson(master, '/slaves')) as { slaves: { used_resources: { cpus: number } }[] }
  t.is(slaves[0]?.used_resources.cpus, 1.2)
  await scheduler.call({ type: 'KILL', kill: { task_id: { value: 'slab' } } })
  await scheduler.reached('slab', 'TASK_KILLED')
  t.deepEqual(scheduler.statesOf('base'), ['TASK_STARTING', 'TASK_RUNNING'])
  scheduler.close()
})

test('an operator launches, awaits and kills a container inside an executor', async (t) => {
  const { master, agents } = await localCluster(t)
  const scheduler = new PlainScheduler(master)
  scheduler.subscribe()
  const offer = await scheduler.offer()
  await accept(scheduler, offer, [group(scheduler, [task(offer, 'base', { command: { value: 'sleep 987' } })])])
  const { container_status } = await scheduler.reached('base', 'TASK_RUNNING')
  const parent = container_status?.container_id?.parent
  const nested = (value: string) => ({ container_id: { value, parent } })
  const launched = await operator(agents[0]!, {
    type: 'LAUNCH_NESTED_CONTAINER',
    launch_nested_container: { ...nested('short'), command: { value: 'sleep 0.2; exit 5' } },
  })
  t.is(launched.status, 200)
  t.deepEqual(
    (await operator(agents[0]!, { type: 'WAIT_NESTED_CONTAINER', wait_nested_container: nested('short') })).body,
    { type: 'WAIT_NESTED_CONTAINER', wait_nested_container: { exit_status: 5 << 8 } },
  )
  const long = { ...nested('long'), command: { value: 'sleep 987' } }
  await operator(agents[0]!, { type: 'LAUNCH_NESTED_CONTAINER', launch_nested_container: long })
  await operator(agents[0]!, { type: 'KILL_NESTED_CONTAINER', kill_nested_container: nested('long') })
  const { body } = await operator(agents[0]!, { type: 'WAIT_CONTAINER', wait_container: nested('long') })
  // Killed before or after its first process ran.
  t.regex(JSON.stringify(body), /"exit_status":9|destroyed/)
  t.deepEqual(scheduler.statesOf('base'), ['TASK_STARTING', 'TASK_RUNNING'])
  scheduler.close()
})

test('DRAIN_AGENT kills what runs on an agent, and says why', async (t) => {
  const { master, agents } = await localCluster(t)
  const scheduler = new PlainScheduler(master)
  scheduler.subscribe()
  const offer = await scheduler.offer()
  await scheduler.launch(offer, [task(offer, 't', { command: { value: 'sleep 987' } })])
  await scheduler.reached('t', 'TASK_RUNNING')
  const drain = { type: 'DRAIN_AGENT', drain_agent: { agent_id: offer.agent_id } }
  t.is((await operator(master, drain)).status, 200)
  const end = await scheduler.reached('t', 'TASK_KILLED')
  t.is(end.reason, 'REASON_AGENT_DRAINING')
  await until('the end of the drain', async () => {
    const { body } = await operator(master, { type: 'GET_AGENTS' })
    return JSON.stringify(body).includes('"state":"DRAINED"')
  })
  await until('the agent to be told', async () => {
    const state = (await getJson(agents[0]!, '/state')) as { drain_config?: unknown }
    return state.drain_config === undefined
  })
  scheduler.close()
})

test('RESERVE and UNRESERVE reach the agent, and their outcome the framework', async (t) => {
  const { master, agents } = await localCluster(t)
  const scheduler = new PlainScheduler(master)
  const capabilities = [{ type: 'MULTI_ROLE' }, { type: 'RESERVATION_REFINEMENT' }] as const
  scheduler.subscribe({ roles: ['r'], capabilities })
  const first = await scheduler.offer()
  const reservation = { type: 'DYNAMIC', role: 'r' } as const
  const resources = scalars({ cpus: 1 }).map((one) => ({ ...one, reservations: [reservation] }))
  await accept(scheduler, first, [{ type: 'RESERVE', id: { value: 'op' }, reserve: { resources } }])
  const outcome = (state: string) => () =>
    scheduler.events.some(({ update_operation_status }) => update_operation_status?.status.state === state)
  await until('the outcome', outcome('OPERATION_FINISHED'))
  const reserved = async () => (await getJson(agents[0]!, '/state')) as { reserved_resources: Record<string, unknown> }
  t.deepEqual((await reserved()).reserved_resources, { r: { cpus: 1, gpus: 0, mem: 0, disk: 0 } })
  const second = await nextOffer(scheduler, first)
  await accept(scheduler, second, [{ type: 'UNRESERVE', unreserve: { resources } }])
  await until('the end of the reservation', async () => (await reserved()).reserved_resources.r === undefined)
  scheduler.close()
})

async function masterAndAgent(t: ExecutionContext): Promise<{ master: Endpoint; agent: ReturnType<typeof isthmus> }> {
  const started = isthmus(t, ['master', '--ip=127.0.0.1', '--port=0', `--work_dir=${temporaryFolder(t)}`])
  const [, url = ''] = await started.said(/^ready (\S+)\n/m)
  const master = parseEndpoint(url)!
  const agent = isthmus(t, [
    'agent',
    `--master=${master.host}:${master.port}`,
    '--ip=127.0.0.1',
    '--port=0',
    '--resources=cpus:2;mem:1024',
    '--registration_backoff_factor=100ms',
    `--work_dir=${temporaryFolder(t)}`,
  ])
  await agent.said(/^ready /m)
  return { master, agent }
}

test('an agent that is asked to end for good reports the end of its tasks and takes leave: nobody waits for its pings', async (t) => {
  const { master, agent } = await masterAndAgent(t)
  const scheduler = new PlainScheduler(master)
  scheduler.subscribe()
  const offer = await scheduler.offer()
  await scheduler.launch(offer, [task(offer, 't', { command: { value: 'sleep 987' } })])
  await scheduler.reached('t', 'TASK_RUNNING')
  agent.child.kill('SIGUSR1')
  t.is(await agent.ended, 0)
  await scheduler.reached('t', 'TASK_KILLED')
  await until('the removal of the agent', async () => {
    const { slaves } = (await getJson(master, '/slaves')) as { slaves: unknown[] }
    return slaves.length === 0
  })
  t.false(scheduler.statesOf('t').includes('TASK_LOST'))
  scheduler.close()
})
