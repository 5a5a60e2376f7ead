/**
 * A world in virtual time: masters, agents, frameworks, an operator and a registry, from a seed. Start here.
 *
 * ```
 * workload (generated, or workload-file.ts) ─► frameworks: program ── library ──┐
 *                                                                               network ── masters: master ── registry
 * faults ─► disorder ─► hosts, network, registry     agent-host: agent ── containers ──┘        ▲ operator
 *
 * hosts ── sightings ─► checkers/, transcript                 schedule: what happens next
 * ```
 * The machines are the real ones of ../master, ../agent and ../framework; everything around them is simulated here, as the shells of ../io do
 * it for real. Every choice comes from the seed: a world repeats itself exactly. defects.ts spoils the machines on purpose, to show that the
 * checkers find it. How to use it: docs/simulation.md.
 */

import { AssertionError } from '../base/assert.ts'
import { createRandom, nextFraction, nextUint32, type Random } from '../base/random.ts'
import { AgentHost } from './agent-host.ts'
import type { Checker } from './checkers/checker.ts'
import { checkSums } from './checkers/sums.ts'
import { Clocks } from './clocks.ts'
import { Disorder, GOOD_LATENCY } from './disorder.ts'
import { Fate } from './fate.ts'
import { type FaultDensity, type FaultLevel, planFaults } from './faults.ts'
import { FrameworkHost } from './framework-host.ts'
import { Masters } from './masters.ts'
import { Network } from './network.ts'
import { Operator } from './operator.ts'
import { SimulatedRegistry } from './registry.ts'
import type { RuleName } from './rules.ts'
import { Schedule } from './schedule.ts'
import type { Sighting } from './sightings.ts'
import type { Seams, Surroundings, WorldHealth } from './surroundings.ts'
import { describe, Fingerprint } from './transcript.ts'
import { Violation } from './violation.ts'
import type { Workload, WorkloadAgents } from './workload.ts'
import { clocksOf, flagsOf, resourcesOf } from './world-terms.ts'

/** What a world is made from. */
export interface WorldOptions {
  readonly seed: number
  readonly workload: Workload
  readonly faults: FaultLevel
  /** Instead of the number and kinds of faults that are right for a few machines. */
  readonly faultDensity?: FaultDensity | undefined
  /** Who watches; asked for once the world stands. */
  readonly checkers?: (world: World) => readonly Checker[]
  /** All invariants of a machine are checked after every so many steps; 0 = never. */
  readonly invariantsEvery?: number
  readonly seams?: Seams | undefined
  /** The process that performs this effect dies after it; from 1, at most the `effects` of the world's report. */
  readonly crashAt?: number | undefined
  /** Told each line of the transcript. */
  readonly transcript?: ((line: string) => void) | undefined
}

/** What became of a world that went well. */
export interface WorldReport {
  readonly seed: number
  readonly virtualMs: number
  /** Events that the machines were given: the steps of masters, agents and frameworks. */
  readonly events: number
  readonly masterSteps: number
  readonly agentSteps: number
  readonly frameworkSteps: number
  readonly tasks: number
  readonly units: number
  readonly faults: number
  /** Effects of masters and agents that others can see: the crash points of this world. */
  readonly effects: number
  /** Equal for equal worlds. */
  readonly fingerprint: string
}

/** A world that showed what must not be: the rule or invariant, and when. */
export class WorldFailure extends Error {
  readonly seed: number
  /** The crash point, when one was asked for. */
  readonly crashAt: number | undefined
  readonly rule: RuleName
  readonly virtualMs: number

  constructor({ seed, crashAt }: Pick<WorldOptions, 'seed' | 'crashAt'>, virtualMs: number, cause: Error) {
    const crash = crashAt === undefined ? '' : ` with a crash at ${crashAt}`
    super(`seed ${seed}${crash} after ${virtualMs / 1000} s: ${cause.message}`, { cause })
    this.name = 'WorldFailure'
    this.seed = seed
    this.crashAt = crashAt
    this.virtualMs = virtualMs
    this.rule =
      cause instanceof Violation ? cause.rule : cause instanceof AssertionError ? 'invariants hold' : 'no step throws'
  }
}

