import test, { type ExecutionContext } from 'ava'
import { parseResources } from '../resources/parse.ts'
import { Resources } from '../resources/resources.ts'
import { Allocator, checkAllocator } from './allocator.ts'
import type {
  AgentSpec,
  Allocation,
  AllocatorOptions,
  FrameworkAbilities,
  FrameworkSpec,
  ReasonCode,
} from './contract.ts'

const ABILITIES: FrameworkAbilities = {
  revocableResources: true,
  gpuResources: false,
  sharedResources: true,
  multiRole: true,
  reservationRefinement: true,
  regionAware: false,
}

function bagOf(text: string, role?: string): Resources {
  const parsed = parseResources(text)
  if (!parsed.ok) throw new Error(parsed.rejection.message)
  return role === undefined ? parsed.value : parsed.value.allocate(role)
}

function frameworkSpec(roles: readonly string[], change: Partial<FrameworkSpec> = {}): FrameworkSpec {
  return { roles, suppressedRoles: [], capabilities: ABILITIES, active: true, ...change }
}

function agentSpec(total: string | Resources, change: Partial<AgentSpec> = {}): AgentSpec {
  return {
    total: typeof total === 'string' ? bagOf(total) : total,
    capabilities: { multiRole: true, hierarchicalRole: true, reservationRefinement: true },
    used: new Map(),
    ...change,
  }
}

function newAllocator(options: Partial<AllocatorOptions> = {}): Allocator {
  return new Allocator({ seed: 1, ...options })
}

/** Decisions as text, sorted when the order of agents does not matter. */
function shown(allocations: readonly Allocation[]): string[] {
  return allocations.map(({ frameworkId, role, agentId, resources }) => {
    return `${agentId} -> ${frameworkId} (${role}): ${resources.unallocate().toString()}`
  })
}

function recoverAll(allocator: Allocator, allocations: readonly Allocation[], refuseMs?: number, atMs = 0): void {
  const refusal = refuseMs === undefined ? undefined : { refuseMs }
  for (const { frameworkId, agentId, resources } of allocations) {
    allocator.recoverResources(frameworkId, agentId, resources, refusal, atMs)
  }
}

/** Offers all there is until somebody uses `wanted[framework]` of it; the rest goes back. Returns who launched. */
function launchNext(allocator: Allocator, wanted: Readonly<Record<string, string>>, atMs: number): string | undefined {
  const refusing: Allocation[] = []
  for (;;) {
    const [next] = allocator.allocateAll(atMs)
    if (next === undefined) return undefined
    const task = bagOf(wanted[next.frameworkId]!, next.role)
    if (next.resources.contains(task)) {
      allocator.recoverResources(next.frameworkId, next.agentId, next.resources.minus(task), undefined, atMs)
      return next.frameworkId
    }
    refusing.push(next)
    allocator.recoverResources(next.frameworkId, next.agentId, next.resources, { refuseMs: 1000 }, atMs)
  }
}

function shareOf(allocator: Allocator, role: string): number {
  return allocator.books.tree.share(allocator.books.tree.roleNode(role)!)
}

function closeTo(t: ExecutionContext, value: number, expected: number): void {
  t.true(Math.abs(value - expected) < 1e-12, `${value} is ${expected}`)
}

