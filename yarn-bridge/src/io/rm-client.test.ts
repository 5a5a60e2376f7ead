import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { IoError } from '@isthmus/core/io/io-error'
import test, { type ExecutionContext } from 'ava'
import { RmClient } from './rm-client.ts'

type Page = string | ((request: IncomingMessage, response: ServerResponse) => void)

interface FakeRm {
  readonly url: string
  /** What was asked, `METHOD path?query`, and its body. */
  readonly asked: { readonly line: string; readonly body: string }[]
  pages: Record<string, Page>
}

/** Two nodes, one of them over-committed, and two applications; as an RM of Hadoop 3.4 writes them. */
function pages(): Record<string, Page> {
  const property = (name: string, value: string): string => JSON.stringify({ property: { key: name, value } })
  return {
    '/ws/v1/cluster/info': JSON.stringify({ clusterInfo: { state: 'STARTED', haState: 'ACTIVE', startedOn: 77 } }),
    '/ws/v1/cluster/metrics': JSON.stringify({
      clusterMetrics: {
        pendingMB: 2048,
        pendingVirtualCores: 2,
        containersPending: 2,
        allocatedMB: 1024,
        allocatedVirtualCores: 1,
        totalMB: 4096,
        totalVirtualCores: 4,
      },
    }),
    '/ws/v1/cluster/nodes': JSON.stringify({
      nodes: {
        node: [
          row('a:1', 1024, 1024),
          { ...row('b:1', 2048, -1024), state: 'DECOMMISSIONING', usedVirtualCores: 2, availableVirtualCores: -1 },
        ],
      },
    }),
    '/ws/v1/cluster/apps': JSON.stringify({ apps: { app: [application('1', 'a:1'), application('2', 'N/A')] } }),
    'yarn.scheduler.minimum-allocation-mb': property('yarn.scheduler.minimum-allocation-mb', '64'),
    'yarn.scheduler.minimum-allocation-vcores': property('yarn.scheduler.minimum-allocation-vcores', '1'),
    'yarn.scheduler.maximum-allocation-mb': property('yarn.scheduler.maximum-allocation-mb', '6144'),
    'yarn.scheduler.maximum-allocation-vcores': property('yarn.scheduler.maximum-allocation-vcores', '7'),
  }
}

function row(id: string, usedMemoryMB: number, availMemoryMB: number) {
  const vcores = { usedVirtualCores: 1, availableVirtualCores: 3 }
  return { id, state: 'RUNNING', usedMemoryMB, availMemoryMB, numContainers: 1, ...vcores }
}

function request(resourceName: string, numContainers: number) {
  return { resourceName, numContainers, capability: { memory: 1024, vCores: 1 } }
}

function application(id: string, masterNodeId: string) {
  const resourceRequests = [request('*', 2), request('/default-rack', 2), request('a', 2)]
  return { id, name: 'n', queue: 'q', state: 'RUNNING', masterNodeId, resourceRequests }
}

