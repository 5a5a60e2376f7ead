// The launcher in the form that outlives its agent: as launcher-process.ts, but in a session of its own and found by a socket in
// its folder (launcher-folder.ts). Arguments: the folder, and the mark of its processes.
//
//   agent gone: containers with survivesMs 0 are killed, the others once their time is over; an agent that comes back stops the clock
//   nothing left and no agent: the launcher ends and removes its socket; ends that nobody has released stay in their files
//   killed itself: the next launcher adopts what runs
//
// One at a time works in a folder: it holds an abstract socket named after the folder, which the kernel frees with the process.

import { closeSync, openSync, rmSync, statSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { AgentConnection, versionConflict } from './agent-connection.ts'
import { closeInherited } from './close-inherited.ts'
import { SOCKET_NAME } from './folder-names.ts'
import { type AgentHello, EXIT_IS_SERVED, type LauncherCommand } from './protocol.ts'
import { SurvivingContainers } from './surviving-containers.ts'

/** A new launcher to which no agent speaks ends, unless containers run. */
const FIRST_AGENT_PATIENCE_MS = 30_000
/** The agent has asked for the end and something cannot be killed: leave anyway; the next launcher adopts it. */
const LAST_PATIENCE_MS = 90_000

const [folder = '', launcherId = ''] = process.argv.slice(-2)
const warn = (message: string): unknown => process.stderr.write(`${message}\n`)
let containers: SurvivingContainers | undefined
let agent: AgentConnection | undefined
/** The first agent has not come yet. */
let isAwaited = true
/** The agent wants the end of everything. */
let isClosing = false

closeInherited()
// A terminal's signals are for the agent. SIGTERM ends the launcher only.
for (const signal of ['SIGINT', 'SIGHUP', 'SIGPIPE'] as const) process.on(signal, () => {})
process.on('SIGTERM', leave)
work()

function work(): void {
  const { dev, ino } = statSync(folder)
  const lock = createServer()
  lock.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EADDRINUSE') process.exit(EXIT_IS_SERVED)
    throw error
  })
  lock.on('connection', (socket) => socket.destroy())
  lock.listen({ path: `\0isthmus-launcher/${dev}:${ino}` }, () => void serve())
}

async function serve(): Promise<void> {
  containers = new SurvivingContainers({
    folder,
    launcherId,
    report: (report) => agent?.say(report),
    warn,
    ended: endIfIdle,
  })
  await containers.settled()
  // Whoever left one there is gone: the lock is ours.
  rmSync(join(folder, SOCKET_NAME), { force: true })
  // By way of the open folder the name stays short enough for a socket, however deep the folder lies.
  const directory = openSync(folder, 'r')
  createServer(connected).listen({ path: `/proc/self/fd/${directory}/${SOCKET_NAME}` }, () => closeSync(directory))
  setTimeout(() => {
    isAwaited = false
    endIfIdle()
  }, FIRST_AGENT_PATIENCE_MS).unref()
}

function connected(socket: Socket): void {
  const connection = new AgentConnection(socket, {
    greeted: (hello) => greet(connection, hello),
    obey: (command) => obey(command, connection.session),
    closed: () => {
      if (agent !== connection) return
      agent = undefined
      containers?.abandon()
      endIfIdle()
    },
  })
}

function greet(connection: AgentConnection, hello: AgentHello): void {
  const conflict = versionConflict(hello)
  if (conflict !== undefined) {
    refuseVersion(connection, conflict)
    return
  }
  // The kernel may tell us of a connection before it tells of the end of the one before.
  if (agent !== undefined && !(agent.isAlive() && agent.session !== hello.session)) {
    isAwaited = true
    agent.drop()
  }
  if (agent !== undefined) {
    const message = `another agent (process ${agent.pid}) uses the launcher (process ${process.pid})`
    connection.refuse(message, { isLeaving: false })
    return
  }
  agent = connection
  isAwaited = false
  connection.welcome(containers!.greet(hello.session))
}

/** An idle one makes way for a launcher of the agent's version. */
function refuseVersion(connection: AgentConnection, conflict: string): void {
  const isLeaving = agent === undefined && containers!.size === 0
  const { size } = containers!
  connection.refuse(`${conflict}; it stays for its ${size} containers, which the agent before can still use`, {
    isLeaving,
  })
  if (isLeaving) leave()
}

function obey(command: LauncherCommand, session: string): void {
  switch (command.kind) {
    case 'launch':
      if (!isClosing) containers!.launch(command.request, session)
      return
    case 'signal':
      containers!.signal(command.containerId, command.signal, command.isTree)
      return
    case 'destroy':
      containers!.destroy(command.containerId)
      return
    case 'usage':
      agent?.say({ kind: 'usage', requestId: command.requestId, usage: containers!.usage(command.containerId) })
      return
    case 'keep':
      containers!.keep(command.containerId, command.keepsake)
      return
    case 'release':
      containers!.release(command.containerId)
      return
    case 'close':
      isClosing = true
      containers!.destroyAll()
      setTimeout(leave, LAST_PATIENCE_MS).unref()
      endIfIdle()
      return
    default:
      command satisfies never
  }
}

function endIfIdle(): void {
  const isNeeded = agent === undefined ? isAwaited : !isClosing
  if (!isNeeded && containers?.size === 0) leave()
}

/** Containers that run are left to the next launcher. */
function leave(): void {
  rmSync(join(folder, SOCKET_NAME), { force: true })
  process.exit(0)
}
