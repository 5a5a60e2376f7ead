// Persistent volumes from RESERVE to DESTROY, over the death of their agent, with real processes and files.

import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import type { Offer, OfferOperation, Resource, TaskInfo } from '@isthmus/proto/gen/mesos'
import test, { type ExecutionContext } from 'ava'
import { type Endpoint, parseEndpoint, sendTo } from '../src/io/http/client.ts'
import { getJson } from './cluster.ts'
import { PlainScheduler, scalars } from './plain-scheduler.ts'
import { isthmus, type Program, temporaryFolder, until } from './programs.ts'

type Source = NonNullable<Resource['disk']>['source']

const CAPABILITIES = [{ type: 'MULTI_ROLE' }, { type: 'RESERVATION_REFINEMENT' }, { type: 'SHARED_RESOURCES' }] as const
const isRoot = process.getuid?.() === 0
const RESERVATION = { type: 'DYNAMIC', role: 'storage' } as const

async function startMaster(t: ExecutionContext): Promise<Endpoint> {
  const flags = ['--ip=127.0.0.1', '--port=0', '--allocation_interval=100ms']
  const program = isthmus(t, ['master', ...flags, `--work_dir=${temporaryFolder(t)}`])
  const [, url = ''] = await program.said(/^ready (\S+)\n/m)
  return parseEndpoint(url)!
}

function startAgent(t: ExecutionContext, master: Endpoint, workDir: string, resources: string): Program {
  return isthmus(t, [
    'agent',
    `--master=${master.host}:${master.port}`,
    '--ip=127.0.0.1',
    '--port=0',
    `--resources=${resources}`,
    '--registration_backoff_factor=100ms',
    `--work_dir=${workDir}`,
  ])
}

/** An agent with 4 cpus, 1024 MB and one disk of 256 MB. */
function resourcesWith(source: Source): string {
  const scalar = (name: string, value: number) => ({ name, type: 'SCALAR', scalar: { value } })
  const disk = { ...scalar('disk', 256), ...(source && { disk: { source } }) }
  return JSON.stringify([scalar('cpus', 4), scalar('mem', 1024), disk])
}

function disk(sizeMb: number, source: Source): Resource {
  return { ...scalars({ disk: sizeMb })[0]!, reservations: [RESERVATION], ...(source && { disk: { source } }) }
}

function volume(path: string, source: Source, more: Partial<Resource> = {}): Resource {
  const info = { persistence: { id: 'v1' }, volume: { container_path: path, mode: 'RW' as const } }
  return { ...disk(64, source), disk: { ...info, ...(source && { source }) }, ...more }
}

function task(offer: Offer, id: string, command: string, volumes: readonly Resource[]): TaskInfo {
  return {
    name: id,
    task_id: { value: id },
    agent_id: offer.agent_id,
    resources: [...scalars({ cpus: 0.1, mem: 32 }), ...volumes],
    command: { value: command },
  }
}

function launch(tasks: readonly TaskInfo[]): OfferOperation {
  return { type: 'LAUNCH', launch: { task_infos: tasks } }
}

/** POSTs a form as the older pages take it; returns status and text. */
async function postForm(
  endpoint: Endpoint,
  path: string,
  fields: Readonly<Record<string, unknown>>,
): Promise<[number, string]> {
  const texts = Object.entries(fields).map(([name, value]): [string, string] => {
    return [name, typeof value === 'string' ? value : JSON.stringify(value)]
  })
  const { status, body } = await sendTo(endpoint, {
    path,
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(texts).toString(),
  })
  return [status, body.toString()]
}

/** A framework of one role and all its offers so far. */
class Framework extends PlainScheduler {
  get offers(): readonly Offer[] {
    return this.events.flatMap(({ offers }) => offers?.offers ?? [])
  }

  /** The newest offer that satisfies `wanted` and was not rescinded. */
  async offerWith(what: string, wanted: (offer: Offer) => boolean): Promise<Offer> {
    let found: Offer | undefined
    await until(what, () => {
      const gone = new Set(this.events.map(({ rescind }) => rescind?.offer_id.value))
      found = this.offers.findLast((offer) => !gone.has(offer.id.value) && wanted(offer))
      return found !== undefined
    })
    return found!
  }

