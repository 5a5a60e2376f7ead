import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Exit, type GuardedProcess, startGuarded } from '../hadoop/guarded-process.ts'
import { findTree } from '../hadoop/process-tree.ts'
import type { Place } from './place.ts'

const STOP_MS = 15_000

/** A process of ours that may be killed, stopped for a while and started again. */
export class Part {
  readonly name: string
  readonly place: Place
  readonly #command: readonly string[]
  readonly #folder: string
  #process: GuardedProcess | undefined
  #starts = 0

  /** Its output goes to `<folder>/<name>-<starts>.log`. */
  constructor(options: {
    readonly place: Place
    readonly command: readonly string[]
    readonly folder: string
  }) {
    this.name = options.place.name
    this.place = options.place
    this.#command = options.command
    this.#folder = options.folder
  }

  get isRunning(): boolean {
    return this.#process !== undefined
  }

  /** How it ended last time; undefined while it runs. */
  get exited(): Promise<Exit> | undefined {
    return this.#process?.exited
  }

  start(): void {
    this.#starts += 1
    const [command = '', ...args] = this.place.enter(this.#command)
    const process_ = startGuarded({
      command,
      args,
      env: process.env,
      cwd: this.#folder,
      outputFile: join(this.#folder, `${this.name}-${this.#starts}.log`),
    })
    this.#process = process_
    void process_.exited.then(() => {
      if (this.#process === process_) this.#process = undefined
    })
  }

  /** SIGKILL, with everything it started. */
  async kill(): Promise<void> {
    await this.#process?.kill()
    this.#process = undefined
  }

  /** SIGKILL to the process alone; what it started and does not end with it lives on. */
  async killAlone(): Promise<void> {
    const process_ = this.#process
    const pid = await process_?.pid
    if (pid !== undefined) send(pid, 'SIGKILL')
    await process_?.exited
  }

  async stop(): Promise<void> {
    await this.#process?.stop(STOP_MS)
    this.#process = undefined
  }

  /** SIGSTOP for a while, to all it started too; it may have ended meanwhile. */
  async freeze(forMs: number): Promise<void> {
    const pid = await this.#process?.pid
    if (pid === undefined) return
    const members = findTree({ roots: [pid] })
    for (const member of members) send(member, 'SIGSTOP')
    await delay(forMs)
    for (const member of members) send(member, 'SIGCONT')
  }
}

/** Sends a signal; nothing when the process has ended. */
export function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended by itself.
  }
}
