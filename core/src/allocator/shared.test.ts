import type { Resource } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import { Resources } from '../resources/resources.ts'
import { Allocator, checkAllocator } from './allocator.ts'
import type { FrameworkSpec } from './contract.ts'

// What shared volumes count: once for whoever has them, however many of its tasks do.

const SPEC: FrameworkSpec = {
  roles: ['r'],
  suppressedRoles: [],
  active: true,
  capabilities: {
    revocableResources: false,
    gpuResources: false,
    sharedResources: true,
    multiRole: true,
    reservationRefinement: true,
    regionAware: false,
  },
}

const VOLUME: Resource = {
  name: 'disk',
  type: 'SCALAR',
  scalar: { value: 250 },
  reservations: [{ type: 'DYNAMIC', role: 'r' }],
  disk: { persistence: { id: 'v' }, volume: { container_path: 'v', mode: 'RW' } },
  shared: {},
}

function allocated(...resources: Resource[]): Resources {
  return Resources.fromProto(resources).allocate('r')
}

function shareOf(allocator: Allocator): number {
  return allocator.books.tree.share(allocator.books.tree.roleNode('r')!)
}

function newAllocator(): Allocator {
  const allocator = new Allocator({ seed: 1 })
  allocator.addAgent('a', {
    total: Resources.fromProto([VOLUME, { name: 'disk', type: 'SCALAR', scalar: { value: 750 } }]),
    capabilities: { multiRole: true, hierarchicalRole: true, reservationRefinement: true },
    used: new Map(),
  })
  allocator.addFramework('f', SPEC)
  return allocator
}

test('copies of a shared volume count once in the share, until the last is given back', (t) => {
  const allocator = newAllocator()
  const one = allocated(VOLUME)
  allocator.updateAllocation('f', 'a', { from: Resources.empty, to: one })
  t.is(shareOf(allocator), 0.25)
  allocator.updateAllocation('f', 'a', { from: Resources.empty, to: allocated(VOLUME, VOLUME) })
  t.is(shareOf(allocator), 0.25)
  checkAllocator(allocator)
  allocator.recoverResources('f', 'a', allocated(VOLUME, VOLUME), undefined, 0)
  t.is(shareOf(allocator), 0.25)
  allocator.recoverResources('f', 'a', one, undefined, 0)
  checkAllocator(allocator)
  allocator.updateAgent('a', {})
  t.is(allocator.books.agents.find('a')?.held.size, 0)
})

test('more copies are no more of the agent; a new shared volume and its end are', (t) => {
  const allocator = newAllocator()
  const total = () => allocator.books.agents.find('a')!.total.toString()
  const before = total()
  allocator.updateAllocation('f', 'a', { from: Resources.empty, to: allocated(VOLUME, VOLUME) })
  t.is(total(), before)
  allocator.recoverResources('f', 'a', allocated(VOLUME), undefined, 0)
  const disk: Resource = { ...VOLUME, disk: undefined, shared: undefined }
  allocator.updateAllocation('f', 'a', { from: allocated(VOLUME), to: allocated(disk) })
  t.false(total().includes('SHARED'))
  allocator.updateAllocation('f', 'a', { from: allocated(disk), to: allocated(VOLUME) })
  t.true(total().endsWith('<SHARED>:250<1>'))
  checkAllocator(allocator)
})
