import test from 'ava'
import { createRandom } from '../base/random.ts'
import { type Connection, Network } from './network.ts'
import { Schedule } from './schedule.ts'

function stage() {
  const schedule = new Schedule(0)
  const latency = { minMs: 1, maxMs: 50, lateChance: 0.2, lateMs: 500 }
  const network = new Network(schedule, createRandom(1), latency)
  const atServer: string[] = []
  const atClient: string[] = []
  const connection: Connection<number, number> = network.connect('a', 'm', {
    received: (message) => atClient.push(`${message}`),
    closed: (reason) => atClient.push(reason),
  })
  connection.accept({
    received: (message) => atServer.push(`${message}`),
    closed: (reason) => atServer.push(reason),
  })
  const pass = (untilMs: number): void => {
    while (schedule.next(untilMs)) {
      // Everything is noted above.
    }
  }
  return { schedule, network, connection, atServer, atClient, pass }
}

test('messages of a connection arrive in the order they were sent', (t) => {
  const { connection, atServer, atClient, pass } = stage()
  for (let number = 0; number < 20; number++) connection.toServer(number)
  connection.toClient(1)
  connection.closeByClient()
  pass(100_000)
  t.deepEqual(atServer, [...Array.from({ length: 20 }, (_, at) => `${at}`), 'closed by the client'])
  t.deepEqual(atClient, [], 'who closes hears nothing more')
})

test('what is sent to a host that is cut off arrives afterwards', (t) => {
  const { schedule, network, connection, atServer, pass } = stage()
  network.cut('a', 10_000)
  connection.toServer(1)
  pass(9_999)
  t.deepEqual(atServer, [])
  pass(20_000)
  t.deepEqual(atServer, ['1'])
  t.true(schedule.nowMs > 10_000)
})

test('a broken connection loses what is under way, and both ends learn of it', (t) => {
  const { network, connection, atServer, atClient, pass } = stage()
  connection.toServer(1)
  network.breakAll('m', 'broken')
  connection.toServer(2)
  pass(10_000)
  t.deepEqual([atServer, atClient], [['broken'], ['broken']])
})

test('a host that ends learns nothing, the others do', (t) => {
  const { network, connection, atServer, atClient, pass } = stage()
  connection.toClient(1)
  network.hostEnded('a')
  pass(10_000)
  t.deepEqual([atServer, atClient], [['connection reset'], []])
})

test('two hosts that are cut off from each other reach others, and each other afterwards', (t) => {
  const { schedule, network, connection, atServer, pass } = stage()
  network.cutBetween('m', 'a', 1_000)
  t.is(network.cutUntilMs('a', 'm'), 1_000)
  t.is(network.cutUntilMs('a', 'b'), undefined)
  connection.toServer(1)
  pass(999)
  t.deepEqual(atServer, [])
  schedule.at(1_001, () => {})
  pass(3_000)
  t.deepEqual(atServer, ['1'])
  network.cutBetween('a', 'm', 1_000)
  network.heal()
  t.is(network.cutUntilMs('a', 'm'), undefined)
})
