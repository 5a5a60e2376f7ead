import type { Call } from '@isthmus/proto/gen/scheduler'
import type { FrameworkEffect, FrameworkNotice } from '../../framework/effects.ts'
import type { FrameworkEvent, FrameworkTimer } from '../../framework/events.ts'
import { type Answer, type Endpoint, Peer } from '../http/client.ts'
import { SchedulerClient } from '../http/scheduler-client.ts'
import { IoError } from '../io-error.ts'
import { clock } from './clock.ts'
import { type MasterAddress, MasterFinder } from './master-finder.ts'
import { Timers } from './timers.ts'

/** What the shell needs of the program around it. */
export interface FrameworkShellOptions {
  readonly master: MasterAddress
  /** Takes the events in, one after the other. */
  readonly post: (event: FrameworkEvent) => void
  /** Takes what is not for the world but for the program. */
  readonly notice: (notice: FrameworkNotice) => void
  /** Milliseconds since the epoch. */
  readonly now?: () => number
}

/** Performs the effects of one framework machine: its subscription, its calls, its timers. */
export class FrameworkShell {
  readonly #options: FrameworkShellOptions
  readonly #client: SchedulerClient
  readonly #timers: Timers<FrameworkTimer>
  readonly #now: () => number
  readonly #finder: MasterFinder
  #isFinding = false
  #isMasterKnown = false
  #isStreaming = false
  #subscriptions = 0
  #pendingCalls = 0
  #whenIdle: (() => void)[] = []

  constructor(options: FrameworkShellOptions) {
    this.#options = options
    this.#now = options.now ?? clock.now
    this.#client = new SchedulerClient()
    this.#finder = new MasterFinder({
      address: options.master,
      told: (master) => this.#masterTold(master),
      // What it leads to is told as the end of the subscription.
      warn: () => {},
    })
    this.#timers = new Timers((timer) => options.post({ kind: 'timerFired', atMs: this.#now(), timer }), this.#now)
  }

  /** The master that was found last. */
  get master(): Endpoint | undefined {
    return this.#isMasterKnown ? this.#client.master : undefined
  }

  perform(effect: FrameworkEffect): void {
    switch (effect.kind) {
      case 'openStream':
        this.#subscribe(effect.call)
        return
      case 'closeStream':
        // Calls made before, a TEARDOWN above all, still need the stream's id.
        void this.#closeStream(this.#subscriptions)
        return
      case 'sendCall':
        void this.#send(effect)
        return
      case 'setTimer':
        this.#timers.set(effect.key, effect.timer, effect.atMs)
        return
      case 'cancelTimer':
        this.#timers.cancel(effect.key)
        return
      default:
        this.#options.notice(effect)
    }
  }

  /**
   * Sends an operator call to the leading master and reads its answer, whatever its status; may be used before subscribing.
   * Throws IoError: UNREACHABLE while no master is known, and as the connection fails.
   */
  async operatorCall(body: string, timeoutMs: number): Promise<Answer> {
    this.#find()
    const { master } = this
    if (master === undefined) throw new IoError('UNREACHABLE', 'no leading master is known yet')
    const peer = new Peer(master)
    try {
      const headers = { 'Content-Type': 'application/json', Accept: 'application/json' }
      return await peer.send({ path: '/api/v1', headers, body, timeoutMs })
    } catch (error) {
      this.#finder.failed()
      throw error
    } finally {
      peer.close()
    }
  }

  /** Resolves when every call made so far has been answered. */
  idle(): Promise<void> {
    if (this.#pendingCalls === 0) return Promise.resolve()
    return new Promise((resolve) => this.#whenIdle.push(resolve))
  }

  /** Drops subscription and timers without a word to the master: it sees a scheduler that died. */
  close(): void {
    this.#timers.clear()
    this.#finder.stop()
    this.#client.close()
  }

  #find(): void {
    if (this.#isFinding) return
    this.#isFinding = true
    this.#finder.start()
  }

  #subscribe(call: Call): void {
    this.#find()
    if (!this.#isMasterKnown) {
      setImmediate(() => this.#closed('no leading master is known yet'))
      return
    }
    this.#subscriptions += 1
    this.#isStreaming = true
    this.#client.subscribe(call, {
      opened: () => this.#options.post({ kind: 'streamOpened', atMs: this.#now() }),
      event: (event) => this.#options.post({ kind: 'eventReceived', atMs: this.#now(), event }),
      closed: (reason) => {
        this.#isStreaming = false
        this.#finder.failed()
        this.#closed(reason.message)
      },
    })
  }

  /** Another master leads: what is open to the one before is void. */
  #masterTold(master: Endpoint | undefined): void {
    if (master === undefined) return
    const { host, port } = this.#client.master
    const isSame = this.#isMasterKnown && host === master.host && port === master.port
    this.#isMasterKnown = true
    if (isSame) return
    this.#client.move(master)
    if (!this.#isStreaming) {
      // Of several that are named the next one is tried after the pause: all of them may be away.
      if (this.#options.master.kind === 'zookeeper') {
        this.#options.post({ kind: 'masterDetected', atMs: this.#now() })
      }
      return
    }
    this.#isStreaming = false
    this.#client.unsubscribe()
    this.#closed('another master leads')
  }

  #closed(reason: string): void {
    this.#options.post({ kind: 'streamClosed', atMs: this.#now(), reason })
  }

  async #closeStream(subscription: number): Promise<void> {
    await this.idle()
    if (subscription !== this.#subscriptions) return
    this.#isStreaming = false
    this.#client.unsubscribe()
  }

  async #send({ call }: Extract<FrameworkEffect, { kind: 'sendCall' }>): Promise<void> {
    this.#pendingCalls += 1
    try {
      const { status, text } = await this.#client.send(call)
      if (status >= 300) this.#options.post({ kind: 'callRefused', atMs: this.#now(), call, status, text })
    } catch (reason) {
      // The stream breaks too, and tasks are reconciled after the next SUBSCRIBED.
      const text = IoError.from(reason).message
      this.#options.post({ kind: 'callRefused', atMs: this.#now(), call, status: 0, text })
    } finally {
      this.#pendingCalls -= 1
      if (this.#pendingCalls === 0) for (const resolve of this.#whenIdle.splice(0)) resolve()
    }
  }
}
