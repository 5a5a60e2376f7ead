import type { Call, CallUpdate, Event } from '@isthmus/proto/gen/executor'
import type { TaskInfo, TaskState } from '@isthmus/proto/gen/mesos'
import { nextFraction, nextUuidBytes } from '../base/random.ts'
import type { SeenContainer } from './sightings.ts'
import type { Surroundings } from './surroundings.ts'

/** Longest time until an executor that was started subscribes, or a task that is killed has ended. */
const SUBSCRIBE_MS = 500
const KILL_MS = 300
/** Longest time until one that lost its agent tries again. */
const RESUBSCRIBE_MS = 1_000
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
  readonly executorId: string
  /** Calls its agent; false = there is none. */
  readonly call: (call: Call) => boolean
  /** It ends by itself. */
  readonly exit: (waitStatus: number) => void
}

/** A custom executor: a program that runs tasks on its own, and tells its agent of them. */
export class ExecutorProcess {
  readonly #world: Surroundings
  readonly #options: ExecutorOptions
  /** Tasks that run, by id. */
  readonly #tasks = new Map<string, SeenContainer>()
  /** Those of which the agent has not acknowledged any update. */
  readonly #unseen = new Map<string, TaskInfo>()
  /** Updates that the agent has not acknowledged, by uuid. */
  readonly #unacknowledged = new Map<string, CallUpdate>()
  #isSubscribed = false
  /** The answer to its last SUBSCRIBE; what comes on others is not read any more. */
  #streamId: string | undefined
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
    this.#after(SUBSCRIBE_MS, () => this.#subscribe())
    if (nextFraction(random) < health.brokenExecutorChance) this.#after(20_000, () => this.#exit(1 << 8))
  }

  /** Its agent is gone, or does not want it now: it tries again. */
  disconnected(): void {
    if (this.#isOver) return
    this.#isSubscribed = false
    this.#streamId = undefined
    this.#after(RESUBSCRIBE_MS, () => {
      if (!this.#isSubscribed) this.#subscribe()
    })
  }

  /** The agent answers its SUBSCRIBE. */
  opened(streamId: string): void {
    this.#streamId = streamId
  }

  /** The agent ended a stream. */
  streamClosed(streamId: string): void {
    if (streamId === this.#streamId) this.disconnected()
  }

  /** Its agent says something. */
  heard(streamId: string, event: Event): void {
    if (this.#isOver || streamId !== this.#streamId) return
    switch (event.type) {
      case 'SUBSCRIBED':
        this.#isSubscribed = true
        this.#watchIdleness()
        return
      case 'LAUNCH':
        if (event.launch !== undefined) this.#launch(event.launch.task)
        return
      case 'KILL': {
        const id = event.kill?.task_id.value ?? ''
        this.#after(KILL_MS, () => this.#endTask(id, 'TASK_KILLED', SIGKILL))
        return
      }
      case 'ACKNOWLEDGED':
        this.#unseen.delete(event.acknowledged?.task_id.value ?? '')
        this.#unacknowledged.delete(event.acknowledged?.uuid.join() ?? '')
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
    const { host, frameworkId, containerId, survives } = this.#options.container
    const container: SeenContainer = { host, frameworkId, taskId, containerId: `${containerId}.${taskId}`, survives }
    const text = task.labels?.labels?.find(({ key }) => key === TASK_LABEL)?.value ?? ''
    const [, runMs = '0', code = '0'] = COMMAND.exec(text) ?? []
    this.#changes += 1
    this.#tasks.set(taskId, container)
    this.#unseen.set(taskId, task)
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

  #subscribe(): void {
    this.#streamId = undefined
    const subscribe = {
      unacknowledged_tasks: [...this.#unseen.values()],
      unacknowledged_updates: [...this.#unacknowledged.values()],
    }
    if (!this.#call({ type: 'SUBSCRIBE', subscribe })) this.disconnected()
  }

  #update(taskId: string, state: TaskState, message?: string): void {
    const { schedule, random } = this.#world
    const uuid = nextUuidBytes(random)
    const status = {
      task_id: { value: taskId },
      state,
      message,
      source: 'SOURCE_EXECUTOR',
      uuid,
      timestamp: schedule.nowMs / 1000,
    } as const
    this.#unacknowledged.set(uuid.join(), { status })
    if (this.#isSubscribed) this.#call({ type: 'UPDATE', update: { status } })
  }

  #watchIdleness(): void {
    this.#changes += 1
    if (this.#tasks.size > 0 || this.#unacknowledged.size > 0) return
    const changes = this.#changes
    this.#world.schedule.after(IDLE_MS, () => {
      if (changes === this.#changes) this.#exit(0)
    })
  }

  #exit(waitStatus: number): void {
    if (!this.#isOver) this.#options.exit(waitStatus)
  }

  #call(call: Pick<Call, 'type' | 'subscribe' | 'update'>): boolean {
    const { container, executorId } = this.#options
    return this.#options.call({
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
