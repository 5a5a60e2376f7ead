// What the agent and its launcher say to each other, over the launcher's stdin and stdout or, when the launcher survives its
// agent, over a socket: one JSON object a line. Lines of one turn of the event loop leave in one write. The launcher is a
// process of its own, so this file imports nothing but types.
//
// A socket begins with the agent's hello; the launcher answers with one `left` for each container it knows, then `welcome`, or
// with `refused` alone. What was said on an earlier connection and not done is said again by the agent: it knows from the list.

import type { ContainerUsage } from '../container.ts'
import type { ContainerEnd, LaunchRequest, LeftContainer } from './launcher.ts'

/** Agent → launcher. */
export type LauncherCommand =
  | { readonly kind: 'launch'; readonly request: LaunchRequest }
  | { readonly kind: 'signal'; readonly containerId: string; readonly signal: NodeJS.Signals; readonly isTree: boolean }
  | { readonly kind: 'destroy'; readonly containerId: string }
  | { readonly kind: 'usage'; readonly containerId: string; readonly requestId: number }
  /** What the agent wants to find with a container. */
  | { readonly kind: 'keep'; readonly containerId: string; readonly keepsake: string }
  /** The end of this container may be forgotten. */
  | { readonly kind: 'release'; readonly containerId: string }
  /** Kill everything and end. */
  | { readonly kind: 'close' }

/** Launcher → agent. */
export type LauncherReport =
  | { readonly kind: 'started'; readonly containerId: string; readonly pid: number; readonly startTicks: number }
  | { readonly kind: 'launchFailed'; readonly containerId: string; readonly code: string; readonly message: string }
  | ({ readonly kind: 'exited'; readonly containerId: string } & ContainerEnd)
  | { readonly kind: 'usage'; readonly requestId: number; readonly usage: ContainerUsage | undefined }

/** The protocol spoken here, and the oldest one understood. A change that the other side must know makes the number higher. */
export const PROTOCOL_VERSION = 1
export const PROTOCOL_VERSION_OLDEST = 1

/** A process, named for ever by its pid and the clock ticks from boot to its start. */
export interface ProcessName {
  readonly pid: number
  readonly startTicks: number
}

/** First line of an agent on a socket. */
export interface AgentHello {
  readonly kind: 'hello'
  readonly version: number
  readonly oldestVersion: number
  readonly agent: ProcessName
  /** Differs for each run of an agent: containers that do not survive their agent belong to one. */
  readonly session: string
}

/** First lines of a launcher on a socket. */
export type LauncherGreeting =
  | { readonly kind: 'left'; readonly container: LeftContainer }
  | { readonly kind: 'welcome'; readonly version: number; readonly pid: number }
  /** `isLeaving`: it ends at once and makes way for another. */
  | { readonly kind: 'refused'; readonly message: string; readonly isLeaving: boolean }

/** Exit code of a launcher that found another one at work in its folder. */
export const EXIT_IS_SERVED = 75

/** Environment variables that mark every process of a container: whose it is, and by which launcher it was started. */
export const CONTAINER_MARK = 'ISTHMUS_CONTAINER_ID'
export const LAUNCHER_MARK = 'ISTHMUS_LAUNCHER_ID'

/** A longer line is a broken peer. */
export const LINE_BYTES_MAX = 8 * 1024 * 1024

/** Cuts a stream of bytes into lines. Throws when a line grows beyond LINE_BYTES_MAX. */
export class LineReader {
  #rest = ''
  readonly #decoder = new TextDecoder()

  /** Takes the next bytes; returns the lines complete now, without their ends. */
  push(chunk: Uint8Array): readonly string[] {
    const lines = (this.#rest + this.#decoder.decode(chunk, { stream: true })).split('\n')
    this.#rest = lines.pop() ?? ''
    if (this.#rest.length > LINE_BYTES_MAX) throw new Error(`a line of the launcher exceeds ${LINE_BYTES_MAX} bytes`)
    return lines
  }
}

/** Where lines go. */
export interface LineSink {
  readonly write: (text: string) => unknown
}

/** Collects what is said in one turn of the event loop and writes it at once. */
export class LineWriter<Message> {
  #pending: string[] = []
  readonly #sink: LineSink

  constructor(sink: LineSink) {
    this.#sink = sink
  }

  /** Says one thing, at the end of this turn. */
  say(message: Message): void {
    if (this.#pending.length === 0) setImmediate(() => this.flush())
    this.#pending.push(JSON.stringify(message))
  }

  /** Writes what is collected now. */
  flush(): void {
    if (this.#pending.length === 0) return
    const text = `${this.#pending.join('\n')}\n`
    this.#pending = []
    this.#sink.write(text)
  }
}

/** The wait status of Node's exit event: exit code << 8, or the number of the signal. */
export function waitStatusOf(
  exit: { readonly code: number | null; readonly signal: string | null },
  signals: Readonly<Record<string, number>>,
): number {
  if (exit.signal !== null) return signals[exit.signal] ?? 0x7f
  return ((exit.code ?? 0) & 0xff) << 8
}

/** Says whether a container is another one or nested in it. */
export function isWithin(containerId: string, ancestorId: string): boolean {
  return containerId === ancestorId || containerId.startsWith(`${ancestorId}.`)
}
