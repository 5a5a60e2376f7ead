import test from 'ava'
import fc from 'fast-check'
import { parseResourceList, parseResources, parseValue } from './parse.ts'

function print(text: string, role?: string): string {
  const parsed = parseResources(text, role)
  return parsed.ok ? String(parsed.value) : parsed.rejection.message
}

for (const [text, expected] of [
  [
    'cpus:4;mem:1024;ports:[31000-32000];disk(role):100',
    'cpus:4; mem:1024; ports:[31000-32000]; disk(reservations: [(STATIC,role)]):100',
  ],
  ['', '{}'],
  [';;', '{}'],
  [' cpus : 4 ; mem : 10 ', 'cpus:4; mem:10'],
  ['cpus:1;cpus:2', 'cpus:3'],
  ['cpus(*):1', 'cpus:1'],
  ['cpus( a/b ):1.5', 'cpus(reservations: [(STATIC,a/b)]):1.5'],
  ['cpus:0;mem:1', 'mem:1'],
  ['ports:[5-7,1-3,4-4]', 'ports:[1-7]'],
  ['zones:{a, b,a}', 'zones:{a, b}'],
  ['mem:1e3', 'mem:1000'],
  ['cpus:+1', 'cpus:1'],
  ['bananas:7\ncpus:1', 'bananas:7; cpus:1'],
] as const) {
  test(`'${text}' is ${expected}`, (t) => {
    t.is(print(text), expected)
  })
}

test('the default role goes to what names none', (t) => {
  t.is(
    print('cpus:1;mem(b):2;disk(*):3', 'a'),
    'cpus(reservations: [(STATIC,a)]):1; mem(reservations: [(STATIC,b)]):2; disk:3',
  )
})

for (const [text, part, position, reason] of [
  ['cpus', 'cpus', 1, "missing or extra ':'; expecting 'name:value' or 'name(role):value'"],
  ['cpus:4;mem:1:2', 'mem:1:2', 2, "missing or extra ':'; expecting 'name:value' or 'name(role):value'"],
  ['cpus(a:1', 'cpus(a:1', 1, 'mismatched parentheses'],
  ['cpus)a(:1', 'cpus)a(:1', 1, 'mismatched parentheses'],
  [':1', ':1', 1, 'Empty resource name'],
  ['cpus:', 'cpus:', 1, 'expecting a non-empty value'],
  ['cpus:abc', 'cpus:abc', 1, "bad type: 'abc' is TEXT, expecting a number, ranges [a-b] or a set {a,b}"],
  ['cpus:-1', 'cpus:-1', 1, 'Invalid scalar resource: value <= 0'],
  ['cpus:0.0001', 'cpus:0.0001', 1, 'Invalid scalar resource: value <= 0'],
  ['mem:1e13', 'mem:1e13', 1, 'Invalid scalar resource: value > 1000000000000'],
  ['gpus:0.5', 'gpus:0.5', 1, "The 'gpus' resource must be an unsigned integer"],
  ['ports:[3-1]', 'ports:[3-1]', 1, 'range 3-1 ends before it begins'],
  ['ports:[1-2', 'ports:[1-2', 1, "'[1-2' has no closing ']'"],
  ['ports:1-2]', 'ports:1-2]', 1, "bad ']' found in '1-2]'"],
  ['zones:{a', 'zones:{a', 1, "'{a' has no closing '}'"],
  ['cpus(/a):1', 'cpus(/a):1', 1, "Role '/a' cannot start with a slash"],
  ['cpus():1', 'cpus():1', 1, 'Role names cannot be the empty string'],
  ['x:1;x:[1-2]', 'x', 2, "Resources with the same name ('x') but different types are not allowed"],
] as const) {
  test(`'${text}' is refused: ${reason}`, (t) => {
    t.deepEqual(parseResources(text), {
      ok: false,
      rejection: {
        code: 'RESOURCES_MALFORMED',
        message: `Failed to parse resource '${part}': ${reason}`,
        part,
        position,
        reason,
      },
    })
  })
}

test('a default role that is no role is refused', (t) => {
  t.is(print('cpus:1', '..'), "Failed to parse resource 'cpus:1': Role '..' cannot include '..' as a component")
})

test('JSON is read in both forms of reservations', (t) => {
  const json = [
    { name: 'cpus', type: 'SCALAR', scalar: { value: 4 } },
    { name: 'mem', type: 'SCALAR', scalar: { value: 5 }, role: 'a' },
    { name: 'disk', type: 'SCALAR', scalar: { value: 6 }, role: '*' },
    { name: 'disk', type: 'SCALAR', scalar: { value: 7 }, reservations: [{ type: 'STATIC', role: 'b' }] },
    { name: 'disk', type: 'SCALAR', scalar: { value: 8 }, disk: { source: { type: 'MOUNT', mount: { root: '/m' } } } },
    { name: 'ports', type: 'RANGES', ranges: { range: [{ begin: 1, end: 2 }] } },
  ]
  const text = `  ${JSON.stringify(json)}`
  t.is(
    print(text, 'd'),
    'cpus(reservations: [(STATIC,d)]):4; mem(reservations: [(STATIC,a)]):5; disk:6; disk(reservations: [(STATIC,b)]):7; disk(reservations: [(STATIC,d)])[MOUNT:/m]:8; ports(reservations: [(STATIC,d)]):[1-2]',
  )
  t.is(print('[]'), '{}')
})

