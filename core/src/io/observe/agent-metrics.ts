import type { AgentState, Executor } from '../../agent/state.ts'
import { Resources } from '../../resources/resources.ts'

const RESOURCES = ['cpus', 'mem', 'disk', 'gpus'] as const

/** How the start of an agent went. */
export interface RecoveryFacts {
  /** Files that could not be read, so that the agent went on without them. */
  readonly errors: number
  /** From the start of the process until it goes on where the last one ended. */
  readonly timeMs: number
}

const NO_RECOVERY: RecoveryFacts = { errors: 0, timeMs: 0 }

/** What an agent shows at /metrics/snapshot, with Mesos's names, without the system's own numbers. */
export function agentMetrics(state: AgentState, atMs: number, recovery = NO_RECOVERY): Record<string, number> {
  const executors = [...state.frameworks.values()].flatMap((framework) => [...framework.executors.values()])
  return {
    'slave/uptime_secs': (atMs - state.options.startedAtMs) / 1000,
    'slave/registered': state.linkPhase === 'registered' ? 1 : 0,
    'slave/recovery_errors': recovery.errors,
    'slave/recovery_time_secs': recovery.timeMs / 1000,
    'slave/executor_directory_max_allowed_age_secs': state.options.gcDelayMs / 1000,
    'slave/frameworks_active': state.frameworks.size,
    ...executorMetrics(executors),
    ...taskMetrics(executors),
    ...resourceMetrics(state, executors),
    ...counterMetrics(state),
    'gc/path_removals_pending': state.sandboxes.size,
    'gc/path_removals_succeeded': state.counters.pathRemovals,
    'gc/path_removals_failed': 0,
  }
}

function executorMetrics(executors: readonly Executor[]): Record<string, number> {
  const count = (phase: Executor['phase']): number => executors.filter((executor) => executor.phase === phase).length
  return {
    'slave/executors_registering': count('registering'),
    'slave/executors_running': count('running'),
    'slave/executors_terminating': count('terminating'),
  }
}

function taskMetrics(executors: readonly Executor[]): Record<string, number> {
  const states = executors.flatMap((executor) => [...executor.tasks.values()].map((task) => task.state))
  const count = (name: string): number => states.filter((one) => one === name).length
  return {
    'slave/tasks_staging': count('TASK_STAGING'),
    'slave/tasks_starting': count('TASK_STARTING'),
    'slave/tasks_running': count('TASK_RUNNING'),
    'slave/tasks_killing': count('TASK_KILLING'),
  }
}

function resourceMetrics(state: AgentState, executors: readonly Executor[]): Record<string, number> {
  const metrics: Record<string, number> = {}
  const used = executors.map(usedBy)
  for (const name of RESOURCES) {
    const total = state.total.nonRevocable().milli(name) / 1000
    const usedNow = used.reduce((sum, bag) => sum + bag.nonRevocable().milli(name), 0) / 1000
    const revocable = (state.oversubscribed?.milli(name) ?? 0) / 1000
    const revocableUsed = used.reduce((sum, bag) => sum + bag.revocable().milli(name), 0) / 1000
    metrics[`slave/${name}_total`] = total
    metrics[`slave/${name}_used`] = usedNow
    metrics[`slave/${name}_percent`] = total === 0 ? 0 : usedNow / total
    metrics[`slave/${name}_revocable_total`] = revocable
    metrics[`slave/${name}_revocable_used`] = revocableUsed
    metrics[`slave/${name}_revocable_percent`] = revocable === 0 ? 0 : revocableUsed / revocable
  }
  return metrics
}

function counterMetrics({ counters }: AgentState): Record<string, number> {
  return {
    'slave/tasks_finished': counters.tasksFinished,
    'slave/tasks_failed': counters.tasksFailed,
    'slave/tasks_killed': counters.tasksKilled,
    'slave/tasks_lost': counters.tasksLost,
    'slave/tasks_gone': counters.tasksGone,
    'slave/valid_status_updates': counters.validStatusUpdates,
    'slave/invalid_status_updates': counters.invalidStatusUpdates,
    'slave/valid_framework_messages': counters.validFrameworkMessages,
    'slave/invalid_framework_messages': counters.invalidFrameworkMessages,
    'slave/executors_preempted': counters.executorsPreempted,
    'slave/executors_terminated': counters.executorsTerminated,
    'slave/container_launch_errors': counters.containerLaunchErrors,
  }
}

/** What an executor and its live tasks hold; command tasks are charged without their executor. */
function usedBy(executor: Executor): Resources {
  const live = [...executor.tasks.values()].filter(({ phase }) => phase !== 'ended')
  const own = executor.kind === 'command' ? [] : (executor.info.resources ?? [])
  return Resources.fromProto([...own, ...live.flatMap(({ info }) => info.resources ?? [])])
}
