import { decode, encode } from '@isthmus/proto/codec'
import type { AgentMessage } from '@isthmus/proto/gen/agent-link'
import { RecordReader } from '@isthmus/proto/recordio'
import test from 'ava'
import { answerText } from '../http/answers.ts'
import { readBody } from '../http/bodies.ts'
import { Router } from '../http/routes.ts'
import { closeServer, createIdleServer, listen, serveWith } from '../http/server.ts'
import { RecordStreams } from '../http/streams.ts'
import { AGENT_LINK_PATH, AgentLink, LINK_ID_HEADER, WAITING_MAX_BYTES } from './agent-link.ts'

const FIRST: AgentMessage = {
  type: 'REGISTER',
  register: { agent_info: { hostname: 'h' }, version: '1', address: { port: 1 } },
}
const numbered = (number: number): AgentMessage => ({ type: 'UNREGISTER', reason: String(number) })

/** A master that takes links and keeps what comes; each batch is answered with `status` after a while. */
async function fakeMaster(status = 202) {
  const batches: string[][] = []
  const firsts: AgentMessage[] = []
  const closed: string[] = []
  let underWay = 0
  let mostUnderWay = 0
  const links = new RecordStreams<{ readonly type: 'PING' }>({
    encode: (message) => encode('isthmus.agent_link.MasterMessage', message),
    closed: (id) => closed.push(id),
  })
  const server = createIdleServer()
  const handle = {
    kind: 'call',
    path: AGENT_LINK_PATH,
    meaning: '',
    handle: (request: Parameters<typeof readBody>[0], response: Parameters<typeof answerText>[0]) => {
      readBody(request, (body) => {
        const bytes = body as Buffer
        if (request.headers[LINK_ID_HEADER.toLowerCase()] === undefined) {
          firsts.push(decode('isthmus.agent_link.AgentMessage', bytes))
          const id = `L${firsts.length}`
          links.open(id, response, { encoding: 'protobuf', headers: { [LINK_ID_HEADER]: id } })
          return
        }
        underWay += 1
        mostUnderWay = Math.max(mostUnderWay, underWay)
        const records = new RecordReader().push(bytes)
        batches.push(records.map((record) => decode('isthmus.agent_link.AgentMessage', record).reason ?? ''))
        setTimeout(() => {
          underWay -= 1
          answerText(response, status, status === 202 ? undefined : 'not now')
        }, 2)
      })
    },
  } as const
  serveWith(server, new Router('master', [handle]))
  const port = await listen(server, '127.0.0.1', 0)
  return { batches, firsts, closed, links, port, mostUnderWay: () => mostUnderWay, stop: () => closeServer(server) }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1))
}

function openLink(port: number) {
  const told: string[] = []
  const link = new AgentLink({
    master: { host: '127.0.0.1', port },
    handlers: {
      opened: () => told.push('opened'),
      message: ({ type }) => told.push(`message ${type}`),
      closed: (reason) => told.push(`closed: ${reason}`),
    },
  })
  return { link, told }
}

test('messages arrive in the order they were sent, in batches, one batch at a time', async (t) => {
  const master = await fakeMaster()
  const { link, told } = openLink(master.port)
  link.open(FIRST)
  for (let number = 0; number < 10; number += 1) link.send(numbered(number))
  await until(() => told.includes('opened'))
  for (let number = 10; number < 2_500; number += 1) link.send(numbered(number))
  await until(() => master.batches.flat().length === 2_500)
  t.deepEqual(
    master.batches.flat(),
    Array.from({ length: 2_500 }, (_, number) => String(number)),
  )
  t.true(master.batches.length < 10, `${master.batches.length} batches`)
  t.is(master.mostUnderWay(), 1)
  link.end()
  await master.stop()
})

test('the master is heard, and its end is told once', async (t) => {
  const master = await fakeMaster()
  const { link, told } = openLink(master.port)
  link.open(FIRST)
  await until(() => told.includes('opened'))
  master.links.send('L1', { type: 'PING' })
  await until(() => told.length === 2)
  master.links.close('L1')
  await until(() => told.length === 3)
  link.send(numbered(1))
  t.deepEqual(told, ['opened', 'message PING', 'closed: the stream ended'])
  link.end()
  await master.stop()
})

test('a batch that is refused ends the link; a new one starts with nothing of the old', async (t) => {
  const master = await fakeMaster(503)
  const { link, told } = openLink(master.port)
  link.open(FIRST)
  await until(() => told.includes('opened'))
  link.send(numbered(1))
  await until(() => told.length === 2)
  t.deepEqual(told, ['opened', 'closed: not now'])
  link.open(FIRST)
  await until(() => told.length === 3)
  t.is(master.firsts.length, 2)
  t.deepEqual(master.batches, [['1']])
  link.end()
  await master.stop()
})

test('an open link that is opened again is closed silently', async (t) => {
  const master = await fakeMaster()
  const { link, told } = openLink(master.port)
  link.open(FIRST)
  await until(() => told.includes('opened'))
  link.open(FIRST)
  await until(() => told.length === 2 && master.closed.length === 1)
  t.deepEqual(told, ['opened', 'opened'])
  t.deepEqual(master.closed, ['L1'])
  link.end()
  await master.stop()
})

test('what waits for a master is bounded in bytes, and long messages go in several batches', async (t) => {
  const master = await fakeMaster()
  const { link, told } = openLink(master.port)
  const long = (number: number): AgentMessage => ({ type: 'UNREGISTER', reason: `${number}${'x'.repeat(2 ** 20)}` })
  link.open(FIRST)
  await until(() => told.includes('opened'))
  for (let number = 0; number < 20; number += 1) link.send(long(number))
  await until(() => master.batches.flat().length === 20)
  t.true(master.batches.every((batch) => batch.length <= 9))
  t.is(WAITING_MAX_BYTES, 64 * 2 ** 20)
  for (let number = 0; number < 64; number += 1) link.send(long(number))
  t.deepEqual(told, ['opened', `closed: more than ${WAITING_MAX_BYTES} bytes wait for the master`])
  link.end()
  await master.stop()
})
