/**
 * A machine for agents: its power, its disk, its launcher with the containers, and the agents that live on it one after the other
 * (agent-process.ts).
 *
 * ```
 * start ─► agent runs ─ killed, disk failed ─► containers of frameworks with checkpoint run on ─ RESTART_MS ─► the next agent takes them over
 *             ├─ power lost ─► everything is gone but the disk ─ somebody starts it ─► the next agent tells what was lost
 *             └─ shut down by its master ─► everything was stopped ─ RESTART_MS ─► a new agent, which knows its reservations only
 * ```
 */

import type { Resource } from '@isthmus/proto/gen/mesos'
import type { AgentOptions } from '../agent/options.ts'
import type { AgentState } from '../agent/state.ts'
import { createRandom } from '../base/random.ts'
import { withKept } from '../resources/checkpointed.ts'
import { Resources } from '../resources/resources.ts'
import { AgentDisk } from './agent-disk.ts'
import { AgentProcess } from './agent-process.ts'
import { SimulatedContainers } from './containers.ts'
import type { Surroundings } from './surroundings.ts'
import { mustHold } from './violation.ts'

/** What a machine has. */
export interface MachineOptions {
  readonly host: string
  readonly number: number
  readonly resources: readonly Resource[]
  readonly seed: number
  /** Whether all invariants are checked after this step. */
  readonly checksStep: () => boolean
}

/** How long a machine takes until it starts its agent again. */
const RESTART_MS = 5_000

/** One machine. */
export class AgentHost {
  readonly host: string
  readonly ip: string
  readonly disk: AgentDisk
  readonly #world: Surroundings
  readonly #options: MachineOptions
  #containers: SimulatedContainers
  #process: AgentProcess | undefined
  #lives = 0
  /** Somebody has to switch it on. */
  #isDark = false
  #isRebooted = false
  /** Of those that have ended. */
  #stepsBefore = 0

  constructor(world: Surroundings, options: MachineOptions) {
    const { host, number, seed } = options
    this.host = host
    this.ip = `10.${1 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`
    this.#world = world
    this.#options = options
    this.#containers = new SimulatedContainers(world, host)
    this.disk = new AgentDisk({
      schedule: world.schedule,
      random: createRandom(seed),
      slowness: () => world.health.slowHosts.get(host) ?? 1,
      recorded: (records, isSnapshot) => world.see({ kind: 'agentRecorded', host, records, isSnapshot }),
    })
  }

  /** What the agent knows, to read; undefined while it is down. */
  get state(): AgentState | undefined {
    return this.#process?.state
  }

  get isUp(): boolean {
    return this.#process !== undefined
  }

  /** Steps of all agents on this machine so far. */
  get steps(): number {
    return this.#stepsBefore + (this.#process?.steps ?? 0)
  }

  /** An agent starts, and knows what the disk knows. */
  start(): void {
    if (this.#process !== undefined) return
    const { resources, seed, checksStep } = this.#options
    this.#lives += 1
    this.#process = new AgentProcess(this.#world, {
      host: this.host,
      ip: this.ip,
      resources,
      kept: this.#kept(),
      seed: seed + this.#lives,
      disk: this.disk,
      containers: this.#containers,
      isRebooted: this.#isRebooted,
      checksStep,
      ended: (why, isForGood) => this.#ended(why, isForGood),
    })
    this.#isDark = false
    this.#isRebooted = false
    this.#world.see({ kind: 'agentStarted', host: this.host })
    this.#process.start()
  }

  /** What an earlier agent on this machine left on its disk, laid over what the machine has. */
  #kept(): AgentOptions['kept'] {
    if (this.disk.kept === undefined) return undefined
    const { resources, operations } = this.disk.kept
    const total = withKept(Resources.fromProto(this.#options.resources), Resources.fromProto(resources))
    mustHold(total.ok, 'disks fit their machines', () => (total.ok ? '' : `${this.host}: ${total.rejection.message}`))
    return { resources: total.value.toProto(), operations }
  }

  /** The agent learns that another master leads. */
  masterMoved(): void {
    this.#process?.masterMoved()
  }

  /** The machine loses power; nobody starts it again here. */
  crash(why: string): void {
    if (this.#isDark) return
    this.#isDark = true
    if (this.#process === undefined) this.#world.see({ kind: 'agentEnded', host: this.host, why, isFinal: true })
    this.#process?.end(why)
    this.#containers.crash()
    this.#containers = new SimulatedContainers(this.#world, this.host)
    this.#isRebooted = true
  }

  #ended(why: string, isForGood: boolean): void {
    this.#stepsBefore += this.#process?.steps ?? 0
    this.#process = undefined
    const isMachine = this.#isDark
    this.#world.see({ kind: 'agentEnded', host: this.host, why, isFinal: isMachine || isForGood })
    if (isForGood) {
      this.disk.forget()
      this.#containers.crash()
      this.#containers = new SimulatedContainers(this.#world, this.host)
    }
    if (isMachine) return
    this.#containers.detach()
    this.#world.schedule.after(RESTART_MS, () => {
      if (!this.#isDark) this.start()
    })
  }
}
