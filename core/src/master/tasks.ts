/**
 * Tasks on their way: added at launch, changed by the updates of agents and by what the master learns itself, removed when their end
 * is acknowledged. Resources return to the pool as soon as the agent knows that the task ended (latest_state), not when the framework has
 * acknowledged it.
 */

import type { AgentMessageStatusUpdate } from '@isthmus/proto/gen/agent-link'
import type { TaskState, TaskStatus } from '@isthmus/proto/gen/mesos'
import type { CallAcknowledge, CallKill } from '@isthmus/proto/gen/scheduler'
import { charge, discharge } from './charges.ts'
import { count } from './counters.ts'
import {
  holdsResources,
  isMastersVerdict,
  isTerminal,
  type MasterStatus,
  masterStatus,
  taskMessage,
} from './messages.ts'
import { reconcileTask } from './reconcile.ts'
import type { Agent, Framework, MasterTask } from './state.ts'
import { isStrayUpdate } from './strays.ts'
import { publish } from './subscribers.ts'
import { note, sendEvent, sendToAgent, type Turn } from './turn.ts'

/** Puts a task into the books and charges its resources, which the allocator already counts as the framework's. */
export function addTask(turn: Turn, agent: Agent, framework: Framework, task: MasterTask): void {
  framework.tasks.set(task.id, task)
  agent.tasks.add(task)
  if (holdsResources(task.state)) charge(agent, framework, task.resources)
  publish(turn, () => ({ type: 'TASK_ADDED', task_added: { task: taskMessage(task) } }))
}

/** An agent's status update: forwarded to the framework, then entered into the task. */
export function updateFromAgent(turn: Turn, agent: Agent, update: AgentMessageStatusUpdate): void {
  const { state } = turn
  count(state.counters, 'master/messages_status_update')
  const frameworkId = update.framework_id.value
  const framework = state.frameworks.get(frameworkId)
  if (framework === undefined) {
    count(state.counters, 'master/invalid_status_updates')
    if (state.completedFrameworks.has(frameworkId)) {
      sendToAgent(turn, agent, { type: 'SHUTDOWN_FRAMEWORK', framework_id: { value: frameworkId } })
    }
    return
  }
  if (isStrayUpdate(turn, agent, framework, update)) {
    count(state.counters, 'master/invalid_status_updates')
    return
  }
  const latest = update.latest_state ?? update.status.state
  if (isMastersVerdict(update.status.state) || isMastersVerdict(latest)) {
    count(state.counters, 'master/invalid_status_updates')
    return
  }
  const status = { ...update.status, agent_id: update.status.agent_id ?? { value: agent.id } }
  const task = taskOn(agent, framework, status.task_id.value)
  // The oldest update comes again when the task ends, so that its resources are freed at once: that is no news for the framework.
  const isOnlyLatest = task !== undefined && task.state !== latest && isSameUuid(task.statusUuid, status.uuid)
  if (!isOnlyLatest) sendEvent(turn, framework, { type: 'UPDATE', update: { status } })
  if (task === undefined) {
    count(state.counters, 'master/invalid_status_updates')
    return
  }
  enterStatus(turn, { agent, framework, task, status, latest })
  count(state.counters, 'master/valid_status_updates')
  const needsNoAcknowledgement = status.uuid === undefined || status.uuid.length === 0
  if (needsNoAcknowledgement && isTerminal(task.state)) removeTask(turn, agent, framework, task)
}

/** The task of the framework, if it is on the agent. */
function taskOn(agent: Agent, framework: Framework, id: string): MasterTask | undefined {
  const task = framework.tasks.get(id)
  return task?.agentId === agent.id ? task : undefined
}

