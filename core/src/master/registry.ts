/**
 * What must survive a master: agents admitted, unreachable and gone, weights, quotas and maintenance. Records are the only way it changes: the master
 * applies a record when the registry has stored it, and a new leader replays all of them.
 *
 * Frameworks and tasks are not here: agents and schedulers bring them back when they connect (as in Mesos).
 */

import type { AgentInfo, DrainConfig, ValueScalar } from '@isthmus/proto/gen/mesos'
import {
  applyMaintenance,
  createMaintenance,
  type Maintenance,
  type MaintenanceRecord,
  maintenanceSnapshot,
} from './machines.ts'

/** One durable change. */
export type RegistryRecord =
  /** A new agent with its id; also an agent that comes back with other facts. */
  | { readonly kind: 'agentAdmitted'; readonly agentInfo: AgentInfo }
  /** The agent left on purpose. */
  | { readonly kind: 'agentRemoved'; readonly agentId: string }
  /** The agent was silent for too long. */
  | { readonly kind: 'agentUnreachable'; readonly agentId: string; readonly atMs: number }
  /** An operator declared the agent gone for good. */
  | { readonly kind: 'agentGone'; readonly agentId: string; readonly atMs: number }
  /** Unreachable and gone agents that are too old to be remembered. */
  | { readonly kind: 'agentsForgotten'; readonly unreachable: readonly string[]; readonly gone: readonly string[] }
  /** An operator took the agent out of (or back into) offering; with `drain` its tasks are being killed. Agents not known are passed over. */
  | {
      readonly kind: 'agentActivation'
      readonly agentId: string
      readonly deactivated: boolean
      readonly drain?: AgentDrain | undefined
    }
  | MaintenanceRecord
  /** New weights; roles not named keep theirs. */
  | { readonly kind: 'weightsUpdated'; readonly weights: readonly { readonly role: string; readonly weight: number }[] }
  /** New quotas; roles not named keep theirs. */
  | { readonly kind: 'quotasUpdated'; readonly quotas: readonly QuotaRecord[] }
  /** Quotas removed entirely. */
  | { readonly kind: 'quotasRemoved'; readonly roles: readonly string[] }

/** Every kind of record. A store that meets another one was written by a later version, and must not be shortened by this one. */
export const RECORD_KINDS: Readonly<Record<RegistryRecord['kind'], true>> = {
  agentAdmitted: true,
  agentRemoved: true,
  agentUnreachable: true,
  agentGone: true,
  agentsForgotten: true,
  agentActivation: true,
  maintenanceScheduled: true,
  machinesDown: true,
  machinesUp: true,
  weightsUpdated: true,
  quotasUpdated: true,
  quotasRemoved: true,
}

/** How far the draining of an agent is. */
export interface AgentDrain {
  readonly state: 'DRAINING' | 'DRAINED'
  readonly config: DrainConfig
  readonly sinceMs: number
}

/** A role's quota. */
export interface QuotaRecord {
  readonly role: string
  readonly guarantees: Readonly<Record<string, ValueScalar>>
  readonly limits: Readonly<Record<string, ValueScalar>>
}

/** Whether an agent is offered, as far as operators decide. */
export interface Activation {
  readonly deactivated: boolean
  readonly drain?: AgentDrain | undefined
}

/** An agent the registry lets in. */
export interface AdmittedAgent extends Activation {
  readonly info: AgentInfo
}

/** The sum of all records. */
export interface Registry {
  readonly admitted: Map<string, AdmittedAgent>
  /** Agent id → since when, Unix milliseconds. */
  readonly unreachable: Map<string, number>
  /** Unreachable agents that an operator took out of offering: they are so when they come back. */
  readonly unreachableActivations: Map<string, Activation>
  readonly gone: Map<string, number>
  readonly weights: Map<string, number>
  readonly quotas: Map<string, QuotaRecord>
  readonly maintenance: Maintenance
}

/** Unreachable and gone agents are remembered up to this number whatever --registry_max_agent_count says; the oldest are forgotten first. */
export const REGISTRY_MAX_AGENTS = 1_000_000

/** An empty registry. */
export function createRegistry(): Registry {
  return {
    admitted: new Map(),
    unreachable: new Map(),
    unreachableActivations: new Map(),
    gone: new Map(),
    weights: new Map(),
    quotas: new Map(),
    maintenance: createMaintenance(),
  }
}

/** Rebuilds a registry from stored records. Records that contradict earlier ones win. */
export function replayRegistry(records: readonly RegistryRecord[]): Registry {
  const registry = createRegistry()
  for (const record of records) applyRecord(registry, record)
  return registry
}

