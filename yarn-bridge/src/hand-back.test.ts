import test from 'ava'
import { DEADLINE_MARGIN_MS } from './hand-back.ts'
import { held } from './node-manager.ts'
import { size } from './testing/builders.ts'
import { World } from './testing/world.ts'

const ONE_GB = size(1024, 1)
const TWO_AGENTS = [
  { cpus: 8, memoryMb: 16_384 },
  { cpus: 8, memoryMb: 16_384 },
]

/** A world where one NodeManager runs an ApplicationMaster and `workers`. */
function busy(workers: number, agents = TWO_AGENTS): { world: World; id: string; hostname: string } {
  const world = new World({ agents, policy: { maintenanceLeadMs: 20_000 } })
  const id = world.submit(ONE_GB, workers)
  world.tick(8)
  const [nodeManager] = world.state.nodeManagers.values()
  return { world, id, hostname: nodeManager?.hostname ?? '' }
}

function answers(world: World): number {
  return world.effects.filter(
    (effect) =>
      effect.kind === 'framework' &&
      effect.effect.kind === 'sendCall' &&
      effect.effect.call.type === 'ACCEPT_INVERSE_OFFERS',
  ).length
}

test('a machine that goes down for maintenance is drained from the lead time on, and its work moves', (t) => {
  const { world, id, hostname } = busy(3)
  world.wantBack(hostname, world.atMs + 40_000)
  world.tick(10)
  t.is(world.running(id), 4)
  t.is(answers(world), 0, 'not before the lead time')
  world.tick(15)
  t.is(answers(world), 1)
  t.deepEqual(
    [...world.state.nodeManagers.values()].filter((made) => made.hostname === hostname).map(({ phase }) => phase),
    ['draining'],
  )
  world.tick(30)
  const hosts = [...world.state.nodeManagers.values()].map((made) => made.hostname)
  t.false(hosts.includes(hostname), hosts.join())
  t.is(world.running(id), 4, 'the containers run on the other machine')
})

test('containers are moved by YARN before the deadline, not killed with their NodeManager', (t) => {
  const { world, hostname } = busy(3)
  const deadlineMs = world.atMs + 20_000
  world.wantBack(hostname, deadlineMs)
  while (world.atMs < deadlineMs - DEADLINE_MARGIN_MS + 1_000) world.tick()
  const node = [...world.nodes.values()].find(({ nodeId }) => nodeId.startsWith(`${hostname}:`))
  t.is(node?.containers.length ?? 0, 0)
})

test('reclaim takes back as many slabs as cover what is wanted, YARN first', (t) => {
  const { world, id, hostname } = busy(3, [{ cpus: 5, memoryMb: 5200 }])
  t.is(world.running(id), 4)
  world.wantBack(hostname, world.atMs + 30_000, size(1100, 2))
  world.tick(2)
  const [nodeManager] = [...world.state.nodeManagers.values()].filter((made) => made.hostname === hostname)
  const told = world.effects.filter((effect) => effect.kind === 'setNodeResource').at(-1)
  t.like(told, { size: size(2048, 2) })
  t.is(nodeManager && held(nodeManager).memoryMb, 4096, 'the manager gets it when YARN has let go')
  t.is(answers(world), 1)
  world.tick(26)
  t.is(nodeManager && held(nodeManager).memoryMb, 2048)
  t.is(nodeManager?.phase, 'serving')
  t.is(nodeManager?.deadlineMs, undefined)
})

test('a NodeManager that would be left with too little is drained', (t) => {
  const { world, hostname } = busy(1)
  world.wantBack(hostname, world.atMs + 30_000, size(2048, 2))
  world.tick(2)
  const [nodeManager] = [...world.state.nodeManagers.values()].filter((made) => made.hostname === hostname)
  t.is(nodeManager?.phase, 'draining')
  t.is(nodeManager?.stopReason, 'reclaim')
})

test('what is wanted back is not taken again while it is on its way', (t) => {
  const { world, hostname } = busy(5)
  world.wantBack(hostname, world.atMs + 30_000, ONE_GB)
  world.tick(1)
  world.wantBack(hostname, world.atMs + 29_000, ONE_GB)
  world.tick(4)
  const [nodeManager] = [...world.state.nodeManagers.values()].filter((made) => made.hostname === hostname)
  t.deepEqual(nodeManager?.shrinkTo, size(5120, 5))
  t.is(answers(world), 2)
})

test('where nothing of ours is the answer is yes at once', (t) => {
  const { world, hostname } = busy(1)
  const other = hostname === '127.0.0.2' ? '127.0.0.3' : '127.0.0.2'
  world.wantBack(other, world.atMs + 500_000)
  t.is(answers(world), 1)
})
