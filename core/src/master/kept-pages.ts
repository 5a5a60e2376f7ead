/** A check for tests: what the views keep between two looks is what they would make anew. */

import { assert } from '../base/assert.ts'
import { type JsonObject, JsonText, type LazyList } from './json.ts'
import type { MasterState } from './state.ts'
import { agentObject, seenAgent } from './views-agents.ts'
import { metricsOf, metricsTextOf } from './views-framework-metrics.ts'
import { agentList, taskList } from './views-kept.ts'
import { taskObject } from './views-tasks.ts'

/** Looks at everything that is kept, which keeps it for the next look. */
export function checkKeptPages(state: MasterState): void {
  const agents = [...state.agents.values()]
  const fresh = agents.map((agent) => agentObject(seenAgent(state, agent)))
  checkSame(agentList(state), fresh, 'agents')
  for (const framework of state.frameworks.values()) {
    const { text } = metricsTextOf(framework)
    assert(`{${text}}` === JSON.stringify(metricsOf(framework)), `the metrics of ${framework.id} are those of now`)
    const tasks = [...framework.tasks.values(), ...framework.unreachableTasks.values(), ...framework.completedTasks]
    checkSame(taskList(tasks), tasks.map(taskObject), `tasks of ${framework.id}`)
  }
}

function checkSame(kept: LazyList, fresh: readonly JsonObject[], what: string): void {
  const texts = Array.from(kept, (one) => (one instanceof JsonText ? one.text : JSON.stringify(one)))
  for (const [at, object] of fresh.entries()) {
    assert(texts[at] === JSON.stringify(object), `the ${what} are shown as they are now`)
  }
  assert(texts.length === fresh.length, `all ${what} are shown`)
}
