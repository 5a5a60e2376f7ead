/**
 * Each task's updates go to the master one by one, in order: the oldest is sent again, after 10 s and then twice as long each
 * time up to 10 minutes, until it is acknowledged with its uuid; then the next. When a task ends, its oldest update is sent at
 * once with the new state beside it, so that the master frees resources without waiting for acknowledgements.
 *
 * Source: the status update manager of the Mesos agent.
 */

import type {
  CheckStatusInfo,
  ContainerStatus,
  TaskState,
  TaskStatus,
  TaskStatusReason,
  TaskStatusSource,
} from '@isthmus/proto/gen/mesos'
import { nextUuidBytes } from '../base/random.ts'
import { isTerminal } from '../framework/task-states.ts'
import { forgetWhenIdle } from './frameworks.ts'
import type { AgentRecord } from './records.ts'
import {
  type AgentFramework,
  type AgentTask,
  agentIdOf,
  type Executor,
  hasCapability,
  type UpdateStream,
} from './state.ts'
import { cancelTimer, emit, note, record, setTimer, type Turn } from './turn.ts'
import {
  completeTask,
  dequeueUpdate,
  enqueueUpdate,
  enterStatus,
  forgetUpdates,
  RETRY_MAX_MS,
  RETRY_MIN_MS,
} from './update-stream.ts'

/** What an update says beside the state. */
export interface UpdateFacts {
  readonly source: TaskStatusSource
  readonly reason?: TaskStatusReason | undefined
  readonly message?: string | undefined
  readonly healthy?: boolean | undefined
}

/** Makes an update of a task and puts it in line. */
export function updateTask(
  turn: Turn,
  executor: Executor,
  task: AgentTask,
  state: TaskState,
  facts: UpdateFacts,
): void {
  forward(turn, executor, task, {
    task_id: task.info.task_id,
    state,
    ...facts,
    check_status: emptyCheckStatus(task),
    uuid: nextUuidBytes(turn.state.random),
  })
}

/** Repeats what was told last, with a new result of a check. */
export function updateCheck(
  turn: Turn,
  executor: Executor,
  task: AgentTask,
  facts: Pick<TaskStatus, 'reason' | 'healthy' | 'check_status'>,
): void {
  const last = task.statuses.at(-1)
  forward(turn, executor, task, {
    task_id: task.info.task_id,
    state: task.state,
    source: 'SOURCE_EXECUTOR',
    reason: facts.reason,
    healthy: facts.healthy ?? last?.healthy,
    check_status: facts.check_status ?? last?.check_status ?? emptyCheckStatus(task),
    uuid: nextUuidBytes(turn.state.random),
  })
}

/** Puts an update in line, with what the agent adds to every update; its uuid is set. */
export function forward(turn: Turn, executor: Executor, task: AgentTask, given: TaskStatus): void {
  const status = enriched(turn, executor, task, drained(turn, executor, given))
  const framework = turn.state.frameworks.get(executor.frameworkId)
  record(turn, framework, updateRecord(executor.frameworkId, status))
  if (enterStatus(task, status)) {
    countEnd(turn, status.state)
    endTimers(turn, task)
  }
  if (framework === undefined || framework.isTerminating) {
    // Nobody will acknowledge it.
    if (isTerminal(status.state)) completeTask(framework, executor, task)
    return
  }
  enqueue(turn, framework, status)
}

/** An update of a task that is not in the books: passed on all the same, as Mesos does. */
export function forwardUnknown(turn: Turn, framework: AgentFramework, given: TaskStatus): void {
  // Nobody will acknowledge it.
  if (framework.isTerminating) return
  const agent_id = { value: agentIdOf(turn.state) }
  const status = { ...given, agent_id, timestamp: given.timestamp ?? turn.atMs / 1000 }
  record(turn, framework, updateRecord(framework.frameworkId, status))
  enqueue(turn, framework, status)
}

/** Tells the framework that a task never ran here. */
export function refuse(
  turn: Turn,
  framework: AgentFramework,
  ids: Pick<TaskStatus, 'task_id' | 'executor_id'>,
  why: { readonly state: TaskState; readonly reason: TaskStatusReason; readonly message: string },
): void {
  countEnd(turn, why.state)
  const uuid = nextUuidBytes(turn.state.random)
  forwardUnknown(turn, framework, { ...ids, ...why, source: 'SOURCE_AGENT', uuid })
}

function updateRecord(framework_id: string, status: TaskStatus): AgentRecord {
  return { kind: 'update', value: { framework_id, status } }
}

function enqueue(turn: Turn, framework: AgentFramework, status: TaskStatus): void {
  turn.state.counters.validStatusUpdates += 1
  const { stream, isOverfull } = enqueueUpdate(framework, status)
  const { frameworkId, taskId } = stream
  if (isOverfull) note(turn, 'warn', 'too many updates wait: an old one is dropped', { frameworkId, taskId })
  if (stream.pending.length === 1) send(turn, stream)
  else if (isTerminal(status.state)) sendHead(turn, stream)
}

/** The master passes the framework's acknowledgement on. */
export function acknowledge(turn: Turn, frameworkId: string, taskId: string, uuid: Uint8Array): void {
  const framework = turn.state.frameworks.get(frameworkId)
  const stream = framework && dequeueUpdate(framework, taskId, uuid)
  if (framework === undefined || stream === undefined) {
    note(turn, 'debug', 'acknowledgement of an update that is not the oldest', { frameworkId, taskId })
    return
  }
  record(turn, framework, {
    kind: 'acknowledgement',
    value: { framework_id: frameworkId, task_id: taskId, uuid },
  })
  if (stream.pending.length > 0) {
    send(turn, stream)
    return
  }
  cancelTimer(turn, { kind: 'retryUpdate', frameworkId, taskId })
  forgetWhenIdle(turn, framework)
}

