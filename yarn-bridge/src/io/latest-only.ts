/**
 * Sends values to keys, one at a time for each key and the newest last: while one is on its way, only the newest of those that
 * follow is kept. So two sizes told of one node in quick succession cannot overtake each other.
 *
 * At most one value waits for each key; what it replaces is never sent.
 */
export class LatestOnly<T> {
  readonly #send: (key: string, value: T) => Promise<void>
  /** Keys on their way, with the value that waits behind. */
  readonly #busy = new Map<string, { waiting: T | undefined }>()

  /** `send` must not reject. */
  constructor(send: (key: string, value: T) => Promise<void>) {
    this.#send = send
  }

  /** Sends a value now, or after the one on its way. */
  put(key: string, value: T): void {
    const busy = this.#busy.get(key)
    if (busy === undefined) void this.#run(key, value)
    else busy.waiting = value
  }

  async #run(key: string, first: T): Promise<void> {
    const own: { waiting: T | undefined } = { waiting: undefined }
    this.#busy.set(key, own)
    for (let value: T | undefined = first; value !== undefined; ) {
      await this.#send(key, value)
      value = own.waiting
      own.waiting = undefined
    }
    this.#busy.delete(key)
  }
}
