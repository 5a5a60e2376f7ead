import type { Sighting } from '../sightings.ts'
import { mustHold } from '../violation.ts'
import type { Checker } from './checker.ts'

/** So many calls alike in one window are too many. */
const ALIKE_MAX = 30
const WINDOW_MS = 10_000

/** Nobody asks the same over and over: an answer that makes its asker ask again has no end. */
export class TalkChecker implements Checker {
  readonly #counts = new Map<string, number>()
  #sinceMs = 0

  see(sighting: Sighting, atMs: number): void {
    const key = keyOf(sighting)
    if (key === undefined) return
    if (atMs - this.#sinceMs > WINDOW_MS) {
      this.#sinceMs = atMs
      this.#counts.clear()
    }
    const count = (this.#counts.get(key) ?? 0) + 1
    this.#counts.set(key, count)
    mustHold(
      count <= ALIKE_MAX,
      'nobody talks without end',
      () => `${key} for the ${count}th time within ${WINDOW_MS} ms`,
    )
  }
}

/** What is asked by whom; undefined for what may be said often. */
function keyOf(sighting: Sighting): string | undefined {
  if (sighting.kind === 'linkOpened') {
    const { register, reregister } = sighting.message
    return `registration of ${(register ?? reregister)?.agent_info.hostname}`
  }
  if (sighting.kind !== 'called') return undefined
  const { type, framework_id, kill, subscribe } = sighting.call
  const who = framework_id?.value ?? subscribe?.framework_info.name
  const isRare = type === 'KILL' || type === 'RECONCILE' || type === 'SUBSCRIBE'
  return isRare ? `${type} of ${who} ${kill?.task_id.value ?? ''}` : undefined
}
