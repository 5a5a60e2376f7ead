// The launcher: a small process beside the agent that starts and watches all processes of its containers. Forking costs by
// the size of the one that forks, so the agent does not. It reads commands on stdin and reports on stdout (protocol.ts). When
// stdin ends the agent is gone, however it went: the containers are killed, and the launcher ends after the last one. The last
// argument marks its processes. Imports stay few: start time and memory count. The form that outlives its agent:
// surviving-process.ts.

import { closeInherited } from './close-inherited.ts'
import { CommandQueue } from './command-queue.ts'
import { type LauncherCommand, type LauncherReport, LineWriter } from './protocol.ts'
import { TreeKeeper } from './tree-keeper.ts'

/** The agent is gone and something cannot be killed: leave anyway. */
const LAST_PATIENCE_MS = 90_000
const END_CHECK_MS = 5

const launcherId = process.argv.at(-1) ?? ''
const writer = new LineWriter<LauncherReport>(process.stdout)
const keeper = new TreeKeeper(launcherId, (report) => writer.say(report))
const queue = new CommandQueue(obey)
let isEnding = false

closeInherited()

process.stdin.on('data', (chunk: Buffer) => queue.push(chunk))
process.stdin.on('close', end)
process.stdin.on('error', end)
// The agent is gone; stdin tells the same.
process.stdout.on('error', () => {})
process.stderr.on('error', () => {})
process.on('SIGTERM', end)
// A terminal's signals are for the agent, which then tells us.
for (const signal of ['SIGINT', 'SIGHUP', 'SIGPIPE'] as const) process.on(signal, () => {})

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
    case 'keep':
    case 'release':
      // Nothing outlives the agent.
      return
    case 'close':
      end()
      return
    default:
      command satisfies never
  }
}

/** Kills all containers and ends when none is left. */
function end(): void {
  keeper.destroyAll()
  if (isEnding) return
  isEnding = true
  setTimeout(() => process.exit(1), LAST_PATIENCE_MS).unref()
  setInterval(() => {
    if (keeper.size > 0 || queue.size > 0) return
    writer.flush()
    process.exit(0)
  }, END_CHECK_MS)
}