const START_MS = 1_700_000_000_000
/** How long it takes at most until an agent or a scheduler learns that another master leads, and until it does when ZooKeeper is far. */
const DETECTED_MS = 3_000
const DETECTED_LATE_MS = 30_000
const DETECTED_LATE_CHANCE = 0.3
/** How often the end of the world is looked for. */
const LOOK_EVERY_MS = 5_000
/** After everything is mended some unit of work is done at least this often. */
const PROGRESS_MS = 600_000
/** When all work is done, everything has ended after this. */
const QUIET_MS = 1_500_000

/** One world; `run` lets it live. */
export class World implements Surroundings {
  readonly schedule = new Schedule(START_MS)
  readonly random: Random
  readonly network: Network
  readonly health: WorldHealth = {
    fullDisks: new Set(),
    slowHosts: new Map(),
    stubbornChance: 0,
    brokenExecutorChance: 0,
  }
  readonly fate: Fate
  readonly clocks: Clocks
  readonly seams: Seams
  readonly agents: readonly AgentHost[]
  readonly frameworks: readonly FrameworkHost[]
  readonly operator: Operator
  readonly options: WorldOptions
  readonly #master: Masters
  readonly #disorder: Disorder
  readonly #checkers: readonly Checker[]
  readonly #fingerprint = new Fingerprint()
  readonly #roots: Random
  #faults = 0
  #stepsToCheck = 0

