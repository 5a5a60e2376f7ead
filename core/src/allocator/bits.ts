/** Sets of small integers as words of 32 bits; an index beyond the words is not in the set. */
export type Bits = Int32Array<ArrayBuffer>

/** Whether the index is in the set. */
export function hasBit(bits: Bits | undefined, index: number): boolean {
  if (bits === undefined) return false
  const word = bits[index >>> 5]
  return word !== undefined && (word & (1 << (index & 31))) !== 0
}

/** Puts the index into the set; the answer is the set to use from now on. */
export function setBit(bits: Bits | undefined, index: number): Bits {
  const word = index >>> 5
  let room = bits
  if (room === undefined || word >= room.length) {
    room = new Int32Array(bits === undefined ? word + 1 : Math.max(word + 1, bits.length * 2))
    if (bits !== undefined) room.set(bits)
  }
  room[word]! |= 1 << (index & 31)
  return room
}

/** Takes the index out of the set. */
export function clearBit(bits: Bits | undefined, index: number): void {
  if (bits !== undefined && index >>> 5 < bits.length) bits[index >>> 5]! &= ~(1 << (index & 31))
}

/** Members of `of`, when given also of `only`, and of none of the others. */
export interface Selection {
  of: Bits
  only: Bits | undefined
  blocked: Bits | undefined
  closed: Bits | undefined
  excluded: Bits | undefined
  passed: Bits | undefined
}

/** Whether an index is selected. */
export function isSelected({ of, only, blocked, closed, excluded, passed }: Selection, index: number): boolean {
  return (
    hasBit(of, index) &&
    (only === undefined || hasBit(only, index)) &&
    !hasBit(blocked, index) &&
    !hasBit(closed, index) &&
    !hasBit(excluded, index) &&
    !hasBit(passed, index)
  )
}

/**
 * Writes the selected indexes into `found`.
 *
 * @returns how many there are, or -1 as soon as they are more than `found` holds
 */
export function membersOf({ of, only, blocked, closed, excluded, passed }: Selection, found: Int32Array): number {
  const length = only === undefined ? of.length : Math.min(of.length, only.length)
  let count = 0
  for (let at = 0; at < length; at++) {
    let word = of[at]!
    if (only !== undefined) word &= only[at]!
    if (blocked !== undefined && at < blocked.length) word &= ~blocked[at]!
    if (closed !== undefined && at < closed.length) word &= ~closed[at]!
    if (excluded !== undefined && at < excluded.length) word &= ~excluded[at]!
    if (passed !== undefined && at < passed.length) word &= ~passed[at]!
    if (word === 0) continue
    if (count + countOf(word) > found.length) return -1
    while (word !== 0) {
      found[count++] = at * 32 + 31 - Math.clz32(word & -word)
      word &= word - 1
    }
  }
  return count
}

/** Bits set in a word. */
function countOf(word: number): number {
  let pairs = word - ((word >>> 1) & 0x5555_5555)
  pairs = (pairs & 0x3333_3333) + ((pairs >>> 2) & 0x3333_3333)
  return Math.imul((pairs + (pairs >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24
}
