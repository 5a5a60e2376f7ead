import type { Attribute } from '@isthmus/proto/gen/mesos'
import type {
  AttributeConstraintPredicate,
  AttributeConstraintSelector,
  OfferConstraints,
} from '@isthmus/proto/gen/scheduler'
import test from 'ava'
import { parseResources } from '../resources/parse.ts'
import { Allocator, checkAllocator } from './allocator.ts'
import { type ConstrainedAgent, compileConstraints } from './constraints.ts'
import type { FrameworkSpec } from './contract.ts'

const NAME: AttributeConstraintSelector = { attribute_name: 'rack' }

function group(...constraints: [AttributeConstraintSelector, AttributeConstraintPredicate][]) {
  return { attribute_constraints: constraints.map(([selector, predicate]) => ({ selector, predicate })) }
}

function ofRole(role: string, ...groups: ReturnType<typeof group>[]): OfferConstraints {
  return { role_constraints: { [role]: { groups } } }
}

function text(name: string, value: string): Attribute {
  return { name, type: 'TEXT', text: { value } }
}

function compiled(constraints: OfferConstraints) {
  const result = compileConstraints(constraints)
  if (!result.ok) throw new Error(result.rejection.message)
  return result.value
}

function isWanted(constraints: OfferConstraints, agent: ConstrainedAgent): boolean {
  return !compiled(constraints).get('r')!.excludes(agent)
}

const RACK_A = { attributes: [text('rack', 'a-1'), text('rack', 'b-2')] }
const RACK_7: ConstrainedAgent = { attributes: [{ name: 'rack', type: 'SCALAR', scalar: { value: 7 } }] }

// Whether the predicate holds for an agent of rack a-1 (the first of two), without a rack, and with a rack that is a number.
for (const { name, predicate, holds } of [
  { name: 'exists', predicate: { exists: {} }, holds: [true, false, true] },
  { name: 'not_exists', predicate: { not_exists: {} }, holds: [false, true, false] },
  { name: 'text_equals the same', predicate: { text_equals: { value: 'a-1' } }, holds: [true, false, true] },
  { name: 'text_equals the second', predicate: { text_equals: { value: 'b-2' } }, holds: [false, false, true] },
  { name: 'text_not_equals the same', predicate: { text_not_equals: { value: 'a-1' } }, holds: [false, true, true] },
  { name: 'text_not_equals another', predicate: { text_not_equals: { value: 'b-2' } }, holds: [true, true, true] },
  { name: 'text_matches all of it', predicate: { text_matches: { regex: 'a-[0-9]' } }, holds: [true, false, true] },
  { name: 'text_matches a part', predicate: { text_matches: { regex: 'a' } }, holds: [false, false, true] },
  { name: 'text_not_matches all of it', predicate: { text_not_matches: { regex: 'a-.' } }, holds: [false, true, true] },
  { name: 'text_not_matches a part', predicate: { text_not_matches: { regex: 'a' } }, holds: [true, true, true] },
] as const) {
  test(`${name}: a text, nothing, and an attribute that is no text`, (t) => {
    const constraints = ofRole('r', group([NAME, predicate]))
    t.deepEqual(
      [RACK_A, { attributes: [text('host', 'a-1')] }, RACK_7].map((agent) => isWanted(constraints, agent)),
      [...holds],
    )
  })
}

for (const { pseudo, agent, value } of [
  { pseudo: 'HOSTNAME', agent: { hostname: 'h1' }, value: 'h1' },
  {
    pseudo: 'REGION',
    agent: { domain: { fault_domain: { region: { name: 'eu' }, zone: { name: 'eu-1' } } } },
    value: 'eu',
  },
  {
    pseudo: 'ZONE',
    agent: { domain: { fault_domain: { region: { name: 'eu' }, zone: { name: 'eu-1' } } } },
    value: 'eu-1',
  },
] as const) {
  test(`the pseudo-attribute ${pseudo} is a text, or nothing`, (t) => {
    const selector = { pseudoattribute_type: pseudo }
    t.true(isWanted(ofRole('r', group([selector, { text_equals: { value } }])), agent))
    t.false(isWanted(ofRole('r', group([selector, { text_equals: { value: 'x' } }])), agent))
    t.true(isWanted(ofRole('r', group([selector, { text_matches: { regex: '.+' } }])), agent))
    t.false(isWanted(ofRole('r', group([selector, { exists: {} }])), {}))
    t.true(isWanted(ofRole('r', group([selector, { not_exists: {} }])), {}))
  })
}

