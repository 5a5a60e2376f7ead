import test from 'ava'
import fc from 'fast-check'
import { createRandom, nextInteger } from '../base/random.ts'
import { parseResources } from '../resources/parse.ts'
import type { Resources } from '../resources/resources.ts'
import { Allocator, checkAllocator } from './allocator.ts'
import type { Allocation, AllocatorOptions } from './contract.ts'
import { prioritySorter } from './priority-sorter.ts'
import { randomSorter } from './random-sorter.ts'
import type { Candidate, Sorter, SorterModule } from './sorter.ts'

const CAPABILITIES = {
  revocableResources: false,
  gpuResources: false,
  sharedResources: false,
  multiRole: true,
  reservationRefinement: true,
  regionAware: false,
}

function bagOf(text: string): Resources {
  const parsed = parseResources(text)
  if (!parsed.ok) throw new Error(parsed.rejection.message)
  return parsed.value
}

/** Frameworks by id with their role, and agents alike that nobody has anything of yet. */
function pool(
  frameworks: Readonly<Record<string, string>>,
  options: Partial<AllocatorOptions>,
  agents: readonly string[] = ['cpus:4;mem:4096'],
): Allocator {
  const allocator = new Allocator({ seed: 1, ...options })
  for (const [id, role] of Object.entries(frameworks)) {
    const spec = { roles: [role], suppressedRoles: [], capabilities: CAPABILITIES, active: true }
    allocator.addFramework(id, { ...spec, name: `name of ${id}` })
  }
  for (const [at, total] of agents.entries()) {
    allocator.addAgent(`agent-${at}`, {
      total: bagOf(total),
      capabilities: { multiRole: true, hierarchicalRole: true, reservationRefinement: true },
      used: new Map(),
    })
  }
  return allocator
}

function recover(allocator: Allocator, made: readonly Allocation[], refuseMs = 0): void {
  for (const { frameworkId, agentId, resources } of made) {
    allocator.recoverResources(frameworkId, agentId, resources, { refuseMs }, 0)
  }
}

/** The frameworks in the order in which they are offered the first agent, each refusing it. */
function order(allocator: Allocator): string[] {
  const ids: string[] = []
  for (;;) {
    const [made] = allocator.allocateAll(0)
    if (made === undefined) return ids
    ids.push(made.frameworkId)
    recover(allocator, [made], 1000)
  }
}

test('a sorter of a user is written in a few lines and puts frameworks in its order', (t) => {
  // Whoever came first goes first.
  const module: SorterModule = {
    createSorter({ kind }) {
      const seen = new Map<string, number>()
      return {
        score({ id }) {
          if (kind === 'role') return 0
          if (!seen.has(id)) seen.set(id, seen.size)
          return seen.get(id)!
        },
      }
    },
  }
  const frameworkSorter = module.createSorter({ kind: 'framework', seed: 1, priorities: {} })
  const allocator = pool({ zebra: 'r', ape: 'r', cat: 'r' }, { frameworkSorter })
  t.deepEqual(order(allocator), ['zebra', 'ape', 'cat'])
  checkAllocator(allocator)
  t.deepEqual(order(pool({ zebra: 'r', ape: 'r', cat: 'r' }, {})), ['ape', 'cat', 'zebra'], 'DRF takes the name')
})

test('a sorter is told what a candidate is and holds', (t) => {
  const told: Record<string, unknown>[] = []
  const copy = ({ kind, id, name, role, weight, share, allocations, held, total }: Candidate) => {
    return { kind, id, name, role, weight, share, allocations, cpus: held('cpus'), mem: total('mem'), none: held('x') }
  }
  const sorter: Sorter = {
    score: (candidate) => {
      told.push(copy(candidate))
      return 0
    },
  }
  const allocator = pool({ f: 'a/b' }, { roleSorter: sorter, frameworkSorter: sorter })
  allocator.updateWeights({ a: 2 })
  allocator.allocateAll(0)
  const common = { allocations: 1, cpus: 4, mem: 4096, none: 0 }
  t.deepEqual(told.slice(-4), [
    { ...common, kind: 'framework', id: 'f', name: 'name of f', role: 'a/b', weight: 1, share: 1 },
    { ...common, kind: 'role', id: 'a/b/.', name: 'a/b/.', role: 'a/b', weight: 1, share: 1 },
    { ...common, kind: 'role', id: 'a/b', name: 'a/b', role: 'a/b', weight: 1, share: 1 },
    { ...common, kind: 'role', id: 'a', name: 'a', role: 'a', weight: 2, share: 0.5 },
  ])
})

test('a score that is not a number comes last', (t) => {
  const frameworkSorter: Sorter = { score: ({ id }) => (id === 'a' ? Number.NaN : 1000) }
  t.deepEqual(order(pool({ a: 'r', b: 'r', c: 'r' }, { frameworkSorter })), ['b', 'c', 'a'])
})

test('priority: the higher number gets everything it may have before the lower one', (t) => {
  const roleSorter = prioritySorter({ high: 5, low: -1 })
  const allocator = pool({ f: 'low', g: 'middle', h: 'high' }, { roleSorter }, ['cpus:4', 'cpus:4', 'cpus:4'])
  const made = allocator.allocateAll(0)
  t.deepEqual(
    made.map(({ frameworkId }) => frameworkId),
    ['h', 'h', 'h'],
    'though its share grows with each agent',
  )
  recover(allocator, made, 1000)
  const next = allocator.allocateAll(0)
  t.deepEqual(
    next.map(({ frameworkId }) => frameworkId),
    ['g', 'g', 'g'],
  )
  recover(allocator, next, 1000)
  t.is(allocator.allocateAll(0)[0]?.frameworkId, 'f')
  checkAllocator(allocator)
})

