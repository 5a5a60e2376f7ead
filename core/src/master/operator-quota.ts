/** UPDATE_QUOTA: what roles are guaranteed and limited to. */

import type { CallUpdateQuota } from '@isthmus/proto/gen/master'
import type { QuotaConfig } from '@isthmus/proto/gen/quota'
import { allocateSoon, rescindAgentOffers } from './offers.ts'
import type { QuotaRecord } from './registry.ts'
import type { MasterState } from './state.ts'
import { commit, respond, type Turn } from './turn.ts'
import { validateRole } from './validation.ts'
import { capacityOf } from './views-roles.ts'

/** Answers UPDATE_QUOTA: 400 with the reason, or 200 when it is stored. */
export function updateQuota(turn: Turn, requestId: string, call: CallUpdateQuota): void {
  const configs = call.quota_configs ?? []
  const error = configs.map(validateQuota).find((reason) => reason !== undefined) ?? overcommit(turn.state, call)
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

function validateQuota({ role, guarantees = {}, limits = {} }: QuotaConfig): string | undefined {
  const error = validateRole(role)
  if (error !== undefined) return `Invalid QuotaConfig: Invalid 'QuotaConfig.role': ${error}`
  if (role.includes('/')) return `Updating quota on nested role '${role}' is not supported yet`
  for (const [kind, amounts] of [['guarantee', guarantees] as const, ['limit', limits] as const]) {
    for (const [name, { value }] of Object.entries(amounts)) {
      if (value >= 0 && Number.isFinite(value)) continue
      return `Invalid QuotaConfig: Invalid ${kind} configuration {'${name}': ${value}}: Negative values not supported`
    }
  }
  const outside = Object.entries(guarantees).some(([name, { value }]) => value > (limits[name]?.value ?? value))
  if (!outside) return undefined
  return `Invalid QuotaConfig: 'QuotaConfig.guarantees' ${amountsText(guarantees)} is not contained within the 'QuotaConfig.limits' ${amountsText(limits)}`
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
  const exceeds = Object.entries(total).some(([name, value]) => value > (capacity[name] ?? 0))
  if (!exceeds) return undefined
  return `Invalid QuotaConfig: total quota guarantees '${sumsText(total)}' exceed cluster capacity '${sumsText(capacity)}' (use 'force' flag to bypass this check)`
}

function addAmounts(total: Record<string, number>, amounts: NonNullable<QuotaConfig['guarantees']>): void {
  for (const [name, { value }] of Object.entries(amounts)) total[name] = (total[name] ?? 0) + value
}

function sumsText(sums: Readonly<Record<string, number>>): string {
  return Object.keys(sums)
    .sort()
    .map((name) => `${name}:${sums[name]}`)
    .join('; ')
}

/** The quotas are stored: the allocator counts with them, and offers that may break them are made anew. */
export function quotasStored(turn: Turn, roles: readonly string[], requestId: string): void {
  const { state } = turn
  for (const role of roles) applyQuota(state, role)
  for (const agent of state.agents.values()) rescindAgentOffers(turn, agent)
  allocateSoon(turn)
  respond(turn, requestId, 200)
}

/** Tells the allocator a role's quota as the registry has it. */
export function applyQuota(state: MasterState, role: string): void {
  const quota = state.registry.quotas.get(role)
  state.allocator.setQuota(role, { guarantees: plain(quota?.guarantees), limits: plain(quota?.limits) })
}

function plain(amounts: QuotaRecord['limits'] | undefined): Record<string, number> {
  return Object.fromEntries(Object.entries(amounts ?? {}).map(([name, { value }]) => [name, value]))
}
