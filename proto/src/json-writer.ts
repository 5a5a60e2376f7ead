// Messages as JSON in Mesos's spelling: enums by name, bytes in base64, 64-bit integers as numbers with all their digits,
// doubles with a point (15.0), and absent fields with the default that their .proto file declares, unless they are deprecated:
// `"checkpoint":false`, `"shell":true`. Fields that are absent and have no such default are left out.

import type { FieldRow } from './codec.ts'
import { MESSAGES } from './gen/descriptor.ts'
import { GeneratedCode } from './generated-code.ts'
import { WireError } from './wire-error.ts'

type Message = Readonly<Record<string, unknown>>

/** Writes a value as text; of messages the writer is compiled when it is first used. */
interface TextWriter {
  write: (value: never) => string
}

const writers = new Map<string, TextWriter>()

/** The message as JSON text. Throws WireError UNENCODABLE for an integer field that holds none. */
export function messageToText(name: string, message: Message): string {
  return messageWriter(name).write(message as never)
}

function messageWriter(name: string): TextWriter {
  const known = writers.get(name)
  if (known !== undefined) return known
  const fields = MESSAGES[name]
  if (fields === undefined) throw new Error(`no message is called ${name}`)
  const writer: TextWriter = {
    write: (message) => {
      writer.write = compile(fields)
      return writer.write(message)
    },
  }
  writers.set(name, writer)
  return writer
}

function compile(fields: readonly FieldRow[]): TextWriter['write'] {
  const code = new GeneratedCode()
  const body: string[] = []
  // Known before anything is written: whether some field in front of this one always is.
  let isFollowing = false
  for (const field of fields) {
    const absent = defaultText(field)
    body.push(writeField(field, { absent, isFollowing }, code))
    isFollowing ||= absent !== undefined || field[2] === 'required'
  }
  return code.run(`return function write(m) {
    let s = '{', v;
    ${body.join('\n    ')}
    return s + '}';
  }`) as TextWriter['write']
}

function writeField(
  field: FieldRow,
  { absent, isFollowing }: { readonly absent: string | undefined; readonly isFollowing: boolean },
  code: GeneratedCode,
): string {
  const [, name, rule, kind, type] = field
  const key = `"${name}":`
  const comma = JSON.stringify(`,${key}`)
  const head = isFollowing ? comma : `(s.length === 1 ? ${JSON.stringify(key)} : ${comma})`
  const writer = code.refer(valueWriter(kind, type))
  const value =
    rule === 'repeated'
      ? `${code.refer(listText)}(v, ${writer})`
      : rule === 'map'
        ? `${code.refer(mapText)}(v, ${writer})`
        : `${writer}.write(v)`
  const otherwise = absent === undefined ? '' : ` else s += ${head} + ${JSON.stringify(absent)};`
  return `v = m[${JSON.stringify(name)}]; if (v !== undefined && v !== null) s += ${head} + ${value};${otherwise}`
}

/** What stands for an absent field, if anything does. */
function defaultText([, , rule, kind, type, extras]: FieldRow): string | undefined {
  if (rule !== 'optional' || extras?.default === undefined || extras.isDeprecated) return undefined
  return valueWriter(kind, type).write(extras.default as never)
}

function valueWriter(kind: FieldRow[3], type: string): TextWriter {
  if (kind === 'message') return messageWriter(type)
  if (kind === 'enum') return STRING
  switch (type) {
    case 'string':
      return STRING
    case 'bytes':
      return BYTES
    case 'bool':
      return BOOL
    case 'double':
    case 'float':
      return DOUBLE
    default:
      return INTEGER
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: exactly the characters that JSON needs escaped.
const NEEDS_ESCAPE = /["\\\u0000-\u001f\ud800-\udfff]/
const STRING: TextWriter = {
  write: (value: string) => (NEEDS_ESCAPE.test(value) ? JSON.stringify(value) : `"${value}"`),
}
const BYTES: TextWriter = { write: (value: Uint8Array) => `"${base64(value)}"` }
const BOOL: TextWriter = { write: (value: boolean) => (value ? 'true' : 'false') }
const DOUBLE: TextWriter = { write: doubleText }
const INTEGER: TextWriter = {
  write: (value: number | bigint) => {
    if (typeof value === 'bigint' || Number.isInteger(value)) return `${value}`
    throw new WireError('UNENCODABLE', `${String(value)} is no integer`)
  },
}

/** JSON has no word for what is not finite: such a double is null, which is read as absent. */
function doubleText(value: number): string {
  if (!Number.isFinite(value)) return 'null'
  if (!Number.isInteger(value)) return `${value}`
  const digits = Object.is(value, -0) ? '-0' : `${value}`
  return digits.includes('e') ? digits : `${digits}.0`
}

/** An empty list that is there is printed: some of Mesos's answers show them, and whoever builds the message decides. */
function listText(values: readonly never[], writer: TextWriter): string {
  if (values.length === 0) return '[]'
  let text = `[${writer.write(values[0] as never)}`
  for (let at = 1; at < values.length; at++) text += `,${writer.write(values[at] as never)}`
  return `${text}]`
}

function mapText(map: Readonly<Record<string, never>>, writer: TextWriter): string {
  return `{${Object.keys(map)
    .map((key) => `${JSON.stringify(key)}:${writer.write(map[key] as never)}`)
    .join(',')}}`
}

/** The message as a value for JSON.stringify; 64-bit integers beyond a number's reach stay bigint. Empty lists are left out. */
export function messageToJson(name: string, message: Message): Record<string, unknown> {
  const json: Record<string, unknown> = {}
  for (const [, field, rule, kind, type, extras] of MESSAGES[name] ?? []) {
    const value = message[field]
    if (value === undefined || value === null) {
      if (rule === 'optional' && extras?.default !== undefined && !extras.isDeprecated) json[field] = extras.default
      continue
    }
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
