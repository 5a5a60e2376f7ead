// Long JSON pages in pieces. A page of 100,000 tasks takes a second to write: at once, it would keep the master from everything
// else for that long. Pages say which of their lists are long (LazyList); they are written for a few milliseconds at a time,
// between which the process does what else there is to do, and no faster than the client reads.
//
//   pieces ─► [ slice: 2 ms, at least one piece ] ─► (gzip) ─► response      waits for the client when it is slow

import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Writable } from 'node:stream'
import { createGzip } from 'node:zlib'
import { FieldsText, JsonText, LazyFields, LazyList } from '../../master/json.ts'
import { answerBody, answerText } from './answers.ts'
import { wantsGzip } from './negotiate.ts'

/** How long a page is written before others have a turn. */
const SLICE_MS = 2
/** Characters that are written at once: more would keep others waiting while they go to the socket. */
const SLICE_LENGTH = 512 * 2 ** 10
/** A page whose client has not read it by then is broken off: what it shows is held all the time. */
const PAGE_MAX_MS = 600_000
/** Pages that are written at once; each holds what it shows. Another one is refused. */
const PAGES_MAX = 32

let pages = 0

/** Of all pages one is written in each turn of the event loop, one after the other. */
class Turns {
  readonly #waiting: (() => void)[] = []

  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      if (this.#waiting.length === 1) setImmediate(this.#take)
    })
  }

  readonly #take = (): void => {
    this.#waiting.shift()?.()
    if (this.#waiting.length > 0) setImmediate(this.#take)
  }
}

const turns = new Turns()

/** Whether any of the lists of a page is to be written in pieces. */
export function isSliced(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  return value instanceof LazyFields || Object.values(value).some((part) => part instanceof LazyList)
}

/**
 * A value as JSON text in pieces: one for each element of a LazyList that has no such list itself, and for each group of LazyFields.
 *
 * @param write the text of a value without such lists
 */
export function* jsonPieces(value: unknown, write: (value: unknown) => string): Generator<string> {
  if (value instanceof LazyList) {
    let before = '['
    for (const element of value) {
      if (element instanceof JsonText) yield before + element.text
      else {
        yield before
        yield* jsonPieces(element, write)
      }
      before = ','
    }
    yield before === '[' ? '[]' : ']'
  } else if (value instanceof JsonText) {
    yield value.text
  } else if (value instanceof LazyFields) {
    yield write(value.own).slice(0, -1)
    let isFirst = Object.keys(value.own).length === 0
    for (const group of value.more()) {
      const fields = group instanceof FieldsText ? group.text : write(group).slice(1, -1)
      if (fields === '') continue
      yield isFirst ? fields : `,${fields}`
      isFirst = false
    }
    yield '}'
  } else if (isSliced(value)) {
    let before = '{'
    for (const [field, part] of Object.entries(value)) {
      if (part === undefined) continue
      yield `${before}${JSON.stringify(field)}:`
      yield* jsonPieces(part, write)
      before = ','
    }
    yield '}'
  } else yield write(value)
}

/** Answers 200 with the pieces: at once when they are few, otherwise slice by slice. 503 when too many pages are under way. */
export async function answerInSlices(
  request: IncomingMessage,
  response: ServerResponse,
  pieces: Iterator<string>,
): Promise<void> {
  const first = nextSlice(pieces)
  if (first.isLast) {
    answerBody(request, response, { status: 200, type: 'application/json', body: Buffer.from(first.text) })
    return
  }
  if (pages >= PAGES_MAX) {
    answerText(response, 503, `${PAGES_MAX} pages are being read already`)
    return
  }
  pages += 1
  try {
    await stream(request, response, { first: first.text, pieces })
  } finally {
    pages -= 1
  }
}

async function stream(
  request: IncomingMessage,
  response: ServerResponse,
  page: { readonly first: string; readonly pieces: Iterator<string> },
): Promise<void> {
  const isZipped = wantsGzip(request.headers['accept-encoding'], Number.POSITIVE_INFINITY)
  response.setHeader('Content-Type', 'application/json')
  if (isZipped) response.setHeader('Content-Encoding', 'gzip')
  response.writeHead(200)
  let out: Writable = response
  if (isZipped) {
    out = createGzip({ level: 1 })
    out.pipe(response)
  }
  const gone = new AbortController()
  const late = setTimeout(() => response.destroy(), PAGE_MAX_MS)
  response.once('close', () => {
    clearTimeout(late)
    gone.abort()
  })
  let slice = { text: page.first, isLast: false }
  while (!gone.signal.aborted && !response.destroyed) {
    const isTaken = out.write(slice.text)
    if (slice.isLast) break
    if (!isTaken) await drained(out, gone.signal)
    await turns.next()
    slice = nextSlice(page.pieces)
  }
  out.end()
}

/** Waits until the client has read, or is gone. */
async function drained(out: Writable, signal: AbortSignal): Promise<void> {
  try {
    await once(out, 'drain', { signal })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

function nextSlice(pieces: Iterator<string>): { text: string; isLast: boolean } {
  const begin = performance.now()
  const texts: string[] = []
  let length = 0
  do {
    const { done, value } = pieces.next()
    if (done === true) return { text: texts.join(''), isLast: true }
    texts.push(value)
    length += value.length
  } while (length < SLICE_LENGTH && performance.now() - begin < SLICE_MS)
  return { text: texts.join(''), isLast: false }
}
