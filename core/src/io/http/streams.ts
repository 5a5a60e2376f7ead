// Endless RecordIO answers (scheduler, executor and operator events, agent links). A record is its length in decimal, a
// newline, and the bytes. Records of one turn of the event loop leave in one write, each as an HTTP chunk of its own: some
// clients take a chunk for a record. A client that does not read is cut off when more than STREAM_BACKLOG_MAX_BYTES wait.

import type { ServerResponse } from 'node:http'
import { encodeRecord } from '@isthmus/proto/recordio'
import { type Encoding, MEDIA_TYPE } from './negotiate.ts'

/** Bytes that may wait for a slow client before its stream is broken off. */
export const STREAM_BACKLOG_MAX_BYTES = 64 * 2 ** 20

/** What a set of streams needs. */
export interface StreamsOptions<Message> {
  /** Writes a message in an encoding. */
  readonly encode: (message: Message, encoding: Encoding) => Uint8Array
  /** Called once when the peer went away or was cut off, never after `close`. */
  readonly closed: (streamId: string, reason: string) => void
  readonly backlogMaxBytes?: number
}

interface Stream {
  readonly id: string
  readonly response: ServerResponse
  readonly encoding: Encoding
  waiting: Uint8Array[]
  waitingBytes: number
}

/** The open streams of one kind, by id. */
export class RecordStreams<Message> {
  readonly #options: StreamsOptions<Message>
  readonly #streams = new Map<string, Stream>()
  #toFlush: Stream[] = []
  #framed: { message: Message; frames: Partial<Record<Encoding, Uint8Array>> } | undefined

  constructor(options: StreamsOptions<Message>) {
    this.#options = options
  }

  /** How many streams are open. */
  get size(): number {
    return this.#streams.size
  }

  /** Says whether this stream is open. */
  has(id: string): boolean {
    return this.#streams.has(id)
  }

  /** Answers 200 and keeps the answer open under this id. A client that is gone already counts as closed at once. */
  open(
    id: string,
    response: ServerResponse,
    options: { readonly encoding: Encoding; readonly headers?: Readonly<Record<string, string>> },
  ): void {
    const stream: Stream = { id, response, encoding: options.encoding, waiting: [], waitingBytes: 0 }
    this.#streams.set(id, stream)
    response.once('close', () => this.#drop(stream, 'the client closed its connection'))
    if (response.destroyed) {
      setImmediate(() => this.#drop(stream, 'the client closed its connection'))
      return
    }
    response.socket?.setNoDelay(true)
    response.socket?.setTimeout(0)
    response.writeHead(200, { 'Content-Type': MEDIA_TYPE[options.encoding], ...options.headers })
    response.flushHeaders()
  }

  /** Sends a message; streams that are gone are ignored. The same object sent to many streams is encoded once. */
  send(id: string, message: Message): void {
    const stream = this.#streams.get(id)
    if (stream === undefined) return
    const frame = this.#frame(message, stream.encoding)
    if (stream.waiting.length === 0) {
      if (this.#toFlush.length === 0) process.nextTick(() => this.#flushAll())
      this.#toFlush.push(stream)
    }
    stream.waiting.push(frame)
    stream.waitingBytes += frame.length
    const backlogBytes = stream.waitingBytes + stream.response.writableLength
    if (backlogBytes > (this.#options.backlogMaxBytes ?? STREAM_BACKLOG_MAX_BYTES)) {
      this.#drop(stream, `the client is too slow: ${backlogBytes} bytes wait for it`)
      stream.response.destroy()
    }
  }

  /** Ends a stream after what was sent. */
  close(id: string): void {
    const stream = this.#streams.get(id)
    if (stream === undefined) return
    this.#streams.delete(id)
    flush(stream)
    stream.response.end()
  }

  /** Breaks off all streams, at the end of the process. */
  closeAll(): void {
    for (const id of [...this.#streams.keys()]) this.close(id)
  }

  #flushAll(): void {
    const streams = this.#toFlush
    this.#toFlush = []
    this.#framed = undefined
    for (const stream of streams) flush(stream)
  }

  #drop(stream: Stream, reason: string): void {
    stream.waiting = []
    stream.waitingBytes = 0
    if (this.#streams.get(stream.id) !== stream) return
    this.#streams.delete(stream.id)
    this.#options.closed(stream.id, reason)
  }

  #frame(message: Message, encoding: Encoding): Uint8Array {
    if (this.#framed?.message !== message) this.#framed = { message, frames: {} }
    const known = this.#framed.frames[encoding]
    if (known !== undefined) return known
    const frame = encodeRecord(this.#options.encode(message, encoding))
    this.#framed.frames[encoding] = frame
    return frame
  }
}

function flush(stream: Stream): void {
  const { waiting, response } = stream
  if (waiting.length === 0) return
  stream.waiting = []
  stream.waitingBytes = 0
  // Corking the response would join the chunks; corking the socket joins only the writes.
  const { socket } = response
  socket?.cork()
  for (const frame of waiting) response.write(frame)
  socket?.uncork()
}
