/**
 * Siblings in line: lowest score first, then lowest share, then fewest allocations, then name. Without a sorter all scores are 0, and what is
 * left is dominant resource fairness.
 *
 * A line is a sorted Int32Array. When one share changes, one entry is found by binary search, and what lies between its old and its new
 * place moves by one with a single memmove: for a thousand siblings that is cheaper than a heap, and the line can be walked in order. A line whose scores are drawn for each agent keeps no order of its own: it is put in order as far as it is walked.
 */

import { assert } from '../base/assert.ts'

/** What siblings are compared by; indexed by node. */
export class SortKeys {
  /** What a sorter says; 0 without one. */
  score = new Float64Array(64)
  share = new Float64Array(64)
  /** Allocations made so far. */
  count = new Float64Array(64)
  readonly names: string[] = []

  /** Makes room for nodes below `size`. */
  reserve(size: number): void {
    if (size <= this.share.length) return
    this.score = grown(this.score, size)
    this.share = grown(this.share, size)
    this.count = grown(this.count, size)
  }

  /** Whether node `a` goes before node `b`. */
  precedes(a: number, b: number): boolean {
    const scoreA = this.score[a]!
    const scoreB = this.score[b]!
    if (scoreA !== scoreB) return scoreA < scoreB
    const shareA = this.share[a]!
    const shareB = this.share[b]!
    if (shareA !== shareB) return shareA < shareB
    const countA = this.count[a]!
    const countB = this.count[b]!
    if (countA !== countB) return countA < countB
    return this.names[a]! < this.names[b]!
  }
}

/** A copy with room for at least `size`, at least doubled. */
function grown(array: Float64Array<ArrayBuffer>, size: number): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(Math.max(size, array.length * 2))
  larger.set(array)
  return larger
}

/** Shifts after which sorting again is cheaper than moving entries one by one, per entry. */
const SHIFTS_PER_ENTRY_MAX = 8

/** Entries of a drawn line that are looked for one by one before the rest is sorted: mostly one of the first takes what there is. */
const LOOKED_FOR = 4

/** No draw at all. */
const NEVER = -1

/** Siblings in line. The keys of an entry change only between `placeOf` and `settle`, or all at once before `sort`. */
export class Line {
  nodes = new Int32Array(4)
  size = 0
  /** Scores are drawn for each agent. */
  readonly isDrawn: boolean
  /** The draw it is sorted by, when scores are drawn. */
  draw = NEVER
  readonly #keys: SortKeys

  constructor(keys: SortKeys, isDrawn = false) {
    this.#keys = keys
    this.isDrawn = isDrawn
  }

  /** Puts a node in line. O(log n) and one memmove. */
  insert(node: number): void {
    if (this.size === this.nodes.length) {
      const larger = new Int32Array(this.size * 2)
      larger.set(this.nodes)
      this.nodes = larger
    }
    const at = this.isDrawn ? this.size : this.#place(node, 0, this.size)
    this.nodes.copyWithin(at + 1, at, this.size)
    this.nodes[at] = node
    this.size++
    this.draw = NEVER
  }

  /** Takes a node out of the line; its keys are those it was put in line with. */
  remove(node: number): void {
    const at = this.placeOf(node)
    this.nodes.copyWithin(at, at + 1, this.size)
    this.size--
  }

  /** Where a node stands; its keys are those it was put there by. */
  placeOf(node: number): number {
    // Mostly it is the first one that is given something.
    if (this.nodes[0] === node && this.size > 0) return 0
    const at = this.isDrawn ? this.nodes.subarray(0, this.size).indexOf(node) : this.#place(node, 0, this.size)
    assert(this.nodes[at] === node && at < this.size, 'a node stands where its keys say')
    return at
  }

  /** Moves the node at a place to where its new keys say. */
  settle(from: number): void {
    if (this.isDrawn) return
    const { nodes, size } = this
    const node = nodes[from]!
    if (from + 1 < size && this.#keys.precedes(nodes[from + 1]!, node)) {
      const to = this.#place(node, from + 1, size) - 1
      nodes.copyWithin(from, from + 1, to + 1)
      nodes[to] = node
    } else if (from > 0 && this.#keys.precedes(node, nodes[from - 1]!)) {
      const to = this.#place(node, 0, from)
      nodes.copyWithin(to + 1, to, from)
      nodes[to] = node
    }
  }

  /** The node at a place of a drawn line, whose places before it were asked for since `draw` changed. */
  drawnAt(at: number): number {
    const { nodes, size } = this
    if (at > LOOKED_FOR) return nodes[at]!
    if (at === LOOKED_FOR) {
      nodes.subarray(at, size).sort((a, b) => (this.#keys.precedes(a, b) ? -1 : 1))
      return nodes[at]!
    }
    let first = at
    for (let other = at + 1; other < size; other++) {
      if (this.#keys.precedes(nodes[other]!, nodes[first]!)) first = other
    }
    const node = nodes[first]!
    nodes[first] = nodes[at]!
    nodes[at] = node
    return node
  }

  /** Puts the whole line in order after its keys have changed. O(n) when little has changed. */
  sort(): void {
    const { nodes, size } = this
    let shiftsLeft = size * SHIFTS_PER_ENTRY_MAX
    for (let at = 1; at < size; at++) {
      const node = nodes[at]!
      let to = at
      while (to > 0 && this.#keys.precedes(node, nodes[to - 1]!)) {
        nodes[to] = nodes[to - 1]!
        to--
      }
      nodes[to] = node
      shiftsLeft -= at - to
      if (shiftsLeft < 0) {
        nodes.subarray(0, size).sort((a, b) => (this.#keys.precedes(a, b) ? -1 : 1))
        return
      }
    }
  }

  /** The first place in [low, high) whose node goes after `node`, or `high`. */
  #place(node: number, low: number, high: number): number {
    let from = low
    let to = high
    while (from < to) {
      const middle = (from + to) >>> 1
      if (this.#keys.precedes(this.nodes[middle]!, node)) from = middle + 1
      else to = middle
    }
    return from
  }
}
