// Finds and kills a process with everything it started, by reading /proc.
//
// Neither the process group nor the parent alone is enough: a NodeManager starts each container in a session of its
// own, and containers of a NodeManager that died are children of init. So a process belongs to a tree when it is
//   - the root, or a descendant of one that belongs, or
//   - in the session of the guard, or
//   - marked by an entry of its environment, or an argument, that only this tree's processes have.
// First all are stopped, again and again until none is new (a stopped process cannot fork), then all are killed.

import { readdirSync, readFileSync } from 'node:fs'

/** What tells that a process belongs to the tree. */
export interface TreeMarks {
  /** The tree's roots. A root that is gone already does no harm. */
  readonly roots: readonly number[]
  /** Every process of this session belongs; `undefined` = none. */
  readonly session?: number
  /** Every process with an environment entry or an argument that starts with one of these belongs, such as `LOCAL_DIRS=/run/nm1/`. */
  readonly environment?: readonly string[]
}

interface ProcessEntry {
  readonly pid: number
  readonly parent: number
  readonly session: number
}

/** How often to look for new members before giving up on a tree that grows faster than it can be stopped. */
const MAX_ROUNDS = 50

/**
 * Kills every process that belongs to the tree, the caller excepted.
 *
 * @returns how many were killed. O(processes of the machine) a round, at most {@link MAX_ROUNDS} rounds.
 */
export function killTree(marks: TreeMarks): number {
  const stopped = new Set<number>()
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const found = findTree(marks, stopped).filter((pid) => !stopped.has(pid))
    if (found.length === 0) break
    for (const pid of found) {
      signal(pid, 'SIGSTOP')
      stopped.add(pid)
    }
  }
  for (const pid of stopped) signal(pid, 'SIGKILL')
  return stopped.size
}

/** Lists the processes that belong to the tree, the caller excepted. */
export function findTree(marks: TreeMarks, known: ReadonlySet<number> = new Set()): number[] {
  const processes = listProcesses()
  const members = new Set<number>([...marks.roots, ...known])
  for (const { pid, session } of processes) {
    if (session === marks.session || isMarked(pid, marks.environment ?? [])) members.add(pid)
  }
  members.delete(process.pid)
  addDescendants(processes, members)
  members.delete(process.pid)
  const alive = new Set(processes.map(({ pid }) => pid))
  return [...members].filter((pid) => alive.has(pid))
}

/** Finds the living processes with an environment entry that starts with this; the first such entry, by process id. */
export function listMarked(prefix: string): ReadonlyMap<number, string> {
  const found = new Map<number, string>()
  for (const { pid } of listProcesses()) {
    const entry = readProc(`/proc/${pid}/environ`)
      .split('\0')
      .find((line) => line.startsWith(prefix))
    if (entry !== undefined) found.set(pid, entry)
  }
  return found
}

/** Finds the living processes with an environment entry or an argument that starts with this, without what they started. */
export function findMarked(prefix: string): number[] {
  return listProcesses().flatMap(({ pid }) => (isMarked(pid, [prefix]) ? [pid] : []))
}

function addDescendants(processes: readonly ProcessEntry[], members: Set<number>): void {
  const children = new Map<number, number[]>()
  for (const { pid, parent } of processes) {
    const siblings = children.get(parent)
    if (siblings === undefined) children.set(parent, [pid])
    else siblings.push(pid)
  }
  const queue = [...members]
  for (let pid = queue.pop(); pid !== undefined; pid = queue.pop()) {
    for (const child of children.get(pid) ?? []) {
      if (members.has(child)) continue
      members.add(child)
      queue.push(child)
    }
  }
}

/** Lists the living processes; a zombie is dead. */
function listProcesses(): ProcessEntry[] {
  const processes: ProcessEntry[] = []
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const stat = readProc(`/proc/${name}/stat`)
    // The command's name stands in parentheses and may itself hold spaces and parentheses.
    const [state, parent, , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (state === undefined || state === '' || state === 'Z' || state === 'X') continue
    processes.push({ pid: Number(name), parent: Number(parent), session: Number(session) })
  }
  return processes
}

function isMarked(pid: number, prefixes: readonly string[]): boolean {
  if (prefixes.length === 0) return false
  const entries = `${readProc(`/proc/${pid}/environ`)}\0${readProc(`/proc/${pid}/cmdline`)}`.split('\0')
  return entries.some((entry) => prefixes.some((prefix) => entry.startsWith(prefix)))
}

/** The file's text, or nothing when its process is gone or another user's. */
function readProc(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It ended by itself meanwhile, which is what was wanted.
  }
}
