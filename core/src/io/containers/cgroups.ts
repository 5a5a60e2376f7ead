// Control groups as an isolator: which versions a host has, which groups a container gets and what is written into them. The
// launcher makes, enters and removes them (launcher/cgroup-tree.ts); here is what needs to know controllers.
//
//   version 1 (hybrid too)                        version 2
//   /sys/fs/cgroup/cpu/ROOT/CONTAINER             /sys/fs/cgroup/ROOT/CONTAINER
//   /sys/fs/cgroup/cpuacct/ROOT/CONTAINER
//   /sys/fs/cgroup/memory/ROOT/CONTAINER
//   /sys/fs/cgroup/freezer/ROOT/CONTAINER
//
// ROOT is the agent's own (isthmus/NAME), the same after a restart; it is removed at the end. Mesos's arithmetic: cpu.shares = 1024 a cpu, 10 a revocable one, at least 2;
// quota in periods of 100 ms; memory at least 32 MB; the soft limit is what was asked for, the hard one what may be used.

import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { IoError } from '../io-error.ts'
import type { ContainerResources } from './container.ts'
import type { CgroupActions, CgroupWrite, OutOfMemoryWatch } from './launcher/launcher.ts'

/** What a host offers. */
export type CgroupHost =
  | { readonly kind: 'none'; readonly reason: string }
  /** Version 1, alone or beside a version 2 without controllers: one mount point each; cpu and cpuacct may be the same. */
  | { readonly kind: 'v1'; readonly mounts: Readonly<Record<V1Controller, string>> }
  | { readonly kind: 'v2'; readonly mount: string }

type V1Controller = 'cpu' | 'cpuacct' | 'memory' | 'freezer'

/** Which limits are set. */
export interface CgroupIsolation {
  readonly cpu: boolean
  readonly memory: boolean
}

const CPU_SHARES_A_CPU = 1024
const CPU_SHARES_A_REVOCABLE_CPU = 10
const CPU_SHARES_MIN = 2
const CFS_PERIOD_US = 100_000
const CFS_QUOTA_MIN_US = 1_000
const MEMORY_MIN_MB = 32
const MB = 1024 * 1024
const V1_CONTROLLERS: readonly V1Controller[] = ['cpu', 'cpuacct', 'memory', 'freezer']

/** Reads the flag --isolation; undefined when no cgroups are asked for. */
export function cgroupIsolation(isolation: string): CgroupIsolation | undefined {
  const names = isolation.split(',').map((name) => name.trim())
  const isAll = names.includes('cgroups/all') || names.includes('cgroups')
  const cpu = isAll || names.includes('cgroups/cpu')
  const memory = isAll || names.includes('cgroups/mem')
  return cpu || memory ? { cpu, memory } : undefined
}

/** Finds out which control groups this process may use. Reads /proc/self/mounts; never throws. */
export function detectCgroups(mountsText = readMounts()): CgroupHost {
  const v1 = new Map<string, string>()
  let v2: string | undefined
  for (const line of mountsText.split('\n')) {
    const [, mount = '', type, options = ''] = line.split(' ')
    if (type === 'cgroup2') v2 ??= mount
    if (type === 'cgroup') for (const option of options.split(',')) if (!v1.has(option)) v1.set(option, mount)
  }
  const missing = V1_CONTROLLERS.filter((controller) => !v1.has(controller))
  if (missing.length === 0) {
    const mounts = Object.fromEntries(V1_CONTROLLERS.map((name) => [name, v1.get(name)!])) as Record<
      V1Controller,
      string
    >
    return writable(Object.values(mounts)) ?? { kind: 'v1', mounts }
  }
  if (v2 === undefined) return { kind: 'none', reason: 'no control groups are mounted' }
  const controllers = readText(join(v2, 'cgroup.controllers')).trim().split(/\s+/)
  const lacking = ['cpu', 'memory'].filter((name) => !controllers.includes(name))
  if (lacking.length > 0) {
    const where = v1.size > 0 ? `neither version has ${missing.join(', ')}` : `version 2 lacks ${lacking.join(', ')}`
    return { kind: 'none', reason: `control groups: ${where}` }
  }
  return writable([v2]) ?? { kind: 'v2', mount: v2 }
}

function writable(mounts: readonly string[]): CgroupHost | undefined {
  for (const mount of mounts) {
    try {
      accessSync(mount, constants.W_OK)
    } catch {
      return { kind: 'none', reason: `${mount} is not writable` }
    }
  }
  return undefined
}

/** Resources in use as the control groups count them. */
export interface CgroupUsage {
  readonly cpuUserMs: number
  readonly cpuSystemMs: number
  readonly memoryBytes: number
}

/** The control groups of one agent. */
export class Cgroups {
  readonly #host: Exclude<CgroupHost, { kind: 'none' }>
  readonly #root: string
  readonly #isRootOwn: boolean
  readonly #isolation: CgroupIsolation
  readonly #isCfsQuotaOn: boolean
  readonly #isRevocableLow: boolean
  /** Folders to remove at the end, outermost first. */
  readonly #made: string[] = []

