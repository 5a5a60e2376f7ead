import test from 'ava'
import fc from 'fast-check'
import { isNothing, type Milli } from './amounts.ts'
import { Cover } from './cover.ts'
import { Floors, type Holding } from './floors.ts'
import { type Candidate, chooseVictims, givenBy, priorityOf, type ReclaimPolicy, VICTIMS_MAX } from './victims.ts'

interface Draft {
  readonly kind?: Candidate['kind']
  readonly agent?: string
  readonly role?: string
  readonly cpus?: number
  readonly mem?: number
  readonly startedAt?: number
  readonly priority?: number
  readonly isRevocable?: boolean
  readonly isEnding?: boolean
  readonly includes?: readonly string[]
}

function candidate(id: string, draft: Draft = {}): Candidate {
  const { kind = 'task', agent = 'A', role = 'batch', cpus = 1, mem = 0, startedAt = 0 } = draft
  const amounts: Milli = { ...(cpus > 0 && { cpus: cpus * 1000 }), ...(mem > 0 && { mem: mem * 1000 }) }
  return {
    key: id,
    kind,
    id,
    agentId: agent,
    frameworkId: 'f',
    losses: isNothing(amounts) ? [] : [{ role, amounts }],
    taskIds: kind === 'task' ? [id] : (draft.includes ?? []),
    includes: draft.includes ?? [],
    isRevocable: draft.isRevocable ?? false,
    isEnding: draft.isEnding ?? false,
    priority: draft.priority ?? 0,
    startedAtMs: () => startedAt,
  }
}

const LEAST: readonly Milli[] = [{ cpus: 10 }]

interface Case {
  readonly name: string
  readonly missing: Milli
  readonly candidates: Readonly<Record<string, Draft>>
  readonly expected: readonly string[]
  readonly left?: Milli
  readonly policy?: ReclaimPolicy
  readonly holdings?: Readonly<Record<string, Holding>>
  readonly free?: Readonly<Record<string, Milli>>
  readonly least?: readonly Milli[]
}

