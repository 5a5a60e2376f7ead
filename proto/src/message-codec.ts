// Encodes and decodes one message type in protobuf. The code for a type is made as source text from its row of the descriptor
// when the type is first used, as protobufjs does for its own types: it runs twice as fast as walking the descriptor, and a
// program that uses ten types compiles ten.
//
// Fields this version does not know, and enum numbers it has no name for, are kept as their bytes under UNKNOWN_FIELDS and are
// written back behind the known ones.

import type protobuf from 'protobufjs/minimal.js'
import type { FieldRow } from './codec.ts'
import { ENUMS, MESSAGES } from './gen/descriptor.ts'
import { WireError } from './wire-error.ts'

/** Where a decoded message keeps the bytes of fields that are not in the descriptor. */
export const UNKNOWN_FIELDS: unique symbol = Symbol('unknown fields')
/** Messages nested deeper than this are refused. */
export const DEPTH_MAX = 100

type Message = Record<string | symbol, unknown>

/** Both directions of one type. */
export interface MessageCodec {
  encodeInto: (writer: protobuf.Writer, message: Message) => void
  /** Reads up to position `end`. */
  decodeFrom: (reader: protobuf.Reader, end: number, depth: number) => Message
}

const codecs = new Map<string, MessageCodec>()

const WIRE_VARINT = 0
const WIRE_64 = 1
const WIRE_DELIMITED = 2
const WIRE_32 = 5

const WIRE_TYPES: Readonly<Record<string, number>> = {
  double: WIRE_64,
  fixed64: WIRE_64,
  sfixed64: WIRE_64,
  float: WIRE_32,
  fixed32: WIRE_32,
  sfixed32: WIRE_32,
  string: WIRE_DELIMITED,
  bytes: WIRE_DELIMITED,
}
const INT64_TYPES: ReadonlySet<string> = new Set(['int64', 'uint64', 'sint64', 'fixed64', 'sfixed64'])

/** The codec of a type by its full name; asserts that the descriptor has it. */
export function messageCodec(name: string): MessageCodec {
  const known = codecs.get(name)
  if (known !== undefined) return known
  const fields = MESSAGES[name]
  if (fields === undefined) throw new Error(`no message is called ${name}`)
  const codec: MessageCodec = {
    encodeInto: (writer, message) => {
      codec.encodeInto = compileEncoder(name, fields)
      codec.encodeInto(writer, message)
    },
    decodeFrom: (reader, end, depth) => {
      codec.decodeFrom = compileDecoder(name, fields)
      return codec.decodeFrom(reader, end, depth)
    },
  }
  codecs.set(name, codec)
  return codec
}

function compileEncoder(name: string, fields: readonly FieldRow[]): MessageCodec['encodeInto'] {
  const refs = new References()
  const body = [...fields].sort((a, b) => a[0] - b[0]).map((field) => encodeField(field, refs))
  const source = `return function encode(w, m) { var v; ${body.join('\n')} v = m[UNKNOWN]; if (v !== undefined) w.raw(v) }`
  return refs.build(source, {
    UNKNOWN: UNKNOWN_FIELDS,
    missing: missingField(name),
    int64: writableInt64,
  }) as MessageCodec['encodeInto']
}

function encodeField(field: FieldRow, refs: References): string {
  const [id, name, rule, kind, type] = field
  const access = `v = m[${JSON.stringify(name)}];`
  if (rule === 'map') {
    const value = encodeValue(2, kind, type, 'x[k]', refs)
    return `${access} if (v != null) { var x = v; for (var k of Object.keys(x)) { w.uint32(${tag(id, WIRE_DELIMITED)}).fork().uint32(10).string(k); ${value} w.ldelim() } }`
  }
  if (rule === 'repeated')
    return `${access} if (v != null) for (var i = 0; i < v.length; i++) { ${encodeValue(id, kind, type, 'v[i]', refs)} }`
  const write = encodeValue(id, kind, type, 'v', refs)
  if (rule === 'required') return `${access} if (v == null) missing(${JSON.stringify(name)}); ${write}`
  return `${access} if (v != null) { ${write} }`
}

