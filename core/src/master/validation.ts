/**
 * Whether a scheduler's call makes sense by itself, and whether a FrameworkInfo may subscribe. Texts are those of Mesos 1.11, since
 * clients show and match them. Tasks are validated in launch-validation.ts, against the offer they are launched on.
 *
 * Every function returns the reason of the refusal, or undefined.
 */

import type { FrameworkID, FrameworkInfo } from '@isthmus/proto/gen/mesos'
import type { Call, OfferConstraints } from '@isthmus/proto/gen/scheduler'
import { idError, isUuid } from '@isthmus/proto/ids'
import { compileConstraints } from '../allocator/constraints.ts'
import type { PatternLimits } from '../allocator/pattern.ts'
import { validateRole as validateRoleName } from '../resources/roles.ts'
import type { FrameworkCapabilities } from './state.ts'

/** The longest time Mesos can hold in a Duration (63 bits of nanoseconds), in seconds. */
const MAX_DURATION_SECONDS = 9_223_372_036

/** Message each call needs; TEARDOWN, REVIVE, SUPPRESS and UNKNOWN need none. */
const NEEDED = {
  ACCEPT: 'accept',
  DECLINE: 'decline',
  ACCEPT_INVERSE_OFFERS: 'accept_inverse_offers',
  DECLINE_INVERSE_OFFERS: 'decline_inverse_offers',
  KILL: 'kill',
  SHUTDOWN: 'shutdown',
  ACKNOWLEDGE: 'acknowledge',
  ACKNOWLEDGE_OPERATION_STATUS: 'acknowledge_operation_status',
  RECONCILE: 'reconcile',
  RECONCILE_OPERATIONS: 'reconcile_operations',
  MESSAGE: 'message',
  REQUEST: 'request',
  UPDATE_FRAMEWORK: 'update_framework',
} as const satisfies Partial<Record<NonNullable<Call['type']>, keyof Call>>

/**
 * Checks a scheduler call's shape, in Mesos's order.
 *
 * @param principal the authenticated principal, when authentication is on
 */
export function validateSchedulerCall(call: Call, principal: string | undefined): string | undefined {
  if (call.type === undefined) return "Expecting 'type' to be present"
  if (call.type === 'SUBSCRIBE') return validateSubscribe(call, principal)
  if (call.framework_id === undefined) return "Expecting 'framework_id' to be present"
  const needed = (NEEDED as Readonly<Record<string, keyof Call>>)[call.type]
  if (needed !== undefined && call[needed] === undefined) return `Expecting '${needed}' to be present`
  switch (call.type) {
    case 'ACKNOWLEDGE':
      return isUuid(call.acknowledge?.uuid) ? undefined : 'Not a valid UUID'
    case 'ACKNOWLEDGE_OPERATION_STATUS':
      if (!isUuid(call.acknowledge_operation_status?.uuid)) return 'Not a valid UUID'
      return call.acknowledge_operation_status?.agent_id === undefined
        ? "Expecting 'agent_id' to be present"
        : undefined
    case 'UPDATE_FRAMEWORK':
      return sameId(call.framework_id, call.update_framework?.framework_info.id)
        ? undefined
        : "'framework_id' differs from 'update_framework.framework_info.id'"
    default:
      return undefined
  }
}

function validateSubscribe(call: Call, principal: string | undefined): string | undefined {
  if (call.subscribe === undefined) return "Expecting 'subscribe' to be present"
  const info = call.subscribe.framework_info
  if (!sameId(call.framework_id, info.id)) return "'framework_id' differs from 'subscribe.framework_info.id'"
  if (principal === undefined || info.principal === undefined || info.principal === principal) return undefined
  return principalMismatch(principal, info.principal)
}

/** The refusal of a call whose authenticated principal is not that of the framework. */
export function principalMismatch(authenticated: string, expected: string): string {
  return `Authenticated principal '${authenticated}' does not match principal '${expected}' set in \`FrameworkInfo\``
}

function sameId(one: FrameworkID | undefined, other: FrameworkID | undefined): boolean {
  return (one?.value ?? '') === (other?.value ?? '')
}

