/**
 * Connections in virtual time, as TCP gives them: what is sent arrives in order, later, or the connection breaks and both ends learn of it.
 *
 * - a message takes a random while, now and then a long one; messages on different connections overtake each other;
 * - while a host, or the way between two, is cut off nothing passes there; what was sent arrives afterwards, unless an end has given up;
 * - a broken connection loses what is under way in both directions; the ends learn of it one after the other;
 * - a host that crashes breaks its connections; only the others learn of it.
 */

import { nextFraction, type Random } from '../base/random.ts'
import { type Appointment, cancel, type Schedule } from './schedule.ts'

/** How long messages take, in milliseconds. */
export interface Latency {
  readonly minMs: number
  readonly maxMs: number
  /** How often a message is late, 0 to 1, and how late at most. */
  readonly lateChance: number
  readonly lateMs: number
}

/** One end of a connection as the host at it sees it. */
export interface End<In> {
  readonly received: (message: In) => void
  /** The other end is gone, or the connection broke; nothing comes afterwards. */
  readonly closed: (reason: string) => void
}

/** All hosts and what lies between them. */
export class Network {
  readonly #schedule: Schedule
  readonly #random: Random
  latency: Latency
  readonly #cutUntilMs = new Map<string, number>()
  readonly #pairCutUntilMs = new Map<string, number>()
  readonly #slowMs = new Map<string, number>()
  readonly #connections = new Map<string, Set<Connection<never, never>>>()

  constructor(schedule: Schedule, random: Random, latency: Latency) {
    this.#schedule = schedule
    this.#random = random
    this.latency = latency
  }

  /** Cuts a host off from everybody for a while. */
  cut(host: string, forMs: number): void {
    const untilMs = this.#schedule.nowMs + forMs
    this.#cutUntilMs.set(host, Math.max(untilMs, this.#cutUntilMs.get(host) ?? 0))
  }

  /** Cuts two hosts off from each other for a while; others reach both. */
  cutBetween(one: string, other: string, forMs: number): void {
    const key = pairOf(one, other)
    const untilMs = this.#schedule.nowMs + forMs
    this.#pairCutUntilMs.set(key, Math.max(untilMs, this.#pairCutUntilMs.get(key) ?? 0))
  }

  /** Makes everything from and to a host take longer; 0 = as others. */
  slow(host: string, byMs: number): void {
    if (byMs > 0) this.#slowMs.set(host, byMs)
    else this.#slowMs.delete(host)
  }

  /** Ends every cut and every slowness. */
  heal(): void {
    this.#cutUntilMs.clear()
    this.#pairCutUntilMs.clear()
    this.#slowMs.clear()
  }

