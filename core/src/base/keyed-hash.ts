/** Hashes of texts that others choose: without the key nobody can make many of them fall together. */

import { createRandom, nextUint32 } from './random.ts'

/** What a hash depends on beside the text. */
export interface HashKey {
  readonly low: number
  readonly high: number
}

/** A key from a seed, apart from all else that is drawn from it. */
export function hashKeyFrom(seed: number): HashKey {
  const random = createRandom(seed * 2 + 1)
  return { low: nextUint32(random) | 0, high: nextUint32(random) | 0 }
}

/**
 * HalfSipHash-1-3 of a text's 16-bit units (Aumasson and Bernstein: SipHash, 2012; its half-width form): 32 bits. Two units a round.
 */
export function keyedHash(text: string, { low, high }: HashKey): number {
  let [v0, v1, v2, v3] = [low, high, 0x6c796765 ^ low, 0x74656462 ^ high]
  const { length } = text
  // The last word carries the length and the unit without a neighbour; three rounds with nothing finish.
  const words = (length >> 1) + 1
  for (let word = 0; word < words + 3; word++) {
    const isText = word < words - 1
    let units = 0
    if (isText) units = text.charCodeAt(word * 2) | (text.charCodeAt(word * 2 + 1) << 16)
    else if (word === words - 1) units = (length << 24) | ((length & 1) === 1 ? text.charCodeAt(length - 1) : 0)
    else if (word === words) v2 ^= 0xff
    v3 ^= units
    v0 = (v0 + v1) | 0
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
    v0 = (v0 << 16) | (v0 >>> 16)
    v2 = (v2 + v3) | 0
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
    v0 = (v0 + v3) | 0
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
    v2 = (v2 + v1) | 0
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
    v2 = (v2 << 16) | (v2 >>> 16)
    v0 ^= units
  }
  return v1 ^ v3
}
