/**
 * When processes die: between any two things they do. A host asks after each effect that others can see whether it was its last one; what
 * stood behind it in the same step is never done.
 *
 * Timers and notes do not count: a process that dies before or after setting a timer leaves the same world behind.
 */

import type { AgentEffect } from '../agent/effects.ts'
import type { MasterEffect } from '../master/effects.ts'

/** Decides for all hosts of a world. */
export class Fate {
  readonly #dieAt: number | undefined
  readonly #doomed = new Map<string, number>()
  #performed = 0

  /** @param dieAt whoever performs this effect, counted from 1 over all hosts, dies after it; undefined = nobody */
  constructor(dieAt?: number) {
    this.#dieAt = dieAt
  }

  /** Effects performed so far: each is a crash point. */
  get performed(): number {
    return this.#performed
  }

  /** A host will die after so many more effects. */
  doom(host: string, effects: number): void {
    if (!this.#doomed.has(host)) this.#doomed.set(host, effects)
  }

  /** Nobody is doomed any more. */
  forgive(): void {
    this.#doomed.clear()
  }

  /** A host has performed an effect; true = it was its last one. */
  isOver(host: string, effect: MasterEffect | AgentEffect): boolean {
    if (INWARD.has(effect.kind)) return false
    this.#performed += 1
    if (this.#performed === this.#dieAt) return true
    const left = this.#doomed.get(host)
    if (left === undefined) return false
    if (left > 1) this.#doomed.set(host, left - 1)
    else this.#doomed.delete(host)
    return left <= 1
  }
}

/** Effects that nobody but the process itself learns of. */
const INWARD: ReadonlySet<string> = new Set<(MasterEffect | AgentEffect)['kind']>(['setTimer', 'cancelTimer', 'note'])
