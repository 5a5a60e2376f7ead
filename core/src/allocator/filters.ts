/**
 * Refusals: until when a client (framework × role) does not want what it refused on an agent. A later offer is refused when all of it was
 * refused before.
 *
 * Refusals of equal resources on one agent share a group: the resources once, and a bit for each client. So a question about resources is
 * answered once a group and not once a client, and ten million refusals fit into memory.
 *
 * ```
 * agent 7 ─ groups ─┬─ 0: cpus:4;mem:512, clients 0110 1001 …        buckets ─┬─ until 5000 ms: (7, 0, client 1), (9, 0, client 4) …
 *                   └─ 1: cpus:1,        clients 0010 0000 …                  └─ until 6000 ms: …
 * ```
 * Entries of a bucket whose client or agent was cleared meanwhile are dead: they are skipped, and swept out when they are the majority.
 */

import { assert } from '../base/assert.ts'
import type { Resources } from '../resources/resources.ts'
import { fingerprint as fingerprintOf } from './bag.ts'
import { BitRows } from './bit-rows.ts'
import { type Bits, clearBit, hasBit, setBit } from './bits.ts'

/** Different refused bags on one agent at most; one more is not remembered, so its framework is offered the agent again next round. */
export const GROUPS_MAX = 1024

/** Clients and agents an entry has room for. */
const CLIENTS_MAX = 2 ** 20
const AGENTS_MAX = 2 ** 22

/** Refusals longer than this end on a whole second, later rather than earlier, so that there are not too many buckets. */
const EXACT_MS_MAX = 60_000

/** Dead entries that are always tolerated. */
const DEAD_MIN = 4096

interface Group {
  readonly refused: Resources
  readonly fingerprint: number
  clients: Bits
  /** Entries of this group that are alive. */
  entryCount: number
  /** Client → entries beyond its first, when it refused the same twice. */
  extra: Map<number, number> | undefined
  /** The last question and its answer. */
  asked: Resources | undefined
  answer: boolean
}

/** What to remember; agent and client by index. */
export interface Refusal {
  readonly agent: number
  readonly client: number
  /** Without allocation info. */
  readonly refused: Resources
  readonly untilMs: number
  readonly atMs: number
}

/** Pairs of numbers: the packed entry and its sequence number. */
interface Bucket {
  pairs: Float64Array<ArrayBuffer>
  size: number
}

/** All refusals of the allocator, by small integers of agents and clients. */
export class Filters {
  readonly #groups: ((Group | undefined)[] | undefined)[] = []
  /** Agent → the clients of all its groups: most questions are about a client that has refused nothing there. */
  readonly #refusers = new BitRows()
  readonly #buckets = new Map<number, Bucket>()
  /** Keys of the buckets as a binary heap, earliest first. */
  readonly #times: number[] = []
  readonly #clearedClient: number[] = []
  readonly #clearedAgent: number[] = []
  readonly #aliveOfClient: number[] = []
  #sequence = 0
  #alive = 0
  #dead = 0

  /** Refusals in force. */
  get count(): number {
    return this.#alive
  }

  /** Remembers a refusal until `untilMs` (inclusive). Does nothing at {@link GROUPS_MAX}. O(groups of the agent). */
  add(refusal: Refusal): void {
    const { agent, client, refused, untilMs, atMs } = refusal
    assert(agent < AGENTS_MAX && client < CLIENTS_MAX, 'agents and clients have small indexes')
    const slot = this.#groupOf(agent, refused)
    if (slot < 0) return
    const group = this.#groups[agent]![slot]!
    if (hasBit(group.clients, client)) {
      group.extra ??= new Map()
      group.extra.set(client, (group.extra.get(client) ?? 0) + 1)
    } else group.clients = setBit(group.clients, client)
    this.#refusers.set(agent, client)
    group.entryCount++
    this.#alive++
    this.#aliveOfClient[client] = (this.#aliveOfClient[client] ?? 0) + 1
    const exact = Math.ceil(untilMs)
    const until = exact - atMs > EXACT_MS_MAX ? Math.ceil(exact / 1000) * 1000 : exact
    this.#push(until, (agent * CLIENTS_MAX + client) * GROUPS_MAX + slot, this.#sequence++)
  }