/** Enters a status into a task: its state, its history, its resources, the counters and the operator stream. */
export function enterStatus(
  turn: Turn,
  entry: { agent: Agent; framework: Framework; task: MasterTask; status: TaskStatus; latest: TaskState },
): void {
  const { agent, framework, task, status, latest } = entry
  const held = holdsResources(task.state)
  const changed = !isTerminal(task.state) && task.state !== latest
  if (changed) task.state = latest
  const isNews = turn.state.subscribers.size > 0 && isNewsOf(task, status)
  task.remember(status)
  if (isNews) {
    publish(turn, () => ({
      type: 'TASK_UPDATED',
      task_updated: { framework_id: { value: framework.id }, status, state: task.state },
    }))
  }
  if (!held || holdsResources(task.state)) return
  discharge(agent, framework, task.resources)
  turn.state.allocator.recoverResources(framework.id, agent.id, task.resources, undefined, turn.atMs)
  if (isTerminal(task.state)) countEnd(turn, framework, task.state, status)
}

/** Operators are told each state once, also those whose successor the agent knows already, and each result of a check. */
function isNewsOf(task: MasterTask, { state, reason }: TaskStatus): boolean {
  if (reason === 'REASON_TASK_CHECK_STATUS_UPDATED' || reason === 'REASON_TASK_HEALTH_CHECK_STATUS_UPDATED') return true
  return task.lastStatusState !== state
}

function isSameUuid(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a !== undefined && b !== undefined && a.length === b.length && a.every((byte, at) => byte === b[at])
}

/** Counts a task that ended, also by source and reason. */
export function countEnd(turn: Turn, framework: Framework, state: TaskState, status: TaskStatus): void {
  const name = state.toLowerCase()
  count(turn.state.counters, `master/${name.replace('task_', 'tasks_')}`)
  count(framework.counters, `tasks/terminal/${name}`)
  if (status.source === undefined || status.reason === undefined) return
  const source = status.source.toLowerCase().replace('agent', 'slave')
  const reason = status.reason.toLowerCase().replace('agent', 'slave')
  count(turn.state.counters, `master/${name}/${source}/${reason}`)
}

/**
 * Takes a task out of the books into the framework's history.
 *
 * @param asUnreachable into the unreachable tasks instead of the completed ones
 */
export function removeTask(
  turn: Turn,
  agent: Agent,
  framework: Framework,
  task: MasterTask,
  asUnreachable = false,
): void {
  const { options, allocator } = turn.state
  framework.tasks.delete(task.id)
  agent.tasks.remove(task)
  agent.killsPending.delete(killKey(framework.id, task.id))
  if (holdsResources(task.state)) {
    discharge(agent, framework, task.resources)
    allocator.recoverResources(framework.id, agent.id, task.resources, undefined, turn.atMs)
  }
  if (!asUnreachable) {
    complete(turn, framework, task)
    return
  }
  forgetText(framework.unreachableTasks.get(task.id))
  framework.unreachableTasks.set(task.id, task)
  if (framework.unreachableTasks.size <= options.maxUnreachableTasksPerFramework) return
  const oldest = framework.unreachableTasks.values().next().value
  if (oldest !== undefined) framework.unreachableTasks.delete(oldest.id)
  forgetText(oldest)
}

/** For a task that leaves the books: its text on pages is not kept any more. */
export function forgetText(task: MasterTask | undefined): void {
  if (task !== undefined) task.kept = undefined
}

/** The master itself ends (or loses sight of) a task: told, entered and removed. */
export function endTask(
  turn: Turn,
  of: { agent: Agent; framework: Framework; task: MasterTask },
  end: Omit<MasterStatus, 'taskId' | 'agentId' | 'executorId'>,
): void {
  const { agent, framework, task } = of
  const tell = (more: typeof end): TaskStatus => {
    const ids = { taskId: task.id, agentId: agent.id, executorId: task.executorId }
    const status = masterStatus(turn.atMs, { ...more, ...ids })
    sendEvent(turn, framework, { type: 'UPDATE', update: { status } })
    return status
  }
  if (!isTerminal(task.state)) {
    enterStatus(turn, { ...of, status: tell(end), latest: end.state })
    removeTask(turn, agent, framework, task, end.unreachableAtMs !== undefined)
    return
  }
  // Its end is on its way from the agent: one that may come back brings it, for one that does not only the master knows it.
  const isTold = task.statusState !== undefined && isTerminal(task.statusState)
  const mayReturn = !isTold && end.state === 'TASK_UNREACHABLE'
  if (mayReturn) tell(end)
  else if (!isTold) tell({ ...end, state: task.state, unreachableAtMs: undefined })
  removeTask(turn, agent, framework, task, mayReturn)
}

