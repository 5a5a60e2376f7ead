/** One step in progress: the state, the time, and what has been asked of the world so far. */

import type { AgentEffect } from './effects.ts'
import type { AgentTimer } from './events.ts'
import type { AgentRecord } from './records.ts'
import type { AgentFramework, AgentState } from './state.ts'

/** What every part of a step gets. */
export interface Turn {
  readonly state: AgentState
  readonly atMs: number
  readonly effects: AgentEffect[]
}

/** Asks something of the world. */
export function emit(turn: Turn, effect: AgentEffect): void {
  turn.effects.push(effect)
}

/** Asks for records to be kept before anything that is asked for later. */
export function keep({ effects }: Turn, ...records: AgentRecord[]): void {
  const last = effects.at(-1)
  if (last?.kind === 'record') effects[effects.length - 1] = { kind: 'record', records: [...last.records, ...records] }
  else effects.push({ kind: 'record', records })
}

/** The same for what belongs to a framework: only checkpointing ones are remembered. */
export function record(
  turn: Turn,
  framework: Pick<AgentFramework, 'info'> | undefined,
  ...records: AgentRecord[]
): void {
  if (framework?.info.checkpoint === true) keep(turn, ...records)
}

/** Answers a request with a status and plain text. */
export function respond(turn: Turn, requestId: string, status: number, text?: string): void {
  turn.effects.push(
    text === undefined ? { kind: 'respond', requestId, status } : { kind: 'respond', requestId, status, text },
  )
}

/** Says something that people may want to read. */
export function note(
  turn: Turn,
  level: 'debug' | 'info' | 'warn' | 'error',
  message: string,
  fields: Readonly<Record<string, unknown>>,
): void {
  turn.effects.push({ kind: 'note', level, message, fields })
}

/** Asks to be woken; the same timer asked for again replaces the earlier one. */
export function setTimer(turn: Turn, timer: AgentTimer, afterMs: number): void {
  turn.effects.push({ kind: 'setTimer', key: timerKey(timer), timer, atMs: turn.atMs + afterMs })
}

/** Takes a wish to be woken back. */
export function cancelTimer(turn: Turn, timer: AgentTimer): void {
  turn.effects.push({ kind: 'cancelTimer', key: timerKey(timer) })
}

// Ids may hold blanks, but neither slashes nor control characters.
function timerKey(timer: AgentTimer): string {
  switch (timer.kind) {
    case 'register':
    case 'pingTimeout':
    case 'leave':
    case 'executorReregistration':
      return timer.kind
    case 'retryUpdate':
    case 'completionTime':
      return `${timer.kind} ${timer.frameworkId}/${timer.taskId}`
    case 'executorRegistration':
    case 'executorShutdown':
      return `${timer.kind} ${timer.frameworkId}/${timer.executorId}`
    case 'check':
      return `${timer.of} ${timer.containerId}`
    case 'killGrace':
      return `${timer.kind} ${timer.containerId}`
    case 'executorHeartbeat':
      return `${timer.kind} ${timer.streamId}`
    case 'retryOperation':
      return `${timer.kind} ${timer.operationUuid}`
    case 'collectSandbox':
      return `${timer.kind} ${timer.path}`
    default:
      return timer satisfies never
  }
}