const cases: readonly Case[] = [
  {
    name: 'nothing is taken when what is free suffices',
    missing: { cpus: 2000 },
    free: { B: { cpus: 2000 } },
    candidates: { a: {} },
    expected: [],
  },
  {
    name: 'of equal tasks the newest go, and no more than needed',
    missing: { cpus: 2000 },
    candidates: { a: { startedAt: 1 }, b: { startedAt: 3 }, c: { startedAt: 2 } },
    expected: ['b', 'c'],
  },
  {
    name: 'with the policy fewest one large task goes instead of two newer ones',
    missing: { cpus: 2000 },
    policy: 'fewest',
    candidates: { large: { cpus: 2, startedAt: 1 }, b: { startedAt: 3 }, c: { startedAt: 2 } },
    expected: ['large'],
  },
  {
    name: 'with the policy newest two small new tasks go instead of a large old one',
    missing: { cpus: 2000 },
    candidates: { large: { cpus: 2, startedAt: 1 }, b: { startedAt: 3 }, c: { startedAt: 2 } },
    expected: ['b', 'c'],
  },
  {
    name: 'a small new task is left out when an older one is needed anyway and suffices',
    missing: { cpus: 2000 },
    candidates: { large: { cpus: 2, startedAt: 1 }, b: { startedAt: 3 } },
    expected: ['large'],
  },
  {
    name: 'offers go before tasks',
    missing: { cpus: 1000 },
    candidates: { a: { startedAt: 9 }, o: { kind: 'offer', cpus: 4, priority: 99 } },
    expected: ['o'],
  },
  {
    name: 'tasks that hold revocable resources too go before others, also those of higher priority',
    missing: { cpus: 1000 },
    candidates: { a: { startedAt: 9 }, b: { isRevocable: true, priority: 5 } },
    expected: ['b'],
  },
  {
    name: 'tasks without anything that counts are let live',
    missing: { cpus: 1000 },
    candidates: { a: { cpus: 0, isRevocable: true } },
    expected: [],
    left: { cpus: 1000 },
  },
  {
    name: 'a lower priority goes before a newer task',
    missing: { cpus: 2000 },
    candidates: { a: { startedAt: 9 }, b: { priority: -1 }, c: { startedAt: 8 } },
    expected: ['b', 'a'],
  },
  {
    name: 'one agent that suffices is disturbed rather than two with newer tasks',
    missing: { cpus: 2000 },
    candidates: {
      a: { agent: 'A', startedAt: 1 },
      b: { agent: 'A', startedAt: 2 },
      c: { agent: 'B', startedAt: 8 },
      d: { agent: 'C', startedAt: 9 },
    },
    expected: ['b', 'a'],
  },
  {
    name: 'nobody is pushed below its guarantee, whatever its priority',
    missing: { cpus: 3000 },
    holdings: { low: { guarantees: { cpus: 2000 }, consumed: { cpus: 3000 } } },
    candidates: {
      a: { role: 'low', priority: -9, startedAt: 3 },
      b: { role: 'low', priority: -9, startedAt: 2 },
      c: { role: 'low', priority: -9, startedAt: 1 },
      d: { role: 'other' },
    },
    expected: ['a', 'd'],
    left: { cpus: 1000 },
  },
  {
    name: 'a guarantee of a role above counts too',
    missing: { cpus: 1000 },
    holdings: { top: { guarantees: { cpus: 2000 }, consumed: { cpus: 2500 } } },
    candidates: { a: { role: 'top/sub' } },
    expected: [],
    left: { cpus: 1000 },
  },
  {
    name: 'who is below its guarantee in one kind gives nothing of it, also when it has enough of another',
    missing: { cpus: 1000 },
    holdings: { batch: { guarantees: { mem: 64_000 }, consumed: { cpus: 4000, mem: 32_000 } } },
    candidates: { a: { mem: 32 }, b: { cpus: 1, startedAt: -5 } },
    expected: ['b'],
  },
  {
    name: 'a chunk that is too small for an offer does not count',
    missing: { cpus: 2000 },
    least: [{ cpus: 1000, mem: 32_000 }],
    candidates: { a: { agent: 'A', cpus: 2 }, b: { agent: 'B', cpus: 2, mem: 64, startedAt: -5 } },
    expected: ['b'],
  },
  {
    name: 'what is free on the agent makes a chunk larger',
    missing: { cpus: 2000 },
    least: [{ cpus: 1000, mem: 32_000 }],
    free: { A: { mem: 32_000 } },
    candidates: { a: { agent: 'A', cpus: 2 } },
    expected: ['a'],
  },
  {
    name: 'a whole executor goes only when its tasks do not suffice',
    missing: { cpus: 2000 },
    candidates: {
      e: { kind: 'executor', cpus: 3, includes: ['a', 'b'], startedAt: 99 },
      a: { startedAt: 1 },
      b: { startedAt: 2 },
    },
    expected: ['b', 'a'],
  },
  {
    name: 'an executor takes the place of its tasks',
    missing: { cpus: 3000 },
    candidates: {
      e: { kind: 'executor', cpus: 3, includes: ['a', 'b'], startedAt: 99 },
      a: { startedAt: 1 },
      b: { startedAt: 2 },
    },
    expected: ['e'],
  },
  {
    name: 'an executor takes the place of its tasks that went in an earlier class',
    missing: { cpus: 3000 },
    candidates: {
      e: { kind: 'executor', cpus: 3, includes: ['a', 'b'] },
      a: { isRevocable: true },
      b: {},
    },
    expected: ['e'],
  },
  {
    name: 'kills that a framework has asked for itself are hastened first',
    missing: { cpus: 1000 },
    candidates: { a: { startedAt: 9 }, b: { isEnding: true, priority: 5 } },
    expected: ['b'],
  },
  {
    name: 'the role that gets it and those below give nothing',
    missing: { cpus: 1000 },
    candidates: { a: { role: 'team' }, b: { role: 'team/sub' } },
    expected: [],
    left: { cpus: 1000 },
  },
  {
    name: 'what covers nothing more is not taken when there is not enough',
    missing: { cpus: 2000, mem: 9000 },
    candidates: { a: { cpus: 2 }, b: { cpus: 1, startedAt: 5 } },
    expected: ['a'],
    left: { mem: 9000 },
  },
  {
    name: 'offers that are too small wherever they are do not keep others of their role from going',
    missing: { cpus: 1000, mem: 4000 },
    least: [{ cpus: 2000, mem: 1000 }, { mem: 3000 }],
    holdings: { low: { guarantees: { cpus: 2000 }, consumed: { cpus: 3000, mem: 3000 } } },
    candidates: {
      a: { kind: 'offer', role: 'low', cpus: 1 },
      b: { kind: 'offer', role: 'low', cpus: 1 },
      c: { kind: 'offer', agent: 'C', cpus: 0, mem: 1 },
      d: { agent: 'C', role: 'low', cpus: 1, mem: 3 },
    },
    expected: ['c', 'd'],
  },
]

