/**
 * A machine with the real agent on it: its link to the leading master, its containers, and its ends: a crash takes everything that runs along,
 * as the launcher ends with its agent; then the machine comes back as a new agent at the same address.
 */

import type { Resource } from '@isthmus/proto/gen/mesos'
import { step } from '../agent/agent.ts'
import type { AgentEffect } from '../agent/effects.ts'
import type { AgentEvent, AgentTimer } from '../agent/events.ts'
import { checkInvariants } from '../agent/invariants.ts'
import { AGENT_CAPABILITIES, AGENT_DEFAULTS, type AgentOptions } from '../agent/options.ts'
import { type AgentState, createAgent } from '../agent/state.ts'
import { nextFraction } from '../base/random.ts'
import { withKept } from '../resources/checkpointed.ts'
import { Resources } from '../resources/resources.ts'
import type { HostClock } from './clocks.ts'
import { SimulatedContainers } from './containers.ts'
import type { LinkAnswer, LinkLine } from './master-lines.ts'
import type { MasterProcess } from './master-process.ts'
import type { Surroundings } from './surroundings.ts'
import { HostTimers } from './timers.ts'
import { mustHold } from './violation.ts'

/** A machine that runs tasks. */
export interface SimulatedAgent {
  readonly host: string
  readonly isUp: boolean
  readonly start: () => void
  readonly crash: (why: string) => void
}

/** What a machine has. */
export interface MachineOptions {
  readonly host: string
  readonly number: number
  readonly resources: readonly Resource[]
  readonly seed: number
  /** Whether all invariants are checked after this step. */
  readonly checksStep: () => boolean
}

/** Nobody looks into sandboxes and histories here. */
const SHORT_MEMORY = { gcDelayMs: 60_000, maxCompletedExecutors: 2 }

/** Longest time a write to the disk of a healthy machine takes. */
const STORE_MS = 30

/** How long a machine takes to come back after its agent ended by itself. */
const RESTART_MS = 5_000

/** One machine. */
export class AgentHost implements SimulatedAgent {
  readonly host: string
  readonly ip: string
  /** What outlives its agents. */
  #disk: AgentOptions['kept']
  readonly #world: Surroundings
  readonly #options: MachineOptions
  #clock: HostClock
  #timers: HostTimers<AgentTimer>
  #containers: SimulatedContainers
  #state: AgentState | undefined
  #line: LinkLine | undefined
  /** Whom it talks to: the one that led when the link was opened. */
  #master: MasterProcess | undefined
  #life = 0
  #steps = 0

  constructor(world: Surroundings, options: MachineOptions) {
    const { host, number } = options
    this.host = host
    this.ip = `10.${1 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`
    this.#world = world
    this.#options = options
    this.#clock = world.clocks.start()
    this.#timers = this.#newTimers()
    this.#containers = this.#newContainers()
  }

  /** What the agent knows, to read; undefined while it is down. */
  get state(): AgentState | undefined {
    return this.#state
  }

  get isUp(): boolean {
    return this.#state !== undefined
  }

  /** Steps of all agents on this machine so far. */
  get steps(): number {
    return this.#steps
  }

