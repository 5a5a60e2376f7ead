/**
 * An agent and its master: REGISTER the first time, REREGISTER with everything that runs ever after; a link that is lost, or on
 * which no ping comes, is opened again after a random pause that doubles up to a minute.
 */

import type { AgentMessage, MasterMessage } from '@isthmus/proto/gen/agent-link'
import type { ExecutorInfo, Task } from '@isthmus/proto/gen/mesos'
import { nextFraction } from '../base/random.ts'
import { tellExited } from './executors.ts'
import { resendOperations } from './operations.ts'
import { REGISTRATION_BACKOFF_MAX_MS } from './options.ts'
import { tellOversubscribed, totalWithOversubscribed } from './oversubscription.ts'
import { type AgentState, type AgentTask, agentIdOf, type Executor } from './state.ts'
import { resendAll } from './status-updates.ts'
import { cancelTimer, emit, note, setTimer, type Turn } from './turn.ts'

/** A master leads that was not known before: there is no reason to wait any longer. */
export function masterDetected(turn: Turn): void {
  const { state } = turn
  state.registrationAttempts = 0
  // An agent that recovers would tell half of what it runs.
  if (state.recovery === undefined) scheduleRegistration(turn)
  else state.recovery.isMasterKnown = true
}

/** Opens a link after a pause. */
export function scheduleRegistration(turn: Turn): void {
  const { state } = turn
  state.linkPhase = 'disconnected'
  state.heldMessages.length = 0
  cancelTimer(turn, { kind: 'pingTimeout' })
  if (state.isTerminating) return
  const limitMs = Math.min(
    state.options.registrationBackoffMs * 2 ** Math.min(state.registrationAttempts, 16),
    REGISTRATION_BACKOFF_MAX_MS,
  )
  setTimer(turn, { kind: 'register' }, Math.floor(nextFraction(state.random) * limitMs))
}

/** The pause is over. */
export function register(turn: Turn): void {
  const { state } = turn
  if (state.linkPhase !== 'disconnected' || state.isTerminating) return
  // What is not on the disk must not be told.
  if (state.storePhase !== 'stored') return scheduleRegistration(turn)
  state.linkPhase = 'connecting'
  state.registrationAttempts += 1
  state.untoldExits = []
  expectPing(turn)
  emit(turn, { kind: 'openLink', message: agentIdOf(state) === '' ? registerMessage(state) : reregisterMessage(state) })
}

/** The master took the first message; its answer comes on the link. */
export function linkOpened(turn: Turn): void {
  if (turn.state.linkPhase !== 'connecting') return
  turn.state.linkPhase = 'registering'
  expectPing(turn)
}

/** The link ended, or could not be opened: the next attempt. */
export function linkClosed(turn: Turn, reason: string): void {
  if (turn.state.linkPhase === 'disconnected') return
  note(turn, turn.state.linkPhase === 'registered' ? 'warn' : 'info', 'no link to the master', { reason })
  scheduleRegistration(turn)
}

/** No ping for so long that the master has given this agent up; or no answer at all. */
export function pingTimedOut(turn: Turn): void {
  if (turn.state.linkPhase === 'disconnected') return
  note(turn, 'warn', 'no ping from the master', { timeoutMs: turn.state.pingTimeoutMs })
  emit(turn, { kind: 'closeLink' })
  scheduleRegistration(turn)
}

/** PING: the master looks whether this agent is there. */
export function pinged(turn: Turn): void {
  expectPing(turn)
  emit(turn, { kind: 'sendToMaster', message: { type: 'PONG' } })
}

/** REGISTERED or REREGISTERED. */
export function registered(turn: Turn, message: MasterMessage): void {
  const { state } = turn
  const answer = message.registered
  if (answer === undefined) return
  const isNew = agentIdOf(state) !== answer.agent_id.value
  state.info = { ...state.info, id: answer.agent_id }
  state.linkPhase = 'registered'
  state.registrationAttempts = 0
  state.pingTimeoutMs = answer.total_ping_timeout_seconds * 1000
  state.masterHostname = answer.master_info.hostname
  expectPing(turn)
  note(turn, 'info', isNew ? 'registered' : 'reregistered', { agentId: answer.agent_id.value })
  tellOversubscribed(turn)
  for (const exit of state.untoldExits.splice(0)) tellExited(turn, exit, exit.waitStatus)
  resendAll(turn)
  resendOperations(turn)
}

function expectPing(turn: Turn): void {
  setTimer(turn, { kind: 'pingTimeout' }, turn.state.pingTimeoutMs)
}

function registerMessage(state: AgentState): AgentMessage {
  const { version, capabilities, address } = state.options
  const register = { agent_info: state.info, version, capabilities, address }
  if (state.options.kept === undefined) return { type: 'REGISTER', register }
  const operations = [...state.operations.values()].map(({ operation }) => operation)
  return { type: 'REGISTER', register: { ...register, resources: state.total.toProto(), operations } }
}

function reregisterMessage(state: AgentState): AgentMessage {
  const { version, capabilities, address } = state.options
  const frameworks = [...state.frameworks.values()].filter(({ isTerminating }) => !isTerminating)
  const executors = frameworks.flatMap((framework) => [...framework.executors.values()])
  return {
    type: 'REREGISTER',
    reregister: {
      agent_info: state.info,
      version,
      capabilities,
      address,
      resources: totalWithOversubscribed(state).toProto(),
      frameworks: frameworks.map(({ info }) => info),
      executors: executors.filter(({ kind }) => kind !== 'command').map(({ info }): ExecutorInfo => info),
      tasks: [...frameworks.flatMap((framework) => framework.completedExecutors), ...executors].flatMap((executor) =>
        [...executor.tasks.values()].map((task) => toTask(state, executor, task)),
      ),
      operations: [...state.operations.values()].map(({ operation }) => operation),
    },
  }
}

/** A task as pages and re-registration show it: its newest state, and the update of it that the master has. */
export function toTask(state: AgentState, executor: Executor, task: AgentTask): Task {
  const { info } = task
  const told = state.frameworks.get(executor.frameworkId)?.updates.get(info.task_id.value)?.pending[0]
  const last = told ?? task.statuses.at(-1)
  return {
    name: info.name,
    task_id: info.task_id,
    framework_id: { value: executor.frameworkId },
    executor_id: executor.kind === 'command' ? undefined : { value: executor.executorId },
    agent_id: info.agent_id,
    state: task.state,
    resources: info.resources,
    statuses: task.statuses,
    status_update_state: last?.state,
    status_update_uuid: last?.uuid,
    labels: info.labels,
    discovery: info.discovery,
    container: info.container,
    health_check: info.health_check,
    kill_policy: info.kill_policy,
    user: info.command?.user ?? executor.user,
    limits: info.limits,
  }
}
