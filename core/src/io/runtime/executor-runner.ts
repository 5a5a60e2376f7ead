import {
  createExecutorMachine,
  type ExecutorEffect,
  type ExecutorMachineEvent,
  type ExecutorNotice,
  type ExecutorOptions,
  type ExecutorState,
  type ExecutorTimer,
  RECOVERY_TIMEOUT_DEFAULT_MS,
  SUBSCRIPTION_BACKOFF_DEFAULT_MS,
  sendMessage,
  stepExecutor,
  type TaskUpdate,
  update,
} from '../../framework/executor.ts'
import { parseDuration } from '../config/quantities.ts'
import { type Endpoint, parseEndpoint } from '../http/client.ts'
import { ExecutorClient } from '../http/executor-client.ts'
import { IoError } from '../io-error.ts'
import { Loop } from './loop.ts'
import { freshSeed } from './seed.ts'

/** What an agent tells its executor. */
export interface ExecutorEnvironment {
  readonly agent: Endpoint
  readonly options: ExecutorOptions
  /** Proves who the executor is; absent where agents ask for no proof. */
  readonly token: string | undefined
}

/**
 * Reads what the agent put into the environment of its executor: MESOS_FRAMEWORK_ID, MESOS_EXECUTOR_ID, MESOS_AGENT_ENDPOINT, and
 * MESOS_CHECKPOINT, MESOS_RECOVERY_TIMEOUT, MESOS_SUBSCRIPTION_BACKOFF_MAX, MESOS_EXECUTOR_AUTHENTICATION_TOKEN where they are set.
 *
 * @throws IoError REFUSED naming the variable that is missing or wrong
 */
export function readExecutorEnvironment(env: Readonly<Record<string, string | undefined>>): ExecutorEnvironment {
  const agent = parseEndpoint(needed(env, 'MESOS_AGENT_ENDPOINT'))
  if (agent === undefined)
    throw new IoError('REFUSED', `MESOS_AGENT_ENDPOINT=${env.MESOS_AGENT_ENDPOINT}: not host:port`)
  return {
    agent,
    token: env.MESOS_EXECUTOR_AUTHENTICATION_TOKEN,
    options: {
      frameworkId: needed(env, 'MESOS_FRAMEWORK_ID'),
      executorId: needed(env, 'MESOS_EXECUTOR_ID'),
      isCheckpointing: env.MESOS_CHECKPOINT === '1',
      recoveryTimeoutMs: duration(env, 'MESOS_RECOVERY_TIMEOUT', RECOVERY_TIMEOUT_DEFAULT_MS),
      subscriptionBackoffMaxMs: duration(env, 'MESOS_SUBSCRIPTION_BACKOFF_MAX', SUBSCRIPTION_BACKOFF_DEFAULT_MS),
      seed: freshSeed(),
    },
  }
}

function needed(env: Readonly<Record<string, string | undefined>>, name: string): string {
  const value = env[name]
  if (value === undefined || value === '') {
    throw new IoError('REFUSED', `${name} is not set: an executor is started by its agent`)
  }
  return value
}

function duration(env: Readonly<Record<string, string | undefined>>, name: string, otherwise: number): number {
  const text = env[name]
  if (text === undefined) return otherwise
  const parsed = parseDuration(text)
  if (parsed === undefined) throw new IoError('REFUSED', `${name}=${text}: not a duration such as 15mins`)
  return parsed
}

/** What an executor that runs needs. */
export interface ExecutorRunnerOptions {
  readonly environment: ExecutorEnvironment
  /** Told in order. After `shutdown` nothing comes any more. */
  readonly noticed: (notice: ExecutorNotice) => void
  /** Our own bug: log it and end the process. */
  readonly crash: (error: unknown) => void
}

type RunnerEvent =
  | ExecutorMachineEvent
  | { readonly kind: 'asked'; readonly ask: (state: ExecutorState) => ExecutorEffect[] }

/** An executor machine with its loop and its connection to the agent: all that a program needs that runs tasks of its own kind. */
export class ExecutorRunner {
  readonly #options: ExecutorRunnerOptions
  readonly #client: ExecutorClient
  readonly #loop: Loop<ExecutorState, RunnerEvent, ExecutorEffect, ExecutorTimer>

  constructor(options: ExecutorRunnerOptions) {
    const { agent, token, options: machine } = options.environment
    this.#options = options
    this.#client = new ExecutorClient(agent, token)
    this.#loop = new Loop<ExecutorState, RunnerEvent, ExecutorEffect, ExecutorTimer>({
      state: createExecutorMachine(machine),
      step: (state, event) => (event.kind === 'asked' ? event.ask(state) : stepExecutor(state, event)),
      perform: (effect) => this.#perform(effect),
      timerFired: (timer, atMs) => ({ kind: 'timerFired', atMs, timer }),
      crash: (error) => options.crash(error),
    })
  }

  /** Subscribes. */
  start(): void {
    this.#loop.post({ kind: 'started', atMs: this.#loop.now() })
  }

  /** Tells the agent, now or as soon as it is there, and again until it is acknowledged. */
  update(given: TaskUpdate): void {
    this.#loop.post({ kind: 'asked', ask: (state) => update(state, given, this.#loop.now()) })
  }

  /** Sends data to the framework's scheduler, if the agent is there. */
  sendMessage(data: Uint8Array): void {
    this.#loop.post({ kind: 'asked', ask: (state) => sendMessage(state, data) })
  }

  /** Updates that the agent has not acknowledged; an executor that ends waits until there are none. */
  get unacknowledgedCount(): number {
    return this.#loop.state.unacknowledgedUpdates.length
  }

  /** Leaves without a word. */
  stop(): void {
    this.#loop.stop()
    this.#client.close()
  }

  #perform(effect: ExecutorEffect): void {
    switch (effect.kind) {
      case 'openStream':
        this.#client.subscribe(effect.call, {
          event: (event) => this.#loop.post({ kind: 'eventReceived', atMs: this.#loop.now(), event }),
          closed: ({ message }) => this.#loop.post({ kind: 'streamClosed', atMs: this.#loop.now(), reason: message }),
        })
        return
      case 'closeStream':
        this.#client.unsubscribe()
        return
      case 'sendCall':
        void this.#send(effect)
        return
      case 'setTimer':
        this.#loop.timers.set(effect.key, effect.timer, effect.atMs)
        return
      case 'cancelTimer':
        this.#loop.timers.cancel(effect.key)
        return
      default:
        this.#options.noticed(effect)
    }
  }

  async #send({ call }: Extract<ExecutorEffect, { kind: 'sendCall' }>): Promise<void> {
    const refused = (status: number, text: string): void => {
      this.#loop.post({ kind: 'callRefused', atMs: this.#loop.now(), call, status, text })
    }
    try {
      const { status, text } = await this.#client.send(call)
      if (status >= 300) refused(status, text)
    } catch (error) {
      refused(0, IoError.from(error).message)
    }
  }
}
