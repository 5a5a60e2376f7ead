// Runs the containers of an agent: makes the sandbox, fetches what the command needs, lets the launcher start it, and holds it
// to its resources. What containers are and what is told about them: container.ts. The processes: launcher/tree-keeper.ts.

import type { Resource } from '@isthmus/proto/gen/mesos'
import { assert } from '../../base/assert.ts'
import type { Fetcher } from '../fetcher/fetch.ts'
import { IoError } from '../io-error.ts'
import type { Log } from '../observe/logger.ts'
import { Cgroups, cgroupIsolation, detectCgroups } from './cgroups.ts'
import type {
  ContainerCommand,
  ContainerExited,
  Containerizer,
  ContainerLaunchFailed,
  ContainerLimitation,
  ContainerListener,
  ContainerResources,
  ContainerSpec,
  ContainerUsage,
  FoundContainer,
} from './container.ts'
import { diskExcess } from './disk-excess.ts'
import { readKeepsake, writeKeepsake } from './keepsake.ts'
import type { ContainerEnd, Launcher, LauncherListener, LeftContainer } from './launcher/launcher.ts'
import { makeSandbox, noteInSandbox } from './sandbox.ts'
import type { HostUser } from './users.ts'
import { VolumeLinks } from './volume-links.ts'

/** How containers are run. */
export interface ContainerizerOptions {
  /** Closed together with the containerizer. */
  readonly launcher: Launcher
  readonly fetcher: Fetcher
  readonly listener: ContainerListener
  readonly log: Log
  /** Run as the user asked for; needs root. Default true. */
  readonly isSwitchingUser?: boolean | undefined
  /** The flag --isolation; cgroups are used only when it names them. Default `posix/cpu,posix/mem`. */
  readonly isolation?: string | undefined
  /** The agent's own group below each hierarchy. Default: `isthmus/` and the launcher's groupName, else the pid. */
  readonly cgroupsRoot?: string | undefined
  /** Hard cpu limits by CFS quota. Default false. */
  readonly isCfsQuotaOn?: boolean | undefined
  /** Revocable cpus get what the others leave. Default true. */
  readonly isRevocableLow?: boolean | undefined
  /** Destroy containers whose sandbox uses more disk than `diskMb`. Default false. */
  readonly isDiskQuotaEnforced?: boolean | undefined
  /** Where persistent volumes lie. Containers get none when it is absent. */
  readonly workDir?: string | undefined
  /** Default 15 s. */
  readonly diskWatchIntervalMs?: number | undefined
}

const DEFAULT_ISOLATION = 'posix/cpu,posix/mem'
const DISK_WATCH_INTERVAL_MS = 15_000

interface Container {
  readonly containerId: string
  readonly sandboxPath: string
  readonly diskMb: number | undefined
  /** Gives up what comes before the launch. */
  readonly abort: AbortController
  phase: 'sandbox' | 'fetch' | 'launch' | 'running'
  resources: ContainerResources
  limits: ContainerResources
  volumes: readonly Resource[]
  diskLimitation: ContainerLimitation | undefined
}

/** Starts running containers. Throws IoError when cgroups are asked for and cannot be used. */
export function openContainerizer(options: ContainerizerOptions): Containerizer {
  const isolation = cgroupIsolation(options.isolation ?? DEFAULT_ISOLATION)
  if (isolation === undefined) return new LocalContainerizer(options, undefined)
  const host = detectCgroups()
  if (host.kind === 'none') {
    throw new IoError('REFUSED', `--isolation asks for control groups, but there are none to use: ${host.reason}`)
  }
  const root = options.cgroupsRoot ?? `isthmus/${options.launcher.groupName ?? process.pid}`
  const { isCfsQuotaOn = false, isRevocableLow } = options
  const isRootOwn = options.cgroupsRoot === undefined
  const cgroups = new Cgroups({ host, root, isRootOwn, isolation, isCfsQuotaOn, isRevocableLow })
  return new LocalContainerizer(options, cgroups)
}

class LocalContainerizer implements Containerizer {
  readonly #options: ContainerizerOptions
  readonly #cgroups: Cgroups | undefined
  readonly #containers = new Map<string, Container>()
  readonly #diskTimer: NodeJS.Timeout | undefined
  readonly #volumes: VolumeLinks | undefined
  #isClosed = false

  constructor(options: ContainerizerOptions, cgroups: Cgroups | undefined) {
    this.#options = options
    this.#cgroups = cgroups
    if (options.workDir !== undefined) this.#volumes = new VolumeLinks(options.workDir, options.log)
    if (options.isDiskQuotaEnforced === true) {
      const intervalMs = options.diskWatchIntervalMs ?? DISK_WATCH_INTERVAL_MS
      this.#diskTimer = setInterval(() => void this.#watchDisk(), intervalMs)
      this.#diskTimer.unref()
    }
  }

