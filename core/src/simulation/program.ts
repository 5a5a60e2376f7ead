/**
 * The program of a simulated framework: it has units of work to get done, launches a task for each, launches another one when a task was
 * lost, kills what it should kill, and keeps a ledger of everything it was told.
 *
 * ```
 * waiting ─ offer fits ─► launched ─ FINISHED, or its own exit code, or KILLED as asked ─► done
 *    ▲                        │ LOST, DROPPED, GONE, FAILED …; UNREACHABLE or UNKNOWN for long
 *    └────────────────────────┘ (a new task; the old one is killed if it comes back)
 * ```
 */

import type { ExecutorInfo, Offer, OfferOperation, TaskInfo, TaskStatus } from '@isthmus/proto/gen/mesos'
import { acceptOffers, declineOffers, killTask, type Launch, revive, suppress } from '../framework/calls.ts'
import type { FrameworkEffect } from '../framework/effects.ts'
import type { FrameworkState } from '../framework/framework.ts'
import { type Needs, OfferPool } from '../framework/offers.ts'
import { isTerminal } from '../framework/task-states.ts'
import { TASK_LABEL } from './executor-process.ts'
import { isOurs, makeVolume, removeVolumes } from './volumes.ts'
import type { WorkloadFramework, WorkloadJob } from './workload.ts'

/** A piece of work: one task, or a group of them. */
export interface Unit {
  readonly id: string
  readonly job: WorkloadJob
  phase: 'waiting' | 'launched' | 'done'
  /** The tasks that carry it now; those of before are strays. */
  tasks: Set<string>
  tries: number
}

/** What the program knows of one task. */
export interface LedgerEntry {
  readonly taskId: string
  readonly agentId: string
  readonly unit: Unit
  killAsked: boolean
  /** The first terminal state that an agent told (with a uuid). */
  end: TaskStatus | undefined
  /** Since when the master does not know what it does: UNREACHABLE or UNKNOWN. */
  outOfSightSinceMs: number | undefined
}

/** After this long a task that cannot be reached is given up. */
const OUT_OF_SIGHT_PATIENCE_MS = 30_000
/** Units launched with one answer at most. */
const LAUNCHES_MAX = 50
/** Tries of one unit at most: more means that something is wrong. */
export const TRIES_MAX = 200

/** One program; its ledger outlives its process, as a database would. */
export class Program {
  readonly spec: WorkloadFramework
  readonly units: Unit[] = []
  readonly ledger = new Map<string, LedgerEntry>()
  /** Units that wait for offers, by job. */
  readonly #waiting = new Map<WorkloadJob, Unit[]>()
  #doneCount = 0
  #isSuppressed = false
  #sequence = 0

  constructor(spec: WorkloadFramework) {
    this.spec = spec
  }

