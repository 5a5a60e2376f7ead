// The agent's machine with its output commit and its journal on a real disk; the master, the executors and the containers are played.

import { encode } from '@isthmus/proto/codec'
import type { MasterMessage } from '@isthmus/proto/gen/agent-link'
import type { ExecutorInfo, FrameworkInfo } from '@isthmus/proto/gen/mesos'
import { step } from '../src/agent/agent.ts'
import type { AgentEffect } from '../src/agent/effects.ts'
import type { AgentEvent, AgentTimer } from '../src/agent/events.ts'
import { AGENT_CAPABILITIES, AGENT_DEFAULTS } from '../src/agent/options.ts'
import { decodeRecord, encodeRecord } from '../src/agent/records.ts'
import { recover } from '../src/agent/recovery.ts'
import { snapshot } from '../src/agent/snapshot.ts'
import { type AgentState, createAgent } from '../src/agent/state.ts'
import { Journal, journalPlace } from '../src/io/disk/journal/journal.ts'
import { readJournal } from '../src/io/disk/journal/read-journal.ts'
import { Loop } from '../src/io/runtime/loop.ts'
import { OutputCommit } from '../src/io/runtime/output-commit.ts'
import { expect } from './stage.ts'

const FRAMEWORK: FrameworkInfo = {
  user: 'root',
  name: 'f',
  id: { value: 'F' },
  roles: ['r'],
  checkpoint: true,
  capabilities: [{ type: 'MULTI_ROLE' }],
}
const INFO = { id: { value: 'A' }, hostname: 'host', port: 5051 }

/** One run of an agent on a folder. */
export class RecordedAgent {
  readonly state: AgentState
  readonly journal: Journal
  readonly #loop: Loop<AgentState, AgentEvent, AgentEffect, AgentTimer>
  readonly #commit: OutputCommit<AgentEffect>
  /** By uuid in hexadecimal digits: what to call when the update is with the master. */
  readonly #told = new Map<string, () => void>()
  readonly #requests = new Map<string, () => void>()
  #number = 0
  /** Containers started, and updates that the master has. */
  started = 0
  updates = 0

