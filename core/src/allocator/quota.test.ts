import test from 'ava'
import fc from 'fast-check'
import { parseResources } from '../resources/parse.ts'
import type { Resources } from '../resources/resources.ts'
import { Allocator, checkAllocator } from './allocator.ts'
import type { AgentSpec, Amounts, FrameworkSpec } from './contract.ts'

function bagOf(text: string, role?: string): Resources {
  const parsed = parseResources(text)
  if (!parsed.ok) throw new Error(parsed.rejection.message)
  return role === undefined ? parsed.value : parsed.value.allocate(role)
}

function frameworkOf(...roles: string[]): FrameworkSpec {
  const capabilities = {
    revocableResources: true,
    gpuResources: false,
    sharedResources: true,
    multiRole: true,
    reservationRefinement: true,
    regionAware: false,
  }
  return { roles, suppressedRoles: [], capabilities, active: true }
}

function agentOf(total: string, used: ReadonlyMap<string, Resources> = new Map()): AgentSpec {
  const capabilities = { multiRole: true, hierarchicalRole: true, reservationRefinement: true }
  return { total: bagOf(total), capabilities, used }
}

/** What each role was given, by role. */
function allocateAll(allocator: Allocator): Record<string, string[]> {
  const given: Record<string, string[]> = {}
  for (const { role, resources } of allocator.allocateAll(0)) {
    given[role] ??= []
    given[role].push(resources.unallocate().toString())
  }
  checkAllocator(allocator)
  return given
}

const limits = (amounts: Amounts) => ({ guarantees: {}, limits: amounts })
const guarantees = (amounts: Amounts) => ({ guarantees: amounts, limits: {} })

test('a limit cuts what it names and leaves the rest to others', (t) => {
  const allocator = new Allocator({ seed: 1 })
  allocator.setQuota('a', limits({ cpus: 2 }))
  allocator.addFramework('f', frameworkOf('a'))
  allocator.addFramework('g', frameworkOf('b'))
  allocator.addAgent('x', agentOf('cpus:4;mem:400;ports:[1-9]'))
  t.deepEqual(allocateAll(allocator), { a: ['cpus:2; mem:400; ports:[1-9]'], b: ['cpus:2'] })
})

test('a role at its limit gets nothing that the limit names; without the limit it does', (t) => {
  const allocator = new Allocator({ seed: 1 })
  allocator.setQuota('a', limits({ cpus: 2, mem: 200 }))
  allocator.addFramework('f', frameworkOf('a'))
  for (const id of ['x', 'y']) allocator.addAgent(id, agentOf('cpus:2;mem:200'))
  t.deepEqual(allocateAll(allocator), { a: ['cpus:2; mem:200'] })
  t.is(allocator.explain('f').find(({ code }) => code === 'QUOTA_LIMIT')?.agentCount, 1)
  t.deepEqual(allocateAll(allocator), {})
  allocator.setQuota('a', undefined)
  t.deepEqual(allocateAll(allocator), { a: ['cpus:2; mem:200'] })
})

test('a limit counts what is allocated to sub-roles', (t) => {
  const allocator = new Allocator({ seed: 1 })
  allocator.setQuota('a', limits({ cpus: 3, mem: 10_000 }))
  allocator.addFramework('f', frameworkOf('a/x', 'a/y'))
  for (const id of ['x', 'y']) allocator.addAgent(id, agentOf('cpus:2;mem:200'))
  t.deepEqual(allocateAll(allocator), { 'a/x': ['cpus:2; mem:200'], 'a/y': ['cpus:1; mem:200'] })
})

test('reservations count as consumed even when they are not allocated, and are given beyond the limit', (t) => {
  const allocator = new Allocator({ seed: 1 })
  allocator.setQuota('a', limits({ cpus: 3, mem: 0 }))
  allocator.addFramework('f', frameworkOf('a'))
  allocator.addAgent('x', agentOf('cpus:4;cpus(a):2'))
  t.deepEqual(allocateAll(allocator), { a: ['cpus:1; cpus(reservations: [(STATIC,a)]):2'] })
})

test('what is guaranteed to a role without frameworks is held back from others', (t) => {
  const allocator = new Allocator({ seed: 1 })
  allocator.setQuota('a', guarantees({ cpus: 4, mem: 400 }))
  allocator.addFramework('g', frameworkOf('b'))
  for (const id of ['x', 'y', 'z']) allocator.addAgent(id, agentOf('cpus:4;mem:400'))
  // 12 free - 4 held back = 8.
  t.deepEqual(allocateAll(allocator), { b: ['cpus:4; mem:400', 'cpus:4; mem:400'] })
  t.is(allocator.explain('g').find(({ code }) => code === 'QUOTA_HEADROOM')?.agentCount, 1)
  allocator.addFramework('f', frameworkOf('a'))
  t.deepEqual(allocateAll(allocator), { a: ['cpus:4; mem:400'] })
})

