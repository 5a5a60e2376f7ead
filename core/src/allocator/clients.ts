/**
 * Clients: a framework under one of its roles. They are what stands in line, refuses and holds. A client lives while the framework is
 * subscribed to the role or holds anything under it, so that tasks outlive a role that their framework left, and the framework itself.
 */

import { assert } from '../base/assert.ts'
import { type Bits, clearBit, setBit } from './bits.ts'
import type { RoleConstraints } from './constraints.ts'
import type { FrameworkSpec } from './contract.ts'
import type { Kinds } from './kinds.ts'
import { type Least, leastOf } from './least.ts'
import type { Quotas, RoleBooks } from './quota.ts'
import type { RoleTree } from './role-tree.ts'

/** Agents without it are not for this client; a bit of `needs`. */
export const MULTI_ROLE = 1
/** For clients of nested roles. */
export const HIERARCHICAL_ROLE = 2
/** Agents that have it are for clients that know it; a bit of `has`. */
export const GPU_RESOURCES = 1
export const REGION_AWARE = 2

/** A framework as the allocator keeps it. */
export interface Framework {
  readonly id: string
  spec: FrameworkSpec
  active: boolean
  readonly suppressed: Set<string>
}

/** A framework under one role. */
export interface Client {
  readonly index: number
  readonly node: number
  readonly frameworkId: string
  readonly role: string
  readonly books: RoleBooks
  /** Absent when the framework is gone or has left the role. */
  framework: Framework | undefined
  /** Agents where it holds something. */
  agentCount: number
  needs: number
  has: number
  /** An offer holds at least one of these. */
  least: readonly Least[]
  /** Which agents it wants to be offered; absent = all. */
  constraints: RoleConstraints | undefined
}

/** All clients by small integers. */
export class Clients {
  readonly list: (Client | undefined)[] = []
  /** Clients that stand in line. */
  active: Bits = new Int32Array(1)
  readonly leastDefault: readonly Least[]
  /** Clients whose framework says itself what an offer holds at least. */
  ownLeastCount = 0
  readonly #byRole = new Map<string, Map<string, Client>>()
  readonly #free: number[] = []
  readonly #tree: RoleTree
  readonly #quotas: Quotas
  readonly #kinds: Kinds

  constructor(parts: { tree: RoleTree; quotas: Quotas; kinds: Kinds; leastDefault: readonly Least[] }) {
    this.#tree = parts.tree
    this.#quotas = parts.quotas
    this.#kinds = parts.kinds
    this.leastDefault = parts.leastDefault
  }

  /** The client, or undefined. */
  find(frameworkId: string, role: string): Client | undefined {
    return this.#byRole.get(role)?.get(frameworkId)
  }

  /** The client, which is made when there is none. */
  ensure(frameworkId: string, role: string): Client {
    const known = this.find(frameworkId, role)
    if (known !== undefined) return known
    const index = this.#free.pop() ?? this.list.length
    const client: Client = {
      index,
      node: this.#tree.addClient(role, frameworkId, index),
      frameworkId,
      role,
      books: this.#quotas.retainFor(role, index),
      framework: undefined,
      agentCount: 0,
      needs: 0,
      has: 0,
      least: this.leastDefault,
      constraints: undefined,
    }
    this.list[index] = client
    const ofRole = this.#byRole.get(role)
    if (ofRole === undefined) this.#byRole.set(role, new Map([[frameworkId, client]]))
    else ofRole.set(frameworkId, client)
    return client
  }

  /** Subscribes a client to its role, with what the framework can handle now. */
  subscribe(client: Client, framework: Framework): void {
    const { capabilities, minAllocatable } = framework.spec
    const least = minAllocatable?.[client.role]
    this.unsubscribe(client)
    client.framework = framework
    if (least !== undefined) this.ownLeastCount++
    client.needs = (capabilities.multiRole ? MULTI_ROLE : 0) | (client.role.includes('/') ? HIERARCHICAL_ROLE : 0)
    client.has = (capabilities.gpuResources ? GPU_RESOURCES : 0) | (capabilities.regionAware ? REGION_AWARE : 0)
    client.least = least === undefined ? this.leastDefault : leastOf(least, this.#kinds)
    client.constraints = framework.spec.constraints?.get(client.role)
  }

  /** The client's framework is gone or has left the role. */
  unsubscribe(client: Client): void {
    if (client.framework !== undefined && client.least !== this.leastDefault) this.ownLeastCount--
    client.framework = undefined
    client.least = this.leastDefault
    client.constraints = undefined
  }

  /** Puts a client in line or takes it out, as its framework is. Says whether it is new in line. */
  updateActive(client: Client): boolean {
    const { framework, index, node, role } = client
    const isActive = framework?.active === true && !framework.suppressed.has(role)
    if (this.#tree.isActive(node) === isActive) return false
    this.#tree.setActive(node, isActive)
    if (isActive) this.active = setBit(this.active, index)
    else clearBit(this.active, index)
    return isActive
  }

  /** Forgets a client that is neither subscribed nor holding anything; says whether it did. */
  removeIfUnused(client: Client): boolean {
    if (client.framework !== undefined || client.agentCount > 0) return false
    assert(!this.#tree.isActive(client.node), 'an unsubscribed client is not in line')
    const ofRole = this.#byRole.get(client.role)!
    ofRole.delete(client.frameworkId)
    if (ofRole.size === 0) this.#byRole.delete(client.role)
    this.#tree.removeClient(client.node)
    this.#quotas.releaseFor(client.books, client.index)
    this.list[client.index] = undefined
    this.#free.push(client.index)
    return true
  }
}
