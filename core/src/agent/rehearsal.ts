// An agent rehearsed: tests play its master, its containers and its executors, and the clock.

import type { Call as OperatorCall } from '@isthmus/proto/gen/agent'
import type { AgentMessage, MasterMessage } from '@isthmus/proto/gen/agent-link'
import type { Call as ExecutorCall, Event as ExecutorEvent } from '@isthmus/proto/gen/executor'
import type { ExecutorInfo, FrameworkInfo, Resource, TaskInfo, TaskState, TaskStatus } from '@isthmus/proto/gen/mesos'
import { step } from './agent.ts'
import type { AgentEffect } from './effects.ts'
import type { AgentEvent, CheckOutcome } from './events.ts'
import { checkInvariants } from './invariants.ts'
import { AGENT_CAPABILITIES, AGENT_DEFAULTS, type AgentOptions, REGISTRATION_BACKOFF_MAX_MS } from './options.ts'
import { createAgent } from './state.ts'

/** A framework that wants nothing special. */
export const FRAMEWORK: FrameworkInfo = {
  user: 'root',
  name: 'f',
  id: { value: 'F' },
  roles: ['r'],
  capabilities: [{ type: 'MULTI_ROLE' }],
}

/** What a master says first. */
export const REGISTERED: MasterMessage = {
  type: 'REGISTERED',
  registered: {
    agent_id: { value: 'A' },
    total_ping_timeout_seconds: 1e6,
    master_info: { id: 'm', ip: 1, port: 5050, hostname: 'master' },
  },
}

/** What a rehearsed agent is told. */
export function rehearsedOptions(): AgentOptions {
  return {
    ...AGENT_DEFAULTS,
    info: {
      hostname: 'host',
      port: 5051,
      resources: [cpus(4), { name: 'mem', type: 'SCALAR', scalar: { value: 1024 } }],
    },
    version: '1.0.0',
    address: { hostname: 'host', ip: '127.0.0.1', port: 5051 },
    capabilities: AGENT_CAPABILITIES,
    workDir: '/work',
    seed: 1,
    startedAtMs: 0,
  }
}

/** An agent with its clock; timers fire when time passes them, invariants are checked after each step. */
export class Rehearsal {
  atMs = 0
  state = createAgent(rehearsedOptions())
  readonly effects: AgentEffect[] = []
  /** While true, `stored()` says when the disk has followed. */
  holdsDisk = false
  #reports = 0
  protected readonly pendingTimers = new Map<string, Extract<AgentEffect, { kind: 'setTimer' }>>()

  constructor() {
    this.post({ kind: 'masterDetected', atMs: 0 })
    this.pass(1000)
    this.post({ kind: 'linkOpened', atMs: this.atMs })
    this.master(REGISTERED)
    this.effects.length = 0
  }

  /** Applies one event; returns what it asked for but timers. */
  post(event: AgentEvent): AgentEffect[] {
    const effects = step(this.state, event)
    for (const effect of effects) {
      this.effects.push(effect)
      if (effect.kind === 'setTimer') this.pendingTimers.set(effect.key, effect)
      if (effect.kind === 'cancelTimer') this.pendingTimers.delete(effect.key)
    }
    checkInvariants(this.state)
    if (!this.holdsDisk && effects.some(({ kind }) => kind === 'storeResources')) this.stored()
    return effects.filter(({ kind }) => kind !== 'setTimer' && kind !== 'cancelTimer')
  }

  /** The disk has followed. */
  stored(): void {
    this.post({ kind: 'resourcesStored', atMs: this.atMs })
  }

  /** The process is gone, and its timers with it. */
  forgetTimers(): void {
    this.pendingTimers.clear()
  }

  /** Timers that are set. */
  get timers(): string[] {
    return [...this.pendingTimers.keys()]
  }

  pass(forMs: number): void {
    const untilMs = this.atMs + forMs
    for (;;) {
      const due = [...this.pendingTimers.values()]
        .filter(({ atMs }) => atMs <= untilMs)
        .sort((a, b) => a.atMs - b.atMs)[0]
      if (due === undefined) break
      this.pendingTimers.delete(due.key)
      this.atMs = Math.max(this.atMs, due.atMs)
      this.post({ kind: 'timerFired', atMs: this.atMs, timer: due.timer })
    }
    this.atMs = untilMs
  }

  master(message: MasterMessage): AgentEffect[] {
    return this.post({ kind: 'linkMessage', atMs: this.atMs, message })
  }

  run(task: Partial<TaskInfo> & { readonly id: string }, framework: FrameworkInfo = FRAMEWORK): AgentEffect[] {
    const { id, ...rest } = task
    return this.master({
      type: 'RUN_TASK',
      run_task: { framework_info: framework, task: taskInfo(id, { command: { value: 'sleep 9' }, ...rest }) },
    })
  }

  group(executorId: string, tasks: readonly TaskInfo[], framework: FrameworkInfo = FRAMEWORK): AgentEffect[] {
    const executor: ExecutorInfo = { type: 'DEFAULT', executor_id: { value: executorId } }
    return this.master({
      type: 'RUN_TASK_GROUP',
      run_task_group: { framework_info: framework, executor, task_group: { tasks } },
    })
  }

