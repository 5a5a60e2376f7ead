/**
 * The tree of roles with the frameworks as leaves, and who is next in it.
 *
 * ```
 * root ─┬─ role a ─┬─ line "a/." ─┬─ client framework-1 × a     a line holds the frameworks of the role itself, so that a role with
 *       │          │              └─ client framework-2 × a     sub-roles competes with them as one of them
 *       │          └─ role a/b ── line "a/b/." ── …
 *       └─ role d ─── line "d/." ── …
 * ```
 * Each node counts what is held below it. Siblings compete by held / total of the scarcest kind, divided by their weight. Only nodes with an
 * active client below stand in line. A change of one client moves one entry on each level. A sorter (sorter.ts) may put something before that.
 */

import { assert } from '../base/assert.ts'
import { KINDS_MAX, type Kinds, MILLI } from './kinds.ts'
import { Line, SortKeys } from './line.ts'
import type { Candidate, Sorter } from './sorter.ts'

/** The node above all top-level roles. */
export const ROOT = 0

const NONE = -1

/** Ends the path of the line of a role's own frameworks. */
const OWN = '/.'

/** How a tree is sorted; without a sorter by DRF. */
export interface TreeRules {
  /** Kinds that do not count in shares. */
  readonly excluded?: readonly string[] | undefined
  readonly roleSorter?: Sorter | undefined
  readonly frameworkSorter?: Sorter | undefined
  /** The name of a client's framework, for sorters. */
  readonly frameworkName?: ((client: number) => string) | undefined
}

/** The tree; nodes are small integers, reused after removal. */
export class RoleTree {
  readonly keys = new SortKeys()
  /** What the pool has, by kind, in milli-units; after a change call `totalsChanged`. */
  readonly totals = new Float64Array(KINDS_MAX)
  /** What is held below each node: rows of KINDS_MAX. */
  held = new Float64Array(64 * KINDS_MAX)
  /** By node: the client index of a leaf, else -1. */
  readonly clientOf: number[] = []
  readonly parent: number[] = []
  readonly #depth: number[] = []
  readonly #weight: number[] = []
  readonly #activeBelow: number[] = []
  readonly #childCount: number[] = []
  readonly #lines: (Line | undefined)[] = []
  /**
   * Closed top-level roles in line, apart from the open ones: they hold little, so they would stand at the front of the root's line and
   * every walk would step over them. Unused when the root's line is drawn.
   */
  readonly #closedLine: Line
  /** The draw a node's score is of, when scores are drawn. */
  readonly #drawOf: number[] = []
  readonly #free: number[] = []
  readonly #roles = new Map<string, number>()
  readonly #weights = new Map<string, number>()
  /** Roles that a walk may pass over, also those without a node. */
  readonly #closedRoles = new Set<string>()
  readonly #isClosed: boolean[] = []
  readonly #kinds: Kinds
  readonly #excluded: ReadonlySet<string>
  readonly #roleSorter: Sorter | undefined
  readonly #frameworkSorter: Sorter | undefined
  readonly #isScored: boolean
  /** Whether any scores are drawn for each agent, so that who is first is known only when an agent is visited. */
  readonly isDrawn: boolean
  readonly #candidate: TreeCandidate
  #draw = 0
  #stale = false

  constructor(kinds: Kinds, rules: TreeRules = {}) {
    this.#kinds = kinds
    this.#excluded = new Set(rules.excluded)
    this.#roleSorter = rules.roleSorter
    this.#frameworkSorter = rules.frameworkSorter
    this.#isScored = rules.roleSorter !== undefined || rules.frameworkSorter !== undefined
    this.isDrawn = rules.roleSorter?.asked === 'perAgent' || rules.frameworkSorter?.asked === 'perAgent'
    this.#candidate = new TreeCandidate(this, kinds, rules.frameworkName ?? (() => ''))
    this.#newNode({ name: '', parent: NONE, client: NONE })
    this.#closedLine = new Line(this.keys)
  }

  /** The node of a role, or undefined when no client is in it or below it. */
  roleNode(role: string): number | undefined {
    return this.#roles.get(role)
  }

  /** Adds an inactive client as a leaf of a role and returns its node. */
  addClient(role: string, frameworkId: string, client: number): number {
    const path = role + OWN
    const roleNode = this.#ensureRole(role)
    const line = this.#roles.get(path) ?? this.#newNode({ name: path, parent: roleNode, client: NONE })
    this.#roles.set(path, line)
    return this.#newNode({ name: frameworkId, parent: line, client })
  }

