import { readFileSync } from 'node:fs'
import test from 'ava'
import fc from 'fast-check'
import {
  decode,
  defaultOf,
  encode,
  fromJson,
  type MessageName,
  parseJson,
  stringifyJson,
  toJson,
  WireError,
} from './codec.ts'
import { MESSAGES } from './gen/descriptor.ts'

/** What a real Mesos 1.11 answered and showed; ids, times and ports replaced. See testdata/README.md. */
interface Captured {
  readonly calls: readonly { readonly message: MessageName; readonly json: object; readonly error?: string }[]
  readonly printed: readonly { readonly message: MessageName; readonly json: object }[]
}

const CAPTURED = JSON.parse(readFileSync(new URL('./testdata/mesos.json', import.meta.url), 'utf8')) as Captured
const CALL = 'mesos.v1.scheduler.Call'

for (const [at, { message, json, error }] of CAPTURED.calls.entries()) {
  test(`a call is taken or refused as Mesos does: ${at} ${message} ${error ?? ''}`, (t) => {
    const read = (): object => parseJson(message, JSON.stringify(json))
    if (error === undefined) t.notThrows(read)
    else t.is(t.throws(read, { instanceOf: WireError })?.message, error)
  })
}

for (const [at, { message, json }] of CAPTURED.printed.entries()) {
  test(`what is printed has the fields that Mesos prints, no more and no fewer: ${at} ${message}`, (t) => {
    const set = withoutDefaults(message, json as Record<string, unknown>)
    t.deepEqual(JSON.parse(stringifyJson(message, fromJson(message, set))), json)
    t.deepEqual(toJson(message, fromJson(message, set)), json as Record<string, unknown>)
  })
}

/** The JSON without fields that have their declared default: as the sender may have left them out. */
function withoutDefaults(name: string, json: Record<string, unknown>): Record<string, unknown> {
  const rows = MESSAGES[name] ?? []
  const kept = Object.entries(json).flatMap(([key, value]) => {
    const [, , rule, kind, type, extras] = rows.find(([, field]) => field === key) ?? []
    if (extras?.default === value && !extras?.isDeprecated) return []
    if (kind !== 'message' || rule === 'map') return [[key, value] as const]
    const inner = Array.isArray(value)
      ? value.map((entry) => withoutDefaults(type as string, entry))
      : withoutDefaults(type as string, value as Record<string, unknown>)
    return [[key, inner] as const]
  })
  return Object.fromEntries(kept)
}

test('an absent field means its declared default, or the zero of its type', (t) => {
  t.is(defaultOf('mesos.v1.Filters', 'refuse_seconds'), 5)
  t.is(defaultOf('mesos.v1.FrameworkInfo', 'role'), '*')
  t.is(defaultOf('mesos.v1.CommandInfo', 'shell'), true)
  t.is(defaultOf('mesos.v1.HealthCheck.HTTPCheckInfo', 'protocol'), 'IPv4')
  t.is(defaultOf('mesos.v1.TaskStatus', 'healthy'), false)
  t.is(defaultOf(CALL, 'type'), 'UNKNOWN')
  t.is(defaultOf('mesos.v1.TaskStatus', 'uuid').length, 0)
})

test('a deprecated field that is absent is not printed, whatever its default', (t) => {
  t.is(
    stringifyJson('mesos.v1.FrameworkInfo', { user: 'u', name: 'n' }),
    '{"user":"u","name":"n","failover_timeout":0.0,"checkpoint":false}',
  )
  t.is(stringifyJson('mesos.v1.Value.Set', {}), '{}')
})

for (const { value, text } of [
  { value: 15, text: '15.0' },
  { value: 0.1, text: '0.1' },
  { value: -0, text: '-0.0' },
  { value: 1e300, text: '1e+300' },
  { value: 123456789012345680000, text: '123456789012345680000.0' },
  { value: Number.POSITIVE_INFINITY, text: 'null' },
  { value: Number.NaN, text: 'null' },
]) {
  test(`a double is printed with a point, and what JSON has no word for as null: ${text} ${value}`, (t) => {
    t.is(stringifyJson('mesos.v1.Value.Scalar', { value }), `{"value":${text}}`)
  })
}

test('an integer field that holds none is refused when it is printed', (t) => {
  t.is(
    t.throws(() => stringifyJson('mesos.v1.TimeInfo', { nanoseconds: 1.5 }), { instanceOf: WireError })?.code,
    'UNENCODABLE',
  )
})