test('priority: equal numbers share by DRF', (t) => {
  const agents = Array.from({ length: 8 }, () => 'cpus:4')
  const allocator = pool({ f: 'a', g: 'b', h: 'c' }, { roleSorter: prioritySorter({ a: 1, b: 1 }) }, agents)
  const made = allocator.allocateAll(0)
  const count = (id: string) => made.filter(({ frameworkId }) => frameworkId === id).length
  t.deepEqual([count('f'), count('g'), count('h')], [4, 4, 0])
})

test('priority: sub-roles compete below their role, and with its own frameworks as role/.', (t) => {
  const frameworks = { f: 'a', g: 'a/x', h: 'a/y', k: 'b' }
  const roleSorter = prioritySorter({ 'a/.': 1, 'a/y': 2, b: 1 })
  t.deepEqual(order(pool(frameworks, { roleSorter })), ['k', 'h', 'f', 'g'])
})

test('priority: frameworks are known by their names', (t) => {
  const frameworkSorter = prioritySorter({ 'name of c': 2, 'name of b': 1 })
  const allocator = pool({ a: 'r', b: 'r', c: 'r' }, { frameworkSorter })
  t.deepEqual(order(allocator), ['c', 'b', 'a'])
  const spec = { name: 'name of c', roles: ['r'], suppressedRoles: [], capabilities: CAPABILITIES }
  allocator.updateFramework('a', spec)
  for (const id of ['a', 'b', 'c']) allocator.revive(id)
  t.is(allocator.allocateAll(0)[0]?.frameworkId, 'a', 'a new name counts at once')
})

test('random: each agent goes to a role by chance, in proportion to the weights', (t) => {
  const agents = Array.from({ length: 3000 }, () => 'cpus:1')
  const allocator = pool({ f: 'a', g: 'b', h: 'c' }, { roleSorter: randomSorter(7) }, agents)
  allocator.updateWeights({ a: 2 })
  const made = allocator.allocateAll(0)
  const part = (id: string) => made.filter(({ frameworkId }) => frameworkId === id).length / agents.length
  // 3000 draws: a standard deviation is less than 0.01.
  t.true(Math.abs(part('f') - 0.5) < 0.05, `${part('f')} of the agents for the role of weight 2 of 4`)
  t.true(Math.abs(part('g') - 0.25) < 0.05, `${part('g')} of the agents for a role of weight 1 of 4`)
  checkAllocator(allocator)
})

test('random: many frameworks of one role are drawn, not only the few that are compared one by one', (t) => {
  const frameworks = Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`f${at}`, 'r']))
  const agents = Array.from({ length: 400 }, () => 'cpus:1')
  const allocator = pool(frameworks, { frameworkSorter: randomSorter(7) }, agents)
  const offered = new Set(allocator.allocateAll(0).map(({ frameworkId }) => frameworkId))
  // 200 x (1 - 1/e^2) = 173 are expected; DRF would give all 200 exactly two.
  t.true(offered.size > 140 && offered.size < 200, `${offered.size} of 200 frameworks were offered something`)
})

test('random: the same seed gives the same order', (t) => {
  const frameworks = { a: 'r', b: 'r', c: 'r', d: 'r' }
  const of = (seed: number) => order(pool(frameworks, { frameworkSorter: randomSorter(seed) })).join()
  t.is(of(3), of(3))
  t.true(new Set([1, 2, 3, 4, 5, 6].map(of)).size > 1)
})

test('safety_ the books agree whatever the sorters, and what is free and wanted is given', (t) => {
  const byCpus: Sorter = { score: ({ held }) => Math.round(held('cpus')) }
  const sorters = [undefined, prioritySorter({ a: 1, 'b/x': 2, 'name of f1': 3 }), randomSorter(5), byCpus]
  const roles = ['a', 'a/x', 'b', 'b/x']
  fc.assert(
    fc.property(fc.nat(3), fc.nat(3), fc.nat(), (role, framework, seed) => {
      const frameworks = Object.fromEntries(roles.map((name, at) => [`f${at}`, name]))
      const options = { roleSorter: sorters[role], frameworkSorter: sorters[framework] }
      const allocator = pool(frameworks, options, ['cpus:4', 'cpus:2;cpus(a):1', 'cpus:8;mem:100'])
      const random = createRandom(seed)
      const given: Allocation[] = []
      for (let at = 0; at < 40; at++) {
        const id = `f${nextInteger(random, 4)}`
        const chance = nextInteger(random, 5)
        if (chance === 0) allocator.suppress(id)
        else if (chance === 1) allocator.revive(id)
        else if (chance === 2) allocator.updateWeights({ [roles[nextInteger(random, 4)]!]: 1 + nextInteger(random, 3) })
        else if (given.length > 0) recover(allocator, given.splice(nextInteger(random, given.length), 1))
        given.push(...allocator.allocateAll(at))
        checkAllocator(allocator)
      }
      for (const framework of Object.keys(frameworks)) allocator.revive(framework)
      recover(allocator, given)
      t.is(allocator.allocateAll(100).length >= 3, true, 'each agent is offered')
    }),
    { numRuns: 40 },
  )
})