  /** Removes a client that is inactive and holds nothing, and the roles that are empty then. */
  removeClient(node: number): void {
    assert(this.#activeBelow[node] === 0, 'an active client is not removed')
    let at = node
    while (at !== ROOT && this.#childCount[at] === 0) {
      const above = this.parent[at]!
      if (this.clientOf[at] === NONE) this.#roles.delete(this.keys.names[at]!)
      this.#childCount[above]!--
      this.#lines[at] = undefined
      this.parent[at] = NONE
      this.clientOf[at] = NONE
      this.#free.push(at)
      at = above
    }
  }

  /** Puts a client in line, or takes it out. */
  setActive(node: number, isActive: boolean): void {
    if ((this.#activeBelow[node] !== 0) === isActive) return
    for (let at = node; at !== ROOT; at = this.parent[at]!) {
      const before = this.#activeBelow[at]!
      const after = before + (isActive ? 1 : -1)
      this.#activeBelow[at] = after
      if (before !== 0 && after !== 0) continue
      this.refresh()
      const line = this.#lineWith(at)
      if (!isActive) line.remove(at)
      else {
        if (this.#isScored) this.keys.score[at] = this.#scoreOf(at)
        line.insert(at)
      }
    }
  }

  /** Whether any client below the node, or the client itself, is in line. */
  isActive(node: number): boolean {
    return this.#activeBelow[node] !== 0
  }

  /**
   * Adds to (or takes from) what a client holds, and moves it and the roles above it.
   *
   * @param amounts a row of milli-units, negative when given back
   * @param allocations 1 when this is an allocation, else 0
   */
  charge(node: number, amounts: Float64Array, allocations: number): void {
    const kindCount = this.#kinds.count
    for (let at = node; at !== ROOT; at = this.parent[at]!) {
      const row = at * KINDS_MAX
      for (let kind = 0; kind < kindCount; kind++) this.held[row + kind]! += amounts[kind]!
      const count = this.keys.count[at]! + allocations
      // Not in line, or all lines are about to be sorted anew.
      const line = this.#stale || this.#activeBelow[at] === 0 ? undefined : this.#lineWith(at)
      const place = line?.placeOf(at) ?? 0
      this.keys.share[at] = this.#shareOf(at)
      this.keys.count[at] = count
      if (line === undefined) continue
      if (this.#isScored && !line.isDrawn) this.keys.score[at] = this.#scoreOf(at)
      line.settle(place)
    }
  }

  /** The pool has changed, so all shares have; they are computed again before the next use. */
  totalsChanged(): void {
    this.#stale = true
  }

  /** Sets the weight of a role path; it is kept while the role has no node, too. */
  setWeight(role: string, weight: number): void {
    this.#weights.set(role, weight)
    const node = this.#roles.get(role)
    if (node === undefined) return
    this.#weight[node] = weight
    this.#stale = true
  }

  /** Lets walks that ask for it pass over a top-level role and all below; kept while the role has no node, too. */
  setClosed(role: string, isClosed: boolean): void {
    if (isClosed) this.#closedRoles.add(role)
    else this.#closedRoles.delete(role)
    const node = this.#roles.get(role)
    if (node === undefined || this.#isClosed[node] === isClosed) return
    assert(this.parent[node] === ROOT, 'only top-level roles are closed')
    const isInLine = this.#activeBelow[node] !== 0
    if (isInLine) {
      this.refresh()
      this.#lineWith(node).remove(node)
    }
    this.#isClosed[node] = isClosed
    if (isInLine) this.#lineWith(node).insert(node)
  }

  /** The weight of a role path, default 1. */
  weightOf(role: string): number {
    return this.#weights.get(role) ?? 1
  }

  /** The weighted dominant share of a node, 0 to 1 (more when it holds more than the pool has). */
  share(node: number): number {
    this.refresh()
    return this.keys.share[node]!
  }

  /** Brings shares and lines up to date. O(nodes) after the pool or a weight changed, else nothing. */
  refresh(): void {
    if (!this.#stale) return
    this.#stale = false
    for (let node = 1; node < this.parent.length; node++) {
      if (this.parent[node] === NONE) continue
      this.keys.share[node] = this.#shareOf(node)
      if (this.#isScored && this.#activeBelow[node] !== 0) this.keys.score[node] = this.#scoreOf(node)
    }
    for (const line of this.#lines) if (line?.isDrawn === false) line.sort()
    this.#closedLine.sort()
  }

  /** The next agent is visited: scores that are drawn for each agent are drawn anew when they are asked for. */
  visitAgent(): void {
    if (this.isDrawn) this.#draw++
  }

  /**
   * Calls `take` for the active clients in line until one says yes.
   *
   * @param passesClosed does not go into closed roles
   * @returns the client that said yes, or -1. Call `refresh` before. `take` must not change the tree when it says no.
   */
  walk(take: (client: number) => boolean, from: number = ROOT, passesClosed = false): number {
    const client = this.clientOf[from]!
    if (client !== NONE) return take(client) ? client : NONE
    const line = this.#lines[from]
    if (line?.isDrawn === true) this.#drawLine(line)
    if (from === ROOT && !passesClosed && this.#closedLine.size > 0) return this.#walkAll(take)
    if (line === undefined) return NONE
    for (let at = 0; at < line.size; at++) {
      const node = line.isDrawn ? line.drawnAt(at) : line.nodes[at]!
      if (passesClosed && line.isDrawn && this.#isClosed[node]!) continue
      const found = this.walk(take, node, passesClosed)
      if (found !== NONE) return found
    }
    return NONE
  }

  /** Walks open and closed top-level roles, which stand in two lines, as if they stood in one. */
  #walkAll(take: (client: number) => boolean): number {
    const open = this.#lineOf(ROOT)
    const closed = this.#closedLine
    let [openAt, closedAt] = [0, 0]
    while (openAt < open.size || closedAt < closed.size) {
      const isClosedNext =
        openAt === open.size ||
        (closedAt < closed.size && this.keys.precedes(closed.nodes[closedAt]!, open.nodes[openAt]!))
      const node = isClosedNext ? closed.nodes[closedAt++]! : open.nodes[openAt++]!
      const found = this.walk(take, node)
      if (found !== NONE) return found
    }
    return NONE
  }

  /** Negative when leaf `a` is in line before leaf `b`. Call `refresh` before. */
  compare(a: number, b: number): number {
    if (a === b) return 0
    let left = a
    let right = b
    while (this.#depth[left]! > this.#depth[right]!) left = this.parent[left]!
    while (this.#depth[right]! > this.#depth[left]!) right = this.parent[right]!
    while (this.parent[left] !== this.parent[right]) {
      left = this.parent[left]!
      right = this.parent[right]!
    }
    if (this.isDrawn) {
      this.#drawScore(left)
      this.#drawScore(right)
    }
    return this.keys.precedes(left, right) ? -1 : 1
  }

  /** All nodes in use but the root, for checks. */
  *nodes(): IterableIterator<number> {
    for (let node = 1; node < this.parent.length; node++) if (this.parent[node] !== NONE) yield node
  }

  /** The nodes in line below a node, first one first, for checks. */
  inLine(node: number): number[] {
    const line = this.#lines[node]
    const open = line === undefined ? [] : [...line.nodes.subarray(0, line.size)]
    if (node !== ROOT || this.#closedLine.size === 0) return open
    const closed = this.#closedLine.nodes.subarray(0, this.#closedLine.size)
    return [...open, ...closed].sort((a, b) => (this.keys.precedes(a, b) ? -1 : 1))
  }

  #ensureRole(role: string): number {
    const known = this.#roles.get(role)
    if (known !== undefined) return known
    const slash = role.lastIndexOf('/')
    const parent = slash < 0 ? ROOT : this.#ensureRole(role.slice(0, slash))
    const node = this.#newNode({ name: role, parent, client: NONE })
    this.#weight[node] = this.weightOf(role)
    this.#isClosed[node] = this.#closedRoles.has(role)
    this.#roles.set(role, node)
    return node
  }

  #newNode({ name, parent, client }: { name: string; parent: number; client: number }): number {
    const node = this.#free.pop() ?? this.parent.length
    this.keys.reserve(node + 1)
    if ((node + 1) * KINDS_MAX > this.held.length) {
      const larger = new Float64Array(this.held.length * 2)
      larger.set(this.held)
      this.held = larger
    }
    this.held.fill(0, node * KINDS_MAX, (node + 1) * KINDS_MAX)
    this.keys.score[node] = 0
    this.keys.share[node] = 0
    this.keys.count[node] = 0
    this.#drawOf[node] = NONE
    this.keys.names[node] = name
    this.parent[node] = parent
    this.clientOf[node] = client
    this.#depth[node] = parent === NONE ? 0 : this.#depth[parent]! + 1
    this.#weight[node] = 1
    this.#isClosed[node] = false
    this.#activeBelow[node] = 0
    this.#childCount[node] = 0
    this.#lines[node] = undefined
    if (parent !== NONE) this.#childCount[parent]!++
    return node
  }

  /** The line a node stands in while it is active. */
  #lineWith(node: number): Line {
    const parent = this.parent[node]!
    if (parent === ROOT && this.#isClosed[node] === true) {
      const open = this.#lineOf(ROOT)
      return open.isDrawn ? open : this.#closedLine
    }
    return this.#lineOf(parent)
  }

  #lineOf(node: number): Line {
    let line = this.#lines[node]
    if (line === undefined) {
      const sorter = this.keys.names[node]!.endsWith(OWN) ? this.#frameworkSorter : this.#roleSorter
      line = new Line(this.keys, sorter?.asked === 'perAgent')
      this.#lines[node] = line
    }
    return line
  }

  #sorterOf(node: number): Sorter | undefined {
    return this.clientOf[node] === NONE ? this.#roleSorter : this.#frameworkSorter
  }

  #scoreOf(node: number): number {
    const sorter = this.#sorterOf(node)
    if (sorter === undefined) return 0
    this.#candidate.node = node
    const score = sorter.score(this.#candidate)
    return Number.isNaN(score) ? Number.POSITIVE_INFINITY : score
  }

  /** Draws the score of a node, unless it was drawn for this agent already. */
  #drawScore(node: number): void {
    if (this.#drawOf[node] === this.#draw || this.#sorterOf(node)?.asked !== 'perAgent') return
    this.#drawOf[node] = this.#draw
    this.keys.score[node] = this.#scoreOf(node)
  }

  #drawLine(line: Line): void {
    if (line.draw === this.#draw) return
    for (let at = 0; at < line.size; at++) this.#drawScore(line.nodes[at]!)
    line.draw = this.#draw
  }

  #shareOf(node: number): number {
    const kindCount = this.#kinds.count
    const row = node * KINDS_MAX
    let share = 0
    for (let kind = 0; kind < kindCount; kind++) {
      const held = this.held[row + kind]!
      if (held === 0) continue
      const total = this.totals[kind]!
      if (total === 0 || this.#isExcluded(kind)) continue
      if (held / total > share) share = held / total
    }
    return share / this.#weight[node]!
  }

  #isExcluded(kind: number): boolean {
    return this.#excluded.size > 0 && this.#excluded.has(this.#kinds.names[kind]!)
  }
}

/** What sorters see of the node that is asked about. */
class TreeCandidate implements Candidate {
  node = ROOT
  readonly #tree: RoleTree
  readonly #kinds: Kinds
  readonly #frameworkName: (client: number) => string

  constructor(tree: RoleTree, kinds: Kinds, frameworkName: (client: number) => string) {
    this.#tree = tree
    this.#kinds = kinds
    this.#frameworkName = frameworkName
  }

  get kind(): Candidate['kind'] {
    return this.#tree.clientOf[this.node] === NONE ? 'role' : 'framework'
  }

  get id(): string {
    return this.#tree.keys.names[this.node]!
  }

  get name(): string {
    return this.kind === 'role' ? this.id : this.#frameworkName(this.#tree.clientOf[this.node]!)
  }

  get role(): string {
    const { keys, parent } = this.#tree
    const path = this.kind === 'role' ? this.id : keys.names[parent[this.node]!]!
    return path.endsWith(OWN) ? path.slice(0, -OWN.length) : path
  }

  get weight(): number {
    return this.kind === 'role' ? this.#tree.weightOf(this.id) : 1
  }

  get share(): number {
    return this.#tree.keys.share[this.node]!
  }

  get allocations(): number {
    return this.#tree.keys.count[this.node]!
  }

  readonly held = (name: string): number => {
    const kind = this.#kinds.find(name)
    return kind < 0 ? 0 : this.#tree.held[this.node * KINDS_MAX + kind]! / MILLI
  }

  readonly total = (name: string): number => {
    const kind = this.#kinds.find(name)
    return kind < 0 ? 0 : this.#tree.totals[kind]! / MILLI
  }
}
