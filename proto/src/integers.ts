// Integers between a message and protobufjs: exact or refused.

import type protobuf from 'protobufjs/minimal.js'
import { WireError } from './wire-error.ts'

/** How protobufjs takes and gives 64-bit integers. */
export interface LongBits {
  readonly low: number
  readonly high: number
  readonly unsigned: boolean
}

const HIGH = 4_294_967_296
/** Bytes of a varint whose value is certainly exact as a number: 7 × 7 bits. */
const SHORT_VARINT_BYTES = 7

/** Reads a varint of int64 or uint64: a number where that is exact, else a bigint. */
export function readInt64(reader: protobuf.Reader, type: 'int64' | 'uint64'): number | bigint {
  const { buf, pos } = reader
  const last = Math.min(SHORT_VARINT_BYTES, reader.len - pos)
  let value = 0
  let factor = 1
  for (let at = 0; at < last; at++) {
    const byte = buf[pos + at] as number
    value += (byte & 127) * factor
    if (byte < 128) {
      reader.pos = pos + at + 1
      return value
    }
    factor *= 128
  }
  return fromLong(reader[type]())
}

/** A 64-bit value of protobufjs: a number where that is exact, else a bigint. */
export function fromLong(value: LongBits | number): number | bigint {
  if (typeof value === 'number') return value
  const high = value.unsigned ? value.high >>> 0 : value.high
  const number = high * HIGH + (value.low >>> 0)
  return Number.isSafeInteger(number) ? number : (BigInt(high) << 32n) | BigInt(value.low >>> 0)
}

/** A signed 64-bit integer for protobufjs. Throws WireError UNENCODABLE. */
export function signed64(value: unknown): number | LongBits {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value
  return toLong(value, false)
}

/** An unsigned 64-bit integer for protobufjs. Throws WireError UNENCODABLE. */
export function unsigned64(value: unknown): number | LongBits {
  if (typeof value === 'number' && value >= 0 && Number.isSafeInteger(value)) return value
  return toLong(value, true)
}

function toLong(value: unknown, unsigned: boolean): LongBits {
  const isInteger = typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value))
  const exact = isInteger ? BigInt(value) : undefined
  const kept = exact === undefined ? undefined : unsigned ? BigInt.asUintN(64, exact) : BigInt.asIntN(64, exact)
  if (exact === undefined || kept !== exact) throw notAn(value, unsigned ? 'unsigned 64-bit integer' : '64-bit integer')
  return { low: Number(exact & 0xffff_ffffn) | 0, high: Number((exact >> 32n) & 0xffff_ffffn) | 0, unsigned }
}

/** The value itself when it is a signed 32-bit integer. Throws WireError UNENCODABLE. */
export function signed32(value: number): number {
  if ((value | 0) === value) return value
  throw notAn(value, '32-bit integer')
}

/** The value itself when it is an unsigned 32-bit integer. Throws WireError UNENCODABLE. */
export function unsigned32(value: number): number {
  if (value >>> 0 === value) return value
  throw notAn(value, 'unsigned 32-bit integer')
}

function notAn(value: unknown, what: string): WireError {
  return new WireError('UNENCODABLE', `${String(value)} is no ${what}`)
}
