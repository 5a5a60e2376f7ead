import type { AgentMessage, MasterMessage } from '@isthmus/proto/gen/agent-link'
import type { TaskStatus } from '@isthmus/proto/gen/mesos'
import type { Call } from '@isthmus/proto/gen/scheduler'
import { isTerminal } from '../../framework/task-states.ts'
import { Resources } from '../../resources/resources.ts'
import type { SeenContainer, Sighting } from '../sightings.ts'
import { mustHold } from '../violation.ts'
import type { Books } from './books.ts'
import type { Checker } from './checker.ts'
import { bagOf } from './holds.ts'
import { COMES_BACK } from './scheduler-side.ts'

/** How a container ended. */
interface Ended {
  readonly container: SeenContainer
  readonly waitStatus: number
  /** Its machine lost power, so nobody can tell how it ended. */
  readonly isCrash: boolean
  /** Its framework was removed. */
  readonly isDoomed: boolean
}

/** What containers of a framework that was removed, or of a task that is killed, may take until they have ended. */
const END_WITHIN_MS = 45_000

/**
 * What really runs: machines are never used beyond what they have, a task runs once, what is told of its end is what happened, and nothing
 * runs on that nobody wants.
 */
export class ContainerChecker implements Checker {
  readonly #books: Books
  readonly #machines: ReadonlyMap<string, { readonly cpus: number; readonly memoryMb: number }>
  /** What runs, by machine and container. */
  readonly #running = new Map<string, Map<string, SeenContainer>>()
  readonly #started = new Set<string>()
  /** What each task was launched with, by `framework task`. */
  readonly #needs = new Map<string, Resources>()
  /** Containers that are killed because their agent is gone. */
  readonly #orphans = new Set<string>()
  /** Machines without an agent. */
  readonly #down = new Set<string>()
  readonly #ended = new Map<string, Ended>()
  readonly #told = new Map<string, TaskStatus>()
  /** Link → machine, for all masters. */
  readonly #hosts = new Map<string, string>()
  readonly #removedAtMs = new Map<string, number>()
  /** Containers whose framework their agent is told to shut down. */
  readonly #doomed = new Set<string>()
  /** When the leading master was asked to kill, by `framework task`. */
  readonly #killedAtMs = new Map<string, number>()

  constructor(books: Books, machines: ReadonlyMap<string, { readonly cpus: number; readonly memoryMb: number }>) {
    this.#books = books
    this.#machines = machines
  }