/** Applies one stored record. */
export function applyRecord(registry: Registry, record: RegistryRecord): void {
  switch (record.kind) {
    case 'agentAdmitted': {
      const id = record.agentInfo.id?.value ?? ''
      // Gone is for ever, also when the agent asked to come back at the same time.
      if (registry.gone.has(id)) return
      const before = registry.admitted.get(id) ?? registry.unreachableActivations.get(id)
      registry.admitted.set(id, { deactivated: false, ...before, info: record.agentInfo })
      registry.unreachable.delete(id)
      registry.unreachableActivations.delete(id)
      return
    }
    case 'agentRemoved':
      registry.admitted.delete(record.agentId)
      return
    case 'agentUnreachable': {
      if (registry.gone.has(record.agentId)) return
      const before = registry.admitted.get(record.agentId)
      if (before?.deactivated === true) {
        registry.unreachableActivations.set(record.agentId, { deactivated: true, drain: before.drain })
      }
      registry.admitted.delete(record.agentId)
      remember(registry.unreachable, record.agentId, record.atMs)
      for (const id of registry.unreachableActivations.keys()) {
        if (registry.unreachableActivations.size <= REGISTRY_MAX_AGENTS) break
        registry.unreachableActivations.delete(id)
      }
      return
    }
    case 'agentGone':
      registry.admitted.delete(record.agentId)
      registry.unreachable.delete(record.agentId)
      registry.unreachableActivations.delete(record.agentId)
      remember(registry.gone, record.agentId, record.atMs)
      return
    case 'agentsForgotten':
      for (const id of record.unreachable) {
        registry.unreachable.delete(id)
        registry.unreachableActivations.delete(id)
      }
      for (const id of record.gone) registry.gone.delete(id)
      return
    case 'agentActivation':
      applyActivation(registry, record)
      return
    case 'maintenanceScheduled':
    case 'machinesDown':
    case 'machinesUp':
      applyMaintenance(registry.maintenance, record)
      return
    case 'weightsUpdated':
      for (const { role, weight } of record.weights) registry.weights.set(role, weight)
      return
    case 'quotasUpdated':
      for (const quota of record.quotas) registry.quotas.set(quota.role, quota)
      return
    case 'quotasRemoved':
      for (const role of record.roles) registry.quotas.delete(role)
      return
    default:
      record satisfies never
  }
}

/** The shortest list of records that rebuilds this registry; a store writes it when its log has grown long. */
export function registrySnapshot(registry: Registry): RegistryRecord[] {
  const records: RegistryRecord[] = []
  for (const [agentId, agent] of registry.admitted) {
    records.push({ kind: 'agentAdmitted', agentInfo: agent.info })
    if (agent.deactivated) {
      records.push({ kind: 'agentActivation', agentId, deactivated: true, drain: agent.drain })
    }
  }
  for (const [agentId, atMs] of registry.unreachable) records.push({ kind: 'agentUnreachable', agentId, atMs })
  for (const [agentId, { drain }] of registry.unreachableActivations) {
    records.push({ kind: 'agentActivation', agentId, deactivated: true, drain })
  }
  for (const [agentId, atMs] of registry.gone) records.push({ kind: 'agentGone', agentId, atMs })
  const weights = [...registry.weights].map(([role, weight]) => ({ role, weight }))
  if (weights.length > 0) records.push({ kind: 'weightsUpdated', weights })
  if (registry.quotas.size > 0) records.push({ kind: 'quotasUpdated', quotas: [...registry.quotas.values()] })
  records.push(...maintenanceSnapshot(registry.maintenance))
  return records
}

function applyActivation(registry: Registry, record: Extract<RegistryRecord, { kind: 'agentActivation' }>): void {
  const { agentId, deactivated } = record
  const agent = registry.admitted.get(agentId)
  const before = agent ?? registry.unreachableActivations.get(agentId)
  // To deactivate a draining agent changes nothing; to reactivate one ends the drain.
  const drain = deactivated ? (record.drain ?? before?.drain) : undefined
  if (agent !== undefined) registry.admitted.set(agentId, { info: agent.info, deactivated, drain })
  else if (!deactivated) registry.unreachableActivations.delete(agentId)
  else if (registry.unreachable.has(agentId)) registry.unreachableActivations.set(agentId, { deactivated, drain })
}

/** Whether an agent is let in, or was and is unreachable. Gone and removed ones are not known any more. */
export function isKnownAgent(registry: Registry, agentId: string): boolean {
  return registry.admitted.has(agentId) || registry.unreachable.has(agentId)
}

/** What operators decided of an agent; undefined when it is not known. */
export function activationOf(registry: Registry, agentId: string): Activation | undefined {
  const known = registry.admitted.get(agentId) ?? registry.unreachableActivations.get(agentId)
  if (known !== undefined) return { deactivated: known.deactivated, drain: known.drain }
  return registry.unreachable.has(agentId) ? { deactivated: false } : undefined
}

function remember(map: Map<string, number>, id: string, atMs: number): void {
  map.delete(id)
  map.set(id, atMs)
  if (map.size <= REGISTRY_MAX_AGENTS) return
  const oldest = map.keys().next().value
  if (oldest !== undefined) map.delete(oldest)
}
