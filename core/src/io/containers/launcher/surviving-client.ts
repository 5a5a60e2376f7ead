// The agent's side of a launcher that outlives it. The launcher may be killed at any time: then another one is started, adopts
// what runs and lists it, and what it does not list is said again. So each launch is done once and each end is heard.
//
//   entries ── launched or found, not ended         ended ── told as ended, not released by the agent yet

import { randomUUID } from 'node:crypto'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { assert } from '../../../base/assert.ts'
import { IoError } from '../../io-error.ts'
import type { Log } from '../../observe/logger.ts'
import type { ContainerUsage } from '../container.ts'
import { CONTAINERS_NAME, SOCKET_NAME } from './folder-names.ts'
import type { Launcher, LauncherListener, LaunchRequest, LeftContainer } from './launcher.ts'
import { type LauncherFolder, type LauncherSurvival, openLauncherFolder } from './launcher-folder.ts'
import { type LauncherCommand, type LauncherReport, LineWriter } from './protocol.ts'
import { connectToLauncher, lastWords, type SurvivingConnection } from './surviving-connection.ts'

interface Entry {
  readonly listener: LauncherListener
  /** Absent for one of an earlier agent. */
  readonly request: LaunchRequest | undefined
  pid: number | undefined
  keepsake: string | undefined
  isDestroyed: boolean
}

const UNKNOWN_TO_LAUNCHER = 'the launcher does not know it any more'
const RETRY_MS = 1_000
/** A folder that is still there then belongs to somebody else. */
const REMOVE_TRIES = 5

/** Opens the launcher of an agent in its form that survives. Its process is looked for, or started, when it is needed. */
export class SurvivingLauncher implements Launcher {
  readonly #log: Log
  readonly #folder: LauncherFolder
  /** Of this run of the agent. */
  readonly #session = randomUUID()
  readonly #entries = new Map<string, Entry>()
  readonly #ended = new Set<string>()
  readonly #usages = new Map<number, (usage: ContainerUsage | undefined) => void>()
  readonly #abort = new AbortController()
  /** What was said of containers that recover() has not handed out yet. */
  readonly #early: LauncherReport[] = []
  #hasRecovered = false
  #lastRequestId = 0
  #connection: SurvivingConnection | undefined
  #connecting: Promise<SurvivingConnection> | undefined
  #gone: Promise<void> = Promise.resolve()
  #writer: LineWriter<LauncherCommand> | undefined
  #phase: 'open' | 'leaving' | 'closing' = 'open'

  /** Throws IoError when the folder cannot be used. */
  constructor(options: { readonly log: Log; readonly survival: LauncherSurvival }) {
    this.#log = options.log
    this.#folder = openLauncherFolder(options.survival)
  }

  get groupName(): string {
    return this.#folder.id
  }

