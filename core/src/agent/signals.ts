/** The words of strsignal(3) for a wait status: what Mesos puts into its messages. */

const NAMES: Readonly<Record<number, string>> = {
  1: 'Hangup',
  2: 'Interrupt',
  3: 'Quit',
  4: 'Illegal instruction',
  6: 'Aborted',
  7: 'Bus error',
  8: 'Floating point exception',
  9: 'Killed',
  10: 'User defined signal 1',
  11: 'Segmentation fault',
  12: 'User defined signal 2',
  13: 'Broken pipe',
  14: 'Alarm clock',
  15: 'Terminated',
}

/** True for exit code 0. */
export function isSuccess(waitStatus: number): boolean {
  return waitStatus === 0
}

/** `exited with status 3` or `terminated with signal Killed`. */
export function describeWaitStatus(waitStatus: number): string {
  const signal = waitStatus & 0x7f
  if (signal === 0) return `exited with status ${waitStatus >> 8}`
  return `terminated with signal ${NAMES[signal] ?? `Unknown signal ${signal}`}`
}