// Ghodsi et al., NSDI 2011, figure 3: 9 CPU and 18 GB; tasks of framework 1 take <1 CPU, 4 GB>, of framework 2 <3 CPU, 1 GB>.
test('the DRF table: 2, 1, 1, 2, 1 launch, with dominant shares of 1/3, 2/9, 4/9, 2/3, 2/3', (t) => {
  const allocator = newAllocator()
  const tasks = { '1': 'cpus:1;mem:4096', '2': 'cpus:3;mem:1024' }
  allocator.addAgent('agent', agentSpec('cpus:9;mem:18432'))
  // The example lets framework 2 begin: it has made fewer allocations than framework 1, which refused once.
  allocator.addFramework('1', frameworkSpec(['role-1']))
  recoverAll(allocator, allocator.allocateAll(0))
  allocator.addFramework('2', frameworkSpec(['role-2']))

  t.is(launchNext(allocator, tasks, 0), '2')
  closeTo(t, shareOf(allocator, 'role-2'), 1 / 3) // <3, 1>: max(3/9 CPU, 1/18 memory) = 33 %
  closeTo(t, shareOf(allocator, 'role-1'), 0)

  t.is(launchNext(allocator, tasks, 0), '1')
  closeTo(t, shareOf(allocator, 'role-1'), 2 / 9) // <1, 4>: max(1/9, 4/18) = 22 %, less than 33 %

  t.is(launchNext(allocator, tasks, 0), '1')
  closeTo(t, shareOf(allocator, 'role-1'), 4 / 9) // <2, 8>: max(2/9, 8/18) = 44 %, more than 33 %

  t.is(launchNext(allocator, tasks, 0), '2')
  closeTo(t, shareOf(allocator, 'role-2'), 2 / 3) // <6, 2>: max(6/9, 2/18) = 67 %, more than 44 %

  t.is(launchNext(allocator, tasks, 0), '1')
  closeTo(t, shareOf(allocator, 'role-1'), 2 / 3) // <3, 12>: max(3/9, 12/18) = 67 %

  // 3 + 6 = 9 CPU are used, 12 + 2 = 14 of 18 GB: 3 tasks of framework 1, 2 of framework 2, and no CPU is left.
  t.is(launchNext(allocator, tasks, 0), undefined)
  t.is(allocator.books.agents.find('agent')!.free.toString(), 'mem:4096')
  checkAllocator(allocator)
})

// Hindman et al., NSDI 2011, figure 3: the agent reports <4 CPU, 4 GB>; framework 1 launches <2, 1> and <1, 2> of the offer.
test('the two-level example: what framework 1 leaves of an offer, 1 CPU and 1 GB, goes to framework 2', (t) => {
  const allocator = newAllocator()
  allocator.addFramework('1', frameworkSpec(['*']))
  allocator.addFramework('2', frameworkSpec(['*']))
  allocator.addAgent('agent', agentSpec('cpus:4;mem:4096'))

  const [offer] = allocator.allocate(0)
  t.deepEqual(shown([offer!]), ['agent -> 1 (*): cpus:4; mem:4096'])

  const launched = bagOf('cpus:2;mem:1024', '*').plus(bagOf('cpus:1;mem:2048', '*'))
  allocator.recoverResources('1', 'agent', offer!.resources.minus(launched), { refuseMs: 5000 }, 0)
  t.deepEqual(shown(allocator.allocateAll(0)), ['agent -> 2 (*): cpus:1; mem:1024'])
  checkAllocator(allocator)
})

test('resources carry the role they are allocated to', (t) => {
  const allocator = newAllocator()
  allocator.addFramework('f', frameworkSpec(['r']))
  allocator.addAgent('a', agentSpec('cpus:1;mem:64;ports:[1-9]'))
  t.is(
    allocator.allocate(0)[0]!.resources.toString(),
    'cpus(allocated: r):1; mem(allocated: r):64; ports(allocated: r):[1-9]',
  )
})

test('with a weight of 2 a role gets twice as much', (t) => {
  const allocator = newAllocator()
  allocator.updateWeights({ heavy: 2 })
  allocator.addFramework('f', frameworkSpec(['heavy']))
  allocator.addFramework('g', frameworkSpec(['light']))
  for (let at = 0; at < 9; at++) allocator.addAgent(`a${at}`, agentSpec('cpus:1;mem:100'))
  const roles = allocator.allocate(0).map(({ role }) => role)
  // Shares after each step, heavy/2 : light: 1/18:0, 1/18:1/9, 2/18:1/9 (equal: heavy has two allocations, light one) …
  t.is(roles.filter((role) => role === 'heavy').length, 6)
  t.is(roles.filter((role) => role === 'light').length, 3)
})

test('a role competes with its siblings by what is held below it', (t) => {
  const allocator = newAllocator()
  allocator.addFramework('f', frameworkSpec(['a/x']))
  allocator.addFramework('g', frameworkSpec(['a/y']))
  allocator.addFramework('h', frameworkSpec(['b']))
  for (let at = 0; at < 8; at++) allocator.addAgent(`a${at}`, agentSpec('cpus:1;mem:100'))
  const counts: Record<string, number> = {}
  for (const { role } of allocator.allocate(0)) counts[role] = (counts[role] ?? 0) + 1
  // a and b get half each; a/x and a/y share the half of a.
  t.deepEqual(counts, { 'a/x': 2, 'a/y': 2, b: 4 })
})

