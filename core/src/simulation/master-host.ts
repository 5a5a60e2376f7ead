/**
 * Where masters run, one after the other: the real machine, its streams and links, its registry. A master that crashes or abdicates is
 * followed by another one, which knows what the registry keeps and nothing else.
 */

import type { AgentMessage } from '@isthmus/proto/gen/agent-link'
import type { Call as OperatorCall } from '@isthmus/proto/gen/master'
import type { MasterEffect } from '../master/effects.ts'
import type { MasterEvent, MasterTimer } from '../master/events.ts'
import { checkInvariants } from '../master/invariants.ts'
import { createMaster, step } from '../master/master.ts'
import { type MasterFlags, masterOptions } from '../master/options.ts'
import type { MasterState } from '../master/state.ts'
import { type LinkLine, MasterLines, type SchedulerLine } from './master-lines.ts'
import type { Connection } from './network.ts'
import type { SimulatedRegistry } from './registry.ts'
import { HostTimers } from './schedule.ts'
import type { SchedulerRequest } from './scheduler-lines.ts'
import { MASTER_HOST, type Surroundings } from './surroundings.ts'

/** How masters of a world are started and watched. */
export interface MasterHostOptions {
  readonly flags: Partial<MasterFlags>
  readonly registry: SimulatedRegistry
  readonly seed: number
  /** Whether all invariants are checked after this step. */
  readonly checksStep: () => boolean
}

/** How long it takes until another master leads. */
const ELECTION_MS = 2_000

/** The masters of a world; at most one leads. */
export class MasterHost {
  readonly #world: Surroundings
  readonly #options: MasterHostOptions
  #state: MasterState | undefined
  #timers: HostTimers<MasterTimer>
  /** Raised with each master, so that what was for an earlier one is dropped. */
  #life = 0
  #steps = 0
  readonly #lines = new MasterLines()

  constructor(world: Surroundings, options: MasterHostOptions) {
    this.#world = world
    this.#options = options
    this.#timers = this.#newTimers()
  }

  /** What the leading master knows, to read; undefined between two. */
  get state(): MasterState | undefined {
    return this.#state
  }

  /** Steps of all masters so far. */
  get steps(): number {
    return this.#steps
  }

