import { setTimeout as delay } from 'node:timers/promises'
import { IoError } from '../io-error.ts'
import type { LeaderWatch } from './group.ts'
import { ZooKeeperSession } from './session.ts'
import type { ZooKeeperUrl } from './url.ts'

/** Pause before a new session is tried after one that could not be used. */
const RETRY_MS = 1_000

/** What is done with each session, and whom its end is told. */
export interface SteadySessionOptions {
  readonly url: ZooKeeperUrl
  readonly timeoutMs: number
  /** Prepares a new session; the watch it makes is started, and stopped with the session. */
  readonly opened: (session: ZooKeeperSession) => Promise<LeaderWatch>
  /** A session that was watched is lost. */
  readonly lost: (reason: string) => void
  /** A session could not be opened or prepared. */
  readonly failed: (reason: string) => void
}

/**
 * One session after the other, for as long as it runs: never two at once, so that no node of an earlier one stays in an election
 * without anybody behind it.
 */
export class SteadySession {
  readonly #options: SteadySessionOptions
  #session: ZooKeeperSession | undefined
  #isStopped = false

  constructor(options: SteadySessionOptions) {
    this.#options = options
  }

  start(): void {
    void this.#run()
  }

  /** Ends the session; nothing is told any more. */
  stop(): void {
    this.#isStopped = true
    this.#session?.close()
  }

  async #run(): Promise<void> {
    const { url, timeoutMs, opened, lost, failed } = this.#options
    while (!this.#isStopped) {
      let end: (reason: string) => void = () => {}
      const ended = new Promise<string>((resolve) => {
        end = resolve
      })
      const session = new ZooKeeperSession({ url, timeoutMs, lost: (reason) => end(reason) })
      this.#session = session
      let watch: LeaderWatch | undefined
      try {
        // What a lost session was asked for is never answered.
        const broken = ended.then((reason): never => {
          throw new IoError('CONNECTION_LOST', `the session is lost: ${reason}`)
        })
        watch = await Promise.race([session.connect().then(() => opened(session)), broken])
        watch.start()
        const reason = await ended
        if (!this.#isStopped) lost(reason)
      } catch (error) {
        session.close()
        if (!this.#isStopped) failed(IoError.from(error).message)
        await delay(RETRY_MS)
      } finally {
        watch?.stop()
        session.close()
      }
    }
  }
}
