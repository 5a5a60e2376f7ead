// Endless RecordIO answers (scheduler, executor and operator events, agent links). A record is its length in decimal, a
// newline, and the bytes; each leaves as an HTTP chunk of its own, since some clients take a chunk for a record.
//
//   send ─► frame (once for all streams) ─► stream.waiting ─► [ flush: one write a stream ] ─► socket
//
// A flush comes after the turn of the event loop, or later when the one before took long: writing takes at most half of the
// process's time, so that under load more records share a write. Streams that got the same records share the bytes, too.
//
// A client that does not read is cut off: when more than STREAM_BACKLOG_MAX_BYTES wait for it beside the longest record it was
// sent, or when more than BACKLOG_TOTAL_MAX_BYTES wait for all and most for it. It then counts as disconnected, as if its
// connection had broken.

import type { ServerResponse } from 'node:http'
import { encodeRecord } from '@isthmus/proto/recordio'
import { type Encoding, MEDIA_TYPE } from './negotiate.ts'

/** Bytes that may wait for a slow client before its stream is broken off. */
export const STREAM_BACKLOG_MAX_BYTES = 64 * 2 ** 20
/** Bytes that may wait for all clients of one kind together. */
export const BACKLOG_TOTAL_MAX_BYTES = 2 ** 30
/** No record waits longer for the next flush. */
const FLUSH_PAUSE_MAX_MS = 20
/** A flush that took less is followed by the next one without a pause. */
const FLUSH_QUICK_MS = 1
/** Records up to this length are copied together; longer ones are written each by itself. */
const JOINED_MAX_BYTES = 64 * 2 ** 10
/** A peer that is gone without a word is noticed when it has not answered the kernel for about two minutes. */
const KEEP_ALIVE_PROBE_MS = 60_000

/** What a set of streams needs. */
export interface StreamsOptions<Message> {
  /** Writes a message in an encoding. */
  readonly encode: (message: Message, encoding: Encoding) => Uint8Array
  /** Called once when the peer went away or was cut off, never after `close`. */
  readonly closed: (streamId: string, reason: string) => void
  /** Called before `closed` when the peer did not read; `queuedBytes` waited for it. */
  readonly cutOff?: (streamId: string, queuedBytes: number) => void
  readonly backlogMaxBytes?: number
  readonly backlogTotalMaxBytes?: number
}

/** One record, in the two forms in which it can leave. */
interface Frame {
  readonly record: Uint8Array
  /** With the head and tail of an HTTP chunk. */
  readonly chunk: Buffer
}

interface Stream {
  readonly id: string
  readonly response: ServerResponse
  readonly encoding: Encoding
  waiting: Frame[]
  waitingBytes: number
  /** What the socket had not taken at the last flush. */
  unsentBytes: number
  longestBytes: number
}

/** The open streams of one kind, by id. */
export class RecordStreams<Message> {
  readonly #options: StreamsOptions<Message>
  readonly #streams = new Map<string, Stream>()
  readonly #backlogMaxBytes: number
  readonly #backlogTotalMaxBytes: number
  #toFlush: Stream[] = []
  #framed: { message: Message; frames: Partial<Record<Encoding, Frame>> } | undefined
  #pauseMs = 0
  #flushedAtMs = 0
  #queuedBytes = 0
  #cutOffs = 0

  constructor(options: StreamsOptions<Message>) {
    this.#options = options
    this.#backlogMaxBytes = options.backlogMaxBytes ?? STREAM_BACKLOG_MAX_BYTES
    this.#backlogTotalMaxBytes = options.backlogTotalMaxBytes ?? BACKLOG_TOTAL_MAX_BYTES
  }

  /** How many streams are open. */
  get size(): number {
    return this.#streams.size
  }

  /** Bytes that wait for clients, by the last look at each stream; records that several wait for are counted for each. */
  get queuedBytes(): number {
    return this.#queuedBytes
  }

