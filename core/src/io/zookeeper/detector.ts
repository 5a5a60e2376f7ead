import type { Endpoint } from '../http/client.ts'
import { type Leader, LeaderWatch } from './group.ts'
import { SteadySession } from './steady-session.ts'
import type { ZooKeeperUrl } from './url.ts'

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
  readonly #sessions: SteadySession

  constructor({ url, timeoutMs, told, warn }: DetectorOptions) {
    this.#sessions = new SteadySession({
      url,
      timeoutMs,
      opened: async (session) => {
        return new LeaderWatch({ session, path: url.path, told: (leader) => told(endpointOf(leader)) })
      },
      // The master known last stays known: it is often there although ZooKeeper is not.
      lost: (reason) => warn(`the session with ZooKeeper is lost: ${reason}`),
      failed: warn,
    })
  }

  start(): void {
    this.#sessions.start()
  }

  stop(): void {
    this.#sessions.stop()
  }
}

/** Where a leader serves, by the address it tells. */
export function endpointOf(leader: Leader | undefined): Endpoint | undefined {
  const address = leader?.info?.address
  if (address === undefined) return undefined
  return { host: address.ip ?? address.hostname ?? '', port: address.port }
}
