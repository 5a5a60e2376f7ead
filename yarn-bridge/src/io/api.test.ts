import { once } from 'node:events'
import { request } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import type { Rejection } from '@isthmus/core/base/result'
import test, { type ExecutionContext } from 'ava'
import { size } from '../testing/builders.ts'
import { World } from '../testing/world.ts'
import { type ApiOptions, serveApi } from './api.ts'

type Question = Parameters<ApiOptions['ask']>[0]

interface Api {
  readonly port: number
  readonly world: World
  /** What was put to the machine. */
  readonly asked: Question[]
}

async function api(t: ExecutionContext, rejection?: Rejection): Promise<Api> {
  const world = new World()
  const asked: Question[] = []
  const server = await serveApi({
    ip: '127.0.0.1',
    port: 0,
    state: world.state,
    now: () => world.atMs,
    ask: (question) => {
      asked.push(question)
      return Promise.resolve(rejection)
    },
  })
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, world, asked }
}

async function call(port: number, line: string, body?: unknown) {
  const [method = '', path = ''] = line.split(' ')
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method,
    ...(text === undefined ? {} : { body: text }),
  })
  return { status: response.status, allow: response.headers.get('allow'), text: await response.text() }
}

for (const { path, delta, text } of [
  { path: 'flexup', delta: 2, text: '2 × small will be added' },
  { path: 'flexdown', delta: -2, text: '2 × small will be removed' },
]) {
  test(`PUT ${path} is answered 202 and asks the machine for ${delta}`, async (t) => {
    const { port, asked } = await api(t)
    const answer = await call(port, `PUT /api/cluster/${path}`, { profile: 'small', instances: 2, constraints: [] })
    t.deepEqual(answer, { status: 202, allow: null, text })
    t.deepEqual(asked, [{ kind: 'flexRequested', profile: 'small', delta }])
  })
}

test('flexup passes on the constraint', async (t) => {
  const { port, asked } = await api(t)
  const body = { profile: 'small', instances: 2, constraints: ['rack LIKE r1'] }
  t.is((await call(port, 'PUT /api/cluster/flexup', body)).status, 202)
  t.deepEqual(asked, [{ kind: 'flexRequested', profile: 'small', delta: 2, constraint: 'rack LIKE r1' }])
})

for (const { title, body, text } of [
  { title: 'no body', body: '', text: 'the body has to be a JSON object' },
  { title: 'no JSON', body: '{', text: 'the body has to be a JSON object' },
  { title: 'a list', body: '[]', text: 'the body has to be a JSON object' },
  { title: 'no profile', body: { instances: 1 }, text: "'profile' has to name a profile" },
  { title: 'an empty profile', body: { profile: '', instances: 1 }, text: "'profile' has to name a profile" },
  {
    title: 'no instances',
    body: { profile: 'small' },
    text: "'instances' has to be a whole number from 1, not undefined",
  },
  {
    title: 'no instance',
    body: { profile: 'small', instances: 0 },
    text: "'instances' has to be a whole number from 1, not 0",
  },
  {
    title: 'half an instance',
    body: { profile: 'small', instances: 1.5 },
    text: "'instances' has to be a whole number from 1, not 1.5",
  },
  {
    title: 'instances as text',
    body: { profile: 'small', instances: '1' },
    text: '\'instances\' has to be a whole number from 1, not "1"',
  },
  {
    title: 'two constraints',
    body: { profile: 'small', instances: 1, constraints: ['hostname LIKE a', 'rack LIKE b'] },
    text: '\'constraints\' has to be a list of at most one text, for example ["hostname LIKE a.*"]',
  },
  {
    title: 'a constraint that is no text',
    body: { profile: 'small', instances: 1, constraints: [1] },
    text: '\'constraints\' has to be a list of at most one text, for example ["hostname LIKE a.*"]',
  },
]) {
  test(`flexup with ${title} is refused with 400 and asks for nothing`, async (t) => {
    const { port, asked } = await api(t)
    t.deepEqual(await call(port, 'PUT /api/cluster/flexup', body), { status: 400, allow: null, text })
    t.deepEqual(asked, [])
  })
}

test('what the machine refuses is 400 with its words', async (t) => {
  const { port } = await api(t, { code: 'PROFILE_UNKNOWN', message: "there is no profile 'x'" })
  const answer = await call(port, 'PUT /api/cluster/flexup', { profile: 'x', instances: 1 })
  t.deepEqual([answer.status, answer.text], [400, "there is no profile 'x'"])
})

for (const { line, allow } of [
  { line: 'GET /api/cluster/flexup', allow: 'PUT' },
  { line: 'POST /api/state', allow: 'GET' },
  { line: 'GET /api/framework/shutdown/framework', allow: 'POST' },
  { line: 'DELETE /v1/mode/', allow: 'PUT' },
]) {
  test(`${line} is 405 and Allow tells ${allow}`, async (t) => {
    const { port } = await api(t)
    const answer = await call(port, line)
    t.deepEqual([answer.status, answer.allow], [405, allow])
  })
}

