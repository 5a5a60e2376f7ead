import type { Call as OperatorCall } from '@isthmus/proto/gen/master'
import type { Resource } from '@isthmus/proto/gen/mesos'
import { activationOf } from '../master/registry.ts'
import type { AgentHost } from './agent-host.ts'
import type { Surroundings } from './surroundings.ts'
import type { Workload, WorkloadQuota } from './workload.ts'

/** How long the operator waits before asking again, and how often at most. */
const ASK_AGAIN_MS = 2_000
const ASKS_MAX = 300
/** How long a machine is announced to be away before it is taken down. */
const NOTICE_MS = 10_000

/** Someone who sets quotas and weights, takes machines in and out, reserves and maintains; asks again until there is an answer. */
export class Operator {
  readonly #world: Surroundings
  readonly #takenOut = new Set<string>()
  /** Those whose taking out is not answered yet. */
  readonly #leaving = new Set<string>()
  /** What was reserved and is not free again, by machine. */
  readonly #reserved = new Map<AgentHost, Resource[]>()
  /** Machines in the maintenance schedule. */
  readonly #maintained = new Set<AgentHost>()
  #unanswered = 0

  constructor(world: Surroundings) {
    this.#world = world
  }

  /** Whether everything asked for is answered, and nothing is left to be undone. */
  get isIdle(): boolean {
    return this.#unanswered + this.#takenOut.size + this.#reserved.size + this.#maintained.size === 0
  }

  /** What is not done yet, for people. */
  describe(): string {
    const [reserved, maintained] = [this.#reserved, this.#maintained].map((some) =>
      [...some.keys()].map(({ host }) => host),
    )
    const parts = { unanswered: this.#unanswered, takenOut: [...this.#takenOut], reserved, maintained }
    return `the operator waits: ${JSON.stringify(parts)}`
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

  /** Undoes everything. */
  undoAll(): void {
    for (const agentId of this.#takenOut) this.reactivate(agentId)
    for (const agent of this.#reserved.keys()) this.unreserve(agent)
    for (const agent of this.#maintained) this.#putBack(agent)
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
      this.#again(() => this.reactivate(agentId))
      return
    }
    this.#ask({ type: 'REACTIVATE_AGENT', reactivate_agent: { agent_id: { value: agentId } } }, (isDone) => {
      const isLost = this.#isLostDraining(agentId)
      if (isLost) this.markGone(agentId)
      if (isDone || isLost || this.#isBack(agentId)) this.#takenOut.delete(agentId)
      else this.#again(() => this.reactivate(agentId))
    })
  }

  /** One that was lost while it drained cannot be taken back before it has returned, which it may never do. */
  #isLostDraining(agentId: string): boolean {
    return this.#world.master().state?.registry.unreachableActivations.get(agentId)?.drain?.state === 'DRAINING'
  }

  #isBack(agentId: string): boolean {
    const state = this.#world.master().state
    if (state === undefined) return false
    // One that is unreachable would come back as it is now.
    return activationOf(state.registry, agentId)?.deactivated !== true
  }

  /** Declares an agent gone for good. */
  markGone(agentId: string): void {
    this.#ask({ type: 'MARK_AGENT_GONE', mark_agent_gone: { agent_id: { value: agentId } } })
  }

  /** Reserves a part of a machine for a role, if that is free. */
  reserve(agent: AgentHost, role: string): void {
    const agentId = agent.state?.info.id
    if (agentId === undefined || this.#reserved.has(agent)) return
    const resources = [reserved('cpus', 0.5, role), reserved('mem', 128, role)]
    this.#reserved.set(agent, resources)
    // Asked once only, as above.
    this.#world
      .master()
      .operate({ type: 'RESERVE_RESOURCES', reserve_resources: { agent_id: agentId, resources } }, (status) => {
        if (status >= 400 && status !== 503) this.#reserved.delete(agent)
      })
  }

  /** Frees what was reserved, as soon as nobody uses it; until the machine itself has nothing reserved any more. */
  unreserve(agent: AgentHost): void {
    const resources = this.#reserved.get(agent)
    const agentId = agent.state?.info.id
    if (resources === undefined) return
    if (agentId === undefined || agent.state?.linkPhase !== 'registered') {
      this.#again(() => this.unreserve(agent))
      return
    }
    const call: OperatorCall = { type: 'UNRESERVE_RESOURCES', unreserve_resources: { agent_id: agentId, resources } }
    this.#ask(call, () => {
      this.#again(() => {
        const { state } = agent
        const isFree = state?.linkPhase === 'registered' && state.total.reserved().isEmpty
        if (isFree) this.#reserved.delete(agent)
        else this.unreserve(agent)
      })
    })
  }

  /** Announces that a machine will be away, takes it down, and up again after a while. */
  maintain(agent: AgentHost, forMs: number): void {
    if (this.#maintained.has(agent)) return
    this.#maintained.add(agent)
    this.#ask(this.#scheduleCall(), () => {
      this.#world.schedule.after(NOTICE_MS, () => {
        if (!this.#maintained.has(agent)) return
        this.#ask({ type: 'START_MAINTENANCE', start_maintenance: { machines: [machineOf(agent)] } })
      })
    })
    this.#world.schedule.after(NOTICE_MS + forMs, () => this.#putBack(agent))
  }

  #putBack(agent: AgentHost): void {
    if (!this.#maintained.has(agent)) return
    // Refused when the machine is not down.
    this.#ask({ type: 'STOP_MAINTENANCE', stop_maintenance: { machines: [machineOf(agent)] } }, () => {
      if (!this.#maintained.delete(agent)) return
      this.#ask(this.#scheduleCall(), (isDone) => {
        if (isDone) return
        this.#maintained.add(agent)
        this.#again(() => this.#putBack(agent))
      })
    })
  }

  #scheduleCall(): OperatorCall {
    const { nowMs } = this.#world.schedule
    const nanoseconds = (nowMs + NOTICE_MS) * 1e6
    const machine_ids = [...this.#maintained].map(machineOf)
    const windows = machine_ids.length === 0 ? [] : [{ machine_ids, unavailability: { start: { nanoseconds } } }]
    return { type: 'UPDATE_MAINTENANCE_SCHEDULE', update_maintenance_schedule: { schedule: { windows } } }
  }

  #setQuota({ role, guarantees, limits }: WorkloadQuota): void {
    const quota_configs = [{ role, guarantees: valued(guarantees), limits: valued(limits) }]
    this.#ask({ type: 'UPDATE_QUOTA', update_quota: { force: true, quota_configs } })
  }

  #ask(call: OperatorCall, then?: (isDone: boolean) => void, asks = 1): void {
    if (asks === 1) this.#unanswered += 1
    this.#world.master().operate(call, (status) => {
      if (status === 0 || status === 503) {
        if (asks < ASKS_MAX) this.#again(() => this.#ask(call, then, asks + 1))
        return
      }
      this.#unanswered -= 1
      then?.(status < 300)
    })
  }

  #again(run: () => void): void {
    this.#world.schedule.after(ASK_AGAIN_MS, run)
  }
}

function machineOf({ host, ip }: AgentHost): { readonly hostname: string; readonly ip: string } {
  return { hostname: host, ip }
}

function reserved(name: string, value: number, role: string): Resource {
  return { name, type: 'SCALAR', scalar: { value }, reservations: [{ type: 'DYNAMIC', role }] }
}

function valued(amounts: Readonly<Record<string, number>>): Record<string, { value: number }> {
  return Object.fromEntries(Object.entries(amounts).map(([name, value]) => [name, { value }]))
}
