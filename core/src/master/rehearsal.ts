/**
 * A stage for tests and transcripts: a master with frameworks and agents that do what the test says, in virtual time. Stores records at once
 * (unless held), fires timers when time passes, keeps what every stream and link was sent, and checks the invariants after each step.
 */

import type { AgentMessage, MasterMessage } from '@isthmus/proto/gen/agent-link'
import type { Call as OperatorCall, Event as OperatorEvent, Response } from '@isthmus/proto/gen/master'
import type { FrameworkInfo, Resource, TaskInfo, TaskState, TaskStatus } from '@isthmus/proto/gen/mesos'
import type { Call, Event } from '@isthmus/proto/gen/scheduler'
import { assert } from '../base/assert.ts'
import { createRandom, nextUuidBytes, type Random } from '../base/random.ts'
import { Resources } from '../resources/resources.ts'
import type { MasterEffect } from './effects.ts'
import type { MasterEvent, MasterTimer } from './events.ts'
import { checkInvariants } from './invariants.ts'
import { createMaster, step } from './master.ts'
import { type MasterFlags, masterOptions } from './options.ts'
import type { RegistryRecord } from './registry.ts'
import type { MasterState } from './state.ts'

/** An answer to a request. */
export interface Answer {
  readonly status: number
  readonly text?: string | undefined
  readonly response?: Response | undefined
  readonly streamId?: string | undefined
  readonly linkId?: string | undefined
}

/** A framework on stage. */
export interface StageFramework {
  readonly id: string
  readonly streamId: string
  /** All events so far, heartbeats left out. */
  readonly events: Event[]
}

/** An agent on stage. */
export interface StageAgent {
  readonly id: string
  readonly linkId: string
  readonly messages: MasterMessage[]
}

/** An event without its time. */
export type Cue = MasterEvent extends infer E ? (E extends MasterEvent ? Omit<E, 'atMs'> : never) : never

const START_MS = 1_700_000_000_000

/** The stage. */
export class Rehearsal {
  readonly state: MasterState
  readonly records: RegistryRecord[]
  readonly events = new Map<string, Event[]>()
  readonly operatorEvents = new Map<string, OperatorEvent[]>()
  readonly messages = new Map<string, MasterMessage[]>()
  readonly closed = new Set<string>()
  readonly timers = new Map<string, { timer: MasterTimer; atMs: number }>()
  /** Told of every step. */
  tell: ((cue: Cue, effects: readonly MasterEffect[]) => void) | undefined
  /** While true, writes wait for `store()`. */
  holdsWrites = false
  atMs = START_MS
  #answers = new Map<string, Answer>()
  #writes: { token: number; records: readonly RegistryRecord[] }[] = []
  #requests = 0
  #ports = 5051
  #random: Random = createRandom(7)

  constructor(
    flags: Partial<MasterFlags> & { readonly masterId?: string } = {},
    records: readonly RegistryRecord[] = [],
  ) {
    this.records = [...records]
    const options = masterOptions({
      masterId: 'm',
      hostname: 'master.test',
      ip: '127.0.0.1',
      port: 5050,
      version: '1.11.0',
      seed: 1,
      startAtMs: START_MS,
      electedAtMs: START_MS,
      ...flags,
    })
    this.state = createMaster(options, records)
    this.play({ kind: 'elected' })
  }

  /** Plays one event and everything that follows at the same time; returns all effects. */
  play(cue: Cue): MasterEffect[] {
    const effects = step(this.state, { ...cue, atMs: this.atMs } as MasterEvent)
    checkInvariants(this.state)
    this.tell?.(cue, effects)
    for (const effect of effects) this.#perform(effect)
    if (this.holdsWrites) return effects
    return [...effects, ...this.store()]
  }

  /** The records of the writes that wait, oldest first. */
  get waiting(): readonly (readonly RegistryRecord[])[] {
    return this.#writes.map(({ records }) => records)
  }

  /** Stores the writes that wait. */
  store(): MasterEffect[] {
    const effects: MasterEffect[] = []
    for (const { token, records } of this.#writes.splice(0)) {
      this.records.push(...records)
      effects.push(...this.play({ kind: 'registryCommitted', token }))
    }
    return effects
  }

