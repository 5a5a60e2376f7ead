// The control groups of one container as plain files: made, entered, emptied and removed. What they limit is decided in
// ../cgroups.ts.

import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CgroupActions, OutOfMemoryWatch } from './launcher.ts'
import { sendSignal } from './process-table.ts'

/** Makes the groups and sets their values. Throws what the file system says; nothing is left then. */
export function makeCgroups(actions: CgroupActions): void {
  try {
    for (const directory of actions.directories) mkdirSync(directory)
    for (const { path, value, isOptional } of actions.writes) {
      if (isOptional === true && !existsSync(path)) continue
      writeFileSync(path, value)
    }
  } catch (error) {
    removeCgroups(actions)
    throw error
  }
}

/** Removes the groups; true when all are gone. Fails for a moment after the last process ended. */
export function removeCgroups(actions: CgroupActions): boolean {
  let areGone = true
  for (const directory of [...actions.directories].reverse()) {
    try {
      rmdirSync(directory)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') areGone = false
    }
  }
  return areGone
}

/** Processes in a group; none when it is gone. */
export function cgroupProcesses(directory: string): readonly number[] {
  try {
    const text = readFileSync(join(directory, 'cgroup.procs'), 'utf8')
    return text.split('\n').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

/**
 * Kills what is in a group; true when nothing was. Version 2 does it in one step; in version 1 the group is frozen first, so
 * that nothing forks meanwhile. Repeat until true.
 */
export function killCgroup(directory: string): boolean {
  const pids = cgroupProcesses(directory)
  if (pids.length === 0) return true
  if (tryWrite(join(directory, 'cgroup.kill'), '1')) return false
  const freezer = join(directory, 'freezer.state')
  tryWrite(freezer, 'FROZEN')
  for (const pid of cgroupProcesses(directory)) sendSignal(pid, 'SIGKILL')
  tryWrite(freezer, 'THAWED')
  return false
}

/** The evidence when the kernel killed something in a group for its memory; undefined otherwise. */
export function outOfMemoryEvidence(watch: OutOfMemoryWatch): Readonly<Record<string, string>> | undefined {
  if (!/^oom_kill [1-9]/m.test(readText(watch.eventsPath))) return undefined
  return Object.fromEntries(watch.evidencePaths.map((path) => [path, readText(path)]))
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function tryWrite(path: string, value: string): boolean {
  if (!existsSync(path)) return false
  try {
    writeFileSync(path, value)
    return true
  } catch {
    return false
  }
}
