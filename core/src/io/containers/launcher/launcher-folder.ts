// Where a launcher that survives its agent is found again:
//
//   RUNTIME_DIR/launchers/HASH OF WORK_DIR/    0700
//     id                 marks the processes of all launchers of this folder, and names their control groups
//     launcher.sock      where the one at work listens
//     launcher.log       what the last one said on stderr: nothing, unless it broke
//     containers/N       what has to be known of a container (container-records.ts)

import { createHash, randomUUID } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { IoError } from '../../io-error.ts'
import { CONTAINERS_NAME } from './folder-names.ts'

/** Hexadecimal digits that tell one work_dir from another. */
const HASH_LENGTH = 16
const ID = /^[0-9a-f-]{36}$/

/** Where a launcher that survives its agent is found again. */
export interface LauncherSurvival {
  /** Flag --runtime_dir; made when missing. */
  readonly runtimeDir: string
  /** Whose launcher it is: agents with other work_dirs have others. */
  readonly workDir: string
}

/** The folder of a launcher. */
export interface LauncherFolder {
  readonly path: string
  readonly id: string
}

/** Finds or makes the folder of an agent's launcher. Throws IoError. */
export function openLauncherFolder({ runtimeDir, workDir }: LauncherSurvival): LauncherFolder {
  const hash = createHash('sha256').update(realPath(workDir)).digest('hex').slice(0, HASH_LENGTH)
  const path = join(resolve(runtimeDir), 'launchers', hash)
  try {
    mkdirSync(join(runtimeDir, 'launchers'), { recursive: true })
    mkdirSync(path, { recursive: true, mode: 0o700 })
    mkdirSync(join(path, CONTAINERS_NAME), { recursive: true })
    return { path, id: openId(path) }
  } catch (error) {
    throw IoError.from(error, `Cannot use the folder '${path}' for the launcher (see --runtime_dir)`)
  }
}

function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return resolve(path)
  }
}

/** The first one who comes chooses it; one that a loss of power has cut is chosen anew: nothing of that time runs any more. */
function openId(path: string): string {
  const file = join(path, 'id')
  const fresh = join(path, `id.${process.pid}`)
  writeFileSync(fresh, randomUUID())
  try {
    linkSync(fresh, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    if (!ID.test(readFileSync(file, 'utf8'))) renameSync(fresh, file)
  } finally {
    rmSync(fresh, { force: true })
  }
  return readFileSync(file, 'utf8')
}
