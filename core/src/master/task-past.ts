/**
 * What has been said of a task, kept in one string: its statuses without what they repeat of the task, and what the framework was told last.
 * A task has two or more statuses, each a message of a dozen objects; a million tasks would be gigabytes of them.
 *
 * ```
 * past    '' (nothing yet) or: told status status …
 * told    0 = nothing, 1 = the last status, 2 = state uuid
 * status  flags state uuid body container      body: the message without task, agent, executor, uuid, container and data
 * ```
 * State is one character, the other parts carry their length: one character, or four from 255 on. The container of a status is left out when
 * it is that of the status before.
 */

import type { TaskState, TaskStatus } from '@isthmus/proto/gen/mesos'
import { pack, packBytes, unpack, unpackBytes } from '@isthmus/proto/packed'
import { assert } from '../base/assert.ts'
import { MAX_TASK_STATUSES } from './state.ts'

/** The task whose past it is. */
export interface PastOwner {
  readonly id: string
  readonly agentId: string
  /** Empty for command tasks, whose executor has the id of the task. */
  readonly executorId: string
}

/** The state a framework was told last by an update with a uuid. */
export interface Told {
  readonly state: TaskState | undefined
  readonly uuid: Uint8Array
}

/** Nothing was said yet. */
export const NO_PAST = ''

const STATES: readonly TaskState[] = [
  'TASK_STAGING',
  'TASK_STARTING',
  'TASK_RUNNING',
  'TASK_KILLING',
  'TASK_FINISHED',
  'TASK_FAILED',
  'TASK_KILLED',
  'TASK_ERROR',
  'TASK_LOST',
  'TASK_DROPPED',
  'TASK_UNREACHABLE',
  'TASK_GONE',
  'TASK_GONE_BY_OPERATOR',
  'TASK_UNKNOWN',
]

const [TOLD_NOTHING, TOLD_LAST, TOLD_OTHER] = ['\x00', '\x01', '\x02']
const OF_AGENT = 1
const OF_EXECUTOR = 2
const HAS_UUID = 4
const SAME_CONTAINER = 8
const NOBODY = { value: '' }
/** How a body without task begins: field 1 of 2 bytes, which is field 1 without bytes. */
const NO_TASK = '\x0a\x02\x0a\x00'
/** Texts of so many characters carry their length in four. */
const LONG = 255

/** A status in parts. */
interface Piece {
  readonly flags: number
  readonly state: string
  readonly uuid: string
  readonly body: string
  readonly container: string
}

/** A past in parts. `told`: undefined = nothing, else state and uuid. */
interface Parts {
  readonly told: { readonly state: string; readonly uuid: string } | undefined
  readonly pieces: Piece[]
}

/**
 * The past with one status more: it replaces the last one when the state is the same; of more than {@link MAX_TASK_STATUSES} the oldest but
 * the first are dropped. With a uuid it is what the framework was told last.
 */
export function remember(past: string, owner: PastOwner, status: TaskStatus): string {
  const { told, pieces } = read(past)
  const piece = pieceOf(owner, status)
  if (pieces.at(-1)?.state === piece.state) pieces.pop()
  if (pieces.length >= MAX_TASK_STATUSES) pieces.splice(1, 1)
  pieces.push(piece)
  return print({ told: piece.uuid === '' ? told : piece, pieces })
}

/** A past from statuses, oldest first, and what was told last. */
export function pastOf(owner: PastOwner, statuses: readonly TaskStatus[], told: Told | undefined): string {
  const pieces = statuses.map((status) => pieceOf(owner, status))
  if (told === undefined) return pieces.length === 0 ? NO_PAST : print({ told, pieces })
  return print({ told: { state: charOf(told.state), uuid: packBytes(told.uuid) }, pieces })
}

/** The statuses, oldest first; new objects each time. */
export function statusesOf(past: string, owner: PastOwner): TaskStatus[] {
  return read(past).pieces.map(({ flags, uuid, body, container }) => {
    const own = owner.executorId === '' ? owner.id : owner.executorId
    return {
      ...unpack('mesos.v1.TaskStatus', NO_TASK + body),
      task_id: { value: owner.id },
      ...((flags & OF_AGENT) === 0 ? undefined : { agent_id: { value: owner.agentId } }),
      ...((flags & OF_EXECUTOR) === 0 ? undefined : { executor_id: { value: own } }),
      ...((flags & HAS_UUID) === 0 ? undefined : { uuid: unpackBytes(uuid) }),
      ...(container === '' ? undefined : { container_status: unpack('mesos.v1.ContainerStatus', container.slice(1)) }),
    }
  })
}

/** What the framework was told last, or undefined. */
export function toldOf(past: string): Told | undefined {
  if (past === NO_PAST || past[0] === TOLD_NOTHING) return undefined
  if (past[0] === TOLD_OTHER) {
    const { state, uuid } = read(past).told!
    return { state: STATES[state.charCodeAt(0)], uuid: unpackBytes(uuid) }
  }
  const at = lastPieceAt(past)
  const length = past.charCodeAt(at + 2)
  const begin = length === LONG ? at + 6 : at + 3
  const end = endOfSized(past, at + 2)
  return { state: STATES[past.charCodeAt(at + 1)], uuid: unpackBytes(past.slice(begin, end)) }
}