  /** A master is elected. */
  start(): void {
    const { schedule, see, seams } = this.#world
    const atMs = schedule.nowMs
    this.#life += 1
    const identity = {
      masterId: `m${this.#life}`,
      hostname: 'master.world',
      ip: '10.0.0.1',
      port: 5050,
      version: '1.11.0',
      seed: this.#options.seed + this.#life,
      startAtMs: atMs,
      electedAtMs: atMs,
    }
    this.#state = createMaster(masterOptions({ ...identity, ...this.#options.flags }), this.#options.registry.load())
    seams.masterMade?.(this.#state)
    see({ kind: 'masterStarted', masterId: identity.masterId })
    this.#post({ kind: 'elected', atMs })
  }

  /** The leading master ends without a word; another one is elected soon. */
  crash(why: string): void {
    if (this.#state === undefined) return
    const { network, schedule, see } = this.#world
    see({ kind: 'masterEnded', masterId: this.#state.options.masterId, why })
    this.#state = undefined
    this.#life += 1
    this.#timers.clear()
    this.#timers = this.#newTimers()
    for (const { answered } of this.#lines.clear()) schedule.after(1, () => answered(0))
    this.#options.registry.abandon()
    network.hostEnded(MASTER_HOST)
    schedule.after(ELECTION_MS, () => this.start())
  }

  /** A scheduler opens a connection for a stream. */
  schedulerStream(line: SchedulerLine): void {
    this.#accept(
      line,
      (request) => this.#called(this.#lines.request({ stream: line }), request),
      () => {
        const streamId = this.#lines.streamLost(line)
        if (streamId === undefined) return
        this.#world.see({ kind: 'streamClosed', streamId })
        this.#post({ kind: 'streamClosed', atMs: this.#world.schedule.nowMs, streamId })
      },
    )
  }

  /** A scheduler opens a connection for its calls. */
  schedulerCalls(line: SchedulerLine): void {
    this.#accept(line, (request) => this.#called(this.#lines.request({ calls: line }), request))
  }

  /** An agent opens a link. */
  agentLink(line: LinkLine): void {
    this.#accept(
      line,
      (message) => this.#agentSaid(line, message),
      () => {
        const linkId = this.#lines.linkLost(line)
        if (linkId === undefined) return
        this.#world.see({ kind: 'linkClosed', linkId })
        this.#post({ kind: 'agentLinkClosed', atMs: this.#world.schedule.nowMs, linkId })
      },
    )
  }

  #agentSaid(line: LinkLine, message: AgentMessage): void {
    const atMs = this.#world.schedule.nowMs
    const link = this.#lines.linkOf(line)
    if (link === undefined) {
      const requestId = this.#lines.request({ link: line, message })
      this.#post({ kind: 'agentConnected', requestId, message, atMs })
      return
    }
    const { linkId, isOpen } = link
    if (!isOpen) return
    this.#world.see({ kind: 'agentSaid', linkId, message })
    this.#post({ kind: 'agentMessages', atMs, linkId, messages: [message] })
  }

  /** An operator's call; `answered` gets its status, 0 when there is no leader or it ended before the answer. */
  operate(call: OperatorCall, answered: (status: number) => void): void {
    if (this.#state === undefined) {
      answered(0)
      return
    }
    const requestId = this.#lines.request({ operator: { call, answered } })
    this.#world.see({ kind: 'operated', call })
    this.#post({ kind: 'operatorCalled', atMs: this.#world.schedule.nowMs, requestId, call })
  }

  /** The one that leads takes what comes; without one the connection is refused. */
  #accept<In, Out>(line: Connection<In, Out>, received: (message: In) => void, closed?: () => void): void {
    let life: number | undefined
    line.accept({
      received: (message) => {
        life ??= this.#life
        if (this.#state === undefined || life !== this.#life) line.break('connection refused')
        else received(message)
      },
      closed: () => {
        if (life === this.#life) closed?.()
      },
    })
  }

  #called(requestId: string, { call, streamId }: SchedulerRequest): void {
    this.#world.see({ kind: 'called', streamId, call })
    this.#post({ kind: 'schedulerCalled', atMs: this.#world.schedule.nowMs, requestId, call, streamId })
  }

  #post(event: MasterEvent): void {
    const state = this.#state
    if (state === undefined) return
    const { seams, see, fate } = this.#world
    const told = seams.masterEvent === undefined ? event : seams.masterEvent(event, state)
    if (told === undefined) return
    const effects = step(state, told)
    this.#steps += 1
    const life = this.#life
    for (const effect of seams.masterEffects?.(effects, told) ?? effects) {
      if (life !== this.#life) return
      this.#perform(effect)
      if (fate.isOver(MASTER_HOST, effect)) this.crash('killed between two effects')
    }
    if (life !== this.#life) return
    if (this.#options.checksStep()) checkInvariants(state)
    see({ kind: 'masterStepped' })
  }

  #perform(effect: MasterEffect): void {
    switch (effect.kind) {
      case 'respond':
        this.#respond(effect.requestId, effect.status, effect.text)
        return
      case 'respondMessage':
        this.#respond(effect.requestId, 200)
        return
      case 'openStream':
        this.#lines.openStream(effect.requestId, effect.streamId)
        return
      case 'sendEvent':
        this.#world.see({ kind: 'eventSent', streamId: effect.streamId, event: effect.event })
        this.#lines.sendEvent(effect.streamId, effect.event)
        return
      case 'closeStream':
        this.#world.see({ kind: 'streamClosed', streamId: effect.streamId })
        this.#lines.closeStream(effect.streamId)
        return
      case 'openLink':
        this.#openLink(effect.requestId, effect.linkId)
        return
      case 'sendToAgent':
        this.#world.see({ kind: 'agentTold', linkId: effect.linkId, message: effect.message })
        this.#lines.sendToAgent(effect.linkId, effect.message)
        return
      case 'closeLink':
        this.#world.see({ kind: 'linkClosed', linkId: effect.linkId })
        this.#lines.closeLink(effect.linkId)
        return
      case 'commitRegistry':
        this.#commit(effect)
        return
      case 'setTimer':
        this.#timers.set(effect.key, effect.timer, effect.atMs)
        return
      case 'cancelTimer':
        this.#timers.cancel(effect.key)
        return
      case 'note':
        this.#world.see({ kind: 'noted', message: effect.message, fields: effect.fields })
        return
      case 'abdicate':
        this.crash(effect.reason)
        return
      case 'sendOperatorEvent':
        // Nobody subscribes to operator events here.
        return
      default:
        effect satisfies never
    }
  }

  #newTimers(): HostTimers<MasterTimer> {
    const { schedule } = this.#world
    return new HostTimers(schedule, (timer) => this.#post({ kind: 'timerFired', atMs: schedule.nowMs, timer }))
  }

  #respond(requestId: string, status: number, text = ''): void {
    const waiting = this.#lines.take(requestId)
    const answer = { kind: 'answered', status, text } as const
    waiting.calls?.toClient(answer)
    waiting.stream?.toClient(answer)
    waiting.link?.toClient({ kind: 'refused', status, text })
    if (waiting.operator === undefined) return
    this.#world.see({ kind: 'operatorAnswered', call: waiting.operator.call, status })
    waiting.operator.answered(status)
  }

  #openLink(requestId: string, linkId: string): void {
    const message = this.#lines.openLink(requestId, linkId)
    if (message !== undefined) this.#world.see({ kind: 'linkOpened', linkId, message })
  }

  #commit({ records, token }: Extract<MasterEffect, { kind: 'commitRegistry' }>): void {
    const { schedule, seams } = this.#world
    const life = this.#life
    if (seams.answersBeforeStored === true) {
      this.#options.registry.write(records, () => {})
      schedule.after(0, () => {
        if (life === this.#life) this.#post({ kind: 'registryCommitted', atMs: schedule.nowMs, token })
      })
      return
    }
    this.#options.registry.write(records, (problem) => {
      if (life !== this.#life) return
      const atMs = schedule.nowMs
      if (problem === undefined) this.#post({ kind: 'registryCommitted', atMs, token })
      else this.#post({ kind: 'registryFailed', atMs, token, reason: problem })
    })
  }
}
