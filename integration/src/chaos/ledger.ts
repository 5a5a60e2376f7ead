// What a framework was promised, and what really ran: every launch, every update, and what each task wrote by itself. At the end
// all three have to agree.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isTerminal } from '@isthmus/core/framework/task-states'
import type { TaskState } from '@isthmus/proto/gen/mesos'

/** States that a task may end in without having run to its end. */
const LOST: readonly TaskState[] = [
  'TASK_LOST',
  'TASK_DROPPED',
  'TASK_UNREACHABLE',
  'TASK_GONE',
  'TASK_GONE_BY_OPERATOR',
]

/** One task of the ledger. */
export interface Entry {
  readonly taskId: string
  readonly agentId: string
  /** What it ends with when nothing happens to it. */
  readonly exitCode: number
  /** States told, in order; repeats left out. */
  readonly states: TaskState[]
}

/** The books of one framework. */
export class Ledger {
  readonly entries = new Map<string, Entry>()
  /** What must never happen, as it is seen. */
  readonly problems: string[] = []
  readonly #folder: string

  /** `folder` is where tasks write: `<id>` gets a line for each start, `<id>.end` one for an end. */
  constructor(folder: string) {
    this.#folder = folder
  }

  /** A task is about to be launched. */
  launched(taskId: string, agentId: string, exitCode: number): void {
    this.entries.set(taskId, { taskId, agentId, exitCode, states: [] })
  }

  /** An update came. */
  updated(taskId: string, state: TaskState): void {
    const entry = this.entries.get(taskId)
    if (entry === undefined) {
      this.problems.push(`${taskId}: ${state} of a task that was never launched`)
      return
    }
    const last = entry.states.at(-1)
    if (last === state) return
    const isReturn = last === 'TASK_UNREACHABLE'
    if (hasEnded(last) && !isReturn) {
      this.problems.push(`${taskId}: ${state} after ${last}`)
    }
    entry.states.push(state)
  }

  /** Tasks whose end was not told yet. */
  open(): Entry[] {
    return [...this.entries.values()].filter(({ states }) => !hasEnded(states.at(-1)))
  }

  /** Compares what was told with what ran; returns what does not agree. */
  check(): string[] {
    const problems = [...this.problems]
    for (const entry of this.entries.values()) problems.push(...this.#checkEntry(entry))
    for (const name of readdirSync(this.#folder)) {
      if (!this.entries.has(name.replace(/\.end$/, ''))) problems.push(`${name}: ran, and was never launched`)
    }
    return problems
  }

  #checkEntry({ taskId, states, exitCode }: Entry): string[] {
    const told = states.join(' ')
    const starts = this.#lines(taskId)
    const ends = this.#lines(`${taskId}.end`)
    const last = states.at(-1)
    const problems: string[] = []
    if (starts > 1) problems.push(`${taskId}: started ${starts} times (${told})`)
    if (!hasEnded(last)) problems.push(`${taskId}: its end was never told (${told})`)
    const expected: TaskState = exitCode === 0 ? 'TASK_FINISHED' : 'TASK_FAILED'
    if (last === 'TASK_FINISHED' && (ends !== 1 || exitCode !== 0)) {
      problems.push(`${taskId}: TASK_FINISHED, but it ended ${ends} times, exit code ${exitCode}`)
    }
    if (ends === 1 && last !== expected && !isLost(last)) problems.push(`${taskId}: ran to its end, told ${told}`)
    return problems
  }

  #lines(name: string): number {
    const path = join(this.#folder, name)
    return existsSync(path) ? readFileSync(path, 'utf8').split('\n').length - 1 : 0
  }
}

/** Says whether a state leaves open what became of the task. */
export function isLost(state: TaskState | undefined): boolean {
  return state !== undefined && LOST.includes(state)
}

function hasEnded(state: TaskState | undefined): boolean {
  return state !== undefined && isTerminal(state)
}
