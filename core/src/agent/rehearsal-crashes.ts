// An agent rehearsed with crashes: between any two effects it may die; its records, its containers and its executors survive, and the
// next life goes on with them. What a surviving launcher, a master and executors would see is checked on the way.

import type { Call as ExecutorCall, Event as ExecutorEvent } from '@isthmus/proto/gen/executor'
import type { FrameworkInfo, TaskState, TaskStatus } from '@isthmus/proto/gen/mesos'
import { assert } from '../base/assert.ts'
import {
  createExecutorMachine,
  type ExecutorEffect,
  type ExecutorState,
  stepExecutor,
  update,
} from '../framework/executor.ts'
import { isTerminal } from '../framework/task-states.ts'
import { step } from './agent.ts'
import type { AgentEffect } from './effects.ts'
import type { AgentEvent, EndedContainer } from './events.ts'
import { checkInvariants } from './invariants.ts'
import { type AgentRecord, decodeRecord, encodeRecord } from './records.ts'
import { recover } from './recovery.ts'
import { FRAMEWORK, Rehearsal, rehearsedOptions } from './rehearsal.ts'
import { snapshot } from './snapshot.ts'
import { createAgent, hex } from './state.ts'

/** A framework whose tasks survive their agent. */
export const CHECKPOINTING: FrameworkInfo = {
  ...FRAMEWORK,
  checkpoint: true,
  capabilities: [{ type: 'MULTI_ROLE' }, { type: 'TASK_KILLING_STATE' }, { type: 'PARTITION_AWARE' }],
}

/** A container in the launcher; without pid it is being launched. */
interface Kept {
  pid: number | undefined
  readonly isExecutor: boolean
}

/** An executor's program, and its stream. */
interface Program {
  readonly machine: ExecutorState
  streamId: string | undefined
}

/** See the file's header. Everything is posted to the life that is there. */
export class CrashRehearsal extends Rehearsal {
  /** What is durable. */
  journal: Uint8Array[] = []
  /** Lives so far. */
  lives = 1
  readonly kept = new Map<string, Kept>()
  readonly ended = new Map<string, EndedContainer>()
  readonly programs = new Map<string, Program>()
  /** Uuids that the master was sent, by task, in the order of their first time. */
  readonly sent = new Map<string, string[]>()
  /** Newest update that the master has of each task. */
  readonly newest = new Map<string, TaskStatus>()
  #isReady = false
  #isBusy = false
  #effectsLeft: number | undefined
  #requests = 0
  #programCount = 0
  readonly #todo: (() => void)[] = []
  readonly #forPrograms: (() => void)[] = []
  readonly #calls = new Map<string, { readonly containerId: string; readonly call: ExecutorCall }>()
  /** By the records: what runs, which updates there are in order, what is acknowledged and what was asked to end. */
  readonly #live = new Map<string, string>()
  readonly #updates = new Map<string, string[]>()
  readonly #acknowledged = new Set<string>()
  readonly #asked = new Set<string>()
  readonly #ownEnds = new Map<string, TaskState>()
  readonly #launchedOnce = new Set<string>()
  readonly #arrivals = new Map<string, number>()

  constructor() {
    super()
    this.#isReady = true
  }

