/**
 * The agent's machine: tasks come from the master, containers from the world, status updates go back. Start here.
 *
 * ```
 * master ⇒ RUN_TASK ─► launch.ts ─┬─► built-in.ts ────────┬─► containers.ts ⇒ launchContainer
 *                                 └─► custom-executor.ts ─┘              │
 *                    executor-calls.ts ──┘   ▲                            ▼
 *                                      checks.ts         containerStarted, containerExited (this file)
 * master ◄ STATUS_UPDATE ◄── status-updates.ts ◄── all of them
 * ```
 * Command tasks and task groups run under executors that are part of this machine (no process for an executor); custom
 * executors are processes that speak the executor API. registration.ts keeps the link to the master; shutdown.ts ends things;
 * operations.ts changes the agent's resources and resource-store.ts has the disk follow; oversubscription.ts gives again what is not used;
 * operators.ts, operator-containers.ts and views.ts answer people.
 */

import type { MasterMessage } from '@isthmus/proto/gen/agent-link'
import {
  completionTimeReached,
  endTask,
  killGraceMs,
  killGraceOver,
  limitationCause,
  taskExited,
  taskLaunchFailed,
  taskStarted,
} from './built-in.ts'
import { checkFinished, runCheck } from './checks.ts'
import { containersFound, reregistrationTimedOut, settleRecovery } from './containers-found.ts'
import {
  customExited,
  customLaunchFailed,
  executorStarted,
  registrationTimedOut,
  shutdownGraceOver,
} from './custom-executor.ts'
import type { AgentEffect } from './effects.ts'
import type { AgentEvent, AgentTimer, CheckOutcome } from './events.ts'
import { beat, executorCalled, executorStreamClosed, passMessage } from './executor-calls.ts'
import { updateFramework } from './frameworks.ts'
import { collectSandbox, sandboxesFound } from './gc.ts'
import { runTask, runTaskGroup } from './launch.ts'
import { acknowledgeOperation, retryOperation } from './operations.ts'
import { answerWaiting, endNested, operatorContainerEnded, operatorContainerStarted } from './operator-containers.ts'
import { operatorCalled } from './operators.ts'
import { corrected, estimated } from './oversubscription.ts'
import { linkClosed, linkOpened, masterDetected, pinged, pingTimedOut, register, registered } from './registration.ts'
import { holdMessage, resourcesStored, storeChanges, takeOperation } from './resource-store.ts'
import { drain, killTask, leaveTimedOut, settle, shutdownExecutor, shutdownFramework, terminate } from './shutdown.ts'
import { type AgentState, type ContainerEnd, type EndCause, findExecutor, lostState } from './state.ts'
import { acknowledge, retryUpdate } from './status-updates.ts'
import { emit, note, type Turn } from './turn.ts'

type ContainerExited = Extract<AgentEvent, { kind: 'containerExited' }>
type ContainerLaunchFailed = Extract<AgentEvent, { kind: 'containerLaunchFailed' }>

/** Applies one event. Changes `state` in place; returns what the world must do, in order. Never throws on input. */
export function step(state: AgentState, event: AgentEvent): AgentEffect[] {
  const turn: Turn = { state, atMs: event.atMs, effects: [] }
  dispatch(turn, event)
  settleRecovery(turn)
  settle(turn)
  storeChanges(turn)
  return turn.effects
}

function dispatch(turn: Turn, event: AgentEvent): void {
  switch (event.kind) {
    case 'masterDetected':
      return masterDetected(turn)
    case 'linkOpened':
      return linkOpened(turn)
    case 'linkMessage':
      if (!holdMessage(turn, event.message)) masterSaid(turn, event.message)
      return
    case 'linkClosed':
      return linkClosed(turn, event.reason)
    case 'executorCalled':
      return executorCalled(turn, event.requestId, event.call)
    case 'executorStreamClosed':
      return executorStreamClosed(turn, event.streamId)
    case 'operatorCalled':
      return operatorCalled(turn, event.requestId, event.call)
    case 'containerStarted':
      return containerStarted(turn, event.containerId, event.pid)
    case 'containerLaunchFailed':
      return containerLaunchFailed(turn, event)
    case 'containerExited':
      return containerExited(turn, event)
    case 'containersFound':
      return containersFound(turn, event)
    case 'resourcesStored':
      return resourcesStored(turn, (message) => masterSaid(turn, message))
    case 'checkFinished':
      return checked(turn, event.checkId, event.outcome)
    case 'sandboxesFound':
      return sandboxesFound(turn, event.sandboxes)
    case 'estimated':
      return estimated(turn, event.resources)
    case 'corrected':
      return corrected(turn, event.corrections)
    case 'timerFired':
      return timerFired(turn, event.timer)
    case 'terminate':
      return terminate(turn)
    default:
      event satisfies never
  }
}

function masterSaid(turn: Turn, message: MasterMessage): void {
  switch (message.type) {
    case 'REGISTERED':
    case 'REREGISTERED':
      return registered(turn, message)
    case 'PING':
      return pinged(turn)
    case 'UPDATE_FRAMEWORK':
      return updateFramework(turn, message.framework_info)
    case 'SHUTDOWN_FRAMEWORK':
      if (message.framework_id !== undefined) shutdownFramework(turn, message.framework_id.value)
      return
    case 'DRAIN':
      return drain(turn, message.drain_config ?? {})
    case 'SHUTDOWN':
      note(turn, 'warn', 'the master shuts this agent down', { reason: message.reason })
      return terminate(turn)
    default:
      if (!masterAsked(turn, message))
        note(turn, 'warn', 'message of the master that this agent does not know', { type: message.type })
  }
}

