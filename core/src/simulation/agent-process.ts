/**
 * One life of an agent: the real machine, its link to the leading master, and the order in which what it does is seen: nothing behind a record
 * before that is durable. agent-host.ts is the machine it lives on.
 */

import type { MasterMessage } from '@isthmus/proto/gen/agent-link'
import type { AgentID } from '@isthmus/proto/gen/mesos'
import { step } from '../agent/agent.ts'
import type { AgentEffect } from '../agent/effects.ts'
import type { AgentEvent, AgentTimer } from '../agent/events.ts'
import { checkInvariants } from '../agent/invariants.ts'
import { AGENT_CAPABILITIES, AGENT_DEFAULTS, type AgentOptions } from '../agent/options.ts'
import { recover } from '../agent/recovery.ts'
import { snapshot } from '../agent/snapshot.ts'
import { type AgentState, createAgent } from '../agent/state.ts'
import type { AgentDisk } from './agent-disk.ts'
import type { HostClock } from './clocks.ts'
import type { SimulatedContainers } from './containers.ts'
import type { LinkAnswer, LinkLine } from './master-lines.ts'
import type { MasterProcess } from './master-process.ts'
import { SimulatedCommit } from './output-commit.ts'
import type { Surroundings } from './surroundings.ts'
import { HostTimers } from './timers.ts'

/** What an agent is started with. */
export interface AgentProcessOptions {
  readonly host: string
  readonly ip: string
  /** What the machine has. */
  readonly resources: AgentOptions['info']['resources']
  readonly kept: AgentOptions['kept']
  readonly seed: number
  readonly disk: AgentDisk
  readonly containers: SimulatedContainers
  /** The machine was started again since the last agent ran. */
  readonly isRebooted: boolean
  /** Whether all invariants are checked after this step. */
  readonly checksStep: () => boolean
  /** It is no more; `isForGood`: it stopped everything and is not to be recovered. */
  readonly ended: (why: string, isForGood: boolean) => void
}

/** Nobody looks into sandboxes and histories here. */
const SHORT_MEMORY = { gcDelayMs: 60_000, maxCompletedExecutors: 2 }
const PORT = 5051

/** One agent. */
export class AgentProcess {
  readonly state: AgentState
  readonly #world: Surroundings
  readonly #options: AgentProcessOptions
  readonly #clock: HostClock
  readonly #timers: HostTimers<AgentTimer>
  readonly #commit: SimulatedCommit<AgentEffect>
  #line: LinkLine | undefined
  /** Whom it talks to: the one that led when the link was opened. */
  #master: MasterProcess | undefined
  #isOver = false
  #isKept: boolean
  #steps = 0

