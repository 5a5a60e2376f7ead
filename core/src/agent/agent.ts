/**
 * The agent's machine: tasks come from the master, containers from the world, status updates go back. Start here.
 *
 * ```
 * master ⇒ RUN_TASK ─► launch.ts ─► executors.ts ─► containers.ts ⇒ launchContainer
 *                         ▲             │ ▲                            │
 *            executor-calls.ts      checks.ts              containerStarted, containerExited
 *                         │             ▼                              ▼
 * master ◄ STATUS_UPDATE ◄──── status-updates.ts ◄────────────── executors.ts
 * ```
 * Command tasks and task groups run under executors that are part of this machine (no process for an executor); custom
 * executors are processes that speak the executor API. registration.ts keeps the link to the master.
 */

import type { MasterMessage } from '@isthmus/proto/gen/agent-link'
import { checkFinished, runCheck } from './checks.ts'
import type { AgentEffect } from './effects.ts'
import type { AgentEvent, AgentTimer } from './events.ts'
import { executorCalled, executorStreamClosed } from './executor-calls.ts'
import {
  completionTimeReached,
  containerExited,
  containerLaunchFailed,
  containerStarted,
  endTask,
  KILL_GRACE_DEFAULT_MS,
  killGraceOver,
  killTask,
  registrationTimedOut,
  shutdownExecutor,
  shutdownFramework,
  shutdownGraceOver,
  terminate,
} from './executors.ts'
import { runTask, runTaskGroup } from './launch.ts'
import { operatorCalled } from './operators.ts'
import {
  linkClosed,
  linkOpened,
  pinged,
  pingTimedOut,
  register,
  registered,
  scheduleRegistration,
} from './registration.ts'
import { type AgentState, graceMs } from './state.ts'
import { acknowledge, retryUpdate } from './status-updates.ts'
import { emit, note, type Turn } from './turn.ts'

/** Applies one event. Changes `state` in place; returns what the world must do, in order. Never throws on input. */
export function step(state: AgentState, event: AgentEvent): AgentEffect[] {
  const turn: Turn = { state, atMs: event.atMs, effects: [] }
  dispatch(turn, event)
  return turn.effects
}

function dispatch(turn: Turn, event: AgentEvent): void {
  switch (event.kind) {
    case 'masterDetected':
      return scheduleRegistration(turn)
    case 'linkOpened':
      return linkOpened(turn)
    case 'linkMessage':
      return masterSaid(turn, event.message)
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
      return containerLaunchFailed(turn, event.containerId, event.message)
    case 'containerExited':
      return containerExited(turn, event.containerId, event.waitStatus, event.limitation)
    case 'checkFinished':
      return endUnhealthy(turn, checkFinished(turn, event.checkId, event.outcome))
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
    case 'RUN_TASK':
      if (message.run_task !== undefined) runTask(turn, message.run_task)
      return
    case 'RUN_TASK_GROUP':
      if (message.run_task_group !== undefined) runTaskGroup(turn, message.run_task_group)
      return
    case 'KILL_TASK': {
      const kill = message.kill_task
      if (kill !== undefined) killTask(turn, kill.framework_id.value, kill.task_id.value, kill.kill_policy)
      return
    }
    case 'SHUTDOWN_EXECUTOR': {
      const ids = message.shutdown_executor
      const executor = ids && turn.state.frameworks.get(ids.framework_id.value)?.executors.get(ids.executor_id.value)
      if (executor !== undefined) shutdownExecutor(turn, executor)
      return
    }
    case 'SHUTDOWN_FRAMEWORK':
      if (message.framework_id !== undefined) shutdownFramework(turn, message.framework_id.value)
      return
    case 'UPDATE_FRAMEWORK':
      return updateFramework(turn, message)
    case 'ACKNOWLEDGE_STATUS': {
      const ack = message.acknowledge_status
      if (ack !== undefined) acknowledge(turn, ack.framework_id.value, ack.task_id.value, ack.uuid)
      return
    }
    case 'FRAMEWORK_MESSAGE':
      return passMessage(turn, message)
    case 'SHUTDOWN':
      note(turn, 'warn', 'the master shuts this agent down', { reason: message.reason })
      return terminate(turn)
    default:
      note(turn, 'warn', 'message of the master that this agent does not know', { type: message.type })
  }
}

function updateFramework(turn: Turn, message: MasterMessage): void {
  const info = message.framework_info
  const framework = turn.state.frameworks.get(info?.id?.value ?? '')
  if (framework !== undefined && info !== undefined) framework.info = info
}

function passMessage(turn: Turn, message: MasterMessage): void {
  const given = message.framework_message
  const executor = given && turn.state.frameworks.get(given.framework_id.value)?.executors.get(given.executor_id.value)
  if (given === undefined || executor?.streamId === undefined) return
  emit(turn, {
    kind: 'sendEvent',
    streamId: executor.streamId,
    event: { type: 'MESSAGE', message: { data: given.data } },
  })
}

function endUnhealthy(turn: Turn, found: ReturnType<typeof checkFinished>): void {
  if (found === undefined) return
  const { executor, task } = found
  const cause = { state: 'TASK_KILLED', reason: 'REASON_TASK_HEALTH_CHECK_STATUS_UPDATED', message: undefined } as const
  endTask(turn, executor, task, cause, graceMs(undefined, task.info.kill_policy, KILL_GRACE_DEFAULT_MS))
}

function timerFired(turn: Turn, timer: AgentTimer): void {
  switch (timer.kind) {
    case 'register':
      return register(turn)
    case 'pingTimeout':
      return pingTimedOut(turn)
    case 'retryUpdate':
      return retryUpdate(turn, timer.frameworkId, timer.taskId)
    case 'executorRegistration':
      return registrationTimedOut(turn, timer.frameworkId, timer.executorId)
    case 'executorShutdown':
      return shutdownGraceOver(turn, timer.frameworkId, timer.executorId)
    case 'killGrace':
      return killGraceOver(turn, timer.containerId)
    case 'completionTime':
      return completionTimeReached(turn, timer.frameworkId, timer.taskId)
    case 'check':
      return runCheck(turn, timer.frameworkId, timer.taskId, timer.of)
    case 'collectSandbox':
      return emit(turn, { kind: 'removeSandbox', path: timer.path })
    default:
      timer satisfies never
  }
}
