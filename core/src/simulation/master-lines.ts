import type { AgentMessage, MasterMessage } from '@isthmus/proto/gen/agent-link'
import type { Call as OperatorCall } from '@isthmus/proto/gen/master'
import type { Event } from '@isthmus/proto/gen/scheduler'
import { assert } from '../base/assert.ts'
import type { Connection } from './network.ts'
import type { SchedulerAnswer, SchedulerRequest } from './scheduler-lines.ts'

/** What a master is sent on an agent's link, after its first message. */
export type LinkAnswer =
  | { readonly kind: 'opened' }
  | { readonly kind: 'message'; readonly message: MasterMessage }
  | { readonly kind: 'refused'; readonly status: number; readonly text: string }

/** An agent's link. */
export type LinkLine = Connection<AgentMessage, LinkAnswer>
/** A scheduler's stream, or its connection for calls. */
export type SchedulerLine = Connection<SchedulerRequest, SchedulerAnswer>

/** An answer that a request waits for. */
export interface Waiting {
  readonly stream?: SchedulerLine
  readonly calls?: SchedulerLine
  readonly link?: LinkLine
  /** The agent's first message. */
  readonly message?: AgentMessage
  readonly operator?: { readonly call: OperatorCall; readonly answered: (status: number) => void }
}

/** The open connections of one master: its streams and links by their ids, and the requests that wait for an answer. */
export class MasterLines {
  readonly #waiting = new Map<string, Waiting>()
  readonly #streams = new Map<string, SchedulerLine>()
  readonly #links = new Map<string, LinkLine>()
  readonly #streamIds = new Map<SchedulerLine, string>()
  readonly #linkIds = new Map<LinkLine, string>()
  #requests = 0

  /** A request has come; its id. */
  request(waiting: Waiting): string {
    const requestId = `r${this.#requests++}`
    this.#waiting.set(requestId, waiting)
    return requestId
  }

  /** What waits for this answer, for the last time. */
  take(requestId: string): Waiting {
    const waiting = this.#waiting.get(requestId)
    assert(waiting !== undefined, 'a request is answered once')
    this.#waiting.delete(requestId)
    return waiting
  }

  /** Opens a stream on the connection whose SUBSCRIBE waits. */
  openStream(requestId: string, streamId: string): void {
    const line = this.take(requestId).stream
    if (line === undefined) return
    this.#streams.set(streamId, line)
    this.#streamIds.set(line, streamId)
    line.toClient({ kind: 'opened', streamId })
  }

  /** Opens a link on the connection whose first message waits; that message. */
  openLink(requestId: string, linkId: string): AgentMessage | undefined {
    const { link, message } = this.take(requestId)
    if (link === undefined) return undefined
    this.#links.set(linkId, link)
    this.#linkIds.set(link, linkId)
    link.toClient({ kind: 'opened' })
    return message
  }

  sendEvent(streamId: string, event: Event): void {
    this.#streams.get(streamId)?.toClient({ kind: 'event', event })
  }

  sendToAgent(linkId: string, message: MasterMessage): void {
    this.#links.get(linkId)?.toClient({ kind: 'message', message })
  }

  closeStream(streamId: string): void {
    this.#streams.get(streamId)?.closeByServer()
    this.#streams.delete(streamId)
  }

  closeLink(linkId: string): void {
    this.#links.get(linkId)?.closeByServer()
    this.#links.delete(linkId)
  }

  /** A stream's connection is gone; its id, unless the master closed it. */
  streamLost(line: SchedulerLine): string | undefined {
    const streamId = this.#streamIds.get(line)
    this.#streamIds.delete(line)
    return streamId !== undefined && this.#streams.delete(streamId) ? streamId : undefined
  }

  /** A link's connection is gone; its id, unless the master closed it. */
  linkLost(line: LinkLine): string | undefined {
    const linkId = this.#linkIds.get(line)
    this.#linkIds.delete(line)
    return linkId !== undefined && this.#links.delete(linkId) ? linkId : undefined
  }

  /** The link a connection has: its id and whether it is open; undefined before its first message. */
  linkOf(line: LinkLine): { readonly linkId: string; readonly isOpen: boolean } | undefined {
    const linkId = this.#linkIds.get(line)
    return linkId === undefined ? undefined : { linkId, isOpen: this.#links.has(linkId) }
  }

  /** Forgets everything: the master ended. Operators that still waited for an answer. */
  clear(): NonNullable<Waiting['operator']>[] {
    const operators = [...this.#waiting.values()].flatMap(({ operator }) => operator ?? [])
    for (const map of [this.#waiting, this.#streams, this.#links, this.#streamIds, this.#linkIds]) map.clear()
    return operators
  }
}
