import { readFileSync } from 'node:fs'
import test from 'ava'
import fc from 'fast-check'
import {
  decode,
  encode,
  type FieldRow,
  type MessageName,
  parseJson,
  stringifyJson,
  toJson,
  UNKNOWN_FIELDS,
  WireError,
} from './codec.ts'
import { ENUMS, MESSAGES } from './gen/descriptor.ts'

const DEPTH_MAX = 3
const NAMES = Object.keys(MESSAGES) as MessageName[]

/** Any value of a field; messages get shallower on the way down. */
function arbitraryValue(kind: string, type: string, depth: number): fc.Arbitrary<unknown> {
  if (kind === 'message') return arbitraryMessage(type, depth + 1)
  if (kind === 'enum') return fc.constantFrom(...firstNames(type))
  switch (type) {
    case 'string':
      return fc.string({ unit: 'grapheme' })
    case 'bytes':
      return fc.uint8Array({ maxLength: 20 })
    case 'bool':
      return fc.boolean()
    case 'double':
      return fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Object.is(value, -0))
    case 'int32':
      return fc.integer()
    case 'uint32':
      return fc.nat(2 ** 32 - 1)
    case 'int64':
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(exact)
    case 'uint64':
      return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(exact)
    default:
      throw new Error(`no values for ${type}`)
  }
}

function exact(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value
}

/** Aliases of one number come back under its first name. */
function firstNames(type: string): string[] {
  const seen = new Set<number>()
  const rows = Object.entries(ENUMS[type] ?? {}).filter(([, number]) => {
    const isFirst = !seen.has(number)
    seen.add(number)
    return isFirst
  })
  return rows.map(([name]) => name)
}

function arbitraryMessage(name: string, depth = 0): fc.Arbitrary<Record<string, unknown>> {
  const fields = (MESSAGES[name] ?? []).filter(
    ([, , rule, kind]) => rule === 'required' || kind !== 'message' || depth < DEPTH_MAX,
  )
  const model = Object.fromEntries(
    fields.map(([, field, rule, kind, type]) => {
      const value = arbitraryValue(kind, type, depth)
      if (rule === 'repeated') return [field, fc.array(value, { minLength: 1, maxLength: 3 })]
      if (rule === 'map')
        return [
          field,
          fc.dictionary(
            fc.string().filter((key) => key !== '__proto__'),
            value,
            { minKeys: 1, maxKeys: 3 },
          ),
        ]
      return [field, value]
    }),
  )
  const required = fields.filter(([, , rule]) => rule === 'required').map(([, field]) => field)
  return fc.record(model, { requiredKeys: required as never[] }).map((message) => oneOfEach(fields, { ...message }))
}

/** The message with at most one field of each oneof. */
function oneOfEach(fields: readonly FieldRow[], message: Record<string, unknown>): Record<string, unknown> {
  const seen = new Set<string>()
  for (const [, name, , , , extras] of fields) {
    if (extras?.oneof === undefined || message[name] === undefined) continue
    if (seen.has(extras.oneof)) delete message[name]
    seen.add(extras.oneof)
  }
  return message
}

test('what protobuf encodes it decodes to the same message, for every message there is', (t) => {
  for (const name of NAMES) {
    t.notThrows(() =>
      fc.assert(
        fc.property(arbitraryMessage(name), (message) => {
          assertEqual(decode(name, encode(name, message as never)), message)
        }),
        { numRuns: 15 },
      ),
    )
  }
})

test('what JSON prints it parses to the same message with its defaults, for every message there is', (t) => {
  for (const name of NAMES) {
    t.notThrows(() =>
      fc.assert(
        fc.property(arbitraryMessage(name), (message) => {
          assertEqual(parseJson(name, stringifyJson(name, message as never)), withDefaults(name, message))
        }),
        { numRuns: 15 },
      ),
    )
  }
})

