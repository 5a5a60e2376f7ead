import type { MasterMessage } from '@isthmus/proto/gen/agent-link'
import type { Sighting } from '../sightings.ts'
import { mustHold } from '../violation.ts'
import type { Books } from './books.ts'
import type { Checker } from './checker.ts'

/** Who leads is the only one who writes, and what was said for good holds under every leader. */
export class ReignChecker implements Checker {
  readonly #books: Books
  #leader = 'm1'

  constructor(books: Books) {
    this.#books = books
  }

  see(sighting: Sighting): void {
    switch (sighting.kind) {
      case 'masterStarted':
        this.#leader = sighting.masterId
        return
      case 'stored':
        mustHold(sighting.masterId === this.#leader, 'only the leader writes', () => {
          return `${sighting.masterId} has written to the registry, while ${this.#leader} leads`
        })
        return
      case 'agentTold':
        this.#checkGone(sighting.message)
        return
      default:
        return
    }
  }

  #checkGone({ registered }: MasterMessage): void {
    const id = registered?.agent_id.value ?? ''
    mustHold(!this.#books.registry.gone.has(id), 'gone agents stay gone', () => `${id} is gone, and registered again`)
  }
}
