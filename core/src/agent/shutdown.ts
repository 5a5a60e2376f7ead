/**
 * How things are made to end by someone else: one task, one executor, a framework, all of an agent that is drained, and the agent.
 *
 * The end of the agent: `terminate` ends every executor; after the last container the updates that are not acknowledged have a
 * moment; then the agent takes leave of its master, so that nobody waits for it, and exits.
 */

import type { MasterMessageKillTask, MasterMessageShutdownExecutor } from '@isthmus/proto/gen/agent-link'
import type { DrainConfig } from '@isthmus/proto/gen/mesos'
import { isSame } from '../base/is-same.ts'
import { endTask, killBuiltIn, killGraceMs, shutdownBuiltIn } from './built-in.ts'
import { blame, destroyCustom, killCustom, shutdownCustom } from './custom-executor.ts'
import { forgetWhenIdle } from './frameworks.ts'
import { answerUnknownKill } from './launch.ts'
import { drainRecord } from './snapshot.ts'
import { type AgentState, type AgentTask, type EndCause, type Executor, findTask, liveTasks } from './state.ts'
import { dropUpdates } from './status-updates.ts'
import { cancelTimer, emit, keep, note, record, setTimer, type Turn } from './turn.ts'

/** How long the last updates may take to be acknowledged when the agent ends. */
const LEAVE_PATIENCE_MS = 1_000

/** KILL_TASK. */
export function killTask(turn: Turn, kill: MasterMessageKillTask): void {
  const { framework_id, task_id } = kill
  const framework = turn.state.frameworks.get(framework_id.value)
  const found = findTask(turn.state, framework_id.value, task_id.value)
  if (found !== undefined) {
    if (found.task.phase !== 'ended') killFound(turn, found.executor, found.task, kill)
    return
  }
  note(turn, 'warn', 'kill of a task that is not here', { frameworkId: framework_id.value, taskId: task_id.value })
  const isSettled = framework === undefined || framework.isTerminating || framework.updates.has(task_id.value)
  if (!isSettled) answerUnknownKill(turn, framework, task_id.value)
}

function killFound(turn: Turn, executor: Executor, task: AgentTask, kill: MasterMessageKillTask): void {
  const { kill_policy: policy } = kill
  const cause = mastersCause(kill)
  if (executor.kind === 'custom') {
    blame(turn, executor, task, cause)
    killCustom(turn, executor, task, policy)
  } else if (cause === undefined) killBuiltIn(turn, executor, task, policy)
  else endTask(turn, executor, task, cause, killGraceMs(policy, task.info.kill_policy))
}

/** What a task's end is called when the master has a reason of its own. */
function mastersCause({ reason, message }: Pick<MasterMessageKillTask, 'reason' | 'message'>): EndCause | undefined {
  return reason === undefined ? undefined : { state: 'TASK_KILLED', reason, message }
}

/** SHUTDOWN_EXECUTOR: a custom executor is asked to end, a built-in one ends its tasks. The master may say why. */
export function shutdownExecutor(
  turn: Turn,
  executor: Executor,
  why: Pick<MasterMessageShutdownExecutor, 'reason' | 'message'> = {},
): void {
  const cause = mastersCause(why)
  if (cause !== undefined) {
    for (const task of liveTasks(executor)) {
      if (executor.kind === 'custom') blame(turn, executor, task, cause)
      else endTask(turn, executor, task, cause, killGraceMs(undefined, task.info.kill_policy))
    }
  }
  if (executor.kind === 'custom') shutdownCustom(turn, executor)
  else shutdownBuiltIn(turn, executor)
}

/** SHUTDOWN_FRAMEWORK: everything it runs ends, and nobody is told. */
export function shutdownFramework(turn: Turn, frameworkId: string): void {
  const framework = turn.state.frameworks.get(frameworkId)
  if (framework === undefined) return
  framework.isTerminating = true
  record(turn, framework, { kind: 'framework_terminating', value: { framework_id: frameworkId } })
  dropUpdates(turn, framework)
  for (const executor of [...framework.executors.values()]) shutdownExecutor(turn, executor)
  forgetWhenIdle(turn, framework)
}

