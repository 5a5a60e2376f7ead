/**
 * An auditor's own books, kept from messages alone: what the leading master has offered, to whom, what was launched and has not ended, what is
 * stored. A new master begins with nothing but the registry: agents and frameworks come back with what they have.
 *
 * ```
 * OFFERS ─► offers ── ACCEPT, DECLINE, RESCIND, end of the stream ─► gone
 * RUN_TASK, REREGISTER ─► holds of the agent ── the end told by the agent, or by the master, SHUTDOWN_FRAMEWORK ─► gone
 * ```
 */

import type { AgentMessage, AgentMessageReregister, MasterMessage } from '@isthmus/proto/gen/agent-link'
import type { Offer, Resource, TaskInfo } from '@isthmus/proto/gen/mesos'
import type { Call, Event } from '@isthmus/proto/gen/scheduler'
import { isTerminal } from '../../framework/task-states.ts'
import { applyRecord, createRegistry, type Registry, type RegistryRecord } from '../../master/registry.ts'
import { Resources } from '../../resources/resources.ts'
import type { Sighting } from '../sightings.ts'
import type { Checker } from './checker.ts'

/** Resources that a task or an executor holds on an agent. */
export interface Hold {
  readonly frameworkId: string
  readonly role: string
  readonly resources: Resources
  /** Its framework survives a broken link of the agent. */
  readonly checkpoint: boolean
}

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

/** The books. Checkers read them after they saw the same thing. */
export class Books implements Checker {
  readonly agents = new Map<string, AgentBook>()
  readonly frameworks = new Map<string, FrameworkBook>()
  readonly offers = new Map<string, OfferBook>()
  /** Frameworks that some master removed: what they still run is being ended. */
  readonly removed = new Set<string>()
  /** What is stored. */
  readonly registry: Registry = createRegistry()
  readonly records: RegistryRecord[] = []
  /** Agents whose offers or holds changed in this step of the master. */
  readonly touched = new Set<string>()
  /** Offers made in this step. */
  readonly made: OfferBook[] = []
  readonly #streams = new Map<string, string>()
  readonly #links = new Map<string, { agentId: string | undefined; readonly first: AgentMessage }>()
  #subscribe: Call | undefined

  see(sighting: Sighting, atMs: number): void {
    switch (sighting.kind) {
      case 'masterStarted':
        this.#forgetAll()
        return
      case 'called':
        this.#called(sighting.streamId, sighting.call, atMs)
        return
      case 'eventSent':
        this.#eventSent(sighting.streamId, sighting.event)
        return
      case 'streamClosed':
        this.#streamClosed(sighting.streamId)
        return
      case 'linkOpened':
        this.#links.set(sighting.linkId, { agentId: undefined, first: sighting.message })
        return
      case 'agentSaid':
        this.#agentSaid(sighting.linkId, sighting.message)
        return
      case 'agentTold':
        this.#agentTold(sighting.linkId, sighting.message, atMs)
        return
      case 'linkClosed':
        this.#linkClosed(sighting.linkId)
        return
      case 'stored':
        for (const record of sighting.records) this.#stored(record)
        return
      case 'noted':
        this.#noted(sighting.message, sighting.fields)
        return
      default:
        return
    }
  }

  /** To be called when the last checker has seen `masterStepped`. */
  stepOver(): void {
    this.touched.clear()
    this.made.length = 0
    this.#subscribe = undefined
  }

