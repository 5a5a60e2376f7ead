// Messages on the wire in either encoding, over the codec: failures as values, worded as Mesos's HTTP answers.

import { decode, encode, type MessageName, parseJson, stringifyJson, WireError } from '@isthmus/proto/codec'
import type { MessageTypes } from '@isthmus/proto/gen/descriptor'
import type { Encoding } from './negotiate.ts'

/** A message, or the text that says why there is none. */
export type Decoded<Name extends MessageName> =
  | { readonly ok: true; readonly value: MessageTypes[Name] }
  | { readonly ok: false; readonly text: string }

/** Writes a message of ours. A message that cannot be written is a bug and throws. */
export function encodeMessage<Name extends MessageName>(
  name: Name,
  message: MessageTypes[Name],
  encoding: Encoding,
): Uint8Array {
  return encoding === 'protobuf' ? encode(name, message) : Buffer.from(stringifyJson(name, message))
}

/** Reads a message of a peer; the text of a failure is for logs. */
export function decodeMessage<Name extends MessageName>(
  name: Name,
  bytes: Uint8Array,
  encoding: Encoding,
): Decoded<Name> {
  try {
    const value = encoding === 'protobuf' ? decode(name, bytes) : parseJson(name, asText(bytes))
    return { ok: true, value }
  } catch (error) {
    if (error instanceof WireError) return { ok: false, text: error.message }
    throw error
  }
}

/**
 * Reads the body of a call. The text of a failure is the answer's body.
 *
 * @param options.isTerse the agent's operator API names no message in its texts
 */
export function decodeBody<Name extends MessageName>(
  name: Name,
  body: Uint8Array,
  options: { readonly encoding: Encoding; readonly isTerse: boolean },
): Decoded<Name> {
  try {
    const value = options.encoding === 'protobuf' ? decode(name, body) : parseJson(name, asText(body))
    return { ok: true, value }
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    return { ok: false, text: refusalText(error, name.slice(name.lastIndexOf('.') + 1), options) }
  }
}

function refusalText(
  error: WireError,
  message: string,
  options: { readonly encoding: Encoding; readonly isTerse: boolean },
): string {
  if (options.encoding === 'protobuf') {
    return options.isTerse
      ? 'Failed to parse body into a protobuf object'
      : `Failed to parse body into ${message} protobuf`
  }
  if (error.code === 'JSON_SYNTAX') return `Failed to parse body into JSON: ${error.message}`
  return options.isTerse ? error.message : `Failed to convert JSON into ${message} protobuf: ${error.message}`
}

function asText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
}
