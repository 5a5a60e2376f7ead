import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A folder for one test file's processes. */
export interface RunDir {
  readonly path: string
  /** Removes the folder; call it when nothing runs in it any more. */
  remove(): void
}

/** Makes a folder of its own under the system's temporary folder. */
export function makeRunDir(name: string): RunDir {
  const path = mkdtempSync(join(tmpdir(), `isthmus-${name}-`))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}
