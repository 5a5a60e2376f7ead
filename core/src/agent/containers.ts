/**
 * From executors and tasks to containers: what to launch, in which folder, and what it may use.
 *
 * ```
 * <work_dir>/slaves/<agent>/frameworks/<framework>/executors/<executor>/runs/<container>     an executor's sandbox
 *                                                                          …/containers/<child>   one nested in it
 * <work_dir>/containers/<container>                                                          a standalone one
 * ```
 */

import type { CommandInfo } from '@isthmus/proto/gen/mesos'
import type { ContainerSpec } from './effects.ts'
import { commandEnvironment, executorEnvironment } from './environment.ts'
import {
  containerLimits,
  containerResources,
  diskOf,
  usedByExecutor,
  volumesAmong,
  volumesOfExecutor,
} from './resources.ts'
import { type AgentState, type AgentTask, agentIdOf, type Executor } from './state.ts'
import { lastPart } from './status-updates.ts'
import { emit, type Turn } from './turn.ts'

type ExecutorIds = Pick<Executor, 'frameworkId' | 'executorId' | 'containerId'>

/** Folder of one run of an executor. */
export function sandboxOf(state: AgentState, executor: ExecutorIds): string {
  return `${runsFolder(state, executor)}/${executor.containerId}`
}

function runsFolder(state: AgentState, { frameworkId, executorId }: Omit<ExecutorIds, 'containerId'>): string {
  const agentId = agentIdOf(state)
  return `${state.options.workDir}/slaves/${agentId}/frameworks/${frameworkId}/executors/${executorId}/runs`
}

/** Folder a task runs in: its executor's, or with a default executor its own below that. */
export function taskSandbox(executor: Executor, task: AgentTask): string {
  if (executor.kind !== 'default' || task.containerId === undefined) return executor.sandboxPath
  return `${executor.sandboxPath}/containers/${lastPart(task.containerId)}`
}

/** Starts a custom executor's own process. */
export function launchExecutor(turn: Turn, executor: Executor): void {
  const { containerId, sandboxPath } = executor
  turn.state.containers.set(containerId, { kind: 'executor', executor })
  const command = executor.info.command ?? {}
  const environment = { ...executorEnvironment(turn.state, executor, sandboxPath), ...commandEnvironment(command) }
  emit(turn, {
    kind: 'launchContainer',
    spec: {
      ...specOf(turn, executor, { containerId, sandboxPath, command }),
      environment,
      ...sharedResources(executor),
      diskMb: diskOf(usedByExecutor(executor)),
      ...withVolumes(volumesOfExecutor(executor)),
    },
  })
}

/** Starts the process of a task of a built-in executor. */
export function launchTask(turn: Turn, executor: Executor, task: AgentTask, containerId: string): void {
  turn.state.containers.set(containerId, { kind: 'task', executor, task })
  const command = task.info.command ?? {}
  const sandboxPath = taskSandbox(executor, task)
  const disk = executor.kind === 'command' ? usedByExecutor(executor) : task.resources
  emit(turn, {
    kind: 'launchContainer',
    spec: {
      ...specOf(turn, executor, { containerId, sandboxPath, command }),
      environment: taskEnvironment(turn.state, executor, task),
      ...sharedResources(executor),
      diskMb: diskOf(disk),
      ...withVolumes(volumesAmong([task.info.resources])),
    },
  })
}

/** The environment of a task's process, and of the commands that check it. */
export function taskEnvironment(state: AgentState, executor: Executor, task: AgentTask): Record<string, string> {
  const { info } = task
  const role = info.resources?.find(({ allocation_info }) => allocation_info?.role !== undefined)?.allocation_info?.role
  return {
    ...executorEnvironment(state, executor, taskSandbox(executor, task)),
    ...(role === undefined ? {} : { MESOS_ALLOCATION_ROLE: role }),
    MESOS_TASK_ID: info.task_id.value,
    ...commandEnvironment(info.command),
  }
}

/** Tells isolators what the executor's containers may use now. */
export function updateContainer(turn: Turn, executor: Executor): void {
  const shared = sharedResources(executor)
  const { containers } = turn.state
  const update = (containerId: string, volumes: ContainerSpec['volumes']): void => {
    if (!containers.has(containerId)) return
    emit(turn, { kind: 'updateContainer', containerId, ...shared, ...withVolumes(volumes) })
  }
  update(executor.containerId, volumesOfExecutor(executor))
  if (executor.kind !== 'default') return
  for (const { containerId, phase, info } of executor.tasks.values()) {
    if (containerId !== undefined && phase !== 'ended') update(containerId, volumesAmong([info.resources]))
  }
}

function withVolumes(volumes: ContainerSpec['volumes']): Pick<ContainerSpec, 'volumes'> {
  return volumes === undefined ? {} : { volumes }
}

function sharedResources(executor: Executor): Pick<ContainerSpec, 'resources' | 'limits'> {
  const limits = containerLimits(executor)
  const resources = containerResources(executor)
  return limits === undefined ? { resources } : { resources, limits }
}

function specOf(
  turn: Turn,
  executor: Executor,
  { containerId, sandboxPath, command }: { containerId: string; sandboxPath: string; command: CommandInfo },
): Omit<ContainerSpec, 'environment' | 'resources'> {
  const isRun = sandboxPath === executor.sandboxPath
  const isCheckpointing = turn.state.frameworks.get(executor.frameworkId)?.info.checkpoint === true
  return {
    containerId,
    sandboxPath,
    latestLinkPath: isRun ? `${runsFolder(turn.state, executor)}/latest` : undefined,
    uris: command.uris ?? [],
    user: command.user ?? executor.user,
    command: { shell: command.shell, value: command.value, arguments: command.arguments },
    ...(isCheckpointing && { survivesMs: turn.state.options.recoveryTimeoutMs }),
  }
}
