import type { AgentMessage, MasterMessage } from '@isthmus/proto/gen/agent-link'
import type { TaskInfo } from '@isthmus/proto/gen/mesos'
import { isTerminal } from '../../framework/task-states.ts'
import type { Sighting } from '../sightings.ts'
import type { AgentBook, Books } from './books.ts'
import type { Checker } from './checker.ts'
import { bagOf, executorKey, type Hold, hasReservations, holdOf, holdsOf, taskKey } from './holds.ts'

/** Keeps the books of what agents and the master say to each other, and of what is stored. */
export class AgentSide implements Checker {
  readonly #books: Books
  /** Link → the message that opened it. */
  readonly #firsts = new Map<string, AgentMessage>()

  constructor(books: Books) {
    this.#books = books
  }

  see(sighting: Sighting, atMs: number): void {
    switch (sighting.kind) {
      case 'masterStarted':
        this.#books.forgetAll()
        this.#firsts.clear()
        return
      case 'linkOpened':
        this.#firsts.set(sighting.linkId, sighting.message)
        return
      case 'agentSaid':
        this.#agentSaid(sighting.linkId, sighting.message)
        return
      case 'agentTold':
        this.#agentTold(sighting.linkId, sighting.message, atMs)
        return
      case 'linkClosed':
        this.#linkClosed(sighting.linkId)
        return
      case 'stored':
        for (const record of sighting.records) this.#books.store(record)
        return
      case 'noted':
        if (sighting.message === 'agent removed') this.#books.removeAgent(String(sighting.fields.agentId))
        return
      default:
        return
    }
  }

  #agentSaid(linkId: string, { type, status_update, exited_executor }: AgentMessage): void {
    const agent = this.#books.agentOf(linkId)
    if (agent === undefined) return
    if (type === 'STATUS_UPDATE' && status_update !== undefined) {
      const latest = status_update.latest_state ?? status_update.status.state
      if (isTerminal(latest))
        agent.holds.delete(taskKey(status_update.framework_id.value, status_update.status.task_id.value))
    }
    if (type === 'EXITED_EXECUTOR' && exited_executor !== undefined) {
      agent.holds.delete(executorKey(exited_executor.framework_id.value, exited_executor.executor_id.value))
    }
  }

  #agentTold(linkId: string, message: MasterMessage, atMs: number): void {
    if (message.registered !== undefined) this.#registered(linkId, message.registered.agent_id.value, atMs)
    const agent = this.#books.agentOf(linkId)
    if (agent === undefined) return
    const { run_task, run_task_group, framework_id } = message
    if (message.type === 'APPLY_OPERATION') agent.isReserved = true
    if (run_task !== undefined) {
      const executor = run_task.launch_executor === true ? run_task.task.executor : undefined
      this.#launched(agent, run_task.framework_info, { tasks: [run_task.task], executor })
    }
    if (run_task_group !== undefined) {
      const executor = run_task_group.launch_executor === true ? run_task_group.executor : undefined
      this.#launched(agent, run_task_group.framework_info, { tasks: run_task_group.task_group.tasks ?? [], executor })
    }
    if (message.type === 'SHUTDOWN_FRAMEWORK' && framework_id !== undefined) {
      this.#books.removed.add(framework_id.value)
      this.#books.releaseAll(agent, framework_id.value)
    }
  }

  #launched(
    agent: AgentBook,
    info: { readonly id?: { readonly value: string } | undefined; readonly checkpoint?: boolean | undefined },
    { tasks, executor }: { tasks: readonly TaskInfo[]; executor: TaskInfo['executor'] },
  ): void {
    const frameworkId = info.id?.value ?? ''
    const checkpoint = info.checkpoint === true
    for (const { task_id, resources } of tasks) {
      agent.holds.set(taskKey(frameworkId, task_id.value), holdOf(frameworkId, resources, checkpoint))
    }
    if (executor !== undefined) {
      const key = executorKey(frameworkId, executor.executor_id.value)
      agent.holds.set(key, holdOf(frameworkId, executor.resources, checkpoint))
    }
    this.#books.touched.add(agent.id)
  }

  #registered(linkId: string, id: string, atMs: number): void {
    const { register, reregister } = this.#firsts.get(linkId) ?? {}
    this.#books.links.set(linkId, id)
    const resources = (register ?? reregister)?.resources ?? (register ?? reregister)?.agent_info.resources
    const host = (register ?? reregister)?.agent_info.hostname ?? ''
    const offers = this.#books.agents.get(id)?.offers ?? new Set()
    const holds = reregister === undefined ? new Map<string, Hold>() : holdsOf(reregister, this.#books.removed)
    this.#books.agents.set(id, {
      id,
      host,
      linkId,
      linkedAtMs: atMs,
      total: bagOf(resources),
      isReserved: hasReservations(resources),
      holds,
      offers,
    })
    this.#books.touched.add(id)
  }

  #linkClosed(linkId: string): void {
    const agent = this.#books.agentOf(linkId)
    this.#books.links.delete(linkId)
    this.#firsts.delete(linkId)
    if (agent?.linkId !== linkId) return
    agent.linkId = undefined
    for (const [key, { checkpoint }] of agent.holds) if (!checkpoint) agent.holds.delete(key)
  }
}
