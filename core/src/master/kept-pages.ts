/** A check for tests: what the views keep between two looks is what they would make anew. */

import { assert } from '../base/assert.ts'
import type { MasterState } from './state.ts'
import { metricsOf, metricsTextOf } from './views-framework-metrics.ts'

/** Looks at everything that is kept, which keeps it for the next look. */
export function checkKeptPages(state: MasterState): void {
  for (const framework of state.frameworks.values()) {
    const { text } = metricsTextOf(framework)
    assert(`{${text}}` === JSON.stringify(metricsOf(framework)), `the metrics of ${framework.id} are those of now`)
  }
}
