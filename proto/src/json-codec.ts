// Messages to JSON and back, in Mesos's spelling: enums by name, bytes in base64, 64-bit integers as numbers, doubles with a
// point. What is read is taken leniently: unknown fields are left out, null is absent, an enum name nobody knows is absent, a
// number may stand in a string, and a bare value where a list is wanted is a list of one.

import type { FieldRow } from './codec.ts'
import { ENUMS, MESSAGES } from './gen/descriptor.ts'
import { JSON_DEPTH_MAX } from './json-syntax.ts'
import { WireError } from './wire-error.ts'

type Message = Readonly<Record<string, unknown>>

const FLOATS: ReadonlySet<string> = new Set(['double', 'float'])

/** Names of all missing fields, found on the way through a message. */
interface Reading {
  readonly missing: string[]
}

/** Makes a message from a JSON value. Throws WireError JSON_SHAPE, or MISSING_FIELDS naming all of them by path. */
export function messageFromJson(name: string, value: unknown): Message {
  if (!isObject(value)) throw new WireError('JSON_SHAPE', 'Expecting a JSON object')
  const reading: Reading = { missing: [] }
  const message = readMessage(name, value, reading, '', 0)
  if (reading.missing.length === 0) return message
  throw new WireError('MISSING_FIELDS', `Missing required fields: ${reading.missing.join(', ')}`)
}

function readMessage(name: string, value: Message, reading: Reading, path: string, depth: number): Message {
  if (depth > JSON_DEPTH_MAX) throw new WireError('JSON_SHAPE', `messages are nested more than ${JSON_DEPTH_MAX} deep`)
  const message: Record<string, unknown> = {}
  for (const field of MESSAGES[name] ?? []) {
    const [, fieldName, rule] = field
    const given = Object.hasOwn(value, fieldName) ? value[fieldName] : undefined
    const at = path + fieldName
    const read = given === undefined || given === null ? undefined : readField(field, given, reading, at, depth)
    if (read !== undefined) message[fieldName] = read
    else if (rule === 'required') reading.missing.push(at)
  }
  return message
}

function readField(field: FieldRow, given: unknown, reading: Reading, path: string, depth: number): unknown {
  const [, name, rule, kind, type] = field
  if (rule === 'map') {
    if (!isObject(given)) throw unexpected(given, name)
    const entries = Object.entries(given).flatMap(([key, entry]) => {
      const value = readValue({ kind, type, name }, entry, reading, `${path}[${key}]`, depth)
      return value === undefined ? [] : [[key, value] as const]
    })
    return Object.fromEntries(entries)
  }
  if (rule !== 'repeated') {
    if (Array.isArray(given)) throw unexpected(given, name)
    return readValue({ kind, type, name }, given, reading, path, depth)
  }
  const list = Array.isArray(given) ? given : [given]
  const values = list.map((entry, at) => readValue({ kind, type, name }, entry, reading, `${path}[${at}]`, depth))
  const present = values.filter((entry) => entry !== undefined)
  return present.length === 0 ? undefined : present
}

interface ValueType {
  readonly kind: FieldRow[3]
  readonly type: string
  readonly name: string
}

function readValue(field: ValueType, given: unknown, reading: Reading, path: string, depth: number): unknown {
  if (given === null) return undefined
  if (field.kind === 'message') {
    if (!isObject(given)) throw unexpected(given, field.name)
    return readMessage(field.type, given, reading, `${path}.`, depth + 1)
  }
  if (field.kind === 'enum') {
    if (typeof given !== 'string') throw unexpected(given, field.name)
    return Object.hasOwn(ENUMS[field.type] ?? {}, given) ? given : undefined
  }
  switch (field.type) {
    case 'string':
      if (typeof given !== 'string') throw unexpected(given, field.name)
      return given
    case 'bytes':
      if (typeof given !== 'string') throw unexpected(given, field.name)
      return readBase64(given, field.name)
    case 'bool':
      if (typeof given !== 'boolean') throw unexpected(given, field.name)
      return given
    default:
      return readNumber(field, given)
  }
}

