import type { Log } from '../observe/logger.ts'

/** Raises the level of a log for a while. */
export class LoggingToggle {
  readonly #log: Log
  #timer: NodeJS.Timeout | undefined

  constructor(log: Log) {
    this.#log = log
  }

  /** The level as Mesos counts it: 0 normally, higher tells more. */
  get level(): number {
    return this.#log.level()
  }

  /** Sets the level until the duration is over; then it is 0 again. */
  set(level: number, durationMs: number): void {
    clearTimeout(this.#timer)
    this.#log.setLevel(level)
    const delayMs = Math.min(Math.max(0, durationMs), 2 ** 31 - 1)
    this.#timer = setTimeout(() => this.#log.setLevel(0), delayMs)
    this.#timer.unref()
  }
}