test('the frameworks of a role compete with its sub-roles as one of them', (t) => {
  const allocator = newAllocator()
  allocator.addFramework('f', frameworkSpec(['a']))
  allocator.addFramework('g', frameworkSpec(['a']))
  allocator.addFramework('h', frameworkSpec(['a/x']))
  for (let at = 0; at < 8; at++) allocator.addAgent(`a${at}`, agentSpec('cpus:1;mem:100'))
  const counts: Record<string, number> = {}
  for (const { frameworkId } of allocator.allocate(0)) counts[frameworkId] = (counts[frameworkId] ?? 0) + 1
  t.deepEqual(counts, { f: 2, g: 2, h: 4 })
})

test('equal shares: fewer allocations first, then the name', (t) => {
  const allocator = newAllocator()
  for (const id of ['c', 'a', 'b']) allocator.addFramework(id, frameworkSpec(['r']))
  allocator.addAgent('agent', agentSpec('cpus:1;mem:100'))
  const order: string[] = []
  for (let round = 0; round < 5; round++) {
    const made = allocator.allocateAll(round)
    order.push(made[0]!.frameworkId)
    recoverAll(allocator, made)
  }
  t.deepEqual(order, ['a', 'b', 'c', 'a', 'b'])
})

for (const { name, total, isOffered } of [
  { name: 'cpus 0.01', total: 'cpus:0.01', isOffered: true },
  { name: 'mem 32', total: 'mem:32', isOffered: true },
  { name: 'less of both', total: 'cpus:0.009;mem:31.999', isOffered: false },
  { name: 'only disk', total: 'disk:1000', isOffered: false },
]) {
  test(`the least that is offered: ${name} is ${isOffered ? '' : 'not '}enough`, (t) => {
    const allocator = newAllocator()
    allocator.addFramework('f', frameworkSpec(['r']))
    allocator.addAgent('a', agentSpec(total))
    t.is(allocator.allocate(0).length, isOffered ? 1 : 0)
  })
}

test('a framework may say itself what an offer holds at least', (t) => {
  const allocator = newAllocator()
  allocator.addFramework('f', frameworkSpec(['r', 's'], { minAllocatable: { r: [{ disk: 10, cpus: 2 }] } }))
  allocator.addAgent('a', agentSpec('cpus:1;mem:100;disk:100'))
  t.deepEqual(shown(allocator.allocate(0)), ['a -> f (s): cpus:1; mem:100; disk:100'])
})

const DAY_MS = 86_400_000

for (const { name, refuseMs, quietUntilMs, offeredAtMs } of [
  { name: '0 is no refusal', refuseMs: 0, quietUntilMs: undefined, offeredAtMs: 0 },
  {
    name: 'shorter than the allocation interval lasts the interval',
    refuseMs: 10,
    quietUntilMs: 1000,
    offeredAtMs: 1001,
  },
  { name: '5 s are 5 s, and cover a run at their very end', refuseMs: 5000, quietUntilMs: 5000, offeredAtMs: 5001 },
  { name: 'more than a year is a year', refuseMs: 1e15, quietUntilMs: 365 * DAY_MS, offeredAtMs: 365 * DAY_MS + 1 },
]) {
  test(`a refusal: ${name}`, (t) => {
    const allocator = newAllocator()
    allocator.addFramework('f', frameworkSpec(['r']))
    allocator.addAgent('a', agentSpec('cpus:1;mem:100'))
    recoverAll(allocator, allocator.allocate(0), refuseMs)
    if (quietUntilMs !== undefined) t.deepEqual(allocator.allocateAll(quietUntilMs), [])
    t.is(allocator.allocateAll(offeredAtMs).length, 1)
    checkAllocator(allocator)
  })
}