  async accept(offer: Offer, ...operations: OfferOperation[]): Promise<void> {
    const filters = { refuse_seconds: 0 }
    await this.call({ type: 'ACCEPT', accept: { offer_ids: [offer.id], operations, filters } })
  }

  async finished(operationId: string): Promise<void> {
    await until(`the end of ${operationId}`, () => this.outcomes(operationId).includes('OPERATION_FINISHED'))
  }

  outcomes(operationId: string): string[] {
    return this.events.flatMap(({ update_operation_status }) => {
      const status = update_operation_status?.status
      return status?.operation_id?.value === operationId ? [status.state] : []
    })
  }
}

function subscribed(t: ExecutionContext, master: Endpoint, role: string): Framework {
  const framework = new Framework(master)
  t.teardown(() => framework.close())
  framework.subscribe({ roles: [role], capabilities: CAPABILITIES })
  return framework
}

function holdsVolume({ resources = [] }: Offer): boolean {
  return resources.some((resource) => resource.disk?.persistence?.id === 'v1')
}

function hasCpus({ resources = [] }: Offer): boolean {
  return resources.some(({ name }) => name === 'cpus')
}

const disks: readonly { name: string; source: (folder: string) => Source; place: (folder: string) => string }[] = [
  { name: 'the work_dir', source: () => undefined, place: (folder) => join(folder, 'work/volumes/roles/storage/v1') },
  {
    name: 'a PATH disk',
    source: (folder) => ({ type: 'PATH', path: { root: join(folder, 'disk') } }),
    place: (folder) => join(folder, 'disk/volumes/roles/storage/v1'),
  },
  {
    name: 'a MOUNT disk',
    source: (folder) => ({ type: 'MOUNT', mount: { root: join(folder, 'disk') } }),
    place: (folder) => join(folder, 'disk'),
  },
]

for (const { name, source: sourceIn, place } of disks) {
  test(`a volume on ${name} outlives its task and its agent, is offered to its role only, and DESTROY removes its data`, async (t) => {
    const folder = temporaryFolder(t)
    mkdirSync(join(folder, 'disk'))
    const source = sourceIn(folder)
    // MOUNT disks are taken whole.
    const size = source?.type === 'MOUNT' ? 256 : 64
    const sized = (path: string): Resource => ({ ...volume(path, source), scalar: { value: size } })
    const master = await startMaster(t)
    const agent = startAgent(t, master, join(folder, 'work'), resourcesWith(source))
    await agent.said(/^ready /m)
    const owner = subscribed(t, master, 'storage')
    const first = await owner.offerWith('an offer with disk', ({ resources = [] }) => {
      return resources.some((resource) => resource.name === 'disk')
    })
    await owner.accept(
      first,
      { type: 'RESERVE', id: { value: 'reserve' }, reserve: { resources: [disk(size, source)] } },
      { type: 'CREATE', id: { value: 'create' }, create: { volumes: [sized('data')] } },
      launch([task(first, 'writer', 'echo precious > data/file', [sized('data')])]),
    )
    await owner.reached('writer', 'TASK_FINISHED')
    await owner.finished('create')
    t.is(readFileSync(join(place(folder), 'file'), 'utf8'), 'precious\n')

    agent.child.kill('SIGKILL')
    await agent.ended
    await owner.call({ type: 'SUPPRESS' })
    const stranger = subscribed(t, master, 'other')
    await startAgent(t, master, join(folder, 'work'), resourcesWith(source)).said(/^ready /m)
    const strange = await stranger.offerWith('an offer to another role', () => true)
    t.is(strange.agent_id.value, first.agent_id.value)
    const filters = { refuse_seconds: 3_600 }
    await stranger.call({ type: 'DECLINE', decline: { offer_ids: [strange.id], filters } })
    await owner.call({ type: 'REVIVE' })
    const second = await owner.offerWith('the volume', (offer) => holdsVolume(offer) && hasCpus(offer))
    t.is(second.agent_id.value, strange.agent_id.value)
    t.is(readFileSync(join(place(folder), 'file'), 'utf8'), 'precious\n')
    await owner.accept(
      second,
      launch([
        task(second, 'reader', '[ "$(cat again/file)" = precious ] && echo more >> again/file', [sized('again')]),
      ]),
    )
    await owner.reached('reader', 'TASK_FINISHED')
    t.is(readFileSync(join(place(folder), 'file'), 'utf8'), 'precious\nmore\n')

    const third = await owner.offerWith(
      'the volume again',
      (offer) => holdsVolume(offer) && offer.id.value !== second.id.value,
    )
    await owner.accept(third, {
      type: 'DESTROY',
      id: { value: 'destroy' },
      destroy: { volumes: [volume('x', source, { scalar: { value: size } })] },
    })
    await owner.finished('destroy')
    t.false(existsSync(join(place(folder), 'file')))
    t.is(existsSync(place(folder)), source?.type === 'MOUNT')
    t.deepEqual(stranger.offers.filter(holdsVolume), [])
  })
}

