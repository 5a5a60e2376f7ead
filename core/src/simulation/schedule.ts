import { PriorityQueue } from '../base/priority-queue.ts'

/** Something that will happen; cancelled ones never do. */
export interface Appointment {
  readonly atMs: number
  run: (() => void) | undefined
}

/** Everything of one millisecond, in the order it was asked for. */
interface Moment {
  readonly atMs: number
  readonly list: Appointment[]
  taken: number
}

/**
 * Virtual time: what will happen, in order. Times are whole milliseconds; what is asked for at the same one happens in the order it was
 * asked for, so that a world repeats itself exactly. Asking, cancelling and taking cost O(1), and O(log n) for each millisecond in use.
 */
export class Schedule {
  #nowMs: number
  #happened = 0
  readonly #moments = new Map<number, number>()
  /** By the id in the queue. */
  readonly #slots: (Moment | undefined)[] = []
  readonly #freeSlots: number[] = []
  readonly #order = new PriorityQueue(1024)

  constructor(startMs: number) {
    this.#nowMs = startMs
  }

  /** The present moment, milliseconds since the epoch. */
  get nowMs(): number {
    return this.#nowMs
  }

  /** How many appointments have taken place. */
  get happened(): number {
    return this.#happened
  }

  /** Makes an appointment; a time in the past is the present moment, fractions are rounded up. */
  at(atMs: number, run: () => void): Appointment {
    const whenMs = Math.max(this.#nowMs, Math.ceil(atMs))
    let slot = this.#moments.get(whenMs)
    if (slot === undefined) {
      slot = this.#freeSlots.pop() ?? this.#slots.length
      this.#slots[slot] = { atMs: whenMs, list: [], taken: 0 }
      this.#moments.set(whenMs, slot)
      this.#order.insert(slot, whenMs)
    }
    const appointment: Appointment = { atMs: whenMs, run }
    this.#slots[slot]!.list.push(appointment)
    return appointment
  }

  /** Makes an appointment some time from now. */
  after(delayMs: number, run: () => void): Appointment {
    return this.at(this.#nowMs + delayMs, run)
  }

  /** Lets the next thing happen, unless it is later than `untilMs`; says whether there was one. */
  next(untilMs: number): boolean {
    for (;;) {
      const slot = this.#order.peek()
      if (slot === undefined) return false
      const moment = this.#slots[slot]!
      if (moment.atMs > untilMs) return false
      if (moment.taken >= moment.list.length) {
        this.#order.remove(slot)
        this.#moments.delete(moment.atMs)
        this.#slots[slot] = undefined
        this.#freeSlots.push(slot)
        continue
      }
      const { run } = moment.list[moment.taken++]!
      if (run === undefined) continue
      this.#nowMs = moment.atMs
      this.#happened += 1
      run()
      return true
    }
  }
}

/** Cancels an appointment; one that took place is left alone. */
export function cancel(appointment: Appointment | undefined): void {
  if (appointment !== undefined) appointment.run = undefined
}
