/** POST /api/v1/executor: what custom executors say. Checks come in Mesos's order, with its statuses and words. */

import type { MasterMessageFrameworkMessage } from '@isthmus/proto/gen/agent-link'
import type { Call } from '@isthmus/proto/gen/executor'
import type { TaskStatus } from '@isthmus/proto/gen/mesos'
import { isUuid } from '@isthmus/proto/ids'
import { nextUuid } from '../base/random.ts'
import { isTerminal } from '../framework/task-states.ts'
import { updateContainer } from './containers.ts'
import { customRegistered, deliverKills, deliverTasks } from './custom-executor.ts'
import { closeExecutorStream } from './executors.ts'
import { type AgentFramework, type EndCause, type Executor, findExecutor, findTask, lostState } from './state.ts'
import { forward, forwardUnknown, updateTask } from './status-updates.ts'
import { cancelTimer, emit, note, respond, setTimer, type Turn } from './turn.ts'
import { equalBytes } from './update-stream.ts'

/** A sign of life on each executor's stream; as rare as Mesos's. */
const HEARTBEAT_MS = 30 * 60_000

const PREFIX = 'Failed to validate Executor::Call: '

/** Answers one call of an executor. */
export function executorCalled(turn: Turn, requestId: string, call: Call): void {
  if (turn.state.recovery?.phase === 'awaitingContainers') {
    return respond(turn, requestId, 503, 'Agent has not finished recovery')
  }
  if (call.type === 'HEARTBEAT') return respond(turn, requestId, 202)
  const problem = validate(call)
  if (problem !== undefined) {
    turn.state.counters.invalidStatusUpdates += call.type === 'UPDATE' ? 1 : 0
    return respond(turn, requestId, 400, PREFIX + problem)
  }
  const framework = turn.state.frameworks.get(call.framework_id.value)
  if (framework === undefined) return respond(turn, requestId, 400, 'Framework cannot be found')
  const executor = framework.executors.get(call.executor_id.value)
  if (executor === undefined || executor.kind !== 'custom')
    return respond(turn, requestId, 400, 'Executor cannot be found')
  if (call.type === 'SUBSCRIBE') return subscribe(turn, requestId, { framework, executor, call })
  if (executor.phase === 'registering' || executor.streamId === undefined)
    return respond(turn, requestId, 403, 'Executor is not subscribed')
  switch (call.type) {
    case 'UPDATE':
      if (call.update !== undefined) takeUpdate(turn, framework, executor, call.update.status)
      return respond(turn, requestId, 202)
    case 'MESSAGE':
      message(turn, call)
      return respond(turn, requestId, 202)
    default:
      return respond(turn, requestId, 501, '501 Not Implemented.')
  }
}

function validate(call: Call): string | undefined {
  switch (call.type) {
    case undefined:
      return "Expecting 'type' to be present"
    case 'SUBSCRIBE':
      return call.subscribe === undefined ? "Expecting 'subscribe' to be present" : undefined
    case 'UPDATE':
      return validateUpdate(call)
    case 'MESSAGE':
      return call.message === undefined ? "Expecting 'message' to be present" : undefined
    default:
      return undefined
  }
}

function validateUpdate(call: Call): string | undefined {
  if (call.update === undefined) return "Expecting 'update' to be present"
  const { status } = call.update
  if (status.uuid === undefined) return "Expecting 'uuid' to be present"
  if (!isUuid(status.uuid)) return 'Not a valid UUID'
  const who = `from executor ${call.executor_id.value} of framework ${call.framework_id.value}`
  if (status.executor_id !== undefined && status.executor_id.value !== call.executor_id.value) {
    return `ExecutorID in Call: ${call.executor_id.value} does not match ExecutorID in TaskStatus: ${status.executor_id.value}`
  }
  if (status.source !== 'SOURCE_EXECUTOR')
    return `Received Call ${who} with invalid source, expecting 'SOURCE_EXECUTOR'`
  return status.state === 'TASK_STAGING' ? `Received TASK_STAGING ${who} which is not allowed` : undefined
}

function subscribe(
  turn: Turn,
  requestId: string,
  { framework, executor, call }: { framework: AgentFramework; executor: Executor; call: Call },
): void {
  const { state } = turn
  if (executor.phase === 'terminating') return respond(turn, requestId, 403, 'Executor is terminating')
  const isReturn = executor.phase === 'running'
  if (executor.phase === 'registering' && executor.hasSubscribed) markReceived(executor, call)
  closeExecutorStream(turn, executor)
  const streamId = nextUuid(state.random)
  executor.streamId = streamId
  state.streams.set(streamId, executor)
  customRegistered(turn, executor)
  emit(turn, { kind: 'openStream', requestId, streamId })
  const subscribed = {
    executor_info: executor.info,
    framework_info: framework.info,
    agent_info: state.info,
    container_id: { value: executor.containerId },
  }
  emit(turn, { kind: 'sendEvent', streamId, event: { type: 'SUBSCRIBED', subscribed } })
  setTimer(turn, { kind: 'executorHeartbeat', streamId }, HEARTBEAT_MS)
  for (const { status } of call.subscribe?.unacknowledged_updates ?? []) {
    if (status.uuid !== undefined && isUuid(status.uuid)) takeUpdate(turn, framework, executor, status)
  }
  if (isReturn) dropUnseenTasks(turn, framework, executor, call)
  deliverTasks(turn, executor)
  deliverKills(turn, executor)
}

