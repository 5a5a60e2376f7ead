/**
 * An agent comes back with what it runs: after a broken connection, after it was unreachable, or to a new leader. Its word counts:
 *
 * - frameworks nobody knows are recovered from it (inactive until they subscribe); completed ones are shut down on it;
 * - tasks and executors it runs are taken into the books; tasks the master thought it runs, but which it does not know, are lost;
 * - tasks whose ids their framework uses elsewhere meanwhile are killed (strays.ts);
 * - for tasks that were given up (unreachable, or lost when the link broke) the framework is told TASK_RUNNING (or what it is) with REASON_AGENT_REREGISTERED.
 */

import type { AgentMessageReregister } from '@isthmus/proto/gen/agent-link'
import type { ExecutorInfo, FrameworkInfo, Task } from '@isthmus/proto/gen/mesos'
import { joinLink, registration } from './agent-links.ts'
import { ping } from './agent-loss.ts'
import { adoptOperations } from './agent-operations.ts'
import { seatAgent } from './agent-resources.ts'
import { bagOf, roleOf } from './bag.ts'
import { count } from './counters.ts'
import { sendDrain } from './drain.ts'
import { addExecutor, removeExecutor } from './executors.ts'
import { addToAllocator, createFramework } from './frameworks.ts'
import { agentMessage, isTerminal, masterStatus } from './messages.ts'
import { rescindAgentOffers } from './offers.ts'
import { cancelRemoval } from './removals.ts'
import { sameMessage } from './same-message.ts'
import type { Agent, Framework, MasterTask } from './state.ts'
import { killStrays, releaseStrays, takeStray } from './strays.ts'
import { publish } from './subscribers.ts'
import { createTask } from './task-record.ts'
import { addTask, endTask, enterStatus, forgetText, killKey } from './tasks.ts'
import { note, sendEvent, sendToAgent, setTimer, type Turn } from './turn.ts'

/** A return: the link it came on and what it said. */
export interface Return {
  readonly linkId: string
  readonly reregister: AgentMessageReregister
  /** All its tasks had been called lost or unreachable, also those that are not remembered. */
  readonly wasGivenUp?: 'unreachable' | 'unknown' | undefined
}

/** Takes a returned agent's word into the books and answers REREGISTERED. The agent is in the books already. */
export function readoptAgent(turn: Turn, agent: Agent, { linkId, reregister, wasGivenUp }: Return): void {
  const { state } = turn
  count(state.counters, 'master/slave_reregistrations')
  cancelRemoval(turn, agent.id)
  const isNew = agent.reregisteredAtMs === 0 && agent.registeredAtMs === turn.atMs
  rescindAgentOffers(turn, agent)
  agent.version = reregister.version
  agent.capabilities = state.sharedFacts.capabilitiesOf(reregister.capabilities)
  agent.reregisteredAtMs = turn.atMs
  const ended = recoverFrameworks(turn, reregister.frameworks ?? [])
  dropMissingTasks(turn, agent, reregister)
  dropMissingExecutors(turn, agent, reregister)
  for (const executor of reregister.executors ?? []) adoptExecutor(turn, agent, executor)
  releaseStrays(turn, agent)
  for (const task of reregister.tasks ?? []) adoptTask(turn, agent, task, wasGivenUp)
  if (wasGivenUp !== undefined) forgetUnreachable(turn, agent)
  if (reregister.resources !== undefined) agent.total = bagOf(reregister.resources)
  adoptOperations(turn, agent, reregister.operations ?? [])
  seatAgent(turn, agent)
  joinLink(turn, agent, linkId)
  sendToAgent(turn, agent, {
    type: 'REREGISTERED',
    registered: { agent_id: { value: agent.id }, ...registration(state) },
  })
  for (const frameworkId of ended) {
    sendToAgent(turn, agent, { type: 'SHUTDOWN_FRAMEWORK', framework_id: { value: frameworkId } })
  }
  refreshFrameworks(turn, agent, reregister)
  repeatKills(turn, agent)
  killStrays(turn, agent)
  sendDrain(turn, agent)
  ping(turn, agent)
  if (isNew) publish(turn, () => ({ type: 'AGENT_ADDED', agent_added: { agent: agentMessage(state, agent) } }))
  note(turn, 'info', 'agent reregistered', { agentId: agent.id, taskCount: reregister.tasks?.length ?? 0 })
}

/** Recovers frameworks nobody knows; returns the ids of those that have ended. */
function recoverFrameworks(turn: Turn, infos: readonly FrameworkInfo[]): string[] {
  const { state } = turn
  const ended: string[] = []
  for (const info of infos) {
    const id = info.id!.value
    if (state.frameworks.has(id)) continue
    if (state.completedFrameworks.has(id)) {
      ended.push(id)
      continue
    }
    const framework = createFramework(turn, info)
    framework.recovered = true
    state.frameworks.set(id, framework)
    addToAllocator(turn, framework)
    // A scheduler needs some time to find a new leader, whatever its timeout says.
    const waitMs = Math.max((info.failover_timeout ?? 0) * 1000, state.options.agentReregisterTimeoutMs)
    setTimer(turn, { kind: 'frameworkFailover', frameworkId: id }, turn.atMs + waitMs)
    note(turn, 'info', 'framework recovered from an agent', { frameworkId: id, waitMs })
  }
  return ended
}

function dropMissingTasks(turn: Turn, agent: Agent, { tasks = [] }: AgentMessageReregister): void {
  const present = new Set(tasks.map((task) => killKey(task.framework_id.value, task.task_id.value)))
  for (const [frameworkId, known] of [...agent.tasks]) {
    const framework = turn.state.frameworks.get(frameworkId)!
    for (const task of [...known.values()]) {
      if (present.has(killKey(frameworkId, task.id))) continue
      endTask(
        turn,
        { agent, framework, task },
        {
          state: framework.capabilities.partitionAware ? 'TASK_DROPPED' : 'TASK_LOST',
          reason: 'REASON_RECONCILIATION',
          message: 'Reconciliation: Task is unknown to the agent',
        },
      )
    }
  }
}

