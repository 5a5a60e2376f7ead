import type { AgentMessage } from '@isthmus/proto/gen/agent-link'
import type { TaskStatus } from '@isthmus/proto/gen/mesos'
import { isTerminal } from '../../framework/task-states.ts'
import type { SeenContainer, Sighting } from '../sightings.ts'
import { mustHold } from '../violation.ts'
import type { Books } from './books.ts'
import type { Checker } from './checker.ts'

/** How a container ended. */
interface Ended {
  readonly container: SeenContainer
  readonly waitStatus: number
  /** Its machine lost power, so nobody can tell how it ended. */
  readonly isCrash: boolean
}

/** What containers of a framework that was removed may take until they have ended. */
const SHUTDOWN_MS = 120_000

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
  readonly #ended = new Map<string, Ended>()
  readonly #told = new Map<string, TaskStatus>()
  readonly #removedAtMs = new Map<string, number>()

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
          isCrash: false,
        })
        return
      case 'agentEnded':
        this.#agentEnded(sighting.host)
        return
      case 'agentSaid':
        this.#checkEndSaid(sighting.linkId, sighting.message)
        return
      case 'updateHeard':
        this.#updateHeard(sighting.frameworkId, sighting.status)
        return
      case 'noted':
        if (sighting.message === 'framework removed') this.#removedAtMs.set(String(sighting.fields.frameworkId), atMs)
        return
      default:
        return
    }
  }

  /** What runs now, on all machines. */
  running(): SeenContainer[] {
    return [...this.#running.values()].flatMap((containers) => [...containers.values()])
  }

  /** To be asked now and then: what was removed long ago must have ended where it could be told. */
  look(atMs: number, isReachable: (host: string) => boolean): void {
    for (const { frameworkId, host, taskId } of this.running()) {
      const removedAtMs = this.#removedAtMs.get(frameworkId)
      const isOverdue = removedAtMs !== undefined && atMs - removedAtMs > SHUTDOWN_MS && isReachable(host)
      mustHold(!isOverdue, 'removed frameworks run nothing', () => `${taskId} of ${frameworkId} still runs on ${host}`)
    }
  }

  ended(): void {
    const [left] = this.running()
    mustHold(left === undefined, 'everything ends', () => `${left?.taskId} still runs on ${left?.host}`)
    for (const [key, { container, isCrash }] of this.#ended) {
      if (isCrash || this.#books.removed.has(container.frameworkId)) continue
      mustHold(
        this.#told.has(key),
        'each end is told',
        () => `the end of ${container.taskId} on ${container.host} was never told`,
      )
    }
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
    let containers = this.#running.get(container.host)
    if (containers === undefined) {
      containers = new Map()
      this.#running.set(container.host, containers)
    }
    containers.set(container.containerId, container)
    this.#checkUse(container.host, containers)
  }

  /** Containers of one executor share what it has. */
  #checkUse(host: string, containers: ReadonlyMap<string, SeenContainer>): void {
    const machine = this.#machines.get(host)
    if (machine === undefined) return
    const byExecutor = new Map<string, SeenContainer>()
    for (const container of containers.values()) {
      if (this.#books.removed.has(container.frameworkId)) continue
      byExecutor.set(container.containerId.split('.')[0]!, container)
    }
    let [cpusMilli, memoryMb] = [0, 0]
    for (const container of byExecutor.values()) {
      cpusMilli += container.cpusMilli
      memoryMb += container.memoryMb
    }
    mustHold(
      cpusMilli <= machine.cpus * 1000 + 1 && memoryMb <= machine.memoryMb + 1,
      'machines are not overloaded',
      () => {
        return `${host} has ${machine.cpus} cpus and ${machine.memoryMb} MB; what runs there has ${cpusMilli / 1000} and ${memoryMb}`
      },
    )
  }

  #agentEnded(host: string): void {
    for (const [key, ended] of this.#ended) {
      if (ended.container.host === host && !this.#told.has(key)) this.#ended.set(key, { ...ended, isCrash: true })
    }
  }

  /** An agent tells the end of a task only when it runs no more. */
  #checkEndSaid(linkId: string, { status_update: update }: AgentMessage): void {
    if (update === undefined || !isTerminal(update.latest_state ?? update.status.state)) return
    const host = this.#books.agentOf(linkId)?.host
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
    const expected = statesOf(ended.waitStatus)
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
function statesOf(waitStatus: number): readonly string[] {
  if (waitStatus === 0) return ['TASK_FINISHED', 'TASK_KILLED']
  return ['TASK_FAILED', 'TASK_KILLED']
}