/** The message as it comes back from JSON, which shows declared defaults of absent fields but of deprecated ones. */
function withDefaults(name: string, message: Record<string, unknown>): Record<string, unknown> {
  const filled: Record<string, unknown> = {}
  for (const [, field, rule, kind, type, extras] of MESSAGES[name] ?? []) {
    const value = message[field]
    const deeper = (inner: unknown): unknown =>
      kind === 'message' ? withDefaults(type, inner as Record<string, unknown>) : inner
    if (value === undefined) {
      if (rule === 'optional' && extras?.default !== undefined && !extras.isDeprecated) filled[field] = extras.default
    } else if (rule === 'repeated') filled[field] = (value as unknown[]).map(deeper)
    else if (rule === 'map')
      filled[field] = Object.fromEntries(Object.entries(value as object).map(([key, inner]) => [key, deeper(inner)]))
    else filled[field] = deeper(value)
  }
  return filled
}

function assertEqual(actual: unknown, expected: unknown): void {
  const [a, b] = [canonical(actual), canonical(expected)]
  if (a !== b) throw new Error(`${a}\nis not\n${b}`)
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === 'bigint') return `${part}n`
    if (part instanceof Uint8Array) return { bytes: [...part] }
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part
    return Object.fromEntries(Object.entries(part).sort(([x], [y]) => (x < y ? -1 : 1)))
  })
}

interface Golden {
  readonly message: MessageName
  /** As text: its integers are longer than numbers are exact. */
  readonly json: string
  readonly hex: string
}

const GOLDEN = JSON.parse(readFileSync(new URL('./testdata/golden.json', import.meta.url), 'utf8')) as Golden[]

for (const [at, { message, json, hex }] of GOLDEN.entries()) {
  test(`bytes of Google's protobuf implementation: ${at} ${message}`, (t) => {
    const mine = parseJson(message, json)
    t.is(Buffer.from(encode(message, mine)).toString('hex'), hex)
    t.deepEqual(decode(message, Buffer.from(hex, 'hex')), mine)
  })
}

test('fields nobody knows are kept and written again', (t) => {
  const bytes = new Uint8Array([10, 1, 65, 0x50, 5, 0x5a, 2, 1, 2])
  const message = decode('mesos.v1.TaskID', bytes)
  t.is(message.value, 'A')
  t.deepEqual((message as unknown as Record<symbol, Uint8Array>)[UNKNOWN_FIELDS]?.length, 6)
  t.deepEqual([...encode('mesos.v1.TaskID', message)], [...bytes])
})

test('an enum number nobody knows is absent and kept', (t) => {
  const call = decode('mesos.v1.scheduler.Call', new Uint8Array([0x10, 99]))
  t.is(call.type, undefined)
  t.deepEqual([...encode('mesos.v1.scheduler.Call', call)], [0x10, 99])
})

test('64-bit integers keep every digit in protobuf and JSON', (t) => {
  const time = { nanoseconds: 1_700_000_000_123_456_789n }
  t.deepEqual(decode('mesos.v1.TimeInfo', encode('mesos.v1.TimeInfo', time)), time)
  t.is(stringifyJson('mesos.v1.TimeInfo', time), '{"nanoseconds":1700000000123456789}')
  t.deepEqual(parseJson('mesos.v1.TimeInfo', '{"nanoseconds":1700000000123456789}'), time)
})

test('doubles are printed with a point, bytes in base64, and empty lists are left out', (t) => {
  t.is(stringifyJson('mesos.v1.Filters', { refuse_seconds: 5 }), '{"refuse_seconds":5.0}')
  t.is(stringifyJson('mesos.v1.UUID', { value: new Uint8Array([1, 2]) }), '{"value":"AQI="}')
  t.deepEqual(toJson('mesos.v1.scheduler.Event', { type: 'OFFERS', offers: { offers: [] } }), {
    type: 'OFFERS',
    offers: {},
  })
})

