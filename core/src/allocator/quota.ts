/**
 * Quota of top-level roles: guarantees are held back from others, limits are never passed.
 *
 * - consumed = all that is reserved for the role and below, allocated or not, + what is allocated to it unreserved and not revocable;
 * - required headroom = Σ over roles of what is missing of the guarantee;
 * - free = unreserved, not revocable and not allocated, on active agents. What of it exceeds the required headroom is for everybody.
 *
 * Example: 10 CPU free, role a is guaranteed 4 and consumes 1. Required headroom 3: role b may have 7 CPU more, role a (7 + 3) = 10.
 */

import { assert } from '../base/assert.ts'
import { topLevelRole } from '../resources/roles.ts'
import { emptyRow } from './bag.ts'
import { type Bits, clearBit, setBit } from './bits.ts'
import type { RoleQuota } from './contract.ts'
import { KINDS_MAX, type Kinds } from './kinds.ts'
import { isAllocatable, type Least } from './least.ts'

/** The books of one top-level role. */
export interface RoleBooks {
  readonly role: string
  /** Clients, agents with reservations, and the quota itself that need this entry. */
  users: number
  /** Indexes of the clients of the role and below. */
  readonly clients: Set<number>
  /** Unreserved and not revocable, allocated to the role or below, by kind. */
  readonly allocated: Float64Array
  readonly reserved: Float64Array
  /** Milli-units; 0 = none. */
  guarantees: Float64Array
  /** Milli-units; Infinity = none. */
  limits: Float64Array
  /** What is missing of the guarantees. */
  readonly missing: Float64Array
  /** What the bits of the clients say. */
  isMissing: boolean
  isClosed: boolean
  quota: RoleQuota | undefined
}

/** Quota and what counts against it. */
export class Quotas {
  /** Free amounts by kind; kept by whoever changes an agent. */
  readonly free = emptyRow()
  /** Σ of what is missing of guarantees, by kind. */
  readonly required = emptyRow()
  /** Clients whose guarantee misses something. */
  missing: Bits = new Int32Array(1)
  /** Clients whose limit leaves less than an offer holds at least, so that they can have what is reserved or revocable only. */
  closed: Bits = new Int32Array(1)
  readonly #least: readonly Least[]
  readonly #kinds: Kinds
  readonly #roles = new Map<string, RoleBooks>()
  readonly #row = emptyRow()
  readonly #closedChanged: (role: string, isClosed: boolean) => void
  #quotaCount = 0
  /** Roles whose guarantee misses something. */
  #missingCount = 0

  /** @param closedChanged hears of each top-level role whose clients are put into `closed` or taken out */
  constructor(
    kinds: Kinds,
    leastDefault: readonly Least[],
    closedChanged: (role: string, isClosed: boolean) => void = () => undefined,
  ) {
    this.#kinds = kinds
    this.#least = leastDefault
    this.#closedChanged = closedChanged
  }

  /** Whether any role has quota. */
  get isUsed(): boolean {
    return this.#quotaCount > 0
  }

  /** Whether anything is missing of any guarantee. */
  get isMissing(): boolean {
    return this.#missingCount > 0
  }

  /** The books of the top-level role of `role`, for one more user, who releases them in the end. */
  retain(role: string): RoleBooks {
    const top = topLevelRole(role)
    let books = this.#roles.get(top)
    if (books === undefined) {
      books = {
        role: top,
        users: 0,
        clients: new Set(),
        allocated: emptyRow(),
        reserved: emptyRow(),
        guarantees: emptyRow(),
        limits: emptyRow().fill(Number.POSITIVE_INFINITY),
        missing: emptyRow(),
        isMissing: false,
        isClosed: false,
        quota: undefined,
      }
      this.#roles.set(top, books)
    }
    books.users++
    return books
  }

  /** The books of a client's top-level role: one more user, who also hears of the role's state. */
  retainFor(role: string, client: number): RoleBooks {
    const books = this.retain(role)
    books.clients.add(client)
    this.#markClient(books, client)
    return books
  }

  /** The client is gone. */
  releaseFor(books: RoleBooks, client: number): void {
    books.clients.delete(client)
    clearBit(this.missing, client)
    clearBit(this.closed, client)
    this.release(books)
  }