for (const { name, missing, candidates, expected, left = {}, policy = 'newest', ...more } of cases) {
  test(name, (t) => {
    const cover = new Cover(missing, more.least ?? LEAST)
    for (const [agentId, amounts] of Object.entries(more.free ?? {})) cover.add(agentId, amounts)
    const floors = new Floors(Object.entries(more.holdings ?? {}))
    const all = Object.entries(candidates).map(([id, draft]) => candidate(id, draft))
    const { victims } = chooseVictims({ role: 'team', candidates: all, cover, floors, policy })
    t.deepEqual(
      victims.map(({ id }) => id),
      expected,
    )
    t.deepEqual(cover.left(), left)
  })
}

test('the priority of a role is its own, or that of the nearest role above it that has one', (t) => {
  const priorities = { a: 1, 'a/b': 2 }
  t.is(priorityOf(priorities, 'a/b/c'), 2)
  t.is(priorityOf(priorities, 'a/x'), 1)
  t.is(priorityOf(priorities, 'other'), 0)
})

// Random pools: few agents and roles, small whole amounts, so that everything meets.

const ROLES = ['low', 'low/sub', 'high', 'team', 'team/sub']
const draft = fc.record({
  kind: fc.constantFrom<Candidate['kind']>('offer', 'task', 'task', 'task', 'executor'),
  agent: fc.constantFrom('A', 'B', 'C'),
  role: fc.constantFrom(...ROLES),
  cpus: fc.integer({ min: 0, max: 3 }),
  mem: fc.integer({ min: 0, max: 3 }),
  startedAt: fc.integer({ min: 0, max: 4 }),
  priority: fc.integer({ min: 0, max: 1 }),
  isRevocable: fc.boolean(),
})
const world = fc.record({
  drafts: fc.array(draft, { maxLength: 12 }),
  missing: fc.record({ cpus: fc.integer({ min: 0, max: 8 }), mem: fc.integer({ min: 0, max: 8 }) }),
  guarantees: fc.record({ cpus: fc.integer({ min: 0, max: 6 }), mem: fc.integer({ min: 0, max: 6 }) }),
  least: fc.constantFrom<readonly Milli[]>([], [{ cpus: 1000 }], [{ cpus: 2000, mem: 1000 }, { mem: 3000 }]),
  policy: fc.constantFrom<ReclaimPolicy>('newest', 'fewest'),
})

type World = typeof world extends fc.Arbitrary<infer W> ? W : never

const milli = ({ cpus, mem }: { cpus: number; mem: number }): Milli => ({ cpus: cpus * 1000, mem: mem * 1000 })

function poolOf({ drafts, guarantees }: World) {
  const tasks = drafts.map((one, at) => candidate(`${at}`, one))
  // Each executor has the tasks before it that are its neighbours: same agent and role.
  const all = tasks.map((one, at) => {
    if (one.kind !== 'executor') return one
    const mates = tasks.slice(0, at).filter((mate) => {
      return mate.kind === 'task' && mate.agentId === one.agentId && drafts[Number(mate.id)]!.role === drafts[at]!.role
    })
    const isFirst = !tasks.slice(0, at).some((other) => other.kind === 'executor' && other.agentId === one.agentId)
    if (!isFirst) return one
    return {
      ...one,
      losses: [...one.losses, ...mates.flatMap(({ losses }) => losses)],
      includes: mates.map(({ key }) => key),
    }
  })
  const consumed: Milli = drafts
    .filter(({ role }) => role.startsWith('low'))
    .reduce((sum, { cpus, mem }) => ({ cpus: sum.cpus + cpus * 1000, mem: sum.mem + mem * 1000 }), { cpus: 0, mem: 0 })
  return { all, low: { guarantees: milli(guarantees), consumed } }
}