  kill(taskId: string, graceMs?: number): AgentEffect[] {
    const ids = { framework_id: { value: 'F' }, task_id: { value: taskId } }
    const policy = graceMs === undefined ? undefined : { grace_period: { nanoseconds: graceMs * 1e6 } }
    return this.master({ type: 'KILL_TASK', kill_task: { ...ids, kill_policy: policy } })
  }

  start(containerId: string): AgentEffect[] {
    return this.post({ kind: 'containerStarted', atMs: this.atMs, containerId, pid: 100 })
  }

  exit(containerId: string, waitStatus: number): AgentEffect[] {
    return this.post({ kind: 'containerExited', atMs: this.atMs, containerId, waitStatus })
  }

  fail(containerId: string, phase: 'sandbox' | 'fetch' | 'launch', message: string): AgentEffect[] {
    return this.post({ kind: 'containerLaunchFailed', atMs: this.atMs, containerId, phase, message })
  }

  /** An executor e of framework F calls. */
  executor(call: Partial<ExecutorCall>): AgentEffect[] {
    const full = { executor_id: { value: 'e' }, framework_id: { value: 'F' }, ...call }
    return this.post({ kind: 'executorCalled', atMs: this.atMs, requestId: 'q', call: full })
  }

  operator(call: OperatorCall, requestId = 'o'): AgentEffect[] {
    return this.post({ kind: 'operatorCalled', atMs: this.atMs, requestId, call })
  }

  /** Containers launched so far, in order. */
  get launched(): string[] {
    return this.effects.flatMap((effect) => (effect.kind === 'launchContainer' ? [effect.spec.containerId] : []))
  }

  get lastLaunched(): string {
    return this.launched.at(-1) ?? ''
  }

  /** Every update put to the master, acknowledging each as it comes. */
  statuses(): TaskStatus[] {
    const seen: TaskStatus[] = []
    for (let at = 0; at < this.effects.length; at++) {
      const effect = this.effects[at]
      const update = effect?.kind === 'sendToMaster' ? effect.message.status_update : undefined
      if (update === undefined) continue
      const repeated = seen.some(({ uuid }) => uuid?.join() === update.status.uuid?.join())
      if (!repeated) seen.push(update.status)
      if (!repeated) this.acknowledge(update.status)
    }
    return seen
  }

  acknowledge(status: TaskStatus): void {
    const uuid = status.uuid ?? new Uint8Array()
    this.master({
      type: 'ACKNOWLEDGE_STATUS',
      acknowledge_status: { framework_id: { value: 'F' }, task_id: status.task_id, uuid },
    })
  }

  states(): string[] {
    return this.statuses().map(({ task_id, state }) => `${task_id.value} ${state}`)
  }

  kinds<Kind extends AgentEffect['kind']>(kind: Kind): Extract<AgentEffect, { kind: Kind }>[] {
    return this.effects.filter((effect): effect is Extract<AgentEffect, { kind: Kind }> => effect.kind === kind)
  }

  /** The last check that was asked for ends. */
  check(outcome: CheckOutcome): AgentEffect[] {
    const checkId = this.kinds('runCheck').at(-1)?.checkId ?? ''
    return this.post({ kind: 'checkFinished', atMs: this.atMs, checkId, outcome })
  }

  /** Executor e subscribes; returns its stream. */
  subscribe(subscribe: NonNullable<ExecutorCall['subscribe']> = {}): string {
    this.executor({ type: 'SUBSCRIBE', subscribe })
    return this.kinds('openStream').at(-1)?.streamId ?? ''
  }

  /** Executor e reports a task. */
  report(taskId: string, state: TaskState, more: Partial<TaskStatus> = {}): AgentEffect[] {
    this.#reports += 1
    const status: TaskStatus = {
      task_id: { value: taskId },
      state,
      source: 'SOURCE_EXECUTOR',
      uuid: uuid(this.#reports),
      ...more,
    }
    return this.executor({ type: 'UPDATE', update: { status } })
  }

  /** What custom executors were sent, oldest first. */
  get events(): ExecutorEvent[] {
    return this.kinds('sendEvent').map(({ event }) => event)
  }

  /** What the master was sent, oldest first. */
  get told(): AgentMessage[] {
    return this.kinds('sendToMaster').map(({ message }) => message)
  }

  /** The link breaks and comes back. */
  reconnect(): void {
    this.post({ kind: 'linkClosed', atMs: this.atMs, reason: 'reset' })
    this.pass(REGISTRATION_BACKOFF_MAX_MS)
    this.post({ kind: 'linkOpened', atMs: this.atMs })
    this.master({ ...REGISTERED, type: 'REREGISTERED' })
  }
}

/** A task of framework F; without a command a reservation. */
export function taskInfo(id: string, rest: Partial<TaskInfo>): TaskInfo {
  return {
    name: id,
    task_id: { value: id },
    agent_id: { value: 'A' },
    resources: [{ ...cpus(0.1), allocation_info: { role: 'r' } }],
    ...rest,
  }
}

/** A scalar resource. */
export function cpus(value: number): Resource {
  return { name: 'cpus', type: 'SCALAR', scalar: { value } }
}

/** A custom executor. */
export const CUSTOM: ExecutorInfo = { executor_id: { value: 'e' }, command: { value: './executor' } }

/** A valid uuid that differs by its number. */
export function uuid(number: number): Uint8Array {
  return new Uint8Array([number >> 8, number & 255, 3, 4, 5, 6, 0x40, 8, 0x80, 1, 2, 3, 4, 5, 6, 7])
}
