import type { HostClock } from './clocks.ts'
import { type Appointment, cancel, type Schedule } from './schedule.ts'

/** The timers of one process, by its clock: by key, a key set again replaces the earlier one. */
export class HostTimers<Timer> {
  readonly #schedule: Schedule
  readonly #clock: HostClock
  readonly #fired: (timer: Timer) => void
  readonly #byKey = new Map<string, Appointment>()

  constructor(schedule: Schedule, clock: HostClock, fired: (timer: Timer) => void) {
    this.#schedule = schedule
    this.#clock = clock
    this.#fired = fired
  }

  set(key: string, timer: Timer, atMs: number): void {
    cancel(this.#byKey.get(key))
    const appointment = this.#schedule.at(this.#clock.worldMs(atMs), () => {
      // Rounding may have it a millisecond early, which no real timer is.
      if (this.#clock.nowMs < atMs) {
        this.#byKey.set(
          key,
          this.#schedule.after(1, () => this.set(key, timer, atMs)),
        )
        return
      }
      this.#byKey.delete(key)
      this.#fired(timer)
    })
    this.#byKey.set(key, appointment)
  }

  cancel(key: string): void {
    cancel(this.#byKey.get(key))
    this.#byKey.delete(key)
  }

  /** Forgets all: the process ended. */
  clear(): void {
    for (const appointment of this.#byKey.values()) cancel(appointment)
    this.#byKey.clear()
  }
}
