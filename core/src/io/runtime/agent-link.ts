// The agent's side of its link to the master (see proto/isthmus/agent_link.proto): one endless stream of MasterMessage down,
// batches of AgentMessage up. One batch is under way at a time, so that messages arrive in the order they were sent; what
// is sent meanwhile goes with the next one.

import type { AgentMessage, MasterMessage } from '@isthmus/proto/gen/agent-link'
import { encodeRecord } from '@isthmus/proto/recordio'
import { type Endpoint, type OpenRecordStream, Peer } from '../http/client.ts'
import { decodeMessage, encodeMessage } from '../http/messages.ts'
import { MEDIA_TYPE } from '../http/negotiate.ts'
import { IoError } from '../io-error.ts'

/** Path of the link on a master. */
export const AGENT_LINK_PATH = '/api/isthmus/v1/agent'
/** The header that names an open link. */
export const LINK_ID_HEADER = 'Isthmus-Link-Id'
/** Until a master is known nothing is opened. */
const NOWHERE: Endpoint = { host: '127.0.0.1', port: 0 }
/** Messages that may wait for the master; more means that it does not take them, and the link is given up. */
export const WAITING_MAX = 100_000
/** Bytes that may wait for the master. */
export const WAITING_MAX_BYTES = 64 * 2 ** 20
/** Messages that go in one request, and bytes beyond which no further one goes along: a master takes bodies of 64 MiB. */
const BATCH_MAX = 1_000
const BATCH_MAX_BYTES = 8 * 2 ** 20
/** A batch that is not answered by then is lost, and the link with it. */
const BATCH_TIMEOUT_MS = 30_000

/** What a link tells; `closed` comes once, last. */
export interface AgentLinkHandlers {
  readonly opened: () => void
  readonly message: (message: MasterMessage) => void
  readonly closed: (reason: string) => void
}

/** One link at a time to a master; see the file's header. */
export class AgentLink {
  readonly #peer: Peer
  readonly #handlers: AgentLinkHandlers
  #stream: OpenRecordStream | undefined
  #linkId: string | undefined
  #waiting: Uint8Array[] = []
  #waitingBytes = 0
  #isSending = false

  constructor(options: { readonly master?: Endpoint | undefined; readonly handlers: AgentLinkHandlers }) {
    this.#peer = new Peer(options.master ?? NOWHERE)
    this.#handlers = options.handlers
  }

  /** The master that was found last. */
  get master(): Endpoint {
    return this.#peer.endpoint
  }

  /** Another master is to be used from the next link on. */
  move(master: Endpoint): void {
    this.#peer.move(master)
  }

  /** Opens a link with its first message, REGISTER or REREGISTER; an open one is closed silently first. */
  open(message: AgentMessage): void {
    this.close()
    const stream: OpenRecordStream = this.#peer.stream(
      {
        path: AGENT_LINK_PATH,
        headers: { 'Content-Type': MEDIA_TYPE.protobuf, Accept: MEDIA_TYPE.protobuf },
        body: encodeMessage('isthmus.agent_link.AgentMessage', message, 'protobuf'),
      },
      {
        opened: (headers) => {
          const linkId = headers[LINK_ID_HEADER.toLowerCase()]
          this.#linkId = Array.isArray(linkId) ? linkId[0] : linkId
          this.#handlers.opened()
          this.#sendBatch()
        },
        record: (bytes) => {
          const decoded = decodeMessage('isthmus.agent_link.MasterMessage', bytes, 'protobuf')
          if (decoded.ok) this.#handlers.message(decoded.value)
          else this.#lost(stream, new IoError('BAD_ANSWER', decoded.text))
        },
        closed: (reason) => this.#lost(stream, reason),
      },
    )
    this.#stream = stream
  }

  /** Sends a message after all earlier ones; dropped when there is no link. */
  send(message: AgentMessage): void {
    if (this.#stream === undefined) return
    if (this.#waiting.length >= WAITING_MAX) {
      this.#lost(this.#stream, new IoError('OTHER', `more than ${WAITING_MAX} messages wait for the master`))
      return
    }
    const frame = encodeRecord(encodeMessage('isthmus.agent_link.AgentMessage', message, 'protobuf'))
    if (this.#waitingBytes + frame.length > WAITING_MAX_BYTES && this.#waiting.length > 0) {
      this.#lost(this.#stream, new IoError('OTHER', `more than ${WAITING_MAX_BYTES} bytes wait for the master`))
      return
    }
    this.#waiting.push(frame)
    this.#waitingBytes += frame.length
    // The rest of the turn may add to the batch.
    if (this.#waiting.length === 1 && !this.#isSending) process.nextTick(() => this.#sendBatch())
  }

  /** Closes the link silently; messages that wait are dropped. */
  close(): void {
    this.#stream?.close()
    this.#stream = undefined
    this.#linkId = undefined
    this.#waiting = []
    this.#waitingBytes = 0
  }

  /** Waits until what was sent has left, at the end of the process; not longer than the timeout of a batch. */
  async drained(): Promise<void> {
    while (this.#stream !== undefined && (this.#isSending || this.#waiting.length > 0)) {
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  /** Closes everything. */
  end(): void {
    this.close()
    this.#peer.close()
  }

  #lost(stream: OpenRecordStream, reason: IoError): void {
    if (this.#stream !== stream) return
    this.close()
    this.#peer.reset()
    this.#peer.abort()
    this.#handlers.closed(reason.message)
  }

  #takeBatch(): Uint8Array[] {
    let [messages, bytes] = [0, 0]
    while (messages < Math.min(BATCH_MAX, this.#waiting.length) && bytes < BATCH_MAX_BYTES) {
      bytes += this.#waiting[messages]!.length
      messages += 1
    }
    this.#waitingBytes -= bytes
    return this.#waiting.splice(0, messages)
  }

  #sendBatch(): void {
    const linkId = this.#linkId
    const stream = this.#stream
    if (this.#isSending || linkId === undefined || stream === undefined || this.#waiting.length === 0) return
    const frames = this.#takeBatch()
    this.#isSending = true
    const sent = this.#peer.send({
      path: AGENT_LINK_PATH,
      headers: { 'Content-Type': MEDIA_TYPE.protobuf, [LINK_ID_HEADER]: linkId },
      body: Buffer.concat(frames),
      timeoutMs: BATCH_TIMEOUT_MS,
    })
    const settled = (problem: IoError | undefined): void => {
      this.#isSending = false
      if (problem !== undefined) this.#lost(stream, problem)
      this.#sendBatch()
    }
    sent.then(
      ({ status, body }) =>
        settled(status === 202 ? undefined : new IoError('REFUSED', body.toString('utf8'), { status })),
      (error: unknown) => settled(IoError.from(error)),
    )
  }
}
