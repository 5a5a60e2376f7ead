// Which processes belong to which container, found in /proc. A process belongs to a container when one of these holds, in
// this order: it belonged to it before; it is its first process; it is in a session that its first process leads; its
// environment carries the mark; its parent belongs to it. So children that double fork, call setsid or lose their parent are
// found. What escapes is a process that does all of that with a cleared environment between two looks: only control groups
// catch it.

import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs'
import { CONTAINER_MARK, LAUNCHER_MARK } from './protocol.ts'

/** One line of /proc/PID/stat, as far as needed. */
export interface ProcessStat {
  readonly pid: number
  readonly parentPid: number
  readonly sessionId: number
  readonly isZombie: boolean
  /** Clock ticks after boot; with the pid it names a process for ever. */
  readonly startTicks: number
  /** With the children it waited for. */
  readonly userTicks: number
  readonly systemTicks: number
  readonly threadCount: number
  readonly rssPages: number
}

/** The first process of a container. */
export interface FirstProcess {
  readonly containerId: string
  /** Undefined = whoever has the pid. */
  readonly startTicks: number | undefined
}

interface Known {
  readonly startTicks: number
  containerId: string | undefined
}

const STAT_BYTES = 1024
const buffer = Buffer.alloc(STAT_BYTES)

/** Remembers who belonged to whom between looks, so that each environment is read once. */
export class ProcessTable {
  #known = new Map<number, Known>()
  readonly #launcherId: string

  /** @param launcherId the mark of the launcher whose containers are looked for */
  constructor(launcherId: string) {
    this.#launcherId = launcherId
  }

  /**
   * Looks at all processes. O(processes), about 15 µs each.
   *
   * @param firstProcesses by pid, ended ones included
   * @param isOurs says whether a marked container is one of the caller's
   * @returns the living processes of each container that has some
   */
  look(
    firstProcesses: ReadonlyMap<number, FirstProcess>,
    isOurs: (containerId: string) => boolean,
  ): Map<string, ProcessStat[]> {
    const stats = this.#readAll()
    const known = new Map<number, Known>()
    const first = withoutReused(firstProcesses, stats)
    for (const stat of stats.values()) known.set(stat.pid, this.#recall(stat, first, isOurs))
    for (const stat of stats.values()) adopt(stat, stats, known)
    this.#known = known
    const found = new Map<string, ProcessStat[]>()
    for (const stat of stats.values()) {
      const containerId = known.get(stat.pid)?.containerId
      if (containerId === undefined || stat.isZombie) continue
      const list = found.get(containerId)
      if (list === undefined) found.set(containerId, [stat])
      else list.push(stat)
    }
    return found
  }

  #recall(
    stat: ProcessStat,
    firstProcesses: ReadonlyMap<number, FirstProcess>,
    isOurs: (containerId: string) => boolean,
  ): Known {
    const before = this.#known.get(stat.pid)
    const isSame = before !== undefined && before.startTicks === stat.startTicks
    if (isSame && before.containerId !== undefined) return before
    const own = firstProcesses.get(stat.pid) ?? firstProcesses.get(stat.sessionId)
    if (own !== undefined) return { startTicks: stat.startTicks, containerId: own.containerId }
    // A process without the mark does not get it later: only a marked one passes it on.
    if (isSame) return before
    const marked = stat.isZombie ? undefined : readMark(stat.pid, this.#launcherId)
    return { startTicks: stat.startTicks, containerId: marked !== undefined && isOurs(marked) ? marked : undefined }
  }

  #readAll(): Map<number, ProcessStat> {
    const stats = new Map<number, ProcessStat>()
    for (const name of readdirSync('/proc')) {
      const first = name.charCodeAt(0)
      if (first < 48 || first > 57) continue
      const stat = readStatOf(name)
      if (stat !== undefined && stat.pid !== process.pid) stats.set(stat.pid, stat)
    }
    return stats
  }
}

/** Reads one process; undefined when there is none. A zombie is one. */
export function readStat(pid: number): ProcessStat | undefined {
  return readStatOf(String(pid))
}

/** Says whether this very process runs. */
export function isRunning({ pid, startTicks }: { readonly pid: number; readonly startTicks: number }): boolean {
  const stat = readStat(pid)
  return stat !== undefined && !stat.isZombie && stat.startTicks === startTicks
}

function readStatOf(name: string): ProcessStat | undefined {
  let file: number
  try {
    file = openSync(`/proc/${name}/stat`, 'r')
  } catch {
    return undefined
  }
  try {
    return parseStat(buffer.toString('latin1', 0, readSync(file, buffer, 0, STAT_BYTES, 0)))
  } catch {
    return undefined
  } finally {
    closeSync(file)
  }
}

/** Leaves out those whose pid has passed to another process. A pid does not as long as its session has members. */
function withoutReused(
  first: ReadonlyMap<number, FirstProcess>,
  stats: ReadonlyMap<number, ProcessStat>,
): ReadonlyMap<number, FirstProcess> {
  const isOther = ([pid, { startTicks }]: readonly [number, FirstProcess]): boolean => {
    const found = stats.get(pid)
    return startTicks !== undefined && found !== undefined && found.startTicks !== startTicks
  }
  return [...first].some(isOther) ? new Map([...first].filter((entry) => !isOther(entry))) : first
}

/** Gives a process the container of the nearest ancestor that has one. */
function adopt(
  stat: ProcessStat,
  stats: ReadonlyMap<number, ProcessStat>,
  known: ReadonlyMap<number, Known>,
): string | undefined {
  const own = known.get(stat.pid)
  if (own === undefined || own.containerId !== undefined) return own?.containerId
  const chain: Known[] = [own]
  let parent = stats.get(stat.parentPid)
  // Bounded: the pids of a chain differ, unless /proc changed while it was read.
  for (let depth = 0; parent !== undefined && depth < stats.size; depth++) {
    const entry = known.get(parent.pid)
    if (entry?.containerId !== undefined) {
      for (const link of chain) link.containerId = entry.containerId
      return entry.containerId
    }
    if (entry !== undefined) chain.push(entry)
    parent = stats.get(parent.parentPid)
  }
  return undefined
}

/** Reads a line of /proc/PID/stat; the name of the program, in brackets, may hold anything. */
export function parseStat(line: string): ProcessStat | undefined {
  const open = line.indexOf(' (')
  const close = line.lastIndexOf(') ')
  if (open < 0 || close < 0) return undefined
  const fields = line.slice(close + 2).split(' ')
  const number = (index: number): number => Number(fields[index])
  return {
    pid: Number(line.slice(0, open)),
    isZombie: fields[0] === 'Z' || fields[0] === 'X',
    parentPid: number(1),
    sessionId: number(3),
    userTicks: number(11) + number(13),
    systemTicks: number(12) + number(14),
    threadCount: number(17),
    startTicks: number(19),
    rssPages: number(21),
  }
}

/** The container named in the environment of a process, if we may read it and the launcher is this one. */
function readMark(pid: number, launcherId: string): string | undefined {
  try {
    const variables = readFileSync(`/proc/${pid}/environ`, 'utf8')
    if (!variables.includes(launcherId)) return undefined
    const value = (name: string): string | undefined =>
      variables
        .split('\0')
        .find((line) => line.startsWith(`${name}=`))
        ?.slice(name.length + 1)
    return value(LAUNCHER_MARK) === launcherId ? value(CONTAINER_MARK) : undefined
  } catch {
    return undefined
  }
}

/** Sends a signal; says whether the process was there and may be signalled by us. */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal)
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ESRCH' || code === 'EPERM') return false
    throw error
  }
}
