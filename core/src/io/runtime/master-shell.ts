// The world around a master machine: HTTP in, effects out. It decides nothing; see core/src/master/effects.ts for what each
// effect means. Authentication is off: no principal is ever set.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { decode, WireError } from '@isthmus/proto/codec'
import type { AgentMessage, MasterMessage } from '@isthmus/proto/gen/agent-link'
import type {
  Call as OperatorCall,
  Event as OperatorEvent,
  Response as OperatorResponse,
} from '@isthmus/proto/gen/master'
import type { VersionInfo } from '@isthmus/proto/gen/mesos'
import type { Event as SchedulerEvent } from '@isthmus/proto/gen/scheduler'
import { RecordReader } from '@isthmus/proto/recordio'
import type { MasterEffect } from '../../master/effects.ts'
import type { MasterEvent, MasterTimer } from '../../master/events.ts'
import { LazyFields } from '../../master/json.ts'
import { maintenanceSchedule, maintenanceStatus } from '../../master/maintenance.ts'
import { step } from '../../master/master.ts'
import { validateOperatorCall } from '../../master/operators.ts'
import { registrySnapshot } from '../../master/registry.ts'
import type { MasterState } from '../../master/state.ts'
import { validateSchedulerCall } from '../../master/validation.ts'
import * as views from '../../master/views.ts'
import type { VirtualFiles } from '../disk/virtual-files.ts'
import { answerText } from '../http/answers.ts'
import { answerUnread, readBody } from '../http/bodies.ts'
import { answerBusy, busyWith, STREAMS_MAX } from '../http/busy.ts'
import { serveCalls } from '../http/calls.ts'
import { commonRoutes } from '../http/common-pages.ts'
import { Exchanges } from '../http/exchanges.ts'
import { fileRoutes } from '../http/file-pages.ts'
import { LoggingToggle } from '../http/logging.ts'
import { masterRoutes } from '../http/master-routes.ts'
import { encodeMessage } from '../http/messages.ts'
import { responseEncoding } from '../http/negotiate.ts'
import { type Route, Router } from '../http/routes.ts'
import { answerSharedCall, type SharedAnswer, type SharedFacts } from '../http/shared-calls.ts'
import { RecordStreams } from '../http/streams.ts'
import { IoError } from '../io-error.ts'
import type { Log } from '../observe/logger.ts'
import { systemMetrics } from '../observe/system-metrics.ts'
import { LINK_ID_HEADER } from './agent-link.ts'
import { Loop } from './loop.ts'
import type { RegistryStore } from './registry-store.ts'
import { shellMetrics } from './shell-metrics.ts'

/** What a master's shell needs. */
export interface MasterShellOptions {
  readonly state: MasterState
  readonly registry: RegistryStore
  readonly log: Log
  readonly files: VirtualFiles
  /** The master cannot lead any more, or a bug was found: the process must end. */
  readonly failed: (reason: string, error?: unknown) => void
  /** Asked before each step; once false, nothing is done any more: who deposed us tells `failed`. Absent = nobody can. */
  readonly mayLead?: (() => boolean) | undefined
}

const NOT_ACCEPTABLE = "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'"

/** A master whose router is ready to be served. */
export class MasterShell {
  readonly router: Router
  readonly #options: MasterShellOptions
  readonly #loop: Loop<MasterState, MasterEvent, MasterEffect, MasterTimer>
  readonly #exchanges = new Exchanges()
  readonly #shared: SharedFacts
  readonly #schedulers: RecordStreams<SchedulerEvent>
  readonly #operators: RecordStreams<OperatorEvent>
  readonly #links: RecordStreams<MasterMessage>