  /** Jobs with units that wait for offers. */
  get waiting(): WorkloadJob[] {
    return [...this.#waiting.keys()]
  }

  /** Units that are done. */
  get doneCount(): number {
    return this.#doneCount
  }

  /** Whether everything asked for so far is done. */
  get isIdle(): boolean {
    return this.#doneCount === this.units.length
  }

  /** The job's time has come. */
  addJob(state: FrameworkState, job: WorkloadJob): FrameworkEffect[] {
    for (let made = 0; made < job.tasks; made += job.groupSize) {
      const id = `${this.spec.name}.${this.units.length}`
      const unit: Unit = { id, job, phase: 'waiting', tasks: new Set(), tries: 0 }
      this.units.push(unit)
      this.#wait(unit)
    }
    return this.#settleSuppression(state)
  }

  /** Answers offers: launches what fits, declines the rest. Offers of one agent are taken together. */
  answer(state: FrameworkState, offers: readonly Offer[]): FrameworkEffect[] {
    const byAgent = new Map<string, Offer[]>()
    for (const offer of offers) {
      if (!state.offers.has(offer.id.value)) continue
      const agentId = offer.agent_id.value
      byAgent.set(agentId, [...(byAgent.get(agentId) ?? []), offer])
    }
    const effects = [...byAgent.values()].flatMap((held) => this.#answerAgent(state, held))
    return [...effects, ...this.#settleSuppression(state)]
  }

  #answerAgent(state: FrameworkState, offers: readonly Offer[]): FrameworkEffect[] {
    const offerIds = offers.map(({ id }) => id.value)
    const pool = new OfferPool(offers.map(withoutOurs))
    const launches: Launch[] = []
    const operations = removeVolumes(offers, () => `${this.spec.name}.o${this.#sequence++}`)
    for (const [job, units] of this.#waiting) {
      while (units.length > 0 && launches.length < LAUNCHES_MAX) {
        const launch = this.#launch(units.at(-1)!, offers[0]!, pool, operations)
        if (launch === undefined) break
        units.pop()
        launches.push(launch)
      }
      if (units.length === 0) this.#waiting.delete(job)
    }
    const { refuseSeconds } = this.spec
    if (launches.length + operations.length === 0) return declineOffers(state, offerIds, refuseSeconds)
    const accepted = acceptOffers(state, { offerIds, launches, operations, filters: { refuse_seconds: refuseSeconds } })
    return accepted.ok ? accepted.value : []
  }

  /** @param operations those that have to happen before are added */
  #launch(unit: Unit, offer: Offer, pool: OfferPool, operations: OfferOperation[]): Launch | undefined {
    const { cpus, memoryMb, ports, seconds, exitCode, groupSize, customExecutor, volumeMb } = unit.job
    const needs = needsOf(unit.job)
    if (pool.scalar('cpus') < needs.cpus || pool.scalar('mem') < needs.memoryMb || pool.portCount < needs.portCount) {
      return undefined
    }
    if (groupSize > 1 && pool.scalar('disk') < EXECUTOR.diskMb) return undefined
    const disk = volumeMb === 0 ? [] : (pool.take({ diskMb: volumeMb })?.resources ?? [])
    if (volumeMb > 0 && disk.length !== 1) return undefined
    unit.tries += 1
    unit.phase = 'launched'
    unit.tasks = new Set()
    const value = `run ${seconds * 1000} exit ${exitCode}`
    const what = customExecutor
      ? { executor: this.#executorOn(offer), labels: { labels: [{ key: TASK_LABEL, value }] } }
      : { command: { value } }
    const tasks: TaskInfo[] = Array.from({ length: groupSize }, () => {
      const taskId = this.#enter(unit, offer)
      const made = disk.map((one) => makeVolume(one, { id: taskId, role: this.spec.role }))
      for (const one of made) operations.push(...one.operations)
      const taken = pool.take({ cpus, memoryMb, portCount: ports })?.resources ?? []
      const resources = [...taken, ...made.map(({ volume }) => volume)]
      return { name: taskId, task_id: { value: taskId }, agent_id: offer.agent_id, resources, ...what }
    })
    if (groupSize === 1) return { kind: 'tasks', tasks }
    const executor: ExecutorInfo = {
      type: 'DEFAULT',
      executor_id: { value: `${unit.id}.e${this.#sequence}` },
      resources: pool.take(EXECUTOR)?.resources,
    }
    return { kind: 'group', executor, tasks }
  }

  #executorOn({ agent_id }: Offer): ExecutorInfo {
    const executor_id = { value: `${this.spec.name}.on.${agent_id.value}` }
    return { type: 'CUSTOM', executor_id, command: { value: 'executor' } }
  }

  /** A new task of the unit, in the ledger. */
  #enter(unit: Unit, offer: Offer): string {
    const taskId = `${unit.id}.${this.#sequence++}`
    unit.tasks.add(taskId)
    this.ledger.set(taskId, {
      taskId,
      agentId: offer.agent_id.value,
      unit,
      killAsked: false,
      end: undefined,
      outOfSightSinceMs: undefined,
    })
    return taskId
  }

  /** An update, already acknowledged by the library. */
  updated(state: FrameworkState, status: TaskStatus, atMs: number): FrameworkEffect[] {
    const entry = this.ledger.get(status.task_id.value)
    if (entry === undefined) return []
    const isOutOfSight = status.state === 'TASK_UNREACHABLE' || status.state === 'TASK_UNKNOWN'
    entry.outOfSightSinceMs = isOutOfSight ? (entry.outOfSightSinceMs ?? atMs) : undefined
    const { unit } = entry
    if (isTerminal(status.state)) {
      if (entry.end === undefined && (status.uuid?.length ?? 0) > 0) entry.end = status
      return unit.tasks.has(entry.taskId) ? this.#ended(state, entry, status) : []
    }
    const isStray = !unit.tasks.has(entry.taskId)
    return isStray && !isOutOfSight ? this.kill(state, entry) : []
  }

