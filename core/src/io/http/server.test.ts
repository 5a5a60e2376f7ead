import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { connect, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { gunzipSync } from 'node:zlib'
import type { Call } from '@isthmus/proto/gen/scheduler'
import test from 'ava'
import { serveCalls } from './calls.ts'
import { Peer, parseEndpoint, sendTo } from './client.ts'
import { Exchanges } from './exchanges.ts'
import { encodeMessage } from './messages.ts'
import { type Route, Router } from './routes.ts'
import { closeServer, createIdleServer, listen, serveWith } from './server.ts'
import { RecordStreams } from './streams.ts'

const LOOPBACK = '127.0.0.1'

/** Runs a body against a server of these routes. */
async function withServer(routes: readonly Route[], body: (port: number) => Promise<void>): Promise<void> {
  const server = createIdleServer()
  serveWith(server, new Router('master', routes))
  const port = await listen(server, LOOPBACK, 0)
  try {
    await body(port)
  } finally {
    await closeServer(server)
  }
}

const page = (path: string, value: unknown): Route => ({
  kind: 'page',
  path,
  meaning: '',
  handle: () => ({ kind: 'json', value }),
})

/** Answers each call with its type. */
function echo(): Route {
  const exchanges = new Exchanges()
  return {
    kind: 'call',
    path: '/api/v1/scheduler',
    meaning: '',
    handle: serveCalls({
      type: 'mesos.v1.scheduler.Call',
      receive: (call: Call, { request, response }) => {
        const { id } = exchanges.open(request, response)
        exchanges.respond(id, 202, call.type)
      },
    }),
  }
}

interface Case {
  readonly name: string
  readonly method?: string
  readonly type?: string
  readonly body?: string | Uint8Array
  readonly status: number
  readonly text?: string
}

const cases: readonly Case[] = [
  {
    name: 'a call in JSON is taken',
    type: 'application/json',
    body: '{"type":"REVIVE"}',
    status: 202,
    text: 'REVIVE',
  },
  {
    name: 'a call in protobuf is taken',
    type: 'application/x-protobuf',
    body: encodeMessage('mesos.v1.scheduler.Call', { type: 'SUPPRESS' }, 'protobuf'),
    status: 202,
    text: 'SUPPRESS',
  },
  {
    name: 'only POST is allowed',
    method: 'PUT',
    status: 405,
    text: "405 Method Not Allowed. Expecting one of { 'POST' }, but received 'PUT'.",
  },
  { name: 'the method is checked before the content type', method: 'GET', status: 405 },
  { name: 'a body without a type is refused', body: '{}', status: 400, text: "Expecting 'Content-Type' to be present" },
  {
    name: 'another type is refused',
    type: 'text/plain',
    body: '{}',
    status: 415,
    text: "Expecting 'Content-Type' of application/json or application/x-protobuf",
  },
  {
    name: 'text that is no JSON is refused',
    type: 'application/json',
    body: 'hello',
    status: 400,
    text: 'Failed to parse body into JSON: syntax error at line 1 near: hello',
  },
  {
    name: 'an empty body is refused',
    type: 'application/json',
    body: '',
    status: 400,
    text: 'Failed to parse body into JSON: syntax error at line 1 near: ',
  },
  {
    name: 'JSON that is no object is refused',
    type: 'application/json',
    body: '[]',
    status: 400,
    text: 'Failed to convert JSON into Call protobuf: Expecting a JSON object',
  },
  {
    name: 'missing fields are named',
    type: 'application/json',
    body: '{"type":"SUBSCRIBE","subscribe":{"framework_info":{}}}',
    status: 400,
    text:
      'Failed to convert JSON into Call protobuf: ' +
      'Missing required fields: subscribe.framework_info.user, subscribe.framework_info.name',
  },
  {
    name: 'bytes that are no protobuf are refused',
    type: 'application/x-protobuf',
    body: Uint8Array.of(255, 255, 255),
    status: 400,
    text: 'Failed to parse body into Call protobuf',
  },
]

for (const { name, method = 'POST', type, body, status, text } of cases) {
  test(`${name}: ${status}`, (t) =>
    withServer([echo()], async (port) => {
      const answer = await sendTo(
        { host: LOOPBACK, port },
        {
          method,
          path: '/api/v1/scheduler',
          headers: type === undefined ? {} : { 'Content-Type': type },
          ...(body !== undefined && { body }),
        },
      )
      t.is(answer.status, status)
      if (text !== undefined) t.is(answer.body.toString(), text)
    }))
}

test('a page answers in JSON; what is not there with 404', (t) =>
  withServer([page('/state', { a: 1n })], async (port) => {
    const found = await sendTo({ host: LOOPBACK, port }, { path: '/master/state?x' })
    t.is(found.status, 200)
    t.is(found.headers['content-type'], 'application/json')
    t.is(found.body.toString(), '{"a":1}')
    const missing = await sendTo({ host: LOOPBACK, port }, { path: '/nothing' })
    t.is(missing.status, 404)
    t.is(missing.body.toString(), '404 Not Found.')
    t.is(missing.headers['content-type'], 'text/plain; charset=utf-8')
  }))

test('a page is wrapped for JSONP; a callback that is no name is left out', (t) =>
  withServer([page('/state', {})], async (port) => {
    const wrapped = await sendTo({ host: LOOPBACK, port }, { path: '/state?jsonp=cb' })
    t.is(wrapped.body.toString(), 'cb({});')
    t.is(wrapped.headers['content-type'], 'text/javascript')
    const plain = await sendTo({ host: LOOPBACK, port }, { path: '/state?jsonp=alert(1)' })
    t.is(plain.body.toString(), '{}')
  }))

test('a long page is compressed for clients that take gzip', (t) =>
  withServer([page('/state', 'x'.repeat(2000))], async (port) => {
    const answer = await sendTo({ host: LOOPBACK, port }, { path: '/state', headers: { 'Accept-Encoding': 'gzip' } })
    t.is(answer.headers['content-encoding'], 'gzip')
    t.is(gunzipSync(answer.body).toString(), JSON.stringify('x'.repeat(2000)))
  }))

test('HEAD of a page has the headers and no body', (t) =>
  withServer([page('/state', {})], async (port) => {
    const answer = await sendTo({ host: LOOPBACK, port }, { path: '/state', method: 'HEAD' })
    t.is(answer.status, 200)
    t.is(answer.body.length, 0)
  }))

test('a page that fails answers 500 with the reason', (t) => {
  const failing: Route = {
    kind: 'page',
    path: '/state',
    meaning: '',
    handle: () => {
      throw new Error('the disk is gone')
    },
  }
  return withServer([failing], async (port) => {
    const answer = await sendTo({ host: LOOPBACK, port }, { path: '/state' })
    t.is(answer.status, 500)
    t.is(answer.body.toString(), 'the disk is gone')
  })
})

test('a file is streamed with its length', (t) => {
  const route: Route = {
    kind: 'page',
    path: '/files/download',
    meaning: '',
    handle: () => ({ kind: 'bytes', type: 'application/octet-stream', body: Readable.from(['ab', 'c']), sizeBytes: 3 }),
  }
  return withServer([route], async (port) => {
    const answer = await sendTo({ host: LOOPBACK, port }, { path: '/files/download' })
    t.is(answer.body.toString(), 'abc')
    t.is(answer.headers['content-length'], '3')
  })
})

test('an unknown method closes the connection without an answer', (t) =>
  withServer([page('/state', {})], async (port) => {
    const socket: Socket = connect(port, LOOPBACK)
    let answered = ''
    socket.on('data', (chunk: Buffer) => {
      answered += chunk.toString()
    })
    socket.write('FOO /state HTTP/1.1\r\nHost: x\r\n\r\n')
    await once(socket, 'close')
    t.is(answered, '')
  }))

/** A route that opens streams of scheduler events, and what closed them. */
function streaming(backlogMaxBytes?: number) {
  const closed: string[] = []
  const streams = new RecordStreams<{ readonly text: string }>({
    encode: ({ text }) => Buffer.from(text),
    closed: (id, reason) => closed.push(`${id}: ${reason}`),
    ...(backlogMaxBytes !== undefined && { backlogMaxBytes }),
  })
  let count = 0
  const route: Route = {
    kind: 'call',
    path: '/stream',
    meaning: '',
    handle: (_request, response) => {
      count += 1
      streams.open(String(count), response, { encoding: 'json', headers: { 'Mesos-Stream-Id': String(count) } })
    },
  }
  return { streams, closed, route }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1))
}

