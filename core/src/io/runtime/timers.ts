/** Where a machine's timers come back to. */
export type TimerFired<Timer> = (timer: Timer) => void

/** Node fires a timer with a longer delay at once; a longer one is set in steps of this length. */
const DELAY_MAX_MS = 2 ** 31 - 1
/** More timers than this is a bug of the machine: one per task, offer, framework and agent stays far below. */
const TIMERS_MAX = 4_000_000

interface Entry<Timer> {
  readonly timer: Timer
  readonly atMs: number
  handle: NodeJS.Timeout
}

/**
 * The timers of one machine, by key: setting a key again replaces the earlier timer.
 * Times are milliseconds since the epoch; a time in the past fires in the next turn, never at once.
 */
export class Timers<Timer> {
  readonly #entries = new Map<string, Entry<Timer>>()
  readonly #fired: TimerFired<Timer>
  readonly #now: () => number

  constructor(fired: TimerFired<Timer>, now: () => number) {
    this.#fired = fired
    this.#now = now
  }

  /** How many timers wait. */
  get size(): number {
    return this.#entries.size
  }

  /** Sets or replaces the timer of this key. */
  set(key: string, timer: Timer, atMs: number): void {
    this.cancel(key)
    if (this.#entries.size >= TIMERS_MAX) throw new Error(`more than ${TIMERS_MAX} timers`)
    const entry: Entry<Timer> = { timer, atMs, handle: this.#arm(key, atMs) }
    this.#entries.set(key, entry)
  }

  /** Forgets the timer of this key; unknown keys are ignored. */
  cancel(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    clearTimeout(entry.handle)
    this.#entries.delete(key)
  }

  /** Forgets all timers. */
  clear(): void {
    for (const entry of this.#entries.values()) clearTimeout(entry.handle)
    this.#entries.clear()
  }

  #arm(key: string, atMs: number): NodeJS.Timeout {
    const delayMs = Math.max(0, atMs - this.#now())
    return setTimeout(() => this.#expire(key), Math.min(delayMs, DELAY_MAX_MS))
  }

  #expire(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    if (entry.atMs > this.#now()) {
      entry.handle = this.#arm(key, entry.atMs)
      return
    }
    this.#entries.delete(key)
    this.#fired(entry.timer)
  }
}
