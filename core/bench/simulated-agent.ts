import { randomBytes } from 'node:crypto'
import type { MasterMessage } from '@isthmus/proto/gen/agent-link'
import type { Resource, TaskInfo, TaskState } from '@isthmus/proto/gen/mesos'
import type { Endpoint } from '../src/io/http/client.ts'
import { AgentLink } from '../src/io/runtime/agent-link.ts'

/** What a simulated agent offers. */
export interface SimulatedAgentOptions {
  readonly master: Endpoint
  readonly name: string
  readonly resources: readonly Resource[]
}

/** An agent that speaks to a real master over its real link, and whose tasks run and finish at once. */
export class SimulatedAgent {
  readonly #link: AgentLink
  readonly #options: SimulatedAgentOptions
  #agentId = ''
  #registered: () => void = () => {}
  /** Updates not acknowledged yet, oldest first, by task. */
  readonly #pending = new Map<string, TaskState[]>()

  constructor(options: SimulatedAgentOptions) {
    this.#options = options
    this.#link = new AgentLink({
      master: options.master,
      handlers: {
        opened: () => {},
        message: (message) => this.#received(message),
        closed: (reason) => {
          throw new Error(`the link of ${options.name} closed: ${reason}`)
        },
      },
    })
  }

  /** Resolves when the master has given it an id. */
  register(): Promise<void> {
    const { name, resources } = this.#options
    const done = new Promise<void>((resolve) => {
      this.#registered = resolve
    })
    this.#link.open({
      type: 'REGISTER',
      register: {
        agent_info: { hostname: name, port: 5051, resources },
        version: '1.11.0',
        capabilities: [{ type: 'MULTI_ROLE' }, { type: 'HIERARCHICAL_ROLE' }, { type: 'RESERVATION_REFINEMENT' }],
        address: { hostname: name, ip: '127.0.0.1', port: 5051 },
      },
    })
    return done
  }

  /** Ends the link. */
  close(): void {
    this.#link.end()
  }

  #received(message: MasterMessage): void {
    switch (message.type) {
      case 'REGISTERED':
        this.#agentId = message.registered!.agent_id.value
        this.#registered()
        return
      case 'PING':
        this.#link.send({ type: 'PONG' })
        return
      case 'RUN_TASK':
        this.#run(message.run_task!.framework_info.id!.value, message.run_task!.task)
        return
      case 'ACKNOWLEDGE_STATUS':
        this.#acknowledged(message.acknowledge_status!.framework_id.value, message.acknowledge_status!.task_id.value)
        return
      default:
    }
  }

  #run(frameworkId: string, task: TaskInfo): void {
    const taskId = task.task_id.value
    this.#pending.set(taskId, ['TASK_RUNNING', 'TASK_FINISHED'])
    this.#sendOldest(frameworkId, taskId)
  }

  #acknowledged(frameworkId: string, taskId: string): void {
    const states = this.#pending.get(taskId)
    states?.shift()
    if (states?.length === 0) this.#pending.delete(taskId)
    else this.#sendOldest(frameworkId, taskId)
  }

  #sendOldest(frameworkId: string, taskId: string): void {
    const state = this.#pending.get(taskId)?.[0]
    if (state === undefined) return
    const uuid = randomBytes(16)
    uuid[6] = (uuid[6]! & 0x0f) | 0x40
    uuid[8] = (uuid[8]! & 0x3f) | 0x80
    this.#link.send({
      type: 'STATUS_UPDATE',
      status_update: {
        framework_id: { value: frameworkId },
        latest_state: state,
        status: {
          task_id: { value: taskId },
          state,
          source: 'SOURCE_EXECUTOR',
          agent_id: { value: this.#agentId },
          executor_id: { value: taskId },
          uuid: new Uint8Array(uuid),
          timestamp: Date.now() / 1000,
        },
      },
    })
  }
}