  override post(event: AgentEvent): AgentEffect[] {
    // The first life begins in the base class, before there is a world around it.
    if (!(#isReady in this && this.#isReady)) return super.post(event)
    if (this.#isBusy) {
      this.#todo.push(() => this.post(event))
      return []
    }
    this.#isBusy = true
    const effects = step(this.state, event)
    const isOver = effects.some((effect) => !this.#performs(effect))
    this.#isBusy = false
    if (isOver) this.#crash()
    else checkInvariants(this.state)
    for (let next = this.#next(); next !== undefined; next = this.#next()) next()
    return effects
  }

  #next(): (() => void) | undefined {
    return this.#isBusy ? undefined : (this.#forPrograms.shift() ?? this.#todo.shift())
  }

  /** The agent dies before it does one more thing than so many. */
  doom(effects: number): void {
    this.#effectsLeft = effects
  }

  override start(containerId: string): AgentEffect[] {
    const kept = this.kept.get(containerId)
    if (kept === undefined || kept.pid !== undefined) return []
    kept.pid = 100
    const effects = this.post({ kind: 'containerStarted', atMs: this.atMs, containerId, pid: 100 })
    if (kept.isExecutor) this.#runProgram(containerId)
    return effects
  }

  override exit(containerId: string, waitStatus: number): AgentEffect[] {
    const kept = this.kept.get(containerId)
    if (kept?.pid === undefined) return []
    if (!this.#asked.has(containerId) && !kept.isExecutor) {
      this.#ownEnds.set(containerId, waitStatus === 0 ? 'TASK_FINISHED' : 'TASK_FAILED')
    }
    this.#end(containerId, waitStatus)
    return this.post({ kind: 'containerExited', atMs: this.atMs, containerId, waitStatus })
  }

  override fail(containerId: string, phase: 'sandbox' | 'fetch' | 'launch', message: string): AgentEffect[] {
    const kept = this.kept.get(containerId)
    if (kept === undefined || kept.pid !== undefined) return []
    this.kept.delete(containerId)
    return super.fail(containerId, phase, message)
  }

  #end(containerId: string, waitStatus: number): void {
    this.kept.delete(containerId)
    this.ended.set(containerId, { containerId, waitStatus })
    const program = this.programs.get(containerId)
    if (program === undefined) return
    this.programs.delete(containerId)
    const { streamId } = program
    if (streamId !== undefined) this.post({ kind: 'executorStreamClosed', atMs: this.atMs, streamId })
  }

  /** Programs that look for their agent find it. */
  resubscribe(): void {
    for (const [containerId, { machine }] of [...this.programs]) {
      if (machine.phase !== 'waiting') continue
      const timer = { kind: 'subscribe' } as const
      this.#executorDoes(containerId, stepExecutor(machine, { kind: 'timerFired', atMs: this.atMs, timer }))
    }
  }

  /** A stream breaks; both sides hear of it. */
  cut(streamId: string): void {
    for (const program of this.programs.values()) if (program.streamId === streamId) this.#cut(program)
    this.post({ kind: 'executorStreamClosed', atMs: this.atMs, streamId })
  }

  /** A program tells of one of its tasks. */
  tell(taskId: string, state: TaskState): void {
    for (const [containerId, { machine }] of this.programs) {
      const last = machine.unacknowledgedUpdates.findLast(({ task_id }) => task_id.value === taskId)
      const isOver = last?.state !== undefined && isTerminal(last.state)
      if (!machine.tasks.has(taskId) || isOver) continue
      this.#executorDoes(containerId, update(machine, { taskId, state }, this.atMs))
      return
    }
  }

  /** The scheduler acknowledges what it was told last of a task. */
  acknowledgeNewest(taskId: string): void {
    const status = this.newest.get(taskId)
    if (status !== undefined) this.acknowledge(status)
  }

  #runProgram(containerId: string): void {
    const options = { frameworkId: 'F', executorId: 'e', isCheckpointing: true, recoveryTimeoutMs: 900_000 }
    this.#programCount += 1
    const machine = createExecutorMachine({ ...options, subscriptionBackoffMaxMs: 1, seed: 1_000 + this.#programCount })
    this.programs.set(containerId, { machine, streamId: undefined })
    this.#executorDoes(containerId, stepExecutor(machine, { kind: 'started', atMs: this.atMs }))
  }

  #executorDoes(containerId: string, effects: readonly ExecutorEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'openStream' || effect.kind === 'sendCall') this.#call(containerId, effect.call)
      else if (effect.kind === 'launch')
        for (const { task_id } of effect.tasks) this.#arrived(containerId, task_id.value)
    }
  }

  #call(containerId: string, call: ExecutorCall): void {
    this.#requests += 1
    const requestId = `x${this.#requests}`
    this.#calls.set(requestId, { containerId, call })
    this.post({ kind: 'executorCalled', atMs: this.atMs, requestId, call })
  }

