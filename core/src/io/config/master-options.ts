import { randomUUID } from 'node:crypto'
import { MASTER_FLAG_DEFAULTS, type MasterFlags, type MasterOptions } from '../../master/options.ts'
import { ANY_ROLE, validateRole } from '../../resources/roles.ts'
import { MESOS_VERSION } from '../cli/version.ts'
import { clock } from '../runtime/clock.ts'
import { freshSeed } from '../runtime/seed.ts'
import type { RegistryLimits } from '../runtime/timed-registry.ts'
import type { Address } from './addresses.ts'
import { agentLossOptions, agentLossProblem } from './agent-loss-flags.ts'
import { BUILD } from './build.ts'
import { readDomain } from './domain-flag.ts'
import type { FlagValues } from './flags.ts'
import { readZooKeeperFlag } from './zookeeper-flag.ts'

/** Builds what a master machine is told from its flags; `port` is the one it listens on. */
export function masterOptionsFrom(flags: FlagValues, address: Address, port: number): MasterOptions {
  const atMs = clock.now()
  const told = flags.number('advertise_port') ?? port
  return {
    ...masterFlags(flags),
    masterId: randomUUID(),
    hostname: address.hostname,
    ip: address.ip,
    port: told,
    version: MESOS_VERSION,
    seed: freshSeed(),
    startAtMs: atMs,
    electedAtMs: atMs,
  }
}

function masterFlags(flags: FlagValues): MasterFlags {
  const roles = flags.text('roles')
  return {
    allocationIntervalMs: flags.durationMs('allocation_interval') ?? MASTER_FLAG_DEFAULTS.allocationIntervalMs,
    ...agentLossOptions(flags),
    offerTimeoutMs: flags.durationMs('offer_timeout') ?? 0,
    maxCompletedFrameworks: flags.number('max_completed_frameworks') ?? MASTER_FLAG_DEFAULTS.maxCompletedFrameworks,
    maxCompletedTasksPerFramework:
      flags.number('max_completed_tasks_per_framework') ?? MASTER_FLAG_DEFAULTS.maxCompletedTasksPerFramework,
    maxUnreachableTasksPerFramework:
      flags.number('max_unreachable_tasks_per_framework') ?? MASTER_FLAG_DEFAULTS.maxUnreachableTasksPerFramework,
    maxOperatorEventStreamSubscribers:
      flags.number('max_operator_event_stream_subscribers') ?? MASTER_FLAG_DEFAULTS.maxOperatorEventStreamSubscribers,
    roles: roles === undefined ? undefined : list(roles),
    weights: numbersOf(flags.text('weights') ?? ''),
    rootSubmissions: flags.boolean('root_submissions'),
    filterGpuResources: flags.boolean('filter_gpu_resources'),
    minAllocatableResources: flags.text('min_allocatable_resources') ?? MASTER_FLAG_DEFAULTS.minAllocatableResources,
    patternLimits: {
      programSize:
        flags.number('offer_constraints_re2_max_program_size') ?? MASTER_FLAG_DEFAULTS.patternLimits.programSize,
      bytes: flags.sizeBytes('offer_constraints_re2_max_mem') ?? MASTER_FLAG_DEFAULTS.patternLimits.bytes,
    },
    frameworkSorter: flags.text('framework_sorter') ?? MASTER_FLAG_DEFAULTS.frameworkSorter,
    roleSorter: flags.text('role_sorter') ?? MASTER_FLAG_DEFAULTS.roleSorter,
    frameworkPriorities: numbersOf(flags.text('framework_priorities') ?? ''),
    rolePriorities: numbersOf(flags.text('role_priorities') ?? ''),
    fairSharingExcluded: list(flags.text('fair_sharing_excluded_resource_names') ?? ''),
    allocatorRecoveryFactor:
      flags.number('allocator_agent_recovery_factor') ?? MASTER_FLAG_DEFAULTS.allocatorRecoveryFactor,
    allocatorRecoveryTimeoutMs:
      flags.durationMs('allocator_recovery_timeout') ?? MASTER_FLAG_DEFAULTS.allocatorRecoveryTimeoutMs,
    allocatorPassOn: flags.boolean('allocator_pass_on'),
    reclaim: reclaimOf(flags),
    policies: {},
    publishPerFrameworkMetrics: flags.boolean('publish_per_framework_metrics'),
    cluster: flags.text('cluster'),
    domain: domainOf(flags),
    requireAgentDomain: flags.boolean('require_agent_domain'),
    shown: flags.entries(),
    build: BUILD,
  }
}