/** Reads the capabilities; unknown ones are ignored. */
export function capabilitiesOf(info: FrameworkInfo): FrameworkCapabilities {
  const types = new Set(info.capabilities?.map(({ type }) => type))
  return {
    revocableResources: types.has('REVOCABLE_RESOURCES'),
    taskKillingState: types.has('TASK_KILLING_STATE'),
    gpuResources: types.has('GPU_RESOURCES'),
    sharedResources: types.has('SHARED_RESOURCES'),
    partitionAware: types.has('PARTITION_AWARE'),
    multiRole: types.has('MULTI_ROLE'),
    reservationRefinement: types.has('RESERVATION_REFINEMENT'),
    regionAware: types.has('REGION_AWARE'),
  }
}

/** The roles a framework asks offers for: `roles` with MULTI_ROLE, else `role` (default `*`). */
export function rolesOf(info: FrameworkInfo): ReadonlySet<string> {
  if (capabilitiesOf(info).multiRole) return new Set(info.roles ?? [])
  return new Set([info.role ?? '*'])
}

/** Checks a FrameworkInfo by itself. */
export function validateFrameworkInfo(info: FrameworkInfo): string | undefined {
  const id = info.id?.value ?? ''
  const error = validateRoleFields(info) ?? (id === '' ? undefined : idError(id)) ?? validateOfferFilters(info)
  if (error !== undefined) return error
  const timeout = info.failover_timeout ?? 0
  return Math.abs(timeout) <= MAX_DURATION_SECONDS
    ? undefined
    : `The framework failover_timeout (${timeout}) is invalid`
}

function validateOfferFilters(info: FrameworkInfo): string | undefined {
  for (const { min_allocatable_resources } of Object.values(info.offer_filters ?? {})) {
    for (const { quantities = {} } of min_allocatable_resources?.quantities ?? []) {
      const amounts = Object.entries(quantities)
      if (amounts.length === 0) return 'Resource quantities must contain at least one quantity'
      for (const [name, { value }] of amounts) {
        const error = amountProblem(value)
        if (error !== undefined) return `Invalid resource quantity for '${name}': ${error} not supported`
      }
    }
  }
  return undefined
}

function amountProblem(value: number): string | undefined {
  if (Number.isNaN(value)) return 'NaN'
  if (value < 0) return 'Negative values'
  return value === Number.POSITIVE_INFINITY ? 'Infinite values' : undefined
}

function validateRoleFields(info: FrameworkInfo): string | undefined {
  if (!capabilitiesOf(info).multiRole) {
    if ((info.roles ?? []).length > 0) {
      return "'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable"
    }
    const error = info.role === undefined ? undefined : validateRole(info.role)
    return error && `'FrameworkInfo.role' is not a valid role: ${error}`
  }
  if (info.role !== undefined) return "'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable"
  const roles = info.roles ?? []
  const twice = [...new Set(roles.filter((role, index) => roles.indexOf(role) !== index))]
  if (twice.length > 0) return `'FrameworkInfo.roles' contains duplicate items: { ${twice.join(', ')} }`
  for (const role of roles) {
    const error = validateRole(role)
    if (error !== undefined) return `'FrameworkInfo.roles' contains invalid role: ${error}`
  }
  return undefined
}

/** Checks a role's name. */
export function validateRole(role: string): string | undefined {
  const result = validateRoleName(role)
  return result.ok ? undefined : result.rejection.message
}

/** Checks that suppressed roles are among the roles. */
export function validateSuppressedRoles(
  roles: ReadonlySet<string>,
  suppressed: readonly string[] | undefined,
): string | undefined {
  const other = suppressed?.find((role) => !roles.has(role))
  return other === undefined ? undefined : `Suppressed role '${other}' is not contained in the list of roles`
}

/** Checks roles against --roles. */
export function validateListedRoles(
  roles: ReadonlySet<string>,
  listed: readonly string[] | undefined,
): string | undefined {
  if (listed === undefined) return undefined
  const others = [...roles].filter((role) => role !== '*' && !listed.includes(role))
  return others.length === 0 ? undefined : `Roles { ${others.join(', ')} } are not present in the master's --roles`
}

/** Checks offer constraints: no empty group, one selector and one predicate in each constraint, patterns within their limits. */
export function validateOfferConstraints(
  constraints: OfferConstraints | undefined,
  limits: PatternLimits,
): string | undefined {
  const compiled = compileConstraints(constraints, limits)
  return compiled.ok ? undefined : compiled.rejection.message
}
