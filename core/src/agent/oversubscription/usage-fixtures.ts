// Usages of an agent for tests: containers that use so much, look by look.

import type { Resource } from '@isthmus/proto/gen/mesos'
import type { AgentUsage, ExecutorUsage } from './contract.ts'

/** A container and how it fares. */
export interface Tenant {
  readonly id: string
  readonly cpus?: number
  readonly mem?: number
  readonly isRevocable?: boolean
  /** What it uses at each look. */
  readonly usesCpus?: readonly number[]
  readonly usesMemMb?: readonly number[]
  readonly startedAtMs?: number
}

const LOOK_MS = 15_000

/** A scalar, revocable or not. */
export function scalar(name: string, value: number, isRevocable = false): Resource {
  return { name, type: 'SCALAR', scalar: { value }, ...(isRevocable && { revocable: {} }) }
}

/** What looks at an agent of 4 cpus and 4096 MB see; `looks` + 1 of them, since the first only starts the clocks. */
export function usages(tenants: readonly Tenant[], looks: number): AgentUsage[] {
  const seconds = new Map<string, number>()
  return Array.from({ length: looks + 1 }, (_, look) => {
    return {
      atMs: look * LOOK_MS,
      load: [0, 0, 0],
      total: [scalar('cpus', 4), scalar('mem', 4096)],
      executors: tenants.map((tenant) => executorOf(tenant, look, seconds)),
    }
  })
}

function executorOf(tenant: Tenant, look: number, seconds: Map<string, number>): ExecutorUsage {
  const { id, cpus = 0, mem = 0, isRevocable = false, usesCpus = [], usesMemMb = [] } = tenant
  const at = (values: readonly number[]): number => values[Math.min(look - 1, values.length - 1)] ?? 0
  const used = look === 0 ? 0 : (seconds.get(id) ?? 0) + at(usesCpus) * (LOOK_MS / 1000)
  seconds.set(id, used)
  return {
    executor_info: { executor_id: { value: id }, framework_id: { value: 'F' } },
    container_id: { value: `container-${id}` },
    allocated: [scalar('cpus', cpus, isRevocable), scalar('mem', mem, isRevocable)].filter(
      ({ scalar: amount }) => amount!.value > 0,
    ),
    startedAtMs: tenant.startedAtMs ?? 0,
    statistics: {
      timestamp: 0,
      cpus_user_time_secs: used * 0.75,
      cpus_system_time_secs: used * 0.25,
      mem_rss_bytes: at(usesMemMb) * 1_048_576,
    },
  }
}