  /** A task reaches its program as often as it was recorded. */
  #arrived(containerId: string, taskId: string): void {
    const key = `${containerId} ${taskId}`
    const left = this.#arrivals.get(key) ?? 0
    assert(left > 0, `task ${taskId} is launched once`)
    this.#arrivals.set(key, left - 1)
  }

  /** False: the agent dies before this. */
  #performs(effect: AgentEffect): boolean {
    if (effect.kind === 'setTimer') this.pendingTimers.set(effect.key, effect)
    else if (effect.kind === 'cancelTimer') this.pendingTimers.delete(effect.key)
    else if (effect.kind !== 'note') {
      if (this.#effectsLeft === 0) return false
      if (this.#effectsLeft !== undefined) this.#effectsLeft -= 1
      this.#performOutward(effect)
    }
    this.effects.push(effect)
    return true
  }

  #performOutward(effect: AgentEffect): void {
    switch (effect.kind) {
      case 'record':
        for (const one of effect.records) this.#keep(one)
        return
      case 'launchContainer':
        return this.#launch(effect.spec.containerId)
      case 'destroyContainer':
        return this.#destroy(effect.containerId)
      case 'releaseContainer':
        assert(
          !this.#live.has(effect.containerId),
          `the end of ${effect.containerId} is recorded before it is released`,
        )
        this.ended.delete(effect.containerId)
        return
      case 'sendToMaster':
        if (effect.message.status_update !== undefined) this.#told(effect.message.status_update.status)
        return
      case 'storeResources':
        this.#todo.push(() => this.stored())
        return
      case 'openStream':
        return this.#opened(effect.requestId, effect.streamId)
      case 'sendEvent':
        return this.#event(effect.streamId, effect.event)
      case 'closeStream':
        return this.#closed(effect.streamId)
      case 'respond':
        return this.#answered(effect.requestId, effect.status, effect.text ?? '')
      default:
    }
  }

  #launch(containerId: string): void {
    assert(!this.#launchedOnce.has(containerId), `container ${containerId} is launched once`)
    assert(this.#live.has(containerId), `container ${containerId} is recorded before it is launched`)
    this.#launchedOnce.add(containerId)
    const isExecutor = this.state.containers.get(containerId)?.kind === 'executor'
    this.kept.set(containerId, { pid: undefined, isExecutor })
  }

  #destroy(containerId: string): void {
    const kept = this.kept.get(containerId)
    this.#asked.add(containerId)
    if (kept === undefined) return
    if (kept.pid === undefined) this.#todo.push(() => this.fail(containerId, 'launch', 'destroyed'))
    else this.#todo.push(() => this.exit(containerId, 9))
  }

  /** What is durable has happened. */
  #keep(record: AgentRecord): void {
    this.journal.push(encodeRecord(record))
    const { kind, value } = record
    if (kind === 'executor' && value.kind === 'CUSTOM')
      this.#live.set(value.container_id, `e ${value.info.executor_id.value}`)
    else if (kind === 'executor_ended') this.#live.delete(value.container_id)
    else if (kind === 'task') this.#keepTask(value.info.task_id.value, value.executor_id, value.container_id)
    else if (kind === 'task_ending') this.#asked.add(this.#containerOf(value.task_id) ?? '')
    else if (kind === 'acknowledgement') this.#acknowledged.add(hex(value.uuid))
    else if (kind === 'update') this.#keepUpdate(value.status)
  }

  #keepTask(taskId: string, executorId: string, containerId: string | undefined): void {
    if (containerId !== undefined) this.#live.set(containerId, `t ${taskId}`)
    else {
      const executor = this.#containerNamed(`e ${executorId}`)
      const key = `${executor} ${taskId}`
      this.#arrivals.set(key, (this.#arrivals.get(key) ?? 0) + 1)
    }
  }

  #keepUpdate(status: TaskStatus): void {
    const taskId = status.task_id.value
    assert(status.uuid !== undefined, 'updates have a uuid')
    this.#updates.set(taskId, [...(this.#updates.get(taskId) ?? []), hex(status.uuid)])
    const containerId = this.#containerOf(taskId)
    if (!isTerminal(status.state) || containerId === undefined) return
    this.#live.delete(containerId)
    const own = this.#ownEnds.get(containerId)
    if (own !== undefined) assert(status.state === own, `${taskId} ended by itself: ${own}, not ${status.state}`)
  }

  #containerOf(taskId: string): string | undefined {
    return this.#containerNamed(`t ${taskId}`)
  }

  #containerNamed(name: string): string | undefined {
    return [...this.#live].find(([, owner]) => owner === name)?.[0]
  }

  #told(status: TaskStatus): void {
    const taskId = status.task_id.value
    const uuid = hex(status.uuid ?? new Uint8Array())
    assert(!this.#acknowledged.has(uuid), `an acknowledged update of ${taskId} is not sent again`)
    const order = this.#updates.get(taskId) ?? []
    assert(order.includes(uuid), `an update of ${taskId} is recorded before it is told`)
    this.newest.set(taskId, status)
    const sent = this.sent.get(taskId) ?? []
    if (sent.includes(uuid)) return
    assert(order.indexOf(uuid) > order.indexOf(sent.at(-1) ?? ''), `updates of ${taskId} come in order`)
    this.sent.set(taskId, [...sent, uuid])
  }

  /** Updates that were recorded and never reached the master. */
  get untold(): string[] {
    return [...this.#updates].flatMap(([taskId, uuids]) => {
      const sent = this.sent.get(taskId) ?? []
      return uuids.filter((uuid) => !sent.includes(uuid)).map(() => taskId)
    })
  }

  #opened(requestId: string, streamId: string): void {
    const found = this.programs.get(this.#calls.get(requestId)?.containerId ?? '')
    if (found === undefined)
      this.#todo.push(() => this.post({ kind: 'executorStreamClosed', atMs: this.atMs, streamId }))
    else found.streamId = streamId
  }

  #event(streamId: string, event: ExecutorEvent): void {
    this.#forPrograms.push(() => {
      for (const [containerId, program] of this.programs) {
        if (program.streamId !== streamId) continue
        this.#executorDoes(
          containerId,
          stepExecutor(program.machine, { kind: 'eventReceived', atMs: this.atMs, event }),
        )
        if (program.machine.phase === 'ended') this.#todo.push(() => this.exit(containerId, 0))
      }
    })
  }

  #closed(streamId: string): void {
    this.#forPrograms.push(() => {
      for (const program of this.programs.values()) if (program.streamId === streamId) this.#cut(program)
    })
  }

  #answered(requestId: string, status: number, text: string): void {
    const given = this.#calls.get(requestId)
    const program = this.programs.get(given?.containerId ?? '')
    if (given === undefined || program === undefined || status < 300) return
    const { call, containerId } = given
    this.#forPrograms.push(() => {
      if (call.type === 'SUBSCRIBE') return this.#cut(program)
      const refused = { kind: 'callRefused', atMs: this.atMs, call, status, text } as const
      this.#executorDoes(containerId, stepExecutor(program.machine, refused))
    })
  }

  #cut(program: Program): void {
    program.streamId = undefined
    stepExecutor(program.machine, { kind: 'streamClosed', atMs: this.atMs, reason: 'cut' })
  }

  /** The process is gone; the next one starts at once. */
  #crash(): void {
    this.#effectsLeft = undefined
    this.#todo.length = 0
    this.pendingTimers.clear()
    // What had left the agent arrives.
    this.#isBusy = true
    for (let next = this.#forPrograms.shift(); next !== undefined; next = this.#forPrograms.shift()) next()
    this.#todo.length = 0
    this.#isBusy = false
    for (const program of this.programs.values()) this.#cut(program)
    // A launch that is under way is carried out or not.
    for (const [containerId, kept] of [...this.kept]) {
      if (kept.pid !== undefined) continue
      if (containerId < '8') this.kept.delete(containerId)
      else kept.pid = 100
    }
    this.#recover()
  }

  #recover(): void {
    this.lives += 1
    const recovered = recover(this.readJournal())
    assert(recovered.problemCount === 0, recovered.problems.join())
    const records = snapshot(recovered)
    this.journal = records.map(encodeRecord)
    checkSame(records, snapshot(recover(this.readJournal())))
    const options = rehearsedOptions()
    const info = { ...options.info, id: { value: 'A' } }
    this.state = createAgent({ ...options, info, seed: this.lives, recovered })
    const running = [...this.kept].map(([containerId, { pid = 0 }]) => ({ containerId, pid }))
    const ended = [...this.ended.values()]
    this.#isBusy = false
    this.post({ kind: 'containersFound', atMs: this.atMs, running, ended })
    this.post({ kind: 'masterDetected', atMs: this.atMs })
    for (const [containerId, { isExecutor }] of this.kept) {
      if (isExecutor && !this.programs.has(containerId)) this.#runProgram(containerId)
    }
  }

  /** What is durable, read as a start does. */
  readJournal(): AgentRecord[] {
    return this.journal.map((bytes) => {
      const record = decodeRecord(bytes)
      assert(record.ok, 'a record can be read')
      return record.value
    })
  }

  /** The records say what the agent knows, as far as it is recorded. */
  checkJournal(): void {
    checkSame(snapshot(this.state), snapshot(recover(this.readJournal())))
  }
}

function checkSame(one: readonly AgentRecord[], other: readonly AgentRecord[]): void {
  const [a, b] = [one, other].map((records) => records.map((record) => `${record.kind} ${hex(encodeRecord(record))}`))
  assert(a !== undefined && b !== undefined, 'there are two')
  const at = a.findIndex((text, index) => text !== b[index])
  const shown = (records: readonly AgentRecord[]): string =>
    JSON.stringify(records[at], (_, v) => (typeof v === 'bigint' ? `${v}` : v))
  assert(
    at < 0 && a.length === b.length,
    `${a.length} records are ${b.length} records: ${shown(one)} is ${shown(other)}`,
  )
}