  launch(spec: ContainerSpec): void {
    const { containerId } = spec
    assert(!this.#containers.has(containerId), 'each container id is launched once')
    const container: Container = {
      containerId,
      sandboxPath: spec.sandboxPath,
      diskMb: spec.diskMb,
      abort: new AbortController(),
      phase: 'sandbox',
      resources: spec.resources,
      limits: { ...spec.resources, ...spec.limits },
      volumes: spec.volumes ?? [],
      diskLimitation: undefined,
    }
    this.#containers.set(containerId, container)
    // Told later also when it fails at once: the caller is in the middle of a step.
    setImmediate(() => void this.#prepare(container, spec))
  }

  async #prepare(container: Container, spec: ContainerSpec): Promise<void> {
    const { abort } = container
    try {
      abort.signal.throwIfAborted()
      const user = makeSandbox(spec.sandboxPath, this.#userName(spec))
      if (spec.uris.length > 0) await this.#fetch(container, spec, user)
      abort.signal.throwIfAborted()
      this.#start(container, spec)
    } catch (error) {
      const gaveUp = abort.signal.aborted ? `Container destroyed during ${PHASE_WORDS[container.phase]}` : undefined
      const message = gaveUp ?? IoError.from(error).message
      if (container.phase === 'fetch') noteInSandbox(spec.sandboxPath, message)
      this.#failed({ containerId: spec.containerId, phase: failedPhase(container), message })
    }
  }

  #userName(spec: ContainerSpec): string | undefined {
    return this.#options.isSwitchingUser === false || spec.user === '' ? undefined : spec.user
  }

  async #fetch(container: Container, spec: ContainerSpec, user: HostUser | undefined): Promise<void> {
    container.phase = 'fetch'
    const { containerId, sandboxPath, uris } = spec
    await this.#options.fetcher.fetch({ containerId, sandboxPath, uris, user, signal: container.abort.signal })
  }

