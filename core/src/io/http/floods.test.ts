import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import test from 'ava'
import { answerText } from './answers.ts'
import { answerUnread, heldBodyBytes, readBody } from './bodies.ts'
import { busyRefusals, busyWith, EVENTS_WAITING_MAX, REQUESTS_MAX } from './busy.ts'
import { serveCalls } from './calls.ts'
import { Peer, sendTo } from './client.ts'
import { type CallRoute, type Route, Router } from './routes.ts'
import { closeServer, createIdleServer, listen, type Patience, serveWith } from './server.ts'
import { RecordStreams } from './streams.ts'

const LOOPBACK = '127.0.0.1'

async function withServer(
  routes: readonly Route[],
  body: (port: number) => Promise<void>,
  patience?: Patience,
): Promise<void> {
  const server = createIdleServer(patience)
  serveWith(server, new Router('master', routes))
  const port = await listen(server, LOOPBACK, 0)
  try {
    await body(port)
  } finally {
    await closeServer(server)
  }
}

const call = (path: string, handle: CallRoute['handle']): Route => ({ kind: 'call', path, meaning: '', handle })

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1))
}

/** A connection that has sent a text and never reads. */
async function silent(port: number, text: string): Promise<Socket> {
  const socket = connect(port, LOOPBACK)
  socket.on('error', () => {})
  socket.pause()
  await once(socket, 'connect')
  socket.write(text)
  return socket
}

const OPEN = 'POST /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n'

interface Told {
  readonly number: number
  readonly filler: string
}

/** Streams under the numbers 1, 2 …, in the order in which they are opened. */
function numberedStreams(bounds: { readonly backlogMaxBytes?: number; readonly backlogTotalMaxBytes?: number }) {
  const closed: string[] = []
  const cutOff: string[] = []
  let opened = 0
  const streams = new RecordStreams<Told>({
    encode: (message) => Buffer.from(JSON.stringify(message)),
    closed: (id) => closed.push(id),
    cutOff: (id) => cutOff.push(id),
    ...bounds,
  })
  const route = call('/stream', (_request, response) => {
    opened += 1
    streams.open(String(opened), response, { encoding: 'json' })
  })
  return { streams, closed, cutOff, route }
}

/** A reader that keeps the numbers it is told. */
function reader(port: number): { readonly numbers: number[]; readonly peer: Peer } {
  const numbers: number[] = []
  const peer = new Peer({ host: LOOPBACK, port })
  peer.stream(
    { path: '/stream', body: '' },
    {
      opened: () => {},
      record: (bytes) => numbers.push((JSON.parse(Buffer.from(bytes).toString()) as Told).number),
      closed: () => numbers.push(Number.NaN),
    },
  )
  return { numbers, peer }
}

test('a reader that never reads is cut off at the bound; the others get everything in order', (t) => {
  const backlogMaxBytes = 1_000_000
  const { streams, closed, cutOff, route } = numberedStreams({ backlogMaxBytes })
  return withServer([route], async (port) => {
    const stuck = await silent(port, OPEN)
    await until(() => streams.size === 1)
    const readers = [reader(port), reader(port), reader(port)]
    await until(() => streams.size === 4)
    const filler = 'x'.repeat(50_000)
    let sent = 0
    let mostQueuedBytes = 0
    while (closed.length === 0) {
      // Readers that do read keep up: the next records wait for them.
      for (let at = 0; at < 5; at++) {
        sent += 1
        const message = { number: sent, filler }
        for (const id of ['1', '2', '3', '4']) streams.send(id, message)
      }
      mostQueuedBytes = Math.max(mostQueuedBytes, streams.queuedBytes)
      await until(() => readers.every(({ numbers }) => numbers.length === sent))
    }
    t.deepEqual([closed, cutOff, streams.cutOffs, streams.size], [['1'], ['1'], 1, 3])
    const all = Array.from({ length: sent }, (_, at) => at + 1)
    for (const { numbers } of readers) t.deepEqual(numbers, all)
    // The bound, one record beside it, and what the others had not been written yet.
    t.true(mostQueuedBytes <= backlogMaxBytes + 60_000 * 16, `${mostQueuedBytes} bytes were queued`)
    await until(() => streams.queuedBytes === 0)
    for (const { peer } of readers) peer.close()
    stuck.destroy()
  })
})

