import type { AddressInfo } from 'node:net'
import { createServer, type Server, type Socket } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { ZooKeeperSession } from './session.ts'

/** A server that does with each connection what the test says. */
async function serve(t: ExecutionContext, connected: (socket: Socket, at: number) => void): Promise<string> {
  let count = 0
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    connected(socket, count++)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** The answer to a connection: protocol 0, a timeout, a session's id and password. */
function accepted(timeoutMs: number): Buffer {
  const body = Buffer.alloc(36)
  body.writeInt32BE(timeoutMs, 4)
  body.writeInt32BE(7, 12)
  body.writeInt32BE(16, 16)
  const length = Buffer.alloc(4)
  length.writeInt32BE(body.length)
  return Buffer.concat([length, body])
}

function session(
  t: ExecutionContext,
  servers: string,
  timeoutMs: number,
): { session: ZooKeeperSession; lost: Promise<string> } {
  let told: (reason: string) => void = () => {}
  const lost = new Promise<string>((resolve) => {
    told = resolve
  })
  const made = new ZooKeeperSession({ url: { servers, auth: undefined }, timeoutMs, lost: (reason) => told(reason) })
  t.teardown(() => made.close())
  return { session: made, lost }
}

test('a server that answers after the session was given up does no harm', async (t) => {
  let answered: () => void = () => {}
  const closed = new Promise<void>((resolve) => {
    answered = resolve
  })
  let late: Socket | undefined
  const servers = await serve(t, (socket) => {
    late = socket.resume()
    socket.on('close', () => answered())
  })
  const { session: slow } = session(t, servers, 100)
  await t.throwsAsync(slow.connect(), { message: /answered within 100 ms/ })
  late?.write(accepted(1000))
  await closed
  t.pass()
})

test('a server that talks nonsense is left for the next connection', async (t) => {
  let good: () => void = () => {}
  const second = new Promise<void>((resolve) => {
    good = resolve
  })
  const servers = await serve(t, (socket, at) => {
    socket.once('data', () => {
      socket.write(accepted(4_000))
      if (at > 0) good()
      // An answer that nobody asked for, to a request whose number comes next, with an error that is none.
      else socket.on('data', () => socket.write(Buffer.from('00000010000000000000000000000000deadbeef', 'hex')))
    })
  })
  const { session: brave } = session(t, servers, 4_000)
  await brave.connect()
  await t.throwsAsync(brave.get('/x'), { message: /CONNECTION_LOSS/ })
  await second
  t.pass()
})

test('a session without a sign of life for its timeout is lost', async (t) => {
  const servers = await serve(t, (socket) => {
    socket.once('data', () => socket.write(accepted(300)))
  })
  const { session: deaf, lost } = session(t, servers, 300)
  await deaf.connect()
  t.regex(await lost, /no server answered for \d+ ms/)
})

test('a process that slept over the end of its session knows it before any timer has run', async (t) => {
  const servers = await serve(t, (socket) => {
    socket.once('data', () => socket.write(accepted(300)))
  })
  const { session: sleepy, lost } = session(t, servers, 300)
  await sleepy.connect()
  t.true(sleepy.isAlive)
  // Nothing else of this process runs meanwhile, as when it is stopped.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 350)
  t.false(sleepy.isAlive)
  t.regex(await lost, /no server answered for \d+ ms/)
})
