// Messages kept in memory for long: their protobuf bytes as a string with one byte a character. V8 keeps such a string as a
// header of 16 bytes and the bytes, without pointers for the garbage collector to follow; a Uint8Array costs some 200 more,
// and a message as an object some 50 bytes a field.

import { decode, encode, type MessageName } from './codec.ts'
import type { MessageTypes } from './gen/descriptor.ts'

/** A message as a string of its bytes. The empty string is a message without fields. */
export function pack<N extends MessageName>(name: N, message: MessageTypes[N]): string {
  return packBytes(encode(name, message))
}

/** The message that was packed; new objects each time. Bytes in it are views of memory that nobody else writes to. */
export function unpack<N extends MessageName>(name: N, packed: string): MessageTypes[N] {
  return decode(name, Buffer.from(packed, 'latin1'))
}

/** Bytes as a string, one character (0 to 255) each. */
export function packBytes(bytes: Uint8Array): string {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return buffer.toString('latin1')
}

/** The bytes that were packed, as a copy of the caller's own. */
export function unpackBytes(packed: string): Uint8Array {
  const bytes = new Uint8Array(packed.length)
  for (let at = 0; at < packed.length; at++) bytes[at] = packed.charCodeAt(at)
  return bytes
}
