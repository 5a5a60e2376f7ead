/**
 * From an agent's records to what it knew. Pure and total: any prefix of what a machine recorded is a state to go on from, and a record
 * that makes no sense where it stands is left out and named. What the launcher says of the containers comes after: containers-found.ts.
 *
 * ```
 * framework ─► executor ─► executor_started ─► executor_subscribed ─► executor_terminating ─► executor_ended ─► framework_gone
 *                  └─► task ─► task_started ─► update … acknowledgement … task_ending … update (terminal) … acknowledgement
 * ```
 */

import type {
  RecordAcknowledgement,
  RecordExecutor,
  RecordExecutorRef,
  RecordTask,
  RecordTaskEnding,
  RecordUpdate,
} from '@isthmus/proto/gen/checkpoint'
import { Resources } from '../resources/resources.ts'
import type { AgentRecord } from './records.ts'
import type { AgentFramework, AgentState, AgentTask, EndCause, Executor, ExecutorKind } from './state.ts'
import { completeTask, dequeueUpdate, enqueueUpdate, enterStatus, equalBytes, forgetUpdates } from './update-stream.ts'

/** Problems that are named; more are counted only. */
export const PROBLEMS_MAX = 100

/** What an earlier life knew. It becomes the state of one agent: use it once. */
export interface RecoveredAgent {
  readonly frameworks: Map<string, AgentFramework>
  readonly sandboxes: Map<string, number>
  drain: AgentState['drain']
  /** Records that made no sense and were left out, at most PROBLEMS_MAX; none in what a machine has written. */
  readonly problems: string[]
  problemCount: number
}

/** Replays records, oldest first. */
export function recover(records: Iterable<AgentRecord>): RecoveredAgent {
  const known: RecoveredAgent = {
    frameworks: new Map(),
    sandboxes: new Map(),
    drain: undefined,
    problems: [],
    problemCount: 0,
  }
  let at = 0
  for (const record of records) {
    at += 1
    const problem = replay(known, record)
    if (problem === undefined) continue
    known.problemCount += 1
    if (known.problems.length < PROBLEMS_MAX) known.problems.push(`record ${at} (${record.kind}): ${problem}`)
  }
  return known
}

/** Applies one record, or says what is wrong with it. */
function replay(known: RecoveredAgent, record: AgentRecord): string | undefined {
  switch (record.kind) {
    case 'sandbox':
      known.sandboxes.set(record.value.path, record.value.due_at_ms ?? 0)
      return undefined
    case 'drain':
      known.drain = { config: record.value.config ?? {}, startedAtMs: record.value.started_at_ms ?? 0 }
      return undefined
    case 'drained':
      known.drain = undefined
      return undefined
    case 'framework': {
      const { framework_id: id, info } = record.value
      if (info === undefined) return 'it has no info'
      const framework = known.frameworks.get(id)
      if (framework === undefined) known.frameworks.set(id, createFramework(id, info))
      else framework.info = info
      return undefined
    }
    case 'framework_gone':
      return known.frameworks.delete(record.value.framework_id) ? undefined : unknownFramework(record.value)
    default:
      return replayOfFramework(known, record)
  }
}

type OfFramework = Exclude<AgentRecord, { kind: 'sandbox' | 'drain' | 'drained' | 'framework' | 'framework_gone' }>

function replayOfFramework(known: RecoveredAgent, record: OfFramework): string | undefined {
  const ref = 'executor' in record.value ? record.value.executor : record.value
  const framework = known.frameworks.get(ref.framework_id)
  if (framework === undefined) return unknownFramework(ref)
  switch (record.kind) {
    case 'framework_terminating':
      framework.isTerminating = true
      forgetUpdates(framework)
      return undefined
    case 'executor':
      return enterExecutor(framework, record.value)
    case 'executor_started':
      return onExecutor(framework, record.value.executor, (executor) => {
        executor.pid = record.value.pid
      })
    case 'executor_subscribed':
      return onExecutor(framework, record.value, (executor) => {
        executor.hasSubscribed = true
      })
    case 'executor_terminating':
      return onExecutor(framework, record.value.executor, (executor) => {
        executor.phase = 'terminating'
        executor.shutdownDueAtMs = record.value.due_at_ms
        if (record.value.cause !== undefined) executor.endCause = causeOf(record.value.cause)
      })
    case 'executor_ended':
      return endExecutor(framework, record.value)
    case 'task':
      return enterTask(framework, record.value)
    case 'task_started':
      return onTask(framework, record.value, ({ executor, task }) => {
        task.pid = record.value.pid
        if (executor.kind === 'command') executor.pid = record.value.pid
      })
    case 'task_ending':
      return onTask(framework, record.value, ({ executor, task }) => endingTask(executor, task, record.value))
    case 'update':
      return enterUpdate(framework, record.value)
    case 'acknowledgement':
      return acknowledge(framework, record.value)
    default:
      return record satisfies never
  }
}

function unknownFramework({ framework_id }: { readonly framework_id: string }): string {
  return `framework ${framework_id} is not known`
}

function createFramework(frameworkId: string, info: AgentFramework['info']): AgentFramework {
  return {
    info,
    frameworkId,
    executors: new Map(),
    completedExecutors: [],
    tasks: new Map(),
    updates: new Map(),
    isTerminating: false,
  }
}

const EXECUTOR_KINDS: Readonly<Record<string, ExecutorKind>> = {
  COMMAND: 'command',
  DEFAULT: 'default',
  CUSTOM: 'custom',
}

