/** RUN_TASK and RUN_TASK_GROUP: find the executor or make it, and hand it the tasks. */

import type { MasterMessageRunTask, MasterMessageRunTaskGroup } from '@isthmus/proto/gen/agent-link'
import type { ExecutorInfo, TaskInfo, TaskState, TaskStatusReason } from '@isthmus/proto/gen/mesos'
import { idError } from '@isthmus/proto/ids'
import { Resources } from '../resources/resources.ts'
import { startTasks } from './built-in.ts'
import { commandExecutorInfo } from './command-executor.ts'
import { updateContainer } from './containers.ts'
import { deliverTasks, startCustom } from './custom-executor.ts'
import { containerIdFor } from './default-executor.ts'
import { createExecutor, tellExited } from './executors.ts'
import { enterFramework, forgetWhenIdle } from './frameworks.ts'
import { unknownResources } from './resources.ts'
import { taskRecord } from './snapshot.ts'
import { type AgentFramework, type AgentTask, type Executor, type ExecutorKind, findTask, lostState } from './state.ts'
import { refuse } from './status-updates.ts'
import { note, record, type Turn } from './turn.ts'

/** The wait status of an executor that never ran; as Mesos tells it. */
const NEVER_RAN = -1

/** Tasks that came together, for one executor. */
interface Launch {
  readonly kind: ExecutorKind
  readonly executorInfo: ExecutorInfo
  readonly tasks: readonly TaskInfo[]
  readonly groupId: string | undefined
  /** False: an executor has to be there. */
  readonly mayLaunchExecutor: boolean
}

/** Why tasks are not run. */
interface Refusal {
  readonly state: TaskState
  readonly reason: TaskStatusReason
  readonly message: string
}

/** One task: on a custom executor, or by itself under a command executor that bears its id. */
export function runTask(turn: Turn, message: MasterMessageRunTask): void {
  const { framework_info: info, task } = message
  const framework = enterFramework(turn, info)
  if (framework === undefined) return
  const kind = task.executor === undefined ? 'command' : task.executor.type === 'DEFAULT' ? 'default' : 'custom'
  const mayLaunchExecutor = message.launch_executor ?? true
  const executorInfo = task.executor ?? commandExecutorInfo(task, framework.frameworkId)
  launch(turn, framework, { kind, executorInfo, tasks: [task], groupId: undefined, mayLaunchExecutor })
}

/** Tasks that start and end together, on a default or custom executor. */
export function runTaskGroup(turn: Turn, message: MasterMessageRunTaskGroup): void {
  const framework = enterFramework(turn, message.framework_info)
  const tasks = message.task_group.tasks ?? []
  if (framework === undefined) return
  const kind: ExecutorKind = message.executor.type === 'CUSTOM' ? 'custom' : 'default'
  launch(turn, framework, {
    kind,
    executorInfo: message.executor,
    tasks,
    groupId: tasks[0]?.task_id.value,
    mayLaunchExecutor: message.launch_executor ?? true,
  })
}

function launch(turn: Turn, framework: AgentFramework, what: Launch): void {
  const twice = repeatedId(turn, framework, what.tasks)
  const refusal = twice === undefined ? refusalOf(turn, framework, what) : repeatedCause(framework, twice)
  if (refusal !== undefined) refuseAll(turn, framework, what, refusal)
  else if (what.tasks.length > 0) run(turn, framework, what)
  forgetWhenIdle(turn, framework)
}

function repeatedId(turn: Turn, framework: AgentFramework, tasks: readonly TaskInfo[]): string | undefined {
  const ids = new Set<string>()
  for (const { task_id } of tasks) {
    const id = task_id.value
    if (ids.has(id) || isInUse(turn, framework, id)) return id
    ids.add(id)
  }
  return undefined
}

/** A story that is not yet told to its end takes the id too. */
function isInUse(turn: Turn, framework: AgentFramework, id: string): boolean {
  return framework.updates.has(id) || findTask(turn.state, framework.frameworkId, id) !== undefined
}

function repeatedCause(framework: AgentFramework, id: string): Refusal {
  return { state: lostState(framework), reason: 'REASON_TASK_INVALID', message: `Task id '${id}' is in use` }
}

/** Tasks that have an id in use are not answered: a second story about it would only confuse. */
function refuseAll(turn: Turn, framework: AgentFramework, what: Launch, { state, reason, message }: Refusal): void {
  note(turn, 'warn', 'tasks refused', { frameworkId: framework.frameworkId, reason, message })
  for (const { task_id } of what.tasks) {
    if (isInUse(turn, framework, task_id.value)) continue
    refuse(turn, framework, { task_id, executor_id: what.executorInfo.executor_id }, { state, reason, message })
  }
  // The master has charged an executor that will never be.
  const executorId = what.executorInfo.executor_id.value
  const isCharged = what.kind !== 'command' && what.mayLaunchExecutor && !framework.executors.has(executorId)
  if (isCharged) tellExited(turn, { frameworkId: framework.frameworkId, executorId }, NEVER_RAN)
}

