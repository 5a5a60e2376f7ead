import type { Call as OperatorCall } from '@isthmus/proto/gen/master'
import type { Surroundings } from './surroundings.ts'
import type { Workload, WorkloadQuota } from './workload.ts'

/** How long the operator waits before asking again, and how often at most. */
const ASK_AGAIN_MS = 2_000
const ASKS_MAX = 300

/** Someone who sets quotas and weights and takes machines in and out; asks again until there is an answer. */
export class Operator {
  readonly #world: Surroundings
  readonly #takenOut = new Set<string>()
  /** Those whose taking out is not answered yet. */
  readonly #leaving = new Set<string>()
  #unanswered = 0

  constructor(world: Surroundings) {
    this.#world = world
  }

  /** Whether everything asked for is answered. */
  get isIdle(): boolean {
    return this.#unanswered === 0 && this.#takenOut.size === 0
  }

  /** Sets what the workload says, at its times. */
  follow({ quotas, weights }: Workload): void {
    const { schedule } = this.#world
    for (const quota of quotas) schedule.after(quota.atSeconds * 1000, () => this.#setQuota(quota))
    for (const { atSeconds, role, weight } of weights) {
      const call: OperatorCall = { type: 'UPDATE_WEIGHTS', update_weights: { weight_infos: [{ role, weight }] } }
      schedule.after(atSeconds * 1000, () => this.#ask(call))
    }
  }

  /** Deactivates an agent, or drains it. */
  takeOut(agentId: string, drains: boolean): void {
    const agent_id = { value: agentId }
    const call: OperatorCall = drains
      ? { type: 'DRAIN_AGENT', drain_agent: { agent_id } }
      : { type: 'DEACTIVATE_AGENT', deactivate_agent: { agent_id } }
    this.#takenOut.add(agentId)
    this.#leaving.add(agentId)
    // Asked once only: without an answer it may have happened or not.
    this.#world.master().operate(call, (status) => {
      this.#leaving.delete(agentId)
      if (status === 400) this.#takenOut.delete(agentId)
    })
  }

  /** Takes an agent back into offering; one that is no more is forgotten. */
  reactivate(agentId: string): void {
    if (!this.#takenOut.has(agentId)) return
    if (this.#leaving.has(agentId)) {
      this.#world.schedule.after(ASK_AGAIN_MS, () => this.reactivate(agentId))
      return
    }
    this.#ask({ type: 'REACTIVATE_AGENT', reactivate_agent: { agent_id: { value: agentId } } }, (isDone) => {
      if (isDone || this.#isBack(agentId)) this.#takenOut.delete(agentId)
      else this.#world.schedule.after(ASK_AGAIN_MS, () => this.reactivate(agentId))
    })
  }

  #isBack(agentId: string): boolean {
    const state = this.#world.master().state
    if (state === undefined) return false
    return !state.registry.admitted.has(agentId) || state.agents.get(agentId)?.deactivated === false
  }

  /** Takes all back. */
  reactivateAll(): void {
    for (const agentId of this.#takenOut) this.reactivate(agentId)
  }

  /** Declares an agent gone for good. */
  markGone(agentId: string): void {
    this.#ask({ type: 'MARK_AGENT_GONE', mark_agent_gone: { agent_id: { value: agentId } } })
  }

  #setQuota({ role, guarantees, limits }: WorkloadQuota): void {
    const quota_configs = [{ role, guarantees: valued(guarantees), limits: valued(limits) }]
    this.#ask({ type: 'UPDATE_QUOTA', update_quota: { force: true, quota_configs } })
  }

  #ask(call: OperatorCall, then?: (isDone: boolean) => void, asks = 1): void {
    if (asks === 1) this.#unanswered += 1
    this.#world.master().operate(call, (status) => {
      if (status === 0 || status === 503) {
        if (asks < ASKS_MAX) this.#world.schedule.after(ASK_AGAIN_MS, () => this.#ask(call, then, asks + 1))
        return
      }
      this.#unanswered -= 1
      then?.(status === 200)
    })
  }
}

function valued(amounts: Readonly<Record<string, number>>): Record<string, { value: number }> {
  return Object.fromEntries(Object.entries(amounts).map(([name, value]) => [name, { value }]))
}
