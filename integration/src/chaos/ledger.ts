// The books of chaos: what a framework did and was told, line by line as it happened, beside what every task wrote by itself.
//
//   <folder>/ledger.jsonl     one LedgerLine a line, written by the framework before the call it tells of leaves
//   <folder>/tasks/<id>       a line for each start of the task
//   <folder>/tasks/<id>.end   a line for each time it ran to its end
//
// check-history.ts says whether they agree.

import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TaskState } from '@isthmus/proto/gen/mesos'

/** What the framework is told when it starts. */
export interface LedgerFrameworkOrder {
  readonly master: string
  readonly folder: string
  readonly seed: number
  /** Tasks that run until the end, at most. */
  readonly longTasksMax: number
}

/** The environment variable by which its tasks are known; its value begins with the folder. */
export const TASK_MARK = 'ISTHMUS_CHAOS_TASK'
/** What each task takes. */
export const NEEDS = { cpus: 0.5, memoryMb: 32 } as const

/** One thing the framework did or was told. */
export type LedgerLine =
  /** The scheduler began, the first time or after it was killed. */
  | { readonly kind: 'began' }
  | { readonly kind: 'subscribed'; readonly frameworkId: string }
  /** A task is about to be launched. */
  | { readonly kind: 'launched'; readonly taskId: string; readonly agentId: string; readonly exitCode: number }
  /** Its kill is about to be asked for. */
  | { readonly kind: 'killed'; readonly taskId: string }
  /** An update; one with `uuid` is acknowledged after this line is written. */
  | {
      readonly kind: 'updated'
      readonly taskId: string
      readonly state: TaskState
      readonly uuid?: string | undefined
      readonly reason?: string | undefined
    }
  /** What must never happen, as the framework saw it. */
  | { readonly kind: 'problem'; readonly text: string }

/** What was written about one run. */
export interface History {
  readonly lines: readonly LedgerLine[]
  /** How often each task started, by id. */
  readonly starts: ReadonlyMap<string, number>
  /** How often each task ran to its end, by id. */
  readonly ends: ReadonlyMap<string, number>
}

/** The files of a run. */
export class Ledger {
  readonly tasksFolder: string
  readonly #file: string

  /** `folder` is made when it is missing. */
  constructor(folder: string) {
    this.tasksFolder = join(folder, 'tasks')
    this.#file = join(folder, 'ledger.jsonl')
    mkdirSync(this.tasksFolder, { recursive: true })
  }

  /** Returns when the line is in the file: a framework that is killed after that has written it. */
  write(line: LedgerLine): void {
    appendFileSync(this.#file, `${JSON.stringify(line)}\n`)
  }

  /** The lines written so far. A last line that was not finished is left out. */
  lines(): LedgerLine[] {
    if (!existsSync(this.#file)) return []
    const lines = readFileSync(this.#file, 'utf8').split('\n')
    lines.pop()
    return lines.map((line) => JSON.parse(line) as LedgerLine)
  }

  /** Everything that was written, by the framework and by the tasks. */
  history(): History {
    const starts = new Map<string, number>()
    const ends = new Map<string, number>()
    for (const name of readdirSync(this.tasksFolder)) {
      const count = readFileSync(join(this.tasksFolder, name), 'utf8').split('\n').length - 1
      if (name.endsWith('.end')) ends.set(name.slice(0, -'.end'.length), count)
      else starts.set(name, count)
    }
    return { lines: this.lines(), starts, ends }
  }
}

/** Says whether a task runs until it is let go. */
export function isLong(taskId: string): boolean {
  return taskId.startsWith('long-')
}
