// Says what is wrong with a history of chaos; nothing is when every task was launched and started once at most, its updates came
// in order and to one end, and the end told is the end it had.

import { isTerminal } from '@isthmus/core/framework/task-states'
import type { TaskState } from '@isthmus/proto/gen/mesos'
import type { History, LedgerLine } from './ledger.ts'

/** One task as the ledger tells it. */
export interface LedgerTask {
  readonly taskId: string
  readonly agentId: string
  /** What it ends with when nothing happens to it. */
  readonly exitCode: number
  wasKilled: boolean
  /** States told, in order; repeats left out. */
  readonly states: TaskState[]
  /** The last state in the stream of its agent, of which no update is left out. */
  streamed: TaskState | undefined
}

/** What may have happened to tasks besides what they did by themselves. */
export interface Excuses {
  /** Agents whose containers were killed: their tasks may be lost. */
  readonly agentIds: ReadonlySet<string>
}

/** Ends that leave open what became of the task. */
const LOST: ReadonlySet<TaskState> = new Set(['TASK_LOST', 'TASK_DROPPED', 'TASK_GONE', 'TASK_GONE_BY_OPERATOR'])
/** The states of a task on its way; updates of its agent never go back. */
const STEPS: readonly TaskState[] = ['TASK_STAGING', 'TASK_STARTING', 'TASK_RUNNING', 'TASK_KILLING']

/** Returns what does not agree, a line for each; empty = all is well. O(lines). */
export function checkHistory(history: History, excuses: Excuses = { agentIds: new Set() }): string[] {
  const { tasks, problems } = readTasks(history.lines)
  for (const task of tasks.values()) problems.push(...checkTask(task, history, excuses))
  for (const taskId of history.starts.keys()) {
    if (!tasks.has(taskId)) problems.push(`${taskId}: ran, and was never launched`)
  }
  return problems
}

/** The tasks of a ledger by id, and what is wrong with its lines already. */
export function readTasks(lines: readonly LedgerLine[]): {
  readonly tasks: Map<string, LedgerTask>
  readonly problems: string[]
} {
  const books = new Books()
  for (const line of lines) books.take(line)
  return books
}

/** Tasks whose end was not told. */
export function openTasks(tasks: ReadonlyMap<string, LedgerTask>): LedgerTask[] {
  return [...tasks.values()].filter(({ states }) => !hasEnded(states))
}

/** Says whether nobody knows how a task ended. */
export function isLost({ states }: LedgerTask): boolean {
  const last = states.at(-1)
  return last !== undefined && LOST.has(last)
}

class Books {
  readonly tasks = new Map<string, LedgerTask>()
  readonly problems: string[] = []
  /** The state told under each uuid. */
  readonly #told = new Map<string, string>()
  #frameworkId: string | undefined

  take(line: LedgerLine): void {
    switch (line.kind) {
      case 'began':
        return
      case 'subscribed':
        if (this.#frameworkId !== undefined && this.#frameworkId !== line.frameworkId) {
          this.problems.push(`the framework ${this.#frameworkId} became ${line.frameworkId}`)
        }
        this.#frameworkId = line.frameworkId
        return
      case 'launched':
        this.#launched(line)
        return
      case 'killed': {
        const task = this.tasks.get(line.taskId)
        if (task !== undefined) task.wasKilled = true
        return
      }
      case 'updated':
        this.#updated(line)
        return
      case 'problem':
        this.problems.push(line.text)
        return
      default:
        line satisfies never
    }
  }

  #launched({ taskId, agentId, exitCode }: Extract<LedgerLine, { kind: 'launched' }>): void {
    if (this.tasks.has(taskId)) this.problems.push(`${taskId}: launched twice`)
    else this.tasks.set(taskId, { taskId, agentId, exitCode, wasKilled: false, states: [], streamed: undefined })
  }

  #updated({ taskId, state, uuid }: Extract<LedgerLine, { kind: 'updated' }>): void {
    const task = this.tasks.get(taskId)
    if (task === undefined) {
      this.problems.push(`${taskId}: ${state} of a task that was never launched`)
      return
    }
    if (uuid !== undefined) {
      const before = this.#told.get(uuid)
      // An update is repeated until its acknowledgement arrives.
      if (before === `${taskId} ${state}`) return
      if (before !== undefined) this.problems.push(`${taskId}: ${state} under the uuid of ${before}`)
      this.#told.set(uuid, `${taskId} ${state}`)
      // An agent that was away tells the present state first, and then everything that was not acknowledged.
      if (isBefore(state, task.streamed)) this.problems.push(`${taskId}: back from ${task.streamed} to ${state}`)
      task.streamed = state
    }
    const last = task.states.at(-1)
    if (last === state) return
    if (hasEnded(task.states)) this.problems.push(`${taskId}: ${state} after ${last}`)
    task.states.push(state)
  }
}

function checkTask(task: LedgerTask, { starts, ends }: History, excuses: Excuses): string[] {
  const { taskId, states, wasKilled } = task
  const told = states.join(' ') || 'nothing was told'
  const startCount = starts.get(taskId) ?? 0
  const endCount = ends.get(taskId) ?? 0
  const problems: string[] = []
  if (startCount > 1) problems.push(`${taskId}: started ${startCount} times (${told})`)
  if (endCount > startCount) problems.push(`${taskId}: ended ${endCount} times after ${startCount} starts (${told})`)
  const last = states.at(-1)
  if (last === undefined || !hasEnded(states)) return [...problems, `${taskId}: its end was never told (${told})`]
  const isExcused = excuses.agentIds.has(task.agentId)
  if (endCount > 0) {
    const own: TaskState = task.exitCode === 0 ? 'TASK_FINISHED' : 'TASK_FAILED'
    // A kill may come too late, and too late to be known as such; without its launcher nobody sees how a task ends.
    const isTrue =
      last === own || (last === 'TASK_KILLED' && wasKilled) || (isExcused && (isLost(task) || last === 'TASK_FAILED'))
    if (!isTrue) problems.push(`${taskId}: ran to its end with exit code ${task.exitCode}, told ${told}`)
    return problems
  }
  if (last === 'TASK_FINISHED') problems.push(`${taskId}: did not run to its end, told ${told}`)
  else if (last === 'TASK_KILLED' && !wasKilled) problems.push(`${taskId}: nobody killed it, told ${told}`)
  else if (last === 'TASK_FAILED' && !isExcused) problems.push(`${taskId}: failed without having run, told ${told}`)
  else if (isLost(task) && startCount > 0 && !isExcused) problems.push(`${taskId}: started, and told ${told}`)
  else if (last === 'TASK_ERROR') problems.push(`${taskId}: refused, told ${told}`)
  return problems
}

function isBefore(state: TaskState, last: TaskState | undefined): boolean {
  return last !== undefined && STEPS.includes(state) && STEPS.indexOf(state) < STEPS.indexOf(last)
}

function hasEnded(states: readonly TaskState[]): boolean {
  const last = states.at(-1)
  return last !== undefined && isTerminal(last)
}
