/**
 * Checks and health checks of tasks in built-in executors, in virtual time: when each is due is a timer, carrying one out is an
 * effect. A check reports changes; a health check that fails too often in a row ends the task.
 *
 * Source: the health checking chapter of the Mesos documentation.
 */

import type { CheckInfo, CheckStatusInfo, CommandInfo, HealthCheck } from '@isthmus/proto/gen/mesos'
import { taskSandbox } from './containers.ts'
import type { CheckSpec } from './effects.ts'
import { commandEnvironment, executorEnvironment } from './environment.ts'
import type { CheckKind, CheckOutcome } from './events.ts'
import { type AgentState, type AgentTask, type Executor, findTask, type RunningCheck } from './state.ts'
import { updateTask } from './status-updates.ts'
import { emit, setTimer, type Turn } from './turn.ts'

/** Mesos's defaults, in the units of the messages. */
const DELAY_SECONDS = 15
const INTERVAL_SECONDS = 10
const TIMEOUT_SECONDS = 20
const GRACE_PERIOD_SECONDS = 10
const CONSECUTIVE_FAILURES = 3

type Checked = CheckInfo | HealthCheck

/** The first check comes after its delay. */
export function startChecks(turn: Turn, executor: Executor, task: AgentTask): void {
  for (const kind of ['check', 'healthCheck'] as const) {
    const info = infoOf(task, kind)
    if (info === undefined) continue
    task.checks.set(kind, {
      startedAtMs: turn.atMs,
      consecutiveFailures: 0,
      hasSucceeded: false,
      last: undefined,
      sequence: 0,
    })
    setTimer(turn, timerOf(executor, task, kind), (info.delay_seconds ?? DELAY_SECONDS) * 1000)
  }
}

/** A check is due. */
export function runCheck(turn: Turn, frameworkId: string, taskId: string, of: CheckKind): void {
  const found = findTask(turn.state, frameworkId, taskId)
  const check = found?.task.checks.get(of)
  const info = found && infoOf(found.task, of)
  if (found === undefined || check === undefined || info === undefined) return
  check.sequence += 1
  const checkId = `${of} ${check.sequence} ${frameworkId} ${taskId}`
  emit(turn, {
    kind: 'runCheck',
    checkId,
    containerId: found.task.containerId ?? '',
    check: specOf(turn.state, found.executor, found.task, info),
  })
}

/** @returns the task that has failed its health check for the last time and has to be ended */
export function checkFinished(
  turn: Turn,
  checkId: string,
  outcome: CheckOutcome,
): { executor: Executor; task: AgentTask } | undefined {
  const [of, sequence, frameworkId = '', ...rest] = checkId.split(' ')
  const found = findTask(turn.state, frameworkId, rest.join(' '))
  if (found === undefined || (of !== 'check' && of !== 'healthCheck')) return undefined
  const check = found.task.checks.get(of)
  const info = infoOf(found.task, of)
  if (
    check === undefined ||
    info === undefined ||
    check.sequence !== Number(sequence) ||
    found.task.phase !== 'running'
  )
    return undefined
  setTimer(turn, timerOf(found.executor, found.task, of), (info.interval_seconds ?? INTERVAL_SECONDS) * 1000)
  if (of === 'healthCheck') return tellHealth(turn, found.executor, found.task, check, outcome) ? found : undefined
  tellCheck(turn, found.executor, found.task, check, outcome)
  return undefined
}

function tellCheck(turn: Turn, executor: Executor, task: AgentTask, check: RunningCheck, outcome: CheckOutcome): void {
  const status = checkStatus(task.info.check, outcome)
  if (JSON.stringify(status) === JSON.stringify(check.last)) return
  check.last = status
  updateTask(turn, executor, task, 'TASK_RUNNING', {
    source: 'SOURCE_EXECUTOR',
    reason: 'REASON_TASK_CHECK_STATUS_UPDATED',
    checkStatus: status,
  })
}

