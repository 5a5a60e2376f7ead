/**
 * An auditor's own books, kept from messages alone: what the leading master has offered, to whom, what was launched and has not ended, what is
 * stored. A new master begins with nothing but the registry: agents and frameworks come back with what they have.
 *
 * ```
 * OFFERS ─► offers ── ACCEPT, DECLINE, RESCIND, end of the stream ─► gone
 * RUN_TASK, REREGISTER ─► holds of the agent ── the end told by the agent, or by the master, SHUTDOWN_FRAMEWORK ─► gone
 * ```
 */

import { applyRecord, createRegistry, type Registry, type RegistryRecord } from '../../master/registry.ts'
import { Resources } from '../../resources/resources.ts'
import type { Hold } from './holds.ts'

/** An agent that has registered with the leading master. */
export interface AgentBook {
  readonly id: string
  readonly host: string
  linkId: string | undefined
  /** Since when it has this link. */
  readonly linkedAtMs: number
  readonly total: Resources
  /** A part of it is reserved, or was. */
  isReserved: boolean
  /** By `task framework/task` or `executor framework/executor`. */
  readonly holds: Map<string, Hold>
  readonly offers: Set<string>
}

/** An offer that the framework may still answer. */
export interface OfferBook {
  readonly id: string
  readonly frameworkId: string
  readonly agentId: string
  readonly role: string
  readonly resources: Resources
  /** The same without reservations. */
  readonly amounts: Resources
}

/** What a framework does not want for a while. */
export interface RefusalBook {
  readonly agentId: string
  readonly role: string
  readonly resources: Resources
  readonly untilMs: number
  /** So much earlier it may be over by the master's clock. */
  readonly slackMs: number
  /** Of a DECLINE: all of it was refused. Of an ACCEPT only what was left. */
  readonly isExact: boolean
}

/** A framework that has subscribed with the leading master. */
export interface FrameworkBook {
  readonly id: string
  readonly name: string
  streamId: string | undefined
  roles: readonly string[]
  readonly suppressed: Set<string>
  refusals: RefusalBook[]
  readonly offers: Set<string>
}

/** The books. Kept by scheduler-side.ts and agent-side.ts; checkers read them after they saw the same thing. */
export class Books {
  readonly agents = new Map<string, AgentBook>()
  readonly frameworks = new Map<string, FrameworkBook>()
  readonly offers = new Map<string, OfferBook>()
  /** Frameworks that some master removed: what they still run is being ended. */
  readonly removed = new Set<string>()
  /** What is stored. */
  readonly registry: Registry = createRegistry()
  /** Agents whose offers or holds changed in this step of the master. */
  readonly touched = new Set<string>()
  /** Offers made in this step. */
  readonly made: OfferBook[] = []
  /** Stream → framework. */
  readonly streams = new Map<string, string>()
  /** Link → agent. */
  readonly links = new Map<string, string>()

  /** A new master knows nothing but the registry. */
  forgetAll(): void {
    for (const map of [this.agents, this.frameworks, this.offers, this.streams, this.links]) map.clear()
    this.stepOver()
  }

  /** To be called when the last checker has seen `masterStepped`. */
  stepOver(): void {
    this.touched.clear()
    this.made.length = 0
  }

  /** The agent at the end of a link. */
  agentOf(linkId: string): AgentBook | undefined {
    return this.agents.get(this.links.get(linkId) ?? '')
  }

  /** The framework at the end of a stream. */
  frameworkOf(streamId: string | undefined): FrameworkBook | undefined {
    const framework = this.frameworks.get(this.streams.get(streamId ?? '') ?? '')
    return framework?.streamId === streamId ? framework : undefined
  }

  /** Whether a task, `framework task`, holds something on an agent that the master knows. */
  holds(task: string): boolean {
    const key = `task ${task.replace(' ', '/')}`
    for (const { holds } of this.agents.values()) if (holds.has(key)) return true
    return false
  }

  /** What of an agent is neither offered nor held. */
  freeOf(agent: AgentBook): Resources {
    return agent.total.minus(this.takenOf(agent))
  }

  /** What of an agent is offered or held. */
  takenOf(agent: AgentBook): Resources {
    let taken = Resources.empty
    for (const { resources } of agent.holds.values()) taken = taken.plus(resources)
    for (const id of agent.offers) taken = taken.plus(this.offers.get(id)!.amounts)
    return taken
  }

  /** An offer is made. */
  addOffer(offer: OfferBook): void {
    this.offers.set(offer.id, offer)
    this.made.push(offer)
    this.frameworks.get(offer.frameworkId)?.offers.add(offer.id)
    this.agents.get(offer.agentId)?.offers.add(offer.id)
    this.touched.add(offer.agentId)
  }

  /** An offer is answered or withdrawn. */
  dropOffer(offer: OfferBook): void {
    this.offers.delete(offer.id)
    this.frameworks.get(offer.frameworkId)?.offers.delete(offer.id)
    this.agents.get(offer.agentId)?.offers.delete(offer.id)
  }

  /** All offers of a framework are void. */
  dropOffersOf(framework: FrameworkBook): void {
    for (const id of [...framework.offers]) this.dropOffer(this.offers.get(id)!)
  }

  /** A record is stored. */
  store(record: RegistryRecord): void {
    applyRecord(this.registry, record)
    const isLoss = record.kind === 'agentUnreachable' || record.kind === 'agentRemoved' || record.kind === 'agentGone'
    if (isLoss) this.removeAgent(record.agentId)
  }

  /** The master has taken an agent out of its books. */
  removeAgent(id: string): void {
    this.agents.delete(id)
    for (const framework of this.frameworks.values()) {
      framework.refusals = framework.refusals.filter(({ agentId }) => agentId !== id)
    }
  }

  /** The master has removed a framework. */
  removeFramework(id: string): void {
    this.removed.add(id)
    this.frameworks.delete(id)
    for (const agent of this.agents.values()) this.releaseAll(agent, id)
  }

  /** What a framework holds on an agent is given back. */
  releaseAll(agent: AgentBook, frameworkId: string): void {
    for (const [key, hold] of agent.holds) if (hold.frameworkId === frameworkId) agent.holds.delete(key)
  }
}