  #start(container: Container, spec: ContainerSpec): void {
    container.phase = 'launch'
    const { containerId, sandboxPath, env, command, survivesMs } = spec
    this.#volumes?.open(containerId, sandboxPath, container.volumes)
    const cgroups = this.#cgroups?.actions(containerId, container.resources, container.limits)
    this.#options.launcher.launch(
      {
        containerId,
        ...programOf(command),
        env,
        cwd: sandboxPath,
        stdoutPath: `${sandboxPath}/stdout`,
        stderrPath: `${sandboxPath}/stderr`,
        user: this.#userName(spec),
        cgroups,
        survivesMs,
        keepsake: writeKeepsake(container),
      },
      this.#listenTo(container),
    )
  }

  async recover(): Promise<readonly FoundContainer[]> {
    const left = await this.#options.launcher.recover((found) => this.#recoverOne(found))
    return left.map(({ containerId, pid, end }) => {
      const container = this.#containers.get(containerId)
      if (end === undefined || container === undefined) return { containerId, pid }
      this.#containers.delete(containerId)
      return { containerId, pid, exit: this.#exitOf(container, end) }
    })
  }

  #recoverOne({ containerId, keepsake, end }: LeftContainer): LauncherListener | undefined {
    const kept = readKeepsake(keepsake)
    if (kept === undefined) {
      this.#options.log.warn('container of another kind of agent destroyed', { containerId })
      return undefined
    }
    const container: Container = { ...kept, containerId, abort: new AbortController(), phase: 'running' }
    this.#containers.set(containerId, container)
    if (end === undefined) this.#volumes?.update(containerId, kept.sandboxPath, kept.volumes)
    return this.#listenTo(container)
  }

  #listenTo(container: Container): LauncherListener {
    const { listener } = this.#options
    const startedWith = container.resources
    return {
      onStarted: ({ containerId, pid }) => {
        container.phase = 'running'
        // Resized while it was about to start.
        if (container.resources !== startedWith) this.update(containerId, container.resources, container.limits)
        if (!this.#isClosed) listener.onStarted({ containerId, pid })
      },
      onLaunchFailed: ({ containerId, message }) => this.#failed({ containerId, phase: 'launch', message }),
      onExited: ({ containerId, ...end }) => {
        this.#forget(containerId)
        if (!this.#isClosed) listener.onExited({ containerId, ...this.#exitOf(container, end) })
      },
    }
  }

  #exitOf({ containerId, diskLimitation }: Container, end: ContainerEnd): Omit<ContainerExited, 'containerId'> {
    const { waitStatus, reason, outOfMemory } = end
    const limitation = this.#memoryLimitation(containerId, outOfMemory) ?? diskLimitation
    return {
      waitStatus,
      ...(limitation !== undefined && { limitation }),
      ...(reason !== undefined && { reason }),
    }
  }

  #memoryLimitation(
    containerId: string,
    evidence: Readonly<Record<string, string>> | undefined,
  ): ContainerLimitation | undefined {
    if (evidence === undefined || this.#cgroups === undefined) return undefined
    return { kind: 'memory', message: this.#cgroups.memoryMessage(containerId, evidence) }
  }

  #failed(event: ContainerLaunchFailed): void {
    this.#forget(event.containerId)
    if (!this.#isClosed) this.#options.listener.onLaunchFailed(event)
  }

  #forget(containerId: string): void {
    this.#containers.delete(containerId)
    this.#volumes?.close(containerId)
  }

  signal(containerId: string, signal: NodeJS.Signals): void {
    this.#options.launcher.signal(containerId, signal, { isTree: true })
  }

  update(containerId: string, resources: ContainerResources, limits?: Partial<ContainerResources>): void {
    const container = this.#containers.get(containerId)
    if (container === undefined) return
    container.resources = resources
    container.limits = { ...resources, ...limits }
    this.#keep(container)
    if (container.phase !== 'running' || this.#cgroups === undefined) return
    try {
      this.#cgroups.update(containerId, resources, container.limits)
    } catch (error) {
      // It ends just now, or the host refuses: the container goes on with what it had.
      this.#options.log.warn('container not resized', { containerId, error: IoError.from(error).message })
    }
  }

  setVolumes(containerId: string, volumes: readonly Resource[]): void {
    const container = this.#containers.get(containerId)
    if (container === undefined) return
    container.volumes = volumes
    this.#keep(container)
    const isLinked = container.phase === 'launch' || container.phase === 'running'
    if (isLinked) this.#volumes?.update(containerId, container.sandboxPath, volumes)
  }

  /** A later agent finds what it is held to now. */
  #keep(container: Container): void {
    if (container.phase === 'launch' || container.phase === 'running')
      this.#options.launcher.keep(container.containerId, writeKeepsake(container))
  }

  destroy(containerId: string): void {
    const container = this.#containers.get(containerId)
    if (container === undefined) return
    container.abort.abort()
    this.#options.launcher.destroy(containerId)
  }

  async usage(containerId: string): Promise<ContainerUsage | undefined> {
    const usage = await this.#options.launcher.usage(containerId)
    const counted = usage === undefined ? undefined : this.#cgroups?.usage(containerId)
    if (usage === undefined || counted === undefined) return usage
    // The groups also know the processes that ended meanwhile.
    return {
      ...usage,
      cpuUserMs: counted.cpuUserMs,
      cpuSystemMs: counted.cpuSystemMs,
      rssBytes: counted.memoryBytes,
    }
  }

  containerIds(): readonly string[] {
    return [...this.#containers.keys()]
  }

  release(containerId: string): void {
    this.#options.launcher.release(containerId)
  }

  async leave(): Promise<void> {
    this.#stop()
    await this.#options.launcher.leave()
    this.#containers.clear()
    // A launcher that survives has them in use.
    if (this.#options.launcher.groupName === undefined) this.#cgroups?.close()
  }

  async close(): Promise<void> {
    this.#stop()
    await this.#options.launcher.close()
    this.#containers.clear()
    this.#cgroups?.close()
  }

  /** Gives up what comes before a launch. */
  #stop(): void {
    this.#isClosed = true
    clearInterval(this.#diskTimer)
    for (const { abort } of this.#containers.values()) abort.abort()
  }

  async #watchDisk(): Promise<void> {
    for (const container of [...this.#containers.values()]) {
      const { containerId, sandboxPath, diskMb } = container
      if (container.phase !== 'running' || container.diskLimitation !== undefined) continue
      const { workDir } = this.#options
      const message = await diskExcess({ sandboxPath, diskMb, volumes: container.volumes, workDir })
      if (message === undefined || !this.#containers.has(containerId)) continue
      container.diskLimitation = { kind: 'disk', message }
      this.#keep(container)
      this.destroy(containerId)
    }
  }
}

const PHASE_WORDS = { sandbox: 'preparing', fetch: 'fetching', launch: 'launching', running: 'launching' } as const

function failedPhase({ phase }: Container): ContainerLaunchFailed['phase'] {
  return phase === 'running' ? 'launch' : phase
}

function programOf(command: ContainerCommand): { readonly file: string; readonly argv: readonly string[] } {
  if (command.kind === 'argv') return { file: command.file, argv: command.argv }
  return { file: '/bin/sh', argv: ['sh', '-c', command.value] }
}
