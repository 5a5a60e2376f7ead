// Runs one check once and says what it found. When to check and what to make of it is the agent machine's business.

import { randomUUID } from 'node:crypto'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect } from 'node:net'
import { durationText } from '../containers/executor-environment.ts'
import type { Launcher } from '../containers/launcher/launcher.ts'
import { IoError } from '../io-error.ts'
import type { CheckRequest, CheckResult, CheckRunner } from './check.ts'

const LOOPBACK = '127.0.0.1'
const REDIRECTS_MAX = 10
/** Low seven bits of a wait status: the signal. */
const SIGNAL_MASK = 0x7f

type CommandCheck = Extract<CheckRequest, { kind: 'command' }>
type HttpCheck = Extract<CheckRequest, { kind: 'http' }>
type TcpCheck = Extract<CheckRequest, { kind: 'tcp' }>

/** Makes a runner of checks; commands run through the launcher, as containers nested in the one they check. */
export function openCheckRunner({ launcher }: { readonly launcher: Launcher }): CheckRunner {
  // Those of an agent before may still be dying.
  const run = randomUUID().slice(0, 8)
  let lastCheck = 0
  return {
    run: async (request, { timeoutMs }) => {
      switch (request.kind) {
        case 'command':
          lastCheck += 1
          return checkCommand(launcher, request, { name: `${run}-${lastCheck}`, timeoutMs })
        case 'http':
          return checkHttp(request, timeoutMs)
        case 'tcp':
          return checkTcp(request, timeoutMs)
        default:
          return request satisfies never
      }
    },
  }
}

function checkCommand(
  launcher: Launcher,
  { containerId, command, env, cwd, user }: CommandCheck,
  { name, timeoutMs }: { readonly name: string; readonly timeoutMs: number },
): Promise<CheckResult> {
  const checkId = `${containerId}.check-${name}`
  const shell = command.kind === 'shell'
  const file = shell ? '/bin/sh' : command.file
  const argv = shell ? ['sh', '-c', command.value] : command.argv
  return new Promise((resolve) => {
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      launcher.destroy(checkId)
    }, timeoutMs)
    const end = (result: CheckResult): void => {
      clearTimeout(timer)
      resolve(isLate ? late('Command', timeoutMs) : result)
    }
    launcher.launch(
      { containerId: checkId, file, argv, env, cwd, user },
      {
        onStarted: () => {},
        onLaunchFailed: ({ message }) => end({ kind: 'failed', reason: message }),
        onExited: ({ waitStatus, reason }) => end(commandResult(waitStatus, reason)),
      },
    )
  })
}

function commandResult(waitStatus: number | undefined, reason: string | undefined): CheckResult {
  if (reason !== undefined || waitStatus === undefined)
    return { kind: 'failed', reason: reason ?? 'its end is unknown' }
  const signal = waitStatus & SIGNAL_MASK
  if (signal !== 0) return { kind: 'failed', reason: `Command terminated with signal ${signal}` }
  return { kind: 'command', exitCode: waitStatus >> 8 }
}

async function checkHttp({ scheme, host, port, path }: HttpCheck, timeoutMs: number): Promise<CheckResult> {
  const name = host ?? LOOPBACK
  const start = `${scheme}://${name.includes(':') ? `[${name}]` : name}:${port}${path ?? '/'}`
  const signal = AbortSignal.timeout(timeoutMs)
  try {
    let url = new URL(start)
    for (let hops = 0; hops <= REDIRECTS_MAX; hops++) {
      const { statusCode = 0, location } = await statusOf(url, signal)
      if (statusCode < 300 || statusCode >= 400 || location === undefined) return { kind: 'http', statusCode }
      if (!URL.canParse(location, url.href)) return { kind: 'http', statusCode }
      url = new URL(location, url.href)
    }
    return { kind: 'failed', reason: `more than ${REDIRECTS_MAX} redirects from ${start}` }
  } catch (error) {
    if (signal.aborted) return late(scheme.toUpperCase(), timeoutMs)
    return { kind: 'failed', reason: `${start}: ${IoError.from(error).message}` }
  }
}

/** The status of a GET; the body is not read. */
function statusOf(
  url: URL,
  signal: AbortSignal,
): Promise<{ readonly statusCode: number | undefined; readonly location: string | undefined }> {
  return new Promise((resolve, reject) => {
    const answered = (answer: IncomingMessage): void => {
      answer.destroy()
      resolve({ statusCode: answer.statusCode, location: answer.headers.location })
    }
    // Tasks check themselves with certificates of their own making.
    const request =
      url.protocol === 'https:'
        ? httpsRequest(url, { signal, agent: false, rejectUnauthorized: false }, answered)
        : httpRequest(url, { signal, agent: false }, answered)
    request.on('error', reject)
    request.end()
  })
}

function checkTcp({ host, port }: TcpCheck, timeoutMs: number): Promise<CheckResult> {
  return new Promise((resolve) => {
    const socket = connect({ host: host ?? LOOPBACK, port })
    const end = (result: CheckResult): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(result)
    }
    const timer = setTimeout(() => end(late('TCP', timeoutMs)), timeoutMs)
    socket.once('connect', () => end({ kind: 'tcp', succeeded: true }))
    // Refused is an answer: nothing listens.
    socket.once('error', () => end({ kind: 'tcp', succeeded: false }))
  })
}

function late(what: string, timeoutMs: number): CheckResult {
  return { kind: 'failed', reason: `${what} check has not returned after ${durationText(timeoutMs)}; aborting` }
}
