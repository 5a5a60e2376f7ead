// The world around an agent machine: its link to the master, its HTTP API, containers, checks. It decides nothing; see
// core/src/agent/effects.ts for what each effect means.

import { rm } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { constants } from 'node:os'
import type { Response as OperatorResponse } from '@isthmus/proto/gen/agent'
import type { Event as ExecutorEvent } from '@isthmus/proto/gen/executor'
import type { AgentID, AgentInfo } from '@isthmus/proto/gen/mesos'
import { step } from '../../agent/agent.ts'
import type { AgentEffect, CheckSpec, ContainerSpec } from '../../agent/effects.ts'
import type { AgentEvent, AgentTimer, CheckOutcome, EndedContainer, RunningContainer } from '../../agent/events.ts'
import { SANDBOXES_MAX } from '../../agent/gc.ts'
import { encodeRecord } from '../../agent/records.ts'
import { snapshot } from '../../agent/snapshot.ts'
import type { AgentState } from '../../agent/state.ts'
import { type Containerizer, type ContainerListener, containerCommand } from '../containers/container.ts'
import type { Journal } from '../disk/journal/journal.ts'
import { findSandboxes } from '../disk/old-sandboxes.ts'
import type { KeptResources, ResourceStore } from '../disk/resource-state.ts'
import type { VirtualFiles } from '../disk/virtual-files.ts'
import type { CheckRequest, CheckResult, CheckRunner } from '../health/check.ts'
import { answerText } from '../http/answers.ts'
import { busyWith } from '../http/busy.ts'
import { serveCalls } from '../http/calls.ts'
import type { Endpoint } from '../http/client.ts'
import { Exchanges } from '../http/exchanges.ts'
import { encodeMessage } from '../http/messages.ts'
import { accepts, responseEncoding } from '../http/negotiate.ts'
import type { Route } from '../http/routes.ts'
import { answerSharedCall, type SharedFacts } from '../http/shared-calls.ts'
import { RecordStreams } from '../http/streams.ts'
import { IoError } from '../io-error.ts'
import type { Log } from '../observe/logger.ts'
import { AgentLink } from './agent-link.ts'
import { readContainers, withStatistics } from './container-statistics.ts'
import { Loop } from './loop.ts'
import { type MasterAddress, MasterFinder } from './master-finder.ts'
import { OutputCommit } from './output-commit.ts'
import { Oversubscription } from './oversubscription.ts'
import type { OversubscriptionModules } from './oversubscription-modules.ts'
import { hideSandbox, showKeptSandboxes, showSandbox } from './sandbox-files.ts'
import { shellMetrics } from './shell-metrics.ts'

/** What an agent's shell needs. */
export interface AgentShellOptions {
  readonly state: AgentState
  readonly master: MasterAddress
  readonly masterSessionTimeoutMs?: number | undefined
  readonly log: Log
  readonly files: VirtualFiles
  readonly shared: SharedFacts
  readonly checks: CheckRunner
  /** Where reservations and volumes are kept. */
  readonly resources: Pick<ResourceStore, 'store'>
  /** Begins to keep what must not be forgotten, under the id that the master has given. */
  readonly keepAs: (info: AgentInfo) => Promise<Journal>
  readonly oversubscription: OversubscriptionModules
  /** What every process gets besides the environment that the machine decides. */
  readonly environment: (environment: Readonly<Record<string, string>>) => Readonly<Record<string, string>>
  /** The master has given the agent its id. */
  readonly registered: (agentId: string) => void
  /** The agent is done (`error` absent), or a bug was found. */
  readonly ended: (reason: string, error?: unknown) => void
}

/** How long the last messages to the master may take at the end. */
const DRAIN_PATIENCE_MS = 1_000

const RECORDIO = 'application/recordio'
const NOT_ACCEPTABLE = "Expecting 'Accept' to allow application/json or application/x-protobuf or application/recordio"

/** An agent whose routes are ready to be served. */
export class AgentShell {
  /** Its own routes; pages that only show the state are added by the program. */
  readonly routes: readonly Route[]
  /** What the containerizer tells, for opening it. */
  readonly containerListener: ContainerListener
  readonly #options: AgentShellOptions
  readonly #loop: Loop<AgentState, AgentEvent, AgentEffect, AgentTimer>
  readonly #commit: OutputCommit<AgentEffect>
  readonly #exchanges = new Exchanges()
  readonly #executors: RecordStreams<ExecutorEvent>
  readonly #link: AgentLink
  readonly #finder: MasterFinder
  #isKept = false
  #master: Endpoint | undefined
  #containerizer: Containerizer | undefined
  #oversubscription: Oversubscription | undefined

