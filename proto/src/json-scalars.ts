// Single values of JSON as values of fields, with Mesos's leniency and in its words.

import { parseText } from './json-syntax.ts'
import { WireError } from './wire-error.ts'

/** The error for a JSON value of a kind that the field cannot take. */
export function unexpected(given: unknown, field: string): WireError {
  return new WireError('JSON_SHAPE', `Not expecting a JSON ${jsonKind(given)} for field '${field}'`)
}

function jsonKind(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  return typeof value === 'bigint' ? 'number' : typeof value
}

/** Throws WireError JSON_SHAPE, as all readers here do. */
export function readString(given: unknown, field: string): string {
  if (typeof given === 'string') return given
  throw unexpected(given, field)
}

export function readBoolean(given: unknown, field: string): boolean {
  const value = typeof given === 'string' ? valueInText(given, field, 'boolean') : given
  if (typeof value === 'boolean') return value
  throw unexpected(given, field)
}

export function readDouble(given: unknown, field: string): number {
  const value = typeof given === 'string' ? valueInText(given, field, 'number') : given
  if (typeof value === 'number') return value
  if (typeof value === 'bigint') return Number(value)
  throw unexpected(given, field)
}

/** The reader for one of protobuf's integer types: fractions are cut off, and what is out of range wraps as C++ casts do. */
export function readInteger(type: string): (given: unknown, field: string) => number | bigint {
  const bits = type.endsWith('64') ? 64 : 32
  const isUnsigned = type.startsWith('u') || type.startsWith('fixed')
  const min = isUnsigned ? 0 : -(2 ** (bits - 1))
  const max = Math.min(isUnsigned ? 2 ** bits - 1 : 2 ** (bits - 1) - 1, Number.MAX_SAFE_INTEGER)
  return (given, field) => {
    const value = typeof given === 'string' ? valueInText(given, field, 'number') : given
    // Adding 0 turns -0 into 0.
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) return value + 0
    if (typeof value !== 'number' && typeof value !== 'bigint') throw unexpected(given, field)
    const whole = typeof value === 'bigint' ? value : BigInt(Number.isFinite(value) ? Math.trunc(value) : 0)
    const wrapped = isUnsigned ? BigInt.asUintN(bits, whole) : BigInt.asIntN(bits, whole)
    const number = Number(wrapped)
    return Number.isSafeInteger(number) ? number : wrapped
  }
}

/** A number or boolean that stands in a string. */
function valueInText(text: string, field: string, wanted: 'number' | 'boolean'): unknown {
  const refusal = (why: string): WireError =>
    new WireError('JSON_SHAPE', `Failed to parse '${text}' as a JSON ${wanted} for field '${field}': ${why}`)
  let value: unknown
  try {
    value = parseText(text)
  } catch (error) {
    throw error instanceof WireError ? refusal(error.message) : error
  }
  if (typeof value === wanted || (wanted === 'number' && typeof value === 'bigint')) return value
  throw refusal('Unexpected JSON type parsed')
}

const PLAIN_BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

/** Bytes in base64. Spaces are skipped and the first '=' ends it. */
export function readBase64(given: unknown, field: string): Uint8Array {
  if (typeof given !== 'string') throw unexpected(given, field)
  if (PLAIN_BASE64.test(given)) return new Uint8Array(Buffer.from(given, 'base64'))
  const end = given.indexOf('=')
  const digits = (end < 0 ? given : given.slice(0, end)).replace(/[ \t\n\v\f\r]+/g, '')
  const wrong = /[^A-Za-z0-9+/]/u.exec(digits)
  if (wrong === null) return new Uint8Array(Buffer.from(digits, 'base64'))
  throw new WireError('JSON_SHAPE', `Failed to base64 decode bytes field '${field}': Invalid character '${wrong[0]}'`)
}