/** A task on an agent out of reach ends: told, entered and completed. It holds nothing any more. */
export function endUnreachableTask(
  turn: Turn,
  framework: Framework,
  task: MasterTask,
  end: Pick<MasterStatus, 'state' | 'reason' | 'message'>,
): void {
  const { state, reason, message } = end
  const ids = { taskId: task.id, agentId: task.agentId, executorId: task.executorId }
  const status = masterStatus(turn.atMs, { ...ids, state, reason, message })
  sendEvent(turn, framework, { type: 'UPDATE', update: { status } })
  task.remember(status)
  if (!isTerminal(task.state)) {
    task.state = state
    countEnd(turn, framework, state, status)
  }
  framework.unreachableTasks.delete(task.id)
  complete(turn, framework, task)
}

function complete(turn: Turn, { completedTasks }: Framework, task: MasterTask): void {
  completedTasks.push(task)
  if (completedTasks.length > turn.state.options.maxCompletedTasksPerFramework) forgetText(completedTasks.shift())
}

/** ACKNOWLEDGE: passed on to the agent; the end of a task acknowledged takes it out of the books. */
export function acknowledge(turn: Turn, framework: Framework, call: CallAcknowledge): void {
  const { state } = turn
  count(state.counters, 'master/messages_status_update_acknowledgement')
  const agent = state.agents.get(call.agent_id.value)
  if (agent?.linkId === undefined) {
    count(state.counters, 'master/invalid_status_update_acknowledgements')
    return
  }
  const task = taskOn(agent, framework, call.task_id.value)
  const told = task?.told
  sendToAgent(turn, agent, {
    type: 'ACKNOWLEDGE_STATUS',
    acknowledge_status: { framework_id: { value: framework.id }, task_id: call.task_id, uuid: call.uuid },
  })
  count(state.counters, 'master/valid_status_update_acknowledgements')
  if (task === undefined || told?.state === undefined || !isTerminal(told.state)) return
  if (sameBytes(told.uuid, call.uuid)) {
    removeTask(turn, agent, framework, task)
  }
}

/** KILL: passed on to the agent, again when it comes back; for an unknown task the answer is its reconciliation. */
export function kill(turn: Turn, framework: Framework, call: CallKill): void {
  const { state } = turn
  count(state.counters, 'master/messages_kill_task')
  const task = framework.tasks.get(call.task_id.value)
  const agent = task && state.agents.get(task.agentId)
  if (task === undefined || agent === undefined) {
    reconcileTask(turn, framework, { task_id: call.task_id, agent_id: call.agent_id })
    return
  }
  if (call.agent_id !== undefined && call.agent_id.value !== agent.id) {
    note(turn, 'warn', 'kill of a task on another agent dropped', { taskId: task.id, agentId: agent.id })
    return
  }
  agent.killsPending.add(killKey(framework.id, task.id))
  sendToAgent(turn, agent, {
    type: 'KILL_TASK',
    kill_task: { framework_id: { value: framework.id }, task_id: call.task_id, kill_policy: call.kill_policy },
  })
}

/** The key of a kill in {@link Agent.killsPending}. Framework ids have no blanks that could confuse it: task ids come last. */
export function killKey(frameworkId: string, taskId: string): string {
  return `${frameworkId} ${taskId}`
}

function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index])
}