  private constructor(state: AgentState, journal: Journal) {
    this.state = state
    this.journal = journal
    this.#loop = new Loop<AgentState, AgentEvent, AgentEffect, AgentTimer>({
      state,
      step,
      perform: (effect) => this.#commit.take(effect),
      stepped: () => this.#commit.stepped(),
      timerFired: (timer, atMs) => ({ kind: 'timerFired', atMs, timer }),
      crash: fail,
    })
    this.#commit = new OutputCommit<AgentEffect>({
      perform: (effect) => this.#perform(effect),
      recordsOf: (effect) => (effect.kind === 'record' ? effect.records.map(encodeRecord) : undefined),
      snapshot: () => snapshot(state).map(encodeRecord),
      crash: fail,
      failed: fail,
    })
    this.#commit.use(journal)
  }

  /** Recovers from the folder and registers. */
  static async start(folder: string, running: readonly string[] = []): Promise<RecordedAgent> {
    const place = journalPlace(folder, 'A')
    const found = await readJournal(place)
    const recovered = recover(
      found.records.map((bytes) => {
        const record = decodeRecord(bytes)
        if (!record.ok) throw new Error(record.rejection.message)
        return record.value
      }),
    )
    expect(recovered.problemCount === 0, `the records make sense: ${recovered.problems[0]}`)
    const state = createAgent({
      ...AGENT_DEFAULTS,
      info: { ...INFO, resources: [{ name: 'cpus', type: 'SCALAR', scalar: { value: 10_000 } }] },
      version: '1.0.0',
      address: { hostname: 'host', ip: '127.0.0.1', port: 5051 },
      capabilities: AGENT_CAPABILITIES,
      workDir: '/work',
      seed: 1,
      startedAtMs: Date.now(),
      registrationBackoffMs: 0,
      recovered,
    })
    const journal = await Journal.begin({ ...place, found, snapshot: snapshot(state).map(encodeRecord), failed: fail })
    const agent = new RecordedAgent(state, journal)
    const pids = running.map((containerId) => ({ containerId, pid: 100 }))
    agent.#post({ kind: 'containersFound', atMs: Date.now(), running: pids, ended: [] })
    return agent
  }

  /** Resolves when the master has answered. */
  async register(): Promise<void> {
    this.#post({ kind: 'masterDetected', atMs: Date.now() })
    await until(() => this.state.linkPhase === 'connecting')
    this.#post({ kind: 'linkOpened', atMs: Date.now() })
    this.#master({
      type: 'REREGISTERED',
      registered: {
        agent_id: { value: 'A' },
        total_ping_timeout_seconds: 1e6,
        master_info: { id: 'm', ip: 1, port: 5050, hostname: 'master' },
      },
    })
  }

  /** Launches tasks; with an executor they are its, else each is a command. Resolves when all run. */
  async launch(ids: readonly string[], executorId?: string): Promise<void> {
    const executor: ExecutorInfo | undefined =
      executorId === undefined ? undefined : { executor_id: { value: executorId }, command: { value: './executor' } }
    const before = this.updates
    for (const id of ids) {
      const task = {
        name: id,
        task_id: { value: id },
        agent_id: { value: 'A' },
        resources: [{ name: 'cpus', type: 'SCALAR' as const, scalar: { value: 0.1 }, allocation_info: { role: 'r' } }],
        ...(executor === undefined ? { command: { value: 'sleep 9' } } : { executor }),
      }
      this.#master({ type: 'RUN_TASK', run_task: { framework_info: FRAMEWORK, task } })
    }
    if (executorId === undefined) return until(() => this.updates >= before + 2 * ids.length)
    await until(() => this.started > 0)
    await this.#call(executorId, { type: 'SUBSCRIBE', subscribe: {} })
  }

  /** An executor reports a task as running once more; `told` is called when the master is told, so that the update is durable. */
  report(executorId: string, taskId: string, told: () => void): void {
    const uuid = new Uint8Array(16)
    new DataView(uuid.buffer).setUint32(0, ++this.#number)
    uuid[6] = 0x40
    uuid[8] = 0x80
    this.#told.set(Buffer.from(uuid).toString('hex'), told)
    const status = {
      task_id: { value: taskId },
      state: 'TASK_RUNNING' as const,
      source: 'SOURCE_EXECUTOR' as const,
      uuid,
      message: 'still running',
    }
    void this.#call(executorId, { type: 'UPDATE', update: { status } })
  }

  #call(executorId: string, call: object): Promise<void> {
    const requestId = `q${++this.#number}`
    const ids = { executor_id: { value: executorId }, framework_id: { value: 'F' } }
    return new Promise((resolve) => {
      this.#requests.set(requestId, resolve)
      this.#post({ kind: 'executorCalled', atMs: Date.now(), requestId, call: { ...ids, ...call } })
    })
  }

  #post(event: AgentEvent): void {
    this.#loop.post(event)
  }

  #master(message: MasterMessage): void {
    this.#post({ kind: 'linkMessage', atMs: Date.now(), message })
  }

  #perform(effect: AgentEffect): void {
    if (effect.kind === 'launchContainer') {
      this.started += 1
      this.#post({ kind: 'containerStarted', atMs: Date.now(), containerId: effect.spec.containerId, pid: 100 })
    } else if (effect.kind === 'openStream' || effect.kind === 'respond') {
      this.#requests.get(effect.requestId)?.()
      this.#requests.delete(effect.requestId)
    } else if (effect.kind === 'setTimer') {
      this.#loop.timers.set(effect.key, effect.timer, effect.atMs)
    } else if (effect.kind === 'cancelTimer') {
      this.#loop.timers.cancel(effect.key)
    } else if (effect.kind === 'sendToMaster') {
      // As the link does it.
      encode('isthmus.agent_link.AgentMessage', effect.message)
      const update = effect.message.status_update
      if (update !== undefined) this.#acknowledge(update.status.task_id.value, update.status.uuid ?? new Uint8Array())
    }
  }

  #acknowledge(taskId: string, uuid: Uint8Array): void {
    this.updates += 1
    const key = Buffer.from(uuid).toString('hex')
    this.#told.get(key)?.()
    this.#told.delete(key)
    const ids = { framework_id: { value: 'F' }, task_id: { value: taskId } }
    this.#master({ type: 'ACKNOWLEDGE_STATUS', acknowledge_status: { ...ids, uuid } })
  }

  /** Ends without taking leave, as a crash would, but for what was asked for already. */
  async stop(): Promise<void> {
    this.#loop.stop()
    await this.journal.close()
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1))
}

function fail(error: unknown): never {
  throw error
}
