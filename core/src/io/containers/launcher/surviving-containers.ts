// The containers of a launcher that outlives its agent: process trees (tree-keeper.ts), what is written down of them
// (container-records.ts), and how long they may run without an agent.

import { join } from 'node:path'
import type { ContainerUsage } from '../container.ts'
import { type ContainerRecord, ContainerRecords } from './container-records.ts'
import { CONTAINERS_NAME } from './folder-names.ts'
import type { LaunchRequest, LeftContainer } from './launcher.ts'
import { ProcessTable, sendSignal } from './process-table.ts'
import type { LauncherReport } from './protocol.ts'
import { TreeKeeper } from './tree-keeper.ts'

/** What the containers of a launcher need. */
export interface SurvivingContainersOptions {
  readonly folder: string
  /** Marks their processes. */
  readonly launcherId: string
  /** What an agent is to be told, if there is one. */
  readonly report: (report: LauncherReport) => void
  readonly warn: (message: string) => void
  /** One more has ended. */
  readonly ended: () => void
}

const NEVER_SEEN = 'its launcher was killed while it started the container'
const OTHER_RUN = 'the machine has been started again since'
/** A new launcher lets nobody wait longer for what earlier ones left half done. */
const SETTLE_PATIENCE_MS = 5_000
const SETTLE_CHECK_MS = 5
/** What setTimeout can hold. */
const TIMER_MAX_MS = 2 ** 31 - 1

/** Keeps the containers of one launcher. The clock of those that survive their agent runs until greet() is called. */
export class SurvivingContainers {
  readonly #options: SurvivingContainersOptions
  readonly #records: ContainerRecords
  readonly #keeper: TreeKeeper
  /** Nobody is to be told of their end. */
  readonly #forgotten = new Set<string>()
  #timer: NodeJS.Timeout | undefined

