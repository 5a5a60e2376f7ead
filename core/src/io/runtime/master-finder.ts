// Which master to talk to: one that is named, one of several that are, or the one that ZooKeeper says leads.

import { ok, type Result, reject } from '../../base/result.ts'
import { type Endpoint, parseEndpoint } from '../http/client.ts'
import { Detector } from '../zookeeper/detector.ts'
import { isZooKeeperUrl, parseZooKeeperUrl, type ZooKeeperUrl } from '../zookeeper/url.ts'

/** Port of a master when an address names none. */
export const MASTER_PORT = 5050
/** --zk_session_timeout of agents and frameworks that say nothing else. */
const ZOOKEEPER_SESSION_TIMEOUT_MS = 10_000

/** Where masters are found. */
export type MasterAddress =
  /** Tried in turn; those that do not lead redirect to the leader. */
  | { readonly kind: 'named'; readonly endpoints: readonly [Endpoint, ...Endpoint[]] }
  | {
      readonly kind: 'zookeeper'
      readonly url: ZooKeeperUrl
      /** A session without a sign of life for so long is given up; 10 s when nothing is said. */
      readonly sessionTimeoutMs?: number | undefined
    }

/**
 * Reads `host:port`, `host:port,host:port`, `master@host:port` or `zk://…`.
 *
 * @param sessionTimeoutMs of the sessions with ZooKeeper, when there are any
 * Rejects with MASTER_ADDRESS_INVALID or ZOOKEEPER_URL_INVALID.
 */
export function parseMasterAddress(text: string, sessionTimeoutMs?: number): Result<MasterAddress> {
  if (sessionTimeoutMs !== undefined && !(sessionTimeoutMs > 0)) {
    const message = `a session timeout of ${sessionTimeoutMs} ms is not above 0`
    return reject({ code: 'MASTER_ADDRESS_INVALID', message })
  }
  if (isZooKeeperUrl(text)) {
    const url = parseZooKeeperUrl(text)
    return url.ok ? ok({ kind: 'zookeeper', url: url.value, sessionTimeoutMs }) : url
  }
  const endpoints: Endpoint[] = []
  for (const part of text.split(',')) {
    const endpoint = parseEndpoint(part.trim().replace(/^master@/, ''), MASTER_PORT)
    if (endpoint === undefined) {
      const message = `'${text}' is not HOST:PORT, a list of them, or zk://HOST:PORT/PATH`
      return reject({ code: 'MASTER_ADDRESS_INVALID', message })
    }
    endpoints.push(endpoint)
  }
  const [first, ...others] = endpoints
  return first === undefined
    ? reject({ code: 'MASTER_ADDRESS_INVALID', message: 'no master is named' })
    : ok({ kind: 'named', endpoints: [first, ...others] })
}

/** The address as people write it, without a password. */
export function printMasterAddress(address: MasterAddress): string {
  if (address.kind === 'zookeeper') return `zk://${address.url.servers}${address.url.path}`
  return address.endpoints.map(({ host, port }) => `${host}:${port}`).join(',')
}

/** Whom a finder tells. */
export interface MasterFinderOptions {
  readonly address: MasterAddress
  /** A master to use from now on; undefined while ZooKeeper knows none. Told at each change, at first from `start`. */
  readonly told: (master: Endpoint | undefined) => void
  readonly warn: (message: string) => void
  /** Instead of that of the address. */
  readonly sessionTimeoutMs?: number | undefined
}

/** Says which master to talk to, for as long as it runs. */
export class MasterFinder {
  readonly #options: MasterFinderOptions
  readonly #detector: Detector | undefined
  #at = 0

  constructor(options: MasterFinderOptions) {
    this.#options = options
    const { address, told, warn } = options
    if (address.kind !== 'zookeeper') return
    const timeoutMs = options.sessionTimeoutMs ?? address.sessionTimeoutMs ?? ZOOKEEPER_SESSION_TIMEOUT_MS
    this.#detector = new Detector({ url: address.url, timeoutMs, told, warn })
  }

  start(): void {
    const { address, told } = this.#options
    if (address.kind === 'named') told(address.endpoints[0])
    this.#detector?.start()
  }

  /** The master did not answer, or is lost: of several that are named the next one is told. */
  failed(): void {
    const { address, told } = this.#options
    if (address.kind !== 'named' || address.endpoints.length === 1) return
    this.#at = (this.#at + 1) % address.endpoints.length
    told(address.endpoints[this.#at])
  }

  stop(): void {
    this.#detector?.stop()
  }
}