function enterExecutor(framework: AgentFramework, value: RecordExecutor): string | undefined {
  const kind = EXECUTOR_KINDS[value.kind]
  const executorId = value.info.executor_id.value
  if (kind === undefined) return `executor ${executorId} is of a kind that is not known`
  if (framework.executors.has(executorId)) return `executor ${executorId} is there already`
  framework.executors.set(executorId, {
    info: value.info,
    frameworkId: framework.frameworkId,
    executorId,
    kind,
    containerId: value.container_id,
    sandboxPath: value.sandbox_path,
    user: value.user,
    resources: kind === 'command' ? Resources.empty : Resources.fromProto(value.info.resources),
    phase: kind === 'custom' ? 'registering' : 'running',
    streamId: undefined,
    pid: undefined,
    hasSubscribed: false,
    endCause: undefined,
    shutdownDueAtMs: undefined,
    tasks: new Map(),
    completedTasks: [],
    startedAtMs: value.started_at_ms,
  })
  return undefined
}

function onExecutor(
  framework: AgentFramework,
  ref: RecordExecutorRef,
  change: (executor: Executor) => void,
): string | undefined {
  const executor = framework.executors.get(ref.executor_id)
  if (executor?.containerId !== ref.container_id) return `executor ${ref.executor_id} is not known`
  change(executor)
  return undefined
}

/** With tasks whose last update is not acknowledged it is remembered. */
function endExecutor(framework: AgentFramework, ref: RecordExecutorRef): string | undefined {
  const executor = framework.executors.get(ref.executor_id)
  if (executor?.containerId !== ref.container_id) return `executor ${ref.executor_id} is not known`
  const live = [...executor.tasks.values()].find(({ phase }) => phase !== 'ended')
  if (live !== undefined) return `task ${live.info.task_id.value} of executor ${ref.executor_id} has not ended`
  executor.phase = 'terminating'
  framework.executors.delete(ref.executor_id)
  if (executor.tasks.size > 0) framework.completedExecutors.push(executor)
  return undefined
}

function enterTask(framework: AgentFramework, value: RecordTask): string | undefined {
  const { info, executor_id: executorId, group_id: groupId, container_id: containerId } = value
  const taskId = info.task_id.value
  const executor = framework.executors.get(executorId)
  if (executor === undefined) return `executor ${executorId} of task ${taskId} is not known`
  if (framework.tasks.has(taskId)) return `task ${taskId} is there already`
  const task: AgentTask = {
    info,
    frameworkId: framework.frameworkId,
    executorId,
    groupId,
    resources: Resources.fromProto(info.resources),
    phase: containerId === undefined ? 'staging' : 'launching',
    state: 'TASK_STAGING',
    containerId,
    pid: undefined,
    endCause: undefined,
    killDueAtMs: undefined,
    untoldKill: undefined,
    statuses: [],
    checks: new Map(),
  }
  executor.tasks.set(taskId, task)
  framework.tasks.set(taskId, { executor, task })
  return undefined
}

function onTask(
  framework: AgentFramework,
  { task_id: taskId }: { readonly task_id: string },
  change: (found: { readonly executor: Executor; readonly task: AgentTask }) => void,
): string | undefined {
  const found = framework.tasks.get(taskId)
  if (found === undefined) return `task ${taskId} is not known`
  if (found.task.phase === 'ended') return `task ${taskId} has ended`
  change(found)
  return undefined
}

function endingTask(executor: Executor, task: AgentTask, value: RecordTaskEnding): void {
  if (value.cause !== undefined) task.endCause = causeOf(value.cause)
  if (value.due_at_ms !== undefined) task.killDueAtMs = value.due_at_ms
  if (executor.kind === 'custom') {
    task.untoldKill = value.is_untold === true ? { policy: value.kill_policy } : undefined
  } else if (task.pid !== undefined && task.endCause !== undefined) task.phase = 'killing'
}

function causeOf({ state, reason, message, healthy }: EndCause): EndCause {
  return { state, reason, message, healthy }
}

function enterUpdate(framework: AgentFramework, { status }: RecordUpdate): string | undefined {
  const taskId = status.task_id.value
  const pending = framework.updates.get(taskId)?.pending ?? []
  if (pending.some(({ uuid }) => equalBytes(uuid, status.uuid))) return `an update of task ${taskId} is there already`
  const found = framework.tasks.get(taskId)
  if (found !== undefined) {
    const hasEnded = enterStatus(found.task, status)
    if (!hasEnded && isStarting(found, status.state)) found.task.phase = 'running'
    if (hasEnded && framework.isTerminating) completeTask(framework, found.executor, found.task)
  }
  if (!framework.isTerminating) enqueueUpdate(framework, status)
  return undefined
}

/** A custom executor that reports a task has it; a task of a built-in executor runs when it is said to. */
function isStarting(
  { executor, task }: { readonly executor: Executor; readonly task: AgentTask },
  state: string,
): boolean {
  if (task.phase !== 'staging' && task.phase !== 'launching') return false
  return executor.kind === 'custom' || state === 'TASK_RUNNING'
}

function acknowledge(framework: AgentFramework, value: RecordAcknowledgement): string | undefined {
  const stream = dequeueUpdate(framework, value.task_id, value.uuid)
  return stream === undefined ? `it is not the oldest update of task ${value.task_id}` : undefined
}
