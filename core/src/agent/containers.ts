/** From executors and tasks to containers: what to launch, and what a container's resources are. */

import type { CommandInfo } from '@isthmus/proto/gen/mesos'
import type { Resources } from '../resources/resources.ts'
import type { ContainerResources, ContainerSpec } from './effects.ts'
import { commandEnvironment, executorEnvironment } from './environment.ts'
import { type AgentState, type AgentTask, agentIdOf, type Executor, usedByExecutor } from './state.ts'
import { emit, type Turn } from './turn.ts'

/** What the built-in command executor may use itself, not charged to the offer; as in Mesos. */
export const COMMAND_EXECUTOR_CPUS_MILLI = 100
export const COMMAND_EXECUTOR_MEMORY_MB = 32

/** Folder of one run of an executor. */
export function sandboxOf(
  state: AgentState,
  executor: Pick<Executor, 'frameworkId' | 'executorId' | 'containerId'>,
): string {
  return `${executorFolder(state, executor)}/runs/${executor.containerId}`
}

function executorFolder(state: AgentState, executor: Pick<Executor, 'frameworkId' | 'executorId'>): string {
  return `${state.options.workDir}/slaves/${agentIdOf(state)}/frameworks/${executor.frameworkId}/executors/${executor.executorId}`
}

/** Folder a task runs in: its executor's, or with a default executor its own below that. */
export function taskSandbox(executor: Executor, task: AgentTask): string {
  if (executor.kind !== 'default' || task.containerId === undefined) return executor.sandboxPath
  return `${executor.sandboxPath}/containers/${task.containerId.slice(task.containerId.lastIndexOf('.') + 1)}`
}

/** Starts a custom executor's own process. */
export function launchExecutor(turn: Turn, executor: Executor): void {
  const { command } = executor.info
  turn.state.containers.set(executor.containerId, {
    frameworkId: executor.frameworkId,
    executorId: executor.executorId,
    taskId: undefined,
  })
  emit(turn, {
    kind: 'launchContainer',
    spec: specOf(turn, executor, {
      containerId: executor.containerId,
      sandboxPath: executor.sandboxPath,
      command: command ?? {},
      more: {},
    }),
  })
}

/** Starts the process of a task of a built-in executor. */
export function launchTask(turn: Turn, executor: Executor, task: AgentTask): void {
  const containerId = task.containerId
  if (containerId === undefined) return
  task.phase = 'launching'
  turn.state.containers.set(containerId, {
    frameworkId: executor.frameworkId,
    executorId: executor.executorId,
    taskId: task.info.task_id.value,
  })
  const role = task.info.resources?.find(({ allocation_info }) => allocation_info?.role !== undefined)?.allocation_info
    ?.role
  const more: Record<string, string> = role === undefined ? {} : { MESOS_ALLOCATION_ROLE: role }
  more.MESOS_TASK_ID = task.info.task_id.value
  const sandboxPath = taskSandbox(executor, task)
  emit(turn, {
    kind: 'launchContainer',
    spec: specOf(turn, executor, { containerId, sandboxPath, command: task.info.command ?? {}, more }),
  })
}

/** Tells isolators what the executor's container may use now. */
export function updateContainer(turn: Turn, executor: Executor): void {
  const resources = containerResources(executor)
  for (const [containerId, owner] of turn.state.containers) {
    if (owner.frameworkId === executor.frameworkId && owner.executorId === executor.executorId) {
      emit(turn, { kind: 'updateContainer', containerId, resources })
    }
  }
}

/** The sum of executor and tasks: tasks of one executor share its limits. */
export function containerResources(executor: Executor): ContainerResources {
  const used: Resources = usedByExecutor(executor)
  const own = executor.kind === 'command' ? 1 : 0
  return {
    cpusMilli: used.milli('cpus') + own * COMMAND_EXECUTOR_CPUS_MILLI,
    memoryMb: used.milli('mem') / 1000 + own * COMMAND_EXECUTOR_MEMORY_MB,
  }
}

function specOf(
  turn: Turn,
  executor: Executor,
  what: { containerId: string; sandboxPath: string; command: CommandInfo; more: Readonly<Record<string, string>> },
): ContainerSpec {
  const { command, sandboxPath } = what
  return {
    containerId: what.containerId,
    sandboxPath,
    latestLinkPath:
      sandboxPath === executor.sandboxPath ? `${executorFolder(turn.state, executor)}/runs/latest` : undefined,
    uris: command.uris ?? [],
    user: command.user ?? executor.user,
    command: { shell: command.shell, value: command.value, arguments: command.arguments },
    environment: {
      ...executorEnvironment(turn.state, executor, sandboxPath),
      ...commandEnvironment(executor.info.command),
      ...what.more,
      ...commandEnvironment(command),
    },
    resources: containerResources(executor),
  }
}