test('strings are printed so that JSON.parse gives them back', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const text = stringifyJson('mesos.v1.FrameworkID', { value })
        return (
          (JSON.parse(text) as { readonly value: string }).value === value &&
          parseJson('mesos.v1.FrameworkID', text).value === value
        )
      }),
    ),
  )
  t.is(stringifyJson('mesos.v1.FrameworkID', { value: '"\\\n\u2028\ud800' }), '{"value":"\\"\\\\\\n\u2028\\ud800"}')
})

test('__proto__ is a key of a map as any other, in protobuf and JSON', (t) => {
  const text = '{"role":"r","limits":{"__proto__":{"value":1.5}}}'
  const message = parseJson('mesos.v1.quota.QuotaConfig', text)
  t.deepEqual(Object.keys(message.limits ?? {}), ['__proto__'])
  t.is(stringifyJson('mesos.v1.quota.QuotaConfig', message), text)
  t.is(
    stringifyJson(
      'mesos.v1.quota.QuotaConfig',
      decode('mesos.v1.quota.QuotaConfig', encode('mesos.v1.quota.QuotaConfig', message)),
    ),
    text,
  )
  t.is(({} as { readonly value?: unknown }).value, undefined)
})

for (const { title, text, expected } of [
  {
    title: 'null in a list counts as absent',
    text: '{"decline":{"offer_ids":[null,{"value":"o"},null]}}',
    expected: { decline: { offer_ids: [{ value: 'o' }] } },
  },
  {
    title: 'lists in lists are one list',
    text: '{"suppress":{"roles":[["a"],["b",["c"]]]}}',
    expected: { suppress: { roles: ['a', 'b', 'c'] } },
  },
  {
    title: 'a boolean may stand in a string',
    text: '{"subscribe":{"framework_info":{"user":"u","name":"n","checkpoint":"true"}}}',
    expected: { subscribe: { framework_info: { user: 'u', name: 'n', checkpoint: true } } },
  },
  {
    title: 'spaces in base64 are skipped and = ends it',
    text: '{"message":{"agent_id":{"value":"a"},"executor_id":{"value":"e"},"data":"aG k=\\n!!"}}',
    expected: { message: { agent_id: { value: 'a' }, executor_id: { value: 'e' }, data: new Uint8Array([104, 105]) } },
  },
  {
    title: 'of a member named twice the last one counts',
    text: '{"type":"KILL","type":"REVIVE"}',
    expected: { type: 'REVIVE' },
  },
] as const) {
  test(`JSON is read leniently: ${title}`, (t) => {
    t.deepEqual(parseJson(CALL, text) as unknown, expected)
  })
}

test('of the fields of a oneof the last one by name counts, as in Mesos', (t) => {
  const name = 'mesos.v1.scheduler.AttributeConstraint.Selector'
  t.deepEqual(parseJson(name, '{"pseudoattribute_type":"HOSTNAME","attribute_name":"a"}'), {
    pseudoattribute_type: 'HOSTNAME',
  })
})

for (const { given, expected } of [
  { given: '1.9', expected: 1 },
  { given: '-1', expected: 4_294_967_295 },
  { given: '4294967296', expected: 0 },
  { given: '1e3', expected: 1000 },
  { given: '"12"', expected: 12 },
  { given: '-0', expected: 0 },
]) {
  test(`an integer is cut and wraps as Mesos's casts do, so that it can always be written again: ${given}`, (t) => {
    const port = parseJson('mesos.v1.Port', `{"number":${given}}`)
    t.is(port.number, expected)
    t.notThrows(() => encode('mesos.v1.Port', port))
  })
}

for (const { text, message } of [
  { text: '{"type":"KILL"', message: 'syntax error at line 1 near: ' },
  { text: '{"type":KILL}', message: 'syntax error at line 1 near: KILL}' },
  { text: '{"type":tRUE}', message: 'syntax error at line 1 near: RUE}' },
  { text: '{\n"type":\n KILL,\n"x":1}', message: 'syntax error at line 3 near: KILL,' },
  { text: '{"a":1,}', message: 'syntax error at line 1 near: }' },
  { text: '{"a":"x\ny"}', message: 'syntax error at line 1 near: ' },
  { text: '{"a":"\\x"}', message: 'syntax error at line 1 near: "}' },
  { text: '[1,2}', message: 'syntax error at line 1 near: }' },
  { text: '{"a":1.2.3}', message: 'syntax error at line 1 near: }' },
  { text: '{"a":"', message: 'syntax error at line 1 near: ' },
  { text: '{} \n x y \n', message: 'Parsed JSON included non-whitespace trailing characters:  \n x y' },
]) {
  test(`a syntax error tells where the text stops being JSON: ${JSON.stringify(text)}`, (t) => {
    const error = t.throws(() => parseJson(CALL, text), { instanceOf: WireError })
    t.is(error?.code, 'JSON_SYNTAX')
    t.is(error?.message, message)
  })
}

