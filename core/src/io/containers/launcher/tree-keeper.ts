// Keeps the process trees of all containers: starts them, hears when a first process ends, kills what is left of its tree and
// only then reports the end. It runs inside the launcher process (launcher-process.ts).
//
//   running ─(first process ended)─→ ended ─┐
//      └──(destroy)──→ killing ─────────────┴─→ looks at /proc or the control group, SIGKILL to all found, until
//                                                one look (two after destroy) finds nothing → exited
//
// A container that another launcher started is adopted: the kernel tells its end to nobody here, so /proc is asked again and
// again whether its first process is there; how it ended stays unknown.

import type { ChildProcess } from 'node:child_process'
import { constants } from 'node:os'
import type { ContainerUsage } from '../container.ts'
import { cgroupProcesses, killCgroup, makeCgroups, outOfMemoryEvidence, removeCgroups } from './cgroup-tree.ts'
import type { CgroupActions, ContainerEnd, LaunchRequest } from './launcher.ts'
import { type FirstProcess, isRunning, type ProcessStat, ProcessTable, readStat, sendSignal } from './process-table.ts'
import { type LauncherReport, type ProcessName, waitStatusOf } from './protocol.ts'
import { LaunchError, spawnContainer } from './spawn-container.ts'
import { usageOf } from './usage.ts'

/** Pause after a look that found something to kill. */
const RETRY_MS = 5
/** Looks take at most one part in this many of the time. */
const LOOK_SHARE = 4
const LOOK_GAP_MAX_MS = 1_000
/** A tree that cannot be killed for so long (a process stuck in the kernel) is reported as ended anyway. */
const GIVE_UP_MS = 60_000
/** How often the trees of running containers are looked at, so that who belongs to whom is known before a parent ends. */
const LOOK_IDLE_MS = 2_000
/** How often running containers are asked whether the kernel killed something in them. */
const MEMORY_WATCH_MS = 500
/** How often the first processes of adopted containers are asked for; they take at most one part in ADOPTED_SHARE of the time. */
const ADOPTED_WATCH_MS = 50
const ADOPTED_SHARE = 20
/** Why there is no exit status. */
const UNSEEN = 'its launcher had been killed, so nobody saw how it ended'
/** Clock ticks that no process has started at: then its pid tells nothing. */
const NEVER = -1

/** A container that another launcher started. */
export interface AdoptedTree {
  readonly containerId: string
  /** Undefined when it is not known to run: what is found of it is killed. */
  readonly first: ProcessName | undefined
  readonly cgroups: CgroupActions | undefined
}

interface Tree {
  readonly containerId: string
  /** 0 when there was none. */
  readonly pid: number
  readonly startTicks: number
  readonly isAdopted: boolean
  readonly cgroups: CgroupActions | undefined
  /** Its first process is gone. */
  hasEnded: boolean
  waitStatus: number | undefined
  reason: string | undefined
  isKilling: boolean
  cleanLooks: number
  giveUpAtMs: number
  outOfMemory: Readonly<Record<string, string>> | undefined
}

/** The process trees of all containers of one launcher. */
export class TreeKeeper {
  readonly #trees = new Map<string, Tree>()
  /** Those of them whose ids say that they are nested in another. */
  readonly #nested = new Set<Tree>()
  readonly #report: (report: LauncherReport) => void
  readonly #table: ProcessTable
  readonly #launcherId: string
  #timer: NodeJS.Timeout | undefined
  #idleTimer: NodeJS.Timeout | undefined
  #memoryTimer: NodeJS.Timeout | undefined
  #adoptedTimer: NodeJS.Timeout | undefined
  #dueAtMs = Number.POSITIVE_INFINITY
  #nextLookAtMs = 0

  constructor(launcherId: string, report: (report: LauncherReport) => void) {
    this.#launcherId = launcherId
    this.#table = new ProcessTable(launcherId)
    this.#report = report
  }

  /** Containers not reported as ended yet. */
  get size(): number {
    return this.#trees.size
  }

  /** Says whether a container is not reported as ended yet. */
  has(containerId: string): boolean {
    return this.#trees.has(containerId)
  }

  /** Containers whose first process is gone or that are being killed. */
  get endingCount(): number {
    return [...this.#trees.values()].filter(isEnding).length
  }

  /** Starts a container; reports started or launchFailed. */
  launch(request: LaunchRequest): void {
    const { containerId } = request
    if (this.#trees.has(containerId)) {
      this.#report({ kind: 'launchFailed', containerId, code: 'EEXIST', message: 'Container already started' })
      return
    }
    let hasCgroups = false
    try {
      if (request.cgroups !== undefined) makeCgroups(request.cgroups)
      hasCgroups = true
      this.#watch(request, spawnContainer(request, this.#launcherId))
    } catch (error) {
      if (hasCgroups && request.cgroups !== undefined) removeCgroups(request.cgroups)
      const message = error instanceof Error ? error.message : String(error)
      const code = error instanceof LaunchError ? error.code : ((error as NodeJS.ErrnoException).code ?? 'OTHER')
      this.#report({ kind: 'launchFailed', containerId, code, message })
    }
  }

  #watch({ containerId, cgroups }: LaunchRequest, child: ChildProcess): void {
    const pid = child.pid!
    const startTicks = readStat(pid)?.startTicks ?? NEVER
    const tree = this.#add({ containerId, first: { pid, startTicks }, cgroups }, { isAdopted: false })
    this.#report({ kind: 'started', containerId, pid, startTicks })
    child.once('exit', (code, signal) => {
      tree.waitStatus = waitStatusOf({ code, signal }, constants.signals)
      this.#firstEnded(tree)
    })
  }

