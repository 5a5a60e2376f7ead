// A master among others: it contends, learns who leads, and stops leading the moment its session is lost.
//
//   open a session ──► contend ──► watch ─┬─ another leads: tell who
//        ▲                                └─ our node is first: `elected`, once
//        └── session lost while another leads        session lost while we lead: `deposed`, and the process ends

import { setTimeout as delay } from 'node:timers/promises'
import type { MasterInfo } from '@isthmus/proto/gen/mesos'
import { IoError } from '../io-error.ts'
import type { Log } from '../observe/logger.ts'
import { contend, type Leader, LeaderWatch } from './group.ts'
import { ZooKeeperSession } from './session.ts'
import type { ZooKeeperUrl } from './url.ts'

/** Pause before a new session is tried after one that could not be opened. */
const RETRY_MS = 1_000

/** What a contender is given, and whom it tells. */
export interface ElectionOptions {
  readonly url: ZooKeeperUrl
  readonly timeoutMs: number
  readonly info: MasterInfo
  readonly log: Log
  /** Another master leads, or none (undefined). Not told of ourselves. */
  readonly leaderChanged: (leader: Leader | undefined) => void
  /** We lead from now on; the registry is reached through this session. Told at most once. */
  readonly elected: (session: ZooKeeperSession) => void
  /** We led and do not any more: nothing may be promised from here on. */
  readonly deposed: (reason: string) => void
}

/** Takes part in the election until it is stopped. */
export class Election {
  readonly #options: ElectionOptions
  #session: ZooKeeperSession | undefined
  #isLeading = false
  #isStopped = false

  constructor(options: ElectionOptions) {
    this.#options = options
  }

  /** Starts; failures are logged and tried again. */
  start(): void {
    void this.#contend()
  }

  /** Leaves: the next contender leads at once. */
  stop(): void {
    this.#isStopped = true
    this.#session?.close()
  }

  async #contend(): Promise<void> {
    const { url, timeoutMs, info, log } = this.#options
    while (!this.#isStopped) {
      const session = new ZooKeeperSession({ url, timeoutMs, lost: (reason) => this.#lost(session, reason) })
      this.#session = session
      try {
        await session.connect()
        const node = await contend(session, url.path, info)
        log.info('contending for leadership', { node })
        new LeaderWatch({ session, path: url.path, told: (leader) => this.#told(session, node, leader) }).start()
        return
      } catch (error) {
        session.close()
        log.warn('cannot contend for leadership', { reason: IoError.from(error).message })
        await delay(RETRY_MS)
      }
    }
  }

  #told(session: ZooKeeperSession, node: string, leader: Leader | undefined): void {
    if (this.#isStopped || session !== this.#session) return
    if (leader?.node === node) {
      if (this.#isLeading) return
      this.#isLeading = true
      this.#options.elected(session)
      return
    }
    if (this.#isLeading) this.#depose('another master leads')
    else this.#options.leaderChanged(leader)
  }

  #lost(session: ZooKeeperSession, reason: string): void {
    if (this.#isStopped || session !== this.#session) return
    if (this.#isLeading) {
      this.#depose(reason)
      return
    }
    this.#options.log.warn('session with ZooKeeper lost', { reason })
    this.#options.leaderChanged(undefined)
    void this.#contend()
  }

  #depose(reason: string): void {
    this.#isStopped = true
    this.#options.deposed(`leadership lost: ${reason}`)
  }
}
