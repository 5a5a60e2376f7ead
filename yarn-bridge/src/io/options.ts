// The bridge's flags: one table for reading them, for --help and for the docs. Each may also come from a JSON file (--config)
// under the same name and from the environment as ISTHMUS_BRIDGE_<NAME>; the command line wins over the environment, that
// over the file.

import { readFileSync } from 'node:fs'
import { ok, type Result, reject } from '@isthmus/core/base/result'
import { DEFAULT_POLICY, type Policy, type Profile, validatePolicy } from '../policy.ts'
import type { Pool } from '../pools.ts'
import { DEFAULT_JVM_FLAGS, type LaunchTemplate } from '../task.ts'

interface FlagRow {
  readonly name: string
  readonly value: string
  readonly fallback: string
  readonly meaning: string
}

/** Every flag; the fallback is shown as text, empty for none. */
export const FLAGS: readonly FlagRow[] = [
  row(
    'master',
    'address',
    '127.0.0.1:5050',
    'the Isthmus (or Mesos v1) master: host:port, a list of them, or zk://host:port,…/path',
  ),
  row('zk_session_timeout', 'seconds', '10', 'with zk://: a session without a sign of life for so long is given up'),
  row('rm', 'http://host:port[,…]', '', 'web address of the ResourceManager, or of each of a pair (required)'),
  row('ip', 'address', '127.0.0.1', 'where the REST API listens'),
  row('port', 'number', '8192', 'port of the REST API; 0 picks one'),
  row('framework_name', 'text', 'yarn-bridge', 'name shown by the master'),
  row('role', 'name', '*', 'role whose offers are used'),
  row('user', 'name', 'the user running the bridge', 'user the NodeManagers run as'),
  row('principal', 'name', '', 'principal told to the master'),
  row('failover_timeout', 'seconds', '3600', 'how long the master keeps the NodeManagers while the bridge is away'),
  row(
    'state_dir',
    'folder',
    './isthmus-yarn-bridge',
    'where the framework id, and what operators asked for, are kept over restarts',
  ),
  row('hadoop_home', 'folder', '', 'Hadoop distribution on the agents; or give --hadoop_classpath'),
  row('hadoop_classpath', 'class path', '', "the NodeManager's jars on the agents, for example /opt/hadoop/lib/*"),
  row('java_home', 'folder', '$JAVA_HOME', 'Java on the agents'),
  row('jvm_flags', 'text', DEFAULT_JVM_FLAGS.join(' '), "flags of the NodeManager's JVM"),
  row(
    'yarn_properties',
    'JSON',
    '{}',
    "properties for every NodeManager's yarn-site.xml, the ResourceManager's addresses above all",
  ),
  row('core_properties', 'JSON', '{}', 'properties for core-site.xml'),
  row(
    'local_dirs',
    'folder[,…]',
    'in the sandbox',
    "absolute folders on the agents for containers; {id} becomes the NodeManager's id",
  ),
  row('mode', 'auto|manual', 'auto', 'auto follows demand; manual does what flexup and flexdown say'),
  row('min_nodes', 'number', String(DEFAULT_POLICY.minNodes), 'NodeManagers kept when nothing is asked for'),
  row('max_nodes', 'number', String(DEFAULT_POLICY.maxNodes), 'NodeManagers at most'),
  row('max_memory_mb', 'MB', 'unlimited', 'memory advertised to YARN at most'),
  row('max_vcores', 'number', 'unlimited', 'vcores advertised to YARN at most'),
  row('max_node_memory_mb', 'MB', String(DEFAULT_POLICY.maxNodeCapacity.memoryMb), 'largest NodeManager'),
  row('max_node_vcores', 'number', String(DEFAULT_POLICY.maxNodeCapacity.vcores), 'largest NodeManager'),
  row(
    'node_memory_mb',
    'MB',
    "the scheduler's maximum, as far as an offer has it",
    'size of the largest NodeManager while applications run: YARN refuses containers above it',
  ),
  row('node_vcores', 'number', 'the same', 'the same'),
  row('memory_step_mb', 'MB', String(DEFAULT_POLICY.memoryStepMb), 'memory is held in steps of this size'),
  row(
    'overhead_memory_mb',
    'MB',
    String(DEFAULT_POLICY.overhead.memoryMb),
    "the NodeManager daemon's own memory, never advertised",
  ),
  row('overhead_cpus', 'number', String(DEFAULT_POLICY.overhead.cpus), 'its cpus'),
  row(
    'quiet_seconds',
    'seconds',
    String(DEFAULT_POLICY.quietMs / 1000),
    'capacity is given back after nothing has waited for so long',
  ),
  row(
    'sample_interval_ms',
    'ms',
    String(DEFAULT_POLICY.sampleIntervalMs),
    'pause between looks at the ResourceManager',
  ),
  row(
    'registration_timeout_seconds',
    'seconds',
    String(DEFAULT_POLICY.registrationTimeoutMs / 1000),
    'a NodeManager that has not registered by then is stopped',
  ),
  row(
    'drain_timeout_seconds',
    'seconds',
    String(DEFAULT_POLICY.drainTimeoutMs / 1000),
    'a drain that lasts longer is given up',
  ),
  row(
    'maintenance_lead_seconds',
    'seconds',
    String(DEFAULT_POLICY.maintenanceLeadMs / 1000),
    'a NodeManager on a machine that goes down for maintenance is drained from so long before on',
  ),
  row(
    'profiles',
    'JSON',
    'zero, small, medium, large',
    'own profiles, {"name": {"memoryMb": 2048, "vcores": 2}}; they replace those of the same name',
  ),
  row(
    'pools',
    'JSON',
    'one of all agents',
    'parts of the partition, {"name": {"constraints": ["rack LIKE r1"], "minNodes": 0, "maxNodes": 4, "maxMemoryMb": 65536, "maxVcores": 16}}; an agent is in the first that fits',
  ),
  row('config', 'file', '', 'JSON file with any of these flags'),
  row('log_file', 'file', '', 'log lines also go there'),
]

