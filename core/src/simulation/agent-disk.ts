import type { AgentOptions } from '../agent/options.ts'
import type { AgentRecord } from '../agent/records.ts'
import { nextFraction, nextInteger, type Random } from '../base/random.ts'
import { type Appointment, cancel, type Schedule } from './schedule.ts'

/** A write to the journal that is under way, with everything that was appended until it began. */
interface Write {
  readonly appointment: Appointment
  readonly group: readonly Waiting[]
}

interface Waiting {
  readonly records: readonly AgentRecord[]
  /** They stand for everything before them. */
  readonly isSnapshot: boolean
  readonly durable: () => void
}

/** What a machine's disk is like. */
export interface AgentDiskOptions {
  readonly schedule: Schedule
  readonly random: Random
  /** Factor on the time of its writes. */
  readonly slowness: () => number
  /** Told of records when they are on the disk. */
  readonly recorded: (records: readonly AgentRecord[], isSnapshot: boolean) => void
}

/** Longest time a write takes on a healthy machine. */
const WRITE_MS = 30
/** Records after which a snapshot is due. */
const ROTATE_AFTER = 60

/**
 * What outlives the agents of a machine: id and description, reservations and operations, and the journal. One write to the journal is under way at a
 * time; what is appended meanwhile goes into the next. When the process ends, any first part of what was under way is on the disk.
 */
export class AgentDisk {
  /** With its id; undefined before the first registration, and after the agent was shut down for good. */
  info: AgentOptions['info'] | undefined
  kept: AgentOptions['kept']
  readonly #options: AgentDiskOptions
  #records: AgentRecord[] = []
  #waiting: Waiting[] = []
  #write: Write | undefined
  #appended = 0
  #snapshotLength = 0
  /** The next write fails, and all after it. */
  #failed: (() => void) | undefined
  #willFail = false

  constructor(options: AgentDiskOptions) {
    this.#options = options
  }

  /** What is durable, oldest first. */
  get records(): readonly AgentRecord[] {
    return this.#records
  }

  /** A snapshot is due. */
  get wantsSnapshot(): boolean {
    return this.#appended > Math.max(ROTATE_AFTER, 2 * this.#snapshotLength)
  }

  /** A new process opens it. @param failed is told when a write fails; nothing becomes durable afterwards */
  open(failed: () => void): void {
    this.#failed = failed
  }

  /** The next write fails. */
  breakDown(): void {
    this.#willFail = true
  }

  /** Writes work again. */
  mend(): void {
    this.#willFail = false
  }

  /** Writes records behind all others. */
  append(records: readonly AgentRecord[], durable: () => void): void {
    this.#appended += records.length
    this.#add({ records, isSnapshot: false, durable })
  }

  /** Begins anew with records that stand for everything appended so far. */
  rotate(records: readonly AgentRecord[], durable: () => void = () => {}): void {
    this.#appended = 0
    this.#snapshotLength = records.length
    this.#add({ records, isSnapshot: true, durable })
  }

  /** Does something slow, as a write is. */
  later(run: () => void): Appointment {
    const { schedule, random, slowness } = this.#options
    return schedule.after(1 + WRITE_MS * slowness() * nextFraction(random), run)
  }

  /** The agent was shut down for good: the next one is another agent. */
  forget(): void {
    this.info = undefined
    this.#records = []
  }

  /** The process ended: of what was under way a first part is on the disk, the rest never will be. */
  abandon(): void {
    const group = this.#write?.group ?? []
    cancel(this.#write?.appointment)
    this.#write = undefined
    this.#waiting = []
    this.#failed = undefined
    this.#appended = 0
    if (this.#willFail) return
    const all = group.flatMap(({ records }) => records)
    // A snapshot is written beside the journal: it counts as a whole or not at all.
    const hasSnapshot = group.some(({ isSnapshot }) => isSnapshot)
    if (hasSnapshot) {
      if (nextFraction(this.#options.random) < 0.5) this.#keep(group)
      return
    }
    const records = all.slice(0, nextInteger(this.#options.random, all.length + 1))
    this.#keep([{ records, isSnapshot: false, durable: () => {} }])
  }

  #add(waiting: Waiting): void {
    this.#waiting.push(waiting)
    if (this.#write === undefined) this.#begin()
  }

  #begin(): void {
    const group = this.#waiting.splice(0)
    if (group.length === 0) return
    this.#write = { group, appointment: this.later(() => this.#done(group)) }
  }

  #done(group: readonly Waiting[]): void {
    if (this.#willFail) {
      this.#failed?.()
      return
    }
    this.#write = undefined
    this.#keep(group)
    this.#begin()
    for (const { durable } of group) durable()
  }

  #keep(group: readonly Waiting[]): void {
    for (const { records, isSnapshot } of group) {
      if (isSnapshot) this.#records = [...records]
      else this.#records.push(...records)
      if (records.length > 0) this.#options.recorded(records, isSnapshot)
    }
  }
}
