import type { Socket } from 'node:net'
import { CommandQueue } from './command-queue.ts'
import type { LeftContainer } from './launcher.ts'
import { isRunning } from './process-table.ts'
import {
  type AgentHello,
  type LauncherCommand,
  type LauncherGreeting,
  type LauncherReport,
  LineReader,
  LineWriter,
  PROTOCOL_VERSION,
  PROTOCOL_VERSION_OLDEST,
} from './protocol.ts'

/** One who connects and says nothing is let go. */
const HELLO_PATIENCE_MS = 10_000

/** What a connection tells of its agent. */
export interface AgentConnectionHandlers {
  /** It has said who it is; answered by welcome() or refuse(). */
  readonly greeted: (hello: AgentHello) => void
  readonly obey: (command: LauncherCommand) => void
  /** It is gone; commands that were heard before are done, launches left out. */
  readonly closed: () => void
}

/** The connection of one agent, or of one that would like to be it. */
export class AgentConnection {
  readonly #socket: Socket
  readonly #handlers: AgentConnectionHandlers
  readonly #writer: LineWriter<LauncherReport | LauncherGreeting>
  readonly #queue: CommandQueue
  readonly #firstLines = new LineReader()
  #hello: AgentHello | undefined
  #isWelcome = false
  #isClosed = false

  constructor(socket: Socket, handlers: AgentConnectionHandlers) {
    this.#socket = socket
    this.#handlers = handlers
    this.#writer = new LineWriter({ write: (text) => socket.write(text) })
    this.#queue = new CommandQueue(handlers.obey)
    const timer = setTimeout(() => this.#hello ?? socket.destroy(), HELLO_PATIENCE_MS)
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    // Its end is told by `close`.
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(timer)
      this.#closed()
    })
  }

  /** Run of the agent; empty before its hello. */
  get session(): string {
    return this.#hello?.session ?? ''
  }

  /** Process of the agent. */
  get pid(): number | undefined {
    return this.#hello?.agent.pid
  }

  /** Says whether the process at the other end runs. */
  isAlive(): boolean {
    return !this.#isClosed && this.#hello !== undefined && isRunning(this.#hello.agent)
  }

  #read(chunk: Buffer): void {
    try {
      if (this.#hello === undefined) this.#readHello(chunk)
      else this.#queue.push(chunk)
    } catch {
      // Not our protocol.
      this.#socket.destroy()
    }
  }

  /** An agent says hello and waits for the answer. */
  #readHello(chunk: Buffer): void {
    const [line] = this.#firstLines.push(chunk)
    if (line === undefined) return
    const hello = JSON.parse(line) as AgentHello
    if (hello.kind !== 'hello' || typeof hello.session !== 'string') throw new Error('not a hello')
    this.#hello = hello
    this.#handlers.greeted(hello)
  }

  /** Takes the agent, with what there is. */
  welcome(containers: readonly LeftContainer[]): void {
    this.#isWelcome = true
    for (const container of containers) this.#writer.say({ kind: 'left', container })
    this.#writer.say({ kind: 'welcome', version: PROTOCOL_VERSION, pid: process.pid })
  }

  /** Lets it go with a reason. */
  refuse(message: string, { isLeaving }: { readonly isLeaving: boolean }): void {
    this.#writer.say({ kind: 'refused', message, isLeaving })
    this.#writer.flush()
    this.#socket.end()
  }

  /** Tells the agent something. */
  say(report: LauncherReport): void {
    this.#writer.say(report)
  }

  /** Its process is gone although its connection is not yet. */
  drop(): void {
    this.#socket.destroy()
    this.#closed()
  }

  #closed(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    if (!this.#isWelcome) return
    this.#queue.finishWithoutLaunches()
    this.#handlers.closed()
  }
}

/** Why this launcher and an agent do not understand each other; undefined when they do. */
export function versionConflict({ version, oldestVersion }: AgentHello): string | undefined {
  if (version >= PROTOCOL_VERSION_OLDEST && oldestVersion <= PROTOCOL_VERSION) return undefined
  return (
    `the launcher (process ${process.pid}) speaks the versions ${PROTOCOL_VERSION_OLDEST} to ${PROTOCOL_VERSION} of the ` +
    `launcher protocol, the agent ${oldestVersion} to ${version}`
  )
}
