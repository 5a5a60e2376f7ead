/** What waits for its turn: an effect, or a gate that opens when something is durable. */
type Entry<Effect> = { readonly effect: Effect } | { readonly gate: Gate }

interface Gate {
  isOpen: boolean
}

/**
 * Performs effects in order, and holds back what stands behind a gate until it opens: as core/src/io/runtime/output-commit.ts does it for a real
 * agent, so that a crash loses a suffix of its effects and nothing else.
 */
export class SimulatedCommit<Effect> {
  readonly #perform: (effect: Effect) => void
  #queue: Entry<Effect>[] = []
  #isPerforming = false
  #isStopped = false

  constructor(perform: (effect: Effect) => void) {
    this.#perform = perform
  }

  /** Performs an effect now, or when all gates before it are open. */
  take(effect: Effect): void {
    if (this.#isStopped) return
    this.#queue.push({ effect })
    this.#drain()
  }

  /** Holds back what is taken from now on; call the result to let it through. */
  hold(): () => void {
    const gate: Gate = { isOpen: false }
    this.#queue.push({ gate })
    return () => {
      gate.isOpen = true
      this.#drain()
    }
  }

  /** The process ended: nothing is performed any more. */
  stop(): void {
    this.#isStopped = true
    this.#queue = []
  }

  #drain(): void {
    if (this.#isPerforming) return
    this.#isPerforming = true
    while (this.#queue.length > 0) {
      const first = this.#queue[0]!
      if ('gate' in first && !first.gate.isOpen) break
      this.#queue.shift()
      if ('effect' in first) this.#perform(first.effect)
    }
    this.#isPerforming = false
  }
}
