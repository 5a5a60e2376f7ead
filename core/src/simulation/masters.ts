/**
 * The masters of a world, one after the other: each knows what the registry keeps and nothing else. Sometimes there are two: one that leads, and one
 * that was deposed and does not know it yet.
 *
 * ```
 * start ─► leads ─ crash, abdicates ─► ended ─ ELECTION_MS ─► the next one leads
 *             └─ depose: ELECTION_MS ─► the next one leads; this one goes on until its writes are refused or its time is over
 * ```
 */

import type { Call as OperatorCall } from '@isthmus/proto/gen/master'
import { nextFraction } from '../base/random.ts'
import type { MasterFlags } from '../master/options.ts'
import type { MasterState } from '../master/state.ts'
import { MasterProcess } from './master-process.ts'
import type { SimulatedRegistry } from './registry.ts'
import type { Surroundings } from './surroundings.ts'

/** How masters of a world are started and watched. */
export interface MastersOptions {
  readonly flags: Partial<MasterFlags>
  readonly registry: SimulatedRegistry
  readonly seed: number
  /** Whether all invariants are checked after this step. */
  readonly checksStep: () => boolean
  /** Another one leads. */
  readonly moved: (how: { readonly isOldThere: boolean }) => void
}

/** How long it takes until another master leads. */
const ELECTION_MS = 2_000
/** How many calls of operators go to one that was deposed, while there is one. */
const MISLED = 0.3

/** All masters. */
export class Masters {
  readonly #world: Surroundings
  readonly #options: MastersOptions
  #newest: MasterProcess
  #deposed: MasterProcess | undefined
  #count = 0
  #isElecting = false
  /** Of those that have ended. */
  #stepsBefore = 0

  constructor(world: Surroundings, options: MastersOptions) {
    this.#world = world
    this.#options = options
    this.#newest = this.#next()
  }

  /** What the leading master knows, to read; undefined between two. */
  get state(): MasterState | undefined {
    return this.#newest.state
  }

  /** The one that leads, or led last: whom agents and schedulers turn to. */
  get newest(): MasterProcess {
    return this.#newest
  }

  /** Steps of all masters so far. */
  get steps(): number {
    const running = [this.#newest, this.#deposed].filter((one) => one?.state !== undefined)
    return running.reduce((sum, one) => sum + one!.steps, this.#stepsBefore)
  }

  /** A master is elected. */
  start(): void {
    this.#isElecting = false
    const wasDeposed = this.#newest.state !== undefined
    if (wasDeposed) {
      this.#deposed?.end('a second one was deposed')
      this.#deposed = this.#newest
      this.#deposed.depose()
    }
    if (this.#count > 0) this.#newest = this.#next()
    this.#count += 1
    this.#newest.start()
    if (this.#count > 1) this.#options.moved({ isOldThere: wasDeposed })
  }

  #next(): MasterProcess {
    const { flags, registry, seed, checksStep } = this.#options
    return new MasterProcess(this.#world, {
      number: this.#count + 1,
      flags,
      registry: registry.open(`m${this.#count + 1}`),
      seed,
      checksStep,
      ended: (process) => this.#ended(process),
    })
  }

  #ended(process: MasterProcess): void {
    this.#stepsBefore += process.steps
    if (process === this.#newest) this.#elect()
    else this.#deposed = undefined
  }

  #elect(): void {
    if (this.#isElecting) return
    this.#isElecting = true
    this.#world.schedule.after(ELECTION_MS, () => this.start())
  }

  /** The leading master ends without a word; another one is elected soon. */
  crash(why: string): void {
    this.#newest.end(why)
  }

  /** Another master is elected although this one is there; it goes on for a while at most. */
  depose(forMs: number): void {
    const old = this.#newest
    if (old.state === undefined) return
    this.#elect()
    this.#world.schedule.after(ELECTION_MS + forMs, () => {
      if (old !== this.#newest) old.end('learned that it was deposed')
    })
  }

  /** One that was deposed learns of it. */
  mend(): void {
    this.#deposed?.end('learned that it was deposed')
  }

  /** An operator's call; `answered` gets its status, 0 when there is no leader or it ended before the answer. */
  operate(call: OperatorCall, answered: (status: number) => void): void {
    const isMisled = this.#deposed !== undefined && nextFraction(this.#world.random) < MISLED
    const asked = isMisled ? this.#deposed! : this.#newest
    asked.operate(call, answered)
  }
}