  constructor(world: Surroundings, options: AgentProcessOptions) {
    const { host, ip, disk, resources, kept, seed, isRebooted } = options
    this.#world = world
    this.#options = options
    this.#clock = world.clocks.start()
    this.#timers = new HostTimers(world.schedule, this.#clock, (timer) =>
      this.#post({ kind: 'timerFired', atMs: this.#clock.nowMs, timer }),
    )
    this.#commit = new SimulatedCommit((effect) => this.#perform(effect))
    this.#isKept = disk.info !== undefined
    this.state = createAgent({
      ...AGENT_DEFAULTS,
      ...SHORT_MEMORY,
      info: disk.info ?? { hostname: host, port: PORT, resources },
      version: '1.11.0',
      address: { hostname: host, ip, port: PORT },
      capabilities: AGENT_CAPABILITIES,
      workDir: '/var/lib/isthmus',
      seed,
      startedAtMs: this.#clock.nowMs,
      kept,
      recovered: recover(world.seams.agentRecords?.(disk.records) ?? disk.records),
      isRebooted,
    })
    disk.open(() => this.end('the disk failed'))
  }

  get steps(): number {
    return this.#steps
  }

  /** It begins: the journal goes on with what was recovered, the launcher is asked, then the master is looked for. */
  start(): void {
    const { disk, containers } = this.#options
    const begin = (): void => {
      if (this.#isOver) return
      const { running, ended } = containers.found()
      containers.attach({ clock: this.#clock, post: (event) => this.#post(event) })
      this.#post({ kind: 'containersFound', atMs: this.#clock.nowMs, running, ended })
      this.#post({ kind: 'masterDetected', atMs: this.#clock.nowMs })
    }
    if (this.#isKept) disk.rotate(snapshot(this.state), begin)
    else begin()
  }

  /** It learns that another master leads; its link is left to the machine, as by the real shell. */
  masterMoved(): void {
    if (this.#line !== undefined && this.#master === this.#world.master().newest) return
    this.#post({ kind: 'masterDetected', atMs: this.#clock.nowMs })
  }

  /** The process ends without a word. */
  end(why: string, isForGood = false): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#line = undefined
    this.#timers.clear()
    this.#commit.stop()
    this.#options.disk.abandon()
    this.#world.network.hostEnded(this.#options.host)
    this.#options.ended(why, isForGood)
  }

  #post(event: AgentEvent): void {
    if (this.#isOver) return
    const { state } = this
    const { seams } = this.#world
    const { disk } = this.#options
    const told = seams.agentEvent === undefined ? event : seams.agentEvent(event, state)
    if (told === undefined) return
    const effects = step(state, told)
    this.#steps += 1
    for (const effect of seams.agentEffects?.(effects, told) ?? effects) this.#take(effect)
    if (this.#isOver) return
    if (this.#isKept && disk.wantsSnapshot) disk.rotate(snapshot(state))
    if (this.#options.checksStep()) checkInvariants(state)
  }

  /** In its turn; records are written at once, and hold back what stands behind them. */
  #take(effect: AgentEffect): void {
    if (this.#isOver) return
    if (effect.kind !== 'record') {
      this.#commit.take(effect)
      return
    }
    this.#options.disk.append(effect.records, this.#commit.hold())
    this.#mayDie(effect)
  }

  #mayDie(effect: AgentEffect): void {
    if (!this.#isOver && this.#world.fate.isOver(this.#options.host, effect)) this.end('killed between two effects')
  }

  #perform(effect: AgentEffect): void {
    this.#do(effect)
    this.#mayDie(effect)
  }

  #do(effect: AgentEffect): void {
    switch (effect.kind) {
      case 'openLink':
        this.#openLink(effect)
        return
      case 'sendToMaster':
        this.#world.see({ kind: 'agentSent', host: this.#options.host, message: effect.message })
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
      case 'runCheck':
        this.#check(effect.checkId)
        return
      case 'exit':
        // What it said last still arrives.
        this.#closeLink()
        this.end(effect.reason, true)
        return
      case 'storeResources':
        this.#store(effect)
        return
      case 'record':
      case 'updateContainer':
      case 'removeSandbox':
      case 'respondMessage':
      case 'note':
        return
      default:
        this.#doWithContainers(effect)
    }
  }

  #doWithContainers(effect: Extract<AgentEffect, { kind: ContainerEffect }>): void {
    const { containers } = this.#options
    switch (effect.kind) {
      case 'launchContainer':
        this.#world.see({ kind: 'containerLaunched', container: containers.launch(effect.spec) })
        return
      case 'signalContainer':
        containers.signal(effect.containerId, effect.signal)
        return
      case 'destroyContainer':
        containers.destroy(effect.containerId)
        return
      case 'releaseContainer':
        containers.release(effect.containerId)
        return
      case 'openStream':
        containers.openStream(effect.requestId, effect.streamId)
        return
      case 'sendEvent':
        containers.sendEvent(effect.streamId, effect.event)
        return
      case 'closeStream':
        containers.closeStream(effect.streamId)
        return
      case 'respond':
        containers.answer(effect.requestId)
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
    const line: LinkLine = network.connect(this.#options.host, master.host, {
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
        this.#heard(answer.message)
        return
      case 'refused':
        this.#closeLink()
        this.#post({ kind: 'linkClosed', atMs, reason: `${answer.status} ${answer.text}` })
        return
      default:
        answer satisfies never
    }
  }

  #heard(message: MasterMessage): void {
    this.#world.see({ kind: 'agentHeard', host: this.#options.host, message })
    if (message.registered !== undefined) this.#keepAs(message.registered.agent_id)
    this.#post({ kind: 'linkMessage', atMs: this.#clock.nowMs, message })
  }

  /** Before anybody is told of the agent, its next life has to be able to go on as this one. */
  #keepAs(id: AgentID): void {
    if (this.#isKept) return
    this.#isKept = true
    const { disk } = this.#options
    const letThrough = this.#commit.hold()
    disk.later(() => {
      if (this.#isOver) return
      disk.info = { ...this.state.info, id }
      letThrough()
    })
  }

  #linkLost(line: LinkLine, reason: string): void {
    if (this.#line !== line) return
    this.#line = undefined
    this.#post({ kind: 'linkClosed', atMs: this.#clock.nowMs, reason })
  }

  #store({ resources, operations }: Extract<AgentEffect, { kind: 'storeResources' }>): void {
    const { disk } = this.#options
    disk.later(() => {
      if (this.#isOver) return
      disk.kept = { resources, operations }
      this.#post({ kind: 'resourcesStored', atMs: this.#clock.nowMs })
    })
  }

  #check(checkId: string): void {
    const outcome = { kind: 'failed', message: 'nothing is checked here' } as const
    this.#world.schedule.after(1, () =>
      this.#post({ kind: 'checkFinished', atMs: this.#clock.nowMs, checkId, outcome }),
    )
  }
}

/** Effects on containers and their executors. */
type ContainerEffect =
  | 'launchContainer'
  | 'signalContainer'
  | 'destroyContainer'
  | 'releaseContainer'
  | 'openStream'
  | 'sendEvent'
  | 'closeStream'
  | 'respond'