test('a refusal holds for what is part of what was refused, and not for more', (t) => {
  const allocator = newAllocator()
  allocator.addFramework('f', frameworkSpec(['r']))
  allocator.addFramework('g', frameworkSpec(['s'], { suppressedRoles: ['s'] }))
  const used = new Map([['g', bagOf('cpus:1;mem:100', 's')]])
  allocator.addAgent('a', agentSpec('cpus:3;mem:300', { used }))
  recoverAll(allocator, allocator.allocate(0), 60_000)
  t.deepEqual(allocator.allocateAll(1), [], 'the same as refused')
  allocator.recoverResources('g', 'a', bagOf('cpus:1;mem:100', 's'), undefined, 2)
  t.deepEqual(shown(allocator.allocateAll(2)), ['a -> f (r): cpus:3; mem:300'], 'more than refused')
})

test('a refusal holds for one framework, one role and one agent', (t) => {
  const allocator = newAllocator()
  allocator.addFramework('f', frameworkSpec(['r', 's']))
  allocator.addAgent('a', agentSpec('cpus:1;mem:100'))
  recoverAll(allocator, allocator.allocate(0), 60_000)
  const other = allocator.allocateAll(1)
  t.deepEqual(shown(other), ['a -> f (s): cpus:1; mem:100'])
  recoverAll(allocator, other, 60_000, 1)
  t.deepEqual(allocator.allocateAll(2), [])
  allocator.addAgent('b', agentSpec('cpus:1;mem:100'))
  t.is(allocator.allocateAll(3)[0]!.agentId, 'b')
})

test('equal refusals end one by one', (t) => {
  const allocator = newAllocator()
  allocator.addFramework('f', frameworkSpec(['r']))
  const half = bagOf('cpus:1;mem:100', 'r')
  allocator.addAgent('a', agentSpec('cpus:2;mem:200', { used: new Map([['f', half.plus(half)]]) }))
  allocator.allocate(0)
  allocator.recoverResources('f', 'a', half, { refuseMs: 9000 }, 0)
  allocator.recoverResources('f', 'a', half, { refuseMs: 3000 }, 0)
  // Both refused <1, 100>; free is <2, 200>, which neither refused: it is offered, and one half is launched.
  const [offer] = allocator.allocateAll(0)
  t.is(offer!.resources.milli('cpus'), 2000)
  allocator.recoverResources('f', 'a', half, undefined, 0)
  t.deepEqual(allocator.allocateAll(3001), [])
  t.deepEqual(allocator.allocateAll(9000), [])
  t.is(allocator.allocateAll(9001).length, 1)
})

test('revive forgets refusals of the roles it names and makes all agents dirty', (t) => {
  const allocator = newAllocator()
  allocator.addFramework('f', frameworkSpec(['r', 's']))
  allocator.addAgent('a', agentSpec('cpus:1;mem:100'))
  recoverAll(allocator, allocator.allocate(0), DAY_MS)
  recoverAll(allocator, allocator.allocateAll(0), DAY_MS)
  t.deepEqual(allocator.allocateAll(1), [])
  allocator.revive('f', ['s'])
  t.true(allocator.hasDirtyAgents)
  t.deepEqual(shown(allocator.allocate(2)), ['a -> f (s): cpus:1; mem:100'])
})

test('suppress stops offers and keeps refusals; revive ends both', (t) => {
  const allocator = newAllocator()
  allocator.addFramework('f', frameworkSpec(['r']))
  allocator.addAgent('a', agentSpec('cpus:1;mem:100'))
  allocator.addAgent('b', agentSpec('cpus:2;mem:100'))
  const offers = allocator.allocate(0)
  recoverAll(
    allocator,
    offers.filter(({ agentId }) => agentId === 'a'),
    DAY_MS,
  )
  recoverAll(
    allocator,
    offers.filter(({ agentId }) => agentId === 'b'),
  )
  allocator.suppress('f')
  t.deepEqual(allocator.allocateAll(1), [])
  allocator.revive('f')
  t.is(allocator.allocate(2).length, 2)
})

test('recovered resources wait for the batch', (t) => {
  const allocator = newAllocator()
  allocator.addFramework('f', frameworkSpec(['r']))
  allocator.addAgent('a', agentSpec('cpus:1;mem:100'))
  recoverAll(allocator, allocator.allocate(0))
  t.false(allocator.hasDirtyAgents)
  t.deepEqual(allocator.allocate(0), [])
  t.is(allocator.allocateAll(0).length, 1)
})

