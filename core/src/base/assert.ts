/** A broken promise of our own code: the state can no longer be trusted, so the process has to end. */
export class AssertionError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'AssertionError'
  }
}

/** Checks what our code promises, always; never what comes from outside. The message says what should hold. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message)
}
