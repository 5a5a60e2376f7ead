import type { Call, Event } from '@isthmus/proto/gen/scheduler'
import type { FrameworkEvent } from '../framework/events.ts'
import type { MasterProcess } from './master-process.ts'
import type { Connection } from './network.ts'
import type { Surroundings } from './surroundings.ts'

/** What a scheduler sends: its SUBSCRIBE first on a stream, later calls with the stream's id on a connection for calls. */
export interface SchedulerRequest {
  readonly call: Call
  readonly streamId: string | undefined
}

/** What it is sent: on a stream its id and events, or a refusal; on the connection for calls the answers, in order. */
export type SchedulerAnswer =
  | { readonly kind: 'opened'; readonly streamId: string }
  | { readonly kind: 'event'; readonly event: Event }
  | { readonly kind: 'answered'; readonly status: number; readonly text: string }

type Line = Connection<SchedulerRequest, SchedulerAnswer>

/** A scheduler's connections to the leading master: its stream, and one for its calls, as core/src/io/http/scheduler-client.ts has them. */
export class SchedulerLines {
  readonly #world: Surroundings
  readonly #name: string
  readonly #post: (event: FrameworkEvent) => void
  /** Whom it talks to: the one that led when the stream was opened. */
  #master: MasterProcess
  #stream: Line | undefined
  #streamId: string | undefined
  #calls: Line | undefined
  /** Calls without an answer yet, oldest first. */
  #unanswered: Call[] = []

  /** @param post is told what the connections bring */
  constructor(world: Surroundings, name: string, post: (event: FrameworkEvent) => void) {
    this.#world = world
    this.#name = name
    this.#post = post
    this.#master = world.master().newest
  }

  /** Sends SUBSCRIBE on a stream of its own; an open one is closed first. */
  openStream(call: Call): void {
    this.closeStream()
    this.#master = this.#world.master().newest
    const stream: Line = this.#world.network.connect(this.#name, this.#master.host, {
      received: (answer) => this.#streamed(answer),
      closed: (reason) => this.#streamLost(stream, reason),
    })
    this.#stream = stream
    this.#master.schedulerStream(stream)
    stream.toServer({ call, streamId: undefined })
  }

  closeStream(): void {
    this.#stream?.closeByClient()
    this.#stream = undefined
    this.#streamId = undefined
  }

  /** Another master leads: what is open to the one before is void. */
  masterMoved(): void {
    if (this.#stream !== undefined && this.#master === this.#world.master().newest) return
    if (this.#stream === undefined) {
      this.#post({ kind: 'masterDetected', atMs: this.#world.schedule.nowMs })
      return
    }
    this.closeStream()
    this.#streamIsLost('another master leads')
  }

  /** Sends a call after all earlier ones. */
  send(call: Call): void {
    if (this.#calls === undefined) {
      const line: Line = this.#world.network.connect(this.#name, this.#master.host, {
        received: (answer) => this.#answered(answer),
        closed: (reason) => this.#callsLost(line, reason),
      })
      this.#calls = line
      this.#master.schedulerCalls(line)
    }
    this.#unanswered.push(call)
    this.#calls.toServer({ call, streamId: this.#streamId })
  }

  /** The process ended: what was sent may still arrive, what comes is for nobody. */
  forget(): void {
    this.#stream = undefined
    this.#streamId = undefined
    this.#calls = undefined
    this.#unanswered = []
  }

  #streamed(answer: SchedulerAnswer): void {
    const atMs = this.#world.schedule.nowMs
    if (answer.kind === 'opened') {
      this.#streamId = answer.streamId
      this.#post({ kind: 'streamOpened', atMs })
    } else if (answer.kind === 'event') {
      this.#post({ kind: 'eventReceived', atMs, event: answer.event })
    } else {
      this.closeStream()
      this.#post({ kind: 'streamClosed', atMs, reason: `${answer.status} ${answer.text}` })
    }
  }

  #streamLost(stream: Line, reason: string): void {
    if (this.#stream !== stream) return
    this.#stream = undefined
    this.#streamId = undefined
    this.#streamIsLost(reason)
  }

  #streamIsLost(reason: string): void {
    this.#post({ kind: 'streamClosed', atMs: this.#world.schedule.nowMs, reason })
    // With its stream a scheduler gives up the calls that wait for an answer.
    this.#calls?.closeByClient()
    this.#calls = undefined
    this.#refuseUnanswered(reason)
  }

  #answered(answer: SchedulerAnswer): void {
    const call = this.#unanswered.shift()
    if (call === undefined || answer.kind !== 'answered' || answer.status < 300) return
    const { status, text } = answer
    this.#post({ kind: 'callRefused', atMs: this.#world.schedule.nowMs, call, status, text })
  }

  #callsLost(line: Line, reason: string): void {
    if (this.#calls !== line) return
    this.#calls = undefined
    this.#refuseUnanswered(reason)
  }

  #refuseUnanswered(reason: string): void {
    for (const call of this.#unanswered.splice(0)) {
      this.#post({ kind: 'callRefused', atMs: this.#world.schedule.nowMs, call, status: 0, text: reason })
    }
  }
}
