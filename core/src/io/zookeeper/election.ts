// A master among others: it contends, learns who leads, and stops leading the moment its session is lost.
//
//   open a session ──► contend ──► watch ─┬─ another leads: tell who
//        ▲                                └─ our node is first: `elected`, once
//        └── session lost while another leads        session lost while we lead: `deposed`, and the process ends

import type { MasterInfo } from '@isthmus/proto/gen/mesos'
import type { Log } from '../observe/logger.ts'
import { contend, type Leader, LeaderWatch } from './group.ts'
import type { ZooKeeperSession } from './session.ts'
import { SteadySession } from './steady-session.ts'
import type { ZooKeeperUrl } from './url.ts'

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
  readonly #sessions: SteadySession
  #isLeading = false
  #isStopped = false

  constructor(options: ElectionOptions) {
    this.#options = options
    const { url, timeoutMs, info, log } = options
    this.#sessions = new SteadySession({
      url,
      timeoutMs,
      opened: async (session) => {
        const node = await contend(session, url.path, info)
        log.info('contending for leadership', { node })
        return new LeaderWatch({ session, path: url.path, told: (leader) => this.#told(session, node, leader) })
      },
      lost: (reason) => this.#lost(reason),
      failed: (reason) => log.warn('cannot contend for leadership', { reason }),
    })
  }

  /** Starts; failures are logged and tried again. */
  start(): void {
    this.#sessions.start()
  }

  /** Leaves: the next contender leads at once. */
  stop(): void {
    this.#isStopped = true
    this.#sessions.stop()
  }

  #told(session: ZooKeeperSession, node: string, leader: Leader | undefined): void {
    if (this.#isStopped) return
    if (leader?.node === node) {
      if (this.#isLeading) return
      this.#isLeading = true
      this.#options.elected(session)
      return
    }
    if (this.#isLeading) this.#depose('another master leads')
    else this.#options.leaderChanged(leader)
  }

  #lost(reason: string): void {
    if (this.#isLeading) {
      this.#depose(reason)
      return
    }
    this.#options.log.warn('session with ZooKeeper lost', { reason })
    this.#options.leaderChanged(undefined)
  }

  #depose(reason: string): void {
    this.stop()
    this.#options.deposed(`leadership lost: ${reason}`)
  }
}