  /** Clients that were cut off since the start because they did not read. */
  get cutOffs(): number {
    return this.#cutOffs
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
    const { encoding } = options
    const stream: Stream = { id, response, encoding, waiting: [], waitingBytes: 0, unsentBytes: 0, longestBytes: 0 }
    this.#streams.set(id, stream)
    response.once('close', () => this.#drop(stream, 'the client closed its connection'))
    if (response.destroyed) {
      setImmediate(() => this.#drop(stream, 'the client closed its connection'))
      return
    }
    response.socket?.setNoDelay(true)
    response.socket?.setTimeout(0)
    response.socket?.setKeepAlive(true, KEEP_ALIVE_PROBE_MS)
    response.writeHead(200, { 'Content-Type': MEDIA_TYPE[encoding], ...options.headers })
    response.flushHeaders()
  }

  /** Sends a message; streams that are gone are ignored. The same object sent to many streams is encoded once. */
  send(id: string, message: Message): void {
    const stream = this.#streams.get(id)
    if (stream === undefined) return
    const frame = this.#frame(message, stream.encoding)
    const { length } = frame.chunk
    if (stream.waiting.length === 0) {
      if (this.#toFlush.length === 0) this.#planFlush()
      this.#toFlush.push(stream)
    }
    stream.waiting.push(frame)
    stream.waitingBytes += length
    if (length > stream.longestBytes) stream.longestBytes = length
    this.#queuedBytes += length
    const allowed = this.#backlogMaxBytes + stream.longestBytes
    if (stream.waitingBytes + stream.unsentBytes > allowed && this.#look(stream) > allowed) this.#cut(stream)
    if (this.#queuedBytes > this.#backlogTotalMaxBytes) this.#cutLongest()
  }

  /** Ends a stream after what was sent. */
  close(id: string): void {
    const stream = this.#streams.get(id)
    if (stream === undefined) return
    this.#streams.delete(id)
    write(stream, undefined)
    this.#forget(stream)
    stream.response.end()
  }

  /** Breaks off all streams, at the end of the process. */
  closeAll(): void {
    for (const id of [...this.#streams.keys()]) this.close(id)
  }

  #planFlush(): void {
    const leftMs = this.#flushedAtMs + this.#pauseMs - performance.now()
    if (this.#pauseMs === 0 || leftMs <= 0) setImmediate(() => this.#flushAll())
    else setTimeout(() => this.#flushAll(), leftMs)
  }

  #flushAll(): void {
    const begin = performance.now()
    const streams = this.#toFlush
    this.#toFlush = []
    this.#framed = undefined
    let last: Joined | undefined
    for (const stream of streams) {
      if (stream.waiting.length === 0) continue
      last = write(stream, last)
      this.#look(stream)
    }
    this.#flushedAtMs = performance.now()
    const tookMs = this.#flushedAtMs - begin
    this.#pauseMs = tookMs < FLUSH_QUICK_MS ? 0 : Math.min(tookMs, FLUSH_PAUSE_MAX_MS)
  }

  /** Looks how much waits for a stream now. */
  #look(stream: Stream): number {
    const { writableLength } = stream.response
    this.#queuedBytes += writableLength - stream.unsentBytes
    stream.unsentBytes = writableLength
    return writableLength + stream.waitingBytes
  }

  #cutLongest(): void {
    let longest: Stream | undefined
    for (const stream of this.#streams.values()) {
      this.#look(stream)
      if (longest === undefined || queuedFor(stream) > queuedFor(longest)) longest = stream
    }
    if (longest !== undefined && this.#queuedBytes > this.#backlogTotalMaxBytes) this.#cut(longest)
  }

  #cut(stream: Stream): void {
    const bytes = queuedFor(stream)
    this.#cutOffs += 1
    this.#options.cutOff?.(stream.id, bytes)
    this.#drop(stream, `the client is too slow: ${bytes} bytes wait for it`)
    stream.response.destroy()
  }

  #drop(stream: Stream, reason: string): void {
    this.#forget(stream)
    if (this.#streams.get(stream.id) !== stream) return
    this.#streams.delete(stream.id)
    this.#options.closed(stream.id, reason)
  }

  /** Nothing waits for it any more. */
  #forget(stream: Stream): void {
    this.#queuedBytes -= queuedFor(stream)
    stream.waiting = []
    stream.waitingBytes = 0
    stream.unsentBytes = 0
  }

  #frame(message: Message, encoding: Encoding): Frame {
    if (this.#framed?.message !== message) this.#framed = { message, frames: {} }
    const known = this.#framed.frames[encoding]
    if (known !== undefined) return known
    const record = encodeRecord(this.#options.encode(message, encoding))
    const head = `${record.length.toString(16)}\r\n`
    const chunk = Buffer.allocUnsafe(head.length + record.length + 2)
    chunk.write(head, 0, 'latin1')
    chunk.set(record, head.length)
    chunk.write('\r\n', head.length + record.length, 'latin1')
    const frame = { record, chunk }
    this.#framed.frames[encoding] = frame
    return frame
  }
}

/** Frames that were written to the stream before, as one piece when they are short. */
interface Joined {
  readonly frames: readonly Frame[]
  readonly pieces: readonly Buffer[]
}

function queuedFor(stream: Stream): number {
  return stream.waitingBytes + stream.unsentBytes
}

/** Writes what waits for a stream; the same frames as for the stream before share their bytes. */
function write(stream: Stream, last: Joined | undefined): Joined | undefined {
  const { waiting: frames, response } = stream
  stream.waiting = []
  stream.unsentBytes += stream.waitingBytes
  stream.waitingBytes = 0
  const { socket } = response
  if (socket === null || !response.chunkedEncoding) {
    // Behind an answer that is under way on the same connection, or a client of HTTP/1.0.
    for (const { record } of frames) response.write(record)
    return last
  }
  const joined = last !== undefined && isSame(frames, last.frames) ? last : { frames, pieces: join(frames) }
  if (joined.pieces.length > 1) socket.cork()
  // Past the response, which would frame each chunk again for each stream.
  for (const piece of joined.pieces) socket.write(piece)
  if (joined.pieces.length > 1) socket.uncork()
  return joined
}

function isSame(one: readonly Frame[], other: readonly Frame[]): boolean {
  if (one.length !== other.length) return false
  for (let at = one.length - 1; at >= 0; at--) if (one[at] !== other[at]) return false
  return true
}

function join(frames: readonly Frame[]): readonly Buffer[] {
  if (frames.length === 1) return [frames[0]!.chunk]
  const pieces: Buffer[] = []
  let short: Buffer[] = []
  const finish = (): void => {
    if (short.length > 0) pieces.push(short.length === 1 ? short[0]! : Buffer.concat(short))
    short = []
  }
  for (const { chunk } of frames) {
    if (chunk.length <= JOINED_MAX_BYTES) short.push(chunk)
    else {
      finish()
      pieces.push(chunk)
    }
  }
  finish()
  return pieces
}
