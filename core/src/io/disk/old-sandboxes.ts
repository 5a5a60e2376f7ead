// Sandboxes that earlier lives of agents left in a work_dir, of this agent's id or another's.

import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { sandboxesPath } from './paths.ts'

/** A sandbox, and when something in its folder changed last. */
export interface OldSandbox {
  readonly path: string
  /** Milliseconds since the epoch. */
  readonly changedAtMs: number
}

/** Folders between the sandboxes of all agents and one run: an agent's, a framework's, an executor's. */
const LEVELS = ['*', 'frameworks', '*', 'executors', '*', 'runs', '*'] as const

/** Finds the sandboxes of all runs, at most `limit`, the oldest first. What cannot be read is left out. */
export async function findSandboxes(workDir: string, limit: number): Promise<readonly OldSandbox[]> {
  let folders: string[] = [sandboxesPath(workDir)]
  for (const level of LEVELS) {
    const next: string[] = []
    for (const folder of folders) next.push(...(await below(folder, level)))
    folders = next
  }
  const found: OldSandbox[] = []
  for (const path of folders) {
    const stats = await stat(path).catch(() => undefined)
    if (stats !== undefined) found.push({ path, changedAtMs: stats.mtimeMs })
  }
  return found.sort((a, b) => a.changedAtMs - b.changedAtMs).slice(0, limit)
}

/** The folders of a level; links, as `latest` is one, are none. */
async function below(folder: string, level: string): Promise<string[]> {
  if (level !== '*') return [join(folder, level)]
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(folder, name))
}
