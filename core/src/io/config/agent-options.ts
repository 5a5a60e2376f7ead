import { join } from 'node:path'
import type { AgentInfo } from '@isthmus/proto/gen/mesos'
import { incompatibilities } from '../../agent/compatibility.ts'
import { AGENT_CAPABILITIES, AGENT_DEFAULTS, type AgentOptions } from '../../agent/options.ts'
import { recover } from '../../agent/recovery.ts'
import { ok, type Result, reject } from '../../base/result.ts'
import { withKept } from '../../resources/checkpointed.ts'
import { Resources } from '../../resources/resources.ts'
import { MESOS_VERSION } from '../cli/version.ts'
import type { KeptResources } from '../disk/resource-state.ts'
import { parseEndpoint } from '../http/client.ts'
import type { LastLife } from '../runtime/agent-disk.ts'
import { clock } from '../runtime/clock.ts'
import { type MasterAddress, parseMasterAddress } from '../runtime/master-finder.ts'
import { freshSeed } from '../runtime/seed.ts'
import type { Address } from './addresses.ts'
import { agentInfoFrom } from './agent-info.ts'
import type { FlagValues } from './flags.ts'

/** PATH of executors unless --executor_environment_variables sets another: the agent's own does not reach them. */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Mesos's bound of --executor_reregistration_timeout. */
const REREGISTRATION_TIMEOUT_MAX_MS = 15_000

/** Port of a NameNode's web address. */
const WEBHDFS_PORT_DEFAULT = 9870

/** How hdfs:// URIs are read. */
export interface HdfsSettings {
  /** `host:port` of the web addresses of the NameNodes; empty = as each URI says. */
  readonly nameNodes: readonly string[]
  /** Absent = the user of the task. */
  readonly user: string | undefined
}

/** How an agent goes on after a restart. */
export interface RecoverySettings {
  /** cleanup: executors of the last life are ended, then the agent ends. */
  readonly mode: 'reconnect' | 'cleanup'
  /** Anything that cannot be read refuses the start. */
  readonly isStrict: boolean
  /** Executors live so long without their agent. */
  readonly timeoutMs: number
  readonly reregistrationTimeoutMs: number
  readonly policy: 'equal' | 'additive'
  /** Absolute. */
  readonly runtimeDir: string
}

/** Flags of an agent that hold more than one plain value, read. */
export interface AgentSettings {
  readonly master: MasterAddress
  /** Absolute. */
  readonly workDir: string
  /** Variables of every executor, below those the machine sets. */
  readonly environment: Readonly<Record<string, string>>
  readonly hdfs: HdfsSettings
  readonly recovery: RecoverySettings
}

/** Reads the flags that must be there or have a form of their own; rejects with a line for the terminal. */
export function readAgentSettings(flags: FlagValues, absolute: (path: string) => string): Result<AgentSettings> {
  const bad = (message: string) => reject({ code: 'BAD_FLAG', message })
  const address = flags.text('master')
  if (address === undefined) return bad('flag --master=HOST:PORT is needed')
  const master = parseMasterAddress(address)
  if (!master.ok) return bad(`flag --master: ${master.rejection.message}`)
  const workDir = flags.text('work_dir')
  if (workDir === undefined || workDir === '') return bad('flag --work_dir=FOLDER is needed')
  const environment = executorEnvironment(flags.text('executor_environment_variables'))
  if (typeof environment === 'string') return bad(environment)
  const nameNodes = webHdfsAddresses(flags.text('webhdfs') ?? '')
  if (typeof nameNodes === 'string') return bad(nameNodes)
  const hdfs = { nameNodes, user: flags.text('webhdfs_user') || undefined }
  const recovery = recoverySettings(flags, absolute)
  if (typeof recovery === 'string') return bad(recovery)
  return ok({ master: master.value, workDir: absolute(workDir), environment, hdfs, recovery })
}

/** The settings, or what is wrong with a flag. */
function recoverySettings(flags: FlagValues, absolute: (path: string) => string): RecoverySettings | string {
  const mode = flags.required('recover')
  if (mode !== 'reconnect' && mode !== 'cleanup') return `flag --recover: '${mode}' is neither reconnect nor cleanup`
  const policy = flags.required('reconfiguration_policy')
  if (policy !== 'equal' && policy !== 'additive')
    return `flag --reconfiguration_policy: '${policy}' is neither equal nor additive`
  const reregistrationTimeoutMs = flags.durationMs('executor_reregistration_timeout') ?? 0
  if (reregistrationTimeoutMs > REREGISTRATION_TIMEOUT_MAX_MS)
    return `flag --executor_reregistration_timeout: '${flags.text('executor_reregistration_timeout')}' is more than 15secs`
  // Only root may write where Mesos has it.
  const isOwn = !flags.isGiven('runtime_dir') && process.getuid?.() !== 0
  return {
    mode,
    policy,
    isStrict: flags.boolean('strict'),
    timeoutMs: flags.durationMs('recovery_timeout') ?? 0,
    reregistrationTimeoutMs,
    runtimeDir: absolute(isOwn ? join(flags.required('work_dir'), 'run') : flags.required('runtime_dir')),
  }
}

