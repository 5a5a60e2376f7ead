// Starts a program behind a guard (guard.ts), so that neither it nor anything it started outlives this process.

import { spawn } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { GuardOrder, GuardReport } from './guard.ts'

/** What to run, and how. */
export interface GuardedOptions {
  readonly command: string
  readonly args: readonly string[]
  /** The whole environment of the program. */
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
  /** The file that standard output and standard error are appended to. */
  readonly outputFile: string
  /** Environment entries, or arguments, that mark processes the program started, such as `LOCAL_DIRS=/run/nm1/local`. */
  readonly marks?: readonly string[]
}

/** How a program ended. `code` is undefined when a signal ended it, or when it could not be started. */
export interface Exit {
  readonly code?: number
  readonly signal?: NodeJS.Signals
  /** Why it could not be started. */
  readonly failure?: string
}

/** A program behind its guard. */
export interface GuardedProcess {
  /** The guard, which leads the session of the program. */
  readonly guardPid: number
  /** The program's own process id; undefined when it could not be started. */
  readonly pid: Promise<number | undefined>
  /** Resolves once the program and all it started are gone. Never rejects. */
  readonly exited: Promise<Exit>
  readonly outputFile: string
  /** SIGTERM, then SIGKILL to the whole tree after graceMs. Resolves when all is gone; may be repeated. */
  stop(graceMs: number): Promise<Exit>
  /** SIGKILL to the whole tree at once. */
  kill(): Promise<Exit>
  /** Lets this process end although the program runs, which then ends too. */
  unref(): void
}

const DEFAULT_GRACE_MS = 20_000
const GUARD_FILE = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './guard.ts' : './guard.js', import.meta.url),
)

/** Starts the program. Its guard runs under this process's own Node. */
export function startGuarded(options: GuardedOptions): GuardedProcess {
  const order: GuardOrder = {
    command: options.command,
    args: options.args,
    marks: options.marks ?? [],
    graceMs: DEFAULT_GRACE_MS,
  }
  const output = openSync(options.outputFile, 'a')
  const guard = spawn(process.execPath, [GUARD_FILE, JSON.stringify(order)], {
    cwd: options.cwd,
    env: options.env,
    stdio: ['pipe', output, output, 'pipe'],
    detached: true,
  })
  closeSync(output)

  const control = guard.stdin as Socket
  // A guard that has gone already closes the pipe; `exited` tells about it.
  control.on('error', () => {})
  const reports = readReports(guard.stdio[3] as Socket)
  const handles = [guard, control, guard.stdio[3] as Socket]
  const gone = new Promise<string | undefined>((resolve) => {
    guard.once('error', (error) => resolve(error.message))
    guard.once('close', () => resolve(undefined))
  })
  const exited = gone.then(async (failure) => (failure === undefined ? await reports.exit : { failure }))
  return {
    guardPid: guard.pid ?? 0,
    pid: reports.pid,
    exited,
    outputFile: options.outputFile,
    stop: (graceMs) => {
      for (const handle of handles) handle.ref()
      control.write(`stop ${Math.max(0, Math.round(graceMs))}\n`)
      return exited
    },
    kill: () => {
      for (const handle of handles) handle.ref()
      control.end()
      return exited
    },
    unref: () => {
      for (const handle of handles) handle.unref()
    },
  }
}

/** The last lines of a file, for an error message; nothing when it cannot be read. */
export function lastLines(path: string, count: number): string {
  try {
    return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-count).join('\n')
  } catch {
    return ''
  }
}

function readReports(pipe: Socket): { pid: Promise<number | undefined>; exit: Promise<Exit> } {
  pipe.setEncoding('utf8')
  const reports = new EventEmitter<{ report: [GuardReport] }>()
  let text = ''
  pipe.on('data', (chunk: string) => {
    const lines = (text + chunk).split('\n')
    text = lines.pop() ?? ''
    for (const line of lines) reports.emit('report', JSON.parse(line) as GuardReport)
  })
  pipe.on('error', () => {})
  const pid = new Promise<number | undefined>((resolve) => {
    reports.on('report', (report) => resolve(report.kind === 'started' ? report.pid : undefined))
    pipe.once('close', () => resolve(undefined))
  })
  const exit = new Promise<Exit>((resolve) => {
    reports.on('report', (report) => {
      if (report.kind === 'failed') resolve({ failure: report.message })
      if (report.kind === 'ended') resolve({ code: report.code ?? undefined, signal: report.signal ?? undefined })
    })
    // Closed without a word: the guard killed the tree without the program having ended by itself.
    pipe.once('close', () => resolve({ signal: 'SIGKILL' }))
  })
  return { pid, exit }
}