  /** Makes the agent's own groups. Throws IoError when that fails. */
  constructor(options: {
    readonly host: Exclude<CgroupHost, { kind: 'none' }>
    /** Relative, e.g. `isthmus/agent-1`. */
    readonly root: string
    /** All of the root is removed at the end once it is empty, not only what is made here. Default false. */
    readonly isRootOwn?: boolean | undefined
    readonly isolation: CgroupIsolation
    readonly isCfsQuotaOn: boolean
    /** Revocable cpus get a hundredth of the shares. Default true. */
    readonly isRevocableLow?: boolean | undefined
  }) {
    this.#host = options.host
    this.#root = options.root
    this.#isRootOwn = options.isRootOwn ?? false
    this.#isolation = options.isolation
    this.#isCfsQuotaOn = options.isCfsQuotaOn
    this.#isRevocableLow = options.isRevocableLow ?? true
    try {
      if (this.#host.kind === 'v2') this.#makeV2(this.#host.mount)
      else for (const mount of this.#mounts()) this.#makeBelow(mount)
    } catch (error) {
      this.close()
      throw IoError.from(error, `Failed to create the control groups of the agent`)
    }
  }

  /** What the launcher has to do for a container. */
  actions(containerId: string, resources: ContainerResources, limits: ContainerResources): CgroupActions {
    const directories = this.#mounts().map((mount) => this.#directory(mount, containerId))
    return {
      directories,
      writes: this.writes(containerId, resources, limits),
      joins: directories.map((directory) => join(directory, 'cgroup.procs')),
      killDirectory: this.#directory(
        this.#host.kind === 'v2' ? this.#host.mount : this.#host.mounts.freezer,
        containerId,
      ),
      outOfMemory: this.#isolation.memory ? this.#memoryWatch(containerId) : undefined,
    }
  }

  /** The values that hold a container to its resources, in the order to write them when it starts. */
  writes(containerId: string, resources: ContainerResources, limits: ContainerResources): readonly CgroupWrite[] {
    const memory = this.#isolation.memory ? this.#memoryWrites(containerId, resources, limits) : []
    const cpu = this.#isolation.cpu ? this.#cpuWrites(containerId, resources, limits) : []
    return [...cpu, ...memory]
  }

  /** Changes the limits of a running container. A memory limit below what is in use is not set lower. Throws IoError. */
  update(containerId: string, resources: ContainerResources, limits: ContainerResources): void {
    for (const { path, value, isOptional } of this.writes(containerId, resources, limits)) {
      if (isOptional === true && !existsSync(path)) continue
      try {
        writeFileSync(path, value)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EBUSY') continue
        throw IoError.from(error, `Failed to update the control groups of container '${containerId}'`)
      }
    }
  }

  /** Words what was exceeded, from the evidence the launcher brought. */
  memoryMessage(containerId: string, evidence: Readonly<Record<string, string>>): string {
    const [limitPath, peakPath, statPath] = this.#memoryEvidence(containerId)
    const limit = megabytes(evidence[limitPath]?.trim() ?? '')
    const peak = megabytes(evidence[peakPath]?.trim() ?? '')
    const statistics = evidence[statPath]?.trimEnd() ?? ''
    return `Memory limit exceeded: Requested: ${limit} Maximum Used: ${peak}\n\nMEMORY STATISTICS: \n${statistics}\n`
  }

  /** What a container uses; undefined when its groups are gone. */
  usage(containerId: string): CgroupUsage | undefined {
    const memory = this.#memoryDirectory(containerId)
    if (this.#host.kind === 'v2') {
      const text = readText(join(memory, 'cpu.stat'))
      if (text === '') return undefined
      return {
        cpuUserMs: field(text, 'user_usec') / 1_000,
        cpuSystemMs: field(text, 'system_usec') / 1_000,
        memoryBytes: Number(readText(join(memory, 'memory.current'))),
      }
    }
    const text = readText(join(this.#directory(this.#host.mounts.cpuacct, containerId), 'cpuacct.stat'))
    if (text === '') return undefined
    return {
      cpuUserMs: field(text, 'user') * 10,
      cpuSystemMs: field(text, 'system') * 10,
      memoryBytes: field(readText(join(memory, 'memory.stat')), 'total_rss'),
    }
  }

  /** Removes the agent's own groups, if they are empty. */
  close(): void {
    for (const directory of this.#made.splice(0).reverse()) {
      try {
        rmdirSync(directory)
      } catch {
        // Another agent shares the parent, or a process of a container still dies: its launcher removes its group.
      }
    }
  }

  #cpuWrites(containerId: string, resources: ContainerResources, limits: ContainerResources): readonly CgroupWrite[] {
    const isLow = this.#isRevocableLow && resources.isRevocable === true
    const sharesACpu = isLow ? CPU_SHARES_A_REVOCABLE_CPU : CPU_SHARES_A_CPU
    const shares = Math.max(CPU_SHARES_MIN, Math.floor((resources.cpusMilli * sharesACpu) / 1_000))
    const isLimited = this.#isCfsQuotaOn && Number.isFinite(limits.cpusMilli)
    const quotaUs = Math.max(CFS_QUOTA_MIN_US, Math.floor((limits.cpusMilli * CFS_PERIOD_US) / 1_000))
    if (this.#host.kind === 'v2') {
      const directory = this.#directory(this.#host.mount, containerId)
      return [
        { path: join(directory, 'cpu.weight'), value: String(weightOfShares(shares)) },
        { path: join(directory, 'cpu.max'), value: `${isLimited ? quotaUs : 'max'} ${CFS_PERIOD_US}` },
      ]
    }
    const directory = this.#directory(this.#host.mounts.cpu, containerId)
    return [
      { path: join(directory, 'cpu.shares'), value: String(shares) },
      { path: join(directory, 'cpu.cfs_period_us'), value: String(CFS_PERIOD_US), isOptional: true },
      { path: join(directory, 'cpu.cfs_quota_us'), value: String(isLimited ? quotaUs : -1), isOptional: true },
    ]
  }

  #memoryWrites(
    containerId: string,
    resources: ContainerResources,
    limits: ContainerResources,
  ): readonly CgroupWrite[] {
    const directory = this.#memoryDirectory(containerId)
    const soft = String(Math.max(MEMORY_MIN_MB, resources.memoryMb) * MB)
    const isLimited = Number.isFinite(limits.memoryMb)
    const hard = String(Math.max(MEMORY_MIN_MB, limits.memoryMb) * MB)
    if (this.#host.kind === 'v2') {
      return [
        { path: join(directory, 'memory.low'), value: soft },
        { path: join(directory, 'memory.max'), value: isLimited ? hard : 'max' },
      ]
    }
    return [
      { path: join(directory, 'memory.soft_limit_in_bytes'), value: soft },
      { path: join(directory, 'memory.limit_in_bytes'), value: isLimited ? hard : '-1' },
    ]
  }

  #memoryWatch(containerId: string): OutOfMemoryWatch {
    const events = this.#host.kind === 'v2' ? 'memory.events' : 'memory.oom_control'
    return {
      eventsPath: join(this.#memoryDirectory(containerId), events),
      evidencePaths: this.#memoryEvidence(containerId),
    }
  }

  /** Files with the limit, the most ever used, and statistics. */
  #memoryEvidence(containerId: string): readonly [limit: string, peak: string, statistics: string] {
    const directory = this.#memoryDirectory(containerId)
    return this.#host.kind === 'v2'
      ? [join(directory, 'memory.max'), join(directory, 'memory.peak'), join(directory, 'memory.stat')]
      : [
          join(directory, 'memory.limit_in_bytes'),
          join(directory, 'memory.max_usage_in_bytes'),
          join(directory, 'memory.stat'),
        ]
  }

