/**
 * What an agent must not forget, and how its next life gets it back.
 *
 * ```
 * step() ─► effects: … record{records}, launchContainer, record{records}, sendToMaster …      nothing behind a record happens before it
 *                        │ encodeRecord                                                         is durable (the shell's output commit)
 *                        ▼
 *                     journal ── decodeRecord ─► recover(records) ─► AgentOptions.recovered ─► createAgent
 *                                                                                                 │ first event: containersFound
 *                     journal.begin(snapshot(state)) ◄── rotation, and every start ◄──────────────┘
 * ```
 * A crash loses a suffix of the effects, so every prefix of the records has to be a state to go on from: recovery.ts. Only frameworks with
 * checkpoint = true have records. What is not recorded: the agent's id and description, its boot id, reservations, volumes and operations
 * (they have files of their own); containers of the operator API; completed tasks.
 *
 * What the world does with the new effects and events:
 * - `record`: append; hold back every later effect, timers too, until it is durable;
 * - `releaseContainer`: the launcher may forget the end of a container; it stands behind the record of that end;
 * - `containersFound`: the first event of an agent that was made with `recovered` (also an empty one); until then it answers 503 and does
 *   not look for its master. A container that is told `ended` is not told again as containerExited.
 */

import { decode, encode, WireError } from '@isthmus/proto/codec'
import type { Record as RecordMessage } from '@isthmus/proto/gen/checkpoint'
import { ok, type Result, reject } from '../base/result.ts'

/** Of the records that this program writes. Raised when an older program would misread them. */
export const RECORD_VERSION = 1

type Payloads = Omit<RecordMessage, 'version'>

/** What a record may be about; the fields of proto/isthmus/checkpoint.proto. */
export type AgentRecordKind = keyof Payloads

/**
 * One thing to be remembered:
 * - framework, framework_terminating, framework_gone: came or changed; was shut down; has nothing here any more
 * - executor, executor_started, executor_subscribed, executor_terminating, executor_ended: one run of an executor
 * - task, task_started, task_ending: came; its process runs; it was asked to end
 * - update, acknowledgement: a status update with its uuid; the scheduler has it
 * - sandbox: when the sandbox of an executor that ended is to be removed
 * - drain, drained
 */
export type AgentRecord = {
  [Kind in AgentRecordKind]-?: { readonly kind: Kind; readonly value: NonNullable<Payloads[Kind]> }
}[AgentRecordKind]

/** In the order of the protocol: a message that has several is the first of them. */
const KINDS: readonly AgentRecordKind[] = [
  'framework',
  'framework_terminating',
  'framework_gone',
  'executor',
  'executor_started',
  'executor_subscribed',
  'executor_terminating',
  'executor_ended',
  'task',
  'task_started',
  'task_ending',
  'update',
  'acknowledgement',
  'sandbox',
  'drain',
  'drained',
]

/** A record as the bytes a journal keeps. */
export function encodeRecord({ kind, value }: AgentRecord): Uint8Array {
  return encode('isthmus.checkpoint.Record', { version: RECORD_VERSION, [kind]: value })
}

/** The record of a journal's bytes. Rejects with RECORD_MALFORMED or RECORD_UNKNOWN (written by a newer program). */
export function decodeRecord(bytes: Uint8Array): Result<AgentRecord> {
  let message: RecordMessage
  try {
    message = decode('isthmus.checkpoint.Record', bytes)
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    return reject({ code: 'RECORD_MALFORMED', message: `this is no record of an agent: ${error.message}` })
  }
  const { version = 0 } = message
  const kind = KINDS.find((name) => message[name] !== undefined)
  if (version > RECORD_VERSION || kind === undefined) {
    const what = kind ?? 'of an unknown kind'
    const text = `record (${what}) of version ${version}: this program knows version ${RECORD_VERSION}`
    return reject({ code: 'RECORD_UNKNOWN', message: text, version })
  }
  return ok({ kind, value: message[kind] } as AgentRecord)
}
