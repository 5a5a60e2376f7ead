/** UPDATE_QUOTA: what roles are guaranteed and limited to; and the older SET_QUOTA and REMOVE_QUOTA, where the guarantee is the limit too. */

import type { CallUpdateQuota } from '@isthmus/proto/gen/master'
import type { Resource } from '@isthmus/proto/gen/mesos'
import type { QuotaConfig, QuotaRequest, QuotaStatus } from '@isthmus/proto/gen/quota'
import { validateResources } from './bag.ts'
import { allocateSoon } from './offers.ts'
import { rescindForQuota } from './quota-rescind.ts'
import type { QuotaRecord } from './registry.ts'
import { isWithin, roleSums, rounded, sumsOf, sumsText } from './role-sums.ts'
import type { MasterState } from './state.ts'
import { commit, respond, type Turn } from './turn.ts'
import { validateRole } from './validation.ts'
import { capacityOf } from './views-roles.ts'

/** Answers UPDATE_QUOTA: 400 with the reason, or 200 when it is stored. */
export function updateQuota(turn: Turn, requestId: string, call: CallUpdateQuota): void {
  const { state } = turn
  const configs = call.quota_configs ?? []
  const error =
    configs.map((config) => validateQuota(state, config)).find((reason) => reason !== undefined) ??
    overconsumed(state, call) ??
    overcommit(state, call)
  if (error !== undefined) {
    respond(turn, requestId, 400, error)
    return
  }
  const quotas: QuotaRecord[] = configs.map(({ role, guarantees = {}, limits = {} }) => ({ role, guarantees, limits }))
  commit(turn, [{ kind: 'quotasUpdated', quotas }], {
    kind: 'quotas',
    requestId,
    roles: quotas.map(({ role }) => role),
  })
}

/** No quota of memory or disk is larger: an exabyte, in megabytes. */
const MEGABYTES_MAX = 2 ** 40
/** No quota of anything else is larger. */
const AMOUNT_MAX = 1e12

function validateQuota(state: MasterState, { role, guarantees = {}, limits = {} }: QuotaConfig): string | undefined {
  const { roles } = state.options
  if (roles !== undefined && role !== '*' && !roles.includes(role)) {
    return `Invalid QuotaConfig: '${role}' is not on the roles whitelist`
  }
  if (role.includes('/')) return `Updating quota on nested role '${role}' is not supported yet`
  const error = validateRole(role)
  if (error !== undefined) return `Invalid QuotaConfig: Invalid 'QuotaConfig.role': ${error}`
  const amounts = tooLarge('guarantees', guarantees) ?? tooLarge('limits', limits)
  if (amounts !== undefined) return `Invalid QuotaConfig: ${amounts}`
  for (const [kind, given] of [['guarantee', guarantees] as const, ['limit', limits] as const]) {
    for (const [name, { value }] of Object.entries(given)) {
      if (value >= 0 && Number.isFinite(value)) continue
      return `Invalid QuotaConfig: Invalid ${kind} configuration {'${name}': ${value}}: Negative values not supported`
    }
  }
  const outside = Object.entries(guarantees).some(([name, { value }]) => value > (limits[name]?.value ?? value))
  if (!outside) return undefined
  return `Invalid QuotaConfig: 'QuotaConfig.guarantees' ${amountsText(guarantees)} is not contained within the 'QuotaConfig.limits' ${amountsText(limits)}`
}

function tooLarge(field: 'guarantees' | 'limits', amounts: NonNullable<QuotaConfig['limits']>): string | undefined {
  for (const [name, { value }] of Object.entries(amounts)) {
    const isSize = name === 'mem' || name === 'disk'
    const max = isSize ? MEGABYTES_MAX : AMOUNT_MAX
    if (!(value > max)) continue
    const what = isSize ? '1 exabyte' : '1 trillion'
    return `Invalid 'QuotaConfig.${field}': {'${name}': ${value}} is invalid: values greater than ${what} (${max}) are not supported`
  }
  return undefined
}

/** Limits below what a role consumes already need force. */
function overconsumed(state: MasterState, call: CallUpdateQuota): string | undefined {
  if (call.force === true) return undefined
  const sums = roleSums(state)
  for (const { role, limits = {} } of call.quota_configs ?? []) {
    const { consumed } = sumsOf(sums, role)
    if (isWithin(consumed, plain(limits))) continue
    return `Invalid QuotaConfig: Role '${role}' is already consuming '${sumsText(consumed)}'; this is more than the requested limits '${sumsText(plain(limits))}' (use 'force' flag to bypass this check)`
  }
  return undefined
}

function amountsText(amounts: NonNullable<QuotaConfig['limits']>): string {
  const parts = Object.entries(amounts).map(([name, { value }]) => `${name}: ${value}`)
  return `{ ${parts.join(', ')} }`
}

