// Finds the launcher that survives its agent, starts one where there is none, and says hello.

import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { IoError } from '../../io-error.ts'
import { SOCKET_NAME } from './folder-names.ts'
import type { LeftContainer } from './launcher.ts'
import type { LauncherFolder } from './launcher-folder.ts'
import { launcherProgram } from './launcher-program.ts'
import { readStat } from './process-table.ts'
import {
  type AgentHello,
  type LauncherGreeting,
  type LauncherReport,
  LineReader,
  PROTOCOL_VERSION,
  PROTOCOL_VERSION_OLDEST,
} from './protocol.ts'

/** What the launcher needs to find getent and id; containers get their own PATH. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const LOG_NAME = 'launcher.log'
const LOG_LENGTH_MAX = 2_000
const RETRY_MS = 5
const RETRY_MAX_MS = 200
const PATIENCE_MS = 20_000

/** A launcher that has taken the agent. */
export interface SurvivingConnection {
  readonly socket: Socket
  readonly launcherPid: number
  /** What it knew at that moment. */
  readonly left: readonly LeftContainer[]
  /** Set who hears what it says from now on, and when it is gone; what came meanwhile is told first. */
  readonly listen: (hear: (report: LauncherReport) => void, closed: () => void) => void
}

/**
 * Connects to the launcher of a folder; starts one when nobody answers. Rejects with IoError: REFUSED when the launcher serves
 * another agent or does not understand this one, TIMEOUT when none can be started within 20 s.
 */
export async function connectToLauncher(
  folder: LauncherFolder,
  session: string,
  signal: AbortSignal,
): Promise<SurvivingConnection> {
  const giveUpAtMs = performance.now() + PATIENCE_MS
  let child: ChildProcess | undefined
  for (let waitMs = RETRY_MS; ; waitMs = Math.min(waitMs * 2, RETRY_MAX_MS)) {
    const connection = await tryOnce(folder, session)
    if (connection !== undefined) return connection
    signal.throwIfAborted()
    if (performance.now() > giveUpAtMs) throw new IoError('TIMEOUT', `no launcher answers${lastWords(folder)}`)
    if (child === undefined || hasEnded(child)) child = startLauncher(folder)
    await new Promise((resolve) => setTimeout(resolve, waitMs))
  }
}

/** One that broke, or found another at work that may be about to end. */
function hasEnded({ pid, exitCode, signalCode }: ChildProcess): boolean {
  return pid === undefined || signalCode !== null || exitCode !== null
}

/** What the launcher said on stderr when it broke. */
export function lastWords({ path }: LauncherFolder): string {
  try {
    const text = readFileSync(join(path, LOG_NAME), 'utf8').trim()
    return text === '' ? '' : `; it says: ${text.slice(-LOG_LENGTH_MAX)}`
  } catch {
    return ''
  }
}

/** A session of its own, and no pipe to us: it does not notice our end. */
function startLauncher({ path, id }: LauncherFolder): ChildProcess {
  const { argv, env } = launcherProgram('surviving-process')
  const log = openSync(join(path, LOG_NAME), 'w', 0o600)
  try {
    const child = spawn(process.execPath, [...argv, path, id], {
      stdio: ['ignore', 'ignore', log],
      env: { ...env, PATH },
      cwd: '/',
      detached: true,
    })
    // Seen by the missing answer.
    child.on('error', () => {})
    child.unref()
    return child
  } finally {
    closeSync(log)
  }
}

/** Undefined when nobody listens, or whoever did ends just now. */
function tryOnce(folder: LauncherFolder, session: string): Promise<SurvivingConnection | undefined> {
  const agent = { pid: process.pid, startTicks: readStat(process.pid)?.startTicks ?? 0 }
  const hello: AgentHello = {
    kind: 'hello',
    version: PROTOCOL_VERSION,
    oldestVersion: PROTOCOL_VERSION_OLDEST,
    agent,
    session,
  }
  return new Promise((resolve, reject) => {
    // By way of the open folder the name stays short enough for a socket, however deep the folder lies.
    const directory = openSync(folder.path, 'r')
    let isOpen = true
    const done = (): void => {
      if (isOpen) closeSync(directory)
      isOpen = false
    }
    const socket = connect({ path: `/proc/self/fd/${directory}/${SOCKET_NAME}` }, done)
    socket.once('close', done)
    greet(socket, hello, { resolve, reject })
  })
}

function greet(
  socket: Socket,
  hello: AgentHello,
  answer: {
    readonly resolve: (connection: SurvivingConnection | undefined) => void
    readonly reject: (error: IoError) => void
  },
): void {
  const reader = new LineReader()
  const left: LeftContainer[] = []
  const early: LauncherReport[] = []
  let hear = (report: LauncherReport): unknown => early.push(report)
  let closed: () => void = () => answer.resolve(undefined)
  let isWelcome = false
  const take = (message: LauncherGreeting | LauncherReport): void => {
    if (isWelcome) {
      hear(message as LauncherReport)
    } else if (message.kind === 'left') {
      left.push(message.container)
    } else if (message.kind === 'refused' && !message.isLeaving) {
      answer.reject(new IoError('REFUSED', message.message))
    } else if (message.kind === 'welcome') {
      isWelcome = true
      clearTimeout(timer)
      let isClosed = false
      closed = () => {
        isClosed = true
      }
      answer.resolve({
        socket,
        launcherPid: message.pid,
        left,
        listen: (hearNext, closedNext) => {
          for (const report of early.splice(0)) hearNext(report)
          hear = hearNext
          closed = closedNext
          if (isClosed) closedNext()
        },
      })
    }
  }
  const timer = setTimeout(() => {
    answer.reject(new IoError('TIMEOUT', 'the launcher does not answer: its process is stopped or hangs'))
    socket.destroy()
  }, PATIENCE_MS)
  socket.on('data', (chunk: Buffer) => {
    try {
      for (const line of reader.push(chunk)) take(JSON.parse(line) as LauncherGreeting | LauncherReport)
    } catch (error) {
      // Not the protocol: the next launcher may speak it.
      if (!(error instanceof SyntaxError)) throw error
      socket.destroy()
    }
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    clearTimeout(timer)
    closed()
  })
  socket.write(`${JSON.stringify(hello)}\n`)
}
