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

/**
 * Writes the members of `bits` that are not in `without` into `found`.
 *
 * @returns how many there are, or -1 as soon as they are more than `found` holds
 */
export function membersWithout(bits: Bits, without: Bits | undefined, found: Int32Array): number {
  const shared = without === undefined ? 0 : Math.min(without.length, bits.length)
  let count = 0
  for (let at = 0; at < bits.length; at++) {
    let word = bits[at]!
    if (at < shared) word &= ~without![at]!
    while (word !== 0) {
      if (count === found.length) return -1
      const bit = 31 - Math.clz32(word & -word)
      found[count++] = at * 32 + bit
      word &= word - 1
    }
  }
  return count
}
