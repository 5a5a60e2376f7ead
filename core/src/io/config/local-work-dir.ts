import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const PREFIX = 'isthmus-local-'
/** Tasks of other users must be able to enter it on the way to their sandboxes. */
const FOLDER_MODE = 0o755

/** Where `isthmus local` keeps its state. */
export interface LocalWorkDir {
  /** Absolute. */
  readonly path: string
  /** Removed at the end. */
  readonly isTemporary: boolean
}

/**
 * Makes the folder. Without one given it is a temporary folder that bears the id of this process; those that other
 * processes left behind because they were killed are removed.
 */
export function openLocalWorkDir(given: string | undefined): LocalWorkDir {
  if (given === undefined) {
    removeAbandoned()
    const path = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`))
    chmodSync(path, FOLDER_MODE)
    return { path, isTemporary: true }
  }
  mkdirSync(given, { recursive: true })
  return { path: resolve(given), isTemporary: false }
}

/** Removes the folder when it is temporary. */
export function removeLocalWorkDir({ path, isTemporary }: LocalWorkDir): void {
  if (isTemporary) rmSync(path, { recursive: true, force: true })
}

function removeAbandoned(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1]
    if (pid === undefined || isAlive(Number(pid))) continue
    try {
      rmSync(join(tmpdir(), name), { recursive: true, force: true })
    } catch {
      // It is another user's.
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as { code?: unknown }).code !== 'ESRCH'
  }
}
