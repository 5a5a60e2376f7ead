// Content types: what a request's body is, what its answer shall be, and whether to compress it. The texts are those that
// v1 clients know from Mesos.

import type { IncomingHttpHeaders } from 'node:http'

/** How a message is written. */
export type Encoding = 'json' | 'protobuf'

export const MEDIA_TYPE: Readonly<Record<Encoding, string>> = {
  json: 'application/json',
  protobuf: 'application/x-protobuf',
}

/** A refusal by status and text. */
export interface Refusal {
  readonly status: number
  readonly text: string
}

/** Answers shorter than this are never compressed. */
export const GZIP_MIN_BYTES = 1024

/**
 * The encoding of a request body by its Content-Type, or why it is refused (400 when absent, 415 when another).
 *
 * @param alsoAllowed end of the refusal for endpoints that take one more type
 */
export function requestEncoding(headers: IncomingHttpHeaders, alsoAllowed = ''): Encoding | Refusal {
  const type = headers['content-type']
  if (type === undefined || type === '') return { status: 400, text: "Expecting 'Content-Type' to be present" }
  // Only the exact text counts: parameters such as a charset and other letter cases are refused, as in Mesos.
  if (type === MEDIA_TYPE.json) return 'json'
  if (type === MEDIA_TYPE.protobuf) return 'protobuf'
  const text = `Expecting 'Content-Type' of ${MEDIA_TYPE.json} or ${MEDIA_TYPE.protobuf}${alsoAllowed}`
  return { status: 415, text }
}

/** The encoding of the answer by the Accept header alone; JSON when both are allowed; undefined when neither is. */
export function responseEncoding(accept: string | undefined): Encoding | undefined {
  if (accept === undefined || accept === '' || accept === MEDIA_TYPE.json || accept === '*/*') return 'json'
  if (accept === MEDIA_TYPE.protobuf) return 'protobuf'
  if (accepts(accept, MEDIA_TYPE.json)) return 'json'
  return accepts(accept, MEDIA_TYPE.protobuf) ? 'protobuf' : undefined
}

/** Says whether an Accept header allows a media type: by name, by `type/*` or by `*\/*`; a quality of 0 forbids. */
export function accepts(accept: string, mediaType: string): boolean {
  const wanted = mediaType.toLowerCase()
  const family = `${wanted.slice(0, wanted.indexOf('/'))}/*`
  let best = -1
  let allowed = false
  for (const part of accept.split(',')) {
    const [range = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase())
    const precision = [`*/*`, family, wanted].indexOf(range)
    if (precision > best) [best, allowed] = [precision, quality(parameters) > 0]
  }
  return allowed
}

/** Says whether the client takes gzip and the body is long enough for it. */
export function wantsGzip(acceptEncoding: string | undefined, sizeBytes: number): boolean {
  if (acceptEncoding === undefined || sizeBytes < GZIP_MIN_BYTES) return false
  return acceptEncoding.split(',').some((part) => {
    const [name = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase())
    return (name === 'gzip' || name === '*') && quality(parameters) > 0
  })
}

function quality(parameters: readonly string[]): number {
  const text = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2)
  const value = text === undefined ? 1 : Number(text)
  return Number.isNaN(value) ? 0 : value
}
