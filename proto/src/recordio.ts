// RecordIO: each record is its length in bytes as decimal digits, a line feed, and the bytes. Where chunks are cut means nothing.

import { WireError } from './wire-error.ts'

/** A record longer than this is refused: nothing the API sends comes near it. */
export const RECORD_BYTES_MAX = 256 * 1024 * 1024
/** Digits of RECORD_BYTES_MAX. */
const LENGTH_DIGITS_MAX = 9
const LINE_FEED = 10
const ZERO = 48
const NINE = 57

/** One record with its frame. */
export function encodeRecord(bytes: Uint8Array): Uint8Array {
  const head = `${bytes.length}\n`
  const record = new Uint8Array(head.length + bytes.length)
  for (let at = 0; at < head.length; at++) record[at] = head.charCodeAt(at)
  record.set(bytes, head.length)
  return record
}

/** Puts chunks together to records. After a throw the stream is lost: nobody knows where the next record starts. */
export class RecordReader {
  #digits = ''
  #record: Uint8Array | undefined
  #filled = 0

  /** True in the middle of a record or its length: a stream must not end here. */
  get isInside(): boolean {
    return this.#record !== undefined || this.#digits !== ''
  }

  /** The records that end within this chunk, in order; each is a copy. Throws WireError RECORD_MALFORMED. */
  push(chunk: Uint8Array): Uint8Array[] {
    const records: Uint8Array[] = []
    let at = 0
    while (at < chunk.length || (this.#record !== undefined && this.#record.length === 0)) {
      if (this.#record === undefined) {
        at = this.#readLength(chunk, at)
        continue
      }
      const part = chunk.subarray(at, at + this.#record.length - this.#filled)
      this.#record.set(part, this.#filled)
      this.#filled += part.length
      at += part.length
      if (this.#filled < this.#record.length) continue
      records.push(this.#record)
      this.#record = undefined
    }
    return records
  }

  #readLength(chunk: Uint8Array, start: number): number {
    for (let at = start; at < chunk.length; at++) {
      const byte = chunk[at] as number
      if (byte === LINE_FEED && this.#digits !== '') {
        const length = Number(this.#digits)
        if (length > RECORD_BYTES_MAX) throw malformed(`a record of ${length} bytes is longer than ${RECORD_BYTES_MAX}`)
        this.#record = new Uint8Array(length)
        this.#filled = 0
        this.#digits = ''
        return at + 1
      }
      if (byte < ZERO || byte > NINE) throw malformed(`byte ${byte} where a record's length should be`)
      this.#digits += String.fromCharCode(byte)
      if (this.#digits.length > LENGTH_DIGITS_MAX) throw malformed('the length of a record has too many digits')
    }
    return chunk.length
  }
}

function malformed(message: string): WireError {
  return new WireError('RECORD_MALFORMED', message)
}
