/**
 * Each task's updates go to the master one by one, in order: the oldest is sent again, after 10 s and then twice as long each
 * time up to 10 minutes, until it is acknowledged with its uuid; then the next. With the oldest goes the newest state, so that
 * the master frees resources without waiting for acknowledgements.
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
import { type AgentTask, agentIdOf, type Executor, findTask, type UpdateStream } from './state.ts'
import { cancelTimer, emit, note, setTimer, type Turn } from './turn.ts'

export const RETRY_MIN_MS = 10_000
export const RETRY_MAX_MS = 600_000
/** Statuses of a task kept for the pages. */
const STATUSES_MAX = 32

/** What an update says beside the state. */
export interface UpdateFacts {
  readonly source: TaskStatusSource
  readonly reason?: TaskStatusReason | undefined
  readonly message?: string | undefined
  readonly healthy?: boolean | undefined
  readonly checkStatus?: CheckStatusInfo | undefined
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
    message: facts.message,
    source: facts.source,
    reason: facts.reason,
    healthy: facts.healthy ?? task.healthy,
    check_status: facts.checkStatus ?? emptyCheckStatus(task),
    uuid: nextUuidBytes(turn.state.random),
  })
}

/** Puts an update in line, with what the agent adds to every update; its uuid is set. */
export function forward(turn: Turn, executor: Executor, task: AgentTask, given: TaskStatus): void {
  const status: TaskStatus = {
    ...given,
    agent_id: { value: agentIdOf(turn.state) },
    executor_id: { value: executor.executorId },
    timestamp: given.timestamp ?? turn.atMs / 1000,
    container_status: { ...containerStatus(turn, executor, task), ...given.container_status },
  }
  const wasEnded = task.phase === 'ended'
  task.state = status.state
  task.statuses.push({ ...status, data: undefined })
  if (task.statuses.length > STATUSES_MAX) task.statuses.shift()
  if (isTerminal(status.state) && !wasEnded) {
    task.phase = 'ended'
    countEnd(turn, status.state)
    endTimers(turn, task)
  }
  if (turn.state.frameworks.get(executor.frameworkId)?.isTerminating !== false) return
  const key = `${executor.frameworkId}/${task.info.task_id.value}`
  let stream = turn.state.updates.get(key)
  if (stream === undefined) {
    stream = {
      frameworkId: executor.frameworkId,
      taskId: task.info.task_id.value,
      pending: [],
      retryAfterMs: RETRY_MIN_MS,
      latestState: status.state,
    }
    turn.state.updates.set(key, stream)
  }
  stream.pending.push(status)
  stream.latestState = status.state
  turn.state.counters.validStatusUpdates += 1
  if (stream.pending.length === 1) send(turn, stream)
  else if (isTerminal(status.state)) sendHead(turn, stream)
}

/** The master passes the framework's acknowledgement on. */
export function acknowledge(turn: Turn, frameworkId: string, taskId: string, uuid: Uint8Array): void {
  const key = `${frameworkId}/${taskId}`
  const stream = turn.state.updates.get(key)
  const head = stream?.pending[0]
  if (stream === undefined || head === undefined || !equalBytes(head.uuid, uuid)) {
    note(turn, 'debug', 'acknowledgement of an update that is not the oldest', { frameworkId, taskId })
    return
  }
  stream.pending.shift()
  cancelTimer(turn, { kind: 'retryUpdate', frameworkId, taskId })
  stream.retryAfterMs = RETRY_MIN_MS
  if (stream.pending.length > 0) {
    send(turn, stream)
    return
  }
  turn.state.updates.delete(key)
  if (isTerminal(head.state)) forgetTask(turn, frameworkId, taskId)
}

/** The oldest update of a task was not acknowledged in time. */
export function retryUpdate(turn: Turn, frameworkId: string, taskId: string): void {
  const stream = turn.state.updates.get(`${frameworkId}/${taskId}`)
  if (stream === undefined) return
  stream.retryAfterMs = Math.min(stream.retryAfterMs * 2, RETRY_MAX_MS)
  send(turn, stream)
}

/** Sends every stream's oldest update, after a new registration. */
export function resendAll(turn: Turn): void {
  for (const stream of turn.state.updates.values()) send(turn, stream)
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

function forgetTask(turn: Turn, frameworkId: string, taskId: string): void {
  const found = findTask(turn.state, frameworkId, taskId)
  if (found === undefined) return
  found.executor.tasks.delete(taskId)
  found.executor.completedTasks.push(found.task)
  if (found.executor.completedTasks.length > STATUSES_MAX * 8) found.executor.completedTasks.shift()
}

function endTimers(turn: Turn, task: AgentTask): void {
  const frameworkId = task.frameworkId
  const taskId = task.info.task_id.value
  if (task.info.max_completion_time !== undefined) cancelTimer(turn, { kind: 'completionTime', frameworkId, taskId })
  for (const kind of ['check', 'healthCheck'] as const)
    if (task.checks.has(kind)) cancelTimer(turn, { kind: 'check', frameworkId, taskId, of: kind })
  task.checks.clear()
  if (task.containerId !== undefined) cancelTimer(turn, { kind: 'killGrace', containerId: task.containerId })
}

function containerStatus(turn: Turn, executor: Executor, task: AgentTask): ContainerStatus {
  const own = { value: executor.containerId }
  const isNested = executor.kind === 'default' && task.containerId !== undefined
  const pid = task.pid ?? executor.pid
  const ip = turn.state.options.address.ip
  return {
    container_id: isNested ? { value: ownPart(task.containerId ?? ''), parent: own } : own,
    executor_pid: pid,
    network_infos: ip === undefined ? undefined : [{ ip_addresses: [{ protocol: 'IPv4', ip_address: ip }] }],
  }
}

function ownPart(containerId: string): string {
  return containerId.slice(containerId.lastIndexOf('.') + 1)
}

/** Every update of a task with a check says of which kind it is. */
function emptyCheckStatus(task: AgentTask): CheckStatusInfo | undefined {
  const { check } = task.info
  if (check === undefined) return undefined
  const last = task.checks.get('check')?.last
  if (last !== undefined) return last
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

function equalBytes(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && a.length === b.length && a.every((byte, at) => byte === b[at])
}