function overcommit(state: MasterState, call: CallUpdateQuota): string | undefined {
  if (call.force === true) return undefined
  const total: Record<string, number> = {}
  const changed = new Map((call.quota_configs ?? []).map((config) => [config.role, config.guarantees ?? {}]))
  for (const { role, guarantees } of state.registry.quotas.values()) {
    if (!changed.has(role)) addAmounts(total, guarantees)
  }
  for (const guarantees of changed.values()) addAmounts(total, guarantees)
  const capacity = capacityOf(state)
  const exceeds = Object.entries(total).some(([name, value]) => rounded(value) > (capacity[name] ?? 0))
  if (!exceeds) return undefined
  return `Invalid QuotaConfig: total quota guarantees '${sumsText(total)}' exceed cluster capacity '${sumsText(capacity)}' (use 'force' flag to bypass this check)`
}

function addAmounts(total: Record<string, number>, amounts: NonNullable<QuotaConfig['guarantees']>): void {
  for (const [name, { value }] of Object.entries(amounts)) total[name] = (total[name] ?? 0) + value
}

/** Answers SET_QUOTA: 400 or 409 with the reason, or 200 when it is stored. */
export function setQuota(turn: Turn, requestId: string, request: QuotaRequest): void {
  const { role = '*', guarantee = [], force } = request
  const prefix = 'Failed to validate set quota request: '
  const error = validateRole(role) ?? validateResources(guarantee) ?? setError(turn.state, role, guarantee)
  if (error !== undefined) {
    respond(turn, requestId, 400, prefix + error)
    return
  }
  const amounts = Object.fromEntries(guarantee.map(({ name, scalar }) => [name, { value: scalar?.value ?? 0 }]))
  const quota: QuotaRecord = { role, guarantees: amounts, limits: amounts }
  if (overcommit(turn.state, { force, quota_configs: [quota] }) !== undefined) {
    const text = `Quota guarantees overcommit the cluster (use 'force' to bypass this check): ${amountsText(amounts)}`
    respond(turn, requestId, 409, text)
    return
  }
  commit(turn, [{ kind: 'quotasUpdated', quotas: [quota] }], { kind: 'quotas', requestId, roles: [role] })
}

function setError(state: MasterState, role: string, guarantee: readonly Resource[]): string | undefined {
  if (role.includes('/')) return `Setting quota on nested role '${role}' is not supported yet`
  if (state.registry.quotas.has(role)) return `Cannot set quota for role '${role}' which already has quota`
  if (guarantee.length === 0) return "QuotaInfo with empty 'guarantee'"
  if (guarantee.some(isReserved)) return 'QuotaInfo must not contain any ReservationInfo'
  if (guarantee.some(({ disk }) => disk !== undefined)) return 'QuotaInfo must not contain DiskInfo'
  if (guarantee.some(({ revocable }) => revocable !== undefined)) return 'QuotaInfo must not contain RevocableInfo'
  if (guarantee.some(({ type }) => type !== 'SCALAR')) return 'QuotaInfo must not include non-scalar resources'
  const names = guarantee.map(({ name }) => name)
  return new Set(names).size < names.length ? 'QuotaInfo contains duplicate resource names' : undefined
}

/** Answers REMOVE_QUOTA: 400 for a role without quota, or 200 when it is stored. */
export function removeQuota(turn: Turn, requestId: string, role: string): void {
  if (!turn.state.registry.quotas.has(role)) {
    const text = `Failed to validate remove quota request for role '${role}': the role has no quota set`
    respond(turn, requestId, 400, text)
    return
  }
  commit(turn, [{ kind: 'quotasRemoved', roles: [role] }], { kind: 'quotas', requestId, roles: [role] })
}

/** GET_QUOTA: both forms, the older with guarantees only. */
export function quotaStatus(state: MasterState): QuotaStatus {
  const configs = [...state.registry.quotas.values()]
  if (configs.length === 0) return {}
  const infos = configs.map(({ role, guarantees }) => ({
    role,
    guarantee: Object.entries(guarantees).map(([name, scalar]) => ({ name, type: 'SCALAR' as const, scalar })),
  }))
  const guaranteed = infos.filter(({ guarantee }) => guarantee.length > 0)
  return { infos: guaranteed.length === 0 ? undefined : guaranteed, configs }
}

/** The quotas are stored: the allocator counts with them, and offers that break them are made anew. */
export function quotasStored(turn: Turn, roles: readonly string[], requestId: string): void {
  for (const role of roles) applyQuota(turn.state, role)
  rescindForQuota(turn, roles)
  allocateSoon(turn)
  respond(turn, requestId, 200)
}

/** Tells the allocator a role's quota as the registry has it. */
export function applyQuota(state: MasterState, role: string): void {
  const quota = state.registry.quotas.get(role)
  if (quota === undefined) {
    state.allocator.setQuota(role, undefined)
    return
  }
  state.allocator.setQuota(role, { guarantees: plain(quota.guarantees), limits: plain(quota.limits) })
}

function isReserved({ reservations, reservation, role }: Resource): boolean {
  return (reservations ?? []).length > 0 || reservation !== undefined || (role !== undefined && role !== '*')
}

function plain(amounts: QuotaRecord['limits']): Record<string, number> {
  return Object.fromEntries(Object.entries(amounts).map(([name, { value }]) => [name, value]))
}
