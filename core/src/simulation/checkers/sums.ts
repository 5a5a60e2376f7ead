import { Allocator } from '../../allocator/allocator.ts'
import type { MasterState } from '../../master/state.ts'
import { mustHold } from '../violation.ts'

/** At the end of a world nothing is held: what the allocator takes for free and what is offered are all that an agent has. */
export function checkSums({ allocator, agents, offers }: MasterState): void {
  if (!(allocator instanceof Allocator)) return
  for (const agent of agents.values()) {
    let sum = allocator.books.agents.find(agent.id)?.free
    for (const id of agent.offers) sum = sum?.plus(offers.get(id)!.resources.unallocate())
    mustHold(
      sum?.equals(agent.total),
      'sums are exact',
      () => `of ${agent.id} with ${agent.total} ${sum} is free or offered`,
    )
  }
}
