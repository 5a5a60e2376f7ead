// Reads messages of one type from protobuf, as Google's implementations do: the last of several values counts, several parts of
// one message are merged, lists may be packed or not, and what this version does not know (fields, numbers of enums, fields
// of another wire type than theirs) is kept as bytes for the encoder.

import type protobuf from 'protobufjs/minimal.js'
import type { FieldRow } from './codec.ts'
import { ENUMS, MESSAGES } from './gen/descriptor.ts'
import { GeneratedCode } from './generated-code.ts'
import { fromLong, readInt64 } from './integers.ts'
import { missingFields } from './missing-fields.ts'
import { keepUnknown, noteUnknown } from './unknown-fields.ts'
import { WireError } from './wire-error.ts'
import { scalarWireType, WIRE_DELIMITED, WIRE_VARINT } from './wire-types.ts'

/** Messages nested deeper than this are refused; Google's implementations have the same bound. */
export const DEPTH_MAX = 100

type Message = Record<string | symbol, unknown>

/** The reader of one type, compiled when it is first used. */
interface MessageDecoder {
  /** Reads up to position `end`, into `message` if there is one. */
  read: (reader: protobuf.Reader, end: number, depth: number, message: Message | undefined) => Message
}

const decoders = new Map<string, MessageDecoder>()

/** Set by decoders when a message ends without a required field: a later part of it may still bring the field. */
const required = { isMissing: false }

/** Reads all of the reader's bytes. Throws WireError MISSING_FIELDS or PROTOBUF_MALFORMED, and what protobufjs throws. */
export function decodeMessage(name: string, reader: protobuf.Reader): Readonly<Record<string, unknown>> {
  required.isMissing = false
  const message = messageDecoder(name).read(reader, reader.len, 0, undefined)
  const missing = required.isMissing ? missingFields(name, message) : []
  if (missing.length === 0) return message
  throw new WireError('MISSING_FIELDS', `Missing required fields: ${missing.join(', ')}`)
}

function messageDecoder(name: string): MessageDecoder {
  const known = decoders.get(name)
  if (known !== undefined) return known
  const fields = MESSAGES[name]
  if (fields === undefined) throw new Error(`no message is called ${name}`)
  const decoder: MessageDecoder = {
    read: (reader, end, depth, message) => {
      decoder.read = compile(fields)
      return decoder.read(reader, end, depth, message)
    },
  }
  decoders.set(name, decoder)
  return decoder
}

/** What a compiled decoder calls: `note` = noteUnknown, `tooLong` = a value ends behind the message that holds it. */
interface Names {
  readonly note: string
  readonly tooLong: string
}

function compile(fields: readonly FieldRow[]): MessageDecoder['read'] {
  const code = new GeneratedCode()
  const names: Names = { note: code.refer(noteUnknown), tooLong: code.refer(tooLong) }
  const cases = fields.map((field) => `case ${field[0]}: ${readField(field, fields, names, code)} break;`)
  const absent = fields
    .filter((field) => field[2] === 'required')
    .map((field) => `m[${JSON.stringify(field[1])}] === undefined`)
  const check = absent.length === 0 ? '' : `if (${absent.join(' || ')}) ${code.refer(required)}.isMissing = true;`
  const source = `return function read(r, end, depth, m) {
    if (depth > ${DEPTH_MAX}) ${code.refer(tooDeep)}();
    if (m === undefined) m = {};
    let u, v, e, t, start;
    while (r.pos < end) {
      start = r.pos; t = r.tag();
      switch (t >>> 3) {
        ${cases.join('\n        ')}
      }
      r.skipType(t & 7, 0, t >>> 3);
      u = ${names.note}(u, 0, start, r.pos);
    }
    if (r.pos !== end) ${names.tooLong}();
    ${check}
    if (u !== undefined) ${code.refer(keepUnknown)}(m, r.buf, u);
    return m;
  }`
  return code.run(source) as MessageDecoder['read']
}