/**
 * Builds what an agent machine is told. Rejects when --resources or --attributes cannot be read, do not fit what operations made of
 * the resources, or are others than those of the last life.
 */
export function agentOptionsFrom(
  flags: FlagValues,
  where: {
    readonly address: Address
    readonly port: number
    readonly settings: Pick<AgentSettings, 'workDir' | 'recovery'>
    readonly kept: KeptResources
    readonly lastLife: LastLife
  },
): Result<AgentOptions> {
  const info = agentInfoFrom(flags, where.address, where.port)
  if (!info.ok) return info
  const kept = keptResources(info.value, where.kept)
  if (!kept.ok) return kept
  const { ip, hostname } = where.address
  const { workDir, recovery } = where.settings
  const life = goOn(where.lastLife, info.value, recovery.policy)
  if (!life.ok) return life
  return ok({
    ...life.value,
    version: MESOS_VERSION,
    address: { ip, hostname, port: info.value.port ?? where.port },
    capabilities: AGENT_CAPABILITIES,
    kept: kept.value,
    workDir,
    seed: freshSeed(),
    startedAtMs: clock.now(),
    registrationBackoffMs: flags.durationMs('registration_backoff_factor') ?? AGENT_DEFAULTS.registrationBackoffMs,
    executorRegistrationTimeoutMs:
      flags.durationMs('executor_registration_timeout') ?? AGENT_DEFAULTS.executorRegistrationTimeoutMs,
    executorShutdownGraceMs:
      flags.durationMs('executor_shutdown_grace_period') ?? AGENT_DEFAULTS.executorShutdownGraceMs,
    gcDelayMs: flags.durationMs('gc_delay') ?? AGENT_DEFAULTS.gcDelayMs,
    maxCompletedExecutors:
      flags.number('max_completed_executors_per_framework') ?? AGENT_DEFAULTS.maxCompletedExecutors,
    recoverMode: recovery.mode,
    executorReregistrationTimeoutMs: recovery.reregistrationTimeoutMs,
    recoveryTimeoutMs: recovery.timeoutMs,
  })
}

/** Who the agent is now. After a reboot nothing runs that needs the old one, so that it may be a new one if it is described otherwise. */
function goOn(
  { info: before, recovered, isRebooted }: LastLife,
  info: AgentInfo,
  policy: RecoverySettings['policy'],
): Result<Pick<AgentOptions, 'info' | 'recovered' | 'isRebooted'>> {
  if (before?.id === undefined) return ok({ info, recovered, isRebooted })
  const problems = incompatibilities(before, info, policy)
  if (problems.length === 0) return ok({ info: { ...info, id: before.id }, recovered, isRebooted })
  if (isRebooted) return ok({ info, recovered: recover([]), isRebooted })
  const how =
    policy === 'equal'
      ? 'give it what it had, allow more than it had with --reconfiguration_policy=additive'
      : 'give it at least what it had'
  const message = `this agent is not as it was when it ran last, as ${before.id.value}: ${problems.join('; ')}. Either ${how}, or remove the link meta/agents/latest in its work_dir to start as a new agent, whose tasks of before are then lost`
  return reject({ code: 'INCOMPATIBLE_AGENT', message, problems })
}

/** The total with what an earlier life of the agent left; rejects when the flags do not have what that was made of. */
function keptResources(
  { resources }: AgentInfo,
  { resources: made, operations }: KeptResources,
): Result<KeptResources> {
  const total = withKept(Resources.fromProto(resources), Resources.fromProto(made))
  if (total.ok) return ok({ resources: total.value.toProto(), operations })
  const message = `flag --resources does not fit the reservations and volumes that this agent made before: ${total.rejection.message}`
  return reject({ ...total.rejection, message })
}

function executorEnvironment(text: string | undefined): Record<string, string> | string {
  const environment: Record<string, string> = { PATH: DEFAULT_PATH }
  if (text === undefined) return environment
  const problem = `flag --executor_environment_variables: '${text}' is not a JSON object of texts`
  try {
    const given: unknown = JSON.parse(text)
    if (typeof given !== 'object' || given === null || Array.isArray(given)) return problem
    for (const [name, value] of Object.entries(given)) {
      if (typeof value !== 'string') return problem
      environment[name] = value
    }
    return environment
  } catch {
    return problem
  }
}

/** The list as host:port each, or what is wrong with it. */
function webHdfsAddresses(text: string): readonly string[] | string {
  const addresses: string[] = []
  for (const part of text === '' ? [] : text.split(',')) {
    const endpoint = part.trim().startsWith('https:') ? undefined : parseEndpoint(part, WEBHDFS_PORT_DEFAULT)
    if (endpoint === undefined) return `flag --webhdfs: '${part}' is not HOST:PORT of a web address without TLS`
    const { host, port } = endpoint
    addresses.push(`${host.includes(':') ? `[${host}]` : host}:${port}`)
  }
  return addresses
}