  #memoryDirectory(containerId: string): string {
    return this.#directory(this.#host.kind === 'v2' ? this.#host.mount : this.#host.mounts.memory, containerId)
  }

  #directory(mount: string, containerId: string): string {
    return join(mount, this.#root, containerId)
  }

  #mounts(): readonly string[] {
    if (this.#host.kind === 'v2') return [this.#host.mount]
    const { cpu, cpuacct, memory, freezer } = this.#host.mounts
    const wanted = [freezer, ...(this.#isolation.cpu ? [cpu, cpuacct] : [cpuacct]), memory]
    return [...new Set(wanted)]
  }

  /** Makes the root below a mount, remembering the folders that were not there. */
  #makeBelow(mount: string): void {
    let path = mount
    for (const part of this.#root.split('/')) {
      path = join(path, part)
      const isThere = existsSync(path)
      if (!isThere) mkdirSync(path)
      if (!isThere || this.#isRootOwn) this.#made.push(path)
    }
  }

  /** In version 2 each group on the way has to hand the controllers down. */
  #makeV2(mount: string): void {
    this.#makeBelow(mount)
    const ways = [join(mount, this.#root)]
    while (ways[0] !== mount) ways.unshift(dirname(ways[0]!))
    for (const way of ways) writeFileSync(join(way, 'cgroup.subtree_control'), '+cpu +memory')
  }
}

/** Version 1's shares (2 … 262144) as version 2's weight (1 … 10000), as container runtimes convert them. */
export function weightOfShares(shares: number): number {
  return Math.min(10_000, Math.max(1, 1 + Math.floor(((shares - 2) * 9_999) / 262_142)))
}

function readMounts(): string {
  return readText('/proc/self/mounts')
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** The number after a name in `name number` lines. */
function field(text: string, name: string): number {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `))
  return line === undefined ? 0 : Number(line.slice(name.length + 1))
}

function megabytes(bytes: string): string {
  const number = Number(bytes)
  return Number.isFinite(number) && bytes !== '' ? `${Math.round(number / MB)}MB` : bytes === '' ? 'unknown' : bytes
}
