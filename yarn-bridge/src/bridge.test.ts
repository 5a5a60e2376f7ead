import test from 'ava'
import fc from 'fast-check'
import { held } from './node-manager.ts'
import { times } from './samples.ts'
import { World } from './testing/world.ts'

const ONE_GB = { memoryMb: 1024, vcores: 1 }

function actions(world: World): string[] {
  return world.state.decisions.map(({ action }) => action)
}

test('with nothing asked for, no NodeManager is launched and offers are suppressed', (t) => {
  const world = new World()
  world.tick(5)
  t.is(world.state.nodeManagers.size, 0)
  t.true(world.state.offersSuppressed)
})

test('pending demand launches a NodeManager from none, and the containers run', (t) => {
  const world = new World()
  const id = world.submit(ONE_GB, 2)
  world.tick(8)
  t.is(world.running(id), 3)
  t.is(world.state.nodeManagers.size, 1)
})

test('a NodeManager that is there grows before another is launched', (t) => {
  const world = new World({
    agents: [
      { cpus: 8, memoryMb: 16_384 },
      { cpus: 8, memoryMb: 16_384 },
    ],
  })
  world.submit(ONE_GB, 0)
  world.tick(6)
  const id = world.submit(ONE_GB, 3)
  world.tick(6)
  t.is(world.running(id), 4)
  t.is(world.state.nodeManagers.size, 1)
  t.true(actions(world).includes('grow'))
})

test('YARN is told a larger size only after the slab runs', (t) => {
  const world = new World()
  world.submit(ONE_GB, 0)
  world.tick(6)
  world.submit(ONE_GB, 1)
  world.tick(6)
  const order = world.effects.flatMap((effect) => {
    if (effect.kind === 'setNodeResource') return ['tell']
    return effect.kind === 'framework' && effect.effect.kind === 'sendCall' && effect.effect.call.type === 'ACCEPT'
      ? ['accept']
      : []
  })
  t.deepEqual(order, ['accept', 'accept', 'tell', 'accept', 'tell'], 'the first size comes with the registration')
})

test('offers are asked for once while the same waits, and again when more waits', (t) => {
  const world = new World({ agents: [{ cpus: 3, memoryMb: 4096 }] })
  const revivals = (): number => calls(world, 'REVIVE')
  world.submit(ONE_GB, 20)
  world.tick(8)
  const before = revivals()
  world.tick(8)
  t.is(revivals(), before, 'no more waits')
  t.false(world.state.offersSuppressed)
  world.submit(ONE_GB, 0)
  world.tick()
  t.is(revivals(), before + 1, 'filters of offers given back end')
})

test('a REVIVE or SUPPRESS that the master refused is made again', (t) => {
  const world = new World()
  world.tick(2)
  for (const type of ['SUPPRESS', 'REVIVE'] as const) {
    if (type === 'REVIVE') world.submit(ONE_GB, 0)
    const atMs = world.atMs
    const event = { kind: 'callRefused', atMs, call: { type }, status: 503, text: 'not leading' } as const
    const before = calls(world, type)
    world.post({ kind: 'frameworkEventReceived', atMs, event })
    world.tick()
    t.is(calls(world, type), before + 1, type)
  }
})

function calls(world: World, type: 'REVIVE' | 'SUPPRESS'): number {
  return world.effects.filter(
    (effect) => effect.kind === 'framework' && effect.effect.kind === 'sendCall' && effect.effect.call.type === type,
  ).length
}

test('after the quiet time an idle partition shrinks to its minimum of none', (t) => {
  const world = new World()
  const id = world.submit(ONE_GB, 2)
  world.tick(8)
  world.finish(id)
  world.tick(9)
  t.is(world.state.nodeManagers.size, 1, 'not before the quiet time')
  world.tick(7)
  t.is(world.state.nodeManagers.size, 0)
  t.true([...world.tasks.values()].every(({ state }) => state !== 'TASK_RUNNING'))
})