/** The state of the last status, or undefined. */
export function lastStateOf(past: string): TaskState | undefined {
  return past.length <= endOfTold(past) ? undefined : STATES[past.charCodeAt(lastPieceAt(past) + 1)]
}

/** Where the last status begins; there must be one. */
function lastPieceAt(past: string): number {
  let at = endOfTold(past)
  for (;;) {
    const next = endOfSized(past, endOfSized(past, endOfSized(past, at + 2)))
    if (next >= past.length) return at
    at = next
  }
}

function endOfTold(past: string): number {
  return past[0] === TOLD_OTHER ? endOfSized(past, 2) : 1
}

/** Behind the text whose length stands at a place. */
function endOfSized(past: string, at: number): number {
  const length = past.charCodeAt(at)
  if (length !== LONG) return at + 1 + length
  return at + 4 + (past.charCodeAt(at + 1) | (past.charCodeAt(at + 2) << 8) | (past.charCodeAt(at + 3) << 16))
}

function pieceOf(owner: PastOwner, status: TaskStatus): Piece {
  const { agent_id, executor_id, uuid, container_status, task_id: _task, data: _data, ...rest } = status
  const isOfAgent = agent_id?.value === owner.agentId
  const isOfExecutor = executor_id?.value === (owner.executorId === '' ? owner.id : owner.executorId)
  const left = {
    ...rest,
    task_id: NOBODY,
    agent_id: isOfAgent ? undefined : agent_id,
    executor_id: isOfExecutor ? undefined : executor_id,
  }
  const body = pack('mesos.v1.TaskStatus', left)
  assert(body.startsWith(NO_TASK), 'fields are encoded in the order of their declaration')
  return {
    flags: (isOfAgent ? OF_AGENT : 0) | (isOfExecutor ? OF_EXECUTOR : 0) | (uuid === undefined ? 0 : HAS_UUID),
    state: charOf(status.state),
    uuid: uuid === undefined ? '' : packBytes(uuid),
    body: body.slice(NO_TASK.length),
    // A blank before it, so that a container without fields is not none.
    container: container_status === undefined ? '' : ` ${pack('mesos.v1.ContainerStatus', container_status)}`,
  }
}

function charOf(state: TaskState | undefined): string {
  const at = state === undefined ? -1 : STATES.indexOf(state)
  return String.fromCharCode(at < 0 ? STATES.length : at)
}

/** One flat string: joining, unlike adding, keeps none of the parts alive. */
function print({ told, pieces }: Parts): string {
  const parts: string[] = []
  const last = pieces.at(-1)
  if (told === undefined) parts.push(TOLD_NOTHING)
  else if (last !== undefined && last.uuid === told.uuid && last.state === told.state) parts.push(TOLD_LAST)
  else parts.push(TOLD_OTHER, told.state, lengthOf(told.uuid), told.uuid)
  let before = ''
  for (const { flags, state, uuid, body, container } of pieces) {
    const isSame = container !== '' && container === before
    const kept = isSame ? '' : container
    const mark = String.fromCharCode(isSame ? flags | SAME_CONTAINER : flags & ~SAME_CONTAINER)
    parts.push(mark, state, lengthOf(uuid), uuid, lengthOf(body), body, lengthOf(kept), kept)
    before = container
  }
  return parts.join('')
}

function lengthOf({ length }: string): string {
  if (length < LONG) return String.fromCharCode(length)
  assert(length < 2 ** 24, 'a status is smaller than 16 MB')
  return String.fromCharCode(LONG, length & 255, (length >> 8) & 255, length >> 16)
}

/** Reads a past from its beginning. */
class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#text.length
  }

  char(): string {
    return this.#text[this.#at++]!
  }

  sized(): string {
    let length = this.#text.charCodeAt(this.#at++)
    if (length === LONG) {
      const digit = (place: number) => this.#text.charCodeAt(this.#at + place)
      length = digit(0) | (digit(1) << 8) | (digit(2) << 16)
      this.#at += 3
    }
    this.#at += length
    return this.#text.slice(this.#at - length, this.#at)
  }
}

function read(past: string): Parts {
  if (past === NO_PAST) return { told: undefined, pieces: [] }
  const reader = new Reader(past)
  const kind = reader.char()
  const other = kind === TOLD_OTHER ? { state: reader.char(), uuid: reader.sized() } : undefined
  const pieces: Piece[] = []
  let before = ''
  while (!reader.isAtEnd) {
    const flags = reader.char().charCodeAt(0)
    const [state, uuid, body, kept] = [reader.char(), reader.sized(), reader.sized(), reader.sized()]
    const container = (flags & SAME_CONTAINER) === 0 ? kept : before
    pieces.push({ flags, state, uuid, body, container })
    before = container
  }
  return { told: kind === TOLD_LAST ? pieces.at(-1) : other, pieces }
}
