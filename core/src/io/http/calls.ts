// The v1 calls as they come in: POST with one message. The order of the checks is that of Mesos: leader, method, content
// type, parsing; what follows (validation, Accept, the call itself) is up to the endpoint.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { MessageTypes } from '@isthmus/proto/gen/descriptor'
import { answerMethodNotAllowed, answerText } from './answers.ts'
import { answerUnread, readBody } from './bodies.ts'
import { answerBusy } from './busy.ts'
import { decodeBody } from './messages.ts'
import { type Encoding, type Refusal, requestEncoding } from './negotiate.ts'

/** Why a call is not served at all. */
export interface Gate {
  readonly status: number
  readonly text: string
  readonly location?: string | undefined
}

/** An endpoint that takes one kind of message. */
export interface CallEndpoint<Type extends keyof MessageTypes> {
  /** Full name of the message: `mesos.v1.scheduler.Call`. */
  readonly type: Type
  /** Mesos's agent operator API words its parse errors without naming the message. */
  readonly isTerse?: boolean
  /** Asked first: redirects when another master leads. */
  readonly gate?: (request: IncomingMessage) => Gate | undefined
  /** Asked next: why no call is taken now. */
  readonly busy?: () => string | undefined
  /** Asked after the content type, before the body is read. */
  readonly refusesUnread?: (request: IncomingMessage) => Refusal | undefined
  readonly receive: (
    call: MessageTypes[Type],
    http: { readonly request: IncomingMessage; readonly response: ServerResponse; readonly encoding: Encoding },
  ) => void
}

/** End of the refusal of another content type on the agent's operator API. */
const ALSO_RECORDIO = ' or application/recordio'

/** Makes the handler of an endpoint. */
export function serveCalls<Type extends keyof MessageTypes>(
  endpoint: CallEndpoint<Type>,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const gate = endpoint.gate?.(request)
    if (gate !== undefined) {
      if (gate.location !== undefined) response.setHeader('Location', gate.location)
      answerText(response, gate.status, gate.text)
      return
    }
    const busy = endpoint.busy?.()
    if (busy !== undefined) {
      answerBusy(response, busy)
      return
    }
    if (request.method !== 'POST') {
      answerMethodNotAllowed(request, response, ['POST'])
      return
    }
    const encoding = requestEncoding(request.headers, endpoint.isTerse === true ? ALSO_RECORDIO : '')
    if (typeof encoding !== 'string') {
      answerText(response, encoding.status, encoding.text)
      return
    }
    const refused = endpoint.refusesUnread?.(request)
    if (refused !== undefined) {
      answerText(response, refused.status, refused.text)
      return
    }
    readBody(request, (body) => {
      if (typeof body === 'string') {
        answerUnread(response, body)
        return
      }
      const call = decodeBody(endpoint.type, body, { encoding, isTerse: endpoint.isTerse === true })
      if (call.ok) endpoint.receive(call.value, { request, response, encoding })
      else answerText(response, 400, call.text)
    })
  }
}