/** What the master wants of tasks, executors and operations; false when it is nothing known. */
function masterAsked(turn: Turn, message: MasterMessage): boolean {
  const ids = message.shutdown_executor
  const executor = ids && findExecutor(turn.state, ids.framework_id.value, ids.executor_id.value)
  const ack = message.acknowledge_status
  if (message.run_task !== undefined) runTask(turn, message.run_task)
  else if (message.run_task_group !== undefined) runTaskGroup(turn, message.run_task_group)
  else if (message.kill_task !== undefined) killTask(turn, message.kill_task)
  else if (executor !== undefined) shutdownExecutor(turn, executor, ids)
  else if (ack !== undefined) acknowledge(turn, ack.framework_id.value, ack.task_id.value, ack.uuid)
  else if (message.framework_message !== undefined) passMessage(turn, message.framework_message)
  else if (message.apply_operation !== undefined) takeOperation(turn, message.apply_operation)
  else if (message.acknowledge_operation !== undefined) acknowledgeOperation(turn, message.acknowledge_operation)
  else return ids !== undefined
  return true
}

function containerStarted(turn: Turn, containerId: string, pid: number): void {
  const owner = turn.state.containers.get(containerId)
  if (owner?.kind === 'operator') operatorContainerStarted(owner.container, pid)
  else if (owner?.kind === 'task') taskStarted(turn, owner.executor, owner.task, pid)
  else if (owner !== undefined) executorStarted(turn, owner.executor, pid)
}

function containerLaunchFailed(turn: Turn, { containerId, phase, message }: ContainerLaunchFailed): void {
  const owner = turn.state.containers.get(containerId)
  if (owner === undefined) return
  turn.state.containers.delete(containerId)
  turn.state.counters.containerLaunchErrors += 1
  endNested(turn, containerId)
  const text = `Failed to launch container: ${message}`
  if (owner.kind === 'operator') return operatorContainerEnded(turn, owner.container, { message: text })
  const framework = turn.state.frameworks.get(owner.executor.frameworkId)
  const cause: EndCause =
    phase === 'sandbox'
      ? { state: lostState(framework), reason: 'REASON_EXECUTOR_TERMINATED', message }
      : { state: 'TASK_FAILED', reason: 'REASON_CONTAINER_LAUNCH_FAILED', message: text }
  answerWaiting(turn, containerId, cause)
  if (owner.kind === 'task') taskLaunchFailed(turn, owner.executor, owner.task, cause)
  else customLaunchFailed(turn, owner.executor, cause)
}

function containerExited(turn: Turn, { containerId, waitStatus, limitation }: ContainerExited): void {
  containerEnded(turn, containerId, { waitStatus, limitation })
  emit(turn, { kind: 'releaseContainer', containerId })
}

function containerEnded(
  turn: Turn,
  containerId: string,
  { waitStatus, limitation }: Pick<ContainerExited, 'waitStatus' | 'limitation'>,
): void {
  const owner = turn.state.containers.get(containerId)
  if (owner === undefined) return
  turn.state.containers.delete(containerId)
  endNested(turn, containerId)
  const end: ContainerEnd = { waitStatus, ...(limitation && limitationCause(limitation)) }
  if (owner.kind === 'operator') return operatorContainerEnded(turn, owner.container, end)
  answerWaiting(turn, containerId, end)
  if (owner.kind === 'task') taskExited(turn, owner.executor, owner.task, { waitStatus, limitation })
  else customExited(turn, owner.executor, { waitStatus, limitation })
}

function checked(turn: Turn, checkId: string, outcome: CheckOutcome): void {
  const unhealthy = checkFinished(turn, checkId, outcome)
  if (unhealthy === undefined) return
  const { executor, task } = unhealthy
  const cause: EndCause = { state: 'TASK_KILLED', healthy: false }
  endTask(turn, executor, task, cause, killGraceMs(undefined, task.info.kill_policy))
}

function timerFired(turn: Turn, timer: AgentTimer): void {
  switch (timer.kind) {
    case 'register':
      return register(turn)
    case 'pingTimeout':
      return pingTimedOut(turn)
    case 'retryUpdate':
      return retryUpdate(turn, timer.frameworkId, timer.taskId)
    case 'retryOperation':
      return retryOperation(turn, timer.operationUuid)
    case 'executorRegistration':
      return registrationTimedOut(turn, timer.frameworkId, timer.executorId)
    case 'executorReregistration':
      return reregistrationTimedOut(turn)
    case 'executorShutdown':
      return shutdownGraceOver(turn, timer.frameworkId, timer.executorId)
    case 'executorHeartbeat':
      return beat(turn, timer.streamId)
    case 'killGrace':
      return killGraceOver(turn, timer.containerId)
    case 'completionTime':
      return completionTimeReached(turn, timer.frameworkId, timer.taskId)
    case 'check':
      return runCheck(turn, timer.containerId, timer.of)
    case 'collectSandbox':
      return collectSandbox(turn, timer.path)
    case 'leave':
      return leaveTimedOut(turn)
    default:
      timer satisfies never
  }
}