  /** Takes over a container; reports its end only. */
  adopt(adopted: AdoptedTree): void {
    const tree = this.#add(adopted, { isAdopted: true })
    if (adopted.first === undefined) {
      this.#startKilling(tree)
      this.#firstEnded(tree)
    } else if (isRunning(adopted.first)) {
      this.#watchAdopted()
    } else {
      this.#firstEnded(tree)
    }
  }

  #add({ containerId, first, cgroups }: AdoptedTree, { isAdopted }: { readonly isAdopted: boolean }): Tree {
    const tree: Tree = {
      containerId,
      pid: first?.pid ?? 0,
      startTicks: first?.startTicks ?? NEVER,
      isAdopted,
      cgroups,
      hasEnded: false,
      waitStatus: undefined,
      reason: undefined,
      isKilling: false,
      cleanLooks: 0,
      giveUpAtMs: Number.POSITIVE_INFINITY,
      outOfMemory: undefined,
    }
    this.#trees.set(containerId, tree)
    if (containerId.includes('.')) this.#nested.add(tree)
    if (cgroups?.outOfMemory !== undefined) this.#watchMemory()
    this.#lookIdle()
    return tree
  }

  #firstEnded(tree: Tree): void {
    tree.hasEnded = true
    tree.giveUpAtMs = Math.min(tree.giveUpAtMs, performance.now() + GIVE_UP_MS)
    this.#killNested(tree.containerId)
    this.#lookSoon()
  }

  #watchAdopted(delayMs = ADOPTED_WATCH_MS): void {
    this.#adoptedTimer ??= setTimeout(() => {
      this.#adoptedTimer = undefined
      const startedAtMs = performance.now()
      let isWatching = false
      for (const tree of this.#trees.values()) {
        if (!tree.isAdopted || tree.hasEnded) continue
        if (isRunning(tree)) isWatching = true
        else this.#firstEnded(tree)
      }
      const tookMs = performance.now() - startedAtMs
      if (isWatching) this.#watchAdopted(Math.max(ADOPTED_WATCH_MS, Math.ceil(tookMs * ADOPTED_SHARE)))
    }, delayMs)
  }

  #watchMemory(): void {
    this.#memoryTimer ??= setInterval(() => {
      let isWatching = false
      for (const tree of this.#trees.values()) {
        if (tree.cgroups?.outOfMemory === undefined) continue
        isWatching = true
        if (tree.isKilling || !checkMemory(tree)) continue
        this.destroy(tree.containerId)
      }
      if (isWatching) return
      clearInterval(this.#memoryTimer)
      this.#memoryTimer = undefined
    }, MEMORY_WATCH_MS)
  }

  /** Sends a signal to the first process, or to each process of the tree. */
  signal(containerId: string, signal: NodeJS.Signals, isTree: boolean): void {
    const tree = this.#trees.get(containerId)
    if (tree === undefined) return
    if (!isTree) {
      if (!tree.hasEnded && (!tree.isAdopted || isRunning(tree))) sendSignal(tree.pid, signal)
      return
    }
    const family = [tree, ...this.#nestedIn(containerId)]
    const found = family.some(({ cgroups }) => cgroups?.killDirectory === undefined) ? this.#look() : undefined
    for (const member of family) {
      const directory = member.cgroups?.killDirectory
      const pids =
        directory === undefined
          ? (found?.get(member.containerId) ?? []).map(({ pid }) => pid)
          : cgroupProcesses(directory)
      for (const pid of pids) sendSignal(pid, signal)
    }
  }

  /** Kills a container and those nested in it. */
  destroy(containerId: string, reason?: string): void {
    const tree = this.#trees.get(containerId)
    if (tree === undefined) return
    tree.reason ??= reason
    this.#startKilling(tree)
    this.#killNested(containerId)
    this.#lookSoon()
  }

  /** Kills all containers. */
  destroyAll(): void {
    for (const tree of this.#trees.values()) this.#startKilling(tree)
    this.#lookSoon()
  }

  /** What a container uses now; undefined when it is unknown. */
  usage(containerId: string): ContainerUsage | undefined {
    if (!this.#trees.has(containerId)) return undefined
    return usageOf(this.#look().get(containerId) ?? [])
  }

  #startKilling(tree: Tree): void {
    if (tree.isKilling) return
    tree.isKilling = true
    tree.giveUpAtMs = Math.min(tree.giveUpAtMs, performance.now() + GIVE_UP_MS)
  }

  #killNested(containerId: string): void {
    for (const other of this.#nestedIn(containerId)) this.#startKilling(other)
  }

  #nestedIn(containerId: string): readonly Tree[] {
    if (this.#nested.size === 0) return []
    return [...this.#nested].filter((other) => other.containerId.startsWith(`${containerId}.`))
  }

  /** Looks as soon as the share of time for looks allows. */
  #lookSoon(delayMs = 0): void {
    const nowMs = performance.now()
    const atMs = Math.max(nowMs + delayMs, this.#nextLookAtMs)
    if (atMs >= this.#dueAtMs) return
    clearTimeout(this.#timer)
    this.#dueAtMs = atMs
    this.#timer = setTimeout(() => this.#tick(), Math.ceil(atMs - nowMs))
  }

  #lookIdle(): void {
    clearTimeout(this.#idleTimer)
    if (this.#trees.size > 0) this.#idleTimer = setTimeout(() => this.#lookSoon(), LOOK_IDLE_MS)
  }

  #tick(): void {
    this.#dueAtMs = Number.POSITIVE_INFINITY
    this.#lookIdle()
    const ending = [...this.#trees.values()].filter(isEnding)
    const needsLook = ending.some(({ cgroups }) => cgroups?.killDirectory === undefined)
    const found = needsLook || ending.length === 0 ? this.#look() : new Map<string, ProcessStat[]>()
    let isSomethingLeft = false
    for (const tree of ending) if (!this.#reap(tree, found)) isSomethingLeft = true
    // A container waits for the ones nested in it, which come later in the order of launch.
    for (const tree of ending.reverse()) this.#finish(tree)
    if (isSomethingLeft || ending.some(({ containerId }) => this.#trees.has(containerId))) this.#lookSoon(RETRY_MS)
  }

  /** Kills what is left; true when nothing was. */
  #reap(tree: Tree, found: ReadonlyMap<string, readonly ProcessStat[]>): boolean {
    const directory = tree.cgroups?.killDirectory
    let isClean: boolean
    if (directory === undefined) {
      const left = found.get(tree.containerId) ?? []
      for (const { pid } of left) sendSignal(pid, 'SIGKILL')
      isClean = left.length === 0
    } else {
      isClean = killCgroup(directory)
    }
    tree.cleanLooks = isClean ? tree.cleanLooks + 1 : 0
    return isClean
  }

  #finish(tree: Tree): void {
    const isStuck = performance.now() > tree.giveUpAtMs
    if (!isStuck) {
      const wanted = tree.isKilling && tree.cgroups?.killDirectory === undefined ? 2 : 1
      if (!tree.hasEnded || tree.cleanLooks < wanted) return
      if (this.#nestedIn(tree.containerId).length > 0) return
      checkMemory(tree)
      if (tree.cgroups !== undefined && !removeCgroups(tree.cgroups)) return
    }
    this.#trees.delete(tree.containerId)
    this.#nested.delete(tree)
    const { containerId } = tree
    this.#report({ kind: 'exited', containerId, ...endOf(tree) })
  }

  #look(): Map<string, ProcessStat[]> {
    const startedAtMs = performance.now()
    const first = new Map<number, FirstProcess>()
    for (const { pid, startTicks, containerId } of this.#trees.values()) {
      if (pid !== 0) first.set(pid, { containerId, startTicks: startTicks === NEVER ? undefined : startTicks })
    }
    const found = this.#table.look(first, (containerId) => this.#trees.has(containerId))
    const endedAtMs = performance.now()
    this.#nextLookAtMs = endedAtMs + Math.min((endedAtMs - startedAtMs) * (LOOK_SHARE - 1), LOOK_GAP_MAX_MS)
    return found
  }
}

function isEnding({ isKilling, hasEnded }: Tree): boolean {
  return isKilling || hasEnded
}

/** One that was killed from here ended by that; of an adopted one that ended by itself nobody knows how. */
function endOf({ waitStatus, isKilling, isAdopted, reason, outOfMemory }: Tree): ContainerEnd {
  const isUnseen = waitStatus === undefined && isAdopted && !isKilling
  return {
    waitStatus: isUnseen ? undefined : (waitStatus ?? constants.signals.SIGKILL),
    reason: reason ?? (isUnseen ? UNSEEN : undefined),
    outOfMemory,
  }
}

/** Says whether a container ran out of memory, and keeps the evidence. */
function checkMemory(tree: Tree): boolean {
  const watch = tree.cgroups?.outOfMemory
  if (watch !== undefined) tree.outOfMemory ??= outOfMemoryEvidence(watch)
  return tree.outOfMemory !== undefined
}
