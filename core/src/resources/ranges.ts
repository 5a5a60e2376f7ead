// Sets of whole numbers as ascending ranges that neither touch nor overlap: [1-3],[4-6] is [1-6].

/** Both ends belong to the range. */
export interface Range {
  readonly begin: number
  readonly end: number
}

/** Ascending, apart from each other by at least one number. */
export type Ranges = readonly Range[]

/** Puts ranges into normal form; a range that ends before it begins is left out. */
export function toRanges(ranges: readonly Range[]): Ranges {
  const sorted = ranges.filter(({ begin, end }) => begin <= end).sort((a, b) => a.begin - b.begin)
  const merged: { begin: number; end: number }[] = []
  for (const { begin, end } of sorted) {
    const last = merged.at(-1)
    if (last !== undefined && begin <= last.end + 1) last.end = Math.max(last.end, end)
    else merged.push({ begin, end })
  }
  return merged
}

/** All numbers of both. */
export function addRanges(a: Ranges, b: Ranges): Ranges {
  return toRanges([...a, ...b])
}

/** The numbers of `a` that are not in `b`. O(|a| + |b|). */
export function subtractRanges(a: Ranges, b: Ranges): Ranges {
  const left: Range[] = []
  let at = 0
  for (const { begin, end } of a) {
    let from = begin
    while (at < b.length && (b[at] as Range).end < from) at++
    for (let next = at; next < b.length && (b[next] as Range).begin <= end; next++) {
      const taken = b[next] as Range
      if (taken.begin > from) left.push({ begin: from, end: taken.begin - 1 })
      from = Math.max(from, taken.end + 1)
    }
    if (from <= end) left.push({ begin: from, end })
  }
  return left
}

/** Says whether every number of `part` is in `whole`. */
export function containsRanges(whole: Ranges, part: Ranges): boolean {
  let at = 0
  for (const { begin, end } of part) {
    while (at < whole.length && (whole[at] as Range).end < begin) at++
    const range = whole[at]
    if (range === undefined || range.begin > begin || range.end < end) return false
  }
  return true
}

/** How many numbers there are. */
export function countRanges(ranges: Ranges): number {
  return ranges.reduce((sum, { begin, end }) => sum + end - begin + 1, 0)
}

/** `[1-3, 5-7]`, as Mesos prints them. */
export function printRanges(ranges: Ranges): string {
  return `[${ranges.map(({ begin, end }) => `${begin}-${end}`).join(', ')}]`
}