  async recover(
    listenTo: (container: LeftContainer) => LauncherListener | undefined,
  ): Promise<readonly LeftContainer[]> {
    assert(this.#entries.size === 0 && this.#connection === undefined, 'recovery comes before the first launch')
    const left = this.#hasTraces() ? (await this.#connect()).left : []
    this.#hasRecovered = true
    const taken: LeftContainer[] = []
    for (const container of left) {
      const { containerId, pid, keepsake, end } = container
      const listener = listenTo(container)
      if (listener === undefined) {
        this.#disown(containerId)
        continue
      }
      taken.push(container)
      if (end !== undefined) this.#ended.add(containerId)
      else this.#entries.set(containerId, { listener, request: undefined, pid, keepsake, isDestroyed: false })
    }
    for (const report of this.#early.splice(0)) this.#hear(report)
    return taken
  }

  /** Says whether there is a reason to look for a launcher, or to start one that adopts what runs. */
  #hasTraces(): boolean {
    return existsSync(join(this.#folder.path, SOCKET_NAME)) || this.#hasContainers()
  }

  /** Kills and forgets one that nobody here knows. */
  #disown(containerId: string): void {
    this.#say({ kind: 'destroy', containerId })
    this.#say({ kind: 'release', containerId })
  }

  launch(request: LaunchRequest, listener: LauncherListener): void {
    const { containerId, keepsake } = request
    const refusal = this.#refusal(containerId)
    if (refusal !== undefined) {
      setImmediate(() => listener.onLaunchFailed({ containerId, ...refusal }))
      return
    }
    this.#entries.set(containerId, { listener, request, pid: undefined, keepsake, isDestroyed: false })
    // Without a connection it is said once there is one.
    if (this.#writer === undefined) void this.#reconnect()
    else this.#say({ kind: 'launch', request })
  }

  #refusal(containerId: string): { readonly code: string; readonly message: string } | undefined {
    if (this.#phase !== 'open') return { code: 'ECANCELED', message: 'The agent is shutting down' }
    if (this.#entries.has(containerId)) return { code: 'EEXIST', message: 'Container already started' }
    return undefined
  }

  signal(containerId: string, signal: NodeJS.Signals, { isTree }: { readonly isTree: boolean }): void {
    if (this.#entries.has(containerId)) this.#say({ kind: 'signal', containerId, signal, isTree })
  }

  destroy(containerId: string): void {
    const entry = this.#entries.get(containerId)
    if (entry === undefined) return
    entry.isDestroyed = true
    this.#say({ kind: 'destroy', containerId })
  }

  usage(containerId: string): Promise<ContainerUsage | undefined> {
    if (!this.#entries.has(containerId) || this.#writer === undefined) return Promise.resolve(undefined)
    const requestId = ++this.#lastRequestId
    return new Promise((resolve) => {
      this.#usages.set(requestId, resolve)
      this.#say({ kind: 'usage', containerId, requestId })
    })
  }

  keep(containerId: string, keepsake: string): void {
    const entry = this.#entries.get(containerId)
    if (entry === undefined || entry.keepsake === keepsake) return
    entry.keepsake = keepsake
    this.#say({ kind: 'keep', containerId, keepsake })
  }

  release(containerId: string): void {
    if (this.#ended.delete(containerId)) this.#say({ kind: 'release', containerId })
  }

  pid(): number | undefined {
    return this.#connection?.launcherPid
  }

  async leave(): Promise<void> {
    if (this.#phase !== 'open') return
    this.#phase = 'leaving'
    this.#abort.abort()
    this.#writer?.flush()
    this.#connection?.socket.end()
    await this.#gone
    // Whoever comes next starts anew; while something is left, the folder is where it is found.
    if (!this.#hasContainers()) removeFolder(this.#folder.path)
  }

  #hasContainers(): boolean {
    return readdirSync(join(this.#folder.path, CONTAINERS_NAME)).length > 0
  }

  async close(): Promise<void> {
    if (this.#phase !== 'open') return
    this.#phase = 'closing'
    try {
      // Without one that listens those that run are found by the next.
      if (this.#writer === undefined && this.#entries.size > 0) await this.#connect()
    } catch (error) {
      this.#log.error('containers left running', { reason: IoError.from(error).message })
    }
    this.#abort.abort()
    this.#entries.clear()
    if (this.#writer === undefined) return
    this.#say({ kind: 'close' })
    await this.#gone
    removeFolder(this.#folder.path)
  }

  #say(command: LauncherCommand): void {
    this.#writer?.say(command)
  }

  #connect(): Promise<SurvivingConnection> {
    if (this.#connection !== undefined) return Promise.resolve(this.#connection)
    this.#connecting ??= this.#open()
    return this.#connecting
  }

  async #open(): Promise<SurvivingConnection> {
    try {
      const connection = await connectToLauncher(this.#folder, this.#session, this.#abort.signal)
      this.#connection = connection
      this.#writer = new LineWriter({ write: (text) => connection.socket.write(text) })
      this.#gone = new Promise((resolve) => {
        connection.listen(
          (report) => this.#hear(report),
          () => {
            this.#lost()
            resolve()
          },
        )
      })
      this.#resume(connection.left)
      return connection
    } finally {
      this.#connecting = undefined
    }
  }

  /** Tries again until there is a launcher: what runs cannot be reached otherwise. */
  async #reconnect(): Promise<void> {
    while (this.#phase === 'open' && this.#writer === undefined) {
      try {
        await this.#connect()
      } catch (error) {
        if (this.#phase !== 'open') return
        const reason = IoError.from(error).message
        this.#log.error('no launcher', { reason, containerCount: this.#entries.size })
        this.#giveUpLaunches(reason)
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      }
    }
  }

  /** Should one of them run after all, it is killed as soon as there is a launcher that says so. */
  #giveUpLaunches(reason: string): void {
    for (const [containerId, { listener, pid }] of [...this.#entries]) {
      if (pid !== undefined) continue
      this.#entries.delete(containerId)
      listener.onLaunchFailed({ containerId, code: 'LAUNCHER_BROKE', message: reason })
    }
  }

  #lost(): void {
    this.#connection = undefined
    this.#writer = undefined
    for (const resolve of this.#usages.values()) resolve(undefined)
    this.#usages.clear()
    if (this.#phase !== 'open') return
    this.#log.error('launcher broke; starting another', {
      reason: `its connection ended${lastWords(this.#folder)}`,
      containerCount: this.#entries.size,
    })
    if (this.#entries.size > 0) void this.#reconnect()
  }

  /** Brings both sides together after a connection. */
  #resume(left: readonly LeftContainer[]): void {
    const listed = new Map(left.map((container) => [container.containerId, container]))
    for (const [containerId, entry] of [...this.#entries]) {
      const found = listed.get(containerId)
      if (found === undefined) this.#resumeUnlisted(containerId, entry)
      else this.#resumeListed(found, entry)
    }
    if (!this.#hasRecovered) return
    for (const { containerId } of left) {
      if (!this.#entries.has(containerId) && !this.#ended.has(containerId)) this.#disown(containerId)
    }
  }

  #resumeListed({ containerId, pid, keepsake, end }: LeftContainer, entry: Entry): void {
    if (entry.pid === undefined && pid !== undefined) this.#hear({ kind: 'started', containerId, pid, startTicks: 0 })
    if (end !== undefined) {
      this.#hear({ kind: 'exited', containerId, ...end })
      return
    }
    if (entry.keepsake !== undefined && entry.keepsake !== keepsake)
      this.#say({ kind: 'keep', containerId, keepsake: entry.keepsake })
    if (entry.isDestroyed) this.#say({ kind: 'destroy', containerId })
  }

  /** One that is not known was not started, unless we heard of its start. */
  #resumeUnlisted(containerId: string, { request, pid, isDestroyed }: Entry): void {
    if (pid !== undefined || request === undefined) {
      this.#hear({ kind: 'exited', containerId, waitStatus: undefined, reason: UNKNOWN_TO_LAUNCHER })
      return
    }
    this.#say({ kind: 'launch', request })
    if (isDestroyed) this.#say({ kind: 'destroy', containerId })
  }

  #hear(report: LauncherReport): void {
    if (report.kind === 'usage') {
      this.#usages.get(report.requestId)?.(report.usage)
      this.#usages.delete(report.requestId)
      return
    }
    const { containerId } = report
    const entry = this.#entries.get(containerId)
    if (entry === undefined) {
      if (!this.#hasRecovered) this.#early.push(report)
      else if (report.kind === 'exited' && !this.#ended.has(containerId)) this.#say({ kind: 'release', containerId })
      return
    }
    if (this.#phase !== 'open') return
    switch (report.kind) {
      case 'started':
        entry.pid = report.pid
        entry.listener.onStarted({ containerId, pid: report.pid })
        return
      case 'launchFailed':
        this.#entries.delete(containerId)
        entry.listener.onLaunchFailed(report)
        return
      case 'exited':
        this.#heardEnd(report, entry)
        return
      default:
        report satisfies never
    }
  }

  #heardEnd(report: Extract<LauncherReport, { kind: 'exited' }>, { request, pid, listener }: Entry): void {
    const { containerId, waitStatus, reason = '', outOfMemory } = report
    this.#entries.delete(containerId)
    // Only those that outlive the agent are of interest to the next one.
    if (request !== undefined && (request.survivesMs ?? 0) === 0) this.#say({ kind: 'release', containerId })
    else this.#ended.add(containerId)
    if (pid === undefined) listener.onLaunchFailed({ containerId, code: 'LAUNCHER_BROKE', message: reason })
    else listener.onExited({ containerId, waitStatus, reason: report.reason, outOfMemory })
  }
}

/** Removes a folder in which a launcher that ends removes its socket: a walk that misses what it has just seen stops half-way, unheard. */
function removeFolder(path: string): void {
  for (let tries = 0; tries < REMOVE_TRIES && existsSync(path); tries++) rmSync(path, { recursive: true, force: true })
}
