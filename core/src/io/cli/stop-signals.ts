/** A second signal of the same kind ends the process at once with this code. */
const FORCED_EXIT_CODE = 130

/**
 * Runs `stop` at the first SIGINT, SIGTERM or SIGHUP and ends the process after it. A second signal ends it at once.
 *
 * @param stop gets the signal and returns the exit code
 */
export function onStopSignal(stop: (signal: NodeJS.Signals) => Promise<number>): void {
  let isStopping = false
  const handle = (signal: NodeJS.Signals): void => {
    if (isStopping) process.exit(FORCED_EXIT_CODE)
    isStopping = true
    stop(signal).then(
      (code) => process.exit(code),
      (error: unknown) => {
        process.stderr.write(
          `isthmus: cannot stop cleanly: ${error instanceof Error ? error.message : String(error)}\n`,
        )
        process.exit(1)
      },
    )
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, handle)
}
