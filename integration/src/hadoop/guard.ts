// The guard: a small process between us and a daemon, so that the daemon never outlives us.
//
// It leads a session of its own, starts the daemon and holds the reading end of a pipe (stdin) whose other end only
// its parent has. When the parent ends, by kill -9 too, the pipe closes and the guard kills the daemon's whole tree.
//
//   stdin    "stop <milliseconds>\n": SIGTERM to the daemon, then the tree is killed after that time
//            end of file: the tree is killed at once
//   fd 3     one line of JSON for each GuardReport
//   stdout, stderr: the daemon's
//
// When the daemon ends by itself, what it started is killed as well. Started by guarded-process.ts alone.

import { spawn } from 'node:child_process'
import { existsSync, writeSync } from 'node:fs'
import { killTree } from './process-tree.ts'

/** What the guard is asked to run: its only argument, as JSON. */
export interface GuardOrder {
  readonly command: string
  readonly args: readonly string[]
  /** Environment entries, or arguments, that mark processes of this tree, see TreeMarks. */
  readonly marks: readonly string[]
  /** Milliseconds between SIGTERM and SIGKILL when the guard itself gets a signal. */
  readonly graceMs: number
}

/** What the guard tells its parent. */
export type GuardReport =
  | { readonly kind: 'started'; readonly pid: number }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'ended'; readonly code: number | null; readonly signal: NodeJS.Signals | null }

const REPORT_FD = 3

/** Kills the daemon when the guard is killed with a signal it cannot catch (util-linux). */
const SETPRIV = '/usr/bin/setpriv'

run(JSON.parse(process.argv[2] ?? '') as GuardOrder)

function run(order: GuardOrder): void {
  const [command = '', ...args] = existsSync(SETPRIV)
    ? [SETPRIV, '--pdeathsig', 'KILL', '--', order.command, ...order.args]
    : [order.command, ...order.args]
  const daemon = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] })

  const leave = (): never => {
    killTree({ roots: daemon.pid === undefined ? [] : [daemon.pid], session: process.pid, environment: order.marks })
    process.exit(0)
  }
  const stop = (graceMs: number): void => {
    daemon.kill('SIGTERM')
    setTimeout(leave, graceMs)
  }

  daemon.once('spawn', () => report({ kind: 'started', pid: daemon.pid ?? 0 }))
  daemon.once('error', (error) => {
    report({ kind: 'failed', message: error.message })
    leave()
  })
  daemon.once('exit', (code, signal) => {
    report({ kind: 'ended', code, signal })
    leave()
  })
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => stop(order.graceMs))
  process.stdin.setEncoding('utf8')
  process.stdin.on('data', (line: string) => stop(Number(/^stop (\d+)\n/.exec(line)?.[1] ?? order.graceMs)))
  process.stdin.once('end', leave)
  process.stdin.once('error', leave)
}

/** Tells the parent; when it is gone, the end of stdin takes care of the rest. */
function report(message: GuardReport): void {
  try {
    writeSync(REPORT_FD, `${JSON.stringify(message)}\n`)
  } catch {
    // Nobody listens any more.
  }
}