  constructor(options: AgentShellOptions) {
    this.#options = options
    this.#loop = new Loop<AgentState, AgentEvent, AgentEffect, AgentTimer>({
      state: options.state,
      step,
      perform: (effect) => this.#commit.take(effect),
      stepped: () => this.#commit.stepped(),
      timerFired: (timer, atMs) => ({ kind: 'timerFired', atMs, timer }),
      crash: (error, event) => options.ended(`the agent's step failed on ${event.kind}`, error),
    })
    this.#commit = new OutputCommit<AgentEffect>({
      perform: (effect) => this.#perform(effect),
      recordsOf: (effect) => (effect.kind === 'record' ? effect.records.map(encodeRecord) : undefined),
      snapshot: () => this.snapshot(),
      crash: (error) => options.ended('an effect of the agent failed', error),
      failed: (error) => {
        this.#loop.stop()
        options.ended('what must not be forgotten cannot be written', error)
      },
    })
    this.#executors = new RecordStreams({
      encode: (event, encoding) => encodeMessage('mesos.v1.executor.Event', event, encoding),
      closed: (streamId) => this.#post({ kind: 'executorStreamClosed', atMs: this.#now(), streamId }),
      cutOff: (streamId, queuedBytes) => {
        options.log.warn('slow reader cut off', { reader: 'executor', streamId, queuedBytes })
      },
    })
    this.#link = new AgentLink({
      handlers: {
        opened: () => this.#post({ kind: 'linkOpened', atMs: this.#now() }),
        message: (message) => {
          this.#post({ kind: 'linkMessage', atMs: this.#now(), message })
          const id = message.registered?.agent_id
          if (id !== undefined) this.#registered(id)
        },
        closed: (reason) => {
          this.#finder.failed()
          this.#post({ kind: 'linkClosed', atMs: this.#now(), reason })
        },
      },
    })
    this.#finder = new MasterFinder({
      address: options.master,
      sessionTimeoutMs: options.masterSessionTimeoutMs,
      told: (master) => this.#masterTold(master),
      warn: (message) => options.log.warn('looking for the master', { reason: message }),
    })
    this.containerListener = {
      onStarted: (event) => this.#post({ kind: 'containerStarted', atMs: this.#now(), ...event }),
      onLaunchFailed: (event) => this.#post({ kind: 'containerLaunchFailed', atMs: this.#now(), ...event }),
      onExited: ({ containerId, waitStatus = constants.signals.SIGKILL, limitation, reason }) => {
        if (reason !== undefined) options.log.warn('a container ended unseen', { containerId, reason })
        this.#post({ kind: 'containerExited', atMs: this.#now(), containerId, waitStatus, limitation })
      },
    }
    this.routes = [
      { kind: 'call', path: '/api/v1/executor', meaning: 'The v1 executor API.', handle: this.#executorCalls() },
      { kind: 'call', path: '/api/v1', meaning: 'The v1 operator API.', handle: this.#operatorCalls() },
    ]
  }

  /** What the machine knows, to read. */
  get state(): AgentState {
    return this.#options.state
  }

  /** What runs the containers, once it is there. */
  get containerizer(): Containerizer | undefined {
    return this.#containerizer
  }

  /** Its queues, and the clients that were too slow or too many. */
  metrics(): Record<string, number> {
    const [requests, events] = [this.#exchanges.size, this.#loop.queueLength]
    return shellMetrics({ program: 'slave', requests, events, streams: { executors: this.#executors } })
  }

  /** Encoded records that stand for all that must not be forgotten. */
  snapshot(): readonly Uint8Array[] {
    return snapshot(this.state).map(encodeRecord)
  }

  /** Goes on as the agent whose journal this is. */
  resume(journal: Journal): void {
    this.#isKept = true
    this.#commit.use(journal)
  }

  /** What must be kept cannot be: nothing more is performed, and `ended` is told. */
  diskFailed(error: unknown): void {
    this.#commit.fail(error)
  }

  /** Takes over what the last life left running, then looks for the master. Rejects with IoError when nobody can say what runs. */
  async begin(containerizer: Containerizer): Promise<void> {
    this.#containerizer = containerizer
    showKeptSandboxes(this.#options.files, this.state)
    const found = await containerizer.recover()
    const running: RunningContainer[] = []
    const ended: EndedContainer[] = []
    for (const { containerId, pid, exit } of found) {
      if (exit === undefined && pid !== undefined) running.push({ containerId, pid })
      else ended.push({ containerId, waitStatus: exit?.waitStatus, limitation: exit?.limitation })
    }
    this.#post({ kind: 'containersFound', atMs: this.#now(), running, ended })
    this.#finder.start()
    void this.#findSandboxes()
    const { state, log, oversubscription: modules } = this.#options
    const post = (event: AgentEvent): void => this.#post(event)
    this.#oversubscription = new Oversubscription({ state, log, modules, containerizer, now: this.#loop.now, post })
  }

  /** Asks the machine to stop every executor; `ended` is told when it has. */
  terminate(): void {
    this.#post({ kind: 'terminate', atMs: this.#now() })
  }

  /** Ends streams and the link, and the containers, but for those that shall outlive the agent when it only leaves. */
  async stop({ isLeaving }: { readonly isLeaving: boolean }): Promise<void> {
    this.#loop.stop()
    this.#commit.stop()
    this.#oversubscription?.stop()
    this.#finder.stop()
    if (isLeaving) await this.#containerizer?.leave()
    else await this.#containerizer?.close()
    await Promise.race([this.#link.drained(), new Promise((wake) => setTimeout(wake, DRAIN_PATIENCE_MS).unref())])
    this.#executors.closeAll()
    this.#link.end()
  }

  #now(): number {
    return this.#loop.now()
  }

  /** Before anybody is told of the agent, its next life has to be able to go on as this one. */
  #registered(id: AgentID): void {
    const { keepAs, registered, state } = this.#options
    if (this.#isKept) {
      registered(id.value)
      return
    }
    this.#isKept = true
    const kept = keepAs({ ...state.info, id }).then((journal) => {
      this.#commit.use(journal)
      registered(id.value)
    })
    this.#commit.holdUntil(kept)
  }

  #post(event: AgentEvent): void {
    this.#loop.post(event)
  }

  /** One that is known already is asked again by the machine, after its pause. */
  #masterTold(master: Endpoint | undefined): void {
    const before = this.#master
    if (master === undefined || (before?.host === master.host && before.port === master.port)) return
    const isNamed = this.#options.master.kind === 'named'
    this.#master = master
    this.#link.move(master)
    // Of several masters that are named the next one is tried after the pause of the attempt that failed.
    if (before !== undefined && isNamed) return
    this.#options.log.info('leading master found', { master: `${master.host}:${master.port}` })
    this.#post({ kind: 'masterDetected', atMs: this.#now() })
  }

  #perform(effect: AgentEffect): void {
    switch (effect.kind) {
      case 'openLink':
        this.#link.open(effect.message)
        return
      case 'sendToMaster':
        this.#link.send(effect.message)
        return
      case 'closeLink':
        this.#link.close()
        return
      case 'respond':
        this.#exchanges.respond(effect.requestId, effect.status, effect.text)
        return
      case 'respondMessage':
        if (effect.response.get_containers === undefined) this.#respondMessage(effect.requestId, effect.response)
        else void this.#respondContainers(effect.requestId, effect.response)
        return
      case 'openStream':
        this.#openStream(effect.requestId, effect.streamId)
        return
      case 'sendEvent':
        this.#executors.send(effect.streamId, effect.event)
        return
      case 'closeStream':
        this.#executors.close(effect.streamId)
        return
      case 'setTimer':
        this.#loop.timers.set(effect.key, effect.timer, effect.atMs)
        return
      case 'cancelTimer':
        this.#loop.timers.cancel(effect.key)
        return
      case 'note':
        this.#options.log[effect.level](effect.message, effect.fields)
        return
      case 'exit':
        this.#options.ended(effect.reason)
        return
      default:
        this.#performOnContainer(effect)
    }
  }

  #performOnContainer(
    effect: Extract<
      AgentEffect,
      {
        kind:
          | 'record'
          | 'releaseContainer'
          | 'launchContainer'
          | 'updateContainer'
          | 'signalContainer'
          | 'destroyContainer'
          | 'runCheck'
          | 'removeSandbox'
          | 'storeResources'
      }
    >,
  ): void {
    switch (effect.kind) {
      case 'launchContainer':
        this.#launch(effect.spec)
        return
      case 'updateContainer':
        this.#containerizer?.update(effect.containerId, effect.resources, effect.limits)
        this.#containerizer?.setVolumes(effect.containerId, effect.volumes ?? [])
        return
      case 'signalContainer':
        this.#containerizer?.signal(effect.containerId, effect.signal as NodeJS.Signals)
        return
      case 'releaseContainer':
        this.#containerizer?.release(effect.containerId)
        return
      case 'record':
        // The output commit has taken it.
        return
      case 'destroyContainer':
        this.#containerizer?.destroy(effect.containerId)
        return
      case 'runCheck':
        void this.#check(effect)
        return
      case 'removeSandbox':
        void this.#removeSandbox(effect.path)
        return
      case 'storeResources':
        void this.#storeResources(effect)
        return
      default:
        effect satisfies never
    }
  }

  #respondMessage(requestId: string, response: OperatorResponse): void {
    this.#exchanges.respondMessage(requestId, (encoding) =>
      encodeMessage('mesos.v1.agent.Response', response, encoding),
    )
  }

  async #respondContainers(requestId: string, response: OperatorResponse): Promise<void> {
    const uses = await readContainers(this.state, this.#containerizer)
    this.#respondMessage(requestId, withStatistics(response, uses))
  }

  #openStream(requestId: string, streamId: string): void {
    const exchange = this.#exchanges.take(requestId)
    if (exchange === undefined) this.#post({ kind: 'executorStreamClosed', atMs: this.#now(), streamId })
    else this.#executors.open(streamId, exchange.response, { encoding: exchange.encoding })
  }

  #launch(spec: ContainerSpec): void {
    showSandbox(this.#options.files, spec)
    this.#containerizer?.launch({
      ...spec,
      command: containerCommand(spec.command),
      env: this.#options.environment(spec.environment),
    })
  }

  async #check({ checkId, containerId, check }: Extract<AgentEffect, { kind: 'runCheck' }>): Promise<void> {
    const request = checkRequest(check, containerId, this.#options.environment)
    const result = await this.#options.checks.run(request, { timeoutMs: check.timeoutMs })
    this.#post({ kind: 'checkFinished', atMs: this.#now(), checkId, outcome: checkOutcome(result) })
  }

  async #findSandboxes(): Promise<void> {
    const sandboxes = await findSandboxes(this.state.options.workDir, SANDBOXES_MAX)
    this.#post({ kind: 'sandboxesFound', atMs: this.#now(), sandboxes })
  }

  async #removeSandbox(path: string): Promise<void> {
    hideSandbox(this.#options.files, path)
    try {
      await rm(path, { recursive: true, force: true })
    } catch (error) {
      this.#options.log.warn('sandbox not removed', { path, reason: IoError.from(error).message })
    }
  }

  /** What cannot be kept must not be told: the agent ends, and the next one goes on from what the disk says. */
  async #storeResources(kept: KeptResources): Promise<void> {
    try {
      await this.#options.resources.store({ resources: kept.resources, operations: kept.operations })
    } catch (error) {
      this.#options.ended('what operations made of the resources cannot be stored', error)
      return
    }
    this.#post({ kind: 'resourcesStored', atMs: this.#now() })
  }

  /** Why no call is taken now. */
  #busy(): string | undefined {
    if (this.#commit.isFull) return 'the disk is behind'
    return busyWith({ requests: this.#exchanges.size, events: this.#loop.queueLength })
  }

  #executorCalls(): (request: IncomingMessage, response: ServerResponse) => void {
    return serveCalls({
      type: 'mesos.v1.executor.Call',
      busy: () => this.#busy(),
      receive: (call, { request, response }) => {
        const requestId = this.#exchanges.open(request, response).id
        this.#post({ kind: 'executorCalled', atMs: this.#now(), requestId, call })
      },
    })
  }

  #operatorCalls(): (request: IncomingMessage, response: ServerResponse) => void {
    return serveCalls({
      type: 'mesos.v1.agent.Call',
      isTerse: true,
      busy: () => this.#busy(),
      refusesUnread: ({ headers: { accept } }) => {
        const isAcceptable = responseEncoding(accept) !== undefined || accepts(accept ?? '', RECORDIO)
        return isAcceptable ? undefined : { status: 406, text: NOT_ACCEPTABLE }
      },
      receive: (call, { request, response }) => {
        // application/recordio alone was asked for.
        if (call.type !== undefined && responseEncoding(request.headers.accept) === undefined) {
          answerText(response, 406, `Streaming response is not supported for ${call.type} call`)
          return
        }
        const requestId = this.#exchanges.open(request, response).id
        const shared = answerSharedCall(call, this.#options.shared)
        if (shared === undefined) {
          this.#post({ kind: 'operatorCalled', atMs: this.#now(), requestId, call })
          return
        }
        // Failures of the disk are answers; nothing else can fail there.
        void shared.then((answer) => {
          if (answer.kind === 'message') this.#respondMessage(requestId, answer.message)
          else this.#exchanges.respond(requestId, answer.status, answer.text)
        })
      },
    })
  }
}

function checkRequest(
  check: CheckSpec,
  containerId: string,
  environment: AgentShellOptions['environment'],
): CheckRequest {
  switch (check.kind) {
    case 'command': {
      const { sandboxPath: cwd, user } = check
      return {
        kind: 'command',
        containerId,
        command: containerCommand(check.command),
        env: environment(check.environment),
        cwd,
        user,
      }
    }
    case 'http': {
      const { host, port, path } = check
      return { kind: 'http', scheme: check.scheme === 'https' ? 'https' : 'http', host, port, path }
    }
    case 'tcp':
      return { kind: 'tcp', host: check.host, port: check.port }
    default:
      return check satisfies never
  }
}

function checkOutcome(result: CheckResult): CheckOutcome {
  return result.kind === 'failed' ? { kind: 'failed', message: result.reason } : result
}