test('all operations of one ACCEPT are done in order, each on what the former made, and tasks of a group write to a volume', async (t) => {
  const folder = temporaryFolder(t)
  // The user of the task has to get in.
  chmodSync(folder, 0o755)
  const master = await startMaster(t)
  const agent = startAgent(t, master, folder, resourcesWith(undefined))
  const [, url = ''] = await agent.said(/^ready (\S+)\n/m)
  const owner = subscribed(t, master, 'storage')
  const offer = await owner.offer()
  const sized = (sizeMb: number): Resource => ({ ...volume('data', undefined), scalar: { value: sizeMb } })
  const executor = {
    type: 'DEFAULT',
    executor_id: { value: 'pod' },
    framework_id: { value: owner.frameworkId },
    resources: scalars({ cpus: 0.1, mem: 32, disk: 8 }),
  } as const
  const tasks = [task(offer, 'writer', 'id -un > data/owner', [sized(96)])].map((one) => ({
    ...one,
    command: { ...one.command, user: isRoot ? 'nobody' : undefined },
  }))
  const other = { ...disk(16, undefined), disk: { ...sized(16).disk, persistence: { id: 'v2' } } }
  await owner.accept(
    offer,
    { type: 'RESERVE', id: { value: '1' }, reserve: { resources: [disk(160, undefined)] } },
    { type: 'CREATE', id: { value: '2' }, create: { volumes: [sized(64), other] } },
    { type: 'GROW_VOLUME', id: { value: '3' }, grow_volume: { volume: sized(64), addition: disk(64, undefined) } },
    { type: 'SHRINK_VOLUME', id: { value: '4' }, shrink_volume: { volume: sized(128), subtract: { value: 32 } } },
    { type: 'DESTROY', id: { value: '5' }, destroy: { volumes: [other] } },
    { type: 'UNRESERVE', id: { value: '6' }, unreserve: { resources: [disk(64, undefined)] } },
    { type: 'LAUNCH_GROUP', launch_group: { executor, task_group: { tasks } } },
  )
  await owner.reached('writer', 'TASK_FINISHED')
  for (const id of ['1', '2', '3', '4', '5', '6']) await owner.finished(id)
  t.deepEqual(readdirSync(join(folder, 'volumes/roles/storage')), ['v1'])
  t.is(
    readFileSync(join(folder, 'volumes/roles/storage/v1/owner'), 'utf8').trim(),
    isRoot ? 'nobody' : userInfo().username,
  )
  const state = (await getJson(parseEndpoint(url)!, '/state')) as {
    reserved_resources: Record<string, { disk: number }>
  }
  t.is(state.reserved_resources.storage?.disk, 96)
})

