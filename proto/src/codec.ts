// Bytes and JSON text to messages and back. The one place that knows protobuf's and Mesos's quirks; see message-encoder.ts and
// message-decoder.ts for the bytes, json-writer.ts and json-reader.ts for the text.
//
// A message is a plain object with the field names of its .proto file; see scripts/gen.ts for how types look. Nothing that
// reads fills in defaults: an absent field is absent, and defaultOf tells what it means.

import protobuf from 'protobufjs/minimal.js'
import { ENUMS, MESSAGES, type MessageTypes } from './gen/descriptor.ts'
import { messageFromJson } from './json-reader.ts'
import { parseText } from './json-syntax.ts'
import { messageToJson, messageToText } from './json-writer.ts'
import { decodeMessage } from './message-decoder.ts'
import { messageEncoder } from './message-encoder.ts'
import { WireError } from './wire-error.ts'

export { UNKNOWN_FIELDS } from './unknown-fields.ts'
export { WireError, type WireErrorCode } from './wire-error.ts'

/** A 64-bit integer: a number, or a bigint where a number would lose digits. */
export type Int64 = number | bigint

/** One field of a message: number, name, rule, kind, type (a scalar's name or a full type name), and what few fields have. */
export type FieldRow = readonly [
  id: number,
  name: string,
  rule: 'required' | 'optional' | 'repeated' | 'map',
  kind: 'scalar' | 'enum' | 'message',
  type: string,
  extras?: FieldExtras,
]

/** What few fields have. */
export interface FieldExtras {
  /** The default that the .proto file declares; an enum's is a name. */
  readonly default?: string | number | boolean
  readonly isDeprecated?: true
  /** Of the fields with one name here at most one is set. */
  readonly oneof?: string
}

/** Full name of a message: `mesos.v1.TaskInfo`. */
export type MessageName = keyof MessageTypes

/** A message as protobuf bytes. Throws WireError MISSING_FIELDS or UNENCODABLE: that is a bug of the caller. */
export function encode<N extends MessageName>(name: N, message: MessageTypes[N]): Uint8Array {
  const writer = protobuf.Writer.create()
  messageEncoder(name).write(writer, message as never)
  return writer.finish()
}

/** Protobuf bytes as a message; fields nobody knows are kept for `encode`. Throws WireError PROTOBUF_MALFORMED or MISSING_FIELDS. */
export function decode<N extends MessageName>(name: N, bytes: Uint8Array): MessageTypes[N] {
  try {
    return decodeMessage(name, protobuf.Reader.create(asBuffer(bytes))) as never
  } catch (cause) {
    if (cause instanceof WireError) throw cause
    throw new WireError('PROTOBUF_MALFORMED', `these bytes are no ${name}`, { cause })
  }
}

/** The same bytes as a Buffer, whose strings are read natively. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/**
 * A message as a value for JSON.stringify: enums by name, bytes in base64, absent fields with their declared default as in
 * stringifyJson. A 64-bit integer may be a bigint, which JSON.stringify refuses: prefer stringifyJson.
 */
export function toJson<N extends MessageName>(name: N, message: MessageTypes[N]): Record<string, unknown> {
  return messageToJson(name, message as never)
}

/**
 * A message as JSON text in Mesos's spelling: all digits of 64-bit integers, doubles with a point (15.0), and, as Mesos does, an
 * absent field with the default that its .proto file declares unless it is deprecated ("checkpoint":false).
 * Throws WireError UNENCODABLE: that is a bug of the caller.
 */
export function stringifyJson<N extends MessageName>(name: N, message: MessageTypes[N]): string {
  return messageToText(name, message as never)
}

/** A JSON value as a message. Throws WireError JSON_SHAPE or MISSING_FIELDS. */
export function fromJson<N extends MessageName>(name: N, value: unknown): MessageTypes[N] {
  return messageFromJson(name, value) as never
}

/** JSON text as a message. Throws WireError JSON_SYNTAX, JSON_SHAPE or MISSING_FIELDS. */
export function parseJson<N extends MessageName>(name: N, text: string): MessageTypes[N] {
  return fromJson(name, parseText(text))
}

/**
 * What an absent field means: the default of its .proto file, or else the zero of its type (0, false, '', no bytes, the first
 * name of an enum). Lists, maps and messages have none: undefined.
 */
export function defaultOf<N extends MessageName, F extends keyof MessageTypes[N] & string>(
  name: N,
  field: F,
): Exclude<MessageTypes[N][F], undefined> {
  const row = MESSAGES[name]?.find(([, fieldName]) => fieldName === field)
  if (row === undefined) throw new Error(`${name} has no field ${field}`)
  return zeroOf(row) as never
}

function zeroOf([, , rule, kind, type, extras]: FieldRow): unknown {
  if (rule === 'repeated' || rule === 'map' || kind === 'message') return undefined
  if (extras?.default !== undefined) return extras.default
  if (kind === 'enum') return Object.keys(ENUMS[type] ?? {})[0]
  switch (type) {
    case 'string':
      return ''
    case 'bytes':
      return new Uint8Array(0)
    case 'bool':
      return false
    default:
      return 0
  }
}
