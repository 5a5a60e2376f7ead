/**
 * A small world for tests of what survives a master: agents that really run (in the books of the test) what they were told to run, frameworks that
 * believe what they were told, and masters that crash at any moment, with whatever part of their writes was stored. See recovery.test.ts.
 */

import type { MasterMessage } from '@isthmus/proto/gen/agent-link'
import type { FrameworkInfo, TaskInfo, TaskState, TaskStatus } from '@isthmus/proto/gen/mesos'
import type { Event } from '@isthmus/proto/gen/scheduler'
import { assert } from '../base/assert.ts'
import { createRandom, nextUuidBytes } from '../base/random.ts'
import { bagOf, contains, unallocated } from './bag.ts'
import { isTerminal } from './messages.ts'
import type { MasterFlags } from './options.ts'
import { type RegistryRecord, replayRegistry } from './registry.ts'
import { Rehearsal, scalar } from './rehearsal.ts'

/** A task as its agent knows it, until the end is acknowledged. */
interface RealTask {
  readonly info: TaskInfo
  readonly framework: FrameworkInfo
  state: TaskState
  uuid: Uint8Array
}

/** A machine. */
export interface RealAgent {
  readonly port: number
  id: string | undefined
  linkId: string | undefined
  /** Messages of the link that were read. */
  read: number
  isAlive: boolean
  /** It neither hears nor answers, though its link is open. */
  isCutOff: boolean
  /** By `frameworkId task id`. */
  readonly tasks: Map<string, RealTask>
}

/** A scheduler with what it believes. */
export interface Believer {
  readonly info: FrameworkInfo
  id: string
  streamId: string | undefined
  read: number
  readonly tasks: Map<string, { agentId: string; state: TaskState }>
}

const RESOURCES = [scalar('cpus', 4), scalar('mem', 512)]
const TASK_RESOURCES = [scalar('cpus', 1), scalar('mem', 64)]
/** What a master notes of a task that came back although its id is in use. */
const STRAY = 'task came back whose id is used elsewhere'
/** Rounds of messages after each command; more would mean that they never end. */
const ROUNDS_MAX = 100

/** The world. */
export class RecoveryWorld {
  stage: Rehearsal
  readonly agents: RealAgent[] = []
  readonly frameworks: Believer[] = []
  /** Agents whose operator was told that they are gone. */
  readonly gone = new Set<string>()
  /** Agents that were told that they are registered. */
  readonly registered = new Set<string>()
  crashes = 0
  strays = 0
  readonly #flags: Partial<MasterFlags>
  readonly #random = createRandom(7)
  #names = 0

  constructor(flags: Partial<MasterFlags>) {
    this.#flags = flags
    this.stage = this.#elect([])
  }