test('a NodeManager with an ApplicationMaster is neither drained nor cut below what it uses', (t) => {
  const world = new World()
  const first = world.submit(ONE_GB, 0)
  const second = world.submit(ONE_GB, 3)
  world.tick(8)
  world.finish(second)
  world.tick(40)
  t.is(world.running(first), 1)
  const [nodeManager] = world.state.nodeManagers.values()
  t.is(nodeManager && held(nodeManager).memoryMb, 1024)
})

test('while applications run one NodeManager stays as large as the largest container asked for', (t) => {
  const world = new World()
  const small = world.submit(ONE_GB, 0)
  const large = world.submit({ memoryMb: 4096, vcores: 1 }, 0)
  world.tick(8)
  t.is(world.running(large), 1)
  world.finish(large)
  world.tick(40)
  t.is(world.running(small), 1)
  const [nodeManager] = world.state.nodeManagers.values()
  t.true((nodeManager === undefined ? 0 : held(nodeManager).memoryMb) >= 4096)
})

test('a restarted ResourceManager is told every size again', (t) => {
  const world = new World()
  const id = world.submit(ONE_GB, 3)
  world.tick(8)
  world.restartRm()
  world.tick(2)
  const [node] = world.nodes.values()
  t.deepEqual(node?.total, node && world.heldOn(node))
  t.is(world.running(id), 4)
})

test('while the ResourceManager does not answer nothing is given back', (t) => {
  const world = new World()
  const id = world.submit(ONE_GB, 1)
  world.tick(8)
  world.finish(id)
  world.rmIsUp = false
  world.tick(60)
  t.is(world.state.nodeManagers.size, 1)
  t.is(world.state.rmFailure, 'connection refused')
})

test('a NodeManager that crashed is replaced on another host while its own is left alone', (t) => {
  const world = new World({
    agents: [
      { cpus: 8, memoryMb: 16_384 },
      { cpus: 8, memoryMb: 8_192 },
    ],
  })
  const id = world.submit(ONE_GB, 1)
  world.tick(8)
  const [nodeId] = world.nodes.keys()
  world.crash(nodeId ?? '')
  world.tick(3)
  t.deepEqual(
    [...world.state.nodeManagers.values()].map(({ hostname }) => hostname),
    ['127.0.0.3'],
  )
  world.tick(6)
  t.is(world.running(id), 2)
})

test('a NodeManager that never registers is stopped and its host backed off, longer each time', (t) => {
  const world = new World()
  world.deafHosts.add('127.0.0.2')
  world.submit(ONE_GB, 0)
  world.tick(25)
  const first = world.state.backoff.get('A0')
  t.is(first?.failures, 1)
  world.tick(60)
  t.true((world.state.backoff.get('A0')?.failures ?? 0) >= 2)
  t.true(world.state.decisions.some(({ reason }) => reason.code === 'REGISTRATION_TIMEOUT'))
})

test('flexup of an unknown profile and a count of none are refused and change nothing', (t) => {
  const world = new World()
  world.flex('gigantic', 1)
  world.flex('small', 0)
  const answers = world.effects.flatMap((effect) => (effect.kind === 'answer' ? [effect.rejection?.code] : []))
  t.deepEqual(answers, ['PROFILE_UNKNOWN', 'INSTANCES_INVALID'])
  t.is(world.state.wantedByProfile.size, 0)
})

test('flexup launches NodeManagers of that size, flexdown drains them again', (t) => {
  const world = new World()
  world.flex('small', 1)
  world.tick(5)
  const [node] = world.nodes.values()
  t.deepEqual(node?.total, { memoryMb: 2048, vcores: 2 })
  world.tick(40)
  t.is(world.nodes.size, 1, 'a NodeManager asked for by hand is not given back for want of demand')
  world.flex('small', -1)
  world.tick(5)
  t.is(world.nodes.size, 0)
})

