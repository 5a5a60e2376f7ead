// The bridge as a program: the machine of bridge.ts between a master, a ResourceManager and its own REST API.

import type { AddressInfo } from 'node:net'
import { userInfo } from 'node:os'
import type { Rejection } from '@isthmus/core/base/result'
import { IoError } from '@isthmus/core/io/io-error'
import { type Log, openLog } from '@isthmus/core/io/observe/logger'
import { FrameworkShell } from '@isthmus/core/io/runtime/framework-shell'
import { Loop } from '@isthmus/core/io/runtime/loop'
import { parseMasterAddress } from '@isthmus/core/io/runtime/master-finder'
import { fromJson } from '@isthmus/proto/codec'
import type { ExecutorInfo, FrameworkInfo, Task } from '@isthmus/proto/gen/mesos'
import { step } from '../bridge.ts'
import type { BridgeEffect } from '../effects.ts'
import type { BridgeEvent, BridgeTimer } from '../events.ts'
import { type BridgeState, createBridge } from '../state.ts'
import { serveApi } from './api.ts'
import { LatestOnly } from './latest-only.ts'
import { type BridgeConfiguration, helpText, readConfiguration } from './options.ts'
import { RmClient } from './rm-client.ts'
import { StateFolder } from './state-folder.ts'

/** Asking the master what runs already: it may still be starting. */
const RECOVERY_RETRY_MS = 1_000
const RECOVERY_TIMEOUT_MS = 10_000