function choose(given: World) {
  const { all, low } = poolOf(given)
  const cover = new Cover(milli(given.missing), given.least)
  const floors = new Floors([['low', low]])
  const chosen = chooseVictims({ role: 'team', candidates: all, cover, floors, policy: given.policy })
  return { ...chosen, cover, floors, low, all }
}

test('safety: no role is pushed below its guarantee, and nobody of the role that gets it is a victim', (t) => {
  fc.assert(
    fc.property(world, (given) => {
      const { victims, low } = choose(given)
      const lost: Record<string, number> = {}
      for (const { losses } of victims) {
        for (const { role, amounts } of losses) {
          t.false(role.startsWith('team'))
          if (!role.startsWith('low')) continue
          for (const [kind, amount] of Object.entries(amounts)) lost[kind] = (lost[kind] ?? 0) + amount
        }
      }
      for (const [kind, amount] of Object.entries(lost)) {
        const guarantee = low.guarantees[kind] ?? 0
        t.true(
          guarantee === 0 || low.consumed[kind]! - amount >= guarantee,
          `${kind}: ${amount} of ${low.consumed[kind]}`,
        )
      }
    }),
    { numRuns: 2000 },
  )
})

test('safety: when it suffices, leaving any one victim out would not', (t) => {
  fc.assert(
    fc.property(world, (given) => {
      const { victims, cover } = choose(given)
      if (!cover.isEnough) return
      for (const one of victims) {
        const without = new Cover(milli(given.missing), given.least)
        for (const other of victims) if (other !== one) without.add(other.agentId, givenBy(other))
        t.false(without.isEnough, `${one.id} could be left out`)
      }
    }),
    { numRuns: 2000 },
  )
})

test('safety: nothing is taken twice: no task goes with its executor and by itself', (t) => {
  fc.assert(
    fc.property(world, (given) => {
      const { victims } = choose(given)
      const keys = victims.flatMap(({ key, includes }) => [key, ...includes])
      t.is(new Set(keys).size, keys.length)
    }),
    { numRuns: 1000 },
  )
})

test('liveness: whoever has no guarantee to keep and would help is taken when there is not enough', (t) => {
  fc.assert(
    fc.property(world, (given) => {
      const { victims, cover, all } = choose(given)
      if (cover.isEnough) return
      const taken = new Set(victims.flatMap(({ key, includes }) => [key, ...includes]))
      for (const one of all) {
        if (taken.has(one.key) || one.includes.length > 0 || one.losses.length === 0) continue
        if (one.losses.some(({ role }) => role !== 'high')) continue
        t.is(cover.gain(one.agentId, givenBy(one)), 0, `${one.id} would have helped`)
      }
    }),
    { numRuns: 2000 },
  )
})

test('the same candidates in another order give the same victims', (t) => {
  fc.assert(
    fc.property(world, fc.integer(), (given, seed) => {
      const { all, low } = poolOf(given)
      const mixed = [...all].sort((a, b) => ((Number(a.id) * 7 + seed) % 13) - ((Number(b.id) * 7 + seed) % 13))
      const idsOf = (candidates: readonly Candidate[]) => {
        const cover = new Cover(milli(given.missing), given.least)
        const floors = new Floors([['low', low]])
        const { victims } = chooseVictims({ role: 'team', candidates, cover, floors, policy: given.policy })
        return victims.map(({ id }) => id)
      }
      t.deepEqual(idsOf(mixed), idsOf(all))
    }),
    { numRuns: 1000 },
  )
})

test('a large pool is chosen from in time: 5,000 agents with 10 tasks each, half of all is missing', (t) => {
  const all = Array.from({ length: 50_000 }, (_, at) => {
    return candidate(`${at}`, { agent: `agent-${at % 5_000}`, startedAt: (at * 7919) % 50_000 })
  })
  const cover = new Cover({ cpus: 25_000_000 }, LEAST)
  const { victims } = chooseVictims({
    role: 'team',
    candidates: all,
    cover,
    floors: new Floors([]),
    policy: 'newest',
  })
  // A choice has a bound; the next check goes on.
  t.is(victims.length, VICTIMS_MAX)
  t.deepEqual(cover.left(), { cpus: 25_000_000 - VICTIMS_MAX * 1000 })
})
