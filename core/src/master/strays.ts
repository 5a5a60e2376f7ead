/**
 * Tasks that an agent brings back after their framework has launched others by the same ids elsewhere: a new leader did not know of the
 * first ones. They are killed, and what their agent says of them is not passed on: the framework would take it for news of the others.
 * Until they have ended they hold their resources, so that nobody is offered what they use.
 */

import type { AgentMessageStatusUpdate } from '@isthmus/proto/gen/agent-link'
import type { Task } from '@isthmus/proto/gen/mesos'
import { bagOf } from './bag.ts'
import { charge, discharge } from './charges.ts'
import { holdsResources, isTerminal } from './messages.ts'
import type { Agent, Framework, MasterTask } from './state.ts'
import { note, sendToAgent, type Turn } from './turn.ts'

/** A task that has to end. */
export interface Stray {
  readonly frameworkId: string
  readonly taskId: string
  readonly resources: MasterTask['resources']
}

/** Takes a task whose id is in use elsewhere. The agent's seat is taken afterwards. */
export function takeStray(turn: Turn, agent: Agent, framework: Framework, message: Task): void {
  const taskId = message.task_id.value
  const key = strayKey(framework.id, taskId)
  if (!holdsResources(message.state) || agent.strays.has(key)) return
  const resources = bagOf(message.resources ?? [])
  agent.strays.set(key, { frameworkId: framework.id, taskId, resources })
  charge(agent, framework, resources)
  note(turn, 'warn', 'task came back whose id is used elsewhere', {
    frameworkId: framework.id,
    taskId,
    agentId: agent.id,
  })
}

/** The agent is about to say anew what it runs, or leaves: nothing is held any more. Its seat is taken afterwards, or given up. */
export function releaseStrays(turn: Turn, agent: Agent): void {
  for (const { frameworkId, resources } of agent.strays.values()) {
    discharge(agent, turn.state.frameworks.get(frameworkId)!, resources)
  }
  agent.strays.clear()
}

/** Asks the agent to end them. */
export function killStrays(turn: Turn, agent: Agent): void {
  for (const { frameworkId, taskId } of agent.strays.values()) {
    sendToAgent(turn, agent, {
      type: 'KILL_TASK',
      kill_task: { framework_id: { value: frameworkId }, task_id: { value: taskId } },
    })
  }
}

/** The framework ends, and all it runs with it. */
export function forgetStrays(turn: Turn, framework: Framework): void {
  for (const agentId of [...framework.usedOn.keys()]) {
    const agent = turn.state.agents.get(agentId)!
    for (const [key, stray] of [...agent.strays])
      if (stray.frameworkId === framework.id) end(turn, agent, framework, key)
  }
}

/** Whether an update is of a task whose id is in use elsewhere; then it is answered here. */
export function isStrayUpdate(
  turn: Turn,
  agent: Agent,
  framework: Framework,
  update: AgentMessageStatusUpdate,
): boolean {
  const { task_id, state, uuid } = update.status
  const key = strayKey(framework.id, task_id.value)
  const task = framework.tasks.get(task_id.value)
  const isElsewhere = task !== undefined && task.agentId !== agent.id
  if (!agent.strays.has(key) && !isElsewhere) return false
  if (isTerminal(update.latest_state ?? state)) end(turn, agent, framework, key)
  if (uuid === undefined || uuid.length === 0) return true
  sendToAgent(turn, agent, {
    type: 'ACKNOWLEDGE_STATUS',
    acknowledge_status: { framework_id: { value: framework.id }, task_id, uuid },
  })
  return true
}

function end(turn: Turn, agent: Agent, framework: Framework, key: string): void {
  const stray = agent.strays.get(key)
  if (stray === undefined) return
  agent.strays.delete(key)
  discharge(agent, framework, stray.resources)
  turn.state.allocator.recoverResources(framework.id, agent.id, stray.resources, undefined, turn.atMs)
}

/** Task ids come last: framework ids have no blanks that could confuse it. */
function strayKey(frameworkId: string, taskId: string): string {
  return `${frameworkId} ${taskId}`
}