/** The oldest update of a task was not acknowledged in time. */
export function retryUpdate(turn: Turn, frameworkId: string, taskId: string): void {
  const stream = turn.state.frameworks.get(frameworkId)?.updates.get(taskId)
  // Without a master nobody can answer; the next registration sends everything.
  if (stream === undefined || turn.state.linkPhase !== 'registered') return
  stream.retryAfterMs = Math.min(stream.retryAfterMs * 2, RETRY_MAX_MS)
  send(turn, stream)
}

/** Sends every stream's oldest update, after a new registration. */
export function resendAll(turn: Turn): void {
  for (const { updates } of turn.state.frameworks.values()) {
    for (const stream of updates.values()) {
      stream.retryAfterMs = RETRY_MIN_MS
      send(turn, stream)
    }
  }
}

/** Drops a framework's updates: nobody wants them any more. */
export function dropUpdates(turn: Turn, framework: AgentFramework): void {
  const { frameworkId, updates } = framework
  for (const taskId of updates.keys()) cancelTimer(turn, { kind: 'retryUpdate', frameworkId, taskId })
  forgetUpdates(framework)
}

function send(turn: Turn, stream: UpdateStream): void {
  const { frameworkId, taskId } = stream
  setTimer(turn, { kind: 'retryUpdate', frameworkId, taskId }, stream.retryAfterMs)
  sendHead(turn, stream)
}

function sendHead(turn: Turn, stream: UpdateStream): void {
  const status = stream.pending[0]
  if (status === undefined || turn.state.linkPhase !== 'registered') return
  const update = { framework_id: { value: stream.frameworkId }, status, latest_state: stream.latestState }
  emit(turn, { kind: 'sendToMaster', message: { type: 'STATUS_UPDATE', status_update: update } })
}

function endTimers(turn: Turn, task: AgentTask): void {
  const { frameworkId, containerId } = task
  const taskId = task.info.task_id.value
  if (task.info.max_completion_time !== undefined) cancelTimer(turn, { kind: 'completionTime', frameworkId, taskId })
  if (containerId === undefined) return
  for (const kind of task.checks.keys()) cancelTimer(turn, { kind: 'check', containerId, of: kind })
  task.checks.clear()
  if (task.killDueAtMs !== undefined) cancelTimer(turn, { kind: 'killGrace', containerId })
}

/** While the agent drains, tasks are killed because of that, whatever else is said; on an agent that will be gone they are gone. */
function drained({ state }: Turn, { frameworkId }: Executor, given: TaskStatus): TaskStatus {
  if (state.drain === undefined || (given.state !== 'TASK_KILLED' && given.state !== 'TASK_KILLING')) return given
  const isAware = hasCapability(state.frameworks.get(frameworkId), 'PARTITION_AWARE')
  const isGone = given.state === 'TASK_KILLED' && state.drain.config.mark_gone === true && isAware
  return { ...given, state: isGone ? 'TASK_GONE_BY_OPERATOR' : given.state, reason: 'REASON_AGENT_DRAINING' }
}

function enriched(turn: Turn, executor: Executor, task: AgentTask, given: TaskStatus): TaskStatus {
  const status: TaskStatus = {
    ...given,
    agent_id: { value: agentIdOf(turn.state) },
    executor_id: { value: executor.executorId },
    timestamp: given.timestamp ?? turn.atMs / 1000,
  }
  // What the agent itself reports is about containers that are not there: not yet, or no more.
  if (given.source === 'SOURCE_AGENT') return status
  return { ...status, container_status: { ...containerStatus(turn, executor, task), ...given.container_status } }
}

function containerStatus(turn: Turn, executor: Executor, task: AgentTask): ContainerStatus {
  const parent = { value: executor.containerId }
  if (executor.kind === 'default') {
    const { containerId } = task
    return { container_id: containerId === undefined ? parent : { value: lastPart(containerId), parent } }
  }
  const { ip } = turn.state.options.address
  return {
    container_id: parent,
    executor_pid: executor.pid,
    network_infos: ip === undefined ? undefined : [{ ip_addresses: [{ protocol: protocolOf(ip), ip_address: ip }] }],
  }
}

function protocolOf(ip: string): 'IPv4' | 'IPv6' {
  return ip.includes(':') ? 'IPv6' : 'IPv4'
}

/** The id of a nested container without those it lies in. */
export function lastPart(containerId: string): string {
  return containerId.slice(containerId.lastIndexOf('.') + 1)
}

/** Every update of a task with a check says of which kind it is. */
function emptyCheckStatus(task: AgentTask): CheckStatusInfo | undefined {
  const { check } = task.info
  if (check === undefined) return undefined
  if (check.type === 'HTTP') return { type: 'HTTP', http: {} }
  return check.type === 'TCP' ? { type: 'TCP', tcp: {} } : { type: 'COMMAND', command: {} }
}

function countEnd(turn: Turn, state: TaskState): void {
  const { counters } = turn.state
  if (state === 'TASK_FINISHED') counters.tasksFinished += 1
  else if (state === 'TASK_FAILED') counters.tasksFailed += 1
  else if (state === 'TASK_KILLED') counters.tasksKilled += 1
  else if (state === 'TASK_LOST') counters.tasksLost += 1
  else if (state === 'TASK_GONE') counters.tasksGone += 1
}