async function fakeRm(t: ExecutionContext): Promise<FakeRm> {
  const fake: { -readonly [K in keyof FakeRm]: FakeRm[K] } = { url: '', asked: [], pages: pages() }
  const server: Server = createServer(async (incoming, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    fake.asked.push({ line: `${incoming.method} ${incoming.url}`, body: Buffer.concat(chunks).toString() })
    const { pathname, searchParams } = new URL(incoming.url ?? '', 'http://rm')
    const page = fake.pages[pathname] ?? fake.pages[searchParams.get('name') ?? '']
    if (typeof page === 'function') return page(incoming, response)
    response.statusCode = page === undefined ? 404 : 200
    return response.end(page ?? 'no such page')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  fake.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return fake
}

function clientOf(t: ExecutionContext, urls: readonly string[], timeoutMs = 5_000): RmClient {
  const client = new RmClient({ urls, timeoutMs, user: 'yarn' })
  t.teardown(() => client.close())
  return client
}

function info(clusterInfo: object): string {
  return JSON.stringify({ clusterInfo: { state: 'STARTED', ...clusterInfo } })
}

async function failure(t: ExecutionContext, promise: Promise<unknown>): Promise<IoError> {
  return (await t.throwsAsync(promise, { instanceOf: IoError })) as IoError
}

function status(code: number, body: string, headers: Record<string, string> = {}): Page {
  return (_, response) => response.writeHead(code, headers).end(body)
}

test('a sample puts the pages of the RM into one value', async (t) => {
  const rm = await fakeRm(t)
  const size = { memoryMb: 1024, vcores: 1 }
  t.deepEqual(await clientOf(t, [rm.url]).sample(), {
    startedAtMs: 77,
    pending: { memoryMb: 2048, vcores: 2 },
    pendingContainers: 2,
    allocated: size,
    total: { memoryMb: 4096, vcores: 4 },
    minimum: { memoryMb: 64, vcores: 1 },
    maximum: { memoryMb: 6144, vcores: 7 },
    nodes: [
      { nodeId: 'a:1', state: 'RUNNING', used: size, total: { memoryMb: 2048, vcores: 4 }, containerCount: 1 },
      {
        nodeId: 'b:1',
        state: 'DECOMMISSIONING',
        used: { memoryMb: 2048, vcores: 2 },
        total: size,
        containerCount: 1,
      },
    ],
    applications: [
      {
        applicationId: '1',
        name: 'n',
        queue: 'q',
        state: 'RUNNING',
        masterNodeId: 'a:1',
        requests: [{ size, count: 2 }],
      },
      {
        applicationId: '2',
        name: 'n',
        queue: 'q',
        state: 'RUNNING',
        masterNodeId: undefined,
        requests: [{ size, count: 2 }],
      },
    ],
  })
})

test('each call names the user', async (t) => {
  const rm = await fakeRm(t)
  await clientOf(t, [rm.url]).sample()
  t.true(rm.asked.every(({ line }) => line.includes('user.name=yarn')))
})

test('the limits are read once for each start of the RM', async (t) => {
  const rm = await fakeRm(t)
  const client = clientOf(t, [rm.url])
  const reads = (): number => rm.asked.filter(({ line }) => line.startsWith('GET /conf')).length
  await client.sample()
  await client.sample()
  t.is(reads(), 4)
  rm.pages['/ws/v1/cluster/info'] = JSON.stringify({ clusterInfo: { state: 'STARTED', startedOn: 78 } })
  await client.sample()
  t.is(reads(), 8)
})

test('limits the RM does not show are those of Hadoop', async (t) => {
  const rm = await fakeRm(t)
  for (const name of Object.keys(rm.pages).filter((key) => key.startsWith('yarn.'))) delete rm.pages[name]
  const { minimum, maximum } = await clientOf(t, [rm.url]).sample()
  t.deepEqual(
    [minimum, maximum],
    [
      { memoryMb: 1024, vcores: 1 },
      { memoryMb: 8192, vcores: 4 },
    ],
  )
})

for (const { shape, nodes, apps, expected } of [
  { shape: 'null', nodes: null, apps: null, expected: [0, 0] },
  { shape: '""', nodes: '', apps: '', expected: [0, 0] },
  { shape: 'an empty list', nodes: { node: [] }, apps: { app: [] }, expected: [0, 0] },
  {
    shape: 'a single element that is no array',
    nodes: { node: row('a:1', 1, 1) },
    apps: { app: application('1', 'a:1') },
    expected: [1, 1],
  },
]) {
  test(`nodes and applications may come as ${shape}`, async (t) => {
    const rm = await fakeRm(t)
    rm.pages['/ws/v1/cluster/nodes'] = JSON.stringify({ nodes })
    rm.pages['/ws/v1/cluster/apps'] = JSON.stringify({ apps })
    const sample = await clientOf(t, [rm.url]).sample()
    t.deepEqual([sample.nodes.length, sample.applications.length], expected)
  })
}

test('a single request that is no array is read', async (t) => {
  const rm = await fakeRm(t)
  const app = { ...application('1', ''), resourceRequests: request('*', 5) }
  rm.pages['/ws/v1/cluster/apps'] = JSON.stringify({ apps: { app } })
  const { applications } = await clientOf(t, [rm.url]).sample()
  t.deepEqual(applications[0]?.requests, [{ size: { memoryMb: 1024, vcores: 1 }, count: 5 }])
  t.is(applications[0]?.masterNodeId, undefined)
})

test('a standby that redirects is passed over for the active RM, which is asked first from then on', async (t) => {
  const [standby, active] = [await fakeRm(t), await fakeRm(t)]
  for (const path of ['metrics', 'nodes', 'apps']) {
    standby.pages[`/ws/v1/cluster/${path}`] = status(307, 'This is standby RM.', {
      Location: `${active.url}/ws/v1/cluster/${path}`,
    })
  }
  standby.pages['/ws/v1/cluster/info'] = JSON.stringify({
    clusterInfo: { state: 'STARTED', haState: 'STANDBY', startedOn: 1 },
  })
  const client = clientOf(t, [standby.url, active.url])
  t.is((await client.sample()).startedAtMs, 77)
  t.is(client.url, active.url)
  // Once as the first of the list, once with all.
  t.is(standby.asked.length, 2)
  await client.sample()
  await client.setNodeResource('a:1', { memoryMb: 1, vcores: 1 }, -1).catch(() => {})
  t.is(standby.asked.length, 2)
})

test('of two that say ACTIVE the one that became so last is used, and kept', async (t) => {
  const [dead, thawed, active] = ['http://127.0.0.1:1', await fakeRm(t), await fakeRm(t)]
  thawed.pages['/ws/v1/cluster/info'] = info({
    haState: 'ACTIVE',
    startedOn: 76,
    haZooKeeperConnectionState: 'CONNECTED',
  })
  const client = clientOf(t, [dead, thawed.url, active.url])
  t.is((await client.sample()).startedAtMs, 77)
  t.is((await client.sample()).startedAtMs, 77)
  t.is(thawed.asked.length, 1)
})

test('a sample is of one RM: pages of one that stops being active on the way are not mixed with those of another', async (t) => {
  const [before, after] = [await fakeRm(t), await fakeRm(t)]
  after.pages['/ws/v1/cluster/info'] = info({ haState: 'ACTIVE', startedOn: 99 })
  before.pages['/ws/v1/cluster/nodes'] = (_, response) => {
    before.pages['/ws/v1/cluster/info'] = info({ haState: 'STANDBY', startedOn: 77 })
    response.writeHead(307).end('This is standby RM.')
  }
  t.is((await clientOf(t, [before.url, after.url]).sample()).startedAtMs, 99)
  t.is(after.asked.filter(({ line }) => line.includes('/cluster/')).length, 4, 'info, metrics, nodes, apps')
})

for (const zooKeeper of ['DISCONNECTED', 'TERMINATED']) {
  const doubtful = info({ haState: 'ACTIVE', startedOn: 76, haZooKeeperConnectionState: zooKeeper })

  test(`an active RM whose link to ZooKeeper is ${zooKeeper} is left for one that became active later`, async (t) => {
    const [thawed, active] = [await fakeRm(t), await fakeRm(t)]
    thawed.pages['/ws/v1/cluster/info'] = doubtful
    t.is((await clientOf(t, [thawed.url, active.url]).sample()).startedAtMs, 77)
  })

  test(`it is believed when no other is active, ${zooKeeper} or not`, async (t) => {
    const [only, standby] = [await fakeRm(t), await fakeRm(t)]
    only.pages['/ws/v1/cluster/info'] = doubtful
    standby.pages['/ws/v1/cluster/info'] = info({ haState: 'STANDBY', startedOn: 99 })
    t.is((await clientOf(t, [only.url]).sample()).startedAtMs, 76)
    t.is((await clientOf(t, [only.url, standby.url]).sample()).startedAtMs, 76)
  })
}

test('without an active one the pair is UNREACHABLE, with what the last one used said', async (t) => {
  const [one, two] = [await fakeRm(t), await fakeRm(t)]
  for (const rm of [one, two]) rm.pages['/ws/v1/cluster/info'] = info({ haState: 'STANDBY', startedOn: 1 })
  const error = await failure(t, clientOf(t, [one.url, two.url]).sample())
  t.deepEqual(
    [error.code, error.message],
    ['UNREACHABLE', 'no ResourceManager is active: the ResourceManager is STANDBY'],
  )
})

test('a size is told to the RM that was looked at, and to no other', async (t) => {
  const [one, two] = [await fakeRm(t), await fakeRm(t)]
  const client = clientOf(t, [one.url, two.url])
  await client.sample()
  one.pages['/ws/v1/cluster/nodes/a%3A1/resource'] = status(307, '')
  t.is((await failure(t, client.setNodeResource('a:1', { memoryMb: 1, vcores: 1 }, -1))).code, 'UNREACHABLE')
  t.deepEqual(two.asked, [])
})

test('a standby alone is UNREACHABLE and told with where it points to', async (t) => {
  const rm = await fakeRm(t)
  rm.pages['/ws/v1/cluster/metrics'] = status(307, '', { Location: 'http://other/' })
  const error = await failure(t, clientOf(t, [rm.url]).sample())
  t.is(error.code, 'UNREACHABLE')
  t.true(error.message.endsWith('it is not active (307 to http://other/)'), error.message)
})

test('a dead RM is passed over, and when none answers the call is UNREACHABLE', async (t) => {
  const rm = await fakeRm(t)
  const dead = 'http://127.0.0.1:1'
  t.is((await clientOf(t, [dead, rm.url]).sample()).startedAtMs, 77)
  t.is((await failure(t, clientOf(t, [dead]).sample())).code, 'UNREACHABLE')
})

test('an RM that is still starting is UNREACHABLE', async (t) => {
  const rm = await fakeRm(t)
  rm.pages['/ws/v1/cluster/info'] = JSON.stringify({ clusterInfo: { state: 'INITED' } })
  const error = await failure(t, clientOf(t, [rm.url]).sample())
  t.deepEqual([error.code, error.message], ['UNREACHABLE', 'the ResourceManager is INITED'])
})

for (const { title, code, body, expected, text } of [
  {
    title: "YARN's own words of an error in JSON",
    code: 403,
    body: JSON.stringify({ RemoteException: { exception: 'ForbiddenException', message: 'User x is no admin' } }),
    expected: 'REFUSED',
    text: '403 User x is no admin',
  },
  {
    title: 'the beginning of an error page',
    code: 404,
    body: `<html>${'x'.repeat(500)}`,
    expected: 'REFUSED',
    text: '404 <html>xxx',
  },
  { title: 'that the RM itself failed', code: 500, body: 'oops', expected: 'UNREACHABLE', text: '500 oops' },
]) {
  test(`an IoError tells ${title}`, async (t) => {
    const rm = await fakeRm(t)
    rm.pages['/ws/v1/cluster/nodes/a%3A1/resource'] = status(code, body)
    const error = await failure(t, clientOf(t, [rm.url]).setNodeResource('a:1', { memoryMb: 1, vcores: 1 }, -1))
    t.is(error.code, expected as never)
    t.true(error.message.includes(text), error.message)
    t.true(error.message.length < 400)
  })
}

test('a page that is no JSON is BAD_ANSWER', async (t) => {
  const rm = await fakeRm(t)
  rm.pages['/ws/v1/cluster/metrics'] = '<html>'
  const error = await failure(t, clientOf(t, [rm.url]).sample())
  t.deepEqual([error.code, error.message], ['BAD_ANSWER', "the ResourceManager's /ws/v1/cluster/metrics is not JSON"])
})

for (const { title, page, idleMs, text } of [
  { title: 'answers nothing', page: () => {}, idleMs: 100, text: 'no answer within 100 ms' },
  {
    title: 'stops in the middle of its answer',
    idleMs: 100,
    page: (_: IncomingMessage, response: ServerResponse) => response.write('{'),
    text: 'no answer within 100 ms',
  },
  {
    title: 'never comes to an end',
    // Far more than the pauses of the answer, also on a busy machine.
    idleMs: 500,
    page: (_: IncomingMessage, response: ServerResponse) => {
      const drip = setInterval(() => response.write(' '), 20)
      response.on('close', () => clearInterval(drip))
    },
    text: 'no whole answer within 3000 ms',
  },
]) {
  test(`an RM that ${title} is given up after the time-out`, async (t) => {
    const rm = await fakeRm(t)
    rm.pages['/ws/v1/cluster/metrics'] = page
    const error = await failure(t, clientOf(t, [rm.url], idleMs).sample())
    t.is(error.code, 'UNREACHABLE')
    t.true(error.message.includes(text), error.message)
  })
}

for (const timeoutMs of [-1, 0, 2_147_483_647]) {
  test(`a node's size is sent absolute and with its over-commit time-out ${timeoutMs}`, async (t) => {
    const rm = await fakeRm(t)
    rm.pages['/ws/v1/cluster/nodes/127.0.0.2%3A31000/resource'] = '{}'
    await clientOf(t, [rm.url]).setNodeResource('127.0.0.2:31000', { memoryMb: 2048, vcores: 3 }, timeoutMs)
    t.deepEqual(rm.asked, [
      {
        line: 'POST /ws/v1/cluster/nodes/127.0.0.2%3A31000/resource?user.name=yarn',
        body: `{"resource":{"memory":2048,"vCores":3},"overCommitTimeout":${timeoutMs}}`,
      },
    ])
  })
}

test('without any address there is nobody to ask', (t) => {
  t.throws(() => new RmClient({ urls: [] }), { message: 'no ResourceManager address is given' })
})
