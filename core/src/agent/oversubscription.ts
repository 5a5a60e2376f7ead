/**
 * Oversubscription in the machine: what may be given again is told to the master as revocable resources, and who runs on them may be
 * ended at any time.
 *
 * ```
 * estimator: 2 cpus may be given ──estimated──► in use revocably 1 + 2 = 3 cpus ⇒ UPDATE_RESOURCES cpus{REV}:3, when it changed
 * controller: this one disturbs  ──corrected──► its containers are destroyed ⇒ TASK_LOST | TASK_GONE, REASON_CONTAINER_PREEMPTED
 * ```
 * Who estimates and who controls: oversubscription/ (built-in modules and the contract for others).
 *
 * Source: _forwardOversubscribed and _qosCorrections of the Mesos 1.11 agent.
 */

import type { Resource } from '@isthmus/proto/gen/mesos'
import { Resources } from '../resources/resources.ts'
import { validateResources } from '../resources/validate.ts'
import { destroyCustom } from './custom-executor.ts'
import { executorEnded } from './executors.ts'
import type { QosCorrection } from './oversubscription/contract.ts'
import { usedByAll } from './resources.ts'
import { taskEndingRecord } from './snapshot.ts'
import {
  type AgentState,
  type AgentTask,
  type EndCause,
  type Executor,
  findExecutor,
  frameworkOf,
  hasCapability,
  liveTasks,
} from './state.ts'
import { updateTask } from './status-updates.ts'
import { emit, note, record, type Turn } from './turn.ts'

/** What a task was told to end by when nobody says more. */
const PREEMPTED = 'Container preempted by QoS correction'

/** As wait(2) tells of a process that was killed. */
const SIGKILLED = 9

/** The estimator says what may be given beyond what is in use revocably already. An invalid estimate changes nothing. */
export function estimated(turn: Turn, resources: readonly Resource[]): void {
  const { state } = turn
  const problem = estimateProblem(resources)
  if (problem !== undefined) {
    note(turn, 'warn', 'estimate of what may be oversubscribed ignored', { reason: problem })
    return
  }
  const total = usedByAll(state).revocable().unallocate().plus(Resources.fromProto(resources).unallocate())
  if (state.oversubscribed?.equals(total) === true) return
  state.oversubscribed = total
  note(turn, 'info', 'oversubscribed resources changed', { revocable: total.toString() })
  tellOversubscribed(turn)
}

function estimateProblem(resources: readonly Resource[]): string | undefined {
  const valid = validateResources(resources)
  if (!valid.ok) return valid.rejection.message
  const other = resources.find(({ revocable }) => revocable === undefined)
  if (other !== undefined) return `${other.name} is not revocable`
  const reserved = resources.find((one) => (one.reservations ?? []).length > 0 || (one.role ?? '*') !== '*')
  return reserved && `${reserved.name} is reserved`
}

/** Tells the master what is oversubscribed, if there was an estimate. */
export function tellOversubscribed(turn: Turn): void {
  const { oversubscribed, linkPhase } = turn.state
  if (oversubscribed === undefined || linkPhase !== 'registered') return
  const update_resources = { resources: oversubscribed.toProto() }
  emit(turn, { kind: 'sendToMaster', message: { type: 'UPDATE_RESOURCES', update_resources } })
}

/** What the master is told of when the agent comes back. */
export function totalWithOversubscribed({ total, oversubscribed }: AgentState): Resources {
  return oversubscribed === undefined ? total : total.plus(oversubscribed)
}

/** The controller wants containers to go. */
export function corrected(turn: Turn, corrections: readonly QosCorrection[]): void {
  for (const { frameworkId, executorId, containerId, message } of corrections) {
    const executor = findExecutor(turn.state, frameworkId, executorId)
    const ids = { frameworkId, executorId, containerId }
    const problem = correctionProblem(executor, containerId)
    if (executor === undefined || problem !== undefined) {
      note(turn, 'warn', 'QoS correction ignored', { ...ids, reason: problem })
      continue
    }
    note(turn, 'info', 'QoS correction: executor is killed', { ...ids, reason: message })
    turn.state.counters.executorsPreempted += 1
    preempt(turn, executor, message)
  }
}

function correctionProblem(executor: Executor | undefined, containerId: string | undefined): string | undefined {
  if (executor === undefined) return 'no such executor'
  if (executor.phase === 'terminating') return 'it is ending already'
  if (containerId === undefined || containerId === executor.containerId) return undefined
  return `the executor runs in container ${executor.containerId}`
}

/** Destroys what an executor runs in, without a grace: its tasks end with it. */
function preempt(turn: Turn, executor: Executor, message = PREEMPTED): void {
  const framework = turn.state.frameworks.get(executor.frameworkId)
  const state = hasCapability(framework, 'PARTITION_AWARE') ? 'TASK_GONE' : 'TASK_LOST'
  const cause: EndCause = { state, reason: 'REASON_CONTAINER_PREEMPTED', message }
  if (executor.kind === 'custom') {
    executor.endCause = cause
    destroyCustom(turn, executor)
    return
  }
  executor.phase = 'terminating'
  for (const task of liveTasks(executor)) preemptTask(turn, executor, task, cause)
  if (liveTasks(executor).length === 0) executorEnded(turn, executor, SIGKILLED)
}

function preemptTask(turn: Turn, executor: Executor, task: AgentTask, cause: EndCause): void {
  const { containerId } = task
  if (containerId === undefined) {
    const { state, reason, message } = cause
    updateTask(turn, executor, task, state, { source: 'SOURCE_AGENT', reason, message })
    return
  }
  task.endCause ??= cause
  // Kills that come later find that everything is done.
  task.killDueAtMs = turn.atMs
  if (task.pid !== undefined) task.phase = 'killing'
  record(turn, frameworkOf(turn.state, executor), taskEndingRecord(task))
  emit(turn, { kind: 'destroyContainer', containerId })
}