/** What this agent itself has against a launch; undefined when nothing. Most was checked by the master. */
function refusalOf(
  turn: Turn,
  framework: AgentFramework,
  { kind, executorInfo, tasks, mayLaunchExecutor }: Launch,
): Refusal | undefined {
  const state = lostState(framework)
  const ids = [framework.frameworkId, executorInfo.executor_id.value, ...tasks.map(({ task_id }) => task_id.value)]
  const badId = ids.map(idError).find((problem) => problem !== undefined)
  if (badId !== undefined) return { state: 'TASK_ERROR', reason: 'REASON_TASK_INVALID', message: badId }
  if (turn.state.drain !== undefined) return { state, reason: 'REASON_AGENT_DRAINING', message: 'Agent is draining' }
  const known = framework.executors.get(executorInfo.executor_id.value)
  if (known?.phase === 'terminating')
    return { state, reason: 'REASON_EXECUTOR_TERMINATED', message: 'Executor terminating' }
  if (known === undefined && !mayLaunchExecutor)
    return { state, reason: 'REASON_EXECUTOR_TERMINATED', message: 'Executor terminated' }
  if (known !== undefined && (known.kind !== kind || kind === 'command'))
    return { state, reason: 'REASON_TASK_INVALID', message: `Executor '${known.executorId}' is of another kind` }
  const unknown =
    unknownOf(turn, 'task or task group', tasks) ??
    (known === undefined && kind !== 'command' ? unknownOf(turn, 'executor', [executorInfo]) : undefined)
  if (unknown !== undefined) return { state, reason: 'REASON_RESOURCES_UNKNOWN', message: unknown }
  if ([executorInfo, ...tasks].some(needsImage)) {
    const message = 'Abnormal executor termination: unknown container'
    return { state: 'TASK_FAILED', reason: 'REASON_EXECUTOR_TERMINATED', message }
  }
  return undefined
}

/** Says which of the resources that operations would have made this agent does not have. */
function unknownOf(
  { state }: Turn,
  whose: string,
  holders: readonly Pick<TaskInfo, 'resources'>[],
): string | undefined {
  for (const { resources } of holders) {
    const unknown = unknownResources(state, Resources.fromProto(resources))
    if (unknown.isEmpty) continue
    return `The checkpointed resources being used by the ${whose} are unknown to the agent: ${unknown}`
  }
  return undefined
}

/** Images are not run by this agent; to run the command without its image would be worse than not to run it. */
function needsImage({ container }: Pick<TaskInfo, 'container'>): boolean {
  return container?.docker !== undefined || container?.mesos?.image !== undefined || container?.type === 'DOCKER'
}

function run(turn: Turn, framework: AgentFramework, what: Launch): void {
  const known = framework.executors.get(what.executorInfo.executor_id.value)
  const executor = known ?? createExecutor(turn, framework, what.kind, what.executorInfo)
  const tasks = what.tasks.map((info) => addTask(turn, framework, executor, { info, groupId: what.groupId }))
  if (executor.kind === 'custom') {
    if (known === undefined) startCustom(turn, executor)
    else updateContainer(turn, executor)
    deliverTasks(turn, executor)
    return
  }
  if (known !== undefined) updateContainer(turn, executor)
  startTasks(turn, executor, tasks)
}

function addTask(
  turn: Turn,
  framework: AgentFramework,
  executor: Executor,
  { info, groupId }: Pick<AgentTask, 'info' | 'groupId'>,
): AgentTask {
  const task: AgentTask = {
    info,
    frameworkId: executor.frameworkId,
    executorId: executor.executorId,
    groupId,
    resources: Resources.fromProto(info.resources),
    phase: 'staging',
    state: 'TASK_STAGING',
    containerId: containerIdFor(turn, executor, info),
    pid: undefined,
    endCause: undefined,
    killDueAtMs: undefined,
    untoldKill: undefined,
    statuses: [],
    checks: new Map(),
  }
  executor.tasks.set(info.task_id.value, task)
  framework.tasks.set(info.task_id.value, { executor, task })
  record(turn, framework, taskRecord(executor, task))
  return task
}

/** Ends a task that was never told to anyone, when its agent is asked to kill what it does not know. */
export function answerUnknownKill(turn: Turn, framework: AgentFramework, taskId: string): void {
  const why = {
    state: lostState(framework),
    reason: 'REASON_EXECUTOR_TERMINATED',
    message: 'Cannot find executor',
  } as const
  refuse(turn, framework, { task_id: { value: taskId } }, why)
}
