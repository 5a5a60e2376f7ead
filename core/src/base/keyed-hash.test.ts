import test from 'ava'
import fc from 'fast-check'
import { hashKeyFrom, keyedHash } from './keyed-hash.ts'

const key = hashKeyFrom(7)

/** HalfSipHash-1-3 as its paper writes it, over the bytes of the text's 16-bit units. */
function reference(text: string, { low, high }: { readonly low: number; readonly high: number }): number {
  const bytes = [...Buffer.from(text, 'utf16le')]
  const rotated = (value: number, by: number) => ((value << by) | (value >>> (32 - by))) >>> 0
  const v: [number, number, number, number] = [
    low >>> 0,
    high >>> 0,
    (0x6c796765 ^ low) >>> 0,
    (0x74656462 ^ high) >>> 0,
  ]
  const round = () => {
    v[0] = (v[0] + v[1]) >>> 0
    v[1] = (rotated(v[1], 5) ^ v[0]) >>> 0
    v[0] = rotated(v[0], 16)
    v[2] = (v[2] + v[3]) >>> 0
    v[3] = (rotated(v[3], 8) ^ v[2]) >>> 0
    v[0] = (v[0] + v[3]) >>> 0
    v[3] = (rotated(v[3], 7) ^ v[0]) >>> 0
    v[2] = (v[2] + v[1]) >>> 0
    v[1] = (rotated(v[1], 13) ^ v[2]) >>> 0
    v[2] = rotated(v[2], 16)
  }
  // The length counts units, not bytes, which changes nothing but the numbers.
  const last = bytes.length - (bytes.length % 4)
  for (let at = 0; at <= last; at += 4) {
    let word = at === last ? (text.length << 24) >>> 0 : 0
    for (let byte = 3; byte >= 0; byte--) word = (word | ((bytes[at + byte] ?? 0) << (8 * byte))) >>> 0
    v[3] = (v[3] ^ word) >>> 0
    round()
    v[0] = (v[0] ^ word) >>> 0
  }
  v[2] = (v[2] ^ 0xff) >>> 0
  for (let at = 0; at < 3; at++) round()
  return (v[1] ^ v[3]) | 0
}

test('the hash is that of the paper', (t) => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => t.is(keyedHash(text, key), reference(text, key))))
})

test('texts that fall together under one key are apart under another', (t) => {
  const other = hashKeyFrom(8)
  const mask = 0xfff
  const together = Array.from({ length: 400_000 }, (_, at) => `task-${at}`).filter(
    (text) => (keyedHash(text, key) & mask) === 0,
  )
  t.true(together.length > 50 && together.length < 200, `${together.length} of about 98`)
  const apart = new Set(together.map((text) => keyedHash(text, other) & mask))
  t.true(apart.size > together.length * 0.9)
})
