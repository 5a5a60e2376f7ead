// Bytes of fields that are not in the descriptor. While a message is decoded they are ranges of the reader's buffer, three
// numbers each: a tag to write in front (0 = the range begins with its own), start, end. Ranges that touch become one, so a
// message of nothing but unknown fields costs no more than its bytes.

/** Where a decoded message keeps the bytes of fields that are not in the descriptor. */
export const UNKNOWN_FIELDS: unique symbol = Symbol('unknown fields')

/** Notes one field; returns the list, which is made when there is none. */
export function noteUnknown(ranges: number[] | undefined, tag: number, start: number, end: number): number[] {
  if (ranges === undefined) return [tag, start, end]
  const last = ranges.length - 1
  if (tag === 0 && ranges[last] === start && ranges[last - 2] === 0) ranges[last] = end
  else ranges.push(tag, start, end)
  return ranges
}

/**
 * Puts the noted ranges, copied, behind what the message already keeps. The property is not enumerable: copies of a message
 * by spreading lose it, since they may be of another type, and comparisons do not see it.
 */
export function keepUnknown(message: object, buffer: Uint8Array, ranges: readonly number[]): void {
  const before = (message as { readonly [UNKNOWN_FIELDS]?: Uint8Array })[UNKNOWN_FIELDS]
  let to = before?.length ?? 0
  const bytes = withRoom(before, to + sizeOf(ranges))
  for (let at = 0; at < ranges.length; at += 3) {
    const tag = ranges[at] as number
    const head = tag === 0 ? [] : varintOf(tag)
    const body = buffer.subarray(ranges[at + 1], ranges[at + 2])
    bytes.set(head, to)
    bytes.set(body, to + head.length)
    to += head.length + body.length
  }
  Object.defineProperty(message, UNKNOWN_FIELDS, { value: bytes, writable: true, configurable: true })
}

function sizeOf(ranges: readonly number[]): number {
  let size = 0
  for (let at = 0; at < ranges.length; at += 3) {
    const tag = ranges[at] as number
    size += (ranges[at + 2] as number) - (ranges[at + 1] as number) + (tag === 0 ? 0 : varintOf(tag).length)
  }
  return size
}

/**
 * Bytes of this length that start with those there are. A message that comes in many parts gets room for further ones, so that
 * each byte is copied a few times at most.
 */
function withRoom(before: Uint8Array | undefined, length: number): Uint8Array {
  if (before === undefined) return new Uint8Array(length)
  if (before.byteOffset + length <= before.buffer.byteLength)
    return new Uint8Array(before.buffer, before.byteOffset, length)
  const larger = new Uint8Array(new ArrayBuffer(2 * length), 0, length)
  larger.set(before)
  return larger
}

function varintOf(value: number): number[] {
  const bytes: number[] = []
  let left = value
  for (; left > 127; left >>>= 7) bytes.push((left & 127) | 128)
  bytes.push(left)
  return bytes
}
