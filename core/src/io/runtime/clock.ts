// The time of a process's machines. It starts as the wall's and then runs by the monotonic clock, so that it never goes
// backwards and never jumps, whatever is done to the wall clock: timeouts, filters and the order of events depend on it.
//
//   wall set by hand or by NTP ──► this clock runs up to 1 % faster or slower until both agree again
//
// A difference of more than a second is a jump: it is told once when it appears and once when it is made up for. A small one
// is made up for in minutes; after a large one (a machine that slept for hours, a wrong year) times shown stay off for
// long: a restart takes the wall's time at once, and nothing else depends on it.

/** How much faster or slower the clock runs to come back to the wall's time. */
const SLEW = 0.01
/** Differences beyond this are told. */
export const JUMP_MS = 1_000
/** How often the wall is looked at when nobody asks for the time. */
const LOOK_MS = 10_000

/** Where time comes from. */
export interface TimeSources {
  /** Milliseconds since 1970; may jump. */
  readonly wallMs: () => number
  /** Milliseconds since some moment; never goes backwards. */
  readonly monotonicMs: () => number
}

/** A jump of the wall clock, or its end (`aheadMs` near 0). */
export interface ClockJump {
  /** How far the wall is ahead of this clock; negative: behind. */
  readonly aheadMs: number
  readonly isOver: boolean
}

/** A clock that never goes backwards; see the file's header. */
export class SteadyClock {
  readonly #sources: TimeSources
  #nowMs: number
  #readAtMs: number
  #aheadMs = 0
  #isOff = false
  #jumps = 0
  /** Told of jumps; set by who can log. */
  told: ((jump: ClockJump) => void) | undefined

  constructor(sources: TimeSources) {
    this.#sources = sources
    this.#nowMs = sources.wallMs()
    this.#readAtMs = sources.monotonicMs()
  }

  /** Jumps seen since the start. */
  get jumps(): number {
    return this.#jumps
  }

  /** How far the wall was ahead of this clock when the time was asked for last; negative: behind. */
  get aheadMs(): number {
    return this.#aheadMs
  }

  /** Whole milliseconds since 1970; never less than before. */
  readonly now = (): number => {
    const readAtMs = this.#sources.monotonicMs()
    const passedMs = Math.max(0, readAtMs - this.#readAtMs)
    this.#readAtMs = Math.max(readAtMs, this.#readAtMs)
    const aheadMs = this.#sources.wallMs() - (this.#nowMs + passedMs)
    const mostMs = passedMs * SLEW
    const slewMs = Math.max(-mostMs, Math.min(mostMs, aheadMs))
    this.#nowMs += passedMs + slewMs
    this.#aheadMs = aheadMs - slewMs
    const isOff = Math.abs(this.#aheadMs) > (this.#isOff ? JUMP_MS / 2 : JUMP_MS)
    if (isOff !== this.#isOff) this.#turn(isOff)
    return Math.floor(this.#nowMs)
  }

  #turn(isOff: boolean): void {
    this.#isOff = isOff
    if (isOff) this.#jumps += 1
    this.told?.({ aheadMs: Math.round(this.#aheadMs), isOver: !isOff })
  }
}

/** The clock of this process. */
export const clock = new SteadyClock({ wallMs: Date.now, monotonicMs: () => performance.now() })

/** Lets a log hear of jumps of the process's clock, also when nothing else happens. Returns how to stop. */
export function watchClock(
  log: { readonly warn: (message: string, fields: Readonly<Record<string, unknown>>) => void },
  watched: SteadyClock = clock,
): () => void {
  watched.told = ({ aheadMs, isOver }) => {
    log.warn(isOver ? 'clock agrees with the wall again' : 'wall clock jumped', { aheadMs })
  }
  const timer = setInterval(watched.now, LOOK_MS)
  timer.unref()
  return () => {
    clearInterval(timer)
    watched.told = undefined
  }
}
