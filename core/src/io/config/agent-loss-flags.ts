// The flags of a master that say when agents are given up, how fast, and when the registry forgets them.

import type { MasterFlags } from '../../master/options.ts'
import { REGISTRY_MAX_AGENTS } from '../../master/registry.ts'
import type { RemovalRate } from '../../master/removals.ts'
import type { FlagValues } from './flags.ts'
import { parseDuration } from './quantities.ts'

/** Least --agent_reregister_timeout. Mesos asks for 10 minutes, since its agents may pause for one between two attempts; here they need seconds. */
const REREGISTER_MIN_MS = 1_000

/** The part of a master's options that these flags make; {@link agentLossProblem} has looked at them before. */
export function agentLossOptions(flags: FlagValues) {
  return {
    agentPingTimeoutMs: flags.durationMs('agent_ping_timeout')!,
    maxAgentPingTimeouts: flags.number('max_agent_ping_timeouts')!,
    agentReregisterTimeoutMs: flags.durationMs('agent_reregister_timeout')!,
    agentRemovalRate: readRate(flags.text('agent_removal_rate_limit') ?? ''),
    recoveryRemovalLimit: readPercentage(flags.required('recovery_agent_removal_limit'))!,
    registryGcIntervalMs: flags.durationMs('registry_gc_interval')!,
    registryMaxAgentAgeMs: flags.durationMs('registry_max_agent_age')!,
    registryMaxAgentCount: flags.number('registry_max_agent_count')!,
  } satisfies Partial<MasterFlags>
}

/** What is wrong with them, or undefined. */
export function agentLossProblem(flags: FlagValues): string | undefined {
  const rate = flags.text('agent_removal_rate_limit')
  if (rate !== undefined && readRate(rate) === undefined) {
    return `flag --agent_removal_rate_limit: '${rate}' is not NUMBER/DURATION, such as 1/10mins`
  }
  const limit = flags.required('recovery_agent_removal_limit')
  if (readPercentage(limit) === undefined) {
    return `flag --recovery_agent_removal_limit: '${limit}' is not a percentage between 0% and 100%`
  }
  for (const name of [
    'agent_ping_timeout',
    'registry_gc_interval',
    'registry_fetch_timeout',
    'registry_store_timeout',
  ]) {
    if (flags.durationMs(name)! <= 0) return `flag --${name}: a time above 0 is needed`
  }
  if (flags.durationMs('registry_max_agent_age')! < 0)
    return 'flag --registry_max_agent_age: a time of 0 or more is needed'
  if (flags.durationMs('agent_reregister_timeout')! < REREGISTER_MIN_MS) {
    return `flag --agent_reregister_timeout: ${flags.text('agent_reregister_timeout')} is less than 1secs`
  }
  return countProblem('max_agent_ping_timeouts', flags, 1) ?? countProblem('registry_max_agent_count', flags, 0)
}

function countProblem(name: string, flags: FlagValues, least: number): string | undefined {
  const value = flags.number(name)!
  if (Number.isInteger(value) && value >= least && value <= REGISTRY_MAX_AGENTS) return undefined
  return `flag --${name}: ${value} is not a whole number from ${least} to ${REGISTRY_MAX_AGENTS}`
}

function readRate(text: string): RemovalRate | undefined {
  const [agents = '', duration = '', more] = text.split('/')
  const perMs = parseDuration(duration)
  if (more !== undefined || perMs === undefined || perMs <= 0) return undefined
  return /^[1-9]\d{0,8}$/.test(agents) ? { agents: Number(agents), perMs } : undefined
}

/** `50%` is 0.5. */
function readPercentage(text: string): number | undefined {
  const digits = /^(\d{1,3}(?:\.\d+)?)%$/.exec(text)?.[1]
  return digits === undefined || Number(digits) > 100 ? undefined : Number(digits) / 100
}
