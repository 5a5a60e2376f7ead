/** Who holds what where, and what follows from it for shares and quota. The free rest of the agent is the caller's to settle. */

import { assert } from '../base/assert.ts'
import type { Resources } from '../resources/resources.ts'
import type { Agent } from './agents.ts'
import { Counter, emptyRow } from './bag.ts'
import type { Client } from './clients.ts'
import type { Kinds } from './kinds.ts'
import type { Quotas } from './quota.ts'
import type { RoleTree } from './role-tree.ts'

/** The one way to give and take back. */
export class Holdings {
  readonly #tree: RoleTree
  readonly #quotas: Quotas
  readonly #counter: Counter
  readonly #rows = { scalars: emptyRow(), plain: emptyRow() }

  constructor({ kinds, tree, quotas }: { kinds: Kinds; tree: RoleTree; quotas: Quotas }) {
    this.#tree = tree
    this.#quotas = quotas
    this.#counter = new Counter(kinds)
  }

  /** Gives resources, with allocation info, to a client; `allocations` is 1 when that counts as one more, else 0. */
  give(agent: Agent, client: Client, resources: Resources, allocations: 0 | 1): void {
    const before = agent.held.get(client.index)
    if (before === undefined) client.agentCount++
    agent.held.set(client.index, before === undefined ? resources : before.plus(resources))
    this.#charge(client, resources, { factor: 1, allocations })
  }

  /** Takes back what a client holds; what it does not hold is an assertion error. */
  takeBack(agent: Agent, client: Client, resources: Resources): void {
    const before = agent.held.get(client.index)
    assert(before !== undefined && (before === resources || before.contains(resources)), 'only what is held comes back')
    const after = before === resources ? undefined : before.minus(resources)
    if (after === undefined || after.isEmpty) {
      agent.held.delete(client.index)
      client.agentCount--
    } else agent.held.set(client.index, after)
    this.#charge(client, resources, { factor: -1, allocations: 0 })
  }

  #charge(client: Client, resources: Resources, by: { factor: 1 | -1; allocations: 0 | 1 }): void {
    this.#counter.charge(this.#rows, resources, by.factor)
    this.#tree.charge(client.node, this.#rows.scalars, by.allocations)
    this.#quotas.chargeAllocated(client.books, this.#rows.plain)
  }
}