  /** The agent at the end of a link. */
  agentOf(linkId: string): AgentBook | undefined {
    return this.agents.get(this.#links.get(linkId)?.agentId ?? '')
  }

  /** The framework at the end of a stream. */
  frameworkOf(streamId: string | undefined): FrameworkBook | undefined {
    const framework = this.frameworks.get(this.#streams.get(streamId ?? '') ?? '')
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

  #forgetAll(): void {
    for (const map of [this.agents, this.frameworks, this.offers, this.#streams, this.#links]) map.clear()
    this.stepOver()
  }

  #called(streamId: string | undefined, call: Call, atMs: number): void {
    if (call.type === 'SUBSCRIBE') this.#subscribe = call
    const framework = this.frameworkOf(streamId)
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
      const offer = this.offers.get(value)
      if (offer?.frameworkId !== framework.id) continue
      this.#dropOffer(offer)
      const { agentId, role, resources } = offer
      if (seconds > 0) framework.refusals.push({ agentId, role, resources, untilMs: atMs + seconds * 1000, isExact })
    }
  }

  #eventSent(streamId: string, event: Event): void {
    switch (event.type) {
      case 'SUBSCRIBED':
        this.#subscribed(streamId, event.subscribed?.framework_id.value ?? '')
        return
      case 'OFFERS': {
        const framework = this.frameworkOf(streamId)
        if (framework !== undefined) for (const offer of event.offers?.offers ?? []) this.#offered(framework, offer)
        return
      }
      case 'RESCIND': {
        const offer = this.offers.get(event.rescind?.offer_id.value ?? '')
        if (offer !== undefined) this.#dropOffer(offer)
        return
      }
      case 'UPDATE': {
        const framework = this.frameworkOf(streamId)
        const status = event.update?.status
        if (framework === undefined || status === undefined || (status.uuid?.length ?? 0) > 0) return
        const isGone = isTerminal(status.state) || status.state === 'TASK_UNREACHABLE'
        if (isGone && status.reason !== 'REASON_RECONCILIATION') {
          this.#release(status.agent_id?.value, taskKey(framework.id, status.task_id.value))
        }
        return
      }
      default:
        return
    }
  }

  #subscribed(streamId: string, id: string): void {
    const before = this.frameworks.get(id)
    if (before !== undefined) this.#dropOffersOf(before)
    const { framework_info: info, suppressed_roles: suppressed } = this.#subscribe?.subscribe ?? {}
    this.#streams.set(streamId, id)
    this.frameworks.set(id, {
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
    const offer: OfferBook = {
      id: id.value,
      frameworkId: framework.id,
      agentId: agent_id.value,
      role: allocation_info?.role ?? '*',
      resources: Resources.fromProto(resources).unallocate(),
      amounts: bagOf(resources),
    }
    this.offers.set(offer.id, offer)
    this.made.push(offer)
    framework.offers.add(offer.id)
    this.agents.get(offer.agentId)?.offers.add(offer.id)
    this.touched.add(offer.agentId)
  }

  #streamClosed(streamId: string): void {
    const framework = this.frameworkOf(streamId)
    this.#streams.delete(streamId)
    if (framework === undefined) return
    framework.streamId = undefined
    framework.refusals = []
    this.#dropOffersOf(framework)
  }

  #dropOffersOf(framework: FrameworkBook): void {
    for (const id of [...framework.offers]) this.#dropOffer(this.offers.get(id)!)
  }

  #dropOffer(offer: OfferBook): void {
    this.offers.delete(offer.id)
    this.frameworks.get(offer.frameworkId)?.offers.delete(offer.id)
    this.agents.get(offer.agentId)?.offers.delete(offer.id)
  }

  #agentSaid(linkId: string, { type, status_update, exited_executor }: AgentMessage): void {
    const agent = this.agentOf(linkId)
    if (agent === undefined) return
    if (type === 'STATUS_UPDATE' && status_update !== undefined) {
      const latest = status_update.latest_state ?? status_update.status.state
      if (isTerminal(latest))
        agent.holds.delete(taskKey(status_update.framework_id.value, status_update.status.task_id.value))
    }
    if (type === 'EXITED_EXECUTOR' && exited_executor !== undefined) {
      agent.holds.delete(executorKey(exited_executor.framework_id.value, exited_executor.executor_id.value))
    }
  }

  #agentTold(linkId: string, message: MasterMessage, atMs: number): void {
    if (message.registered !== undefined) this.#registered(linkId, message.registered.agent_id.value, atMs)
    const agent = this.agentOf(linkId)
    if (agent === undefined) return
    const { run_task, run_task_group, framework_id } = message
    if (message.type === 'APPLY_OPERATION') agent.isReserved = true
    if (run_task !== undefined) {
      const executor = run_task.launch_executor === true ? run_task.task.executor : undefined
      this.#launched(agent, run_task.framework_info, { tasks: [run_task.task], executor })
    }
    if (run_task_group !== undefined) {
      const executor = run_task_group.launch_executor === true ? run_task_group.executor : undefined
      this.#launched(agent, run_task_group.framework_info, { tasks: run_task_group.task_group.tasks ?? [], executor })
    }
    if (message.type === 'SHUTDOWN_FRAMEWORK' && framework_id !== undefined) {
      this.removed.add(framework_id.value)
      for (const [key, hold] of agent.holds) if (hold.frameworkId === framework_id.value) agent.holds.delete(key)
    }
  }

  #launched(
    agent: AgentBook,
    info: { readonly id?: { readonly value: string } | undefined; readonly checkpoint?: boolean | undefined },
    { tasks, executor }: { tasks: readonly TaskInfo[]; executor: TaskInfo['executor'] },
  ): void {
    const frameworkId = info.id?.value ?? ''
    const checkpoint = info.checkpoint === true
    for (const { task_id, resources } of tasks) {
      agent.holds.set(taskKey(frameworkId, task_id.value), holdOf(frameworkId, resources, checkpoint))
    }
    if (executor !== undefined) {
      const key = executorKey(frameworkId, executor.executor_id.value)
      agent.holds.set(key, holdOf(frameworkId, executor.resources, checkpoint))
    }
    this.touched.add(agent.id)
  }

  #registered(linkId: string, id: string, atMs: number): void {
    const link = this.#links.get(linkId)
    if (link === undefined) return
    link.agentId = id
    const { register, reregister } = link.first
    const resources = reregister?.resources ?? (register ?? reregister)?.agent_info.resources
    const host = (register ?? reregister)?.agent_info.hostname ?? ''
    const offers = this.agents.get(id)?.offers ?? new Set()
    const holds = reregister === undefined ? new Map<string, Hold>() : holdsOf(reregister, this.removed)
    this.agents.set(id, {
      id,
      host,
      linkId,
      linkedAtMs: atMs,
      total: bagOf(resources),
      isReserved: hasReservations(resources),
      holds,
      offers,
    })
    this.touched.add(id)
  }

  #linkClosed(linkId: string): void {
    const agent = this.agentOf(linkId)
    this.#links.delete(linkId)
    if (agent?.linkId !== linkId) return
    agent.linkId = undefined
    for (const [key, { checkpoint }] of agent.holds) if (!checkpoint) agent.holds.delete(key)
  }

  #stored(record: RegistryRecord): void {
    this.records.push(record)
    applyRecord(this.registry, record)
    const isLoss = record.kind === 'agentUnreachable' || record.kind === 'agentRemoved' || record.kind === 'agentGone'
    if (isLoss) this.#removeAgent(record.agentId)
  }

  #removeAgent(id: string): void {
    this.agents.delete(id)
    for (const framework of this.frameworks.values()) {
      framework.refusals = framework.refusals.filter(({ agentId }) => agentId !== id)
    }
  }

  #noted(message: string, fields: Readonly<Record<string, unknown>>): void {
    const frameworkId = String(fields.frameworkId)
    if (message === 'agent removed') this.#removeAgent(String(fields.agentId))
    if (message === 'framework removed') this.#removeFramework(frameworkId)
    // A new leader does not know that an earlier one removed it.
    if (COMES_BACK.has(message)) this.removed.delete(frameworkId)
  }

  #removeFramework(id: string): void {
    this.removed.add(id)
    this.frameworks.delete(id)
    for (const agent of this.agents.values()) {
      for (const [key, hold] of agent.holds) if (hold.frameworkId === id) agent.holds.delete(key)
    }
  }

  #release(agentId: string | undefined, key: string): void {
    this.agents.get(agentId ?? '')?.holds.delete(key)
  }
}

