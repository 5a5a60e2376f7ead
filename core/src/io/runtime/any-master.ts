// Whichever master answers, of those an address stands for: for commands that ask once and end.

import { type Answer, type Endpoint, type OutgoingRequest, Peer } from '../http/client.ts'
import { IoError } from '../io-error.ts'
import { type MasterAddress, MasterFinder, printMasterAddress } from './master-finder.ts'

/** Between two attempts to reach a master. */
const RETRY_MS = 200
/** A master that is slower than this is not waited for while others may answer. */
const ATTEMPT_MS = 5_000

/** Asks until a master answers. Close it at the end. */
export class AnyMaster {
  readonly #address: MasterAddress
  readonly #finder: MasterFinder
  #peer: Peer | undefined
  #why: string

  constructor(address: MasterAddress) {
    this.#address = address
    this.#why = address.kind === 'zookeeper' ? 'ZooKeeper knows no leading master' : 'no answer in time'
    this.#finder = new MasterFinder({ address, told: (master) => this.#use(master), warn: (why) => (this.#why = why) })
    this.#finder.start()
  }

  /**
   * Sends a request until a master answers it; one that says 503 does not lead yet. A request with a body that may have arrived is not sent
   * again. Throws IoError: UNREACHABLE when no master answered by the deadline (Unix milliseconds), or what a broken request ended with.
   */
  async ask(request: OutgoingRequest, deadlineMs: number): Promise<Answer> {
    for (let leftMs = deadlineMs - Date.now(); leftMs > 0; leftMs = deadlineMs - Date.now()) {
      const answer = await this.#attempt(request, leftMs)
      if (answer !== undefined && answer.status !== 503) return answer
      await new Promise((resolve) => setTimeout(resolve, Math.min(RETRY_MS, leftMs)))
    }
    throw new IoError('UNREACHABLE', `no master answers at ${printMasterAddress(this.#address)}: ${this.#why}`)
  }

  /** GETs a page. */
  get(path: string, deadlineMs: number): Promise<Answer> {
    return this.ask({ path }, deadlineMs)
  }

  async #attempt(request: OutgoingRequest, leftMs: number): Promise<Answer | undefined> {
    const changes = request.body !== undefined
    try {
      // A write that is slow is waited for: to send it again could do it twice.
      const timeoutMs = changes ? leftMs : Math.min(leftMs, ATTEMPT_MS)
      const answer = await this.#peer?.send({ ...request, timeoutMs })
      if (answer?.status === 503) this.#why = answer.body.toString() || 'status 503'
      return answer
    } catch (error) {
      const failure = IoError.from(error)
      if (changes && failure.code !== 'UNREACHABLE') {
        throw new IoError(failure.code, `${failure.message}; whether it was done is not known`, { cause: failure })
      }
      this.#why = failure.message
      this.#finder.failed()
      return undefined
    }
  }

  /** Ends what is open. */
  close(): void {
    this.#peer?.close()
    this.#finder.stop()
  }

  #use(master: Endpoint | undefined): void {
    this.#peer?.close()
    this.#peer = master === undefined ? undefined : new Peer(master)
  }
}