  #elect(records: readonly RegistryRecord[]): Rehearsal {
    const stage = new Rehearsal({ ...this.#flags, masterId: `m${this.crashes}` }, records)
    stage.tell = (_, effects) => {
      for (const effect of effects) if (effect.kind === 'note' && effect.message === STRAY) this.strays++
    }
    return stage
  }

  /** The master ends at once; of the writes under way only the first `stored` were stored. The next one knows nothing else. */
  crash(stored: number): void {
    const durable: RegistryRecord[] = [...this.stage.records, ...this.stage.waiting.slice(0, stored).flat()]
    const registry = replayRegistry(durable)
    for (const id of this.gone) assert(registry.gone.has(id), `agent ${id} was called gone and is so after a crash`)
    for (const id of this.registered) {
      const isThere = registry.admitted.has(id) || registry.unreachable.has(id) || registry.gone.has(id)
      assert(isThere, `agent ${id} was registered and is known after a crash`)
    }
    this.crashes++
    this.stage = this.#elect(durable)
    for (const agent of this.agents) agent.linkId = undefined
    for (const framework of this.frameworks) framework.streamId = undefined
  }

  addAgent(): void {
    const port = 6000 + this.agents.length
    this.agents.push({
      port,
      id: undefined,
      linkId: undefined,
      read: 0,
      isAlive: true,
      isCutOff: false,
      tasks: new Map(),
    })
    this.connect(this.agents.at(-1)!)
  }

  /** The agent connects to the master that leads now, as a new one or with what it runs. */
  connect(agent: RealAgent): void {
    if (!agent.isAlive || agent.isCutOff) return
    const hostname = `agent${agent.port}.test`
    const common = {
      version: '1.11.0',
      capabilities: [{ type: 'MULTI_ROLE' as const }],
      address: { hostname, ip: '127.0.0.1', port: agent.port },
    }
    const agent_info = { hostname, port: agent.port, resources: RESOURCES }
    const { id } = agent
    const frameworks = new Map([...agent.tasks.values()].map(({ framework }) => [framework.id!.value, framework]))
    const { linkId } = this.stage.connect(
      id === undefined
        ? { type: 'REGISTER', register: { ...common, agent_info } }
        : {
            type: 'REREGISTER',
            reregister: {
              ...common,
              agent_info: { ...agent_info, id: { value: id } },
              resources: RESOURCES,
              frameworks: [...frameworks.values()],
              tasks: [...agent.tasks.values()].map((task) => ({
                name: task.info.name,
                task_id: task.info.task_id,
                framework_id: task.framework.id!,
                agent_id: { value: id },
                state: task.state,
                resources: task.info.resources ?? [],
                statuses: [this.#status(agent, task)],
              })),
            },
          },
    )
    agent.linkId = linkId
    agent.read = 0
  }

  breakLink(agent: RealAgent): void {
    if (agent.linkId === undefined || this.stage.closed.has(agent.linkId)) return
    this.stage.play({ kind: 'agentLinkClosed', linkId: agent.linkId })
    agent.linkId = undefined
  }

  addFramework(isAware: boolean): void {
    const info: FrameworkInfo = {
      user: 'root',
      name: `f${this.frameworks.length}`,
      roles: ['golden'],
      checkpoint: true,
      failover_timeout: 1e6,
      capabilities: isAware ? [{ type: 'MULTI_ROLE' }, { type: 'PARTITION_AWARE' }] : [{ type: 'MULTI_ROLE' }],
    }
    this.frameworks.push({ info, id: '', streamId: undefined, read: 0, tasks: new Map() })
    this.subscribe(this.frameworks.at(-1)!)
  }

  subscribe(framework: Believer): void {
    const id = framework.id === '' ? {} : { id: { value: framework.id } }
    const { id: given, streamId } = this.stage.subscribe({ ...framework.info, ...id })
    framework.id = given
    framework.streamId = streamId
    framework.read = 0
  }

  /** The framework uses what it is offered for new tasks, or for new ones under the ids of tasks that it believes have ended. */
  launch(framework: Believer, isReusing: boolean): void {
    if (framework.streamId === undefined) return
    for (const offerId of [...(this.stage.state.frameworks.get(framework.id)?.offers ?? [])]) {
      const { agentId } = this.stage.state.offers.get(offerId)!
      const ended = [...framework.tasks].find(([, { state }]) => isTerminal(state))?.[0]
      const taskId = isReusing && ended !== undefined ? ended : `t${this.#names++}`
      framework.tasks.set(taskId, { agentId, state: 'TASK_STAGING' })
      const task: TaskInfo = {
        name: taskId,
        task_id: { value: taskId },
        agent_id: { value: agentId },
        resources: TASK_RESOURCES.map((one) => ({ ...one, allocation_info: { role: 'golden' } })),
        command: { value: 'x' },
      }
      this.#say(framework, {
        type: 'ACCEPT',
        accept: {
          offer_ids: [{ value: offerId }],
          operations: [{ type: 'LAUNCH', launch: { task_infos: [task] } }],
          filters: { refuse_seconds: 0 },
        },
      })
    }
  }

  /** A task ends on its own. */
  endTask(agent: RealAgent, at: number): void {
    const running = [...agent.tasks.values()].filter(({ state }) => !isTerminal(state))
    const task = running[at % Math.max(1, running.length)]
    if (task !== undefined) this.#changeTask(agent, task, 'TASK_FINISHED')
  }

  /** Agents say again what nobody has acknowledged. */
  retry(): void {
    for (const agent of this.agents) for (const task of [...agent.tasks.values()]) this.#sendStatus(agent, task)
  }

  markGone(agent: RealAgent): void {
    const { id } = agent
    if (id === undefined) return
    const { status } = this.stage.operate({ type: 'MARK_AGENT_GONE', mark_agent_gone: { agent_id: { value: id } } })
    if (status === 200) this.gone.add(id)
  }

  reconcile(framework: Believer): void {
    const live = [...framework.tasks].filter(([, { state }]) => !isTerminal(state))
    if (live.length === 0) return
    const tasks = live.map(([value, { agentId }]) => ({ task_id: { value }, agent_id: { value: agentId } }))
    this.#say(framework, { type: 'RECONCILE', reconcile: { tasks } })
  }

  /** Everybody reads what there is to read, until nothing is left. */
  settle(): void {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const heard = [
        ...this.agents.map((agent) => this.#hear(agent)),
        ...this.frameworks.map((one) => this.#listen(one)),
      ]
      this.#check()
      if (!heard.some(Boolean)) return
    }
    assert(false, 'messages end')
  }

  /** No more is used or offered of an agent than it has. */
  #check(): void {
    for (const agent of this.agents) {
      const known = agent.id === undefined ? undefined : this.stage.state.agents.get(agent.id)
      if (known?.linkId === undefined || known.linkId !== agent.linkId) continue
      const running = [...agent.tasks.values()].filter(({ state }) => !isTerminal(state))
      const used = bagOf(running.flatMap(({ info }) => info.resources ?? []))
      const offered = bagOf([...known.offers].flatMap((id) => this.stage.state.offers.get(id)!.resources.toProto()))
      assert(contains(bagOf(RESOURCES), unallocated(used.plus(offered))), `agent ${agent.id} is used once`)
      assert(!this.gone.has(known.id), `agent ${agent.id} is gone for ever`)
    }
  }