  /** Takes over what earlier launchers left. Throws what the file system says. */
  constructor(options: SurvivingContainersOptions) {
    this.#options = options
    this.#keeper = new TreeKeeper(options.launcherId, (report) => this.#hear(report))
    this.#records = new ContainerRecords(join(options.folder, CONTAINERS_NAME), options.warn)
    for (const record of this.#records.all()) this.#adopt(record)
    this.#startClock()
  }

  #adopt(record: ContainerRecord): void {
    const { containerId, end, first, cgroups } = record
    if (end !== undefined) return
    if (this.#records.isOfThisRun(record)) this.#keeper.adopt({ containerId, first, cgroups })
    else this.#records.ended(containerId, { waitStatus: undefined, reason: OTHER_RUN })
  }

  /** Containers that have not ended. */
  get size(): number {
    return this.#keeper.size
  }

  /** Resolves when nothing is left of what earlier launchers saw no end of, in a few milliseconds where there is nothing. */
  async settled(): Promise<void> {
    const giveUpAtMs = performance.now() + SETTLE_PATIENCE_MS
    const table = new ProcessTable(this.#options.launcherId)
    for (;;) {
      // Processes that bear our mark and no file tells of: their container is not known to anyone.
      const strays = [...table.look(new Map(), (containerId) => !this.#keeper.has(containerId)).values()].flat()
      for (const { pid } of strays) sendSignal(pid, 'SIGKILL')
      if (strays.length === 0 && this.#keeper.endingCount === 0) return
      if (performance.now() > giveUpAtMs) return
      await new Promise((resolve) => setTimeout(resolve, SETTLE_CHECK_MS))
    }
  }

  /** An agent is there: stops the clock, kills what belonged to earlier runs of it, and lists the rest. */
  greet(session: string): readonly LeftContainer[] {
    clearTimeout(this.#timer)
    this.#killMortal((record) => record.session !== session)
    return this.#records
      .all()
      .filter(({ containerId }) => !this.#forgotten.has(containerId))
      .map(({ containerId, first, keepsake, end }) => ({ containerId, pid: first?.pid, keepsake, end }))
  }

  /** The agent is gone. */
  abandon(): void {
    this.#killMortal(() => true)
    this.#startClock()
  }

  #killMortal(isMeant: (record: ContainerRecord) => boolean): void {
    for (const record of this.#records.all()) {
      if (record.survivesMs > 0 || !isMeant(record)) continue
      const { containerId, end } = record
      if (end === undefined) this.#forgotten.add(containerId)
      else this.#records.forget(containerId)
      this.#keeper.destroy(containerId)
    }
  }

  #startClock(): void {
    const startedAtMs = performance.now()
    const left = (): number[] =>
      this.#records.all().flatMap(({ end, survivesMs }) => (end === undefined && survivesMs > 0 ? [survivesMs] : []))
    const wait = (): void => {
      const passedMs = performance.now() - startedAtMs
      for (const { containerId, survivesMs } of this.#records.all()) {
        if (survivesMs === 0 || survivesMs > passedMs) continue
        this.#keeper.destroy(containerId, `no agent came back within ${survivesMs} ms`)
      }
      const nextMs = Math.min(...left().filter((survivesMs) => survivesMs > passedMs))
      if (!Number.isFinite(nextMs)) return
      this.#timer = setTimeout(wait, Math.min(Math.ceil(nextMs - passedMs), TIMER_MAX_MS))
    }
    clearTimeout(this.#timer)
    wait()
  }

  /** Starts a container of a run of the agent; reports started or launchFailed. */
  launch(request: LaunchRequest, session: string): void {
    const { containerId } = request
    if (this.#records.get(containerId) !== undefined) {
      this.#options.report({ kind: 'launchFailed', containerId, code: 'EEXIST', message: 'Container already started' })
      return
    }
    try {
      this.#records.begin(request, session)
    } catch (error) {
      const { code = 'FILE', message } = error as NodeJS.ErrnoException
      this.#options.report({ kind: 'launchFailed', containerId, code, message })
      return
    }
    this.#keeper.launch(request)
  }

  #hear(report: LauncherReport): void {
    switch (report.kind) {
      case 'started':
        this.#records.started(report.containerId, { pid: report.pid, startTicks: report.startTicks })
        break
      case 'launchFailed':
        this.#records.forget(report.containerId)
        break
      case 'exited':
        this.#hearEnd(report)
        return
      default:
    }
    this.#options.report(report)
  }

  #hearEnd(report: Extract<LauncherReport, { kind: 'exited' }>): void {
    const { containerId, outOfMemory } = report
    const hasNeverRun = this.#records.get(containerId)?.first === undefined
    const waitStatus = hasNeverRun ? undefined : report.waitStatus
    const reason = hasNeverRun ? NEVER_SEEN : report.reason
    if (this.#forgotten.delete(containerId)) {
      this.#records.forget(containerId)
    } else {
      this.#records.ended(containerId, { waitStatus, reason, outOfMemory })
      this.#options.report({ kind: 'exited', containerId, waitStatus, reason, outOfMemory })
    }
    this.#options.ended()
  }

  /** As TreeKeeper.signal. */
  signal(containerId: string, signal: NodeJS.Signals, isTree: boolean): void {
    this.#keeper.signal(containerId, signal, isTree)
  }

  /** As TreeKeeper.destroy. */
  destroy(containerId: string): void {
    this.#keeper.destroy(containerId)
  }

  /** As TreeKeeper.usage. */
  usage(containerId: string): ContainerUsage | undefined {
    return this.#keeper.usage(containerId)
  }

  /** Other words to be found with a container. */
  keep(containerId: string, keepsake: string): void {
    this.#records.keep(containerId, keepsake)
  }

  /** Forgets an end. */
  release(containerId: string): void {
    if (this.#records.get(containerId)?.end !== undefined) this.#records.forget(containerId)
  }

  /** Kills and forgets all. */
  destroyAll(): void {
    for (const { containerId, end } of this.#records.all()) {
      if (end === undefined) this.#forgotten.add(containerId)
      else this.#records.forget(containerId)
    }
    this.#keeper.destroyAll()
  }
}
