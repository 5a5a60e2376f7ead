/** Counters: numbers by name, shown in /metrics/snapshot under Mesos's names. */

/** Name → count since the start. */
export class Counters extends Map<string, number> {
  /** Another number after each change. */
  revision = 0
}

/** Adds to a counter; unknown names start at 0. */
export function count(counters: Counters, name: string, by = 1): void {
  counters.revision += 1
  counters.set(name, (counters.get(name) ?? 0) + by)
}

/** The counters of a master that always exist, at 0. */
export function createMasterCounters(): Counters {
  return new Counters(MASTER_COUNTERS.map((name) => [`master/${name}`, 0]))
}

const MESSAGES = [
  'authenticate',
  'deactivate_framework',
  'decline_offers',
  'executor_to_framework',
  'exited_executor',
  'framework_to_executor',
  'kill_task',
  'launch_tasks',
  'operation_status_update',
  'operation_status_update_acknowledgement',
  'reconcile_operations',
  'reconcile_tasks',
  'register_framework',
  'register_slave',
  'reregister_framework',
  'reregister_slave',
  'resource_request',
  'revive_offers',
  'status_update',
  'status_update_acknowledgement',
  'suppress_offers',
  'unregister_framework',
  'unregister_slave',
  'update_slave',
]

const CHECKED = [
  'executor_to_framework_messages',
  'framework_to_executor_messages',
  'operation_status_update_acknowledgements',
  'operation_status_updates',
  'status_update_acknowledgements',
  'status_updates',
]

const SLAVE_COUNTERS = [
  'recovery_slave_removals',
  'slave_registrations',
  'slave_removals',
  'slave_removals/reason_registered',
  'slave_removals/reason_unhealthy',
  'slave_removals/reason_unregistered',
  'slave_reregistrations',
  'slave_shutdowns_canceled',
  'slave_shutdowns_completed',
  'slave_shutdowns_scheduled',
  'slave_unreachable_canceled',
  'slave_unreachable_completed',
  'slave_unreachable_scheduled',
]

/** Terminal states that have a counter, by their lower-case names. */
export const TERMINAL_COUNTERS = [
  'dropped',
  'error',
  'failed',
  'finished',
  'gone',
  'gone_by_operator',
  'killed',
  'lost',
] as const

/** Operation types of the metrics. */
export const OPERATION_TYPES = [
  'reserve',
  'unreserve',
  'create',
  'destroy',
  'grow_volume',
  'shrink_volume',
  'create_disk',
  'destroy_disk',
] as const

const MASTER_COUNTERS: readonly string[] = [
  'dropped_messages',
  'http_cache_hits',
  ...CHECKED.flatMap((name) => [`valid_${name}`, `invalid_${name}`]),
  ...MESSAGES.map((name) => `messages_${name}`),
  ...SLAVE_COUNTERS,
  ...TERMINAL_COUNTERS.map((state) => `tasks_${state}`),
]