test('guarantees come first, whatever the shares are', (t) => {
  const allocator = new Allocator({ seed: 1 })
  allocator.setQuota('a', guarantees({ cpus: 6 }))
  const used = new Map([['f', bagOf('cpus:2;mem:100', 'a')]])
  allocator.addFramework('f', frameworkOf('a'))
  allocator.addFramework('g', frameworkOf('b'))
  allocator.addAgent('w', agentOf('cpus:2;mem:100', used))
  for (const id of ['x', 'y', 'z']) allocator.addAgent(id, agentOf('cpus:2;mem:100'))
  t.deepEqual(allocateAll(allocator), { a: ['cpus:2; mem:100', 'cpus:2; mem:100'], b: ['cpus:2; mem:100'] })
})

test('a guarantee is cut from an agent, with the kinds it does not name', (t) => {
  const allocator = new Allocator({ seed: 1 })
  allocator.setQuota('a', { guarantees: { cpus: 1 }, limits: { cpus: 1 } })
  allocator.addFramework('f', frameworkOf('a'))
  allocator.addFramework('g', frameworkOf('b'))
  allocator.addAgent('x', agentOf('cpus:4;mem:100;ports:[1-9]'))
  t.deepEqual(allocateAll(allocator), { a: ['cpus:1; mem:100; ports:[1-9]'], b: ['cpus:3'] })
})

test('free amounts of deactivated agents do not satisfy what must be held back', (t) => {
  const allocator = new Allocator({ seed: 1 })
  allocator.setQuota('a', guarantees({ cpus: 2, mem: 100 }))
  allocator.addFramework('g', frameworkOf('b'))
  for (const id of ['x', 'y']) allocator.addAgent(id, agentOf('cpus:2;mem:100'))
  allocator.deactivateAgent('x')
  t.deepEqual(allocateAll(allocator), {})
  allocator.activateAgent('x')
  t.deepEqual(allocateAll(allocator), { b: ['cpus:2; mem:100'] })
})

test('a disk that is used whole is not cut', (t) => {
  const mount = {
    name: 'disk',
    type: 'SCALAR',
    scalar: { value: 100 },
    disk: { source: { type: 'MOUNT', mount: { root: '/m' } } },
  } as const
  for (const { limit, diskMilli } of [
    { limit: 99, diskMilli: 0 },
    { limit: 100, diskMilli: 100_000 },
  ]) {
    const allocator = new Allocator({ seed: 1 })
    allocator.setQuota('a', limits({ disk: limit }))
    allocator.addFramework('f', frameworkOf('a'))
    const agent = agentOf('cpus:1;mem:64')
    const disk = bagOf('disk:100').map((template) => ({ ...template, disk: mount.disk }))
    allocator.addAgent('x', { ...agent, total: agent.total.plus(disk) })
    t.is(allocator.allocateAll(0)[0]!.resources.milli('disk'), diskMilli)
  }
})

const ROLES = ['a', 'b', 'c']
const amounts = fc.record({ cpus: fc.integer({ min: 0, max: 6 }), mem: fc.constantFrom(0, 64, 128, 256) })

test('safety_ no role passes its limit, and offers leave free what is guaranteed to others', (t) => {
  const sizes = fc.array(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.constantFrom(32, 64, 128)), {
    minLength: 1,
    maxLength: 6,
  })
  const quota = fc.record({ guaranteed: amounts, more: amounts, isLimited: fc.boolean() })
  const given = fc.record({
    sizes,
    quotas: fc.array(quota, { maxLength: 3 }),
    subscribed: fc.subarray(ROLES),
    seed: fc.integer(),
  })
  fc.assert(
    fc.property(given, ({ sizes, quotas, subscribed, seed }) => {
      const allocator = new Allocator({ seed })
      for (const [at, { guaranteed, more, isLimited }] of quotas.entries()) {
        const limit = { cpus: guaranteed.cpus + more.cpus, mem: guaranteed.mem + more.mem }
        allocator.setQuota(ROLES[at]!, { guarantees: guaranteed, limits: isLimited ? limit : {} })
      }
      for (const role of subscribed) allocator.addFramework(role, frameworkOf(role, `${role}/x`))
      for (const [at, [cpus, mem]] of sizes.entries()) allocator.addAgent(`${at}`, agentOf(`cpus:${cpus};mem:${mem}`))
      const { free, required } = allocator.books.quotas
      const [freeBefore, requiredBefore] = [free.slice(), required.slice()]
      allocator.allocateAll(0)
      checkAllocator(allocator)
      for (const role of allocator.books.quotas.roles()) {
        for (const kind of [0, 1]) t.true(role.allocated[kind]! <= role.limits[kind]!)
      }
      for (const kind of [0, 1]) {
        const missingForLackOf = Math.max(0, requiredBefore[kind]! - freeBefore[kind]!)
        t.true(required[kind]! <= free[kind]! + missingForLackOf, 'what is missing still could be given')
      }
    }),
    { numRuns: 300 },
  )
})
