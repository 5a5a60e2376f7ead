import type { Sighting } from '../sightings.ts'

/** Someone who watches a world and throws a Violation when it shows what must not be. */
export interface Checker {
  readonly see: (sighting: Sighting, atMs: number) => void
  /** Everything is quiet: the last look. */
  readonly ended?: (atMs: number) => void
}
