// What the bridge does when everything around it, or itself, is replaced in the middle: no NodeManager lost, none twice, YARN never
// told more than is held, and after a quiet time exactly that.

import test from 'ava'
import fc from 'fast-check'
import { MISSING_MAX_MS, RM_SETTLE_MS } from './rm-changes.ts'
import { times } from './samples.ts'
import { labelOf } from './task.ts'
import { MINIMUM } from './testing/model.ts'
import { World } from './testing/world.ts'

const ONE_GB = { memoryMb: 1024, vcores: 1 }

function launches(world: World): number {
  return world.effects.filter((effect) => effect.kind === 'recordDecision' && effect.record.action === 'launch').length
}

function killed(world: World): string[] {
  return world.effects.flatMap((effect) =>
    effect.kind === 'framework' && effect.effect.kind === 'sendCall' && effect.effect.call.type === 'KILL'
      ? [effect.effect.call.kill?.task_id.value ?? '']
      : [],
  )
}

/** The daemons that were killed; their slabs follow. */
function stopped(world: World): string[] {
  return killed(world).filter((id) => !id.includes('.slab'))
}

/** One NodeManager with an ApplicationMaster and two workers on it. */
function busyWorld(policy: ConstructorParameters<typeof World>[0] = {}): World {
  const world = new World(policy)
  world.submit(ONE_GB, 2)
  world.tick(8)
  return world
}

function onlyManager(world: World) {
  const [nodeManager] = world.state.nodeManagers.values()
  if (nodeManager === undefined) throw new Error('there is no NodeManager')
  return nodeManager
}

test('while a new ResourceManager lists no node yet, nothing is given back and nothing is launched', (t) => {
  const world = busyWorld()
  const before = launches(world)
  world.failOverRm([60_000])
  world.tick(59)
  t.deepEqual(killed(world), [])
  t.is(launches(world), before)
  world.tick(5)
  t.is(onlyManager(world).phase, 'serving')
  t.deepEqual(onlyManager(world).advertised, world.heldOn([...world.nodes.values()][0] as never))
})

test('history tells of another ResourceManager once', (t) => {
  const world = busyWorld()
  world.failOverRm([1_000])
  world.tick(5)
  const lines = world.state.decisions.filter(({ action }) => action === 'failover')
  t.deepEqual(
    lines.map(({ reason }) => reason.code),
    ['RM_CHANGED'],
  )
})

test('the quiet time begins anew with another ResourceManager', (t) => {
  const world = new World()
  world.finish(world.submit(ONE_GB, 1))
  const id = world.submit(ONE_GB, 1)
  world.tick(8)
  world.finish(id)
  world.tick(8)
  world.failOverRm([0])
  world.tick(9)
  t.is(onlyManager(world).phase, 'serving')
  world.tick(30)
  t.is(world.nodes.size, 0)
})

test('a NodeManager that drains is not stopped because a new ResourceManager does not list it', (t) => {
  const world = busyWorld()
  world.flex('small', 1)
  world.tick(8)
  world.flex('small', -1)
  const manager = onlyManager(world)
  manager.phase = 'draining'
  manager.stopReason = 'flexdown'
  world.failOverRm([300_000])
  world.tick(299)
  t.is(manager.phase, 'draining')
  t.is(world.running('application_1'), 3)
})

test('one that drains and never comes back is stopped when it should have ended by itself', (t) => {
  const world = busyWorld({ policy: { drainTimeoutMs: 10 * MISSING_MAX_MS } })
  const manager = onlyManager(world)
  manager.phase = 'draining'
  world.failOverRm([10 * MISSING_MAX_MS])
  world.tick(MISSING_MAX_MS / 1000 - 1)
  t.is(manager.phase, 'draining')
  world.tick(5)
  t.is(world.state.nodeManagers.has(manager.id), false)
})

for (const { state, stops } of [
  { state: 'LOST', stops: true },
  { state: 'SHUTDOWN', stops: true },
  { state: 'DECOMMISSIONED', stops: true },
  { state: 'DECOMMISSIONING', stops: false },
  { state: 'NEW', stops: false },
]) {
  test(`one that drains and is ${state} for YARN is ${stops ? 'stopped' : 'left alone'}`, (t) => {
    const world = busyWorld()
    const manager = onlyManager(world)
    manager.phase = 'draining'
    const sample = world.sample()
    const nodes = sample.nodes.map((node) => ({ ...node, state }))
    world.post({ kind: 'rmSampled', atMs: world.atMs, sample: { ...sample, nodes } })
    t.is(killed(world).includes(manager.baseTaskId), stops)
  })
}