test('a budget leaves the other agents dirty', (t) => {
  const allocator = newAllocator()
  allocator.addFramework('f', frameworkSpec(['r']))
  for (let at = 0; at < 5; at++) allocator.addAgent(`a${at}`, agentSpec('cpus:1;mem:100'))
  t.deepEqual(
    [0, 1, 2, 3].map(() => allocator.allocate(0, 2).length),
    [2, 2, 1, 0],
  )
})

test('deactivated agents and frameworks get nothing until they are active again', (t) => {
  const allocator = newAllocator()
  allocator.addFramework('f', frameworkSpec(['r']))
  allocator.addAgent('a', agentSpec('cpus:1;mem:100'))
  allocator.deactivateAgent('a')
  t.deepEqual(allocator.allocateAll(0), [])
  allocator.activateAgent('a')
  allocator.deactivateFramework('f')
  t.deepEqual(allocator.allocateAll(0), [])
  allocator.activateFramework('f')
  t.is(allocator.allocate(0).length, 1)
})

test('reserved resources go to their role and the roles below it only', (t) => {
  const allocator = newAllocator()
  allocator.addFramework('f', frameworkSpec(['b']))
  allocator.addFramework('g', frameworkSpec(['a/x']))
  allocator.addFramework('h', frameworkSpec(['a/y'], { suppressedRoles: ['a/y'] }))
  allocator.updateWeights({ a: 0.001 })
  const used = new Map([['g', bagOf('cpus(a):1;mem(a):100', 'a/x')]])
  allocator.addAgent('x', agentSpec('cpus:1;mem:100;cpus(a):2;mem(a):200;cpus(a/y):1;mem(a/y):100', { used }))
  t.deepEqual(shown(allocator.allocate(0)), [
    'x -> f (b): cpus:1; mem:100',
    'x -> g (a/x): cpus(reservations: [(STATIC,a)]):1; mem(reservations: [(STATIC,a)]):100',
  ])
  checkAllocator(allocator)
})

for (const { name, total, capability } of [
  {
    name: 'revocable',
    total: { name: 'cpus', type: 'SCALAR', scalar: { value: 2 }, revocable: {} },
    capability: 'revocableResources',
  },
  {
    name: 'refined',
    total: {
      name: 'cpus',
      type: 'SCALAR',
      scalar: { value: 2 },
      reservations: [
        { type: 'STATIC', role: 'r' },
        { type: 'DYNAMIC', role: 'r/s' },
      ],
    },
    capability: 'reservationRefinement',
  },
] as const) {
  test(`${name} resources are only for frameworks with ${capability}`, (t) => {
    for (const isCapable of [false, true]) {
      const allocator = newAllocator()
      allocator.addFramework('f', frameworkSpec(['r/s'], { capabilities: { ...ABILITIES, [capability]: isCapable } }))
      allocator.addAgent('a', agentSpec(bagOf('mem:64').plus(Resources.fromProto([total]))))
      const [offer] = allocator.allocate(0)
      t.is(offer!.resources.milli('cpus'), isCapable ? 2000 : 0)
      t.is(offer!.resources.milli('mem'), 64_000)
      checkAllocator(allocator)
    }
  })
}

test('a shared volume is offered while it is used, once a run and only beside something else', (t) => {
  const volume = {
    name: 'disk',
    type: 'SCALAR',
    scalar: { value: 10 },
    reservations: [{ type: 'DYNAMIC', role: 'r' }],
    disk: { persistence: { id: 'v' }, volume: { mode: 'RW', container_path: 'v' } },
    shared: {},
  } as const
  const allocator = newAllocator()
  allocator.addFramework('f', frameworkSpec(['r']))
  allocator.addAgent('a', agentSpec(bagOf('cpus:2;mem:200').plus(Resources.fromProto([volume]))))
  const [offer, ...others] = allocator.allocate(0)
  t.is(others.length, 0)
  t.is(offer!.resources.milli('disk'), 10_000)
  t.deepEqual(allocator.allocateAll(1), [])
  const half = bagOf('cpus:1;mem:100', 'r')
  allocator.recoverResources('f', 'a', half, undefined, 2)
  t.is(allocator.allocateAll(2)[0]!.resources.milli('disk'), 10_000)
  checkAllocator(allocator)
})

