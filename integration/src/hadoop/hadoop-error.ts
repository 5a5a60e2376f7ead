/** Why the fixture failed. A code for programs, a message for people. */
export type HadoopErrorCode =
  /** No Java 17 or newer, or no Maven. */
  | 'TOOL_MISSING'
  /** Maven could not bring or build a part. */
  | 'MAVEN_FAILED'
  /** A daemon ended before it was ready. */
  | 'DAEMON_DIED'
  /** A daemon runs, yet did not become ready in its time. */
  | 'NOT_READY'
  /** Nothing free to listen on, or a wait for another process took too long. */
  | 'UNAVAILABLE'

/** The one error the fixture throws. */
export class HadoopError extends Error {
  readonly code: HadoopErrorCode

  constructor(code: HadoopErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'HadoopError'
    this.code = code
  }
}
