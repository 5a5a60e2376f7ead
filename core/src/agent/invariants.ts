/** What must hold after every step of an agent; tests and simulation check it. */

import { assert } from '../base/assert.ts'
import { isTerminal } from '../framework/task-states.ts'
import type { AgentState } from './state.ts'

/** Throws AssertionError naming the first thing that does not hold. */
export function checkInvariants(state: AgentState): void {
  for (const [containerId, owner] of state.containers) {
    const executor = state.frameworks.get(owner.frameworkId)?.executors.get(owner.executorId)
    assert(executor !== undefined, `container ${containerId} belongs to an executor`)
    if (owner.taskId !== undefined)
      assert(executor.tasks.has(owner.taskId), `container ${containerId} belongs to a task`)
  }
  for (const framework of state.frameworks.values()) {
    for (const executor of framework.executors.values()) {
      for (const task of executor.tasks.values()) {
        assert(
          (task.phase === 'ended') === isTerminal(task.state),
          `task ${task.info.task_id.value} is ended when its state says so`,
        )
      }
      if (executor.streamId !== undefined)
        assert(state.streams.get(executor.streamId) === executor, 'an open stream is indexed by its id')
    }
  }
  for (const stream of state.updates.values()) {
    assert(stream.pending.length > 0, `the update stream of ${stream.taskId} holds an update`)
    const ends = stream.pending.filter(({ state: taskState }) => isTerminal(taskState)).length
    assert(ends === 0 || isTerminal(stream.latestState), `the latest state of ${stream.taskId} is its end`)
    assert(
      !(state.frameworks.get(stream.frameworkId)?.isTerminating ?? false),
      'a framework that is shut down has no updates',
    )
  }
}
