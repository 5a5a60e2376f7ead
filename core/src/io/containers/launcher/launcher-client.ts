import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { constants } from 'node:os'
import type { Log } from '../../observe/logger.ts'
import type { ContainerUsage } from '../container.ts'
import { killCgroup, removeCgroups } from './cgroup-tree.ts'
import type { CgroupActions, Launcher, LauncherListener, LaunchRequest, LeftContainer } from './launcher.ts'
import type { LauncherSurvival } from './launcher-folder.ts'
import { launcherProgram } from './launcher-program.ts'
import { type FirstProcess, ProcessTable, sendSignal } from './process-table.ts'
import { isWithin, type LauncherCommand, type LauncherReport, LineReader, LineWriter } from './protocol.ts'
import { SurvivingLauncher } from './surviving-client.ts'

/** How the launcher runs. */
export interface LauncherOptions {
  readonly log: Log
  /** The launcher survives its agent and is found again here; absent = it ends with its agent. */
  readonly survival?: LauncherSurvival | undefined
}

/** What the launcher needs to find getent and id; containers get their own PATH. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const RETRY_MS = 10
/** A tree left by a dead launcher that resists so long is reported as ended anyway. */
const GIVE_UP_MS = 30_000

/** A container as the agent's side knows it. */
interface Entry {
  readonly listener: LauncherListener
  readonly cgroups: CgroupActions | undefined
  pid: number | undefined
  startTicks: number | undefined
}

/**
 * Makes the launcher of an agent; its process starts with the first launch. When that process breaks, its containers are
 * killed from here and reported as exited, and the next launch starts another one; with `survival` they run on and another one
 * adopts them. Throws IoError when the folder of `survival` cannot be used.
 */
export function openLauncher(options: LauncherOptions): Launcher {
  const { log, survival } = options
  return survival === undefined ? new LauncherClient(options) : new SurvivingLauncher({ log, survival })
}

class LauncherClient implements Launcher {
  readonly #options: LauncherOptions
  #process: ChildProcess | undefined
  /** Settles when the process is gone. */
  #ended: Promise<void> = Promise.resolve()
  #writer: LineWriter<LauncherCommand> | undefined
  #entries = new Map<string, Entry>()
  readonly #usages = new Map<number, (usage: ContainerUsage | undefined) => void>()
  /** Marks the containers of this agent: ids of containers may be the same elsewhere. */
  readonly #launcherId = randomUUID()
  #lastRequestId = 0
  #isClosed = false

  constructor(options: LauncherOptions) {
    this.#options = options
  }

  launch(request: LaunchRequest, listener: LauncherListener): void {
    const { containerId } = request
    const refusal = this.#refusal(containerId)
    if (refusal !== undefined) {
      setImmediate(() => listener.onLaunchFailed({ containerId, ...refusal }))
      return
    }
    this.#start()
    this.#entries.set(containerId, { listener, cgroups: request.cgroups, pid: undefined, startTicks: undefined })
    this.#say({ kind: 'launch', request })
  }

