// Writes messages of one type in protobuf: known fields by number, then the bytes of unknown ones.

import type protobuf from 'protobufjs/minimal.js'
import type { FieldRow } from './codec.ts'
import { ENUMS, MESSAGES } from './gen/descriptor.ts'
import { GeneratedCode } from './generated-code.ts'
import { signed32, signed64, unsigned32, unsigned64 } from './integers.ts'
import { UNKNOWN_FIELDS } from './unknown-fields.ts'
import { WireError } from './wire-error.ts'
import { scalarWireType, WIRE_DELIMITED, WIRE_VARINT } from './wire-types.ts'

type Message = Readonly<Record<string | symbol, unknown>>

/** The writer of one type, compiled when it is first used. */
export interface MessageEncoder {
  write: (writer: protobuf.Writer, message: Message) => void
}

const encoders = new Map<string, MessageEncoder>()

/** Checks that stand between a message's integers and the bytes; other scalars need none. */
const INTEGER_CHECKS: Readonly<Record<string, (value: never) => unknown>> = {
  int32: signed32,
  sint32: signed32,
  sfixed32: signed32,
  uint32: unsigned32,
  fixed32: unsigned32,
  int64: signed64,
  sint64: signed64,
  sfixed64: signed64,
  uint64: unsigned64,
  fixed64: unsigned64,
}

/** The encoder of a type by its full name. */
export function messageEncoder(name: string): MessageEncoder {
  const known = encoders.get(name)
  if (known !== undefined) return known
  const fields = MESSAGES[name]
  if (fields === undefined) throw new Error(`no message is called ${name}`)
  const encoder: MessageEncoder = {
    write: (writer, message) => {
      encoder.write = compile(name, fields)
      encoder.write(writer, message)
    },
  }
  encoders.set(name, encoder)
  return encoder
}

function compile(name: string, fields: readonly FieldRow[]): MessageEncoder['write'] {
  const code = new GeneratedCode()
  const missing = code.refer((field: string) => {
    throw new WireError('MISSING_FIELDS', `Missing required fields: ${field} of ${name}`)
  })
  const body = [...fields].sort((a, b) => a[0] - b[0]).map((field) => writeField(field, missing, code))
  const source = `return function write(w, m) {
    var v;
    ${body.join('\n    ')}
    v = m[${code.refer(UNKNOWN_FIELDS)}]; if (v !== undefined) w.raw(v);
  }`
  return code.run(source) as MessageEncoder['write']
}

function writeField(field: FieldRow, missing: string, code: GeneratedCode): string {
  const [id, name, rule, kind, type] = field
  const take = `v = m[${JSON.stringify(name)}];`
  if (rule === 'map') {
    const value = writeValue(2, kind, type, 'v[k]', code)
    return `${take} if (v != null) for (const k of Object.keys(v)) { w.uint32(${tag(id, WIRE_DELIMITED)}).fork().uint32(10).string(k); ${value} w.ldelim(); }`
  }
  if (rule === 'repeated')
    return `${take} if (v != null) for (let i = 0; i < v.length; i++) { ${writeValue(id, kind, type, 'v[i]', code)} }`
  const write = writeValue(id, kind, type, 'v', code)
  if (rule === 'required') return `${take} if (v == null) ${missing}(${JSON.stringify(name)}); ${write}`
  return `${take} if (v != null) { ${write} }`
}

function writeValue(id: number, kind: FieldRow[3], type: string, value: string, code: GeneratedCode): string {
  if (kind === 'message') {
    const encoder = code.refer(messageEncoder(type))
    return `w.uint32(${tag(id, WIRE_DELIMITED)}).fork(); ${encoder}.write(w, ${value}); w.ldelim();`
  }
  if (kind === 'enum') {
    const numbers = code.refer(enumNumber(type))
    return `w.uint32(${tag(id, WIRE_VARINT)}).int32(${numbers}(${value}));`
  }
  const check = INTEGER_CHECKS[type]
  const written = check === undefined ? value : `${code.refer(check)}(${value})`
  return `w.uint32(${tag(id, scalarWireType(type))}).${type}(${written});`
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