function encodeValue(id: number, kind: FieldRow[3], type: string, value: string, refs: References): string {
  if (kind === 'message') {
    const codec = refs.add(messageCodec(type))
    return `w.uint32(${tag(id, WIRE_DELIMITED)}).fork(); ${codec}.encodeInto(w, ${value}); w.ldelim();`
  }
  if (kind === 'enum') {
    const numbers = refs.add(enumNumber(type))
    return `w.uint32(${tag(id, WIRE_VARINT)}).int32(${numbers}(${value}));`
  }
  const written = INT64_TYPES.has(type) ? `int64(${value})` : value
  return `w.uint32(${tag(id, WIRE_TYPES[type] ?? WIRE_VARINT)}).${type}(${written});`
}

function compileDecoder(name: string, fields: readonly FieldRow[]): MessageCodec['decodeFrom'] {
  const refs = new References()
  const cases = fields.map((field) => `case ${field[0]}: ${decodeField(field, refs)}`)
  const required = fields.filter((field) => field[2] === 'required').map((field) => JSON.stringify(field[1]))
  const checks = required.map((field) => `if (m[${field}] === undefined) missing(${field});`)
  const source = `return function decode(r, end, depth) {
    if (depth > ${DEPTH_MAX}) tooDeep();
    var m = {}, v, start, t, e;
    while (r.pos < end) {
      start = r.pos; t = r.uint32();
      switch (t >>> 3) { ${cases.join('\n')} }
      r.skipType(t & 7, 0, t >>> 3); keep(m, r, start);
    }
    if (r.pos !== end) tooLong();
    ${checks.join('\n')}
    return m }`
  const environment = { keep: keepUnknown, missing: missingField(name), int64: readableInt64, tooDeep, tooLong }
  return refs.build(source, environment) as MessageCodec['decodeFrom']
}

/** The case of one field; a wire type other than the field's own falls through to the unknown ones. */
function decodeField(field: FieldRow, refs: References): string {
  const [, name, rule, kind, type] = field
  const key = JSON.stringify(name)
  const wireType =
    kind === 'scalar' ? (WIRE_TYPES[type] ?? WIRE_VARINT) : kind === 'enum' ? WIRE_VARINT : WIRE_DELIMITED
  if (rule === 'map') return `if ((t & 7) === 2) { ${decodeMapEntry(key, kind, type, refs)} continue; } break;`
  const read = decodeValue(kind, type, refs)
  const keep = rule === 'repeated' ? `(m[${key}] || (m[${key}] = [])).push(v)` : `m[${key}] = v`
  const unnamed = kind === 'enum' ? 'if (v === undefined) { keep(m, r, start); continue; }' : ''
  const single = `if ((t & 7) === ${wireType}) { ${read} ${unnamed} ${keep}; continue; }`
  if (rule !== 'repeated' || wireType === WIRE_DELIMITED) return `${single} break;`
  const packed = `if ((t & 7) === 2) { e = r.uint32() + r.pos; while (r.pos < e) { ${read} if (v !== undefined) ${keep}; } continue; }`
  return `${single} ${packed} break;`
}

function decodeMapEntry(key: string, kind: FieldRow[3], type: string, refs: References): string {
  const read = decodeValue(kind, type, refs)
  const empty = kind === 'message' ? `v = {};` : `v = '';`
  return `var me = r.uint32() + r.pos, mk = ''; ${empty}
    while (r.pos < me) { t = r.uint32(); if (t === 10) mk = r.string(); else if ((t >>> 3) === 2) { ${read} } else r.skipType(t & 7, 0, t >>> 3); }
    if (m[${key}] === undefined) m[${key}] = {};
    Object.defineProperty(m[${key}], mk, { value: v, enumerable: true, configurable: true, writable: true });`
}