  constructor(options: WorldOptions) {
    const { seed, workload } = options
    this.options = options
    this.seams = options.seams ?? {}
    this.fate = new Fate(options.crashAt)
    this.#roots = createRandom(seed)
    this.random = createRandom(nextUint32(this.#roots))
    this.network = new Network(this.schedule, createRandom(nextUint32(this.#roots)), GOOD_LATENCY)
    this.clocks = new Clocks(this.schedule, createRandom(nextUint32(this.#roots)), clocksOf(seed, options.faults))
    const registry = new SimulatedRegistry({
      schedule: this.schedule,
      random: createRandom(nextUint32(this.#roots)),
      stored: (records, masterId) => this.see({ kind: 'stored', records, masterId }),
      isUnfenced: this.seams.isRegistryUnfenced ?? false,
    })
    const checksStep = (): boolean => this.#checksStep()
    this.#master = new Masters(this, {
      flags: flagsOf(seed),
      registry,
      seed: nextUint32(this.#roots),
      checksStep,
      moved: ({ isOldThere }) => this.#tellOfMaster(isOldThere),
    })
    const machines = workload.agents.flatMap((kind) => new Array<WorkloadAgents>(kind.count).fill(kind))
    this.agents = machines.map((kind, at) => {
      const host = `agent-${at}`
      return new AgentHost(this, {
        host,
        number: at + 1,
        resources: resourcesOf(kind),
        seed: nextUint32(this.#roots),
        checksStep,
      })
    })
    this.frameworks = workload.frameworks.map((spec) => new FrameworkHost(this, spec))
    this.operator = new Operator(this)
    const { agents, frameworks, operator } = this
    this.#disorder = new Disorder(this, { master: this.#master, agents, frameworks, registry, operator })
    this.#checkers = options.checkers?.(this) ?? []
    if (options.faults !== 'heavy') return
    this.health.stubbornChance = 0.2
    this.health.brokenExecutorChance = 0.05
  }

  /** Where the leading master is, or will be. */
  readonly master = (): Masters => this.#master

  /** Tells everybody who watches. */
  readonly see = (sighting: Sighting): void => {
    if (this.options.transcript !== undefined || this.#checkers.length > 0) this.#write(sighting)
    for (const checker of this.#checkers) checker.see(sighting, this.schedule.nowMs)
  }

  #write(sighting: Sighting): void {
    const text = describe(sighting)
    if (text === undefined) return
    const line = `${((this.schedule.nowMs - START_MS) / 1000).toFixed(3).padStart(9)}  ${text}`
    this.#fingerprint.add(line)
    this.options.transcript?.(line)
  }

  #checksStep(): boolean {
    const every = this.options.invariantsEvery ?? 1
    if (every === 0) return false
    this.#stepsToCheck = (this.#stepsToCheck + 1) % every
    return this.#stepsToCheck === 0
  }

  /** Lets it live to its end; throws {@link WorldFailure} at the first thing that must not be. */
  run(): WorldReport {
    try {
      this.#begin()
      this.#live()
    } catch (error) {
      const cause = error instanceof Error ? error : new Error(String(error))
      throw new WorldFailure(this.options, this.schedule.nowMs - START_MS, cause)
    }
    return this.#report()
  }

  /** Everybody learns in its time that another master leads; with an old one that is gone some find out by themselves. */
  #tellOfMaster(isOldThere: boolean): void {
    for (const host of [...this.agents, ...this.frameworks]) {
      if (!isOldThere && nextFraction(this.random) < 0.5) continue
      const isLate = nextFraction(this.random) < DETECTED_LATE_CHANCE
      const atMostMs = isLate ? DETECTED_LATE_MS : DETECTED_MS
      this.schedule.after(atMostMs * nextFraction(this.random), () => host.masterMoved())
    }
  }

  #begin(): void {
    const { workload, faults } = this.options
    this.#master.start()
    for (const host of [...this.agents, ...this.frameworks]) {
      this.schedule.after(1_000 * nextFraction(this.random), () => host.start())
    }
    for (const [at, { jobs }] of workload.frameworks.entries()) {
      for (const job of jobs) this.schedule.after(job.atSeconds * 1000, () => this.frameworks[at]!.addJob(job))
    }
    this.operator.follow(workload)
    const plan = planFaults(createRandom(nextUint32(this.#roots)), faults, {
      minutes: workload.minutes,
      agents: this.agents.length,
      frameworks: this.frameworks.length,
      density: this.options.faultDensity,
    })
    this.#faults = plan.length
    for (const fault of plan) this.schedule.after(fault.atMs, () => this.#disorder.inflict(fault))
  }

  #live(): void {
    const mendAtMs = START_MS + this.options.workload.minutes * 60_000 + 1_000
    this.#until(mendAtMs)
    this.#disorder.mend()
    let doneBefore = -1
    let progressAtMs = mendAtMs
    while (!this.#isWorkDone()) {
      this.#until(this.schedule.nowMs + LOOK_EVERY_MS)
      const done = this.#unitsDone()
      if (done > doneBefore) progressAtMs = this.schedule.nowMs
      doneBefore = done
      if (this.schedule.nowMs - progressAtMs > PROGRESS_MS) throw this.#stuck()
    }
    const deadlineMs = this.schedule.nowMs + QUIET_MS
    while (!this.#isQuiet() || this.#missing() !== undefined) {
      if (this.schedule.nowMs > deadlineMs) throw this.#unfinished()
      this.#until(this.schedule.nowMs + LOOK_EVERY_MS)
    }
    if (this.#master.state !== undefined) checkSums(this.#master.state)
    for (const checker of this.#checkers) checker.ended?.(this.schedule.nowMs)
  }

  #until(atMs: number): void {
    while (this.schedule.next(atMs)) {
      // Everything happens inside.
    }
    // Time passes also when nothing happens.
    this.schedule.at(atMs, () => {})
    this.schedule.next(atMs)
  }

  #isWorkDone(): boolean {
    return this.operator.isIdle && this.frameworks.every(({ program }) => program.isIdle)
  }

  #unitsDone(): number {
    return this.frameworks.reduce((sum, { program }) => sum + program.doneCount, 0)
  }

  #stuck(): Violation {
    const open = this.frameworks.flatMap(({ program }) => program.units.filter(({ phase }) => phase !== 'done'))
    const units = open.slice(0, 5).map(({ id, phase, tasks }) => `${id} ${phase} ${[...tasks].join(' ')}`)
    const operator = this.operator.isIdle ? '' : `; ${this.operator.describe()}`
    return new Violation(
      'work is done',
      `no progress for ${PROGRESS_MS / 1000} s, ${open.length} open: ${units.join(', ')}${operator}`,
    )
  }

  /** Whether neither master nor agents have anything left of the work. */
  #isQuiet(): boolean {
    const master = this.#master.state
    const isIdle = ({ state }: AgentHost): boolean =>
      state !== undefined && state.frameworks.size === 0 && state.total.reserved().isEmpty
    if (master === undefined || !this.agents.every(isIdle)) return false
    return [...master.frameworks.values()].every(
      (framework) => framework.tasks.size === 0 && framework.executors.size === 0,
    )
  }

  /** Somebody who has not come back to the leading master. */
  #missing(): string | undefined {
    const master = this.#master.state
    const agent = this.agents.find(({ state }) => master?.agents.get(state?.info.id?.value ?? '')?.active !== true)
    const framework = this.frameworks.find(({ state }) => {
      return state.phase !== 'subscribed' || master?.frameworks.get(state.frameworkId?.value ?? '')?.active !== true
    })
    return agent?.host ?? framework?.name
  }

  #unfinished(): Violation {
    if (!this.#isQuiet()) return new Violation('everything ends', this.#whatIsLeft())
    return new Violation('everybody is back', `${this.#missing()} is not back after ${QUIET_MS / 1000} s`)
  }

  #whatIsLeft(): string {
    const frameworks = [...(this.#master.state?.frameworks.values() ?? [])]
    const inMaster = frameworks.flatMap(({ executors }) =>
      [...executors].map(([agentId, map]) => `executors ${[...map.keys()]} on ${agentId}`),
    )
    const down = this.agents.filter(({ isUp }) => !isUp).map(({ host }) => `${host} is down`)
    const tasks = frameworks.flatMap(({ tasks }) => [...tasks.values()].map(({ id, state }) => `${id} ${state}`))
    const reserved = this.agents.flatMap(({ host, state }) => {
      return state?.total.reserved().isEmpty === false ? [`${host} has ${state.total.reserved()}`] : []
    })
    const onAgents = this.agents.flatMap(({ host, state }) =>
      [...(state?.frameworks.values() ?? [])].map(({ frameworkId, tasks, updates }) => {
        return `${host} keeps ${frameworkId} with ${tasks.size} tasks and ${updates.size} updates`
      }),
    )
    return `left after ${QUIET_MS / 1000} s: ${[...tasks, ...inMaster, ...down, ...reserved, ...onAgents].slice(0, 5).join(', ')}`
  }

  #report(): WorldReport {
    const masterSteps = this.#master.steps
    const agentSteps = this.agents.reduce((sum, { steps }) => sum + steps, 0)
    const frameworkSteps = this.frameworks.reduce((sum, { steps }) => sum + steps, 0)
    return {
      seed: this.options.seed,
      virtualMs: this.schedule.nowMs - START_MS,
      events: masterSteps + agentSteps + frameworkSteps,
      masterSteps,
      agentSteps,
      frameworkSteps,
      tasks: this.frameworks.reduce((sum, { program }) => sum + program.ledger.size, 0),
      units: this.frameworks.reduce((sum, { program }) => sum + program.units.length, 0),
      faults: this.#faults,
      effects: this.fate.performed,
      fingerprint: this.#fingerprint.toString(),
    }
  }
}