test('a first record longer than the bound is no reason to cut a reader off', (t) => {
  const { streams, closed, route } = numberedStreams({ backlogMaxBytes: 100_000 })
  return withServer([route], async (port) => {
    const { numbers, peer } = reader(port)
    await until(() => streams.size === 1)
    streams.send('1', { number: 1, filler: 'x'.repeat(20_000_000) })
    for (let number = 2; number < 5; number++) streams.send('1', { number, filler: '' })
    await until(() => numbers.length === 4)
    t.deepEqual([numbers, closed], [[1, 2, 3, 4], []])
    peer.close()
  })
})

test('when all readers together are too slow, the one for whom most waits is cut off', (t) => {
  const bounds = { backlogMaxBytes: 2 ** 30, backlogTotalMaxBytes: 40_000_000 }
  const { streams, closed, route } = numberedStreams(bounds)
  return withServer([route], async (port) => {
    const sockets: Socket[] = []
    for (let at = 1; at <= 3; at++) {
      sockets.push(await silent(port, OPEN))
      await until(() => streams.size === at)
    }
    const filler = 'x'.repeat(1_000_000)
    let mostQueuedBytes = 0
    for (let number = 0; closed.length === 0; number++) {
      for (const id of ['1', '2', '2', '3']) streams.send(id, { number, filler })
      await new Promise((resolve) => setImmediate(resolve))
      mostQueuedBytes = Math.max(mostQueuedBytes, streams.queuedBytes)
    }
    t.deepEqual(closed, ['2'])
    t.true(mostQueuedBytes <= bounds.backlogTotalMaxBytes + 1_000_100)
    for (const socket of sockets) socket.destroy()
    await until(() => streams.size === 0)
    t.is(streams.queuedBytes, 0)
  })
})

