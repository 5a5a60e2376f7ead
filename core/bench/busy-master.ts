/**
 * A master machine with many agents, frameworks and running tasks, without network: what it is told went through the codec, so that it
 * holds what a real one holds, strings and messages of its own for each task.
 */

import { decode, encode } from '@isthmus/proto/codec'
import type { AgentMessage } from '@isthmus/proto/gen/agent-link'
import type { ContainerStatus, Offer, Resource, TaskInfo, TaskState, TaskStatus } from '@isthmus/proto/gen/mesos'
import type { Call, Event } from '@isthmus/proto/gen/scheduler'
import { createRandom, nextUuidBytes } from '../src/base/random.ts'
import type { MasterEffect } from '../src/master/effects.ts'
import type { MasterEvent } from '../src/master/events.ts'
import { createMaster, step } from '../src/master/master.ts'
import { masterOptions } from '../src/master/options.ts'
import type { MasterState } from '../src/master/state.ts'
import { SEED } from './cluster.ts'
import { expect } from './stage.ts'

/** How much there is. Every framework launches `tasksPerOffer` tasks on an agent at a time, until each agent runs `tasksPerAgent`. */
export interface Load {
  readonly agents: number
  readonly frameworks: number
  readonly tasksPerAgent: number
  readonly tasksPerOffer: number
}

/** A task that runs. */
export interface RunningTask {
  readonly taskId: string
  readonly frameworkId: string
  readonly agentId: string
  readonly linkId: string
}

type Cue = MasterEvent extends infer E ? (E extends MasterEvent ? Omit<E, 'atMs'> : never) : never

const START_MS = 1_700_000_000_000

/** Jobs of a framework; tasks of one job are alike but for their ids. */
const JOBS = 50

/** What frameworks are told; anything else means that something went wrong. */
const STATES: ReadonlySet<TaskState> = new Set<TaskState>(['TASK_STARTING', 'TASK_RUNNING', 'TASK_FINISHED'])

const HEALTH = 'REASON_TASK_HEALTH_CHECK_STATUS_UPDATED'

function scalar(name: string, value: number): Resource {
  return { name, type: 'SCALAR', scalar: { value } }
}

/** The master and those it talks to. */
export class BusyMaster {
  readonly state: MasterState
  readonly load: Load
  atMs = START_MS
  /** Since it was set to 0. */
  longestStepMs = 0
  readonly #streams = new Map<string, string>()
  readonly #links = new Map<string, string>()
  readonly #offers: NonNullable<Event['offers']>['offers'][] = []
  readonly #random = createRandom(SEED)
  #requests = 0
  #tasks = 0

  constructor(load: Load) {
    this.load = load
    this.state = createMaster(
      masterOptions({
        masterId: 'c2b1f4a2-7a67-4ac9-8d6c-7f5d8e8a1b11',
        hostname: 'master',
        ip: '127.0.0.1',
        port: 5050,
        version: '1.11.0',
        seed: 7,
        startAtMs: START_MS,
        electedAtMs: START_MS,
      }),
    )
    this.#play({ kind: 'elected' })
  }

  /** Registers all agents. */
  addAgents(): void {
    for (let at = 0; at < this.load.agents; at++) {
      const hostname = `agent-${at}.example.net`
      const ip = `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`
      const resources = [
        scalar('cpus', this.load.tasksPerAgent),
        scalar('mem', this.load.tasksPerAgent * 1024),
        scalar('disk', 1_000_000),
        { name: 'ports', type: 'RANGES', ranges: { range: [{ begin: 31_000, end: 32_000 }] } } as const,
      ]
      const message = transported({
        type: 'REGISTER',
        register: {
          agent_info: { hostname, port: 5051, resources },
          version: '1.11.0',
          capabilities: [{ type: 'MULTI_ROLE' }, { type: 'HIERARCHICAL_ROLE' }, { type: 'RESERVATION_REFINEMENT' }],
          address: { hostname, ip, port: 5051 },
        },
      })
      this.#play({ kind: 'agentConnected', requestId: this.#request(), message })
    }
    expect(this.state.agents.size === this.load.agents, 'all agents are registered')
  }

  /** Subscribes all frameworks, each with a role of its own. */
  addFrameworks(): void {
    for (const [linkId, agentId] of this.state.links) this.#links.set(agentId!, linkId)
    for (let at = 0; at < this.load.frameworks; at++) {
      const capabilities = [{ type: 'MULTI_ROLE' }, { type: 'RESERVATION_REFINEMENT' }] as const
      const framework_info = { user: 'root', name: `framework-${at}`, roles: [`role-${at}`], capabilities }
      this.#call({ type: 'SUBSCRIBE', subscribe: { framework_info } })
    }
    expect(this.state.frameworks.size === this.load.frameworks, 'all frameworks are subscribed')
  }