test('tasks share a volume, and it is not destroyed while one of them runs', async (t) => {
  const folder = temporaryFolder(t)
  const master = await startMaster(t)
  await startAgent(t, master, folder, resourcesWith(undefined)).said(/^ready /m)
  const owner = subscribed(t, master, 'storage')
  const first = await owner.offer()
  const shared = (path: string) => volume(path, undefined, { shared: {} })
  await owner.accept(
    first,
    { type: 'RESERVE', reserve: { resources: [disk(64, undefined)] } },
    { type: 'CREATE', create: { volumes: [shared('v')] } },
    launch([
      task(first, 'giver', 'echo hello > mine/word; while [ ! -f mine/stop ]; do sleep 0.05; done', [shared('mine')]),
      task(first, 'taker', 'while [ ! -f its/word ]; do sleep 0.05; done', [shared('its')]),
    ]),
  )
  await owner.reached('taker', 'TASK_FINISHED')
  const second = await owner.offerWith('the shared volume, free for others', (offer) => {
    return holdsVolume(offer) && offer.id.value !== first.id.value
  })
  const destroy = (id: string): OfferOperation => ({
    type: 'DESTROY',
    id: { value: id },
    destroy: { volumes: [shared('v')] },
  })
  await owner.accept(second, destroy('early'))
  await until('the refusal', () => owner.outcomes('early').includes('OPERATION_ERROR'))
  t.true(existsSync(join(folder, 'volumes/roles/storage/v1/word')))
  const third = await owner.offerWith(
    'the next offer',
    (offer) => holdsVolume(offer) && offer.id.value !== second.id.value,
  )
  await owner.accept(third, launch([task(third, 'stopper', 'touch v/stop', [shared('v')])]))
  await owner.reached('giver', 'TASK_FINISHED')
  await owner.reached('stopper', 'TASK_FINISHED')
  const last = await owner.offerWith('the last offer', (offer) => {
    return holdsVolume(offer) && offer.id.value !== third.id.value && offer.id.value !== second.id.value
  })
  await owner.accept(last, destroy('late'))
  await owner.finished('late')
  t.false(existsSync(join(folder, 'volumes/roles/storage/v1')))
})

test('an agent that cannot keep what an operation made ends before anyone hears of it, and says why', async (t) => {
  const folder = temporaryFolder(t)
  const master = await startMaster(t)
  const agent = startAgent(t, master, folder, resourcesWith(undefined))
  await agent.said(/^ready /m)
  writeFileSync(join(folder, 'meta', 'resources'), 'in the way')
  const owner = subscribed(t, master, 'storage')
  const offer = await owner.offer()
  const reserve: OfferOperation = { type: 'RESERVE', id: { value: 'r' }, reserve: { resources: [disk(64, undefined)] } }
  await owner.accept(offer, reserve, launch([task(offer, 't', 'true', [disk(64, undefined)])]))
  t.is(await agent.ended, 1)
  t.regex(agent.stderr(), /what operations made of the resources cannot be stored/)
  t.deepEqual(owner.outcomes('r'), [])
  t.false(owner.statesOf('t').includes('TASK_RUNNING'))
})

test('an agent refuses to start with flags or a file that do not fit what it keeps, and deletes nothing', async (t) => {
  const folder = temporaryFolder(t)
  const master = await startMaster(t)
  const agent = startAgent(t, master, folder, 'cpus:1;mem:512;disk:256')
  await agent.said(/^ready /m)
  const { slaves } = (await getJson(master, '/slaves')) as { slaves: { id: string }[] }
  const slaveId = slaves[0]!.id
  t.deepEqual(await postForm(master, '/reserve', { slaveId, resources: [disk(64, undefined)] }), [202, ''])
  t.deepEqual(await postForm(master, '/create-volumes', { slaveId, volumes: [volume('v', undefined)] }), [202, ''])
  const [status, text] = await postForm(master, '/unreserve', { slaveId, resources: [disk(64, undefined)] })
  t.is(status, 409)
  t.regex(text, /does not contain disk/)
  const place = join(folder, 'volumes/roles/storage/v1')
  await until('the folder of the volume', () => existsSync(place))
  agent.child.kill('SIGTERM')
  t.is(await agent.ended, 0)

  const smaller = startAgent(t, master, folder, 'cpus:1;mem:512;disk:32')
  t.is(await smaller.ended, 2)
  t.regex(smaller.stderr(), /flag --resources does not fit .*disk:32.* does not contain disk:64/)
  const state = join(folder, 'meta/resources/resources_and_operations.state')
  const { length } = readFileSync(state)
  truncateSync(state, length - 1)
  const damaged = startAgent(t, master, folder, 'cpus:1;mem:512;disk:256')
  t.is(await damaged.ended, 1)
  t.true(damaged.stderr().includes(`${state}: it has ${length - 1} bytes instead of ${length}`))
  t.true(existsSync(place))
  t.is(readFileSync(state).length, length - 1)
})
