/** Signals: the words of strsignal(3), which Mesos puts into its messages, and their names. */

const SIGNALS: Readonly<Record<number, readonly [name: string, words: string]>> = {
  1: ['SIGHUP', 'Hangup'],
  2: ['SIGINT', 'Interrupt'],
  3: ['SIGQUIT', 'Quit'],
  4: ['SIGILL', 'Illegal instruction'],
  5: ['SIGTRAP', 'Trace/breakpoint trap'],
  6: ['SIGABRT', 'Aborted'],
  7: ['SIGBUS', 'Bus error'],
  8: ['SIGFPE', 'Floating point exception'],
  9: ['SIGKILL', 'Killed'],
  10: ['SIGUSR1', 'User defined signal 1'],
  11: ['SIGSEGV', 'Segmentation fault'],
  12: ['SIGUSR2', 'User defined signal 2'],
  13: ['SIGPIPE', 'Broken pipe'],
  14: ['SIGALRM', 'Alarm clock'],
  15: ['SIGTERM', 'Terminated'],
  17: ['SIGCHLD', 'Child exited'],
  18: ['SIGCONT', 'Continued'],
  19: ['SIGSTOP', 'Stopped (signal)'],
  20: ['SIGTSTP', 'Stopped'],
  24: ['SIGXCPU', 'CPU time limit exceeded'],
  25: ['SIGXFSZ', 'File size limit exceeded'],
  28: ['SIGWINCH', 'Window changed'],
  31: ['SIGSYS', 'Bad system call'],
}

/** Low seven bits of a wait status: the signal. */
const SIGNAL_MASK = 0x7f

/** True for exit code 0. */
export function isSuccess(waitStatus: number): boolean {
  return waitStatus === 0
}

/** `exited with status 3` or `terminated with signal Killed`. */
export function describeWaitStatus(waitStatus: number): string {
  const signal = waitStatus & SIGNAL_MASK
  if (signal === 0) return `exited with status ${waitStatus >> 8}`
  return `terminated with signal ${SIGNALS[signal]?.[1] ?? `Unknown signal ${signal}`}`
}

/** `SIGTERM` for 15; undefined for numbers that are no signal of Linux, and for those that nobody sends. */
export function signalName(signal: number): string | undefined {
  return SIGNALS[signal]?.[0]
}
