// RecordIO: each record is its length in bytes as decimal digits, a line feed, and the bytes. Where chunks are cut means nothing.

import { WireError } from './wire-error.ts'

/** A record longer than this is refused: nothing the API sends comes near it. */
export const RECORD_BYTES_MAX = 256 * 1024 * 1024
/** Room made for a record before its bytes come; what a peer announces beyond this costs nothing until it is there. */
const ROOM_BYTES_MAX = 64 * 1024
/** Digits of RECORD_BYTES_MAX. */
const LENGTH_DIGITS_MAX = 9
const LINE_FEED = 10
const ZERO = 48
const NINE = 57
const EMPTY = new Uint8Array(0)

/** One record with its frame. */
export function encodeRecord(bytes: Uint8Array): Uint8Array {
  const head = `${bytes.length}\n`
  const record = new Uint8Array(head.length + bytes.length)
  for (let at = 0; at < head.length; at++) record[at] = head.charCodeAt(at)
  record.set(bytes, head.length)
  return record
}

/**
 * Puts chunks together to records. Holds at most twice the bytes that came of the record under way. After a throw the stream is
 * lost: nobody knows where the next record starts.
 */
export class RecordReader {
  readonly #recordBytesMax: number
  /** Length of the record under way; undefined while its digits are read. */
  #length: number | undefined
  #digitsValue = 0
  #digitsSeen = 0
  /** What came of the record in earlier chunks, `#filled` bytes of it. */
  #record: Uint8Array = EMPTY
  #filled = 0

  /** @param recordBytesMax the longest record taken, at most RECORD_BYTES_MAX */
  constructor(recordBytesMax: number = RECORD_BYTES_MAX) {
    this.#recordBytesMax = Math.min(recordBytesMax, RECORD_BYTES_MAX)
  }

  /** True in the middle of a record or its length: a stream must not end here. */
  get isInside(): boolean {
    return this.#length !== undefined || this.#digitsSeen > 0
  }

  /** The records that end within this chunk, in order; each is a copy. Throws WireError RECORD_MALFORMED. */
  push(chunk: Uint8Array): Uint8Array[] {
    const records: Uint8Array[] = []
    let at = 0
    for (;;) {
      if (this.#length === undefined) at = this.#readLength(chunk, at)
      if (this.#length === undefined) return records
      const end = at + this.#length - this.#filled
      if (end > chunk.length) {
        this.#keep(chunk.subarray(at), this.#length)
        return records
      }
      records.push(this.#finish(chunk, at, end, this.#length))
      at = end
    }
  }

  /** Reads digits up to the line feed, or all that there are; returns the position behind them. */
  #readLength(chunk: Uint8Array, start: number): number {
    for (let at = start; at < chunk.length; at++) {
      const byte = chunk[at] as number
      if (byte === LINE_FEED && this.#digitsSeen > 0) {
        if (this.#digitsValue > this.#recordBytesMax)
          throw malformed(`a record of ${this.#digitsValue} bytes is longer than ${this.#recordBytesMax}`)
        this.#length = this.#digitsValue
        this.#digitsValue = 0
        this.#digitsSeen = 0
        return at + 1
      }
      if (byte < ZERO || byte > NINE) throw malformed(`byte ${byte} where a record's length should be`)
      this.#digitsValue = this.#digitsValue * 10 + byte - ZERO
      this.#digitsSeen++
      if (this.#digitsSeen > LENGTH_DIGITS_MAX) throw malformed('the length of a record has too many digits')
    }
    return chunk.length
  }

  #keep(part: Uint8Array, length: number): void {
    const needed = this.#filled + part.length
    if (needed > this.#record.length) {
      const room = Math.max(needed, 2 * this.#record.length, ROOM_BYTES_MAX)
      const larger = new Uint8Array(Math.min(length, room))
      larger.set(this.#record.subarray(0, this.#filled))
      this.#record = larger
    }
    this.#record.set(part, this.#filled)
    this.#filled = needed
  }

  #finish(chunk: Uint8Array, start: number, end: number, length: number): Uint8Array {
    this.#length = undefined
    // Not slice(), which a Buffer answers with a view instead of a copy.
    if (this.#filled === 0) return new Uint8Array(chunk.subarray(start, end))
    this.#keep(chunk.subarray(start, end), length)
    const record = this.#record.length === length ? this.#record : this.#record.slice(0, length)
    this.#record = EMPTY
    this.#filled = 0
    return record
  }
}

function malformed(message: string): WireError {
  return new WireError('RECORD_MALFORMED', message)
}
