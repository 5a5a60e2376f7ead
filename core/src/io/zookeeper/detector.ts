import { setTimeout as delay } from 'node:timers/promises'
import type { Endpoint } from '../http/client.ts'
import { IoError } from '../io-error.ts'
import { type Leader, LeaderWatch } from './group.ts'
import { ZooKeeperSession } from './session.ts'
import type { ZooKeeperUrl } from './url.ts'

/** Pause before a new session is tried after one that could not be opened. */
const RETRY_MS = 1_000

/** Whom a detector tells. */
export interface DetectorOptions {
  readonly url: ZooKeeperUrl
  readonly timeoutMs: number
  /** The leading master, or undefined while there is none. Told at each change. */
  readonly told: (master: Endpoint | undefined) => void
  readonly warn: (message: string) => void
}

/** Looks for the leading master for as long as it runs, through as many sessions as it takes. */
export class Detector {
  readonly #options: DetectorOptions
  #session: ZooKeeperSession | undefined
  #isStopped = false

  constructor(options: DetectorOptions) {
    this.#options = options
  }

  start(): void {
    void this.#look()
  }

  stop(): void {
    this.#isStopped = true
    this.#session?.close()
  }

  async #look(): Promise<void> {
    const { url, timeoutMs, warn } = this.#options
    while (!this.#isStopped) {
      const session = new ZooKeeperSession({ url, timeoutMs, lost: (reason) => this.#lost(reason) })
      this.#session = session
      try {
        await session.connect()
        new LeaderWatch({ session, path: url.path, told: (leader) => this.#tell(session, leader) }).start()
        return
      } catch (error) {
        session.close()
        warn(IoError.from(error).message)
        await delay(RETRY_MS)
      }
    }
  }

  /** The master known last stays known: it is often there although ZooKeeper is not. */
  #lost(reason: string): void {
    if (this.#isStopped) return
    this.#options.warn(`the session with ZooKeeper is lost: ${reason}`)
    void this.#look()
  }

  #tell(session: ZooKeeperSession, leader: Leader | undefined): void {
    if (!this.#isStopped && session === this.#session) this.#options.told(endpointOf(leader))
  }
}

/** Where a leader serves, by the address it tells. */
export function endpointOf(leader: Leader | undefined): Endpoint | undefined {
  const address = leader?.info?.address
  if (address === undefined) return undefined
  return { host: address.ip ?? address.hostname ?? '', port: address.port }
}
