import { readFileSync } from 'node:fs'
import test from 'ava'
import { decode, encode, type MessageName, UNKNOWN_FIELDS, WireError } from './codec.ts'

/** Odd bytes and what Google's implementation makes of them; see scripts/golden_reading.py. */
interface Case {
  readonly title: string
  readonly message: MessageName
  readonly hex: string
  /** The message that was read, written again; null: refused. */
  readonly written: string | 'missing' | null
}

const CASES = JSON.parse(readFileSync(new URL('./testdata/reading.json', import.meta.url), 'utf8')) as Case[]

for (const { title, message, hex, written } of CASES) {
  test(`read as Google's protobuf does: ${title}`, (t) => {
    const read = (): string => Buffer.from(encode(message, decode(message, Buffer.from(hex, 'hex')))).toString('hex')
    if (written !== null && written !== 'missing') {
      t.is(read(), written)
      return
    }
    const error = t.throws(read, { instanceOf: WireError })
    t.is(error?.code, written === null ? 'PROTOBUF_MALFORMED' : 'MISSING_FIELDS')
  })
}

test('what is missing is listed by path, in the order of protobuf', (t) => {
  // accept{offer_ids{}} subscribe{framework_info{}}
  const bytes = Buffer.from('22020a001a020a00', 'hex')
  const error = t.throws(() => decode('mesos.v1.scheduler.Call', bytes), { instanceOf: WireError })
  t.is(
    error?.message,
    'Missing required fields: subscribe.framework_info.user, subscribe.framework_info.name, accept.offer_ids[0].value',
  )
})

test('a message that failed does not spoil the next one', (t) => {
  t.throws(() => decode('mesos.v1.FrameworkID', new Uint8Array()), { instanceOf: WireError })
  t.deepEqual(decode('mesos.v1.FrameworkID', Buffer.from('0a0161', 'hex')), { value: 'a' })
})

test('bytes are copied: the buffer they came in may be used again', (t) => {
  const buffer = Buffer.from('0a0201025a0107', 'hex')
  const message = decode('mesos.v1.UUID', buffer)
  buffer.fill(0)
  t.deepEqual([...message.value], [1, 2])
  t.deepEqual([...encode('mesos.v1.UUID', message)], [...Buffer.from('0a0201025a0107', 'hex')])
})

test('a Uint8Array that is a part of a larger buffer is read as itself', (t) => {
  const whole = new Uint8Array([9, 9, 0x0a, 1, 97, 9])
  t.deepEqual(decode('mesos.v1.FrameworkID', whole.subarray(2, 5)), { value: 'a' })
})

test('keeping unknown fields costs no more than their bytes', (t) => {
  // 200,000 fields that do not touch: each is kept by its own; taking time by their square this would last minutes.
  const fields = Buffer.from('98060110012a00'.repeat(200_000), 'hex')
  const message = decode('mesos.v1.scheduler.Call', fields)
  const kept = (message as { readonly [UNKNOWN_FIELDS]?: Uint8Array })[UNKNOWN_FIELDS]
  t.is(kept?.length, 3 * 200_000)
})

test('a message in many parts, each with unknown fields, costs no more than its bytes', (t) => {
  // Copying what is kept with each part would move 60 GB here.
  const parts = 200_000
  const message = decode('mesos.v1.scheduler.Call', Buffer.from('2a0398060'.concat('7').repeat(parts), 'hex'))
  t.is(encode('mesos.v1.scheduler.Call', message).length, 3 * parts + 4)
  const decline = message.decline as { readonly [UNKNOWN_FIELDS]?: Uint8Array }
  t.deepEqual([...(decline[UNKNOWN_FIELDS]?.subarray(-6) ?? [])], [0x98, 0x06, 7, 0x98, 0x06, 7])
})

test('spreading a message leaves its unknown fields behind, since the copy may be of another type', (t) => {
  const message = decode('mesos.v1.FrameworkID', Buffer.from('0a01615a0107', 'hex'))
  t.is(encode('mesos.v1.FrameworkID', message).length, 6)
  t.is(encode('mesos.v1.FrameworkID', { ...message }).length, 3)
})

for (const { what, name, message } of [
  { what: 'a 32-bit integer with a fraction', name: 'mesos.v1.Port', message: { number: 1.5 } },
  { what: 'a negative unsigned integer', name: 'mesos.v1.Port', message: { number: -1 } },
  { what: 'a 32-bit integer that is too large', name: 'mesos.v1.Port', message: { number: 2 ** 32 } },
  { what: 'a 64-bit integer with a fraction', name: 'mesos.v1.TimeInfo', message: { nanoseconds: 0.5 } },
  { what: 'a 64-bit integer that is too large', name: 'mesos.v1.TimeInfo', message: { nanoseconds: 2n ** 63n } },
  { what: 'a negative unsigned 64-bit integer', name: 'mesos.v1.Value.Range', message: { begin: -1, end: 1 } },
  { what: 'no number', name: 'mesos.v1.TimeInfo', message: { nanoseconds: Number.NaN } },
  { what: 'an unknown name of an enum', name: 'mesos.v1.scheduler.Call', message: { type: 'MAKE_COFFEE' } },
] as const) {
  test(`a value that its field cannot hold is refused and not bent: ${what}`, (t) => {
    const error = t.throws(() => encode(name, message as never), { instanceOf: WireError })
    t.is(error?.code, 'UNENCODABLE')
  })
}

test('a required field that is absent is refused when it is written', (t) => {
  const error = t.throws(() => encode('mesos.v1.FrameworkID', {} as never), { instanceOf: WireError })
  t.is(error?.code, 'MISSING_FIELDS')
})
