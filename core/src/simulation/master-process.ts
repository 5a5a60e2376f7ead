/**
 * One master: the real machine, its streams and links, and its session with the registry, from its election to its end. It may be deposed: another
 * one leads, and it goes on until the registry refuses its writes or somebody tells it.
 */

import type { AgentMessage } from '@isthmus/proto/gen/agent-link'
import type { Call as OperatorCall } from '@isthmus/proto/gen/master'
import type { MasterEffect } from '../master/effects.ts'
import type { MasterEvent, MasterTimer } from '../master/events.ts'
import { checkInvariants } from '../master/invariants.ts'
import { createMaster, step } from '../master/master.ts'
import { type MasterFlags, masterOptions } from '../master/options.ts'
import type { MasterState } from '../master/state.ts'
import type { HostClock } from './clocks.ts'
import { type LinkLine, MasterLines, type SchedulerLine } from './master-lines.ts'
import type { Connection } from './network.ts'
import type { RegistrySession } from './registry.ts'
import type { SchedulerRequest } from './scheduler-lines.ts'
import type { Sighting } from './sightings.ts'
import type { Surroundings } from './surroundings.ts'
import { HostTimers } from './timers.ts'

/** How a master is started and watched. */
export interface MasterProcessOptions {
  /** From 1: the first one, the second one … */
  readonly number: number
  readonly flags: Partial<MasterFlags>
  readonly registry: RegistrySession
  readonly seed: number
  /** Whether all invariants are checked after this step. */
  readonly checksStep: () => boolean
  /** It is no more. */
  readonly ended: (process: MasterProcess) => void
}

/** One master. */
export class MasterProcess {
  /** Under which it is reached. */
  readonly host: string
  readonly #world: Surroundings
  readonly #options: MasterProcessOptions
  readonly #masterId: string
  readonly #clock: HostClock
  readonly #timers: HostTimers<MasterTimer>
  readonly #lines = new MasterLines()
  #state: MasterState | undefined
  #isDeposed = false
  #steps = 0