test('emptiness counts only once a NodeManager that registered anew has settled', (t) => {
  const world = new World()
  world.flex('small', 1)
  world.tick(8)
  world.failOverRm([2_000])
  world.tick(4)
  world.flex('small', -1)
  world.tick(RM_SETTLE_MS / 1000 - 3)
  t.is(onlyManager(world).phase, 'draining')
  world.tick(5)
  t.is(world.nodes.size, 0)
})

test('a registration time-out runs only while a ResourceManager answers', (t) => {
  const world = new World({ policy: { registrationTimeoutMs: 20_000 } })
  world.deafHosts.add('127.0.0.2')
  world.flex('small', 1)
  world.tick(5)
  world.rmIsUp = false
  world.tick(100)
  world.rmIsUp = true
  world.tick(10)
  t.deepEqual(killed(world), [])
  world.tick(12)
  t.is(stopped(world).length, 1)
})

test('a bridge that starts while the ResourceManager is away stops nothing when it comes back', (t) => {
  const world = busyWorld()
  world.rmIsUp = false
  world.restartBridge()
  world.tick(300)
  world.rmIsUp = true
  world.failOverRm([60_000])
  world.tick(120)
  t.deepEqual(killed(world), [])
  t.is(world.running('application_1'), 3)
  t.is(onlyManager(world).phase, 'serving')
})

test('flexdown before a ResourceManager has answered drains, it does not kill', (t) => {
  const world = new World()
  world.flex('small', 1)
  world.tick(8)
  world.submit(ONE_GB, 0)
  world.tick(2)
  world.rmIsUp = false
  world.restartBridge()
  world.tick(2)
  world.rmIsUp = true
  world.failOverRm([20_000])
  world.tick(2)
  world.flex('small', -1)
  world.tick(60)
  t.deepEqual(killed(world), [])
  t.is(world.running('application_1'), 1)
})

test('bridge and master are replaced: what an agent brings back later is taken over, nothing is launched beside it', (t) => {
  const world = busyWorld()
  const before = onlyManager(world).id
  world.failOverMaster([20_000])
  world.restartBridge()
  t.is(world.state.nodeManagers.size, 0)
  world.submit(ONE_GB, 1)
  world.tick(25)
  t.deepEqual([...world.state.nodeManagers.keys()], [before])
  t.is(world.daemonsOn('A0'), 1)
  t.deepEqual(killed(world), [])
})

test('a flexup that waits for room is not forgotten with the bridge', (t) => {
  const world = new World()
  world.flex('small', 3)
  world.tick(5)
  world.restartBridge()
  t.is(world.state.nodeManagers.size, 1)
  t.is(world.state.wantedByProfile.get('small'), 3)
})

test('a flexdown that waits for a job is not undone by a new bridge', (t) => {
  const world = new World()
  world.flex('small', 1)
  world.tick(8)
  const id = world.submit(ONE_GB, 0)
  world.tick(2)
  world.flex('small', -1)
  world.tick(2)
  world.restartBridge()
  world.tick(20)
  t.is(onlyManager(world).phase, 'draining')
  world.finish(id)
  world.tick(20)
  t.is(world.nodes.size, 0)
})

test('the mode that an operator chose outlives the bridge', (t) => {
  const world = new World()
  world.post({ kind: 'modeRequested', atMs: world.atMs, requestId: 'r', mode: 'manual' })
  world.restartBridge()
  t.is(world.state.policy.mode, 'manual')
})

test('while the ResourceManager lists nodes that are not known yet, nothing is launched on other agents', (t) => {
  const agents = [
    { cpus: 8, memoryMb: 16_384 },
    { cpus: 8, memoryMb: 16_384 },
  ]
  const world = busyWorld({ agents, policy: { minNodes: 1 } })
  const before = launches(world)
  const { agentId } = onlyManager(world)
  world.failOverMaster(agentId === 'A0' ? [15_000, 0] : [0, 15_000])
  world.restartBridge()
  world.tick(20)
  t.is(launches(world), before)
  t.is(world.state.nodeManagers.size, 1)
})