const CALL = 'mesos.v1.scheduler.Call'
for (const { text, code, message } of [
  { text: 'hello', code: 'JSON_SYNTAX', message: 'syntax error at line 1 near: hello' },
  { text: '', code: 'JSON_SYNTAX', message: 'syntax error at line 1 near: ' },
  { text: '{}  x', code: 'JSON_SYNTAX', message: 'Parsed JSON included non-whitespace trailing characters:   x' },
  { text: '[]', code: 'JSON_SHAPE', message: 'Expecting a JSON object' },
  { text: '{"type":3}', code: 'JSON_SHAPE', message: "Not expecting a JSON number for field 'type'" },
  { text: '{"framework_id":"f"}', code: 'JSON_SHAPE', message: "Not expecting a JSON string for field 'framework_id'" },
  {
    text: '{"subscribe":{"framework_info":{"failover_timeout":"x","user":"u","name":"n"}}}',
    code: 'JSON_SHAPE',
    message: "Failed to parse 'x' as a JSON number for field 'failover_timeout': syntax error at line 1 near: x",
  },
  {
    text: '{"acknowledge":{"agent_id":{"value":"a"},"task_id":{"value":"t"},"uuid":"!!"}}',
    code: 'JSON_SHAPE',
    message: "Failed to base64 decode bytes field 'uuid': Invalid character '!'",
  },
  {
    text: '{"subscribe":{"framework_info":{}}}',
    code: 'MISSING_FIELDS',
    message: 'Missing required fields: subscribe.framework_info.user, subscribe.framework_info.name',
  },
  {
    text: '{"accept":{"offer_ids":[{}]}}',
    code: 'MISSING_FIELDS',
    message: 'Missing required fields: accept.offer_ids[0].value',
  },
] as const) {
  test(`JSON is refused with what is wrong: ${text}`, (t) => {
    const error = t.throws(() => parseJson(CALL, text), { instanceOf: WireError })
    t.is(error?.code, code)
    t.is(error?.message, message)
  })
}

for (const { name, text, expected } of [
  { name: 'unknown fields', text: '{"type":"REVIVE","nonsense":1}', expected: { type: 'REVIVE' } },
  { name: 'unknown enum names', text: '{"type":"MAKE_COFFEE"}', expected: {} },
  { name: 'null', text: '{"type":"REVIVE","revive":null}', expected: { type: 'REVIVE' } },
  {
    name: 'a number in a string',
    text: '{"decline":{"offer_ids":[],"filters":{"refuse_seconds":"2.5"}}}',
    expected: { decline: { filters: { refuse_seconds: 2.5 } } },
  },
  {
    name: 'one value where a list is wanted',
    text: '{"decline":{"offer_ids":{"value":"o"}}}',
    expected: { decline: { offer_ids: [{ value: 'o' }] } },
  },
] as const) {
  test(`JSON is read leniently: ${name}`, (t) => {
    t.deepEqual(parseJson(CALL, text) as unknown, expected)
  })
}

test('bytes that are no message are refused and never hang', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(...NAMES), (bytes, name) => {
      try {
        decode(name, bytes)
        return true
      } catch (error) {
        return error instanceof WireError
      }
    }),
    { numRuns: 2_000 },
  )
  t.throws(() => decode(CALL, new Uint8Array([0x0a, 0x05, 0x0a])), { instanceOf: WireError })
})

test('messages nested too deep are refused in protobuf and JSON', (t) => {
  let bytes = new Uint8Array([10, 1, 65])
  let text = '{"value":"A"}'
  for (let depth = 0; depth < 300; depth++) {
    const length: number[] = []
    for (let left = bytes.length; ; left >>>= 7) {
      length.push(left > 127 ? (left & 127) | 128 : left)
      if (left <= 127) break
    }
    bytes = new Uint8Array([10, 1, 65, 18, ...length, ...bytes])
    text = `{"value":"A","parent":${text}}`
  }
  t.throws(() => decode('mesos.v1.ContainerID', bytes), { instanceOf: WireError })
  t.throws(() => parseJson('mesos.v1.ContainerID', text), { instanceOf: WireError })
})
