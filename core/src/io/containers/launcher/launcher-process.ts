// The launcher: a small process beside the agent that starts and watches all processes of its containers. Forking costs by
// the size of the one that forks, so the agent does not. It reads commands on stdin and reports on stdout (protocol.ts). When
// stdin ends the agent is gone, however it went: the containers are killed or kept, as the argument before the last says, and
// the launcher ends after the last one. The last argument marks its processes. Imports stay few: start time and memory count.

import { closeSync, readdirSync, readFileSync } from 'node:fs'
import { type LauncherCommand, type LauncherReport, LineReader, LineWriter } from './protocol.ts'
import { TreeKeeper } from './tree-keeper.ts'

/** Commands worked on before the event loop may hear of ended processes. */
const COMMANDS_A_TURN = 8
/** The agent is gone and something cannot be killed: leave anyway. */
const LAST_PATIENCE_MS = 90_000
const END_CHECK_MS = 5
/** O_CLOEXEC as Linux counts it on x86 and ARM; Node opens everything of its own with it. */
const CLOSE_ON_EXEC = 0o2000000

const [onAgentExit, launcherId = ''] = process.argv.slice(-2)
const keepsOnAgentExit = onAgentExit === 'keep'
const writer = new LineWriter<LauncherReport>(process.stdout)
const keeper = new TreeKeeper(launcherId, (report) => writer.say(report))
const reader = new LineReader()
const waiting: LauncherCommand[] = []
let isEnding = false

closeInherited()

process.stdin.on('data', (chunk: Buffer) => {
  const isIdle = waiting.length === 0
  for (const line of reader.push(chunk)) waiting.push(JSON.parse(line) as LauncherCommand)
  if (isIdle) work()
})
process.stdin.on('close', () => end(keepsOnAgentExit))
process.stdin.on('error', () => end(keepsOnAgentExit))
// The agent is gone; stdin tells the same.
process.stdout.on('error', () => {})
process.stderr.on('error', () => {})
process.on('SIGTERM', () => end(false))
// A terminal's signals are for the agent, which then tells us.
for (const signal of ['SIGINT', 'SIGHUP', 'SIGPIPE'] as const) process.on(signal, () => {})

/** Closes what whoever started the agent left open: containers would hold it open for as long as they run. */
function closeInherited(): void {
  for (const name of readdirSync('/proc/self/fd')) {
    if (Number(name) <= 2) continue
    try {
      const flags = /^flags:\s*0*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${name}`, 'latin1'))?.[1]
      if (flags !== undefined && (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) === 0) closeSync(Number(name))
    } catch {
      // The one that listed the folder: closed by now.
    }
  }
}

function work(): void {
  for (const command of waiting.splice(0, COMMANDS_A_TURN)) obey(command)
  if (waiting.length > 0) setImmediate(work)
}

function obey(command: LauncherCommand): void {
  switch (command.kind) {
    case 'launch':
      if (!isEnding) keeper.launch(command.request)
      return
    case 'signal':
      keeper.signal(command.containerId, command.signal, command.isTree)
      return
    case 'destroy':
      keeper.destroy(command.containerId)
      return
    case 'usage':
      writer.say({ kind: 'usage', requestId: command.requestId, usage: keeper.usage(command.containerId) })
      return
    case 'close':
      end(false)
      return
    default:
      command satisfies never
  }
}

/** Ends when no container is left; kills them all unless they may stay. */
function end(keeps: boolean): void {
  if (!keeps) keeper.destroyAll()
  if (isEnding) return
  isEnding = true
  if (!keeps) setTimeout(() => process.exit(1), LAST_PATIENCE_MS).unref()
  setInterval(() => {
    if (keeper.size > 0 || waiting.length > 0) return
    writer.flush()
    process.exit(0)
  }, END_CHECK_MS)
}
