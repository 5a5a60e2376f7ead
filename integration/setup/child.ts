// Runs programs for the set-up scripts so that none outlives them.

import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { killTree } from '../src/hadoop/process-tree.ts'

/** The root folder of the repository. */
export const ROOT: string = fileURLToPath(new URL('../..', import.meta.url))

/** Ends a program when its parent ends by kill -9 (util-linux). */
const SETPRIV = '/usr/bin/setpriv'
const SETPRIV_ARGS = [SETPRIV, '--pdeathsig', 'KILL', '--']
const children = new Set<ChildProcess>()

/**
 * Runs a program of node_modules/.bin or PATH to its end and hands out its output line by line.
 *
 * @returns its exit code; 1 when a signal ended it or it could not be started
 */
export async function runChild(command: readonly string[], takeLine: (line: string) => void): Promise<number> {
  const [program = '', ...args] = existsSync(SETPRIV) ? [...SETPRIV_ARGS, ...command] : command
  // A session of its own, so that all of it can be found again.
  const child = spawn(program, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], detached: true, env: plainEnv() })
  children.add(child)
  for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', takeLine)
  const code = await new Promise<number>((resolve) => {
    child.once('error', (error) => {
      takeLine(error.message)
      resolve(1)
    })
    child.once('close', (exitCode) => resolve(exitCode ?? 1))
  })
  killChild(child)
  return code
}

/** Kills what the programs running now have started, and them. */
export function killAllChildren(): void {
  for (const child of [...children]) killChild(child)
}

function killChild(child: ChildProcess): void {
  children.delete(child)
  if (child.pid !== undefined) killTree({ roots: [child.pid], session: child.pid })
}

function plainEnv(): NodeJS.ProcessEnv {
  return { ...process.env, FORCE_COLOR: '0', NO_COLOR: '1' }
}
