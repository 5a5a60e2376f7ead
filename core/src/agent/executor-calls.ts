/** POST /api/v1/executor: what custom executors say. Checks come in Mesos's order, with its statuses and words. */

import type { Call } from '@isthmus/proto/gen/executor'
import { nextUuid } from '../base/random.ts'
import { isTerminal } from '../framework/task-states.ts'
import { updateContainer } from './containers.ts'
import { deliverTasks } from './executors.ts'
import type { Executor } from './state.ts'
import { forward } from './status-updates.ts'
import { cancelTimer, emit, note, respond, type Turn } from './turn.ts'

const PREFIX = 'Failed to validate Executor::Call: '

/** Answers one call of an executor. */
export function executorCalled(turn: Turn, requestId: string, call: Call): void {
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
  if (call.type === 'SUBSCRIBE') return subscribe(turn, requestId, executor, call)
  if (executor.phase === 'registering' || executor.streamId === undefined)
    return respond(turn, requestId, 403, 'Executor is not subscribed')
  switch (call.type) {
    case 'UPDATE':
      update(turn, executor, call)
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

/** 16 bytes of RFC 4122's form: the variant bits and a version from 1 to 5. */
function isUuid(bytes: Uint8Array): boolean {
  const version = (bytes[6] ?? 0) >> 4
  return bytes.length === 16 && ((bytes[8] ?? 0) & 0xc0) === 0x80 && version >= 1 && version <= 5
}

function subscribe(turn: Turn, requestId: string, executor: Executor, call: Call): void {
  const { state } = turn
  const framework = state.frameworks.get(executor.frameworkId)
  if (executor.phase === 'terminating' || framework === undefined) {
    return respond(turn, requestId, 403, 'Executor is terminating')
  }
  if (executor.streamId !== undefined) {
    emit(turn, { kind: 'closeStream', streamId: executor.streamId })
    state.streams.delete(executor.streamId)
  }
  const streamId = nextUuid(state.random)
  executor.streamId = streamId
  executor.phase = 'running'
  state.streams.set(streamId, executor)
  cancelTimer(turn, {
    kind: 'executorRegistration',
    frameworkId: executor.frameworkId,
    executorId: executor.executorId,
  })
  emit(turn, { kind: 'openStream', requestId, streamId })
  const subscribed = {
    executor_info: executor.info,
    framework_info: framework.info,
    agent_info: state.info,
    container_id: { value: executor.containerId },
  }
  emit(turn, { kind: 'sendEvent', streamId, event: { type: 'SUBSCRIBED', subscribed } })
  for (const { status } of call.subscribe?.unacknowledged_updates ?? []) {
    if (status.uuid !== undefined && isUuid(status.uuid)) takeUpdate(turn, executor, status)
  }
  deliverTasks(turn, executor, [...executor.tasks.values()])
}

function update(turn: Turn, executor: Executor, call: Call): void {
  if (call.update !== undefined) takeUpdate(turn, executor, call.update.status)
}

function takeUpdate(turn: Turn, executor: Executor, status: NonNullable<Call['update']>['status']): void {
  const taskId = status.task_id.value
  const task = executor.tasks.get(taskId)
  const uuid = status.uuid
  if (uuid === undefined) return
  if (task === undefined) {
    note(turn, 'warn', 'update of a task the executor does not have', {
      taskId,
      executorId: executor.executorId,
      state: status.state,
    })
  } else if (!isRepeated(turn, executor, taskId, uuid)) {
    const wasEnded = task.phase === 'ended'
    if (status.healthy !== undefined) task.healthy = status.healthy
    if (task.phase === 'staging') task.phase = 'running'
    if (!(wasEnded && !isTerminal(status.state))) forward(turn, executor, task, status)
    if (!wasEnded && isTerminal(status.state)) updateContainer(turn, executor)
  }
  const streamId = executor.streamId
  if (streamId !== undefined) {
    emit(turn, {
      kind: 'sendEvent',
      streamId,
      event: { type: 'ACKNOWLEDGED', acknowledged: { task_id: status.task_id, uuid } },
    })
  }
}

/** The same update again, because its acknowledgement was lost. */
function isRepeated(turn: Turn, executor: Executor, taskId: string, uuid: Uint8Array): boolean {
  const stream = turn.state.updates.get(`${executor.frameworkId}/${taskId}`)
  return stream?.pending.some((status) => status.uuid?.every((byte, at) => byte === uuid[at]) ?? false) ?? false
}

function message(turn: Turn, call: Call): void {
  if (call.message === undefined || turn.state.linkPhase !== 'registered') return
  const executorMessage = { framework_id: call.framework_id, executor_id: call.executor_id, data: call.message.data }
  emit(turn, { kind: 'sendToMaster', message: { type: 'EXECUTOR_MESSAGE', executor_message: executorMessage } })
}

/** The stream broke; the executor may subscribe again as long as its process lives. */
export function executorStreamClosed(turn: Turn, streamId: string): void {
  const executor = turn.state.streams.get(streamId)
  if (executor === undefined) return
  turn.state.streams.delete(streamId)
  executor.streamId = undefined
}