  /** One user less. */
  release(books: RoleBooks): void {
    assert(books.users > 0, 'books are released once')
    books.users--
    if (books.users === 0) this.#roles.delete(books.role)
  }

  /** Sets or takes away the quota of a top-level role. */
  set(role: string, quota: RoleQuota | undefined): void {
    const books = this.retain(role)
    if (books.quota !== undefined) {
      this.#quotaCount--
      this.release(books)
    }
    books.quota = quota
    books.guarantees = this.#kinds.row(quota?.guarantees ?? {})
    books.limits = this.#kinds.row(quota?.limits ?? {}, Number.POSITIVE_INFINITY)
    this.#updateMissing(books)
    if (quota === undefined) this.release(books)
    else this.#quotaCount++
  }

  /** Adds a row to what is allocated to a role unreserved; negative amounts are given back. */
  chargeAllocated(books: RoleBooks, amounts: Float64Array): void {
    for (let kind = 0; kind < this.#kinds.count; kind++) books.allocated[kind]! += amounts[kind]!
    if (books.quota !== undefined) this.#updateMissing(books)
  }

  /** Adds a row to what is reserved for a role, times `factor` (1 or -1). */
  chargeReserved(books: RoleBooks, amounts: Float64Array, factor: number): void {
    for (let kind = 0; kind < this.#kinds.count; kind++) books.reserved[kind]! += amounts[kind]! * factor
    if (books.quota !== undefined) this.#updateMissing(books)
  }

  /** How much of a kind the role may consume still: Infinity without a limit. */
  limitLeft(books: RoleBooks, kind: number): number {
    return Math.max(0, books.limits[kind]! - books.allocated[kind]! - books.reserved[kind]!)
  }

  /** How much free of a kind the role may be given without touching what is held back for others. */
  headroomFor(books: RoleBooks, kind: number): number {
    const required = this.required[kind]!
    if (required === 0) return Number.POSITIVE_INFINITY
    return Math.max(0, this.free[kind]! - required + books.missing[kind]!)
  }

  /** Whether roles that miss no guarantee may have anything at all that quota counts. */
  get hasSurplus(): boolean {
    for (let kind = 0; kind < KINDS_MAX; kind++) {
      const required = this.required[kind]!
      this.#row[kind] = required === 0 ? Number.POSITIVE_INFINITY : this.free[kind]! - required
    }
    return isAllocatable(this.#row, 0, this.#least)
  }

  /** Roles with books, for checks and explanations. */
  roles(): IterableIterator<RoleBooks> {
    return this.#roles.values()
  }

  /** The rows by kind, at most {@link KINDS_MAX} long, of the books of a role. */
  booksOf(role: string): RoleBooks | undefined {
    return this.#roles.get(topLevelRole(role))
  }

  #updateMissing(books: RoleBooks): void {
    for (let kind = 0; kind < this.#kinds.count; kind++) {
      const missing = Math.max(0, books.guarantees[kind]! - books.allocated[kind]! - books.reserved[kind]!)
      this.required[kind]! += missing - books.missing[kind]!
      books.missing[kind] = missing
    }
    this.#mark(books)
  }

  #mark(books: RoleBooks): void {
    const isMissing = books.quota !== undefined && isAnyPositive(books.missing)
    const isClosed = books.quota !== undefined && !isAllocatable(this.#leftOf(books), 0, this.#least)
    if (isMissing === books.isMissing && isClosed === books.isClosed) return
    if (isMissing !== books.isMissing) this.#missingCount += isMissing ? 1 : -1
    books.isMissing = isMissing
    if (isClosed !== books.isClosed) this.#closedChanged(books.role, isClosed)
    books.isClosed = isClosed
    for (const client of books.clients) this.#markClient(books, client)
  }

  #markClient(books: RoleBooks, client: number): void {
    if (books.isMissing) this.missing = setBit(this.missing, client)
    else clearBit(this.missing, client)
    if (books.isClosed) this.closed = setBit(this.closed, client)
    else clearBit(this.closed, client)
  }

  #leftOf(books: RoleBooks): Float64Array {
    for (let kind = 0; kind < KINDS_MAX; kind++) this.#row[kind] = this.limitLeft(books, kind)
    return this.#row
  }
}

function isAnyPositive(row: Float64Array): boolean {
  for (let kind = 0; kind < KINDS_MAX; kind++) if (row[kind]! > 0) return true
  return false
}