/** An executor comes back to an agent that recovered: what it has is not sent again, the rest is, since it never got it. */
function markReceived(executor: Executor, { subscribe: given }: Call): void {
  for (const { task_id } of given?.unacknowledged_tasks ?? []) {
    const task = executor.tasks.get(task_id.value)
    if (task?.phase === 'staging') task.phase = 'running'
  }
}

/** Tasks that were sent while the stream broke, and that the returned executor has never seen. */
function dropUnseenTasks(turn: Turn, framework: AgentFramework, executor: Executor, { subscribe: given }: Call): void {
  const seen = new Set(given?.unacknowledged_tasks?.map(({ task_id }) => task_id.value))
  for (const task of executor.tasks.values()) {
    if (task.phase !== 'running' || task.state !== 'TASK_STAGING' || seen.has(task.info.task_id.value)) continue
    updateTask(turn, executor, task, lostState(framework), {
      source: 'SOURCE_AGENT',
      reason: 'REASON_EXECUTOR_UNREGISTERED',
      message: 'The executor reconnected without the task',
    })
  }
}

function takeUpdate(
  turn: Turn,
  framework: AgentFramework,
  executor: Executor,
  status: NonNullable<Call['update']>['status'],
): void {
  enterUpdate(turn, framework, executor, status)
  const { task_id, uuid } = status
  const { streamId } = executor
  if (streamId === undefined || uuid === undefined) return
  emit(turn, {
    kind: 'sendEvent',
    streamId,
    event: { type: 'ACKNOWLEDGED', acknowledged: { task_id, uuid } },
  })
}

function enterUpdate(
  turn: Turn,
  framework: AgentFramework,
  executor: Executor,
  status: NonNullable<Call['update']>['status'],
): void {
  const taskId = status.task_id.value
  const stream = framework.updates.get(taskId)
  const isSame = ({ uuid }: TaskStatus): boolean => equalBytes(uuid, status.uuid)
  // The same again, because its acknowledgement was lost.
  const task = executor.tasks.get(taskId)
  const told = task ?? executor.completedTasks.findLast(({ info }) => info.task_id.value === taskId)
  if (stream?.pending.some(isSame) === true || told?.statuses.some(isSame) === true) return
  if (task === undefined) {
    const { executorId } = executor
    if (findTask(turn.state, framework.frameworkId, taskId) !== undefined) {
      turn.state.counters.invalidStatusUpdates += 1
      note(turn, 'warn', "update of another executor's task", { taskId, executorId, state: status.state })
      return
    }
    if (stream !== undefined && isTerminal(stream.latestState)) {
      turn.state.counters.invalidStatusUpdates += 1
      note(turn, 'warn', 'update of a task that has ended', { taskId, state: status.state })
      return
    }
    note(turn, 'info', 'update of a task that is not known here', { taskId, executorId, state: status.state })
    forwardUnknown(turn, framework, { ...status, executor_id: { value: executorId } })
    return
  }
  const wasEnded = task.phase === 'ended'
  if (wasEnded && !isTerminal(status.state)) {
    turn.state.counters.invalidStatusUpdates += 1
    note(turn, 'warn', 'update of a task that has ended', { taskId, state: status.state })
    return
  }
  if (task.phase === 'staging') task.phase = 'running'
  forward(turn, executor, task, withCause(status, task.endCause))
  if (!wasEnded && isTerminal(status.state)) updateContainer(turn, executor)
}

/** When the agent wanted the task to end, its end says why. */
function withCause(
  status: NonNullable<Call['update']>['status'],
  cause: EndCause | undefined,
): NonNullable<Call['update']>['status'] {
  if (cause?.reason === undefined || status.state !== cause.state || status.reason !== undefined) return status
  const { reason, message: words } = cause
  return words === undefined || status.message !== undefined
    ? { ...status, reason }
    : { ...status, reason, message: words }
}

function message(turn: Turn, call: Call): void {
  const { state } = turn
  if (call.message === undefined || state.linkPhase !== 'registered') {
    state.counters.invalidFrameworkMessages += 1
    return
  }
  state.counters.validFrameworkMessages += 1
  const executorMessage = { framework_id: call.framework_id, executor_id: call.executor_id, data: call.message.data }
  emit(turn, { kind: 'sendToMaster', message: { type: 'EXECUTOR_MESSAGE', executor_message: executorMessage } })
}

/** FRAMEWORK_MESSAGE: data for an executor that is connected; dropped for others. */
export function passMessage(turn: Turn, given: MasterMessageFrameworkMessage): void {
  const executor = findExecutor(turn.state, given.framework_id.value, given.executor_id.value)
  if (executor?.streamId === undefined) {
    turn.state.counters.invalidFrameworkMessages += 1
    return
  }
  turn.state.counters.validFrameworkMessages += 1
  const event = { type: 'MESSAGE', message: { data: given.data } } as const
  emit(turn, { kind: 'sendEvent', streamId: executor.streamId, event })
}

/** The stream broke; the executor may subscribe again as long as its process lives. */
export function executorStreamClosed(turn: Turn, streamId: string): void {
  const executor = turn.state.streams.get(streamId)
  if (executor === undefined) return
  turn.state.streams.delete(streamId)
  cancelTimer(turn, { kind: 'executorHeartbeat', streamId })
  executor.streamId = undefined
}

/** A sign of life is due. */
export function beat(turn: Turn, streamId: string): void {
  if (!turn.state.streams.has(streamId)) return
  emit(turn, { kind: 'sendEvent', streamId, event: { type: 'HEARTBEAT' } })
  setTimer(turn, { kind: 'executorHeartbeat', streamId }, HEARTBEAT_MS)
}
