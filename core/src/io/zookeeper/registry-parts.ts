// How the nodes of the registry are written: each begins with the SHA-256 of the rest, and the head is a line of JSON.

import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { deflate, inflate } from 'node:zlib'
import { IoError } from '../io-error.ts'
import { NODE_BYTES_MAX } from './session.ts'

/** What a head says of itself. */
const MAGIC = 'isthmus-registry'
const FORMAT = 2
/** Its generations are not deflated. */
const FORMAT_PLAIN = 1
/** A deflated generation is no larger than this when it is read: 20,000 agents alike are 10 MB. */
const GENERATION_BYTES_MAX = 2 ** 30
const DIGEST_LENGTH = 64
/** What one node can hold beside its checksum. */
export const PART_BYTES_MAX = NODE_BYTES_MAX - DIGEST_LENGTH

/** What is in force. */
export interface Head {
  readonly generation: number
  readonly chunks: number
  readonly entries: number
  /** Whether the chunks are deflated. */
  readonly isDeflated: boolean
  /** Who wrote this head: the same text twice is the same write. */
  readonly write: string
}

/** Writes a head. */
export function headText(head: Head): string {
  return JSON.stringify({ magic: MAGIC, format: FORMAT, ...head })
}

/** Makes a text small: agents are mostly alike. */
export const deflated = promisify<string, Buffer>((text, done) => deflate(text, done))
/** Undoes {@link deflated}. */
export const inflated = promisify<Buffer, Buffer>((bytes, done) =>
  inflate(bytes, { maxOutputLength: GENERATION_BYTES_MAX }, done),
)

/** Reads the node of a head. Throws FILE, with the path, when it is none of this version. */
export function parseHead(data: Uint8Array, path: string): Head {
  const refuse = (why: string): IoError =>
    new IoError('FILE', `the node ${path} ${why}; nothing was changed. Choose another path, or move it away`)
  const body = decode(data)
  if (body === undefined) throw refuse('is no registry of Isthmus, or is damaged')
  const value = readHead(body)
  if (value.magic !== MAGIC) throw refuse('is no registry of Isthmus')
  const { format } = value
  if (format !== FORMAT && format !== FORMAT_PLAIN) {
    throw refuse(`has format ${String(format)}, this version reads ${FORMAT_PLAIN} and ${FORMAT}`)
  }
  return {
    generation: Number(value.generation),
    chunks: Number(value.chunks),
    entries: Number(value.entries),
    isDeflated: value.isDeflated === true,
    write: String(value.write),
  }
}

function readHead(body: Buffer): Record<string, unknown> {
  try {
    return (JSON.parse(body.toString('utf8')) ?? {}) as Record<string, unknown>
  } catch {
    return {}
  }
}

/** The SHA-256 in hexadecimal, then the text. */
export function encode(text: string | Uint8Array): Buffer {
  const body = Buffer.from(text as string)
  return Buffer.concat([Buffer.from(digestOf(body)), body])
}

/** What {@link encode} was given; undefined when it is not as it was written. */
export function decode(data: Uint8Array): Buffer | undefined {
  const bytes = Buffer.from(data)
  const body = bytes.subarray(DIGEST_LENGTH)
  return bytes.length >= DIGEST_LENGTH && bytes.toString('latin1', 0, DIGEST_LENGTH) === digestOf(body)
    ? body
    : undefined
}

function digestOf(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('hex')
}
