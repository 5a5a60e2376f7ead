import { constants } from 'node:os'
import type { TaskStatus } from '@isthmus/proto/gen/mesos'

/** Exit code for a task that ended without an exit code of its own. */
export const EXIT_TASK_FAILED = 1

/**
 * The exit code that stands for a task's end: its own, 128 + number for a signal (by the words of the command executor),
 * otherwise 1. A finished task is 0.
 */
export function exitCodeOf(status: TaskStatus): number {
  if (status.state === 'TASK_FINISHED') return 0
  const message = status.message ?? ''
  const exited = /exited with status (\d+)/.exec(message)
  if (exited !== null) return Number(exited[1]) || EXIT_TASK_FAILED
  const signalled = /terminated with signal (.+)$/.exec(message)
  const number = signalled === null ? undefined : signalNumber(signalled[1]!)
  return number === undefined ? EXIT_TASK_FAILED : 128 + number
}

/** The exit code of a program that a signal ended, as shells give it: 128 + number. */
export function exitCodeOfSignal(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal]
}

/** By the words of strsignal(3), or the name. */
const SIGNAL_WORDS: Readonly<Record<string, keyof typeof constants.signals>> = {
  Hangup: 'SIGHUP',
  Interrupt: 'SIGINT',
  Quit: 'SIGQUIT',
  Aborted: 'SIGABRT',
  Killed: 'SIGKILL',
  'Segmentation fault': 'SIGSEGV',
  'Broken pipe': 'SIGPIPE',
  'Alarm clock': 'SIGALRM',
  Terminated: 'SIGTERM',
}

function signalNumber(words: string): number | undefined {
  const bare = words.replace(/ \(core dumped\)$/, '')
  const signals: Readonly<Record<string, number>> = constants.signals
  return signals[SIGNAL_WORDS[bare] ?? bare]
}
