import type { Call, Event } from '@isthmus/proto/gen/executor'
import { IoError } from '../io-error.ts'
import { type Endpoint, type OpenRecordStream, Peer } from './client.ts'
import { decodeMessage, encodeMessage } from './messages.ts'
import type { CallAnswer } from './scheduler-client.ts'

const EXECUTOR_PATH = '/api/v1/executor'
/** A call that is not answered by then has failed. */
const CALL_TIMEOUT_MS = 30_000
const TYPE = 'application/x-protobuf'

/** What a subscription to the agent tells; `closed` comes once, last. */
export interface AgentStreamHandlers {
  readonly event: (event: Event) => void
  readonly closed: (reason: IoError) => void
}

/** The executor API from an executor's side: one subscription, and calls in the order they are made. It does not retry. */
export class ExecutorClient {
  readonly #peer: Peer
  readonly #headers: Record<string, string>
  #stream: OpenRecordStream | undefined

  /** @param token what the agent gave the executor to prove who it is, if anything */
  constructor(agent: Endpoint, token?: string | undefined) {
    this.#peer = new Peer(agent)
    this.#headers = { 'Content-Type': TYPE, ...(token !== undefined && { Authorization: `Bearer ${token}` }) }
  }

  /** Sends SUBSCRIBE and follows its events; an earlier subscription is closed silently first. */
  subscribe(call: Call, handlers: AgentStreamHandlers): void {
    this.unsubscribe()
    const lost = (reason: IoError): void => {
      if (this.#stream !== stream) return
      this.unsubscribe()
      handlers.closed(reason)
    }
    const stream = this.#peer.stream(
      { path: EXECUTOR_PATH, headers: { ...this.#headers, Accept: TYPE }, body: this.#bodyOf(call) },
      {
        opened: () => undefined,
        record: (bytes) => {
          const event = decodeMessage('mesos.v1.executor.Event', bytes, 'protobuf')
          if (event.ok) handlers.event(event.value)
          else lost(new IoError('BAD_ANSWER', `an event that is none: ${event.text}`))
        },
        closed: lost,
      },
    )
    this.#stream = stream
  }

  /** Sends any other call. Throws IoError when no answer came. */
  async send(call: Call): Promise<CallAnswer> {
    const outgoing = { path: EXECUTOR_PATH, headers: this.#headers, body: this.#bodyOf(call) }
    const { status, body } = await this.#peer.send({ ...outgoing, timeoutMs: CALL_TIMEOUT_MS })
    return { status, text: body.toString('utf8') }
  }

  /** Closes the subscription without a word to its handlers, and gives up calls that are under way. */
  unsubscribe(): void {
    const stream = this.#stream
    this.#stream = undefined
    stream?.close()
    this.#peer.abort()
  }

  /** Closes everything. */
  close(): void {
    this.unsubscribe()
    this.#peer.close()
  }

  #bodyOf(call: Call): Uint8Array {
    return encodeMessage('mesos.v1.executor.Call', call, 'protobuf')
  }
}
