// Ids and names as types of their own, so that a task's id is not taken for a framework's, and the bytes and text of uuids.
// Pure: no randomness; core's base/random makes new uuids.

declare const brand: unique symbol
type Branded<Name extends string> = string & { readonly [brand]: Name }

/** Given to a framework by the master, or chosen by the framework: `UUID-0000`. */
export type FrameworkId = Branded<'FrameworkId'>
/** Given to an agent by the master: `UUID-S0`. */
export type AgentId = Branded<'AgentId'>
/** Given to an offer by the master: `UUID-O0`. */
export type OfferId = Branded<'OfferId'>
/** Chosen by the framework; unique among its tasks that are not terminal. */
export type TaskId = Branded<'TaskId'>
/** Chosen by the framework; unique among its executors on one agent. */
export type ExecutorId = Branded<'ExecutorId'>
/** One container's own name; a nested one has a parent beside it in its ContainerID. */
export type ContainerId = Branded<'ContainerId'>
/** Chosen by the framework to follow an operation. */
export type OperationId = Branded<'OperationId'>
/** Given to a resource provider by its agent. */
export type ResourceProviderId = Branded<'ResourceProviderId'>
/** Of one subscription: the header Mesos-Stream-Id. */
export type StreamId = Branded<'StreamId'>
/** A role's full name with the names of its parents: `eng/dev`. */
export type RoleName = Branded<'RoleName'>

/** Takes a text as an id; whether it is a valid one is `idError`'s question. */
export const frameworkId = (value: string): FrameworkId => value as FrameworkId
/** Takes a text as an id. */
export const agentId = (value: string): AgentId => value as AgentId
/** Takes a text as an id. */
export const offerId = (value: string): OfferId => value as OfferId
/** Takes a text as an id. */
export const taskId = (value: string): TaskId => value as TaskId
/** Takes a text as an id. */
export const executorId = (value: string): ExecutorId => value as ExecutorId
/** Takes a text as an id. */
export const containerId = (value: string): ContainerId => value as ContainerId
/** Takes a text as an id. */
export const operationId = (value: string): OperationId => value as OperationId
/** Takes a text as an id. */
export const resourceProviderId = (value: string): ResourceProviderId => value as ResourceProviderId
/** Takes a text as an id. */
export const streamId = (value: string): StreamId => value as StreamId
/** Takes a text as a role's name; whether it is a valid one is the question of core's resources/roles. */
export const roleName = (value: string): RoleName => value as RoleName

/** Ids become names of directories, and these have a limit: so many bytes of UTF-8. */
export const ID_BYTES_MAX = 255

/**
 * Says what is wrong with an id that a framework chose, in the words of Mesos; undefined when nothing is. Spaces are allowed,
 * slashes and control characters are not.
 */
export function idError(id: string): string | undefined {
  if (id === '') return 'ID must not be empty'
  if (utf8Length(id) > ID_BYTES_MAX) return `ID must not be greater than ${ID_BYTES_MAX} characters`
  if (id === '.' || id === '..') return `'${id}' is disallowed`
  return hasForbiddenCharacter(id) ? `'${id}' contains invalid characters` : undefined
}

/** The same for one name of a container; '.', which joins parent and child when they are shown, and ' ' are forbidden too. */
export function containerIdError(id: string): string | undefined {
  return idError(id) ?? (/[. ]/.test(id) ? `'ContainerID.value' '${id}' contains invalid characters` : undefined)
}

/** Bytes of the text in UTF-8; a surrogate without its partner counts as the three bytes it is written as. */
export function utf8Length(text: string): number {
  let bytes = 0
  // By code points: a pair of surrogates comes as one.
  for (const character of text) {
    const code = character.codePointAt(0) as number
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x1_0000 ? 3 : 4
  }
  return bytes
}

function hasForbiddenCharacter(id: string): boolean {
  for (let at = 0; at < id.length; at++) {
    const code = id.charCodeAt(at)
    if (code < 0x20 || code === 0x7f || id[at] === '/' || id[at] === '\\') return true
  }
  return false
}

/** Bytes of a uuid. */
export const UUID_BYTES = 16

/** Whether these are 16 bytes in the form of RFC 4122: a version of 1 to 5 and its variant. The nil uuid is none. */
export function isUuid(bytes: Uint8Array | undefined): boolean {
  if (bytes?.length !== UUID_BYTES) return false
  const version = (bytes[6] as number) >> 4
  return version >= 1 && version <= 5 && ((bytes[8] as number) & 0xc0) === 0x80
}

const UUID_TEXT = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** The 16 bytes of a uuid's text with dashes, in either case; undefined when it is none. Its version is not looked at. */
export function uuidToBytes(text: string): Uint8Array | undefined {
  if (!UUID_TEXT.test(text)) return undefined
  const digits = text.replaceAll('-', '')
  return Uint8Array.from({ length: UUID_BYTES }, (_, at) => Number.parseInt(digits.slice(2 * at, 2 * at + 2), 16))
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
/** Bytes that have a dash in front. */
const DASHED: ReadonlySet<number> = new Set([4, 6, 8, 10])

/** A uuid's text, lower case with dashes; undefined when there are not 16 bytes. */
export function bytesToUuid(bytes: Uint8Array): string | undefined {
  if (bytes.length !== UUID_BYTES) return undefined
  let text = ''
  for (let at = 0; at < UUID_BYTES; at++) text += `${DASHED.has(at) ? '-' : ''}${HEX[bytes[at] as number]}`
  return text
}
