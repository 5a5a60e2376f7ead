// The loop that drives a pure machine: an event goes in, the machine's step runs, its effects are performed in order.
//
//   post(event) ─► queue ─► step(state, event) ─► perform(effect) for each, in order ─► next event
//
// One step runs at a time: an event posted while a step or an effect runs waits in the queue. Effects that take time (a
// write, a request) are started here and come back as later events. An exception out of a step is our own bug: the state may
// be half changed, so the process must not go on (see `crash` in the options).

import { clock } from './clock.ts'
import { Timers } from './timers.ts'

/** Events that wait at most; more means that the machine cannot keep up and memory would run out. */
export const QUEUE_MAX = 1_000_000
/** Events handled without letting sockets and timers have a turn. */
const TURN_MAX = 1_000

/** What a loop needs. */
export interface LoopOptions<State, Event, Effect, Timer> {
  readonly state: State
  readonly step: (state: State, event: Event) => readonly Effect[]
  /** Performs one effect; must not throw for what the outside may do wrong. */
  readonly perform: (effect: Effect) => void
  /** Called after each step, when all its effects were handed to `perform`. */
  readonly stepped?: (() => void) | undefined
  /** Makes the event of a timer that ran out. */
  readonly timerFired: (timer: Timer, atMs: number) => Event
  /** Called when a step or an effect threw: log it and end the process. */
  readonly crash: (error: unknown, event: Event) => void
  /** Milliseconds since the epoch, never less than before; default the clock of the process. */
  readonly now?: () => number
}

/** Drives one machine; see the file's header. */
export class Loop<State, Event, Effect, Timer> {
  readonly state: State
  readonly timers: Timers<Timer>
  readonly now: () => number
  readonly #options: LoopOptions<State, Event, Effect, Timer>
  #queue: Event[] = []
  #running = false
  #stopped = false
  #steps = 0

  constructor(options: LoopOptions<State, Event, Effect, Timer>) {
    this.#options = options
    this.state = options.state
    this.now = options.now ?? clock.now
    this.timers = new Timers((timer) => this.post(options.timerFired(timer, this.now())), this.now)
  }

  /** Events that wait for their step. */
  get queueLength(): number {
    return this.#queue.length
  }

  /** Steps done since the start. */
  get steps(): number {
    return this.#steps
  }

  /** Queues an event; it is handled before this returns, unless a step is under way. Ignored after `stop`. */
  post(event: Event): void {
    if (this.#stopped) return
    if (this.#queue.length >= QUEUE_MAX) {
      this.#fail(new Error(`more than ${QUEUE_MAX} events wait`), event)
      return
    }
    this.#queue.push(event)
    if (!this.#running) this.#turn()
  }

  /** Ends the loop: timers and events that wait are dropped. */
  stop(): void {
    this.#stopped = true
    this.#queue = []
    this.timers.clear()
  }

  #turn(): void {
    this.#running = true
    let taken = 0
    while (taken < this.#queue.length && taken < TURN_MAX && !this.#stopped) {
      const event = this.#queue[taken] as Event
      taken += 1
      if (!this.#handle(event)) return
    }
    this.#running = false
    if (taken >= this.#queue.length) {
      this.#queue.length = 0
      return
    }
    this.#queue = this.#queue.slice(taken)
    this.#running = true
    setImmediate(() => this.#turn())
  }

  /** False when the machine failed. */
  #handle(event: Event): boolean {
    try {
      this.#steps += 1
      for (const effect of this.#options.step(this.state, event)) this.#options.perform(effect)
      this.#options.stepped?.()
      return true
    } catch (error) {
      this.#fail(error, event)
      return false
    }
  }

  #fail(error: unknown, event: Event): void {
    this.stop()
    this.#options.crash(error, event)
  }
}
