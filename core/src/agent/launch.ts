/** RUN_TASK and RUN_TASK_GROUP: find the executor or make it, and hand it the tasks. */

import type { MasterMessageRunTask, MasterMessageRunTaskGroup } from '@isthmus/proto/gen/agent-link'
import type { ExecutorInfo, FrameworkInfo, TaskInfo } from '@isthmus/proto/gen/mesos'
import { nextUuid } from '../base/random.ts'
import { launchExecutor, launchTask, sandboxOf, updateContainer } from './containers.ts'
import { deliverTasks, lostState, scheduleCompletion, startReservation } from './executors.ts'
import { type AgentFramework, type AgentTask, type Executor, type ExecutorKind, findTask } from './state.ts'
import { updateTask } from './status-updates.ts'
import { note, setTimer, type Turn } from './turn.ts'

/** One task: on a custom executor, or by itself under a command executor that bears its id. */
export function runTask(turn: Turn, { framework_info: info, task }: MasterMessageRunTask): void {
  const framework = frameworkOf(turn, info)
  if (framework === undefined || refuseDuplicates(turn, framework, [task])) return
  const kind: ExecutorKind =
    task.executor === undefined ? 'command' : task.executor.type === 'DEFAULT' ? 'default' : 'custom'
  const executorInfo = task.executor ?? commandExecutorInfo(task, framework.frameworkId)
  run(turn, framework, { kind, executorInfo, tasks: [task], groupId: undefined })
}

/** Tasks that start and end together, on a default or custom executor. */
export function runTaskGroup(turn: Turn, message: MasterMessageRunTaskGroup): void {
  const framework = frameworkOf(turn, message.framework_info)
  const tasks = message.task_group.tasks ?? []
  if (framework === undefined || tasks.length === 0 || refuseDuplicates(turn, framework, tasks)) return
  const kind: ExecutorKind = message.executor.type === 'CUSTOM' ? 'custom' : 'default'
  run(turn, framework, { kind, executorInfo: message.executor, tasks, groupId: tasks[0]?.task_id.value })
}

function frameworkOf(turn: Turn, info: FrameworkInfo): AgentFramework | undefined {
  const frameworkId = info.id?.value
  if (frameworkId === undefined || turn.state.isTerminating) return undefined
  const known = turn.state.frameworks.get(frameworkId)
  if (known !== undefined) {
    if (known.isTerminating) note(turn, 'warn', 'task for a framework that is being shut down', { frameworkId })
    return known.isTerminating ? undefined : known
  }
  const framework: AgentFramework = {
    info,
    frameworkId,
    executors: new Map(),
    completedExecutors: [],
    isTerminating: false,
  }
  turn.state.frameworks.set(frameworkId, framework)
  return framework
}

/** The master refuses ids in use; one that slips through is answered by it, so here it is only noted. */
function refuseDuplicates(turn: Turn, framework: AgentFramework, tasks: readonly TaskInfo[]): boolean {
  const twice = tasks.find((task) => findTask(turn.state, framework.frameworkId, task.task_id.value) !== undefined)
  if (twice !== undefined)
    note(turn, 'warn', 'task id is in use', { frameworkId: framework.frameworkId, taskId: twice.task_id.value })
  return twice !== undefined
}

function commandExecutorInfo(task: TaskInfo, frameworkId: string): ExecutorInfo {
  const { value = '', shell = true, arguments: argv = [] } = task.command ?? {}
  const shown = shell ? `sh -c '${value}'` : [value, ...argv.slice(1)].join(' ')
  const id = task.task_id.value
  return {
    executor_id: { value: id },
    framework_id: { value: frameworkId },
    name: `Command Executor (Task: ${id}) (Command: ${shown})`,
    source: id,
    resources: [
      { name: 'cpus', type: 'SCALAR', scalar: { value: 0.1 } },
      { name: 'mem', type: 'SCALAR', scalar: { value: 32 } },
    ],
    labels: task.labels,
    discovery: task.discovery,
  }
}

function run(
  turn: Turn,
  framework: AgentFramework,
  what: { kind: ExecutorKind; executorInfo: ExecutorInfo; tasks: readonly TaskInfo[]; groupId: string | undefined },
): void {
  const executorId = what.executorInfo.executor_id.value
  const known = framework.executors.get(executorId)
  const executor = known ?? createExecutor(turn, framework, what.kind, what.executorInfo)
  const tasks = what.tasks.map((info) => addTask(turn, executor, info, what.groupId))
  if (executor.phase === 'terminating') {
    const message = 'Executor terminating'
    for (const task of tasks)
      updateTask(turn, executor, task, lostState(framework), {
        source: 'SOURCE_AGENT',
        reason: 'REASON_EXECUTOR_TERMINATED',
        message,
      })
    return
  }
  if (executor.kind === 'custom') {
    if (known === undefined) startCustom(turn, executor)
    else updateContainer(turn, executor)
    if (executor.phase === 'running') deliverTasks(turn, executor, tasks)
    return
  }
  for (const task of tasks) {
    scheduleCompletion(turn, task)
    if (task.containerId === undefined) startReservation(turn, executor, task)
    else launchTask(turn, executor, task)
  }
  if (known !== undefined) updateContainer(turn, executor)
}

function createExecutor(turn: Turn, framework: AgentFramework, kind: ExecutorKind, info: ExecutorInfo): Executor {
  const ids = {
    frameworkId: framework.frameworkId,
    executorId: info.executor_id.value,
    containerId: nextUuid(turn.state.random),
  }
  const executor: Executor = {
    info: { ...info, framework_id: { value: framework.frameworkId } },
    ...ids,
    kind,
    sandboxPath: sandboxOf(turn.state, ids),
    user: info.command?.user ?? framework.info.user,
    phase: kind === 'custom' ? 'registering' : 'running',
    streamId: undefined,
    pid: undefined,
    tasks: new Map(),
    completedTasks: [],
    startedAtMs: turn.atMs,
  }
  framework.executors.set(ids.executorId, executor)
  return executor
}

function startCustom(turn: Turn, executor: Executor): void {
  launchExecutor(turn, executor)
  const { frameworkId, executorId } = executor
  setTimer(
    turn,
    { kind: 'executorRegistration', frameworkId, executorId },
    turn.state.options.executorRegistrationTimeoutMs,
  )
}

/** A task of a default executor without command and container runs nothing: it holds its resources until it is killed. */
function addTask(turn: Turn, executor: Executor, info: TaskInfo, groupId: string | undefined): AgentTask {
  const runsNothing = executor.kind === 'default' && info.command === undefined && info.container === undefined
  const child =
    executor.kind === 'command' ? executor.containerId : `${executor.containerId}.${nextUuid(turn.state.random)}`
  const task: AgentTask = {
    info,
    frameworkId: executor.frameworkId,
    executorId: executor.executorId,
    groupId,
    phase: 'staging',
    state: 'TASK_STAGING',
    containerId: executor.kind === 'custom' || runsNothing ? undefined : child,
    pid: undefined,
    endCause: undefined,
    statuses: [],
    healthy: undefined,
    checks: new Map(),
  }
  executor.tasks.set(info.task_id.value, task)
  return task
}