  #hear(agent: RealAgent): boolean {
    if (agent.linkId === undefined || agent.isCutOff) return false
    const messages = this.stage.messages.get(agent.linkId)!.slice(agent.read)
    agent.read += messages.length
    for (const message of messages) this.#told(agent, message)
    if (this.stage.closed.has(agent.linkId ?? '')) agent.linkId = undefined
    return messages.length > 0
  }

  #told(agent: RealAgent, message: MasterMessage): void {
    switch (message.type) {
      case 'REGISTERED':
      case 'REREGISTERED':
        agent.id = message.registered!.agent_id.value
        this.registered.add(agent.id)
        for (const task of [...agent.tasks.values()]) this.#sendStatus(agent, task)
        return
      case 'SHUTDOWN':
        agent.isAlive = false
        agent.tasks.clear()
        return
      case 'PING':
        this.#answer(agent, { type: 'PONG' })
        return
      case 'RUN_TASK': {
        const { task, framework_info } = message.run_task!
        const real: RealTask = {
          info: task,
          framework: framework_info,
          state: 'TASK_RUNNING',
          uuid: nextUuidBytes(this.#random),
        }
        const key = `${framework_info.id!.value} ${task.task_id.value}`
        assert(!agent.tasks.has(key), `task ${key} is launched once on an agent`)
        agent.tasks.set(key, real)
        this.#sendStatus(agent, real)
        return
      }
      case 'KILL_TASK': {
        const { framework_id, task_id } = message.kill_task!
        const task = agent.tasks.get(`${framework_id.value} ${task_id.value}`)
        if (task !== undefined && !isTerminal(task.state)) this.#changeTask(agent, task, 'TASK_KILLED')
        return
      }
      case 'ACKNOWLEDGE_STATUS': {
        const { framework_id, task_id, uuid } = message.acknowledge_status!
        const key = `${framework_id.value} ${task_id.value}`
        const task = agent.tasks.get(key)
        if (task !== undefined && isTerminal(task.state) && String(task.uuid) === String(uuid)) agent.tasks.delete(key)
        return
      }
      default:
    }
  }

  #changeTask(agent: RealAgent, task: RealTask, state: TaskState): void {
    task.state = state
    task.uuid = nextUuidBytes(this.#random)
    this.#sendStatus(agent, task)
  }

  #sendStatus(agent: RealAgent, task: RealTask): void {
    const status = this.#status(agent, task)
    this.#answer(agent, {
      type: 'STATUS_UPDATE',
      status_update: { framework_id: task.framework.id!, status, latest_state: task.state },
    })
  }

  #status(agent: RealAgent, { info, state, uuid }: RealTask): TaskStatus {
    return { task_id: info.task_id, state, source: 'SOURCE_EXECUTOR', agent_id: { value: agent.id ?? '' }, uuid }
  }

  #answer({ linkId, isCutOff }: RealAgent, message: Parameters<Rehearsal['hear']>[1]): void {
    if (linkId === undefined || isCutOff || this.stage.closed.has(linkId)) return
    this.stage.hear({ id: '', linkId, messages: [] }, message)
  }

  #listen(framework: Believer): boolean {
    if (framework.streamId === undefined) return false
    const events = this.stage.events.get(framework.streamId)!.slice(framework.read)
    framework.read += events.length
    for (const event of events) this.#believe(framework, event)
    return events.length > 0
  }

  #believe(framework: Believer, { update }: Event): void {
    if (update === undefined) return
    const { task_id, state, uuid, agent_id } = update.status
    const task = framework.tasks.get(task_id.value)
    if (task !== undefined) {
      // An earlier one of that id may be found again when the later one has ended.
      if (agent_id !== undefined && isTerminal(task.state)) task.agentId = agent_id.value
      const isOfIt = agent_id === undefined || task.agentId === agent_id.value
      assert(isOfIt, `task ${task_id.value} is told of where it runs`)
      task.state = state
    }
    if (uuid === undefined) return
    this.#say(framework, { type: 'ACKNOWLEDGE', acknowledge: { agent_id: agent_id!, task_id, uuid } })
  }

  #say({ id, streamId }: Believer, call: Parameters<Rehearsal['say']>[1]): void {
    this.stage.call({ ...call, framework_id: { value: id } }, streamId)
  }
}