  #perform(effect: MasterEffect): void {
    switch (effect.kind) {
      case 'respond':
        this.#answer(effect.requestId, { status: effect.status, text: effect.text })
        return
      case 'respondMessage':
        this.#answer(effect.requestId, { status: 200, response: effect.response })
        return
      case 'openStream':
        this.#answer(effect.requestId, { status: 200, streamId: effect.streamId })
        if (effect.of === 'scheduler') this.events.set(effect.streamId, [])
        else this.operatorEvents.set(effect.streamId, [])
        return
      case 'openLink':
        this.#answer(effect.requestId, { status: 200, linkId: effect.linkId })
        this.messages.set(effect.linkId, [])
        return
      case 'sendEvent':
        assert(!this.closed.has(effect.streamId), 'nothing is sent on a closed stream')
        if (effect.event.type !== 'HEARTBEAT') this.events.get(effect.streamId)!.push(effect.event)
        return
      case 'sendOperatorEvent':
        for (const id of effect.streamIds) {
          if (effect.event.type !== 'HEARTBEAT') this.operatorEvents.get(id)!.push(effect.event)
        }
        return
      case 'sendToAgent':
        assert(!this.closed.has(effect.linkId), 'nothing is sent on a closed link')
        this.messages.get(effect.linkId)!.push(effect.message)
        return
      case 'closeStream':
        this.closed.add(effect.streamId)
        return
      case 'closeLink':
        this.closed.add(effect.linkId)
        return
      case 'commitRegistry':
        this.#writes.push({ token: effect.token, records: effect.records })
        return
      case 'setTimer':
        this.timers.set(effect.key, { timer: effect.timer, atMs: effect.atMs })
        return
      case 'cancelTimer':
        this.timers.delete(effect.key)
        return
      case 'note':
      case 'abdicate':
        return
      default:
        effect satisfies never
    }
  }

  #answer(requestId: string, answer: Answer): void {
    assert(!this.#answers.has(requestId), 'a request is answered once')
    this.#answers.set(requestId, answer)
  }

  /** Lets time pass; timers fire when they are due, in order. */
  pass(ms: number): void {
    const untilMs = this.atMs + ms
    for (;;) {
      const due = [...this.timers].filter(([, { atMs }]) => atMs <= untilMs).sort(([, a], [, b]) => a.atMs - b.atMs)[0]
      if (due === undefined) break
      const [key, { timer, atMs }] = due
      this.timers.delete(key)
      this.atMs = Math.max(this.atMs, atMs)
      this.play({ kind: 'timerFired', timer })
    }
    this.atMs = untilMs
  }

  /** A scheduler call; the answer. */
  call(call: Call, streamId?: string, principal?: string): Answer {
    const requestId = `r${this.#requests++}`
    this.play({ kind: 'schedulerCalled', requestId, call, streamId, principal })
    return this.#answered(requestId)
  }

  /** An operator call; the answer. */
  operate(call: OperatorCall): Answer {
    const requestId = `r${this.#requests++}`
    this.play({ kind: 'operatorCalled', requestId, call })
    return this.#answered(requestId)
  }

  #answered(requestId: string): Answer {
    const answer = this.#answers.get(requestId)
    assert(answer !== undefined || this.holdsWrites, 'every request is answered')
    return answer ?? { status: 0 }
  }

  /** Subscribes a framework (by default user root, role golden, MULTI_ROLE). */
  subscribe(info: Partial<FrameworkInfo> = {}, suppressed?: readonly string[]): StageFramework {
    const framework_info: FrameworkInfo = {
      user: 'root',
      name: 'f',
      roles: ['golden'],
      capabilities: [{ type: 'MULTI_ROLE' }],
      ...info,
    }
    const answer = this.call({
      type: 'SUBSCRIBE',
      framework_id: info.id,
      subscribe: { framework_info, suppressed_roles: suppressed },
    })
    const streamId = answer.streamId!
    const events = this.events.get(streamId)!
    const id = events.find(({ type }) => type === 'SUBSCRIBED')?.subscribed?.framework_id.value ?? ''
    return { id, streamId, events }
  }

  /** A call of a subscribed framework; the answer. */
  say(framework: StageFramework, call: Omit<Call, 'framework_id'>): Answer {
    return this.call({ ...call, framework_id: { value: framework.id } }, framework.streamId)
  }

  /** Registers an agent with 4 cpus, 4096 MB, 20000 MB of disk and some ports. */
  register(hostname = 'agent.test', resources: readonly Resource[] = AGENT_RESOURCES): StageAgent {
    const port = this.#ports++
    const message: AgentMessage = {
      type: 'REGISTER',
      register: {
        agent_info: { hostname, port, resources },
        version: '1.11.0',
        capabilities: AGENT_CAPABILITIES,
        address: { hostname, ip: '127.0.0.1', port },
      },
    }
    const linkId = this.connect(message).linkId!
    return { id: this.state.links.get(linkId) ?? '', linkId, messages: this.messages.get(linkId)! }
  }

  /** An agent's first message; the answer. */
  connect(message: AgentMessage): Answer {
    const requestId = `r${this.#requests++}`
    this.play({ kind: 'agentConnected', requestId, message })
    return this.#answered(requestId)
  }

  /** Messages of an agent. */
  hear(agent: StageAgent, ...messages: AgentMessage[]): void {
    this.play({ kind: 'agentMessages', linkId: agent.linkId, messages })
  }

  /** An agent's status update of a task. */
  update(agent: StageAgent, framework: StageFramework, task: string, state: TaskState, more: Partial<TaskStatus> = {}) {
    const uuid = nextUuidBytes(this.#random)
    const status: TaskStatus = {
      task_id: { value: task },
      state,
      source: 'SOURCE_EXECUTOR',
      agent_id: { value: agent.id },
      executor_id: { value: task },
      timestamp: this.atMs / 1000,
      uuid,
      ...more,
    }
    this.hear(agent, {
      type: 'STATUS_UPDATE',
      status_update: { framework_id: { value: framework.id }, status, latest_state: state },
    })
    return uuid
  }

  /** The ids of the offers a framework holds. */
  offersOf(framework: StageFramework): string[] {
    return [...(this.state.frameworks.get(framework.id)?.offers ?? [])]
  }

  /** Accepts all offers a framework holds with one LAUNCH. */
  launch(framework: StageFramework, ...tasks: TaskInfo[]): Answer {
    return this.say(framework, {
      type: 'ACCEPT',
      accept: {
        offer_ids: this.offersOf(framework).map((value) => ({ value })),
        operations: [{ type: 'LAUNCH', launch: { task_infos: tasks } }],
        filters: { refuse_seconds: 0 },
      },
    })
  }

  /** A command task. */
  task(agent: StageAgent, id: string, more: Partial<TaskInfo> = {}): TaskInfo {
    return {
      name: id,
      task_id: { value: id },
      agent_id: { value: agent.id },
      resources: [scalar('cpus', 0.1), scalar('mem', 32)],
      command: { value: 'sleep 1000' },
      ...more,
    }
  }

  /** What a framework has been told of tasks: state, reason and message of each update since the last call. */
  updatesOf(framework: StageFramework): string[] {
    const taken = framework.events.splice(0)
    return taken.flatMap(({ update }) => {
      if (update === undefined) return []
      const { task_id, state, reason, message } = update.status
      return [[task_id.value, state, reason, message].filter((part) => part !== undefined).join(' | ')]
    })
  }
}