  #refusal(containerId: string): { readonly code: string; readonly message: string } | undefined {
    if (this.#isClosed) return { code: 'ECANCELED', message: 'The agent is shutting down' }
    if (this.#entries.has(containerId)) return { code: 'EEXIST', message: 'Container already started' }
    return undefined
  }

  signal(containerId: string, signal: NodeJS.Signals, { isTree }: { readonly isTree: boolean }): void {
    if (this.#entries.has(containerId)) this.#say({ kind: 'signal', containerId, signal, isTree })
  }

  destroy(containerId: string): void {
    if (this.#entries.has(containerId)) this.#say({ kind: 'destroy', containerId })
  }

  usage(containerId: string): Promise<ContainerUsage | undefined> {
    if (!this.#entries.has(containerId)) return Promise.resolve(undefined)
    const requestId = ++this.#lastRequestId
    return new Promise((resolve) => {
      this.#usages.set(requestId, resolve)
      this.#say({ kind: 'usage', containerId, requestId })
    })
  }

  pid(): number | undefined {
    return this.#process?.pid
  }

  /** Nothing outlives the agent here. */
  recover(): Promise<readonly LeftContainer[]> {
    return Promise.resolve([])
  }

  keep(): void {}

  release(): void {}

  leave(): Promise<void> {
    return this.close()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#entries.clear()
    this.#say({ kind: 'close' })
    await this.#ended
  }

  #say(command: LauncherCommand): void {
    this.#writer?.say(command)
  }

  #start(): void {
    if (this.#process !== undefined) return
    // A session of its own: Ctrl-C reaches the agent only, which then ends its containers in order.
    const { argv, env } = launcherProgram('launcher-process')
    const child = spawn(process.execPath, [...argv, this.#launcherId], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...env, PATH },
      cwd: '/',
      detached: true,
    })
    const reader = new LineReader()
    child.stdout.on('data', (chunk: Buffer) => {
      for (const line of reader.push(chunk)) this.#hear(JSON.parse(line) as LauncherReport)
    })
    child.stderr.on('data', (chunk: Buffer) =>
      this.#options.log.error('launcher says', { text: chunk.toString().trim() }),
    )
    // A write to a launcher that just broke; its end is told by the exit.
    child.stdin.on('error', () => {})
    child.once('error', (error) => this.#broke(child, `cannot start the launcher: ${error.message}`))
    // Not `exit`: what it reported last has to be heard first.
    child.once('close', (code, signal) => this.#broke(child, `the launcher ended (${signal ?? `exit code ${code}`})`))
    this.#ended = new Promise((resolve) => {
      child.once('error', () => resolve())
      child.once('close', () => resolve())
    })
    this.#process = child
    this.#writer = new LineWriter(child.stdin)
  }

  #hear(report: LauncherReport): void {
    if (report.kind === 'usage') {
      this.#usages.get(report.requestId)?.(report.usage)
      this.#usages.delete(report.requestId)
      return
    }
    const entry = this.#entries.get(report.containerId)
    if (entry === undefined) return
    switch (report.kind) {
      case 'started':
        entry.pid = report.pid
        entry.startTicks = report.startTicks
        entry.listener.onStarted(report)
        return
      case 'launchFailed':
        this.#entries.delete(report.containerId)
        entry.listener.onLaunchFailed(report)
        return
      case 'exited':
        this.#entries.delete(report.containerId)
        entry.listener.onExited(report)
        return
      default:
        report satisfies never
    }
  }

  #broke(child: ChildProcess, reason: string): void {
    if (this.#process !== child) return
    this.#process = undefined
    this.#writer = undefined
    for (const resolve of this.#usages.values()) resolve(undefined)
    this.#usages.clear()
    if (this.#isClosed) return
    this.#options.log.error('launcher broke', { reason, containerCount: this.#entries.size })
    void this.#killOrphans(this.#entries, reason)
  }

  /** Kills what a broken launcher left; each container is reported once nothing of it is found. */
  async #killOrphans(orphans: ReadonlyMap<string, Entry>, reason: string): Promise<void> {
    const table = new ProcessTable(this.#launcherId)
    const first = new Map<number, FirstProcess>()
    for (const [containerId, { pid, startTicks }] of orphans) {
      if (pid !== undefined) first.set(pid, { containerId, startTicks })
    }
    const left = new Map(orphans)
    const giveUpAtMs = performance.now() + GIVE_UP_MS
    for (let cleanLooks = 0; left.size > 0; ) {
      const found = table.look(first, (containerId) => left.has(containerId))
      for (const { pid } of [...found.values()].flat()) sendSignal(pid, 'SIGKILL')
      const areGroupsEmpty = [...left.values()].every(({ cgroups }) => emptyGroup(cgroups))
      cleanLooks = found.size === 0 && areGroupsEmpty ? cleanLooks + 1 : 0
      if (cleanLooks >= 2 || performance.now() > giveUpAtMs) this.#reportOrphans(left, reason)
      else await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    }
  }

  #reportOrphans(left: Map<string, Entry>, reason: string): void {
    // Nested ones first, as in an orderly end.
    const containerIds = [...left.keys()].sort((a, b) => (isWithin(a, b) ? -1 : isWithin(b, a) ? 1 : 0))
    for (const containerId of containerIds) {
      const entry = left.get(containerId)!
      left.delete(containerId)
      this.#entries.delete(containerId)
      if (entry.cgroups !== undefined) removeCgroups(entry.cgroups)
      if (entry.pid === undefined)
        entry.listener.onLaunchFailed({ containerId, code: 'LAUNCHER_BROKE', message: reason })
      else entry.listener.onExited({ containerId, waitStatus: constants.signals.SIGKILL, reason })
    }
  }
}

function emptyGroup(cgroups: CgroupActions | undefined): boolean {
  return cgroups?.killDirectory === undefined || killCgroup(cgroups.killDirectory)
}
