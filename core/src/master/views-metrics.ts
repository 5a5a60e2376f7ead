/** /metrics/snapshot: the names of Mesos 1.11 (reference: its monitoring documents). The process's own numbers come from the shell. */

import { addAll, type Bag, EMPTY, quantities, revocable } from './bag.ts'
import { OPERATION_TYPES } from './counters.ts'
import { type FieldsText, LazyFields } from './json.ts'
import { reclaimMetrics } from './reclaim/view.ts'
import { addSums, roleSums, sumsOf } from './role-sums.ts'
import type { MasterState } from './state.ts'
import { ACTIVE_STATES, activeCounts, metricsOf, metricsTextOf } from './views-framework-metrics.ts'

const OPERATION_STATES = [
  'pending',
  'recovering',
  'unreachable',
  'finished',
  'failed',
  'error',
  'dropped',
  'gone_by_operator',
]

/** All metrics by name. O(agents + frameworks + tasks). */
export function metricsSnapshot(state: MasterState, atMs: number): Record<string, number> {
  return Object.assign(commonMetrics(state, atMs), ...frameworkMetrics(state))
}

/** The same as an object to be written in groups: a hundred metrics of each framework are many. */
export function metricsFields(state: MasterState, atMs: number): LazyFields {
  return new LazyFields(commonMetrics(state, atMs), () => frameworkTexts(state))
}

function* frameworkMetrics(state: MasterState): Generator<Record<string, number>> {
  if (!state.options.publishPerFrameworkMetrics) return
  for (const framework of state.frameworks.values()) yield metricsOf(framework)
}

function* frameworkTexts(state: MasterState): Generator<FieldsText> {
  if (!state.options.publishPerFrameworkMetrics) return
  for (const framework of [...state.frameworks.values()]) yield metricsTextOf(framework)
}

function commonMetrics(state: MasterState, atMs: number): Record<string, number> {
  const metrics: Record<string, number> = {
    'master/elected': 1,
    'master/uptime_secs': Math.max(0, (atMs - state.options.startAtMs) / 1000),
    'master/outstanding_offers': state.offers.size,
    'master/operator_event_stream_subscribers': state.subscribers.size,
    'registrar/queued_operations': state.commits.size,
    'allocator/mesos/allocation_runs': 0,
    // Queues are the shell's, which puts its own numbers over these.
    'allocator/event_queue_dispatches': 0,
    'allocator/mesos/event_queue_dispatches': 0,
    'master/event_queue_dispatches': 0,
    'master/event_queue_http_requests': 0,
    'master/event_queue_messages': 0,
  }
  addOperations(metrics, state)
  addAgents(metrics, state)
  addResources(metrics, state)
  addQuotas(metrics, state)
  addFrameworks(metrics, state)
  Object.assign(metrics, reclaimMetrics(state))
  for (const [name, value] of state.counters) metrics[name] = value
  return metrics
}

function addOperations(metrics: Record<string, number>, state: MasterState): void {
  metrics['master/operations/total'] = state.operations.size
  for (const name of OPERATION_STATES) metrics[`master/operations/${name}`] = 0
  for (const type of OPERATION_TYPES) {
    metrics[`master/operations/${type}/total`] = 0
    for (const name of OPERATION_STATES) metrics[`master/operations/${type}/${name}`] = 0
  }
  for (const { operation } of state.operations.values()) {
    const type = (operation.info.type ?? 'UNKNOWN').toLowerCase()
    add(metrics, `master/operations/${type}/total`, 1)
    if (operation.latest_status.state !== 'OPERATION_PENDING') continue
    add(metrics, 'master/operations/pending', 1)
    add(metrics, `master/operations/${type}/pending`, 1)
  }
}

function addAgents(metrics: Record<string, number>, state: MasterState): void {
  let connected = 0
  let active = 0
  for (const agent of state.agents.values()) {
    if (agent.linkId !== undefined) connected++
    if (agent.active) active++
  }
  metrics['master/slaves_connected'] = connected
  metrics['master/slaves_disconnected'] = state.agents.size - connected
  metrics['master/slaves_active'] = active
  metrics['master/slaves_inactive'] = state.agents.size - active
  metrics['master/slaves_unreachable'] = state.registry.unreachable.size
}

function addResources(metrics: Record<string, number>, state: MasterState): void {
  const total = addAll(Array.from(state.agents.values(), (agent) => agent.total))
  const used = addAll([...state.agents.values()].flatMap(({ usedBy }) => [...usedBy.values()]))
  const offered = addAll(Array.from(state.offers.values(), ({ resources }) => resources))
  const parts: [string, Bag, Bag][] = [
    ['', revocable(total, false), revocable(used, false)],
    ['_revocable', revocable(total, true), revocable(used, true)],
  ]
  for (const [suffix, all, held] of parts) {
    const [sum, taken] = [quantities(all), quantities(held)]
    for (const name of ['cpus', 'mem', 'disk', 'gpus']) {
      const [of, by] = [sum[name] ?? 0, taken[name] ?? 0]
      metrics[`master/${name}${suffix}_total`] = of
      metrics[`master/${name}${suffix}_used`] = by
      metrics[`master/${name}${suffix}_percent`] = of === 0 ? 0 : by / of
    }
  }
  const [sum, held] = [quantities(total), quantities(addAll([used, offered, EMPTY]))]
  for (const name of ['cpus', 'mem', 'disk']) {
    metrics[`allocator/mesos/resources/${name}/total`] = sum[name] ?? 0
    metrics[`allocator/mesos/resources/${name}/offered_or_allocated`] = held[name] ?? 0
  }
}

function addQuotas(metrics: Record<string, number>, state: MasterState): void {
  const { quotas } = state.registry
  if (quotas.size === 0) return
  const sums = roleSums(state)
  for (const { role, guarantees, limits } of quotas.values()) {
    const { consumed, offeredPlain } = sumsOf(sums, role)
    const taken = addSums(consumed, offeredPlain)
    for (const name of new Set([...Object.keys(guarantees), ...Object.keys(limits)])) {
      const prefix = `allocator/mesos/quota/roles/${role}/resources/${name}`
      if (guarantees[name] !== undefined) metrics[`${prefix}/guarantee`] = guarantees[name].value
      if (limits[name] !== undefined) metrics[`${prefix}/limit`] = limits[name].value
      metrics[`${prefix}/consumed`] = consumed[name] ?? 0
      metrics[`${prefix}/offered_or_allocated`] = taken[name] ?? 0
    }
  }
}

function addFrameworks(metrics: Record<string, number>, state: MasterState): void {
  const running = ACTIVE_STATES.map(() => 0)
  let connected = 0
  let active = 0
  for (const framework of state.frameworks.values()) {
    if (framework.streamId !== undefined) connected++
    if (framework.active) active++
    for (const [at, value] of activeCounts(framework).entries()) running[at]! += value
  }
  metrics['master/frameworks_connected'] = connected
  metrics['master/frameworks_disconnected'] = state.frameworks.size - connected
  metrics['master/frameworks_active'] = active
  metrics['master/frameworks_inactive'] = state.frameworks.size - active
  for (const [at, name] of ACTIVE_STATES.entries()) {
    if (name !== 'TASK_UNKNOWN') metrics[`master/${name.toLowerCase().replace('task_', 'tasks_')}`] = running[at]!
  }
}

function add(into: Record<string, number>, name: string, by: number): void {
  into[name] = (into[name] ?? 0) + by
}
