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

/** Told what became of a write: the reason when it failed. */
type Answered = (problem: string | undefined) => void

interface Write {
  readonly session: RegistrySession
  readonly records: readonly RegistryRecord[]
  readonly answered: Answered
  appointment: Appointment
}

/** What one master has of the registry. */
export interface RegistrySession {
  readonly masterId: string
  /** Everything stored when it was opened, oldest first. */
  readonly records: readonly RegistryRecord[]
  /** Stores records after all earlier ones. */
  readonly write: (records: readonly RegistryRecord[], answered: Answered) => void
  /** The master ended: of what it asked for last, some is stored and the rest is not; nobody is told. */
  readonly abandon: () => void
}

/** How the registry of a world is made. */
export interface SimulatedRegistryOptions {
  readonly schedule: Schedule
  readonly random: Random
  /** Told of records when they are safe. */
  readonly stored: (records: readonly RegistryRecord[], masterId: string) => void
  /** A deliberate defect: sessions that were shut out may write on. */
  readonly isUnfenced: boolean
}

/**
 * What the masters of a world keep durably; it outlives them all. Writes are stored in the order they were asked for. Opening a session shuts out
 * the one before, as the registry in ZooKeeper does it with the version of its head.
 */
export class SimulatedRegistry {
  health: RegistryHealth = HEALTHY_REGISTRY
  readonly #options: SimulatedRegistryOptions
  readonly #records: RegistryRecord[] = []
  #session: RegistrySession | undefined
  #waiting: Write[] = []
  #lastAtMs = 0

  constructor(options: SimulatedRegistryOptions) {
    this.#options = options
  }

  /** Opens a session for a master that leads from now on; the one before cannot write any more. */
  open(masterId: string): RegistrySession {
    if (!this.#options.isUnfenced) this.#shutOut()
    const session: RegistrySession = {
      masterId,
      records: [...this.#records],
      write: (records, answered) => this.#write(session, records, answered),
      abandon: () => this.#abandon(session),
    }
    this.#session = session
    return session
  }

  #write(session: RegistrySession, records: readonly RegistryRecord[], answered: Answered): void {
    const { schedule, random } = this.#options
    const { writeMs, failureChance } = this.health
    const fails = nextFraction(random) < failureChance
    this.#lastAtMs = Math.max(this.#lastAtMs, schedule.nowMs + 1 + writeMs * nextFraction(random))
    const write: Write = { session, records, answered, appointment: schedule.at(this.#lastAtMs, () => arrived()) }
    const arrived = (): void => {
      this.#waiting.splice(this.#waiting.indexOf(write), 1)
      if (session !== this.#session && !this.#options.isUnfenced) {
        answered('another master has taken over')
        return
      }
      if (!fails) this.#store(records, session)
      answered(fails ? 'the disk of the registry is full' : undefined)
    }
    this.#waiting.push(write)
  }

  /** What is under way is stored or not, in order, before others read; its master hears of it in its time. */
  #shutOut(): void {
    let isLost = false
    for (const write of this.#waiting.splice(0)) {
      cancel(write.appointment)
      const isCurrent = write.session === this.#session
      if (isCurrent) isLost ||= nextFraction(this.#options.random) < 0.5
      const isStored = isCurrent && !isLost
      if (isStored) this.#store(write.records, write.session)
      const problem = isStored ? undefined : 'another master has taken over'
      this.#options.schedule.at(write.appointment.atMs, () => write.answered(problem))
    }
  }

  #abandon(session: RegistrySession): void {
    let isLost = false
    for (const write of this.#waiting.filter((one) => one.session === session)) {
      cancel(write.appointment)
      isLost ||= session !== this.#session || nextFraction(this.#options.random) < 0.5
      if (!isLost) this.#store(write.records, session)
    }
    this.#waiting = this.#waiting.filter((one) => one.session !== session)
  }

  #store(records: readonly RegistryRecord[], { masterId }: RegistrySession): void {
    this.#records.push(...records)
    this.#options.stored(records, masterId)
  }
}
