/** What tasks and executors hold: the same sum kept by agent and by framework. */

import { add, isEmpty, subtract } from './bag.ts'
import type { Agent, Framework, MasterTask } from './state.ts'

/** Adds to what the framework holds on the agent. */
export function charge(agent: Agent, framework: Framework, resources: MasterTask['resources']): void {
  const before = agent.usedBy.get(framework.id)
  const after = before === undefined ? resources : add(before, resources)
  agent.usedBy.set(framework.id, after)
  framework.usedOn.set(agent.id, after)
}

/** Takes from what the framework holds on the agent. */
export function discharge(agent: Agent, framework: Framework, resources: MasterTask['resources']): void {
  const before = agent.usedBy.get(framework.id)
  if (before === undefined) return
  const after = subtract(before, resources)
  if (isEmpty(after)) {
    agent.usedBy.delete(framework.id)
    framework.usedOn.delete(agent.id)
    return
  }
  agent.usedBy.set(framework.id, after)
  framework.usedOn.set(agent.id, after)
}
