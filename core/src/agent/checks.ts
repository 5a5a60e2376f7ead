/**
 * Checks and health checks of tasks in built-in executors, in virtual time: when each is due is a timer, carrying one out is an
 * effect.
 *
 * ```
 * running ──delay──► runCheck ──► checkFinished ──interval──► runCheck …
 * ```
 * A check reports changes of its result. A health check reports the first success, the first after failures, and each failure
 * that counts; `consecutive_failures` of them end the task. Failures before the first success do not count within the grace period.
 *
 * Source: the health checking chapter of the Mesos documentation.
 */

import type { CheckInfo, CheckStatusInfo, CommandInfo, HealthCheck } from '@isthmus/proto/gen/mesos'
import { taskEnvironment, taskSandbox } from './containers.ts'
import type { CheckSpec } from './effects.ts'
import { commandEnvironment } from './environment.ts'
import type { CheckKind, CheckOutcome } from './events.ts'
import type { AgentState, AgentTask, RunningCheck, TaskOnExecutor } from './state.ts'
import { updateCheck } from './status-updates.ts'
import { emit, setTimer, type Turn } from './turn.ts'

/** Mesos's defaults, in the units of the messages. */
const DELAY_SECONDS = 15
const INTERVAL_SECONDS = 10
const TIMEOUT_SECONDS = 20
const GRACE_PERIOD_SECONDS = 10
const CONSECUTIVE_FAILURES = 3
/** A timeout of 0 means none; so long no check is left to run. */
const NO_TIMEOUT_MS = 24 * 3_600_000
/** Checks that follow each other without a pause would keep the machine busy. */
const INTERVAL_MIN_MS = 10

type Checked = CheckInfo | HealthCheck

/** The first check comes after its delay. */
export function startChecks(turn: Turn, task: AgentTask): void {
  const { containerId } = task
  if (containerId === undefined) return
  for (const kind of ['check', 'healthCheck'] as const) {
    const info = infoOf(task, kind)
    if (info === undefined) continue
    task.checks.set(kind, {
      startedAtMs: turn.atMs,
      consecutiveFailures: 0,
      hasSucceeded: false,
      last: undefined,
      healthy: undefined,
      sequence: 0,
    })
    setTimer(turn, { kind: 'check', containerId, of: kind }, (info.delay_seconds ?? DELAY_SECONDS) * 1000)
  }
}

/** A recovered task goes on being checked, with what its last statuses tell of the checks before. */
export function resumeChecks(turn: Turn, task: AgentTask, sinceMs: number): void {
  const { containerId, statuses } = task
  if (containerId === undefined) return
  const last = statuses.at(-1)
  const result = last?.check_status
  const hasResult = [result?.command?.exit_code, result?.http?.status_code, result?.tcp?.succeeded].some(
    (value) => value !== undefined,
  )
  for (const kind of ['check', 'healthCheck'] as const) {
    const info = infoOf(task, kind)
    if (info === undefined) continue
    task.checks.set(kind, {
      startedAtMs: sinceMs,
      consecutiveFailures: kind === 'healthCheck' ? failuresAtEnd(task) : 0,
      hasSucceeded: statuses.some(({ healthy }) => healthy === true),
      last: hasResult ? result : undefined,
      healthy: last?.healthy,
      sequence: 0,
    })
    const dueAtMs = sinceMs + (info.delay_seconds ?? DELAY_SECONDS) * 1000
    setTimer(turn, { kind: 'check', containerId, of: kind }, Math.max(0, dueAtMs - turn.atMs))
  }
}

/** Each failure that counts was told: those since the last success. */
function failuresAtEnd({ statuses }: AgentTask): number {
  const told = statuses.filter(({ reason }) => reason === 'REASON_TASK_HEALTH_CHECK_STATUS_UPDATED')
  return told.length - 1 - told.findLastIndex(({ healthy }) => healthy === true)
}

/** A check is due. */
export function runCheck(turn: Turn, containerId: string, of: CheckKind): void {
  const found = taskIn(turn.state, containerId)
  const check = found?.task.checks.get(of)
  const info = found && infoOf(found.task, of)
  if (found === undefined || check === undefined || info === undefined) return
  check.sequence += 1
  const spec = specOf(turn.state, found, info)
  emit(turn, { kind: 'runCheck', checkId: `${of}/${check.sequence}/${containerId}`, containerId, check: spec })
}

