/**
 * What a master shows: pure functions from its state to plain JSON, in the shapes of Mesos 1.11's pages. Numbers that Mesos prints as
 * doubles are plain numbers here; how they are printed is the HTTP layer's business. The operator calls GET_* are answered by the machine
 * itself (operator-reads.ts).
 *
 * Cost: O(what is shown). Nothing here changes the state, and nothing returned is changed later.
 */

import type { Json, JsonObject, LazyFields } from './json.ts'
import { quotaStatus } from './operator-quota.ts'
import { reclaimPage } from './reclaim/view.ts'
import type { MasterState } from './state.ts'
import { type Explained, type ExplainQuery, explainPage, offerConstraintsPage } from './views-explain.ts'
import { frameworkPages, type TasksQuery, taskPages } from './views-frameworks.ts'
import { metricsFields, metricsSnapshot } from './views-metrics.ts'
import { rolePage } from './views-roles.ts'
import { slavePages, statePage, stateSummaryPage } from './views-state.ts'

export type { Json, JsonObject } from './json.ts'
export type { Explained, ExplainQuery } from './views-explain.ts'
export type { TasksQuery } from './views-frameworks.ts'

/** Query of /slaves; a value that matches nothing (also an empty one) gives an empty list. */
export interface SlavesQuery {
  readonly agentId?: string | undefined
}

/** Query of /frameworks. */
export interface FrameworksQuery {
  readonly frameworkId?: string | undefined
}

/** GET /state. */
export function stateView(state: MasterState): JsonObject {
  return statePage(state)
}

/** GET /state-summary. */
export function stateSummaryView(state: MasterState): JsonObject {
  return stateSummaryPage(state)
}

/** GET /slaves. */
export function slavesView(state: MasterState, query: SlavesQuery = {}): JsonObject {
  return slavePages(state, query.agentId)
}

/** GET /frameworks. */
export function frameworksView(state: MasterState, query: FrameworksQuery = {}): JsonObject {
  return frameworkPages(state, query.frameworkId)
}

/** GET /tasks. */
export function tasksView(state: MasterState, query: TasksQuery = {}): JsonObject {
  return taskPages(state, query)
}

/** GET /roles. */
export function rolesView(state: MasterState): JsonObject {
  return rolePage(state)
}

/** GET /weights. */
export function weightsView(state: MasterState): readonly Json[] {
  return [...state.registry.weights].map(([role, weight]) => ({ role, weight }))
}

/** GET /quota: `{"infos":[…]}` of the roles with a guarantee, or `{}`. */
export function quotaView(state: MasterState): JsonObject {
  const { infos } = quotaStatus(state)
  return infos === undefined ? {} : { infos: infos as unknown as readonly JsonObject[] }
}

/** GET /explain: why a framework or a role is not offered more now. */
export function explainView(state: MasterState, query: ExplainQuery, atMs: number): Explained {
  return explainPage(state, query, atMs)
}

/** GET /reclaim: what is taken back for whom, and why. */
export function reclaimView(state: MasterState, atMs: number): JsonObject {
  return reclaimPage(state, atMs)
}

/** GET /allocator/offer_constraints_debug: the agents that frameworks exclude. */
export function offerConstraintsView(state: MasterState): JsonObject {
  return offerConstraintsPage(state)
}

/** GET /metrics/snapshot without the process's own numbers (system/…, event queues), which the shell adds. */
export function metricsView(state: MasterState, atMs: number): Record<string, number> {
  return metricsSnapshot(state, atMs)
}

/** The same for a page that is written in slices. */
export function metricsPage(state: MasterState, atMs: number): LazyFields {
  return metricsFields(state, atMs)
}