  see(sighting: Sighting, atMs: number): void {
    switch (sighting.kind) {
      case 'containerStarted':
        this.#containerStarted(sighting.container)
        return
      case 'containerEnded':
        this.#running.get(sighting.container.host)?.delete(sighting.container.containerId)
        this.#ended.set(keyOf(sighting.container), {
          container: sighting.container,
          waitStatus: sighting.waitStatus,
          isCrash: this.#orphans.has(sighting.container.containerId),
          isDoomed: this.#doomed.has(sighting.container.containerId),
        })
        return
      case 'masterStarted':
        this.#killedAtMs.clear()
        return
      case 'called':
        this.#called(sighting.streamId, sighting.call, atMs)
        return
      case 'agentStarted':
        this.#down.delete(sighting.host)
        return
      case 'agentEnded':
        this.#agentEnded(sighting.host, sighting.isFinal)
        return
      case 'agentSaid':
        this.#checkEndSaid(sighting.linkId, sighting.message)
        return
      case 'updateHeard':
        this.#updateHeard(sighting.frameworkId, sighting.status)
        return
      case 'noted':
        this.#noted(sighting.message, String(sighting.fields.frameworkId), atMs)
        return
      case 'agentTold':
        this.#agentTold(sighting.linkId, sighting.message)
        return
      case 'linkOpened':
        this.#linkOpened(sighting.linkId, sighting.message)
        return
      case 'deposed':
        this.#deposedSeen(sighting.sighting)
        return
      default:
        return
    }
  }

  /** What a deposed master is asked and notes is of no weight; what it says to agents is. */
  #deposedSeen(sighting: Sighting): void {
    if (sighting.kind === 'agentTold') this.#agentTold(sighting.linkId, sighting.message)
    if (sighting.kind === 'linkOpened') this.#linkOpened(sighting.linkId, sighting.message)
    if (sighting.kind === 'agentSaid') this.#checkEndSaid(sighting.linkId, sighting.message)
  }

  #linkOpened(linkId: string, { register, reregister }: AgentMessage): void {
    this.#hosts.set(linkId, (register ?? reregister)?.agent_info.hostname ?? '')
  }

  /** What runs now, on all machines. */
  running(): SeenContainer[] {
    return [...this.#running.values()].flatMap((containers) => [...containers.values()])
  }

  /** To be asked now and then: what was removed or killed long ago must have ended where it could be told. */
  look(atMs: number, linkedSinceMs: (host: string) => number | undefined): void {
    for (const container of this.running()) {
      const { frameworkId, host, taskId } = container
      const sinceMs = linkedSinceMs(host)
      if (sinceMs === undefined) continue
      const isOverdue = (whenMs: number | undefined): boolean =>
        whenMs !== undefined && atMs - Math.max(whenMs, sinceMs) > END_WITHIN_MS
      mustHold(!isOverdue(this.#removedAtMs.get(frameworkId)), 'removed frameworks run nothing', () => {
        return `${taskId} of ${frameworkId} still runs on ${host}`
      })
      mustHold(
        !isOverdue(this.#killedAtMs.get(keyOf(container))),
        'kills end tasks',
        () => `${taskId} still runs on ${host}`,
      )
    }
  }

  ended(): void {
    const [left] = this.running()
    mustHold(left === undefined, 'everything ends', () => `${left?.taskId} still runs on ${left?.host}`)
    for (const [key, { container, isCrash, isDoomed }] of this.#ended) {
      if (isCrash || isDoomed || this.#books.removed.has(container.frameworkId)) continue
      mustHold(
        this.#told.has(key),
        'each end is told',
        () => `the end of ${container.taskId} on ${container.host} was never told`,
      )
    }
  }

  #noted(message: string, frameworkId: string, atMs: number): void {
    if (message === 'framework removed') this.#removedAtMs.set(frameworkId, atMs)
    if (COMES_BACK.has(message)) this.#removedAtMs.delete(frameworkId)
  }

  #agentTold(linkId: string, message: MasterMessage): void {
    const { run_task, run_task_group } = message
    const frameworkId = (run_task ?? run_task_group)?.framework_info.id?.value
    const tasks = run_task === undefined ? run_task_group?.task_group.tasks : [run_task.task]
    for (const { task_id, resources } of tasks ?? [])
      this.#needs.set(`${frameworkId} ${task_id.value}`, bagOf(resources))
    this.#shutDown(linkId, message)
  }

  /** What is being shut down is given to others while it ends, as in Mesos, and its end need not be told. */
  #shutDown(linkId: string, { type, framework_id }: MasterMessage): void {
    if (type !== 'SHUTDOWN_FRAMEWORK' || framework_id === undefined) return
    const host = this.#hosts.get(linkId) ?? ''
    for (const container of this.#running.get(host)?.values() ?? []) {
      if (container.frameworkId === framework_id.value) this.#doomed.add(container.containerId)
    }
    for (const [key, ended] of this.#ended) {
      const isMeant = ended.container.host === host && ended.container.frameworkId === framework_id.value
      if (isMeant) this.#ended.set(key, { ...ended, isDoomed: true })
    }
  }

  #called(streamId: string | undefined, { type, kill }: Call, atMs: number): void {
    const framework = this.#books.frameworkOf(streamId)
    if (type !== 'KILL' || kill === undefined || framework === undefined) return
    const key = `${framework.id} ${kill.task_id.value}`
    // A master that does not know the task, since its agent has not come back, drops the kill.
    if (this.#books.holds(key) && !this.#killedAtMs.has(key)) this.#killedAtMs.set(key, atMs)
  }

  #containerStarted(container: SeenContainer): void {
    const key = keyOf(container)
    mustHold(
      !this.#started.has(key),
      'a task runs once',
      () => `${container.taskId} runs a second time, on ${container.host}`,
    )
    mustHold(!this.#told.has(key), 'a task ends once', () => `${container.taskId} runs after its end was told`)
    this.#started.add(key)
    if (!container.survives && this.#down.has(container.host)) this.#orphans.add(container.containerId)
    let containers = this.#running.get(container.host)
    if (containers === undefined) {
      containers = new Map()
      this.#running.set(container.host, containers)
    }
    containers.set(container.containerId, container)
    this.#checkUse(container.host, containers)
  }

  /** By what their tasks were launched with. */
  #checkUse(host: string, containers: ReadonlyMap<string, SeenContainer>): void {
    const machine = this.#machines.get(host)
    if (machine === undefined) return
    let used = Resources.empty
    for (const container of containers.values()) {
      if (this.#doomed.has(container.containerId)) continue
      used = used.plus(this.#needs.get(keyOf(container)) ?? Resources.empty)
    }
    const isOver = used.cpusMilli > machine.cpus * 1000 || used.memMilli > machine.memoryMb * 1000
    mustHold(!isOver, 'machines are not overloaded', () => {
      return `${host} has ${machine.cpus} cpus and ${machine.memoryMb} MB; what runs there has ${used}`
    })
  }

  /** What does not survive the process cannot be told any more; what does is told by the next one. */
  #agentEnded(host: string, isFinal: boolean): void {
    this.#down.add(host)
    for (const { containerId, survives } of this.#running.get(host)?.values() ?? []) {
      if (isFinal || !survives) this.#orphans.add(containerId)
    }
    for (const [key, ended] of this.#ended) {
      const isLost = ended.container.host === host && !this.#told.has(key)
      if (isLost && (isFinal || !ended.container.survives)) this.#ended.set(key, { ...ended, isCrash: true })
    }
  }

  /** An agent tells the end of a task only when it runs no more. */
  #checkEndSaid(linkId: string, { status_update: update }: AgentMessage): void {
    if (update === undefined || !isTerminal(update.latest_state ?? update.status.state)) return
    const host = this.#hosts.get(linkId)
    const taskId = update.status.task_id.value
    const containers = [...(this.#running.get(host ?? '')?.values() ?? [])]
    const left = containers.find((one) => one.taskId === taskId && one.frameworkId === update.framework_id.value)
    mustHold(left === undefined, 'ends are true', () => `${host} tells the end of ${taskId}, which still runs there`)
  }

  #updateHeard(frameworkId: string, status: TaskStatus): void {
    const { state, uuid, task_id, message } = status
    if (!isTerminal(state)) return
    const key = `${frameworkId} ${task_id.value}`
    const isAgents = uuid !== undefined && uuid.length > 0
    if (isAgents) this.#told.set(key, status)
    const ended = this.#ended.get(key)
    if (!isAgents || ended === undefined || ended.isCrash) return
    const expected = statesOf(ended.waitStatus, ended.container)
    mustHold(
      expected.includes(state),
      'ends are true',
      () => `${task_id.value} ended with ${ended.waitStatus}, told is ${state}: ${message}`,
    )
  }
}

function keyOf({ frameworkId, taskId }: SeenContainer): string {
  return `${frameworkId} ${taskId}`
}

/** What a wait status may be called: who was killed may have ended by itself before. */
function statesOf(waitStatus: number, { containerId, taskId }: SeenContainer): readonly string[] {
  // What only a custom executor knew is lost with it.
  const isCustom = containerId.endsWith(`.${taskId}`)
  if (waitStatus === 0 && !isCustom) return ['TASK_FINISHED', 'TASK_KILLED']
  if (waitStatus === 0) return ['TASK_FINISHED', 'TASK_KILLED', 'TASK_FAILED', 'TASK_LOST', 'TASK_GONE']
  // The last three when its executor ended under it.
  return ['TASK_FAILED', 'TASK_KILLED', 'TASK_LOST', 'TASK_GONE', 'TASK_DROPPED']
}
