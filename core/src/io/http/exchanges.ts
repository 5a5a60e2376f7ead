import type { IncomingMessage, ServerResponse } from 'node:http'
import { answerBody, answerText } from './answers.ts'
import { type Encoding, MEDIA_TYPE, responseEncoding } from './negotiate.ts'

/** A request that a machine was told about and has not answered yet. */
export interface Exchange {
  readonly id: string
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** What the answer's message is written in. */
  readonly encoding: Encoding
}

/** The requests that wait for a machine's answer, by request id. */
export class Exchanges {
  readonly #pending = new Map<string, Exchange>()
  #last = 0

  /** How many requests wait. */
  get size(): number {
    return this.#pending.size
  }

  /** Remembers a request until it is answered or its client is gone. */
  open(request: IncomingMessage, response: ServerResponse): Exchange {
    this.#last += 1
    const id = String(this.#last)
    const encoding = responseEncoding(request.headers.accept) ?? 'json'
    const exchange = { id, request, response, encoding }
    this.#pending.set(id, exchange)
    response.once('close', () => this.#pending.delete(id))
    return exchange
  }

  /** Takes a request out; undefined when its client is gone already. */
  take(id: string): Exchange | undefined {
    const exchange = this.#pending.get(id)
    this.#pending.delete(id)
    return exchange
  }

  /** Answers with a plain text, or an empty body. */
  respond(id: string, status: number, text?: string): void {
    const exchange = this.take(id)
    if (exchange !== undefined) answerText(exchange.response, status, text)
  }

  /** Answers 200 with a message. */
  respondMessage(id: string, encode: (encoding: Encoding) => Uint8Array): void {
    const exchange = this.take(id)
    if (exchange === undefined) return
    const { request, response, encoding } = exchange
    answerBody(request, response, { status: 200, type: MEDIA_TYPE[encoding], body: encode(encoding) })
  }
}
