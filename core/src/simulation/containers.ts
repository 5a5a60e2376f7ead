import type { Event } from '@isthmus/proto/gen/executor'
import type { ContainerSpec } from '../agent/effects.ts'
import type { AgentEvent, EndedContainer, RunningContainer } from '../agent/events.ts'
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

/** The same without their time. */
type Untimed = ProcessEvent extends infer One ? (One extends ProcessEvent ? Omit<One, 'atMs'> : never) : never

/** The agent that looks after the processes of a machine. */
export interface Keeper {
  readonly clock: Clock
  readonly post: (event: ProcessEvent) => void
}

interface Running {
  readonly seen: SeenContainer
  readonly spec: ContainerSpec
  pid: number
  phase: 'starting' | 'running' | 'ended'
  isEnding: boolean
  /** What runs in it, when that is a custom executor. */
  executor: ExecutorProcess | undefined
}

/** What a launcher tells an agent that comes back. */
export interface Found {
  readonly running: readonly RunningContainer[]
  readonly ended: readonly EndedContainer[]
}

/**
 * The processes of one machine, and the launcher that watches them: what the containerizer is to a real agent. The launcher outlives the agent;
 * containers that do not survive it are killed, and the ends of the others are kept until an agent has taken them.
 */
export class SimulatedContainers {
  readonly #world: Surroundings
  readonly #host: string
  readonly #all = new Map<string, Running>()
  /** How those ended that survive their agent, until they are released. */
  readonly #ends = new Map<string, EndedContainer>()
  /** Executors that wait for an answer to their SUBSCRIBE, and those that have a stream. */
  readonly #subscribing = new Map<string, ExecutorProcess>()
  readonly #streams = new Map<string, ExecutorProcess>()
  #keeper: Keeper | undefined
  /** Raised with each agent that comes or goes. */
  #changes = 0
  #pids = 100
  #requests = 0

  constructor(world: Surroundings, host: string) {
    this.#world = world
    this.#host = host
  }

  /** An agent looks after the processes from now on. */
  attach(keeper: Keeper): void {
    this.#keeper = keeper
    this.#changes += 1
  }

  /** What runs, and what has ended while no agent was there or was not released by it. */
  found(): Found {
    const running = [...this.#all.values()].filter(({ phase }) => phase === 'running')
    return {
      running: running.map(({ seen: { containerId }, pid }) => ({ containerId, pid })),
      ended: [...this.#ends.values()],
    }
  }

  /** The agent is gone: who does not survive it is killed, the others run on for as long as they may. */
  detach(): void {
    this.#keeper = undefined
    this.#changes += 1
    this.#subscribing.clear()
    this.#streams.clear()
    let longestMs = 0
    for (const container of [...this.#all.values()]) {
      const { survivesMs = 0 } = container.spec
      if (container.phase === 'starting') this.#decideStart(container)
      else if (survivesMs === 0) this.#endSoon(container, SIGKILL)
      longestMs = Math.max(longestMs, survivesMs)
      container.executor?.disconnected()
    }
    const changes = this.#changes
    this.#world.schedule.after(longestMs, () => {
      if (changes !== this.#changes) return
      for (const container of this.#all.values()) this.#endSoon(container, SIGKILL)
    })
  }

  /** It was being prepared by its agent, or was just handed over to the launcher. */
  #decideStart(container: Running): void {
    const { survives } = container.seen
    const isHandedOver = survives && !container.isEnding && nextFraction(this.#world.random) < 0.5
    if (isHandedOver) this.#start(container)
    else this.#forget(container)
  }

  /** An agent knows how a container ended, for good. */
  release(containerId: string): void {
    this.#ends.delete(containerId)
  }

  /** Starts a process; what it does is in its command. */
  launch(spec: ContainerSpec): SeenContainer {
    const { containerId, environment } = spec
    const seen: SeenContainer = {
      host: this.#host,
      containerId,
      frameworkId: environment.MESOS_FRAMEWORK_ID ?? '',
      taskId: environment.MESOS_TASK_ID ?? '',
      survives: (spec.survivesMs ?? 0) > 0,
    }
    const container: Running = { seen, spec, pid: 0, phase: 'starting', isEnding: false, executor: undefined }
    this.#all.set(containerId, container)
    this.#after(START_MS, container, () => this.#start(container))
    return seen
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
    this.#subscribing.delete(requestId)
    if (executor === undefined) return
    executor.opened(streamId)
    this.#streams.set(streamId, executor)
  }

  /** The agent refuses a SUBSCRIBE; other answers are not looked at. */
  answer(requestId: string): void {
    const executor = this.#subscribing.get(requestId)
    this.#subscribing.delete(requestId)
    if (executor !== undefined) this.#world.schedule.after(1, () => executor.disconnected())
  }

  /** The agent says something to an executor. */
  sendEvent(streamId: string, event: Event): void {
    const executor = this.#streams.get(streamId)
    this.#world.schedule.after(1, () => executor?.heard(streamId, event))
  }

  closeStream(streamId: string): void {
    const executor = this.#streams.get(streamId)
    this.#streams.delete(streamId)
    if (executor !== undefined) this.#world.schedule.after(1, () => executor.streamClosed(streamId))
  }

  /** The machine lost power: everything is gone at once, and nobody is told. */
  crash(): void {
    for (const container of this.#all.values()) {
      if (container.phase === 'running') this.#seeEnd(container, SIGKILL)
      container.phase = 'ended'
    }
    this.#all.clear()
    this.#ends.clear()
    this.#subscribing.clear()
    this.#streams.clear()
  }

  #start(container: Running): void {
    const { containerId } = container.seen
    const { schedule, health, see } = this.#world
    if (container.isEnding || container.phase !== 'starting') return
    if (health.fullDisks.has(this.#host)) {
      this.#forget(container)
      this.#post({ kind: 'containerLaunchFailed', containerId, phase: 'sandbox', message: 'no space left on device' })
      return
    }
    container.phase = 'running'
    container.pid = this.#pids++
    const isTask = container.seen.taskId !== ''
    if (isTask) see({ kind: 'containerStarted', container: container.seen })
    this.#post({ kind: 'containerStarted', containerId, pid: container.pid })
    if (!isTask) {
      this.#startExecutor(container)
      return
    }
    const [, runMs = '0', exitCode = '0'] = COMMAND.exec(container.spec.command.value ?? '') ?? []
    schedule.after(Number(runMs), () => this.#end(container, Number(exitCode) << 8))
  }

  #startExecutor(container: Running): void {
    const executor: ExecutorProcess = new ExecutorProcess(this.#world, {
      container: container.seen,
      executorId: container.spec.environment.MESOS_EXECUTOR_ID ?? '',
      call: (call) => {
        const requestId = `x${this.#requests++}`
        if (this.#keeper === undefined) return false
        if (call.type === 'SUBSCRIBE') this.#subscribing.set(requestId, executor)
        this.#post({ kind: 'executorCalled', requestId, call })
        return true
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
    const { containerId, survives } = container.seen
    const hasRun = container.phase === 'running'
    this.#forget(container)
    if (hasRun) {
      this.#seeEnd(container, waitStatus)
      if (survives) this.#ends.set(containerId, { containerId, waitStatus })
      this.#post({ kind: 'containerExited', containerId, waitStatus })
    } else {
      this.#post({ kind: 'containerLaunchFailed', containerId, phase: 'launch', message: 'destroyed' })
    }
  }

  /** Tells the agent, if one is there. */
  #post(event: Untimed): void {
    const keeper = this.#keeper
    keeper?.post({ ...event, atMs: keeper.clock.nowMs } as ProcessEvent)
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
