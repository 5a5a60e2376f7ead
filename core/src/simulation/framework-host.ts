/**
 * A scheduler: the real framework library, its program, and its connections to the leading master. It may crash and come back under its id.
 *
 * ```
 * program ── acceptOffers … ──► library ── openStream, sendCall ──► network ──► master
 *         ◄─ notices ────────          ◄── events ────────────────
 * ```
 */

import type { InverseOffer, Offer } from '@isthmus/proto/gen/mesos'
import { nextFraction } from '../base/random.ts'
import { adoptTask, teardown } from '../framework/calls.ts'
import type { FrameworkEffect, FrameworkNotice } from '../framework/effects.ts'
import type { FrameworkEvent, FrameworkTimer } from '../framework/events.ts'
import { createFramework, type FrameworkState, step } from '../framework/framework.ts'
import { acceptInverseOffers, declineInverseOffers } from '../framework/inverse-offers.ts'
import type { HostClock } from './clocks.ts'
import { Program } from './program.ts'
import { SchedulerLines } from './scheduler-lines.ts'
import type { Surroundings } from './surroundings.ts'
import { HostTimers } from './timers.ts'
import { Violation } from './violation.ts'
import type { WorkloadFramework } from './workload.ts'

/** How often a program looks for tasks that cannot be reached. */
const LOOK_EVERY_MS = 10_000

/** One scheduler. */
export class FrameworkHost {
  readonly name: string
  readonly program: Program
  readonly #world: Surroundings
  #clock: HostClock
  #timers: HostTimers<FrameworkTimer>
  readonly #lines: SchedulerLines
  #state: FrameworkState
  #isUp = false
  #steps = 0
  /** Raised when the process ends, so that what it meant to do later is not done. */
  #life = 0

  constructor(world: Surroundings, spec: WorkloadFramework) {
    this.name = spec.name
    this.program = new Program(spec)
    this.#world = world
    this.#clock = world.clocks.start()
    this.#timers = this.#newTimers()
    this.#lines = new SchedulerLines(world, spec.name, (event) => this.#post({ ...event, atMs: this.#clock.nowMs }))
    this.#state = createFramework({ info: infoOf(spec) })
  }

  /** What the library knows, to read. */
  get state(): FrameworkState {
    return this.#state
  }

  get isUp(): boolean {
    return this.#isUp
  }

  /** Steps of the library so far. */
  get steps(): number {
    return this.#steps
  }

  /** The process starts. */
  start(): void {
    this.#isUp = true
    this.#post({ kind: 'started', atMs: this.#clock.nowMs })
    this.#later(LOOK_EVERY_MS, () => this.#lookAround())
  }

  /** It learns that another master leads. */
  masterMoved(): void {
    if (this.#isUp) this.#lines.masterMoved()
  }

  /** The process dies without a word. */
  crash(): void {
    if (!this.#isUp) return
    this.#end()
    this.#world.network.hostEnded(this.name)
  }

  /** The process comes back under its id, with the ledger of its program. */
  restart(): void {
    if (this.#isUp) return
    const id = this.#state.frameworkId
    const { spec, ledger } = this.program
    const suppressedRoles = this.program.isSuppressed ? [spec.role] : []
    this.#state = createFramework({ info: { ...infoOf(spec), id }, suppressedRoles })
    for (const { taskId, agentId, unit } of ledger.values()) {
      if (unit.tasks.has(taskId)) adoptTask(this.#state, taskId, agentId, 'TASK_STAGING')
    }
    this.start()
  }

  /** Ends the framework and everything it runs; another one takes up the work. */
  teardown(): void {
    if (!this.#isUp) return
    this.#perform(teardown(this.#state))
    this.#beginAnew()
  }

  /** The job's time has come. */
  addJob(job: WorkloadFramework['jobs'][number]): void {
    this.#perform(this.program.addJob(this.#state, job))
  }

  #end(): void {
    this.#isUp = false
    this.#life += 1
    this.#timers.clear()
    this.#clock = this.#world.clocks.start()
    this.#timers = this.#newTimers()
    this.#lines.forget()
  }

  #newTimers(): HostTimers<FrameworkTimer> {
    const clock = this.#clock
    return new HostTimers(this.#world.schedule, clock, (timer) =>
      this.#post({ kind: 'timerFired', atMs: clock.nowMs, timer }),
    )
  }

  #later(delayMs: number, run: () => void): void {
    const life = this.#life
    this.#world.schedule.after(delayMs, () => {
      if (life === this.#life) run()
    })
  }

  #lookAround(): void {
    this.#later(LOOK_EVERY_MS, () => this.#lookAround())
    this.#perform(this.program.look(this.#state, this.#clock.nowMs))
  }