test('a task this bridge does not know is asked about, and killed when it is of no NodeManager', (t) => {
  const world = new World()
  const stray = { task_id: { value: 'stray' }, name: 'stray', agent_id: { value: 'A0' }, resources: [] }
  world.tasks.set('stray', { info: stray, executorId: 'stray', state: 'TASK_RUNNING' })
  const status = { task_id: { value: 'stray' }, state: 'TASK_RUNNING' as const, agent_id: { value: 'A0' } }
  const event = { type: 'UPDATE' as const, update: { status } }
  world.post({
    kind: 'frameworkEventReceived',
    atMs: world.atMs,
    event: { kind: 'eventReceived', atMs: world.atMs, event },
  })
  const kills = world.effects.flatMap((effect) =>
    effect.kind === 'framework' && effect.effect.kind === 'sendCall' && effect.effect.call.type === 'KILL'
      ? [effect.effect.call.kill?.task_id.value]
      : [],
  )
  t.deepEqual(kills, ['stray'])
})

test('demand that comes and goes within the quiet time does not make the partition flap', (t) => {
  const world = new World()
  for (let round = 0; round < 10; round++) {
    const id = world.submit(ONE_GB, 1)
    world.tick(6)
    world.finish(id)
    world.tick(4)
  }
  t.is(actions(world).filter((action) => action === 'launch').length, 1)
  t.is(actions(world).filter((action) => action === 'drain').length, 0)
})

const command = fc.oneof(
  fc.record({
    kind: fc.constant('submit' as const),
    memoryMb: fc.integer({ min: 1, max: 6000 }),
    vcores: fc.integer({ min: 1, max: 3 }),
    count: fc.integer({ min: 0, max: 6 }),
  }),
  fc.record({ kind: fc.constant('finish' as const) }),
  fc.record({ kind: fc.constant('tick' as const), seconds: fc.integer({ min: 1, max: 30 }) }),
  fc.record({ kind: fc.constant('crash' as const) }),
  fc.record({ kind: fc.constant('restartRm' as const) }),
  fc.record({ kind: fc.constant('rm' as const), isUp: fc.boolean() }),
  fc.record({ kind: fc.constant('flex' as const), delta: fc.integer({ min: -2, max: 2 }) }),
)

const wantBack = fc.record({
  kind: fc.constant('wantBack' as const),
  inMs: fc.integer({ min: 0, max: 60_000 }),
  slabs: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
})

test('safety_: YARN is never told more than is held, whatever happens', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.array(fc.oneof(command, wantBack), { maxLength: 30 }), (commands) => {
        const world = new World({
          agents: [
            { cpus: 4, memoryMb: 8192 },
            { cpus: 6, memoryMb: 12_000 },
          ],
        })
        for (const next of commands) {
          if (next.kind !== 'wantBack') run(world, next)
          else
            world.wantBack(
              '127.0.0.2',
              world.atMs + next.inMs,
              next.slabs === undefined ? undefined : times(ONE_GB, next.slabs),
            )
        }
        world.check()
      }),
      { numRuns: 150 },
    ),
  )
})

test('liveness_: what waits and fits runs within two minutes, and a quiet partition returns to its minimum', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.array(command, { maxLength: 15 }), (commands) => {
        const world = new World({ agents: [{ cpus: 8, memoryMb: 16_384 }] })
        for (const next of commands) run(world, next)
        world.rmIsUp = true
        for (const id of [...world.applications.keys()]) world.finish(id)
        world.flex('small', -10)
        world.tick(900)
        const id = world.submit(ONE_GB, 2)
        world.tick(120)
        if (world.running(id) !== 3) return false
        world.finish(id)
        world.tick(120)
        return world.state.nodeManagers.size === 0
      }),
      { numRuns: 60 },
    ),
  )
})

function run(world: World, next: typeof command extends fc.Arbitrary<infer T> ? T : never): void {
  switch (next.kind) {
    case 'submit':
      world.submit({ memoryMb: next.memoryMb, vcores: next.vcores }, next.count)
      return
    case 'finish':
      for (const id of [...world.applications.keys()].slice(0, 1)) world.finish(id)
      return
    case 'tick':
      world.tick(next.seconds)
      return
    case 'crash':
      for (const id of [...world.nodes.keys()].slice(0, 1)) world.crash(id)
      return
    case 'restartRm':
      world.restartRm()
      return
    case 'rm':
      world.rmIsUp = next.isUp
      return
    case 'flex':
      world.flex('small', next.delta)
      return
    default:
      next satisfies never
  }
}
