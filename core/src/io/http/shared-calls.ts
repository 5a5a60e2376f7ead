// The operator calls that master and agent answer alike and that concern the process, not the machine: health, flags,
// version, metrics, logging, files.

import type { FileInfo, Flag, Metric, VersionInfo } from '@isthmus/proto/gen/mesos'
import type { FileEntry, FilesAnswer, VirtualFiles } from '../disk/virtual-files.ts'
import type { LoggingToggle } from './logging.ts'

/** The members of Call they read, the same on master and agent. */
export interface SharedCall {
  readonly type?: string | undefined
  readonly get_metrics?: object | undefined
  readonly set_logging_level?:
    | { readonly level: number; readonly duration: { readonly nanoseconds: number | bigint } }
    | undefined
  readonly list_files?: { readonly path: string } | undefined
  readonly read_file?:
    | { readonly path: string; readonly offset: number | bigint; readonly length?: number | bigint | undefined }
    | undefined
}

/** The members of Response that answer them. */
export type SharedResponse =
  | { readonly type: 'GET_HEALTH'; readonly get_health: { readonly healthy: boolean } }
  | { readonly type: 'GET_FLAGS'; readonly get_flags: { readonly flags: readonly Flag[] } }
  | { readonly type: 'GET_VERSION'; readonly get_version: { readonly version_info: VersionInfo } }
  | { readonly type: 'GET_METRICS'; readonly get_metrics: { readonly metrics: readonly Metric[] } }
  | { readonly type: 'GET_LOGGING_LEVEL'; readonly get_logging_level: { readonly level: number } }
  | { readonly type: 'LIST_FILES'; readonly list_files: { readonly file_infos?: readonly FileInfo[] } }
  | { readonly type: 'READ_FILE'; readonly read_file: { readonly size: number; readonly data: Uint8Array } }

/** How such a call is answered: with a message, or with a status and text. */
export type SharedAnswer =
  | { readonly kind: 'message'; readonly message: SharedResponse }
  | { readonly kind: 'text'; readonly status: number; readonly text?: string }

/** What the process knows. */
export interface SharedFacts {
  /** Prefix of refusals: `master::Call` or `agent::Call`. */
  readonly callName: string
  readonly flags: () => Readonly<Record<string, string>>
  readonly version: () => VersionInfo
  readonly metrics: () => Readonly<Record<string, number>>
  readonly logging: LoggingToggle
  readonly files: VirtualFiles
}

/** Message each call needs. */
const NEEDED: Readonly<Record<string, keyof SharedCall | undefined>> = {
  GET_HEALTH: undefined,
  GET_FLAGS: undefined,
  GET_VERSION: undefined,
  GET_LOGGING_LEVEL: undefined,
  GET_METRICS: 'get_metrics',
  SET_LOGGING_LEVEL: 'set_logging_level',
  LIST_FILES: 'list_files',
  READ_FILE: 'read_file',
}

/** Answers a call of this kind; undefined for every other call: that is the machine's. */
export function answerSharedCall(call: SharedCall, facts: SharedFacts): Promise<SharedAnswer> | undefined {
  const { type } = call
  if (type === undefined || !Object.hasOwn(NEEDED, type)) return undefined
  const needed = NEEDED[type]
  if (needed === undefined || call[needed] !== undefined) return answer(call, facts)
  const text = `Failed to validate ${facts.callName}: Expecting '${needed}' to be present`
  return Promise.resolve({ kind: 'text', status: 400, text })
}

async function answer(call: SharedCall, facts: SharedFacts): Promise<SharedAnswer> {
  switch (call.type) {
    case 'GET_HEALTH':
      return message({ type: 'GET_HEALTH', get_health: { healthy: true } })
    case 'GET_FLAGS': {
      const flags = Object.entries(facts.flags()).map(([name, value]) => ({ name, value }))
      return message({ type: 'GET_FLAGS', get_flags: { flags } })
    }
    case 'GET_VERSION':
      return message({ type: 'GET_VERSION', get_version: { version_info: facts.version() } })
    case 'GET_METRICS': {
      const metrics = Object.entries(facts.metrics()).map(([name, value]) => ({ name, value }))
      return message({ type: 'GET_METRICS', get_metrics: { metrics } })
    }
    case 'GET_LOGGING_LEVEL':
      return message({ type: 'GET_LOGGING_LEVEL', get_logging_level: { level: facts.logging.level } })
    case 'SET_LOGGING_LEVEL': {
      const { level, duration } = call.set_logging_level!
      facts.logging.set(level, Number(duration.nanoseconds) / 1e6)
      return { kind: 'text', status: 200 }
    }
    case 'LIST_FILES':
      return fileAnswer(await facts.files.browse({ path: call.list_files!.path }), (entries) => {
        const file_infos = entries.map(fileInfo)
        return { type: 'LIST_FILES', list_files: file_infos.length === 0 ? {} : { file_infos } }
      })
    default: {
      const { path, offset, length } = call.read_file!
      const query = { path, offset: Number(offset), length: length === undefined ? undefined : Number(length) }
      return fileAnswer(await facts.files.read(query), ({ data, sizeBytes }) => {
        return { type: 'READ_FILE', read_file: { size: sizeBytes, data } }
      })
    }
  }
}

function message(response: SharedResponse): SharedAnswer {
  return { kind: 'message', message: response }
}

function fileAnswer<Value>(found: FilesAnswer<Value>, response: (value: Value) => SharedResponse): SharedAnswer {
  if (found.kind === 'ok') return message(response(found.value))
  return found.kind === 'notFound' ? { kind: 'text', status: 404 } : { kind: 'text', status: 400, text: found.message }
}

function fileInfo(entry: FileEntry): FileInfo {
  const { path, modeBits, nlink, sizeBytes, mtimeSeconds, uid, gid } = entry
  const mtime = { nanoseconds: BigInt(Math.round(mtimeSeconds)) * 1_000_000_000n }
  return { path, nlink, size: sizeBytes, mtime, mode: modeBits, uid, gid }
}
