/**
 * The hundred metrics of one framework, of which there may be ten thousand: as an object, and as JSON text that is kept until one of them
 * changes. Whether one did is seen by comparing what they are made of, so that nobody else need know of the text.
 */

import type { TaskState } from '@isthmus/proto/gen/mesos'
import { OPERATION_TYPES } from './counters.ts'
import { FieldsText } from './json.ts'
import type { Framework } from './state.ts'

/** The states that do not end a task. */
export const ACTIVE_STATES = [
  'TASK_STAGING',
  'TASK_STARTING',
  'TASK_RUNNING',
  'TASK_KILLING',
  'TASK_UNREACHABLE',
  'TASK_UNKNOWN',
] as const satisfies readonly TaskState[]

const NONE: readonly number[] = ACTIVE_STATES.map(() => 0)

/** How many tasks a framework has in each of {@link ACTIVE_STATES}. */
export function activeCounts({ tasks, unreachableTasks }: Framework): readonly number[] {
  if (tasks.size === 0 && unreachableTasks.size === 0) return NONE
  const counts = tasks.countStates()
  counts.set('TASK_UNREACHABLE', unreachableTasks.size)
  return ACTIVE_STATES.map((state) => counts.get(state) ?? 0)
}

/** All metrics of a framework by name. */
export function metricsOf(framework: Framework): Record<string, number> {
  const metrics: Record<string, number> = {}
  const prefix = `master/frameworks/${encodedName(framework.info.name)}/${framework.id}`
  metrics[`${prefix}/subscribed`] = framework.streamId === undefined ? 0 : 1
  for (const name of FRAMEWORK_COUNTERS) metrics[`${prefix}/${name}`] = 0
  for (const [name, value] of framework.counters) metrics[`${prefix}/${name}`] = value
  for (const [at, value] of activeCounts(framework).entries()) {
    metrics[`${prefix}/tasks/active/${ACTIVE_STATES[at]!.toLowerCase()}`] = value
  }
  for (const role of framework.roles) {
    metrics[`${prefix}/roles/${role}/suppressed`] = framework.suppressedRoles.has(role) ? 1 : 0
  }
  return metrics
}

const CALLS =
  'subscribe teardown accept decline accept_inverse_offers decline_inverse_offers revive suppress kill shutdown acknowledge acknowledge_operation_status reconcile reconcile_operations message request update_framework'
const EVENTS =
  'subscribed offers rescind inverse_offers rescind_inverse_offer update update_operation_status message failure error heartbeat'
const ENDS = 'finished failed killed lost error dropped gone gone_by_operator'

const FRAMEWORK_COUNTERS: readonly string[] = [
  'calls',
  ...CALLS.split(' ').map((name) => `calls/${name}`),
  'events',
  ...EVENTS.split(' ').map((name) => `events/${name}`),
  ...['sent', 'accepted', 'declined', 'rescinded'].map((name) => `offers/${name}`),
  'operations',
  ...['launch', 'launch_group', ...OPERATION_TYPES].map((name) => `operations/${name}`),
  ...ENDS.split(' ').map((name) => `tasks/terminal/task_${name}`),
]

function encodedName(name: string): string {
  // Halves of surrogate pairs cannot be encoded.
  return encodeURIComponent(name.replace(/[\ud800-\udfff]/gu, '\ufffd'))
}

/** What the metrics of a framework are made of, and their text. */
interface Shown {
  readonly revision: number
  readonly isSubscribed: boolean
  readonly info: Framework['info']
  readonly roles: Framework['roles']
  readonly suppressedRoles: Framework['suppressedRoles']
  readonly states: readonly number[]
  readonly fields: FieldsText
}

/** Some 6 KB each, for frameworks that are there and whose metrics were asked for. */
const shown = new WeakMap<Framework, Shown>()

/** The same as {@link metricsOf} as JSON text; the same object as long as nothing changes. */
export function metricsTextOf(framework: Framework): FieldsText {
  const states = activeCounts(framework)
  const known = shown.get(framework)
  if (known !== undefined && isSame(known, framework, states)) return known.fields
  const { counters, info, roles, suppressedRoles, streamId } = framework
  const fields = new FieldsText(textOf(framework, states))
  const { revision } = counters
  shown.set(framework, { revision, isSubscribed: streamId !== undefined, info, roles, suppressedRoles, states, fields })
  return fields
}

/** Sets of roles are replaced, never changed. */
function isSame(known: Shown, framework: Framework, states: readonly number[]): boolean {
  return (
    known.revision === framework.counters.revision &&
    known.isSubscribed === (framework.streamId !== undefined) &&
    known.info === framework.info &&
    known.roles === framework.roles &&
    known.suppressedRoles === framework.suppressedRoles &&
    (known.states === states || states.every((count, at) => known.states[at] === count))
  )
}

const COUNTERS_SHOWN: ReadonlySet<string> = new Set(FRAMEWORK_COUNTERS)
const COUNTER_HEADS = FRAMEWORK_COUNTERS.map((name) => `/${name}":`)
const STATE_HEADS = ACTIVE_STATES.map((state) => `/tasks/active/${state.toLowerCase()}":`)

function textOf(framework: Framework, states: readonly number[]): string {
  const { counters } = framework
  const prefix = JSON.stringify(`master/frameworks/${encodedName(framework.info.name)}/${framework.id}`).slice(0, -1)
  const next = `,${prefix}`
  const parts: (string | number)[] = [prefix, '/subscribed":', framework.streamId === undefined ? 0 : 1]
  for (const [at, name] of FRAMEWORK_COUNTERS.entries()) parts.push(next, COUNTER_HEADS[at]!, counters.get(name) ?? 0)
  for (const [name, value] of counters) {
    if (!COUNTERS_SHOWN.has(name)) parts.push(next, '/', JSON.stringify(name).slice(1), ':', value)
  }
  for (const [at, value] of states.entries()) parts.push(next, STATE_HEADS[at]!, value)
  for (const role of framework.roles) {
    const name = JSON.stringify(`/roles/${role}/suppressed`).slice(1)
    parts.push(next, name, ':', framework.suppressedRoles.has(role) ? 1 : 0)
  }
  return parts.join('')
}