/** What must not change when a call is refused: everything but counters, the generator and the allocator's own books. */
export function fingerprint(state: MasterState): string {
  return JSON.stringify(state, (field, value: unknown) => {
    if (
      field === 'counters' ||
      field === 'random' ||
      field === 'allocator' ||
      field === 'options' ||
      field === 'recentBags'
    )
      return undefined
    if (value instanceof Map) return [...value]
    if (value instanceof Set) return [...value]
    if (value instanceof Resources) return value.toString()
    return typeof value === 'bigint' ? String(value) : value
  })
}

/** A scalar resource as schedulers write it. */
export function scalar(name: string, value: number): Resource {
  return { name, type: 'SCALAR', scalar: { value } }
}

const AGENT_RESOURCES: readonly Resource[] = [
  scalar('cpus', 4),
  scalar('mem', 4096),
  scalar('disk', 20000),
  { name: 'ports', type: 'RANGES', ranges: { range: [{ begin: 31000, end: 31500 }] } },
]

const AGENT_CAPABILITIES = [
  { type: 'MULTI_ROLE' },
  { type: 'HIERARCHICAL_ROLE' },
  { type: 'RESERVATION_REFINEMENT' },
  { type: 'RESOURCE_PROVIDER' },
  { type: 'RESIZE_VOLUME' },
  { type: 'AGENT_OPERATION_FEEDBACK' },
  { type: 'AGENT_DRAINING' },
  { type: 'TASK_RESOURCE_LIMITS' },
] as const
