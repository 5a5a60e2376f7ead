// Writes to the registry all through the chaos, to whichever master takes it, and keeps what was answered with 200: all of that has
// to be there at the end, whoever led when it was promised.

import { setTimeout as delay } from 'node:timers/promises'
import type { Server } from './cluster.ts'

const EVERY_MS = 1_000
const ANSWER_MS = 3_000

/** Writes weights of roles made up, each once. */
export class RegistryWriter {
  readonly #masters: readonly Server[]
  readonly #promised = new Map<string, number>()
  readonly #stop = new AbortController()
  #running: Promise<void> = Promise.resolve()

  constructor(masters: readonly Server[]) {
    this.#masters = masters
  }

  /** How many writes were promised. */
  get promised(): number {
    return this.#promised.size
  }

  start(): void {
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  /** Compares what was promised with what the leader has. Throws when it does not answer. */
  async check(leader: Server): Promise<string[]> {
    const answer = await call(leader, { type: 'GET_WEIGHTS' })
    const { get_weights } = (await answer.json()) as {
      get_weights?: { weight_infos?: readonly { role: string; weight: number }[] }
    }
    const weights = new Map(get_weights?.weight_infos?.map(({ role, weight }) => [role, weight]))
    return [...this.#promised]
      .filter(([role, weight]) => weights.get(role) !== weight)
      .map(([role, weight]) => `the weight of ${role} was promised as ${weight}, and is ${weights.get(role) ?? 'lost'}`)
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    for (let number = 2; !signal.aborted; number += 1) {
      const role = `written-${number}`
      const info = { type: 'UPDATE_WEIGHTS', update_weights: { weight_infos: [{ role, weight: number }] } }
      // Also to those that do not lead, or do not know that they do not: none of them may promise what it cannot keep.
      const answers = await Promise.allSettled(this.#masters.map((master) => call(master, info)))
      const isPromised = answers.some((answer) => answer.status === 'fulfilled' && answer.value.status === 200)
      if (isPromised) this.#promised.set(role, number)
      await delay(EVERY_MS, undefined, { signal }).catch(() => {})
    }
  }
}

function call({ part, port }: Server, body: unknown): Promise<Response> {
  return fetch(`http://${part.place.host}:${port}/api/v1`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
    body: JSON.stringify(body),
    redirect: 'manual',
    signal: AbortSignal.timeout(ANSWER_MS),
  })
}