function decodeValue(kind: FieldRow[3], type: string, refs: References): string {
  if (kind === 'message') {
    const codec = refs.add(messageCodec(type))
    return `e = r.uint32() + r.pos; if (e > end) tooLong(); v = ${codec}.decodeFrom(r, e, depth + 1);`
  }
  if (kind === 'enum') return `v = ${refs.add(enumName(type))}[r.int32()];`
  if (INT64_TYPES.has(type)) return `v = int64(r.${type}());`
  // A copy, since the reader's buffer may be a part of a socket's.
  if (type === 'bytes') return 'v = new Uint8Array(r.bytes());'
  return `v = r.${type}();`
}

/** Values that generated code refers to, by the names it knows them under. */
class References {
  readonly #values: unknown[] = []

  add(value: unknown): string {
    this.#values.push(value)
    return `R${this.#values.length - 1}`
  }

  build(source: string, environment: Readonly<Record<string, unknown>>): unknown {
    const names = [...Object.keys(environment), ...this.#values.map((_, at) => `R${at}`)]
    return new Function(...names, source)(...Object.values(environment), ...this.#values)
  }
}

function tag(id: number, wireType: number): number {
  return ((id << 3) | wireType) >>> 0
}

function enumNumber(type: string): (name: string) => number {
  const numbers = new Map(Object.entries(ENUMS[type] ?? {}))
  return (name) => {
    const number = numbers.get(name)
    if (number === undefined) throw new WireError('UNENCODABLE', `${type} has no value ${String(name)}`)
    return number
  }
}

function enumName(type: string): Readonly<Record<number, string>> {
  const names: Record<number, string> = Object.create(null)
  for (const [name, number] of Object.entries(ENUMS[type] ?? {})) names[number] ??= name
  return names
}

function missingField(message: string): (field: string) => never {
  return (field) => {
    throw new WireError('MISSING_FIELDS', `Missing required fields: ${field} of ${message}`)
  }
}

function tooDeep(): never {
  throw new WireError('PROTOBUF_MALFORMED', `messages are nested more than ${DEPTH_MAX} deep`)
}

function tooLong(): never {
  throw new WireError('PROTOBUF_MALFORMED', 'a message ends behind the one that holds it')
}

function keepUnknown(message: Message, reader: protobuf.Reader, start: number): void {
  const bytes = reader.buf.slice(start, reader.pos)
  const before = message[UNKNOWN_FIELDS] as Uint8Array | undefined
  if (before === undefined) {
    // Not enumerable: copies of a message by spreading lose it, comparisons do not see it.
    Object.defineProperty(message, UNKNOWN_FIELDS, { value: new Uint8Array(bytes), writable: true, configurable: true })
    return
  }
  const joined = new Uint8Array(before.length + bytes.length)
  joined.set(before)
  joined.set(bytes, before.length)
  message[UNKNOWN_FIELDS] = joined
}

interface LongBits {
  readonly low: number
  readonly high: number
  readonly unsigned: boolean
}

/** protobufjs's 64-bit values as numbers where they are exact. */
function readableInt64(value: LongBits | number): number | bigint {
  if (typeof value === 'number') return value
  const high = value.unsigned ? value.high >>> 0 : value.high
  const number = high * 4_294_967_296 + (value.low >>> 0)
  if (Number.isSafeInteger(number)) return number
  return (BigInt(high) << 32n) | BigInt(value.low >>> 0)
}

function writableInt64(value: unknown): number | LongBits {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value
  if (typeof value !== 'bigint' && typeof value !== 'number')
    throw new WireError('UNENCODABLE', `${String(value)} is no 64-bit integer`)
  if (typeof value === 'number' && !Number.isInteger(value))
    throw new WireError('UNENCODABLE', `${value} is no 64-bit integer`)
  const bits = BigInt.asUintN(64, BigInt(value))
  return { low: Number(bits & 0xffff_ffffn) | 0, high: Number(bits >> 32n) | 0, unsigned: false }
}
