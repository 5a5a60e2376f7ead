import type { AgentInfo } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import { parseAttributes } from '../resources/attributes.ts'
import { parseResources } from '../resources/parse.ts'
import { incompatibilities, type ReconfigurationPolicy } from './compatibility.ts'

interface Given {
  readonly resources?: string
  readonly attributes?: string
  readonly more?: Partial<AgentInfo>
}

const RESOURCES = 'cpus:4;mem:1024;ports:[31000-32000];disk(team):100'
const ATTRIBUTES = 'rack:r1;zone:[1-3];speed:1.5'

function info({ resources = RESOURCES, attributes = ATTRIBUTES, more = {} }: Given): AgentInfo {
  const bag = parseResources(resources)
  const list = parseAttributes(attributes)
  if (!bag.ok || !list.ok) throw new Error('the test is wrong')
  return { hostname: 'node-1', resources: bag.value.toProto(), attributes: list.value, ...more }
}

const DOMAIN = { fault_domain: { region: { name: 'north' }, zone: { name: 'a' } } }
const ELSEWHERE = { fault_domain: { region: { name: 'north' }, zone: { name: 'b' } } }

const CASES: readonly {
  readonly title: string
  readonly before?: Given
  readonly now: Given
  /** Absent = nothing. */
  readonly equal?: readonly string[]
  readonly additive?: readonly string[]
}[] = [
  { title: 'the same', now: {} },
  { title: 'the same in another order', now: { resources: 'disk(team):100;ports:[31000-32000];mem:1024;cpus:4' } },
  { title: 'attributes in another order', now: { attributes: 'speed:1.5;zone:[1-3];rack:r1' } },
  { title: 'the default port, said and not said', now: { more: { port: 5051 } } },
  { title: 'an id', now: { more: { id: { value: 'S0' } } } },
  {
    title: 'another host name',
    now: { more: { hostname: 'node-2' } },
    equal: ['hostname was node-1, is node-2'],
    additive: ['hostname was node-1, is node-2'],
  },
  {
    title: 'another port',
    now: { more: { port: 5052 } },
    equal: ['port was 5051, is 5052'],
    additive: ['port was 5051, is 5052'],
  },
  {
    title: 'more of a resource',
    now: { resources: 'cpus:8;mem:1024;ports:[31000-32000];disk(team):100' },
    equal: ['resources are new: cpus:4'],
  },
  {
    title: 'a new kind of resource',
    now: { resources: `${RESOURCES};gpus:2` },
    equal: ['resources are new: gpus:2'],
  },
  {
    title: 'less of some, more of others',
    now: { resources: 'cpus:3.5;mem:2048;ports:[31500-32500];disk(team):100' },
    equal: ['resources are missing: cpus:0.5; ports:[31000-31499]', 'resources are new: mem:1024; ports:[32001-32500]'],
    additive: ['resources are missing: cpus:0.5; ports:[31000-31499]'],
  },
  {
    title: 'a resource for another role',
    now: { resources: 'cpus:4;mem:1024;ports:[31000-32000];disk(other):100' },
    equal: [
      'resources are missing: disk(reservations: [(STATIC,team)]):100',
      'resources are new: disk(reservations: [(STATIC,other)]):100',
    ],
    additive: ['resources are missing: disk(reservations: [(STATIC,team)]):100'],
  },
  {
    title: 'a new attribute, and another of a name there is',
    now: { attributes: `${ATTRIBUTES};rack:r2;os:linux` },
    equal: ['attributes are new: rack:r2;os:linux'],
  },
  {
    title: 'an attribute with another value',
    now: { attributes: 'rack:r2;zone:[1-3];speed:1.5' },
    equal: ['attributes are missing: rack:r1', 'attributes are new: rack:r2'],
    additive: ['attributes are missing: rack:r1'],
  },
  {
    title: 'ranges that hold more',
    now: { attributes: 'rack:r1;zone:[1-5];speed:1.5' },
    equal: ['attributes are missing: zone:[1-3]', 'attributes are new: zone:[1-5]'],
  },
  {
    title: 'an attribute of another type',
    now: { attributes: 'rack:r1;zone:[1-3];speed:fast' },
    equal: ['attributes are missing: speed:1.5', 'attributes are new: speed:fast'],
    additive: ['attributes are missing: speed:1.5'],
  },
  {
    title: 'a domain where there was none',
    now: { more: { domain: DOMAIN } },
    equal: ['domain was none, is region north, zone a'],
  },
  {
    title: 'no domain any more',
    before: { more: { domain: DOMAIN } },
    now: {},
    equal: ['domain was region north, zone a, is none'],
    additive: ['domain was region north, zone a, is none'],
  },
  {
    title: 'another domain',
    before: { more: { domain: DOMAIN } },
    now: { more: { domain: ELSEWHERE } },
    equal: ['domain was region north, zone a, is region north, zone b'],
    additive: ['domain was region north, zone a, is region north, zone b'],
  },
]

for (const policy of ['equal', 'additive'] as const satisfies readonly ReconfigurationPolicy[]) {
  for (const { title, before = {}, now, ...expected } of CASES) {
    const problems = expected[policy] ?? []
    test(`${policy}: ${title}: ${problems.length === 0 ? 'goes on' : 'is refused'}`, (t) => {
      t.deepEqual(incompatibilities(info(before), info(now), policy), problems)
    })
  }
}
