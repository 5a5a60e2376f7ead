import type { AddressInfo } from 'node:net'
import { createServer, type Socket } from 'node:net'
import test from 'ava'
import type { Log } from '../observe/logger.ts'
import { Election } from './election.ts'

/** The answer to a connection: protocol 0, a timeout, a session's id and password. */
function accepted(timeoutMs: number, sessionId: number): Buffer {
  const body = Buffer.alloc(36)
  body.writeInt32BE(timeoutMs, 4)
  body.writeInt32BE(sessionId, 12)
  body.writeInt32BE(16, 16)
  const length = Buffer.alloc(4)
  length.writeInt32BE(body.length)
  return Buffer.concat([length, body])
}

test('a session that is lost before a master contends is followed by one other, never by two', async (t) => {
  const sockets = new Map<Socket, number>()
  let sessions = 0
  let most = 0
  let enough: () => void = () => {}
  const third = new Promise<void>((resolve) => {
    enough = resolve
  })
  // It accepts sessions and says nothing more, so each is lost after its timeout.
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', (request: Buffer) => {
      // Length, protocol, last transaction, timeout; then the id of the session to go on with, 0 for a new one.
      const known = request.readInt32BE(24)
      if (known === 0) sessions += 1
      const id = known === 0 ? sessions : known
      sockets.set(socket, id)
      most = Math.max(most, new Set(sockets.values()).size)
      socket.write(accepted(200, id))
    })
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const warnings: string[] = []
  const warn = (message: string): void => {
    if (warnings.push(message) === 3) enough()
  }
  const election = new Election({
    url: { servers: `127.0.0.1:${(server.address() as AddressInfo).port}`, path: '/x', auth: undefined },
    timeoutMs: 200,
    info: { id: 'm', ip: 0, port: 5050 },
    log: { warn, info: () => {} } as unknown as Log,
    leaderChanged: () => {},
    elected: () => t.fail('nobody answered'),
    deposed: () => t.fail('it never led'),
  })
  t.teardown(() => {
    election.stop()
    for (const socket of sockets.keys()) socket.destroy()
    server.close()
  })
  election.start()
  await third
  t.is(most, 1)
  t.true(sessions > 1)
})