/** Runs the bridge until it is told to end; the promise resolves with the process's exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  if (argv.includes('--help')) {
    process.stdout.write(helpText())
    return 0
  }
  const read = readConfiguration(argv, process.env, userInfo().username)
  if (!read.ok) {
    process.stderr.write(`isthmus yarn-bridge: ${read.rejection.message}\n`)
    return 2
  }
  const log = openLog({ program: 'yarn-bridge', level: 'INFO', isQuiet: false, file: read.value.logFile })
  try {
    return await new BridgeProgram(read.value, log).run()
  } catch (reason) {
    log.error('the bridge cannot go on', { reason: IoError.from(reason).message })
    return 1
  } finally {
    await log.end()
  }
}

type SetNodeResource = Extract<BridgeEffect, { kind: 'setNodeResource' }>

class BridgeProgram {
  readonly #configuration: BridgeConfiguration
  readonly #log: Log
  readonly #rm: RmClient
  readonly #folder: StateFolder
  readonly #loop: Loop<BridgeState, BridgeEvent, BridgeEffect, BridgeTimer>
  readonly #shell: FrameworkShell
  readonly #questions = new Map<string, (rejection: Rejection | undefined) => void>()
  readonly #nodeSizes = new LatestOnly<SetNodeResource>((_, effect) => this.#setNodeResource(effect))
  #nextQuestion = 1
  #hasEnded = false
  #end: (code: number) => void = () => {}

  constructor(configuration: BridgeConfiguration, log: Log) {
    this.#configuration = configuration
    this.#log = log
    const address = parseMasterAddress(configuration.master, configuration.zkSessionTimeoutMs)
    if (!address.ok) throw new IoError('OTHER', `--master: ${address.rejection.message}`)
    const master = address.value
    this.#rm = new RmClient({ urls: configuration.rmUrls, user: configuration.user })
    this.#folder = new StateFolder(configuration.stateDir)
    const state = createBridge({
      info: frameworkInfo(configuration, this.#folder.readFrameworkId()),
      wishes: this.#folder.readWishes(),
      policy: configuration.policy,
      template: configuration.template,
      nextSequence: Date.now(),
    })
    this.#loop = new Loop({
      state,
      step,
      perform: (effect) => this.#perform(effect),
      timerFired: (timer, atMs) => ({ kind: 'timerFired', atMs, timer }),
      crash: (error) => {
        log.error('a bug: the machine failed', { error })
        this.#end(70)
      },
    })
    this.#shell = new FrameworkShell({
      master,
      post: (event) => this.#loop.post({ kind: 'frameworkEventReceived', atMs: this.#loop.now(), event }),
      notice: () => {},
    })
  }

  async run(): Promise<number> {
    const ended = new Promise<number>((resolve) => {
      this.#end = resolve
    })
    const { ip, port } = this.#configuration
    const { state } = this.#loop
    const server = await serveApi({ ip, port, state, now: this.#loop.now, ask: (question) => this.#ask(question) })
    const stop = (): void => this.#end(0)
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop)
    watchParent(stop)
    process.stdout.write(`ready http://${ip}:${(server.address() as AddressInfo).port}\n`)
    void this.#readFleet('started')
    const code = await ended
    this.#hasEnded = true
    this.#loop.stop()
    await this.#shell.idle()
    this.#shell.close()
    this.#rm.close()
    server.closeAllConnections()
    server.close()
    return code
  }

  /** Finds out what runs under this framework's id, and tells the machine; asks until the master answers or the bridge ends. */
  async #readFleet(kind: 'started' | 'fleetRead'): Promise<void> {
    const frameworkId = this.#loop.state.framework.frameworkId?.value
    while (!this.#hasEnded) {
      try {
        const found = frameworkId === undefined ? { tasks: [], executors: [] } : await this.#readTasks(frameworkId)
        this.#loop.post({ kind, atMs: this.#loop.now(), ...found })
        return
      } catch (reason) {
        this.#log.warn('the master does not tell what runs yet', { reason: IoError.from(reason).message })
        await new Promise((resolve) => setTimeout(resolve, RECOVERY_RETRY_MS))
      }
    }
  }

  async #readTasks(frameworkId: string): Promise<{ tasks: Task[]; executors: ExecutorInfo[] }> {
    // One after the other: the executor of a task that is listed is then listed too, unless both have ended.
    const tasks = await this.#operator('GET_TASKS')
    const executors = await this.#operator('GET_EXECUTORS')
    return {
      tasks: (tasks.get_tasks?.tasks ?? []).filter((task) => task.framework_id.value === frameworkId),
      executors: (executors.get_executors?.executors ?? [])
        .map(({ executor_info }) => executor_info)
        .filter((executor) => executor.framework_id?.value === frameworkId),
    }
  }

  async #operator(type: 'GET_TASKS' | 'GET_EXECUTORS') {
    const answer = await this.#shell.operatorCall(JSON.stringify({ type }), RECOVERY_TIMEOUT_MS)
    if (answer.status !== 200) throw new IoError('REFUSED', `${type}: ${answer.status} ${answer.body.toString('utf8')}`)
    return fromJson('mesos.v1.master.Response', JSON.parse(answer.body.toString('utf8')))
  }

  #ask(question: Parameters<Parameters<typeof serveApi>[0]['ask']>[0]): Promise<Rejection | undefined> {
    const requestId = String(this.#nextQuestion++)
    return new Promise((resolve) => {
      this.#questions.set(requestId, resolve)
      this.#loop.post({ ...question, requestId, atMs: this.#loop.now() } as BridgeEvent)
    })
  }

  #perform(effect: BridgeEffect): void {
    switch (effect.kind) {
      case 'framework':
        this.#shell.perform(effect.effect)
        return
      case 'sampleRm':
        void this.#sample()
        return
      case 'readFleet':
        void this.#readFleet('fleetRead')
        return
      case 'setNodeResource':
        this.#nodeSizes.put(effect.nodeId, effect)
        return
      case 'saveFrameworkId':
        // Launched without it, NodeManagers would be strangers to the next bridge.
        if (!this.#keep(() => this.#folder.saveFrameworkId(effect.frameworkId.value))) this.#end(1)
        return
      case 'saveWishes':
        this.#keep(() => this.#folder.saveWishes(effect.wishes))
        return
      case 'answer':
        this.#questions.get(effect.requestId)?.(effect.rejection)
        this.#questions.delete(effect.requestId)
        return
      case 'recordDecision': {
        const { action, hostname, size, reason } = effect.record
        this.#log.info('decision', { action, hostname, ...size, code: reason.code, reason: reason.message })
        return
      }
      case 'setTimer':
        this.#loop.timers.set(effect.key, effect.timer, effect.atMs)
        return
      case 'note':
        this.#log[effect.level](effect.message, effect.fields)
        return
      case 'exit':
        this.#end(this.#loop.state.isShuttingDown ? 0 : 1)
        return
      default:
        effect satisfies never
    }
  }

  /** Says whether it could be kept. A disk that is full does not end the bridge for a wish, which is in force. */
  #keep(save: () => void): boolean {
    try {
      save()
      return true
    } catch (reason) {
      this.#log.error('a restart would forget this', { reason: IoError.from(reason).message })
      return false
    }
  }

  async #sample(): Promise<void> {
    const beganAtMs = this.#loop.now()
    try {
      const sample = await this.#rm.sample()
      this.#loop.post({ kind: 'rmSampled', atMs: this.#loop.now(), beganAtMs, sample })
    } catch (reason) {
      this.#loop.post({ kind: 'rmFailed', atMs: this.#loop.now(), message: IoError.from(reason).message })
    }
  }

  async #setNodeResource(effect: SetNodeResource): Promise<void> {
    const { nodeId, size } = effect
    let refusal: string | undefined
    try {
      await this.#rm.setNodeResource(nodeId, size, effect.overCommitTimeoutMs)
    } catch (reason) {
      refusal = IoError.from(reason).message
    }
    this.#loop.post({ kind: 'nodeResourceAnswered', atMs: this.#loop.now(), nodeId, size, refusal })
  }
}

function frameworkInfo(configuration: BridgeConfiguration, id: string | undefined): FrameworkInfo {
  return {
    user: configuration.user,
    name: configuration.frameworkName,
    id: id === undefined ? undefined : { value: id },
    roles: [configuration.role],
    principal: configuration.principal,
    failover_timeout: configuration.failoverTimeoutSeconds,
    checkpoint: true,
    // PARTITION_AWARE: a NodeManager whose agent is unreachable goes on, and is ours again when the agent returns.
    capabilities: [{ type: 'MULTI_ROLE' }, { type: 'RESERVATION_REFINEMENT' }, { type: 'PARTITION_AWARE' }],
  }
}

/** A parent that set ISTHMUS_STOP_ON_STDIN_END and ends, by whatever means, takes the bridge with it. */
function watchParent(stop: () => void): void {
  if (process.env.ISTHMUS_STOP_ON_STDIN_END === undefined) return
  process.stdin.on('end', stop)
  process.stdin.on('error', stop)
  process.stdin.resume()
}