test('an agent is wanted when all constraints of one group hold', (t) => {
  const constraints = ofRole(
    'r',
    group([NAME, { text_equals: { value: 'a' } }], [{ attribute_name: 'ssd' }, { exists: {} }]),
    group([NAME, { text_equals: { value: 'b' } }]),
  )
  t.true(isWanted(constraints, { attributes: [text('rack', 'a'), text('ssd', 'yes')] }))
  t.false(isWanted(constraints, { attributes: [text('rack', 'a')] }))
  t.true(isWanted(constraints, { attributes: [text('rack', 'b')] }))
  t.false(isWanted(constraints, { attributes: [text('ssd', 'yes')] }))
})

for (const { name, constraints, message } of [
  {
    name: 'no group',
    constraints: { role_constraints: { r: {} } },
    message: "'OfferConstraints::role_constraints' has an empty 'RoleConstraints::groups' for role r",
  },
  {
    name: 'an empty group',
    constraints: { role_constraints: { r: { groups: [{}] } } },
    message: "'OfferConstraints::RoleConstraints::groups' for role rcontains an empty RoleConstraints::Group",
  },
  {
    name: 'no selector',
    constraints: ofRole('r', group([{}, { exists: {} }])),
    message:
      "A role r has an invalid 'AttributeConstraint': Exactly one of 'AttributeConstraint::Selector::name' or 'AttributeConstraint::Selector::pseudoattribute_type' must be set",
  },
  {
    name: 'an unknown pseudo-attribute',
    constraints: ofRole('r', group([{ pseudoattribute_type: 'UNKNOWN' }, { exists: {} }])),
    message: "A role r has an invalid 'AttributeConstraint': Unknown pseudoattribute type",
  },
  {
    name: 'no predicate',
    constraints: ofRole('r', group([NAME, {}])),
    message: "A role r has an invalid 'AttributeConstraint': Unknown predicate type",
  },
  {
    name: 'a pattern that is none',
    constraints: ofRole('r', group([NAME, { text_matches: { regex: '(' } }])),
    message: "A role r has an invalid 'AttributeConstraint': Failed to construct regex from pattern '(': missing ): (",
  },
  {
    name: 'a pattern that is too large',
    constraints: ofRole('r', group([NAME, { text_not_matches: { regex: 'a{100}' } }])),
    message:
      "A role r has an invalid 'AttributeConstraint': Regex 'a{100}' is too complex: program size of 101 is larger than maximum of 100 allowed",
  },
] as const) {
  test(`constraints with ${name} are refused in the words of Mesos`, (t) => {
    const result = compileConstraints(constraints)
    t.deepEqual(!result.ok && result.rejection, { code: 'CONSTRAINTS_INVALID', message })
  })
}

const SPEC: FrameworkSpec = {
  roles: ['r', 's'],
  suppressedRoles: ['s'],
  active: true,
  capabilities: {
    revocableResources: false,
    gpuResources: false,
    sharedResources: false,
    multiRole: true,
    reservationRefinement: true,
    regionAware: false,
  },
}
const ONLY_A = compiled(ofRole('r', group([NAME, { text_equals: { value: 'a' } }])))
const ONLY_B = compiled(ofRole('r', group([NAME, { text_equals: { value: 'b' } }])))

function pool(constraints: FrameworkSpec['constraints'], racks: readonly string[]): Allocator {
  const allocator = new Allocator({ seed: 1 })
  const total = parseResources('cpus:4;mem:100')
  if (!total.ok) throw new Error(total.rejection.message)
  for (const [at, rack] of racks.entries()) {
    allocator.addAgent(`agent-${at}`, {
      total: total.value,
      attributes: [text('rack', rack)],
      capabilities: { multiRole: true, hierarchicalRole: true, reservationRefinement: true },
      used: new Map(),
    })
  }
  allocator.addFramework('f', { ...SPEC, constraints })
  return allocator
}