/** What a bridge is started with. */
export interface BridgeConfiguration {
  readonly master: string
  readonly zkSessionTimeoutMs: number
  readonly rmUrls: readonly string[]
  readonly ip: string
  readonly port: number
  readonly frameworkName: string
  readonly role: string
  readonly user: string
  readonly principal: string | undefined
  readonly failoverTimeoutSeconds: number
  readonly stateDir: string
  readonly logFile: string | undefined
  readonly policy: Policy
  readonly template: LaunchTemplate
}

/**
 * Reads the command line, the environment and the file into one configuration.
 * Rejects with FLAG_UNKNOWN, FLAG_INVALID, FLAG_MISSING or POLICY_INVALID; the message names flag and value.
 */
export function readConfiguration(
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  defaultUser: string,
): Result<BridgeConfiguration> {
  try {
    const flags = new FlagValues(argv, environment)
    return toConfiguration(flags, environment, defaultUser)
  } catch (reason) {
    if (reason instanceof FlagProblem) return reject({ code: reason.code, message: reason.message })
    throw reason
  }
}

/** The table as --help prints it. */
export function helpText(): string {
  const width = Math.max(...FLAGS.map(({ name, value }) => name.length + value.length)) + 4
  const lines = FLAGS.map(({ name, value, fallback, meaning }) => {
    const left = `--${name}=${value}`.padEnd(width)
    return `  ${left} ${meaning}${fallback === '' ? '' : ` (default: ${fallback})`}`
  })
  return `Usage: isthmus yarn-bridge --rm=http://host:8088 --hadoop_home=DIR | --hadoop_classpath=CP [flags]\n\n${lines.join('\n')}\n`
}

function row(name: string, value: string, fallback: string, meaning: string): FlagRow {
  return { name, value, fallback, meaning }
}

class FlagProblem extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

class FlagValues {
  readonly #values = new Map<string, string>()

  constructor(argv: readonly string[], environment: Readonly<Record<string, string | undefined>>) {
    const given = parseArguments(argv)
    const file = given.get('config') ?? environment.ISTHMUS_BRIDGE_CONFIG
    if (file !== undefined) this.#readFile(file)
    for (const { name } of FLAGS) {
      const value = environment[`ISTHMUS_BRIDGE_${name.toUpperCase()}`]
      if (value !== undefined) this.#values.set(name, value)
    }
    for (const [name, value] of given) this.#values.set(name, value)
  }

  text(name: string): string | undefined {
    return this.#values.get(name)
  }

  number(name: string, fallback: number): number {
    const text = this.#values.get(name)
    if (text === undefined) return fallback
    const value = Number(text)
    if (text.trim() === '' || !Number.isFinite(value) || value < 0) {
      throw new FlagProblem('FLAG_INVALID', `--${name} wants a number from 0, not '${text}'`)
    }
    return value
  }

  json(name: string): Readonly<Record<string, unknown>> {
    const text = this.#values.get(name)
    if (text === undefined) return {}
    try {
      const value: unknown = JSON.parse(text)
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
    } catch {
      // Told below, like every other thing that is no object.
    }
    throw new FlagProblem('FLAG_INVALID', `--${name} wants a JSON object, not '${text.slice(0, 60)}'`)
  }

