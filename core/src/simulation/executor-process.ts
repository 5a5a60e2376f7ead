import type { Call, Event } from '@isthmus/proto/gen/executor'
import type { TaskInfo, TaskState } from '@isthmus/proto/gen/mesos'
import { nextFraction, nextUuidBytes } from '../base/random.ts'
import type { Clock } from './clocks.ts'
import type { SeenContainer } from './sightings.ts'
import type { Surroundings } from './surroundings.ts'

/** Longest time until an executor that was started subscribes, or a task that is killed has ended. */
const SUBSCRIBE_MS = 500
const KILL_MS = 300
/** An executor without tasks ends after this. */
const IDLE_MS = 2_000

const SIGKILL = 9

/** The label of a task that says what it does, as the command of others: `run <milliseconds> exit <code>`. */
export const TASK_LABEL = 'simulated'
const COMMAND = /^run (\d+) exit (\d+)$/

/** What an executor process needs of its machine. */
export interface ExecutorOptions {
  /** Its own container, without a task. */
  readonly container: SeenContainer
  readonly clock: Clock
  readonly executorId: string
  /** Calls its agent; an answer to SUBSCRIBE comes by `opened`. */
  readonly call: (call: Call) => void
  /** It ends by itself. */
  readonly exit: (waitStatus: number) => void
}

/** A custom executor: a program that runs tasks on its own, and tells its agent of them. */
export class ExecutorProcess {
  readonly #world: Surroundings
  readonly #options: ExecutorOptions
  /** Tasks that run, by id. */
  readonly #tasks = new Map<string, SeenContainer>()
  /** Updates that the agent has not acknowledged. */
  #unacknowledged = 0
  #isOver = false
  /** Raised with each change, so that an idle executor waits from the last one on. */
  #changes = 0

  constructor(world: Surroundings, options: ExecutorOptions) {
    this.#world = world
    this.#options = options
  }

  /** It has been started; some never come so far as to subscribe. */
  start(): void {
    const { random, health } = this.#world
    if (nextFraction(random) < health.brokenExecutorChance) return
    this.#after(SUBSCRIBE_MS, () => this.#call({ type: 'SUBSCRIBE', subscribe: {} }))
    if (nextFraction(random) < health.brokenExecutorChance) this.#after(20_000, () => this.#exit(1 << 8))
  }

  /** Its agent says something. */
  heard(event: Event): void {
    if (this.#isOver) return
    switch (event.type) {
      case 'LAUNCH':
        if (event.launch !== undefined) this.#launch(event.launch.task)
        return
      case 'KILL': {
        const id = event.kill?.task_id.value ?? ''
        this.#after(KILL_MS, () => this.#endTask(id, 'TASK_KILLED', SIGKILL))
        return
      }
      case 'ACKNOWLEDGED':
        this.#unacknowledged -= 1
        this.#watchIdleness()
        return
      case 'SHUTDOWN':
        this.#after(KILL_MS, () => this.#exit(0))
        return
      default:
        this.#watchIdleness()
    }
  }

  /** The process is no more: neither are its tasks. */
  end(): void {
    this.#isOver = true
    for (const container of this.#tasks.values()) {
      this.#world.see({ kind: 'containerEnded', container, waitStatus: SIGKILL })
    }
    this.#tasks.clear()
  }

  #launch(task: TaskInfo): void {
    const taskId = task.task_id.value
    const { host, frameworkId, containerId } = this.#options.container
    const container: SeenContainer = { host, frameworkId, taskId, containerId: `${containerId}.${taskId}` }
    const text = task.labels?.labels?.find(({ key }) => key === TASK_LABEL)?.value ?? ''
    const [, runMs = '0', code = '0'] = COMMAND.exec(text) ?? []
    this.#changes += 1
    this.#tasks.set(taskId, container)
    this.#world.see({ kind: 'containerStarted', container })
    this.#update(taskId, 'TASK_RUNNING')
    const exitCode = Number(code)
    this.#world.schedule.after(Number(runMs), () => {
      if (exitCode === 0) this.#endTask(taskId, 'TASK_FINISHED', 0)
      else this.#endTask(taskId, 'TASK_FAILED', exitCode << 8)
    })
  }

  #endTask(taskId: string, state: TaskState, waitStatus: number): void {
    const container = this.#tasks.get(taskId)
    if (this.#isOver || container === undefined) return
    this.#tasks.delete(taskId)
    this.#world.see({ kind: 'containerEnded', container, waitStatus })
    this.#update(taskId, state, state === 'TASK_FAILED' ? `exited with status ${waitStatus >> 8}` : undefined)
  }

  #update(taskId: string, state: TaskState, message?: string): void {
    const { random } = this.#world
    this.#unacknowledged += 1
    this.#call({
      type: 'UPDATE',
      update: {
        status: {
          task_id: { value: taskId },
          state,
          message,
          source: 'SOURCE_EXECUTOR',
          uuid: nextUuidBytes(random),
          timestamp: this.#options.clock.nowMs / 1000,
        },
      },
    })
  }

  #watchIdleness(): void {
    this.#changes += 1
    if (this.#tasks.size > 0 || this.#unacknowledged > 0) return
    const changes = this.#changes
    this.#world.schedule.after(IDLE_MS, () => {
      if (changes === this.#changes) this.#exit(0)
    })
  }

  #exit(waitStatus: number): void {
    if (!this.#isOver) this.#options.exit(waitStatus)
  }

  #call(call: Pick<Call, 'type' | 'subscribe' | 'update'>): void {
    const { container, executorId } = this.#options
    this.#options.call({
      ...call,
      executor_id: { value: executorId },
      framework_id: { value: container.frameworkId },
    })
  }

  #after(atMostMs: number, run: () => void): void {
    const factor = this.#world.health.slowHosts.get(this.#options.container.host) ?? 1
    this.#world.schedule.after(1 + atMostMs * factor * nextFraction(this.#world.random), () => {
      if (!this.#isOver) run()
    })
  }
}
