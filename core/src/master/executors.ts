/** Executors (custom and default ones): charged once per agent, framework and id, from their first task until they exit. */

import type { AgentMessageExecutorMessage, AgentMessageExitedExecutor } from '@isthmus/proto/gen/agent-link'
import type { CallMessage, CallShutdown } from '@isthmus/proto/gen/scheduler'
import { charge, discharge } from './charges.ts'
import { count } from './counters.ts'
import type { Agent, Framework, MasterExecutor } from './state.ts'
import { note, sendEvent, sendToAgent, type Turn } from './turn.ts'

/** Puts an executor into the books and charges its resources, which the allocator already counts as the framework's. */
export function addExecutor(agent: Agent, framework: Framework, executor: MasterExecutor): void {
  putExecutor(agent.executors, framework.id, executor)
  putExecutor(framework.executors, agent.id, executor)
  charge(agent, framework, executor.resources)
}

function putExecutor(index: Map<string, Map<string, MasterExecutor>>, key: string, executor: MasterExecutor): void {
  const executors = index.get(key)
  if (executors === undefined) index.set(key, new Map([[executor.id, executor]]))
  else executors.set(executor.id, executor)
}

/** Takes an executor out of the books; its resources return to the pool. */
export function removeExecutor(turn: Turn, agent: Agent, framework: Framework, executor: MasterExecutor): void {
  takeExecutor(agent.executors, framework.id, executor.id)
  takeExecutor(framework.executors, agent.id, executor.id)
  discharge(agent, framework, executor.resources)
  turn.state.allocator.recoverResources(framework.id, agent.id, executor.resources, undefined, turn.atMs)
}

function takeExecutor(index: Map<string, Map<string, MasterExecutor>>, key: string, id: string): void {
  const executors = index.get(key)
  executors?.delete(id)
  if (executors?.size === 0) index.delete(key)
}

/** An executor ended: FAILURE to its framework (that of a command task too, which is not in the books). */
export function exitedExecutor(turn: Turn, agent: Agent, message: AgentMessageExitedExecutor): void {
  count(turn.state.counters, 'master/messages_exited_executor')
  const framework = turn.state.frameworks.get(message.framework_id.value)
  if (framework === undefined) return
  const executor = agent.executors.get(framework.id)?.get(message.executor_id.value)
  if (executor === undefined) return
  removeExecutor(turn, agent, framework, executor)
  sendEvent(turn, framework, {
    type: 'FAILURE',
    failure: { agent_id: { value: agent.id }, executor_id: message.executor_id, status: message.wait_status },
  })
}

/** Data from an executor for its framework; dropped when the framework is not connected. */
export function messageFromExecutor(turn: Turn, agent: Agent, message: AgentMessageExecutorMessage): void {
  const { state } = turn
  count(state.counters, 'master/messages_executor_to_framework')
  const framework = state.frameworks.get(message.framework_id.value)
  if (framework?.streamId === undefined) {
    count(state.counters, 'master/invalid_executor_to_framework_messages')
    return
  }
  count(state.counters, 'master/valid_executor_to_framework_messages')
  const { executor_id, data } = message
  sendEvent(turn, framework, { type: 'MESSAGE', message: { agent_id: { value: agent.id }, executor_id, data } })
}

/** MESSAGE: data for an executor, best effort; dropped for an unknown or disconnected agent. */
export function messageToExecutor(turn: Turn, framework: Framework, call: CallMessage): void {
  const { counters, agents } = turn.state
  count(counters, 'master/messages_framework_to_executor')
  const agent = agents.get(call.agent_id.value)
  if (agent?.linkId === undefined) {
    count(counters, 'master/invalid_framework_to_executor_messages')
    return
  }
  count(counters, 'master/valid_framework_to_executor_messages')
  const { executor_id, data } = call
  sendToAgent(turn, agent, {
    type: 'FRAMEWORK_MESSAGE',
    framework_message: { framework_id: { value: framework.id }, executor_id, data },
  })
}

/** SHUTDOWN: passed on when the framework has this executor there; otherwise dropped. */
export function shutdownExecutor(turn: Turn, framework: Framework, call: CallShutdown): void {
  const agent = turn.state.agents.get(call.agent_id.value)
  if (agent?.executors.get(framework.id)?.has(call.executor_id.value) !== true) {
    note(turn, 'debug', 'shutdown of an unknown executor dropped', {
      frameworkId: framework.id,
      executorId: call.executor_id.value,
    })
    return
  }
  sendToAgent(turn, agent, {
    type: 'SHUTDOWN_EXECUTOR',
    shutdown_executor: { framework_id: { value: framework.id }, executor_id: call.executor_id },
  })
}
