// Asks the estimator and the QoS controller of an agent, again and again: reads what containers use, hands it over, and tells the machine
// the answer. One question at a time each; a module that never answers is not asked again, one that fails is asked after the usual pause.

import { loadavg } from 'node:os'
import { fromJson } from '@isthmus/proto/codec'
import type { Resource } from '@isthmus/proto/gen/mesos'
import type { AgentEvent } from '../../agent/events.ts'
import type { AgentUsage } from '../../agent/oversubscription/contract.ts'
import type { AgentState } from '../../agent/state.ts'
import { usageOf } from '../../agent/usage.ts'
import type { Containerizer } from '../containers/container.ts'
import { IoError } from '../io-error.ts'
import type { Log } from '../observe/logger.ts'
import { readContainers } from './container-statistics.ts'
import { isCorrections, type OversubscriptionModules } from './oversubscription-modules.ts'

/** What the questions need. */
export interface OversubscriptionOptions {
  readonly state: AgentState
  readonly modules: OversubscriptionModules
  readonly containerizer: Pick<Containerizer, 'usage'>
  readonly log: Log
  readonly now: () => number
  readonly post: (event: AgentEvent) => void
}

/** Resources an estimate may list. */
const ESTIMATE_MAX = 1_000

/** Asks until it is stopped. */
export class Oversubscription {
  readonly #options: OversubscriptionOptions
  readonly #timers = new Set<NodeJS.Timeout>()
  #isStopped = false

  constructor(options: OversubscriptionOptions) {
    this.#options = options
    const { estimator, estimateIntervalMs, controller, correctionIntervalMs } = options.modules
    if (estimator !== undefined) {
      this.#repeat('resource estimator', estimateIntervalMs, async (usage) => {
        const resources = readEstimate(await estimator.oversubscribable(usage))
        this.#post({ kind: 'estimated', atMs: options.now(), resources })
      })
    }
    if (controller !== undefined) {
      this.#repeat('QoS controller', correctionIntervalMs, async (usage) => {
        const corrections: unknown = await controller.corrections(usage)
        if (!isCorrections(corrections)) throw new IoError('OTHER', 'it did not answer with a list of corrections')
        if (corrections.length > 0) this.#post({ kind: 'corrected', atMs: options.now(), corrections })
      })
    }
  }

  /** Nothing is asked or told any more. */
  stop(): void {
    this.#isStopped = true
    for (const timer of this.#timers) clearTimeout(timer)
  }

  #post(event: AgentEvent): void {
    if (!this.#isStopped) this.#options.post(event)
  }

  #repeat(name: string, intervalMs: number, ask: (usage: AgentUsage) => Promise<void>): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      // Failures are logged below; nothing else can go wrong.
      void this.#ask(name, ask).then(() => {
        if (!this.#isStopped) this.#repeat(name, intervalMs, ask)
      })
    }, intervalMs)
    timer.unref()
    this.#timers.add(timer)
  }

  async #ask(name: string, ask: (usage: AgentUsage) => Promise<void>): Promise<void> {
    try {
      await ask(await this.#read())
    } catch (error) {
      this.#options.log.warn('module of oversubscription failed', { module: name, reason: IoError.from(error).message })
    }
  }

  async #read(): Promise<AgentUsage> {
    const { state, containerizer, now } = this.#options
    const containers = await readContainers(state, containerizer)
    const [one = 0, five = 0, fifteen = 0] = loadavg()
    return usageOf(state, { atMs: now(), load: [one, five, fifteen], containers })
  }
}

/** The answer of a module, which may be anything; whether it makes sense is for the machine to say. */
function readEstimate(answer: unknown): readonly Resource[] {
  if (!Array.isArray(answer) || answer.length > ESTIMATE_MAX)
    throw new IoError('OTHER', `it did not answer with a list of at most ${ESTIMATE_MAX} resources`)
  return answer.map((one: unknown) => fromJson('mesos.v1.Resource', one))
}