function dropMissingExecutors(turn: Turn, agent: Agent, { executors = [] }: AgentMessageReregister): void {
  const present = new Set(executors.map((info) => killKey(info.framework_id!.value, info.executor_id.value)))
  for (const [frameworkId, known] of [...agent.executors]) {
    const framework = turn.state.frameworks.get(frameworkId)!
    for (const executor of [...known.values()]) {
      if (!present.has(killKey(frameworkId, executor.id))) removeExecutor(turn, agent, framework, executor)
    }
  }
}

function adoptExecutor(turn: Turn, agent: Agent, info: ExecutorInfo): void {
  const framework = turn.state.frameworks.get(info.framework_id!.value)
  const id = info.executor_id.value
  if (framework === undefined || agent.executors.get(framework.id)?.has(id) === true) return
  const resources = bagOf(info.resources ?? [])
  addExecutor(agent, framework, { id, frameworkId: framework.id, agentId: agent.id, info, resources })
}

function adoptTask(turn: Turn, agent: Agent, message: Task, wasGivenUp: Return['wasGivenUp']): void {
  const framework = turn.state.frameworks.get(message.framework_id.value)
  if (framework === undefined) return
  const id = message.task_id.value
  const known = framework.tasks.get(id)
  if (known !== undefined) {
    if (known.agentId === agent.id) refreshTask(turn, agent, framework, known, message)
    else takeStray(turn, agent, framework, message)
    return
  }
  const task = taskOf(turn, agent, framework, message)
  forgetText(framework.unreachableTasks.get(id))
  const wasLost = framework.unreachableTasks.delete(id) || takeLost(framework, agent, id)
  addTask(turn, agent, framework, task)
  if (isTerminal(task.state) || (!wasLost && wasGivenUp === undefined)) return
  tellReturned(turn, framework, task, wasGivenUp === 'unknown' ? 'Unknown agent reregistered' : RETURNED)
}

/**
 * The agent is reachable again, so none of its tasks is unreachable: those it did not bring are gone, and a framework that asks
 * is told so. O(unreachable tasks).
 */
function forgetUnreachable({ state }: Turn, agent: Agent): void {
  for (const { unreachableTasks } of state.frameworks.values()) {
    for (const [id, task] of unreachableTasks) {
      if (task.agentId !== agent.id) continue
      unreachableTasks.delete(id)
      forgetText(task)
    }
  }
}

/** Takes a task out of the completed ones that was called lost when the agent's link broke, but runs on. */
function takeLost(framework: Framework, agent: Agent, id: string): boolean {
  const at = framework.completedTasks.findIndex(
    (task) => task.id === id && task.agentId === agent.id && task.state === 'TASK_LOST',
  )
  if (at < 0) return false
  forgetText(framework.completedTasks.splice(at, 1)[0])
  return true
}

/** The agent may know more of the task than the master: its state counts, unless the master has seen its end. */
function refreshTask(turn: Turn, agent: Agent, framework: Framework, task: MasterTask, message: Task): void {
  if (isTerminal(task.state) || task.state === message.state) return
  const status = message.statuses?.at(-1)
  if (status === undefined) return
  enterStatus(turn, { agent, framework, task, status: { ...status, uuid: undefined }, latest: message.state })
}

function taskOf({ state }: Turn, agent: Agent, framework: Framework, message: Task): MasterTask {
  const { status_update_state, status_update_uuid } = message
  return createTask(state, {
    id: message.task_id.value,
    frameworkId: framework.id,
    agentId: agent.id,
    executorId: message.executor_id?.value ?? '',
    name: message.name,
    role: roleOf(message.resources ?? []),
    resources: bagOf(message.resources ?? []),
    state: message.state,
    details: message,
    statuses: message.statuses ?? [],
    told: status_update_uuid && { state: status_update_state, uuid: status_update_uuid },
  })
}

/** In the words of Mesos. */
const RETURNED = 'Unreachable agent re-reregistered'

function tellReturned(turn: Turn, framework: Framework, task: MasterTask, message: string): void {
  const status = masterStatus(turn.atMs, {
    taskId: task.id,
    agentId: task.agentId,
    executorId: task.executorId,
    state: task.state,
    reason: 'REASON_AGENT_REREGISTERED',
    message,
  })
  const latest = task.statuses.at(-1)
  const { healthy, check_status, container_status } = latest ?? {}
  sendEvent(turn, framework, {
    type: 'UPDATE',
    update: { status: { ...status, healthy, check_status, container_status } },
  })
}

/** Frameworks may have changed their info while the agent was away. Most have not, and a whole pool may be coming back. */
function refreshFrameworks(turn: Turn, agent: Agent, { frameworks = [] }: AgentMessageReregister): void {
  for (const info of frameworks) {
    const framework = turn.state.frameworks.get(info.id!.value)
    if (framework === undefined || framework.recovered || sameMessage(framework.info, info)) continue
    sendToAgent(turn, agent, { type: 'UPDATE_FRAMEWORK', framework_info: framework.info })
  }
}

function repeatKills(turn: Turn, agent: Agent): void {
  for (const [frameworkId, tasks] of agent.tasks) {
    for (const task of tasks.values()) {
      if (!agent.killsPending.has(killKey(frameworkId, task.id)) || isTerminal(task.state)) continue
      sendToAgent(turn, agent, {
        type: 'KILL_TASK',
        kill_task: { framework_id: { value: frameworkId }, task_id: { value: task.id } },
      })
    }
  }
}
