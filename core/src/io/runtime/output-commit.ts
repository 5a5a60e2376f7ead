// Output commit: what an agent does is seen only when what it must remember of it is on the disk.
//
//   effects of the machine, in order ─► take ─┬─► performed at once while no record waits
//                                             └─► behind a record: performed, in order, when it is durable
//
// While the journal writes and syncs, further steps go on and their effects queue up behind; one sync opens many gates. So the machine
// needs no phases for the disk, and a crash loses a suffix of its effects: each that was performed has its records on the disk.
// When the disk fails, nothing behind the failed record is ever performed.

import type { Journal } from '../disk/journal/journal.ts'

/** What the queue needs of a journal. */
export type Records = Pick<Journal, 'append' | 'rotate' | 'wantsSnapshot' | 'isFull'>

/** What an output commit is made of. */
export interface OutputCommitOptions<Effect> {
  /** Performs one effect; called in the order the effects were taken. */
  readonly perform: (effect: Effect) => void
  /** The encoded records of an effect that is one; undefined for all others. */
  readonly recordsOf: (effect: Effect) => readonly Uint8Array[] | undefined
  /** Encoded records that stand for everything the machine has recorded so far. Called between steps. */
  readonly snapshot: () => readonly Uint8Array[]
  /** Performing an effect that had waited threw: a bug. What `take` performs at once throws to its caller. */
  readonly crash: (error: unknown) => void
  /** More waits than QUEUE_MAX, or the disk failed: the process has to end. Told once. */
  readonly failed: (error: unknown) => void
}

/** Effects that wait at most; more means that the disk stands still, and memory would run out. */
export const QUEUE_MAX = 1_000_000
/** Entries that are done before the queue is shortened: doing it each time would be quadratic. */
const COMPACT_MIN = 10_000

/** Opens when what it stands for is on the disk. */
interface Gate {
  readonly kind: 'gate'
  isOpen: boolean
}

interface Held<Effect> {
  readonly kind: 'effect'
  readonly effect: Effect
}

/** See the file's header. */
export class OutputCommit<Effect> {
  readonly #options: OutputCommitOptions<Effect>
  #journal: Records | undefined
  /** Records taken before there was a journal, and their gates. */
  #early: { readonly records: readonly Uint8Array[]; readonly gate: Gate }[] = []
  #queue: (Gate | Held<Effect>)[] = []
  #first = 0
  #isPerforming = false
  #isStopped = false

  constructor(options: OutputCommitOptions<Effect>) {
    this.#options = options
  }

  /** Gives it its journal; records that were taken before are written first. */
  use(journal: Records): void {
    this.#journal = journal
    for (const { records, gate } of this.#early.splice(0)) this.#append(journal, records, gate)
  }

  /** Effects and gates that wait. */
  get waitingCount(): number {
    return this.#queue.length - this.#first
  }

  /** The disk is so far behind that no more should be asked of the machine. */
  get isFull(): boolean {
    return this.#journal?.isFull === true
  }

  /** Performs an effect, now or when what is before it is durable. */
  take(effect: Effect): void {
    if (this.#isStopped) return
    const records = this.#options.recordsOf(effect)
    if (records !== undefined) this.#record(records)
    else if (this.waitingCount === 0 && !this.#isPerforming) this.#options.perform(effect)
    else this.#push({ kind: 'effect', effect })
  }

  /** Between steps: begins a new segment of the journal when one is due. */
  stepped(): void {
    if (this.#journal?.wantsSnapshot === true && !this.#isStopped) this.#journal.rotate(this.#options.snapshot())
  }

  /** Holds back what is taken from now on until the promise resolves; when it rejects, for ever. */
  holdUntil(done: Promise<void>): void {
    const gate: Gate = { kind: 'gate', isOpen: false }
    this.#push(gate)
    done.then(
      () => this.#open(gate),
      (error: unknown) => this.fail(error),
    )
  }

  /** The disk failed: what waits is dropped, nothing is performed any more. */
  fail(error: unknown): void {
    if (this.#isStopped) return
    this.stop()
    this.#options.failed(error)
  }

  /** Nothing is performed any more; records that were taken may still become durable. */
  stop(): void {
    this.#isStopped = true
    this.#queue = []
    this.#first = 0
    this.#early = []
  }

  #record(records: readonly Uint8Array[]): void {
    const gate: Gate = { kind: 'gate', isOpen: false }
    this.#push(gate)
    if (this.#journal === undefined) this.#early.push({ records, gate })
    else this.#append(this.#journal, records, gate)
  }

  #append(journal: Records, records: readonly Uint8Array[], gate: Gate): void {
    journal.append(records, () => this.#open(gate))
  }

  #push(entry: Gate | Held<Effect>): void {
    if (this.waitingCount >= QUEUE_MAX) this.fail(new Error(`the disk is behind by more than ${QUEUE_MAX} effects`))
    else this.#queue.push(entry)
  }

  #open(gate: Gate): void {
    gate.isOpen = true
    if (!this.#isPerforming) this.#drain()
  }

  /** Performs up to the first gate that is closed. An effect that takes others here queues them behind. */
  #drain(): void {
    this.#isPerforming = true
    for (; this.#first < this.#queue.length && !this.#isStopped; this.#first++) {
      const entry = this.#queue[this.#first]!
      if (entry.kind === 'effect') this.#perform(entry.effect)
      else if (!entry.isOpen) break
    }
    this.#isPerforming = false
    if (this.#first < COMPACT_MIN && this.#first < this.#queue.length) return
    this.#queue = this.#queue.slice(this.#first)
    this.#first = 0
  }

  #perform(effect: Effect): void {
    try {
      this.#options.perform(effect)
    } catch (error) {
      this.stop()
      this.#options.crash(error)
    }
  }
}