  /** Launches tasks until every agent is full; each is said to be starting, then running. `visit` sees each task. */
  fill(visit: (task: RunningTask) => void = () => undefined): void {
    const all = this.load.agents * this.load.tasksPerAgent
    for (let rounds = 0; this.#tasks < all; rounds++) {
      expect(rounds < this.load.tasksPerAgent * 3, 'tasks are launched in every round')
      this.pass(1000)
      for (const offers of this.#offers.splice(0)) for (const offer of offers ?? []) this.#use(offer, visit)
    }
    const known = [...this.state.frameworks.values()].reduce((sum, { tasks }) => sum + tasks.size, 0)
    expect(known === all, `all tasks are known (${known} of ${all})`)
  }

  /** Launches tasks wherever there is room again, as `fill` does, in one round. */
  refill(visit: (task: RunningTask) => void): void {
    this.pass(1000)
    for (const offers of this.#offers.splice(0)) for (const offer of offers ?? []) this.#use(offer, visit)
  }

  /** A task that runs is found healthy. */
  check(task: RunningTask): void {
    this.update(task, 'TASK_RUNNING', { executor_pid: 4711 }, { healthy: true, reason: HEALTH })
  }

  /** A task ends well. */
  end(task: RunningTask): void {
    this.update(task, 'TASK_FINISHED', { executor_pid: 4711 })
  }

  /** Lets time pass and the batch allocation run. */
  pass(ms: number): void {
    this.atMs += ms
    this.#play({ kind: 'timerFired', timer: { kind: 'allocation' } })
  }

  /** The open stream of a framework. */
  streamOf(frameworkId: string): string {
    return this.#streams.get(frameworkId)!
  }

  /** A status update of a task by its agent, and its acknowledgement. */
  update(task: RunningTask, state: TaskState, container_status: ContainerStatus, more: Partial<TaskStatus> = {}): void {
    const uuid = this.tell(task, state, container_status, more)
    const { taskId, frameworkId, agentId } = task
    const acknowledge = { agent_id: { value: agentId }, task_id: { value: taskId }, uuid }
    this.#call({ type: 'ACKNOWLEDGE', framework_id: { value: frameworkId }, acknowledge })
  }

  /** A status update of a task by its agent; what it is acknowledged by. */
  tell(
    { taskId, frameworkId, agentId, linkId }: RunningTask,
    state: TaskState,
    container_status: ContainerStatus,
    more: Partial<TaskStatus> = {},
  ): Uint8Array {
    const uuid = nextUuidBytes(this.#random)
    const status = {
      task_id: { value: taskId },
      state,
      source: 'SOURCE_EXECUTOR' as const,
      agent_id: { value: agentId },
      executor_id: { value: taskId },
      timestamp: this.atMs / 1000,
      uuid,
      container_status,
      ...more,
    }
    const status_update = { framework_id: { value: frameworkId }, status, latest_state: state }
    const message = transported({ type: 'STATUS_UPDATE', status_update })
    this.#play({ kind: 'agentMessages', linkId, messages: [message] })
    return uuid
  }

  #use(offer: Offer, visit: (task: RunningTask) => void): void {
    const frameworkId = offer.framework_id.value
    const agentId = offer.agent_id.value
    const cpus = offer.resources?.find(({ name }) => name === 'cpus')?.scalar?.value ?? 0
    const tasks = Array.from({ length: Math.min(cpus, this.load.tasksPerOffer) }, () =>
      this.#task(agentId, frameworkId),
    )
    this.#call({
      type: 'ACCEPT',
      framework_id: { value: frameworkId },
      accept: {
        offer_ids: [offer.id],
        operations: [{ type: 'LAUNCH', launch: { task_infos: tasks } }],
        filters: { refuse_seconds: 0 },
      },
    })
    for (const { task_id } of tasks) {
      const task = { taskId: task_id.value, frameworkId, agentId, linkId: this.#links.get(agentId)! }
      const more: ContainerStatus = {
        container_id: { value: `${agentId}-${this.#tasks}`.slice(-36) },
        executor_pid: 4000 + (this.#tasks % 1000),
        network_infos: [{ ip_addresses: [{ protocol: 'IPv4', ip_address: '10.0.12.34' }] }],
      }
      this.update(task, 'TASK_STARTING', more)
      this.update(task, 'TASK_RUNNING', more)
      visit(task)
    }
  }

  #task(agentId: string, frameworkId: string): TaskInfo {
    const number = this.#tasks++
    const job = `job-${frameworkId.slice(-4)}-${number % JOBS}`
    return {
      name: job,
      task_id: { value: `${job}.instance-${number}` },
      agent_id: { value: agentId },
      resources: [scalar('cpus', 1), scalar('mem', 1024)],
      command: { value: 'exec ./service --port=$PORT0' },
      labels: {
        labels: [
          { key: 'team', value: 'search' },
          { key: 'job', value: job },
        ],
      },
    }
  }

  #call(call: Call): void {
    const sent = decode('mesos.v1.scheduler.Call', encode('mesos.v1.scheduler.Call', call))
    const streamId = call.framework_id && this.#streams.get(call.framework_id.value)
    this.#play({ kind: 'schedulerCalled', requestId: this.#request(), call: sent, streamId })
  }

  #request(): string {
    return `r${this.#requests++}`
  }

  #play(cue: Cue): void {
    const start = performance.now()
    const effects = step(this.state, { ...cue, atMs: this.atMs } as MasterEvent)
    this.longestStepMs = Math.max(this.longestStepMs, performance.now() - start)
    for (const effect of effects) this.#perform(effect)
  }

  #perform(effect: MasterEffect): void {
    if (effect.kind === 'commitRegistry') this.#play({ kind: 'registryCommitted', token: effect.token })
    else if (effect.kind === 'respond')
      expect(effect.status < 300, `a call is refused: ${effect.status} ${effect.text}`)
    else if (effect.kind === 'sendEvent') this.#hear(effect.streamId, effect.event)
  }

  #hear(streamId: string, event: Event): void {
    if (event.type === 'SUBSCRIBED') this.#streams.set(event.subscribed!.framework_id.value, streamId)
    else if (event.type === 'OFFERS') this.#offers.push(event.offers!.offers)
    else if (event.type === 'UPDATE') {
      const { state, message } = event.update!.status
      expect(STATES.has(state), `a task is ${state}: ${message}`)
    }
  }
}

/** As it comes out of the network. */
function transported(message: AgentMessage): AgentMessage {
  return decode('isthmus.agent_link.AgentMessage', encode('isthmus.agent_link.AgentMessage', message))
}