  /** The agent starts, knowing nothing. */
  start(): void {
    if (this.#state !== undefined) return
    const { host, resources, seed } = this.#options
    const { see } = this.#world
    const port = 5051
    this.#life += 1
    this.#state = createAgent({
      ...AGENT_DEFAULTS,
      ...SHORT_MEMORY,
      info: { hostname: host, port, resources },
      version: '1.11.0',
      address: { hostname: host, ip: this.ip, port },
      capabilities: AGENT_CAPABILITIES,
      workDir: '/var/lib/isthmus',
      seed: seed + this.#life,
      startedAtMs: this.#clock.nowMs,
      kept: this.#kept(),
    })
    see({ kind: 'agentStarted', host })
    this.#post({ kind: 'masterDetected', atMs: this.#clock.nowMs })
  }

  /** What an earlier agent on this machine left on its disk, laid over what the machine has. */
  #kept(): AgentOptions['kept'] {
    if (this.#disk === undefined) return undefined
    const { resources, operations } = this.#disk
    const total = withKept(Resources.fromProto(this.#options.resources), Resources.fromProto(resources))
    mustHold(total.ok, 'disks fit their machines', () => (total.ok ? '' : `${this.host}: ${total.rejection.message}`))
    return { resources: total.value.toProto(), operations }
  }

  /** The agent learns that another master leads; its link is left to the machine, as by the real shell. */
  masterMoved(): void {
    if (this.#line !== undefined && this.#master === this.#world.master().newest) return
    this.#post({ kind: 'masterDetected', atMs: this.#clock.nowMs })
  }

  /** The machine loses power; nobody starts it again here. */
  crash(why: string): void {
    if (this.#state === undefined) return
    this.#end(why)
    this.#world.network.hostEnded(this.host)
  }

  /** Its life was over; it is started again. */
  #killed(): void {
    if (this.#state === undefined) return
    this.crash('killed between two effects')
    this.#world.schedule.after(RESTART_MS, () => this.start())
  }

  #end(why: string): void {
    this.#state = undefined
    this.#life += 1
    this.#line = undefined
    this.#timers.clear()
    this.#containers.crash()
    this.#clock = this.#world.clocks.start()
    this.#timers = this.#newTimers()
    this.#containers = this.#newContainers()
    this.#world.see({ kind: 'agentEnded', host: this.host, why })
  }

  #newTimers(): HostTimers<AgentTimer> {
    const clock = this.#clock
    return new HostTimers(this.#world.schedule, clock, (timer) =>
      this.#post({ kind: 'timerFired', atMs: clock.nowMs, timer }),
    )
  }

  #newContainers(): SimulatedContainers {
    const { host } = this
    return new SimulatedContainers(this.#world, { host, clock: this.#clock, post: (event) => this.#post(event) })
  }

  #post(event: AgentEvent): void {
    const state = this.#state
    if (state === undefined) return
    const { seams, fate } = this.#world
    const told = seams.agentEvent === undefined ? event : seams.agentEvent(event, state)
    if (told === undefined) return
    const effects = step(state, told)
    this.#steps += 1
    const life = this.#life
    for (const effect of seams.agentEffects?.(effects, told) ?? effects) {
      if (life !== this.#life) return
      this.#perform(effect)
      if (fate.isOver(this.host, effect)) this.#killed()
    }
    if (life === this.#life && this.#options.checksStep()) checkInvariants(state)
  }

  #perform(effect: AgentEffect): void {
    switch (effect.kind) {
      case 'openLink':
        this.#openLink(effect)
        return
      case 'sendToMaster':
        this.#world.see({ kind: 'agentSent', host: this.host, message: effect.message })
        this.#line?.toServer(effect.message)
        return
      case 'closeLink':
        this.#closeLink()
        return
      case 'setTimer':
        this.#timers.set(effect.key, effect.timer, effect.atMs)
        return
      case 'cancelTimer':
        this.#timers.cancel(effect.key)
        return
      case 'launchContainer':
        this.#containers.launch(effect.spec)
        return
      case 'signalContainer':
        this.#containers.signal(effect.containerId, effect.signal)
        return
      case 'destroyContainer':
        this.#containers.destroy(effect.containerId)
        return
      case 'runCheck':
        this.#check(effect.checkId)
        return
      case 'exit':
        this.#exit(effect.reason)
        return
      case 'storeResources':
        this.#store(effect)
        return
      case 'updateContainer':
      case 'record':
      case 'releaseContainer':
      case 'removeSandbox':
      case 'note':
        return
      case 'openStream':
        this.#containers.openStream(effect.requestId, effect.streamId)
        return
      case 'sendEvent':
        this.#containers.sendEvent(effect.streamId, effect.event)
        return
      case 'closeStream':
        this.#containers.closeStream(effect.streamId)
        return
      case 'respond':
      case 'respondMessage':
        // Executors do not look at answers, and nobody else asks.
        return
      default:
        effect satisfies never
    }
  }

  #openLink({ message }: Extract<AgentEffect, { kind: 'openLink' }>): void {
    this.#closeLink()
    const { network } = this.#world
    const master = this.#world.master().newest
    this.#master = master
    const line: LinkLine = network.connect(this.host, master.host, {
      received: (answer) => this.#answered(answer),
      closed: (reason) => this.#linkLost(line, reason),
    })
    this.#line = line
    master.agentLink(line)
    line.toServer(message)
  }

  #closeLink(): void {
    this.#line?.closeByClient()
    this.#line = undefined
  }

  #answered(answer: LinkAnswer): void {
    const atMs = this.#clock.nowMs
    switch (answer.kind) {
      case 'opened':
        this.#post({ kind: 'linkOpened', atMs })
        return
      case 'message':
        this.#world.see({ kind: 'agentHeard', host: this.host, message: answer.message })
        this.#post({ kind: 'linkMessage', atMs, message: answer.message })
        return
      case 'refused':
        this.#closeLink()
        this.#post({ kind: 'linkClosed', atMs, reason: `${answer.status} ${answer.text}` })
        return
      default:
        answer satisfies never
    }
  }

  #linkLost(line: LinkLine, reason: string): void {
    if (this.#line !== line) return
    this.#line = undefined
    this.#post({ kind: 'linkClosed', atMs: this.#clock.nowMs, reason })
  }

  #store({ resources, operations }: Extract<AgentEffect, { kind: 'storeResources' }>): void {
    const { schedule, health, random } = this.#world
    const life = this.#life
    const factor = health.slowHosts.get(this.host) ?? 1
    schedule.after(1 + STORE_MS * factor * nextFraction(random), () => {
      if (life !== this.#life) return
      this.#disk = { resources, operations }
      this.#post({ kind: 'resourcesStored', atMs: this.#clock.nowMs })
    })
  }

  #check(checkId: string): void {
    const { schedule } = this.#world
    const life = this.#life
    schedule.after(1, () => {
      const outcome = { kind: 'failed', message: 'nothing is checked here' } as const
      if (life === this.#life) this.#post({ kind: 'checkFinished', atMs: this.#clock.nowMs, checkId, outcome })
    })
  }

  /** The agent ended by itself: what it said last still arrives; then it is started again. */
  #exit(reason: string): void {
    this.#closeLink()
    this.#end(reason)
    this.#world.schedule.after(RESTART_MS, () => this.start())
  }
}
