// Real processes for tests: started from the command line's own entry, watched by their output, gone after the test.

import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'

const ENTRY = fileURLToPath(new URL('../bin/isthmus.mjs', import.meta.url))
/** Ends a program when the test process ends, by kill -9 too (util-linux). */
const SETPRIV = '/usr/bin/setpriv'
const SETPRIV_ARGV = existsSync(SETPRIV) ? [SETPRIV, '--pdeathsig', 'KILL', '--'] : []
/** A program that does not say what it should in this time has failed. */
const PATIENCE_MS = 30_000

/** A program that runs. */
export interface Program {
  readonly child: ChildProcess
  readonly stdout: () => string
  readonly stderr: () => string
  /** Resolves with the first match of what it wrote to stdout; throws when it ends before. */
  readonly said: (pattern: RegExp) => Promise<RegExpExecArray>
  /** Resolves when it has ended and its output is closed: exit code, or the signal's name. */
  readonly ended: Promise<number | string>
}

/** Starts `isthmus` with these arguments; it is killed at the end of the test, with its children. */
export function isthmus(
  t: ExecutionContext,
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Program {
  const isPlaceless = argv[0] === 'agent' && !argv.some((arg) => arg.startsWith('--runtime_dir'))
  const own: Record<string, string> = isPlaceless ? { MESOS_RUNTIME_DIR: temporaryFolder(t) } : {}
  return program(t, [process.execPath, '--conditions=source', ENTRY, ...argv], { ...own, ...env })
}

/** Starts any command in a process group of its own. */
export function program(
  t: ExecutionContext,
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Program {
  const [file = '', ...argv] = [...SETPRIV_ARGV, ...command]
  const child = spawn(file, argv, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    detached: true,
  })
  let stdout = ''
  let stderr = ''
  const listeners = new Set<() => void>()
  child.stdout!.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
    for (const listener of listeners) listener()
  })
  child.stderr!.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  const ended = new Promise<number | string>((resolve) => {
    child.once('close', (code, signal) => resolve(signal ?? code ?? -1))
  })
  t.teardown(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), 15_000)
      await ended
      clearTimeout(timer)
    }
  })
  const said = (pattern: RegExp): Promise<RegExpExecArray> => {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => finish(`did not say ${pattern} in ${PATIENCE_MS} ms`), PATIENCE_MS)
      const finish = (problem: string | undefined, match?: RegExpExecArray): void => {
        clearTimeout(timer)
        listeners.delete(look)
        if (match !== undefined) resolve(match)
        else reject(new Error(`${problem}\nstdout: ${stdout}\nstderr: ${stderr}`))
      }
      const look = (): void => {
        const match = pattern.exec(stdout)
        if (match !== null) finish(undefined, match)
      }
      listeners.add(look)
      void ended.then((how) => finish(`ended with ${how} before it said ${pattern}`))
      look()
    })
  }
  return { child, stdout: () => stdout, stderr: () => stderr, said, ended }
}

/** A folder that is removed at the end of the test. */
export function temporaryFolder(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-test-'))
  // What was killed may write into it for a moment.
  t.teardown(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }))
  return folder
}

/** Waits until a condition holds; throws after the usual patience. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = Date.now() + PATIENCE_MS
  while (!(await condition())) {
    if (Date.now() > deadlineMs) throw new Error(`${what} did not happen in ${PATIENCE_MS} ms`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
