import test from 'ava'
import { validatePolicy } from './policy.ts'
import { Bounds, type Pool, poolOf } from './pools.ts'
import { nodeManagerOf, policyOf, size } from './testing/builders.ts'
import { World } from './testing/world.ts'

const ONE_GB = size(1024, 1)

function pool(name: string, constraints: readonly string[], change: Partial<Pool> = {}): Pool {
  return { name, constraints, minNodes: 0, maxNodes: 10, maxCapacity: size(100_000, 100), ...change }
}

test('an agent is in the first pool whose constraints it meets, without pools in the one without a name', (t) => {
  const policy = policyOf({ pools: [pool('fast', ['rack LIKE r1']), pool('rest', ['rack LIKE .*'])] })
  t.is(poolOf(policy, { hostname: 'h', rack: 'r1' }), 'fast')
  t.is(poolOf(policy, { hostname: 'h', rack: 'r2' }), 'rest')
  t.is(poolOf(policy, { hostname: 'h' }), undefined)
  t.is(poolOf(policyOf(), { hostname: 'h' }), '')
})

for (const { title, pools, message } of [
  { title: 'without a name', pools: [pool('', [])], message: 'a pool has no name' },
  { title: 'there twice', pools: [pool('a', []), pool('a', [])], message: 'pool a is there twice' },
  {
    title: 'with a fraction',
    pools: [pool('a', [], { maxNodes: 1.5 })],
    message: 'pool a: maxNodes 1.5 is not a whole number from 0',
  },
  {
    title: 'below its minimum',
    pools: [pool('a', [], { minNodes: 2, maxNodes: 1 })],
    message: 'pool a: maxNodes 1 is below minNodes 2',
  },
  {
    title: 'with a constraint that is none',
    pools: [pool('a', ['rack'])],
    message: "pool a: constraint 'rack' is not of the form: NAME LIKE PATTERN",
  },
]) {
  test(`a pool ${title} is refused`, (t) => {
    const result = validatePolicy(policyOf({ pools }))
    t.deepEqual(result.ok ? undefined : result.rejection, { code: 'POLICY_INVALID', message })
  })
}

test('the bounds of a pool and of the policy hold at once', (t) => {
  const pools = [pool('a', [], { maxNodes: 2, maxCapacity: size(3072, 3) }), pool('b', [])]
  const policy = policyOf({ pools, maxNodes: 3, maxCapacity: size(8192, 8) })
  const fleet = [nodeManagerOf('n', [ONE_GB], { pool: 'a' }), nodeManagerOf('m', [ONE_GB, ONE_GB], { pool: 'b' })]
  const bounds = new Bounds(policy, fleet)
  t.deepEqual(bounds.left('a'), size(2048, 2))
  t.deepEqual(bounds.left('b'), size(5120, 5))
  bounds.add('b', size(4096, 4))
  t.deepEqual(bounds.left('a'), ONE_GB)
  t.true(bounds.mayAddNode('a'))
  bounds.addNode('a')
  t.false(bounds.mayAddNode('a'), 'the policy allows three')
  t.false(bounds.mayAddNode('b'))
})

test('each pool is kept at its minimum, on its own agents', (t) => {
  const agents = [1, 2, 3, 4].map(() => ({ cpus: 8, memoryMb: 16_384 }))
  const pools = [
    pool('two', ['hostname LIKE 127[.]0[.]0[.](2|3)'], { minNodes: 1 }),
    pool('one', ['hostname LIKE 127[.]0[.]0[.]4'], { minNodes: 1 }),
  ]
  const world = new World({ agents, policy: { pools } })
  world.tick(10)
  const fleet = [...world.state.nodeManagers.values()].map((made) => [made.pool, made.hostname])
  t.is(fleet.length, 2)
  t.deepEqual(fleet.map(([name]) => name).sort(), ['one', 'two'])
  t.true(
    fleet.every(([, hostname]) => hostname !== '127.0.0.5'),
    'an agent in no pool is not used',
  )
  world.tick(30)
  t.is(world.state.nodeManagers.size, 2, 'and none is drained')
})

test('demand grows no pool beyond its maximum, and offers of agents in no pool are given back', (t) => {
  const agents = [1, 2, 3].map(() => ({ cpus: 8, memoryMb: 16_384 }))
  const pools = [pool('one', ['hostname LIKE 127[.]0[.]0[.]2'], { maxCapacity: size(3072, 3) })]
  const world = new World({ agents, policy: { pools } })
  const id = world.submit(ONE_GB, 9)
  world.tick(20)
  t.is(world.running(id), 3)
  t.deepEqual(
    [...world.state.nodeManagers.values()].map(({ hostname }) => hostname),
    ['127.0.0.2'],
  )
  t.is(world.state.framework.offers.size, 0)
})

test('flexup with a constraint uses agents that meet it only, and flexdown with it takes those back', (t) => {
  const agents = [1, 2, 3].map(() => ({ cpus: 8, memoryMb: 16_384 }))
  const world = new World({ agents })
  const constraint = 'hostname LIKE 127[.]0[.]0[.]4'
  const flex = (delta: number): void =>
    world.post({ kind: 'flexRequested', atMs: world.atMs, requestId: 'r', profile: 'small', delta, constraint })
  const hosts = (): string[] => [...world.state.nodeManagers.values()].map(({ hostname }) => hostname)
  flex(2)
  world.tick(10)
  t.deepEqual(hosts(), ['127.0.0.4'], 'the second has no agent to go to')
  world.flex('small', 1)
  world.tick(10)
  t.is(hosts().length, 2)
  flex(-2)
  world.tick(10)
  t.is(hosts().length, 1)
  t.not(hosts()[0], '127.0.0.4')
})
