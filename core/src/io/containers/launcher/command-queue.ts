import { type LauncherCommand, LineReader } from './protocol.ts'

/** Commands worked on before the event loop may hear of ended processes. */
const COMMANDS_A_TURN = 8

/** The commands of one agent, obeyed in order and a few at a time. */
export class CommandQueue {
  readonly #reader = new LineReader()
  readonly #obey: (command: LauncherCommand) => void
  #waiting: LauncherCommand[] = []

  constructor(obey: (command: LauncherCommand) => void) {
    this.#obey = obey
  }

  /** Commands not obeyed yet. */
  get size(): number {
    return this.#waiting.length
  }

  /** Takes the next bytes. Throws when they are no commands. */
  push(chunk: Uint8Array): void {
    this.add(this.#reader.push(chunk))
  }

  /** Takes complete lines. */
  add(lines: readonly string[]): void {
    const isIdle = this.#waiting.length === 0
    for (const line of lines) this.#waiting.push(JSON.parse(line) as LauncherCommand)
    if (isIdle) this.#work()
  }

  /** Obeys the rest at once but starts nothing: its agent is gone, which then knows that it was not started. */
  finishWithoutLaunches(): void {
    const rest = this.#waiting.splice(0)
    for (const command of rest) if (command.kind !== 'launch') this.#obey(command)
  }

  #work(): void {
    for (const command of this.#waiting.splice(0, COMMANDS_A_TURN)) this.#obey(command)
    if (this.#waiting.length > 0) setImmediate(() => this.#work())
  }
}