/** @returns the task that has failed its health check for the last time and has to be ended */
export function checkFinished(turn: Turn, checkId: string, outcome: CheckOutcome): TaskOnExecutor | undefined {
  const [of = '', sequence, containerId = ''] = checkId.split('/')
  if (of !== 'check' && of !== 'healthCheck') return undefined
  const found = taskIn(turn.state, containerId)
  const check = found?.task.checks.get(of)
  const info = found && infoOf(found.task, of)
  if (found === undefined || check === undefined || info === undefined) return undefined
  if (check.sequence !== Number(sequence) || found.task.phase !== 'running') return undefined
  // The same outcome told twice counts once.
  check.sequence += 1
  const intervalMs = Math.max(INTERVAL_MIN_MS, (info.interval_seconds ?? INTERVAL_SECONDS) * 1000)
  setTimer(turn, { kind: 'check', containerId, of }, intervalMs)
  if (of === 'healthCheck') return tellHealth(turn, found, check, outcome) ? found : undefined
  tellCheck(turn, found, check, outcome)
  return undefined
}

function taskIn(state: AgentState, containerId: string): TaskOnExecutor | undefined {
  const owner = state.containers.get(containerId)
  return owner?.kind === 'task' ? owner : undefined
}

function tellCheck(turn: Turn, { executor, task }: TaskOnExecutor, check: RunningCheck, outcome: CheckOutcome): void {
  const status = checkStatus(task.info.check, outcome)
  if (check.last !== undefined && isSameResult(status, check.last)) return
  check.last = status
  updateCheck(turn, executor, task, { reason: 'REASON_TASK_CHECK_STATUS_UPDATED', check_status: status })
}

function isSameResult(one: CheckStatusInfo, other: CheckStatusInfo): boolean {
  return (
    one.command?.exit_code === other.command?.exit_code &&
    one.http?.status_code === other.http?.status_code &&
    one.tcp?.succeeded === other.tcp?.succeeded
  )
}

/** True when the task has to be ended. */
function tellHealth(
  turn: Turn,
  { executor, task }: TaskOnExecutor,
  check: RunningCheck,
  outcome: CheckOutcome,
): boolean {
  const info = task.info.health_check
  if (info === undefined) return false
  const tell = (healthy: boolean): void => {
    check.healthy = healthy
    updateCheck(turn, executor, task, { reason: 'REASON_TASK_HEALTH_CHECK_STATUS_UPDATED', healthy })
  }
  if (isHealthy(outcome)) {
    check.consecutiveFailures = 0
    check.hasSucceeded = true
    if (check.healthy !== true) tell(true)
    return false
  }
  const graceMs = (info.grace_period_seconds ?? GRACE_PERIOD_SECONDS) * 1000
  if (!check.hasSucceeded && graceMs > 0 && turn.atMs <= check.startedAtMs + graceMs) return false
  check.consecutiveFailures += 1
  tell(false)
  return check.consecutiveFailures >= (info.consecutive_failures ?? CONSECUTIVE_FAILURES)
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

function specOf(state: AgentState, { executor, task }: TaskOnExecutor, info: Checked): CheckSpec {
  const seconds = info.timeout_seconds ?? TIMEOUT_SECONDS
  const timeoutMs = seconds === 0 ? NO_TIMEOUT_MS : seconds * 1000
  if (info.http !== undefined) {
    const scheme = 'scheme' in info.http ? (info.http.scheme ?? 'http') : 'http'
    const { port, path = '' } = info.http
    return { kind: 'http', scheme, host: hostOf(state, info.http), port, path, timeoutMs }
  }
  if (info.tcp !== undefined) return { kind: 'tcp', host: hostOf(state, info.tcp), port: info.tcp.port, timeoutMs }
  const command = commandOf(info)
  return {
    kind: 'command',
    command,
    environment: { ...taskEnvironment(state, executor, task), ...commandEnvironment(command) },
    sandboxPath: taskSandbox(executor, task),
    user: command.user ?? task.info.command?.user ?? executor.user,
    timeoutMs,
  }
}

/** The loopback address; that of the agent when it is one itself, as with several agents on one machine. */
function hostOf({ options }: AgentState, target: object): string {
  if ('protocol' in target && target.protocol === 'IPv6') return '::1'
  const { ip } = options.address
  return ip?.startsWith('127.') === true ? ip : '127.0.0.1'
}

/** A HealthCheck has its command itself, a CheckInfo has it in a message around it. */
function commandOf({ command }: Checked): CommandInfo {
  if (command === undefined) return {}
  return 'command' in command && command.command !== undefined ? command.command : (command as CommandInfo)
}

function infoOf(task: AgentTask, of: CheckKind): Checked | undefined {
  return of === 'check' ? task.info.check : task.info.health_check
}
