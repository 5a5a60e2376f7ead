import type { FrameworkEffect, FrameworkNotice } from '../../framework/effects.ts'
import type { FrameworkEvent, FrameworkTimer } from '../../framework/events.ts'
import type { Endpoint } from '../http/client.ts'
import { SchedulerClient } from '../http/scheduler-client.ts'
import { IoError } from '../io-error.ts'
import { Timers } from './timers.ts'

/** What the shell needs of the program around it. */
export interface FrameworkShellOptions {
  readonly master: Endpoint
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
  #subscriptions = 0
  #pendingCalls = 0
  #whenIdle: (() => void)[] = []

  constructor(options: FrameworkShellOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#client = new SchedulerClient({ master: options.master })
    this.#timers = new Timers((timer) => options.post({ kind: 'timerFired', atMs: this.#now(), timer }), this.#now)
  }

  /** The master that was found last. */
  get master(): Endpoint {
    return this.#client.master
  }

  perform(effect: FrameworkEffect): void {
    switch (effect.kind) {
      case 'openStream':
        this.#subscriptions += 1
        this.#client.subscribe(effect.call, {
          opened: () => this.#options.post({ kind: 'streamOpened', atMs: this.#now() }),
          event: (event) => this.#options.post({ kind: 'eventReceived', atMs: this.#now(), event }),
          closed: (reason) => this.#options.post({ kind: 'streamClosed', atMs: this.#now(), reason: reason.message }),
        })
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

  /** Resolves when every call made so far has been answered. */
  idle(): Promise<void> {
    if (this.#pendingCalls === 0) return Promise.resolve()
    return new Promise((resolve) => this.#whenIdle.push(resolve))
  }

  /** Drops subscription and timers without a word to the master: it sees a scheduler that died. */
  close(): void {
    this.#timers.clear()
    this.#client.close()
  }

  async #closeStream(subscription: number): Promise<void> {
    await this.idle()
    if (subscription === this.#subscriptions) this.#client.unsubscribe()
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
