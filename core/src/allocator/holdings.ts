/** Who holds what where, and what follows from it for shares and quota. The free rest of the agent is the caller's to settle. */

import { assert } from '../base/assert.ts'
import type { Resources } from '../resources/resources.ts'
import type { Agent } from './agents.ts'
import { Counter, emptyRow } from './bag.ts'
import type { Client } from './clients.ts'
import type { Kinds } from './kinds.ts'
import type { Quotas } from './quota.ts'
import type { RoleTree } from './role-tree.ts'

/** How something is given. */
export interface Giving {
  /** 1 when it counts as one allocation more. */
  readonly allocations: 0 | 1
  /** Its amounts in milli-units by kind, when nothing of it is reserved, revocable or shared and they are known already. */
  readonly amounts?: Float64Array | undefined
}

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

  /** Gives resources, with allocation info, to a client. */
  give(agent: Agent, client: Client, resources: Resources, by: Giving): void {
    const before = agent.held.get(client.index)
    if (before === undefined) client.agentCount++
    agent.held.set(client.index, before === undefined ? resources : before.plus(resources))
    this.#charge(client, countedBeside(before, resources), { ...by, factor: 1 })
  }

  /**
   * Takes back what a client holds; what it does not hold is an assertion error.
   *
   * @param negative their amounts times -1, when they are plain and known already
   */
  takeBack(agent: Agent, client: Client, resources: Resources, negative?: Float64Array): void {
    const before = agent.held.get(client.index)
    assert(before !== undefined && (before === resources || before.contains(resources)), 'only what is held comes back')
    const after = before === resources ? undefined : before.minus(resources)
    if (after === undefined || after.isEmpty) {
      agent.held.delete(client.index)
      client.agentCount--
    } else agent.held.set(client.index, after)
    this.#charge(client, countedBeside(after, resources), { factor: -1, allocations: 0, amounts: negative })
  }

  #charge(client: Client, resources: Resources, by: Giving & { readonly factor: 1 | -1 }): void {
    if (by.amounts !== undefined) {
      this.#tree.charge(client.node, by.amounts, by.allocations)
      this.#quotas.chargeAllocated(client.books, by.amounts)
      return
    }
    this.#counter.charge(this.#rows, resources, by.factor)
    this.#tree.charge(client.node, this.#rows.scalars, by.allocations)
    this.#quotas.chargeAllocated(client.books, this.#rows.plain)
  }
}

/** What counts of resources beside others of the same client: copies of a shared resource count once. */
function countedBeside(others: Resources | undefined, resources: Resources): Resources {
  const shared = resources.shared()
  if (shared.isEmpty) return resources
  const single = shared.withSingleCopies()
  return resources.nonShared().plus(others === undefined ? single : single.minus(others))
}