for (const path of ['/', '/api', '/api/cluster', '/api/states', '/constructor', '/v1/nodes/x']) {
  test(`${path} is 404`, async (t) => {
    const { port } = await api(t)
    t.deepEqual(await call(port, `GET ${path}`), { status: 404, allow: null, text: `there is no ${path}` })
  })
}

for (const path of ['flexupservice', 'flexdownservice']) {
  test(`${path} is 501`, async (t) => {
    const { port } = await api(t)
    t.is((await call(port, `PUT /api/cluster/${path}`, {})).status, 501)
  })
}

test('a path may end in a slash', async (t) => {
  const { port } = await api(t)
  t.is((await call(port, 'GET /api/state/')).status, 200)
})

test('a body over a megabyte is 413, whether its length is told or not', async (t) => {
  const { port, asked } = await api(t)
  const body = `{"profile":"${'x'.repeat(1_048_576)}"}`
  t.deepEqual(await call(port, 'PUT /api/cluster/flexup', body), {
    status: 413,
    allow: null,
    text: 'the body is over 1048576 bytes',
  })
  const outgoing = request({ port, host: '127.0.0.1', method: 'PUT', path: '/api/cluster/flexup' })
  outgoing.write(body)
  outgoing.on('error', () => {
    // The server stops reading; its answer came before.
  })
  const [response] = await once(outgoing, 'response')
  t.is(response.statusCode, 413)
  outgoing.destroy()
  t.deepEqual(asked, [])
})

test('a client that goes away in the middle of its body harms nobody', async (t) => {
  const { port, asked } = await api(t)
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write('PUT /api/cluster/flexup HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{')
  socket.destroy()
  await once(socket, 'close')
  t.is((await call(port, 'GET /api/state')).status, 200)
  t.deepEqual(asked, [])
})

test('the mode is auto or manual', async (t) => {
  const { port, asked } = await api(t)
  t.deepEqual(await call(port, 'PUT /v1/mode', { mode: 'manual' }), {
    status: 200,
    allow: null,
    text: '{"mode":"manual"}',
  })
  t.deepEqual(await call(port, 'PUT /v1/mode', { mode: 'never' }), {
    status: 400,
    allow: null,
    text: "'mode' is auto or manual",
  })
  t.deepEqual(asked, [{ kind: 'modeRequested', mode: 'manual' }])
})

test('the shutdown of Myriad asks the machine to end', async (t) => {
  const { port, asked } = await api(t)
  t.is((await call(port, 'POST /api/framework/shutdown/framework')).status, 200)
  t.deepEqual(asked, [{ kind: 'shutdownRequested' }])
})

test('health is 503 with the reason while the RM does not answer', async (t) => {
  const { port, world } = await api(t)
  world.tick(1)
  t.deepEqual(await call(port, 'GET /health'), { status: 200, allow: null, text: '{"healthy":true,"problems":[]}' })
  world.rmIsUp = false
  world.tick(1)
  const answer = await call(port, 'GET /health')
  t.deepEqual([answer.status, answer.text], [503, '{"healthy":false,"problems":["connection refused"]}'])
})

test('decisions after a time are given, oldest first; a time that is none is 400', async (t) => {
  const { port, world } = await api(t)
  world.submit(size(1024, 1), 0)
  world.tick(6)
  const all = JSON.parse((await call(port, 'GET /v1/decisions')).text).decisions as { atMs: number }[]
  t.deepEqual(all, JSON.parse(JSON.stringify(world.state.decisions)))
  const since = all[0]?.atMs ?? 0
  const later = JSON.parse((await call(port, `GET /v1/decisions?since=${since}`)).text).decisions
  t.deepEqual(
    later,
    all.filter(({ atMs }) => atMs > since),
  )
  t.is((await call(port, 'GET /v1/decisions?since=yesterday')).status, 400)
})

test('each page is JSON, and metrics are Prometheus text', async (t) => {
  const { port, world } = await api(t)
  world.submit(size(1024, 1), 0)
  world.tick(6)
  for (const path of ['/api/config', '/api/state', '/v1/nodes', '/v1/demand', '/v1/explain', '/v1/totals']) {
    const answer = await call(port, `GET ${path}`)
    t.is(answer.status, 200)
    t.notThrows(() => JSON.parse(answer.text))
  }
  const metrics = (await call(port, 'GET /metrics')).text
  t.true(metrics.includes('\nisthmus_bridge_held_memory_bytes 1073741824\n'), metrics)
  t.true(metrics.includes('# TYPE isthmus_bridge_node_managers gauge\nisthmus_bridge_node_managers 1\n'), metrics)
})

test('an address that is taken is CANNOT_LISTEN', async (t) => {
  const { port, world } = await api(t)
  const again = serveApi({
    ip: '127.0.0.1',
    port,
    state: world.state,
    now: () => 0,
    ask: () => Promise.resolve(undefined),
  })
  await t.throwsAsync(again, { code: 'CANNOT_LISTEN' })
})
