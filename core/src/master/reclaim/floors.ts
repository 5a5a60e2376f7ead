/** What roles hold beyond their own guarantees: nobody gives more than that. Roles without a guarantee may lose everything. */

import { ancestorRoles } from '../../resources/roles.ts'
import type { Milli } from './amounts.ts'
import { rest, sum } from './amounts.ts'

/** What a role with a guarantee has. */
export interface Holding {
  readonly guarantees: Milli
  readonly consumed: Milli
}

/** Amounts that go, by the role that loses them. */
export interface Loss {
  readonly role: string
  readonly amounts: Milli
}

/** The guarantees that must stay kept while things are taken. */
export class Floors {
  readonly #holdings: Map<string, Holding>

  /** @param holdings by role, of roles with a guarantee at any level of the tree */
  constructor(holdings: Iterable<readonly [string, Holding]>) {
    this.#holdings = new Map(holdings)
  }

  /** A copy for trying things. */
  copy(): Floors {
    return new Floors(this.#holdings)
  }

  /** The role whose guarantee, or that of a role above it, would be broken; undefined = all may go. */
  brokenBy(losses: readonly Loss[]): string | undefined {
    for (const [role, lost] of this.#byHolding(losses)) {
      const { guarantees, consumed } = this.#holdings.get(role)!
      for (const [kind, amount] of Object.entries(lost)) {
        const guarantee = guarantees[kind] ?? 0
        if (amount > 0 && guarantee > 0 && (consumed[kind] ?? 0) - amount < guarantee) return role
      }
    }
    return undefined
  }

  /** It goes. */
  take(losses: readonly Loss[]): void {
    for (const [role, lost] of this.#byHolding(losses)) {
      const holding = this.#holdings.get(role)!
      this.#holdings.set(role, { ...holding, consumed: rest(holding.consumed, lost) })
    }
  }

  /** It stays after all. */
  giveBack(losses: readonly Loss[]): void {
    for (const [role, lost] of this.#byHolding(losses)) {
      const holding = this.#holdings.get(role)!
      this.#holdings.set(role, { ...holding, consumed: sum(holding.consumed, lost) })
    }
  }

  /** What a role, or the nearest above it, has and is guaranteed; undefined = no guarantee. */
  of(role: string): Holding | undefined {
    for (const one of [role, ...ancestorRoles(role)]) {
      const holding = this.#holdings.get(one)
      if (holding !== undefined) return holding
    }
    return undefined
  }

  #byHolding(losses: readonly Loss[]): Map<string, Milli> {
    const all = new Map<string, Milli>()
    for (const { role, amounts } of losses) {
      for (const one of [role, ...ancestorRoles(role)]) {
        if (this.#holdings.has(one)) all.set(one, sum(all.get(one) ?? {}, amounts))
      }
    }
    return all
  }
}
