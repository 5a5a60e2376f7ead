/** What must hold after every step of an agent; tests and simulation check it. */

import { assert } from '../base/assert.ts'
import { isTerminal } from '../framework/task-states.ts'
import { Resources } from '../resources/resources.ts'
import { containerLimits, containerResources, usedByAll, usedByExecutor } from './resources.ts'
import type { AgentFramework, AgentState, AgentTask, Executor } from './state.ts'

/** Throws AssertionError naming the first thing that does not hold. */
export function checkInvariants(state: AgentState): void {
  checkContainers(state)
  for (const framework of state.frameworks.values()) {
    assert(
      framework.executors.size > 0 || framework.updates.size > 0,
      `framework ${framework.frameworkId} has something here, or is forgotten`,
    )
    for (const executor of framework.executors.values()) checkExecutor(state, executor)
    checkIndex(framework)
    checkUpdates(framework)
  }
  for (const framework of state.completedFrameworks) {
    assert(!state.frameworks.has(framework.frameworkId), 'a framework is completed or not')
    assert(framework.executors.size === 0 && framework.updates.size === 0, 'a completed framework has nothing here')
  }
  for (const [streamId, executor] of state.streams)
    assert(executor.streamId === streamId, "an indexed stream is its executor's")
  checkSum(state)
  const estimate = state.oversubscribed
  assert(estimate === undefined || estimate.nonRevocable().isEmpty, 'only revocable resources are oversubscribed')
  assert(state.total.revocable().isEmpty, 'what is oversubscribed is beside the total')
  if (state.recovery !== undefined)
    assert(state.linkPhase === 'disconnected', 'an agent that recovers does not register')
  if (state.hasLeft) assert(state.containers.size === 0, 'an agent leaves after its last container')
}

/** Containers and those they run are indexed both ways. */
function checkContainers(state: AgentState): void {
  for (const [containerId, owner] of state.containers) {
    if (owner.kind === 'operator') {
      assert(owner.container.phase !== 'ended', `container ${containerId} has not ended`)
      assert(state.operatorContainers.get(containerId) === owner.container, `container ${containerId} is indexed`)
      continue
    }
    const { frameworkId, executorId } = owner.executor
    const executor = state.frameworks.get(frameworkId)?.executors.get(executorId)
    assert(executor === owner.executor, `container ${containerId} belongs to an executor that has not ended`)
    if (owner.kind === 'executor') {
      assert(executor.kind === 'custom' && executor.containerId === containerId, 'custom executors are containers')
    } else {
      assert(owner.task.phase !== 'ended', `container ${containerId} belongs to a task that has not ended`)
      assert(owner.task.containerId === containerId, `container ${containerId} is its task's`)
      assert(executor.tasks.get(owner.task.info.task_id.value) === owner.task, `its task is its executor's`)
    }
  }
  for (const containerId of state.waiting.keys()) {
    const root = containerId.split('.')[0]
    const isThere =
      state.containers.has(containerId) ||
      [...state.frameworks.values()].some(({ executors }) =>
        [...executors.values()].some((executor) => executor.containerId === root),
      )
    assert(isThere, `calls wait for ${containerId}, which will end`)
  }
}

function checkExecutor(state: AgentState, executor: Executor): void {
  const { executorId, kind, containerId } = executor
  const live = [...executor.tasks.values()].filter(({ phase }) => phase !== 'ended')
  if (kind === 'custom') {
    assert(state.containers.has(containerId), `custom executor ${executorId} has a container`)
  } else {
    assert(executor.streamId === undefined, `executor ${executorId} is built in`)
    assert(live.length > 0, `built-in executor ${executorId} has a task`)
  }
  if (executor.streamId !== undefined) {
    assert(state.streams.get(executor.streamId) === executor, 'an open stream is indexed by its id')
    assert(executor.hasSubscribed && executor.phase !== 'registering', 'who has a stream has subscribed')
  }
  if (executor.shutdownDueAtMs !== undefined) {
    assert(executor.phase === 'terminating', `executor ${executorId} has a deadline to end, so it is ending`)
  }
  for (const task of executor.tasks.values()) checkTask(state, executor, task)
  assert(containerResources(executor).cpusMilli >= usedByExecutor(executor).cpusMilli, 'containers get what was asked')
  const limits = containerLimits(executor)
  if (limits?.cpusMilli !== undefined) assert(limits.cpusMilli > 0, 'a limit leaves something')
}

function checkTask(state: AgentState, executor: Executor, task: AgentTask): void {
  const name = `task ${task.info.task_id.value}`
  assert((task.phase === 'ended') === isTerminal(task.state), `${name} is ended when its state says so`)
  if (task.phase === 'ended') {
    assert(task.checks.size === 0, `${name} is checked no more`)
    return
  }
  if (executor.kind !== 'custom' && task.containerId !== undefined)
    assert(state.containers.has(task.containerId), `${name} has its container until it ends`)
  if (task.phase === 'killing') assert(task.endCause !== undefined, `${name} is killed for a reason`)
}

/** Each task that is not completed is found by its id. */
function checkIndex(framework: AgentFramework): void {
  let count = 0
  for (const executor of [...framework.executors.values(), ...framework.completedExecutors]) {
    for (const [taskId, task] of executor.tasks) {
      count += 1
      assert(framework.tasks.get(taskId)?.task === task, `task ${taskId} is indexed by its id`)
    }
  }
  assert(framework.tasks.size === count, 'the index knows no other tasks')
}

/** Streams hold updates of the framework's tasks, the last of them the newest. */
function checkUpdates(framework: AgentFramework): void {
  assert(!framework.isTerminating || framework.updates.size === 0, 'a framework that is shut down has no updates')
  for (const [taskId, stream] of framework.updates) {
    assert(stream.taskId === taskId && stream.frameworkId === framework.frameworkId, 'a stream is indexed by its task')
    const last = stream.pending.at(-1)
    assert(last !== undefined, `the update stream of ${taskId} holds an update`)
    assert(last.state === stream.latestState, `the latest state of ${taskId} is that of its newest update`)
    const uuids = new Set(stream.pending.map(({ uuid }) => uuid?.join()))
    assert(uuids.size === stream.pending.length, `each update of ${taskId} has a uuid of its own`)
    const end = stream.pending.findIndex(({ state }) => isTerminal(state))
    const isOver = end < 0 || stream.pending.slice(end).every(({ state }) => isTerminal(state))
    assert(isOver, `nothing follows the end of ${taskId}`)
  }
}

/** What is used is what executors and live tasks hold. */
function checkSum(state: AgentState): void {
  let sum = Resources.empty
  for (const { executors } of state.frameworks.values()) {
    for (const executor of executors.values()) {
      sum = sum.plus(executor.resources)
      for (const task of executor.tasks.values()) if (task.phase !== 'ended') sum = sum.plus(task.resources)
    }
  }
  assert(sum.equals(usedByAll(state)), 'resources in use are the sum of what runs')
}
