import type { AgentHost } from './agent-host.ts'
import type { Fault } from './faults.ts'
import type { FrameworkHost } from './framework-host.ts'
import type { Masters } from './masters.ts'
import type { Latency } from './network.ts'
import type { Operator } from './operator.ts'
import { HEALTHY_REGISTRY, type SimulatedRegistry } from './registry.ts'
import type { Surroundings } from './surroundings.ts'

/** How messages travel when all is well. */
export const GOOD_LATENCY: Latency = { minMs: 1, maxMs: 10, lateChance: 0, lateMs: 0 }
const BAD_LATENCY: Latency = { minMs: 1, maxMs: 200, lateChance: 0.1, lateMs: 5_000 }

const SLOW_FACTOR = 20
const SLOW_MS = 1_000
const SLOW_WRITE_MS = 4_000
const WRITE_FAILURES = 0.3
/** Who is to die between two effects does so within so many. */
const LAST_EFFECTS_MAX = 12

/** What faults befall. */
export interface Victims {
  readonly master: Masters
  readonly agents: readonly AgentHost[]
  readonly frameworks: readonly FrameworkHost[]
  readonly registry: SimulatedRegistry
  readonly operator: Operator
}

/** Makes a fault happen, and its end. */
export class Disorder {
  readonly #world: Surroundings
  readonly #victims: Victims

  constructor(world: Surroundings, victims: Victims) {
    this.#world = world
    this.#victims = victims
  }

  /** The fault begins; what crashed comes back, and what was changed is undone, when its time is over. */
  inflict(fault: Fault): void {
    const undo = this.#begin(fault)
    if (undo !== undefined) this.#world.schedule.after(fault.forMs, undo)
  }

  /** Undoes everything at once. */
  mend(): void {
    const { network, health, fate, see } = this.#world
    see({ kind: 'fault', text: 'everything is mended' })
    fate.forgive()
    network.heal()
    network.latency = GOOD_LATENCY
    health.fullDisks.clear()
    health.slowHosts.clear()
    this.#victims.registry.health = HEALTHY_REGISTRY
    this.#victims.master.mend()
    this.#victims.operator.undoAll()
    for (const agent of this.#victims.agents) {
      agent.disk.mend()
      agent.start()
    }
    for (const framework of this.#victims.frameworks) framework.restart()
  }

  #begin(fault: Fault): (() => void) | undefined {
    const { kind, forMs, target } = fault
    this.#world.see({ kind: 'fault', text: `${kind} of ${target} for ${forMs} ms` })
    if (kind.startsWith('framework')) return this.#onFramework(fault)
    switch (kind) {
      case 'masterCrash':
        this.#victims.master.crash('crashed')
        return undefined
      case 'masterKill':
        this.#world.fate.doom(this.#victims.master.newest.host, 1 + (forMs % LAST_EFFECTS_MAX))
        return undefined
      case 'masterDeposed':
        this.#victims.master.depose(forMs)
        return undefined
      case 'masterBreak':
        this.#world.network.breakAll(this.#victims.master.newest.host, 'connection reset')
        return undefined
      case 'registrySlow':
      case 'registryFull':
        return this.#onRegistry(kind)
      case 'late':
        this.#world.network.latency = BAD_LATENCY
        return () => {
          this.#world.network.latency = GOOD_LATENCY
        }
      default:
        return this.#onAgent(fault)
    }
  }

  #onFramework({ kind, forMs, target }: Fault): (() => void) | undefined {
    const framework = this.#victims.frameworks[target]
    const { network } = this.#world
    if (framework === undefined) return undefined
    if (kind === 'frameworkCut') network.cut(framework.name, forMs)
    if (kind === 'frameworkLeaderCut') network.cutBetween(framework.name, this.#victims.master.newest.host, forMs)
    if (kind === 'frameworkBreak') network.breakAll(framework.name, 'connection reset')
    if (kind === 'frameworkTeardown') framework.teardown()
    if (kind !== 'frameworkCrash') return undefined
    framework.crash()
    return () => framework.restart()
  }

  #onRegistry(kind: 'registrySlow' | 'registryFull'): () => void {
    const { registry } = this.#victims
    registry.health =
      kind === 'registrySlow'
        ? { writeMs: SLOW_WRITE_MS, failureChance: 0 }
        : { writeMs: HEALTHY_REGISTRY.writeMs, failureChance: WRITE_FAILURES }
    return () => {
      registry.health = HEALTHY_REGISTRY
    }
  }

  /** Some are cut off when that happens, and come back to another master than the one that was told. */
  #declareGone(agentId: string, { forMs, target }: Fault): void {
    const { master, operator, agents } = this.#victims
    operator.markGone(agentId)
    if (forMs % 2 === 0) return
    this.#world.network.cut(agents[target]!.host, forMs)
    this.#world.schedule.after(forMs / 2, () => master.crash('crashed'))
  }

  #onAgent(fault: Fault): (() => void) | undefined {
    const { kind, forMs, target } = fault
    const agent = this.#victims.agents[target]
    if (agent === undefined) return undefined
    const { network, health } = this.#world
    const { operator } = this.#victims
    const { host } = agent
    switch (kind) {
      case 'agentCrash':
        agent.crash('lost power')
        return () => agent.start()
      case 'agentKill':
        this.#world.fate.doom(host, 1 + (forMs % LAST_EFFECTS_MAX))
        return undefined
      case 'agentDiskFails':
        agent.disk.breakDown()
        return () => agent.disk.mend()
      case 'agentBreak':
        network.breakAll(host, 'connection reset')
        return undefined
      case 'agentCut':
        network.cut(host, forMs)
        return undefined
      case 'agentLeaderCut':
        network.cutBetween(host, this.#victims.master.newest.host, forMs)
        return undefined
      case 'agentSlow':
        health.slowHosts.set(host, SLOW_FACTOR)
        network.slow(host, SLOW_MS)
        return () => {
          health.slowHosts.delete(host)
          network.slow(host, 0)
        }
      case 'diskFull':
        health.fullDisks.add(host)
        return () => health.fullDisks.delete(host)
      case 'reserve': {
        const { frameworks } = this.#victims
        operator.reserve(agent, frameworks[forMs % frameworks.length]!.program.spec.role)
        return () => operator.unreserve(agent)
      }
      case 'maintain':
        operator.maintain(agent, forMs)
        return undefined
      default: {
        const agentId = agent.state?.info.id
        if (agentId === undefined) return undefined
        if (kind === 'gone') this.#declareGone(agentId.value, fault)
        else operator.takeOut(agentId.value, kind === 'drain')
        return () => operator.reactivate(agentId.value)
      }
    }
  }
}