test('records of a busy time arrive in order, whatever is joined', (t) => {
  const { streams, closed, route } = numberedStreams({})
  return withServer([route], async (port) => {
    const readers = [reader(port), reader(port)]
    await until(() => streams.size === 2)
    let sent = 0
    for (let round = 0; round < 50; round++) {
      for (let at = 0; at < round % 7; at++) {
        sent += 1
        // Some are too long to be joined with others; some go to one stream first.
        const message = { number: sent, filler: 'y'.repeat(sent % 11 === 0 ? 100_000 : sent) }
        for (const id of sent % 3 === 0 ? ['2', '1'] : ['1', '2']) streams.send(id, message)
      }
      if (round % 2 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    streams.close('1')
    streams.close('2')
    await until(() => readers.every(({ numbers }) => numbers.length === sent + 1))
    const all = [...Array.from({ length: sent }, (_, at) => at + 1), Number.NaN]
    for (const { numbers, peer } of readers) {
      t.deepEqual(numbers, all)
      peer.close()
    }
    t.deepEqual([closed, streams.queuedBytes], [[], 0])
  })
})

test('a client of HTTP/1.0 gets records without chunks', (t) => {
  const { streams, route } = numberedStreams({})
  return withServer([route], async (port) => {
    const socket = connect(port, LOOPBACK)
    let text = ''
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
    socket.write('POST /stream HTTP/1.0\r\nContent-Length: 0\r\n\r\n')
    await until(() => streams.size === 1)
    streams.send('1', { number: 1, filler: '' })
    streams.close('1')
    await once(socket, 'close')
    t.is(text.slice(text.indexOf('\r\n\r\n') + 4), '24\n{"number":1,"filler":""}')
  })
})

test('a body that is too long is refused with the bound, whether its length is told or not', (t) => {
  const route = call('/x', (request, response) => {
    readBody(
      request,
      (body) => {
        if (typeof body === 'string') answerUnread(response, body, 10)
        else answerText(response, 200, String(body.length))
      },
      { maxBytes: 10 },
    )
  })
  return withServer([route], async (port) => {
    const endpoint = { host: LOOPBACK, port }
    t.is((await sendTo(endpoint, { path: '/x', body: 'x'.repeat(10) })).status, 200)
    const told = await sendTo(endpoint, { path: '/x', body: 'x'.repeat(11) })
    const socket = connect(port, LOOPBACK)
    socket.write('POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n6\r\nabcdef\r\n')
    const untold = (await once(socket, 'data'))[0] as Buffer
    t.deepEqual([told.status, told.body.toString()], [413, 'The body is longer than 10 bytes'])
    t.regex(untold.toString(), /^HTTP\/1\.1 413 [\s\S]*The body is longer than 10 bytes$/)
    await once(socket, 'close')
  })
})

test.serial(
  'bodies that do not come to their end are bounded together; the bytes of those given up do not count',
  (t) => {
    const route = call('/x', (request, response) => {
      readBody(
        request,
        (body) => {
          if (typeof body === 'string') answerUnread(response, body)
          else answerText(response, 200)
        },
        { allMaxBytes: 250_000 },
      )
    })
    return withServer([route], async (port) => {
      const half = `POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n${'x'.repeat(100_000)}`
      const slow = [await silent(port, half), await silent(port, half)]
      await until(() => heldBodyBytes() === 200_000)
      const before = busyRefusals()
      const refused = await sendTo({ host: LOOPBACK, port }, { path: '/x', body: 'x'.repeat(60_000) })
      t.deepEqual([refused.status, refused.headers['retry-after'], refused.headers.connection], [503, '1', 'close'])
      t.is(busyRefusals(), before + 1)
      t.is(heldBodyBytes(), 200_000)
      slow[0]!.destroy()
      await until(() => heldBodyBytes() === 100_000)
      t.is((await sendTo({ host: LOOPBACK, port }, { path: '/x', body: 'x'.repeat(60_000) })).status, 200)
      slow[1]!.destroy()
      await until(() => heldBodyBytes() === 0)
    })
  },
)

test('a machine with too much to do refuses calls before it reads them, and says when to ask again', (t) => {
  t.is(busyWith({ requests: REQUESTS_MAX - 1, events: EVENTS_WAITING_MAX - 1 }), undefined)
  t.is(busyWith({ requests: REQUESTS_MAX, events: 0 }), `${REQUESTS_MAX} requests wait for their answer`)
  t.is(busyWith({ requests: 0, events: EVENTS_WAITING_MAX }), `${EVENTS_WAITING_MAX} events wait`)
  let events = EVENTS_WAITING_MAX
  const route = call(
    '/x',
    serveCalls({
      type: 'mesos.v1.scheduler.Call',
      busy: () => busyWith({ requests: 0, events }),
      receive: (_call, { response }) => answerText(response, 202),
    }),
  )
  return withServer([route], async (port) => {
    const revive = { path: '/x', headers: { 'Content-Type': 'application/json' }, body: '{"type":"REVIVE"}' }
    const refused = await sendTo({ host: LOOPBACK, port }, revive)
    t.deepEqual([refused.status, refused.headers['retry-after']], [503, '1'])
    t.is(refused.body.toString(), `Too busy now: ${EVENTS_WAITING_MAX} events wait`)
    events -= 1
    t.is((await sendTo({ host: LOOPBACK, port }, revive)).status, 202)
  })
})

const QUICK: Patience = { headersMs: 40, requestMs: 80, readingMs: 80, lateCheckMs: 10 }
const cases: readonly { readonly name: string; readonly text: string }[] = [
  { name: 'headers that do not come to their end', text: 'POST /x HTTP/1.1\r\nHost: x\r\n' },
  { name: 'a body that does not come to its end', text: 'POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc' },
  { name: 'an answer that is not read', text: 'GET /long HTTP/1.1\r\nHost: x\r\n\r\n' },
]
for (const { name, text } of cases) {
  test(`${name}: the connection ends`, (t) => {
    const ended: string[] = []
    const routes = [
      call('/x', (request) => readBody(request, (body) => ended.push(String(body)))),
      call('/long', (_request, response) => void response.end(Buffer.alloc(50_000_000))),
    ]
    return withServer(
      routes,
      async (port) => {
        const socket = await silent(port, text)
        const isReset = new Promise((resolve) => socket.once('close', resolve))
        // One that does not read hears of its end only when it writes.
        const knocking = setInterval(() => socket.write('x'), 5)
        if (text.startsWith('POST')) clearInterval(knocking)
        if (text.startsWith('POST')) socket.resume()
        await isReset
        clearInterval(knocking)
        t.true(ended.every((how) => how === 'aborted'))
      },
      QUICK,
    )
  })
}

test('a request waits for its answer as long as the machine lets it', (t) => {
  let answer: (() => void) | undefined
  const route = call('/x', (_request, response) => {
    answer = () => answerText(response, 200, 'late')
  })
  return withServer(
    [route],
    async (port) => {
      const asked = sendTo({ host: LOOPBACK, port }, { path: '/x', body: '' })
      await new Promise((resolve) => setTimeout(resolve, 300))
      answer?.()
      t.is((await asked).body.toString(), 'late')
    },
    QUICK,
  )
})
