import { nextFraction, type Random } from '../base/random.ts'
import type { RegistryRecord } from '../master/registry.ts'
import { type Appointment, cancel, type Schedule } from './schedule.ts'

/** How writes behave, until it is changed. */
export interface RegistryHealth {
  /** A write takes up to this long, in milliseconds. */
  readonly writeMs: number
  /** How often a write fails, 0 to 1. */
  readonly failureChance: number
}

/** A registry that does what it should. */
export const HEALTHY_REGISTRY: RegistryHealth = { writeMs: 20, failureChance: 0 }

interface Write {
  readonly records: readonly RegistryRecord[]
  readonly appointment: Appointment
}

/** What the masters of a world keep durably; it outlives them all. Writes are stored in the order they were asked for. */
export class SimulatedRegistry {
  health: RegistryHealth = HEALTHY_REGISTRY
  readonly #schedule: Schedule
  readonly #random: Random
  readonly #stored: (records: readonly RegistryRecord[]) => void
  readonly #records: RegistryRecord[] = []
  #waiting: Write[] = []
  #lastAtMs = 0

  /** @param stored is told of records when they are safe */
  constructor(schedule: Schedule, random: Random, stored: (records: readonly RegistryRecord[]) => void) {
    this.#schedule = schedule
    this.#random = random
    this.#stored = stored
  }

  /** Everything stored, oldest first. */
  load(): readonly RegistryRecord[] {
    return [...this.#records]
  }

  /** Stores records after all earlier ones; `answered` is told the reason when that failed. */
  write(records: readonly RegistryRecord[], answered: (problem: string | undefined) => void): void {
    const { writeMs, failureChance } = this.health
    const fails = nextFraction(this.#random) < failureChance
    this.#lastAtMs = Math.max(this.#lastAtMs, this.#schedule.nowMs + 1 + writeMs * nextFraction(this.#random))
    const appointment = this.#schedule.at(this.#lastAtMs, () => {
      this.#waiting.shift()
      if (!fails) this.#store(records)
      answered(fails ? 'the disk of the registry is full' : undefined)
    })
    this.#waiting.push({ records, appointment })
  }

  /** The master ended: of what it asked for last, some was stored and the rest was not; nobody is told. */
  abandon(): void {
    let isLost = false
    for (const { records, appointment } of this.#waiting) {
      cancel(appointment)
      isLost ||= nextFraction(this.#random) < 0.5
      if (!isLost) this.#store(records)
    }
    this.#waiting = []
  }

  #store(records: readonly RegistryRecord[]): void {
    this.#records.push(...records)
    this.#stored(records)
  }
}