test('a NodeManager on an agent that the master has lost stays, and is not counted on', (t) => {
  const world = busyWorld()
  const manager = onlyManager(world)
  update(world, manager, 'TASK_UNREACHABLE')
  world.tick(100)
  t.is(world.state.nodeManagers.get(manager.id), manager)
  t.true(manager.isUnreachable)
  update(world, manager, 'TASK_RUNNING')
  world.tick(1)
  t.deepEqual([manager.isUnreachable, manager.phase], [false, 'serving'])
  t.deepEqual(killed(world), [])
})

test('one that YARN has lost too is given up', (t) => {
  const world = busyWorld()
  const manager = onlyManager(world)
  update(world, manager, 'TASK_UNREACHABLE')
  const sample = world.sample()
  const nodes = sample.nodes.map((node) => ({ ...node, state: 'LOST' }))
  world.post({ kind: 'rmSampled', atMs: world.atMs, sample: { ...sample, nodes } })
  t.deepEqual(stopped(world), [manager.baseTaskId])
})

test('a deadline is told to a new ResourceManager although the size is right already', (t) => {
  const world = busyWorld({ policy: { quietMs: 1_000_000 } })
  world.wantBack('127.0.0.2', world.atMs + 60_000, times(ONE_GB, 2))
  world.tick(3)
  const [node] = world.nodes.values()
  t.is(node?.total.memoryMb, 1024)
  world.failOverRm([1_000])
  t.is(node?.killAtMs, Number.POSITIVE_INFINITY)
  world.tick(5)
  t.is(node?.total.memoryMb, 1024)
  t.true((node?.killAtMs ?? 0) <= world.atMs + 55_000)
})

for (const { title, beganBeforeMs, beingTold, stops } of [
  { title: 'that began before the last size was taken', beganBeforeMs: 1, beingTold: undefined, stops: false },
  { title: 'while a size is on its way', beganBeforeMs: 0, beingTold: MINIMUM, stops: false },
  { title: 'that began afterwards', beganBeforeMs: 0, beingTold: undefined, stops: true },
]) {
  test(`a look ${title} ${stops ? 'ends' : 'does not end'} a drain`, (t) => {
    const world = new World()
    world.flex('small', 1)
    world.tick(8)
    const manager = onlyManager(world)
    for (const node of world.nodes.values()) node.total = MINIMUM
    manager.phase = 'draining'
    manager.answeredAtMs = world.atMs
    manager.beingTold = beingTold
    const beganAtMs = world.atMs - beganBeforeMs
    world.post({ kind: 'rmSampled', atMs: world.atMs, beganAtMs, sample: world.sample() })
    t.is(stopped(world).length, stops ? 1 : 0)
  })
}

test('a NodeManager that ended while the master was asked is not found again', (t) => {
  const world = busyWorld()
  world.restartBridge()
  world.areCallsLate = true
  const manager = onlyManager(world)
  update(world, { baseTaskId: 'stranger', agentId: 'A0' }, 'TASK_RUNNING')
  world.crash([...world.nodes.keys()][0] ?? '')
  world.tick(3)
  t.false(world.state.nodeManagers.has(manager.id))
})

function update(world: World, { baseTaskId, agentId }: { baseTaskId: string; agentId: string }, state: string): void {
  const status = { task_id: { value: baseTaskId }, state: state as 'TASK_RUNNING', agent_id: { value: agentId } }
  const event = { type: 'UPDATE' as const, update: { status } }
  const { atMs } = world
  world.post({ kind: 'frameworkEventReceived', atMs, event: { kind: 'eventReceived', atMs, event } })
}

const waits = fc.array(fc.integer({ min: 0, max: 40_000 }), { minLength: 1, maxLength: 3 })

