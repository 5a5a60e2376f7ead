import test from 'ava'
import { FLEX_INSTANCES_MAX, flex } from './flex.ts'
import { nodeManagerOf, size } from './testing/builders.ts'
import { World } from './testing/world.ts'

function ask(world: World, profile: string, delta: number) {
  const effect = flex(world.state, { kind: 'flexRequested', atMs: 0, requestId: 'r', profile, delta }).at(-1)
  return effect?.kind === 'answer' ? effect.rejection : undefined
}

test('what is wanted begins with what is there', (t) => {
  const world = new World()
  world.state.nodeManagers.set('n', nodeManagerOf('n', [], { profile: 'small' }))
  world.state.nodeManagers.set('s', nodeManagerOf('s', [], { profile: 'small', phase: 'stopping' }))
  t.is(ask(world, 'small', 2), undefined)
  t.is(world.state.wantedByProfile.get('small'), 3)
})

test('fewer than none is none', (t) => {
  const world = new World()
  t.is(ask(world, 'small', -5), undefined)
  t.is(world.state.wantedByProfile.get('small'), 0)
})

for (const { delta, before, message } of [
  { delta: 1.5, before: 0, message: `instances has to be a whole number from 1 to ${FLEX_INSTANCES_MAX}` },
  {
    delta: FLEX_INSTANCES_MAX + 1,
    before: 0,
    message: `instances has to be a whole number from 1 to ${FLEX_INSTANCES_MAX}`,
  },
  { delta: 2, before: 9_999, message: '10001 NodeManagers of small would be wanted, 10000 are allowed' },
]) {
  test(`${delta} more than ${before} is refused: ${message}`, (t) => {
    const world = new World()
    world.state.wantedByProfile.set('small', before)
    t.deepEqual(ask(world, 'small', delta), { code: 'INSTANCES_INVALID', message, instances: delta })
    t.is(world.state.wantedByProfile.get('small'), before)
  })
}

test('a partition at its maximum holds no offers while more waits', (t) => {
  const world = new World({ policy: { maxNodes: 1, maxCapacity: size(1024, 1) } })
  const id = world.submit(size(1024, 1), 3)
  world.tick(8)
  t.is(world.running(id), 1)
  t.true(world.state.offersSuppressed)
  t.is(world.state.framework.offers.size, 0)
  t.is(
    world.state.lastDecision?.actions[0]?.kind === 'hold' && world.state.lastDecision.actions[0].reason.code,
    'AT_MAXIMUM',
  )
})