test('a stream brings its records in order and ends after the last one', (t) => {
  const { streams, closed, route } = streaming()
  return withServer([route], async (port) => {
    const got: string[] = []
    const peer = new Peer({ host: LOOPBACK, port })
    peer.stream(
      { path: '/stream', body: '' },
      {
        opened: (headers) => got.push(`opened ${headers['mesos-stream-id']}`),
        record: (bytes) => got.push(Buffer.from(bytes).toString()),
        closed: (reason) => got.push(reason.code),
      },
    )
    await until(() => got.length === 1)
    streams.send('1', { text: 'a' })
    streams.send('1', { text: 'ü\n2' })
    streams.send('unknown', { text: 'b' })
    streams.close('1')
    await until(() => got.length === 4)
    t.deepEqual(got, ['opened 1', 'a', 'ü\n2', 'CONNECTION_LOST'])
    t.deepEqual(closed, [])
    peer.close()
  })
})

test('records of one turn arrive as HTTP chunks of their own', (t) => {
  const { streams, route } = streaming()
  return withServer([route], async (port) => {
    const chunks: string[] = []
    const request = httpRequest({ host: LOOPBACK, port, path: '/stream', method: 'POST' }, (response) => {
      response.on('data', (chunk: Buffer) => chunks.push(chunk.toString()))
    })
    request.on('error', () => {})
    request.end()
    await until(() => streams.size === 1)
    for (const text of ['a', 'bc', 'd']) streams.send('1', { text })
    await until(() => chunks.join('').length === 10)
    t.deepEqual(chunks, ['1\na', '2\nbc', '1\nd'])
    request.destroy()
  })
})

