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

/** Members of `of`, when given also of `only`, and of neither `without` nor `norOf`. */
export interface Selection {
  of: Bits
  only: Bits | undefined
  without: Bits | undefined
  norOf: Bits | undefined
}

/** Whether an index is selected. */
export function isSelected({ of, only, without, norOf }: Selection, index: number): boolean {
  return (
    hasBit(of, index) && (only === undefined || hasBit(only, index)) && !hasBit(without, index) && !hasBit(norOf, index)
  )
}

/**
 * Writes the selected indexes into `found`.
 *
 * @returns how many there are, or -1 as soon as they are more than `found` holds
 */
export function membersOf({ of, only, without, norOf }: Selection, found: Int32Array): number {
  const length = only === undefined ? of.length : Math.min(of.length, only.length)
  const withoutLength = without === undefined ? 0 : without.length
  const norLength = norOf === undefined ? 0 : norOf.length
  let count = 0
  for (let at = 0; at < length; at++) {
    let word = of[at]!
    if (only !== undefined) word &= only[at]!
    if (at < withoutLength) word &= ~without![at]!
    if (at < norLength) word &= ~norOf![at]!
    while (word !== 0) {
      if (count === found.length) return -1
      found[count++] = at * 32 + 31 - Math.clz32(word & -word)
      word &= word - 1
    }
  }
  return count
}