function offered(allocator: Allocator, refuseMs = 0): string[] {
  const made = allocator.allocateAll(0)
  for (const { frameworkId, agentId, resources } of made) {
    allocator.recoverResources(frameworkId, agentId, resources, { refuseMs }, 0)
  }
  checkAllocator(allocator)
  return made.map(({ agentId, role }) => `${agentId} ${role}`).sort()
}

test('a framework is offered the agents it asks for, by role', (t) => {
  const allocator = pool(ONLY_A, ['a', 'b', 'a'])
  t.deepEqual(offered(allocator), ['agent-0 r', 'agent-2 r'])
  t.deepEqual(offered(allocator), ['agent-0 r', 'agent-2 r'], 'again')
  allocator.revive('f', ['s'])
  allocator.suppress('f', ['r'])
  t.deepEqual(offered(allocator), ['agent-0 s', 'agent-1 s', 'agent-2 s'], 'another role has no constraints')
})

test('what a framework does not want goes to the others', (t) => {
  const allocator = pool(ONLY_A, ['a', 'b'])
  allocator.addFramework('g', { ...SPEC, roles: ['r'], suppressedRoles: [], constraints: ONLY_B })
  const made = allocator.allocateAll(0)
  t.deepEqual(made.map(({ frameworkId, agentId }) => `${frameworkId} ${agentId}`).sort(), ['f agent-0', 'g agent-1'])
})

test('changed constraints count from the next round on', (t) => {
  const allocator = pool(ONLY_A, ['a', 'b'])
  t.deepEqual(offered(allocator), ['agent-0 r'])
  allocator.updateFramework('f', { ...SPEC, constraints: ONLY_B })
  t.deepEqual(offered(allocator), ['agent-1 r'])
  allocator.updateFramework('f', SPEC)
  t.deepEqual(offered(allocator), ['agent-0 r', 'agent-1 r'])
})

test('changed attributes count from the next round on', (t) => {
  const allocator = pool(ONLY_A, ['a', 'b'])
  t.deepEqual(offered(allocator), ['agent-0 r'])
  allocator.updateAgent('agent-0', { attributes: [text('rack', 'c')] })
  allocator.updateAgent('agent-1', { attributes: [text('rack', 'a')] })
  t.deepEqual(offered(allocator), ['agent-1 r'])
})

test('who takes the place of a framework that is gone does not take its constraints', (t) => {
  const allocator = pool(ONLY_A, ['a', 'b'])
  t.deepEqual(offered(allocator), ['agent-0 r'])
  allocator.removeFramework('f')
  allocator.addFramework('g', { ...SPEC, roles: ['r'], suppressedRoles: [] })
  t.deepEqual(offered(allocator), ['agent-0 r', 'agent-1 r'])
})

test('a constraint is evaluated once for an agent and a client, however many rounds there are', (t) => {
  let count = 0
  const counting = { excludes: () => ++count < 0 }
  const allocator = pool(new Map([['r', counting]]), ['a', 'b', 'c'])
  for (let round = 0; round < 5; round++) t.is(offered(allocator).length, 3)
  t.is(count, 3)
})

test('explain names the agents that constraints exclude', (t) => {
  const allocator = pool(ONLY_A, ['a', 'b', 'b'])
  const reason = allocator.explain('f').find(({ code }) => code === 'OFFER_CONSTRAINTS')
  t.deepEqual([reason?.role, reason?.agentCount, reason?.agentIds], ['r', 2, ['agent-1', 'agent-2']])
})

test('a role that an update suppresses no more has its refusals forgotten, as by revive', (t) => {
  const allocator = pool(undefined, ['a'])
  t.deepEqual(offered(allocator, 60_000), ['agent-0 r'])
  allocator.updateFramework('f', { ...SPEC, suppressedRoles: ['r', 's'] })
  t.deepEqual(offered(allocator), [])
  allocator.updateFramework('f', { ...SPEC, suppressedRoles: ['s'] })
  t.deepEqual(offered(allocator, 60_000), ['agent-0 r'])
  allocator.updateFramework('f', { ...SPEC, suppressedRoles: ['s'] })
  t.deepEqual(offered(allocator), [], 'a role that was not suppressed keeps them')
})