test('agents with GPUs are for frameworks with GPU_RESOURCES', (t) => {
  const capabilities = { ...ABILITIES, gpuResources: true }
  const allocator = newAllocator()
  allocator.addFramework('f', frameworkSpec(['r']))
  allocator.addAgent('a', agentSpec('cpus:1;mem:100;gpus:1'))
  t.deepEqual(allocator.allocate(0), [])
  t.is(allocator.explain('f')[0]!.code, 'GPU_NOT_WANTED')
  allocator.updateFramework('f', { roles: ['r'], suppressedRoles: [], capabilities })
  t.is(allocator.allocate(0).length, 1)
  const open = newAllocator({ filterGpuResources: false })
  open.addFramework('f', frameworkSpec(['r']))
  open.addAgent('a', agentSpec('cpus:1;mem:100;gpus:1'))
  t.is(open.allocate(0).length, 1)
})

test('remote agents are for REGION_AWARE frameworks, nested roles need HIERARCHICAL_ROLE, several roles MULTI_ROLE', (t) => {
  const domain = (name: string) => ({ fault_domain: { region: { name }, zone: { name: 'z' } } })
  const capabilities = { multiRole: false, hierarchicalRole: false, reservationRefinement: false }
  const cases: [string, Partial<AgentSpec>, FrameworkSpec, ReasonCode][] = [
    ['region', { domain: domain('far') }, frameworkSpec(['r']), 'AGENT_IN_REMOTE_REGION'],
    [
      'nested',
      { capabilities: { ...capabilities, multiRole: true } },
      frameworkSpec(['r/s']),
      'AGENT_WITHOUT_HIERARCHICAL_ROLE',
    ],
    ['multi', { capabilities }, frameworkSpec(['r']), 'AGENT_WITHOUT_MULTI_ROLE'],
  ]
  for (const [name, agent, framework, code] of cases) {
    const allocator = newAllocator({ domain: domain('near') })
    allocator.addFramework('f', framework)
    allocator.addAgent('a', agentSpec('cpus:1;mem:100', agent))
    t.deepEqual(allocator.allocate(0), [], name)
    t.is(allocator.explain('f')[0]!.code, code)
  }
})

test('what an agent runs already counts for its role and is not offered', (t) => {
  const allocator = newAllocator()
  allocator.addFramework('f', frameworkSpec(['r']))
  allocator.addFramework('g', frameworkSpec(['s']))
  const used = new Map([['f', bagOf('cpus:1;mem:100', 'r')]])
  allocator.addAgent('a', agentSpec('cpus:4;mem:400', { used }))
  closeTo(t, shareOf(allocator, 'r'), 1 / 4)
  t.deepEqual(shown(allocator.allocate(0)), ['a -> g (s): cpus:3; mem:300'])
  allocator.removeFramework('f')
  closeTo(t, shareOf(allocator, 'r'), 1 / 4)
  allocator.recoverResources('f', 'a', bagOf('cpus:1;mem:100', 'r'), { refuseMs: 1000 }, 0)
  t.is(allocator.books.tree.roleNode('r'), undefined)
  checkAllocator(allocator)
})

test('a removed agent takes what was held there with it', (t) => {
  const allocator = newAllocator()
  allocator.addFramework('f', frameworkSpec(['r']))
  allocator.addAgent('a', agentSpec('cpus:4;mem:400'))
  allocator.addAgent('b', agentSpec('cpus:4;mem:400'))
  const offers = allocator.allocate(0)
  allocator.removeAgent('a')
  closeTo(t, shareOf(allocator, 'r'), 1)
  recoverAll(allocator, offers, 60_000)
  closeTo(t, shareOf(allocator, 'r'), 0)
  checkAllocator(allocator)
})

test('a total that shrinks below what is held offers nothing until enough has come back', (t) => {
  const allocator = newAllocator()
  allocator.addFramework('f', frameworkSpec(['r']))
  allocator.addAgent('a', agentSpec('cpus:4;mem:400'))
  const [offer] = allocator.allocate(0)
  allocator.updateAgent('a', { total: bagOf('cpus:1;mem:100') })
  checkAllocator(allocator)
  t.deepEqual(allocator.allocate(0), [])
  allocator.recoverResources('f', 'a', offer!.resources, undefined, 0)
  t.deepEqual(shown(allocator.allocateAll(0)), ['a -> f (r): cpus:1; mem:100'])
})