/** DRAIN: every task is killed, with its own grace or the drain's if that is shorter. Repeated after a new registration. */
export function drain(turn: Turn, config: DrainConfig): void {
  const { state } = turn
  const before = state.drain
  state.drain = { config, startedAtMs: before?.startedAtMs ?? turn.atMs }
  if (!isSame(config, before?.config)) keep(turn, drainRecord(state.drain))
  note(turn, 'info', 'draining', { markGone: config.mark_gone ?? false })
  const cause = { state: 'TASK_KILLED', reason: 'REASON_AGENT_DRAINING' } as const
  for (const executor of allExecutors(state)) {
    for (const task of liveTasks(executor)) {
      // It went with another of its group.
      if (task.phase === 'ended') continue
      const graceMs = drainGraceMs(config, task)
      if (executor.kind !== 'custom') {
        endTask(turn, executor, task, cause, graceMs)
        continue
      }
      blame(turn, executor, task, cause)
      killCustom(turn, executor, task, { grace_period: { nanoseconds: Math.round(graceMs * 1e6) } })
    }
  }
}

function drainGraceMs({ max_grace_period: max }: DrainConfig, task: AgentTask): number {
  const ownMs = killGraceMs(undefined, task.info.kill_policy)
  return max === undefined ? ownMs : Math.min(ownMs, Math.max(0, Number(max.nanoseconds) / 1e6))
}

/** At the end of each step: what waits for everything to be over. */
export function settle(turn: Turn): void {
  const { state } = turn
  if (state.drain !== undefined && state.frameworks.size === 0 && state.operations.size === 0) {
    state.drain = undefined
    keep(turn, { kind: 'drained', value: {} })
    note(turn, 'info', 'drained', {})
  }
  if (!state.isTerminating || state.hasLeft || state.containers.size > 0) return
  if (allExecutors(state).length > 0) return
  const isSettled = [...state.frameworks.values()].every(({ updates }) => updates.size === 0)
  if (isSettled || state.linkPhase !== 'registered') leave(turn)
}

/** SIGTERM, or SHUTDOWN from the master: everything ends, then the process. */
export function terminate(turn: Turn): void {
  const { state } = turn
  if (!state.isTerminating) setTimer(turn, { kind: 'leave' }, LEAVE_PATIENCE_MS)
  state.isTerminating = true
  for (const executor of allExecutors(state)) shutdownExecutor(turn, executor)
  for (const { containerId, executor, phase } of state.operatorContainers.values()) {
    if (executor === undefined && phase !== 'ended') emit(turn, { kind: 'destroyContainer', containerId })
  }
}

/** recover=cleanup: nothing that was found is asked, and the agent ends when all is gone. */
export function destroyEverything(turn: Turn): void {
  const { state } = turn
  state.isTerminating = true
  for (const executor of allExecutors(state)) {
    if (executor.kind === 'custom') destroyCustom(turn, executor)
    else for (const task of liveTasks(executor)) destroyTask(turn, executor, task)
  }
}

function destroyTask(turn: Turn, executor: Executor, task: AgentTask): void {
  const { containerId } = task
  endTask(turn, executor, task, { state: 'TASK_KILLED', reason: 'REASON_EXECUTOR_TERMINATED' }, 0)
  if (containerId !== undefined) emit(turn, { kind: 'destroyContainer', containerId })
}

/** Acknowledgements were waited for long enough; containers are always waited for. */
export function leaveTimedOut(turn: Turn): void {
  const { state } = turn
  if (!state.isTerminating || state.hasLeft) return
  if (state.containers.size > 0) setTimer(turn, { kind: 'leave' }, LEAVE_PATIENCE_MS)
  else leave(turn)
}

function leave(turn: Turn): void {
  const { state } = turn
  state.hasLeft = true
  cancelTimer(turn, { kind: 'leave' })
  cancelTimer(turn, { kind: 'register' })
  if (state.linkPhase === 'registered') {
    emit(turn, { kind: 'sendToMaster', message: { type: 'UNREGISTER', reason: 'the agent ends' } })
  }
  emit(turn, { kind: 'exit', reason: 'everything is stopped' })
}

function allExecutors(state: AgentState): Executor[] {
  return [...state.frameworks.values()].flatMap(({ executors }) => [...executors.values()])
}
