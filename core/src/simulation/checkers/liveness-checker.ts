import { Resources } from '../../resources/resources.ts'
import type { FrameworkHost } from '../framework-host.ts'
import { needsOf, type Program } from '../program.ts'
import type { Sighting } from '../sightings.ts'
import { mustHold } from '../violation.ts'
import type { AgentBook, Books, FrameworkBook, OfferBook } from './books.ts'
import type { Checker } from './checker.ts'

/** How often the pool is looked over. */
const LOOK_EVERY_MS = 500
/** What is free and wanted is offered to somebody within this: some runs of the allocator. */
const OFFERED_WITHIN_MS = 4_000
/** A framework with less than its share is offered something within this, while others with more are. */
const SHARED_WITHIN_MS = 60_000
/** Differences of shares below this factor are left to the allocator. */
const CLEARLY = 1.5
/** What counts in shares here. */
const SHARED = ['cpus', 'mem', 'disk']
/** What the allocator offers at least. */
const LEAST_CPUS_MILLI = 10

/**
 * Good things happen: what is free is offered to a framework that wants it, who has least is not passed over, and kills end tasks, each within a
 * bound. What frameworks want is what their programs say.
 */
export class LivenessChecker implements Checker {
  readonly #books: Books
  readonly #frameworks: readonly FrameworkHost[]
  /** `framework agent` → since when it could be offered and was not. */
  #freeSinceMs = new Map<string, number>()
  /** Framework name → since when others with more were served before it. */
  readonly #passedSinceMs = new Map<string, number>()
  #lookedAtMs = 0

  constructor(books: Books, frameworks: readonly FrameworkHost[]) {
    this.#books = books
    this.#frameworks = frameworks
  }

  see(sighting: Sighting, atMs: number): void {
    if (sighting.kind === 'masterStarted') {
      this.#freeSinceMs.clear()
      this.#passedSinceMs.clear()
    }
    if (sighting.kind !== 'masterStepped') return
    for (const offer of this.#books.made) {
      for (const key of this.#freeSinceMs.keys()) if (key.endsWith(` ${offer.agentId}`)) this.#freeSinceMs.delete(key)
      this.#served(offer, atMs)
    }
    if (atMs - this.#lookedAtMs < LOOK_EVERY_MS) return
    this.#lookedAtMs = atMs
    this.#look(atMs)
  }

  #look(atMs: number): void {
    const since = new Map<string, number>()
    for (const host of this.#frameworks) {
      const framework = this.#wanting(host)
      if (framework === undefined) {
        this.#passedSinceMs.delete(host.name)
        continue
      }
      for (const agent of this.#books.agents.values()) {
        if (!this.#couldHave(host, framework, agent, atMs)) continue
        const key = `${framework.id} ${agent.id}`
        const sinceMs = this.#freeSinceMs.get(key) ?? atMs
        since.set(key, sinceMs)
        mustHold(atMs - sinceMs <= OFFERED_WITHIN_MS, 'what is free is offered', () => {
          return `${agent.id} has ${this.#books.freeOf(agent)} free, ${framework.name} wants it, nobody was offered it for ${atMs - sinceMs} ms`
        })
      }
    }
    this.#freeSinceMs = since
    for (const [name, sinceMs] of this.#passedSinceMs) {
      mustHold(
        atMs - sinceMs <= SHARED_WITHIN_MS,
        'who has least is next',
        () => `${name} is passed over for ${atMs - sinceMs} ms`,
      )
    }
  }

  /** The framework of a program that waits for offers and can get them. */
  #wanting({ program, state, isUp }: FrameworkHost): FrameworkBook | undefined {
    const framework = this.#books.frameworks.get(state.frameworkId?.value ?? '')
    const isConnected = isUp && state.phase === 'subscribed' && framework?.streamId !== undefined
    if (!isConnected || program.waiting.length === 0 || framework.suppressed.size > 0) return undefined
    return framework
  }

  #couldHave({ program }: FrameworkHost, framework: FrameworkBook, agent: AgentBook, atMs: number): boolean {
    const { registry } = this.#books
    if (agent.linkId === undefined || agent.isReserved || registry.admitted.get(agent.id)?.deactivated !== false)
      return false
    if (framework.refusals.some(({ agentId, untilMs }) => agentId === agent.id && untilMs >= atMs)) return false
    // With quota it would have to be told apart who is held back rightly.
    return registry.quotas.size === 0 && isEnough(program, this.#books.freeOf(agent))
  }

  /** Somebody was offered an agent: who wants it too, could have it, and has less, is passed over. */
  #served(offer: OfferBook, atMs: number): void {
    const agent = this.#books.agents.get(offer.agentId)
    const served = this.#books.frameworks.get(offer.frameworkId)
    if (agent === undefined || served === undefined) return
    this.#passedSinceMs.delete(served.name)
    if (this.#books.registry.quotas.size > 0 || agent.isReserved) return
    for (const host of this.#frameworks) {
      const framework = this.#wanting(host)
      if (framework === undefined || framework.id === served.id || this.#passedSinceMs.has(host.name)) continue
      const isPassed = this.#fits(host, framework, offer, atMs) && this.#hasLess(framework, served, offer)
      if (isPassed) this.#passedSinceMs.set(host.name, atMs)
    }
  }

  #fits(
    { program }: FrameworkHost,
    framework: FrameworkBook,
    { agentId, resources }: OfferBook,
    atMs: number,
  ): boolean {
    if (framework.refusals.some((one) => one.agentId === agentId && one.untilMs >= atMs)) return false
    return isEnough(program, resources)
  }

  /** Compares what both hold: by role and weight, within one role by framework. Roles below the same one are not compared. */
  #hasLess(framework: FrameworkBook, served: FrameworkBook, offer: OfferBook): boolean {
    const [mine, others] = [framework.roles[0] ?? '', served.roles[0] ?? '']
    if (mine === others) {
      const shareOf = (id: string): number => this.#share((one) => one.frameworkId === id, offer)
      return shareOf(framework.id) * CLEARLY < shareOf(served.id)
    }
    if (topRole(mine) === topRole(others)) return false
    const weighted = (role: string): number =>
      this.#share((one) => topRole(one.role) === role, offer) / (this.#books.registry.weights.get(role) ?? 1)
    return weighted(topRole(mine)) * CLEARLY < weighted(topRole(others))
  }

  /** The dominant share of what is selected, without the offer just made. */
  #share(
    isMeant: (one: { readonly frameworkId: string; readonly role: string }) => boolean,
    except: OfferBook,
  ): number {
    let [used, total] = [Resources.empty, Resources.empty]
    for (const agent of this.#books.agents.values()) {
      total = total.plus(agent.total)
      for (const hold of agent.holds.values()) if (isMeant(hold)) used = used.plus(hold.resources)
    }
    for (const one of this.#books.offers.values()) if (isMeant(one) && one !== except) used = used.plus(one.amounts)
    return Math.max(0, ...SHARED.map((name) => used.milli(name) / Math.max(1, total.milli(name))))
  }
}

function isEnough({ waiting }: Program, resources: Resources): boolean {
  return waiting.some((job) => {
    const { cpus, memoryMb } = needsOf(job)
    return resources.cpusMilli >= Math.max(LEAST_CPUS_MILLI, cpus * 1000) && resources.memMilli >= memoryMb * 1000
  })
}

function topRole(role: string): string {
  return role.split('/')[0]!
}
