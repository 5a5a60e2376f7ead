import type { Offer } from '@isthmus/proto/gen/mesos'
import type { Call, Event } from '@isthmus/proto/gen/scheduler'
import { isTerminal } from '../../framework/task-states.ts'
import { Resources } from '../../resources/resources.ts'
import type { Sighting } from '../sightings.ts'
import type { Books, FrameworkBook } from './books.ts'
import type { Checker } from './checker.ts'
import { bagOf, taskKey } from './holds.ts'

/** How much a second of a master may be shorter than a real one, in milliseconds. */
const CLOCK_SLACK_MS = 11

/** Keeps the books of what schedulers and the master say to each other, and of what the master notes of frameworks. */
export class SchedulerSide implements Checker {
  readonly #books: Books
  #subscribe: Call | undefined

  constructor(books: Books) {
    this.#books = books
  }

  see(sighting: Sighting, atMs: number): void {
    switch (sighting.kind) {
      case 'called':
        this.#called(sighting.streamId, sighting.call, atMs)
        return
      case 'eventSent':
        this.#eventSent(sighting.streamId, sighting.event)
        return
      case 'streamClosed':
        this.#streamClosed(sighting.streamId)
        return
      case 'noted':
        this.#noted(sighting.message, String(sighting.fields.frameworkId))
        return
      case 'masterStepped':
        this.#subscribe = undefined
        return
      default:
        return
    }
  }

  #called(streamId: string | undefined, call: Call, atMs: number): void {
    if (call.type === 'SUBSCRIBE') this.#subscribe = call
    const framework = this.#books.frameworkOf(streamId)
    if (framework === undefined || framework.id !== call.framework_id?.value) return
    switch (call.type) {
      case 'ACCEPT':
        this.#answered(framework, call.accept?.offer_ids, {
          seconds: call.accept?.filters?.refuse_seconds,
          atMs,
          isExact: false,
        })
        return
      case 'DECLINE':
        this.#answered(framework, call.decline?.offer_ids, {
          seconds: call.decline?.filters?.refuse_seconds,
          atMs,
          isExact: true,
        })
        return
      case 'SUPPRESS':
        for (const role of named(framework, call.suppress?.roles)) framework.suppressed.add(role)
        return
      case 'REVIVE': {
        const roles = named(framework, call.revive?.roles)
        for (const role of roles) framework.suppressed.delete(role)
        framework.refusals = framework.refusals.filter(({ role }) => !roles.includes(role))
        return
      }
      default:
        return
    }
  }

  #answered(
    framework: FrameworkBook,
    ids: readonly { readonly value: string }[] | undefined,
    { seconds = 5, atMs, isExact }: { seconds: number | undefined; atMs: number; isExact: boolean },
  ): void {
    framework.refusals = framework.refusals.filter(({ untilMs }) => untilMs > atMs)
    for (const { value } of ids ?? []) {
      const offer = this.#books.offers.get(value)
      if (offer?.frameworkId !== framework.id) continue
      this.#books.dropOffer(offer)
      const { agentId, role, resources } = offer
      const [untilMs, slackMs] = [atMs + seconds * 1000, seconds * CLOCK_SLACK_MS]
      if (seconds > 0) framework.refusals.push({ agentId, role, resources, untilMs, slackMs, isExact })
    }
  }

  #eventSent(streamId: string, event: Event): void {
    switch (event.type) {
      case 'SUBSCRIBED':
        this.#subscribed(streamId, event.subscribed?.framework_id.value ?? '')
        return
      case 'OFFERS': {
        const framework = this.#books.frameworkOf(streamId)
        if (framework !== undefined) for (const offer of event.offers?.offers ?? []) this.#offered(framework, offer)
        return
      }
      case 'RESCIND': {
        const offer = this.#books.offers.get(event.rescind?.offer_id.value ?? '')
        if (offer !== undefined) this.#books.dropOffer(offer)
        return
      }
      case 'UPDATE': {
        const framework = this.#books.frameworkOf(streamId)
        const status = event.update?.status
        if (framework === undefined || status === undefined || (status.uuid?.length ?? 0) > 0) return
        const isGone = isTerminal(status.state) || status.state === 'TASK_UNREACHABLE'
        if (isGone && status.reason !== 'REASON_RECONCILIATION') {
          const agent = this.#books.agents.get(status.agent_id?.value ?? '')
          agent?.holds.delete(taskKey(framework.id, status.task_id.value))
        }
        return
      }
      default:
        return
    }
  }

  #subscribed(streamId: string, id: string): void {
    const before = this.#books.frameworks.get(id)
    if (before !== undefined) this.#books.dropOffersOf(before)
    const { framework_info: info, suppressed_roles: suppressed } = this.#subscribe?.subscribe ?? {}
    this.#books.streams.set(streamId, id)
    this.#books.frameworks.set(id, {
      id,
      name: info?.name ?? '',
      streamId,
      roles: info?.roles ?? [],
      suppressed: new Set(suppressed),
      refusals: [],
      offers: new Set(),
    })
  }

  #offered(framework: FrameworkBook, { id, agent_id, allocation_info, resources }: Offer): void {
    this.#books.addOffer({
      id: id.value,
      frameworkId: framework.id,
      agentId: agent_id.value,
      role: allocation_info?.role ?? '*',
      resources: Resources.fromProto(resources).unallocate(),
      amounts: bagOf(resources),
    })
  }

  #streamClosed(streamId: string): void {
    const framework = this.#books.frameworkOf(streamId)
    this.#books.streams.delete(streamId)
    if (framework === undefined) return
    framework.streamId = undefined
    framework.refusals = []
    this.#books.dropOffersOf(framework)
  }

  #noted(message: string, frameworkId: string): void {
    if (message === 'framework removed') this.#books.removeFramework(frameworkId)
    // A new leader does not know that an earlier one removed it.
    if (COMES_BACK.has(message)) this.#books.removed.delete(frameworkId)
  }
}

/** Notes of a master that lets a framework in that was removed before. */
export const COMES_BACK: ReadonlySet<string> = new Set(['framework subscribed', 'framework recovered from an agent'])

function named(framework: FrameworkBook, roles: readonly string[] | undefined): readonly string[] {
  return roles === undefined || roles.length === 0 ? framework.roles : roles
}