for (const { text, message } of [
  { text: '{"type":["KILL"]}', message: "Not expecting a JSON array for field 'type'" },
  { text: '{"type":true}', message: "Not expecting a JSON boolean for field 'type'" },
  { text: '{"type":{}}', message: "Not expecting a JSON object for field 'type'" },
  { text: '{"kill":{"task_id":{"value":7}}}', message: "Not expecting a JSON number for field 'value'" },
  {
    text: '{"subscribe":{"framework_info":{"checkpoint":1}}}',
    message: "Not expecting a JSON number for field 'checkpoint'",
  },
  {
    text: '{"subscribe":{"framework_info":{"checkpoint":"yes"}}}',
    message: "Failed to parse 'yes' as a JSON boolean for field 'checkpoint': syntax error at line 1 near: yes",
  },
  {
    text: '{"decline":{"filters":{"refuse_seconds":"true"}}}',
    message: "Failed to parse 'true' as a JSON number for field 'refuse_seconds': Unexpected JSON type parsed",
  },
  {
    text: '{"request":{"requests":[{"resources":[{"name":"cpus","type":"LIQUID"}]}]}}',
    message: "Failed to find enum for 'LIQUID'",
  },
  { text: '{"message":{"data":"a-b_"}}', message: "Failed to base64 decode bytes field 'data': Invalid character '-'" },
  {
    text: '{"accept":{"offer_ids":[{}]},"subscribe":{"framework_info":{}},"kill":{}}',
    message:
      'Missing required fields: subscribe.framework_info.user, subscribe.framework_info.name, accept.offer_ids[0].value, kill.task_id',
  },
]) {
  test(`JSON of another shape is refused in Mesos's words: ${text}`, (t) => {
    t.is(t.throws(() => parseJson(CALL, text), { instanceOf: WireError })?.message, message)
  })
}

test('text that is wrong is repeated only in part', (t) => {
  const error = t.throws(() => parseJson(CALL, `{"type":x${'y'.repeat(1_000_000)}`), { instanceOf: WireError })
  t.true((error?.message.length ?? 0) < 2000)
})

for (const { title, text } of [
  { title: 'lists in an unknown field', text: `{"nonsense":${'['.repeat(200_000)}${']'.repeat(200_000)}}` },
  { title: 'objects in an unknown field', text: `{"nonsense":${'{"a":'.repeat(200_000)}1${'}'.repeat(200_000)}}` },
]) {
  test(`however deep, what is not read does no harm: ${title}`, (t) => {
    t.deepEqual(parseJson(CALL, text), {})
  })
}

for (const { title, text } of [
  { title: 'lists of a field', text: `{"suppress":{"roles":${'['.repeat(200_000)}"r"${']'.repeat(200_000)}}}` },
  { title: 'lists with a long number', text: `{"x":${'['.repeat(200_000)}12345678901234567890${']'.repeat(200_000)}}` },
  { title: 'lists that do not end', text: '['.repeat(1_000_000) },
  { title: 'objects that do not end', text: '{"a":'.repeat(200_000) },
]) {
  test(`what is too deep is refused and ends nothing: ${title}`, (t) => {
    t.throws(() => parseJson(CALL, text), { instanceOf: WireError })
  })
}

test('random JSON is taken or refused, and what is taken can be written', (t) => {
  const names = Object.keys(MESSAGES) as MessageName[]
  const fields = [...new Set(Object.values(MESSAGES).flatMap((rows) => rows.map(([, field]) => field)))]
  const json = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 5 },
      fc.constantFrom(null, true, 0, -1.5, 1e20, '', 'x', '7', 'AQI=', 'KILL'),
      fc.dictionary(fc.constantFrom(...fields), tie('value'), { maxKeys: 6 }),
      fc.array(tie('value'), { maxLength: 3 }),
    ),
  })).value
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.constantFrom(...names), json, (name, value) => {
        try {
          const message = fromJson(name, value)
          return encode(name, message).length >= 0 && stringifyJson(name, message) !== ''
        } catch (error) {
          return error instanceof WireError && error.code !== 'UNENCODABLE'
        }
      }),
      { numRuns: 3000 },
    ),
  )
})