  /** Until when nothing passes between these hosts; undefined when they reach each other. */
  cutUntilMs(one: string, other: string): number | undefined {
    if (this.#cutUntilMs.size + this.#pairCutUntilMs.size === 0) return undefined
    const pairMs = this.#pairCutUntilMs.size === 0 ? 0 : (this.#pairCutUntilMs.get(pairOf(one, other)) ?? 0)
    const untilMs = Math.max(this.#cutUntilMs.get(one) ?? 0, this.#cutUntilMs.get(other) ?? 0, pairMs)
    return untilMs > this.#schedule.nowMs ? untilMs : undefined
  }

  /** A random time for one way between these hosts. */
  delayMs(from: string, to: string): number {
    const { minMs, maxMs, lateChance, lateMs } = this.latency
    let delayMs = minMs + (maxMs - minMs) * nextFraction(this.#random)
    if (this.#slowMs.size > 0) {
      delayMs += ((this.#slowMs.get(from) ?? 0) + (this.#slowMs.get(to) ?? 0)) * nextFraction(this.#random)
    }
    if (lateChance > 0 && nextFraction(this.#random) < lateChance) delayMs += lateMs * nextFraction(this.#random)
    return delayMs
  }

  /** Connects two hosts; the server's end is attached when the first message arrives there. */
  connect<ToServer, ToClient>(client: string, server: string, end: End<ToClient>): Connection<ToServer, ToClient> {
    const connection = new Connection<ToServer, ToClient>(
      { network: this, schedule: this.#schedule, client, server },
      end,
    )
    for (const host of [client, server]) this.#of(host).add(connection as never)
    return connection
  }

  /** Breaks every connection of a host; both ends learn of it. */
  breakAll(host: string, reason: string): void {
    for (const connection of [...this.#of(host)]) connection.break(reason)
  }

  /** The host ended without a word: the others learn of it, it does not. */
  hostEnded(host: string): void {
    for (const connection of [...this.#of(host)]) connection.abandon(host)
  }

  /** For connections only. */
  forget(connection: Connection<never, never>, hosts: readonly string[]): void {
    for (const host of hosts) this.#of(host).delete(connection)
  }

  #of(host: string): Set<Connection<never, never>> {
    let set = this.#connections.get(host)
    if (set === undefined) {
      set = new Set()
      this.#connections.set(host, set)
    }
    return set
  }
}

function pairOf(one: string, other: string): string {
  return one < other ? `${one} ${other}` : `${other} ${one}`
}

interface Route {
  readonly network: Network
  readonly schedule: Schedule
  readonly client: string
  readonly server: string
}

/** One connection; an end that closed it hears nothing of it any more. */
export class Connection<ToServer, ToClient> {
  readonly #route: Route
  readonly #up: Pipe<ToServer>
  readonly #down: Pipe<ToClient>
  #clientEnd: End<ToClient> | undefined
  #serverEnd: End<ToServer> | undefined
  #isOver = false
  /** A connection that was asked for while the way was cut is none until something arrives. */
  #isEstablished: boolean

  constructor(route: Route, clientEnd: End<ToClient>) {
    this.#route = route
    this.#clientEnd = clientEnd
    this.#isEstablished = route.network.cutUntilMs(route.client, route.server) === undefined
    this.#up = new Pipe(route, [route.client, route.server], (message) => {
      this.#isEstablished = true
      this.#serverEnd?.received(message)
    })
    this.#down = new Pipe(route, [route.server, route.client], (message) => this.#clientEnd?.received(message))
  }

  /** Attaches the server's end. */
  accept(end: End<ToServer>): void {
    this.#serverEnd = end
  }

  toServer(message: ToServer): void {
    this.#up.send(message)
  }

  toClient(message: ToClient): void {
    this.#down.send(message)
  }

  /** The client closes: it hears nothing more; the server learns of it after what was sent. */
  closeByClient(): void {
    this.#clientEnd = undefined
    this.#down.stop()
    if (this.#isEstablished) this.#up.end(() => this.#tellServer('closed by the client'))
    else this.#up.stop()
    this.#over()
  }

  /** The server closes: it hears nothing more; the client learns of it after what was sent. */
  closeByServer(reason = 'closed by the server'): void {
    this.#serverEnd = undefined
    this.#up.stop()
    this.#down.end(() => this.#tellClient(reason))
    this.#over()
  }

  /** Loses what is under way; both ends learn of it, each in its time. */
  break(reason: string): void {
    this.#up.stop()
    this.#down.stop()
    this.#up.end(() => this.#tellServer(reason))
    this.#down.end(() => this.#tellClient(reason))
    this.#over()
  }

  /** One of the hosts is no more: the other learns of it. */
  abandon(host: string): void {
    if (host === this.#route.client) this.#clientEnd = undefined
    if (host === this.#route.server) this.#serverEnd = undefined
    this.break('connection reset')
  }

  #tellServer(reason: string): void {
    const end = this.#serverEnd
    this.#serverEnd = undefined
    end?.closed(reason)
  }

  #tellClient(reason: string): void {
    const end = this.#clientEnd
    this.#clientEnd = undefined
    end?.closed(reason)
  }

  #over(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#route.network.forget(this as never, [this.#route.client, this.#route.server])
  }
}

/** One direction: first in, first out. */
class Pipe<Message> {
  readonly #route: Route
  readonly #hosts: readonly [from: string, to: string]
  readonly #deliver: (message: Message) => void
  readonly #due = (): void => this.#arrive()
  /** What is under way, from #taken on, and when each arrives. */
  #messages: Message[] = []
  #timesMs: number[] = []
  #taken = 0
  /** Called when everything has arrived. */
  #ended: (() => void) | undefined
  #endAtMs = 0
  #lastAtMs = 0
  #isClosed = false
  #appointment: Appointment | undefined

  constructor(route: Route, hosts: readonly [string, string], deliver: (message: Message) => void) {
    this.#route = route
    this.#hosts = hosts
    this.#deliver = deliver
  }

  send(message: Message): void {
    if (this.#isClosed) return
    this.#messages.push(message)
    this.#timesMs.push(this.#nextMs())
    this.#wait(this.#lastAtMs)
  }

  /** Nothing more is sent; `ended` is called when everything has arrived. */
  end(ended: () => void): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#ended = ended
    this.#endAtMs = this.#nextMs()
    this.#wait(this.#endAtMs)
  }

  /** Loses what is under way, also the end. */
  stop(): void {
    this.#messages = []
    this.#timesMs = []
    this.#taken = 0
    this.#ended = undefined
    cancel(this.#appointment)
    this.#appointment = undefined
  }

  #nextMs(): number {
    const { network, schedule } = this.#route
    this.#lastAtMs = Math.max(this.#lastAtMs, schedule.nowMs + network.delayMs(...this.#hosts))
    return this.#lastAtMs
  }

  #wait(atMs: number): void {
    this.#appointment ??= this.#route.schedule.at(atMs, this.#due)
  }

  #arrive(): void {
    const { network, schedule } = this.#route
    this.#appointment = undefined
    const cutUntilMs = network.cutUntilMs(...this.#hosts)
    if (cutUntilMs !== undefined) {
      this.#wait(cutUntilMs + network.delayMs(...this.#hosts))
      return
    }
    // A stop() in between leaves nothing to take.
    while (this.#taken < this.#messages.length && this.#timesMs[this.#taken]! <= schedule.nowMs) {
      this.#deliver(this.#messages[this.#taken++]!)
    }
    if (this.#taken < this.#messages.length) {
      this.#wait(this.#timesMs[this.#taken]!)
      return
    }
    this.#messages.length = 0
    this.#timesMs.length = 0
    this.#taken = 0
    if (this.#ended === undefined) return
    if (this.#endAtMs > schedule.nowMs) {
      this.#wait(this.#endAtMs)
      return
    }
    const ended = this.#ended
    this.#ended = undefined
    ended()
  }
}
