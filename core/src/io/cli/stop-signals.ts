/** A second signal ends the process at once with this code. */
const FORCED_EXIT_CODE = 130
/** A signal that comes twice in this time is one: Ctrl-C reaches the process from the terminal and through npx. */
const SAME_SIGNAL_MS = 500

/** Signals that ask a process to end. */
export const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Calls `first` at the first signal that asks for an end, and `again` at every later one. */
export function onStopSignals(first: (signal: NodeJS.Signals) => void, again: (signal: NodeJS.Signals) => void): void {
  let firstAtMs: number | undefined
  const handle = (signal: NodeJS.Signals): void => {
    if (firstAtMs === undefined) {
      firstAtMs = performance.now()
      first(signal)
    } else if (performance.now() - firstAtMs > SAME_SIGNAL_MS) {
      again(signal)
    }
  }
  for (const signal of STOP_SIGNALS) process.on(signal, handle)
}

/**
 * Runs `stop` at the first signal that asks for an end, and ends the process after it. A later one ends it at once.
 *
 * @param stop returns the exit code
 */
export function onStopSignal(stop: () => Promise<number>): void {
  onStopSignals(
    () => {
      stop().then(
        (code) => process.exit(code),
        (error: unknown) => {
          const reason = error instanceof Error ? error.message : String(error)
          process.stderr.write(`isthmus: cannot stop cleanly: ${reason}\n`)
          process.exit(1)
        },
      )
    },
    () => process.exit(FORCED_EXIT_CODE),
  )
}