  #post(event: FrameworkEvent): void {
    if (!this.#isUp) return
    this.#steps += 1
    this.#perform(step(this.#state, event))
  }

  #perform(effects: readonly FrameworkEffect[]): void {
    for (const effect of effects) this.#performOne(effect)
  }

  #performOne(effect: FrameworkEffect): void {
    if (!this.#isUp) return
    switch (effect.kind) {
      case 'openStream':
        this.#lines.openStream(effect.call)
        return
      case 'closeStream':
        this.#lines.closeStream()
        return
      case 'sendCall':
        this.#lines.send(effect.call)
        return
      case 'setTimer':
        this.#timers.set(effect.key, effect.timer, effect.atMs)
        return
      case 'cancelTimer':
        this.#timers.cancel(effect.key)
        return
      default:
        this.#noticed(effect)
    }
  }

  #noticed(notice: FrameworkNotice): void {
    switch (notice.kind) {
      case 'offersReceived':
        this.#think(notice.offers)
        return
      case 'inverseOffersReceived':
        this.#answerInverse(notice.inverseOffers)
        return
      case 'taskUpdated':
        this.#updated(notice)
        return
      case 'failed':
        this.#failed(notice.message)
        return
      default:
        return
    }
  }

  #think(offers: readonly Offer[]): void {
    const { thinkSeconds } = this.program.spec
    const answer = (): void => this.#perform(this.program.answer(this.#state, offers))
    if (thinkSeconds === 0) answer()
    else this.#later(thinkSeconds * 1000 * nextFraction(this.#world.random), answer)
  }

  /** Some are accepted, some declined, some left open; which is in the id, so that no other choice depends on it. */
  #answerInverse(inverseOffers: readonly InverseOffer[]): void {
    for (const { id } of inverseOffers) {
      const choice = id.value.charCodeAt(id.value.length - 1) % 3
      if (choice === 0) this.#perform(acceptInverseOffers(this.#state, [id.value], 30))
      if (choice === 1) this.#perform(declineInverseOffers(this.#state, [id.value]))
    }
  }

  #updated({ status }: Extract<FrameworkNotice, { kind: 'taskUpdated' }>): void {
    const { see } = this.#world
    see({ kind: 'updateHeard', framework: this.name, frameworkId: this.#state.frameworkId?.value ?? '', status })
    this.#perform(this.program.updated(this.#state, status, this.#clock.nowMs))
    const entry = this.program.ledger.get(status.task_id.value)
    const killAfterSeconds = entry?.unit.job.killAfterSeconds ?? 0
    if (entry === undefined || status.state !== 'TASK_RUNNING' || killAfterSeconds === 0 || entry.killAsked) return
    this.#later(killAfterSeconds * 1000, () => {
      if (entry.end === undefined) this.#perform(this.program.kill(this.#state, entry))
    })
  }

  /** The master refuses it for good: removed while it was away. A new framework takes up the work. */
  #failed(message: string): void {
    if (message !== 'Framework has been removed' && message !== 'Framework failed over') {
      throw new Violation('frameworks are welcome', `${this.name} was refused: ${message}`)
    }
    this.#beginAnew()
  }

  #beginAnew(): void {
    this.#end()
    this.program.startOver()
    this.#state = createFramework({ info: infoOf(this.program.spec) })
    this.start()
  }
}

function infoOf(spec: WorkloadFramework): FrameworkState['info'] {
  return {
    user: 'root',
    name: spec.name,
    roles: [spec.role],
    checkpoint: spec.checkpoint,
    failover_timeout: spec.failoverTimeoutSeconds,
    capabilities: [
      { type: 'MULTI_ROLE' },
      { type: 'RESERVATION_REFINEMENT' },
      ...(spec.partitionAware ? [{ type: 'PARTITION_AWARE' as const }] : []),
    ],
  }
}
