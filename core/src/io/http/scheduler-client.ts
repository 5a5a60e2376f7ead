import type { Call, Event } from '@isthmus/proto/gen/scheduler'
import { IoError } from '../io-error.ts'
import { type Endpoint, type OpenRecordStream, Peer } from './client.ts'
import { decodeMessage, encodeMessage } from './messages.ts'
import { type Encoding, MEDIA_TYPE } from './negotiate.ts'

/** Path of the scheduler API. */
const SCHEDULER_PATH = '/api/v1/scheduler'
/** A call that is not answered by then has failed. */
const CALL_TIMEOUT_MS = 30_000

/** Until a master is known nothing is sent. */
const NOWHERE: Endpoint = { host: '127.0.0.1', port: 0 }

/** What a subscription tells; `closed` comes once, last. */
export interface SubscriptionHandlers {
  readonly opened: () => void
  readonly event: (event: Event) => void
  readonly closed: (reason: IoError) => void
}

/** How a call was answered. */
export interface CallAnswer {
  readonly status: number
  readonly text: string
}

/**
 * The scheduler API from a framework's side: one subscription with its stream id, calls in the order they are made over
 * one keep-alive connection, redirects to the leading master. It does not retry.
 */
export class SchedulerClient {
  readonly #peer: Peer
  readonly #encoding: Encoding
  #stream: OpenRecordStream | undefined
  #streamId: string | undefined

  constructor(options: { readonly master?: Endpoint | undefined; readonly encoding?: Encoding } = {}) {
    this.#peer = new Peer(options.master ?? NOWHERE)
    this.#encoding = options.encoding ?? 'protobuf'
  }

  /** The master that was found last. */
  get master(): Endpoint {
    return this.#peer.endpoint
  }

  /** Another master is to be used from the next subscription on. */
  move(master: Endpoint): void {
    this.#peer.move(master)
  }

  /** Sends SUBSCRIBE and follows its events; an earlier subscription is closed silently first. */
  subscribe(call: Call, handlers: SubscriptionHandlers): void {
    this.unsubscribe()
    const type = MEDIA_TYPE[this.#encoding]
    const body = encodeMessage('mesos.v1.scheduler.Call', call, this.#encoding)
    const headers = { 'Content-Type': type, Accept: type }
    const stream: OpenRecordStream = this.#peer.stream(
      { path: SCHEDULER_PATH, headers, body },
      {
        opened: (answered) => {
          this.#streamId = single(answered['mesos-stream-id'])
          handlers.opened()
        },
        record: (bytes) => {
          const event = decodeMessage('mesos.v1.scheduler.Event', bytes, this.#encoding)
          if (event.ok) handlers.event(event.value)
          else lost(new IoError('BAD_ANSWER', `an event that is none: ${event.text}`))
        },
        closed: (reason) => lost(reason),
      },
    )
    this.#stream = stream
    const lost = (reason: IoError): void => {
      if (this.#stream !== stream) return
      this.unsubscribe()
      // The leader may have moved: look where we started, and wait for nothing from the old one.
      this.#peer.reset()
      this.#peer.abort()
      handlers.closed(reason)
    }
  }

  /** Sends any other call. Throws IoError when no answer came. */
  async send(call: Call): Promise<CallAnswer> {
    const type = MEDIA_TYPE[this.#encoding]
    const stream: Record<string, string> = this.#streamId === undefined ? {} : { 'Mesos-Stream-Id': this.#streamId }
    const answer = await this.#peer.send({
      path: SCHEDULER_PATH,
      headers: { 'Content-Type': type, ...stream },
      body: encodeMessage('mesos.v1.scheduler.Call', call, this.#encoding),
      timeoutMs: CALL_TIMEOUT_MS,
    })
    return { status: answer.status, text: answer.body.toString('utf8') }
  }

  /** Closes the subscription without a word to its handlers. */
  unsubscribe(): void {
    this.detach()()
  }

  /** Stops listening to the subscription, and returns what closes its connection. */
  detach(): () => void {
    const stream = this.#stream
    this.#stream = undefined
    this.#streamId = undefined
    return () => stream?.close()
  }

  /** Closes everything. */
  close(): void {
    this.unsubscribe()
    this.#peer.close()
  }
}

function single(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header
}