/** True when the task has to be ended. */
function tellHealth(
  turn: Turn,
  executor: Executor,
  task: AgentTask,
  check: RunningCheck,
  outcome: CheckOutcome,
): boolean {
  const info = task.info.health_check
  if (info === undefined) return false
  const facts = { source: 'SOURCE_EXECUTOR', reason: 'REASON_TASK_HEALTH_CHECK_STATUS_UPDATED' } as const
  if (isHealthy(outcome)) {
    const isNews = task.healthy !== true
    check.consecutiveFailures = 0
    check.hasSucceeded = true
    task.healthy = true
    if (isNews) updateTask(turn, executor, task, 'TASK_RUNNING', facts)
    return false
  }
  const graceEndsAtMs = check.startedAtMs + (info.grace_period_seconds ?? GRACE_PERIOD_SECONDS) * 1000
  if (!check.hasSucceeded && turn.atMs < graceEndsAtMs) return false
  check.consecutiveFailures += 1
  const isLast = check.consecutiveFailures >= (info.consecutive_failures ?? CONSECUTIVE_FAILURES)
  const isNews = task.healthy !== false || isLast
  task.healthy = false
  if (isNews) updateTask(turn, executor, task, 'TASK_RUNNING', facts)
  return isLast
}

function isHealthy(outcome: CheckOutcome): boolean {
  switch (outcome.kind) {
    case 'command':
      return outcome.exitCode === 0
    case 'http':
      return outcome.statusCode >= 200 && outcome.statusCode < 400
    case 'tcp':
      return outcome.succeeded
    case 'failed':
      return false
    default:
      return outcome satisfies never
  }
}

/** A check that could not be carried out has a status without a result. */
function checkStatus(info: CheckInfo | undefined, outcome: CheckOutcome): CheckStatusInfo {
  if (outcome.kind === 'command') return { type: 'COMMAND', command: { exit_code: outcome.exitCode } }
  if (outcome.kind === 'http') return { type: 'HTTP', http: { status_code: outcome.statusCode } }
  if (outcome.kind === 'tcp') return { type: 'TCP', tcp: { succeeded: outcome.succeeded } }
  if (info?.type === 'HTTP') return { type: 'HTTP', http: {} }
  return info?.type === 'TCP' ? { type: 'TCP', tcp: {} } : { type: 'COMMAND', command: {} }
}

function specOf(state: AgentState, executor: Executor, task: AgentTask, info: Checked): CheckSpec {
  const timeoutMs = (info.timeout_seconds ?? TIMEOUT_SECONDS) * 1000
  const host = state.options.address.ip ?? '127.0.0.1'
  if (info.http !== undefined) {
    const scheme = 'scheme' in info.http ? (info.http.scheme ?? 'http') : 'http'
    return { kind: 'http', scheme, host, port: info.http.port, path: info.http.path ?? '', timeoutMs }
  }
  if (info.tcp !== undefined) return { kind: 'tcp', host, port: info.tcp.port, timeoutMs }
  const given = info.command
  const command: CommandInfo =
    given === undefined
      ? {}
      : 'command' in given && given.command !== undefined
        ? given.command
        : (given as CommandInfo)
  const sandboxPath = taskSandbox(executor, task)
  const environment = {
    ...executorEnvironment(state, executor, sandboxPath),
    ...commandEnvironment(task.info.command),
    ...commandEnvironment(command),
  }
  return {
    kind: 'command',
    command,
    environment,
    sandboxPath,
    user: command.user ?? task.info.command?.user ?? executor.user,
    timeoutMs,
  }
}

function infoOf(task: AgentTask, of: CheckKind): Checked | undefined {
  return of === 'check' ? task.info.check : task.info.health_check
}

function timerOf(executor: Executor, task: AgentTask, of: CheckKind) {
  return { kind: 'check', frameworkId: executor.frameworkId, taskId: task.info.task_id.value, of } as const
}
