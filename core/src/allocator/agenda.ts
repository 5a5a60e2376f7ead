/**
 * Which agents the next run looks at. Dirty: something changed that Mesos decides about at once. Pending: something may be had there, so
 * the batch looks at it. An agent that was visited is neither, until something changes: a batch costs what changed.
 */

import type { Agent, Agents } from './agents.ts'

/** The agents to visit; dirty ones are pending, too. */
export class Agenda {
  readonly #agents: Agents
  readonly #dirty = new Set<Agent>()
  readonly #pending = new Set<Agent>()
  #isAllDirty = false
  #isAllPending = false

  constructor(agents: Agents) {
    this.#agents = agents
  }

  get hasDirty(): boolean {
    return this.#dirty.size > 0 || (this.#isAllDirty && this.#agents.count > 0)
  }

  makeDirty(agent: Agent): void {
    this.#dirty.add(agent)
    this.#pending.add(agent)
  }

  makePending(agent: Agent): void {
    this.#pending.add(agent)
  }

  makeAllDirty(): void {
    this.#isAllDirty = true
    this.#isAllPending = true
  }

  makeAllPending(): void {
    this.#isAllPending = true
  }

  /** Forgets an agent that is gone. */
  remove(agent: Agent): void {
    this.#dirty.delete(agent)
    this.#pending.delete(agent)
  }

  /** The agents for an event-driven run. */
  dirty(): Agent[] {
    return this.#isAllDirty ? [...this.#agents.all()] : [...this.#dirty]
  }

  /** The agents for a batch. */
  pending(): Agent[] {
    return this.#isAllPending ? [...this.#agents.all()] : [...this.#pending]
  }

  /** Notes a run over these agents, of which the first `visited` were visited; the others are dirty. */
  done(agents: readonly Agent[], visited: number): void {
    if (agents.length === this.#agents.count) {
      this.#isAllDirty = false
      this.#isAllPending = false
    }
    if (visited === this.#agents.count) {
      this.#dirty.clear()
      this.#pending.clear()
      return
    }
    for (let at = 0; at < visited; at++) this.remove(agents[at]!)
    for (let at = visited; at < agents.length; at++) this.makeDirty(agents[at]!)
  }
}
