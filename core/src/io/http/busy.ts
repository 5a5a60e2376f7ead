// What a process refuses for now, because taking more would cost memory without bound: 503 with Retry-After.

import type { ServerResponse } from 'node:http'
import { answerText } from './answers.ts'

/** Requests that wait for a machine's answer at most; all further ones are refused. */
export const REQUESTS_MAX = 20_000
/** Events that wait for a machine while further requests are taken. */
export const EVENTS_WAITING_MAX = 20_000
/** Schedulers, or agents, that are connected at most. */
export const STREAMS_MAX = 100_000
/** When a client shall ask again. */
export const RETRY_AFTER_SECONDS = 1

let refused = 0

/** Requests that were answered so since the start of the process. */
export function busyRefusals(): number {
  return refused
}

/** Answers that the process has too much to do now. */
export function answerBusy(response: ServerResponse, why: string): void {
  refused += 1
  response.setHeader('Retry-After', String(RETRY_AFTER_SECONDS))
  answerText(response, 503, `Too busy now: ${why}`)
}

/** Why a machine takes no request now, or undefined. */
export function busyWith({
  requests,
  events,
}: {
  readonly requests: number
  readonly events: number
}): string | undefined {
  if (requests >= REQUESTS_MAX) return `${requests} requests wait for their answer`
  return events >= EVENTS_WAITING_MAX ? `${events} events wait` : undefined
}
