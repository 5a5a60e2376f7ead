/**
 * What the registry forgets (--registry_gc_interval): agents that were unreachable or gone for longer than --registry_max_agent_age, and
 * the oldest of more than --registry_max_agent_count. Of a forgotten agent is said what is said of one that never was (TASK_UNKNOWN),
 * and one that was gone may come back.
 */

import { forgetText } from './tasks.ts'
import { commit, note, setTimer, type Turn } from './turn.ts'

/** Asks to be woken for the next time. */
export function scheduleUpkeep(turn: Turn): void {
  setTimer(turn, { kind: 'registryUpkeep' }, turn.atMs + turn.state.options.registryGcIntervalMs)
}

/** Looks for agents to forget. O(agents unreachable or gone). */
export function upkeepRegistry(turn: Turn): void {
  scheduleUpkeep(turn)
  const { registry } = turn.state
  const unreachable = outdated(turn, registry.unreachable)
  const gone = outdated(turn, registry.gone)
  if (unreachable.length + gone.length === 0) return
  commit(turn, [{ kind: 'agentsForgotten', unreachable, gone }], { kind: 'agentsForgotten', unreachable, gone })
}

function outdated({ state, atMs }: Turn, agents: ReadonlyMap<string, number>): string[] {
  const { registryMaxAgentAgeMs, registryMaxAgentCount } = state.options
  const tooMany = agents.size - registryMaxAgentCount
  const ids: string[] = []
  for (const [id, sinceMs] of agents) {
    if (ids.length < tooMany || atMs - sinceMs > registryMaxAgentAgeMs) ids.push(id)
  }
  return ids
}

/** They are forgotten, and with them what ran there and was not seen again. */
export function agentsForgotten(turn: Turn, unreachable: readonly string[], gone: readonly string[]): void {
  const { frameworks, registry } = turn.state
  // One that came back and was lost again meanwhile is remembered anew.
  const forgotten = new Set(unreachable.filter((id) => !registry.unreachable.has(id)))
  for (const { unreachableTasks } of frameworks.values()) {
    for (const [id, task] of unreachableTasks) {
      if (!forgotten.has(task.agentId)) continue
      unreachableTasks.delete(id)
      forgetText(task)
    }
  }
  note(turn, 'info', 'registry forgets agents', { unreachableCount: unreachable.length, goneCount: gone.length })
}
