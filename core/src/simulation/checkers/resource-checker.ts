import { Resources } from '../../resources/resources.ts'
import type { Sighting } from '../sightings.ts'
import { mustHold } from '../violation.ts'
import type { AgentBook, Books, OfferBook } from './books.ts'
import type { Checker } from './checker.ts'
import { bagOf } from './holds.ts'

/** Scalar kinds that quota counts, by name. */
type Amounts = ReadonlyMap<string, number>

/**
 * No resource is given twice, nobody is offered what it refused or suppressed, and quota is kept: after each step of the master.
 *
 * - on each agent offers and holds together fit into its total; one message has at most one offer for an agent and role;
 * - what was declined is not offered again within the time asked for;
 * - a role's offers and holds stay within its limits; who is given more than it is guaranteed leaves enough free for what others are guaranteed.
 */
export class ResourceChecker implements Checker {
  readonly #books: Books

  constructor(books: Books) {
    this.#books = books
  }

  see(sighting: Sighting, atMs: number): void {
    if (sighting.kind === 'eventSent' && sighting.event.type === 'OFFERS')
      this.#checkMessage(sighting.event.offers?.offers)
    if (sighting.kind !== 'masterStepped') return
    for (const id of this.#books.touched) {
      const agent = this.#books.agents.get(id)
      if (agent !== undefined) this.#checkSum(agent)
    }
    for (const offer of this.#books.made) this.#checkWanted(offer, atMs)
    if (this.#isQuotaToCheck()) this.#checkQuota()
  }

  ended(): void {
    for (const agent of this.#books.agents.values()) {
      mustHold(
        agent.holds.size === 0,
        'sums are exact',
        () => `${agent.id} holds ${[...agent.holds.keys()]} at the end`,
      )
    }
  }

  #checkMessage(
    offers: NonNullable<NonNullable<(Sighting & { kind: 'eventSent' })['event']['offers']>['offers']> = [],
  ): void {
    const seen = new Set<string>()
    for (const { agent_id, allocation_info, resources } of offers) {
      const key = `${agent_id.value} ${allocation_info?.role}`
      mustHold(!seen.has(key), 'one offer per agent and role', () => `two offers of ${key} in one message`)
      seen.add(key)
      mustHold(!bagOf(resources).isEmpty, 'offers hold something', () => `an empty offer of ${key}`)
    }
  }

  #checkSum(agent: AgentBook): void {
    const taken = this.#books.takenOf(agent)
    mustHold(agent.total.contains(taken), 'no resource is given twice', () => {
      const offers = [...agent.offers].map((id) => `${id} ${this.#books.offers.get(id)!.resources}`)
      const holds = [...agent.holds].map(([key, { resources }]) => `${key} ${resources}`)
      return `of ${agent.id} with ${agent.total} are offered and held ${taken}: ${[...offers, ...holds].join('; ')}`
    })
  }

  #checkWanted(offer: OfferBook, atMs: number): void {
    const framework = this.#books.frameworks.get(offer.frameworkId)
    if (framework === undefined) return
    const { suppressed, refusals } = framework
    mustHold(!suppressed.has(offer.role), 'suppressed roles get no offers', () => `${offer.id} for ${framework.name}`)
    const refusal = refusals.find((one) => {
      const isSame = one.isExact && one.agentId === offer.agentId && one.role === offer.role
      return isSame && one.untilMs - one.slackMs > atMs && one.resources.contains(offer.resources)
    })
    mustHold(refusal === undefined, 'refusals hold', () => {
      return `${offer.id} of ${offer.agentId} was refused by ${framework.name} for ${refusal!.untilMs - atMs} ms more`
    })
  }

  /** What is reserved counts for quota in ways of its own, which are left to the allocator's tests. */
  #isQuotaToCheck(): boolean {
    const { made, registry, agents } = this.#books
    return made.length > 0 && registry.quotas.size > 0 && [...agents.values()].every(({ isReserved }) => !isReserved)
  }

  #checkQuota(): void {
    const { registry, made } = this.#books
    const held = this.#heldByRole()
    const offered = new Set(made.map(({ role }) => topRole(role)))
    for (const role of offered) {
      const quota = registry.quotas.get(role)
      for (const [name, { value }] of Object.entries(quota?.limits ?? {})) {
        const isOffered = made.some((offer) => topRole(offer.role) === role && offer.resources.milli(name) > 0)
        const amount = held.get(role)?.get(name) ?? 0
        mustHold(!isOffered || amount <= milliOf({ value }), 'limits are kept', () => {
          return `role ${role} is offered up to ${amount / 1000} of ${name}, its limit is ${value}`
        })
      }
    }
    this.#checkHeadroom(held, offered)
  }

  #checkHeadroom(held: ReadonlyMap<string, Amounts>, offered: ReadonlySet<string>): void {
    const { registry, made } = this.#books
    for (const name of ['cpus', 'mem']) {
      let missing = 0
      for (const { role, guarantees } of registry.quotas.values()) {
        missing += Math.max(0, milliOf(guarantees[name]) - (held.get(role)?.get(name) ?? 0))
      }
      if (missing === 0) continue
      const free = this.#free(name)
      if (free >= missing) continue
      for (const role of offered) {
        const given = made
          .filter((offer) => topRole(offer.role) === role)
          .reduce((sum, { resources }) => sum + resources.milli(name), 0)
        const guaranteed = milliOf(registry.quotas.get(role)?.guarantees[name])
        const amount = held.get(role)?.get(name) ?? 0
        mustHold(given === 0 || amount <= guaranteed, 'guarantees are kept', () => {
          return `role ${role} is offered up to ${amount / 1000} of ${name}, guaranteed ${guaranteed / 1000}; ${free / 1000} are left free, ${missing / 1000} are missing of guarantees`
        })
      }
    }
  }

  #free(name: string): number {
    let free = 0
    for (const agent of this.#books.agents.values()) {
      const isOffered = agent.linkId !== undefined && !this.#books.registry.admitted.get(agent.id)?.deactivated
      if (isOffered) free += agent.total.milli(name) - this.#books.takenOf(agent).milli(name)
    }
    return free
  }

  #heldByRole(): Map<string, Amounts> {
    const sums = new Map<string, Resources>()
    const add = (role: string, resources: Resources): void => {
      sums.set(topRole(role), (sums.get(topRole(role)) ?? Resources.empty).plus(resources))
    }
    for (const { holds } of this.#books.agents.values())
      for (const hold of holds.values()) add(hold.role, hold.resources)
    for (const offer of this.#books.offers.values()) add(offer.role, offer.amounts)
    return new Map([...sums].map(([role, sum]) => [role, sum.quantities()]))
  }
}

function milliOf(scalar: { readonly value: number } | undefined): number {
  return Math.round((scalar?.value ?? 0) * 1000)
}

function topRole(role: string): string {
  return role.split('/')[0]!
}
