/** LAUNCH and LAUNCH_GROUP on what an ACCEPT holds: each task is checked, charged, entered and sent to its agent. */

import type { ExecutorInfo, OfferOperation, TaskInfo, TaskStatusReason } from '@isthmus/proto/gen/mesos'
import { type Acceptance, allocatedTo, newExecutor, takeOut } from './acceptance.ts'
import { bagOf } from './bag.ts'
import { addExecutor } from './executors.ts'
import { validateGroup, validateTask } from './launch-validation.ts'
import { masterStatus } from './messages.ts'
import type { MasterExecutor } from './state.ts'
import { createTask } from './task-record.ts'
import { addTask, countEnd } from './tasks.ts'
import { note, sendEvent, sendToAgent, type Turn } from './turn.ts'

/** LAUNCH: every task by itself; those that are invalid are answered TASK_ERROR. */
export function launchTasks(turn: Turn, acceptance: Acceptance, operation: OfferOperation): void {
  for (const given of operation.launch?.task_infos ?? []) {
    const task = completedTask(acceptance, given)
    const error =
      operation.id === undefined ? validateTask(acceptance, task) : 'The `id` field cannot be set on LAUNCH operations'
    if (error !== undefined) refuseTask(turn, acceptance, task, { reason: 'REASON_TASK_INVALID', message: error })
    else launchTask(turn, acceptance, task)
  }
}

function launchTask(turn: Turn, acceptance: Acceptance, task: TaskInfo): void {
  const { framework, agent } = acceptance
  const executor = task.executor && newExecutor(acceptance, task.executor)
  if (executor !== undefined) chargeExecutor(turn, acceptance, executor)
  enterTask(turn, acceptance, task, task.executor?.executor_id.value ?? '')
  const launch_executor = task.executor && executor !== undefined
  sendToAgent(turn, agent, { type: 'RUN_TASK', run_task: { framework_info: framework.info, task, launch_executor } })
}

/** LAUNCH_GROUP: all tasks or none. */
export function launchGroup(turn: Turn, acceptance: Acceptance, operation: OfferOperation): void {
  const { framework, agent } = acceptance
  const { executor: givenExecutor, task_group } = operation.launch_group!
  const executor = completedExecutor(acceptance, givenExecutor)
  const tasks = (task_group.tasks ?? []).map((task) => completedTask(acceptance, task))
  if (tasks.length === 0) {
    // Mesos launches an executor without tasks and never frees it.
    note(turn, 'warn', 'task group without tasks dropped', { frameworkId: framework.id, agentId: agent.id })
    return
  }
  const error =
    operation.id === undefined
      ? validateGroup(acceptance, executor, tasks)
      : 'The `id` field cannot be set on LAUNCH_GROUP operations'
  if (error !== undefined) {
    for (const task of tasks) {
      refuseTask(turn, acceptance, task, { reason: 'REASON_TASK_GROUP_INVALID', message: error })
    }
    return
  }
  const fresh = newExecutor(acceptance, executor)
  if (fresh !== undefined) chargeExecutor(turn, acceptance, fresh)
  for (const task of tasks) enterTask(turn, acceptance, task, executor.executor_id.value)
  sendToAgent(turn, agent, {
    type: 'RUN_TASK_GROUP',
    run_task_group: {
      framework_info: framework.info,
      executor,
      task_group: { tasks: tasks.map((task) => ({ ...task, executor })) },
      launch_executor: fresh !== undefined,
    },
  })
}

/** The task with the role of the offer on its resources and its framework's id in its executor. */
function completedTask(acceptance: Acceptance, task: TaskInfo): TaskInfo {
  const resources = allocatedTo(task.resources, acceptance.role)
  const executor = task.executor && completedExecutor(acceptance, task.executor)
  return executor === undefined ? { ...task, resources } : { ...task, resources, executor }
}

function completedExecutor({ role, framework }: Acceptance, executor: ExecutorInfo): ExecutorInfo {
  return {
    ...executor,
    framework_id: executor.framework_id ?? { value: framework.id },
    resources: executor.resources && allocatedTo(executor.resources, role),
  }
}

function chargeExecutor(turn: Turn, acceptance: Acceptance, executor: MasterExecutor): void {
  takeOut(turn, acceptance, executor.resources)
  addExecutor(acceptance.agent, acceptance.framework, executor)
}

function enterTask(turn: Turn, acceptance: Acceptance, info: TaskInfo, executorId: string): void {
  const { framework, agent, role } = acceptance
  const task = createTask(turn.state, {
    id: info.task_id.value,
    frameworkId: framework.id,
    agentId: agent.id,
    executorId,
    name: info.name,
    role,
    resources: bagOf(info.resources ?? []),
    state: 'TASK_STAGING',
    details: { ...info, user: info.command?.user ?? info.executor?.command?.user },
  })
  takeOut(turn, acceptance, task.resources)
  addTask(turn, agent, framework, task)
}

function refuseTask(
  turn: Turn,
  { framework }: Acceptance,
  task: TaskInfo,
  why: { reason: TaskStatusReason; message: string },
): void {
  const status = masterStatus(turn.atMs, {
    taskId: task.task_id.value,
    agentId: task.agent_id.value,
    state: 'TASK_ERROR',
    ...why,
  })
  countEnd(turn, framework, 'TASK_ERROR', status)
  sendEvent(turn, framework, { type: 'UPDATE', update: { status } })
}
