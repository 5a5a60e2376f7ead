/** What must hold of reclaims after every step. */

import { assert } from '../../base/assert.ts'
import { isSameOrSubRoleOf } from '../../resources/roles.ts'
import type { MasterState } from '../state.ts'
import type { Reclaim } from './books.ts'
import { keyOf } from './candidates.ts'

/** Throws when the books of reclaim contradict themselves or the rest of the state. */
export function checkReclaims(state: MasterState): void {
  const { active, sinceMs, past, needs } = state.reclaim
  if (state.options.reclaim === undefined) {
    assert(active.size === 0 && sinceMs.size === 0 && past.size === 0, 'nothing is reclaimed when nobody asked for it')
    return
  }
  const tasks = new Set<string>()
  for (const [key, one] of active) {
    checkReclaim(state, key, one)
    for (const id of one.taskIds) {
      const task = keyOf('task', one.agentId, one.frameworkId, id)
      assert(!tasks.has(task), `task ${id} is reclaimed once`)
      tasks.add(task)
    }
  }
  for (const { role } of needs) assert(sinceMs.has(role), `role ${role} waits since a time`)
  checkAsks(state)
}

function checkReclaim({ frameworks, reclaim }: MasterState, key: string, one: Reclaim): void {
  assert(key === keyOf(one.kind, one.agentId, one.frameworkId, one.id), 'a reclaim is filed under its key')
  assert(one.losses.length > 0, `reclaim ${key} gives something`)
  assert(reclaim.sinceMs.has(one.reason.forRole), `role ${one.reason.forRole}, for whom ${key} is, waits`)
  for (const { role } of one.losses) {
    assert(!isSameOrSubRoleOf(role, one.reason.forRole), `role ${role} does not give to itself`)
  }
  // A task that ended since the last check is settled by the next one.
  for (const id of one.taskIds) {
    const task = frameworks.get(one.frameworkId)?.tasks.get(id)
    if (task === undefined || task.agentId !== one.agentId || one.kind === 'executor') continue
    assert(one.executorId === task.executorId, `reclaim ${key} knows the executor of its task`)
  }
}

/** Every inverse offer for a guarantee asks for something that is being taken back. */
function checkAsks({ inverseOffers, reclaim }: MasterState): void {
  for (const { id, kind, frameworkId, agentId } of inverseOffers.values()) {
    if (kind !== 'reclaim') continue
    const asked = [...reclaim.active.values()].some((one) => {
      return one.phase === 'asked' && one.frameworkId === frameworkId && one.agentId === agentId
    })
    assert(asked, `inverse offer ${id} is for something that is reclaimed`)
  }
}
