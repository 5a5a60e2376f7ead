import type { Event } from '@isthmus/proto/gen/executor'
import type { ContainerSpec } from '../agent/effects.ts'
import type { AgentEvent } from '../agent/events.ts'
import { nextFraction } from '../base/random.ts'
import type { Clock } from './clocks.ts'
import { ExecutorProcess } from './executor-process.ts'
import type { SeenContainer } from './sightings.ts'
import type { Surroundings } from './surroundings.ts'

/** What a simulated process does: `run <milliseconds> exit <code>`. */
const COMMAND = /^run (\d+) exit (\d+)$/
/** Longest time to start a process on a healthy machine. */
const START_MS = 300
/** Longest time a process takes to end after a signal. */
const END_MS = 400

const SIGTERM = 15
const SIGKILL = 9

/** What the processes of a machine tell its agent. */
export type ProcessEvent = Extract<
  AgentEvent,
  { kind: 'containerStarted' | 'containerLaunchFailed' | 'containerExited' | 'executorCalled' }
>

/** What the processes of a machine need of it. */
export interface ContainersOptions {
  readonly host: string
  readonly clock: Clock
  readonly post: (event: ProcessEvent) => void
}

interface Running {
  readonly seen: SeenContainer
  readonly spec: ContainerSpec
  phase: 'starting' | 'running' | 'ended'
  isEnding: boolean
  /** What runs in it, when that is a custom executor. */
  executor: ExecutorProcess | undefined
}

/** The processes of one machine: what the containerizer is to a real agent. */
export class SimulatedContainers {
  readonly #world: Surroundings
  readonly #host: string
  readonly #clock: Clock
  readonly #post: (event: ProcessEvent) => void
  readonly #all = new Map<string, Running>()
  /** Executors that wait for an answer to their SUBSCRIBE, and those that have a stream. */
  readonly #subscribing = new Map<string, ExecutorProcess>()
  readonly #streams = new Map<string, ExecutorProcess>()
  #pids = 100
  #requests = 0

  constructor(world: Surroundings, { host, clock, post }: ContainersOptions) {
    this.#world = world
    this.#host = host
    this.#clock = clock
    this.#post = post
  }

  /** Starts a process; what it does is in its command. */
  launch(spec: ContainerSpec): void {
    const { containerId, environment } = spec
    const seen: SeenContainer = {
      host: this.#host,
      containerId,
      frameworkId: environment.MESOS_FRAMEWORK_ID ?? '',
      taskId: environment.MESOS_TASK_ID ?? '',
    }
    const container: Running = { seen, spec, phase: 'starting', isEnding: false, executor: undefined }
    this.#all.set(containerId, container)
    this.#after(START_MS, container, () => this.#start(container))
  }

  /** Sends a signal; most processes end on SIGTERM. */
  signal(containerId: string, signal: string): void {
    const container = this.#all.get(containerId)
    const isStubborn = nextFraction(this.#world.random) < this.#world.health.stubbornChance
    if (container?.phase !== 'running' || isStubborn) return
    this.#endSoon(container, signal === 'SIGKILL' ? SIGKILL : SIGTERM)
  }

  /** Kills everything in a container, also one that is being started. */
  destroy(containerId: string): void {
    const container = this.#all.get(containerId)
    if (container === undefined || container.phase === 'ended') return
    this.#endSoon(container, SIGKILL)
  }

  /** The agent answers a SUBSCRIBE with a stream. */
  openStream(requestId: string, streamId: string): void {
    const executor = this.#subscribing.get(requestId)
    if (executor !== undefined) this.#streams.set(streamId, executor)
  }

  /** The agent says something to an executor. */
  sendEvent(streamId: string, event: Event): void {
    const executor = this.#streams.get(streamId)
    this.#world.schedule.after(1, () => executor?.heard(event))
  }

  closeStream(streamId: string): void {
    this.#streams.delete(streamId)
  }

  /** The machine lost power: everything is gone at once, and nobody is told. */
  crash(): void {
    for (const container of this.#all.values()) {
      if (container.phase === 'running') this.#seeEnd(container, SIGKILL)
      container.phase = 'ended'
    }
    this.#all.clear()
  }

  #start(container: Running): void {
    const { containerId } = container.seen
    const { schedule, health, see } = this.#world
    if (container.isEnding) return
    if (health.fullDisks.has(this.#host)) {
      this.#forget(container)
      const message = 'no space left on device'
      this.#post({ kind: 'containerLaunchFailed', atMs: this.#clock.nowMs, containerId, phase: 'sandbox', message })
      return
    }
    container.phase = 'running'
    const isTask = container.seen.taskId !== ''
    if (isTask) see({ kind: 'containerStarted', container: container.seen })
    this.#post({ kind: 'containerStarted', atMs: this.#clock.nowMs, containerId, pid: this.#pids++ })
    if (!isTask) {
      this.#startExecutor(container)
      return
    }
    const [, runMs = '0', exitCode = '0'] = COMMAND.exec(container.spec.command.value ?? '') ?? []
    schedule.after(Number(runMs), () => this.#end(container, Number(exitCode) << 8))
  }

  #startExecutor(container: Running): void {
    const executor: ExecutorProcess = new ExecutorProcess(this.#world, {
      clock: this.#clock,
      container: container.seen,
      executorId: container.spec.environment.MESOS_EXECUTOR_ID ?? '',
      call: (call) => {
        const requestId = `x${this.#requests++}`
        if (call.type === 'SUBSCRIBE') this.#subscribing.set(requestId, executor)
        this.#post({ kind: 'executorCalled', atMs: this.#clock.nowMs, requestId, call })
        this.#subscribing.delete(requestId)
      },
      exit: (waitStatus) => this.#end(container, waitStatus),
    })
    container.executor = executor
    executor.start()
  }

  #endSoon(container: Running, waitStatus: number): void {
    container.isEnding = true
    this.#after(END_MS, container, () => this.#end(container, waitStatus))
  }

  #end(container: Running, waitStatus: number): void {
    if (container.phase === 'ended') return
    const { containerId } = container.seen
    const atMs = this.#clock.nowMs
    const hasRun = container.phase === 'running'
    this.#forget(container)
    if (hasRun) {
      this.#seeEnd(container, waitStatus)
      this.#post({ kind: 'containerExited', atMs, containerId, waitStatus })
    } else {
      this.#post({ kind: 'containerLaunchFailed', atMs, containerId, phase: 'launch', message: 'destroyed' })
    }
  }

  #forget(container: Running): void {
    if (container.phase !== 'running') container.phase = 'ended'
    this.#all.delete(container.seen.containerId)
  }

  #seeEnd(container: Running, waitStatus: number): void {
    container.phase = 'ended'
    container.executor?.end()
    if (container.seen.taskId !== '') this.#world.see({ kind: 'containerEnded', container: container.seen, waitStatus })
  }

  #after(atMostMs: number, container: Running, run: () => void): void {
    const factor = this.#world.health.slowHosts.get(this.#host) ?? 1
    this.#world.schedule.after(1 + atMostMs * factor * nextFraction(this.#world.random), () => {
      if (container.phase !== 'ended') run()
    })
  }
}