function readNumber(field: ValueType, given: unknown): number | bigint {
  if (typeof given === 'string') return readNumber(field, numberInText(given, field.name))
  if (typeof given === 'bigint') return FLOATS.has(field.type) ? Number(given) : clampInteger(given, field.type)
  if (typeof given !== 'number') throw unexpected(given, field.name)
  if (FLOATS.has(field.type)) return given
  return clampInteger(BigInt(Math.trunc(Number.isFinite(given) ? given : 0)), field.type)
}

function numberInText(text: string, name: string): number | bigint {
  if (/^\s*-?\d{16,}\s*$/.test(text)) return BigInt(text.trim())
  if (/^\s*-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*$/.test(text)) return Number(text)
  throw new WireError(
    'JSON_SHAPE',
    `Failed to parse '${text}' as a JSON number for field '${name}': syntax error at line 1 near: ${text}`,
  )
}

/** Integers wrap as C++ casts do: what comes out can always be encoded again. */
function clampInteger(value: bigint, type: string): number | bigint {
  const bits = type.endsWith('64') ? 64 : 32
  const isUnsigned = type.startsWith('u') || type.startsWith('fixed')
  const wrapped = isUnsigned ? BigInt.asUintN(bits, value) : BigInt.asIntN(bits, value)
  const number = Number(wrapped)
  return Number.isSafeInteger(number) ? number : wrapped
}

function readBase64(text: string, name: string): Uint8Array {
  const wrong = /[^A-Za-z0-9+/=\s_-]/.exec(text)
  if (wrong !== null) {
    throw new WireError('JSON_SHAPE', `Failed to base64 decode bytes field '${name}': Invalid character '${wrong[0]}'`)
  }
  return new Uint8Array(Buffer.from(text, 'base64'))
}

function unexpected(given: unknown, name: string): WireError {
  return new WireError('JSON_SHAPE', `Not expecting a JSON ${jsonKind(given)} for field '${name}'`)
}

function jsonKind(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  return typeof value === 'bigint' ? 'number' : typeof value
}

function isObject(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The message as text, with doubles as Mesos prints them. */
export function messageToText(name: string, message: Message): string {
  const parts: string[] = []
  for (const field of MESSAGES[name] ?? []) {
    const value = message[field[1]]
    if (value === undefined || value === null) continue
    parts.push(`"${field[1]}":${fieldToText(field, value)}`)
  }
  return `{${parts.join(',')}}`
}

function fieldToText(field: FieldRow, value: unknown): string {
  const [, , rule, kind, type] = field
  if (rule === 'map') {
    const entries = Object.entries(value as Message)
    return `{${entries.map(([key, entry]) => `${JSON.stringify(key)}:${valueToText(kind, type, entry)}`).join(',')}}`
  }
  if (rule !== 'repeated') return valueToText(kind, type, value)
  // An empty list that is there is printed: some of Mesos's answers show them, and whoever builds the message decides.
  return `[${(value as readonly unknown[]).map((entry) => valueToText(kind, type, entry)).join(',')}]`
}

function valueToText(kind: FieldRow[3], type: string, value: unknown): string {
  if (kind === 'message') return messageToText(type, value as Message)
  if (kind === 'enum') return `"${String(value)}"`
  if (type === 'bytes') return `"${base64(value as Uint8Array)}"`
  if (typeof value === 'string') return JSON.stringify(value)
  if (FLOATS.has(type) && Number.isInteger(value) && Math.abs(value as number) < 1e15) return `${value as number}.0`
  return String(value)
}

/** The message as a value for JSON.stringify; 64-bit integers beyond a number's reach stay bigint. */
export function messageToJson(name: string, message: Message): Record<string, unknown> {
  const json: Record<string, unknown> = {}
  for (const [, field, rule, kind, type] of MESSAGES[name] ?? []) {
    const value = message[field]
    if (value === undefined || value === null) continue
    const convert = (entry: unknown): unknown => valueToJson(kind, type, entry)
    if (rule === 'map')
      json[field] = Object.fromEntries(Object.entries(value as Message).map(([key, entry]) => [key, convert(entry)]))
    else if (rule !== 'repeated') json[field] = convert(value)
    else if ((value as readonly unknown[]).length > 0) json[field] = (value as readonly unknown[]).map(convert)
  }
  return json
}

function valueToJson(kind: FieldRow[3], type: string, value: unknown): unknown {
  if (kind === 'message') return messageToJson(type, value as Message)
  return type === 'bytes' && kind === 'scalar' ? base64(value as Uint8Array) : value
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}
