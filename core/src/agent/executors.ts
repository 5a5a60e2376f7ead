/**
 * Executors of all kinds: made with their first task, gone with their last task (built in) or their process (custom).
 *
 * ```
 * registering ──SUBSCRIBE──► running ──SHUTDOWN──► terminating ──► completed
 *      └── no SUBSCRIBE in time, SHUTDOWN ────────────▲
 * ```
 * What runs inside: built-in.ts (command and default executors), custom-executor.ts.
 */

import type { ExecutorInfo } from '@isthmus/proto/gen/mesos'
import { nextUuid } from '../base/random.ts'
import { Resources } from '../resources/resources.ts'
import { sandboxOf } from './containers.ts'
import { forgetWhenIdle, rememberExecutor } from './frameworks.ts'
import { keepSandbox } from './gc.ts'
import { endOperatorContainers } from './operator-containers.ts'
import { executorRecord, refOf } from './snapshot.ts'
import type { AgentFramework, Executor, ExecutorKind } from './state.ts'
import { cancelTimer, emit, record, type Turn } from './turn.ts'

/** Enters an executor; starts nothing. */
export function createExecutor(
  turn: Turn,
  framework: AgentFramework,
  kind: ExecutorKind,
  given: ExecutorInfo,
): Executor {
  const { state, atMs } = turn
  const info = { ...given, framework_id: { value: framework.frameworkId } }
  const executorId = info.executor_id.value
  const ids = { frameworkId: framework.frameworkId, executorId, containerId: nextUuid(state.random) }
  const executor: Executor = {
    info,
    ...ids,
    kind,
    sandboxPath: sandboxOf(state, ids),
    user: info.command?.user ?? framework.info.user,
    resources: kind === 'command' ? Resources.empty : Resources.fromProto(info.resources),
    phase: kind === 'custom' ? 'registering' : 'running',
    streamId: undefined,
    pid: undefined,
    hasSubscribed: false,
    endCause: undefined,
    shutdownDueAtMs: undefined,
    tasks: new Map(),
    completedTasks: [],
    startedAtMs: atMs,
  }
  framework.executors.set(executorId, executor)
  record(turn, framework, executorRecord(executor))
  return executor
}

/**
 * Nothing of an executor runs any more. The master is told, unless it ran a command task, which has no executor for its framework.
 *
 * @param waitStatus as wait(2) gives it
 */
export function executorEnded(turn: Turn, executor: Executor, waitStatus: number): void {
  const { state } = turn
  const { frameworkId, executorId } = executor
  state.counters.executorsTerminated += 1
  executor.phase = 'terminating'
  if (executor.kind === 'custom') {
    cancelTimer(turn, { kind: 'executorRegistration', frameworkId, executorId })
    cancelTimer(turn, { kind: 'executorShutdown', frameworkId, executorId })
    closeExecutorStream(turn, executor)
  }
  endOperatorContainers(turn, executor)
  const framework = state.frameworks.get(frameworkId)
  if (framework?.executors.get(executorId) !== executor) return
  if (executor.kind !== 'command' && !framework.isTerminating) tellExited(turn, executor, waitStatus)
  framework.executors.delete(executorId)
  rememberExecutor(turn, framework, executor)
  record(turn, framework, { kind: 'executor_ended', value: refOf(executor) })
  keepSandbox(turn, framework, executor.sandboxPath)
  forgetWhenIdle(turn, framework)
}

/** Ends the stream of a custom executor, if it has one. */
export function closeExecutorStream(turn: Turn, executor: Executor): void {
  const { streamId } = executor
  if (streamId === undefined) return
  emit(turn, { kind: 'closeStream', streamId })
  cancelTimer(turn, { kind: 'executorHeartbeat', streamId })
  turn.state.streams.delete(streamId)
  executor.streamId = undefined
}

/**
 * EXITED_EXECUTOR. Without a link nothing is lost: the next registration does not name the executor. One that is under way may have named it:
 * then the master is told after it.
 */
export function tellExited(
  turn: Turn,
  { frameworkId, executorId }: Pick<Executor, 'frameworkId' | 'executorId'>,
  waitStatus: number,
): void {
  const { linkPhase, untoldExits } = turn.state
  if (linkPhase === 'disconnected') return
  if (linkPhase !== 'registered') {
    untoldExits.push({ frameworkId, executorId, waitStatus })
    return
  }
  emit(turn, {
    kind: 'sendToMaster',
    message: {
      type: 'EXITED_EXECUTOR',
      exited_executor: {
        framework_id: { value: frameworkId },
        executor_id: { value: executorId },
        wait_status: waitStatus,
      },
    },
  })
}