const command = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('tick' as const), seconds: fc.integer({ min: 1, max: 40 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('submit' as const),
      memoryMb: fc.integer({ min: 1, max: 4000 }),
      count: fc.integer({ min: 0, max: 5 }),
    }),
  },
  fc.record({ kind: fc.constant('finish' as const) }),
  fc.record({ kind: fc.constant('crash' as const) }),
  fc.record({ kind: fc.constant('rmDown' as const), seconds: fc.integer({ min: 1, max: 120 }) }),
  fc.record({ kind: fc.constant('failOverRm' as const), waits }),
  fc.record({ kind: fc.constant('failOverMaster' as const), waits }),
  fc.record({ kind: fc.constant('restartBridge' as const) }),
  fc.record({ kind: fc.constant('hold' as const) }),
  fc.record({ kind: fc.constant('release' as const), isTwice: fc.boolean() }),
  fc.record({ kind: fc.constant('late' as const), isLate: fc.boolean() }),
  fc.record({ kind: fc.constant('age' as const), ticks: fc.integer({ min: 0, max: 3 }) }),
  fc.record({ kind: fc.constant('flex' as const), delta: fc.integer({ min: -2, max: 2 }) }),
  fc.record({
    kind: fc.constant('wantBack' as const),
    inMs: fc.integer({ min: 0, max: 60_000 }),
    slabs: fc.integer({ min: 1, max: 3 }),
  }),
)

type Command = typeof command extends fc.Arbitrary<infer T> ? T : never

function run(world: World, next: Command): void {
  switch (next.kind) {
    case 'tick':
      return world.tick(next.seconds)
    case 'submit':
      world.submit({ memoryMb: next.memoryMb, vcores: 1 }, next.count)
      return
    case 'finish':
      for (const id of [...world.applications.keys()].slice(0, 1)) world.finish(id)
      return
    case 'crash':
      for (const id of [...world.nodes.keys()].slice(0, 1)) world.crash(id)
      return
    case 'rmDown':
      world.rmIsUp = false
      world.tick(next.seconds)
      world.rmIsUp = true
      return
    case 'failOverRm':
      return world.failOverRm(next.waits)
    case 'failOverMaster':
      return world.failOverMaster(next.waits)
    case 'restartBridge':
      return world.restartBridge()
    case 'hold':
      world.areUpdatesHeld = true
      return
    case 'release':
      return world.releaseUpdates(next.isTwice)
    case 'late':
      world.areCallsLate = next.isLate
      return
    case 'age':
      world.sampleAgeTicks = next.ticks
      return
    case 'flex':
      return world.flex('small', next.delta)
    case 'wantBack':
      return world.wantBack('127.0.0.2', world.atMs + next.inMs, times(ONE_GB, next.slabs))
    default:
      return next satisfies never
  }
}

test('safety_: whatever is replaced, YARN is never told more than is held and no agent gets two NodeManagers; after a quiet time it is told just that', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
        const world = new World({
          agents: [
            { cpus: 4, memoryMb: 8192 },
            { cpus: 6, memoryMb: 12_000 },
          ],
        })
        for (const next of commands) run(world, next)
        world.sampleAgeTicks = 0
        world.areCallsLate = false
        world.releaseUpdates(false)
        world.tick(200)
        checkSettled(world)
      }),
      { numRuns: 200 },
    ),
  )
})

test('safety_: no container is lost because something was replaced', (t) => {
  const harmless = command.filter(({ kind }) => kind !== 'crash' && kind !== 'wantBack')
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.array(harmless, { maxLength: 40 }), (commands) => {
        const world = new World({
          agents: [
            { cpus: 4, memoryMb: 8192 },
            { cpus: 6, memoryMb: 12_000 },
          ],
        })
        for (const next of commands) run(world, next)
        return world.lostContainers === 0
      }),
      { numRuns: 200 },
    ),
  )
})

/** Every daemon that runs is known, and every one that serves is as large in YARN as what is held for it. */
function checkSettled(world: World): void {
  for (const { info, state } of world.tasks.values()) {
    const isDaemon = labelOf(info, 'kind') === 'base' && state === 'TASK_RUNNING'
    if (isDaemon && !world.state.nodeManagers.has(info.task_id.value)) throw new Error(`${info.task_id.value} is lost`)
  }
  for (const node of world.nodes.values()) {
    const manager = world.state.nodeManagers.get(node.baseTaskId)
    const held = world.heldOn(node)
    if (manager?.phase === 'serving' && (node.total.memoryMb !== held.memoryMb || node.total.vcores !== held.vcores))
      throw new Error(`${node.nodeId} has ${node.total.memoryMb} MB in YARN and holds ${held.memoryMb} MB`)
  }
}