test('a client that goes away is told once', (t) => {
  const { streams, closed, route } = streaming()
  return withServer([route], async (port) => {
    const peer = new Peer({ host: LOOPBACK, port })
    let isOpen = false
    const stream = peer.stream(
      { path: '/stream', body: '' },
      {
        opened: () => {
          isOpen = true
        },
        record: () => {},
        closed: () => t.fail(),
      },
    )
    await until(() => isOpen)
    stream.close()
    await until(() => closed.length > 0)
    streams.send('1', { text: 'late' })
    t.deepEqual(closed, ['1: the client closed its connection'])
    t.is(streams.size, 0)
    peer.close()
  })
})

test('a client that does not read is cut off at the bound', (t) => {
  const { streams, closed, route } = streaming(1_000_000)
  return withServer([route], async (port) => {
    const socket = connect(port, LOOPBACK)
    socket.write('POST /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n')
    socket.pause()
    await until(() => streams.size === 1)
    const large = { text: 'x'.repeat(100_000) }
    while (closed.length === 0) {
      streams.send('1', large)
      await new Promise(setImmediate)
    }
    t.regex(closed[0]!, /^1: the client is too slow/)
    t.is(streams.size, 0)
    socket.destroy()
  })
})

for (const location of ['//HOST', 'http://HOST', 'http://HOST/api/v1/scheduler']) {
  test(`a client follows ${location} to the leader and stays there`, (t) =>
    withServer([echo()], (leaderPort) => {
      let asked = 0
      const moved: Route = {
        kind: 'call',
        path: '/api/v1/scheduler',
        meaning: '',
        handle: (_request, response) => {
          asked += 1
          response.writeHead(307, { Location: location.replace('HOST', `${LOOPBACK}:${leaderPort}`) }).end()
        },
      }
      return withServer([moved], async (port) => {
        const peer = new Peer({ host: LOOPBACK, port })
        const call = {
          path: '/api/v1/scheduler',
          headers: { 'Content-Type': 'application/json' },
          body: '{"type":"REVIVE"}',
        }
        t.is((await peer.send(call)).status, 202)
        t.is((await peer.send(call)).status, 202)
        t.is(asked, 1)
        t.is(peer.endpoint.port, leaderPort)
        peer.reset()
        t.is(peer.endpoint.port, port)
        peer.close()
      })
    }))
}