/** Notes of a master that lets a framework in that was removed before. */
export const COMES_BACK: ReadonlySet<string> = new Set(['framework subscribed', 'framework recovered from an agent'])

/** Resources as they are on a machine, whoever they are allocated to or reserved for. */
export function bagOf(resources: readonly Resource[] | undefined): Resources {
  return Resources.fromProto(resources).map(({ name, type }) => ({ name, type }))
}

function hasReservations(resources: readonly Resource[] | undefined): boolean {
  return resources?.some(({ reservations }) => (reservations?.length ?? 0) > 0) ?? false
}

function taskKey(frameworkId: string, taskId: string): string {
  return `task ${frameworkId}/${taskId}`
}

function executorKey(frameworkId: string, executorId: string): string {
  return `executor ${frameworkId}/${executorId}`
}

function holdOf(frameworkId: string, resources: readonly Resource[] | undefined, checkpoint: boolean): Hold {
  const role = resources?.find(({ allocation_info }) => allocation_info?.role !== undefined)?.allocation_info?.role
  return { frameworkId, role: role ?? '*', resources: bagOf(resources), checkpoint }
}

function holdsOf(
  { tasks, executors, frameworks }: AgentMessageReregister,
  removed: ReadonlySet<string>,
): Map<string, Hold> {
  const holds = new Map<string, Hold>()
  const checkpoint = (id: string): boolean => frameworks?.find((info) => info.id?.value === id)?.checkpoint === true
  for (const { framework_id, task_id, state, resources } of tasks ?? []) {
    const id = framework_id.value
    if (!isTerminal(state) && !removed.has(id))
      holds.set(taskKey(id, task_id.value), holdOf(id, resources, checkpoint(id)))
  }
  for (const { framework_id, executor_id, resources } of executors ?? []) {
    const id = framework_id?.value ?? ''
    if (!removed.has(id)) holds.set(executorKey(id, executor_id.value), holdOf(id, resources, checkpoint(id)))
  }
  return holds
}

function named(framework: FrameworkBook, roles: readonly string[] | undefined): readonly string[] {
  return roles === undefined || roles.length === 0 ? framework.roles : roles
}
