import { decode, encode, type MessageName } from '@isthmus/proto/codec'
import type { MessageTypes } from '@isthmus/proto/gen/descriptor'
import type { FrameworkInfo, Offer, TaskInfo, TaskStatus } from '@isthmus/proto/gen/mesos'
import type { Call, Event } from '@isthmus/proto/gen/scheduler'
import { type Endpoint, Peer } from '../src/io/http/client.ts'
import { until } from './programs.ts'

/** A framework that speaks the v1 API over plain HTTP in one encoding, and acknowledges what it is told. */
export class PlainScheduler {
  readonly events: Event[] = []
  /** How its subscription ended. */
  closedBy: string | undefined
  /** Off: a test acknowledges by itself. */
  isAcknowledging = true
  #streamId = ''
  readonly #peer: Peer
  readonly #isProtobuf: boolean

  constructor(master: Endpoint, isProtobuf = false) {
    this.#peer = new Peer(master)
    this.#isProtobuf = isProtobuf
  }

  get frameworkId(): string {
    return this.events.find(({ type }) => type === 'SUBSCRIBED')!.subscribed!.framework_id.value
  }

  /** Status updates so far, in order. */
  get updates(): readonly TaskStatus[] {
    return this.events.filter(({ type }) => type === 'UPDATE').map(({ update }) => update!.status)
  }

  /** States of one task's updates so far. */
  statesOf(taskId: string): string[] {
    return this.updates.filter(({ task_id }) => task_id.value === taskId).map(({ state }) => state)
  }

  subscribe(info: Partial<FrameworkInfo> = {}): void {
    const type = this.#type
    this.#peer.stream(
      {
        path: '/api/v1/scheduler',
        headers: { 'Content-Type': type, Accept: type },
        body: this.#write('mesos.v1.scheduler.Call', {
          type: 'SUBSCRIBE',
          framework_id: info.id,
          subscribe: { framework_info: { user: 'root', name: 'plain', ...info } },
        }),
      },
      {
        opened: (headers) => {
          this.#streamId = String(headers['mesos-stream-id'])
        },
        record: (bytes) => this.#received(bytes),
        closed: (reason) => {
          this.closedBy = reason.message
        },
      },
    )
  }

  /** Sends a call and returns the status of the answer. */
  async call(call: Call): Promise<number> {
    const answer = await this.#peer.send({
      path: '/api/v1/scheduler',
      headers: { 'Content-Type': this.#type, 'Mesos-Stream-Id': this.#streamId },
      body: this.#write('mesos.v1.scheduler.Call', { framework_id: { value: this.frameworkId }, ...call }),
    })
    return answer.status
  }

  /** Waits for the first offer. */
  async offer(): Promise<Offer> {
    await until('an offer', () => this.events.some(({ type }) => type === 'OFFERS'))
    return this.events.findLast(({ type }) => type === 'OFFERS')!.offers!.offers![0]!
  }

  /** Launches tasks on an offer. */
  launch(offer: Offer, tasks: readonly TaskInfo[]): Promise<number> {
    const operations = [{ type: 'LAUNCH', launch: { task_infos: tasks } }] as const
    return this.call({ type: 'ACCEPT', accept: { offer_ids: [offer.id], operations } })
  }

  /** Waits until a task has been in a state. */
  async reached(taskId: string, state: string): Promise<TaskStatus> {
    const find = () => this.updates.findLast((status) => status.task_id.value === taskId && status.state === state)
    await until(`${taskId} in ${state}, after ${this.statesOf(taskId)}`, () => find() !== undefined)
    return find()!
  }

  close(): void {
    this.#peer.close()
  }

  get #type(): string {
    return this.#isProtobuf ? 'application/x-protobuf' : 'application/json'
  }

  #write<Name extends MessageName>(name: Name, message: MessageTypes[Name]): Uint8Array | string {
    if (this.#isProtobuf) return encode(name, message)
    return JSON.stringify(message, (_key, value: unknown) => {
      return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value
    })
  }

  #received(bytes: Uint8Array): void {
    const event = this.#isProtobuf
      ? decode('mesos.v1.scheduler.Event', bytes)
      : (JSON.parse(Buffer.from(bytes).toString()) as Event)
    this.events.push(event)
    if (this.isAcknowledging && event.update !== undefined) this.acknowledge(event.update.status)
  }

  /** Acknowledges one update, if it asks for it. */
  acknowledge({ uuid, agent_id, task_id }: TaskStatus): void {
    if (uuid === undefined || agent_id === undefined) return
    // An acknowledgement that is lost is asked for again by the next update; a test sees that by its states.
    this.call({ type: 'ACKNOWLEDGE', acknowledge: { agent_id, task_id, uuid } }).catch(() => {})
  }
}

/** Scalars for a task. */
export function scalars(values: Readonly<Record<string, number>>): NonNullable<TaskInfo['resources']> {
  return Object.entries(values).map(([name, value]) => ({ name, type: 'SCALAR', scalar: { value } }))
}