  /** Whether the client has refused all of these resources on the agent. Pass the same object for the same question: it is answered once. */
  refuses(agent: number, client: number, resources: Resources): boolean {
    if (!this.#refusers.has(agent, client)) return false
    for (const group of this.#groups[agent]!) {
      if (group === undefined || !hasBit(group.clients, client)) continue
      if (group.asked !== resources) {
        group.asked = resources
        group.answer = group.refused === resources || group.refused.contains(resources)
      }
      if (group.answer) return true
    }
    return false
  }

  /** Ends the refusals that lasted until before `atMs` and names the agent and client of each. */
  expire(atMs: number, ended: (agent: number, client: number) => void): void {
    while (this.#times.length > 0 && this.#times[0]! < atMs) {
      const time = this.#popTime()
      const bucket = this.#buckets.get(time)!
      this.#buckets.delete(time)
      for (let at = 0; at < bucket.size; at += 2) this.#endEntry(bucket.pairs[at]!, bucket.pairs[at + 1]!, ended)
    }
  }

  /** Forgets what a client refused. O(agents). */
  clearClient(client: number): boolean {
    const count = this.#aliveOfClient[client] ?? 0
    if (count === 0) return false
    for (const [agent, groups] of this.#groups.entries()) {
      if (groups === undefined) continue
      this.#refusers.clear(agent, client)
      for (let slot = 0; slot < groups.length; slot++) {
        const group = groups[slot]
        if (group === undefined || !hasBit(group.clients, client)) continue
        clearBit(group.clients, client)
        group.entryCount -= 1 + (group.extra?.get(client) ?? 0)
        group.extra?.delete(client)
        if (group.entryCount === 0) groups[slot] = undefined
      }
    }
    this.#clearedClient[client] = this.#sequence++
    this.#aliveOfClient[client] = 0
    this.#bury(count)
    return true
  }

  /** Forgets what was refused on an agent. O(clients that refused). */
  clearAgent(agent: number): void {
    const groups = this.#groups[agent]
    if (groups === undefined) return
    let count = 0
    for (const group of groups) {
      if (group === undefined) continue
      count += group.entryCount
      for (let client = 0; client < group.clients.length * 32; client++) {
        if (hasBit(group.clients, client)) this.#aliveOfClient[client]! -= 1 + (group.extra?.get(client) ?? 0)
      }
    }
    this.#groups[agent] = undefined
    this.#refusers.clearRow(agent)
    this.#clearedAgent[agent] = this.#sequence++
    this.#bury(count)
  }

  /** Agent → when the client's last refusal there ends. O(all refusals): for explanations only. */
  untilMsOf(client: number): Map<number, number> {
    const until = new Map<number, number>()
    for (const [time, { pairs, size }] of this.#buckets) {
      for (let at = 0; at < size; at += 2) {
        const of = unpack(pairs[at]!)
        if (of.client !== client || this.#isDead(of, pairs[at + 1]!)) continue
        until.set(of.agent, Math.max(until.get(of.agent) ?? time, time))
      }
    }
    return until
  }

  #endEntry(packed: number, sequence: number, ended: (agent: number, client: number) => void): void {
    const entry = unpack(packed)
    if (this.#isDead(entry, sequence)) {
      this.#dead--
      return
    }
    const { agent, client, slot } = entry
    const groups = this.#groups[agent]!
    const group = groups[slot]!
    const extra = group.extra?.get(client) ?? 0
    if (extra > 1) group.extra!.set(client, extra - 1)
    else if (extra === 1) group.extra!.delete(client)
    else clearBit(group.clients, client)
    group.entryCount--
    if (group.entryCount === 0) groups[slot] = undefined
    this.#alive--
    this.#aliveOfClient[client]!--
    if (extra > 0) return
    if (!groups.some((other) => hasBit(other?.clients, client))) this.#refusers.clear(agent, client)
    ended(agent, client)
  }

  #groupOf(agent: number, refused: Resources): number {
    let groups = this.#groups[agent]
    if (groups === undefined) {
      groups = []
      this.#groups[agent] = groups
    }
    const fingerprint = fingerprintOf(refused)
    let free = groups.length
    for (let slot = groups.length - 1; slot >= 0; slot--) {
      const group = groups[slot]
      if (group === undefined) free = slot
      else if (group.fingerprint === fingerprint && (group.refused === refused || group.refused.equals(refused))) {
        return slot
      }
    }
    if (free === GROUPS_MAX) return -1
    groups[free] = {
      refused,
      fingerprint,
      clients: new Int32Array(1),
      entryCount: 0,
      extra: undefined,
      asked: undefined,
      answer: false,
    }
    return free
  }

  #isDead({ agent, client }: { agent: number; client: number }, sequence: number): boolean {
    return sequence < (this.#clearedClient[client] ?? -1) || sequence < (this.#clearedAgent[agent] ?? -1)
  }

  #bury(count: number): void {
    this.#alive -= count
    this.#dead += count
    if (this.#dead > this.#alive + DEAD_MIN) this.#sweep()
  }

  #sweep(): void {
    for (const bucket of this.#buckets.values()) {
      let kept = 0
      for (let at = 0; at < bucket.size; at += 2) {
        if (this.#isDead(unpack(bucket.pairs[at]!), bucket.pairs[at + 1]!)) continue
        bucket.pairs[kept++] = bucket.pairs[at]!
        bucket.pairs[kept++] = bucket.pairs[at + 1]!
      }
      bucket.size = kept
      bucket.pairs = bucket.pairs.slice(0, Math.max(2, kept))
    }
    this.#dead = 0
  }

  #push(time: number, packed: number, sequence: number): void {
    let bucket = this.#buckets.get(time)
    if (bucket === undefined) {
      bucket = { pairs: new Float64Array(2), size: 0 }
      this.#buckets.set(time, bucket)
      this.#pushTime(time)
    }
    if (bucket.size === bucket.pairs.length) {
      const larger = new Float64Array(bucket.size * 2)
      larger.set(bucket.pairs)
      bucket.pairs = larger
    }
    bucket.pairs[bucket.size++] = packed
    bucket.pairs[bucket.size++] = sequence
  }

  #pushTime(time: number): void {
    const times = this.#times
    let at = times.length
    times.push(time)
    while (at > 0) {
      const above = (at - 1) >>> 1
      if (times[above]! <= time) break
      times[at] = times[above]!
      at = above
    }
    times[at] = time
  }

  #popTime(): number {
    const times = this.#times
    const first = times[0]!
    const last = times.pop()!
    if (times.length === 0) return first
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      if (below >= times.length) break
      if (below + 1 < times.length && times[below + 1]! < times[below]!) below++
      if (times[below]! >= last) break
      times[at] = times[below]!
      at = below
    }
    times[at] = last
    return first
  }
}

function unpack(packed: number): { agent: number; client: number; slot: number } {
  const slot = packed % GROUPS_MAX
  const pair = (packed - slot) / GROUPS_MAX
  const client = pair % CLIENTS_MAX
  return { agent: (pair - client) / CLIENTS_MAX, client, slot }
}