  #readFile(file: string): void {
    let value: unknown
    try {
      value = JSON.parse(readFileSync(file, 'utf8'))
    } catch (reason) {
      throw new FlagProblem(
        'FLAG_INVALID',
        `--config ${file} cannot be read: ${reason instanceof Error ? reason.message : String(reason)}`,
      )
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new FlagProblem('FLAG_INVALID', `--config ${file} has to hold a JSON object`)
    }
    for (const [name, entry] of Object.entries(value)) {
      if (!FLAGS.some((flag) => flag.name === name))
        throw new FlagProblem('FLAG_UNKNOWN', `${file} names an unknown flag '${name}'`)
      this.#values.set(name, typeof entry === 'object' ? JSON.stringify(entry) : String(entry))
    }
  }
}

function parseArguments(argv: readonly string[]): Map<string, string> {
  const given = new Map<string, string>()
  for (let at = 0; at < argv.length; at++) {
    const argument = argv[at] ?? ''
    const match = /^--([a-z_]+)(?:=(.*))?$/s.exec(argument)
    const name = match?.[1]
    if (name === undefined || !FLAGS.some((flag) => flag.name === name)) {
      throw new FlagProblem('FLAG_UNKNOWN', `unknown flag '${argument}'; --help lists the flags`)
    }
    const value = match?.[2] ?? argv[++at]
    if (value === undefined) throw new FlagProblem('FLAG_INVALID', `--${name} wants a value`)
    given.set(name, value)
  }
  return given
}

function toConfiguration(
  flags: FlagValues,
  environment: Readonly<Record<string, string | undefined>>,
  defaultUser: string,
): Result<BridgeConfiguration> {
  const policy = validatePolicy(toPolicy(flags))
  if (!policy.ok) return policy
  const rm = flags.text('rm')
  if (rm === undefined) throw new FlagProblem('FLAG_MISSING', '--rm is missing: the web address of the ResourceManager')
  const rmUrls = rm.split(',').map(toUrl)
  const user = flags.text('user') ?? defaultUser
  const template = toTemplate(flags, environment, user)
  checkPair(rmUrls, template.yarnProperties)
  return ok({
    master: flags.text('master') ?? '127.0.0.1:5050',
    zkSessionTimeoutMs: flags.number('zk_session_timeout', 10) * 1000,
    rmUrls,
    ip: flags.text('ip') ?? '127.0.0.1',
    port: toPort(flags),
    frameworkName: flags.text('framework_name') ?? 'yarn-bridge',
    role: flags.text('role') ?? '*',
    user,
    principal: flags.text('principal'),
    failoverTimeoutSeconds: flags.number('failover_timeout', 3600),
    stateDir: flags.text('state_dir') ?? './isthmus-yarn-bridge',
    logFile: flags.text('log_file'),
    policy: policy.value,
    template,
  })
}

function toPort(flags: FlagValues): number {
  const port = flags.number('port', 8192)
  if (Number.isInteger(port) && port <= 65_535) return port
  throw new FlagProblem('FLAG_INVALID', `--port wants a port from 0 to 65535, not '${port}'`)
}

function toUrl(text: string): string {
  const url = text.includes('://') ? text : `http://${text}`
  if (!URL.canParse(url) || new URL(url).protocol !== 'http:')
    throw new FlagProblem('FLAG_INVALID', `--rm: '${text}' is no http address`)
  return url.replace(/\/$/, '')
}

function toPolicy(flags: FlagValues): Policy {
  const mode = flags.text('mode') ?? 'auto'
  if (mode !== 'auto' && mode !== 'manual')
    throw new FlagProblem('FLAG_INVALID', `--mode is auto or manual, not '${mode}'`)
  const base = DEFAULT_POLICY
  return {
    ...base,
    mode,
    minNodes: flags.number('min_nodes', base.minNodes),
    maxNodes: flags.number('max_nodes', base.maxNodes),
    maxCapacity: {
      memoryMb: flags.number('max_memory_mb', base.maxCapacity.memoryMb),
      vcores: flags.number('max_vcores', base.maxCapacity.vcores),
    },
    maxNodeCapacity: {
      memoryMb: flags.number('max_node_memory_mb', base.maxNodeCapacity.memoryMb),
      vcores: flags.number('max_node_vcores', base.maxNodeCapacity.vcores),
    },
    nodeCapacity: toNodeCapacity(flags),
    memoryStepMb: flags.number('memory_step_mb', base.memoryStepMb),
    overhead: {
      memoryMb: flags.number('overhead_memory_mb', base.overhead.memoryMb),
      cpus: flags.number('overhead_cpus', base.overhead.cpus),
    },
    quietMs: Math.round(flags.number('quiet_seconds', base.quietMs / 1000) * 1000),
    sampleIntervalMs: flags.number('sample_interval_ms', base.sampleIntervalMs),
    registrationTimeoutMs: Math.round(
      flags.number('registration_timeout_seconds', base.registrationTimeoutMs / 1000) * 1000,
    ),
    drainTimeoutMs: Math.round(flags.number('drain_timeout_seconds', base.drainTimeoutMs / 1000) * 1000),
    maintenanceLeadMs: Math.round(flags.number('maintenance_lead_seconds', base.maintenanceLeadMs / 1000) * 1000),
    profiles: toProfiles(flags),
    pools: toPools(flags),
  }
}

