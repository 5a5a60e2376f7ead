// Checks against real commands and servers.

import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { openLauncher } from '../src/io/containers/launcher/launcher-client.ts'
import type { CheckRequest, CheckResult } from '../src/io/health/check.ts'
import { openCheckRunner } from '../src/io/health/check-runner.ts'
import { silentLog } from '../src/io/observe/logger.ts'

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const TIMEOUT_MS = 10_000

type Run = (request: CheckRequest, timeoutMs?: number) => Promise<CheckResult>

function openRunner(t: ExecutionContext): Run {
  const launcher = openLauncher({ log: silentLog })
  t.teardown(() => launcher.close())
  const runner = openCheckRunner({ launcher })
  return (request, timeoutMs = TIMEOUT_MS) => runner.run(request, { timeoutMs })
}

function shell(value: string): CheckRequest {
  return { kind: 'command', containerId: 'c', command: { kind: 'shell', value }, env: { PATH, A: 'b' }, cwd: '/tmp' }
}

async function portOf(t: ExecutionContext, server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.close()
  })
  return (server.address() as AddressInfo).port
}

const commands: readonly (readonly [line: string, expected: CheckResult])[] = [
  ['true', { kind: 'command', exitCode: 0 }],
  ['exit 3', { kind: 'command', exitCode: 3 }],
  ['test "$A" = b && test "$(pwd)" = /tmp', { kind: 'command', exitCode: 0 }],
  ['nosuchword', { kind: 'command', exitCode: 127 }],
  ['kill -9 $$', { kind: 'failed', reason: 'Command terminated with signal 9' }],
]
for (const [line, expected] of commands) {
  test(`the command '${line}' is ${JSON.stringify(expected)}`, async (t) => {
    t.deepEqual(await openRunner(t)(shell(line)), expected)
  })
}

test('a command that takes too long is killed with its tree', async (t) => {
  const run = openRunner(t)
  const word = `8000001${process.pid}`
  t.deepEqual(await run(shell(`setsid sleep ${word} & sleep ${word}`), 1_000), {
    kind: 'failed',
    reason: 'Command check has not returned after 1secs; aborting',
  })
  const left = readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(word)
    } catch {
      return false
    }
  })
  t.deepEqual(left, [])
})

test('a command that cannot start is a failure', async (t) => {
  const run = openRunner(t)
  const request = { ...shell('true'), cwd: '/nosuchfolder' } as CheckRequest
  t.deepEqual(await run(request), {
    kind: 'failed',
    reason: "Failed to chdir into '/nosuchfolder': No such file or directory",
  })
})

test('http gives the status after redirects; no answer is a failure, in time', async (t) => {
  const run = openRunner(t)
  const server = createServer((request, answer) => {
    if (request.url === '/moved') answer.writeHead(302, { Location: '/bad' }).end()
    if (request.url === '/bad') answer.writeHead(503).end('busy')
    if (request.url === '/') answer.end('fine')
  })
  t.teardown(() => server.closeAllConnections())
  const port = await portOf(t, server)
  const http = (path?: string): CheckRequest => ({ kind: 'http', scheme: 'http', port, path })
  t.deepEqual(await run(http()), { kind: 'http', statusCode: 200 })
  t.deepEqual(await run(http('/bad')), { kind: 'http', statusCode: 503 })
  t.deepEqual(await run(http('/moved')), { kind: 'http', statusCode: 503 })
  t.deepEqual(await run(http('/silent'), 250), {
    kind: 'failed',
    reason: 'HTTP check has not returned after 250ms; aborting',
  })
  const refused = await run({ kind: 'http', scheme: 'http', port: 1 })
  t.regex(refused.kind === 'failed' ? refused.reason : '', /ECONNREFUSED/)
})

test('tcp succeeds when something listens', async (t) => {
  const run = openRunner(t)
  const port = await portOf(
    t,
    createTcpServer((socket) => socket.destroy()),
  )
  t.deepEqual(await run({ kind: 'tcp', port }), { kind: 'tcp', succeeded: true })
  t.deepEqual(await run({ kind: 'tcp', port: 1 }), { kind: 'tcp', succeeded: false })
})