  constructor(options: MasterShellOptions) {
    this.#options = options
    this.#loop = new Loop<MasterState, MasterEvent, MasterEffect, MasterTimer>({
      state: options.state,
      step: (state, event) => (this.#mayStep() ? step(state, event) : []),
      perform: (effect) => this.#perform(effect),
      timerFired: (timer, atMs) => ({ kind: 'timerFired', atMs, timer }),
      crash: (error, event) => options.failed(`the master's step failed on ${event.kind}`, error),
    })
    this.#schedulers = new RecordStreams({
      encode: (event, encoding) => encodeMessage('mesos.v1.scheduler.Event', event, encoding),
      closed: (streamId) => this.#post({ kind: 'streamClosed', atMs: this.#now(), streamId }),
      cutOff: (streamId, queuedBytes) => this.#cutOff('scheduler', streamId, queuedBytes),
    })
    this.#operators = new RecordStreams({
      encode: (event, encoding) => encodeMessage('mesos.v1.master.Event', event, encoding),
      closed: (streamId) => this.#post({ kind: 'streamClosed', atMs: this.#now(), streamId }),
      cutOff: (streamId, queuedBytes) => this.#cutOff('operator', streamId, queuedBytes),
    })
    this.#links = new RecordStreams({
      encode: (message, encoding) => encodeMessage('isthmus.agent_link.MasterMessage', message, encoding),
      closed: (linkId) => this.#post({ kind: 'agentLinkClosed', atMs: this.#now(), linkId }),
      cutOff: (linkId, queuedBytes) => this.#cutOff('agent', linkId, queuedBytes),
    })
    this.#shared = {
      callName: 'master::Call',
      flags: () => options.state.options.shown,
      version: () => masterVersion(options.state.options),
      metrics: () => Object.assign(views.metricsView(options.state, this.#now()), this.#ownMetrics()),
      logging: new LoggingToggle(options.log),
      files: options.files,
    }
    this.router = new Router('master', this.#routes())
  }

  /** What the machine knows, to read. */
  get state(): MasterState {
    return this.#options.state
  }

  /** Starts to lead; before any request. */
  begin(): void {
    this.#post({ kind: 'elected', atMs: this.#now() })
  }

  /** Ends all streams and timers; the server is closed by its owner. */
  async stop(): Promise<void> {
    this.#loop.stop()
    this.#schedulers.closeAll()
    this.#operators.closeAll()
    this.#links.closeAll()
    await this.#options.registry.close()
  }

  #now(): number {
    return this.#loop.now()
  }

  #post(event: MasterEvent): void {
    this.#loop.post(event)
  }

  /** A leader that was stopped and woken finds calls in its sockets before any timer tells it how late it is. */
  #mayStep(): boolean {
    if (this.#options.mayLead?.() ?? true) return true
    this.#loop.stop()
    return false
  }

  #perform(effect: MasterEffect): void {
    switch (effect.kind) {
      case 'respond':
        this.#exchanges.respond(effect.requestId, effect.status, effect.text)
        return
      case 'respondMessage':
        this.#respondMessage(effect.requestId, effect.response)
        return
      case 'openStream':
        this.#openStream(effect)
        return
      case 'sendEvent':
        this.#schedulers.send(effect.streamId, effect.event)
        return
      case 'sendOperatorEvent':
        for (const streamId of effect.streamIds) this.#operators.send(streamId, effect.event)
        return
      case 'closeStream':
        this.#schedulers.close(effect.streamId)
        this.#operators.close(effect.streamId)
        return
      case 'openLink':
        this.#openLink(effect.requestId, effect.linkId)
        return
      case 'sendToAgent':
        this.#links.send(effect.linkId, effect.message)
        return
      case 'closeLink':
        this.#links.close(effect.linkId)
        return
      case 'commitRegistry':
        this.#commit(effect)
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
      case 'abdicate':
        this.#options.failed(effect.reason)
        return
      default:
        effect satisfies never
    }
  }

  #respondMessage(requestId: string, response: OperatorResponse): void {
    this.#exchanges.respondMessage(requestId, (encoding) =>
      encodeMessage('mesos.v1.master.Response', response, encoding),
    )
  }

  #openStream(effect: Extract<MasterEffect, { kind: 'openStream' }>): void {
    const { requestId, streamId } = effect
    const exchange = this.#exchanges.take(requestId)
    if (exchange === undefined) {
      this.#post({ kind: 'streamClosed', atMs: this.#now(), streamId })
      return
    }
    const { response, encoding } = exchange
    if (effect.of === 'operator') this.#operators.open(streamId, response, { encoding })
    else this.#schedulers.open(streamId, response, { encoding, headers: { 'Mesos-Stream-Id': streamId } })
  }

  #openLink(requestId: string, linkId: string): void {
    const exchange = this.#exchanges.take(requestId)
    if (exchange === undefined) this.#post({ kind: 'agentLinkClosed', atMs: this.#now(), linkId })
    else this.#links.open(linkId, exchange.response, { encoding: 'protobuf', headers: { [LINK_ID_HEADER]: linkId } })
  }

  #commit({ records, token }: Extract<MasterEffect, { kind: 'commitRegistry' }>): void {
    this.#options.registry.commit(records).then(
      () => this.#post({ kind: 'registryCommitted', atMs: this.#now(), token }),
      (error: unknown) => {
        const reason = IoError.from(error).message
        this.#post({ kind: 'registryFailed', atMs: this.#now(), token, reason })
      },
    )
  }

  #routes(): readonly Route[] {
    const { state } = this.#options
    const { flags, version, logging } = this.#shared
    const routes: Route[] = []
    routes.push(
      ...masterRoutes({
        scheduler: this.#schedulerCalls(),
        operator: this.#operatorCalls(),
        agentLink: this.#agentLink(),
        gate: () => undefined,
        leader: () => `${state.options.hostname}:${state.options.port}`,
        submit: (call, request, response) => this.#submit(call, request, response),
        views: {
          state: () => views.stateView(state),
          stateSummary: () => views.stateSummaryView(state),
          slaves: (query) => views.slavesView(state, query),
          frameworks: (query) => views.frameworksView(state, query),
          tasks: (query) => views.tasksView(state, query),
          roles: () => views.rolesView(state),
          weights: () => views.weightsView(state),
          quota: () => views.quotaView(state),
          explain: (query) => views.explainView(state, query, this.#now()),
          reclaim: () => views.reclaimView(state, this.#now()),
          offerConstraints: () => views.offerConstraintsView(state),
          maintenanceSchedule: () => maintenanceSchedule(state),
          maintenanceStatus: () => maintenanceStatus(state),
          registry: () => ({ records: registrySnapshot(state.registry) }),
        },
      }),
      ...commonRoutes({
        flags,
        version,
        metrics: () => {
          const { own, more } = views.metricsPage(state, this.#now())
          return new LazyFields({ ...own, ...this.#ownMetrics() }, more)
        },
        logging,
        routes: () => routes,
      }),
      ...fileRoutes(this.#options.files),
    )
    return routes
  }

  #schedulerCalls(): (request: IncomingMessage, response: ServerResponse) => void {
    return serveCalls({
      type: 'mesos.v1.scheduler.Call',
      busy: () => this.#busy(),
      receive: (call, { request, response }) => {
        // Only SUBSCRIBE looks at Accept, and after the validation of the call.
        if (call.type === 'SUBSCRIBE' && responseEncoding(request.headers.accept) === undefined) {
          const problem = validateSchedulerCall(call, undefined)
          if (problem === undefined) answerText(response, 406, NOT_ACCEPTABLE)
          else answerText(response, 400, `Failed to validate scheduler::Call: ${problem}`)
          return
        }
        if (call.type === 'SUBSCRIBE' && this.#schedulers.size >= STREAMS_MAX) {
          answerBusy(response, `${STREAMS_MAX} schedulers are subscribed`)
          return
        }
        const streamId = request.headers['mesos-stream-id']
        this.#post({
          kind: 'schedulerCalled',
          atMs: this.#now(),
          requestId: this.#exchanges.open(request, response).id,
          call,
          streamId: Array.isArray(streamId) ? streamId[0] : streamId,
        })
      },
    })
  }

  #operatorCalls(): (request: IncomingMessage, response: ServerResponse) => void {
    return serveCalls({
      type: 'mesos.v1.master.Call',
      busy: () => this.#busy(),
      receive: (call, { request, response }) => {
        // As in Mesos, after the validation of the call, whose refusals follow from here as without the header.
        const isAcceptable = responseEncoding(request.headers.accept) !== undefined
        if (!isAcceptable && validateOperatorCall(call) === undefined) {
          answerText(response, 406, NOT_ACCEPTABLE)
          return
        }
        const shared = answerSharedCall(call, this.#shared)
        if (shared === undefined) this.#submit(call, request, response)
        else this.#answerShared(shared, this.#exchanges.open(request, response).id)
      },
    })
  }

  #answerShared(shared: Promise<SharedAnswer>, requestId: string): void {
    // Failures of the disk are answers; nothing else can fail there.
    void shared.then((answer) => {
      if (answer.kind === 'message') this.#respondMessage(requestId, answer.message)
      else this.#exchanges.respond(requestId, answer.status, answer.text)
    })
  }

  #submit(call: OperatorCall, request: IncomingMessage, response: ServerResponse): void {
    const requestId = this.#exchanges.open(request, response).id
    this.#post({ kind: 'operatorCalled', atMs: this.#now(), requestId, call })
  }

  #cutOff(reader: string, streamId: string, queuedBytes: number): void {
    this.#options.log.warn('slow reader cut off', { reader, streamId, queuedBytes })
  }

  #ownMetrics(): Record<string, number> {
    const streams = { schedulers: this.#schedulers, operators: this.#operators, agents: this.#links }
    const [requests, events] = [this.#exchanges.size, this.#loop.queueLength]
    return { ...shellMetrics({ program: 'master', requests, events, streams }), ...systemMetrics() }
  }

  /** Why no call is taken now. */
  #busy(): string | undefined {
    return busyWith({ requests: this.#exchanges.size, events: this.#loop.queueLength })
  }

  /** One message opens a link; with the header of an open link the body is a batch of records. */
  #agentLink(): (request: IncomingMessage, response: ServerResponse) => void {
    const first = serveCalls({
      type: 'isthmus.agent_link.AgentMessage',
      busy: () => this.#busy() ?? (this.#links.size < STREAMS_MAX ? undefined : `${STREAMS_MAX} agents are linked`),
      receive: (message, { request, response }) => {
        const requestId = this.#exchanges.open(request, response).id
        this.#post({ kind: 'agentConnected', atMs: this.#now(), requestId, message })
      },
    })
    return (request, response) => {
      const linkId = request.headers[LINK_ID_HEADER.toLowerCase()]
      if (typeof linkId !== 'string' || request.method !== 'POST') {
        first(request, response)
        return
      }
      readBody(request, (body) => {
        if (typeof body === 'string') answerUnread(response, body)
        else if (!this.#links.has(linkId)) answerText(response, 404, 'No such link is open')
        else this.#batch(linkId, body, response)
      })
    }
  }

  #batch(linkId: string, body: Uint8Array, response: ServerResponse): void {
    const messages = decodeBatch(body)
    if (typeof messages === 'string') {
      answerText(response, 400, messages)
      return
    }
    this.#post({ kind: 'agentMessages', atMs: this.#now(), linkId, messages })
    answerText(response, 202)
  }
}

/** The messages of a RecordIO body, or what is wrong with it. */
function decodeBatch(body: Uint8Array): readonly AgentMessage[] | string {
  const reader = new RecordReader()
  try {
    const messages = reader.push(body).map((bytes) => decode('isthmus.agent_link.AgentMessage', bytes))
    return reader.isInside ? 'The last record is cut off' : messages
  } catch (error) {
    if (error instanceof WireError) return error.message
    throw error
  }
}

/** Build facts and version as /version shows them. */
export function masterVersion(options: MasterState['options']): VersionInfo {
  const { build, version } = options
  return {
    build_date: build.date,
    build_time: build.timeSeconds,
    build_user: build.user,
    git_sha: build.gitSha,
    git_tag: build.gitTag,
    version,
  }
}
