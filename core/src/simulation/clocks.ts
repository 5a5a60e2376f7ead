import { nextFraction, type Random } from '../base/random.ts'
import type { Schedule } from './schedule.ts'

/** How wrong the clocks of a world's machines may be. */
export interface ClockErrors {
  /** A process starts with the time of its machine, which is up to this far off, in milliseconds; another one at each start, as clocks are set. */
  readonly offsetMs: number
  /** And it may run faster or slower by up to this part, as core/src/io/runtime/clock.ts does to make up for a jump. */
  readonly slew: number
}

/** All clocks are right. */
export const RIGHT_CLOCKS: ClockErrors = { offsetMs: 0, slew: 0 }

/** The time as one process sees it; it never goes backwards. */
export interface Clock {
  /** Whole milliseconds since the epoch. */
  readonly nowMs: number
}

/** Makes the clocks of a world. */
export class Clocks {
  readonly #schedule: Schedule
  readonly #random: Random
  readonly #errors: ClockErrors

  constructor(schedule: Schedule, random: Random, errors: ClockErrors) {
    this.#schedule = schedule
    this.#random = random
    this.#errors = errors
  }

  /** The clock of a process that starts now. */
  start(): HostClock {
    const { offsetMs, slew } = this.#errors
    if (offsetMs === 0 && slew === 0) return new HostClock(this.#schedule, { offsetMs: 0, rate: 1 })
    const part = (): number => 2 * nextFraction(this.#random) - 1
    return new HostClock(this.#schedule, { offsetMs: Math.round(offsetMs * part()), rate: 1 + slew * part() })
  }
}

/** One of them. */
export class HostClock implements Clock {
  readonly #schedule: Schedule
  readonly #startedMs: number
  readonly #offsetMs: number
  readonly #rate: number

  constructor(schedule: Schedule, { offsetMs, rate }: { readonly offsetMs: number; readonly rate: number }) {
    this.#schedule = schedule
    this.#startedMs = schedule.nowMs
    this.#offsetMs = offsetMs
    this.#rate = rate
  }

  get nowMs(): number {
    const passedMs = this.#schedule.nowMs - this.#startedMs
    return this.#startedMs + this.#offsetMs + Math.floor(passedMs * this.#rate)
  }

  /** When it will show this, in the time of the world; the first whole millisecond. */
  worldMs(atMs: number): number {
    return this.#startedMs + Math.ceil((atMs - this.#startedMs - this.#offsetMs) / this.#rate)
  }
}