const scalar = { name: 'disk', type: 'SCALAR', scalar: { value: 1 } }
for (const [name, json, reason] of [
  ['a syntax error', '[{', /not a JSON array/],
  ['no object', '[1]', /JSON object/],
  ['a missing name', '[{"type":"SCALAR"}]', /[Mm]issing required fields: .*name/],
  ['a wrong kind of value', '[{"name":"cpus","type":"SCALAR","scalar":{"value":"x"}}]', /'x'/],
  ['a negative value', '[{"name":"cpus","type":"SCALAR","scalar":{"value":-1}}]', /value <= 0/],
  [
    'a persistent volume',
    JSON.stringify([
      { ...scalar, role: 'r', disk: { persistence: { id: 'v' }, volume: { mode: 'RW', container_path: 'c' } } },
    ]),
    /Persistent volumes cannot be specified at the command line/,
  ],
  [
    'a revocable resource',
    JSON.stringify([{ ...scalar, revocable: {} }]),
    /Revocable resources cannot be specified at the command line/,
  ],
  [
    'a dynamic reservation',
    JSON.stringify([{ ...scalar, reservations: [{ type: 'DYNAMIC', role: 'r' }] }]),
    /Dynamic reservations cannot be specified at the command line/,
  ],
  [
    'an older dynamic reservation',
    JSON.stringify([{ ...scalar, role: 'r', reservation: {} }]),
    /Dynamic reservations cannot be specified at the command line/,
  ],
] as const) {
  test(`JSON with ${name} is refused`, (t) => {
    const parsed = parseResources(json)
    t.false(parsed.ok)
    if (!parsed.ok) {
      t.is(parsed.rejection.code, 'RESOURCES_MALFORMED')
      t.regex(parsed.rejection.message, reason)
    }
  })
}

test('an error shows no more of the JSON than one can read', (t) => {
  const parsed = parseResources(`[{"name":"${'x'.repeat(5_000)}"}]`)
  t.false(parsed.ok)
  if (!parsed.ok) t.true(parsed.rejection.message.length < 600, String(parsed.rejection.message.length))
})

test('a list keeps what is nothing, and the order', (t) => {
  const list = parseResourceList('gpus:0;cpus:1;gpus:0')
  t.deepEqual(list.ok && list.value.map(({ name, scalar }) => [name, scalar?.value]), [
    ['gpus', 0],
    ['cpus', 1],
    ['gpus', 0],
  ])
})

test('values are numbers, ranges, sets or text', (t) => {
  t.deepEqual(parseValue('1.5'), { kind: 'scalar', value: 1.5 })
  t.deepEqual(parseValue('[1-2]'), { kind: 'ranges', ranges: [{ begin: 1, end: 2 }] })
  t.deepEqual(parseValue('{a}'), { kind: 'set', items: new Set(['a']) })
  t.deepEqual(parseValue('1.5.2'), { kind: 'text', text: '1.5.2' })
  t.deepEqual(parseValue('Infinity'), { kind: 'text', text: 'Infinity' })
})

test('safety_a plain bag that is printed is parsed again', (t) => {
  const part = fc.oneof(
    fc
      .tuple(fc.constantFrom('cpus', 'mem', 'disk'), fc.integer({ min: 1, max: 1e9 }))
      .map(([name, milli]) => `${name}:${milli / 1_000}`),
    fc.tuple(fc.nat(100), fc.nat(10)).map(([begin, more]) => `ports:[${begin}-${begin + more}]`),
    fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { minLength: 1 }).map((items) => `zones:{${items.join(',')}}`),
  )
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 6 }), (parts) => {
      const printed = print(parts.join(';'))
      t.is(print(printed), printed)
    }),
  )
})

test('safety_no text makes the parser throw', (t) => {
  const text = fc.array(
    fc.constantFrom('cpus', ':', ';', '(', ')', '[', ']', '{', '}', ',', '-', '1', '.', 'a', ' ', '"', '*', '/'),
    { maxLength: 20 },
  )
  fc.assert(
    fc.property(text, (pieces) => {
      const parsed = parseResources(pieces.join(''))
      t.true(parsed.ok || parsed.rejection.code === 'RESOURCES_MALFORMED')
    }),
    { numRuns: 1_000 },
  )
})