/** The case of one field; it `continue`s when it has taken the value, else the value is kept as unknown. */
function readField(field: FieldRow, fields: readonly FieldRow[], names: Names, code: GeneratedCode): string {
  const [, name, rule, kind, type] = field
  const key = `m[${JSON.stringify(name)}]`
  if (rule === 'map') return `if ((t & 7) === 2) { ${readMapEntry(field, names, code)} continue; }`
  const wireType = kind === 'scalar' ? scalarWireType(type) : kind === 'enum' ? WIRE_VARINT : WIRE_DELIMITED
  const isList = rule === 'repeated'
  const read = readValue(kind, type, isList ? 'undefined' : key, names, code)
  const take = isList ? `if (${key} === undefined) ${key} = [v]; else ${key}.push(v);` : `${key} = v;`
  const known = kind === 'enum' ? `if (v === undefined) { u = ${names.note}(u, 0, start, r.pos); continue; }` : ''
  const single = `if ((t & 7) === ${wireType}) { ${read} ${known} ${take} ${clearSiblings(field, fields)} continue; }`
  if (!isList || wireType === WIRE_DELIMITED) return single
  // Of a packed list each unknown number is kept as a field of its own: unpacked, since that is how the list is written.
  const element =
    kind === 'enum'
      ? `start = r.pos; ${read} if (v === undefined) u = ${names.note}(u, ${(field[0] << 3) | WIRE_VARINT}, start, r.pos); else { ${take} }`
      : `${read} ${take}`
  return `${single}
          if ((t & 7) === 2) { e = r.size() + r.pos; if (e > end) ${names.tooLong}(); while (r.pos < e) { ${element} } if (r.pos !== e) ${names.tooLong}(); continue; }`
}

/** Of the fields of a oneof the last one counts. */
function clearSiblings(field: FieldRow, fields: readonly FieldRow[]): string {
  const oneof = field[5]?.oneof
  if (oneof === undefined) return ''
  const siblings = fields.filter((other) => other !== field && other[5]?.oneof === oneof)
  return siblings.map((other) => `delete m[${JSON.stringify(other[1])}];`).join(' ')
}

/** One entry of a map is a message of key 1, a string, and value 2, a message or a string: gen.ts lets no others by. */
function readMapEntry(field: FieldRow, names: Names, code: GeneratedCode): string {
  const [, name, , kind, type] = field
  const put = code.refer((map: Message | undefined, key: string, value: unknown): Message => {
    const entries = map ?? {}
    // Defined and not assigned: '__proto__' is a key as any other.
    Object.defineProperty(entries, key, { value, enumerable: true, configurable: true, writable: true })
    return entries
  })
  const absent = kind === 'message' ? `${code.refer(messageDecoder(type))}.read(r, r.pos, depth + 2, undefined)` : `''`
  return `const me = r.size() + r.pos, outer = end; if (me > end) ${names.tooLong}();
          let mk = '', mv; end = me;
          while (r.pos < me) {
            t = r.tag();
            if (t === 10) mk = r.string();
            else if (t === ${(2 << 3) | WIRE_DELIMITED}) { ${readValue(kind, type, 'mv', names, code, 2)} mv = v; }
            else r.skipType(t & 7, 0, t >>> 3);
          }
          if (r.pos !== me) ${names.tooLong}();
          end = outer;
          if (mv === undefined) mv = ${absent};
          m[${JSON.stringify(name)}] = ${put}(m[${JSON.stringify(name)}], mk, mv);`
}

/** Reads into v. `before` is the value so far, which further parts of a message are merged into. */
function readValue(
  kind: FieldRow[3],
  type: string,
  before: string,
  names: Names,
  code: GeneratedCode,
  deeper = 1,
): string {
  if (kind === 'message') {
    const decoder = code.refer(messageDecoder(type))
    return `e = r.size() + r.pos; if (e > end) ${names.tooLong}(); v = ${decoder}.read(r, e, depth + ${deeper}, ${before});`
  }
  if (kind === 'enum') return `v = ${code.refer(enumNames(type))}[r.int32()];`
  if (type === 'int64' || type === 'uint64') return `v = ${code.refer(readInt64)}(r, '${type}');`
  if (type.endsWith('64')) return `v = ${code.refer(fromLong)}(r.${type}());`
  // A copy, since the reader's buffer may be a part of a socket's.
  if (type === 'bytes') return 'v = new Uint8Array(r.bytes());'
  return `v = r.${type}();`
}

function enumNames(type: string): Readonly<Record<number, string>> {
  const names: Record<number, string> = Object.create(null)
  for (const [name, number] of Object.entries(ENUMS[type] ?? {})) names[number] ??= name
  return names
}

function tooDeep(): never {
  throw new WireError('PROTOBUF_MALFORMED', `messages are nested more than ${DEPTH_MAX} deep`)
}

function tooLong(): never {
  throw new WireError('PROTOBUF_MALFORMED', 'a value ends behind the message that holds it')
}
