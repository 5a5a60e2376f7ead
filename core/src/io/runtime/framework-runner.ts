import type { FrameworkEffect, FrameworkNotice } from '../../framework/effects.ts'
import type { FrameworkEvent } from '../../framework/events.ts'
import { type FrameworkState, step } from '../../framework/framework.ts'
import type { Endpoint } from '../http/client.ts'
import { FrameworkShell } from './framework-shell.ts'
import { Loop } from './loop.ts'
import type { MasterAddress } from './master-finder.ts'

/** What a framework that runs needs. */
export interface FrameworkRunnerOptions {
  readonly state: FrameworkState
  readonly master: MasterAddress
  /** Told in order, while a step's effects are performed. */
  readonly noticed: (notice: FrameworkNotice) => void
  /** Our own bug: log it and end the process. */
  readonly crash: (error: unknown) => void
}

/** Changes a framework through the functions of framework/calls.ts and returns what they returned. */
export type FrameworkRequest = (state: FrameworkState) => readonly FrameworkEffect[]

type RunnerEvent = FrameworkEvent | { readonly kind: 'asked'; readonly ask: FrameworkRequest }

/** A framework machine with its loop and shell: the whole scheduler side for a program that needs nothing else in its loop. */
export class FrameworkRunner {
  readonly state: FrameworkState
  readonly #shell: FrameworkShell
  readonly #loop: Loop<FrameworkState, RunnerEvent, FrameworkEffect, never>

  constructor(options: FrameworkRunnerOptions) {
    this.state = options.state
    this.#loop = new Loop<FrameworkState, RunnerEvent, FrameworkEffect, never>({
      state: options.state,
      step: (state, event) => (event.kind === 'asked' ? event.ask(state) : step(state, event)),
      perform: (effect) => this.#shell.perform(effect),
      timerFired: (timer) => timer,
      crash: (error) => options.crash(error),
    })
    this.#shell = new FrameworkShell({
      master: options.master,
      post: (event) => this.#loop.post(event),
      notice: options.noticed,
    })
  }

  /** The master that was found last. */
  get master(): Endpoint | undefined {
    return this.#shell.master
  }

  /** Subscribes. */
  start(): void {
    this.#loop.post({ kind: 'started', atMs: this.#loop.now() })
  }

  /** Asks something of the framework, after what is under way. */
  act(ask: FrameworkRequest): void {
    this.#loop.post({ kind: 'asked', ask })
  }

  /** Resolves when every call made so far is answered. */
  callsAnswered(): Promise<void> {
    return this.#shell.idle()
  }

  /** Ends it without a word to the master; the framework lives on as its failover timeout says. */
  stop(): void {
    this.#loop.stop()
    this.#shell.close()
  }
}