test('new attributes of an agent end the refusals there', (t) => {
  const attributes = [{ name: 'rack', type: 'TEXT', text: { value: '1' } }] as const
  const allocator = newAllocator()
  allocator.addFramework('f', frameworkSpec(['r']))
  allocator.addAgent('a', agentSpec('cpus:4;mem:400', { attributes }))
  recoverAll(allocator, allocator.allocate(0), DAY_MS)
  allocator.updateAgent('a', { attributes })
  t.deepEqual(allocator.allocate(0), [])
  allocator.updateAgent('a', { attributes: [] })
  t.is(allocator.allocate(0).length, 1)
})

test('a reservation made of an offer changes the total and stays held', (t) => {
  const allocator = newAllocator()
  allocator.addFramework('f', frameworkSpec(['r']))
  allocator.addFramework('g', frameworkSpec(['s']))
  allocator.addAgent('a', agentSpec('cpus:4;mem:400'))
  const [offer] = allocator.allocate(0)
  const from = bagOf('cpus:1;mem:100', 'r')
  const to = bagOf('cpus(r):1;mem(r):100', 'r')
  allocator.updateAllocation('f', 'a', { from, to })
  checkAllocator(allocator)
  allocator.recoverResources('f', 'a', offer!.resources.minus(from).plus(to), undefined, 0)
  t.deepEqual(shown(allocator.allocateAll(0)), [
    'a -> g (s): cpus:3; mem:300',
    'a -> f (r): cpus(reservations: [(STATIC,r)]):1; mem(reservations: [(STATIC,r)]):100',
  ])
})

test('giving back what is not held is our own error', (t) => {
  const allocator = newAllocator()
  allocator.addFramework('f', frameworkSpec(['r']))
  allocator.addAgent('a', agentSpec('cpus:4;mem:400'))
  const [offer] = allocator.allocate(0)
  allocator.recoverResources('f', 'a', offer!.resources, undefined, 0)
  t.throws(() => allocator.recoverResources('f', 'a', offer!.resources, undefined, 0))
})

test('the reasons why a framework gets no offers are told with their agents', (t) => {
  const allocator = newAllocator()
  allocator.addFramework('f', frameworkSpec(['r']))
  allocator.addFramework('g', frameworkSpec(['s']))
  allocator.addAgent('a', agentSpec('cpus:4;mem:400'))
  t.is(allocator.explain('g')[0]!.code, 'OTHERS_FIRST')
  t.is(allocator.explain('g')[0]!.firstFrameworkId, 'f')
  recoverAll(allocator, allocator.allocate(0), 7000)
  const [refused] = allocator.explain('f')
  t.deepEqual(
    { code: refused!.code, agentIds: refused!.agentIds, untilMs: refused!.untilMs },
    { code: 'REFUSED', agentIds: ['a'], untilMs: 7000 },
  )
  allocator.allocateAll(0)
  t.is(allocator.explain('f')[0]!.code, 'NOTHING_FREE')
  allocator.suppress('f')
  t.is(allocator.explain('f')[0]!.code, 'ROLE_SUPPRESSED')
  allocator.deactivateFramework('f')
  t.is(allocator.explain('f')[0]!.code, 'FRAMEWORK_INACTIVE')
  allocator.deactivateAgent('a')
  t.is(allocator.explain('g')[0]!.code, 'AGENT_INACTIVE')
  t.deepEqual(allocator.explain('nobody'), [])
})

test('with passOn, who gives back a whole offer unused goes behind all others for that agent', (t) => {
  const order = (passOn: boolean): string[] => {
    const allocator = newAllocator({ passOn })
    const used = new Map([['c', bagOf('cpus:1', 'r')]])
    for (const id of ['a', 'b', 'c']) allocator.addFramework(id, frameworkSpec(['r']))
    allocator.addAgent('x', agentSpec('cpus:4;mem:100', { used }))
    return [1, 2, 3, 4, 5, 6].map((atMs) => {
      const made = allocator.allocateAll(atMs)
      recoverAll(allocator, made)
      return made[0]!.frameworkId
    })
  }
  // c holds something, so that its share is never the lowest.
  t.deepEqual(order(false), ['a', 'b', 'a', 'b', 'a', 'b'])
  t.deepEqual(order(true), ['a', 'b', 'c', 'a', 'b', 'c'])
})
