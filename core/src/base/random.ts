/**
 * A seeded generator as plain state, so that the same seed gives the same run: sfc32 of Chris Doty-Humphrey's PractRand.
 * Not for secrets.
 */
export interface Random {
  a: number
  b: number
  c: number
  counter: number
}

/** Makes a generator; any number is a seed. */
export function createRandom(seed: number): Random {
  const high = Math.floor(seed / 2 ** 32) | 0
  const random: Random = { a: seed | 0, b: high, c: 0x9e3779b9 | 0, counter: 1 }
  for (let round = 0; round < 12; round++) nextUint32(random)
  return random
}

/** The next whole number from 0 to 2^32 - 1. */
export function nextUint32(random: Random): number {
  const sum = (random.a + random.b + random.counter) | 0
  random.counter = (random.counter + 1) | 0
  random.a = random.b ^ (random.b >>> 9)
  random.b = (random.c + (random.c << 3)) | 0
  random.c = (((random.c << 21) | (random.c >>> 11)) + sum) | 0
  return sum >>> 0
}

/** The next number from 0 up to but not including 1. */
export function nextFraction(random: Random): number {
  return nextUint32(random) / 2 ** 32
}

/** The next whole number from 0 up to but not including `limit` (at most 2^32). */
export function nextInteger(random: Random, limit: number): number {
  return Math.floor(nextFraction(random) * limit)
}

/** Puts the list in a random order, in place. */
export function shuffle<T>(random: Random, list: T[]): T[] {
  for (let at = list.length - 1; at > 0; at--) {
    const other = nextInteger(random, at + 1)
    const kept = list[at] as T
    list[at] = list[other] as T
    list[other] = kept
  }
  return list
}

/** The 16 bytes of a random uuid (RFC 4122, version 4). */
export function nextUuidBytes(random: Random): Uint8Array {
  const bytes = new Uint8Array(16)
  const view = new DataView(bytes.buffer)
  for (let at = 0; at < 16; at += 4) view.setUint32(at, nextUint32(random))
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  return bytes
}

/** A random uuid as text, lower case with dashes. */
export function nextUuid(random: Random): string {
  const hex = [...nextUuidBytes(random)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