test('masters that redirect in a circle are given up', (t) => {
  let port = 0
  const circle: Route = {
    kind: 'page',
    path: '/x',
    meaning: '',
    handle: () => ({ kind: 'redirect', location: `//${LOOPBACK}:${port}` }),
  }
  return withServer([circle], async (found) => {
    port = found
    await t.throwsAsync(new Peer({ host: LOOPBACK, port }).send({ path: '/x' }), { code: 'REDIRECTED_TOO_OFTEN' })
  })
})

test('nobody there, no answer and a refused stream are told apart', (t) => {
  const silent: Route = { kind: 'page', path: '/silent', meaning: '', handle: () => ({ kind: 'handled' }) }
  return withServer([silent], async (port) => {
    const endpoint = { host: LOOPBACK, port }
    await t.throwsAsync(sendTo(endpoint, { path: '/silent', timeoutMs: 20 }), { code: 'TIMEOUT' })
    await t.throwsAsync(sendTo({ host: LOOPBACK, port: 1 }, { path: '/' }), { code: 'UNREACHABLE' })
    const refusal = await new Promise<string>((resolve) => {
      new Peer(endpoint).stream(
        { path: '/nothing', body: '' },
        {
          opened: () => t.fail(),
          record: () => t.fail(),
          closed: (reason) => resolve(`${reason.code} ${reason.status}`),
        },
      )
    })
    t.is(refusal, 'REFUSED 404')
  })
})

test('a stream that is not answered is given up; requests under way can be given up for later ones', (t) => {
  const silent: Route = { kind: 'page', path: '/silent', meaning: '', handle: () => ({ kind: 'handled' }) }
  return withServer([silent, page('/state', {})], async (port) => {
    const peer = new Peer({ host: LOOPBACK, port })
    const reason = await new Promise<string>((resolve) => {
      const handlers = {
        opened: () => t.fail(),
        record: () => t.fail(),
        closed: (why: { code: string }) => resolve(why.code),
      }
      peer.stream({ path: '/silent', body: '', timeoutMs: 20 }, handlers)
    })
    t.is(reason, 'TIMEOUT')
    const hanging = t.throwsAsync(peer.send({ path: '/silent' }), { name: 'IoError' })
    await new Promise((resolve) => setTimeout(resolve, 20))
    peer.abort()
    t.is((await peer.send({ path: '/state' })).status, 200)
    await hanging
    peer.close()
  })
})

test('an address is host:port with or without a scheme', (t) => {
  t.deepEqual(parseEndpoint('//h:1'), { host: 'h', port: 1 })
  t.deepEqual(parseEndpoint('http://h:1/master'), { host: 'h', port: 1 })
  t.deepEqual(parseEndpoint('[::1]:5'), { host: '::1', port: 5 })
  t.deepEqual(parseEndpoint('h', 5050), { host: 'h', port: 5050 })
  t.is(parseEndpoint('h'), undefined)
  t.is(parseEndpoint('h:99999'), undefined)
  t.is(parseEndpoint('zk://a:1,b:2/mesos'), undefined)
})
