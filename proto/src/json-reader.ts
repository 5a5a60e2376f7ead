// Messages from JSON, as lenient as Mesos: unknown fields are left out, null is absent, an unknown name of an enum is absent, a
// number or boolean may stand in a string, and a bare value where a list is wanted is a list of one. What is refused is
// refused in Mesos's words.

import type { FieldRow } from './codec.ts'
import { ENUMS, MESSAGES } from './gen/descriptor.ts'
import { GeneratedCode } from './generated-code.ts'
import { readBase64, readBoolean, readDouble, readInteger, readString, unexpected } from './json-scalars.ts'
import { missingFields } from './missing-fields.ts'
import { WireError } from './wire-error.ts'

/** Messages nested deeper than this are refused, as in protobuf. */
export const MESSAGE_DEPTH_MAX = 100
/** Lists within lists are taken as one list, but not deeper than this. */
const LIST_DEPTH_MAX = 100

type Message = Readonly<Record<string, unknown>>
/** Turns a JSON value, never null, into the field's; undefined when it counts as absent. */
type Reader = (given: unknown, field: string, depth: number) => unknown

/** The reader of one message, compiled when it is first used. */
interface MessageReader {
  read: (json: Message, depth: number) => Message
}

const readers = new Map<string, MessageReader>()

/** Set when a required field is absent somewhere. */
const required = { isMissing: false }

/** Makes a message from a JSON value. Throws WireError JSON_SHAPE, or MISSING_FIELDS naming all of them by path. */
export function messageFromJson(name: string, value: unknown): Message {
  if (!isObject(value)) throw new WireError('JSON_SHAPE', 'Expecting a JSON object')
  required.isMissing = false
  const message = messageReader(name).read(value, 0)
  if (!required.isMissing) return message
  throw new WireError('MISSING_FIELDS', `Missing required fields: ${missingFields(name, message).join(', ')}`)
}

function messageReader(name: string): MessageReader {
  const known = readers.get(name)
  if (known !== undefined) return known
  const fields = MESSAGES[name]
  if (fields === undefined) throw new Error(`no message is called ${name}`)
  const reader: MessageReader = {
    read: (json, depth) => {
      reader.read = compile(fields)
      return reader.read(json, depth)
    },
  }
  readers.set(name, reader)
  return reader
}

function compile(fields: readonly FieldRow[]): MessageReader['read'] {
  const code = new GeneratedCode()
  // Mesos goes through an object by name, and of a oneof the last field counts.
  const oneofs = fields.filter((field) => field[5]?.oneof !== undefined).sort((a, b) => (a[1] < b[1] ? -1 : 1))
  const others = fields.filter((field) => field[5]?.oneof === undefined)
  const flag = code.refer(required)
  const body = [...others, ...oneofs].map((field) => readField(field, fields, flag, code))
  const source = `return function read(j, depth) {
    if (depth > ${MESSAGE_DEPTH_MAX}) ${code.refer(tooDeep)}();
    const m = {};
    let v;
    ${body.join('\n    ')}
    return m;
  }`
  return code.run(source) as MessageReader['read']
}

function readField(field: FieldRow, fields: readonly FieldRow[], flag: string, code: GeneratedCode): string {
  const [, name, rule, kind, type, extras] = field
  const key = JSON.stringify(name)
  const one = valueReader(kind, type, rule === 'required')
  const reader = code.refer(rule === 'map' ? mapReader(one) : rule === 'repeated' ? listReader(one) : one)
  const siblings = fields.filter((other) => other !== field && extras !== undefined && other[5]?.oneof === extras.oneof)
  const clear = extras?.oneof === undefined ? [] : siblings.map((other) => `delete m[${JSON.stringify(other[1])}];`)
  const absent = rule === 'required' ? ` if (v === undefined) ${flag}.isMissing = true; else` : ' if (v !== undefined)'
  const take = clear.length === 0 ? `m[${key}] = v;` : `{ m[${key}] = v; ${clear.join(' ')} }`
  const read = `v = j[${key}]; v = v === undefined || v === null ? undefined : ${reader}(v, ${key}, depth);`
  return `${read}${absent} ${take}`
}

function valueReader(kind: FieldRow[3], type: string, isRequired: boolean): Reader {
  if (kind === 'message') {
    const message = messageReader(type)
    return (given, field, depth) => {
      if (!isObject(given)) throw unexpected(given, field)
      return message.read(given, depth + 1)
    }
  }
  if (kind === 'enum') return enumReader(type, isRequired)
  switch (type) {
    case 'string':
      return readString
    case 'bytes':
      return readBase64
    case 'bool':
      return readBoolean
    case 'double':
    case 'float':
      return readDouble
    default:
      return readInteger(type)
  }
}

/** An unknown name counts as absent, but in a required field, whose absence would hide what is wrong, it is refused. */
function enumReader(type: string, isRequired: boolean): Reader {
  const names = new Set(Object.keys(ENUMS[type] ?? {}))
  return (given, field) => {
    if (typeof given !== 'string') throw unexpected(given, field)
    if (names.has(given)) return given
    if (isRequired) throw new WireError('JSON_SHAPE', `Failed to find enum for '${given}'`)
    return undefined
  }
}

/** Lists in lists are flattened, and what counts as absent is left out. */
function listReader(one: Reader): Reader {
  return (given, field, depth) => {
    const values: unknown[] = []
    addTo(values, given, 0)
    return values.length === 0 ? undefined : values

    function addTo(list: unknown[], value: unknown, listDepth: number): void {
      if (listDepth > LIST_DEPTH_MAX)
        throw new WireError('JSON_SHAPE', `lists are nested more than ${LIST_DEPTH_MAX} deep`)
      if (Array.isArray(value)) {
        for (const entry of value) addTo(list, entry, listDepth + 1)
        return
      }
      const read = value === null ? undefined : one(value, field, depth)
      if (read !== undefined) list.push(read)
    }
  }
}

function mapReader(one: Reader): Reader {
  return (given, field, depth) => {
    if (!isObject(given)) throw unexpected(given, field)
    const entries: [string, unknown][] = []
    for (const key of Object.keys(given)) {
      const value = given[key]
      // To protobuf the entry is a message around the value.
      const read = value === undefined || value === null ? undefined : one(value, field, depth + 1)
      if (read !== undefined) entries.push([key, read])
    }
    // From entries and not assigned: '__proto__' is a key as any other.
    return entries.length === 0 ? undefined : Object.fromEntries(entries)
  }
}

function isObject(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function tooDeep(): never {
  throw new WireError('JSON_SHAPE', `messages are nested more than ${MESSAGE_DEPTH_MAX} deep`)
}