function toNodeCapacity(flags: FlagValues): Policy['nodeCapacity'] {
  if (flags.text('node_memory_mb') === undefined && flags.text('node_vcores') === undefined) return undefined
  if (flags.text('node_memory_mb') === undefined || flags.text('node_vcores') === undefined) {
    throw new FlagProblem('FLAG_MISSING', 'give both --node_memory_mb and --node_vcores, or none of them')
  }
  return { memoryMb: flags.number('node_memory_mb', 0), vcores: flags.number('node_vcores', 0) }
}

function toProfiles(flags: FlagValues): Profile[] {
  const own = Object.entries(flags.json('profiles')).map(([name, size]): Profile => {
    const { memoryMb, vcores } = (size ?? {}) as { memoryMb?: unknown; vcores?: unknown }
    if (typeof memoryMb !== 'number' || typeof vcores !== 'number') {
      throw new FlagProblem('FLAG_INVALID', `--profiles: ${name} wants {"memoryMb": number, "vcores": number}`)
    }
    return { name, capacity: { memoryMb, vcores } }
  })
  return [...DEFAULT_POLICY.profiles.filter(({ name }) => own.every((profile) => profile.name !== name)), ...own]
}

function toPools(flags: FlagValues): Pool[] {
  return Object.entries(flags.json('pools')).map(([name, value]): Pool => {
    const wrong = (why: string): FlagProblem => new FlagProblem('FLAG_INVALID', `--pools: ${name} ${why}`)
    if (typeof value !== 'object' || value === null) throw wrong('wants an object')
    const { constraints = [], ...bounds } = value as { constraints?: unknown }
    if (!Array.isArray(constraints) || constraints.some((text) => typeof text !== 'string')) {
      throw wrong('wants constraints as a list of texts')
    }
    const numbers: Record<string, number> = {
      minNodes: 0,
      maxNodes: DEFAULT_POLICY.maxNodes,
      maxMemoryMb: DEFAULT_POLICY.maxCapacity.memoryMb,
      maxVcores: DEFAULT_POLICY.maxCapacity.vcores,
    }
    for (const [field, number] of Object.entries(bounds)) {
      if (!Object.hasOwn(numbers, field)) throw wrong(`has an unknown field '${field}'`)
      if (typeof number !== 'number') throw wrong(`wants a number for ${field}`)
      numbers[field] = number
    }
    const { minNodes = 0, maxNodes = 0, maxMemoryMb = 0, maxVcores = 0 } = numbers
    return { name, constraints, minNodes, maxNodes, maxCapacity: { memoryMb: maxMemoryMb, vcores: maxVcores } }
  })
}

function toTemplate(
  flags: FlagValues,
  environment: Readonly<Record<string, string | undefined>>,
  user: string,
): LaunchTemplate {
  const home = flags.text('hadoop_home')
  const classpath = flags.text('hadoop_classpath')
  if ((home === undefined) === (classpath === undefined)) {
    throw new FlagProblem('FLAG_MISSING', 'give either --hadoop_home or --hadoop_classpath')
  }
  const javaHome = flags.text('java_home') ?? environment.JAVA_HOME
  if (javaHome === undefined || javaHome === '')
    throw new FlagProblem('FLAG_MISSING', '--java_home is missing, and JAVA_HOME is not set')
  return {
    javaHome,
    distribution: home === undefined ? { kind: 'classpath', classpath: classpath ?? '' } : { kind: 'home', path: home },
    jvmFlags: flags.text('jvm_flags')?.split(/\s+/).filter(Boolean) ?? DEFAULT_JVM_FLAGS,
    yarnProperties: texts(flags.json('yarn_properties')),
    coreProperties: texts(flags.json('core_properties')),
    localDirs: flags.text('local_dirs')?.split(',') ?? [],
    user,
    environment: {},
  }
}

/** NodeManagers that know one ResourceManager of a pair only would be lost with it. */
function checkPair(rmUrls: readonly string[], properties: Readonly<Record<string, string>>): void {
  const ids = properties['yarn.resourcemanager.ha.rm-ids']?.split(',').length ?? 0
  const isPair = properties['yarn.resourcemanager.ha.enabled'] === 'true'
  if (rmUrls.length === 1 || (isPair && ids === rmUrls.length)) return
  const named = isPair ? `${ids} in yarn.resourcemanager.ha.rm-ids` : 'no yarn.resourcemanager.ha.enabled'
  throw new FlagProblem(
    'FLAG_INVALID',
    `--rm names ${rmUrls.length} ResourceManagers, --yarn_properties ${named}: the NodeManagers have to know the same ones`,
  )
}

function texts(values: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]))
}
