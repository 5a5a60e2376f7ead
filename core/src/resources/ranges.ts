// Sets of whole numbers as ascending ranges that neither touch nor overlap: [1-3],[4-6] is [1-6].

/** Both ends belong to the range. */
export interface Range {
  readonly begin: number
  readonly end: number
}

/** Ascending, apart from each other by at least one number. */
export type Ranges = readonly Range[]

/** Puts ranges into normal form; a range that ends before it begins is left out. O(n) when they are sorted, else O(n log n). */
export function toRanges(ranges: readonly Range[]): Ranges {
  if (isNormal(ranges)) return ranges
  const real = ranges.filter(({ begin, end }) => begin <= end)
  return coalesce(real.sort((a, b) => a.begin - b.begin))
}

function isNormal(ranges: readonly Range[]): boolean {
  let last = Number.NEGATIVE_INFINITY
  for (const { begin, end } of ranges) {
    if (begin > end || begin <= last + 1) return false
    last = end
  }
  return true
}

/** Joins what touches or overlaps; the ranges ascend by their begin. */
function coalesce(sorted: readonly Range[]): Ranges {
  const merged: Range[] = []
  let last: Range | undefined
  for (const range of sorted) {
    if (last === undefined || range.begin > last.end + 1) {
      last = range
      merged.push(range)
    } else if (range.end > last.end) {
      last = { begin: last.begin, end: range.end }
      merged[merged.length - 1] = last
    }
  }
  return merged
}

/** All numbers of both. O(|a| + |b|). */
export function addRanges(a: Ranges, b: Ranges): Ranges {
  if (a.length === 0) return b
  if (b.length === 0) return a
  const sorted: Range[] = []
  let [atA, atB] = [0, 0]
  while (atA < a.length || atB < b.length) {
    const [nextA, nextB] = [a[atA], b[atB]]
    if (nextB === undefined || (nextA !== undefined && nextA.begin <= nextB.begin)) {
      sorted.push(nextA as Range)
      atA++
    } else {
      sorted.push(nextB)
      atB++
    }
  }
  return coalesce(sorted)
}

/** The numbers of `a` that are not in `b`. O(|a| + |b|). */
export function subtractRanges(a: Ranges, b: Ranges): Ranges {
  if (a.length === 0 || b.length === 0) return a
  const left: Range[] = []
  let at = 0
  for (const range of a) {
    let from = range.begin
    while (at < b.length && b[at]!.end < from) at++
    for (let next = at; next < b.length && b[next]!.begin <= range.end; next++) {
      const taken = b[next]!
      if (taken.begin > from) left.push({ begin: from, end: taken.begin - 1 })
      from = Math.max(from, taken.end + 1)
    }
    if (from === range.begin) left.push(range)
    else if (from <= range.end) left.push({ begin: from, end: range.end })
  }
  return left
}

/** The numbers that are in both. O(|a| + |b|). */
export function intersectRanges(a: Ranges, b: Ranges): Ranges {
  const both: Range[] = []
  let [atA, atB] = [0, 0]
  while (atA < a.length && atB < b.length) {
    const [nextA, nextB] = [a[atA]!, b[atB]!]
    const [begin, end] = [Math.max(nextA.begin, nextB.begin), Math.min(nextA.end, nextB.end)]
    if (begin <= end) both.push({ begin, end })
    if (nextA.end < nextB.end) atA++
    else atB++
  }
  return both
}

/** Says whether every number of `part` is in `whole`. O(|whole| + |part|). */
export function containsRanges(whole: Ranges, part: Ranges): boolean {
  let at = 0
  for (const { begin, end } of part) {
    while (at < whole.length && whole[at]!.end < begin) at++
    const range = whole[at]
    if (range === undefined || range.begin > begin || range.end < end) return false
  }
  return true
}

/** Says whether both hold the same numbers. */
export function equalRanges(a: Ranges, b: Ranges): boolean {
  if (a === b) return true
  return a.length === b.length && a.every(({ begin, end }, at) => begin === b[at]!.begin && end === b[at]!.end)
}

/** How many numbers there are. */
export function countRanges(ranges: Ranges): number {
  let count = 0
  for (const { begin, end } of ranges) count += end - begin + 1
  return count
}

/** `[1-3, 5-7]`, as Mesos prints them in its messages. */
export function printRanges(ranges: Ranges): string {
  return `[${ranges.map(({ begin, end }) => `${begin}-${end}`).join(', ')}]`
}

/**
 * Reads `[1-3,5-7]`; blanks do not matter, neither does the order.
 *
 * @returns the ranges, or a text that says what is wrong
 */
export function parseRanges(text: string): Ranges | string {
  const trimmed = text.trim()
  if (!trimmed.startsWith('[')) return `'${trimmed}' has no opening '['`
  if (!trimmed.endsWith(']')) return `'${trimmed}' has no closing ']'`
  const ranges: Range[] = []
  for (const part of trimmed.slice(1, -1).split(',')) {
    if (part.trim() === '') continue
    const match = /^\s*(\d+)\s*-\s*(\d+)\s*$/.exec(part)
    if (match === null) return `expecting non-negative whole numbers a-b in '${part.trim()}'`
    const range = { begin: Number(match[1]), end: Number(match[2]) }
    if (!Number.isSafeInteger(range.begin) || !Number.isSafeInteger(range.end)) return `'${part.trim()}' is too large`
    if (range.begin > range.end) return `range ${part.trim()} ends before it begins`
    ranges.push(range)
  }
  return toRanges(ranges)
}