  constructor(world: Surroundings, options: MasterProcessOptions) {
    this.#world = world
    this.#options = options
    this.#masterId = `m${options.number}`
    this.host = `master-${options.number}`
    this.#clock = world.clocks.start()
    this.#timers = new HostTimers(world.schedule, this.#clock, (timer) =>
      this.#post({ kind: 'timerFired', atMs: this.#clock.nowMs, timer }),
    )
  }

  /** What it knows, to read; undefined when it has ended. */
  get state(): MasterState | undefined {
    return this.#state
  }

  get steps(): number {
    return this.#steps
  }

  /** It is elected. */
  start(): void {
    const { seams } = this.#world
    const { flags, registry, seed, number } = this.#options
    const atMs = this.#clock.nowMs
    const identity = {
      masterId: this.#masterId,
      hostname: `${this.host}.world`,
      ip: '10.0.0.1',
      port: 5050,
      version: '1.11.0',
      seed: seed + number,
      startAtMs: atMs,
      electedAtMs: atMs,
    }
    this.#state = createMaster(masterOptions({ ...identity, ...flags }), registry.records)
    seams.masterMade?.(this.#state)
    this.#see({ kind: 'masterStarted', masterId: identity.masterId })
    this.#post({ kind: 'elected', atMs })
  }

  /** Another one leads from now on; this one does not know it. */
  depose(): void {
    this.#isDeposed = true
  }

  /** It ends without a word. */
  end(why: string): void {
    if (this.#state === undefined) return
    const { network, schedule } = this.#world
    this.#see({ kind: 'masterEnded', masterId: this.#masterId, why })
    this.#state = undefined
    this.#timers.clear()
    for (const { answered } of this.#lines.clear()) schedule.after(1, () => answered(0))
    this.#options.registry.abandon()
    network.hostEnded(this.host)
    this.#options.ended(this)
  }

  /** What a deposed one does is told apart: it is not what the cluster is led by. */
  #see(sighting: Sighting): void {
    const masterId = this.#masterId
    this.#world.see(this.#isDeposed ? { kind: 'deposed', masterId, sighting } : sighting)
  }

  /** A scheduler opens a connection for a stream. */
  schedulerStream(line: SchedulerLine): void {
    this.#accept(
      line,
      (request) => this.#called(this.#lines.request({ stream: line }), request),
      () => {
        const streamId = this.#lines.streamLost(line)
        if (streamId === undefined) return
        this.#see({ kind: 'streamClosed', streamId })
        this.#post({ kind: 'streamClosed', atMs: this.#clock.nowMs, streamId })
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
        this.#see({ kind: 'linkClosed', linkId })
        this.#post({ kind: 'agentLinkClosed', atMs: this.#clock.nowMs, linkId })
      },
    )
  }

  #agentSaid(line: LinkLine, message: AgentMessage): void {
    const atMs = this.#clock.nowMs
    const link = this.#lines.linkOf(line)
    if (link === undefined) {
      const requestId = this.#lines.request({ link: line, message })
      this.#post({ kind: 'agentConnected', requestId, message, atMs })
      return
    }
    const { linkId, isOpen } = link
    if (!isOpen) return
    this.#see({ kind: 'agentSaid', linkId, message })
    this.#post({ kind: 'agentMessages', atMs, linkId, messages: [message] })
  }

  /** An operator's call; `answered` gets its status, 0 when there is no leader or it ended before the answer. */
  operate(call: OperatorCall, answered: (status: number) => void): void {
    if (this.#state === undefined) {
      answered(0)
      return
    }
    const requestId = this.#lines.request({ operator: { call, answered } })
    this.#see({ kind: 'operated', call })
    this.#post({ kind: 'operatorCalled', atMs: this.#clock.nowMs, requestId, call })
  }

  /** One that has ended refuses. */
  #accept<In, Out>(line: Connection<In, Out>, received: (message: In) => void, closed?: () => void): void {
    line.accept({
      received: (message) => {
        if (this.#state === undefined) line.break('connection refused')
        else received(message)
      },
      closed: () => closed?.(),
    })
  }

  #called(requestId: string, { call, streamId }: SchedulerRequest): void {
    this.#see({ kind: 'called', streamId, call })
    this.#post({ kind: 'schedulerCalled', atMs: this.#clock.nowMs, requestId, call, streamId })
  }

  #post(event: MasterEvent): void {
    const state = this.#state
    if (state === undefined) return
    const { seams, fate } = this.#world
    const told = seams.masterEvent === undefined ? event : seams.masterEvent(event, state)
    if (told === undefined) return
    const effects = step(state, told)
    this.#steps += 1
    for (const effect of seams.masterEffects?.(effects, told) ?? effects) {
      if (this.#state === undefined) return
      this.#perform(effect)
      if (fate.isOver(this.host, effect)) this.end('killed between two effects')
    }
    if (this.#state === undefined) return
    if (this.#options.checksStep()) checkInvariants(state)
    this.#see({ kind: 'masterStepped' })
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
        this.#see({ kind: 'eventSent', streamId: effect.streamId, event: effect.event })
        this.#lines.sendEvent(effect.streamId, effect.event)
        return
      case 'closeStream':
        this.#see({ kind: 'streamClosed', streamId: effect.streamId })
        this.#lines.closeStream(effect.streamId)
        return
      case 'openLink':
        this.#openLink(effect.requestId, effect.linkId)
        return
      case 'sendToAgent':
        this.#see({ kind: 'agentTold', linkId: effect.linkId, message: effect.message })
        this.#lines.sendToAgent(effect.linkId, effect.message)
        return
      case 'closeLink':
        this.#see({ kind: 'linkClosed', linkId: effect.linkId })
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
        this.#see({ kind: 'noted', message: effect.message, fields: effect.fields })
        return
      case 'abdicate':
        this.end(effect.reason)
        return
      case 'sendOperatorEvent':
        // Nobody subscribes to operator events here.
        return
      default:
        effect satisfies never
    }
  }

  #respond(requestId: string, status: number, text = ''): void {
    const waiting = this.#lines.take(requestId)
    const answer = { kind: 'answered', status, text } as const
    waiting.calls?.toClient(answer)
    waiting.stream?.toClient(answer)
    waiting.link?.toClient({ kind: 'refused', status, text })
    if (waiting.operator === undefined) return
    this.#see({ kind: 'operatorAnswered', call: waiting.operator.call, status })
    waiting.operator.answered(status)
  }

  #openLink(requestId: string, linkId: string): void {
    const message = this.#lines.openLink(requestId, linkId)
    if (message !== undefined) this.#see({ kind: 'linkOpened', linkId, message })
  }

  #commit({ records, token }: Extract<MasterEffect, { kind: 'commitRegistry' }>): void {
    const { schedule, seams } = this.#world
    if (seams.answersBeforeStored === true) {
      this.#options.registry.write(records, () => {})
      schedule.after(0, () => this.#post({ kind: 'registryCommitted', atMs: this.#clock.nowMs, token }))
      return
    }
    this.#options.registry.write(records, (problem) => {
      const atMs = this.#clock.nowMs
      if (problem === undefined) this.#post({ kind: 'registryCommitted', atMs, token })
      else this.#post({ kind: 'registryFailed', atMs, token, reason: problem })
    })
  }
}