/** How long the registry may take. */
export function registryLimits(flags: FlagValues): RegistryLimits {
  return {
    fetchMs: flags.durationMs('registry_fetch_timeout')!,
    storeMs: flags.durationMs('registry_store_timeout')!,
  }
}

/** What is wrong with flags whose values are texts of their own, or undefined. */
export function checkMasterFlags(flags: FlagValues): string | undefined {
  const policies = policiesProblem(flags)
  if (policies !== undefined) return policies
  const roles = rolesProblem(flags)
  if (roles !== undefined) return roles
  const domain = readDomain(flags.text('domain'))
  if (!domain.ok) return domain.rejection.message
  const zk = flags.text('zk')
  const url = zk === undefined ? undefined : readZooKeeperFlag('zk', zk)
  if (url?.ok === false) return url.rejection.message
  const agentLoss = agentLossProblem(flags)
  if (agentLoss !== undefined) return agentLoss
  const reclaim = reclaimProblem(flags)
  if (reclaim !== undefined) return reclaim
  const registry = flags.text('registry')
  if (registry !== 'in_memory' && registry !== 'replicated_log') {
    return `flag --registry: '${registry}' is not in_memory or replicated_log`
  }
  return undefined
}

function policiesProblem(flags: FlagValues): string | undefined {
  for (const name of ['framework', 'role']) {
    for (const pair of list(flags.text(`${name}_priorities`) ?? '')) {
      if (/^.+=-?\d{1,9}$/.test(pair)) continue
      return `flag --${name}_priorities: '${pair}' is not ${name}=number with a whole number of at most nine digits`
    }
  }
  const least = flags.text('min_allocatable_resources') ?? ''
  for (const part of least.split(/[|;]/).filter((one) => one.trim() !== '')) {
    if (/^\s*[^:;|]+:\s*\d+(\.\d+)?\s*$/.test(part)) continue
    return `flag --min_allocatable_resources: '${part}' is not name:amount`
  }
  const size = flags.number('offer_constraints_re2_max_program_size') ?? 0
  if (size < 0) return `flag --offer_constraints_re2_max_program_size: ${size} is below 0`
  const factor = flags.number('allocator_agent_recovery_factor') ?? 0
  if (factor < 0 || factor > 1) return `flag --allocator_agent_recovery_factor: ${factor} is not between 0 and 1`
  return undefined
}

function reclaimOf(flags: FlagValues): MasterFlags['reclaim'] {
  const afterMs = flags.durationMs('reclaim_after')
  if (afterMs === undefined) return undefined
  return {
    afterMs,
    noticeMs: flags.durationMs('reclaim_notice')!,
    maxGraceMs: flags.durationMs('reclaim_max_grace')!,
    policy: flags.text('reclaim_policy') === 'fewest' ? 'fewest' : 'newest',
  }
}

function reclaimProblem(flags: FlagValues): string | undefined {
  const policy = flags.text('reclaim_policy')
  if (policy !== 'newest' && policy !== 'fewest') return `flag --reclaim_policy: '${policy}' is not newest or fewest`
  const negative = ['reclaim_after', 'reclaim_notice', 'reclaim_max_grace'].find((name) => flags.durationMs(name)! < 0)
  return negative === undefined ? undefined : `flag --${negative}: a time of 0 or more is needed`
}

function rolesProblem(flags: FlagValues): string | undefined {
  const listed = flags.text('roles') === undefined ? undefined : list(flags.text('roles')!)
  for (const role of listed ?? []) {
    const valid = validateRole(role)
    if (!valid.ok) return `flag --roles: ${valid.rejection.message}`
  }
  for (const pair of list(flags.text('weights') ?? '')) {
    const [role = '', weight] = pair.split('=')
    if (role === '' || !(Number(weight) > 0 && Number.isFinite(Number(weight)))) {
      return `flag --weights: '${pair}' is not role=weight with a positive weight`
    }
    const valid = validateRole(role)
    if (!valid.ok) return `flag --weights: ${valid.rejection.message}`
    if (role !== ANY_ROLE && listed?.includes(role) === false) return `flag --weights: role '${role}' is not in --roles`
  }
  return undefined
}

/** The domain; {@link checkMasterFlags} has read it once already. */
function domainOf(flags: FlagValues): MasterFlags['domain'] {
  const domain = readDomain(flags.text('domain'))
  return domain.ok ? domain.value : undefined
}

function numbersOf(text: string): Record<string, number> {
  return Object.fromEntries(
    list(text).map((pair) => {
      const at = pair.lastIndexOf('=')
      return [pair.slice(0, at), Number(pair.slice(at + 1))]
    }),
  )
}

function list(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}