  #ended(state: FrameworkState, entry: LedgerEntry, status: TaskStatus): FrameworkEffect[] {
    const { unit } = entry
    if (!isDone(entry, status)) return this.#tryAgain(state, unit)
    unit.tasks.delete(entry.taskId)
    if (unit.tasks.size > 0 || unit.phase === 'done') return []
    unit.phase = 'done'
    this.#doneCount += 1
    return []
  }

  /** What is left of the unit is killed, and a new task is wanted for it. */
  #tryAgain(state: FrameworkState, unit: Unit): FrameworkEffect[] {
    const strays = [...unit.tasks]
    unit.tasks = new Set()
    unit.phase = 'waiting'
    this.#wait(unit)
    const kills = strays.flatMap((taskId) => {
      const entry = this.ledger.get(taskId)!
      return entry.end === undefined && state.tasks.has(taskId) ? this.kill(state, entry) : []
    })
    return [...kills, ...this.#settleSuppression(state)]
  }

  /** Gives up what cannot be reached for too long. */
  look(state: FrameworkState, atMs: number): FrameworkEffect[] {
    const effects: FrameworkEffect[] = []
    for (const entry of this.ledger.values()) {
      const sinceMs = entry.outOfSightSinceMs
      if (sinceMs === undefined || atMs - sinceMs < OUT_OF_SIGHT_PATIENCE_MS) continue
      entry.outOfSightSinceMs = undefined
      if (entry.unit.tasks.has(entry.taskId)) effects.push(...this.#tryAgain(state, entry.unit))
    }
    return effects
  }

  /** Kills a task, as a program that was asked to do so. */
  kill(state: FrameworkState, entry: LedgerEntry): FrameworkEffect[] {
    entry.killAsked = true
    return killTask(state, entry.taskId)
  }

  /** The framework was removed by the master: everything it ran is no more. */
  startOver(): void {
    for (const unit of this.units) {
      if (unit.phase !== 'launched') continue
      unit.phase = 'waiting'
      unit.tasks = new Set()
      this.#wait(unit)
    }
    this.#isSuppressed = false
  }

  /** What a new subscription says of the role. */
  get isSuppressed(): boolean {
    return this.#isSuppressed
  }

  #wait(unit: Unit): void {
    const units = this.#waiting.get(unit.job)
    if (units === undefined) this.#waiting.set(unit.job, [unit])
    else units.push(unit)
  }

  #settleSuppression(state: FrameworkState): FrameworkEffect[] {
    const wantsNothing = this.#waiting.size === 0
    if (this.#isSuppressed === wantsNothing || (wantsNothing && !this.spec.suppresses)) {
      return []
    }
    this.#isSuppressed = wantsNothing
    return wantsNothing ? suppress(state) : revive(state)
  }
}

/** What a unit of a job needs at once. */
export function needsOf({ cpus, memoryMb, ports, groupSize }: WorkloadJob): Required<Omit<Needs, 'diskMb'>> {
  if (groupSize === 1) return { cpus, memoryMb, portCount: ports }
  const [allCpus, allMb] = [cpus * groupSize + EXECUTOR.cpus, memoryMb * groupSize + EXECUTOR.memoryMb]
  return { cpus: Math.round(allCpus * 1000) / 1000, memoryMb: allMb, portCount: 0 }
}

/** What the executor of a group needs. */
const EXECUTOR = { cpus: 0.1, memoryMb: 32, diskMb: 10 }

/** What is about to be freed cannot be used. */
function withoutOurs(offer: Offer): Offer {
  return { ...offer, resources: offer.resources?.filter((resource) => !isOurs(resource)) }
}

function isDone(entry: LedgerEntry, status: TaskStatus): boolean {
  if (status.state === 'TASK_FINISHED') return true
  if (status.state === 'TASK_KILLED') return entry.killAsked && (status.uuid?.length ?? 0) > 0
  // Its own exit code; a task that could not be launched fails too, with a reason.
  return (
    status.state === 'TASK_FAILED' && entry.unit.job.exitCode !== 0 && /exited with status/.test(status.message ?? '')
  )
}
